import { digamma, hypergeometricOne, logBeta } from './numeric.ts'
import type { Objective } from './optimise.ts'

/**
 * Shifted beta-geometric for contracts (Fader & Hardie 2007): at each renewal a person leaves with probability θ ~
 * Beta(α, β). Formulas: docs/definitions.md, section Value.
 */
export interface SbgParameters {
  readonly alpha: number
  readonly beta: number
}

export interface Renewals {
  /** People who left at renewal t = 1, 2, … of theirs: `left[0]` at the first. */
  readonly left: readonly number[]
  /** People who stayed through t renewals and have had no more yet: `staying[0]` had none due. */
  readonly staying: readonly number[]
}

/** Survivors of one cohort, period by period, as renewals. */
export function renewalsOf(survivors: readonly number[]): Renewals {
  const left = survivors.slice(1).map((count, index) => (survivors[index] ?? 0) - count)
  return { left, staying: survivors.map((count, index) => (index === survivors.length - 1 ? count : 0)) }
}

/** Where nobody asks for a gradient it is made all the same: it costs little beside the value. */
const UNUSED = new Float64Array(2)

/** Negative log-likelihood of (ln α, ln β): leaving at t has B(α + 1, β + t − 1)/B(α, β), staying B(α, β + t)/B(α, β). */
export function sbgObjective({ left, staying }: Renewals): Objective {
  return (point, gradient = UNUSED) => {
    const [alpha, beta] = [Math.exp(point[0] as number), Math.exp(point[1] as number)]
    const all = logBeta(alpha, beta)
    const [psiA, psiB, psiAB] = [digamma(alpha), digamma(beta), digamma(alpha + beta)]
    let [value, byA, byB] = [0, 0, 0]
    const add = (people: number, gone: number, renewed: number) => {
      if (people === 0) return
      const psiSum = digamma(alpha + beta + gone + renewed)
      value += people * (logBeta(alpha + gone, beta + renewed) - all)
      byA += people * (digamma(alpha + gone) - psiSum - psiA + psiAB)
      byB += people * (digamma(beta + renewed) - psiSum - psiB + psiAB)
    }
    left.forEach((people, index) => {
      add(people, 1, index)
    })
    staying.forEach((people, renewed) => {
      add(people, 0, renewed)
    })
    gradient[0] = -byA * alpha
    gradient[1] = -byB * beta
    return Number.isFinite(value) ? -value : Number.POSITIVE_INFINITY
  }
}

export const SBG_STARTS = [
  [0, 0],
  [-0.5, 1],
  [1, 2],
]

/** P(renewing the next k times | renewed so many). */
export function sbgSurvival({ alpha, beta }: SbgParameters, renewed: number, k: number): number {
  return Math.exp(logBeta(alpha, beta + renewed + k) - logBeta(alpha, beta + renewed))
}

/** Expected renewals among the next k. */
export function sbgExpected(parameters: SbgParameters, renewed: number, k: number): number {
  let sum = 0
  for (let next = 1; next <= k; next += 1) sum += sbgSurvival(parameters, renewed, next)
  return sum
}

/**
 * Discounted expected residual renewals at a rate per period, the next one discounted once (Fader & Hardie 2010):
 * the sum of S(n + k)/S(n)/(1 + d)^k = ₂F₁(1, β + n; α + β + n; 1/(1 + d)) − 1.
 */
export function sbgResidual({ alpha, beta }: SbgParameters, renewed: number, rate: number): number {
  return hypergeometricOne(beta + renewed, alpha + beta + renewed, 1 / (1 + rate)) - 1
}
