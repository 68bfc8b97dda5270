import { bgNbdProbabilities } from './bg-nbd.ts'
import { spendShape } from './gamma-gamma.ts'
import { groupHistories, groupsOf, type Histories } from './histories.ts'
import { nbdProbabilities } from './nbd.ts'
import { type Payment, type Purchases, purchasesUntil } from './purchases.ts'
import {
  aliveShare,
  cohortValue,
  estimate,
  expectedOccasions,
  expectedOfNew,
  type Fit,
  fitOccasions,
  fitSpend,
  type Interval,
  personInterval,
  REPEATERS_MIN,
  residualOccasions,
  spanOfDays,
  unestimated,
  valuer,
} from './rules.ts'
import {
  type Renewals,
  SBG_STARTS,
  type SbgParameters,
  sbgExpected,
  sbgObjective,
  sbgResidual,
  sbgSurvival,
} from './sbg.ts'
import {
  CALIBRATION_MOST,
  type Discounting,
  type Estimate,
  type FallbackReason,
  type FittedOccasions,
  type FittedSpend,
  type Span,
  type SpendGroup,
  UNIT_DAYS,
  type Unit,
} from './schema.ts'

/** How a plain table of payments is valued; spans in the unit. */
export interface PlainOptions<U extends Unit> {
  readonly unit: U
  /** The last day that is known, in the days of the payments. */
  readonly until: number
  readonly discounting: Discounting<U>
  /** Continuous rate per unit for the residual occasions. */
  readonly delta: number
}

export interface Calibration {
  /** Where the rows compared with come from: after `until`, or held back before it and the model fitted without them. */
  readonly split: 'later_rows' | 'held_back'
  readonly fromDay: number
  readonly toDay: number
  readonly rows: readonly {
    readonly frequency: number
    readonly people: number
    readonly actual: number
    readonly expected: number
  }[]
}

export interface PlainCustomer extends Interval {
  readonly purchases: Purchases
  readonly x: number
  readonly tX: number
  readonly T: number
  readonly alive: number
  readonly expectedOccasions: number
  readonly expectedSpend: number
  readonly residual: number | null
  readonly clv: number
}

export interface PlainValues<U extends Unit> {
  readonly occasions: Fit<FittedOccasions<U>>
  readonly spend: Fit<FittedSpend>
  readonly spendPeople: number
  readonly correlation: number | null
  readonly histories: Histories<U>
  readonly calibration: Calibration | undefined
  readonly tracking: readonly { readonly at: number; readonly actual: number; readonly expected: number }[]
  readonly ofNew: { readonly expected: number; readonly probabilities: readonly number[] | undefined }
  readonly total: Interval & { readonly clv: number }
  readonly customers: readonly PlainCustomer[]
}

/** A new person's probabilities are given for this many occasions and fewer. */
const PROBABILITIES_MOST = 20
/** A table that ends with the last known day is fitted again without this share of its time. */
const HELD_BACK_SHARE = 1 / 3

/** Nobody had bought by the end, or nobody was watched for a day. */
export const NOTHING_WATCHED = 'nothing_watched'

