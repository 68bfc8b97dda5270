import { pipeline } from 'node:stream/promises'
import type { PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }
const TO_ESCAPE = /[\\\t\n\r]/

/** A value as COPY's text format has it; a row is its values with tabs between, and ends in a newline. */
export function copyText(text: string | null): string {
  if (text === null) return '\\N'
  if (!TO_ESCAPE.test(text)) return text
  return text.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character)
}

/**
 * Runs a statement `copy … from stdin` on rows in COPY's text format, cut anywhere. Memory stays bounded: it reads no faster
 * than the server takes.
 *
 * @throws the server's error, or that of `text`; the transaction is then lost.
 */
export async function copyIn(
  client: PoolClient,
  statement: string,
  text: string | AsyncIterable<Buffer>,
): Promise<void> {
  await pipeline(typeof text === 'string' ? [text] : text, client.query(copyFrom(statement)))
}
