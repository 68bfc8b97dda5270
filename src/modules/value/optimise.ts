// Minimising a smooth function of a few numbers: BFGS with several starts, and Nelder–Mead where BFGS gets stuck. No kept
// package does this on Node (docs/adr/0017-value-models.md).

/**
 * Value at a point, +∞ where the function is not defined. The gradient is written into `gradient`, where it is asked for: for some
 * functions it costs several times the value.
 */
export type Objective = (point: Float64Array, gradient?: Float64Array) => number

export interface Minimum {
  readonly point: Float64Array
  readonly value: number
  readonly gradient: Float64Array
  /** The gradient vanished, within the precision that sums of this size have, in whatever is not at its bound, and hardly is left there. */
  readonly isConverged: boolean
  readonly evaluations: number
}

const ROUNDS_MAX = 200
const HALVINGS_MAX = 25
/** Of one walk; over a million different histories an evaluation takes 0.15 s. */
const EVALUATIONS_MAX = 400
/**
 * Points are logarithms: further out than this the parameter is 0 or ∞ for every purpose, and is held there while the others go on. A
 * likelihood may well rise for ever: of gaps that are more regular than exponential ones r and α both go to ∞. Without a bound to hold
 * at such walks took 2,500 evaluations, and a night of 300,000 regular buyers did not end.
 */
export const BOUND = 13
/** From here on it is as good as there. */
const AT_BOUND = BOUND - 0.5
/** A step longer than this in any logarithm is cut: a likelihood says little that far from where it was asked. */
const STEP_MAX = 2

const infinityNorm = (vector: Float64Array) => vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
const isInside = (point: Float64Array) => point.every((value) => Math.abs(value) <= BOUND)

/**
 * The smallest of the minima found from each start.
 *
 * @param ratios pairs of coordinates that may go to ∞ together, their difference standing (r and α of a gamma distribution that narrows
 *   to one rate): the second is looked for as that difference, so that such a ridge lies along one coordinate, and ends at its bound.
 */
export function minimise(
  objective: Objective,
  starts: readonly (readonly number[])[],
  ratios: readonly (readonly [number, number])[] = [],
): Minimum {
  const turn = (point: Float64Array, sign: 1 | -1) => {
    const turned = point.slice()
    for (const [i, j] of ratios) turned[j] = (point[j] as number) + sign * (point[i] as number)
    return turned
  }
  const turned: Objective = (point, gradient) => {
    const value = objective(turn(point, 1), gradient)
    if (gradient) for (const [i, j] of ratios) gradient[i] = (gradient[i] as number) + (gradient[j] as number)
    return value
  }
  const found = starts.map((start) => bfgs(turned, turn(Float64Array.from(start), -1)))
  // On a flat ridge a walk that found its end counts before one that is a hair lower and was lost on the way.
  const rank = ({ value, isConverged }: Minimum) => value + (isConverged ? 0 : 1e-7 * (1 + Math.abs(value)))
  const least = (first: Minimum, other: Minimum) => (rank(other) < rank(first) ? other : first)
  let best = found.reduce(least)
  if (!best.isConverged) {
    const walked = bfgs(turned, nelderMead(turned, best.point))
    found.push(walked)
    best = least(best, walked)
  }
  const evaluations = found.reduce((sum, one) => sum + one.evaluations, 0)
  const gradient = best.gradient.slice()
  for (const [i, j] of ratios) gradient[i] = (gradient[i] as number) - (gradient[j] as number)
  return { ...best, point: turn(best.point, 1), gradient, evaluations }
}

/**
 * BFGS with a backtracking line search (Nocedal & Wright, algorithm 6.1). A coordinate at its bound stays there
 * while the function falls beyond it.
 *
 * @param evaluationsMax after which it ends, wherever it is.
 */
