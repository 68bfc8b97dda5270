// `npm run bench [-- --people 10000,100000,1000000]`: what the product costs at several sizes of brand, on a fresh
// embedded PostgreSQL with production settings. Prints a table and writes bench/last-run.json; exits 1 when a ratio or
// a count of rows is over its limit. docs/benchmarks.md says what each line means.

import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { catchUp } from '../src/bin/catch-up.ts'
import { type BrandName, listPeople, readBrief } from '../src/modules/analytics/actions.ts'
import { readSettings } from '../src/modules/brand/actions.ts'
import { importOrders } from '../src/modules/commerce/actions.ts'
import type { ImportReport } from '../src/modules/intake/schema.ts'
import {
  rebuild,
  refreshLapsed,
  refreshStanding,
  renewCuts,
  reportMigration,
} from '../src/modules/relationship/actions.ts'
import { EVERYONE } from '../src/modules/relationship/queries.ts'
import { rebuildFigures, rebuildStanding, writeDepthChanges } from '../src/modules/relationship/write-queries.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import type { Brand, Installation } from '../src/platform/installation.ts'
import { isRefusal, type Refusal } from '../src/platform/refusal.ts'
import { fillOrders } from './fill.ts'
import { type MemoryPeaks, withMemory } from './memory.ts'
import { BENCH_NOW, type OrderFile, writeFurtherOrders } from './orders.ts'
import { countDifferences, makePlain } from './plain.ts'
import type { Line } from './report.ts'
import { countWritten, currentTransaction, pagesRead } from './rows.ts'
import { benchSizes } from './sizes.ts'

const ORDERS_PER_PERSON = 10
const SEED = 20_260_101
const SIMPLE_PEOPLE = 10_000
const CHANGED_PEOPLE = 10_000
const REBUILD_RATIO_MAX = 1.2
const NODE_MB_GOAL = 300
const MEMORY_MB_GOAL = 1500
const SCREEN_SECONDS_GOAL = 0.2
const REFRESH_SECONDS_GOAL = 1
/** A person whose depth changes: an occasion that ends and one that begins, their standing, a change undone and one made. */
const ROWS_A_PERSON_MAX = 5
/** Index pages, mostly of empty tables: the same at every size. */
const IDLE_PAGES_MAX = 200
const MIGRATION_SECONDS_GOAL = 3
/** Above it the orders are filled in and not imported: at 13,000 rows a second a million people take a quarter of an hour. */
const IMPORTED_PEOPLE_MAX = 200_000
const SCREEN_RUNS = 20
const DAY_MS = 86_400_000
const YEAR_MS = 365 * DAY_MS

/** Rebuilds at each size, in turn with the plain SQL; the median counts. Fewer of those that take a minute. */
const rebuildRuns = (people: number) => (people > 200_000 ? 3 : 5)
const clockAt = (at: Date): Clock => ({ now: () => at })

const lines = await benchSizes({
  usage: 'npm run bench [-- --people N,N…]',
  sizes: '10000,100000,1000000',
  name: 'run',
  before: assertFloorIsHonest,
  measure: benchSize,
})
process.exitCode = lines.some(({ isPromise, value, limit }) => isPromise && limit !== undefined && value > limit)
  ? 1
  : 0

/** The plain SQL gives the rows that a rebuild gives wherever its assumptions hold; otherwise it would be no floor. */
async function assertFloorIsHonest(installation: Installation): Promise<void> {
  await withBrand(installation, 'simple', async ({ database }) => {
    await importFile(installation, database, { people: SIMPLE_PEOPLE, simple: true })
    const settings = await readSettings(database.db)
    await rebuild(database, clockAt(BENCH_NOW))
    await database.transaction((tx) => makePlain(tx, BENCH_NOW, settings))
    const different = await countDifferences(database.db, settings)
    if (different > 0) throw new Error(`The plain SQL and the rebuild differ in ${different} rows of simple data`)
  })
}

async function benchSize(installation: Installation, people: number, lines: Line[]): Promise<void> {
  await withBrand(installation, `people_${people}`, async ({ brand, database }) => {
    const add = (line: Omit<Line, 'people'>) => {
      lines.push({ ...line, people })
      console.log(`${people} people: ${line.work}: ${line.value.toPrecision(4)} ${line.unit}`)
    }
    if (people <= IMPORTED_PEOPLE_MAX) await benchImport(installation, database, people, add)
    else {
      const fill = () => database.transaction((tx) => fillOrders(tx, { people, ordersPerPerson: ORDERS_PER_PERSON }))
      add({ work: 'fill in place of the import', unit: 's', value: await secondsOf(fill) })
    }
    await benchRebuild(installation, database, people, add)
    await benchTime(database, add)
    await benchRefresh(installation, database, people, add)
    await benchMigration(database, add)
    await benchScreens(database, brand, add)
  })
}

type Add = (line: Omit<Line, 'people'>) => void

