import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../platform/clock.ts'
import { CsvError, type CsvFile, openCsv } from '../../platform/csv.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { columnsOf } from '../../platform/fields.ts'
import { minorExponent } from '../../platform/money.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { readSettings, settleCurrency } from '../brand/actions.ts'
import { connect, identifyOwnIds } from '../customers/actions.ts'
import {
  admitArriving,
  insertImport,
  insertPending,
  insertSuperseded,
  loadMapping,
  lockIntake,
  nextImportId,
  numberConnections,
  openRejects,
  type RejectsFile,
  upsertInbox,
} from '../intake/actions.ts'
import type { ImportReport, Mapping, RejectReason } from '../intake/schema.ts'
import * as queries from './queries.ts'
import { type LineRule, mapLine, mergeOptions } from './rules.ts'
import { ORDER_FIELDS, type OrderOptions, orderOptions, type StagedLine } from './schema.ts'

const MAPPINGS_FOLDER = fileURLToPath(new URL('./mappings', import.meta.url))

export interface OrderImport {
  /** CSV or CSV.GZ. */
  readonly path: string
  /** A shipped mapping's name, or the path of a YAML file. */
  readonly mapping: string
  /** Overrides of the mapping's options, `key=value`. */
  readonly options: Readonly<Record<string, string>>
  readonly dryRun: boolean
  /** Folder for the file of rejected rows. */
  readonly rejectsFolder: string
  /** Called now and then with what is done. */
  readonly onProgress?: (progress: ImportProgress) => void
}

export type ImportProgress =
  | { readonly phase: 'reading'; readonly rows: number; readonly bytesRead: number; readonly bytesTotal: number }
  | { readonly phase: 'applying'; readonly rows: number }

/**
 * Imports order lines from a file: one transaction, so an import is whole or did not happen. Rows that cannot be
 * stored go to the rejects file with their reason; an order of which a row is bad is rejected whole, because the
 * mended row fed again later would replace the rest of it.
 *
 * @returns counts that add up (rows_in = rows_stored + rows_merged + rows_rejected), or why nothing was read.
 */
export async function importOrders(
  database: Database,
  clock: Clock,
  command: OrderImport,
): Promise<ImportReport | Refusal> {
  const startedAt = clock.now()
  const prepared = await prepare(command)
  if (isRefusal(prepared)) return prepared
  const { mapping, options, file } = prepared
  const rejects = openRejects(
    join(
      command.rejectsFolder,
      `${startedAt.toISOString().replaceAll(':', '')}-${basename(command.path)
        .replace(/(\.csv)?(\.gz)?$/i, '')
        .replace(/[^\w.-]/g, '_')}.csv`,
    ),
    file.header,
  )
  try {
    const report = await database.transaction(async (tx, client) => {
      await lockIntake(tx)
      const currency = await settleCurrency(tx, mapping.currency ?? (await currencyOf(tx, command, file, mapping)))
      if (isRefusal(currency)) throw new RefusedImport(currency)
      const rule = lineRule(file, mapping, options, currency)
      await queries.createStaging(tx)
      const rowsIn = await stage(tx, file, rule, rejects, (lines) => queries.copyStaged(client, lines), command)
      command.onProgress?.({ phase: 'applying', rows: rowsIn })
      const applied = await apply(tx, { mapping, options, currency, now: clock.now() })
      await writeBadRows(tx, command.path, rejects)
      const counts = await queries.selectCounts(tx)
      const rowsRejected = Object.values(rejects.counts).reduce((sum, count) => sum + count, 0)
      const rowsMerged = counts.rows_repeated + counts.rows_known
      const finishedAt = clock.now()
      const rows = {
        rows_in: rowsIn,
        rows_stored: rowsIn - rowsMerged - rowsRejected,
        rows_merged: rowsMerged,
        rows_rejected: rowsRejected,
      }
      const fileName = basename(command.path)
      await insertImport(
        tx,
        applied.importId,
        { file_name: fileName, mapping_name: mapping.name, source: mapping.source, options, started_at: startedAt },
        rows,
        finishedAt,
      )
      const report: ImportReport = {
        import_id: command.dryRun ? null : applied.importId,
        dry_run: command.dryRun,
        file_name: fileName,
        mapping: mapping.name,
        source: mapping.source,
        options: { ...options },
        ...rows,
        rejected_by_reason: { ...rejects.counts },
        rejects_file: null,
        people: counts.people,
        orders: counts.orders,
        refunds: counts.refunds,
        unmatched_refunds: counts.unmatched_refunds,
        unmatched_refunds_minor: counts.unmatched_refunds_minor,
        currency,
        documents_new: counts.documents_new,
        documents_corrected: counts.documents_corrected,
        documents_known: counts.documents_known,
        seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
      }
      const rejectsPath = await rejects.close()
      const whole = { ...report, rejects_file: rejectsPath }
      if (command.dryRun) throw new DryRun(whole)
      return whole
    })
    return report
  } catch (error) {
    if (error instanceof DryRun) return error.report
    await rejects.discard()
    if (error instanceof RefusedImport) return error.refusal
    if (error instanceof CsvError) return unreadable(command.path, error.message)
    throw error
  }
}