export function bfgs(objective: Objective, start: Float64Array, evaluationsMax = EVALUATIONS_MAX): Minimum {
  const size = start.length
  const isHeld = start.map(() => 0)
  /** The gradient without what is held. */
  const free = (gradient: Float64Array) => gradient.map((entry, i) => (isHeld[i] ? 0 : entry))
  let point = start.slice()
  let gradient = new Float64Array(size)
  let value = objective(point, gradient)
  let evaluations = 1
  const inverse = new Float64Array(size * size)
  const reset = () => {
    inverse.fill(0)
    // A first step of length one half along the gradient.
    for (let i = 0; i < size; i += 1) inverse[i * size + i] = 0.5 / Math.max(infinityNorm(free(gradient)), 1e-12)
  }
  reset()
  const tolerance = () => 1e-8 * (1 + Math.abs(value))
  let isFresh = true
  let isAtPrecision = false
  for (let round = 0; round < ROUNDS_MAX && evaluations < evaluationsMax; round += 1) {
    if (infinityNorm(free(gradient)) <= tolerance()) break
    const along = () => free(times(inverse, free(gradient))).map((entry) => -entry)
    let direction = along()
    let slope = dot(direction, gradient)
    if (!(slope < 0)) {
      reset()
      isFresh = true
      direction = along()
      slope = dot(direction, gradient)
    }
    let step = Math.min(1, STEP_MAX / infinityNorm(direction))
    // As far as the nearest bound at most.
    for (let i = 0; i < size; i += 1) {
      const entry = direction[i] as number
      const room = BOUND - Math.sign(entry) * (point[i] as number)
      if (entry !== 0) step = Math.min(step, room / Math.abs(entry))
    }
    const next = new Float64Array(size)
    const nextGradient = new Float64Array(size)
    let nextValue = Number.POSITIVE_INFINITY
    for (let halving = 0; halving < HALVINGS_MAX; halving += 1) {
      for (let i = 0; i < size; i += 1) {
        const entry = (point[i] as number) + step * (direction[i] as number)
        next[i] = Math.max(-BOUND, Math.min(BOUND, entry))
      }
      nextValue = objective(next, nextGradient)
      evaluations += 1
      if (nextValue <= value + 1e-4 * step * slope) break
      step /= halving < 3 ? 2 : 5
    }
    if (!(nextValue < value)) {
      // Nothing better within what the digits of the sum can tell: where it bends sharply its gradient is far from 0 even so.
      isAtPrecision = !isFresh && -slope < 1e-8 * (1 + Math.abs(value))
      if (isFresh || isAtPrecision) break
      reset()
      isFresh = true
      continue
    }
    update(inverse, next, point, nextGradient, gradient, isFresh)
    isFresh = false
    ;[point, gradient, value] = [next, nextGradient, nextValue]
    const holds = point.map((entry, i) => Number(Math.abs(entry) > AT_BOUND && entry * (gradient[i] as number) < 0))
    if (holds.some((is, i) => is !== isHeld[i])) {
      isHeld.set(holds)
      reset()
      isFresh = true
    }
  }
  // Where the last digits of a long sum are noise, a line search finds nothing below a gradient of this size.
  const isFlat = isAtPrecision || infinityNorm(free(gradient)) <= 100 * tolerance()
  // What falls on and on at the bound has no minimum; what nears one there is as good as at it.
  const isEven = gradient.every((entry, i) => !isHeld[i] || Math.abs(entry) <= 1e-5 * (1 + Math.abs(value)))
  const isConverged = Number.isFinite(value) && isFlat && isEven
  return { point, value, gradient, isConverged, evaluations }
}

/** The inverse Hessian after a step, by the formula of Broyden, Fletcher, Goldfarb and Shanno. */
function update(
  inverse: Float64Array,
  next: Float64Array,
  point: Float64Array,
  nextGradient: Float64Array,
  gradient: Float64Array,
  isFresh: boolean,
): void {
  const size = point.length
  const s = next.map((entry, i) => entry - (point[i] as number))
  const y = nextGradient.map((entry, i) => entry - (gradient[i] as number))
  const sy = dot(s, y)
  if (sy <= 1e-14 * Math.sqrt(dot(s, s) * dot(y, y))) return
  if (isFresh) {
    inverse.fill(0)
    for (let i = 0; i < size; i += 1) inverse[i * size + i] = sy / dot(y, y)
  }
  const hy = times(inverse, y)
  const factor = (1 + dot(y, hy) / sy) / sy
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < size; j += 1) {
      const [si, sj, hi, hj] = [s[i] as number, s[j] as number, hy[i] as number, hy[j] as number]
      inverse[i * size + j] = (inverse[i * size + j] as number) + factor * si * sj - (hi * sj + si * hj) / sy
    }
  }
}

