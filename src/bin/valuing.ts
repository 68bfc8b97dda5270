import { isValueRunDue, refreshReferrals, valueEverybody } from '../modules/value/actions.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'

/** Values are made anew off the request path: whole each night, referrals also between. */
export interface Valuing {
  /** Somebody's facts changed: referrals may have. */
  note(database: Database): void
  /** Does for one database what is due, unless that is under way. A failure is told and tried again at the next call. */
  run(database: Database): Promise<void>
}

export function createValuing(clock: Clock, log: (sentence: string) => void): Valuing {
  const changed = new Set<Database>()
  const running = new Set<Database>()
  return {
    note: (database) => changed.add(database),
    run: async (database) => {
      if (running.has(database)) return
      running.add(database)
      try {
        if (await isValueRunDue(database, clock.now())) {
          changed.delete(database)
          await valueEverybody(database, clock.now())
        } else if (changed.delete(database)) await refreshReferrals(database, clock.now())
      } catch (error) {
        changed.add(database)
        log(`Values could not be made: ${error instanceof Error ? error.message : String(error)}`)
      } finally {
        running.delete(database)
      }
    },
  }
}
