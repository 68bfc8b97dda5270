import {
  bgNbdAlive,
  bgNbdExpected,
  bgNbdNone,
  bgNbdObjective,
  bgNbdResidual,
  bgNbdSecond,
  bgNbdStarts,
  dropoutNodes,
} from './bg-nbd.ts'
import {
  gammaGammaMean,
  gammaGammaObjective,
  gammaGammaSecond,
  gammaGammaStarts,
  inMoney,
  meanSpend,
  spendShape,
} from './gamma-gamma.ts'
import type { Histories } from './histories.ts'
import { historicRate, nbdExpected, nbdNone, nbdObjective, nbdSecond, nbdStarts } from './nbd.ts'
import { normalQuantile, type Quadrature } from './numeric.ts'
import { covarianceAt, type Minimum, minimise, type Objective } from './optimise.ts'
import {
  paretoNbdAlive,
  paretoNbdExpected,
  paretoNbdNone,
  paretoNbdObjective,
  paretoNbdResidual,
  paretoNbdSecond,
  paretoNbdStarts,
} from './pareto-nbd.ts'
import {
  type Discounting,
  type Estimate,
  type FallbackReason,
  type FittedOccasions,
  type FittedSpend,
  type History,
  type OccasionModel,
  type Span,
  type SpendGroup,
  UNIT_DAYS,
  UNIT_YEAR,
  type Unit,
} from './schema.ts'

/** Fewer people with a repeat occasion than this tell no model. */
export const REPEATERS_MIN = 100
/** Half the 5 % point of χ² with two degrees less than two more parameters would ask: a gain below it is chance. */
export const DROPOUT_GAIN_MIN = 1.92
export const SPEND_CORRELATION_MAX = 0.3
/** The middle of what is promised of an interval. */
export const INTERVAL_SHARE = 0.8

/** So many days, in the unit. */
export function spanOfDays<U extends Unit>(unit: U, days: number): Span<U> {
  return (days / UNIT_DAYS[unit]) as Span<U>
}

export function span<U extends Unit>(_unit: U, length: number): Span<U> {
  return length as Span<U>
}

export interface Fit<Fitted> {
  readonly fitted: Fitted
  /** Why it is not the model that was asked for; undefined when it is. */
  readonly reason: FallbackReason | undefined
  /** Everything that was tried, in order, the one in use last. */
  readonly tried: readonly Fitted[]
}

/**
 * The model asked for by maximum likelihood, or, labelled, the next one that the data can tell: the NBD when dropout is not
 * identified, a historic rate shrunk to that of all when there are fewer than 100 people with a repeat occasion or no maximum is
 * found.
 *
 * @param histories of at least one person, watched for some time.
 */
export function fitOccasions<U extends Unit>(
  asked: Exclude<OccasionModel, 'historic-rate'>,
  histories: Histories<U>,
): Fit<FittedOccasions<U>> {
  const { unit } = histories
  const historic: FittedOccasions<U> = { model: 'historic-rate', unit, estimate: unestimated(historicRate(histories)) }
  if (histories.repeaters < REPEATERS_MIN) return { fitted: historic, reason: 'few_repeaters', tried: [historic] }
  const nbd: FittedOccasions<U> = {
    model: 'nbd',
    unit,
    estimate: estimate(['r', 'alpha'], nbdObjective(histories), nbdStarts(histories), [[0, 1]]),
  }
  const lastResort = nbd.estimate.isConverged ? nbd : historic
  if (asked === 'nbd') {
    const reason = nbd.estimate.isConverged ? undefined : 'not_converged'
    return { fitted: lastResort, reason, tried: lastResort === nbd ? [nbd] : [nbd, historic] }
  }
  const wanted: FittedOccasions<U> = asked === 'bg-nbd' ? fitBgNbd(histories) : fitParetoNbd(histories)
  const gain = (wanted.estimate.logLikelihood ?? 0) - (nbd.estimate.logLikelihood ?? 0)
  // A likelihood that only rises towards the NBD has no maximum of its own, and its gain is nothing: that is dropout
  // unidentified, not a search that failed.
  const reason =
    nbd.estimate.isConverged && gain < DROPOUT_GAIN_MIN
      ? 'dropout_unidentified'
      : wanted.estimate.isConverged
        ? undefined
        : 'not_converged'
  if (!reason) return { fitted: wanted, reason, tried: [nbd, wanted] }
  return { fitted: lastResort, reason, tried: lastResort === nbd ? [wanted, nbd] : [wanted, nbd, historic] }
}

