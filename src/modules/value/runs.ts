import type { Actor } from '../../platform/audit.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { recordAudit } from '../audit/actions.ts'
import { readSettings } from '../brand/actions.ts'
import type { Settings } from '../brand/schema.ts'
import { claimPending, countPending, insertPending } from '../intake/actions.ts'
import { isSubscribedToStanding, subscribeToStanding, unsubscribeFromStanding } from '../relationship/actions.ts'
import { groupHistories, type Histories } from './histories.ts'
import { NOTHING_WATCHED } from './plain-table.ts'
import { acceptEdges, fractionOf, propagate } from './propagation.ts'
import * as queries from './queries.ts'
import * as referrals from './referral-queries.ts'
import { turnsOf } from './rhythm.ts'
import {
  aliveShare,
  discountPerUnit,
  expectedOccasions,
  fitOccasions,
  fitSpend,
  parameterShare,
  personInterval,
  span,
  spanOfDays,
  totalInterval,
  valuer,
} from './rules.ts'
import {
  CALIBRATION_MOST,
  type CalibrationRow,
  type Discounting,
  type FittedOccasions,
  type FittedSpend,
  type RunReport,
  type ValueRunState,
} from './schema.ts'
import { createChangedValues, settleValues, updateRealised } from './settled-queries.ts'

/** What brands are valued by: a year ahead, in days, in twelve steps. */
const UNIT = 'day'
const MODEL = 'bg-nbd'
const YEAR_DAYS = 365
const STEPS = 12
/** The model is tried on the time that it was not shown: a third of all, a year at most. */
const HELD_BACK_SHARE = 1 / 3
/** Standing hands on whose facts it has followed, from the first run on. */
const SUBSCRIBER = 'value'
/** People followed in one transaction: what 200,000 orders change takes seconds. */
const FOLLOWED_PEOPLE = 200_000
/** People scored, and places written, at a time. */
const BATCH_ROWS = 20_000

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
    const settings = await readSettings(tx)
    await queries.createValuedPeople(tx, now, settings)
    const groups = await queries.selectHistoryGroups(tx)
    const histories = groupHistories(UNIT, groups.map(historyRow))
    if (histories.watched === 0) {
      if (await queries.selectLastFit(tx)) await follow(tx, now)
      else await unsubscribeFromStanding(tx, SUBSCRIBER)
      return undefined
    }
    const occasions = fitOccasions(MODEL, histories)
    const spend = fitSpend(await queries.selectSpendGroups(tx), await queries.selectSpendOfOccasions(tx))
    const before = await queries.selectLastFit(tx)
    const calibration = await calibrate(tx, now, settings, histories)
    const fit = {
      fitted_at: now,
      unit: UNIT,
      model_asked: MODEL,
      model: occasions.fitted.model,
      reason: occasions.reason ?? null,
      occasions: occasions.fitted.estimate,
      spend_model: spend.fitted.model,
      spend_reason: spend.reason ?? null,
      spend: spend.fitted.estimate,
      margin_rate: settings.margin_rate,
      discount_rate_per_year: settings.discount_rate_per_year,
      people: histories.people,
      repeaters: histories.repeaters,
      reachable_people: 0,
      expected_minor: 0,
      expected_low_minor: 0,
      expected_high_minor: 0,
      calibration,
      drift: before ? driftFrom(before, occasions.fitted, groups) : null,
    }
    const fitId = await queries.insertFit(tx, fit)
    const discounting = discountingOf(settings)
    const scoring = { occasions: occasions.fitted, spend: spend.fitted, discounting, periodDays: settings.period_days }
    const reachable = await scoreEverybody(tx, fitId, now, scoring)
    const uncertain = parameterShare(
      occasions.fitted,
      spend.fitted,
      discounting.horizon,
      groups
        .filter((group) => group.reachable > 0)
        .map((group) => ({
          history: historyOf(group),
          meanSpend: group.reachable_spend_minor,
          people: group.reachable,
        })),
    )
    const { expected, variance, people } = reachable
    const { low, high } = totalInterval(expected, variance + uncertain * expected * expected)
    const equity = { people, expected: Math.round(expected), low: Math.round(low), high: Math.round(high) }
    await queries.updateEquity(tx, fitId, equity)
    await referrals.createWholeRegion(tx)
    const inTrees = await referrals.createClaims(tx, now, settings.attribution_days)
    await replay(tx, settings)
    await queries.insertCuts(tx, now)
    await settleValues(tx, true, settings)
    return {
      fit_id: fitId,
      valued_at: now.toISOString(),
      people: histories.people,
      model: fit.model,
      reason: fit.reason,
      spend_model: fit.spend_model,
      spend_reason: fit.spend_reason,
      reachable_people: people,
      customer_equity_minor: equity.expected,
      customer_equity_low_minor: equity.low,
      customer_equity_high_minor: equity.high,
      drift: fit.drift,
      people_in_trees: inTrees,
    }
  })
}

