import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { followIdentities, importOrders } from '../commerce/actions.ts'
import { mergePeople, withdrawClaim } from '../customers/actions.ts'
import { rebuild, refreshStanding } from '../relationship/actions.ts'
import { storeFacts } from './facts.ts'
import { claimMoves, claimPending, insertPending, nextFactId } from './queries.ts'

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const WAIT_MS_MAX = 10_000

function order(id: string, customer: string, day: string) {
  const lines = [{ item: 'tea', quantity: 1, unit_price: '10.00' }]
  const paid_at = `2026-05-${day}T12:00:00+08:00`
  return { kind: 'order', source: 'shop', external_id: id, customer_id: customer, paid_at, lines }
}

async function send(database: Database, ...facts: object[]): Promise<string[]> {
  const results = await storeFacts(database, clock, facts, FACT_KINDS)
  if (isRefusal(results)) throw new Error(results.message)
  return results.map(({ status }) => status)
}

interface Hold {
  /** The same database, whose transactions do all their work and then wait to commit. */
  readonly database: Database
  /** When a transaction has done its work. */
  readonly reached: Promise<void>
  /** Lets it commit. */
  commit(): void
}

function hold(database: Database): Hold {
  const reached = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const transaction: Database['transaction'] = (work) =>
    database.transaction(async (tx, client) => {
      const result = await work(tx, client)
      reached.resolve()
      await gate.promise
      return result
    })
  return { database: { ...database, transaction }, reached: reached.promise, commit: gate.resolve }
}

/** A transaction that concerns people in the way of every module: takes a fact id, and says whose facts changed. */
async function concern(tx: Sql, database: Database, customer: string): Promise<number> {
  const factId = await nextFactId(tx)
  const { rows } = await database.pool.query<{ person_id: number }>(
    'select person_id from customers.published_people where value = $1',
    [customer],
  )
  const [person] = rows
  assert.ok(person)
  await sql`create temp table changed_people on commit drop as select ${person.person_id}::bigint as person_id`.execute(
    tx,
  )
  await insertPending(tx, clock.now())
  return factId
}

async function isSettled(work: Promise<unknown>): Promise<boolean> {
  return Promise.race([work.then(() => true), sleep(150, false)])
}

async function pendingOf(database: Database, table: 'pending_people' | 'pending_moves', subscriber: string) {
  const { rows } = await database.pool.query(`select count(*) as n from intake.${table} where subscriber = $1`, [
    subscriber,
  ])
  return rows[0].n
}

/** What is stored of how everybody stands, by the customer's own id. */
async function standing(database: Database): Promise<Record<string, [number, number]>> {
  const { rows } = await database.pool.query<{ value: string; occasions: number; net_paid_minor: number }>(
    `select p.value, s.occasions, s.net_paid_minor from relationship.published_standing s
     join customers.published_people p using (person_id) order by 1`,
  )
  return Object.fromEntries(rows.map((row) => [row.value, [row.occasions, row.net_paid_minor]]))
}

