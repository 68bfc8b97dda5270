import type { Histories } from './histories.ts'
import {
  betaQuadrature,
  digamma,
  log1pExp,
  logBeta,
  logGamma,
  type Quadrature,
  scaledExponentialIntegral,
} from './numeric.ts'
import type { Objective } from './optimise.ts'
import type { History, OccasionParameters, Unit } from './schema.ts'

/**
 * BG/NBD (Fader, Hardie & Lee 2005): while alive a person buys at a steady rate λ ~ Gamma(r, α), and after each occasion
 * drops out with probability p ~ Beta(a, b). Formulas: docs/definitions.md, section Value.
 */
type Parameters = OccasionParameters['bg-nbd']

/** Where nobody asks for a gradient it is made all the same: it costs little beside the value. */
const UNUSED = new Float64Array(4)

/** Negative log-likelihood of (ln r, ln α, ln a, ln b) with its gradient. */
export function bgNbdObjective(histories: Histories<Unit>): Objective {
  const { weights, xs, txs, Ts, xAt, txAt, TAt, xWeights, people } = histories
  const [size, groups] = [xs.length, weights.length]
  const lists = Array.from({ length: 2 }, () => new Float64Array(size))
  const [logRatio, byBOfRatio] = lists as [Float64Array, Float64Array]
  const [logT, perT] = [new Float64Array(Ts.length), new Float64Array(Ts.length)]
  const [logTx, perTx] = [new Float64Array(txs.length), new Float64Array(txs.length)]
  return (point, gradient = UNUSED) => {
    const [r, alpha, a, b] = point.map(Math.exp) as unknown as [number, number, number, number]
    const logAlpha = point[1] as number
    const [gammaR, psiR] = [logGamma(r), digamma(r)]
    const [betaB, psiB] = [logGamma(b) - logGamma(a + b), digamma(b)]
    const psiAB = digamma(a + b)
    let value = people * r * logAlpha
    let [byR, byAlpha, byA, byB] = [people * logAlpha, (people * r) / alpha, 0, 0]
    for (let i = 0; i < size; i += 1) {
      const x = xs[i] as number
      if (x === 0) continue
      const weight = xWeights[i] as number
      value += weight * (logGamma(r + x) - gammaR + logGamma(b + x) - logGamma(a + b + x) - betaB)
      byR += weight * (digamma(r + x) - psiR)
      const psiABx = digamma(a + b + x)
      byA += weight * (psiAB - psiABx)
      byB += weight * (digamma(b + x) - psiB + psiAB - psiABx)
      logRatio[i] = Math.log(a / (b + x - 1))
      byBOfRatio[i] = -1 / (b + x - 1)
    }
    for (let i = 0; i < Ts.length; i += 1) {
      logT[i] = Math.log(alpha + (Ts[i] as number))
      perT[i] = 1 / (alpha + (Ts[i] as number))
    }
    for (let i = 0; i < txs.length; i += 1) {
      logTx[i] = Math.log(alpha + (txs[i] as number))
      perTx[i] = 1 / (alpha + (txs[i] as number))
    }
    for (let group = 0; group < groups; group += 1) {
      const weight = weights[group] as number
      const [xi, ti] = [xAt[group] as number, TAt[group] as number]
      const x = xs[xi] as number
      const rate = r + x
      const [log, per] = [logT[ti] as number, perT[ti] as number]
      if (x === 0) {
        value -= weight * rate * log
        byR -= weight * log
        byAlpha -= weight * rate * per
        continue
      }
      const txi = txAt[group] as number
      const [logLast, perLast] = [logTx[txi] as number, perTx[txi] as number]
      // Alive, or dropped out after the last occasion: both in logarithms, the greater taken out.
      const alive = -rate * log
      const dead = (logRatio[xi] as number) - rate * logLast
      const difference = dead - alive
      const small = Math.exp(-Math.abs(difference))
      value += weight * (Math.max(alive, dead) + Math.log1p(small))
      const shareDead = difference > 0 ? 1 / (1 + small) : small / (1 + small)
      const shareAlive = 1 - shareDead
      byR -= weight * (shareAlive * log + shareDead * logLast)
      byAlpha -= weight * rate * (shareAlive * per + shareDead * perLast)
      byA += (weight * shareDead) / a
      byB += weight * shareDead * (byBOfRatio[xi] as number)
    }
    gradient[0] = -byR * r
    gradient[1] = -byAlpha * alpha
    gradient[2] = -byA * a
    gradient[3] = -byB * b
    return Number.isFinite(value) ? -value : Number.POSITIVE_INFINITY
  }
}

