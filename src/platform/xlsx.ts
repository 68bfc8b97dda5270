import type { Readable } from 'node:stream'
import { SaxesParser, type SaxesTagPlain } from 'saxes'
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import { excelTime } from './fields.ts'
import {
  BATCH_RECORDS,
  checkColumns,
  HEAD_RECORDS,
  headerPlace,
  TableError,
  type TableFile,
  type TableLimits,
  type TableRecord,
} from './table.ts'

const ENTRIES_MAX = 10_000
/** A part so small does no harm however well it packs. */
const FREE_PART_BYTES = 1_000_000
/** Text between two things that are read; what is longer is no table and must not pile up in memory. */
const SILENT_BYTES_MAX = 8_000_000
/** What a string takes beside its characters, as measured on a million short ones. */
const STRING_BYTES = 40

/** Opening and closing tags by their names without prefix: `x:row` is `row`. */
interface Handlers {
  readonly open?: (name: string, attributes: Readonly<Record<string, string>>) => void
  readonly close?: (name: string) => void
  readonly text?: (text: string) => void
}

interface Workbook {
  readonly zip: ZipFile
  readonly parts: ReadonlyMap<string, Entry>
}

/**
 * Opens one sheet of a workbook: the first that is not hidden, or the one named. Values are what the cells hold, not
 * how they look: numbers plain with 15 digits at most, dates as ISO text, a formula its stored value, an error its
 * name (#N/A). Of merged cells the first has the value. The first row with values that is no title is the header.
 *
 * @param size of the file in bytes, for the progress.
 * @throws TableError with the place and what to do, here or from the batches.
 */
export async function openXlsx(
  path: string,
  size: number,
  sheetName: string | undefined,
  limits: TableLimits,
): Promise<TableFile> {
  const workbook = await openZip(path, limits)
  try {
    const { sheet, texts, styles, is1904 } = await findParts(workbook, sheetName)
    const shared = texts ? await readSharedTexts(workbook, texts, limits) : []
    const isDate = styles ? await readDateStyles(workbook, styles) : []
    const done = { bytes: 0 }
    const rows = readRows(workbook, sheet, { shared, isDate, is1904 }, limits, done)
    const head = await firstOf(rows, HEAD_RECORDS)
    const place = headerPlace(head)
    const names = head[place]
    if (!names) throw new TableError(`The sheet has no row. Name another after the path: ${path}#Sheet name.`)
    return {
      header: names.fields.map((name) => name.trim()),
      headerLine: names.line,
      batches: batches(head.slice(place + 1), rows, names.fields.length, workbook),
      progress: () => ({
        bytesRead: Math.min(size, Math.round((size * done.bytes) / Math.max(1, sheet.uncompressedSize))),
        bytesTotal: size,
      }),
      close: () => {
        rows.return(undefined).catch(() => {})
        workbook.zip.close()
      },
    }
  } catch (error) {
    workbook.zip.close()
    throw error
  }
}

async function firstOf(rows: AsyncGenerator<TableRecord, undefined>, count: number): Promise<TableRecord[]> {
  const first: TableRecord[] = []
  while (first.length < count) {
    const next = await rows.next()
    if (next.done) break
    first.push(next.value)
  }
  return first
}

/** Cells beyond the header stay, so that a row that is wider than it is refused and not cut. */
async function* batches(
  before: readonly TableRecord[],
  rows: AsyncIterable<TableRecord>,
  width: number,
  workbook: Workbook,
): AsyncGenerator<TableRecord[]> {
  try {
    const padded = (row: TableRecord) => {
      while (row.fields.length < width) row.fields.push('')
      return row
    }
    let batch = before.map(padded)
    for await (const row of rows) {
      batch.push(padded(row))
      if (batch.length < BATCH_RECORDS) continue
      yield batch
      batch = []
    }
    if (batch.length > 0) yield batch
  } finally {
    workbook.zip.close()
  }
}

async function openZip(path: string, limits: TableLimits): Promise<Workbook> {
  const damaged = (error: Error) =>
    new TableError(`The workbook is cut off or damaged (${error.message}). Copy or download it again.`)
  const zip = await openPromise(path, { autoClose: false, lazyEntries: true }).catch((error: Error) => {
    throw 'code' in error ? error : damaged(error)
  })
  const parts = new Map<string, Entry>()
  let bytes = 0
  try {
    if (zip.entryCount > ENTRIES_MAX) throw new TableError(`The file has over ${ENTRIES_MAX} parts: it is no workbook.`)
    for await (const entry of zip.eachEntry()) {
      bytes += entry.uncompressedSize
      checkSize(entry, bytes, limits)
      parts.set(entry.fileName, entry)
    }
  } catch (error) {
    zip.close()
    throw error instanceof TableError ? error : damaged(error as Error)
  }
  return { zip, parts }
}

