import { BATCH_RECORDS, checkColumns, TableError, type TableFile, type TableLimits, type TableRecord } from './table.ts'

/** The columns are those of so many objects at the beginning, or of so much text; keys that come later are not read. */
const SAMPLE_RECORDS = 1000
const SAMPLE_CHARACTERS = 8_000_000
/** Objects inside objects; deeper ones stay JSON text. */
const DEPTH_MAX = 16

/** Numbers that would come back otherwise than they were written: long ids, exponents, many digits. */
const INEXACT = /\d{16}|\d[eE][+-]?\d|\.\d*0(?!\d)|[:[,]\s*-0/

type Row = ReadonlyMap<string, string>

/**
 * Reads one JSON object a line from UTF-8 text in blocks. Objects inside are flattened with dots (`buyer.phone`),
 * lists are their JSON text, null is empty, numbers are as written. Columns are the union of the keys of the first
 * 1,000 objects, in order of appearance.
 *
 * @throws TableError with the line that is no object, here or from the batches.
 */
export async function openJsonl(
  blocks: AsyncIterable<Buffer>,
  limits: TableLimits,
): Promise<Pick<TableFile, 'header' | 'batches' | 'close'>> {
  const source = rowsOf(blocks, limits)
  const sample: { line: number; row: Row }[] = []
  const columns = new Map<string, number>()
  let size = 0
  while (sample.length < SAMPLE_RECORDS && size < SAMPLE_CHARACTERS) {
    const { value, done } = await source.next()
    if (done) break
    sample.push(value)
    size += value.size
    for (const key of value.row.keys()) {
      if (columns.has(key)) continue
      columns.set(key, columns.size)
      checkColumns(columns.size, limits)
    }
  }
  const record = ({ line, row }: { line: number; row: Row }): TableRecord => {
    const fields = new Array<string>(columns.size).fill('')
    for (const [key, text] of row) {
      const index = columns.get(key)
      if (index !== undefined) fields[index] = text
    }
    return { line, fields }
  }

  async function* batches(): AsyncGenerator<TableRecord[]> {
    try {
      let batch = sample.splice(0).map(record)
      for await (const item of source) {
        if (batch.length >= BATCH_RECORDS) {
          yield batch
          batch = []
        }
        batch.push(record(item))
      }
      if (batch.length > 0) yield batch
    } finally {
      await source.return(undefined)
    }
  }

  return {
    header: [...columns.keys()],
    batches: batches(),
    close: () => {
      source.return(undefined).catch(() => {})
    },
  }
}

async function* rowsOf(
  blocks: AsyncIterable<Buffer>,
  limits: TableLimits,
): AsyncGenerator<{ line: number; row: Row; size: number }> {
  let line = 0
  let rest = ''
  for await (const block of blocks) {
    const lines = (rest + block.toString('utf8')).split('\n')
    rest = lines.pop() ?? ''
    for (const text of lines) {
      line += 1
      const row = rowOf(text, line, limits)
      if (row) yield { line, row, size: text.length }
    }
  }
  const row = rowOf(rest, line + 1, limits)
  if (row) yield { line: line + 1, row, size: rest.length }
}

function rowOf(text: string, line: number, limits: TableLimits): Row | undefined {
  if (text.trim() === '') return undefined
  if (text.length > limits.recordBytes) {
    throw new TableError(`Line ${line} is longer than ${limits.recordBytes.toLocaleString('en-US')} bytes. Mend it.`)
  }
  try {
    const value: unknown = INEXACT.test(text) ? JSON.parse(text, numberAsWritten) : JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const row = new Map<string, string>()
      flatten(value as Record<string, unknown>, '', row, 1)
      return row
    }
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error
    const reason = error instanceof SyntaxError ? error.message : 'its lists are nested too deep'
    throw new TableError(`Line ${line} is no JSON: ${reason}. Each line holds one whole object; mend that line.`)
  }
  throw new TableError(`Line ${line} is no JSON object. Each line holds one object, {"column": "value", …}; mend it.`)
}

/** A reviver is three times as slow, so it is used where a number needs it. */
function numberAsWritten(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && String(value) !== context?.source ? (context?.source ?? value) : value
}

function flatten(object: Record<string, unknown>, prefix: string, row: Map<string, string>, depth: number): void {
  for (const [key, value] of Object.entries(object)) {
    const name = prefix + key
    if (value === null) row.set(name, '')
    else if (typeof value !== 'object') row.set(name, String(value))
    else if (Array.isArray(value) || depth === DEPTH_MAX) row.set(name, JSON.stringify(value))
    else flatten(value as Record<string, unknown>, `${name}.`, row, depth + 1)
  }
}
