import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import { groupHistories, type Histories } from './histories.ts'
import { insertExpectedSince, updateExpectedSince } from './past-queries.ts'
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
  type PersonExpectation,
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
} from './schema.ts'
import { settleValues } from './settled-queries.ts'
import type { ValueTables } from './tables-queries.ts'

/** What brands are valued by: a year ahead, in days, in twelve steps. */
const UNIT = 'day'
const MODEL = 'bg-nbd'
export const YEAR_DAYS = 365
const STEPS = 12
/** The model is tried on the time that it was not shown: a third of all, a year at most. */
const HELD_BACK_SHARE = 1 / 3
/** People scored, and places written, at a time. */
const BATCH_ROWS = 20_000

/**
 * Makes all that `tables` hold, by the facts up to `at`.
 *
 * @param sinceDays of a past day: of how many days since it is known what came. Then what was to be expected in them is made too.
 * @returns undefined where nobody had bought before the day of `at`: then nothing was written.
 */
export async function makeValues(
  tx: Sql,
  tables: ValueTables,
  at: Date,
  settings: Settings,
  sinceDays?: number,
): Promise<RunReport | undefined> {
  await queries.createValuedPeople(tx, tables, at, settings)
  const groups = await queries.selectHistoryGroups(tx)
  const histories = groupHistories(UNIT, groups.map(historyRow))
  if (histories.watched === 0) return undefined
  const occasions = fitOccasions(MODEL, histories)
  const spend = fitSpend(await queries.selectSpendGroups(tx), await queries.selectSpendOfOccasions(tx))
  const before = await queries.selectLastFit(tx, tables)
  const calibration = await calibrate(tx, at, settings, histories)
  const fit = {
    fitted_at: at,
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
  const fitId = await queries.insertFit(tx, tables, fit)
  const fitted = { occasions: occasions.fitted, spend: spend.fitted }
  const year = expectations(fitted, discountingOf(settings), groups)
  const since = sinceDays === undefined ? undefined : expectations(fitted, undiscounted(settings, sinceDays), groups)
  const scoring = { occasions: occasions.fitted, periodDays: settings.period_days, year, since }
  await scoreEverybody(tx, tables, { fitId, at }, scoring)
  const equity = year.total()
  await queries.updateEquity(tx, tables, fitId, equity)
  if (since) await updateExpectedSince(tx, fitId, since.total())
  await referrals.createWholeRegion(tx, tables, at)
  const inTrees = await referrals.createClaims(tx, at, settings.attribution_days)
  await replay(tx, tables, settings)
  await queries.insertCuts(tx, tables, at)
  await settleValues(tx, true, settings, tables)
  return {
    fit_id: fitId,
    valued_at: at.toISOString(),
    people: histories.people,
    model: fit.model,
    reason: fit.reason,
    spend_model: fit.spend_model,
    spend_reason: fit.spend_reason,
    reachable_people: equity.people,
    customer_equity_minor: equity.expected,
    customer_equity_low_minor: equity.low,
    customer_equity_high_minor: equity.high,
    drift: fit.drift,
    people_in_trees: inTrees,
    as_of: null,
    came_since: null,
  }
}

/** The referrals of `region` from scratch, by `claims_now`. */
export async function replay(tx: Sql, tables: ValueTables, settings: Settings): Promise<void> {
  await referrals.clearRegion(tx, tables)
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
      tables,
      batch.map(({ claim_id }) => claim_id),
      batch.map(({ claim_id, set_aside }) => set_aside ?? refusals.get(claim_id) ?? null),
    )
  }
  const referrerOf = new Map(
    [...accepted].map(([invitee, index]) => [invitee, String(candidates[index]?.referrer_person_id)] as const),
  )
  const inTrees = new Set([...referrerOf].flat())
  const own = new Map(
    (await referrals.selectRegionValues(tx, tables))
      .filter(({ person_id }) => inTrees.has(String(person_id)))
      .map(({ person_id, own_minor }) => [String(person_id), BigInt(own_minor)] as const),
  )
  const places = propagate(own, referrerOf, fractionOf(settings.referral_share.toFixed(4)))
  for (let from = 0; from < places.length; from += BATCH_ROWS) {
    const batch = places.slice(from, from + BATCH_ROWS)
    await referrals.insertPlaces(tx, tables, {
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

/** The same for so many days at once: what came in them is money of their days. */
function undiscounted(settings: Settings, days: number): Discounting<typeof UNIT> {
  const horizon = spanOfDays(UNIT, days)
  return { horizon, step: horizon, ratePerStep: 0, marginRate: settings.margin_rate ?? 1 }
}

interface Fitted {
  readonly occasions: FittedOccasions<typeof UNIT>
  readonly spend: FittedSpend
}

/** What is expected of each person in some time, and of those who can be reached together. */
function expectations(
  { occasions, spend }: Fitted,
  discounting: Discounting<typeof UNIT>,
  groups: readonly queries.HistoryGroup[],
) {
  const values = valuer(occasions, spend, discounting)
  const reachable = { people: 0, expected: 0, variance: 0 }
  return {
    of: (person: queries.ValuedPerson): PersonExpectation => {
      const expectation = values.value(historyOf(person), person.mean_spend_minor)
      if (person.is_reachable) {
        reachable.people += 1
        reachable.expected += expectation.margin
        reachable.variance += expectation.variance
      }
      return expectation
    },
    /** Of all who were asked about and can be reached. */
    total: (): queries.Total => {
      const { people, expected, variance } = reachable
      const known = groups
        .filter((group) => group.reachable > 0)
        .map((group) => ({
          history: historyOf(group),
          meanSpend: group.reachable_spend_minor,
          people: group.reachable,
        }))
      const uncertain = parameterShare(occasions, spend, discounting.horizon, known)
      const { low, high } = totalInterval(expected, variance + uncertain * expected * expected)
      return { people, expected: Math.round(expected), low: Math.round(low), high: Math.round(high) }
    },
  }
}
type Expectations = ReturnType<typeof expectations>

interface Scoring {
  readonly occasions: FittedOccasions<typeof UNIT>
  readonly periodDays: number
  readonly year: Expectations
  /** Of the days since a past one. */
  readonly since: Expectations | undefined
}

/** Scores everybody, in batches. */
async function scoreEverybody(
  tx: Sql,
  tables: ValueTables,
  run: { readonly fitId: number; readonly at: Date },
  { occasions, periodDays, year, since }: Scoring,
): Promise<void> {
  await queries.clearPeople(tx, tables)
  for (let after = 0; ; ) {
    const batch = await queries.selectValuedPeople(tx, after, BATCH_ROWS)
    const personIds = batch.map((person) => person.person_id)
    const scored = batch.map((person) => {
      const history = historyOf(person)
      const expectation = year.of(person)
      const [late, atRisk, lapsed] = turnsOf(occasions, { x: history.x, last: history.tX }, periodDays)
      const alive = aliveShare(occasions, history)
      return { alive, expectation, ...personInterval(expectation), late, atRisk, lapsed }
    })
    await queries.insertPeople(tx, tables, run, {
      personIds,
      alive: scored.map(({ alive }) => alive),
      occasions: scored.map(({ expectation }) => expectation.expectedOccasions),
      expected: scored.map(({ expectation }) => Math.round(expectation.margin)),
      low: scored.map(({ low }) => Math.round(low)),
      high: scored.map(({ high }) => Math.round(high)),
      late: scored.map(({ late }) => late),
      atRisk: scored.map(({ atRisk }) => atRisk),
      lapsed: scored.map(({ lapsed }) => lapsed),
    })
    if (since) {
      const expected = batch.map((person) => Math.round(since.of(person).margin))
      await insertExpectedSince(tx, personIds, expected)
    }
    after = batch.at(-1)?.person_id ?? 0
    if (batch.length < BATCH_ROWS) return
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
