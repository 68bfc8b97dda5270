import { Temporal } from 'temporal-polyfill'
import type { CalendarWindow, TimeWindow } from './schema.ts'

/** A stretch of time as of an instant. */
export interface Span {
  /** Null: from the beginning. */
  readonly from: Date | null
  /** Whether a fact at `from` itself is in: not in a window that slides. */
  readonly isFromIn: boolean
  /** A fact at `to` is out. Null: up to the instant of asking. */
  readonly to: Date | null
  /** A fact leaves so many times 24 hours after it happened; null: the window does not slide. */
  readonly slidingDays: number | null
  /** When a calendar window becomes the next one; null: never. */
  readonly shiftsAt: Date | null
}

const ALWAYS: Span = { from: null, isFromIn: true, to: null, slidingDays: null, shiftsAt: null }
const DAY_MS = 86_400_000

/** What a window is as of `at` in the brand's zone (docs/definitions.md §12.2). */
export function spanOf(window: TimeWindow | undefined, at: Date, zone: string): Span {
  if (!window) return ALWAYS
  if (window.last_days !== undefined) {
    const from = new Date(at.getTime() - window.last_days * DAY_MS)
    return { ...ALWAYS, from, isFromIn: false, slidingDays: window.last_days }
  }
  if (window.calendar !== undefined) return calendarSpan(window.calendar, at, zone)
  return { ...ALWAYS, from: instantOf(window.from, zone), to: instantOf(window.to, zone) }
}

/** `2026-03-01` is the beginning of that day in the zone. */
export function instantOf(text: string | undefined, zone: string): Date | null {
  if (text === undefined) return null
  if (text.includes('T')) return new Date(text)
  return new Date(Temporal.PlainDate.from(text).toZonedDateTime(zone).epochMilliseconds)
}

type Unit = 'day' | 'week' | 'month' | 'quarter' | 'year'
const STEPS = {
  day: { days: 1 },
  week: { weeks: 1 },
  month: { months: 1 },
  quarter: { months: 3 },
  year: { years: 1 },
} as const

function calendarSpan(name: CalendarWindow, at: Date, zone: string): Span {
  const [which, unit]: readonly ['this' | 'last', Unit] =
    name === 'today' ? ['this', 'day'] : name === 'yesterday' ? ['last', 'day'] : splitName(name)
  const day = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone).toPlainDate()
  const begin = beginOf(unit, day)
  const midnight = (date: Temporal.PlainDate) => new Date(date.toZonedDateTime(zone).epochMilliseconds)
  const next = begin.add(STEPS[unit])
  const span = which === 'this' ? [begin, next] : [begin.subtract(STEPS[unit]), begin]
  const [from, to] = span.map(midnight)
  return { from: from ?? null, isFromIn: true, to: to ?? null, slidingDays: null, shiftsAt: midnight(next) }
}

function splitName(name: string): ['this' | 'last', Unit] {
  const [which, unit] = name.split('_')
  return [which as 'this' | 'last', unit as Unit]
}

function beginOf(unit: Unit, day: Temporal.PlainDate): Temporal.PlainDate {
  switch (unit) {
    case 'day':
      return day
    case 'week':
      return day.subtract({ days: day.dayOfWeek - 1 })
    case 'month':
      return day.with({ day: 1 })
    case 'quarter':
      return day.with({ month: day.month - ((day.month - 1) % 3), day: 1 })
    case 'year':
      return day.with({ month: 1, day: 1 })
  }
}

/** How a person is to a clause, or to several of them: does it hold, and when may time alone change that at the earliest. */
export interface Verdict {
  readonly holds: boolean
  /** Null: never. */
  readonly until: Date | null
}

/**
 * What `all` or `any` of them are together. As long as one that fails goes on failing, all of them do; so it is the last of those
 * instants that counts, and the first of all where none fails. `any` is the same with holds and fails exchanged.
 */
export function together(op: 'all' | 'any', verdicts: readonly Verdict[]): Verdict {
  const decides = op === 'any'
  const deciding = verdicts.filter(({ holds }) => holds === decides)
  const until = (of: readonly Verdict[], pick: (...times: number[]) => number) => {
    const time = pick(...of.map((verdict) => verdict.until?.getTime() ?? Number.POSITIVE_INFINITY))
    return Number.isFinite(time) ? new Date(time) : null
  }
  return deciding.length > 0
    ? { holds: decides, until: until(deciding, Math.max) }
    : { holds: !decides, until: until(verdicts, Math.min) }
}

/** A tag that a segment gives, and the tags that the segment asks for, by their names in small letters, each with its place. */
export interface TagRule {
  readonly tag: string
  readonly segmentId: number
  readonly asks: ReadonlyMap<string, string>
}

/**
 * A round of rules in which a tag would decide about itself, in words; undefined: there is none. Each rule goes on to those whose
 * tags its segment asks for.
 */
export function loopOf(rules: readonly TagRule[]): string | undefined {
  const done = new Set<TagRule>()
  function walk(rule: TagRule, way: readonly TagRule[]): string | undefined {
    const begin = way.indexOf(rule)
    if (begin >= 0) return loopText([...way.slice(begin), rule])
    if (done.has(rule)) return undefined
    done.add(rule)
    for (const next of rules) {
      const found = rule.asks.has(next.tag.toLowerCase()) ? walk(next, [...way, rule]) : undefined
      if (found) return found
    }
    return undefined
  }
  for (const rule of rules) {
    const found = walk(rule, [])
    if (found) return found
  }
  return undefined
}

function loopText(round: readonly TagRule[]): string {
  const steps = round.slice(1).map((next, index) => {
    const { tag, segmentId, asks } = round[index] as TagRule
    return `segment ${segmentId}, which gives "${tag}", asks for "${next.tag}" at ${asks.get(next.tag.toLowerCase())}`
  })
  return steps.join('; ')
}

const SAMPLE_PEOPLE = { most: 20_000, least: 2500, reading: 7500 } as const

/**
 * How many people a count while typing asks, where so many clauses read tables of their own. At a million people one such clause took
 * 0.39 s for 20,000, two of them 0.8 s, and none 0.07 s: fewer people keep it within 0.2 s at any size, and the interval says so.
 */
export function samplePeople(reads: number): number {
  return reads === 0 ? SAMPLE_PEOPLE.most : Math.max(SAMPLE_PEOPLE.least, Math.floor(SAMPLE_PEOPLE.reading / reads))
}

/** Half-width of the interval that has the truth in it 95 times of 100, in standard deviations. */
const Z = 1.959963984540054

/**
 * How many of `people` hold, by `holding` of `sampled` people drawn by hash, and the 95 % interval (Wilson's, which also holds
 * where nobody of the sample does). Never less than those seen.
 */
export function estimate(
  holding: number,
  sampled: number,
  people: number,
): { people: number; low: number; high: number } {
  if (sampled === 0) return { people: 0, low: 0, high: people }
  const share = holding / sampled
  const z2 = (Z * Z) / sampled
  const middle = (share + z2 / 2) / (1 + z2)
  const half = (Z / (1 + z2)) * Math.sqrt((share * (1 - share)) / sampled + z2 / (4 * sampled))
  const low = Math.max(holding, Math.floor((middle - half) * people))
  const high = Math.min(people - (sampled - holding), Math.ceil((middle + half) * people))
  const guess = Math.round(share * people)
  return { people: Math.min(Math.max(guess, low), high), low, high }
}

/** The beginning of the month of an instant, and of months before it, in UTC. */
export function monthOf(at: Date, monthsBefore = 0): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() - monthsBefore, 1))
}