/** Runs of everybody that the server does beside its requests. */
export interface ValueRuns {
  state(database: Database): ValueRunState
  /** Has everybody valued, soon. @returns false where that is under way already. */
  begin(database: Database): boolean
}

/** Somebody wants everybody valued now. Refuses nothing_watched and value_run_running; who asked is recorded. */
export async function beginValueRun(
  database: Database,
  runs: ValueRuns,
  by: Actor,
  now: Date,
): Promise<ValueRunState | Refusal> {
  if (runs.state(database).running_since !== null) return alreadyRunning()
  const refusal = await database.transaction(async (tx) => {
    if (!(await queries.hasWatched(tx, now, await readSettings(tx)))) return nothingWatched()
    await recordAudit(tx, { actor: by, operation: 'value_run', subjects: {} }, now)
    return undefined
  })
  if (refusal) return refusal
  return runs.begin(database) ? runs.state(database) : alreadyRunning()
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
  await createChangedValues(tx)
  await updateRealised(tx, now, settings)
  await referrals.createTouchedRegion(tx, now, settings.attribution_days)
  if ((await referrals.createClaims(tx, now, settings.attribution_days)) > 0) await replay(tx, settings)
  const people = await referrals.countTouched(tx)
  if (people === 0) return 0
  await settleValues(tx, false, settings)
  await insertPending(tx, now, { changed: 'settled_changes', kind: 'value' })
  return people
}

/** The referrals of `region` from scratch, by `claims_now`. */
async function replay(tx: Sql, settings: Settings): Promise<void> {
  await referrals.clearRegion(tx)
  const claims = await referrals.selectRegionClaims(tx)
  const candidates = claims.filter((claim) => claim.set_aside === null)
  const { accepted, refused } = acceptEdges(
    candidates.map((claim) => ({
      referrer: String(claim.referrer_person_id),
      invitee: String(claim.person_id),
      at: claim.claimed_at.getTime(),
    })),
  )
  const refusals = new Map(refused.map(({ index, reason }) => [candidates[index]?.claim_id, reason]))
  for (let from = 0; from < claims.length; from += BATCH_ROWS) {
    const batch = claims.slice(from, from + BATCH_ROWS)
    await referrals.insertEdges(
      tx,
      batch.map(({ claim_id }) => claim_id),
      batch.map(({ claim_id, set_aside }) => set_aside ?? refusals.get(claim_id) ?? null),
    )
  }
  const referrerOf = new Map(
    [...accepted].map(([invitee, index]) => [invitee, String(candidates[index]?.referrer_person_id)] as const),
  )
  const inTrees = new Set([...referrerOf].flat())
  const own = new Map(
    (await referrals.selectRegionValues(tx))
      .filter(({ person_id }) => inTrees.has(String(person_id)))
      .map(({ person_id, own_minor }) => [String(person_id), BigInt(own_minor)] as const),
  )
  const places = propagate(own, referrerOf, fractionOf(settings.referral_share.toFixed(4)))
  for (let from = 0; from < places.length; from += BATCH_ROWS) {
    const batch = places.slice(from, from + BATCH_ROWS)
    await referrals.insertPlaces(tx, {
      personIds: batch.map(({ person }) => Number(person)),
      depths: batch.map(({ depth }) => depth),
      allocated: batch.map(({ allocated }) => String(allocated)),
      influenced: batch.map(({ influenced }) => String(influenced)),
    })
  }
}

export function discountingOf(settings: Settings): Discounting<typeof UNIT> {
  const step = spanOfDays(UNIT, YEAR_DAYS / STEPS)
  const delta = discountPerUnit(UNIT, settings.discount_rate_per_year, 'year')
  return {
    horizon: spanOfDays(UNIT, YEAR_DAYS),
    step,
    ratePerStep: Math.expm1(delta * step),
    marginRate: settings.margin_rate ?? 1,
  }
}

interface Days {
  readonly repeats: number
  readonly last_days: number
  readonly watched_days: number
}

