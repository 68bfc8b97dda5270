import type { Database, Sql } from '../../platform/db.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { readSettings } from '../brand/actions.ts'
import type { Settings } from '../brand/schema.ts'
import { standingAt } from '../relationship/actions.ts'
import { makeValues, YEAR_DAYS } from './making.ts'
import {
  clearPast,
  insertPastStanding,
  type PastFit,
  selectPastFit,
  selectPurchases,
  updateCame,
  updatePastFit,
} from './past-queries.ts'
import { hasWatched, lockValues } from './queries.ts'
import type { CameSince, RunReport } from './schema.ts'
import { PAST } from './tables-queries.ts'

const DAY_MS = 86_400_000

/**
 * Values everybody as of a past instant: by the facts up to it, as they are known now, and by the settings of now. Values of now, and
 * whatever rests on them, are not touched. The past day that was kept before goes. One transaction.
 *
 * @returns what `refusePast` refuses.
 */
export function valueAsOf(database: Database, asOf: Date, now: Date): Promise<RunReport | Refusal> {
  return database.transaction(async (tx) => {
    await lockValues(tx, PAST)
    const settings = await readSettings(tx)
    const refused = await refusePast(tx, asOf, now, settings)
    if (refused) return refused
    const until = await knownUntil(tx, asOf, now)
    await clearPast(tx)
    await insertPastStanding(tx, standingAt(now, asOf, settings))
    const days = until && daysBetween(asOf, until)
    const report = await makeValues(tx, PAST, asOf, settings, days)
    if (!report) throw new Error(`The purchases before ${asOf.toISOString()} went while they were read`)
    if (until) await updateCame(tx, { at: asOf, until, now })
    await updatePastFit(tx, now, until ?? null)
    const fit = await selectPastFit(tx)
    return { ...report, as_of: asOf.toISOString(), came_since: (fit && cameSinceOf(fit)) ?? null }
  })
}

/** Refuses as_of_in_future, and before_first_order: nobody had bought before that day. */
export async function refusePast(db: Sql, asOf: Date, now: Date, settings: Settings): Promise<Refusal | undefined> {
  if (asOf >= now) {
    const remedy = 'Choose a day that has begun, or leave it out to value everybody now.'
    return refuse('invalid', 'as_of_in_future', `${told(asOf, settings)} is in the future.`, remedy)
  }
  if (await hasWatched(db, asOf, settings)) return undefined
  const first = (await selectPurchases(db, now))?.first
  return refuse(
    'conflict',
    'before_first_order',
    `Nobody had bought before the day of ${told(asOf, settings)}${first ? `: the first order is of ${told(first, settings)}` : ''}.`,
    first ? 'Choose a later day.' : 'Import orders first.',
  )
}

/** By the brand's clock, `2011-12-01 10:26`; the beginning of a day is the day. */
export function told(instant: Date, { zone }: Settings): string {
  return instant.toLocaleString('sv-SE', { timeZone: zone }).slice(0, 16).replace(' 00:00', '')
}

/**
 * Until when it is known what came after `asOf`: for a year, or until now, or until the brand's last purchase: of an import that ends
 * years ago nothing is known of the time since. Undefined where that is less than a day.
 */
async function knownUntil(tx: Sql, asOf: Date, now: Date): Promise<Date | undefined> {
  const last = (await selectPurchases(tx, now))?.last ?? asOf
  const until = new Date(Math.min(asOf.getTime() + YEAR_DAYS * DAY_MS, last.getTime()))
  return daysBetween(asOf, until) >= 1 ? until : undefined
}

function daysBetween(from: Date, to: Date): number {
  return (to.getTime() - from.getTime()) / DAY_MS
}

/** What a past run says of the time since; undefined where not a day of it is known. */
export function cameSinceOf(fit: PastFit): CameSince | undefined {
  const { known_until: until, came_minor: came, known_expected_minor: expected } = fit
  if (until === null || came === null || expected === null) return undefined
  return {
    until: until.toISOString(),
    days: daysBetween(fit.fitted_at, until),
    came_minor: came,
    expected_minor: expected,
    low_minor: fit.known_low_minor,
    high_minor: fit.known_high_minor,
  }
}
