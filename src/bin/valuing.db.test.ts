import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { testDatabase } from '../../test/database.ts'
import { storeFacts } from '../modules/intake/actions.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { catchUp } from './catch-up.ts'
import { FACT_KINDS } from './routes.ts'
import { createValuing } from './valuing.ts'

const NOW = Date.parse('2026-06-01T04:00:00Z')
const DAY_MS = 86_400_000

async function shop(t: TestContext) {
  const { database, url } = await testDatabase(t)
  const clock: Clock & { at: number } = { at: NOW, now: () => new Date(clock.at) }
  await send(database, clock, [order('1', 'a', 200, 80), order('2', 'a', 100, 80), order('3', 'b', 50, 30)])
  const log: string[] = []
  const valuing = createValuing(clock, (sentence) => log.push(sentence))
  t.after(() => valuing.stop())
  return { database, url, clock, log, valuing }
}

const order = (id: string, customer: string, days: number, price: number) => ({
  source: 'shop',
  kind: 'order',
  external_id: id,
  customer_id: customer,
  paid_at: new Date(NOW - days * DAY_MS).toISOString(),
  lines: [{ item: 'tea', unit_price: price }],
})

async function send(database: Database, clock: Clock, facts: readonly object[]): Promise<void> {
  await storeFacts(database, clock, facts, FACT_KINDS)
  await catchUp(database, clock)
}

async function countFits(database: Database): Promise<number> {
  const { rows } = await database.pool.query<{ fits: number }>('select count(*)::int as fits from value.fits')
  return rows[0]?.fits ?? 0
}

/** Nobody gets at values, until the function it returns is called. */
async function holdValues(database: Database): Promise<() => Promise<void>> {
  const client = await database.pool.connect()
  await client.query('begin')
  await client.query('lock table value.people')
  return async () => {
    await client.query('commit')
    client.release()
  }
}

async function waitForWaiting(database: Database): Promise<void> {
  for (;;) {
    const { rows } = await database.pool.query(
      `select from pg_locks where relation = 'value.people'::regclass and not granted`,
    )
    if (rows.length > 0) return
    await sleep(10)
  }
}

/** Ends when everybody was valued; after a minute with an error. */
const UNTIL_VALUED = `
  import pg from 'pg'
  const client = new pg.Client(process.argv[1])
  await client.connect()
  const isDone = async () => (await client.query('select from value.fits')).rowCount > 0
  for (let tries = 0; !(await isDone()); tries += 1) {
    if (tries > 600) process.exit(1)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await client.end()`

test('a run needs nothing of the thread that answers requests', async (t) => {
  const { database, url, log, valuing } = await shop(t)
  const release = await holdValues(database)
  const running = valuing.run(database)
  await waitForWaiting(database)
  await release()
  // This thread stands still until the run is over: one that was in it would never be.
  execFileSync(process.execPath, ['--input-type=module', '-e', UNTIL_VALUED, url], { stdio: 'inherit' })
  assert.equal(await running, true)
  assert.deepEqual(log, [])
  assert.equal(await valuing.run(database), false, 'nothing is due until tomorrow')
})

test('a run that is stopped leaves what was, and says nothing', async (t) => {
  const { database, log, valuing } = await shop(t)
  const release = await holdValues(database)
  const running = valuing.run(database)
  await waitForWaiting(database)
  await valuing.stop()
  assert.equal(await running, false)
  await release()
  assert.deepEqual([log, await countFits(database), await valuing.run(database)], [[], 0, false])
})

test('a run that failed says why, and is tried again after an hour; what follows the facts goes on', async (t) => {
  const { database, clock, log, valuing } = await shop(t)
  assert.equal(await valuing.run(database), true)
  clock.at += DAY_MS
  await database.pool.query('alter table value.fits add constraint one_is_enough check (fit_id < 2)')
  assert.equal(await valuing.run(database), false)
  assert.match(log.join(), /^Values could not be made: .*one_is_enough/)
  assert.equal(await countFits(database), 1)

  await send(database, clock, [order('4', 'b', 1, 50)])
  assert.equal(await valuing.run(database), true, 'what came in is followed')
  const { rows } = await database.pool.query(
    `select realised_minor from value.people join customers.published_people using (person_id) where value = 'b'`,
  )
  assert.deepEqual(rows, [{ realised_minor: 8000 }])
  assert.deepEqual([await valuing.run(database), log.length], [false, 1])

  clock.at += 3_600_000
  await database.pool.query('alter table value.fits drop constraint one_is_enough')
  assert.deepEqual([await valuing.run(database), await countFits(database)], [true, 2])
})

