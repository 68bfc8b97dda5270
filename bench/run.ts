// `npm run bench [-- --people 10000,100000,1000000]`: what the product costs at several sizes of brand, on a fresh
// embedded PostgreSQL with production settings. Prints a table and writes bench/last-run.json; exits 1 when a ratio is
// over its limit. docs/benchmarks.md says what each line means.

import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BrandName, listPeople, readBrief } from '../src/modules/analytics/actions.ts'
import { readSettings } from '../src/modules/brand/actions.ts'
import { importOrders } from '../src/modules/commerce/actions.ts'
import type { ImportReport } from '../src/modules/intake/schema.ts'
import { rebuild, refreshStanding } from '../src/modules/relationship/actions.ts'
import { EVERYONE, rebuildStanding, writeDepthChanges } from '../src/modules/relationship/queries.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import type { Brand, Installation } from '../src/platform/installation.ts'
import { isRefusal, type Refusal } from '../src/platform/refusal.ts'
import { withInstallation } from './cluster.ts'
import { withMemory } from './memory.ts'
import { BENCH_NOW, type OrderFile, writeFurtherOrders } from './orders.ts'
import { countDifferences, makePlain } from './plain.ts'
import { type Line, machineFacts, printReport } from './report.ts'

const ORDERS_PER_PERSON = 10
const SEED = 20_260_101
const SIMPLE_PEOPLE = 10_000
const CHANGED_PEOPLE = 10_000
const REBUILD_RATIO_MAX = 1.2
const NODE_MB_GOAL = 300
const MEMORY_MB_GOAL = 1500
const SCREEN_SECONDS_GOAL = 0.2
const SCREEN_RUNS = 20
const DAY_MS = 86_400_000

/** Rebuilds at each size, in turn with the plain SQL; the median counts. Fewer of those that take a minute. */
const rebuildRuns = (people: number) => (people > 200_000 ? 3 : 5)
const clockAt = (at: Date): Clock => ({ now: () => at })

const sizes = readSizes(process.argv.slice(2))
const lines: Line[] = []

await withInstallation(async (installation) => {
  const machine = await machineFacts(installation.control)
  await assertFloorIsHonest(installation)
  for (const people of sizes) await benchSize(installation, people)
  printReport(machine, lines)
  const path = join(import.meta.dirname, 'last-run.json')
  await writeFile(path, `${JSON.stringify({ machine, lines }, undefined, 2)}\n`)
})
process.exitCode = lines.some(({ isRatio, value, limit }) => isRatio && limit !== undefined && value > limit) ? 1 : 0

function readSizes(args: readonly string[]): number[] {
  const [flag, list = '10000,100000,1000000', ...rest] = args
  const read = list.split(',').map(Number)
  const isRight = (flag === undefined || flag === '--people') && rest.length === 0
  if (isRight && read.every((size) => Number.isInteger(size) && size >= 1000)) return read.sort((a, b) => a - b)
  console.error('usage: npm run bench [-- --people N,N…], each at least 1000')
  process.exit(2)
}

/** The plain SQL gives the rows that a rebuild gives wherever its assumptions hold; otherwise it would be no floor. */
async function assertFloorIsHonest(installation: Installation): Promise<void> {
  await withBrand(installation, 'simple', async ({ database }) => {
    await importFile(installation, database, { people: SIMPLE_PEOPLE, simple: true })
    const settings = await readSettings(database.db)
    await rebuild(database, clockAt(BENCH_NOW))
    await database.transaction((tx) => makePlain(tx, BENCH_NOW, settings))
    const different = await countDifferences(database.db)
    if (different > 0) throw new Error(`The plain SQL and the rebuild differ in ${different} rows of simple data`)
  })
}

async function benchSize(installation: Installation, people: number): Promise<void> {
  await withBrand(installation, `people_${people}`, async ({ brand, database }) => {
    const add = (line: Omit<Line, 'people'>) => {
      lines.push({ ...line, people })
      console.log(`${people} people: ${line.work}: ${line.value.toPrecision(4)} ${line.unit}`)
    }
    await benchImport(installation, database, people, add)
    await benchRebuild(database, people, add)
    await benchRefresh(installation, database, people, add)
    await benchScreens(database, brand, add)
  })
}

type Add = (line: Omit<Line, 'people'>) => void

async function benchImport(installation: Installation, database: Database, people: number, add: Add): Promise<void> {
  const { report, seconds, memory } = await importFile(installation, database, { people, simple: false })
  add({ work: 'import', unit: 's', value: seconds, rows: report.rows_in })
  add({ work: 'import, rows a second', unit: '/s', value: report.rows_in / seconds })
  add({ work: 'import, Node peak', unit: 'MB', value: memory.nodeMb, limit: NODE_MB_GOAL })
  if (memory.bothMb !== undefined) {
    add({ work: 'import, PostgreSQL and Node peak', unit: 'MB', value: memory.bothMb, limit: MEMORY_MB_GOAL })
  }
}

/** In turn, so that what else the machine does meets both alike. */
async function benchRebuild(database: Database, people: number, add: Add): Promise<void> {
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
  add({ work: 'plain SQL: occasions, standing', unit: 's', value: median(plain), rows: orders })
  add({ work: 'rebuild: occasions, standing', unit: 's', value: median(ours), rows: orders })
  add({ work: 'rebuild / plain SQL', unit: '×', value: ratio, limit: REBUILD_RATIO_MAX, isRatio: true })
  const log = await secondsOf(() => database.transaction((tx) => writeDepthChanges(tx, EVERYONE, BENCH_NOW, settings)))
  add({ work: 'rebuild: log of depth changes, first', unit: 's', value: log, rows: orders })
  // What the import left pending, is done; and the cuts that the brief's scores read are there.
  add({
    work: 'rebuild: whole',
    unit: 's',
    value: await secondsOf(() => rebuild(database, clockAt(BENCH_NOW))),
    rows: orders,
  })
}

async function benchRefresh(installation: Installation, database: Database, people: number, add: Add): Promise<void> {
  for (const [index, count] of [1, Math.min(CHANGED_PEOPLE, people)].entries()) {
    const now = new Date(BENCH_NOW.getTime() + (index + 1) * DAY_MS)
    const path = join(installation.config.home, 'further.csv')
    await writeFurtherOrders(path, people, count, now)
    const importing = await secondsOf(() => importPath(installation, database, path, clockAt(now)))
    const before = await currentTransaction(database)
    const refreshing = await secondsOf(() => refreshStanding(database, clockAt(now)))
    const rows = await countWritten(database, before)
    const who = count === 1 ? '1 further order' : `${count} further orders`
    add({ work: `import of ${who}`, unit: 's', value: importing })
    add({ work: `refresh after ${who}`, unit: 's', value: refreshing, rows })
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

async function currentTransaction(database: Database): Promise<string> {
  const { rows } = await database.pool.query<{ id: string }>('select pg_current_xact_id()::xid::text as id')
  return rows[0]?.id ?? ''
}

/** Rows of the derived tables that transactions after this one wrote and that stand. */
async function countWritten(database: Database, after: string): Promise<number> {
  const tables = ['relationship.occasions', 'relationship.standing', 'relationship.depth_changes']
  const counts = tables.map((table) => `(select count(*) from ${table} where age(xmin) < age($1::text::xid))`)
  const { rows } = await database.pool.query<{ written: number }>(`select ${counts.join(' + ')} as written`, [after])
  return rows[0]?.written ?? 0
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
