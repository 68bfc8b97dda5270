import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { importOrders } from '../src/modules/commerce/actions.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { brandDay, type Line, type Rules, type SalesDocument } from './oracle.ts'
import { scratchFolder } from './scratch.ts'
import { HISTORIES_ENV } from './server.ts'

/**
 * Random small histories for the yardstick in oracle.ts: few people, few items and few instants, so that what can
 * coincide does. Everything lies before NOW, much of it exactly on an edge of the period or of a day.
 */

export const NOW = Date.parse('2025-11-20T04:00:00Z')
const SECOND_MS = 1000
const HOUR_MS = 3600 * SECOND_MS
const DAY_MS = 24 * HOUR_MS

export const CUSTOMERS = ['a', 'b', 'c']
const ITEMS = ['x', 'y']
/** In thousandths; 1.005 and 0.333 have to be rounded, 0 is given away. */
const PRICES = [0, 333, 1000, 1005, 2500]

export interface Story {
  readonly rules: Rules
  readonly connectedBy: 'none' | 'shop_account'
  /** In the order in which they arrive; a document never twice in one file. */
  readonly files: readonly (readonly SalesDocument[])[]
}

/** One clock for a run: facts lie before NOW, every look at it is a second later than the one before. */
export function tickingClock(): Clock {
  let ticks = 0
  return {
    now: () => {
      ticks += 1
      return new Date(NOW + ticks * SECOND_MS)
    },
  }
}

function midnightOf(day: number, zone: string): number {
  const hours = Array.from({ length: 29 }, (_, index) => day * DAY_MS + (index - 14) * HOUR_MS)
  return hours.find((at) => brandDay(at, zone) === day) ?? Number.NaN
}

/** Instants worth meeting: the edges of the period to the second, and of the days around them. */
export function edges(rules: Pick<Rules, 'zone' | 'periodDays'>): number[] {
  const days = [0, 1, rules.periodDays - 1, rules.periodDays, rules.periodDays + 1, 2 * rules.periodDays]
  const all = days.flatMap((ago) => {
    const at = NOW - ago * DAY_MS
    const midnight = midnightOf(brandDay(at, rules.zone), rules.zone)
    return [
      at - SECOND_MS,
      at,
      at + SECOND_MS,
      midnight - SECOND_MS,
      midnight,
      midnight + SECOND_MS,
      midnight + 10 * HOUR_MS,
    ]
  })
  return [...new Set(all)].filter((at) => at <= NOW).sort((a, b) => a - b)
}

const line = fc.record({
  item: fc.constantFrom(...ITEMS),
  quantity: fc.integer({ min: 1, max: 3 }),
  priceMilli: fc.constantFrom(...PRICES),
})
const lines = fc.array(line, { minLength: 1, maxLength: 3 })

export const content = fc.record({
  customer: fc.constantFrom('', 'a', 'a', 'a', 'b', 'c'),
  edge: fc.nat({ max: 1000 }),
  kind: fc.constantFrom('order', 'order', 'order', 'exchange', 'return', 'refund', 'refund'),
  lines,
  returned: lines,
  isRepeated: fc.boolean(),
  discount: fc.constantFrom('none', 'none', 'half', 'whole'),
  refundOf: fc.nat({ max: 9 }),
})
export type Content = typeof content extends fc.Arbitrary<infer T> ? T : never

const negated = (given: readonly Line[]) => given.map((one) => ({ ...one, quantity: -one.quantity }))

/** A discount never exceeds one line: a document with a negative total says nothing clear and is rejected. */
function discounted(bought: readonly Line[], discount: string): Line[] {
  const priced = bought.find(({ priceMilli }) => priceMilli >= 1000)
  if (!priced || discount === 'none') return [...bought]
  const share = discount === 'half' ? 500 : 1000
  return [{ item: priced.item, quantity: 1, priceMilli: -share * priced.quantity }, ...bought]
}

