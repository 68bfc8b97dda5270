import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { type AppendFile, openAppendFile } from '../../platform/append-file.ts'
import { writeWhole } from '../../platform/durable-file.ts'
import { openLock, tryLock } from '../../platform/file-lock.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { locateTable } from '../../platform/table-file.ts'
import type { NotResumed } from './schema.ts'

/*
 * What an import has read so far, so that the next one goes on where a killed one stopped. In the folder of runs:
 *
 *   lock              held while runs are opened and removed
 *   <run>/lock        held for as long as the import lives
 *   <run>/rows        the mapped rows, in the text that COPY takes
 *   <run>/units       units that lost a row, JSON texts one a line
 *   <run>/rejects     the path of its rejects file
 *   <run>/checkpoint  up to where all this stands for certain
 *
 * A run is named after the brand and the path of the file. All of it is customers' data.
 */

const SPOOL_BUFFER_BYTES = 1 << 20
const UNITS_BUFFER_BYTES = 1 << 14
const UNITS_BATCH = 2000
const CHUNK_BYTES = 1 << 16
const CHUNKS = 16
const FINGERPRINT_BYTES = 1 << 20
const KEPT_MS = 7 * 86_400_000
const LOCK_WAIT_MS = 20
const LOCK_TRIES_MAX = 1500

/** How the folders of dry runs begin: each has its own. */
const PASSING = 'dry-'
let passing = 0

const checkpoint = z.object({
  /** What the rows follow from; with another the run begins anew. */
  file: z.string(),
  mapping: z.string(),
  options: z.string(),
  basis: z.string(),
  /** Who was erased when they were read: what has been erased since must not stand in them. */
  erasures: z.string(),
  program: z.string(),
  rows_read: z.number().int().nonnegative(),
  rows_spooled: z.number().int().nonnegative(),
  is_read: z.boolean(),
  /** Where the next record begins; null where a file cannot be entered but at its beginning. */
  position: z.object({ lines: z.number().int(), bytes: z.number().int() }).nullable(),
  rows_bytes: z.number().int().nonnegative(),
  units_bytes: z.number().int().nonnegative(),
  rejects_bytes: z.number().int().nonnegative(),
  rejected_by_reason: z.record(z.string(), z.number().int()),
})
export type Checkpoint = z.infer<typeof checkpoint>
/** How far a run is, without what it is about and what it keeps itself. */
export type Progress = Omit<Checkpoint, keyof Basis | 'rows_bytes' | 'units_bytes'>

/** What the rows of a run follow from. */
export type Basis = Pick<Checkpoint, 'file' | 'mapping' | 'options' | 'basis' | 'erasures' | 'program'>

export interface Run {
  /** The checkpoint to go on from. */
  readonly resumed: Checkpoint | undefined
  /** Why a run that was there is not gone on with; null when there was none. */
  readonly notResumed: NotResumed | null
  readonly rejectsPath: string
  readonly rows: AppendFile
  addUnits(units: readonly string[]): Promise<void>
  /** From now on a killed import goes on here. */
  save(progress: Progress): Promise<void>
  /** The rows spooled so far; to be read when all was appended. */
  readRows(): AsyncIterable<Buffer>
  readUnits(): AsyncIterable<string[]>
  /** Removes it: it is done with, or nothing that could be gone on with. */
  remove(): Promise<void>
  /** Lets go of it; unless removed, the next import goes on with it. */
  close(): Promise<void>
}

export interface RunCommand {
  /** Folder of all runs, made when it is not there. */
  readonly folder: string
  /** Names the run among the others, see `runName`. */
  readonly name: string
  readonly basis: Basis
  /** Of a run that begins anew. */
  readonly rejectsPath: string
  /** Nobody goes on with it: a dry run. */
  readonly isPassing: boolean
  readonly now: Date
}

export async function runName(databaseName: string, givenPath: string): Promise<string> {
  const { path, sheet = '' } = await locateTable(givenPath)
  return hashOf([databaseName, await realpath(path), sheet].join('\0')).slice(0, 24)
}

