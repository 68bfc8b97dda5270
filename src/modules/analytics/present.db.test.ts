import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDatabase } from '../../../test/database.ts'
import { beginStory, check, feed, storyFolder, tickingClock } from '../../../test/histories.ts'
import { assertKeptTotals } from '../../../test/kept-totals.ts'
import { send, type Tale, tales } from '../../../test/personal-histories.ts'
import { ERASERS } from '../../bin/erasers.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { followIdentities as followOrders } from '../commerce/actions.ts'
import { foldTotalRows } from '../commerce/total-queries.ts'
import { erasePerson, mergePeople } from '../customers/actions.ts'
import { storeFacts } from '../intake/actions.ts'
import { followIdentities as followInteractions } from '../interactions/actions.ts'
import { rebuild, refreshLapsed, refreshStanding } from '../relationship/actions.ts'
import { foldCounts } from '../relationship/counts-queries.ts'
import { FAN_TIERS, RFM_SEGMENTS } from '../relationship/schema.ts'
import { listPeople, readBrief, readSegmentMatrix } from './actions.ts'
import { type PeopleFilter, peopleFilter } from './schema.ts'

// What pages are told of the present comes from figures that are kept; asked as of this very instant the same comes from the
// facts, by other statements. Both have to say the same after whatever happened.

const RUNS = 6
const DAY_MS = 86_400_000
const BRAND = { key: 'main', name: 'Main', isDemo: false }

const FILTERS: readonly Record<string, unknown>[] = [
  {},
  ...[0, 1, 2, 3, 4, 5].map((depth) => ({ depth })),
  { buyers: 'true' },
  { buyers: 'false' },
  { depth: 1, buyers: 'false' },
  { lapsing_days: 30 },
  { lapsing_days: 366 },
  { lapsing_days: 366, depth: 3 },
  ...RFM_SEGMENTS.map(({ segment }) => ({ rfm_segment: segment })),
  { rfm_segment: 'none' },
  { rfm_segment: 'champions', depth: 4 },
  { rfm_segment: 'hibernating', lapsing_days: 366 },
  { rfm_segment: 'none', buyers: 'true' },
  ...FAN_TIERS.map(({ tier }) => ({ fan_tier: tier })),
  { fan_tier: 'passer_by', depth: 3 },
  { fan_tier: 'passer_by', rfm_segment: 'champions' },
  { fan_tier: 'follower', depth: 2 },
  ...['deepened', 'lapsed', 'ordered', 'refunded'].map((figure) => ({ since_yesterday: figure })),
  { search: 'a' },
  { search: 'b', depth: 3 },
]

/** Every page of a list. */
async function listWhole(database: Database, now: Date, filter: PeopleFilter) {
  const pages: unknown[] = []
  let after: string | undefined
  do {
    const page = await listPeople(database.db, now, { ...filter, ...(after ? { after } : {}) })
    assert.ok(!isRefusal(page))
    pages.push(page)
    after = page.next ?? undefined
  } while (after)
  return pages
}

/** A list is asked for at every third instant, each at another: two hundred questions about an instant are most of the time. */
const SHARES = 3
let instantsSeen = 0

async function assertSame(database: Database, now: Date, place: string): Promise<void> {
  const as_of = now.toISOString()
  const present = await readBrief(database.db, BRAND, now, undefined)
  assert.deepEqual(present, await readBrief(database.db, BRAND, now, now), `${place}: the brief`)
  instantsSeen += 1
  for (const given of FILTERS.filter((_, index) => (index + instantsSeen) % SHARES === 0)) {
    const filter = peopleFilter.parse({ ...given, limit: 2 })
    const kept = await listWhole(database, now, filter)
    assert.deepEqual(kept, await listWhole(database, now, { ...filter, as_of }), `${place}: ${JSON.stringify(given)}`)
  }
  assert.deepEqual(
    await readSegmentMatrix(database.db, now, undefined),
    await readSegmentMatrix(database.db, now, now),
    `${place}: depth against segments`,
  )
}

/** The kept figures against what they count. */
async function assertKept(database: Database, place: string): Promise<void> {
  const { rows } = await database.pool.query(`
    with counted as (
      select depth, (last_occasion_at at time zone zone)::date as day, occasions, count(*) as people
      from relationship.standing cross join brand.settings group by 1, 2, 3
    ), kept as (
      select depth, last_occasion_day as day, occasions, sum(people)::bigint as people
      from (select * from relationship.people_counts union all select * from relationship.people_count_changes) c
      group by 1, 2, 3 having sum(people) <> 0
    )
    select * from (table counted except table kept) missing union all select * from (table kept except table counted) wrong`)
  assert.deepEqual(rows, [], `${place}: counts`)
  await assertKeptTotals(database, place)
}

