import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../platform/clock.ts'
import { writeWhole } from '../../platform/durable-file.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { randomLetters } from '../../platform/secrets.ts'
import { isThere } from './rejects.ts'
import { UPLOAD_BYTES_MAX, type UploadRecord, uploadRecord } from './schema.ts'

/*
 * Files that came by the console, until they are imported. In the folder of uploads:
 *
 *   <upload>/upload.json  what it is, and what is being done with it
 *   <upload>/content      the file; gone once it was imported
 *   <upload>/forget       somebody was erased while it was being imported: the content goes as soon as that ends
 *
 * The name that a file came with is a text in upload.json and never a part of a path. All of it is customers' data.
 */

const ID_CHARACTERS = 16
const NAME_CHARACTERS_MAX = 200
const KEPT_MS = 7 * 86_400_000
/** Files that wait to be imported; each may be large. */
const CONTENTS_MAX = 30

type UploadChange = Partial<Pick<UploadRecord, 'task' | 'asker' | 'rejects'>>

export interface Uploads {
  create(given: { fileName: string; bytes: number }, by: UploadRecord['by']): Promise<UploadRecord | Refusal>
  /** Writes a part at its place. @returns the bytes that are there now. */
  append(uploadId: string, from: number, part: Buffer): Promise<number | Refusal>
  read(uploadId: string): Promise<UploadRecord | Refusal>
  /** The latest first. */
  list(): Promise<UploadRecord[]>
  /** Changes what is kept of it. @returns undefined when it is gone. */
  change(uploadId: string, change: UploadChange): Promise<UploadRecord | undefined>
  /** Where its content lies, for a whole file only. */
  contentOf(record: UploadRecord, sheet?: string): Promise<string | Refusal>
  /** Bytes that are there; undefined when there is no content. */
  received(uploadId: string): Promise<number | undefined>
  /** After a task: whether somebody was erased meanwhile. The content goes then. */
  forgetIfDue(uploadId: string): Promise<void>
  removeContent(uploadId: string): Promise<void>
  remove(uploadId: string): Promise<void>
  /** Removes what nobody has touched for seven days. */
  sweep(): Promise<void>
}

export function openUploads(folder: string, clock: Clock): Uploads {
  const pathOf = (uploadId: string, name = '') => join(folder, uploadId, name)
  /** What is being written to an upload: the next write waits for it. */
  const writing = new Map<string, Promise<unknown>>()

  function inTurn<T>(uploadId: string, work: () => Promise<T>): Promise<T> {
    const turn = (writing.get(uploadId) ?? Promise.resolve()).then(work, work)
    const settled = turn.catch(() => {})
    writing.set(uploadId, settled)
    void settled.then(() => writing.get(uploadId) === settled && writing.delete(uploadId))
    return turn
  }

  async function find(uploadId: string): Promise<UploadRecord | undefined> {
    const text = await readFile(pathOf(uploadId, 'upload.json'), 'utf8').catch(unlessMissing)
    if (text === undefined) return undefined
    return uploadRecord.parse(JSON.parse(text))
  }

  const save = (record: UploadRecord) =>
    writeWhole(pathOf(record.upload_id, 'upload.json'), JSON.stringify(record), 0o600)

  async function list(): Promise<UploadRecord[]> {
    const found = await Promise.all((await idsIn(folder)).map(find))
    return found
      .filter((record) => record !== undefined)
      .sort((a, b) => b.created_at.localeCompare(a.created_at) || a.upload_id.localeCompare(b.upload_id))
  }

  async function received(uploadId: string): Promise<number | undefined> {
    return (await stat(pathOf(uploadId, 'content')).catch(unlessMissing))?.size
  }

  async function removeContent(uploadId: string): Promise<void> {
    await rm(pathOf(uploadId, 'content'), { force: true })
  }

  return {
    create: async ({ fileName, bytes }, by) => {
      const name = nameOf(fileName)
      if (name === '') {
        return refuse('invalid', 'bad_file_name', 'The file has no name.', 'Give it one, and choose it again.')
      }
      if (bytes > UPLOAD_BYTES_MAX) return tooLarge(bytes)
      const sizes = await Promise.all((await idsIn(folder)).map(received))
      if (sizes.filter((size) => size !== undefined).length >= CONTENTS_MAX) {
        return refuse(
          'over_limit',
          'too_many_uploads',
          `${CONTENTS_MAX} files wait to be imported.`,
          'Import some of them, or throw them away.',
        )
      }
      const record: UploadRecord = {
        upload_id: randomLetters(ID_CHARACTERS),
        file_name: name,
        bytes,
        created_at: clock.now().toISOString(),
        by,
        task: null,
        asker: null,
        rejects: null,
      }
      await mkdir(pathOf(record.upload_id), { recursive: true, mode: 0o700 })
      await writeFile(pathOf(record.upload_id, 'content'), '', { mode: 0o600, flag: 'wx' })
      await save(record)
      return record
    },
    append: (uploadId, from, part) =>
      inTurn(uploadId, async () => {
        const record = await find(uploadId)
        const size = await received(uploadId)
        if (!record || size === undefined) return noSuchUpload()
        if (from !== size) {
          return refuse('conflict', 'wrong_place', `${size} bytes are here, not ${from}.`, 'Go on where they end.')
        }
        if (size + part.length > record.bytes) return tooLarge(size + part.length, record.bytes)
        return writePart(pathOf(uploadId, 'content'), size, part)
      }),
    read: async (uploadId) => (await find(uploadId)) ?? noSuchUpload(),
    list,
    change: (uploadId, change) =>
      inTurn(uploadId, async () => {
        const record = await find(uploadId)
        if (!record) return undefined
        const next = { ...record, ...change }
        await save(next)
        return next
      }),
    contentOf: async ({ upload_id: uploadId, bytes }, sheet) => {
      const size = await received(uploadId)
      if (size === undefined) {
        return refuse('missing', 'upload_gone', 'The file is not kept any more.', 'Choose it again.')
      }
      if (size < bytes) {
        const message = `Only ${size} of its ${bytes} bytes have come.`
        return refuse('conflict', 'upload_incomplete', message, 'Throw it away, and choose the file again.')
      }
      return pathOf(uploadId, 'content') + (sheet === undefined ? '' : `#${sheet}`)
    },
    received,
    forgetIfDue: async (uploadId) => {
      if (await isThere(pathOf(uploadId, 'forget'))) await removeContent(uploadId)
    },
    removeContent,
    remove: (uploadId) => inTurn(uploadId, () => rm(pathOf(uploadId), { recursive: true, force: true })),
    sweep: async () => {
      for (const uploadId of await idsIn(folder)) {
        const last = Math.max(
          ...(await Promise.all(
            ['', 'content', 'upload.json'].map(async (name) => {
              return (await stat(pathOf(uploadId, name)).catch(unlessMissing))?.mtimeMs ?? 0
            }),
          )),
        )
        if (clock.now().getTime() - last > KEPT_MS) await rm(pathOf(uploadId), { recursive: true, force: true })
      }
    },
  }
}

