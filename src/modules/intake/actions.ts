import type { PoolClient } from 'pg'
import type { Actor } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { columnsOf } from '../../platform/fields.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { TableError, type TableFile } from '../../platform/table.ts'
import { ErasedMeanwhile, type NamedIdentity } from './erasure.ts'
import { fileNameOf, previewRows, runImport } from './import-files.ts'
import { loadMapping, openFile, unreadable } from './mapping-files.ts'
import { LINE_COLUMN, REASON_COLUMN } from './rejects.ts'
import { type RowRules, rowRules } from './row-rules.ts'
import { missingColumns, type StatusColumns, seriesOf } from './rules.ts'
import type { ImportPreview, ImportReport, MappedRow, Mapping, NotResumed } from './schema.ts'
import { type EarlierFile, selectEarlierFiles } from './series-queries.ts'

export {
  brandKeyOf,
  createApiKey,
  createWebhook,
  findApiKey,
  listApiKeys,
  listWebhooks,
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
export { CANCELLED } from './import-files.ts'
export { guessFile, loadMapping } from './mapping-files.ts'
export {
  CLAIMED_PEOPLE,
  claimMoves,
  claimPending,
  countPending,
  countPendingChanges,
  deletePending,
  insertMoves,
  insertPending,
  isOfShare,
  isSubscribed,
  lockIntake,
  lookUp,
  makePending,
  nextFactId,
  numberAssignments,
  numberConnections,
  numberSpreads,
  type PendingCause,
  passPending,
  type Share,
  selectPending,
  subscribe,
  unsubscribe,
} from './queries.ts'
export { eraseRejects } from './rejects.ts'
export { type MappingGuess, SURE } from './rules.ts'
export { removeRuns } from './runs.ts'
export { listSources } from './series-queries.ts'
export { findRejects, findRejectsOf, listImports, previewUndo, undoImport } from './undo.ts'
export { openUploads, releaseUploads, type Uploads } from './uploads.ts'
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
  /** What it is called, where its path does not say so. */
  readonly fileName?: string
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
  /** Folder of what unfinished imports have read, so that the next one goes on there. */
  readonly runsFolder: string
  /** Who imports, for the audit log; nobody writes there what the demo makes. */
  readonly by?: Actor
  /** Rows between two checkpoints; 50,000 when absent. */
  readonly checkpointRows?: number
  /** Aborted before its facts are stored: it ends with the refusal `import_cancelled`, and nothing of it is kept. */
  readonly cancelling?: AbortSignal
  /** Called now and then with what is done. */
  readonly onProgress?: (progress: ImportProgress) => void
}

export type ImportProgress =
  /** Once, first of all: of the killed import that this one goes on with, so many rows need not be read again. */
  | { readonly phase: 'resuming'; readonly rows: number; readonly isRead: boolean }
  /** Once, first of all: a killed import cannot be gone on with. */
  | { readonly phase: 'restarting'; readonly rows: 0; readonly reason: NotResumed }
  | { readonly phase: 'reading'; readonly rows: number; readonly bytesRead: number; readonly bytesTotal: number }
  /** Rows that are in the database's hands; when all are, what they change is worked out. */
  | { readonly phase: 'applying'; readonly rows: number; readonly rowsTotal: number }

/** What a kind of fact brings to an import; everything else is the same for all kinds. */
export interface ImportKind<Row, Options extends Readonly<Record<string, string | undefined>>> {
  readonly kind: Mapping['kind']
  readonly mappingsFolder: string
  /** The fields that a mapping may name. */
  readonly fields: Readonly<Record<string, string>>
  /** By what a column is known that says whether a row counts, where the kind has such. */
  readonly status?: StatusColumns
  /** The field by whose value rows belong together, where a fact may have several. */
  readonly unitField?: string
  /** Fields that the file must have a column for and has not. */
  missingFields(columns: Readonly<Record<string, number>>): readonly string[]
  readOptions(given: Readonly<Record<string, string>>): Options | Refusal
  /** How rows are read, outside of any transaction. */
  openReader(db: Sql, start: ImportStart<Options>): Promise<RowReader<Row> | Refusal>
  /** `basis` is what the reader of these rows said. */
  begin(tx: Sql, start: ImportStart<Options>, basis: string): Promise<FileStaging<Row> | Refusal>
}

export interface RowReader<Row> {
  /** What rows depend on besides file, mapping and options: the brand's currency, where amounts are read. */
  readonly basis: string
  map(line: number, fields: readonly string[]): MappedRow<Row>
  /** Whom a row names: who was erased is refused. */
  identitiesOf(row: Row): readonly NamedIdentity[]
  /** Whom a field of a row that could not be read may name, whichever column it slipped into. */
  identitiesIn(text: string): readonly NamedIdentity[]
  /** What the row is part of, where a fact may have several rows. */
  unitOf(row: Row): string | undefined
  /** The row as its staging table takes it by COPY, its newline included. */
  encode(row: Row): string
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
  badRows(): readonly { line: number; reason: string }[]
  counts(tx: Sql): Promise<ImportCounts>
}

