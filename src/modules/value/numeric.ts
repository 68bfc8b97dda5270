// The few special functions that the value models need. No kept package of them exists for Node, and all are short: see
// docs/adr/0017-value-models.md. Tested against published values in numeric.test.ts.

const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360_360, 1 / 156]
const DIGAMMA = [-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32_760, -1 / 12]
const HALF_LN_2PI = 0.5 * Math.log(2 * Math.PI)
/** From here on the series of Stirling are exact to the last digit. */
const ASYMPTOTIC = 9

/** ln Γ(x) for x > 0, to about 1e-15 relative. */
export function logGamma(x: number): number {
  let shifted = x
  let product = 1
  while (shifted < ASYMPTOTIC) {
    product *= shifted
    shifted += 1
  }
  const inverse = 1 / shifted
  const square = inverse * inverse
  let series = 0
  for (let k = STIRLING.length - 1; k >= 0; k -= 1) series = series * square + (STIRLING[k] as number)
  return (shifted - 0.5) * Math.log(shifted) - shifted + HALF_LN_2PI + series * inverse - Math.log(product)
}

/** ψ(x) = d ln Γ(x) / dx for x > 0. */
export function digamma(x: number): number {
  let shifted = x
  let sum = 0
  while (shifted < ASYMPTOTIC) {
    sum -= 1 / shifted
    shifted += 1
  }
  const square = 1 / (shifted * shifted)
  let series = 0
  for (let k = DIGAMMA.length - 1; k >= 0; k -= 1) series = series * square + (DIGAMMA[k] as number)
  return sum + Math.log(shifted) - 0.5 / shifted + series * square
}

export function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b)
}

/** ln(1 + e^x) without overflow. */
export function log1pExp(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x))
}

/** (e^(k·y) − 1) / k, which is y where k is 0. */
export function powerSpan(k: number, y: number): number {
  return Math.abs(k) < 1e-12 ? y : Math.expm1(k * y) / k
}

const TINY = 1e-300
const PRECISION = 1e-15
const TERMS_MAX = 20_000

/**
 * ₂F₁(1, b; c; z) for 0 < b ≤ c and z < 1, by Gauss' continued fraction (Lentz' way of working it out). The power series
 * needs thousands of terms where z nears 1, the fraction some hundred.
 */
export function hypergeometricOne(b: number, c: number, z: number): number {
  if (z === 0) return 1
  let value = 1
  let upper = 1
  let lower = 0
  for (let m = 1; m <= TERMS_MAX; m += 1) {
    const k = m >> 1
    // d₁ = −b/c, d₂ = −(c − b)/(c(c + 1)), and so on, odd and even in turn.
    const factor =
      (m & 1) === 1
        ? (-(b + k) * (c + k - 1)) / ((c + 2 * k - 1) * (c + 2 * k))
        : (-k * (c - b + k - 1)) / ((c + 2 * k - 2) * (c + 2 * k - 1))
    const term = m === 1 ? (-b / c) * z : factor * z
    lower = 1 + term * lower
    if (lower === 0) lower = TINY
    upper = 1 + term / upper
    if (upper === 0) upper = TINY
    lower = 1 / lower
    const change = upper * lower
    value *= change
    if (Math.abs(change - 1) < PRECISION) break
  }
  return 1 / value
}

/** e^y·E_n(y) = ∫₀^∞ e^(−yt)·(1 + t)^(−n) dt for y > 0 and any n ≥ 0 that is real, by its continued fraction. */
export function scaledExponentialIntegral(n: number, y: number): number {
  let base = y + n
  let upper = 1 / TINY
  let lower = 1 / base
  let value = lower
  for (let k = 1; k <= TERMS_MAX; k += 1) {
    const factor = -k * (n - 1 + k)
    base += 2
    lower = 1 / (factor * lower + base)
    upper = base + factor / upper
    const change = upper * lower
    value *= change
    if (Math.abs(change - 1) < PRECISION) break
  }
  return value
}

/** The value below which a standard normal variable falls with this probability, to 1e-9: bisection, then Newton's steps. */
export function normalQuantile(probability: number): number {
  if (probability <= 0) return Number.NEGATIVE_INFINITY
  if (probability >= 1) return Number.POSITIVE_INFINITY
  if (probability > 0.5) return -normalQuantile(1 - probability)
  // A first guess by the logistic curve of the same middle, mended by Newton: quadratic from here, and never out of reach.
  let x = Math.log(probability / (1 - probability)) / 1.702
  for (let round = 0; round < 50; round += 1) {
    const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)
    const step = (normalShare(x) - probability) / density
    x -= Math.max(-1, Math.min(1, step))
    if (Math.abs(step) < 1e-12) break
  }
  return x
}

