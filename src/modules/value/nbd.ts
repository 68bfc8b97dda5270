import type { Histories } from './histories.ts'
import { digamma, logGamma } from './numeric.ts'
import type { Objective } from './optimise.ts'
import type { History, OccasionParameters, Unit } from './schema.ts'

/** Negative binomial: everybody buys at a steady rate λ ~ Gamma(r, α) and nobody ever drops out. */
type Parameters = OccasionParameters['nbd']

/** Where nobody asks for a gradient it is made all the same: it costs little beside the value. */
const UNUSED = new Float64Array(2)

/** Negative log-likelihood of (ln r, ln α): P(x, t_x, T) = Γ(r + x)/Γ(r) · αʳ/(α + T)^(r + x). */
export function nbdObjective(histories: Histories<Unit>): Objective {
  const { weights, xs, Ts, xAt, TAt, xWeights, people } = histories
  // Neither x nor T alone decides a group, but t_x does not matter: x and the people of each T are enough.
  const [peopleAt, occasionsAt] = [new Float64Array(Ts.length), new Float64Array(Ts.length)]
  weights.forEach((weight, group) => {
    const at = TAt[group] as number
    peopleAt[at] = (peopleAt[at] as number) + weight
    occasionsAt[at] = (occasionsAt[at] as number) + weight * (xs[xAt[group] as number] as number)
  })
  return (point, gradient = UNUSED) => {
    const [r, alpha] = [Math.exp(point[0] as number), Math.exp(point[1] as number)]
    const logAlpha = point[1] as number
    const [gammaR, psiR] = [logGamma(r), digamma(r)]
    let value = people * r * logAlpha
    let byR = people * logAlpha
    let byAlpha = (people * r) / alpha
    xs.forEach((x, index) => {
      if (x === 0) return
      const weight = xWeights[index] as number
      value += weight * (logGamma(r + x) - gammaR)
      byR += weight * (digamma(r + x) - psiR)
    })
    Ts.forEach((T, index) => {
      const count = peopleAt[index] as number
      const exponent = count * r + (occasionsAt[index] as number)
      const log = Math.log(alpha + T)
      value -= exponent * log
      byR -= count * log
      byAlpha -= exponent / (alpha + T)
    })
    gradient[0] = -byR * r
    gradient[1] = -byAlpha * alpha
    return Number.isFinite(value) ? -value : Number.POSITIVE_INFINITY
  }
}

export function nbdStarts({ people, occasions, watched }: Histories<Unit>): number[][] {
  const [rate, mean] = [occasions / watched, watched / people]
  return [0.3, 1].map((r) => [Math.log(r), Math.log(Math.max(r / rate, mean / 100))])
}

/**
 * A rate for each person that leans on the rate of all, for data too thin for any model: everybody is given one more mean
 * watched span with the mean number of occasions in it (plus half an occasion in all, so that no rate is 0). As a
 * distribution this is Gamma(r, α) as in the NBD, and all that follows from the NBD holds for it.
 */
export function historicRate({ people, occasions, watched }: Histories<Unit>): Parameters {
  const alpha = watched / people
  return { r: ((occasions + 0.5) / watched) * alpha, alpha }
}

/** Occasions in the span after T: (r + x)·t/(α + T). */
export function nbdExpected({ r, alpha }: Parameters, { x, T }: History<Unit>, span: number): number {
  return ((r + x) * span) / (alpha + T)
}

/** E[Y(Y − 1)] of the occasions Y in the span after T. */
export function nbdSecond({ r, alpha }: Parameters, { x, T }: History<Unit>, span: number): number {
  const rate = r + x
  return (rate * (rate + 1) * span * span) / (alpha + T) ** 2
}

/** P(Y = 0). */
export function nbdNone({ r, alpha }: Parameters, { x, T }: History<Unit>, span: number): number {
  return Math.exp(-(r + x) * Math.log1p(span / (alpha + T)))
}

/** P(X = k) of the repeat occasions X of a new person in a span, k = 0, 1, …, most. */
export function nbdProbabilities({ r, alpha }: Parameters, span: number, most: number): number[] {
  let share = Math.exp(-r * Math.log1p(span / alpha))
  return Array.from({ length: most + 1 }, (_, k) => {
    const exact = share
    share *= ((r + k) / (k + 1)) * (span / (alpha + span))
    return exact
  })
}
