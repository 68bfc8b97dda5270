import { isUtf8 } from 'node:buffer'
import { TableError, type TableLimits } from './table.ts'

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'gb18030'

/** The beginning of a file that encoding, format and delimiter are told by. */
const HEAD_BYTES = 256 * 1024
const [LINE_FEED, CARRIAGE_RETURN] = [10, 13]

export interface TextSource {
  readonly encoding: Encoding
  /** Bytes of the byte order mark, before the text. */
  readonly markBytes: number
  /** The first 256 kB at most, whole lines where there are any. */
  readonly head: string
  /** The whole text as valid UTF-8 without byte order mark, in blocks of whole lines. */
  readonly blocks: AsyncIterable<Buffer>
}

/**
 * Tells the encoding by byte order mark, else by the first 256 kB: UTF-8 where all of it is, else GB18030, which shops
 * in China export. What then does not fit is an error that names the line, and never a replacement character.
 *
 * @throws TableError when the beginning is neither.
 */
export async function openText(bytes: AsyncIterable<Buffer>, limits: TableLimits): Promise<TextSource> {
  const chunks = bytes[Symbol.asyncIterator]()
  const parts: Buffer[] = []
  let [length, ended] = [0, false]
  while (length < HEAD_BYTES && !ended) {
    const { value, done } = await chunks.next()
    if (done) ended = true
    else {
      parts.push(value)
      length += value.length
    }
  }
  const start = Buffer.concat(parts)
  const { encoding, markBytes } = guessEncoding(start, ended)
  const body = start.subarray(markBytes)
  const sample = body.subarray(0, HEAD_BYTES)
  const lines = ended && body.length <= HEAD_BYTES ? sample : sample.subarray(0, wholeLines(sample, encoding))
  return {
    encoding,
    markBytes,
    head: looseText(lines.length > 0 ? lines : sample, encoding),
    blocks: lineBlocks(encoding, body, chunks, limits),
  }
}

/** UTF-8 from the middle of a file, after so many lines; blocks as those of `openText`. */
export function textBlocksFrom(
  bytes: AsyncIterable<Buffer>,
  lines: number,
  limits: TableLimits,
): AsyncIterable<Buffer> {
  return lineBlocks('utf-8', Buffer.alloc(0), bytes[Symbol.asyncIterator](), limits, lines)
}

function guessEncoding(start: Buffer, isWhole: boolean): { encoding: Encoding; markBytes: number } {
  if (start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf) return { encoding: 'utf-8', markBytes: 3 }
  if (start[0] === 0xff && start[1] === 0xfe) return { encoding: 'utf-16le', markBytes: 2 }
  if (start[0] === 0xfe && start[1] === 0xff) return { encoding: 'utf-16be', markBytes: 2 }
  const end = isWhole ? start.length : wholeLines(start, 'utf-8')
  // Without a line end in 256 kB the line is refused for its length anyway.
  if (end === 0 || isUtf8(start.subarray(0, end))) return { encoding: 'utf-8', markBytes: 0 }
  const head = start.subarray(0, end)
  const damaged = damagedUtf8Line(head)
  if (damaged !== undefined) throw badText('utf-8', damaged)
  if (!isChinese(head)) {
    throw new TableError('The text is neither UTF-8 nor Chinese (GB18030). Save the file as UTF-8.')
  }
  return { encoding: 'gb18030', markBytes: 0 }
}

/**
 * Much UTF-8 passes for GB18030 too, as other characters: a UTF-8 file with one broken character must not become a
 * file full of wrong ones. So UTF-8 it is while most lines beyond ASCII are; the result is the first that is not.
 */
function damagedUtf8Line(head: Buffer): number | undefined {
  let [number, first, good, bad] = [0, 0, 0, 0]
  for (const line of linesOf(head, 'utf-8')) {
    number += 1
    if (!line.some((byte) => byte > 0x7f)) continue
    if (isUtf8(line)) good += 1
    else {
      bad += 1
      first ||= number
    }
  }
  return good >= bad ? first : undefined
}

/** Western text in a one-byte encoding passes for GB18030 too, but has letters after its accents. */
function isChinese(head: Buffer): boolean {
  let [chinese, western] = [0, 0]
  for (let index = 0; index < head.length; index += 1) {
    if ((head[index] ?? 0) < 0x81) continue
    index += 1
    if ((head[index] ?? 0) >= 0xa1) chinese += 1
    else if ((head[index] ?? 0) < 0x80) western += 1
  }
  return chinese > western
}