function fitBgNbd<U extends Unit>(histories: Histories<U>): FittedOccasions<U> {
  const found = estimate(['r', 'alpha', 'a', 'b'], bgNbdObjective(histories), bgNbdStarts(histories), NARROWING)
  return { model: 'bg-nbd', unit: histories.unit, estimate: found }
}

function fitParetoNbd<U extends Unit>(histories: Histories<U>): FittedOccasions<U> {
  const starts = paretoNbdStarts(histories)
  const found = estimate(['r', 'alpha', 's', 'beta'], paretoNbdObjective(histories), starts, NARROWING)
  return { model: 'pareto-nbd', unit: histories.unit, estimate: found }
}

/**
 * Gamma-Gamma, or, labelled, each person's mean shrunk to that of all: as if they had bought once more at it.
 *
 * @param groups of people with at least one repeat occasion and spend above 0.
 * @param ofOccasions mean of all occasions: where nobody has come again it stands in, or everybody would be worth nothing.
 */
export function fitSpend(groups: readonly SpendGroup[], ofOccasions = 0): Fit<FittedSpend> {
  const people = groups.reduce((sum, group) => sum + group.people, 0)
  const ofAll = unestimated({ mean: people > 0 ? meanSpend(groups) : Math.max(0, ofOccasions), weight: 1 })
  const mean: FittedSpend = { model: 'shrunk-mean', estimate: ofAll }
  const instead = (reason: FallbackReason, ...before: FittedSpend[]): Fit<FittedSpend> => ({
    fitted: mean,
    reason,
    tried: [...before, mean],
  })
  if (people < REPEATERS_MIN) return instead('few_repeaters')
  const { variation, correlation } = spendShape(groups)
  if (variation < 1e-6) return instead('spend_constant')
  if (correlation !== null && Math.abs(correlation) > SPEND_CORRELATION_MAX) return instead('spend_correlated')
  // In units of the mean: whatever the currency, v is of the size of the others.
  const unit = meanSpend(groups)
  const scaled = groups.map((group) => ({ ...group, meanSpend: group.meanSpend / unit }))
  const inMeans = estimate(['p', 'q', 'v'], gammaGammaObjective(scaled), gammaGammaStarts(scaled))
  const wanted: FittedSpend = { model: 'gamma-gamma', estimate: inMoney(inMeans, unit, people) }
  if (!wanted.estimate.isConverged) return instead('not_converged', wanted)
  if (wanted.estimate.parameters.q <= 1) return instead('spend_mean_infinite', wanted)
  return { fitted: wanted, reason: undefined, tried: [wanted] }
}

export function unestimated<Parameters>(parameters: Parameters): Estimate<Parameters> {
  return { parameters, logLikelihood: null, standardErrors: {}, covariance: null, isConverged: true }
}

/** Both distributions over people may narrow to one value: r and α go to ∞ together then, and so do the other two. */
const NARROWING: readonly (readonly [number, number])[] = [
  [0, 1],
  [2, 3],
]

/** The maximum of a likelihood in the logarithms of its parameters; `ratios` as `minimise` takes them. */
export function estimate<Name extends string>(
  names: readonly Name[],
  objective: Objective,
  starts: readonly (readonly number[])[],
  ratios: readonly (readonly [number, number])[] = [],
): Estimate<Readonly<Record<Name, number>>> {
  const found: Minimum = minimise(objective, starts, ratios)
  const covariance = found.isConverged ? covarianceAt(objective, found.point) : undefined
  const size = names.length
  const values = names.map((name, index) => [name, Math.exp(found.point[index] ?? 0)] as const)
  return {
    parameters: Object.fromEntries(values) as Record<Name, number>,
    logLikelihood: -found.value,
    // Where the gradient is 0, the error of a parameter is itself times the error of its logarithm.
    standardErrors: Object.fromEntries(
      values.map(([name, value], i) => [name, covariance ? value * Math.sqrt(covariance[i * size + i] ?? 0) : null]),
    ),
    covariance: covariance ? [...covariance] : null,
    isConverged: found.isConverged,
  }
}

