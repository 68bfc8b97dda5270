import { createReadStream, type ReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { openCsv, openCsvFrom } from './csv.ts'
import { openText, textBlocksFrom } from './encoding.ts'
import { openJsonl } from './jsonl.ts'
import { TABLE_LIMITS, TableError, type TableFile, type TableLimits, type TablePosition } from './table.ts'
import { openXlsx } from './xlsx.ts'

const CHUNK_BYTES = 1 << 16
const SAVE_AS = 'Save it as CSV (UTF-8) or XLSX, then try again.'

/** Files that are often taken for tables, by how they begin. */
const OTHERS: readonly (readonly [begin: readonly number[], what: string])[] = [
  [[0xd0, 0xcf, 0x11, 0xe0], `This is an old .xls, or a workbook with a password. ${SAVE_AS}`],
  [[0x25, 0x50, 0x44, 0x46], 'This is a PDF. Export the table from where it was made, as CSV or XLSX.'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'This is compressed with zstd. Unpack it, or compress it with gzip.'],
  [[0x37, 0x7a, 0xbc, 0xaf], 'This is a 7z archive. Unpack it first.'],
  [[0x52, 0x61, 0x72, 0x21], 'This is a RAR archive. Unpack it first.'],
]

/**
 * Opens a table by what is in the file, whatever its name: XLSX (the first visible sheet, or `path#Sheet name`),
 * JSON lines, else CSV with comma, semicolon, tab or pipe; the last two also gzipped, in UTF-8, UTF-16 with byte order
 * mark, or GB18030. Streams: memory stays bounded whatever the file's size.
 *
 * @param from a position of the same file, as an earlier reading of it gave: what stands before it is not read again.
 * @throws TableError with the place and what to do, here or from the batches; the file system's own errors as they are.
 */
export async function openTable(
  givenPath: string,
  given: Partial<TableLimits> = {},
  from?: TablePosition,
): Promise<TableFile> {
  const limits = { ...TABLE_LIMITS, ...given }
  const { path, sheet, size } = await locateTable(givenPath)
  if (size === 0) throw new TableError('The file is empty: it has no header line.')
  const begin = await firstBytes(path)
  const other = OTHERS.find(([bytes]) => bytes.every((byte, index) => begin[index] === byte))
  if (other) throw new TableError(other[1])
  if (begin.toString('latin1').startsWith('PK')) return openXlsx(path, size, sheet, limits)
  if (sheet !== undefined) throw new TableError(`"#${sheet}" names a sheet, but this file is no XLSX: leave it out.`)

  const raw = createReadStream(path, { highWaterMark: CHUNK_BYTES })
  try {
    const isGzip = begin[0] === 0x1f && begin[1] === 0x8b
    const text = await openText(isGzip ? unzipped(raw, limits) : raw, limits)
    const progress = (stream: ReadStream, before = 0) => ({ bytesRead: before + stream.bytesRead, bytesTotal: size })
    if (isJson(text.head)) {
      const { header, batches, close } = await openJsonl(text.blocks, limits)
      return { header, headerLine: 1, batches, progress: () => progress(raw), close: closing(close, raw) }
    }
    const csv = await openCsv(text.head, text.blocks, limits)
    const whole = {
      header: csv.header,
      headerLine: csv.headerLine,
      batches: csv.batches,
      progress: () => progress(raw),
      close: closing(csv.close, raw),
    }
    // In these the place of a record in the text is not its place in the file.
    if (isGzip || text.encoding !== 'utf-8') return whole
    const { markBytes } = text
    const positionOf = ({ lines, bytes }: TablePosition) => ({ lines, bytes: bytes + markBytes })
    if (!from) return { ...whole, position: () => positionOf(csv.position()) }
    whole.close()
    const later = createReadStream(path, { highWaterMark: CHUNK_BYTES, start: from.bytes })
    const rest = openCsvFrom(text.head, csv, textBlocksFrom(later, from.lines, limits), limits, from)
    return { ...rest, progress: () => progress(later, from.bytes), close: closing(rest.close, later) }
  } catch (error) {
    raw.destroy()
    throw error
  }
}

function closing(close: () => void, stream: ReadStream): () => void {
  return () => {
    close()
    stream.destroy()
  }
}

/** A file whose own name has the hash is that file; else what follows the last hash is the sheet. */
export async function locateTable(path: string): Promise<{ path: string; sheet: string | undefined; size: number }> {
  const hash = path.lastIndexOf('#')
  const whole = await stat(path).catch((error: Error) => {
    if (hash < 1) throw error
  })
  const [file, sheet] = whole ? [path, undefined] : [path.slice(0, hash), path.slice(hash + 1)]
  const { size } = whole ?? (await stat(file))
  return { path: file, sheet, size }
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

async function* unzipped(
  raw: NodeJS.ReadableStream & { destroy(): void },
  limits: TableLimits,
): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  raw.on('error', (error: Error) => gunzip.destroy(error))
  raw.pipe(gunzip)
  let bytes = 0
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > limits.gzipBytes) {
        const most = limits.gzipBytes.toLocaleString('en-US')
        throw new TableError(`Unpacked, the file has more than ${most} bytes. Split it between orders.`)
      }
      yield chunk
    }
  } catch (error) {
    const code = (error as { code?: string }).code
    if (code === 'Z_BUF_ERROR') throw new TableError('The gzip file is cut off at its end. Copy or download it again.')
    if (code?.startsWith('Z_')) throw new TableError('The gzip file is damaged. Copy or download it again.')
    throw error
  } finally {
    gunzip.destroy()
    raw.destroy()
  }
}

function isJson(head: string): boolean {
  const begin = head.trimStart()
  if (/^\[\s*\{/.test(begin)) {
    throw new TableError('This is one JSON list. Write its objects one a line, without brackets and commas (JSONL).')
  }
  if (/^<(!doctype|html|\?xml|table|meta|head|body)/i.test(begin)) {
    throw new TableError(`This is a web page or XML, whatever the file is called. Open it in a spreadsheet. ${SAVE_AS}`)
  }
  return begin.startsWith('{')
}