/** Bytes in, checked UTF-8 out. Lines are kept whole, so a character is never cut and an error knows its line. */
async function* lineBlocks(
  encoding: Encoding,
  start: Buffer,
  chunks: AsyncIterator<Buffer>,
  limits: TableLimits,
  linesBefore = 0,
): AsyncGenerator<Buffer> {
  const decoder = encoding === 'utf-8' ? undefined : new TextDecoder(encoding, { fatal: true, ignoreBOM: true })
  // No character takes less room in another encoding than half of what it takes in UTF-8.
  const lineBytesMax = limits.recordBytes * 2
  let lines = linesBefore
  function decode(block: Buffer): Buffer {
    if (!decoder && !isUtf8(block)) throw badText(encoding, lines + firstBadLine(block, encoding))
    let text: Buffer
    try {
      text = decoder ? Buffer.from(decoder.decode(block)) : block
    } catch {
      throw badText(encoding, lines + firstBadLine(block, encoding))
    }
    lines += countLines(text)
    return text
  }
  let rest: Buffer = start
  try {
    for (;;) {
      const end = wholeLines(rest, encoding)
      if (end > 0) yield decode(rest.subarray(0, end))
      rest = rest.subarray(end)
      if (rest.length > lineBytesMax) throw tooLong(lines + 1, limits)
      const { value, done } = await chunks.next()
      if (done) break
      rest = rest.length > 0 ? Buffer.concat([rest, value]) : value
    }
    if (rest.length > 0) yield decode(rest)
  } finally {
    await chunks.return?.()
  }
}

/** @returns the end of the last whole line: after its line feed, or carriage return where a file has only those. */
function wholeLines(bytes: Buffer, encoding: Encoding): number {
  const end = afterLast(bytes, encoding, LINE_FEED)
  // A carriage return at the very end may be half of a line end.
  return end > 0 ? end : afterLast(bytes.subarray(0, -unitOf(encoding)), encoding, CARRIAGE_RETURN)
}

function afterLast(bytes: Buffer, encoding: Encoding, character: number): number {
  // In GB18030 as in UTF-8 no part of a longer character is a control character.
  if (unitOf(encoding) === 1) return bytes.lastIndexOf(character) + 1
  const low = encoding === 'utf-16le' ? 0 : 1
  for (let at = (bytes.length & ~1) - 2; at >= 0; at -= 2) {
    if (bytes[at + low] === character && bytes[at + 1 - low] === 0) return at + 2
  }
  return 0
}

function unitOf(encoding: Encoding): 1 | 2 {
  return encoding === 'utf-16le' || encoding === 'utf-16be' ? 2 : 1
}

function countLines(text: Buffer): number {
  return count(text, LINE_FEED) || count(text, CARRIAGE_RETURN)
}

/** A plain loop: an iterator over the bytes takes ten times as long. */
function count(bytes: Buffer, byte: number): number {
  let found = 0
  for (let index = 0; index < bytes.length; index += 1) if (bytes[index] === byte) found += 1
  return found
}

function* linesOf(block: Buffer, encoding: Encoding): Generator<Buffer> {
  const unit = unitOf(encoding)
  const low = encoding === 'utf-16be' ? 1 : 0
  let from = 0
  for (let at = 0; at < block.length; at += unit) {
    if (block[at + low] !== LINE_FEED || (unit === 2 && block[at + 1 - low] !== 0)) continue
    yield block.subarray(from, at + unit)
    from = at + unit
  }
  if (from < block.length) yield block.subarray(from)
}

function firstBadLine(block: Buffer, encoding: Encoding): number {
  let number = 0
  for (const line of linesOf(block, encoding)) {
    number += 1
    try {
      new TextDecoder(encoding, { fatal: true }).decode(line)
    } catch {
      return number
    }
  }
  return number
}

function looseText(bytes: Buffer, encoding: Encoding): string {
  return new TextDecoder(encoding).decode(bytes)
}

function badText(encoding: Encoding, line: number): TableError {
  const name = encoding.toUpperCase()
  return new TableError(
    `Line ${line} has bytes that are no ${name}, while the text before them is. Mend that line, or save the file as UTF-8 once more.`,
  )
}

function tooLong(line: number, limits: TableLimits): TableError {
  const most = limits.recordBytes.toLocaleString('en-US')
  return new TableError(
    `Line ${line} is longer than ${most} bytes. Check that this is a table with one record a line, and mend that line.`,
  )
}
