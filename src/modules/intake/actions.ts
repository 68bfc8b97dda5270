import { basename, join } from 'node:path'
import type { PoolClient } from 'pg'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { columnsOf } from '../../platform/fields.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { TableError, type TableFile } from '../../platform/table.ts'
import { openTable } from '../../platform/table-file.ts'
import { ErasedMeanwhile, type ErasureGuard, type NamedIdentity, openGuard } from './erasure.ts'
import { loadMapping, openFile, unreadable } from './mapping-files.ts'
import { insertImport, nextImportId } from './queries.ts'
import { LINE_COLUMN, openRejects, REASON_COLUMN, type RejectsFile } from './rejects.ts'
import { type RowRules, rowRules } from './row-rules.ts'
import { missingColumns, seriesOf } from './rules.ts'
import type { ImportReport, MappedRow, Mapping, RejectReason } from './schema.ts'
import { selectEarlierFiles, updateImportColumns } from './series-queries.ts'

export {
  brandKeyOf,
  createApiKey,
  createWebhook,
  findApiKey,
  listApiKeys,
  revokeApiKey,
  revokeWebhook,
} from './access.ts'
export { ErasedMeanwhile, type ErasureGuard, markText, type NamedIdentity, openGuard } from './erasure.ts'
export {
  createErasedTables,
  eraseVersions,
  insertErasure,
  insertUnfollowed,
  type PersonRows,
  selectEarlierVersions,
  selectErasedMarks,
  selectPersonRows,
} from './erasure-queries.ts'
export { type FactKinds, factKind, storeFacts } from './facts.ts'
export { guessFile, loadMapping } from './mapping-files.ts'
export {
  claimMoves,
  claimPending,
  countPending,
  deletePending,
  insertMoves,
  insertPending,
  lockIntake,
  nextFactId,
  numberConnections,
} from './queries.ts'
export { eraseRejects } from './rejects.ts'
export { type MappingGuess, SURE } from './rules.ts'
export { listImports, undoImport } from './undo.ts'
export {
  ADMITTED_COLUMNS,
  admitArriving,
  createDisplaced,
  keepBodies,
  settleVersions,
  versionRank,
} from './version-queries.ts'

/** A file to import, as a user names it. */
export interface ImportCommand {
  /** CSV, JSON lines (each also gzipped), or XLSX with `#Sheet name` where it is not the first. */
  readonly path: string
  /** A shipped mapping's name, the path of a YAML file, or a mapping itself. */
  readonly mapping: string | Mapping
  /** Overrides of the mapping's options, `key=value`. */
  readonly options: Readonly<Record<string, string>>
  readonly dryRun: boolean
  /** Instead of the mapping's. */
  readonly source?: string
  /** Nobody said which shop the file is from: it has to look like those that came from its source before. */
  readonly isGuessed?: boolean
  /** Folder for the file of rejected rows. */
  readonly rejectsFolder: string
  /** Called now and then with what is done. */
  readonly onProgress?: (progress: ImportProgress) => void
}

export type ImportProgress =
  | { readonly phase: 'reading'; readonly rows: number; readonly bytesRead: number; readonly bytesTotal: number }
  | { readonly phase: 'applying'; readonly rows: number }

/** What a kind of fact brings to an import; everything else is the same for all kinds. */
export interface ImportKind<Row, Options extends Readonly<Record<string, string | undefined>>> {
  readonly kind: Mapping['kind']
  readonly mappingsFolder: string
  /** The fields that a mapping may name. */
  readonly fields: Readonly<Record<string, string>>
  /** The field by whose value rows belong together, where a fact may have several. */
  readonly unitField?: string
  /** Fields that the file must have a column for and has not. */
  missingFields(columns: Readonly<Record<string, number>>): readonly string[]
  readOptions(given: Readonly<Record<string, string>>): Options | Refusal
  begin(tx: Sql, start: ImportStart<Options>): Promise<FileStaging<Row> | Refusal>
}

