import type { Span } from '../../api/queries.ts'
import { lastMonth } from '../../ui/wall-clock.ts'

/** The spans that one click chooses. Days are 24 hours long, as everywhere in depth; a month is one of the calendar. */
export const PRESETS = ['days_7', 'days_30', 'days_90', 'last_month'] as const
export type Preset = (typeof PRESETS)[number]

const DAY_MS = 86_400_000
const DAYS = { days_7: 7, days_30: 30, days_90: 90 } as const

export function spanOf(preset: Preset, now: string, zone: string): Span {
  if (preset === 'last_month') return lastMonth(now, zone)
  return { from: before(now, DAYS[preset] * DAY_MS), to: now }
}

/** Which click makes this span; one that ended up to a day ago still counts as that of "the last 7 days". */
export function presetOf({ from, to }: Span, now: string, zone: string): Preset | undefined {
  const [begun, ended] = [Date.parse(from), Date.parse(to)]
  const age = Date.parse(now) - ended
  const isRecent = age >= 0 && age < DAY_MS
  return PRESETS.find((preset) => {
    const span = spanOf(preset, now, zone)
    if (preset === 'last_month') return Date.parse(span.from) === begun && Date.parse(span.to) === ended
    return isRecent && Date.parse(span.to) - Date.parse(span.from) === ended - begun
  })
}

/** The span of the same length that ends where this one begins: what a change is compared with. */
export function spanBefore({ from, to }: Span): Span {
  return { from: before(from, Date.parse(to) - Date.parse(from)), to: from }
}

function before(instant: string, ms: number): string {
  return new Date(Date.parse(instant) - ms).toISOString()
}
