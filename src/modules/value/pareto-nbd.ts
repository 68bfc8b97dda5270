import type { Histories } from './histories.ts'
import {
  betaQuadrature,
  hypergeometricOne,
  log1pExp,
  logGamma,
  powerSpan,
  scaledExponentialIntegral,
} from './numeric.ts'
import type { Objective } from './optimise.ts'
import type { History, OccasionParameters, Unit } from './schema.ts'

/**
 * Pareto/NBD (Schmittlein, Morrison & Colombo 1987): while alive a person buys at a steady rate λ ~ Gamma(r, α); their life is
 * exponential with rate μ ~ Gamma(s, β). Formulas: docs/definitions.md, section Value.
 */
type Parameters = OccasionParameters['pareto-nbd']

/** Gauss–Legendre on (0, 1). */
const EVEN = betaQuadrature(1, 1, 20)

/**
 * ln of ∫ from t on of the likelihood of dropping out at y, by that of being alive at T and but for s/(r + s + x): the published
 * ₂F₁(r + s + x, …) after Euler's transformation, so that its argument is in [0, 1) and its first parameter 1. Ratios are taken before
 * logarithms: where s and β are of the size of a million their own powers differ in no digit that is left.
 */
function logTail(r: number, alpha: number, s: number, beta: number, x: number, t: number, T: number): number {
  const c = r + s + x + 1
  const powers = (r + x) * Math.log1p((T - t) / (alpha + t)) + s * Math.log1p((T - t) / (beta + t))
  if (alpha >= beta) return Math.log(hypergeometricOne(r + x, c, (alpha - beta) / (alpha + t))) + powers
  const series = hypergeometricOne(s + 1, c, (beta - alpha) / (beta + t))
  return Math.log((series * (alpha + t)) / (beta + t)) + powers
}

/** From here on the continued fraction of ₂F₁ takes hundreds of steps, and one of the two densities hardly bends. */
const FAR = 0.97

/**
 * ln of ∫ from tX to T of ((c + T)/(c + y))^(k+1)·((d + T)/(d + y))^m dy, for c far below d: exactly over the first factor, whose
 * integral is known, and by quadrature over the second, which hardly bends.
 */
function logMean(c: number, k: number, d: number, m: number, tX: number, T: number): number {
  const [last, length] = [c + tX, Math.log((c + T) / (c + tX))]
  const measure = powerSpan(-k, length)
  let sum = 0
  for (let node = 0; node < EVEN.nodes.length; node += 1) {
    const part = measure * (EVEN.nodes[node] as number)
    const y = last * Math.exp(Math.abs(k) < 1e-12 ? part : -Math.log1p(-k * part) / k) - c
    sum += (EVEN.weights[node] as number) * Math.exp(m * Math.log((d + T) / (d + y)))
  }
  return Math.log(last * measure * sum) + (k + 1) * length
}

/** ln of (having dropped out by T) / (being alive at T), given the history. */
function logOddsDead({ r, alpha, s, beta }: Parameters, x: number, tX: number, T: number): number {
  if (tX >= T) return Number.NEGATIVE_INFINITY
  if (Math.abs(alpha - beta) > FAR * (Math.max(alpha, beta) + tX)) {
    const measure =
      alpha < beta
        ? logMean(alpha, r + x - 1, beta, s + 1, tX, T) - Math.log(beta + T)
        : logMean(beta, s, alpha, r + x, tX, T) - Math.log(beta + T)
    return Math.log(s) + measure
  }
  const atLast = logTail(r, alpha, s, beta, x, tX, T)
  const atEnd = logTail(r, alpha, s, beta, x, T, T)
  return Math.log(s / (r + s + x)) + atLast + Math.log(-Math.expm1(Math.min(atEnd - atLast, -1e-18)))
}

/** Negative log-likelihood of (ln r, ln α, ln s, ln β), its gradient by central differences. */
export function paretoNbdObjective(histories: Histories<Unit>): Objective {
  const value = paretoNbdValue(histories)
  // The likelihood is worked out to about 1e-13 of itself; at this step that is 1e-9 of it, and the curvature 1e-8.
  const step = 1e-4
  return (point, gradient) => {
    if (!gradient) return value(point)
    const moved = point.slice()
    for (let i = 0; i < point.length; i += 1) {
      const at = point[i] as number
      moved[i] = at + step
      const above = value(moved)
      moved[i] = at - step
      gradient[i] = (above - value(moved)) / (2 * step)
      moved[i] = at
    }
    return value(point)
  }
}