export interface ImportStart<Options> {
  readonly mapping: Mapping
  readonly options: Options
  readonly columns: Readonly<Record<string, number>>
  readonly fieldCount: number
  readonly now: Date
  /** The first batch of the file's values of a field; none when the file has no such column. */
  firstValues(field: string): Promise<string[]>
}

/** Rows on their way in, in their transaction: from a file or from the API. */
export interface Staging<Row> {
  copy(client: PoolClient, rows: readonly Row[]): Promise<void>
  /** Whom a row names: who was erased is refused. */
  identitiesOf(row: Row): readonly NamedIdentity[]
  /** Units that lost a row before staging: the rest of them is not stored either. */
  addBadUnits(tx: Sql, units: readonly string[]): Promise<void>
  /** Staged rows -> facts, people, and the people whose standing may have changed. */
  apply(tx: Sql, importId: number): Promise<void>
  /** Rows that only the whole set could refuse. */
  badRows(tx: Sql): Promise<readonly { line: number; reason: string }[]>
  counts(tx: Sql): Promise<ImportCounts>
}

export interface FileStaging<Row> extends Staging<Row> {
  map(line: number, fields: readonly string[]): MappedRow<Row>
}

export type ImportCounts = Pick<
  ImportReport,
  | 'people'
  | 'orders'
  | 'refunds'
  | 'unmatched_refunds'
  | 'unmatched_refunds_minor'
  | 'currency'
  | 'documents_new'
  | 'documents_corrected'
  | 'documents_known'
  | 'documents_stale'
> & { readonly rows_repeated: number; readonly rows_known: number }

/**
 * Imports a file of any kind: one transaction, so an import is whole or did not happen. Rows that cannot be stored go
 * to the rejects file with their reason.
 *
 * @returns counts that add up (rows_in = rows_stored + rows_merged + rows_rejected), or why nothing was read.
 */
export async function importFile<Row extends object, Options extends Readonly<Record<string, string | undefined>>>(
  database: Database,
  clock: Clock,
  command: ImportCommand,
  kind: ImportKind<Row, Options>,
): Promise<ImportReport | Refusal> {
  for (;;) {
    try {
      return await importOnce(database, clock, command, kind)
    } catch (error) {
      if (!(error instanceof ErasedMeanwhile)) throw error
    }
  }
}

async function importOnce<Row extends object, Options extends Readonly<Record<string, string | undefined>>>(
  database: Database,
  clock: Clock,
  command: ImportCommand,
  kind: ImportKind<Row, Options>,
): Promise<ImportReport | Refusal> {
  const startedAt = clock.now()
  const prepared = await prepare(command, kind)
  if (isRefusal(prepared)) return prepared
  const { mapping, file, rules } = prepared
  const rejects = openRejects(rejectsPath(command, startedAt), file.header)
  const firstValues = (field: string) => peek(command.path, prepared.columns[field] ?? -1)
  const guard = await openGuard(database)
  try {
    return await database.transaction(async (tx, client) => {
      const stranger = command.isGuessed ? await findStranger(tx, mapping, file.header, command) : undefined
      if (stranger) throw new RefusedImport(stranger)
      const staging = await kind.begin(tx, { ...prepared, fieldCount: file.header.length, now: startedAt, firstValues })
      if (isRefusal(staging)) throw new RefusedImport(staging)
      const sample: Record<string, unknown>[] = []
      const rowsIn = await stage(tx, client, file, rules, staging, guard, rejects, command, sample)
      command.onProgress?.({ phase: 'applying', rows: rowsIn })
      const importId = await nextImportId(tx)
      await staging.apply(tx, importId)
      await guard.confirm(tx)
      await writeBadRows(await staging.badRows(tx), command.path, rules, rejects)
      const { rows_repeated, rows_known, ...counts } = await staging.counts(tx)
      const rows_rejected = Object.values(rejects.counts).reduce((sum, count) => sum + count, 0)
      const rows_merged = rows_repeated + rows_known
      const rows = { rows_in: rowsIn, rows_stored: rowsIn - rows_merged - rows_rejected, rows_merged, rows_rejected }
      const finishedAt = clock.now()
      const file_name = basename(command.path)
      const options = Object.fromEntries(
        Object.entries(prepared.options).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
      )
      const row = { file_name, mapping_name: mapping.name, source: mapping.source, options, started_at: startedAt }
      await insertImport(tx, importId, row, rows, finishedAt)
      await updateImportColumns(tx, importId, file.header)
      const report: ImportReport = {
        import_id: command.dryRun ? null : importId,
        dry_run: command.dryRun,
        file_name,
        mapping: mapping.name,
        kind: mapping.kind,
        source: mapping.source,
        options,
        ...rows,
        rejected_by_reason: { ...rejects.counts },
        rejects_file: await rejects.close(),
        ...counts,
        seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
        ...(command.dryRun ? { sample } : {}),
      }
      if (command.dryRun) throw new DryRun(report)
      return report
    })
  } catch (error) {
    if (error instanceof DryRun) return error.report
    file.close()
    await rejects.discard()
    if (error instanceof RefusedImport) return error.refusal
    if (error instanceof TableError) return unreadable(command.path, error.message)
    throw error
  }
}

