import { access, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type AppendFile, openAppendFile } from '../../platform/append-file.ts'
import { csvLine } from '../../platform/csv.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { openTable } from '../../platform/table-file.ts'
import type { Run } from './runs.ts'
import { REJECT_TEXTS, type RejectReason } from './schema.ts'

const REJECTS_BUFFER_BYTES = 1 << 16

/** The CSV of rows that were not stored: the row as it came, then its line and reason; it can be mended and fed again. */
export interface RejectsFile {
  readonly counts: Partial<Record<RejectReason, number>>
  /** Its length with all that was added; 0 while there is none. */
  bytes(): number
  add(line: number, reason: RejectReason, fields: readonly string[]): Promise<void>
  /** A row that is rejected and not written down. */
  count(reason: RejectReason): void
  sync(): Promise<void>
  /** @returns its path when there are rows. */
  close(): Promise<string | null>
  /** Closes it without writing what is left. */
  abandon(): Promise<void>
  discard(): Promise<void>
}

export const LINE_COLUMN = 'reject_line'
export const REASON_COLUMN = 'reject_reason'

/** The file of an import that began then: of one that was gone on with, when it began first. */
export function rejectsNameOf(fileName: string, startedAt: Date): string {
  const name = fileName.replace(/(\.csv)?(\.gz)?$/i, '').replace(/[^\w.-]/g, '_')
  return `${startedAt.toISOString().replaceAll(':', '')}-${name}.csv`
}

export function noRejects(): Refusal {
  return refuse(
    'missing',
    'no_rejects',
    'Its rejected rows are not kept.',
    'Mend the file itself, and import it again.',
  )
}

export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Made at the first rejected row. Columns that an earlier rejects file added are not added twice. */
export async function openRejects(run: Run, header: readonly string[]): Promise<RejectsFile> {
  const { resumed, rejectsPath: path } = run
  const kept = header
    .map((_, index) => index)
    .filter((index) => header[index] !== LINE_COLUMN && header[index] !== REASON_COLUMN)
  const counts: Partial<Record<RejectReason, number>> = { ...resumed?.rejected_by_reason }
  let file: AppendFile | undefined
  if (resumed && resumed.rejects_bytes > 0)
    file = await openAppendFile(path, resumed.rejects_bytes, REJECTS_BUFFER_BYTES)
  // Rows that were rejected after the checkpoint; they come again.
  else if (resumed) await rm(path, { force: true })

  async function create(): Promise<AppendFile> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const made = await openAppendFile(path, 0, REJECTS_BUFFER_BYTES)
    await made.append(csvLine([...kept.map((index) => header[index] ?? ''), LINE_COLUMN, REASON_COLUMN]))
    return made
  }

  const count = (reason: RejectReason) => {
    counts[reason] = (counts[reason] ?? 0) + 1
  }

  return {
    counts,
    count,
    bytes: () => file?.bytes ?? 0,
    add: async (line, reason, fields) => {
      file ??= await create()
      count(reason)
      const extra = reason === 'column_count' ? fields.slice(header.length) : []
      const said = `${reason}: the row ${REJECT_TEXTS[reason]}`
      await file.append(csvLine([...kept.map((index) => fields[index] ?? ''), String(line), said, ...extra]))
    },
    sync: async () => file?.sync(),
    close: async () => {
      await file?.sync()
      await file?.close()
      return file ? path : null
    },
    abandon: async () => file?.abandon(),
    discard: () => rm(path, { force: true }),
  }
}

/**
 * Takes the rows that name somebody out of the files of rejected rows. Each file is replaced whole or stays as it is; one
 * without rows is removed.
 *
 * @param names whether a field of a row is one of the person's identities.
 * @returns how many rows went.
 */
export async function eraseRejects(folder: string, names: (field: string) => boolean): Promise<number> {
  let erased = 0
  for (const file of await csvFilesOf(folder)) erased += await eraseRows(join(folder, file), names)
  return erased
}

async function csvFilesOf(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.csv'))
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return []
    throw error
  }
}

async function eraseRows(path: string, names: (field: string) => boolean): Promise<number> {
  const table = await openTable(path)
  const draft = await openAppendFile(`${path}.draft`, 0, REJECTS_BUFFER_BYTES)
  let [kept, erased] = [0, 0]
  try {
    await draft.append(csvLine(table.header))
    for await (const batch of table.batches) {
      for (const { fields } of batch) {
        if (fields.some(names)) {
          erased += 1
          continue
        }
        kept += 1
        await draft.append(csvLine(fields))
      }
    }
    await draft.sync()
  } finally {
    await draft.close()
  }
  if (erased > 0 && kept > 0) await rename(draft.path, path)
  else await rm(draft.path, { force: true })
  if (kept === 0) await rm(path, { force: true })
  return erased
}