function historyOf({ repeats, last_days: last, watched_days: watched }: Days) {
  return { x: repeats, tX: span(UNIT, last), T: span(UNIT, watched) }
}

function historyRow(group: Days & { readonly people: number }) {
  return { ...historyOf(group), people: group.people }
}

interface Scoring {
  readonly occasions: FittedOccasions<typeof UNIT>
  readonly spend: FittedSpend
  readonly discounting: Discounting<typeof UNIT>
  readonly periodDays: number
}

/** Scores everybody in batches, and sums up who can be reached. */
async function scoreEverybody(
  tx: Sql,
  fitId: number,
  now: Date,
  { occasions, spend, discounting, periodDays }: Scoring,
): Promise<{ people: number; expected: number; variance: number }> {
  const values = valuer(occasions, spend, discounting)
  const reachable = { people: 0, expected: 0, variance: 0 }
  await queries.clearPeople(tx)
  for (let after = 0; ; ) {
    const batch = await queries.selectValuedPeople(tx, after, BATCH_ROWS)
    const scored = batch.map((person) => {
      const history = historyOf(person)
      const expectation = values.value(history, person.mean_spend_minor)
      if (person.is_reachable) {
        reachable.people += 1
        reachable.expected += expectation.margin
        reachable.variance += expectation.variance
      }
      const [late, atRisk, lapsed] = turnsOf(occasions, { x: history.x, last: history.tX }, periodDays)
      const alive = aliveShare(occasions, history)
      return { alive, expectation, ...personInterval(expectation), late, atRisk, lapsed }
    })
    await queries.insertPeople(tx, fitId, now, {
      personIds: batch.map((person) => person.person_id),
      alive: scored.map(({ alive }) => alive),
      occasions: scored.map(({ expectation }) => expectation.expectedOccasions),
      expected: scored.map(({ expectation }) => Math.round(expectation.margin)),
      low: scored.map(({ low }) => Math.round(low)),
      high: scored.map(({ high }) => Math.round(high)),
      late: scored.map(({ late }) => late),
      atRisk: scored.map(({ atRisk }) => atRisk),
      lapsed: scored.map(({ lapsed }) => lapsed),
    })
    after = batch.at(-1)?.person_id ?? 0
    if (batch.length < BATCH_ROWS) return reachable
  }
}

/** Fitted without the last part of the time, and compared with what came in it. */
async function calibrate(
  tx: Sql,
  now: Date,
  settings: Settings,
  { Ts }: Histories<typeof UNIT>,
): Promise<CalibrationRow[]> {
  const longest = Ts.reduce((most, T) => Math.max(most, T), 0)
  const days = Math.floor(Math.min(longest * HELD_BACK_SHARE, YEAR_DAYS))
  if (days < 1) return []
  const groups = await queries.selectEarlierGroups(tx, now, days, settings)
  const histories = groupHistories(UNIT, groups.map(historyRow))
  if (histories.watched === 0) return []
  const { fitted } = fitOccasions(MODEL, histories)
  const rows = new Map<number, { people: number; actual: number; expected: number }>()
  for (const group of groups) {
    const frequency = Math.min(group.repeats, CALIBRATION_MOST)
    const row = rows.get(frequency) ?? { people: 0, actual: 0, expected: 0 }
    row.people += group.people
    row.actual += group.later
    row.expected += group.people * expectedOccasions(fitted, historyOf(group), span(UNIT, days))
    rows.set(frequency, row)
  }
  return [...rows]
    .sort(([a], [b]) => a - b)
    .map(([frequency, { people, actual, expected }]) => ({
      frequency,
      people,
      days,
      actual: actual / people,
      expected: expected / people,
    }))
}

/** What everybody is expected to do in a year by the new fit, by what the earlier one says of the same histories, less 1. */
function driftFrom(
  before: queries.FitRow,
  fitted: FittedOccasions<typeof UNIT>,
  groups: readonly queries.HistoryGroup[],
): number | null {
  if (before.unit !== UNIT) return null
  const earlier = { model: before.model, unit: UNIT, estimate: before.occasions } as FittedOccasions<typeof UNIT>
  const year = spanOfDays(UNIT, YEAR_DAYS)
  let [then, present] = [0, 0]
  for (const group of groups) {
    const history = historyOf(group)
    then += group.people * expectedOccasions(earlier, history, year)
    present += group.people * expectedOccasions(fitted, history, year)
  }
  return then > 0 ? present / then - 1 : null
}