export interface FileStaging<Row> extends Staging<Row> {
  /** Rows as the reader encoded them. */
  copyEncoded(client: PoolClient, text: AsyncIterable<Buffer>, rowCount: number): Promise<void>
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
 * Imports a file of any kind. Its rows are read to disk first, and one that was killed while doing so goes on where it
 * stopped; then one transaction applies them, so an import is whole or did not happen. Rows that cannot be stored go to the
 * rejects file with their reason.
 *
 * @returns counts that add up (rows_in = rows_stored + rows_merged + rows_rejected), or why nothing was stored.
 */
export async function importFile<Row extends object, Options extends Readonly<Record<string, string | undefined>>>(
  database: Database,
  clock: Clock,
  command: ImportCommand,
  kind: ImportKind<Row, Options>,
): Promise<ImportReport | Refusal> {
  for (;;) {
    const prepared = await prepare(command, kind)
    if (isRefusal(prepared)) return prepared
    try {
      const stranger = command.isGuessed ? await findStranger(database.db, prepared, command) : undefined
      return stranger ?? (await runImport(database, clock, command, kind, prepared))
    } catch (error) {
      if (error instanceof TableError) return unreadable(command.path, error.message)
      // Who was erased while the file was read may be in what was read: again, without them.
      if (!(error instanceof ErasedMeanwhile)) throw error
    } finally {
      prepared.file.close()
    }
  }
}

/**
 * A guess gives every shop the same source, and ids mean something within one only: a file that is not of a series known
 * there, by its name and its columns, is asked about before its order 1001 corrects somebody else's.
 */
async function findStranger(
  db: Sql,
  { mapping, file: { header } }: Pick<PreparedImport<unknown>, 'mapping' | 'file'>,
  command: ImportCommand,
): Promise<Refusal | undefined> {
  const name = fileNameOf(command)
  const earlier = await selectEarlierFiles(db, mapping.source)
  if (earlier.length === 0 || isOfSeries(earlier, name, header)) return undefined
  return refuse(
    'conflict',
    'which_source',
    `The source "${mapping.source}" has files already, such as ${earlier[0]?.file_name}, and ${name} is not like them in name and columns.`,
    `Say where it is from: --source NAME, a new name for another shop, or --source ${mapping.source} for the same one.`,
  )
}

function isOfSeries(earlier: readonly EarlierFile[], name: string, header: readonly string[]): boolean {
  const isAdded = (column: string) => column === LINE_COLUMN || column === REASON_COLUMN
  const sorted = (columns: readonly string[]) => JSON.stringify(columns.filter((column) => !isAdded(column)).sort())
  // A rejects file has a name of its own.
  const isRejects = header.some(isAdded)
  return earlier.some(
    ({ file_name, columns }) =>
      (isRejects || seriesOf(file_name) === seriesOf(name)) && (columns === null || sorted(columns) === sorted(header)),
  )
}

/** Whether a guessed file may join a source without being asked about: the source is new, or it is of a series there. */
export async function mayJoin(db: Sql, source: string, fileName: string, header: readonly string[]): Promise<boolean> {
  const earlier = await selectEarlierFiles(db, source)
  return earlier.length === 0 || isOfSeries(earlier, fileName, header)
}

/** The first rows of a file as this mapping reads them: nothing is stored, and what it still lacks is said. */
export async function previewFile<Row extends object, Options extends Readonly<Record<string, string | undefined>>>(
  database: Database,
  clock: Clock,
  command: Pick<ImportCommand, 'path' | 'options' | 'source'> & { readonly mapping: Mapping },
  kind: ImportKind<Row, Options>,
): Promise<ImportPreview | Refusal> {
  const opened = await openFile(command.path)
  if (isRefusal(opened)) return opened
  opened.close()
  const { mapping } = command
  const missing = missingColumns(columnsOf(opened.header, mapping.columns), mapping, kind)
  if (missing.length > 0) return { missing, rows: [] }
  const prepared = await prepare(command, kind)
  if (isRefusal(prepared)) return prepared
  try {
    const rows = await previewRows(database, clock, command, kind, prepared)
    return isRefusal(rows) ? rows : { missing, rows }
  } catch (error) {
    if (error instanceof TableError) return unreadable(command.path, error.message)
    throw error
  } finally {
    prepared.file.close()
  }
}

/** How a file is to be read. */
export interface PreparedImport<Options> {
  readonly mapping: Mapping
  readonly options: Options
  readonly file: TableFile
  readonly columns: Readonly<Record<string, number>>
  readonly rules: RowRules
}

async function prepare<Row, Options extends Readonly<Record<string, string | undefined>>>(
  command: Pick<ImportCommand, 'path' | 'mapping' | 'options' | 'source'>,
  kind: ImportKind<Row, Options>,
): Promise<PreparedImport<Options> | Refusal> {
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