function paretoNbdValue({ weights, xs, txs, Ts, xAt, txAt, TAt, xWeights }: Histories<Unit>) {
  return (point: Float64Array): number => {
    const [r, alpha, s, beta] = point.map(Math.exp) as unknown as [number, number, number, number]
    const parameters = { r, alpha, s, beta }
    const logAlpha = point[1] as number
    let sum = 0
    const gammaR = logGamma(r)
    for (let i = 0; i < xs.length; i += 1) {
      const x = xs[i] as number
      if (x > 0) sum += (xWeights[i] as number) * (logGamma(r + x) - gammaR - x * logAlpha)
    }
    for (let group = 0; group < weights.length; group += 1) {
      const x = xs[xAt[group] as number] as number
      const T = Ts[TAt[group] as number] as number
      const odds = logOddsDead(parameters, x, txs[txAt[group] as number] as number, T)
      const alive = -(r + x) * Math.log1p(T / alpha) - s * Math.log1p(T / beta)
      sum += (weights[group] as number) * (alive + log1pExp(odds))
    }
    return Number.isFinite(sum) ? -sum : Number.POSITIVE_INFINITY
  }
}

export function paretoNbdStarts({ people, occasions, watched }: Histories<Unit>): number[][] {
  const mean = watched / people
  const rate = occasions / watched
  return [
    [0.5, 0.5, 0.5, 0.5],
    [1, 1, 1, 2],
  ].map(([r = 0, alpha = 0, s = 0, beta = 0]) => [
    Math.log(r),
    Math.log(Math.max((r * alpha) / rate, mean / 1000)),
    Math.log(s),
    Math.log(mean * beta),
  ])
}

export function paretoNbdAlive(parameters: Parameters, { x, tX, T }: History<Unit>): number {
  return 1 / (1 + Math.exp(logOddsDead(parameters, x, tX, T)))
}

/** Occasions in the span t after T: P(alive)·(r + x)(β + T)/((α + T)(s − 1))·(1 − ((β + T)/(β + T + t))^(s − 1)). */
export function paretoNbdExpected(parameters: Parameters, history: History<Unit>, span: number): number {
  const { r, alpha, s, beta } = parameters
  const B = beta + history.T
  const rate = (r + history.x) / (alpha + history.T)
  return paretoNbdAlive(parameters, history) * rate * B * powerSpan(1 - s, Math.log1p(span / B))
}

/** E[Y(Y − 1)] of the occasions Y in the span after T: P(alive)·2·E[λ²]·∫₀ᵗ u·E[e^(−μu)] du. */
export function paretoNbdSecond(parameters: Parameters, history: History<Unit>, span: number): number {
  const { r, alpha, s, beta } = parameters
  const B = beta + history.T
  const rate = r + history.x
  const y = Math.log1p(span / B)
  const squares = (rate * (rate + 1)) / (alpha + history.T) ** 2
  return paretoNbdAlive(parameters, history) * 2 * squares * B * B * (powerSpan(2 - s, y) - powerSpan(1 - s, y))
}

/** P(Y = 0): not alive, or dropped out before the next occasion, or neither in the span. */
export function paretoNbdNone(parameters: Parameters, history: History<Unit>, span: number): number {
  const { r, alpha, s, beta } = parameters
  const [A, B] = [alpha + history.T, beta + history.T]
  const rate = r + history.x
  // Over y = ln(1 + u/A), in which both factors are smooth however many occasions there were.
  const most = Math.log1p(span / A)
  let dropped = 0
  for (let k = 0; k < EVEN.nodes.length; k += 1) {
    const y = most * (EVEN.nodes[k] as number)
    const u = A * Math.expm1(y)
    dropped += (EVEN.weights[k] as number) * Math.exp((1 - rate) * y - (s + 1) * Math.log1p(u / B))
  }
  const none = dropped * most * A * (s / B) + Math.exp(-rate * most - s * Math.log1p(span / B))
  const alive = paretoNbdAlive(parameters, history)
  return 1 - alive + alive * Math.min(1, none)
}

/**
 * Discounted expected residual transactions at a continuous rate δ per unit (Fader, Hardie & Lee 2005, JMR). Their
 * Ψ(s, s; δ(β + T)) is an exponential integral: P(alive)·(r + x)/(α + T)·(β + T)·e^y·E_s(y), y = δ(β + T).
 */
export function paretoNbdResidual(parameters: Parameters, history: History<Unit>, delta: number): number {
  const { r, alpha, s, beta } = parameters
  const B = beta + history.T
  const rate = (r + history.x) / (alpha + history.T)
  return paretoNbdAlive(parameters, history) * rate * B * scaledExponentialIntegral(s, delta * B)
}