async function live(database: Database, clock: Clock, folder: string, { story, told }: Tale): Promise<void> {
  await beginStory(database, story.rules)
  await send(database, clock, told.early)
  for (const index of story.files.keys()) {
    await feed(database, clock, folder, story, index)
    await refreshStanding(database, clock)
  }
  await send(database, clock, told.late)
  await refreshStanding(database, clock)
}

test('figures that are kept are those of the facts, after merges, erasures, folds, lapses and rebuilds', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  await check(t, tales, RUNS, async (tale) => {
    const { periodDays } = tale.story.rules
    const clock = tickingClock()
    await live(database, clock, folder, tale)
    await assertKept(database, 'as told')
    const now = clock.now()
    await assertSame(database, now, 'now')
    // Nobody settles who has lapsed: they are counted where they are.
    await assertSame(database, new Date(now.getTime() + (periodDays / 2) * DAY_MS), 'half a period later')

    const { rows } = await database.pool.query<{ person_id: number }>(
      `select distinct person_id from customers.canonical order by person_id`,
    )
    const personIds = rows.map((row) => row.person_id)
    if (personIds.length > 1) {
      await mergePeople(database, clock, { personIds: personIds.slice(0, 2), by: atTerminal('test') })
      await followOrders(database, clock)
      await followInteractions(database, clock)
      await refreshStanding(database, clock)
      await assertKept(database, 'merged')
      await assertSame(database, clock.now(), 'merged')
    }
    const last = personIds.at(-1)
    if (last !== undefined && personIds.length > 2) {
      const command = { personId: last, by: atTerminal('test'), erasers: ERASERS }
      assert.ok(!isRefusal(await erasePerson(database, clock, command)))
      await followOrders(database, clock)
      await followInteractions(database, clock)
      await refreshStanding(database, clock)
      await assertKept(database, 'erased')
      await assertSame(database, clock.now(), 'erased')
    }

    const later: Clock = { now: () => new Date(now.getTime() + tale.daysLater * DAY_MS) }
    await refreshLapsed(database, later)
    await database.transaction((tx) => foldTotalRows(tx, later.now(), 0))
    await database.transaction((tx) => foldCounts(tx, 0))
    await assertKept(database, 'lapsed')
    await assertSame(database, later.now(), 'lapsed')
    await rebuild(database, later)
    await assertKept(database, 'rebuilt')
    await assertSame(database, later.now(), 'rebuilt')
  })
})

test('an order of 0.00 that a refund named before it came is void, and an erasure leaves the sums as they are', async (t) => {
  const { database } = await testDatabase(t)
  const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
  const post = async (fact: object) => {
    const results = await storeFacts(
      database,
      clock,
      [{ kind: 'order', source: 'shop', customer_id: 'c', ...fact }],
      FACT_KINDS,
    )
    assert.ok(!isRefusal(results))
    assert.deepEqual(
      results.map(({ status }) => status),
      ['new'],
    )
  }
  const [first, later] = ['2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z']
  await post({ external_id: 'R1', paid_at: later, refund_of: 'O1', lines: [{ item: 'x', quantity: -1, amount: 0 }] })
  await post({ external_id: 'O1', paid_at: first, lines: [{ item: 'x', amount: 0 }] })
  await post({ external_id: 'O2', paid_at: first, lines: [{ item: 'x', amount: 7 }] })
  const count = async () => (await database.pool.query('select is_anonymous from commerce.void_orders')).rows
  assert.deepEqual(await count(), [{ is_anonymous: false }])
  await assertKeptTotals(database, 'a free order')
  await refreshStanding(database, clock)
  const { rows } = await database.pool.query<{ person_id: number }>('select person_id from customers.canonical')
  const command = { personId: rows[0]?.person_id ?? 0, by: atTerminal('test'), erasers: ERASERS }
  assert.ok(!isRefusal(await erasePerson(database, clock, command)))
  assert.deepEqual(await count(), [{ is_anonymous: true }])
  await assertKeptTotals(database, 'erased')
  await refreshStanding(database, clock)
  await assertSame(database, clock.now(), 'erased')
})