/** yauzl ends a part that is longer than it says, so what is declared can be believed. */
function checkSize(entry: Entry, bytes: number, limits: TableLimits): void {
  if (entry.isEncrypted()) throw new TableError('The file is encrypted. Save it without a password.')
  const ratio = entry.uncompressedSize / Math.max(1, entry.compressedSize)
  if (entry.uncompressedSize > FREE_PART_BYTES && ratio > limits.workbookRatio) {
    throw new TableError(
      `The part ${entry.fileName} unpacks to ${Math.round(ratio)} times its size (at most ${limits.workbookRatio}): that is no table. Save the sheet as CSV.`,
    )
  }
  if (bytes > limits.workbookBytes) {
    const most = limits.workbookBytes.toLocaleString('en-US')
    throw new TableError(`The workbook unpacks to more than ${most} bytes. Save the sheet as CSV, which has no limit.`)
  }
}

interface Parts {
  readonly sheet: Entry
  readonly texts: Entry | undefined
  readonly styles: Entry | undefined
  readonly is1904: boolean
}

async function findParts(workbook: Workbook, wanted: string | undefined): Promise<Parts> {
  const { parts } = workbook
  const bookPath = (await readRelations(workbook, '', '_rels/.rels')).find(
    ({ type }) => type === 'officeDocument',
  )?.path
  const book = parts.get(bookPath ?? 'xl/workbook.xml')
  if (!book || book.fileName.endsWith('.bin')) {
    const inside = [...parts.keys()].slice(0, 3).join(', ')
    const what = book ? 'This is a binary workbook (.xlsb)' : `This zip file holds no workbook (${inside || 'nothing'})`
    throw new TableError(`${what}. Unpack it, or save the table as XLSX or CSV.`)
  }
  const folder = book.fileName.slice(0, book.fileName.lastIndexOf('/') + 1)
  const relationsPath = `${folder}_rels/${book.fileName.slice(folder.length)}.rels`
  const relations = await readRelations(workbook, folder, relationsPath)
  const sheets: { name: string; isHidden: boolean; id: string }[] = []
  let is1904 = false
  await readPart(workbook, book, {
    open: (name, attributes) => {
      if (name === 'workbookPr') is1904 = isTrue(attributes.date1904)
      if (name !== 'sheet') return
      const id = Object.entries(attributes).find(([key]) => key.endsWith(':id'))?.[1] ?? ''
      sheets.push({ name: attributes.name ?? '', isHidden: (attributes.state ?? 'visible') !== 'visible', id })
    },
  })
  const tables = sheets.flatMap((sheet) => {
    const found = relations.find(({ id, type }) => id === sheet.id && type === 'worksheet')
    const entry = found && parts.get(found.path)
    return entry ? [{ ...sheet, entry }] : []
  })
  const chosen =
    wanted === undefined
      ? (tables.find(({ isHidden }) => !isHidden) ?? tables[0])
      : tables.find(({ name }) => name.trim().toLowerCase() === wanted.trim().toLowerCase())
  if (!chosen) {
    const names = tables.map(({ name }) => name).slice(0, 20)
    throw new TableError(
      wanted === undefined || names.length === 0
        ? 'The workbook has no sheet with cells. Export the table as CSV or XLSX.'
        : `The workbook has no sheet "${wanted}". Its sheets are: ${names.join(', ')}.`,
    )
  }
  const partOf = (type: string) => parts.get(relations.find((relation) => relation.type === type)?.path ?? '')
  return { sheet: chosen.entry, texts: partOf('sharedStrings'), styles: partOf('styles'), is1904 }
}

interface Relation {
  readonly id: string
  readonly type: string
  readonly path: string
}