/** Tells whether a file is still the one it was: its size, when it was changed, its first and its last megabyte. */
export async function fingerprintOf(givenPath: string): Promise<string> {
  const { path } = await locateTable(givenPath)
  const file = await open(path, 'r')
  try {
    const { size, mtimeMs } = await file.stat()
    const hash = createHash('sha256')
    const buffer = Buffer.alloc(Math.min(size, FINGERPRINT_BYTES))
    for (const position of [0, size - buffer.length]) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
      hash.update(buffer.subarray(0, bytesRead))
    }
    return `${size} ${mtimeMs} ${hash.digest('hex')}`
  } finally {
    await file.close()
  }
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/**
 * Opens the run of a file: the one that a killed import left, cut to its checkpoint, or a new one. Removes runs that nobody
 * has gone on with for seven days.
 *
 * @returns a refusal when an import of the same file lives, or the folder is not one that can be written.
 */
export async function openRun(command: RunCommand): Promise<Run | Refusal> {
  passing += command.isPassing ? 1 : 0
  const name = command.isPassing ? `${PASSING}${command.name}-${process.pid}-${passing}` : command.name
  const path = join(command.folder, name)
  await mkdir(command.folder, { recursive: true, mode: 0o700 })
  return await withRuns(command.folder, async () => {
    await removeOld(command.folder, name, command.now)
    await mkdir(path, { recursive: true, mode: 0o700 })
    const lock = openLock(join(path, 'lock'))
    if (!tryLock(lock)) {
      lock.close()
      return refuse(
        'conflict',
        'import_running',
        'This file is being imported into this brand right now.',
        'Wait for that import, or end it: the same command then goes on where it stopped.',
      )
    }
    try {
      return await openLocked(command, path, lock)
    } catch (error) {
      lock.close()
      throw error
    }
  })
}

async function openLocked(command: RunCommand, path: string, lock: { close(): void }): Promise<Run> {
  const found = await findCheckpoint(path, command.basis)
  const resumed = typeof found === 'string' ? undefined : found
  const notResumed = typeof found === 'string' ? found : null
  if (notResumed) await forget(path)
  if (!resumed) await writeWhole(join(path, 'rejects'), command.rejectsPath, 0o600)
  const rejectsPath = await readFile(join(path, 'rejects'), 'utf8')
  const rows = await openAppendFile(join(path, 'rows'), resumed?.rows_bytes ?? 0, SPOOL_BUFFER_BYTES)
  const units = await openAppendFile(join(path, 'units'), resumed?.units_bytes ?? 0, UNITS_BUFFER_BYTES)
  let isRemoved = false

  return {
    resumed,
    notResumed,
    rejectsPath,
    rows,
    addUnits: async (added) => {
      for (const unit of added) await units.append(`${JSON.stringify(unit)}\n`)
    },
    save: async (progress) => {
      await rows.sync()
      await units.sync()
      const whole: Checkpoint = {
        ...command.basis,
        ...progress,
        rows_bytes: rows.bytes,
        units_bytes: units.bytes,
      }
      await writeWhole(join(path, 'checkpoint'), JSON.stringify(whole), 0o600)
    },
    readRows: () => readInTurn(join(path, 'rows'), rows.bytes),
    readUnits: () => readUnits(join(path, 'units')),
    remove: async () => {
      isRemoved = true
      await withRuns(command.folder, () => rm(path, { recursive: true, force: true }))
    },
    close: async () => {
      await rows.abandon()
      await units.abandon()
      if (command.isPassing && !isRemoved) {
        await withRuns(command.folder, () => rm(path, { recursive: true, force: true }))
      }
      lock.close()
    },
  }
}

/**
 * Chunks of a file from a few buffers in turn: a chunk holds until 15 more were asked for. Whoever reads it no faster than he
 * passes it on has at most one or two under way. With a new buffer each, 60 MB of them piled up before V8 looked after them.
 */
