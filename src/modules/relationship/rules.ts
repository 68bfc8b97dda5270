import { Temporal } from 'temporal-polyfill'
import {
  INTEREST,
  type Interaction,
  RFM_SEGMENTS,
  RFM_VALUE_GROUPS,
  type ScoredCustomer,
  type Transaction,
  tiersFrom,
} from './schema.ts'

export interface RfmOptions {
  readonly asOf: number
  readonly ties: 'group' | 'first'
  readonly recencyUnit: 'day' | '24h'
  readonly occasionUnit: 'day' | 'order'
}

const DAY_MS = 86_400_000
const SHARES = [0.2, 0.4, 0.6, 0.8]

/**
 * RFM of a plain list of transactions, for files that are in no brand: the same rules as the set form in queries.ts
 * (a test holds the two together). A transaction is a payment: with `day` the payments of a calendar day are one
 * occasion, with `order` each is one.
 */
export function scoreRfm(
  transactions: readonly Transaction[],
  options: RfmOptions,
): { cuts: Record<'recency_days' | 'frequency' | 'monetary', number[]>; customers: ScoredCustomer[] } {
  const values = [...groupByCustomer(transactions, options)].map(([customer, { firstOfDay, last, total }]) => ({
    customer,
    frequency: firstOfDay.size,
    recency_days: recencyDays(last, options),
    // Sums of decimal amounts in binary: rounded to a millionth, far below any currency's unit.
    monetary: Math.round(total * 1e6) / 1e6,
  }))
  values.sort((a, b) => compareKeys(a.customer, b.customer))
  const byFrequency = values
    .map((_, index) => index)
    .sort((a, b) => (values[a]?.frequency ?? 0) - (values[b]?.frequency ?? 0) || a - b)
  const ranks = new Map(byFrequency.map((index, rank) => [index, rank + 1]))
  const rankOf = (index: number) =>
    options.ties === 'first' ? (ranks.get(index) ?? 0) : (values[index]?.frequency ?? 0)
  const cuts = {
    recency_days: cutsOf(values.map((value) => value.recency_days)),
    frequency: cutsOf(values.map((_, index) => rankOf(index))),
    monetary: cutsOf(values.map((value) => value.monetary)),
  }
  const mean = (pick: (value: (typeof values)[number]) => number) =>
    values.reduce((sum, value) => sum + pick(value), 0) / values.length
  const means = { r: mean((v) => v.recency_days), f: mean((v) => v.frequency), m: mean((v) => v.monetary) }
  const customers = values.map((value, index) => {
    const r = 5 - cutsBelow(cuts.recency_days, value.recency_days)
    const f = 1 + cutsBelow(cuts.frequency, rankOf(index))
    const m = 1 + cutsBelow(cuts.monetary, value.monetary)
    return {
      ...value,
      r,
      f,
      m,
      segment: segmentOf(r, f),
      value_group: valueGroupOf(value.recency_days < means.r, value.frequency > means.f, value.monetary > means.m),
    }
  })
  return { cuts, customers }
}

function groupByCustomer(transactions: readonly Transaction[], options: RfmOptions) {
  const customers = new Map<string, { firstOfDay: Map<number, number>; last: number; total: number }>()
  transactions.forEach((transaction, index) => {
    const known = customers.get(transaction.customer) ?? { firstOfDay: new Map<number, number>(), last: 0, total: 0 }
    const key = options.occasionUnit === 'order' ? index : Math.floor(transaction.at / DAY_MS)
    known.firstOfDay.set(key, Math.min(known.firstOfDay.get(key) ?? Number.POSITIVE_INFINITY, transaction.at))
    known.total += transaction.amount
    customers.set(transaction.customer, known)
  })
  for (const known of customers.values()) known.last = Math.max(...known.firstOfDay.values())
  return customers
}

function recencyDays(last: number, options: RfmOptions): number {
  return options.recencyUnit === '24h'
    ? Math.floor((options.asOf - last) / DAY_MS)
    : Math.floor(options.asOf / DAY_MS) - Math.floor(last / DAY_MS)
}

/** Like PostgreSQL's percentile_disc: the first value whose cumulative share reaches the fraction. */
function cutsOf(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b)
  return SHARES.map((share) => sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)] ?? 0)
}

function cutsBelow(cuts: readonly number[], value: number): number {
  return cuts.filter((cut) => cut < value).length
}

export function segmentOf(r: number, f: number): string {
  const found = RFM_SEGMENTS.find(
    (entry) => (entry.r as readonly number[]).includes(r) && (entry.f as readonly number[]).includes(f),
  )
  if (!found) throw new RangeError(`There is no segment for R ${r}, F ${f}`)
  return found.segment
}

export function valueGroupOf(r: boolean, f: boolean, m: boolean): string {
  const found = RFM_VALUE_GROUPS.find((entry) => entry.r === r && entry.f === f && entry.m === m)
  if (!found) throw new RangeError('There is no such value group')
  return found.group
}

/**
 * The interaction score and fan tier at `now` of somebody whose score was `last.score` just after it last rose. It only falls
 * from there, and each tier ends with the first whole second that finds it below, as in interest-queries.ts.
 *
 * @param tierScores the setting `fan_tier_scores`.
 */