export function documentOf(id: string, given: Content, instants: readonly number[]): SalesDocument {
  const repeated = given.isRepeated ? [...given.lines, ...given.lines.slice(0, 1)] : given.lines
  const back = given.isRepeated ? [...given.returned, ...given.returned.slice(0, 1)] : given.returned
  const bought = discounted(repeated, given.discount)
  const byKind = {
    order: bought,
    exchange: [...bought, ...negated(back)],
    return: negated(back),
    // Whichever way the source writes it, naming an order makes it a refund.
    refund: given.discount === 'none' ? negated(back) : back,
  }
  return {
    id,
    customer: given.customer,
    at: instants[given.edge % instants.length] ?? NOW,
    lines: byKind[given.kind as keyof typeof byKind],
    refundOf: given.kind === 'refund' ? `o${given.refundOf}` : null,
  }
}

/** Where tiers begin: not drawn, because one more draw makes another history of each seed that was chosen. */
const TIER_SCORES = [
  [5, 20, 60],
  [3, 10, 16],
  [0.5, 2, 2.5],
]

/** Thresholds of RFM that a brand may have set, each or none. */
export const ownCuts = fc.record({
  r: fc.constantFrom(undefined, [0, 1, 2, 30], [9, 29, 30, 364]),
  f: fc.constantFrom(undefined, [1, 2, 3, 4]),
  m: fc.constantFrom(undefined, [0, 333, 1000, 5000]),
})

export interface StoryOptions {
  readonly connectedBy: readonly Story['connectedBy'][]
  /** A later file with the same id and another body. */
  readonly corrections: 'none' | 'any' | 'same time and customer'
}

export function stories({ connectedBy, corrections }: StoryOptions): fc.Arbitrary<Story> {
  const settings = fc.record({
    zone: fc.constantFrom('Asia/Shanghai', 'Asia/Shanghai', 'America/New_York'),
    periodDays: fc.constantFrom(2, 30, 365),
    occasionUnit: fc.constantFrom('day', 'day', 'order'),
    memberByPurchase: fc.constantFrom(true, true, true, false),
    spreadWindow: fc.constantFrom('period', 'period', 'ever'),
    mergeDuplicates: fc.boolean(),
  })
  const document = fc.record({
    given: content,
    isCancel: fc.constantFrom(false, false, false, true),
    file: fc.nat({ max: 1 }),
    correction: fc.option(fc.record({ given: content, later: fc.integer({ min: 1, max: 2 }) }), { freq: 2 }),
  })
  return fc
    .record({
      settings,
      connectedBy: fc.constantFrom(...connectedBy),
      documents: fc.array(document, { minLength: 1, maxLength: 9 }),
      again: fc.option(fc.nat({ max: 3 })),
    })
    .map(({ settings: rules, connectedBy: connected, documents, again }) => {
      const instants = edges(rules as Rules)
      const files: SalesDocument[][] = [[], [], [], []]
      documents.forEach(({ given, isCancel, file, correction }, index) => {
        const id = `${isCancel ? 'C' : 'o'}${index}`
        files[file]?.push(documentOf(id, given, instants))
        if (!correction || corrections === 'none') return
        const { edge, customer, kind } = given
        const kept = corrections === 'any' ? {} : { edge, customer, kind }
        files[file + correction.later]?.push(documentOf(id, { ...correction.given, ...kept }, instants))
      })
      const repeated = again === null ? undefined : files[again]
      return {
        rules: { ...(rules as Rules), fanTierScores: TIER_SCORES[documents.length % TIER_SCORES.length] },
        connectedBy: connected,
        files: [...files, ...(repeated ? [repeated] : [])].filter((file) => file.length > 0),
      }
    })
}

const shippedMapping = fileURLToPath(new URL('../src/modules/commerce/mappings/orders.yaml', import.meta.url))

/**
 * A temp folder with the shipped mapping `orders`, which besides takes ids that begin with C for cancellations. Imports make
 * sure that the disk has what they read, some ten times each: in memory it is free.
 */
export async function storyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-histories-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'orders.yaml'), `${await readFile(shippedMapping, 'utf8')}\ncancel_prefix: C\n`)
  return folder
}

/** Half of the times are written as the wall clock of the brand, where that is never ambiguous. */
function timeText(at: number, zone: string, isNaive: boolean): string {
  if (!isNaive || zone !== 'Asia/Shanghai') return new Date(at).toISOString().replace('.000', '')
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(at)
}

