import { Worker } from 'node:worker_threads'
import { isFollowDue, isValueRunDue } from '../modules/value/actions.ts'
import type { ValueRunState } from '../modules/value/schema.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { isRefusal } from '../platform/refusal.ts'

/** Values are made anew off the request path: whole each night, referrals also between. */
export interface Valuing {
  /**
   * Does for one database what is due, unless something is under way. A failure is told and tried again later.
   *
   * @returns whether something was done.
   */
  run(database: Database): Promise<boolean>
  /**
   * Has everybody of one database valued as soon as nothing else is under way, whatever is due; as of a past instant where one is given.
   *
   * @param ended called when it is over, however it ended.
   * @returns false where such a run is under way or waits already.
   */
  begin(database: Database, asOf: Date | undefined, ended: () => void): boolean
  /** Whether everybody is being valued, or waits for it, and whether the last try failed. */
  state(database: Database): ValueRunState
  /** Starts nothing more, and ends what is under way: it is one transaction, and what was before it stays. */
  stop(): Promise<void>
}

/** What a thread has to do, in one transaction on a connection of its own. */
export interface ValueTask {
  readonly work: 'everybody' | 'changes'
  readonly url: string
  readonly now: Date
  /** With everybody: as of this past instant. */
  readonly asOf?: Date
}

/** A run of everybody, since when it is wanted, and as of when: now, where nothing is said. */
interface Wanted {
  readonly since: Date
  readonly asOf: Date | undefined
}

const THREAD = new URL('./value-thread.ts', import.meta.url)
/** A million people took 600 MB with the server itself. */
const HEAP_MB_MAX = 2048
/** A million people took three minutes on a busy machine with two cores. */
const RUN_MS_MAX = 30 * 60 * 1000
/** A run of everybody that failed is not tried again at each tick: it would take the machine all day. */
const RETRY_MS = 3600 * 1000

/**
 * A fit of a million people is seconds of one processor without a pause: in the server's own thread no request would be answered
 * meanwhile. So each piece of work has a thread, and one at a time; with it goes the memory that it took.
 */
export function createValuing(clock: Clock, log: (sentence: string) => void, thread: URL = THREAD): Valuing {
  const failedAt = new Map<Database, number>()
  /** Runs of a past day that failed: they keep no night's run waiting. */
  const failedPast = new Map<Database, { readonly at: Date; readonly asOf: Date }>()
  /** Databases whose everybody is being valued. */
  const running = new Map<Database, Wanted>()
  /** Those whose everybody is to be, in the order in which they were asked for. */
  const asked = new Map<Database, Wanted & { readonly ended: () => void }>()
  let worker: Worker | undefined
  let isBusy = false
  let isStopping = false

  async function inThread(task: ValueTask): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const started = new Worker(thread, { workerData: task, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX } })
    worker = started
    const timer = setTimeout(() => {
      reject(new Error(`it took more than ${RUN_MS_MAX / 60_000} minutes`))
      void started.terminate()
    }, RUN_MS_MAX)
    started.once('error', reject)
    started.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`its thread ended with ${code}`))))
    try {
      await promise
    } finally {
      clearTimeout(timer)
      worker = undefined
    }
  }

  async function valueEverybody(database: Database, now: Date, { since, asOf }: Wanted): Promise<void> {
    if (asOf) failedPast.set(database, { at: now, asOf })
    else failedAt.set(database, now.getTime())
    running.set(database, { since, asOf })
    try {
      await inThread({ work: 'everybody', url: urlOf(database), now, ...(asOf && { asOf }) })
      if (asOf) failedPast.delete(database)
      else failedAt.delete(database)
    } finally {
      running.delete(database)
    }
  }

  async function workOff(database: Database): Promise<boolean> {
    const now = clock.now()
    const failed = failedAt.get(database)
    const mayRun = failed === undefined || now.getTime() - failed >= RETRY_MS
    if (mayRun && (await isValueRunDue(database, now))) {
      await valueEverybody(database, now, { since: now, asOf: undefined })
      return true
    }
    if (!(await isFollowDue(database))) return false
    await inThread({ work: 'changes', url: urlOf(database), now })
    return true
  }

  /** One thing at a time, of whatever brand. @returns what `work` does; undefined where something is under way, or it failed. */
  async function alone<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (isBusy || isStopping) return undefined
    isBusy = true
    try {
      return await work()
    } catch (error) {
      if (!isStopping) log(`Values could not be made: ${sentenceOf(error)}`)
      return undefined
    } finally {
      isBusy = false
      void workOffAsked()
    }
  }

  async function workOffAsked(): Promise<void> {
    const [next] = asked
    if (!next || isBusy || isStopping) return
    const [database, { ended, ...wanted }] = next
    asked.delete(database)
    await alone(() => valueEverybody(database, clock.now(), wanted))
    ended()
  }

  return {
    run: async (database) => (await alone(() => workOff(database))) ?? false,
    begin: (database, asOf, ended) => {
      if (isStopping || running.has(database) || asked.has(database)) return false
      asked.set(database, { since: clock.now(), asOf, ended })
      void workOffAsked()
      return true
    },
    state: (database) => {
      const run = running.get(database) ?? asked.get(database)
      const [failed, past] = [failedAt.get(database), failedPast.get(database)]
      if (run)
        return { running_since: run.since.toISOString(), failed_at: null, as_of: run.asOf?.toISOString() ?? null }
      // Of two that failed the later one is told.
      if (past && past.at.getTime() >= (failed ?? 0)) {
        return { running_since: null, failed_at: past.at.toISOString(), as_of: past.asOf.toISOString() }
      }
      const failedThen = failed === undefined ? null : new Date(failed).toISOString()
      return { running_since: null, failed_at: failedThen, as_of: null }
    },
    stop: async () => {
      isStopping = true
      await worker?.terminate()
    },
  }
}

function urlOf({ pool }: Database): string {
  const { connectionString: url } = pool.options
  if (!url) throw new Error('its database has no address')
  return url
}

function sentenceOf(error: unknown): string {
  if (isRefusal(error)) return `${error.message} ${error.remedy}`
  return error instanceof Error ? error.message : String(error)
}