/** Whoever waits for a lock of the database, so that a test can go on once somebody does. */
async function untilSomebodyWaits(database: Database): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX
  for (;;) {
    const { rows } = await database.pool.query(
      `select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    if (rows[0].n > 0) return
    assert.ok(performance.now() < deadline, 'nobody waits')
    await sleep(10)
  }
}

test('facts that commit late are worked off late: people who were pending before them, and people who were not', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, order('A-1', 'lin', '01'), order('A-2', 'wu', '02'), order('A-3', 'zhao', '03'))
  const held = hold(database)
  // lin is pending already; qian is not known yet.
  const late = send(held.database, order('B-1', 'lin', '04'), order('B-2', 'qian', '05'))
  await held.reached
  const { rows: numbers } = await database.pool.query('select last_value as n from intake.fact_id')

  // Whoever admits facts waits, so that numbers are committed in their order; whoever else concerns people does not.
  const later = send(database, order('C-1', 'zhao', '06'), order('C-2', 'sun', '07'))
  await untilSomebodyWaits(database)
  const others = await database.transaction((tx) => concern(tx, database, 'wu'))
  assert.ok(others > numbers[0].n, 'it took its number after the one that is held')

  // The subscriber works off all that it sees, while those are held, and that is not everything.
  const seen = await refreshStanding(database, clock)
  assert.ok(seen >= 2, 'wu and zhao at least')
  const meanwhile = await standing(database)
  assert.deepEqual([meanwhile.wu, meanwhile.zhao, meanwhile.qian], [[1, 1000], [1, 1000], undefined])
  assert.equal(await isSettled(Promise.race([late, later])), false)

  held.commit()
  assert.deepEqual(await late, ['new', 'new'])
  assert.deepEqual(await later, ['new', 'new'])
  await refreshStanding(database, clock)
  const after = await standing(database)
  assert.deepEqual(after, { lin: [2, 2000], qian: [1, 1000], sun: [1, 1000], wu: [1, 1000], zhao: [2, 2000] })
  assert.equal(await pendingOf(database, 'pending_people', 'relationship'), 0)
  await rebuild(database, clock)
  assert.deepEqual(await standing(database), after, 'as from all facts at once')
})

test('nobody waits for a subscriber that is at work on them, and what came meanwhile is worked off the next time', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, order('A-1', 'lin', '01'))
  const held = hold(database)
  const working = refreshStanding(held.database, clock)
  await held.reached
  assert.deepEqual(await send(database, order('A-2', 'lin', '02')), ['new'])
  // A second worker waits for the first: both would write the same row.
  const next = refreshStanding(database, clock)
  await untilSomebodyWaits(database)
  held.commit()
  assert.equal(await working, 1)
  assert.equal(await next, 1)
  assert.deepEqual(await standing(database), { lin: [2, 2000] })
  assert.equal(await pendingOf(database, 'pending_people', 'relationship'), 0)
})

test('who is on the list several times is worked off once', async (t) => {
  const { database } = await testDatabase(t)
  for (const day of ['01', '02', '03']) await send(database, order(`A-${day}`, 'lin', day))
  await send(database, order('A-4', 'wu', '04'))
  assert.equal(await pendingOf(database, 'pending_people', 'relationship'), 4)
  assert.equal(await refreshStanding(database, clock), 2)
  assert.equal(await refreshStanding(database, clock), 0)
  assert.deepEqual(await standing(database), { lin: [3, 3000], wu: [1, 1000] })
})

test('an identity that moves in a transaction that commits late takes its orders with it', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, order('A-1', 'lin', '01'), order('A-2', 'wu', '02'))
  const { rows } = await database.pool.query<{ person_id: number }>(
    'select person_id from customers.published_people order by value',
  )
  const personIds = rows.map((row) => row.person_id)
  const merge = async (on: Database) => {
    const made = await mergePeople(on, clock, { personIds, by: atTerminal('lead') })
    if (isRefusal(made)) throw new Error(made.message)
    return made.claim_id
  }
  const people = async () => {
    const { rows: found } = await database.pool.query('select count(distinct person_id) as n from commerce.orders')
    return found[0].n
  }
  // Merged and taken back: both ends of the move are pending, and nobody has followed them yet.
  await withdrawClaim(database, clock, await merge(database))
  assert.equal(await pendingOf(database, 'pending_moves', 'commerce'), 2)
  const held = hold(database)
  const late = merge(held.database)
  await held.reached
  // It takes what it sees, and may wait for the people that the merge concerns.
  const following = followIdentities(database, clock)
  await isSettled(following)
  assert.equal(await people(), 2)
  held.commit()
  await Promise.all([late, following])
  await followIdentities(database, clock)
  assert.equal(await people(), 1)
  assert.equal(await pendingOf(database, 'pending_moves', 'commerce'), 0)
  await refreshStanding(database, clock)
  assert.deepEqual(Object.values(await standing(database)), [
    [2, 2000],
    [2, 2000],
  ])
})

test('a return that comes before its order has followed a merge reduces it all the same', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, order('A-1', 'lin', '01'), order('A-2', 'wu', '02'))
  const identities = ['lin', 'wu'].map((value) => ({ kind: 'own_id', value }))
  await send(database, { kind: 'person', source: 'shop', external_id: 'p-1', identities })
  assert.equal(await pendingOf(database, 'pending_moves', 'commerce'), 1)
  const given = order('A-3', 'wu', '03')
  await send(database, { ...given, lines: given.lines.map((line) => ({ ...line, quantity: -1 })) })
  const reduced = async () => {
    const { rows } = await database.pool.query<{ external_id: string; amount_minor: number }>(
      `select o.external_id, a.amount_minor from commerce.published_allocations a
       join commerce.published_orders o using (person_id, order_id)`,
    )
    return rows.map((row) => [row.external_id, row.amount_minor])
  }
  assert.deepEqual(await reduced(), [['A-2', 1000]])
  await followIdentities(database, clock)
  assert.deepEqual(await reduced(), [['A-2', 1000]])
  await refreshStanding(database, clock)
  assert.deepEqual(await standing(database), { lin: [1, 1000], wu: [1, 1000] })
})

test('a connection by shop account begins with the first order, also with one that has not followed a merge yet', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, order('A-1', 'lin', '01'), order('A-2', 'wu', '02'))
  const identities = ['lin', 'wu'].map((value) => ({ kind: 'own_id', value }))
  await send(database, { kind: 'person', source: 'shop', external_id: 'p-1', identities })
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-pending-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'orders.csv')
  await writeFile(path, 'order_id,customer_id,paid_at,item,amount\nA-3,wu,2026-05-03 12:00:00,tea,10.00\n')
  const columns = Object.fromEntries(
    ['order_id', 'customer_id', 'paid_at', 'item', 'amount'].map((name) => [name, [name]]),
  )
  const mapping = { name: 'shop', kind: 'orders', source: 'shop', date_order: 'ymd', columns, options: {} } as const
  const options = { connected_by: 'shop_account' }
  await importOrders(database, clock, {
    path,
    mapping,
    options,
    dryRun: false,
    rejectsFolder: folder,
    runsFolder: join(folder, 'runs'),
  })
  const { rows } = await database.pool.query<{ value: string; begun_at: Date }>(
    `select p.value, c.begun_at from customers.published_connections c join customers.published_people p using (identity_id)`,
  )
  assert.deepEqual(
    rows.map((row) => [row.value, row.begun_at.toISOString()]),
    [['wu', '2026-05-02T04:00:00.000Z']],
  )
})

const CLAIMS = [
  [
    'people',
    claimPending,
    'claimed_people',
    `insert into intake.pending_people select 'x', n from generate_series(1, 500) n`,
  ],
  [
    'moves',
    claimMoves,
    'claimed_moves',
    `insert into intake.pending_moves select 'x', n, n from generate_series(1, 500) n`,
  ],
] as const

for (const [what, claim, table, fill] of CLAIMS) {
  test(`workers side by side never take the same of the pending ${what}`, async (t) => {
    const { database } = await testDatabase(t)
    const take = (on: Database, limit: number) =>
      on.transaction(async (tx, client) => {
        const count = await claim(tx, 'x', limit)
        const { rows } = await client.query<{ id: number }>(
          `select ${what === 'people' ? 'person_id' : 'identity_id'} as id from ${table}`,
        )
        assert.equal(rows.length, count)
        return rows.map(({ id }) => Number(id))
      })
    const all = Array.from({ length: 500 }, (_, index) => index + 1)
    const sorted = (ids: readonly number[]) => [...ids].sort((a, b) => a - b)

    await database.pool.query(fill)
    const held = hold(database)
    const first = take(held.database, 200)
    await held.reached
    const second = take(database, 500)
    // Moves that the first holds are skipped; people are waited for, as their workers have a lock of their own.
    if (what === 'moves') {
      assert.equal((await second).length, 300)
      assert.deepEqual(await take(database, 500), [])
    }
    held.commit()
    assert.equal((await second).length, 300)
    assert.deepEqual(sorted([...(await first), ...(await second)]), all)
    assert.deepEqual(await take(database, 500), [])

    // What a worker took and did not finish is pending as before.
    await database.pool.query(fill)
    await assert.rejects(
      database.transaction(async (tx) => {
        await claim(tx, 'x', 400)
        throw new Error('killed')
      }),
      /killed/,
    )
    const taken: number[] = []
    const worker = async () => {
      for (let got = await take(database, 7); got.length > 0; got = await take(database, 7)) taken.push(...got)
    }
    await Promise.all([worker(), worker(), worker(), worker()])
    assert.deepEqual(sorted(taken), all)
  })
}