export function bgNbdStarts({ people, occasions, watched }: Histories<Unit>): number[][] {
  const mean = watched / people
  const rate = occasions / watched
  return [
    [0.5, 0.25, 1, 2],
    [1, 1, 0.2, 3],
  ].map(([r = 0, alpha = 0, a = 0, b = 0]) => [
    Math.log(r),
    Math.log(Math.max((r * alpha) / rate, mean / 1000)),
    Math.log(a),
    Math.log(b),
  ])
}

/** Who has not bought again can't have dropped out: dropping out comes after a repeat occasion. */
export function bgNbdAlive({ r, alpha, a, b }: Parameters, { x, tX, T }: History<Unit>): number {
  if (x === 0) return 1
  const odds = Math.log(a / (b + x - 1)) + (r + x) * Math.log((alpha + T) / (alpha + tX))
  return 1 / (1 + Math.exp(odds))
}

/**
 * Occasions in the span t after T. With A = α + T, z = t/(A + t), c = a + b + x − 1 the published formula is
 * P(alive)·c/(a − 1)·(1 − (1 − z)^(r+x)·₂F₁(r + x, b + x; c; z)). By Euler's transformation it becomes a series whose terms
 * do not grow with x, and the divisions by a − 1 and c are done before anything is subtracted: so neither a = 1 nor c = 0
 * nor a thousand occasions lose digits.
 */
export function bgNbdExpected(parameters: Parameters, history: History<Unit>, span: number): number {
  const { r, alpha, a, b } = parameters
  const { x, T } = history
  const A = alpha + T
  const z = span / (A + span)
  const g = a + b - 1 - r
  const alive = bgNbdAlive(parameters, history)
  if (Math.abs(g) > 10 || a > 30 || z > 0.97) {
    // Terms of changing sign, too great, or thousands of them: the mean of (1 − (1 + pt/A)^−(r+x))/p as it is, some µs.
    const rate = r + x
    const inSpan = (p: number) =>
      p * span < 1e-12 * A ? (rate * span) / A : -Math.expm1(-rate * Math.log1p((p * span) / A)) / p
    if (z > 0.97) return alive * meanOverDropout(a, b + x, inSpan)
    const { nodes, weights } = keptNodes(parameters, x)
    let mean = 0
    for (let k = 0; k < nodes.length; k += 1) mean += (weights[k] as number) * inSpan(nodes[k] as number)
    return alive * mean
  }
  const logRest = Math.log(A / (A + span))
  const c = a + b + x - 1
  const e = a - 1
  let term = g * z
  let series = 0
  for (let n = 1; n < 5000; n += 1) {
    series += term
    if (Math.abs(term) < 1e-15 * Math.abs(series) || term === 0) break
    term *= ((g + n) * (a + n - 1) * z) / ((c + n) * (n + 1))
  }
  const power = Math.abs(e) < 1e-12 ? logRest : Math.expm1(e * logRest) / e
  return alive * Math.max(0, -c * power - Math.exp(e * logRest) * series)
}

/**
 * E[f(p)] for p ~ Beta(a, b): by tanh–sinh quadrature, which takes whatever the density does at 0 and at 1; by Gauss–Jacobi
 * where it is too narrow for that.
 */
function meanOverDropout(a: number, b: number, f: (p: number) => number): number {
  if (Math.min(a, b) > 20) {
    const { nodes, weights } = betaQuadrature(a, b, 24)
    return nodes.reduce((sum, p, k) => sum + (weights[k] as number) * f(p), 0)
  }
  const step = 1 / 12
  const logNorm = logBeta(a, b)
  // Out to where the density has fallen to e^−40 on either side.
  const from = -Math.ceil(Math.asinh(40 / (Math.PI * Math.min(a, 1))) / step)
  const to = Math.ceil(Math.asinh(40 / (Math.PI * Math.min(b, 1))) / step)
  let sum = 0
  for (let k = from; k <= to; k += 1) {
    const u = k * step
    const exponent = Math.PI * Math.sinh(u)
    // p and 1 − p, each without cancellation.
    const logP = -log1pExp(-exponent)
    const logRest = -log1pExp(exponent)
    const weight = Math.exp(a * logP + b * logRest - logNorm) * Math.PI * Math.cosh(u)
    if (weight > 0) sum += weight * f(Math.exp(logP))
  }
  return sum * step
}

