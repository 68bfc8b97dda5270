import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { testDatabase } from '../../../test/database.ts'
import { beginStory, check, storyFolder } from '../../../test/histories.ts'
import type { Rules } from '../../../test/oracle.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { changeSettings } from '../brand/actions.ts'
import { importOrders } from '../commerce/actions.ts'
import { refreshStanding, reportRfm, scorePerson } from './actions.ts'
import { scoreRfm } from './rules.ts'

type Transaction = Parameters<typeof scoreRfm>[0][number]

const RUNS = 20
const DAY_MS = 86_400_000
/** Of the wall clock; in Shanghai, where no day has 23 hours. */
const AS_OF_WALL = Date.parse('2025-11-20T12:00:00Z')
const OFFSET_MS = 8 * 3_600_000
const SHOP: Rules = {
  zone: 'Asia/Shanghai',
  periodDays: 365,
  occasionUnit: 'day',
  memberByPurchase: true,
  mergeDuplicates: false,
}
const UNITS = [
  { ties: 'group', recencyUnit: 'day', occasionUnit: 'day' },
  { ties: 'group', recencyUnit: 'day', occasionUnit: 'order' },
  { ties: 'group', recencyUnit: '24h', occasionUnit: 'day' },
  { ties: 'group', recencyUnit: '24h', occasionUnit: 'order' },
  { ties: 'first', recencyUnit: 'day', occasionUnit: 'day' },
  { ties: 'first', recencyUnit: 'day', occasionUnit: 'order' },
  { ties: 'first', recencyUnit: '24h', occasionUnit: 'day' },
  { ties: 'first', recencyUnit: '24h', occasionUnit: 'order' },
] as const

const transaction: fc.Arbitrary<Transaction> = fc.record({
  customer: fc.constantFrom('1', '2', '9', '10', 'a', 'B', 'b', '长', 'a1', 'a10', 'a2', '30'),
  at: fc
    .record({ days: fc.nat({ max: 40 }), seconds: fc.constantFrom(0, 1, -1, 43_199, 43_200, 43_201, -36_000) })
    .map(({ days, seconds }) => AS_OF_WALL - days * DAY_MS - Math.abs(seconds) * 1000),
  amount: fc.constantFrom(0, 0.1, 0.7, 1, 12.35, 99.99, 1000),
})

interface Paid {
  readonly id: string
  readonly customer: string
  /** As the file writes it. */
  readonly at: string
  readonly price: string
}

async function importPaid(database: Database, folder: string, clock: Clock, paid: readonly Paid[]): Promise<void> {
  const path = join(folder, 'paid.csv')
  const rows = paid.map(({ id, customer, at, price }) => [id, customer, at, 'x', 1, price].join(','))
  await writeFile(path, `order_id,customer_id,paid_at,item,quantity,unit_price\n${rows.join('\n')}\n`)
  const report = await importOrders(database, clock, {
    path,
    mapping: 'orders',
    options: {},
    dryRun: false,
    rejectsFolder: folder,
    runsFolder: join(folder, 'imports'),
  })
  if (isRefusal(report)) throw new Error(report.message)
  assert.equal(report.rows_stored, paid.length)
}

const wallText = (at: number) => new Date(at).toISOString().slice(0, 19).replace('T', ' ')

test('the set form and the plain form score alike, by all eight combinations of units', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const told = fc.record({
    transactions: fc.array(transaction, { minLength: 1, maxLength: 40 }),
    daysAgo: fc.constantFrom(0, 0, 1, 20),
  })
  await check(t, told, RUNS, async ({ transactions, daysAgo }) => {
    // Later than everything, so that no cut table is in force at the instants asked for.
    const clock: Clock = { now: () => new Date(AS_OF_WALL - OFFSET_MS + 1000) }
    await beginStory(database, SHOP)
    await importPaid(
      database,
      folder,
      clock,
      transactions.map(({ customer, at, amount }, index) => ({
        id: `o${index}`,
        customer,
        at: wallText(at),
        price: String(amount),
      })),
    )
    await refreshStanding(database, clock)
    const asOf = AS_OF_WALL - daysAgo * DAY_MS
    for (const units of UNITS) {
      const report = await reportRfm(database.db, { ...units, asOf: new Date(asOf - OFFSET_MS) })
      const plain = scoreRfm(
        transactions.filter(({ at }) => at <= asOf),
        { ...units, asOf },
      )
      const said = Object.values(units).join(' ')
      assert.equal(report.cuts.origin, 'computed', said)
      if (plain.customers.length > 0) {
        assert.deepEqual(report.cuts.recency_days, plain.cuts.recency_days, said)
        assert.deepEqual(report.cuts.frequency, plain.cuts.frequency, said)
        assert.deepEqual(
          report.cuts.monetary_minor,
          plain.cuts.monetary.map((cut) => Math.round(cut * 100)),
          said,
        )
      }
      const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1)
      assert.deepEqual(
        report.people.map(({ person_id, ...person }) => person).sort(byKey),
        plain.customers
          .map(({ customer, monetary, ...scores }) => ({
            key: customer,
            monetary_minor: Math.round(monetary * 100),
            ...scores,
          }))
          .sort(byKey),
        said,
      )
    }
  })
})