export function valuePayments<U extends Unit>(
  asked: 'bg-nbd' | 'pareto-nbd',
  payments: readonly Payment[],
  options: PlainOptions<U>,
): PlainValues<U> | typeof NOTHING_WATCHED {
  const { unit, until, discounting, delta } = options
  const purchases = purchasesUntil(payments, until)
  const histories = historiesOf(unit, purchases)
  if (histories.watched === 0) return NOTHING_WATCHED
  const occasions = fitOccasions(asked, histories)
  const groups = spendGroups(purchases)
  const spend = fitSpend(groups, spendOfOccasions(purchases))
  const values = valuer(occasions.fitted, spend.fitted, discounting)
  const residuals = new Map<string, number | null>()
  const customers = purchases.map((own): PlainCustomer => {
    const history = historyOf(unit, own)
    const expectation = values.value(history, own.repeatSpend)
    // An integral of its own for each history: equal people have it worked out once.
    const key = `${own.x} ${own.txDays} ${own.TDays}`
    const residual = residuals.get(key) ?? residualOccasions(occasions.fitted, history, delta)
    residuals.set(key, residual)
    return {
      purchases: own,
      ...history,
      alive: aliveShare(occasions.fitted, history),
      expectedOccasions: expectation.expectedOccasions,
      expectedSpend: expectation.expectedSpend,
      residual,
      clv: expectation.margin,
      ...personInterval(expectation),
    }
  })
  const total = cohortValue(
    occasions.fitted,
    spend.fitted,
    discounting,
    purchases.map((own) => ({ history: historyOf(unit, own), meanSpend: own.repeatSpend, people: 1 })),
  )
  return {
    occasions,
    spend,
    spendPeople: groups.reduce((sum, { people }) => sum + people, 0),
    correlation: groups.length > 0 ? spendShape(groups).correlation : null,
    histories,
    calibration: calibrate(asked, payments, purchases, occasions.fitted, options),
    tracking: track(occasions.fitted, purchases, unit, until),
    ofNew: {
      expected: expectedOfNew(occasions.fitted, discounting.horizon),
      probabilities: probabilitiesOfNew(occasions.fitted, discounting.horizon),
    },
    total: { clv: total.margin, low: total.low, high: total.high },
    customers,
  }
}

/** Undefined for Pareto/NBD, whose probabilities are sums that nobody has asked for. */
function probabilitiesOfNew<U extends Unit>({ model, estimate }: FittedOccasions<U>, length: Span<U>) {
  if (model === 'pareto-nbd') return undefined
  return model === 'bg-nbd'
    ? bgNbdProbabilities(estimate.parameters, length, PROBABILITIES_MOST)
    : nbdProbabilities(estimate.parameters, length, PROBABILITIES_MOST)
}

export function spendGroups(purchases: readonly Purchases[]): SpendGroup[] {
  return purchases
    .filter(({ x, repeatSpend }) => x > 0 && repeatSpend > 0)
    .map(({ x, repeatSpend }) => ({ x, meanSpend: repeatSpend, people: 1 }))
}

function spendOfOccasions(purchases: readonly Purchases[]): number {
  const occasions = purchases.reduce((sum, { x }) => sum + x + 1, 0)
  return purchases.reduce((sum, { x, meanSpend }) => sum + (x + 1) * meanSpend, 0) / occasions
}

function historyOf<U extends Unit>(unit: U, { x, txDays, TDays }: Purchases) {
  return { x, tX: spanOfDays(unit, txDays), T: spanOfDays(unit, TDays) }
}

function historiesOf<U extends Unit>(unit: U, purchases: readonly Purchases[]): Histories<U> {
  return groupHistories(
    unit,
    purchases.map((own) => historyOf(unit, own)),
  )
}

/** Each frequency's mean of what was expected and of what came, over time that the model has not seen. */
function calibrate<U extends Unit>(
  asked: 'bg-nbd' | 'pareto-nbd',
  payments: readonly Payment[],
  purchases: readonly Purchases[],
  fitted: FittedOccasions<U>,
  { unit, until }: PlainOptions<U>,
): Calibration | undefined {
  const days = payments.map(({ day }) => day)
  const [first, last] = [minimum(days), -minimum(days.map((day) => -day))]
  if (last > until) return compare('later_rows', unit, purchases, fitted, until, last)
  const earlier = Math.floor(until - (until - first) * HELD_BACK_SHARE)
  const before = purchasesUntil(payments, earlier)
  const histories = historiesOf(unit, before)
  if (earlier >= until || histories.watched === 0) return undefined
  return compare('held_back', unit, before, fitOccasions(asked, histories).fitted, earlier, until)
}

