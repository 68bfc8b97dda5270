import { basename, join } from 'node:path'
import type { PoolClient } from 'pg'
import manifest from '../../../package.json' with { type: 'json' }
import type { Clock } from '../../platform/clock.ts'
import { Cancelled, type Database, type Sql } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { TableError, type TableFile, type TableRecord } from '../../platform/table.ts'
import { openTable } from '../../platform/table-file.ts'
import { recordAudit } from '../audit/actions.ts'
import type { FileStaging, ImportCommand, ImportKind, ImportStart, PreparedImport, RowReader } from './actions.ts'
import { ErasedMeanwhile, type ErasureGuard, openGuard } from './erasure.ts'
import { insertImport, nextImportId, selectDatabaseName } from './queries.ts'
import { openRejects, type RejectsFile, rejectsNameOf } from './rejects.ts'
import type { RowRules } from './row-rules.ts'
import { fingerprintOf, hashOf, openRun, type Run, runName } from './runs.ts'
import { type ImportReport, namedIdentity, type PreviewCell, type PreviewRow, type RejectReason } from './schema.ts'
import { updateImportColumns } from './series-queries.ts'

/** A killed import reads again what came after its last checkpoint: so many rows at most, or what so long brought. */
const CHECKPOINT_ROWS = 50_000
const CHECKPOINT_MS = 2000

const LEFT_OUT = { ok: false, reason: 'left_out', unit: undefined } as const

/** A kind's reader with what holds for rows of every kind. */
interface GuardedReader<Row> extends RowReader<Row> {
  readonly rules: RowRules
  readonly guard: ErasureGuard
}

type AnyOptions = Readonly<Record<string, string | undefined>>

/** What a file is called: its path says so, unless it came without a path of its own. */
export function fileNameOf({ path, fileName }: Pick<ImportCommand, 'path' | 'fileName'>): string {
  return fileName ?? basename(path)
}

/** Reads the file into its run, unless a killed import had, and applies it. @throws TableError from the file. */
export async function runImport<Row extends object, Options extends AnyOptions>(
  database: Database,
  clock: Clock,
  command: ImportCommand,
  kind: ImportKind<Row, Options>,
  prepared: PreparedImport<Options>,
): Promise<ImportReport | Refusal> {
  const startedAt = clock.now()
  const { file, columns, rules } = prepared
  const firstValues = (field: string) => peek(command.path, columns[field] ?? -1)
  const start = { ...prepared, fieldCount: file.header.length, now: startedAt, firstValues }
  const opened = await kind.openReader(database.db, start)
  if (isRefusal(opened)) return opened
  const guard = await openGuard(database)
  const reader: GuardedReader<Row> = { ...opened, rules, guard }
  try {
    const run = await openRun({
      folder: command.runsFolder,
      name: await runName(await selectDatabaseName(database.db), command.path),
      basis: {
        file: await fingerprintOf(command.path),
        mapping: hashOf(JSON.stringify(prepared.mapping)),
        options: hashOf(JSON.stringify(prepared.options)),
        basis: reader.basis,
        erasures: String(guard.last),
        program: manifest.version,
      },
      rejectsPath: rejectsPath(command, startedAt),
      isPassing: command.dryRun,
      now: startedAt,
    })
    if (isRefusal(run)) return run
    try {
      return await importRun(database, clock, command, kind, start, reader, run)
    } finally {
      await run.close()
    }
  } catch (error) {
    return unwritable(error, command)
  }
}

