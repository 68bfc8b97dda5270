// `node with-node.mjs bench/pages.ts [--people 10000,100000]`: how long the twelve questions of pages take in each of their forms, p95
// of 20, against their limit, and migration, on brands filled by fill.ts in an embedded PostgreSQL with production settings. Writes
// bench/last-pages.json; exits 1 when a question is over its limit. To fill a million people takes 5 to 8 minutes on two cores: with
// `--home FOLDER` they are there for the next run.

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
/** A migration of a million people takes seconds. */
const MIGRATION_RUNS = 5
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
  await fill(database, people)
  const slowest = new Map<string, number>()
  for (const { question, form, limit, runs, ask } of questions(database, brand, people)) {
    // The first is of a cold plan and cache, and counts.
    const seconds: number[] = []
    for (let run = 0; run < runs; run++) {
      const began = performance.now()
      const answer = await ask(run)
      if (isRefusal(answer)) throw new Error(`${form}: ${answer.message}`)
      seconds.push((performance.now() - began) / 1000)
    }
    seconds.sort((a, b) => a - b)
    const value = seconds[Math.ceil(runs * 0.95) - 1] ?? Number.NaN
    slowest.set(question, Math.max(slowest.get(question) ?? 0, value))
    lines.push({ people, work: `${form}, p95 of ${runs}`, unit: 's', value, limit })
    const median = seconds[Math.floor(runs / 2)] ?? 0
    console.log(`${people} people: ${form}: ${value.toFixed(3)} s, median ${median.toFixed(3)} s`)
  }
  console.log(`\n${people} people, the slowest form of each question:`)
  for (const [question, value] of slowest) console.log(`  ${value.toFixed(3)} s  ${question}`)
}

/** What a run before has made in a home that is kept stays as it is. */
async function fill(database: Database, people: number): Promise<void> {
  const { rows } = await database.pool.query<{ has_facts: boolean; has_standing: boolean }>(
    'select exists (select from commerce.orders) as has_facts, exists (select from relationship.rfm_cuts) as has_standing',
  )
  if (rows[0]?.has_standing) return
  if (!rows[0]?.has_facts) {
    await database.transaction(async (tx) => {
      await fillOrders(tx, { people, ordersPerPerson: ORDERS_PER_PERSON })
      await fillPeople(tx, people)
    })
  }
  await database.pool.query('vacuum analyze')
  await rebuild(database, { now: () => BENCH_NOW })
  await catchUp(database, SETTLED, YEAR_MS)
  await database.pool.query('vacuum analyze')
}

/** What pages ask: `question` is one of twelve, or migration, and `form` one way of asking it. */
interface Question {
  readonly question: string
  readonly form: string
  /** Seconds. */
  readonly limit: number
  readonly runs: number
  readonly ask: (run: number) => Promise<unknown>
}

function questions(database: Database, brand: Brand, people: number): Question[] {
  const { db } = database
  const list = (filter: Partial<PeopleFilter>) => () => listPeople(db, NOW, { limit: 50, ...filter })
  const page = (question: string, form: string, ask: Question['ask']): Question => {
    return { question, form, limit: PAGE_SECONDS_MAX, runs: RUNS, ask }
  }
  const personOf = (run: number) => 1 + ((run * 7919) % people)
  const moved = (form: string, ask: Question['ask']): Question => {
    return { question: 'migration', form, limit: MIGRATION_SECONDS_MAX, runs: MIGRATION_RUNS, ask }
  }
  const migration = (from: Date, to: Date) => () => reportMigration(database, { from, to, now: NOW })
  const typed = (search: string) => peopleFilter.parse({ search }).search
  const search = (form: string, ask: Question['ask']) => page('search', `search by ${form}`, ask)
  const inSegment = (name: string, filter: Partial<PeopleFilter>) =>
    page('list of an RFM segment', `list of ${name}`, list(filter))
  return [
    page('brief', 'brief', () => readBrief(db, brand, NOW, undefined)),
    page('list of people', 'list of people', list({})),
    page('list of people', 'list of people, a later page', async () => {
      const first = accepted(await listPeople(db, NOW, { limit: 200 }))
      return listPeople(db, NOW, { limit: 50, after: first.next ?? undefined })
    }),
    ...[0, 1, 2, 3, 4, 5].map((depth) => page('list of a depth', `list of depth ${depth}`, list({ depth }))),
    ...[7, 30, 366].map((days) =>
      page('list of who lapses', `list of who lapses in ${days} days`, list({ lapsing_days: days })),
    ),
    page('list of buyers', 'list of buyers', list({ buyers: 'true' })),
    page('list of buyers', 'list of who never bought', list({ buyers: 'false' })),
    ...RFM_SEGMENTS.map(({ segment }) => inSegment(`segment ${segment}`, { rfm_segment: segment })),
    inSegment('no segment', { rfm_segment: 'none' }),
    inSegment('a depth and a segment', { depth: 4, rfm_segment: 'champions' }),
    ...FAN_TIERS.map(({ tier }) => page('list of a fan tier', `list of fan tier ${tier}`, list({ fan_tier: tier }))),
    ...(['deepened', 'lapsed', 'ordered', 'refunded'] as const).map((figure) =>
      page('list since yesterday', `list of who ${figure} since yesterday`, list({ since_yesterday: figure })),
    ),
    search('a name', list({ search: typed('王伟芳') })),
    search('a part of a name', list({ search: typed('伟芳') })),
    search('a family name', list({ search: typed('萧') })),
    search('a phone', (run) => list({ search: `138${String(personOf(run)).padStart(8, '0')}` })()),
    search('the end of a phone', (run) => list({ search: String(personOf(run)).padStart(4, '0').slice(-4) })()),
    search('an id', (run) => list({ search: `C${personOf(run)}` })()),
    page('page of a person', 'page of a person', (run) => readPerson(db, personOf(run), NOW, undefined)),
    page('timeline', 'timeline of a person', (run) => readTimeline(db, personOf(run), NOW, { limit: 50 })),
    page('depth against segments', 'depth against segments', () => readSegmentMatrix(db, NOW, undefined)),
    moved('net deepening of 12 months', () => reportNetDeepening(database, { now: NOW }, 12)),
    moved('migration of a month, ended', migration(new Date('2025-10-31T16:00:00Z'), new Date('2025-11-30T16:00:00Z'))),
    moved('migration of 30 days up to now', migration(new Date(NOW.getTime() - 30 * DAY_MS), NOW)),
    moved('migration of a year up to now', migration(new Date(NOW.getTime() - YEAR_MS), NOW)),
  ]
}

function accepted<T>(answer: T | Refusal): T {
  if (isRefusal(answer)) throw new Error(`${answer.message} ${answer.remedy}`)
  return answer
}
