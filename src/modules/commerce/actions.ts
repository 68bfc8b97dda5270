import { fileURLToPath } from 'node:url'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { stripPrefix } from '../../platform/fields.ts'
import { isCurrency, minorExponent } from '../../platform/money.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { FULL_VIEW, type View } from '../../platform/roles.ts'
import { expectCurrency, readSettings, settleCurrency } from '../brand/actions.ts'
import { DEFAULT_CURRENCY } from '../brand/schema.ts'
import { connect, factIdentity, findPerson, identify } from '../customers/actions.ts'
import {
  admitArriving,
  claimMoves,
  type FileStaging,
  factKind,
  type ImportCommand,
  type ImportKind,
  type ImportStart,
  importFile,
  insertPending,
  keepBodies,
  type NamedIdentity,
  numberConnections,
  numberSpreads,
  type PersonRows,
  selectPersonRows,
  settleVersions,
} from '../intake/actions.ts'
import type { ImportReport } from '../intake/schema.ts'
import { completeDocuments, countAddedLines } from './amount-queries.ts'
import * as queries from './queries.ts'
import { reallocateRefunds } from './refund-queries.ts'
import { factLines, mapLine } from './rules.ts'
import {
  ORDER_FIELDS,
  type OrderFact,
  type OrderOptions,
  type OrdersPage,
  type OrdersQuery,
  orderFact,
  orderOptions,
  STATUS_COLUMNS,
  STATUS_WORDS,
  type StagedLine,
} from './schema.ts'
import * as spreads from './spread-queries.ts'
import { foldTotalRows } from './total-queries.ts'

/**
 * Imports order lines from a file. An order of which a row is bad is rejected whole, because the mended row fed again
 * later would replace the rest of it.
 */
export function importOrders(
  database: Database,
  clock: Clock,
  command: ImportCommand,
): Promise<ImportReport | Refusal> {
  return importFile(database, clock, command, ORDERS)
}

export const ORDERS: ImportKind<StagedLine, OrderOptions> = {
  kind: 'orders',
  mappingsFolder: fileURLToPath(new URL('./mappings', import.meta.url)),
  fields: ORDER_FIELDS,
  status: { names: STATUS_COLUMNS, words: STATUS_WORDS },
  unitField: 'order_id',
  missingFields: (columns) => {
    const has = (field: string) => (columns[field] ?? -1) >= 0
    const missing = ['order_id', 'paid_at'].filter((field) => !has(field))
    return has('amount') || has('unit_price') ? missing : [...missing, 'unit_price']
  },
  readOptions: (given) => {
    const options = orderOptions.safeParse(given)
    if (options.success) return options.data
    const [first] = options.error.issues
    return refuse(
      'invalid',
      'bad_option',
      first?.code === 'unrecognized_keys'
        ? `There is no option ${first.keys.join(', ')}.`
        : `Option ${first?.path.join('.')}: ${first?.message}.`,
      'Options are duplicates=keep|merge, cancels=reduce|drop, zero_price=keep|drop, connected_by=none|shop_account.',
    )
  },
  openReader: async (db, start) => {
    const currency = await expectCurrency(db, start.mapping.currency ?? (await firstCurrency(db, start)))
    if (isRefusal(currency)) return currency
    const rule = { ...start, currency }
    return {
      basis: currency,
      map: (line, fields) => mapLine(line, fields, rule),
      identitiesOf: identitiesOf(start.mapping.source),
      identitiesIn: (text) => {
        const { source: namespace, strip_prefix } = start.mapping
        return ['customer_id', 'shared_by'].map((field) => {
          return { kind: 'own_id', namespace, value: stripPrefix(text.trim(), strip_prefix?.[field]) }
        })
      },
      unitOf: ({ documentId }) => documentId,
      encode: queries.lineText,
    }
  },
  begin: async (tx, { mapping, options, now, columns }, expected) => {
    // By now another import may have fixed another one.
    const currency = await settleCurrency(tx, expected)
    if (isRefusal(currency)) return currency
    const { source, zone } = mapping
    const has = (field: string) => (columns[field] ?? -1) >= 0
    const hasOrderAmounts = ['order_total', 'order_refunded', 'is_refunded'].some(has)
    return openStaging(tx, { source, zone, currency, options, now, hasOrderAmounts, hasShares: has('shared_by') })
  },
}

/** Whom a line names, for the question whether they were erased. */
function identitiesOf(source: string) {
  return ({ customer, sharedBy }: StagedLine): NamedIdentity[] => [
    ...(customer === null ? [] : [{ kind: 'own_id', namespace: source, value: customer }]),
    ...(sharedBy === null ? [] : [{ kind: sharedBy[0], namespace: sharedBy[1], value: sharedBy[2] }]),
  ]
}

