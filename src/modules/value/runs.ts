import type { Actor } from '../../platform/audit.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { recordAudit } from '../audit/actions.ts'
import { readSettings } from '../brand/actions.ts'
import { claimPending, countPending, insertPending } from '../intake/actions.ts'
import { isSubscribedToStanding, subscribeToStanding, unsubscribeFromStanding } from '../relationship/actions.ts'
import { makeValues, replay } from './making.ts'
import { refusePast, told } from './past.ts'
import { deleteMergedPast } from './past-queries.ts'
import { NOTHING_WATCHED } from './plain-table.ts'
import * as queries from './queries.ts'
import * as referrals from './referral-queries.ts'
import type { RunReport, ValueRunState } from './schema.ts'
import { createChangedValues, settleValues, updateRealised } from './settled-queries.ts'
import { PRESENT } from './tables-queries.ts'

/** Standing hands on whose facts it has followed, from the first run on. */
const SUBSCRIBER = 'value'
/** People followed in one transaction: what 200,000 orders change takes seconds. */
const FOLLOWED_PEOPLE = 200_000

/**
 * Values everybody as of `now`: fits the models to all histories, keeps the fit beside the earlier ones, scores each person, and
 * replays every referral. One transaction: readers see the values of before until it is whole.
 *
 * @returns undefined where nobody has bought, or only today: then there is nothing to fit, and values stay as they are.
 */
export async function valueEverybody(database: Database, now: Date): Promise<RunReport | undefined> {
  // On its own: standing waits for it, and must not wait for the run.
  await database.transaction((tx) => subscribeToStanding(tx, SUBSCRIBER))
  return database.transaction(async (tx) => {
    await queries.lockValues(tx)
    // What standing has followed by now the run will see.
    await claimPending(tx, SUBSCRIBER, Number.MAX_SAFE_INTEGER)
    const report = await makeValues(tx, PRESENT, now, await readSettings(tx))
    if (!report) {
      if (await queries.selectLastFit(tx)) await follow(tx, now)
      else await unsubscribeFromStanding(tx, SUBSCRIBER)
    }
    return report
  })
}

/** Runs of everybody that the server does beside its requests. */
export interface ValueRuns {
  state(database: Database): ValueRunState
  /** Has everybody valued as of now, or of a past instant, soon. @returns false where a run is under way already. */
  begin(database: Database, asOf: Date | undefined): boolean
}

/**
 * Somebody wants everybody valued, as of now or of a past instant. Refuses nothing_watched, value_run_running, and what `refusePast` does;
 * who asked is recorded.
 */
export async function beginValueRun(
  database: Database,
  runs: ValueRuns,
  by: Actor,
  { now, asOf }: { now: Date; asOf: Date | undefined },
): Promise<ValueRunState | Refusal> {
  if (runs.state(database).running_since !== null) return alreadyRunning()
  const refusal = await database.transaction(async (tx) => {
    const settings = await readSettings(tx)
    if (asOf) {
      const refused = await refusePast(tx, asOf, now, settings)
      if (refused) return refused
    } else if (!(await queries.hasWatched(tx, now, settings))) return nothingWatched()
    const what = asOf
      ? { operation: 'value_run_past', subjects: { as_of: told(asOf, settings) } }
      : { operation: 'value_run', subjects: {} }
    await recordAudit(tx, { actor: by, ...what }, now)
    return undefined
  })
  if (refusal) return refusal
  return runs.begin(database, asOf) ? runs.state(database) : alreadyRunning()
}

export function nothingWatched(): Refusal {
  return refuse(
    'conflict',
    NOTHING_WATCHED,
    'Nobody has bought before today, so there is nothing to value people by.',
    'Import orders, or come back tomorrow.',
  )
}

function alreadyRunning(): Refusal {
  return refuse('conflict', 'value_run_running', 'Everybody is being valued already.', 'Wait until that run is done.')
}

/** Whether everybody is to be valued now: once a day, from 3 in the morning on; at once where nobody ever was. */
export async function isValueRunDue({ db }: Database, now: Date): Promise<boolean> {
  const dueAt = await queries.selectRunDueAt(db, now, await readSettings(db))
  return dueAt !== undefined && dueAt <= now
}

/**
 * Follows the facts between runs, of the people whom standing has handed on: what came in of each, and the weak components of referrals
 * in which a claim, an arrival, a merge or somebody's own value changed; these are replayed. Nothing else is read, and what is expected
 * stays that of the run.
 *
 * @returns of how many people something may be another value than before.
 */
export async function followChanges(database: Database, now: Date): Promise<number> {
  if (!(await isSubscribedToStanding(database.db, SUBSCRIBER))) {
    // A brand that was never valued pays nothing; one whose last run did not subscribe yet is followed from now on.
    if (!(await queries.selectLastFit(database.db))) return 0
    await database.transaction((tx) => subscribeToStanding(tx, SUBSCRIBER))
  }
  let people = 0
  for (let claimed = FOLLOWED_PEOPLE; claimed === FOLLOWED_PEOPLE; ) {
    claimed = await database.transaction(async (tx) => {
      await queries.lockValues(tx)
      const count = await claimPending(tx, SUBSCRIBER, FOLLOWED_PEOPLE)
      if (count > 0) people += await follow(tx, now)
      return count
    })
  }
  return people
}

/** Whether anybody waits to be followed. */
export async function isFollowDue({ db }: Database): Promise<boolean> {
  if (await isSubscribedToStanding(db, SUBSCRIBER)) return (await countPending(db, SUBSCRIBER)) > 0
  return (await queries.selectLastFit(db)) !== undefined
}

/** Of `claimed_people`. */
async function follow(tx: Sql, now: Date): Promise<number> {
  const settings = await readSettings(tx)
  await deleteMergedPast(tx)
  await createChangedValues(tx)
  await updateRealised(tx, now, settings)
  await referrals.createTouchedRegion(tx, now, settings.attribution_days)
  if ((await referrals.createClaims(tx, now, settings.attribution_days)) > 0) await replay(tx, PRESENT, settings)
  const people = await referrals.countTouched(tx)
  if (people === 0) return 0
  await settleValues(tx, false, settings)
  await insertPending(tx, now, { changed: 'settled_changes', kind: 'value' })
  return people
}
