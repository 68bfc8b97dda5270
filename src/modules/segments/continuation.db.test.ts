import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { testDatabase } from '../../../test/database.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { storeFacts } from '../intake/actions.ts'
import { refreshStanding } from '../relationship/actions.ts'
import { CONTINUATION, createSegment, refreshSegments } from './actions.ts'

// Members that follow in the transaction which brings standing up to date, and what is left for the run after it.

const START = Date.parse('2026-03-10T04:00:00Z')
const DAY_MS = 86_400_000

const order = (key: string, id: string, daysAgo: number) => ({
  kind: 'order',
  source: 'shop',
  external_id: id,
  customer_id: key,
  paid_at: new Date(START - daysAgo * DAY_MS).toISOString(),
  lines: [{ item: 'tea', unit_price: 10 }],
})

/** Of those who bought and not for 30 days: `a`, and from the day after START on `c`; and `d` left it, for which its month was made. */
async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const clock: Clock & { at: number } = { at: START, now: () => new Date(clock.at) }
  const store = async (...facts: object[]) => {
    const results = await storeFacts(database, clock, facts, FACT_KINDS)
    assert.ok(!isRefusal(results) && results.every(({ status }) => status === 'new'), JSON.stringify(results))
  }
  await store(order('a', 'A1', 40), order('b', 'B1', 10), order('c', 'C1', 29), order('d', 'D1', 50))
  await catchUp(database, clock)
  const definition = {
    all: [
      { orders: { count: { at_least: 1 } } },
      { not: { orders: { count: { at_least: 1 }, window: { last_days: 30 } } } },
    ],
  }
  const made = await createSegment(database, clock, { name: 'quiet', definition }, atTerminal())
  assert.ok(!isRefusal(made))
  clock.at += 1000
  await store(order('d', 'D2', 0))
  await catchUp(database, clock)
  const namesOf = async (text: string) => {
    const { rows } = await database.pool.query<{ key: string }>(
      `select distinct value as key from (${text}) x join customers.published_people using (person_id) where namespace = 'shop' order by 1`,
    )
    return rows.map(({ key }) => key).join(' ')
  }
  const members = () => namesOf(`select person_id from segments.stays where out_at = 'infinity'`)
  const pending = () => namesOf(`select person_id from intake.pending_people where subscriber = 'segments'`)
  assert.deepEqual([await members(), await pending()], ['a', ''])
  return { database, clock, store, members, pending, segmentId: made.segment_id }
}

test('members follow in the transaction that brings standing up to date, each by the fact that did it', async (t) => {
  const { database, clock, store, members, pending } = await start(t)
  clock.at += 1000
  await store(order('a', 'A2', 0), order('e', 'E1', 60))
  await refreshStanding(database, clock, 0, CONTINUATION)
  assert.deepEqual([await members(), await pending()], ['e', ''])
  const { rows } = await database.pool.query(
    `select p.value as key, out_at, out_cause, external_id as fact from segments.stays join customers.published_people p using (person_id)
     join intake.published_inbox on fact_id = out_fact_id where p.value = 'a'`,
  )
  assert.deepEqual(rows, [{ key: 'a', out_at: clock.now(), out_cause: 'fact', fact: 'A2' }])
})

test('standing does not wait for a definition that is being written: members follow after it', async (t) => {
  const { database, clock, store, members, pending } = await start(t)
  await store(order('a', 'A2', 0))
  await database.transaction(async (_, client) => {
    await client.query(`select pg_advisory_xact_lock(hashtext('perennial segments'))`)
    assert.equal(await refreshStanding(database, clock, 0, CONTINUATION), 1)
    assert.deepEqual([await members(), await pending()], ['a', 'a'])
  })
  await refreshSegments(database, clock)
  assert.deepEqual([await members(), await pending()], ['', ''])
})

test('where members cannot be told standing is written all the same, and they are left for the run that says why', async (t) => {
  const { database, clock, store, members, pending, segmentId } = await start(t)
  await store(order('a', 'A2', 0), order('b', 'B2', 0))
  const rename = (from: string, to: string) => database.pool.query(`alter table segments.${from} rename to ${to}`)
  await rename(`verdicts_${segmentId}`, 'mislaid')
  assert.equal(await refreshStanding(database, clock, 0, CONTINUATION), 2)
  assert.deepEqual([await members(), await pending()], ['a', 'a b'])
  const { rows } = await database.pool.query(
    'select value as key, occasions from relationship.standing join customers.published_people using (person_id) where occasions > 1 order by 1',
  )
  assert.deepEqual(
    rows,
    ['a', 'b', 'd'].map((key) => ({ key, occasions: 2 })),
  )
  await assert.rejects(refreshSegments(database, clock), /verdicts/)
  await rename('mislaid', `verdicts_${segmentId}`)
  await refreshSegments(database, clock)
  assert.deepEqual([await members(), await pending()], ['', ''])
})

test('what time did before a fact came is told from what the fact did', async (t) => {
  const { database, clock, store, members, pending } = await start(t)
  clock.at = START + 3 * DAY_MS
  // A purchase of long ago that was told late.
  await store(order('c', 'C0', 90))
  await refreshStanding(database, clock, 0, CONTINUATION)
  assert.deepEqual([await members(), await pending()], ['a', 'c'])
  await refreshSegments(database, clock)
  assert.deepEqual([await members(), await pending()], ['a c', ''])
  const { rows } = await database.pool.query(
    `select in_at, in_cause from segments.stays join customers.published_people p using (person_id) where p.value = 'c'`,
  )
  assert.deepEqual(rows, [{ in_at: new Date(START + DAY_MS), in_cause: 'time' }])
})
