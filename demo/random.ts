/** A small seeded generator (mulberry32), so that the demo brand is the same on every machine. */
export class Random {
  private state: number
  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** One of its own for each number: who is made next does not depend on who was made before. */
  static of(seed: number, number: number): Random {
    return new Random(Math.floor(new Random(seed + Math.imul(number, 0x9e3779b1)).next() * 4_294_967_296))
  }

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number with this mean: 2.3 is 2, and now and then 3. */
  count(mean: number): number {
    return Math.floor(mean) + (this.chance(mean % 1) ? 1 : 0)
  }

  /** Waiting time with this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  pick<T>(list: readonly T[]): T {
    const item = list[Math.floor(this.next() * list.length)]
    if (item === undefined) throw new RangeError('Nothing to pick from')
    return item
  }
}