export function interactionAt(
  last: { at: Date; score: number } | undefined,
  now: Date,
  tierScores: readonly number[],
): Interaction {
  const halfLives = last ? (now.getTime() - last.at.getTime()) / (INTEREST.half_life_seconds * 1000) : 0
  const held = tiersFrom(tierScores)
    .map(({ tier, from }) => ({
      tier,
      until: last && from > 0 ? last.at.getTime() + secondsAtLeast(from, last.score) * 1000 : Number.NEGATIVE_INFINITY,
    }))
    .filter(({ until }, index) => index === 0 || until > now.getTime())
  const [next, current] = [held.at(-2), held.at(-1)]
  return {
    score: last ? Math.round(last.score * 2 ** -halfLives * 100) / 100 : 0,
    tier: current?.tier ?? 'passer_by',
    tier_lapses_at: next && current ? new Date(current.until).toISOString() : null,
    tier_lapses_to: next?.tier ?? null,
  }
}

function secondsAtLeast(threshold: number, score: number): number {
  return Math.max(0, Math.floor(INTEREST.half_life_seconds * Math.log2(score / threshold) + 1e-6) + 1)
}

/** A rectangle of R × F, in what standing keeps; null: no bound. */
export interface SegmentRange {
  /** Of the last occasion. With days `[from, to)`, with periods of 24 hours `(from, to]`. */
  readonly lastFrom: Date | null
  readonly lastTo: Date | null
  /** The same as days of the brand, `[from, to)`; undefined with periods of 24 hours, which keep to no day. */
  readonly days: { readonly from: string | null; readonly to: string | null } | undefined
  /** Occasions `(from, to]`. */
  readonly occasionsAbove: number
  readonly occasionsMax: number | null
}

/** Which buyers a segment has, by its name: those in any of its ranges. */
export type SegmentRanges = ReadonlyMap<string, readonly SegmentRange[]>

/**
 * Scores as ranges, for indexes and counts: a score says how many cuts lie strictly below a value (docs/definitions.md §2), so
 * it is the values above one cut up to the next. A test holds them to the scores of people.
 */
export function rangesOf(
  now: Date,
  { zone, recency_unit: unit }: { zone: string; recency_unit: 'day' | '24h' },
  cuts: { readonly recency_days: readonly number[]; readonly frequency: readonly number[] },
  segments: readonly { segment: string; r: readonly number[]; f: readonly number[] }[],
): SegmentRanges {
  const today = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(zone).toPlainDate()
  const dayBefore = (days: number) => today.subtract({ days })
  const instantBefore = (days: number) =>
    unit === 'day'
      ? new Date(dayBefore(days).toZonedDateTime(zone).epochMilliseconds)
      : new Date(now.getTime() - (days + 1) * DAY_MS)
  /** Values (above, max] of which `least` to `most` cuts lie below; undefined: none can. */
  const between = (list: readonly number[], [least, most]: readonly [number, number]) => {
    const above = least === 0 ? null : list[least - 1]
    return above === undefined ? undefined : { above, max: list[most] ?? null }
  }
  const rangesOfCells = (rs: readonly [number, number], fs: readonly [number, number]): SegmentRange[] => {
    const recency = between(cuts.recency_days, [5 - rs[1], 5 - rs[0]])
    const frequency = between(cuts.frequency, [fs[0] - 1, fs[1] - 1])
    if (!recency || !frequency) return []
    const { above, max } = recency
    return [
      {
        lastFrom: max === null ? null : instantBefore(max),
        lastTo: above === null ? null : instantBefore(above),
        days:
          unit === 'day'
            ? {
                from: max === null ? null : dayBefore(max).toString(),
                to: above === null ? null : dayBefore(above).toString(),
              }
            : undefined,
        occasionsAbove: frequency.above ?? 0,
        occasionsMax: frequency.max,
      },
    ]
  }
  // One range for scores that follow each other: four cells apart took half as long again to ask of a million people.
  return new Map(
    segments.map(({ segment, r, f }) => [
      segment,
      runsOf(r).flatMap((rs) => runsOf(f).flatMap((fs) => rangesOfCells(rs, fs))),
    ]),
  )
}

/** Ascending whole numbers as runs without a gap, each by its first and last. */
function runsOf(numbers: readonly number[]): (readonly [number, number])[] {
  const starts = numbers.filter((number) => !numbers.includes(number - 1))
  return starts.map((start) => {
    let end = start
    while (numbers.includes(end + 1)) end += 1
    return [start, end] as const
  })
}

/** Ascending person key: numbers by value before text, text by code point; the same order as in queries.ts. */
export function compareKeys(a: string, b: string): number {
  const [aNumber, bNumber] = [/^\d{1,15}$/.test(a), /^\d{1,15}$/.test(b)]
  if (aNumber !== bNumber) return aNumber ? -1 : 1
  if (aNumber && Number(a) !== Number(b)) return Number(a) - Number(b)
  // UTF-8 sorts by code point; JavaScript's own comparison goes by UTF-16 and puts an emoji before a full-width sign.
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