const ten: readonly Paid[] = Array.from({ length: 10 }, (_, index) => ({
  id: `o${index}`,
  customer: `c${index}`,
  at: `2025-11-${String(index + 1).padStart(2, '0')} 10:00:00`,
  price: `${index + 1}.00`,
}))

test('cuts in force are served from their date on, and what is asked otherwise is computed and says so', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const first = new Date('2025-11-15T00:00:00Z')
  const second = new Date('2025-11-18T00:00:00Z')
  await importPaid(database, folder, { now: () => first }, ten)
  await refreshStanding(database, { now: () => first })
  const group = { ties: 'group', recencyUnit: undefined, occasionUnit: undefined } as const
  const origin = async (asOf: Date, units: Parameters<typeof reportRfm>[1] | object = {}) => {
    const { cuts } = await reportRfm(database.db, { ...group, ...units, asOf })
    return [cuts.origin, cuts.in_force_from]
  }
  assert.deepEqual(await origin(new Date(first.getTime() - 1)), ['computed', null])
  assert.deepEqual(await origin(first), ['in_force', first.toISOString()])
  assert.deepEqual(await origin(new Date('2026-03-01')), ['in_force', first.toISOString()])
  assert.deepEqual(await origin(second, { ties: 'first' }), ['computed', null])
  assert.deepEqual(await origin(second, { recencyUnit: '24h' }), ['computed', null])
  assert.deepEqual(await origin(second, { occasionUnit: 'order' }), ['computed', null])
  assert.deepEqual(await origin(second, { recencyUnit: 'day', occasionUnit: 'day' }), ['in_force', first.toISOString()])

  // A later table holds from its date on and leaves the earlier answers alone.
  const before = await reportRfm(database.db, { ...group, asOf: first })
  await importPaid(database, folder, { now: () => second }, [
    { id: 'o10', customer: 'c10', at: '2025-11-17 10:00:00', price: '500.00' },
  ])
  await refreshStanding(database, { now: () => second })
  assert.deepEqual(await origin(second), ['in_force', second.toISOString()])
  assert.deepEqual(await reportRfm(database.db, { ...group, asOf: first }), before)
})

test('a day that passes writes nothing: values move, the cuts in force stay', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const now = new Date('2025-11-15T00:00:00Z')
  await importPaid(database, folder, { now: () => now }, ten)
  await refreshStanding(database, { now: () => now })
  const ask = (asOf: Date) =>
    reportRfm(database.db, { asOf, ties: 'group', recencyUnit: undefined, occasionUnit: undefined })
  const today = await ask(now)
  const later = await ask(new Date(now.getTime() + 30 * DAY_MS))
  assert.deepEqual(later.cuts, today.cuts)
  assert.deepEqual(
    later.people.map((person) => [person.key, person.recency_days]),
    today.people.map((person) => [person.key, person.recency_days + 30]),
  )
  assert.deepEqual(new Set(later.people.map((person) => person.r)), new Set([1]))
  assert.deepEqual(today.people.map((person) => person.r).sort(), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
})