async function importRun<Row extends object, Options extends AnyOptions>(
  database: Database,
  clock: Clock,
  command: ImportCommand,
  kind: ImportKind<Row, Options>,
  start: ImportStart<Options> & PreparedImport<Options>,
  reader: GuardedReader<Row>,
  run: Run,
): Promise<ImportReport | Refusal> {
  const { resumed, notResumed } = run
  const rowsBefore = resumed?.rows_read ?? 0
  if (notResumed) command.onProgress?.({ phase: 'restarting', rows: 0, reason: notResumed })
  if (rowsBefore > 0) command.onProgress?.({ phase: 'resuming', rows: rowsBefore, isRead: resumed?.is_read === true })
  const rejects = await openRejects(run, start.file.header)
  try {
    const read = await readRows(clock, command, start.file, reader, run, rejects)
    const report = await applyRows(database, clock, command, kind, start, reader, run, rejects, read)
    await run.remove()
    return { ...report, resumed_at_row: rowsBefore > 0 ? rowsBefore + 1 : null, not_resumed: notResumed }
  } catch (error) {
    await rejects.abandon()
    // A file that was refused would be refused again, what was read may name who was erased since, and nobody goes on with a
    // dry run. Who cancels an import has mostly chosen the wrong file or the wrong columns: nothing to go on with either.
    const isLost = [RefusedImport, TableError, ErasedMeanwhile, Cancelled].some((kind) => error instanceof kind)
    if (command.dryRun || isLost) {
      await rejects.discard()
      await run.remove()
    }
    if (error instanceof RefusedImport) return error.refusal
    if (error instanceof Cancelled) {
      return refuse('conflict', CANCELLED, 'The import was cancelled; nothing was stored.', 'Import the file again.')
    }
    throw error
  }
}

/** The code of an import that was cancelled. */
export const CANCELLED = 'import_cancelled'

interface ReadRows {
  readonly rows: number
  readonly spooled: number
  /** The first rows as they were mapped; of a dry run only. */
  readonly sample: readonly Record<string, unknown>[]
}

/** File -> spooled and rejected rows, batch by batch, from the checkpoint on. */
async function readRows<Row extends object>(
  clock: Clock,
  command: ImportCommand,
  given: TableFile,
  reader: GuardedReader<Row>,
  run: Run,
  rejects: RejectsFile,
): Promise<ReadRows> {
  const { resumed } = run
  const { checkpointRows = CHECKPOINT_ROWS } = command
  let [rows, spooled] = [resumed?.rows_read ?? 0, resumed?.rows_spooled ?? 0]
  const sample: Record<string, unknown>[] = []
  if (resumed?.is_read) return { rows, spooled, sample }
  // What is carried down comes from the row before: then the rows are parsed again, and not mapped.
  const position = reader.rules.isCarrying ? undefined : (resumed?.position ?? undefined)
  const file = position ? await openTable(command.path, {}, position) : given
  const save = (isRead: boolean) => saveProgress(run, rejects, { rows, spooled, isRead, file })
  // From here on a killed import leaves a run that knows its rejects file.
  if (!command.dryRun && !resumed) await save(false)
  let [savedRows, savedAt] = [rows, clock.now().getTime()]
  let skipped = position ? rows : 0
  try {
    for await (const batch of file.batches) {
      if (command.cancelling?.aborted) throw new Cancelled()
      const left = skipped < rows ? batch.slice(rows - skipped) : batch
      skipped += batch.length
      spooled += await spool(left, reader, run, rejects, command.dryRun ? sample : undefined)
      rows += left.length
      command.onProgress?.({ phase: 'reading', rows, ...file.progress() })
      if (command.dryRun || rows === savedRows) continue
      const now = clock.now().getTime()
      if (rows - savedRows < checkpointRows && now - savedAt < CHECKPOINT_MS) continue
      await save(false)
      ;[savedRows, savedAt] = [rows, now]
    }
    await save(true)
    return { rows, spooled, sample }
  } finally {
    file.close()
  }
}

/** @returns how many of the rows were good. */
async function spool<Row extends object>(
  batch: readonly TableRecord[],
  reader: GuardedReader<Row>,
  run: Run,
  rejects: RejectsFile,
  sample: Record<string, unknown>[] | undefined,
): Promise<number> {
  let good = 0
  const mappedRows = batch.map(({ line, fields }) =>
    reader.rules.leavesOut(fields) ? LEFT_OUT : reader.map(line, fields),
  )
  const named = mappedRows.map((mapped, index) =>
    mapped.ok ? reader.identitiesOf(mapped.row) : (batch[index]?.fields ?? []).flatMap(reader.identitiesIn),
  )
  const areAllowed = await reader.guard.areAllowed(named)
  for (const [index, { line, fields }] of batch.entries()) {
    const mapped = mappedRows[index]
    if (!mapped) continue
    if (!areAllowed[index]) {
      // Not even to the rejects file: what names them is not to be kept.
      rejects.count('erased')
      const unit = mapped.ok ? reader.unitOf(mapped.row) : mapped.unit
      if (unit) await run.addUnits([unit])
      continue
    }
    if (mapped.ok) {
      good += 1
      if (sample && sample.length < SAMPLE_ROWS) sample.push(sampleOf(mapped.row))
      // Nearly always there is nothing to wait for, and a million turns of waiting for nothing are not free.
      const full = run.rows.append(reader.encode(mapped.row))
      if (full) await full
      continue
    }
    await rejects.add(line, mapped.reason, fields)
    if (mapped.unit) await run.addUnits([mapped.unit])
  }
  return good
}

