import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { catchUp } from './catch-up.ts'

/** Work on what facts left pending goes on beside the requests that brought them. */
export interface Settling {
  /**
   * Has the database caught up, soon: at once when nothing is under way for it, else once more after that. A caller does
   * not wait and is not told of failures: what failed is still pending, and is tried again.
   */
  settle(database: Database): void
  /** Starts nothing more, and waits for what is under way. */
  stop(): Promise<void>
}

/**
 * Between two runs for one database: as long as the last one took, within these, so that a stream of requests is worked off in
 * bunches and nobody waits a second. A run of many people is of a flood, in which the same people come again and again: then
 * four times as long, so that storing has the machine and each of them is worked off once in place of five times. Of
 * 20,000 facts a second standing lags some seconds behind, as /healthz says. By people and not by the time of the run: RFM cuts
 * of a million buyers, once an hour, take seconds too. It is over when nothing came for `quiet`: 10,000 facts and no more waited up to
 * 2.8 s after the last of them was stored.
 */
const PAUSE_MS = { min: 100, max: 400, flood: 6000, quiet: 200 } as const
const FLOOD_PEOPLE = 1000

function pauseAfter(tookMs: number, isFlood: boolean): number {
  if (!isFlood) return Math.min(Math.max(tookMs, PAUSE_MS.min), PAUSE_MS.max)
  return Math.min(Math.max(4 * tookMs, PAUSE_MS.min), PAUSE_MS.flood)
}
const CUTS_KEPT_MS = 3600 * 1000
/** A run that failed is tried again after this long, whether or not more facts come. */
const RETRY_MS = 5_000

export function createSettling(
  clock: Clock,
  options: {
    log: (sentence: string) => void
    /** @returns how many people it worked off. */
    work?: (database: Database) => Promise<number>
    /** Told how long each run took. */
    spent?: (seconds: number, outcome: 'done' | 'failed') => void
  },
): Settling {
  const { log, work = (database) => catchUp(database, clock, CUTS_KEPT_MS), spent } = options
  const due = new Set<Database>()
  /** Milliseconds, by the clock. */
  const askedAt = new WeakMap<Database, number>()
  const running = new Map<Database, Promise<void>>()
  const stopping = new AbortController()

  async function run(database: Database): Promise<void> {
    while (due.delete(database) && !stopping.signal.aborted) {
      let pause: number = PAUSE_MS.min
      let isFlood = false
      const begun = clock.now().getTime()
      try {
        const people = await work(database)
        const took = clock.now().getTime() - begun
        spent?.(took / 1000, 'done')
        isFlood = people >= FLOOD_PEOPLE
        pause = pauseAfter(took, isFlood)
      } catch (error) {
        // While stopping the database goes away under the work; the next start takes it up again.
        if (stopping.signal.aborted) break
        spent?.((clock.now().getTime() - begun) / 1000, 'failed')
        log(`Standing could not be brought up to date, trying again in ${RETRY_MS / 1000} s: ${sentenceOf(error)}`)
        due.add(database)
        pause = RETRY_MS
      }
      await (isFlood ? restInFlood(database, pause) : rest(pause))
    }
    // In the same breath as the last look at `due`: a call in between would find a run that looks no more.
    running.delete(database)
  }

  function rest(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => {})
  }

  /** Until the time is up, or nothing comes any more. */
  async function restInFlood(database: Database, ms: number): Promise<void> {
    let left = ms
    for (let wait: number = PAUSE_MS.min; wait > 0 && !stopping.signal.aborted; ) {
      await rest(wait)
      left -= wait
      const sinceAsked = clock.now().getTime() - (askedAt.get(database) ?? 0)
      wait = Math.min(PAUSE_MS.quiet - sinceAsked, left)
    }
  }

  return {
    settle: (database) => {
      if (stopping.signal.aborted) return
      askedAt.set(database, clock.now().getTime())
      due.add(database)
      if (running.has(database)) return
      running.set(database, run(database))
    },
    stop: async () => {
      stopping.abort()
      await Promise.all(running.values())
    },
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
