import type { History, Span, Unit } from './schema.ts'

/**
 * Histories, equal ones together with their number. A likelihood is a sum over people, and people with the same (x, t_x, T)
 * add the same; its expensive parts depend on x alone, on T alone or on t_x alone, and are worked out once for each.
 */
export interface Histories<U extends Unit> {
  readonly unit: U
  readonly people: number
  readonly repeaters: number
  readonly occasions: number
  readonly watched: number
  readonly weights: Float64Array
  /** Of each group, which of the distinct values it has. */
  readonly xAt: Int32Array
  readonly txAt: Int32Array
  readonly TAt: Int32Array
  readonly xs: Float64Array
  readonly txs: Float64Array
  readonly Ts: Float64Array
  /** People by distinct x. */
  readonly xWeights: Float64Array
}

export interface HistoryRow {
  readonly x: number
  readonly tX: number
  readonly T: number
  readonly people?: number
}

/**
 * @param rows in the unit given, 0 ≤ tX ≤ T, x whole.
 * @throws RangeError at a history that cannot be.
 */
export function groupHistories<U extends Unit>(unit: U, rows: Iterable<HistoryRow>): Histories<U> {
  const [xs, txs, Ts] = [new Distinct(), new Distinct(), new Distinct()]
  const keys = new Map<number, number>()
  const [xAt, txAt, TAt, weights]: [number[], number[], number[], number[]] = [[], [], [], []]
  for (const { x, tX, T, people = 1 } of rows) {
    if (!(Number.isInteger(x) && x >= 0 && tX >= 0 && T >= tX && Number.isFinite(T) && (x > 0 || tX === 0))) {
      throw new RangeError(`No history has x ${x}, t_x ${tX}, T ${T}`)
    }
    const [i, j, k] = [xs.index(x), txs.index(tX), Ts.index(T)]
    // 2^17 values of t_x and of T: more days than 350 years have.
    const key = (i * 131_072 + j) * 131_072 + k
    const known = keys.get(key)
    if (known === undefined) {
      keys.set(key, weights.length)
      xAt.push(i)
      txAt.push(j)
      TAt.push(k)
      weights.push(people)
    } else weights[known] = (weights[known] as number) + people
  }
  const xWeights = new Float64Array(xs.values.length)
  let [people, repeaters, occasions, watched] = [0, 0, 0, 0]
  weights.forEach((weight, group) => {
    const index = xAt[group] as number
    const x = xs.values[index] as number
    xWeights[index] = (xWeights[index] as number) + weight
    people += weight
    if (x > 0) repeaters += weight
    occasions += weight * x
    watched += weight * (Ts.values[TAt[group] as number] as number)
  })
  return {
    unit,
    people,
    repeaters,
    occasions,
    watched,
    weights: Float64Array.from(weights),
    xAt: Int32Array.from(xAt),
    txAt: Int32Array.from(txAt),
    TAt: Int32Array.from(TAt),
    xs: Float64Array.from(xs.values),
    txs: Float64Array.from(txs.values),
    Ts: Float64Array.from(Ts.values),
    xWeights,
  }
}

class Distinct {
  readonly values: number[] = []
  readonly #indexes = new Map<number, number>()

  index(value: number): number {
    const known = this.#indexes.get(value)
    if (known !== undefined) return known
    if (this.values.length === 131_072) throw new RangeError('Times are too many: round them to days')
    this.#indexes.set(value, this.values.length)
    return this.values.push(value) - 1
  }
}

/** The history of each group, with its number of people. */
export function* groupsOf<U extends Unit>(histories: Histories<U>): Generator<[History<U>, number]> {
  const { weights, xs, txs, Ts, xAt, txAt, TAt } = histories
  for (let group = 0; group < weights.length; group += 1) {
    const history = {
      x: xs[xAt[group] as number] as number,
      tX: txs[txAt[group] as number] as Span<U>,
      T: Ts[TAt[group] as number] as Span<U>,
    }
    yield [history, weights[group] as number]
  }
}
