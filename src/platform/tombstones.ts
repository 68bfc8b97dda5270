import { createHmac } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readOrMakeSecret } from './secrets.ts'

/**
 * One-way marks of values that were erased from a database and must not come back. Key and log lie in the installation's
 * folder of secrets: outside of the database, so that neither its backup nor its restore takes them along.
 */
export interface Tombstones {
  /** HMAC-SHA256 of each text, as hexadecimal digits. */
  marksOf(texts: readonly string[]): Promise<string[]>
  /** All that were ever appended. */
  read(): Promise<Set<string>>
  /** On disk for good when it returns. */
  append(marks: readonly string[]): Promise<void>
}

const KEY_FILE = 'erasure-key'

/** Tells one key from another and nothing else; null where there is none, which is where nobody was erased. */
export async function readKeyMark(home: string): Promise<string | null> {
  const text = await readFile(join(home, 'secrets', KEY_FILE), 'utf8').catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return null
  return createHmac('sha256', Buffer.from(text, 'base64url')).update('perennial backup').digest('hex')
}

/** `name` is the database's; each has a log of its own under the one key. */
export function openTombstones(home: string, name: string): Tombstones {
  const folder = join(home, 'secrets')
  const path = join(folder, `erased-${name}.log`)
  let key: Promise<Buffer> | undefined
  const keyOf = () => {
    key ??= readOrMakeSecret(folder, KEY_FILE).then((text) => Buffer.from(text, 'base64url'))
    key.catch(() => {
      key = undefined
    })
    return key
  }
  return {
    marksOf: async (texts) => {
      const secret = await keyOf()
      return texts.map((text) => createHmac('sha256', secret).update(text).digest('hex'))
    },
    read: async () => {
      const text = await readFile(path, 'utf8').catch((error: { code?: string }) => {
        if (error.code === 'ENOENT') return ''
        throw error
      })
      // A line that a crash cut short is the last of an erasure that was not acknowledged.
      return new Set(text.split('\n').filter((line) => /^[0-9a-f]{64}$/.test(line)))
    },
    append: async (marks) => {
      if (marks.length === 0) return
      await keyOf()
      const file = await open(path, 'a', 0o600)
      try {
        // Begins with a line end, for the case that the line before was cut short.
        await file.appendFile(`\n${marks.join('\n')}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
    },
  }
}

/** For databases that keep nobody's data: asking for a mark is a mistake. */
export const NO_TOMBSTONES: Tombstones = {
  marksOf: async () => {
    throw new Error('This database was opened without the key of erasures')
  },
  read: async () => new Set(),
  append: async () => {
    throw new Error('This database was opened without the key of erasures')
  },
}