async function* readInTurn(path: string, bytes: number): AsyncGenerator<Buffer> {
  const buffers = Array.from({ length: CHUNKS }, () => Buffer.allocUnsafeSlow(CHUNK_BYTES))
  const file = await open(path, 'r')
  try {
    for (let [position, turn] = [0, 0]; position < bytes; turn += 1) {
      const buffer = buffers[turn % CHUNKS] as Buffer
      const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK_BYTES, bytes - position), position)
      if (bytesRead === 0) throw new Error(`${path} has lost its end while it was read`)
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

async function* readUnits(path: string): AsyncGenerator<string[]> {
  let batch: string[] = []
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    batch.push(JSON.parse(line) as string)
    if (batch.length < UNITS_BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** What there is to go on from; a word why not; undefined when nothing is there. */
async function findCheckpoint(path: string, basis: Basis): Promise<Checkpoint | NotResumed | undefined> {
  const [text, rows, units] = [await textOf(join(path, 'checkpoint')), join(path, 'rows'), join(path, 'units')]
  if (text === undefined) return (await sizeOf(rows)) === undefined ? undefined : 'no_checkpoint'
  const found = readCheckpoint(text)
  if (!found) return 'bad_checkpoint'
  if (found.program !== basis.program) return 'program_changed'
  if (found.file !== basis.file) return 'file_changed'
  if (found.mapping !== basis.mapping) return 'mapping_changed'
  if (found.options !== basis.options) return 'options_changed'
  if (found.basis !== basis.basis) return 'currency_changed'
  if (found.erasures !== basis.erasures) return 'somebody_erased'
  const rejects = (await textOf(join(path, 'rejects'))) ?? ''
  const isWhole =
    rejects !== '' &&
    ((await sizeOf(rows)) ?? -1) >= found.rows_bytes &&
    ((await sizeOf(units)) ?? -1) >= found.units_bytes &&
    (found.rejects_bytes === 0 || ((await sizeOf(rejects)) ?? -1) >= found.rejects_bytes)
  return isWhole ? found : 'rows_missing'
}

function readCheckpoint(text: string): Checkpoint | undefined {
  try {
    return checkpoint.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

async function textOf(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(unlessMissing)
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(unlessMissing))?.size
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** Removes what an unfinished run has written, its rejects file included; the lock stays, it may be held. */
async function forget(path: string): Promise<void> {
  const rejects = await textOf(join(path, 'rejects'))
  if (rejects) await rm(rejects, { force: true })
  for (const name of await readdir(path)) if (name !== 'lock') await rm(join(path, name), { force: true })
}

/**
 * Removes what unfinished imports have read: somebody who is being erased may stand in it. One that is alive finds out by
 * itself, when it is to be applied, and reads its file anew.
 */
export async function removeRuns(folder: string): Promise<void> {
  if ((await sizeOf(folder)) === undefined) return
  await withRuns(folder, async () => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue
      const lock = openLock(join(folder, entry.name, 'lock'))
      if (tryLock(lock)) {
        await forget(join(folder, entry.name))
        await rm(join(folder, entry.name), { recursive: true, force: true })
      }
      lock.close()
    }
  })
}

/** Runs that nobody has gone on with for seven days, and dry runs that died. */
async function removeOld(folder: string, except: string, now: Date): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === except) continue
    const path = join(folder, entry.name)
    const changed = (await stat(join(path, 'rows')).catch(unlessMissing)) ?? (await stat(path))
    if (!entry.name.startsWith(PASSING) && now.getTime() - changed.mtimeMs < KEPT_MS) continue
    const lock = openLock(join(path, 'lock'))
    if (tryLock(lock)) {
      await forget(path)
      await rm(path, { recursive: true, force: true })
    }
    lock.close()
  }
}

/** While runs come and go nobody else looks: a lock file must not be removed between being opened and being locked. */
async function withRuns<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const lock = openLock(join(folder, 'lock'))
  try {
    for (let tries = 1; !tryLock(lock); tries += 1) {
      if (tries === LOCK_TRIES_MAX) throw new Error(`${join(folder, 'lock')} has been held for more than 30 s`)
      await sleep(LOCK_WAIT_MS)
    }
    return await work()
  } finally {
    lock.close()
  }
}