function compare<U extends Unit>(
  split: Calibration['split'],
  unit: U,
  purchases: readonly Purchases[],
  fitted: FittedOccasions<U>,
  fromDay: number,
  toDay: number,
): Calibration {
  const actual = new Map<number, number>()
  for (const { x, laterDays } of purchases) {
    const frequency = Math.min(x, CALIBRATION_MOST)
    const inTime = laterDays.filter((day) => day <= toDay - fromDay).length
    actual.set(frequency, (actual.get(frequency) ?? 0) + inTime)
  }
  const rows = expectedByFrequency(fitted, historiesOf(unit, purchases), spanOfDays(unit, toDay - fromDay))
  return {
    split,
    fromDay,
    toDay,
    rows: rows.map((row) => ({ ...row, actual: (actual.get(row.frequency) ?? 0) / row.people })),
  }
}

/**
 * Repeat occasions of all up to the end of each week since the first purchase, and what the model expects of people who began when
 * they did. A week ends on its seventh day.
 */
function track<U extends Unit>(fitted: FittedOccasions<U>, purchases: readonly Purchases[], unit: U, until: number) {
  const longest = -minimum(purchases.map(({ TDays }) => -TDays))
  const latest = -minimum(purchases.flatMap(({ laterDays }) => laterDays.map((day) => -day)).concat(0))
  const born = new Map<number, number>()
  const repeats: number[] = []
  for (const { TDays, days, laterDays } of purchases) {
    const birth = longest - TDays
    born.set(birth, (born.get(birth) ?? 0) + 1)
    for (const day of days.slice(1)) repeats.push(longest + day - until)
    for (const day of laterDays) repeats.push(longest + day)
  }
  repeats.sort((a, b) => a - b)
  const weeks = Math.min(Math.ceil((longest + latest + 1) / UNIT_DAYS.week), TRACKED_WEEKS_MAX)
  let seen = 0
  return Array.from({ length: weeks }, (_, index) => {
    const end = (index + 1) * UNIT_DAYS.week
    while ((repeats[seen] ?? end) < end) seen += 1
    let expected = 0
    for (const [birth, people] of born) {
      if (birth < end) expected += people * expectedOfNew(fitted, spanOfDays(unit, end - birth))
    }
    return { at: index + 1, actual: seen, expected }
  })
}
const TRACKED_WEEKS_MAX = 1000

function minimum(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
}

export interface PlainContracts {
  readonly estimate: Estimate<SbgParameters>
  /** Why it is one rate of leaving for everybody, and not one of their own. */
  readonly reason: FallbackReason | undefined
  readonly renewals: Renewals
  /** Of those whose renewal t was due, how many renewed, and how many the model expects to. */
  readonly calibration: readonly {
    readonly period: number
    readonly people: number
    readonly actual: number
    readonly expected: number
  }[]
  readonly customers: readonly PlainCustomer[]
}

/** A payment may come this share of a period late or early: months and years are not all of one length. */
const PERIOD_GRACE = 0.1

/** Contracts from payments: one a period, `discounting.step` long; who missed a payment that was due has left. */
export function valueContracts<U extends Unit>(
  payments: readonly Payment[],
  { unit, until, discounting }: PlainOptions<U>,
): PlainContracts {
  const { horizon, step, ratePerStep, marginRate } = discounting
  const periodDays = step * UNIT_DAYS[unit]
  const contracts = purchasesUntil(payments, until).map((own) => {
    const renewed = Math.round(own.txDays / periodDays)
    const due = Math.floor(own.TDays / periodDays + PERIOD_GRACE)
    return { own, renewed, isStaying: renewed >= due }
  })
  const left: number[] = []
  const staying: number[] = []
  for (const { renewed, isStaying } of contracts) {
    const list = isStaying ? staying : left
    while (list.length <= renewed) list.push(0)
    list[renewed] = (list[renewed] ?? 0) + 1
  }
  const fitted = fitContracts({ left, staying })
  const periods = Math.floor(horizon / step + 1e-9)
  const customers = contracts.map(({ own, renewed, isStaying }): PlainCustomer => {
    const expected = isStaying ? sbgExpected(fitted.estimate.parameters, renewed, periods) : 0
    let clv = 0
    for (let next = 1; isStaying && next <= periods; next += 1) {
      clv += sbgSurvival(fitted.estimate.parameters, renewed, next) / (1 + ratePerStep) ** next
    }
    const margin = own.meanSpend * marginRate
    return {
      purchases: own,
      ...historyOf(unit, own),
      x: renewed,
      alive: isStaying ? 1 : 0,
      expectedOccasions: expected,
      expectedSpend: own.meanSpend,
      residual:
        ratePerStep > 0 ? (isStaying ? sbgResidual(fitted.estimate.parameters, renewed, ratePerStep) : 0) : null,
      clv: clv * margin,
      ...contractInterval(fitted.estimate.parameters, isStaying, renewed, periods, ratePerStep, margin),
    }
  })
  return { ...fitted, customers }
}

