// `node with-node.mjs bench/pages.ts [--people 10000,100000]`: how long each question of a page takes, p95 of 20, against its
// limit, on brands filled by fill.ts in an embedded PostgreSQL of this run's own with production settings. Writes
// bench/last-pages.json; exits 1 when a question is over its limit.

import { catchUp } from '../src/bin/catch-up.ts'
import { listPeople, readBrief, readPerson, readSegmentMatrix, readTimeline } from '../src/modules/analytics/actions.ts'
import { type PeopleFilter, peopleFilter } from '../src/modules/analytics/schema.ts'
import { rebuild, reportMigration } from '../src/modules/relationship/actions.ts'
import { reportNetDeepening } from '../src/modules/relationship/migration.ts'
import { FAN_TIERS, RFM_SEGMENTS } from '../src/modules/relationship/schema.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import type { Brand, Installation } from '../src/platform/installation.ts'
import { isRefusal, type Refusal } from '../src/platform/refusal.ts'
import { fillOrders, fillPeople } from './fill.ts'
import { BENCH_NOW } from './orders.ts'
import type { Line } from './report.ts'
import { benchSizes } from './sizes.ts'

const ORDERS_PER_PERSON = 10
const RUNS = 20
const PAGE_SECONDS_MAX = 0.2
const MIGRATION_SECONDS_MAX = 3
const DAY_MS = 86_400_000
const YEAR_MS = 365 * DAY_MS
/** A minute after the last time that who has lapsed was settled, so that some are due, as in a running server. */
const NOW = new Date(BENCH_NOW.getTime() + DAY_MS + 60_000)
const SETTLED: Clock = { now: () => new Date(NOW.getTime() - 60_000) }

const lines = await benchSizes({
  usage: 'node with-node.mjs bench/pages.ts [--people N,N…]',
  sizes: '10000,100000',
  name: 'pages',
  measure: benchSize,
})
process.exitCode = lines.some(({ value, limit }) => limit !== undefined && value > limit) ? 1 : 0

async function benchSize(installation: Installation, people: number, lines: Line[]): Promise<void> {
  const key = `people_${people}`
  const brand = accepted(await installation.createBrand({ key, name: key, isDemo: false }, BENCH_NOW))
  const database = await installation.openBrand(brand)
  await database.transaction(async (tx) => {
    await fillOrders(tx, { people, ordersPerPerson: ORDERS_PER_PERSON })
    await fillPeople(tx, people)
  })
  await database.pool.query('vacuum analyze')
  await rebuild(database, { now: () => BENCH_NOW })
  await catchUp(database, SETTLED, YEAR_MS)
  await database.pool.query('vacuum analyze')
  for (const [work, limit, ask] of questions(database, brand, people)) {
    // The first is of a cold plan and cache, and counts.
    const seconds: number[] = []
    for (let run = 0; run < RUNS; run++) {
      const began = performance.now()
      const answer = await ask(run)
      if (isRefusal(answer)) throw new Error(`${work}: ${answer.message}`)
      seconds.push((performance.now() - began) / 1000)
    }
    seconds.sort((a, b) => a - b)
    const value = seconds[Math.ceil(RUNS * 0.95) - 1] ?? Number.NaN
    lines.push({ people, work: `${work}, p95 of ${RUNS}`, unit: 's', value, limit })
    console.log(`${people} people: ${work}: ${value.toFixed(3)} s, median ${(seconds[RUNS / 2] ?? 0).toFixed(3)} s`)
  }
  await installation.dropBrand(brand.key)
}

type Question = [work: string, limit: number, ask: (run: number) => Promise<unknown>]

function questions(database: Database, brand: Brand, people: number): Question[] {
  const { db } = database
  const list = (filter: Partial<PeopleFilter>) => () => listPeople(db, NOW, { limit: 50, ...filter })
  const page = (work: string, ask: Question[2]): Question => [work, PAGE_SECONDS_MAX, ask]
  const personOf = (run: number) => 1 + ((run * 7919) % people)
  const migration = (from: Date, to: Date) => () => reportMigration(database, { from, to, now: NOW })
  const typed = (search: string) => peopleFilter.parse({ search }).search
  return [
    page('brief', () => readBrief(db, brand, NOW, undefined)),
    page('list of people', list({})),
    page('list of people, a later page', async () => {
      const first = accepted(await listPeople(db, NOW, { limit: 200 }))
      return listPeople(db, NOW, { limit: 50, after: first.next ?? undefined })
    }),
    ...[0, 1, 2, 3, 4, 5].map((depth) => page(`list of depth ${depth}`, list({ depth }))),
    ...[7, 30, 366].map((days) => page(`list of who lapses in ${days} days`, list({ lapsing_days: days }))),
    page('list of buyers', list({ buyers: 'true' })),
    page('list of who never bought', list({ buyers: 'false' })),
    ...RFM_SEGMENTS.map(({ segment }) => page(`list of segment ${segment}`, list({ rfm_segment: segment }))),
    page('list of no segment', list({ rfm_segment: 'none' })),
    page('list of a depth and a segment', list({ depth: 4, rfm_segment: 'champions' })),
    ...FAN_TIERS.map(({ tier }) => page(`list of fan tier ${tier}`, list({ fan_tier: tier }))),
    ...(['deepened', 'lapsed', 'ordered', 'refunded'] as const).map((figure) =>
      page(`list of who ${figure} since yesterday`, list({ since_yesterday: figure })),
    ),
    page('search by a name', list({ search: typed('王伟芳') })),
    page('search by a part of a name', list({ search: typed('伟芳') })),
    page('search by a family name', list({ search: typed('萧') })),
    page('search by a phone', (run) => list({ search: `138${String(personOf(run)).padStart(8, '0')}` })()),
    page('search by the end of a phone', (run) => list({ search: String(personOf(run)).padStart(4, '0').slice(-4) })()),
    page('search by an id', (run) => list({ search: `C${personOf(run)}` })()),
    page('page of a person', (run) => readPerson(db, personOf(run), NOW, undefined)),
    page('timeline of a person', (run) => readTimeline(db, personOf(run), NOW, { limit: 50 })),
    page('depth against segments', () => readSegmentMatrix(db, NOW, undefined)),
    ['net deepening of 12 months', MIGRATION_SECONDS_MAX, () => reportNetDeepening(database, { now: NOW }, 12)],
    [
      'migration of a month, ended',
      MIGRATION_SECONDS_MAX,
      migration(new Date('2025-10-31T16:00:00Z'), new Date('2025-11-30T16:00:00Z')),
    ],
    ['migration of 30 days up to now', MIGRATION_SECONDS_MAX, migration(new Date(NOW.getTime() - 30 * DAY_MS), NOW)],
    ['migration of a year up to now', MIGRATION_SECONDS_MAX, migration(new Date(NOW.getTime() - YEAR_MS), NOW)],
  ]
}

function accepted<T>(answer: T | Refusal): T {
  if (isRefusal(answer)) throw new Error(`${answer.message} ${answer.remedy}`)
  return answer
}
