import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { csvLine, writeTo } from '../../platform/csv.ts'
import { openTable } from '../../platform/table-file.ts'
import { REJECT_TEXTS, type RejectReason } from './schema.ts'

/** The CSV of rows that were not stored: the row as it came, then its line and reason; it can be mended and fed again. */
export interface RejectsFile {
  readonly path: string
  readonly counts: Partial<Record<RejectReason, number>>
  add(line: number, reason: RejectReason, fields: readonly string[]): Promise<void>
  /** A row that is rejected and not written down. */
  count(reason: RejectReason): void
  /** Closes it; a file without rows is removed. @returns its path when there are rows. */
  close(): Promise<string | null>
  /** Closes and removes it. */
  discard(): Promise<void>
}

export const LINE_COLUMN = 'reject_line'
export const REASON_COLUMN = 'reject_reason'

/** Opened at the first rejected row. Columns that an earlier rejects file added are not added twice. */
export function openRejects(path: string, header: readonly string[]): RejectsFile {
  const kept = header
    .map((_, index) => index)
    .filter((index) => header[index] !== LINE_COLUMN && header[index] !== REASON_COLUMN)
  const counts: Partial<Record<RejectReason, number>> = {}
  let stream: WriteStream | undefined
  let failure: Error | undefined

  async function begin(): Promise<WriteStream> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const opened = createWriteStream(path, { mode: 0o600 })
    opened.on('error', (error) => {
      failure = error
    })
    await writeTo(opened, csvLine([...kept.map((index) => header[index] ?? ''), LINE_COLUMN, REASON_COLUMN]))
    return opened
  }

  async function end(): Promise<void> {
    const opened = stream
    if (opened)
      await new Promise<void>((resolve, reject) =>
        opened.end((error?: Error | null) => (error ? reject(error) : resolve())),
      )
    if (failure) throw failure
  }

  function count(reason: RejectReason): void {
    counts[reason] = (counts[reason] ?? 0) + 1
  }

  return {
    path,
    counts,
    count,
    add: async (line, reason, fields) => {
      stream ??= await begin()
      count(reason)
      const extra = reason === 'column_count' ? fields.slice(header.length) : []
      await writeTo(
        stream,
        csvLine([
          ...kept.map((index) => fields[index] ?? ''),
          String(line),
          `${reason}: the row ${REJECT_TEXTS[reason]}`,
          ...extra,
        ]),
      )
    },
    close: async () => {
      await end()
      return stream ? path : null
    },
    discard: async () => {
      await end()
      await rm(path, { force: true })
    },
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
  const draft = `${path}.draft`
  const stream = createWriteStream(draft, { mode: 0o600 })
  const failed = new Promise<never>((_, reject) => stream.once('error', reject))
  failed.catch(() => {})
  let [kept, erased] = [0, 0]
  await writeTo(stream, csvLine(table.header))
  for await (const batch of table.batches) {
    for (const { fields } of batch) {
      if (fields.some(names)) {
        erased += 1
        continue
      }
      kept += 1
      await writeTo(stream, csvLine(fields))
    }
  }
  await Promise.race([failed, new Promise<void>((done) => stream.end(done))])
  if (erased === 0) {
    await rm(draft, { force: true })
    return 0
  }
  if (kept === 0) {
    await rm(path, { force: true })
    await rm(draft, { force: true })
    return erased
  }
  const written = await open(draft, 'r+')
  await written.sync().finally(() => written.close())
  await rename(draft, path)
  return erased
}