async function benchImport(installation: Installation, database: Database, people: number, add: Add): Promise<void> {
  const { report, seconds, memory } = await importFile(installation, database, { people, simple: false })
  add({ work: 'import', unit: 's', value: seconds, rows: report.rows_in })
  add({ work: 'import, rows a second', unit: '/s', value: report.rows_in / seconds })
  add({ work: 'import, Node peak', unit: 'MB', value: memory.nodeMb, limit: NODE_MB_GOAL })
  addMemory(add, 'import', memory)
}

function addMemory(add: Add, work: string, { bothMb }: MemoryPeaks): void {
  if (bothMb === undefined) return
  add({ work: `${work}, PostgreSQL and Node peak`, unit: 'MB', value: bothMb, limit: MEMORY_MB_GOAL })
}

/** Seconds and memory of `work`. */
async function measured(installation: Installation, work: () => Promise<unknown>) {
  const began = performance.now()
  const { memory } = await withMemory(installation.cluster?.serverPid ?? 0, work)
  return { seconds: (performance.now() - began) / 1000, memory }
}

/** In turn, so that what else the machine does meets both alike. */
async function benchRebuild(installation: Installation, database: Database, people: number, add: Add): Promise<void> {
  const settings = await readSettings(database.db)
  // As the server's own autovacuum would have done within a minute of the import.
  await database.pool.query('vacuum analyze')
  const plain: number[] = []
  const ours: number[] = []
  for (let run = 0; run < rebuildRuns(people); run++) {
    plain.push(await secondsOf(() => database.transaction((tx) => makePlain(tx, BENCH_NOW, settings))))
    ours.push(await secondsOf(() => database.transaction((tx) => rebuildStanding(tx, BENCH_NOW, settings))))
  }
  await database.pool.query('drop schema plain cascade')
  const orders = people * ORDERS_PER_PERSON
  const ratio = median(ours) / median(plain)
  add({ work: 'plain SQL: standing', unit: 's', value: median(plain), rows: orders })
  add({ work: 'rebuild: standing', unit: 's', value: median(ours), rows: orders })
  add({ work: 'rebuild / plain SQL', unit: '×', value: ratio, limit: REBUILD_RATIO_MAX, isPromise: true })
  const figures = await secondsOf(() => database.transaction((tx) => rebuildFigures(tx, BENCH_NOW, settings)))
  add({ work: 'rebuild: figures of pages', unit: 's', value: figures, rows: people })
  const log = await secondsOf(() => database.transaction((tx) => writeDepthChanges(tx, EVERYONE, BENCH_NOW, settings)))
  add({ work: 'rebuild: log of depth changes, first', unit: 's', value: log, rows: orders })
  // What the import left pending, is done; and the cuts that the brief's scores read are there.
  const whole = await measured(installation, () => rebuild(database, clockAt(BENCH_NOW)))
  add({ work: 'rebuild: whole', unit: 's', value: whole.seconds, rows: orders })
  addMemory(add, 'rebuild: whole', whole.memory)
  // The rebuild renews the cuts by itself; after facts a server does so once an hour.
  const cuts = () => renewCuts(database, new Date(BENCH_NOW.getTime() + 1), 0)
  add({ work: 'RFM cuts of everybody', unit: 's', value: await secondsOf(cuts) })
}

async function benchRefresh(installation: Installation, database: Database, people: number, add: Add): Promise<void> {
  for (const [index, count] of [1, Math.min(CHANGED_PEOPLE, people)].entries()) {
    const now = new Date(BENCH_NOW.getTime() + (index + 2) * DAY_MS)
    const path = join(installation.config.home, 'further.csv')
    await writeFurtherOrders(path, people, count, now)
    // As in a server, once a minute.
    await refreshLapsed(database, clockAt(now))
    // What the rebuilds have left to be written is on disk first.
    await database.pool.query('checkpoint')
    const importing = await secondsOf(() => importPath(installation, database, path, clockAt(now)))
    const before = await currentTransaction(database)
    const { seconds, memory } = await measured(installation, () => refreshStanding(database, clockAt(now), YEAR_MS))
    const written = await countWritten(database, before)
    const who = count === 1 ? '1 further order' : `${count} further orders`
    add({ work: `import of ${who}`, unit: 's', value: importing })
    const goal = { limit: REFRESH_SECONDS_GOAL }
    add({ work: `refresh after ${who}`, unit: 's', value: seconds, rows: written.rows, ...goal })
    addCount(add, `refresh after ${who}: people`, 'people', written.people, count)
    addCount(add, `refresh after ${who}: rows`, 'rows', written.rows, count * ROWS_A_PERSON_MAX)
    if (count > 1) addMemory(add, `refresh after ${who}`, memory)
  }
}

function addCount(add: Add, work: string, unit: 'people' | 'rows' | 'pages', value: number, limit: number): void {
  add({ work, unit, value, limit, isPromise: true })
}

