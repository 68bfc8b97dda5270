import { rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Actor } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { CANCELLED, type ImportCommand, type ImportProgress, previewUndo, type Uploads } from './actions.ts'
import type { ImportReport, ImportTask, ImportWish, TaskProgress, UndoReport, UploadRecord } from './schema.ts'
import { uploadBusy } from './uploads.ts'

/** A file for the import, with what decides into which brand it goes. */
export type ImportOrder = Pick<
  ImportCommand,
  'path' | 'fileName' | 'mapping' | 'options' | 'source' | 'dryRun' | 'by' | 'cancelling'
> & {
  readonly isGuessed: boolean
  readonly isIntoDemo: boolean
  readonly brandKey: string | undefined
  /** Of the brand that is made for it, where there is none of that key. */
  readonly brandName: string | undefined
  readonly onProgress: (progress: ImportProgress | { readonly phase: 'settling' }) => void
}

export interface ImportWorkParts {
  readonly uploads: Uploads
  readonly clock: Clock
  readonly rejectsFolder: string
  /** Sentences for the server's log. */
  readonly log: (sentence: string) => void
  /** Imports as the command line does: chooses or makes the brand, and has everybody concerned brought up to date. */
  readonly importInto: (order: ImportOrder) => Promise<{ report: ImportReport; brand: string | null } | Refusal>
  /** Takes an import back, and has everybody concerned brought up to date. */
  readonly undo: (database: Database, importId: number, by: Actor) => Promise<UndoReport | Refusal>
}

/** Imports that were begun in the console: they go on when nobody looks, and after a restart. */
export interface ImportWork {
  /** Has a file imported, or tried, after what was asked before. */
  begin(
    uploadId: string,
    kind: ImportTask['kind'],
    wish: ImportWish & Pick<ImportTask, 'into_brand'>,
    by: UploadRecord['by'],
  ): Promise<UploadRecord | Refusal>
  /**
   * Ends what is being done with a file: nothing of it is stored, and the file stays. It is over a moment later.
   * @returns not_importing, or import_stored: its facts are in, and only who is who is being settled yet.
   */
  cancel(uploadId: string): Promise<Refusal | undefined>
  /** Throws a file away, with what its last dry run left. */
  remove(record: UploadRecord): Promise<Refusal | undefined>
  /** How far the task of a file is; undefined when none is under way. */
  progressOf(uploadId: string): TaskProgress | undefined
  /** Has an import taken back; refuses at once what there is not, or was taken back before. */
  beginUndo(database: Database, importId: number, by: Actor): Promise<UndoReport | Refusal>
  undoOf(database: Database, importId: number): { readonly isUndoing: boolean; readonly problem: Problem | null }
  /** Takes up what the last process left. */
  resume(): Promise<void>
  /** Begins nothing more and lets go of what is under way: the next start goes on with it. */
  stop(): Promise<void>
}

type TaskEnd = Pick<ImportTask, 'state'> & Partial<ImportTask> & { readonly rejects?: string | null }
type Problem = NonNullable<ImportTask['problem']>

/** The server is stopping: nothing is wrong with the file. */
class Stopped extends Error {}

const WAITING: TaskProgress = { phase: 'waiting', rows: 0, share: null, remaining_seconds: null, resumed_at_row: null }

/** What is being done with a file, or waits for its turn. */
interface Underway {
  progress: TaskProgress
  hasBegun: boolean
  readonly cancelling: AbortController
}