/** Payments come one after the other until none comes: a quantile of their sum is the sum up to a quantile of their number. */
function contractInterval(
  parameters: SbgParameters,
  isStaying: boolean,
  renewed: number,
  periods: number,
  rate: number,
  margin: number,
): Interval {
  let [low, high] = [0, 0]
  for (let next = 1; isStaying && next <= periods; next += 1) {
    const survival = sbgSurvival(parameters, renewed, next)
    const payment = margin / (1 + rate) ** next
    if (survival > 0.9) low += payment
    if (survival > 0.1) high += payment
  }
  return { low, high }
}

export function fitContracts(renewals: Renewals): Omit<PlainContracts, 'customers'> {
  const { left, staying } = renewals
  const length = Math.max(left.length, staying.length - 1)
  const sum = (list: readonly number[], from: number) => list.slice(from).reduce((all, people) => all + people, 0)
  const asked = estimate(['alpha', 'beta'], sbgObjective(renewals), SBG_STARTS)
  const reason = sum(left, 1) + sum(staying, 1) < REPEATERS_MIN ? 'few_repeaters' : toldBy(asked)
  const fitted = reason ? unestimated(leavingRate(renewals)) : asked
  const calibration = Array.from({ length }, (_, index) => {
    const renewed = sum(left, index + 1) + sum(staying, index + 1)
    const people = renewed + (left[index] ?? 0)
    return {
      period: index + 1,
      people,
      actual: renewed,
      expected: people * sbgSurvival(fitted.parameters, index, 1),
    }
  })
  return { estimate: fitted, reason, renewals, calibration }
}

/** Of a likelihood that only rises towards one rate for all, or towards nobody who leaves, there are no errors. */
function toldBy({ isConverged, covariance }: Estimate<SbgParameters>): FallbackReason | undefined {
  return isConverged && covariance ? undefined : 'not_converged'
}

/** One rate of leaving for everybody, as all renewals that were due together tell it: half of one more left, and half renewed. */
function leavingRate({ left, staying }: Renewals): SbgParameters {
  const gone = left.reduce((all, people) => all + people, 0)
  return { alpha: gone + 0.5, beta: renewalsIn(left) + renewalsIn(staying) + 0.5 }
}

/** `list[n]` people have renewed n times each. */
function renewalsIn(list: readonly number[]): number {
  return list.reduce((all, people, renewed) => all + people * renewed, 0)
}

/** What people with 0, 1, … 6, 7 and more repeat occasions were expected to do afterwards. */
function expectedByFrequency<U extends Unit>(
  fitted: FittedOccasions<U>,
  histories: Histories<U>,
  length: Span<U>,
): { readonly frequency: number; readonly people: number; readonly expected: number }[] {
  const rows = Array.from({ length: CALIBRATION_MOST + 1 }, (_, frequency) => ({ frequency, people: 0, expected: 0 }))
  for (const [history, people] of groupsOf(histories)) {
    const row = rows[Math.min(history.x, CALIBRATION_MOST)]
    if (!row) continue
    row.people += people
    row.expected += people * expectedOccasions(fitted, history, length)
  }
  return rows.filter(({ people }) => people > 0).map((row) => ({ ...row, expected: row.expected / row.people }))
}