/** Ends the transaction of a dry run: everything was done, nothing is kept. */
class DryRun extends Error {
  readonly report: ImportReport
  constructor(report: ImportReport) {
    super('dry run')
    this.report = report
  }
}

class RefusedImport extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.message)
    this.refusal = refusal
  }
}

interface Prepared {
  readonly mapping: Mapping
  readonly options: OrderOptions
  readonly file: CsvFile
}

async function prepare(command: OrderImport): Promise<Prepared | Refusal> {
  const mapping = await loadMapping(command.mapping, MAPPINGS_FOLDER)
  if (isRefusal(mapping)) return mapping
  const unknown = Object.keys(mapping.columns).find((field) => !(field in ORDER_FIELDS))
  if (unknown) {
    return refuse(
      'invalid',
      'unknown_field',
      `The mapping ${mapping.name} maps "${unknown}", which is no field of an order line.`,
      `Fields are: ${Object.keys(ORDER_FIELDS).join(', ')}.`,
    )
  }
  const options = orderOptions.safeParse(mergeOptions(mapping, command.options))
  if (!options.success) {
    const [first] = options.error.issues
    return refuse(
      'invalid',
      'bad_option',
      first?.code === 'unrecognized_keys'
        ? `There is no option ${first.keys.join(', ')}.`
        : `Option ${first?.path.join('.')}: ${first?.message}.`,
      'Options are duplicates=keep|merge, cancels=reduce|drop, zero_price=keep|drop, connected_by=none|shop_account.',
    )
  }
  let file: CsvFile
  try {
    file = await openCsv(command.path)
  } catch (error) {
    if (error instanceof CsvError) return unreadable(command.path, error.message)
    const { code } = error as { code?: string }
    if (code === 'ENOENT')
      return refuse('missing', 'no_such_file', `There is no file ${command.path}.`, 'Check the path.')
    if (code === 'EACCES')
      return refuse('forbidden', 'unreadable_file', `${command.path} may not be read.`, 'Check its permissions.')
    if (code === 'EISDIR') return refuse('invalid', 'is_folder', `${command.path} is a folder.`, 'Name a file.')
    throw error
  }
  const columns = columnsOf(file.header, mapping.columns)
  const missing = (['order_id', 'paid_at'] as const).filter((field) => (columns[field] ?? -1) < 0)
  if ((columns.amount ?? -1) < 0 && (columns.unit_price ?? -1) < 0) {
    return wrongColumns(file.header, mapping, [...missing, 'unit_price'])
  }
  if (missing.length > 0) return wrongColumns(file.header, mapping, missing)
  return { mapping, options: options.data, file }
}

function unreadable(path: string, message: string): Refusal {
  return refuse(
    'invalid',
    'unreadable_csv',
    `${path}: ${message}`,
    'Export the file again as CSV (UTF-8, comma), then import it.',
  )
}

function wrongColumns(header: readonly string[], mapping: Mapping, fields: readonly string[]): Refusal {
  const wanted = fields.map((field) => `${field} (${(mapping.columns[field] ?? ['no column mapped']).join(' or ')})`)
  return refuse(
    'invalid',
    'wrong_columns',
    `The file has no column for ${wanted.join(', ')}. Its columns are: ${header.slice(0, 30).join(', ').slice(0, 500)}.`,
    'Choose another mapping, or write one that names these columns (mappings/orders.yaml is an example).',
  )
}