/** The probability that the person has not dropped out; 1 in models without dropout. */
export function aliveShare<U extends Unit>({ model, estimate }: FittedOccasions<U>, history: History<U>): number {
  switch (model) {
    case 'bg-nbd':
      return bgNbdAlive(estimate.parameters, history)
    case 'pareto-nbd':
      return paretoNbdAlive(estimate.parameters, history)
    case 'nbd':
    case 'historic-rate':
      return 1
    default:
      return never(model)
  }
}

/** Expected occasions in the span after T. */
export function expectedOccasions<U extends Unit>(
  { model, estimate }: FittedOccasions<U>,
  history: History<U>,
  span: Span<U>,
): number {
  switch (model) {
    case 'bg-nbd':
      return bgNbdExpected(estimate.parameters, history, span)
    case 'pareto-nbd':
      return paretoNbdExpected(estimate.parameters, history, span)
    case 'nbd':
    case 'historic-rate':
      return nbdExpected(estimate.parameters, history, span)
    default:
      return never(model)
  }
}

/** Expected repeat occasions of somebody new in the span after their first. */
export function expectedOfNew<U extends Unit>(fitted: FittedOccasions<U>, length: Span<U>): number {
  return expectedOccasions(fitted, NEW as History<U>, length)
}
const NEW = { x: 0, tX: 0, T: 0 }

/**
 * Discounted expected residual transactions: all occasions still to come, each discounted continuously at δ per unit. Null at
 * δ = 0, where the sum may have no end.
 */
export function residualOccasions<U extends Unit>(
  { model, estimate }: FittedOccasions<U>,
  history: History<U>,
  delta: number,
): number | null {
  if (!(delta > 0)) return null
  switch (model) {
    case 'bg-nbd':
      return bgNbdResidual(estimate.parameters, history, delta)
    case 'pareto-nbd':
      return paretoNbdResidual(estimate.parameters, history, delta)
    case 'nbd':
    case 'historic-rate':
      return nbdExpected(estimate.parameters, history, 1) / delta
    default:
      return never(model)
  }
}

/** Per unit, of a rate per year or per step. */
export function discountPerUnit(unit: Unit, rate: number, per: 'year' | { readonly step: number }): number {
  return Math.log1p(rate) / (per === 'year' ? UNIT_YEAR[unit] : per.step)
}

/** Expected spend of an occasion of somebody with so many repeat occasions of so much on average (0 without one). */
export function expectedSpend({ model, estimate }: FittedSpend, x: number, spend: number): number {
  switch (model) {
    case 'gamma-gamma':
      return gammaGammaMean(estimate.parameters, x, spend)
    case 'shrunk-mean': {
      const { mean, weight } = estimate.parameters
      return (x * spend + weight * mean) / (x + weight)
    }
    default:
      return never(model)
  }
}

/** Some 80 MB. */
const HISTORIES_KEPT = 400_000