/** Rows of different documents alternate: a document need not stand in one place. */
function csvOf(file: readonly SalesDocument[], rules: Rules): string {
  const rows: string[] = []
  const longest = Math.max(...file.map((document) => document.lines.length))
  for (let index = 0; index < longest; index += 1) {
    file.forEach((document, place) => {
      const row = document.lines[index]
      if (!row) return
      const at = timeText(document.at, rules.zone, place % 2 === 0)
      const price = (row.priceMilli / 1000).toFixed(3)
      const { id, customer, refundOf, sharedBy, version } = document
      const given = [id, customer, at, row.item, row.quantity, price, refundOf ?? '', sharedBy ?? '', version ?? '']
      rows.push(given.join(','))
    })
  }
  return `order_id,customer_id,paid_at,item,quantity,unit_price,refund_of,shared_by,sequence\n${rows.join('\n')}\n`
}

/** The settings that say the rules, in the order of their columns. */
export function settingsOf(rules: Rules) {
  const list = (cuts: readonly number[] | undefined) => (cuts ? [...cuts] : null)
  return {
    zone: rules.zone,
    period_days: rules.periodDays,
    occasion_unit: rules.occasionUnit,
    member_by_purchase: rules.memberByPurchase,
    spread_window: rules.spreadWindow ?? 'period',
    fan_tier_scores: [...(rules.fanTierScores ?? [5, 20, 60])],
    rfm_recency_days: list(rules.rfmCuts?.r),
    rfm_frequency: list(rules.rfmCuts?.f),
    rfm_monetary_minor: list(rules.rfmCuts?.m),
  }
}

/**
 * An empty brand with the story's settings. A hundred times as fast as a fresh database, and five times as fast as truncate,
 * which makes a new file for each of 140 tables and indexes; a story has some dozen rows.
 */
export async function beginStory(database: Database, rules: Rules): Promise<void> {
  const { rows } = await database.pool.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('intake', 'customers', 'tags', 'interactions', 'commerce', 'relationship', 'value', 'segments')
       and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'subscribers'`,
  )
  const deletes = rows.map(({ name }) => `delete from ${name};`)
  await database.pool.query(`begin; set local session_replication_role = replica; ${deletes.join(' ')} commit`)
  await database.pool.query(
    `update brand.settings set zone = $1, period_days = $2, occasion_unit = $3, member_by_purchase = $4, spread_window = $5,
       fan_tier_scores = $6, rfm_recency_days = $7, rfm_frequency = $8, rfm_monetary_minor = $9, currency = null,
       rebuild_due_at = null`,
    Object.values(settingsOf(rules)),
  )
}

/** @returns the number of the import. */
export async function feed(
  database: Database,
  clock: Clock,
  folder: string,
  story: Story,
  index: number,
): Promise<number> {
  const path = join(folder, `file-${index}.csv`)
  await writeFile(path, csvOf(story.files[index] ?? [], story.rules))
  const report = await importOrders(database, clock, {
    path,
    mapping: join(folder, 'orders.yaml'),
    options: {
      connected_by: story.connectedBy,
      duplicates: story.rules.mergeDuplicates ? 'merge' : 'keep',
    },
    dryRun: false,
    rejectsFolder: folder,
    runsFolder: join(folder, 'imports'),
  })
  if (isRefusal(report)) throw new Error(`${report.message} ${report.remedy}`)
  assert.deepEqual(report.rejected_by_reason, {})
  assert.equal(report.rows_in, report.rows_stored + report.rows_merged)
  return report.import_id ?? 0
}

/** A property's usual seed. */
const CHOSEN = 20_251_120

const HISTORIES = process.env[HISTORIES_ENV] ?? '1'

/**
 * Runs a property with the seed that once was chosen, and with one that never was before; says which. What a test wants to have
 * met at its end it has to meet by the first half.
 */
export async function check<T>(
  t: TestContext,
  arbitrary: fc.Arbitrary<T>,
  runs: number,
  property: (value: T) => Promise<void>,
  chosen = CHOSEN,
): Promise<void> {
  const half = Math.ceil(runs / 2)
  const assertRuns = (seed: number, numRuns: number) =>
    fc.assert(fc.asyncProperty(arbitrary, property), { seed, numRuns, endOnFailure: true })
  await assertRuns(chosen, half)
  if (HISTORIES === 'chosen') return
  const fresh = Math.trunc(Math.random() * 2 ** 31)
  t.diagnostic(`random seed ${fresh}`)
  await assertRuns(fresh, half * Number(HISTORIES))
}
