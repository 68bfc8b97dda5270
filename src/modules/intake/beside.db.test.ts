import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { ERASERS } from '../../bin/erasers.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { importOrders } from '../commerce/actions.ts'
import { erasePerson } from '../customers/actions.ts'
import { followIdentities } from '../interactions/actions.ts'
import { refreshStanding } from '../relationship/actions.ts'
import { storeFacts, undoImport } from './actions.ts'

// What may come in side by side, and what may not. Each transaction that is held has done all its work and not committed.

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const WAIT_MS_MAX = 10_000

interface Hold {
  readonly database: Database
  /** When a transaction has done its work. */
  readonly reached: Promise<void>
  /** Lets it commit. */
  commit(): void
}

function hold(t: TestContext, database: Database): Hold {
  const reached = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  t.after(() => gate.resolve())
  const transaction: Database['transaction'] = (work) =>
    database.transaction(async (tx, client) => {
      const result = await work(tx, client)
      reached.resolve()
      await gate.promise
      return result
    })
  return { database: { ...database, transaction }, reached: reached.promise, commit: gate.resolve }
}

/** The same database as another process has it: its requests are not gathered with others. */
function apart(database: Database): Database {
  return { ...database }
}

/** @returns what became of each; of a refused one why. */
async function send(database: Database, ...facts: object[]): Promise<string[]> {
  const results = await storeFacts(database, clock, facts, FACT_KINDS)
  if (isRefusal(results)) throw new Error(results.message)
  return results.map(({ status, error }) => error?.code ?? status)
}

function own(value: string) {
  return { kind: 'own_id', value }
}

function order(id: string, price: string, refundOf?: string, source = 'shop') {
  const lines = [{ item: 'tea', quantity: 1, unit_price: price }]
  const head = { kind: 'order', source, external_id: id, customer_id: 'lin', paid_at: '2026-05-01T12:00:00Z' }
  return { ...head, ...(refundOf ? { refund_of: refundOf } : {}), lines }
}

function view(id: string, customer: string, item: string, occurred_at = '2026-05-02T12:00:00Z') {
  const head = { kind: 'interaction', source: 'shop', external_id: id, type: 'view', item }
  return { ...head, identity: own(customer), occurred_at }
}

function claim(id: string, ...customers: string[]) {
  return { kind: 'person', source: 'shop', external_id: id, identities: customers.map(own) }
}

async function rowOf<Row extends object>(database: Database, statement: string): Promise<Row> {
  const { rows } = await database.pool.query<Row>(statement)
  assert.ok(rows[0], statement)
  return rows[0]
}

async function untilSomebodyWaits(database: Database, { howMany = 1, orElse = () => {} } = {}): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX
  while ((await countWaiting(database)) < howMany) {
    if (performance.now() > deadline) {
      // Else the test would hang on what it holds.
      orElse()
      assert.fail('nobody waits')
    }
    await sleep(10)
  }
}