/** The moments of E[Y(Y − 1)] need nodes that depend on x alone: made once for all people. */
export function valuer<U extends Unit>(fitted: FittedOccasions<U>, spend: FittedSpend, discounting: Discounting<U>) {
  const { horizon, step, ratePerStep, marginRate } = discounting
  const nodesOf = fitted.model === 'bg-nbd' ? dropoutNodes(fitted.estimate.parameters, 16) : undefined
  // Without a discount steps make no difference: 100,000 weeks by months took minutes.
  const ends = ratePerStep === 0 ? [horizon] : stepEnds(horizon, step)
  const factors = ends.map((end) => Math.exp((-Math.log1p(ratePerStep) * end) / step))
  const occasions = (history: History<U>) => {
    let [expected, discounted] = [0, 0]
    ends.forEach((end, index) => {
      const until = expectedOccasions(fitted, history, end)
      discounted += (until - expected) * (factors[index] ?? 1)
      expected = until
    })
    const second = secondMoment(fitted, history, horizon, nodesOf)
    return { expected, discounted, second, none: noneShare(fitted, history, horizon) }
  }
  // A third of a million people have a history that nobody had before them, and of a young shop hardly anybody: there one takes 0.2 ms.
  const seen = new Map<string, ReturnType<typeof occasions>>()
  const occasionsOf = (history: History<U>) => {
    const key = `${history.x} ${history.tX} ${history.T}`
    const known = seen.get(key) ?? occasions(history)
    if (seen.size >= HISTORIES_KEPT) seen.clear()
    seen.set(key, known)
    return known
  }
  const value = (history: History<U>, meanSpendOfRepeats: number): PersonExpectation => {
    const mean = expectedSpend(spend, history.x, meanSpendOfRepeats)
    const { expected, discounted, second, none } = occasionsOf(history)
    const ratio = expected > 0 ? discounted / expected : 1
    const [ofSquares, ofCounts] = spendSecond(spend, history.x, meanSpendOfRepeats)
    const square = ofSquares * (second + expected) + ofCounts * expected
    const scale = marginRate * ratio
    return {
      expectedOccasions: expected,
      expectedSpend: mean,
      margin: marginRate * discounted * mean,
      variance: Math.max(0, square - (expected * mean) ** 2) * scale * scale,
      none,
    }
  }
  return {
    /** What the person is expected to bring in the horizon, and how far that may go wrong. */
    value,
    /** Where what they bring falls with probability 0.8. */
    interval: (history: History<U>, meanSpendOfRepeats: number) => personInterval(value(history, meanSpendOfRepeats)),
  }
}

export interface PersonExpectation {
  readonly expectedOccasions: number
  readonly expectedSpend: number
  /** Discounted. */
  readonly margin: number
  /** Of the realised discounted margin, by the parameters as they stand. */
  readonly variance: number
  /** P(no occasion in the horizon). */
  readonly none: number
}

/** The ends of the steps of a horizon; the last step may be shorter. */
export function stepEnds<U extends Unit>(horizon: Span<U>, step: Span<U>): Span<U>[] {
  const whole = Math.floor(horizon / step + 1e-9)
  const ends = Array.from({ length: whole }, (_, index) => ((index + 1) * step) as Span<U>)
  if (whole === 0 || horizon - whole * step > 1e-9 * step) ends.push(horizon)
  return ends
}

function secondMoment<U extends Unit>(
  { model, estimate }: FittedOccasions<U>,
  history: History<U>,
  span: Span<U>,
  nodesOf: ((x: number) => Quadrature) | undefined,
): number {
  switch (model) {
    case 'bg-nbd':
      return bgNbdSecond(estimate.parameters, history, span, nodesOf ?? dropoutNodes(estimate.parameters, 16))
    case 'pareto-nbd':
      return paretoNbdSecond(estimate.parameters, history, span)
    case 'nbd':
    case 'historic-rate':
      return nbdSecond(estimate.parameters, history, span)
    default:
      return never(model)
  }
}

function noneShare<U extends Unit>(
  { model, estimate }: FittedOccasions<U>,
  history: History<U>,
  span: Span<U>,
): number {
  switch (model) {
    case 'bg-nbd':
      return bgNbdNone(estimate.parameters, history, span)
    case 'pareto-nbd':
      return paretoNbdNone(estimate.parameters, history, span)
    case 'nbd':
    case 'historic-rate':
      return nbdNone(estimate.parameters, history, span)
    default:
      return never(model)
  }
}

/** E[S²] of the sum of Y occasions is first·E[Y²] + second·E[Y]. */
function spendSecond(spend: FittedSpend, x: number, meanSpendOfRepeats: number): [number, number] {
  if (spend.model === 'gamma-gamma') return gammaGammaSecond(spend.estimate.parameters, x, meanSpendOfRepeats)
  // Without a model of spread: as if each occasion were exponential around the mean, a wide guess.
  const mean = expectedSpend(spend, x, meanSpendOfRepeats)
  return [mean * mean, mean * mean]
}

export interface Interval {
  readonly low: number
  readonly high: number
}

/**
 * Where the realised margin of one person falls with probability 0.8: nothing with the probability `none`, else log-normal with
 * the mean and variance that are left.
 */