/**
 * A guess gives every shop the same source, and ids mean something within one only: a file that is not of a series known
 * there, by its name and its columns, is asked about before its order 1001 corrects somebody else's.
 */
async function findStranger(
  tx: Sql,
  mapping: Mapping,
  header: readonly string[],
  command: ImportCommand,
): Promise<Refusal | undefined> {
  const earlier = await selectEarlierFiles(tx, mapping.source)
  const name = basename(command.path)
  const isAdded = (column: string) => column === LINE_COLUMN || column === REASON_COLUMN
  const sorted = (columns: readonly string[]) => JSON.stringify(columns.filter((column) => !isAdded(column)).sort())
  // A rejects file has a name of its own.
  const isRejects = header.some(isAdded)
  const isKnown = earlier.some(
    ({ file_name, columns }) =>
      (isRejects || seriesOf(file_name) === seriesOf(name)) && (columns === null || sorted(columns) === sorted(header)),
  )
  if (earlier.length === 0 || isKnown) return undefined
  return refuse(
    'conflict',
    'which_source',
    `The source "${mapping.source}" has files already, such as ${earlier[0]?.file_name}, and ${name} is not like them in name and columns.`,
    `Say where it is from: --source NAME, a new name for another shop, or --source ${mapping.source} for the same one.`,
  )
}