test('a run that somebody asks for is shown while it waits and runs, is asked for once, and follows what is under way', async (t) => {
  const { database, clock, log, valuing } = await shop(t)
  assert.deepEqual(valuing.state(database), { running_since: null, failed_at: null, as_of: null })
  assert.equal(await valuing.run(database), true)
  const release = await holdValues(database)
  await send(database, clock, [order('4', 'b', 1, 50)])
  const following = valuing.run(database)
  await waitForWaiting(database)
  const { promise: over, resolve: ended } = Promise.withResolvers<void>()
  clock.at += 1000
  assert.equal(valuing.begin(database, undefined, ended), true)
  assert.deepEqual(valuing.state(database), { running_since: '2026-06-01T04:00:01.000Z', failed_at: null, as_of: null })
  assert.equal(valuing.begin(database, undefined, assert.fail), false, 'it waits already')
  await release()
  assert.equal(await following, true)
  assert.equal(valuing.begin(database, undefined, assert.fail), false, 'it runs already')
  await over
  assert.deepEqual(valuing.state(database), { running_since: null, failed_at: null, as_of: null })
  assert.deepEqual([await countFits(database), log], [2, []], 'once a day was done, and asked for once more')

  await database.pool.query('alter table value.fits add constraint two_are_enough check (fit_id < 3)')
  const failed = Promise.withResolvers<void>()
  clock.at += 1000
  assert.equal(valuing.begin(database, undefined, failed.resolve), true)
  await failed.promise
  assert.deepEqual(valuing.state(database), { running_since: null, failed_at: '2026-06-01T04:00:02.000Z', as_of: null })
  assert.match(log.join(), /two_are_enough/)
})

test('a past day is worked out beside the nights: shown as such, and its failure keeps none of them waiting', async (t) => {
  const { database, clock, log, valuing } = await shop(t)
  assert.equal(await valuing.run(database), true)
  const asOf = new Date(NOW - 80 * DAY_MS)
  const begin = async () => {
    const { promise: over, resolve: ended } = Promise.withResolvers<void>()
    assert.equal(valuing.begin(database, asOf, ended), true)
    assert.equal(valuing.state(database).as_of, asOf.toISOString())
    await over
  }
  await begin()
  assert.deepEqual(valuing.state(database), { running_since: null, failed_at: null, as_of: null })
  const { rows } = await database.pool.query(
    'select fitted_at, worked_out_at, (select count(*)::int from value.past_people) as people from value.past_fits',
  )
  assert.deepEqual(rows, [{ fitted_at: asOf, worked_out_at: new Date(NOW), people: 1 }])
  assert.deepEqual([await countFits(database), log], [1, []])

  await database.pool.query('alter table value.past_fits add constraint one_is_enough check (fit_id < 2)')
  clock.at += DAY_MS
  await begin()
  const failed = { running_since: null, failed_at: '2026-06-02T04:00:00.000Z', as_of: asOf.toISOString() }
  assert.deepEqual(valuing.state(database), failed)
  assert.match(log.join(), /one_is_enough/)
  const kept = await database.pool.query('select fitted_at from value.past_fits')
  assert.deepEqual(kept.rows, [{ fitted_at: asOf }], 'what was kept stays')
  assert.deepEqual([await valuing.run(database), await countFits(database)], [true, 2])
  assert.deepEqual(valuing.state(database), failed, 'a night says nothing of it')

  await database.pool.query('alter table value.past_fits drop constraint one_is_enough')
  await begin()
  assert.equal(valuing.state(database).failed_at, null)
})