/** What a brand that has no currency yet takes from a file that names one in each row: the first that is one. */
async function firstCurrency(db: Sql, { firstValues }: ImportStart<OrderOptions>): Promise<string | undefined> {
  if ((await readSettings(db)).currency) return undefined
  const named = (await firstValues('currency')).map((text) => text.toUpperCase())
  return named.find(isCurrency)
}

interface OrderStaging {
  readonly source: string
  /** Of naive times; the brand's when absent. */
  readonly zone: string | undefined
  readonly currency: string
  readonly options: OrderOptions
  readonly now: Date
  /** The file has amounts of whole orders too. */
  readonly hasOrderAmounts?: boolean
  /** The file says who shared. */
  readonly hasShares?: boolean
}

async function openStaging(
  tx: Sql,
  { source, zone, currency, options, now, hasOrderAmounts = false, hasShares = false }: OrderStaging,
): Promise<FileStaging<StagedLine>> {
  await queries.createStaging(tx)
  let rows = 0
  let isShared = hasShares
  let hasBadDocuments = false
  let badRows: readonly queries.BadRow[] = []
  return {
    copy: (client, lines) => {
      rows += lines.length
      isShared ||= lines.some(({ sharedBy }) => sharedBy !== null)
      return queries.copyStaged(client, lines.map(queries.lineText).join(''))
    },
    copyEncoded: (client, text, rowCount) => {
      rows += rowCount
      return queries.copyStaged(client, text)
    },
    identitiesOf: identitiesOf(source),
    addBadUnits: async (tx, documentIds) => {
      hasBadDocuments = true
      await queries.insertBadDocuments(tx, documentIds)
    },
    badRows: () => badRows,
    counts: async (tx) => {
      const counts = await queries.selectCounts(tx, badRows.length)
      const added = hasOrderAmounts ? await countAddedLines(tx) : 0
      return { ...counts, rows_repeated: counts.rows_repeated + added, currency }
    },
    apply: async (tx, importId) => {
      const settings = await readSettings(tx)
      const shape = { isLarge: rows >= queries.LARGE_FROM_ROWS }
      badRows = await queries.resolveDocuments(tx, {
        ...shape,
        zone: zone ?? settings.zone,
        exponent: minorExponent(currency),
        now,
        mergeDuplicates: options.duplicates === 'merge',
        hasBadDocuments,
      })
      if (hasOrderAmounts) await completeDocuments(tx, minorExponent(currency))
      await storeDocuments(tx, source, options, importId, now, { ...shape, hasShares: isShared })
    },
  }
}

/** Documents of the transaction's temporary tables -> facts, people, allocations, pending people. */
async function storeDocuments(
  tx: Sql,
  source: string,
  options: OrderOptions,
  importId: number,
  now: Date,
  shape: queries.BatchShape & { readonly hasShares: boolean },
): Promise<void> {
  await queries.createArriving(tx, shape)
  const { hasVersions } = await admitArriving(tx, source, 'order', importId, now)
  const isConnecting = options.connected_by === 'shop_account'
  await writeDocuments(tx, source, now, { ...shape, hasVersions, isConnecting })
  if (hasVersions) await settleVersions(tx, importId, now)
}

interface WriteShape extends queries.BatchShape {
  /** Whether any document was there before with another body. */
  readonly hasVersions: boolean
  /** Customers with a shop account are connected by it. */
  readonly isConnecting: boolean
  /** Whether any document may name who shared it. */
  readonly hasShares: boolean
}

/** What `arriving` says of `lines` and `documents` comes into force, and what it replaces goes. */
async function writeDocuments(tx: Sql, source: string, now: Date, shape: WriteShape): Promise<void> {
  const { hasVersions, isConnecting } = shape
  const hasShares = shape.hasShares || (await spreads.hasSpreads(tx))
  await identify(tx, now, queries.buyersOf(source), shape)
  if (hasShares) await identifySharers(tx, now, shape)
  await queries.createSuperseding(tx, shape)
  if (hasVersions) {
    await queries.fillDisplaced(tx)
    if (hasShares) await spreads.keepSharers(tx)
    await keepBodies(tx)
    await queries.deleteCorrected(tx)
  }
  await queries.insertDocuments(tx, source, now, { ...shape, hasReturns: await queries.hasReturns(tx) })
  await reallocateRefunds(tx, source)
  await queries.createChangedPeople(tx)
  if (hasShares) await settleSpreads(tx, now)
  if (isConnecting || hasVersions) {
    await queries.createArrivingConnections(tx, source, isConnecting)
    await numberConnections(tx)
    await connect(tx, source, 'shop_account', now, isConnecting)
  }
  await insertPending(tx, now, { kind: 'order', facts: queries.ADMITTED_FACTS, isDated: true })
}