/** Time alone: those whose depth is due are written, nobody else; and where nobody is due nothing is. */
async function benchTime(database: Database, add: Add): Promise<void> {
  const now = new Date(BENCH_NOW.getTime() + DAY_MS)
  await database.pool.query('vacuum analyze')
  const { rows } = await database.pool.query<{ due: number }>(
    'select count(*) as due from relationship.standing where lapses_at <= $1',
    [now],
  )
  const due = rows[0]?.due ?? 0
  // As in a server: what the import left to whoever rests on standing.
  await catchUp(database, clockAt(BENCH_NOW), YEAR_MS)
  const before = await currentTransaction(database)
  add({ work: 'a day: who lapsed', unit: 's', value: await secondsOf(() => refreshLapsed(database, clockAt(now))) })
  const lapsed = await countWritten(database, before)
  addCount(add, 'a day: people', 'people', lapsed.people, due)
  addCount(add, 'a day: rows', 'rows', lapsed.rows, due * ROWS_A_PERSON_MAX)

  await database.pool.query('vacuum analyze')
  const idleFrom = await currentTransaction(database)
  let seconds = 0
  const pages = await pagesRead(database, async () => {
    seconds = await secondsOf(() => catchUp(database, clockAt(now), YEAR_MS))
  })
  add({ work: 'idle cycle', unit: 's', value: seconds })
  addCount(add, 'idle cycle: rows', 'rows', (await countWritten(database, idleFrom)).rows, 0)
  addCount(add, 'idle cycle: pages read', 'pages', pages, IDLE_PAGES_MAX)
}

async function benchMigration(database: Database, add: Add): Promise<void> {
  const now = new Date(BENCH_NOW.getTime() + 3 * DAY_MS)
  // As in a server: whom time has moved, is written.
  await catchUp(database, clockAt(now), YEAR_MS)
  await database.pool.query('vacuum analyze')
  const spans = [
    ['a month, ended', new Date('2025-10-31T16:00:00Z'), new Date('2025-11-30T16:00:00Z')],
    ['a year, ended', new Date('2024-11-30T16:00:00Z'), new Date('2025-11-30T16:00:00Z')],
    ['a year, up to now', new Date(now.getTime() - YEAR_MS), now],
  ] as const
  for (const [name, from, to] of spans) {
    const seconds = await secondsOf(async () => accepted(await reportMigration(database, { from, to, now })))
    add({ work: `migration of ${name}`, unit: 's', value: seconds, limit: MIGRATION_SECONDS_GOAL })
  }
}

async function benchScreens(database: Database, brand: Brand, add: Add): Promise<void> {
  const now = new Date(BENCH_NOW.getTime() + 3 * DAY_MS)
  await database.pool.query('vacuum analyze')
  const name: BrandName = brand
  const screens = [
    ['brief', () => readBrief(database.db, name, now, undefined)],
    ['people list', () => listPeople(database.db, now, { limit: 50 })],
    ['people list of a depth', () => listPeople(database.db, now, { limit: 50, depth: 3 })],
  ] as const
  for (const [work, read] of screens) {
    const seconds: number[] = []
    for (let run = 0; run < SCREEN_RUNS; run++) seconds.push(await secondsOf(read))
    add({
      work: `${work}, p95 of ${SCREEN_RUNS}`,
      unit: 's',
      value: percentile(seconds, 0.95),
      limit: SCREEN_SECONDS_GOAL,
    })
  }
}

/** A brand for the time of `work`: a million people take 20 GB of disk at the peak. */
async function withBrand(
  installation: Installation,
  key: string,
  work: (bench: { brand: Brand; database: Database }) => Promise<void>,
): Promise<void> {
  const brand = accepted(await installation.createBrand({ key, name: key, isDemo: false }, BENCH_NOW))
  await work({ brand, database: await installation.openBrand(brand) })
  await installation.dropBrand(key)
}

async function importFile(
  installation: Installation,
  database: Database,
  { people, simple }: { people: number; simple: boolean },
) {
  const path = join(installation.config.home, 'orders.csv')
  const options: OrderFile = { people, ordersPerPerson: ORDERS_PER_PERSON, seed: SEED, simple }
  const writer = join(import.meta.dirname, 'write-orders.ts')
  await promisify(execFile)(process.execPath, [writer, path, JSON.stringify(options)])
  const began = performance.now()
  const { result, memory } = await withMemory(installation.cluster?.serverPid ?? 0, () =>
    importPath(installation, database, path, clockAt(BENCH_NOW)),
  )
  const seconds = (performance.now() - began) / 1000
  await rm(path)
  if (result.rows_rejected > 0) throw new Error(`${result.rows_rejected} rows of the bench's own file were rejected`)
  return { report: result, seconds, memory }
}

async function importPath(
  installation: Installation,
  database: Database,
  path: string,
  clock: Clock,
): Promise<ImportReport> {
  return accepted(
    await importOrders(database, clock, {
      path,
      mapping: 'orders',
      options: { connected_by: 'shop_account' },
      dryRun: false,
      rejectsFolder: join(installation.config.home, 'rejects'),
      runsFolder: join(installation.config.home, 'imports'),
    }),
  )
}

function accepted<T>(answer: T | Refusal): T {
  if (isRefusal(answer)) throw new Error(`${answer.message} ${answer.remedy}`)
  return answer
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1000
}

function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** The first value that the share is reached at. */
function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}
