import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConsole } from '../../../test/console.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { followChanges, valueEverybody } from '../value/actions.ts'
import { createSegment, explainDefinition } from './actions.ts'

const NOW = Date.parse('2026-06-01T04:00:00Z')
const DAY_MS = 86_400_000
const order = (id: string, customer: string, days: number, price: number) => ({
  kind: 'order',
  external_id: id,
  customer_id: customer,
  paid_at: new Date(NOW - days * DAY_MS).toISOString(),
  lines: [{ item: 'tea', unit_price: price }],
})

test('a run, what comes in after it and the days of a rhythm move people, each as what it is', async (t) => {
  const clock: Clock & { at: number } = { at: NOW, now: () => new Date(clock.at) }
  const { database, post } = await testConsole(t, clock)
  await post(
    ...['a', 'b'].flatMap((key) => [50, 40, 30, 20, 10, 1].map((days) => order(`${key}-${days}`, key, days, 10))),
    order('c-1', 'c', 100, 500),
  )
  const made = async (name: string, definition: Record<string, unknown>) => {
    const segment = await createSegment(database, clock, { name, definition }, atTerminal())
    if (isRefusal(segment)) throw new Error(segment.message)
    return segment.segment_id
  }
  const [rich, poor, late] = [
    await made('rich', { value: { own_minor: { at_least: 40_000 } } }),
    await made('poor', { not: { value: { own_minor: { at_least: 40_000 } } } }),
    await made('late', { rhythm: { state: ['late'] } }),
  ]
  const membersOf = async (segment: number) => {
    const { rows } = await database.pool.query<{ member: string }>(
      `select p.value || ' by ' || m.in_cause as member from segments.stays m join customers.published_people p using (person_id)
       where segment_id = $1 and out_at = 'infinity' order by 1`,
      [segment],
    )
    return rows.map(({ member }) => member)
  }
  assert.deepEqual([await membersOf(rich), await membersOf(late)], [[], []], 'nobody was valued')
  assert.equal((await membersOf(poor)).length, 3)

  await valueEverybody(database, clock.now())
  await catchUp(database, clock)
  assert.deepEqual(await membersOf(rich), ['c by value'])
  assert.deepEqual(await membersOf(poor), ['a by definition', 'b by definition'])
  const { rows: runs } = await database.pool.query('select in_at from segments.stays where segment_id = $1', [rich])
  await valueEverybody(database, clock.now())
  await catchUp(database, clock)
  const again = await database.pool.query('select in_at from segments.stays where segment_id = $1', [rich])
  assert.deepEqual(again.rows, runs, 'the same fit moves nobody')

  await post(order('a-rich', 'a', 0.1, 900))
  assert.deepEqual(await membersOf(rich), ['c by value'], 'what came in is not followed yet')
  assert.equal(await followChanges(database, clock.now()), 1)
  await catchUp(database, clock)
  assert.deepEqual(await membersOf(rich), ['a by fact', 'c by value'])

  // b's late day comes by the clock, at its very beginning in the brand's zone.
  const { rows: people } = await database.pool.query<{ person_id: number; late_day: number; late_at: Date }>(
    `select person_id, turns_days[1] as late_day, turns_at[1] as late_at
     from value.published_settled join customers.published_people using (person_id) where value = 'b'`,
  )
  const [b] = people
  assert.ok(b)
  const why = await explainDefinition(database.db, { rhythm: { state: ['late'] } }, b.person_id, { now: clock.now() })
  assert.ok(!isRefusal(why))
  assert.deepEqual([why.holds, why.flips_at], [false, b.late_at.toISOString()])
  assert.deepEqual(why.nodes[0]?.observed, { rhythm: 'in_rhythm', days_since_last: 1 })
  // The last order was on 31 May at noon, where the brand is.
  assert.equal(b.late_at.getTime(), Date.parse('2026-05-30T16:00:00Z') + b.late_day * DAY_MS)
  clock.at = b.late_at.getTime()
  await catchUp(database, clock)
  assert.ok((await membersOf(late)).includes('b by time'))
})