async function identifySharers(tx: Sql, now: Date, { isLarge }: queries.BatchShape): Promise<void> {
  await identify(tx, now, spreads.SHARERS, { isLarge, into: 'arriving_sharers' })
  await spreads.createArrivingShares(tx)
}

/** The shares of all orders that were written, corrected or refunded, and who is concerned by them. */
async function settleSpreads(tx: Sql, now: Date): Promise<void> {
  await spreads.createTrueSpreads(tx)
  await numberSpreads(tx)
  await spreads.writeSpreads(tx, now)
}

const MOVES_MAX = 20_000

/**
 * Facts follow their identity: when claims made one person of two, or two of one, orders and refunds are kept under
 * the person that their identity is now. Claim and work are one transaction, so a crash leaves the rest pending.
 *
 * @returns how many identities were followed.
 */
export async function followIdentities(database: Database, clock: Clock): Promise<number> {
  let followed = 0
  for (let claimed = MOVES_MAX; claimed === MOVES_MAX; followed += claimed) {
    claimed = await database.transaction(async (tx) => {
      const count = await claimMoves(tx, 'commerce', MOVES_MAX)
      if (count > 0) {
        await queries.followMoves(tx)
        await spreads.followSpreads(tx)
        await insertPending(tx, clock.now())
      }
      return count
    })
  }
  return followed
}

/** Orders and refunds by API, with the honest options. */
export const ORDER_FACTS = factKind<OrderFact, StagedLine>({
  fact: orderFact,
  toRows: (fact, line) => {
    const sharer = fact.shared_by ? factIdentity(fact.source, fact.shared_by) : null
    if (sharer === undefined) return [{ ok: false, reason: 'missing_identity', unit: fact.external_id }]
    return factLines(fact, line, sharer)
  },
  begin: async (tx, source, now, wanted) => {
    const currency = await settleCurrency(tx, wanted)
    if (isRefusal(currency)) return currency
    return openStaging(tx, { source, zone: undefined, currency, options: orderOptions.parse({}), now })
  },
  restore: async (tx, source, now) => {
    await queries.restoreDocuments(tx)
    await writeDocuments(tx, source, now, {
      isLarge: true,
      hasVersions: true,
      isConnecting: false,
      hasShares: true,
    })
  },
})

/** Keeps the sums of orders and refunds short: after facts were stored, as often as anybody likes. */
export function foldTotals(database: Database, clock: Clock): Promise<void> {
  return database.transaction((tx) => foldTotalRows(tx, clock.now()))
}

/** Orders, refunds and shares of who is erased stay as nobody's: see `Eraser` of customers. */
export async function eraseOrders(tx: Sql): Promise<void> {
  await queries.eraseOrders(tx)
  await spreads.eraseSpreads(tx)
}

/** All that is kept of a person here, as it stands. */
export function exportOrders(db: Sql, personId: number): Promise<PersonRows> {
  const tables = ['orders', 'order_lines', 'refunds', 'refund_lines', 'refund_allocations', 'spreads']
  return selectPersonRows(db, 'commerce', tables, personId)
}

/** One page of the orders of the person that a key names. */
export async function listOrders(
  db: Sql,
  personKey: string,
  query: OrdersQuery,
  view: View = FULL_VIEW,
): Promise<OrdersPage | Refusal> {
  const after = query.after === undefined ? undefined : readPlace(query.after)
  if (query.after !== undefined && !after) {
    return refuse('invalid', 'bad_cursor', '`after` is not the `next` of a page.', 'Begin again without it.')
  }
  const personId = await findPerson(db, personKey, view)
  if (isRefusal(personId)) return personId
  const { currency } = await readSettings(db)
  // One more than the page has: a full page may be the last.
  const found = await queries.selectOrders(db, personId, { after, limit: query.limit + 1 })
  const rows = found.slice(0, query.limit)
  const last = found.length > query.limit ? rows.at(-1) : undefined
  return {
    currency: currency ?? DEFAULT_CURRENCY,
    orders: rows.map(({ source, external_id, paid_at, amount_minor, refunded_minor, lines }) => ({
      source,
      external_id,
      paid_at: paid_at.toISOString(),
      amount_minor,
      refunded_minor,
      lines,
    })),
    next: last ? Buffer.from(`${last.order_id} ${last.paid_at_text}`).toString('base64url') : null,
  }
}

function readPlace(text: string): { paidAt: string; orderId: number } | undefined {
  const match = /^(\d{1,15}) (\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00)$/.exec(
    Buffer.from(text, 'base64url').toString(),
  )
  return match ? { orderId: Number(match[1]), paidAt: match[2] ?? '' } : undefined
}
