/** How a date that begins with day or month is read. */
export type DateOrder = 'ymd' | 'mdy' | 'dmy'

/** A time as a file gives it: an instant, or wall-clock time to be read in the source's zone. */
export type FileTime = { readonly instant: string } | { readonly local: string }

const ISO =
  /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$/
/** What PostgreSQL takes: up to 15:59 either way. */
const OFFSET = /^(Z|[+-](0\d|1[0-5]):?[0-5]\d)$/
const SLASHED = /^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$/

/**
 * Reads a date or time. Year first is always understood (2010-12-01, 2010/12/1 8:26, 2010-12-01T08:26:00Z); a date
 * that begins with day or month only in the order that the mapping states, because 1/2/2010 cannot be guessed.
 *
 * @returns undefined when it is no time (31 February included).
 */
export function readTime(text: string, dateOrder: DateOrder): FileTime | undefined {
  const iso = ISO.exec(text)
  if (iso) {
    const [, year, month, day, hour = '0', minute = '00', second = '00', fraction, zone] = iso
    return build(year, month, day, hour, minute, second, fraction, zone)
  }
  const slashed = dateOrder === 'ymd' ? null : SLASHED.exec(text)
  if (!slashed) return undefined
  const [, first, second_, year, hour = '0', minute = '00', second = '00'] = slashed
  const [month, day] = dateOrder === 'mdy' ? [first, second_] : [second_, first]
  return build(year, month, day, hour, minute, second)
}

function build(
  year = '',
  month = '',
  day = '',
  hour = '',
  minute = '',
  second = '',
  fraction?: string,
  zone?: string,
): FileTime | undefined {
  const [y, m, d, h, min, s] = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (zone && !OFFSET.test(zone)) return undefined
  if (m < 1 || m > 12 || d < 1 || d > daysInMonth(y, m) || h > 23 || min > 59 || s > 59 || y < 1900) return undefined
  const pad = (value: number) => String(value).padStart(2, '0')
  const local = `${year}-${pad(m)}-${pad(d)} ${pad(h)}:${minute}:${second}${fraction ? `.${fraction.slice(0, 6)}` : ''}`
  return zone ? { instant: `${local}${zone}` } : { local }
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

const NUMBER = /^[+-]?(\d{1,15})(\.\d{1,9})?$/

/** A plain decimal as text for PostgreSQL's numeric; undefined when it is none or over 15 whole digits. */
export function readNumber(text: string): string | undefined {
  return NUMBER.test(text) ? text : undefined
}

/**
 * One field's column in a file: -1 when the file does not have it. Names are compared without case, spaces, hyphens
 * and underscores: `Order ID`, `order_id` and `OrderId` are one column to whoever named it.
 */
export function columnsOf(
  header: readonly string[],
  columns: Readonly<Record<string, readonly string[]>>,
): Record<string, number> {
  const plain = header.map(plainName)
  return Object.fromEntries(
    Object.entries(columns).map(([field, names]) => [
      field,
      names.map((name) => plain.indexOf(plainName(name))).find((index) => index >= 0) ?? -1,
    ]),
  )
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[\s_-]/g, '')
}