/**
 * Nodes by x for parameters in use: made for each person and step of a year they took 20 s for 20,000 people. With 32 of them the
 * mean is exact to 1e-6 where the span is 30 times A, and better below.
 */
const kept = new WeakMap<Parameters, (x: number) => Quadrature>()
function keptNodes(parameters: Parameters, x: number): Quadrature {
  const known = kept.get(parameters) ?? dropoutNodes(parameters, 32)
  kept.set(parameters, known)
  return known(x)
}

/** Nodes for means over p given x: they depend on x alone. */
export function dropoutNodes({ a, b }: Parameters, size: number): (x: number) => Quadrature {
  const byX = new Map<number, Quadrature>()
  return (x) => {
    const known = byX.get(x)
    if (known) return known
    const nodes = betaQuadrature(a, b + x, size)
    byX.set(x, nodes)
    return nodes
  }
}

/** E[Y(Y − 1)] of the occasions Y in the span after T: P(alive)·E_p[2(1 − p)·∫₀ᵗ u·E[λ²e^(−λpu)] du]. */
export function bgNbdSecond(
  parameters: Parameters,
  history: History<Unit>,
  span: number,
  nodesOf: (x: number) => Quadrature,
): number {
  const { x, T } = history
  const A = parameters.alpha + T
  const rate = parameters.r + x
  const { nodes, weights } = nodesOf(x)
  let sum = 0
  for (let k = 0; k < nodes.length; k += 1) {
    const p = nodes[k] as number
    const W = (p * span) / A
    const inner =
      W * rate < 1e-3
        ? ((rate * (rate + 1) * span * span) / (A * A)) * (0.5 - ((rate + 2) * W) / 3)
        : (1 - Math.exp(-(rate + 1) * Math.log1p(W)) * (1 + (rate + 1) * W)) / (p * p)
    sum += (weights[k] as number) * 2 * (1 - p) * inner
  }
  return bgNbdAlive(parameters, history) * sum
}

/** P(Y = 0). */
export function bgNbdNone(parameters: Parameters, history: History<Unit>, span: number): number {
  const alive = bgNbdAlive(parameters, history)
  return 1 - alive + alive * Math.exp(-(parameters.r + history.x) * Math.log1p(span / (parameters.alpha + history.T)))
}

/**
 * Discounted expected residual transactions at a continuous rate δ per unit: P(alive)·E[λ/(λp + δ)]. Over λ it is an
 * exponential integral, over p a mean; no closed form is published.
 */
export function bgNbdResidual(parameters: Parameters, history: History<Unit>, delta: number): number {
  const { r, alpha, a, b } = parameters
  const rate = r + history.x
  const scale = (alpha + history.T) * delta
  const mean = (p: number) =>
    scale > 1e8 * p ? rate / (scale + (rate + 1) * p) : (rate * scaledExponentialIntegral(rate + 1, scale / p)) / p
  return bgNbdAlive(parameters, history) * meanOverDropout(a, b + history.x, mean)
}

/** P(X = k) of the repeat occasions X of a new person in a span, k = 0, 1, …, most. */
export function bgNbdProbabilities({ r, alpha, a, b }: Parameters, span: number, most: number): number[] {
  const [stay, go] = [alpha / (alpha + span), span / (alpha + span)]
  let none = stay ** r
  let below = 0
  return Array.from({ length: most + 1 }, (_, k) => {
    const exact = none
    const still = Math.exp(logBeta(a, b + k) - logBeta(a, b)) * exact
    const dropped = k === 0 ? 0 : Math.exp(logBeta(a + 1, b + k - 1) - logBeta(a, b)) * Math.max(0, 1 - below)
    below += exact
    none *= ((r + k) / (k + 1)) * go
    return still + dropped
  })
}