async function countWaiting(database: Database): Promise<number> {
  const waiting = `select count(*) as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  return (await rowOf<{ waiting: number }>(database, waiting)).waiting
}

/** Holds up all who write interactions, until somebody says go on. */
async function blockInteractions(database: Database): Promise<() => Promise<void>> {
  const blocker = await database.pool.connect()
  await blocker.query('begin; lock table interactions.interactions in exclusive mode')
  return async () => {
    await blocker.query('rollback')
    blocker.release()
  }
}

test('two refunds of one order at once give back no more than was paid', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, order('A-1', '30.00'))
  const held = hold(t, database)
  const first = send(held.database, order('A-1-back', '30.00', 'A-1'))
  await held.reached
  const second = send(database, order('A-1-again', '30.00', 'A-1'))
  await untilSomebodyWaits(database, { orElse: held.commit })
  held.commit()
  assert.deepEqual([await first, await second], [['new'], ['new']])
  const allocated = 'select sum(amount_minor)::bigint as minor from commerce.refund_allocations'
  assert.deepEqual(await rowOf(database, allocated), { minor: 3000 })
})

test('beside orders that are not committed yet come what people do and orders of another source, and all are worked off', async (t) => {
  const { database } = await testDatabase(t)
  // What the brand's amounts are in is settled.
  await send(database, order('A-0', '10.00'))
  assert.equal(await refreshStanding(database, clock), 1)
  const held = hold(t, database)
  const orders = send(held.database, order('A-1', '30.00'))
  await held.reached
  const others = await send(database, view('B-1', 'wu', 'tea'), order('A-1', '8.00', undefined, 'market'))
  assert.deepEqual(others, ['new', 'new'])
  assert.equal(await refreshStanding(database, clock), 2, "wu, and the market's lin")
  held.commit()
  await orders
  assert.equal(await refreshStanding(database, clock), 1, "the shop's lin")
  const paid = 'select array_agg(net_paid_minor order by 1) as minor from relationship.published_standing'
  assert.deepEqual(await rowOf(database, paid), { minor: [0, 800, 4000] })
})

test('two corrections of one fact at once: the second one replaces the first', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, view('A-1', 'lin', 'tea'))
  // Both have been admitted, as far as they can be, before the first one writes.
  const goOn = await blockInteractions(database)
  const first = send(database, view('A-1', 'lin', 'cup'))
  await untilSomebodyWaits(database)
  const second = send(apart(database), view('A-1', 'lin', 'pot'), view('A-2', 'lin', 'pot'))
  await untilSomebodyWaits(database, { howMany: 2 }).finally(goOn)
  assert.deepEqual([await first, await second], [['corrected'], ['corrected', 'new']])
  const { rows } = await database.pool.query('select item from interactions.interactions order by interaction_id')
  assert.deepEqual(rows, [{ item: 'pot' }, { item: 'pot' }])
  const kept = `select array_agg(body->'body'->>'item' order by body->'body'->>'item') as items from intake.bodies`
  assert.deepEqual(await rowOf(database, kept), { items: ['cup', 'tea'] })
})

test('two writers that each correct something and open a month do not block each other', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, view('A-1', 'lin', 'tea'), view('B-1', 'wu', 'tea'))
  const goOn = await blockInteractions(database)
  const writers = [
    send(apart(database), view('A-1', 'lin', 'cup', '2025-01-02T12:00:00Z')),
    send(
      apart(database),
      view('B-1', 'wu', 'cup', '2025-02-02T12:00:00Z'),
      view('B-2', 'wu', 'cup', '2025-01-02T12:00:00Z'),
    ),
  ]
  await untilSomebodyWaits(database, { howMany: 2 }).finally(goOn)
  assert.deepEqual(await Promise.all(writers), [['corrected'], ['corrected', 'new']])
})

test('requests that wait are stored by one transaction, in their order, and each is told of its own facts', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, view('A-0', 'lin', 'tea'))
  const goOn = await blockInteractions(database)
  const first = send(database, view('A-1', 'lin', 'tea'))
  await untilSomebodyWaits(database)
  // One is taken along with the first as soon as it is there; the others wait for a place.
  const second = send(database, view('A-2', 'lin', 'tea'))
  await untilSomebodyWaits(database, { howMany: 2 })
  const waiting = [
    send(database, view('B-1', 'wu', 'tea'), view('B-2', 'wu', 'tea', '9999-99-99')),
    send(database, view('B-3', 'wu', 'x'.repeat(2000))),
    send(database, view('B-4', 'wu', 'tea')),
    send(database, view('B-5', 'wu', 'tea')),
    // Of a fact that is being stored: after that, with a place free or not, and so is whoever comes after it.
    send(database, view('B-1', 'wu', 'cup')),
    send(database, view('B-1', 'wu', 'pot')),
  ]
  await sleep(50).finally(goOn)
  assert.deepEqual(await Promise.all([first, second]), [['new'], ['new']])
  assert.deepEqual(await Promise.all(waiting), [
    ['new', 'invalid'],
    ['invalid'],
    ['new'],
    ['new'],
    ['corrected'],
    ['corrected'],
  ])
  const { rows } = await database.pool.query(
    `select array_agg(external_id order by external_id) as ids from intake.inbox where external_id <> 'A-0' group by import_id order by 1`,
  )
  assert.deepEqual(
    rows.map(({ ids }) => ids.join(' ')),
    ['A-1', 'A-2', 'B-1', 'B-4 B-5'],
  )
  const items = `select array_agg(distinct item order by item) as items from interactions.interactions`
  assert.deepEqual(await rowOf(database, items), { items: ['pot', 'tea'] })
})

test('of one fact what came later is stored later, however many places are free', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, view('A-0', 'lin', 'tea'))
  const goOn = await blockInteractions(database)
  const first = send(database, view('A-1', 'lin', 'tea'))
  await untilSomebodyWaits(database)
  const later = [send(database, view('A-1', 'lin', 'cup')), send(database, view('A-1', 'lin', 'pot'))]
  // Long enough for these to have begun too, were they not kept from it.
  const beside = send(apart(database), view('B-1', 'wu', 'tea'))
  await untilSomebodyWaits(database, { howMany: 2, orElse: goOn })
  await sleep(100)
  const begun = await countWaiting(database).finally(goOn)
  assert.equal(begun, 2, 'the first of the fact, and the one of another process')
  assert.deepEqual(
    [await first, await beside, ...(await Promise.all(later))],
    [['new'], ['new'], ['corrected'], ['corrected']],
  )
  const kept = `select item from interactions.interactions i join intake.inbox b on b.fact_id = i.interaction_id where b.external_id = 'A-1'`
  assert.deepEqual(await rowOf(database, kept), { item: 'pot' })
})

test('however many requests wait for each other, others get a connection', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, view('A-0', 'lin', 'tea'))
  const goOn = await blockInteractions(database)
  const waiting = Array.from({ length: 20 }, (_, n) =>
    send(database, { ...view(`A-${n + 1}`, `c-${n}`, 'tea'), source: `shop-${n}` }),
  )
  await untilSomebodyWaits(database, { howMany: 4 })
    .then(() => refreshStanding(database, clock))
    .then((people) => assert.equal(people, 1, 'lin'))
    .finally(goOn)
  assert.deepEqual(new Set((await Promise.all(waiting)).flat()), new Set(['new']))
  assert.equal(await refreshStanding(database, clock), 20)
})

test('the same facts by several writers at once, each with new people: new to one of them', async (t) => {
  const { database } = await testDatabase(t)
  const facts = Array.from({ length: 200 }, (_, n) => view(`A-${n}`, `c-${n % 90}`, 'tea'))
  const rotated = Array.from({ length: 6 }, (_, n) => [...facts.slice(n * 30), ...facts.slice(0, n * 30)])
  const statuses = (await Promise.all(rotated.map((some) => send(apart(database), ...some)))).flat()
  assert.equal(statuses.filter((status) => status === 'new').length, 200)
  assert.equal(statuses.filter((status) => status === 'known').length, 1000)
  const counts = `select (select count(*) from interactions.interactions) as interactions,
    (select count(*) from customers.identities) as identities, (select count(*) from customers.canonical) as people`
  assert.deepEqual(await rowOf(database, counts), { interactions: 200, identities: 90, people: 90 })
})

test('who is named by several writers at once, as an invitee and as a referrer, is one person', async (t) => {
  const { database } = await testDatabase(t)
  const at = { occurred_at: '2026-05-02T12:00:00Z', source: 'shop', kind: 'referral_claim' }
  const facts = Array.from({ length: 5 }, (_, writer) =>
    Array.from({ length: 120 }, (_, n) => {
      const [invitee, referrer] = [own(`c-${(n * 7 + writer) % 60}`), own(`c-${(n * 7 + writer * 11 + 30) % 60}`)]
      return { ...at, external_id: `${writer}-${n}`, invitee, referrer }
    }).filter(({ invitee, referrer }) => invitee.value !== referrer.value),
  )
  const statuses = (await Promise.all(facts.map((some) => send(apart(database), ...some)))).flat()
  assert.deepEqual(new Set(statuses), new Set(['new']))
  const counts = `select count(*) as claims, count(distinct person_id) as invitees,
    (select count(*) from customers.identities) as identities, (select count(*) from customers.canonical) as people
    from customers.referral_claims`
  assert.deepEqual(await rowOf(database, counts), { claims: statuses.length, invitees: 60, identities: 60, people: 60 })
})

test('who becomes one person takes along what was coming in', async (t) => {
  const { database } = await testDatabase(t)
  await send(database, view('A-1', 'lin', 'tea'), view('A-2', 'wu', 'tea'))
  const held = hold(t, database)
  const late = send(held.database, view('A-3', 'wu', 'cup'))
  await held.reached
  const claimed = send(database, claim('p-1', 'lin', 'wu'))
  await untilSomebodyWaits(database, { orElse: held.commit })
  await followIdentities(database, clock)
  held.commit()
  await Promise.all([late, claimed])
  await followIdentities(database, clock)
  const people = 'select count(distinct person_id) as people from interactions.interactions'
  assert.deepEqual(await rowOf(database, people), { people: 1 })
})

const NAMING_LIN = [
  ['an order', order('A-2', '30.00')],
  ['an interaction', view('A-2', 'lin', 'cup')],
  ['a record', claim('A-2', 'lin', 'wu')],
  [
    'a referral claim',
    {
      kind: 'referral_claim',
      source: 'shop',
      external_id: 'A-2',
      invitee: own('wu'),
      referrer: own('lin'),
      occurred_at: '2026-05-02T12:00:00Z',
    },
  ],
] as const

for (const [what, fact] of NAMING_LIN) {
  test(`an erasure waits for ${what} that is coming in, and finds it; one that comes meanwhile is refused`, async (t) => {
    const { database } = await testDatabase(t)
    await send(database, view('A-1', 'lin', 'tea'))
    const known = `select person_id from customers.published_people where value = 'lin'`
    const { person_id: personId } = await rowOf<{ person_id: number }>(database, known)
    const held = hold(t, database)
    const late = send(held.database, fact)
    await held.reached
    const holding = hold(t, database)
    const erased = erasePerson(holding.database, clock, { personId, by: atTerminal('lead'), erasers: ERASERS })
    await untilSomebodyWaits(database, { orElse: held.commit })
    held.commit()
    assert.deepEqual(await late, ['new'])
    await holding.reached
    const meanwhile = send(database, { ...fact, external_id: 'A-3' })
    await untilSomebodyWaits(database, { orElse: holding.commit })
    holding.commit()
    assert.ok(!isRefusal(await erased))
    assert.deepEqual(await meanwhile, ['erased'])
    const left = `select (select count(*) from customers.identities where value = 'lin')
      + (select count(*) from commerce.orders where person_id > 0)
      + (select count(*) from interactions.interactions where person_id > 0)
      + (select count(*) from customers.referral_claims) as left`
    assert.deepEqual(await rowOf(database, left), { left: 0 })
  })
}

test('undoing an import waits for a correction that is coming in, and leaves it in force', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-beside-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'orders.csv')
  await writeFile(path, 'order_id,customer_id,paid_at,item,amount\nA-1,lin,2026-05-03 12:00:00,tea,10.00\n')
  const names = ['order_id', 'customer_id', 'paid_at', 'item', 'amount']
  const columns = Object.fromEntries(names.map((name) => [name, [name]]))
  const mapping = { name: 'shop', kind: 'orders', source: 'shop', date_order: 'ymd', columns, options: {} } as const
  const folders = { rejectsFolder: folder, runsFolder: join(folder, 'runs') }
  const imported = await importOrders(database, clock, { path, mapping, options: {}, dryRun: false, ...folders })
  assert.ok(!isRefusal(imported))
  const held = hold(t, database)
  const late = send(held.database, order('A-1', '12.00'))
  await held.reached
  const importId = imported.import_id ?? 0
  const undone = undoImport(database, clock, { importId, by: atTerminal('lead'), kinds: FACT_KINDS })
  await untilSomebodyWaits(database, { orElse: held.commit })
  held.commit()
  assert.deepEqual(await late, ['corrected'])
  assert.deepEqual(await undone, { import_id: importId, facts_retracted: 0, facts_restored: 0 })
  assert.deepEqual(await rowOf(database, 'select amount_minor from commerce.orders'), { amount_minor: 1200 })
})
