/** A payment of a plain list: `day` counts days from any fixed one. */
export interface Payment {
  readonly customer: string
  readonly day: number
  readonly amount: number
}

/** What a list of payments says of a customer by the end of a day, and of what came after it. */
export interface Purchases {
  readonly customer: string
  /** Repeat occasions: purchase days after the first. */
  readonly x: number
  /** Days from the first purchase day to the last, and to the end. */
  readonly txDays: number
  readonly TDays: number
  /** Mean spend of the repeat occasions, never below 0; 0 without one. */
  readonly repeatSpend: number
  /** Purchase days after the end, as days from it. */
  readonly laterDays: readonly number[]
  /** Every purchase day by the end, and the mean of what was paid on them. */
  readonly days: readonly number[]
  readonly meanSpend: number
}

/**
 * Everybody who had bought by the end of day `until`. All payments of a day are one occasion, amounts of 0 too; a negative amount
 * gives money back: it makes no occasion and lowers the mean spend of the occasions, the first or the repeat ones, that it follows.
 */
export function purchasesUntil(payments: readonly Payment[], until: number): Purchases[] {
  const customers = new Map<string, Map<number, { amount: number; isOccasion: boolean }>>()
  for (const { customer, day, amount } of payments) {
    let days = customers.get(customer)
    if (!days) {
      days = new Map()
      customers.set(customer, days)
    }
    const known = days.get(day)
    if (known) {
      known.amount += amount
      known.isOccasion ||= amount >= 0
    } else days.set(day, { amount, isOccasion: amount >= 0 })
  }
  return [...customers].flatMap(([customer, byDay]) => {
    const occasions = [...byDay].filter(([, { isOccasion }]) => isOccasion).map(([day]) => day)
    occasions.sort((a, b) => a - b)
    const days = occasions.filter((day) => day <= until)
    const [first, last] = [days[0], days.at(-1)]
    if (first === undefined || last === undefined) return []
    let [all, repeats] = [0, 0]
    for (const [day, { amount }] of byDay) {
      if (day > until) continue
      all += amount
      if (day > first) repeats += amount
    }
    const x = days.length - 1
    return [
      {
        customer,
        x,
        txDays: last - first,
        TDays: until - first,
        repeatSpend: x > 0 ? Math.max(0, repeats / x) : 0,
        laterDays: occasions.filter((day) => day > until).map((day) => day - until),
        days,
        meanSpend: Math.max(0, all / days.length),
      },
    ]
  })
}