async function readRelations(workbook: Workbook, folder: string, path: string): Promise<Relation[]> {
  const entry = workbook.parts.get(path)
  const relations: Relation[] = []
  if (!entry) return relations
  await readPart(workbook, entry, {
    open: (name, { Id = '', Type = '', Target = '' }) => {
      if (name !== 'Relationship') return
      const target = Target.startsWith('/') ? Target.slice(1) : folder + Target.replace(/^\.\//, '')
      relations.push({ id: Id, type: Type.slice(Type.lastIndexOf('/') + 1), path: target })
    },
  })
  return relations
}

function isTrue(value: string | undefined): boolean {
  return value === '1' || value === 'true'
}

/** The texts that cells name by number; phonetic guides are left out. */
async function readSharedTexts(workbook: Workbook, entry: Entry, limits: TableLimits): Promise<string[]> {
  const texts: string[] = []
  let [bytes, text, isText, isGuide] = [0, '', false, false]
  await readPart(workbook, entry, {
    open: (name) => {
      if (name === 'si') text = ''
      if (name === 'rPh') isGuide = true
      isText = name === 't'
    },
    text: (part) => {
      if (isText && !isGuide) text += part
    },
    close: (name) => {
      isText = false
      if (name === 'rPh') isGuide = false
      if (name !== 'si') return
      texts.push(unescaped(text))
      bytes += text.length * 2 + STRING_BYTES
      if (bytes <= limits.sharedTextBytes) return
      const most = limits.sharedTextBytes.toLocaleString('en-US')
      throw new TableError(`The workbook's texts take more than ${most} bytes. Save the sheet as CSV, which streams.`)
    },
  })
  return texts
}

/** Which cell styles show a number as a date; the index is the style's. */
async function readDateStyles(workbook: Workbook, entry: Entry): Promise<boolean[]> {
  const formats = new Map<number, string>()
  const isDate: boolean[] = []
  let isCellStyles = false
  await readPart(workbook, entry, {
    open: (name, attributes) => {
      if (name === 'cellXfs') isCellStyles = true
      if (name === 'numFmt') formats.set(Number(attributes.numFmtId), attributes.formatCode ?? '')
      if (name !== 'xf' || !isCellStyles) return
      const id = Number(attributes.numFmtId ?? 0)
      const format = formats.get(id)
      isDate.push(format === undefined ? isBuiltInDate(id) : isDateFormat(format))
    },
    close: (name) => {
      if (name === 'cellXfs') isCellStyles = false
    },
  })
  return isDate
}

/** ECMA-376 part 1, 18.8.30: dates and times, those of Chinese, Japanese and Korean editions too; 46 is a duration. */
function isBuiltInDate(id: number): boolean {
  return (id >= 14 && id <= 22) || (id >= 27 && id <= 36) || id === 45 || id === 47 || (id >= 50 && id <= 58)
}

/** A format with a part of a date that is no literal, colour, locale or duration ([h]). */
function isDateFormat(format: string): boolean {
  if (/\[(h+|m+|s+)\]/i.test(format)) return false
  const first = format.replace(/"[^"]*"|\\.|_.|\*.|\[[^\]]*\]/g, '').split(';')[0] ?? ''
  return /[ymdhs]/i.test(first.replace(/general/i, ''))
}

interface Context {
  readonly shared: readonly string[]
  readonly isDate: readonly boolean[]
  readonly is1904: boolean
}

/** Rows with a value, from the sheet's beginning; trailing empty cells are left out. */
async function* readRows(
  workbook: Workbook,
  entry: Entry,
  context: Context,
  limits: TableLimits,
  done: { bytes: number },
): AsyncGenerator<TableRecord, undefined> {
  const ready: TableRecord[] = []
  let [row, column, bytes] = [0, -1, 0]
  let fields: string[] = []
  let [type, style, value, isValue, isInline, isGuide, isOver] = ['', '', '', false, false, false, false]
  const handlers: Handlers = {
    open: (name, attributes) => {
      isValue = false
      switch (name) {
        case 'row':
          row = attributes.r === undefined ? row + 1 : Number(attributes.r)
          if (!(row <= limits.sheetRows)) {
            const most = limits.sheetRows.toLocaleString('en-US')
            throw new TableError(`The sheet has a row beyond ${most}. Save it as CSV, which has no limit.`)
          }
          ;[fields, column, bytes] = [[], -1, 0]
          break
        case 'c':
          column = attributes.r === undefined ? column + 1 : columnOf(attributes.r)
          ;[type, style, value] = [attributes.t ?? 'n', attributes.s ?? '', '']
          break
        case 'is':
          isInline = true
          break
        case 'rPh':
          isGuide = true
          break
        case 'v':
          isValue = true
          break
        case 't':
          isValue = isInline && !isGuide
      }
    },
    text: (text) => {
      if (isValue) value += text
    },
    close: (name) => {
      isValue = false
      switch (name) {
        case 'c': {
          if (value === '') break
          const text = cellText(type, style, value, context)
          bytes += text.length
          if (bytes > limits.recordBytes) throw new TableError(`Row ${row} has more than ${limits.recordBytes} bytes.`)
          if (text === '') break
          checkColumns(column + 1, limits)
          while (fields.length < column) fields.push('')
          fields[column] = text
          break
        }
        case 'is':
          isInline = false
          break
        case 'rPh':
          isGuide = false
          break
        case 'row':
          if (fields.length > 0) ready.push({ line: row, fields })
          break
        case 'sheetData':
          isOver = true
      }
    },
  }
  for await (const read of parse(workbook, entry, handlers)) {
    done.bytes = read
    for (const record of ready) yield record
    ready.length = 0
    // What follows the cells (merges, rules, links) can be long and is not needed.
    if (isOver) return
  }
}

function columnOf(reference: string): number {
  let column = 0
  for (let index = 0; index < reference.length; index += 1) {
    const letter = reference.charCodeAt(index) - 64
    if (letter < 1 || letter > 26) break
    column = column * 26 + letter
  }
  if (column === 0) throw new TableError(`The workbook is damaged: a cell is said to be at "${reference}".`)
  return column - 1
}

function cellText(type: string, style: string, value: string, context: Context): string {
  switch (type) {
    case 's': {
      const text = context.shared[Number(value)]
      if (text === undefined) throw new TableError('The workbook is damaged: a cell names a text that is not there.')
      return text
    }
    case 'n':
      return (context.isDate[Number(style)] ? excelTime(value, context.is1904) : undefined) ?? plainNumber(value)
    case 'b':
      return value === '1' ? 'true' : 'false'
    case 'd':
      return value.replace('T', ' ').replace(/ 00:00:00(\.0+)?$/, '')
    default:
      return unescaped(value)
  }
}

/** As the spreadsheet shows it: 15 digits, so that 0.1 + 0.2 is 0.3, and no exponent. */
function plainNumber(value: string): string {
  if (/^-?\d{1,15}$/.test(value)) return value
  const number = Number(Number(value).toPrecision(15))
  if (!Number.isFinite(number)) return value
  const text = String(number)
  return /e-/.test(text) ? number.toFixed(20).replace(/\.?0+$/, '') : text
}

/** Characters that XML cannot hold are written _x000D_, and an underscore that would be read so _x005F_. */
function unescaped(text: string): string {
  if (!text.includes('_x')) return text
  return text.replace(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

async function readPart(workbook: Workbook, entry: Entry, handlers: Handlers): Promise<void> {
  for await (const _ of parse(workbook, entry, handlers));
}

/** Feeds a part to the parser chunk by chunk. Yields the bytes read so far, after each. */
async function* parse({ zip }: Workbook, entry: Entry, handlers: Handlers): AsyncGenerator<number> {
  const parser = new SaxesParser<{ position: false; xmlns: false }>({ position: false, xmlns: false })
  let [read, heard] = [0, 0]
  parser.on('opentag', ({ name, attributes }: SaxesTagPlain) => {
    heard = read
    handlers.open?.(local(name), attributes)
  })
  parser.on('closetag', ({ name }: SaxesTagPlain) => {
    heard = read
    handlers.close?.(local(name))
  })
  parser.on('text', (text) => handlers.text?.(text))
  parser.on('cdata', (text) => handlers.text?.(text))
  parser.on('doctype', () => {
    throw new TableError(`${entry.fileName} defines its own entities (DOCTYPE), which no spreadsheet does: refused.`)
  })
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const place = () => `The workbook is damaged at byte ${read.toLocaleString('en-US')} of ${entry.fileName}`
  let stream: Readable | undefined
  try {
    stream = await zip.openReadStreamPromise(entry)
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      parser.write(decoder.decode(chunk, { stream: true }))
      read += chunk.length
      if (read - heard > SILENT_BYTES_MAX)
        throw new TableError(`${place()}: one value is longer than a sheet can hold.`)
      yield read
    }
    parser.write(decoder.decode()).close()
    yield read
  } catch (error) {
    if (error instanceof TableError) throw error
    const { message, code } = error as { message: string; code?: string }
    if (code === 'EIO') throw error
    throw new TableError(`${place()} (${message.replace(/^\d+:\d+: /, '')}). Save or download it again.`)
  } finally {
    stream?.destroy()
  }
}

function local(name: string): string {
  const colon = name.indexOf(':')
  return colon < 0 ? name : name.slice(colon + 1)
}