async function saveProgress(
  run: Run,
  rejects: RejectsFile,
  { rows, spooled, isRead, file }: { rows: number; spooled: number; isRead: boolean; file: TableFile },
): Promise<void> {
  await rejects.sync()
  await run.save({
    rows_read: rows,
    rows_spooled: spooled,
    is_read: isRead,
    position: file.position?.() ?? null,
    rejects_bytes: rejects.bytes(),
    rejected_by_reason: { ...rejects.counts },
  })
}

/** Spooled rows -> facts, in one transaction. A dry run takes it back. @throws RefusedImport. */
async function applyRows<Row extends object, Options extends AnyOptions>(
  database: Database,
  clock: Clock,
  command: ImportCommand,
  kind: ImportKind<Row, Options>,
  start: ImportStart<Options> & PreparedImport<Options>,
  { basis, rules, guard }: GuardedReader<Row>,
  run: Run,
  rejects: RejectsFile,
  read: ReadRows,
): Promise<Omit<ImportReport, 'resumed_at_row' | 'not_resumed'>> {
  const { mapping, now: startedAt } = start
  try {
    return await database.transaction(async (tx, client) => {
      const staging = await kind.begin(tx, start, basis)
      if (isRefusal(staging)) throw new RefusedImport(staging)
      await stage(tx, client, staging, run, read, command)
      const importId = await nextImportId(tx)
      await staging.apply(tx, importId)
      await guard.confirm(tx)
      await writeBadRows(staging.badRows(), command.path, rules, rejects)
      const { rows_repeated, rows_known, ...counts } = await staging.counts(tx)
      const rows_rejected = Object.values(rejects.counts).reduce((sum, count) => sum + count, 0)
      const rows_merged = rows_repeated + rows_known
      const rows_stored = read.rows - rows_merged - rows_rejected
      const rows = { rows_in: read.rows, rows_stored, rows_merged, rows_rejected }
      const finishedAt = clock.now()
      const file_name = fileNameOf(command)
      const options = Object.fromEntries(
        Object.entries(start.options).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
      )
      const row = { file_name, mapping_name: mapping.name, source: mapping.source, options, started_at: startedAt }
      await insertImport(tx, importId, row, rows, finishedAt)
      await updateImportColumns(tx, importId, start.file.header)
      const { by: actor } = command
      if (actor) await recordAudit(tx, { actor, operation: 'import', subjects: { import_id: importId } }, finishedAt)
      const report = {
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
        ...(command.dryRun ? { sample: [...read.sample] } : {}),
      }
      if (command.dryRun) throw new DryRun(report)
      return report
    }, command.cancelling)
  } catch (error) {
    if (error instanceof DryRun) return error.report
    throw error
  }
}

