import { createHash, type Hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { extract, type Pack, pack } from 'tar-stream'
import { z } from 'zod'
import { renameForGood } from './durable-file.ts'
import { type Refusal, refuse } from './refusal.ts'

/*
 * A backup as a file: a tar archive of parts that stand in the order in which they are loaded, and a manifest of them at its
 * end (docs/adr/0018-backup.md). Parts are a few megabytes each, because tar wants the length of an entry before it and memory
 * has to stay bounded. `tar xf` and `gunzip -c <table>.*.gz` give a table's rows in PostgreSQL's own text form, without us.
 */

const FORMAT = 1
const HEAD_NAME = 'perennial-backup.json'
const MANIFEST_NAME = 'manifest.json'
const MANIFEST_HASH_NAME = 'manifest.sha256'
/** Rows of a part before it is packed: with 32 MB in place of 8 the file is 0.5 % smaller. */
const PART_BYTES = 8 * 1024 * 1024
/** Of what is read into memory whole: a part that was packed, or the manifest of a thousand tables. */
const ENTRY_BYTES_MAX = 64 * 1024 * 1024

/** One file in the archive, as it is read. */
interface Entry extends AsyncIterable<Buffer> {
  readonly header: { readonly name: string; readonly size: number }
}

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const name = z.string().regex(/^[a-z_][a-z0-9_]*$/)

const dumpedTable = z.object({
  schema: name,
  name,
  columns: z.array(z.string()),
  rows: z.number().int(),
  /** SHA-256 of its rows as text. */
  sha256: hash,
  parts: z.array(z.object({ name: z.string(), bytes: z.number().int(), sha256: hash })),
})
export type DumpedTable = z.infer<typeof dumpedTable>

/** Made while the product runs, not by a migration: months of interactions. */
const dumpedPartition = z.object({ schema: name, name, parent: z.string(), bound: z.string() })
const dumpedSequence = z.object({ schema: name, name, last_value: z.string(), is_called: z.boolean() })

const dumpedDatabase = z.object({
  /** A brand's key; null: accounts and the list of brands. */
  brand: z.string().nullable(),
  brand_name: z.string().nullable(),
  migrations: z.array(z.object({ number: z.number().int(), name: z.string(), sha256: hash })),
  /** In the order in which they can be loaded. */
  tables: z.array(dumpedTable),
  partitions: z.array(dumpedPartition),
  sequences: z.array(dumpedSequence),
})
export type DumpedDatabase = z.infer<typeof dumpedDatabase>

const head = z.object({ format: z.number().int(), program: z.string(), taken_at: z.iso.datetime() })

const manifest = head.extend({
  /** Tells one key of erasures from another; null where nobody had been erased. */
  erasure_key_mark: hash.nullable(),
  left_out: z.array(z.string()),
  databases: z.array(dumpedDatabase),
})
export type Manifest = z.infer<typeof manifest>

export interface BackupWriter {
  /** Packs and adds the rows of a table as they come. @returns its parts, and the hash of its text. */
  addRows(prefix: string, rows: AsyncIterable<Buffer>): Promise<Pick<DumpedTable, 'parts' | 'sha256'>>
  /** The file is there, whole and for good, when it returns. @returns its length in bytes. */
  finish(contents: Omit<Manifest, 'format' | 'program' | 'taken_at'>): Promise<number>
  /** Removes what was written so far. */
  abandon(): Promise<void>
}

/**
 * Begins a backup at `path`, readable by its owner only.
 * @throws the file system's errors: EEXIST where there is such a file.
 */
export async function createBackup(path: string, told: { program: string; takenAt: Date }): Promise<BackupWriter> {
  const said = { format: FORMAT, program: told.program, taken_at: told.takenAt.toISOString() }
  // Made first, so that of two that write to one path the later one is told.
  await (await open(path, 'wx', 0o600)).close()
  const staging = `${path}.part`
  const archive = pack()
  const stopped = new AbortController()
  const written = pipeline(archive, createWriteStream(staging, { mode: 0o600, flush: true }), {
    signal: stopped.signal,
  })
  // Whoever waits for an entry waits for this as well: after a full disk no entry is ever taken.
  const failed = written.then(() => new Promise<never>(() => {}))
  failed.catch(() => {})
  const add = (entryName: string, bytes: Buffer) =>
    Promise.race([addEntry(archive, entryName, bytes, told.takenAt), failed])

  async function addPart(prefix: string, number: number, rows: Buffer): Promise<DumpedTable['parts'][number]> {
    // Level 1: twice as fast as the usual 6 for 12 % more bytes.
    const packed = await promisify(gzip)(rows, { level: 1 })
    const part = `${prefix}.${String(number).padStart(5, '0')}.gz`
    await add(part, packed)
    return { name: part, bytes: packed.length, sha256: sha256Of(packed) }
  }

  await add(HEAD_NAME, Buffer.from(`${JSON.stringify(said)}\n`))
  return {
    addRows: async (prefix, rows) => {
      const whole = createHash('sha256')
      const parts: DumpedTable['parts'] = []
      for await (const chunk of inChunks(rows, PART_BYTES)) {
        whole.update(chunk)
        parts.push(await addPart(prefix, parts.length + 1, chunk))
      }
      return { parts, sha256: whole.digest('hex') }
    },
    finish: async (contents) => {
      const text = Buffer.from(`${JSON.stringify({ ...said, ...contents }, undefined, 1)}\n`)
      await add(MANIFEST_NAME, text)
      await add(MANIFEST_HASH_NAME, Buffer.from(`${sha256Of(text)}\n`))
      archive.finalize()
      await written
      await renameForGood(staging, path)
      return (await stat(path)).size
    },
    abandon: async () => {
      stopped.abort()
      await written.catch(() => {})
      await rm(staging, { force: true })
      await rm(path, { force: true })
    },
  }
}

function addEntry(archive: Pack, entryName: string, bytes: Buffer, mtime: Date): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry({ name: entryName, size: bytes.length, mode: 0o600, mtime }, bytes, (error) =>
      error ? reject(error) : resolve(),
    )
  })
}