/** The best point of a simplex after at most 400 rounds (Nelder & Mead 1965, with their own coefficients). */
export function nelderMead(objective: Objective, start: Float64Array): Float64Array {
  const size = start.length
  const measured = (point: Float64Array) => ({
    point,
    value: isInside(point) ? objective(point) : Number.POSITIVE_INFINITY,
  })
  const simplex = [measured(start.slice())]
  for (let i = 0; i < size; i += 1) {
    simplex.push(measured(start.map((entry, j) => (i === j ? entry + (entry > BOUND - 2 ? -0.5 : 0.5) : entry))))
  }
  for (let round = 0; round < 400; round += 1) {
    simplex.sort((a, b) => a.value - b.value)
    const [best, worst, second] = [simplex[0], simplex[size], simplex[size - 1]]
    if (!best || !worst || !second || worst.value - best.value < 1e-9 * (1 + Math.abs(best.value))) break
    const centre = new Float64Array(size)
    for (const { point } of simplex.slice(0, size))
      point.forEach((entry, i) => {
        centre[i] = (centre[i] as number) + entry / size
      })
    const along = (factor: number) =>
      measured(centre.map((entry, i) => entry + factor * ((worst.point[i] as number) - entry)))
    const reflected = along(-1)
    if (reflected.value < best.value) {
      const expanded = along(-2)
      simplex[size] = expanded.value < reflected.value ? expanded : reflected
    } else if (reflected.value < second.value) {
      simplex[size] = reflected
    } else {
      const contracted = along(reflected.value < worst.value ? -0.5 : 0.5)
      if (contracted.value < Math.min(reflected.value, worst.value)) simplex[size] = contracted
      else {
        for (let i = 1; i <= size; i += 1) {
          const other = simplex[i] as { point: Float64Array }
          simplex[i] = measured(other.point.map((entry, j) => ((best.point[j] as number) + entry) / 2))
        }
      }
    }
  }
  simplex.sort((a, b) => a.value - b.value)
  return simplex[0]?.point ?? start
}

/**
 * The covariance of the estimates: the inverse of the Hessian of a negative log-likelihood at its minimum, by central
 * differences of its gradient. Undefined where the Hessian is not positive definite: the data do not tell the parameters.
 */
export function covarianceAt(objective: Objective, point: Float64Array): Float64Array | undefined {
  const size = point.length
  const step = 1e-4
  const [above, below] = [new Float64Array(size), new Float64Array(size)]
  const hessian = new Float64Array(size * size)
  for (let i = 0; i < size; i += 1) {
    objective(
      point.map((entry, j) => (i === j ? entry + step : entry)),
      above,
    )
    objective(
      point.map((entry, j) => (i === j ? entry - step : entry)),
      below,
    )
    for (let j = 0; j < size; j += 1) {
      hessian[i * size + j] = ((above[j] as number) - (below[j] as number)) / (2 * step)
    }
  }
  const symmetric = hessian.map((entry, index) => {
    const [i, j] = [Math.floor(index / size), index % size]
    return (entry + (hessian[j * size + i] as number)) / 2
  })
  return inverseOf(symmetric, size)
}

/** By Cholesky; undefined unless positive definite. */
function inverseOf(matrix: Float64Array, size: number): Float64Array | undefined {
  const lower = new Float64Array(size * size)
  const at = (list: Float64Array, i: number, j: number) => list[i * size + j] as number
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = at(matrix, i, j)
      for (let k = 0; k < j; k += 1) sum -= at(lower, i, k) * at(lower, j, k)
      if (i === j && !(sum > 1e-10 * Math.max(1e-10, Math.abs(at(matrix, i, i))))) return undefined
      lower[i * size + j] = i === j ? Math.sqrt(sum) : sum / at(lower, j, j)
    }
  }
  const inverse = new Float64Array(size * size)
  for (let column = 0; column < size; column += 1) {
    const solved = new Float64Array(size)
    for (let i = 0; i < size; i += 1) {
      let sum = i === column ? 1 : 0
      for (let k = 0; k < i; k += 1) sum -= at(lower, i, k) * (solved[k] as number)
      solved[i] = sum / at(lower, i, i)
    }
    for (let i = size - 1; i >= 0; i -= 1) {
      let sum = solved[i] as number
      for (let k = i + 1; k < size; k += 1) sum -= at(lower, k, i) * (solved[k] as number)
      solved[i] = sum / at(lower, i, i)
    }
    for (let i = 0; i < size; i += 1) inverse[i * size + column] = solved[i] as number
  }
  return inverse
}

function times(matrix: Float64Array, vector: Float64Array): Float64Array {
  const size = vector.length
  return vector.map((_, i) => {
    let sum = 0
    for (let j = 0; j < size; j += 1) sum += (matrix[i * size + j] as number) * (vector[j] as number)
    return sum
  })
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[i] as number)
  return sum
}
