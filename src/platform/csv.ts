import { createReadStream, type WriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { type Parser, parse } from 'csv-parse'

/** One record of a file: its fields, and the line it begins on (the header is line 1). */
export interface CsvRecord {
  readonly line: number
  readonly fields: string[]
}

export interface CsvFile {
  readonly header: string[]
  /** Records after the header, in batches; memory stays bounded whatever the file's size. */
  readonly batches: AsyncIterable<CsvRecord[]>
  /** Bytes read so far and in all, of the file as it lies on disk (compressed when gzip). */
  progress(): { readonly bytesRead: number; readonly bytesTotal: number }
}

export class CsvError extends Error {}

const BATCH_RECORDS = 2000
const RECORD_BYTES_MAX = 1_000_000
const GZIP_MAGIC = [0x1f, 0x8b]

/**
 * Opens a CSV or gzipped CSV (told by its first bytes, not its name): comma, double quotes, UTF-8 with or without
 * BOM, quoted newlines. Streams: nothing is held but one batch.
 *
 * @throws CsvError with line and reason when the file is empty or not CSV.
 */
export async function openCsv(path: string): Promise<CsvFile> {
  const { size } = await stat(path)
  if (size === 0) throw new CsvError('The file is empty: it has no header line.')
  const zipped = await isGzip(path)
  const raw = createReadStream(path, { highWaterMark: 1 << 18 })
  const parser = parse({
    bom: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: RECORD_BYTES_MAX,
  })
  // A broken pipe ends the parser with the same error, and the reader below throws it.
  const flow = zipped ? pipeline(raw, createGunzip(), parser) : pipeline(raw, parser)
  flow.catch(() => {})

  const read = recordReader(parser)
  const [first] = await read(1)
  if (!first) throw new CsvError('The file has no header line.')

  async function* batches(): AsyncGenerator<CsvRecord[]> {
    for (let batch = await read(BATCH_RECORDS); batch.length > 0; batch = await read(BATCH_RECORDS)) {
      yield batch.map((item) => ({ line: lineOf(item), fields: item.record }))
    }
  }

  return {
    header: first.record.map((name) => name.trim()),
    batches: batches(),
    progress: () => ({ bytesRead: raw.bytesRead, bytesTotal: size }),
  }
}

interface ParsedRecord {
  readonly record: string[]
  readonly info: { readonly lines: number }
}

/**
 * Reads up to so many records at a time; fewer only at the end. The stream's own iterator yields record by record
 * through a promise each, which took 4.0 s for 540k records where this takes 2.6 s.
 */
function recordReader(parser: Parser): (count: number) => Promise<ParsedRecord[]> {
  let ended = false
  let failure: Error | undefined
  let wake: (() => void) | undefined
  parser.on('readable', () => wake?.())
  parser.on('end', () => {
    ended = true
    wake?.()
  })
  parser.on('error', (error) => {
    failure = error
    wake?.()
  })
  return async (count) => {
    const records: ParsedRecord[] = []
    while (records.length < count) {
      if (failure) throw readable(failure)
      const record = parser.read() as ParsedRecord | null
      if (record) records.push(record)
      else if (ended) break
      else
        await new Promise<void>((resolve) => {
          wake = resolve
          if (ended || failure || parser.readableLength > 0) resolve()
        })
    }
    return records
  }
}

/** csv-parse counts the lines up to the end of a record; the record begins one line after the one before ended. */
function lineOf(item: ParsedRecord): number {
  const inner = item.record.reduce(
    (count, field) => count + (field.includes('\n') ? field.split('\n').length - 1 : 0),
    0,
  )
  return item.info.lines - inner
}

/** What went wrong in words; a failure of the disk stays what it is. */
function readable(error: Error & { code?: string; lines?: number }): Error {
  if (error.code === 'ENOENT' || error.code === 'EACCES' || error.code === 'EIO') return error
  return new CsvError(
    `The file cannot be read as CSV${error.lines ? ` near line ${error.lines}` : ''}: ${error.message}`,
  )
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && GZIP_MAGIC.every((byte, index) => buffer[index] === byte)
  } finally {
    await file.close()
  }
}

/** One line of CSV, quoted where needed. Spreadsheet formulas are kept as they came: this file is fed back to us. */
export function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')}\n`
}

/** Writes with back pressure. */
export async function writeTo(stream: WriteStream, text: string): Promise<void> {
  if (stream.write(text)) return
  await new Promise<void>((resolve) => stream.once('drain', resolve))
}