export function personInterval({ margin, variance, none }: PersonExpectation): Interval {
  const some = 1 - none
  if (!(some > 1e-12) || !(margin > 0)) return { low: 0, high: 0 }
  const mean = margin / some
  const square = (variance + margin * margin) / some
  const width = Math.log(Math.max(1, square / (mean * mean)))
  const at = (share: number) =>
    share <= none ? 0 : Math.exp(Math.log(mean) - width / 2 + Math.sqrt(width) * normalQuantile((share - none) / some))
  const tail = (1 - INTERVAL_SHARE) / 2
  return { low: at(tail), high: at(1 - tail) }
}

/** Where the margin of many together falls with probability 0.8: log-normal, with the variance of chance and of what is only estimated. */
export function totalInterval(mean: number, variance: number): Interval {
  if (!(mean > 0)) return { low: 0, high: 0 }
  const width = Math.log1p(variance / (mean * mean))
  const z = normalQuantile((1 + INTERVAL_SHARE) / 2)
  const at = (sign: number) => Math.exp(Math.log(mean) - width / 2 + sign * z * Math.sqrt(width))
  return { low: at(-1), high: at(1) }
}

/**
 * The variance that a total has because its parameters are estimates: gradient·covariance·gradient, over the logarithms, the
 * gradient by central differences.
 *
 * @param total of the parameters it is given.
 */
export function parameterVariance<Parameters extends object>(
  { parameters, covariance }: Estimate<Parameters>,
  total: (parameters: Parameters) => number,
): number {
  if (!covariance) return 0
  const names = Object.keys(parameters)
  const step = 1e-3
  const moved = (name: string, by: number) => {
    const value = (parameters as Record<string, number>)[name] ?? 0
    return total({ ...parameters, [name]: value * Math.exp(by) })
  }
  const slopes = names.map((name) => (moved(name, step) - moved(name, -step)) / (2 * step))
  return slopes.reduce(
    (sum, slope, i) =>
      sum + slopes.reduce((row, other, j) => row + slope * other * (covariance[i * names.length + j] ?? 0), 0),
    0,
  )
}

export interface ValuedPeople<U extends Unit> {
  readonly history: History<U>
  readonly meanSpend: number
  readonly people: number
}

export interface CohortValue extends Interval {
  /** Discounted. */
  readonly margin: number
  /** Of the realised margin: by chance, and because parameters are estimates. */
  readonly variance: number
}

/** What people are expected to bring together in the horizon, with the interval of what they will have brought. */
export function cohortValue<U extends Unit>(
  occasions: FittedOccasions<U>,
  spend: FittedSpend,
  discounting: Discounting<U>,
  rows: readonly ValuedPeople<U>[],
): CohortValue {
  const { horizon } = discounting
  const values = valuer(occasions, spend, discounting)
  let [margin, variance] = [0, 0]
  for (const { history, meanSpend: own, people } of rows) {
    const expectation = values.value(history, own)
    margin += people * expectation.margin
    variance += people * expectation.variance
  }
  const uncertain = parameterShare(occasions, spend, horizon, rows)
  // Discounting and margin rate shrink what is uncertain as they shrink what is expected.
  const all = variance + uncertain * margin * margin
  return { margin, variance: all, ...totalInterval(margin, all) }
}

/**
 * The variance of what people spend together in the horizon that comes from parameters being estimates, by the square of the
 * mean.
 */
export function parameterShare<U extends Unit>(
  occasions: FittedOccasions<U>,
  spend: FittedSpend,
  horizon: Span<U>,
  rows: readonly ValuedPeople<U>[],
): number {
  const total = (given: FittedOccasions<U>, givenSpend: FittedSpend) =>
    rows.reduce(
      (sum, { history, meanSpend: own, people }) =>
        sum + people * expectedOccasions(given, history, horizon) * expectedSpend(givenSpend, history.x, own),
      0,
    )
  const uncertain =
    parameterVariance<object>(occasions.estimate, (parameters) =>
      total({ ...occasions, estimate: { ...occasions.estimate, parameters } } as FittedOccasions<U>, spend),
    ) +
    parameterVariance<object>(spend.estimate, (parameters) =>
      total(occasions, { ...spend, estimate: { ...spend.estimate, parameters } } as FittedSpend),
    )
  const mean = total(occasions, spend)
  return mean > 0 ? uncertain / (mean * mean) : 0
}

function never(value: never): never {
  throw new TypeError(`There is no model ${String(value)}`)
}