async function stage<Row>(
  tx: Sql,
  client: PoolClient,
  staging: FileStaging<Row>,
  run: Run,
  { spooled }: ReadRows,
  { onProgress }: ImportCommand,
): Promise<void> {
  onProgress?.({ phase: 'applying', rows: 0, rowsTotal: spooled })
  if (spooled > 0) {
    const { bytes } = run.rows
    async function* watched(): AsyncGenerator<Buffer> {
      let sent = 0
      for await (const chunk of run.readRows()) {
        yield chunk
        sent += chunk.length
        onProgress?.({ phase: 'applying', rows: Math.floor((spooled * sent) / bytes), rowsTotal: spooled })
      }
    }
    await staging.copyEncoded(client, watched(), spooled)
  }
  for await (const units of run.readUnits()) await staging.addBadUnits(tx, units)
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
  readonly report: Omit<ImportReport, 'resumed_at_row' | 'not_resumed'>
  constructor(report: DryRun['report']) {
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

/** SQLite could not open or write a lock file: CANTOPEN, READONLY. */
const SQLITE_REFUSALS = [14, 8]
const REFUSALS = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST']

/** What is the matter with the folders that an import writes to. @throws any other error. */
function unwritable(error: unknown, { runsFolder, rejectsFolder }: ImportCommand): Refusal {
  const { code = '', path, message, errcode } = error as NodeJS.ErrnoException & { errcode?: number }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return refuse(
      'over_limit',
      'disk_full',
      `The disk of ${runsFolder} or ${rejectsFolder} is full. Nothing was stored.`,
      'Make room: an import takes as much there as its file has unpacked. The same command then goes on where it stopped.',
    )
  }
  const isIn = (folder: string) => path !== undefined && (path.startsWith(folder) || folder.startsWith(`${path}/`))
  const named = REFUSALS.includes(code) ? [runsFolder, rejectsFolder].find(isIn) : undefined
  const folder = named ?? (SQLITE_REFUSALS.includes(errcode ?? 0) ? runsFolder : undefined)
  if (folder === undefined) throw error
  return refuse(
    'forbidden',
    'folder_not_writable',
    `The folder ${folder} cannot be written: ${message}`,
    'Give it to the account that runs Perennial.',
  )
}

function rejectsPath(command: ImportCommand, startedAt: Date): string {
  return join(command.rejectsFolder, rejectsNameOf(fileNameOf(command), startedAt))
}

/** Rows that a dry run and a preview show as they were mapped. */
const SAMPLE_ROWS = 20

/** The first rows of a file as they would be read now; nothing is stored. @throws TableError from the file. */
export async function previewRows<Row extends object, Options extends AnyOptions>(
  database: Database,
  clock: Clock,
  command: Pick<ImportCommand, 'path'>,
  kind: ImportKind<Row, Options>,
  prepared: PreparedImport<Options>,
): Promise<PreviewRow[] | Refusal> {
  const { file, columns, rules } = prepared
  const firstValues = (field: string) => peek(command.path, columns[field] ?? -1)
  const start = { ...prepared, fieldCount: file.header.length, now: clock.now(), firstValues }
  const reader = await kind.openReader(database.db, start)
  if (isRefusal(reader)) return reader
  const guard = await openGuard(database)
  for await (const batch of file.batches) {
    const rows = batch.slice(0, SAMPLE_ROWS)
    const mapped = rows.map(({ line, fields }) => (rules.leavesOut(fields) ? LEFT_OUT : reader.map(line, fields)))
    const areAllowed = await guard.areAllowed(
      mapped.map((one, index) =>
        one.ok ? reader.identitiesOf(one.row) : (rows[index]?.fields ?? []).flatMap(reader.identitiesIn),
      ),
    )
    return rows.map(({ line }, index) => {
      const one = mapped[index]
      if (!one || !areAllowed[index]) return { line, cells: null, reason: 'erased' }
      return one.ok ? { line, cells: cellsOf(one.row), reason: null } : { line, cells: null, reason: one.reason }
    })
  }
  return []
}

/** What a row says, without what it leaves open. */
function cellsOf(row: object): Record<string, PreviewCell> {
  const { line: _, body, ...said } = sampleOf(row)
  const all = { ...said, ...(typeof body === 'object' ? body : {}) }
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => {
      const cell = cellOf(value)
      return cell === undefined ? [] : [[name, cell]]
    }),
  )
}

function cellOf(value: unknown): PreviewCell | undefined {
  if (value === null || value === undefined || value === '' || value === false) return undefined
  if (typeof value !== 'object') return String(value)
  // Who shared: kind, namespace and value in turn.
  const isTriple = Array.isArray(value) && typeof value[0] === 'string'
  const named = isTriple ? [{ kind: value[0], namespace: value[1], value: value[2] }] : [value].flat()
  const identities = named.flatMap((one) => namedIdentity.safeParse(one).data ?? [])
  if (identities.length > 0) return identities
  const text = JSON.stringify(value)
  return text === '{}' || text === '[]' ? undefined : text
}

function sampleOf(row: object): Record<string, unknown> {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [snake(name), value]))
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
