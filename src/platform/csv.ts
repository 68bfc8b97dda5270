import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Parser, parse } from 'csv-parse'
import {
  BATCH_RECORDS,
  checkColumns,
  HEAD_RECORDS,
  headerPlace,
  TableError,
  type TableFile,
  type TableLimits,
  type TablePosition,
  type TableRecord,
} from './table.ts'

const DELIMITERS = [',', ';', '\t', '|'] as const
const GUESS_CHARACTERS = 65_536

/** What Excel puts on a line of its own before the header, where the list separator is another than expected. */
const SEPARATOR_LINE = /^sep=(.)\r?\n/i

type CsvTable = Pick<TableFile, 'header' | 'headerLine' | 'batches' | 'close'> & { position(): TablePosition }

/**
 * Reads records of UTF-8 text in blocks: double quotes, quoted newlines, the delimiter as guessed from `head`.
 * Streams: nothing is held but one batch. Positions count from the text's beginning.
 *
 * @throws TableError with line and reason, here or from the batches.
 */
export async function openCsv(head: string, blocks: AsyncIterable<Buffer>, limits: TableLimits): Promise<CsvTable> {
  const start = { lines: 0, bytes: 0 }
  const reader = openReader(head, blocks, limits, start)
  const read: (TableRecord & { end: TablePosition })[] = []
  while (read.length < HEAD_RECORDS) {
    const [record] = await reader.read(1)
    if (!record) break
    read.push({ ...record, end: reader.position() })
  }
  const place = headerPlace(read)
  const names = read[place]
  if (!names) throw new TableError('The file has no header line. Export it with the names of its columns.')
  checkColumns(names.fields.length, limits)
  const header = names.fields.map((name) => name.trim())
  return { header, headerLine: names.line, ...reader.table(read.slice(place + 1), names.end) }
}

/** The same from a position on; `head` and `header` are those of the file's beginning. */
export function openCsvFrom(
  head: string,
  { header, headerLine }: Pick<TableFile, 'header' | 'headerLine'>,
  blocks: AsyncIterable<Buffer>,
  limits: TableLimits,
  from: TablePosition,
): CsvTable {
  return { header, headerLine, ...openReader(head, blocks, limits, from).table([], from) }
}

function openReader(head: string, blocks: AsyncIterable<Buffer>, limits: TableLimits, from: TablePosition) {
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
    ...(said === undefined || from.bytes > 0 ? {} : { from_line: 2 }),
  })
  // A broken pipe ends the parser with the same error, and the reader below throws it.
  pipeline(Readable.from(blocks), parser).catch(() => {})

  const readRecords = recordReader(parser, from.lines)
  const counter = lineCounter(end, from.lines)
  let position = from

  async function read(count: number): Promise<TableRecord[]> {
    const items = await readRecords(count)
    const records = items.map((item) => ({ line: counter.lineOf(item), fields: item.record }))
    const last = items.at(-1)
    if (last) position = { lines: counter.linesTo(last), bytes: from.bytes + last.info.bytes }
    return records
  }

  async function* batches(before: readonly TableRecord[], given: { at: TablePosition }): AsyncGenerator<TableRecord[]> {
    try {
      const first = before.map(({ line, fields }) => ({ line, fields }))
      let batch = [...first, ...(await read(BATCH_RECORDS - first.length))]
      for (; batch.length > 0; batch = await read(BATCH_RECORDS)) {
        given.at = position
        yield batch
      }
    } finally {
      parser.destroy()
    }
  }

  return {
    read,
    position: () => position,
    /** @param before records that were read already, from `start` on. */
    table: (before: readonly TableRecord[], start: TablePosition) => {
      const given = { at: start }
      return {
        batches: batches(before, given),
        position: () => given.at,
        close: () => {
          parser.destroy()
        },
      }
    },
  }
}

/**
 * The delimiter by which most records are as wide as the first; of those that tie, the one that makes more columns. Where a
 * title comes first, as wide as the widest.
 */
function guessDelimiter(head: string, limits: TableLimits): string {
  let [best, bestScore, bestWidth] = [',', 0, 1]
  for (const delimiter of DELIMITERS) {
    const widths = widthsOf(head, delimiter)
    const first = widths[0] ?? 1
    // A header of 200,000 columns can be longer than a record may be, and that would not say what is wrong.
    checkColumns(first, limits)
    const widest = widths.reduce((most, width) => Math.max(most, width), 0)
    const common = first * 2 <= widest ? widest : first
    const score = common > 1 ? widths.filter((width) => width === common).length : 0
    if (score > bestScore || (score === bestScore && common > bestWidth)) {
      ;[best, bestScore, bestWidth] = [delimiter, score, common]
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
  readonly info: { readonly lines: number; readonly bytes: number }
}

/**
 * Reads up to so many records at a time; fewer only at the end. The stream's own iterator yields record by record
 * through a promise each, which took 4.0 s for 540k records where this takes 2.6 s.
 */
function recordReader(parser: Parser, linesBefore: number): (count: number) => Promise<ParsedRecord[]> {
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
      if (failure) throw readable(failure, linesBefore)
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
function lineCounter(end: '\n' | '\r', linesBefore: number) {
  let twice = 0
  return {
    lineOf: ({ record, info }: ParsedRecord): number => {
      let inside = 0
      for (const field of record) {
        if (!field.includes(end)) continue
        inside += field.split(end).length - 1
        if (end === '\n') twice += field.split('\r\n').length - 1
      }
      return linesBefore + info.lines - inside - twice
    },
    /** Lines up to the end of the record that was the last to be counted. */
    linesTo: ({ info }: ParsedRecord): number => linesBefore + info.lines - twice,
  }
}

/** What went wrong in words; a failure of the disk stays what it is. */
function readable(error: Error & { code?: string; lines?: number }, linesBefore: number): Error {
  const place = error.lines ? ` near line ${linesBefore + error.lines}` : ''
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