/** What a brand that has no currency yet takes from a file that names one in each row: the first that is one. */
async function currencyOf(
  tx: Sql,
  command: OrderImport,
  { header }: CsvFile,
  mapping: Mapping,
): Promise<string | undefined> {
  const column = columnsOf(header, mapping.columns).currency ?? -1
  if (column < 0 || (await readSettings(tx)).currency) return undefined
  for await (const batch of (await openCsv(command.path)).batches) {
    const named = batch.map(({ fields }) => (fields[column] ?? '').trim().toUpperCase())
    return named.find((text) => /^[A-Z]{3}$/.test(text))
  }
  return undefined
}

function lineRule(file: CsvFile, mapping: Mapping, options: OrderOptions, currency: string): LineRule {
  return {
    columns: columnsOf(file.header, mapping.columns),
    fieldCount: file.header.length,
    mapping,
    options,
    currency,
  }
}

/** File -> staged rows, batch by batch. @returns how many rows the file has. */
async function stage(
  tx: Sql,
  file: CsvFile,
  rule: LineRule,
  rejects: RejectsFile,
  copy: (lines: readonly StagedLine[]) => Promise<void>,
  command: OrderImport,
): Promise<number> {
  let rows = 0
  // One batch is parsed while the server takes in the one before.
  let copying: Promise<void> = Promise.resolve()
  for await (const batch of file.batches) {
    const lines: StagedLine[] = []
    const badDocuments: string[] = []
    for (const { line, fields } of batch) {
      const mapped = mapLine(line, fields, rule)
      if (mapped.ok) {
        lines.push(mapped.line)
        continue
      }
      await rejects.add(line, mapped.reason, fields)
      if (mapped.documentId) badDocuments.push(mapped.documentId)
    }
    rows += batch.length
    await copying
    if (badDocuments.length > 0) await queries.insertBadDocuments(tx, badDocuments)
    copying = lines.length > 0 ? copy(lines) : Promise.resolve()
    // Awaited in the next turn; until then a failure must not count as unhandled.
    copying.catch(() => {})
    command.onProgress?.({ phase: 'reading', rows, ...file.progress() })
  }
  await copying
  return rows
}

interface Applying {
  readonly mapping: Mapping
  readonly options: OrderOptions
  readonly currency: string
  readonly now: Date
}

/** Staged rows -> facts, people, allocations, and the list of people whose standing may have changed. */
async function apply(tx: Sql, { mapping, options, currency, now }: Applying): Promise<{ importId: number }> {
  const { zone } = await readSettings(tx)
  const { source } = mapping
  await queries.resolveDocuments(tx, {
    zone: mapping.zone ?? zone,
    exponent: minorExponent(currency),
    now,
    mergeDuplicates: options.duplicates === 'merge',
  })
  const importId = await nextImportId(tx)
  await queries.createArriving(tx)
  await admitArriving(tx, source, 'order')
  await queries.createArrivingCustomers(tx)
  await identifyOwnIds(tx, source, now)
  await queries.createSuperseding(tx)
  await insertSuperseded(tx, now)
  await queries.deleteCorrected(tx)
  await upsertInbox(tx, source, 'order', importId, now)
  await queries.insertDocuments(tx, source, now)
  await queries.reallocateRefunds(tx, source)
  await queries.createChangedPeople(tx)
  const isAsked = options.connected_by === 'shop_account'
  await queries.createArrivingConnections(tx, source, isAsked)
  await numberConnections(tx)
  await connect(tx, source, 'shop_account', now, isAsked)
  await insertPending(tx)
  return { importId }
}

/** Rows that only the set could refuse are looked up in the file once more, so that the rejects file has them as they came. */
async function writeBadRows(tx: Sql, path: string, rejects: RejectsFile): Promise<void> {
  const bad = new Map((await queries.selectBadRows(tx)).map(({ line, reason }) => [line, reason as RejectReason]))
  if (bad.size === 0) return
  const again = await openCsv(path)
  for await (const batch of again.batches) {
    for (const { line, fields } of batch) {
      const reason = bad.get(line)
      if (reason) await rejects.add(line, reason, fields)
    }
  }
}
