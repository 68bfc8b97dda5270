/** How numbers, money and instants are written: pure, so that the same figure reads the same everywhere. */

export type Language = 'zh-CN' | 'en'

const DAY_MS = 86_400_000
/** Beyond a week "in 12 days" says less than the date does. */
const RELATIVE_DAYS_MAX = 7

/** A whole number with its thousands marked. */
export function count(value: number, language: Language): string {
  return new Intl.NumberFormat(language).format(value)
}

/** A whole number with its sign, `+12`, `−3`; 0 has none. */
export function signed(value: number, language: Language): string {
  return withSign(value, count(Math.abs(value), language))
}

/** Money with its sign and currency: `+¥1,234.50`. */
export function signedMoney(minor: number, currency: string, language: Language): string {
  return withSign(minor, money(Math.abs(minor), currency, language))
}

function withSign(value: number, text: string): string {
  if (value === 0) return text
  return value > 0 ? `+${text}` : `−${text}`
}

/** Money with its currency, for sentences: `¥1,234.50`. */
export function money(minor: number, currency: string, language: Language): string {
  return currencyFormat(currency, language, 'currency').format(major(minor, currency))
}

/** Money under a header that names the currency: `1,234.50`. */
export function amount(minor: number, currency: string, language: Language): string {
  return currencyFormat(currency, language, 'decimal').format(major(minor, currency))
}

/** How many decimals amounts of a currency have. */
export function currencyDigits(currency: string): number {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
}

function major(minor: number, currency: string): number {
  return minor / 10 ** currencyDigits(currency)
}

function currencyFormat(currency: string, language: Language, style: 'currency' | 'decimal'): Intl.NumberFormat {
  const digits = currencyDigits(currency)
  return new Intl.NumberFormat(language, {
    style,
    currency,
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}

/** A share of a whole; what is there but rounds to nothing says `<0.1%`. A dash when there is no whole. */
export function share(part: number, whole: number, language: Language): string {
  if (whole <= 0) return '–'
  const ratio = part / whole
  if (ratio > 0 && ratio < 0.0005) return `<${percent(0.001, language)}`
  if (ratio < 1 && ratio > 0.9995) return `>${percent(0.999, language)}`
  return percent(ratio, language)
}

function percent(ratio: number, language: Language): string {
  return new Intl.NumberFormat(language, {
    style: 'percent',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  }).format(ratio)
}

/** The calendar day of an instant in a zone, `2026-03-05`. */
export function day(instant: string, zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' }).format(new Date(instant))
}

/** The wall clock of an instant in a zone, `14:20`. */
export function clock(instant: string, zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, timeStyle: 'short' }).format(new Date(instant))
}

/** The instant in full, `2026-03-05 14:20`: unambiguous in both languages, and it lines up in a column. */
export function instant(value: string, zone: string): string {
  return `${day(value, zone)} ${clock(value, zone)}`
}

/** A day in words, for a headline. */
export function longDay(value: string, zone: string, language: Language): string {
  return new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, { timeZone: zone, dateStyle: 'full' }).format(
    new Date(value),
  )
}

/** Whole calendar days of the zone from one instant to another; negative when `to` is earlier. */
export function daysBetween(from: string, to: string, zone: string): number {
  return Math.round((Date.parse(day(to, zone)) - Date.parse(day(from, zone))) / DAY_MS)
}

/**
 * An instant as people say it: relative to `asOf` up to a week, then the date. Calendar days of the brand's zone,
 * so 23:50 tonight and 00:10 are today and tomorrow.
 */
export function when(value: string, asOf: string, zone: string, language: Language): string {
  const days = daysBetween(asOf, value, zone)
  if (Math.abs(days) > RELATIVE_DAYS_MAX) return day(value, zone)
  const words = new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(days, 'day')
  return Math.abs(days) <= 1 ? `${words} ${clock(value, zone)}` : words
}

const STEPS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const

/** How long ago an instant was, in its largest whole unit: `3 minutes ago`; under a minute `now`. */
export function timeAgo(value: string, asOf: number, language: Language): string {
  const seconds = (asOf - Date.parse(value)) / 1000
  const [unit, length] = STEPS.find((step) => seconds >= step[1]) ?? (['second', Number.POSITIVE_INFINITY] as const)
  return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-Math.floor(seconds / length), unit)
}