/** Φ(x) for x ≤ 0 and, by symmetry, above; the continued fraction of the tail, and its power series near the middle. */
export function normalShare(x: number): number {
  if (x > 0) return 1 - normalShare(-x)
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)
  if (x > -3) {
    let term = x
    let sum = x
    for (let k = 1; k < 200 && Math.abs(term) > 1e-17; k += 1) {
      term *= (x * x) / (2 * k + 1)
      sum += term
    }
    return 0.5 + density * sum
  }
  let tail = 0
  for (let k = 60; k >= 1; k -= 1) tail = k / (-x + tail)
  return density / (-x + tail)
}

export interface Quadrature {
  readonly nodes: Float64Array
  readonly weights: Float64Array
}

/**
 * Gauss–Jacobi quadrature for the distribution Beta(a, b) on (0, 1): Σ wₖ·f(pₖ) is the mean of f, exactly for polynomials of
 * degree 2·size − 1. From the eigenvalues of the Jacobi matrix (Golub & Welsch 1969).
 */
export function betaQuadrature(a: number, b: number, size: number): Quadrature {
  // Jacobi polynomials on (−1, 1) with weight (1 − y)^β₁ (1 + y)^β₂, p = (1 + y) / 2.
  const [beta1, beta2] = [b - 1, a - 1]
  const sum = beta1 + beta2
  const diagonal = new Float64Array(size)
  const beside = new Float64Array(size)
  for (let k = 0; k < size; k += 1) {
    const s = 2 * k + sum
    diagonal[k] = k === 0 ? (beta2 - beta1) / (sum + 2) : (beta2 * beta2 - beta1 * beta1) / (s * (s + 2))
    if (k === 0) continue
    const square =
      k === 1
        ? (4 * (1 + beta1) * (1 + beta2)) / ((2 + sum) ** 2 * (3 + sum))
        : (4 * k * (k + beta1) * (k + beta2) * (k + sum)) / (s * s * (s + 1) * (s - 1))
    beside[k - 1] = Math.sqrt(square)
  }
  const first = eigenvalues(diagonal, beside)
  return {
    nodes: diagonal.map((y) => Math.min(1, Math.max(0, (1 + y) / 2))),
    weights: first.map((component) => component * component),
  }
}

/** Leaves the eigenvalues in `diagonal` and returns the first components of their unit vectors (implicit QL). */
function eigenvalues(diagonal: Float64Array, beside: Float64Array): Float64Array {
  const size = diagonal.length
  const first = new Float64Array(size)
  first[0] = 1
  const at = (list: Float64Array, index: number) => list[index] as number
  for (let l = 0; l < size; l += 1) {
    for (let round = 0; round < 200; round += 1) {
      let m = l
      while (m < size - 1) {
        const scale = Math.abs(at(diagonal, m)) + Math.abs(at(diagonal, m + 1))
        if (Math.abs(at(beside, m)) <= Number.EPSILON * scale) break
        m += 1
      }
      if (m === l) break
      let g = (at(diagonal, l + 1) - at(diagonal, l)) / (2 * at(beside, l))
      let r = Math.hypot(g, 1)
      g = at(diagonal, m) - at(diagonal, l) + at(beside, l) / (g + (g >= 0 ? r : -r))
      let [s, c, p] = [1, 1, 0]
      for (let i = m - 1; i >= l; i -= 1) {
        const f = s * at(beside, i)
        const b = c * at(beside, i)
        r = Math.hypot(f, g)
        beside[i + 1] = r
        if (r === 0) {
          diagonal[i + 1] = at(diagonal, i + 1) - p
          break
        }
        s = f / r
        c = g / r
        g = at(diagonal, i + 1) - p
        r = (at(diagonal, i) - g) * s + 2 * c * b
        p = s * r
        diagonal[i + 1] = g + p
        g = c * r - b
        const next = at(first, i + 1)
        first[i + 1] = s * at(first, i) + c * next
        first[i] = c * at(first, i) - s * next
      }
      diagonal[l] = at(diagonal, l) - p
      beside[l] = g
      beside[m] = 0
    }
  }
  return first
}