async function* inChunks(source: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let length = 0
  for await (const buffer of source) {
    held.push(buffer)
    length += buffer.length
    if (length < bytes) continue
    yield Buffer.concat(held)
    held = []
    length = 0
  }
  if (length > 0) yield Buffer.concat(held)
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/**
 * Reads the whole file once and compares every byte with its checksum, before anything is done with it.
 * Refuses no_such_file, not_a_backup, newer_backup, damaged_backup.
 */
export async function checkBackup(path: string): Promise<Manifest | Refusal> {
  try {
    return await readManifest(path)
  } catch (error) {
    if (error instanceof Damaged) return damaged(path, error.message)
    const { code } = error as { code?: string }
    if (code === 'ENOENT' || code === 'EISDIR') {
      return refuse('missing', 'no_such_file', `There is no file ${path}.`, 'Name the file that a backup made.')
    }
    throw error
  }
}

class Damaged extends Error {}

async function readManifest(path: string): Promise<Manifest | Refusal> {
  const found = new Map<string, { bytes: number; sha256: string }>()
  let [text, textHash] = ['', '']
  for await (const entry of entriesOf(path)) {
    if (found.has(entry.header.name)) throw new Damaged(`${entry.header.name} is in it twice`)
    const digest = createHash('sha256')
    const isKept = [HEAD_NAME, MANIFEST_NAME, MANIFEST_HASH_NAME].includes(entry.header.name)
    const kept = await drain(entry, digest, isKept)
    if (found.size === 0) {
      const refusal = judgeHead(path, entry.header.name, kept)
      if (refusal) return refusal
    }
    if (entry.header.name === MANIFEST_NAME) text = kept
    if (entry.header.name === MANIFEST_HASH_NAME) textHash = kept.trim()
    found.set(entry.header.name, { bytes: entry.header.size, sha256: digest.digest('hex') })
  }
  if (found.size === 0) return notABackup(path)
  if (!text || found.get(MANIFEST_NAME)?.sha256 !== textHash) throw new Damaged('its end is missing or changed')
  const read = manifest.parse(JSON.parse(text))
  for (const part of read.databases.flatMap(({ tables }) => tables.flatMap(({ parts }) => parts))) {
    const there = found.get(part.name)
    if (there?.bytes !== part.bytes || there.sha256 !== part.sha256) throw new Damaged(`${part.name} is changed`)
  }
  return read
}

function judgeHead(path: string, entryName: string, text: string): Refusal | undefined {
  if (entryName !== HEAD_NAME) return notABackup(path)
  const read = head.safeParse(parseJson(text))
  if (!read.success) throw new Damaged(`${HEAD_NAME} is changed`)
  if (read.data.format <= FORMAT) return undefined
  return refuse(
    'conflict',
    'newer_backup',
    `${path} was made by a newer Perennial (${read.data.program}).`,
    'Restore it with that version or a later one.',
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function notABackup(path: string): Refusal {
  return refuse('invalid', 'not_a_backup', `${path} is no backup of Perennial.`, 'Name a file that a backup made.')
}

function damaged(path: string, what: string): Refusal {
  return refuse(
    'invalid',
    'damaged_backup',
    `${path} is damaged: ${what}.`,
    'Nothing was changed. Copy it again from where it was kept, or take an older backup.',
  )
}

/** The entries of an archive, one after the other: each has to be read to its end before the next one. */
async function* entriesOf(path: string): AsyncGenerator<Entry> {
  const file = createReadStream(path)
  const reader = extract()
  const read = pipeline(file, reader)
  read.catch(() => {})
  let isFirst = true
  try {
    for await (const entry of reader as unknown as AsyncIterable<Entry>) {
      isFirst = false
      yield entry
    }
    await read
  } catch (error) {
    const damage = asDamage(error)
    if (!(damage instanceof Damaged) || !isFirst) throw damage
  } finally {
    file.destroy()
    reader.destroy()
  }
}

/** The library's own sentences, of a header that does not add up or an end before its time, have no code; a disk's have. */
function asDamage(error: unknown): unknown {
  const isOther = error instanceof Damaged || error instanceof TypeError || (error as { code?: string }).code
  return isOther ? error : new Damaged('it ends early, or its form is broken')
}

/** Reads an entry to its end. @returns its text, where it is kept. */
async function drain(entry: Entry, digest: Hash, isKept: boolean): Promise<string> {
  const kept: Buffer[] = []
  if (isKept && entry.header.size > ENTRY_BYTES_MAX) throw new Damaged(`${entry.header.name} is too long`)
  try {
    for await (const chunk of entry) {
      digest.update(chunk)
      if (isKept) kept.push(chunk)
    }
  } catch (error) {
    throw asDamage(error)
  }
  return Buffer.concat(kept).toString()
}

export interface BackupReader {
  /** The rows of a table as text. Tables have to be asked for in the order of the manifest. */
  rowsOf(table: DumpedTable): AsyncIterable<Buffer>
  close(): Promise<void>
}

/** Reads a backup that was checked; each part is compared with its checksum once more. */
export function openBackup(path: string): BackupReader {
  const entries = entriesOf(path)
  return {
    rowsOf: async function* (table) {
      const whole = createHash('sha256')
      for (const part of table.parts) {
        const packed = await nextPart(entries, part.name)
        if (sha256Of(packed) !== part.sha256) throw new Error(`${part.name} changed while the backup was being read`)
        const rows = await promisify(gunzip)(packed)
        whole.update(rows)
        yield rows
      }
      if (whole.digest('hex') !== table.sha256) throw new Error(`The rows of ${table.name} are not those of the backup`)
    },
    close: async () => {
      await entries.return(undefined)
    },
  }
}

async function nextPart(entries: AsyncGenerator<Entry>, partName: string): Promise<Buffer> {
  for (;;) {
    const { value: entry, done } = await entries.next()
    if (done) throw new Error(`${partName} is missing in the backup`)
    const bytes: Buffer[] = []
    const isWanted = entry.header.name === partName
    if (isWanted && entry.header.size > ENTRY_BYTES_MAX) throw new Error(`${partName} is too long`)
    for await (const chunk of entry) if (isWanted) bytes.push(chunk)
    if (isWanted) return Buffer.concat(bytes)
  }
}
