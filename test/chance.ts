/** Repeatable chance for simulations: numbers in [0, 1) that follow from the seed alone. */
export type Chance = () => number

export function chance(seed: number): Chance {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function exponential(random: Chance): number {
  return -Math.log(1 - random())
}

export function normal(random: Chance): number {
  return Math.sqrt(2 * exponential(random)) * Math.cos(2 * Math.PI * random())
}

/** Gamma of a shape, with rate 1 (Marsaglia & Tsang 2000). */
export function gamma(random: Chance, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random()) ** (1 / shape)
  const d = shape - 1 / 3
  for (;;) {
    const x = normal(random)
    const v = (1 + x / Math.sqrt(9 * d)) ** 3
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}

export interface SimulatedPerson {
  readonly x: number
  readonly tX: number
  readonly T: number
  /** Mean spend of the repeat occasions; 0 without one. */
  readonly spend: number
  /** Occasions after T, as times from it, and what was spent on them. */
  readonly later: number
  readonly laterSpend: number
}

export interface Population {
  readonly r: number
  readonly alpha: number
  readonly a: number
  readonly b: number
  readonly p: number
  readonly q: number
  readonly v: number
}

/** The population that was found in CDNOW's records, in weeks. */
export const CDNOW_POPULATION: Population = {
  r: 0.2426,
  alpha: 4.4136,
  a: 0.7929,
  b: 2.4259,
  p: 6.25,
  q: 3.74,
  v: 15.44,
}

/** Somebody who buys, drops out and spends as BG/NBD and Gamma-Gamma say, watched for T and then for the span after it. */
export function simulatePerson(random: Chance, population: Population, T: number, after: number): SimulatedPerson {
  const { r, alpha, a, b, p, q, v } = population
  const rate = gamma(random, r) / alpha
  const [one, other] = [gamma(random, a), gamma(random, b)]
  const drop = one / (one + other)
  const spendRate = gamma(random, q) / v
  let [x, tX, spent, later, laterSpend] = [0, 0, 0, 0, 0]
  for (let at = exponential(random) / rate; at < T + after; at += exponential(random) / rate) {
    const spend = gamma(random, p) / spendRate
    if (at <= T) {
      x += 1
      tX = at
      spent += spend
    } else {
      later += 1
      laterSpend += spend
    }
    if (random() < drop) break
  }
  return { x, tX, T, spend: x > 0 ? spent / x : 0, later, laterSpend }
}
