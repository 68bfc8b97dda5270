import { digamma, logGamma } from './numeric.ts'
import type { Objective } from './optimise.ts'
import type { Estimate, SpendGroup, SpendParameters } from './schema.ts'

/**
 * Gamma-Gamma (Fader & Hardie 2013): a person's spend per occasion is Gamma(p, ν) around a mean p/ν of their own, and ν ~
 * Gamma(q, v) over people. Formulas: docs/definitions.md, section Value.
 */
type Parameters = SpendParameters['gamma-gamma']

/** Where nobody asks for a gradient it is made all the same: it costs little beside the value. */
const UNUSED = new Float64Array(3)

/** Negative log-likelihood of (ln p, ln q, ln v) with its gradient. */
export function gammaGammaObjective(groups: readonly SpendGroup[]): Objective {
  const xs = [...new Set(groups.map(({ x }) => x))]
  const indexOf = new Map(xs.map((x, index) => [x, index]))
  const at = Int32Array.from(groups, ({ x }) => indexOf.get(x) ?? 0)
  const weights = Float64Array.from(groups, ({ people }) => people)
  const totals = Float64Array.from(groups, ({ x, meanSpend }) => x * meanSpend)
  const peopleOf = new Float64Array(xs.length)
  const logsOf = new Float64Array(xs.length)
  let constant = 0
  groups.forEach(({ x, meanSpend, people }, group) => {
    const index = at[group] as number
    peopleOf[index] = (peopleOf[index] as number) + people
    logsOf[index] = (logsOf[index] as number) + people * Math.log(x * meanSpend)
    constant -= people * Math.log(meanSpend)
  })
  const people = weights.reduce((sum, weight) => sum + weight, 0)
  return (point, gradient = UNUSED) => {
    const [p, q, v] = point.map(Math.exp) as unknown as [number, number, number]
    const logV = point[2] as number
    let value = constant + people * (q * logV - logGamma(q))
    let byP = 0
    let byQ = people * (logV - digamma(q))
    let byV = (people * q) / v
    xs.forEach((x, index) => {
      const count = peopleOf[index] as number
      const logs = logsOf[index] as number
      value += count * (logGamma(p * x + q) - logGamma(p * x)) + p * x * logs
      const psi = digamma(p * x + q)
      byP += x * (count * (psi - digamma(p * x)) + logs)
      byQ += count * psi
    })
    for (let group = 0; group < weights.length; group += 1) {
      const weight = weights[group] as number
      const px = p * (xs[at[group] as number] as number)
      const sum = v + (totals[group] as number)
      const log = Math.log(sum)
      value -= weight * (px + q) * log
      byP -= (weight * px * log) / p
      byQ -= weight * log
      byV -= (weight * (px + q)) / sum
    }
    gradient[0] = -byP * p
    gradient[1] = -byQ * q
    gradient[2] = -byV * v
    return Number.isFinite(value) ? -value : Number.POSITIVE_INFINITY
  }
}

export function gammaGammaStarts(groups: readonly SpendGroup[]): number[][] {
  const mean = meanSpend(groups)
  return [
    [2, 3],
    [6, 4],
    [1, 1.5],
  ].map(([p = 0, q = 0]) => [Math.log(p), Math.log(q), Math.log((mean * (q - 1)) / p)])
}

/** Over people. */
export function meanSpend(groups: readonly SpendGroup[]): number {
  const people = groups.reduce((sum, group) => sum + group.people, 0)
  return people === 0 ? 0 : groups.reduce((sum, group) => sum + group.people * group.meanSpend, 0) / people
}

/** Standard deviation of mean spend over people, by its mean; and its correlation with x. Null where nothing varies. */
export function spendShape(groups: readonly SpendGroup[]): { variation: number; correlation: number | null } {
  const people = groups.reduce((sum, group) => sum + group.people, 0)
  const [meanX, meanZ] = [groups.reduce((sum, group) => sum + group.people * group.x, 0) / people, meanSpend(groups)]
  let [xx, zz, xz] = [0, 0, 0]
  for (const group of groups) {
    const [dx, dz] = [group.x - meanX, group.meanSpend - meanZ]
    xx += group.people * dx * dx
    zz += group.people * dz * dz
    xz += group.people * dx * dz
  }
  const variation = meanZ > 0 ? Math.sqrt(zz / people) / meanZ : 0
  return { variation, correlation: xx > 0 && variation > 1e-6 ? xz / Math.sqrt(xx * zz) : null }
}

/** E[spend of an occasion | x, mean spend]: p(v + x·z̄)/(px + q − 1); for x = 0 the mean of all people. */
export function gammaGammaMean({ p, q, v }: Parameters, x: number, spend: number): number {
  return (p * (v + x * spend)) / (p * x + q - 1)
}

/**
 * E[1/ν²]·p² and E[1/ν²]·p given x and mean spend: E[S²] of the sum S of Y occasions is first·E[Y²] + second·E[Y]. With
 * px + q ≤ 2 the second moment is infinite; it is taken at 2.1, a spread of about 3 means, so that an interval stays one.
 */
export function gammaGammaSecond({ p, q, v }: Parameters, x: number, spend: number): [number, number] {
  const shape = Math.max(p * x + q, 2.1)
  const mean = gammaGammaMean({ p, q, v }, x, spend) / p
  const square = (mean * mean * (shape - 1)) / (shape - 2)
  return [p * p * square, p * square]
}

/**
 * An estimate from amounts in some unit as one from the amounts themselves: v and its error are amounts, and a density of amounts is
 * that of them in the unit, by the unit.
 */
export function inMoney(given: Estimate<Parameters>, unit: number, people: number): Estimate<Parameters> {
  const { parameters, logLikelihood, standardErrors } = given
  const { v: error } = standardErrors
  return {
    ...given,
    parameters: { ...parameters, v: parameters.v * unit },
    logLikelihood: logLikelihood === null ? null : logLikelihood - people * Math.log(unit),
    standardErrors: { ...standardErrors, v: typeof error === 'number' ? error * unit : null },
  }
}