test('thresholds that the brand sets take the place of fifths, from the rebuild on; what was in force before stays', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const first = new Date('2025-11-15T00:00:00Z')
  const second = new Date('2025-11-18T00:00:00Z')
  await importPaid(database, folder, { now: () => first }, ten)
  await refreshStanding(database, { now: () => first })
  const ask = (asOf: Date, ties: 'group' | 'first' = 'group') =>
    reportRfm(database.db, { asOf, ties, recencyUnit: undefined, occasionUnit: undefined })
  const before = await ask(first)
  assert.deepEqual(before.cuts.fixed, [])
  const cuts = { rfm_recency_days: [8, 9, 10, 15], rfm_monetary_minor: [100, 250, 700, 5000] }
  const changed = await changeSettings(database, cuts, atTerminal('test'), second)
  assert.ok('is_rebuilding' in changed && changed.is_rebuilding)
  await refreshStanding(database, { now: () => second })

  const after = await ask(second)
  assert.deepEqual(
    [after.cuts.origin, after.cuts.fixed, after.cuts.recency_days, after.cuts.monetary_minor, after.cuts.frequency],
    ['in_force', ['recency_days', 'monetary_minor'], cuts.rfm_recency_days, cuts.rfm_monetary_minor, [1, 1, 1, 1]],
  )
  // Bought on 1 to 10 November, 1.00 to 10.00: on the 18th 17 to 8 days ago.
  assert.deepEqual(
    after.people.toSorted((a, b) => a.monetary_minor - b.monetary_minor).map(({ r, f, m }) => [r, f, m]),
    [
      [1, 1, 1],
      [1, 1, 2],
      [2, 1, 3],
      [2, 1, 3],
      [2, 1, 3],
      [2, 1, 3],
      [2, 1, 3],
      [3, 1, 4],
      [4, 1, 4],
      [5, 1, 4],
    ],
  )
  for (const { person_id, key, value_group, ...scores } of after.people) {
    assert.deepEqual(await scorePerson(database.db, person_id, second), scores, key)
  }
  assert.deepEqual(await ask(first), before, 'the table of then has the cuts of then')
  const ranked = await ask(second, 'first')
  assert.deepEqual([ranked.cuts.origin, ranked.cuts.fixed], ['computed', ['recency_days', 'monetary_minor']])
  await changeSettings(database, { rfm_frequency: [1, 2, 3, 4] }, atTerminal('test'), second)
  assert.deepEqual((await ask(second, 'first')).cuts.frequency, ranked.cuts.frequency, 'ranks have no thresholds')
})

test('one person is scored as in the report; who has not bought has no score', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const now = new Date('2025-11-15T00:00:00Z')
  await importPaid(database, folder, { now: () => now }, ten)
  await refreshStanding(database, { now: () => now })
  for (const asOf of [now, new Date('2025-11-05T12:00:00Z')]) {
    const report = await reportRfm(database.db, {
      asOf,
      ties: 'group',
      recencyUnit: undefined,
      occasionUnit: undefined,
    })
    for (const { person_id, key, value_group, ...scores } of report.people) {
      assert.deepEqual(await scorePerson(database.db, person_id, asOf), scores, key)
    }
  }
  const { rows } = await database.pool.query<{ person_id: number }>(
    `select person_id from customers.published_people where value = 'c9'`,
  )
  assert.equal(await scorePerson(database.db, rows[0]?.person_id ?? 0, new Date('2025-11-09T12:00:00Z')), null)
})

for (const [zone, paid, asOf, day, period] of [
  ['Asia/Shanghai', '2025-11-19T15:59:59Z', '2025-11-19T16:00:00Z', 1, 0],
  ['Asia/Shanghai', '2025-11-19T16:00:00Z', '2025-11-19T16:00:00Z', 0, 0],
  ['Asia/Shanghai', '2025-11-19T16:00:00Z', '2025-11-20T15:59:59Z', 0, 0],
  ['Asia/Shanghai', '2025-11-19T16:00:00Z', '2025-11-20T16:00:00Z', 1, 1],
  ['Asia/Shanghai', '2025-11-19T15:59:59Z', '2025-11-20T15:59:58Z', 1, 0],
  // Clocks go back on 2 November 2025: the day has 25 hours.
  ['America/New_York', '2025-11-02T04:00:00Z', '2025-11-03T04:59:59Z', 0, 1],
  ['America/New_York', '2025-11-02T04:00:00Z', '2025-11-03T05:00:00Z', 1, 1],
  // They went forward on 9 March 2025: the day has 23.
  ['America/New_York', '2025-03-09T05:00:00Z', '2025-03-10T04:00:00Z', 1, 0],
  ['America/New_York', '2025-03-09T05:00:00Z', '2025-03-10T03:59:59Z', 0, 0],
] as const) {
  test(`recency in ${zone} from ${paid} to ${asOf}: ${day} days, ${period} periods of 24 hours`, async (t) => {
    const { database } = await testDatabase(t)
    const folder = await storyFolder(t)
    const clock: Clock = { now: () => new Date(asOf) }
    await beginStory(database, { ...SHOP, zone })
    await importPaid(database, folder, clock, [{ id: 'o1', customer: 'a', at: paid, price: '1.00' }])
    await refreshStanding(database, clock)
    for (const [recencyUnit, expected] of [
      ['day', day],
      ['24h', period],
    ] as const) {
      const report = await reportRfm(database.db, {
        asOf: new Date(asOf),
        ties: 'group',
        recencyUnit,
        occasionUnit: undefined,
      })
      assert.deepEqual(
        report.people.map((person) => person.recency_days),
        [expected],
        recencyUnit,
      )
    }
  })
}
