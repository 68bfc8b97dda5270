import type { WriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Parser, parse } from 'csv-parse'
import { BATCH_RECORDS, checkColumns, TableError, type TableFile, type TableLimits, type TableRecord } from './table.ts'

const DELIMITERS = [',', ';', '\t', '|'] as const
const GUESS_CHARACTERS = 65_536

/** What Excel puts on a line of its own before the header, where the list separator is another than expected. */
const SEPARATOR_LINE = /^sep=(.)\r?\n/i

/**
 * Reads records of UTF-8 text in blocks: double quotes, quoted newlines, the delimiter as guessed from `head`.
 * Streams: nothing is held but one batch.
 *
 * @throws TableError with line and reason, here or from the batches.
 */
export async function openCsv(
  head: string,
  blocks: AsyncIterable<Buffer>,
  limits: TableLimits,
): Promise<Pick<TableFile, 'header' | 'batches' | 'close'>> {
  const said = SEPARATOR_LINE.exec(head)?.[1]
  const delimiter = said ?? guessDelimiter(head.slice(0, GUESS_CHARACTERS), limits)
  const end = head.includes('\n') ? '\n' : '\r'
  const parser = parse({
    delimiter,
    info: true,
    // Files put together from others have both ends of line; told by the first alone, the others would be part of a field.
    record_delimiter: end === '\n' ? ['\r\n', '\n'] : '\r',
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: limits.recordBytes,
    ...(said === undefined ? {} : { from_line: 2 }),
  })
  // A broken pipe ends the parser with the same error, and the reader below throws it.
  pipeline(Readable.from(blocks), parser).catch(() => {})

  const read = recordReader(parser)
  const [first] = await read(1)
  if (!first) throw new TableError('The file has no header line. Export it with the names of its columns.')
  checkColumns(first.record.length, limits)
  const lineOf = lineCounter(end)
  lineOf(first)

  async function* batches(): AsyncGenerator<TableRecord[]> {
    try {
      for (let batch = await read(BATCH_RECORDS); batch.length > 0; batch = await read(BATCH_RECORDS)) {
        yield batch.map((item) => ({ line: lineOf(item), fields: item.record }))
      }
    } finally {
      parser.destroy()
    }
  }

  return {
    header: first.record.map((name) => name.trim()),
    batches: batches(),
    close: () => {
      parser.destroy()
    },
  }
}

/** The delimiter by which most records are as wide as the first; of those that tie, the one that makes more columns. */
function guessDelimiter(head: string, limits: TableLimits): string {
  let [best, bestScore, bestWidth] = [',', 0, 1]
  for (const delimiter of DELIMITERS) {
    const widths = widthsOf(head, delimiter)
    const first = widths[0] ?? 1
    // A header of 200,000 columns can be longer than a record may be, and that would not say what is wrong.
    checkColumns(first, limits)
    const score = first > 1 ? widths.filter((width) => width === first).length : 0
    if (score > bestScore || (score === bestScore && first > bestWidth)) {
      ;[best, bestScore, bestWidth] = [delimiter, score, first]
    }
  }
  return best
}

/** Fields of each record, empty lines and a last record that is cut off left out; a record alone counts as it is. */
function widthsOf(head: string, delimiter: string): number[] {
  const widths: number[] = []
  let [width, isQuoted, isFieldStart, isEmpty] = [1, false, true, true]
  for (const character of head) {
    if (character === '"' && (isQuoted || isFieldStart)) {
      isQuoted = !isQuoted
      // A doubled quote closes and opens again.
      isFieldStart = !isQuoted
      isEmpty = false
    } else if (isQuoted) continue
    else if (character === '\n' || character === '\r') {
      if (!isEmpty) widths.push(width)
      ;[width, isFieldStart, isEmpty] = [1, true, true]
    } else {
      if (character === delimiter) width += 1
      isFieldStart = character === delimiter
      isEmpty = false
    }
  }
  return widths.length > 0 ? widths : [width]
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
  parser.on('close', () => {
    ended = true
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

/**
 * The line on which each record begins, given one after another. csv-parse has counted the ends of line up to the
 * record's own end, and a CRLF inside quotes twice.
 */
function lineCounter(end: '\n' | '\r'): (item: ParsedRecord) => number {
  let twice = 0
  return ({ record, info }) => {
    let inside = 0
    for (const field of record) {
      if (!field.includes(end)) continue
      inside += field.split(end).length - 1
      if (end === '\n') twice += field.split('\r\n').length - 1
    }
    return info.lines - inside - twice
  }
}

/** What went wrong in words; a failure of the disk stays what it is. */
function readable(error: Error & { code?: string; lines?: number }): Error {
  const place = error.lines ? ` near line ${error.lines}` : ''
  switch (error.code) {
    case 'CSV_MAX_RECORD_SIZE':
      return new TableError(
        `The record${place} is longer than a record may be. A quote may be missing its other half: mend that line.`,
      )
    case 'CSV_QUOTE_NOT_CLOSED':
      return new TableError(`A quoted text is not closed${place}. Add the missing quote, or export the file again.`)
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'INVALID_OPENING_QUOTE':
      return new TableError(
        `A quote stands inside a text${place}. Quote the whole text and double the quote inside it ("5"" screen").`,
      )
    default:
      return error.code?.startsWith('CSV_')
        ? new TableError(`The file cannot be read as CSV${place}: ${error.message}. Export it again.`)
        : error
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
