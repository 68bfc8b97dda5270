/** What happened to the club, and when: festivals and bursts by the calendar, its own events counted back from `now`. */
export interface Calendar {
  readonly now: number
  /** Two years before `now`: nobody was there earlier. */
  readonly opened: number
  /** Midnights in the brand's zone, oldest first. */
  readonly midAutumns: readonly number[]
  readonly springFestivals: readonly number[]
  /** 618 and Double 11. */
  readonly sales: readonly number[]
  /** An adviser left, in spring. */
  readonly adviserLeft: number
  /** The evening of the big livestream: who bought then and never again lapses in some days. */
  readonly livestream: number
  /** The champagne became cheaper, and whoever had just bought it got the difference back. */
  readonly priceCut: number
  /** Coupons went to people who had been silent for long. */
  readonly winBack: number
  /** One invented "friends" for a reward, all within two hours. */
  readonly velocityBurst: number
}

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
const SPAN_DAYS = 730
/** UTC+8 the whole year. */
const ZONE_MS = 8 * HOUR_MS

const LIVESTREAM_DAYS_AGO = 353
const PRICE_CUT_DAYS_AGO = 70
const WIN_BACK_DAYS_AGO = 24
const VELOCITY_BURST_DAYS_AGO = 45
/** The adviser's customers have had time to fall silent. */
const SILENCE_DAYS_MIN = 60

const lunarDay = new Intl.DateTimeFormat('en-u-ca-chinese', { timeZone: 'UTC', month: 'numeric', day: 'numeric' })

/** Midnight in the brand's zone of the day in which `at` lies. */
export function midnight(at: number): number {
  return Math.floor((at + ZONE_MS) / DAY_MS) * DAY_MS - ZONE_MS
}

export function calendarOf(now: Date): Calendar {
  const until = now.getTime()
  const opened = midnight(until - SPAN_DAYS * DAY_MS)
  const days = Array.from({ length: SPAN_DAYS + 1 }, (_, index) => opened + index * DAY_MS)
  const daysOf = (isMeant: (day: Date) => boolean) => days.filter((day) => isMeant(new Date(day + ZONE_MS)))
  const onLunar = (month: string, dayOfMonth: string) =>
    daysOf((day) => {
      const parts = lunarDay.formatToParts(day)
      const part = (type: string) => parts.find((one) => one.type === type)?.value
      return part('month') === month && part('day') === dayOfMonth
    })
  const on = (month: number, dayOfMonth: number) =>
    daysOf((day) => day.getUTCMonth() + 1 === month && day.getUTCDate() === dayOfMonth)
  const springs = on(4, 15).filter((day) => day < until - SILENCE_DAYS_MIN * DAY_MS)
  return {
    now: until,
    opened,
    midAutumns: onLunar('8', '15'),
    springFestivals: onLunar('1', '1'),
    sales: [...on(6, 18), ...on(11, 11)].sort((a, b) => a - b),
    adviserLeft: springs.at(-1) ?? opened,
    livestream: midnight(until - LIVESTREAM_DAYS_AGO * DAY_MS) + 20 * HOUR_MS,
    priceCut: midnight(until - PRICE_CUT_DAYS_AGO * DAY_MS) + 10 * HOUR_MS,
    winBack: midnight(until - WIN_BACK_DAYS_AGO * DAY_MS) + 11 * HOUR_MS,
    velocityBurst: midnight(until - VELOCITY_BURST_DAYS_AGO * DAY_MS) + 22 * HOUR_MS,
  }
}