export function createImportWork(parts: ImportWorkParts): ImportWork {
  const { uploads, clock, log, importInto, undo, rejectsFolder } = parts
  const underway = new Map<string, Underway>()
  const undoing = new WeakMap<Database, Map<number, { isUndoing: boolean; problem: Problem | null }>>()
  const stopping = new AbortController()
  // One at a time: two would wait for each other's locks, and share the machine with everybody who looks at a page.
  let last: Promise<void> = Promise.resolve()

  function afterAllElse(work: () => Promise<void>): void {
    last = last.then(async () => {
      if (stopping.signal.aborted) return
      await work().catch((error: unknown) => log(`An import could not be ended: ${sentenceOf(error)}`))
    })
  }

  async function run(uploadId: string, own: Underway): Promise<void> {
    const record = await uploads.read(uploadId)
    if (isRefusal(record) || !record.task) return
    const { task, by, asker } = record
    await uploads.change(uploadId, { task: { ...task, state: 'running' } })
    const ended = await attempt(record, task, asker ?? by, own).catch((error: unknown): TaskEnd | undefined => {
      if (error instanceof Stopped || stopping.signal.aborted) return undefined
      log(`The import of an uploaded file failed: ${sentenceOf(error)}`)
      const remedy = 'Try again; the log of the server has the reason.'
      return { state: 'failed', problem: { code: 'import_failed', message: 'The server failed.', remedy } }
    })
    if (!ended) return
    const { rejects = null, ...result } = ended
    await uploads.change(uploadId, { task: { ...task, ...result, ended_at: clock.now().toISOString() }, rejects })
    if (task.kind === 'import' && ended.state === 'done') await uploads.removeContent(uploadId)
    await uploads.forgetIfDue(uploadId)
  }

  async function attempt(record: UploadRecord, task: ImportTask, by: Actor, own: Underway): Promise<TaskEnd> {
    const path = await uploads.contentOf(record, task.sheet)
    if (isRefusal(path)) return { state: 'refused', problem: problemOf(path) }
    const fileName = record.file_name + (task.sheet === undefined ? '' : `#${task.sheet}`)
    const done = await importInto({
      path,
      fileName,
      mapping: task.mapping,
      options: task.options,
      ...(task.source === undefined ? {} : { source: task.source }),
      isGuessed: task.source === undefined,
      isIntoDemo: task.into_demo,
      brandKey: task.into_brand,
      brandName: task.new_brand,
      dryRun: task.kind === 'dry_run',
      by,
      cancelling: own.cancelling.signal,
      onProgress: watched(own),
    })
    if (isRefusal(done) && done.code === CANCELLED) return { state: 'cancelled' }
    // Where a file lies on the server is nobody's business, and says nothing to who uploaded it.
    if (isRefusal(done)) return { state: 'refused', problem: problemOf(done, [path, fileName]) }
    const { rejects_file: rejects, sample: _, ...report } = done.report
    return { state: 'done', report, brand: done.brand, rejects: rejects && basename(rejects) }
  }

  /** @throws Stopped when the server is stopping. */
  function watched(own: Underway): ImportOrder['onProgress'] {
    let phase: TaskProgress['phase'] = 'waiting'
    let [begunAt, begunShare] = [0, 0]
    let resumedAtRow: number | null = null
    return (said) => {
      // What is stored is stored: the rest of it is worth the seconds that stopping has.
      if (stopping.signal.aborted && said.phase !== 'settling') throw new Stopped()
      if (said.phase === 'resuming') resumedAtRow = said.rows + 1
      if (said.phase === 'resuming' || said.phase === 'restarting') return
      if (own.cancelling.signal.aborted && said.phase !== 'settling') return
      const { rows, share } = shareOf(said)
      const next = said.phase === 'applying' && share === 1 ? 'storing' : said.phase
      const now = clock.now().getTime()
      if (next !== phase) [phase, begunAt, begunShare] = [next, now, share ?? 0]
      const shown = next === 'reading' || next === 'applying' ? share : null
      own.progress = {
        phase,
        rows,
        share: shown,
        remaining_seconds: remainingSeconds(now - begunAt, begunShare, shown),
        resumed_at_row: resumedAtRow,
      }
    }
  }

  /** Rows that a dry run rejected are read while it is what was done last; those of an import stay. */
  async function dropTried({ task, rejects }: UploadRecord): Promise<void> {
    if (task?.kind === 'dry_run' && rejects !== null) await rm(join(rejectsFolder, basename(rejects)), { force: true })
  }

  function reserve(uploadId: string): Underway {
    const own = { progress: WAITING, hasBegun: false, cancelling: new AbortController() }
    underway.set(uploadId, own)
    return own
  }

  function queue(uploadId: string, own: Underway): void {
    afterAllElse(async () => {
      // Cancelled while it waited; by now the file may wait for another turn.
      if (own.cancelling.signal.aborted) return
      own.hasBegun = true
      own.progress = { ...WAITING, phase: 'reading' }
      try {
        await run(uploadId, own)
      } finally {
        underway.delete(uploadId)
      }
    })
  }

  return {
    begin: async (uploadId, kind, wish, by) => {
      const record = await uploads.read(uploadId)
      if (isRefusal(record)) return record
      const path = await uploads.contentOf(record)
      if (isRefusal(path)) return path
      if (underway.has(uploadId)) return uploadBusy()
      // From here on a second request finds it busy.
      const own = reserve(uploadId)
      const task: ImportTask = {
        ...wish,
        kind,
        state: 'waiting',
        asked_by: by.name,
        asked_at: clock.now().toISOString(),
        ended_at: null,
        report: null,
        brand: null,
        problem: null,
      }
      try {
        await dropTried(record)
        const changed = await uploads.change(uploadId, { task, asker: by, rejects: null })
        queue(uploadId, own)
        return changed ?? record
      } catch (error) {
        underway.delete(uploadId)
        throw error
      }
    },
    cancel: async (uploadId) => {
      const record = await uploads.read(uploadId)
      const { task = null } = isRefusal(record) ? {} : record
      const own = underway.get(uploadId)
      if (!own || (task?.state !== 'waiting' && task?.state !== 'running')) {
        return refuse('conflict', 'not_importing', 'Nothing is being done with this file.', 'Look at its result.')
      }
      if (own.progress.phase === 'settling') {
        const remedy = 'Take the import back in the list of imports.'
        return refuse('conflict', 'import_stored', 'The file is stored already.', remedy)
      }
      own.cancelling.abort()
      own.progress = { ...own.progress, phase: 'cancelling', share: null, remaining_seconds: null }
      if (own.hasBegun) return undefined
      await uploads.change(uploadId, { task: { ...task, state: 'cancelled', ended_at: clock.now().toISOString() } })
      underway.delete(uploadId)
      await uploads.forgetIfDue(uploadId)
      return undefined
    },
    remove: async (record) => {
      if (underway.has(record.upload_id)) return uploadBusy()
      await dropTried(record)
      await uploads.remove(record.upload_id)
      return undefined
    },
    progressOf: (uploadId) => underway.get(uploadId)?.progress,
    beginUndo: async (database, importId, by) => {
      const expected = await previewUndo(database.db, importId)
      if (isRefusal(expected)) return expected
      const known = undoing.get(database) ?? new Map()
      undoing.set(database, known)
      if (known.get(importId)?.isUndoing) return expected
      known.set(importId, { isUndoing: true, problem: null })
      afterAllElse(async () => {
        try {
          const undone = await undo(database, importId, by)
          known.set(importId, { isUndoing: false, problem: isRefusal(undone) ? problemOf(undone) : null })
        } catch (error) {
          log(`Import ${importId} could not be taken back: ${sentenceOf(error)}`)
          const remedy = 'Try again; the log of the server has the reason.'
          const problem = { code: 'undo_failed', message: 'The server failed.', remedy }
          known.set(importId, { isUndoing: false, problem })
        }
      })
      return expected
    },
    undoOf: (database, importId) => undoing.get(database)?.get(importId) ?? { isUndoing: false, problem: null },
    resume: async () => {
      await uploads.sweep()
      const due = (await uploads.list()).flatMap(({ upload_id, task }) =>
        task?.state === 'waiting' || task?.state === 'running' ? [{ uploadId: upload_id, askedAt: task.asked_at }] : [],
      )
      for (const { uploadId } of due.sort((a, b) => a.askedAt.localeCompare(b.askedAt))) {
        queue(uploadId, reserve(uploadId))
      }
    },
    stop: async () => {
      stopping.abort()
      await last
    },
  }
}

function shareOf(said: Exclude<Parameters<ImportOrder['onProgress']>[0], { phase: 'resuming' | 'restarting' }>): {
  rows: number
  share: number | null
} {
  switch (said.phase) {
    case 'reading':
      return { rows: said.rows, share: Math.min(1, said.bytesRead / Math.max(said.bytesTotal, 1)) }
    case 'applying':
      return { rows: said.rows, share: said.rows >= said.rowsTotal ? 1 : said.rows / said.rowsTotal }
    case 'settling':
      return { rows: 0, share: null }
  }
}

/** What is left at the pace so far; null while that says nothing. */
function remainingSeconds(elapsedMs: number, from: number, share: number | null): number | null {
  if (share === null || share <= from || elapsedMs < 1000) return null
  return Math.ceil(((elapsedMs / 1000) * (1 - share)) / (share - from))
}

function problemOf({ code, message, remedy }: Refusal, [path, name]: readonly string[] = []): Problem {
  const named = (text: string) => (path === undefined || name === undefined ? text : text.replaceAll(path, name))
  return { code, message: named(message), remedy: named(remedy) }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