/**
 * Removes uploaded files: somebody who is being erased may stand in them. One that is being imported goes when that has
 * ended; what it brings is judged row by row.
 */
export async function releaseUploads(folder: string): Promise<void> {
  for (const uploadId of await idsIn(folder)) {
    const text = await readFile(join(folder, uploadId, 'upload.json'), 'utf8').catch(unlessMissing)
    const task = text === undefined ? null : uploadRecord.parse(JSON.parse(text)).task
    if (task?.state === 'waiting' || task?.state === 'running') {
      await writeFile(join(folder, uploadId, 'forget'), '', { mode: 0o600 })
    } else {
      await rm(join(folder, uploadId, 'content'), { force: true })
    }
  }
}

/** What a browser, or somebody who plays one, called it: the last part, on one line. */
function nameOf(given: string): string {
  const last = given.split(/[/\\]/).at(-1) ?? ''
  const bare = last.replace(/[\p{Cc}\p{Cs}#]/gu, ' ').trim()
  return [...bare].slice(0, NAME_CHARACTERS_MAX).join('')
}

async function writePart(path: string, position: number, part: Buffer): Promise<number | Refusal> {
  const file = await open(path, 'r+')
  try {
    for (let done = 0; done < part.length; ) {
      const { bytesWritten } = await file.write(part, done, part.length - done, position + done)
      done += bytesWritten
    }
    return position + part.length
  } catch (error) {
    // What was written of it would be taken for the beginning of the next part.
    await file.truncate(position)
    if (!['ENOSPC', 'EDQUOT'].includes((error as { code?: string }).code ?? '')) throw error
    return refuse('over_limit', 'disk_full', 'The disk of the server is full.', 'Make room there, and go on.')
  } finally {
    await file.close()
  }
}

async function idsIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(unlessMissing)) ?? []
  return names.filter((name) => /^[a-z]{16}$/.test(name))
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

export function noSuchUpload(): Refusal {
  return refuse('missing', 'no_such_upload', 'There is no such file.', 'It may have been imported or thrown away.')
}

export function uploadBusy(): Refusal {
  return refuse('conflict', 'upload_busy', 'This file is being imported right now.', 'Wait until that has ended.')
}

function tooLarge(bytes: number, limit = UPLOAD_BYTES_MAX): Refusal {
  return refuse(
    'over_limit',
    'file_too_large',
    `The file has ${bytes} bytes; at most ${limit} are taken.`,
    'Copy it to the server, and run ./perennial import there.',
  )
}
