import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { PoolClient } from 'pg'
import { parse } from 'yaml'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { columnsOf } from '../../platform/fields.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { TableError, type TableFile } from '../../platform/table.ts'
import { openTable } from '../../platform/table-file.ts'
import { ErasedMeanwhile, type ErasureGuard, type NamedIdentity, openGuard } from './erasure.ts'
import { insertImport, nextImportId } from './queries.ts'
import { openRejects, type RejectsFile } from './rejects.ts'
import { type GuessKind, guessMapping, type MappingGuess } from './rules.ts'
import { type ImportReport, type MappedRow, type Mapping, mapping, type RejectReason } from './schema.ts'

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

/**
 * A mapping by its name (shipped ones, in `folders`) or by the path of a YAML file.
 * What is wrong in it is said with the place: `columns.order_id: …`.
 */
export async function loadMapping(
  nameOrPath: string | Mapping,
  folders: readonly string[],
): Promise<Mapping | Refusal> {
  if (typeof nameOrPath !== 'string') return nameOrPath
  const isPath = /[./\\]/.test(nameOrPath)
  const paths = isPath ? [nameOrPath] : folders.map((folder) => join(folder, `${nameOrPath}.yaml`))
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => undefined)))
  const path = paths[texts.findIndex((text) => text !== undefined)] ?? nameOrPath
  const text = texts.find((found) => found !== undefined)
  if (text === undefined) {
    const shipped = (await Promise.all(folders.map((folder) => readdir(folder)))).flat().sort()
    return refuse(
      'missing',
      'unknown_mapping',
      `There is no mapping "${nameOrPath}".`,
      `Use one of: ${shipped.map((name) => name.replace(/\.yaml$/, '')).join(', ')}, or the path of a YAML file.`,
    )
  }
  let content: unknown
  try {
    content = parse(text)
  } catch (error) {
    return refuse(
      'invalid',
      'bad_mapping',
      `${path} is not YAML: ${(error as Error).message}`,
      'Mend it; mappings/orders.yaml is an example.',
    )
  }
  const parsed = mapping.safeParse(content)
  if (parsed.success) return parsed.data
  const [first] = parsed.error.issues
  return refuse(
    'invalid',
    'bad_mapping',
    `${path}: ${first?.path.join('.') || 'the file'}: ${first?.message}`,
    'Mend it; mappings/orders.yaml is an example.',
  )
}

/** Rows that a mapping is guessed by. */
const GUESS_ROWS = 200

/**
 * The mapping that a file most likely needs, of the kinds given.
 * @returns undefined when nothing in it is recognised; a refusal when it cannot be read.
 */
export async function guessFile(
  path: string,
  kinds: readonly Pick<
    GuessKind & { mappingsFolder: string },
    'kind' | 'fields' | 'missingFields' | 'mappingsFolder'
  >[],
): Promise<MappingGuess | undefined | Refusal> {
  const known: GuessKind[] = []
  for (const { mappingsFolder, ...kind } of kinds) {
    const names = (await readdir(mappingsFolder)).sort()
    const loaded = await Promise.all(names.map((name) => loadMapping(join(mappingsFolder, name), [])))
    known.push({ ...kind, shipped: loaded.filter((mapping) => !isRefusal(mapping)) })
  }
  const file = await openFile(path)
  if (isRefusal(file)) return file
  try {
    for await (const batch of file.batches) {
      const rows = batch.slice(0, GUESS_ROWS).map(({ fields }) => fields)
      return guessMapping(file.header, rows, known)
    }
    return guessMapping(file.header, [], known)
  } catch (error) {
    if (error instanceof TableError) return unreadable(path, error.message)
    throw error
  } finally {
    file.close()
  }
}

/** A file to import, as a user names it. */
export interface ImportCommand {
  /** CSV, JSON lines (each also gzipped), or XLSX with `#Sheet name` where it is not the first. */
  readonly path: string
  /** A shipped mapping's name, the path of a YAML file, or a mapping itself. */
  readonly mapping: string | Mapping
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

/** What a kind of fact brings to an import; everything else is the same for all kinds. */
export interface ImportKind<Row, Options extends Readonly<Record<string, string | undefined>>> {
  readonly kind: Mapping['kind']
  readonly mappingsFolder: string
  /** The fields that a mapping may name. */
  readonly fields: Readonly<Record<string, string>>
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
  const { mapping, file } = prepared
  const rejects = openRejects(rejectsPath(command, startedAt), file.header)
  const firstValues = (field: string) => peek(command.path, prepared.columns[field] ?? -1)
  const guard = await openGuard(database)
  try {
    return await database.transaction(async (tx, client) => {
      const staging = await kind.begin(tx, { ...prepared, fieldCount: file.header.length, now: startedAt, firstValues })
      if (isRefusal(staging)) throw new RefusedImport(staging)
      const sample: Record<string, unknown>[] = []
      const rowsIn = await stage(tx, client, file, staging, guard, rejects, command, sample)
      command.onProgress?.({ phase: 'applying', rows: rowsIn })
      const importId = await nextImportId(tx)
      await staging.apply(tx, importId)
      await guard.confirm(tx)
      await writeBadRows(await staging.badRows(tx), command.path, rejects)
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
      const report: ImportReport = {
        import_id: command.dryRun ? null : importId,
        dry_run: command.dryRun,
        file_name,
        mapping: mapping.name,
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
}

async function prepare<Row, Options extends Readonly<Record<string, string | undefined>>>(
  command: ImportCommand,
  kind: ImportKind<Row, Options>,
): Promise<Prepared<Options> | Refusal> {
  const mapping = await loadMapping(command.mapping, [kind.mappingsFolder])
  if (isRefusal(mapping)) return mapping
  const named = [...Object.keys(mapping.columns), ...Object.keys(mapping.strip_prefix ?? {})]
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
  const missing = kind.missingFields(columns)
  if (missing.length === 0) return { mapping, options, file, columns }
  file.close()
  return wrongColumns(file.header, mapping, missing)
}

async function openFile(path: string): Promise<TableFile | Refusal> {
  try {
    return await openTable(path)
  } catch (error) {
    if (error instanceof TableError) return unreadable(path, error.message)
    const { code } = error as { code?: string }
    if (code === 'ENOENT') return refuse('missing', 'no_such_file', `There is no file ${path}.`, 'Check the path.')
    if (code === 'EACCES') {
      return refuse('forbidden', 'unreadable_file', `${path} may not be read.`, 'Check its permissions.')
    }
    if (code === 'EISDIR') return refuse('invalid', 'is_folder', `${path} is a folder.`, 'Name a file.')
    throw error
  }
}

function unreadable(path: string, message: string): Refusal {
  const remedy = 'Then import it again: CSV, JSON lines (each also gzipped) and XLSX are read.'
  return refuse('invalid', 'unreadable_table', `${path}: ${message}`, remedy)
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

/** File -> staged rows, batch by batch, and the first of them into `sample`. @returns how many rows the file has. */
async function stage<Row extends object>(
  tx: Sql,
  client: PoolClient,
  file: TableFile,
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
    const mappedRows = batch.map(({ line, fields }) => staging.map(line, fields))
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
  rejects: RejectsFile,
): Promise<void> {
  const bad = new Map(found.map(({ line, reason }) => [line, reason as RejectReason]))
  if (bad.size === 0) return
  const again = await openTable(path)
  for await (const batch of again.batches) {
    for (const { line, fields } of batch) {
      const reason = bad.get(line)
      if (reason) await rejects.add(line, reason, fields)
    }
  }
}