async function peek(path: string, column: number): Promise<string[]> {
  if (column < 0) return []
  const file = await openTable(path)
  try {
    for await (const batch of file.batches) return batch.map(({ fields }) => (fields[column] ?? '').trim())
    return []
  } finally {
    file.close()
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

function rejectsPath(command: ImportCommand, startedAt: Date): string {
  const name = basename(command.path)
    .replace(/(\.csv)?(\.gz)?$/i, '')
    .replace(/[^\w.-]/g, '_')
  return join(command.rejectsFolder, `${startedAt.toISOString().replaceAll(':', '')}-${name}.csv`)
}

interface Prepared<Options> {
  readonly mapping: Mapping
  readonly options: Options
  readonly file: TableFile
  readonly columns: Readonly<Record<string, number>>
  readonly rules: RowRules
}

async function prepare<Row, Options extends Readonly<Record<string, string | undefined>>>(
  command: ImportCommand,
  kind: ImportKind<Row, Options>,
): Promise<Prepared<Options> | Refusal> {
  const loaded = await loadMapping(command.mapping, [kind.mappingsFolder])
  if (isRefusal(loaded)) return loaded
  const mapping = command.source === undefined ? loaded : { ...loaded, source: command.source }
  const rulesByField = [mapping.columns, mapping.strip_prefix, mapping.values, mapping.defaults, mapping.only]
  const named = [...rulesByField.flatMap((rule) => Object.keys(rule ?? {})), ...(mapping.carry_down ?? [])]
  const unknown = named.find((field) => !(field in kind.fields))
  if (unknown) {
    return refuse(
      'invalid',
      'unknown_field',
      `The mapping ${mapping.name} maps "${unknown}", which is no field of the kind ${kind.kind}.`,
      `Fields are: ${Object.keys(kind.fields).join(', ')}.`,
    )
  }
  const options = kind.readOptions({ ...mapping.options, ...command.options })
  if (isRefusal(options)) return options
  const file = await openFile(command.path)
  if (isRefusal(file)) return file
  const columns = columnsOf(file.header, mapping.columns)
  const missing = missingColumns(columns, mapping, kind)
  const rules = missing.length > 0 ? undefined : rowRules(columns, mapping, kind.unitField)
  if (rules && !isRefusal(rules)) return { mapping, options, file: rules.carry(file), columns, rules }
  file.close()
  return rules ?? wrongColumns(file.header, mapping, missing)
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

/** Rows that a dry run shows as they were mapped. */
const SAMPLE_ROWS = 20

function sampleOf(row: object): Record<string, unknown> {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [snake(name), value]))
}

const LEFT_OUT = { ok: false, reason: 'left_out', unit: undefined } as const

/** File -> staged rows, batch by batch, and the first of them into `sample`. @returns how many rows the file has. */
async function stage<Row extends object>(
  tx: Sql,
  client: PoolClient,
  file: TableFile,
  rules: RowRules,
  staging: FileStaging<Row>,
  guard: ErasureGuard,
  rejects: RejectsFile,
  command: ImportCommand,
  sample: Record<string, unknown>[],
): Promise<number> {
  let rows = 0
  // One batch is parsed while the server takes in the one before.
  let copying: Promise<void> = Promise.resolve()
  for await (const batch of file.batches) {
    const good: Row[] = []
    const badUnits: string[] = []
    const mappedRows = batch.map(({ line, fields }) => (rules.leavesOut(fields) ? LEFT_OUT : staging.map(line, fields)))
    const named = mappedRows.map((mapped) => (mapped.ok ? staging.identitiesOf(mapped.row) : []))
    const areAllowed = await guard.areAllowed(named)
    for (const [index, { line, fields }] of batch.entries()) {
      const mapped = mappedRows[index]
      if (!mapped) continue
      if (mapped.ok) {
        if (!areAllowed[index]) {
          // Not even to the rejects file: what names them is not to be kept.
          rejects.count('erased')
          continue
        }
        good.push(mapped.row)
        if (command.dryRun && sample.length < SAMPLE_ROWS) sample.push(sampleOf(mapped.row))
        continue
      }
      await rejects.add(line, mapped.reason, fields)
      if (mapped.unit) badUnits.push(mapped.unit)
    }
    rows += batch.length
    await copying
    if (badUnits.length > 0) await staging.addBadUnits(tx, badUnits)
    copying = good.length > 0 ? staging.copy(client, good) : Promise.resolve()
    // Awaited in the next turn; until then a failure must not count as unhandled.
    copying.catch(() => {})
    command.onProgress?.({ phase: 'reading', rows, ...file.progress() })
  }
  await copying
  return rows
}

/** Rows that only the set could refuse are looked up in the file once more: the rejects file has them as they came. */
async function writeBadRows(
  found: readonly { line: number; reason: string }[],
  path: string,
  rules: RowRules,
  rejects: RejectsFile,
): Promise<void> {
  const bad = new Map(found.map(({ line, reason }) => [line, reason as RejectReason]))
  if (bad.size === 0) return
  const again = rules.carry(await openTable(path))
  for await (const batch of again.batches) {
    for (const { line, fields } of batch) {
      const reason = bad.get(line)
      if (reason) await rejects.add(line, reason, fields)
    }
  }
}
