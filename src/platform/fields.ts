/** How a date that begins with day or month is read. */
export type DateOrder = 'ymd' | 'mdy' | 'dmy'

/** A time as a file gives it: an instant, or wall-clock time to be read in the source's zone. */
export type FileTime = { readonly instant: string } | { readonly local: string }

/** What a mapping says about how its file writes numbers and dates; all of it may be left out. */
export interface FieldStyle {
  /** The decimal sign; without it 1,234 is read as thousands and 1,23 as a decimal comma. */
  readonly decimal?: 'point' | 'comma' | undefined
  /** excel: a bare number is a serial day, 40888.5 for noon of 2011-12-11. */
  readonly dates?: 'text' | 'excel' | undefined
}

const ISO =
  /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$/
const SLASHED = /^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$/

/**
 * Reads a date or time. Understood always: year first (2010-12-01, 2010/12/1 8:26, 2010-12-01T08:26:00.5+08:00,
 * 20101201, 20101201082600), 2010年12月1日 14:30, month names (05-Mar-2024, March 5, 2024); a date that begins with day
 * or month only in the order that the mapping states, because 1/2/2010 cannot be guessed. The clock may have AM, PM,
 * 上午 or 下午.
 *
 * @returns undefined when it is no time (31 February included).
 */
export function readTime(text: string, dateOrder: DateOrder, style: FieldStyle = {}): FileTime | undefined {
  const iso = ISO.exec(text)
  if (iso) {
    const [, year, month, day, hour = '0', minute = '00', second = '00', fraction, zone] = iso
    return build(year, month, day, { hour, minute, second, fraction, zone })
  }
  const slashed = SLASHED.exec(text)
  if (slashed) {
    const [, first, second, year, hour = '0', minute = '00', seconds = '00'] = slashed
    const [month, day] = inOrder(dateOrder, first, second)
    return build(year, month, day, { hour, minute, second: seconds, fraction: undefined, zone: undefined })
  }
  return readRareTime(toHalfWidth(text).trim(), dateOrder, style)
}

/**
 * The rank of a row's version: its sequence, else its updated-at, as text for SQL; null when it has neither.
 * @returns undefined when it is no whole number, or no time.
 */
export function readVersion(
  sequence: string,
  updatedAt: string,
  dateOrder: DateOrder,
  style: FieldStyle = {},
): string | null | undefined {
  if (sequence) return /^\d{1,18}$/.test(sequence) ? sequence : undefined
  if (!updatedAt) return null
  const time = readTime(updatedAt, dateOrder, style)
  return time && ('instant' in time ? time.instant : time.local)
}

function inOrder(order: DateOrder, first = '', second = ''): [month: string | undefined, day: string | undefined] {
  if (order === 'ymd') return [undefined, undefined]
  return order === 'mdy' ? [first, second] : [second, first]
}

interface Clock {
  readonly hour: string
  readonly minute: string
  readonly second: string
  readonly fraction: string | undefined
  readonly zone: string | undefined
}

const MIDNIGHT: Clock = { hour: '0', minute: '00', second: '00', fraction: undefined, zone: undefined }

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const LONG_MONTHS =
  /^(january|february|march|april|may|june|july|august|september|sept|october|november|december|[a-z]{3})$/

const YEAR_FIRST = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)/
const YEAR_LAST = /^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?!\d)/
const CHINESE = /^(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]/
const COMPACT = /^(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})(\d{2})?)?$/
const DAY_NAME = /^(\d{1,2})[ /.-]([A-Za-z]{3,9})[ /.,-]+(\d{4})(?!\d)/
const NAME_DAY = /^([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})(?!\d)/
const SERIAL = /^\d{1,7}(\.\d{1,15})?$/

function readRareTime(text: string, dateOrder: DateOrder, style: FieldStyle): FileTime | undefined {
  if (style.dates === 'excel' && SERIAL.test(text)) {
    const day = excelTime(text, false)
    return day === undefined ? undefined : readTime(day, 'ymd')
  }
  const compact = COMPACT.exec(text)
  if (compact) {
    const [, year, month, day, hour = '0', minute = '00', second = '00'] = compact
    return build(year, month, day, { ...MIDNIGHT, hour, minute, second })
  }
  const found = readDay(text, dateOrder)
  if (!found) return undefined
  // 2024-03-0514:30 is no time; after 日 nothing can be mistaken.
  const rest = text.slice(found.length)
  if (/^\d/.test(rest) && !/[日号]/.test(text.charAt(found.length - 1))) return undefined
  const clock = readClock(rest)
  return clock && build(found.year, found.month, found.day, clock)
}

function readDay(text: string, order: DateOrder) {
  const [whole = '', year, month, day] = YEAR_FIRST.exec(text) ?? CHINESE.exec(text) ?? []
  if (year) return { year, month, day, length: whole.length }
  const last = YEAR_LAST.exec(text)
  if (last) {
    const [month, day] = inOrder(order, last[1], last[2])
    return { year: last[3], month, day, length: last[0].length }
  }
  const dayName = DAY_NAME.exec(text)
  if (dayName) return { year: dayName[3], month: monthOf(dayName[2]), day: dayName[1], length: dayName[0].length }
  const nameDay = NAME_DAY.exec(text)
  if (nameDay) return { year: nameDay[3], month: monthOf(nameDay[1]), day: nameDay[2], length: nameDay[0].length }
  return undefined
}

function monthOf(name = ''): string | undefined {
  const lower = name.toLowerCase()
  const index = LONG_MONTHS.test(lower) ? MONTHS.indexOf(lower.slice(0, 3)) : -1
  return index < 0 ? undefined : String(index + 1)
}

const CLOCK =
  /^(?:T|,?\s*)(?:(AM|PM|上午|下午)\s*)?(\d{1,2})[:时](\d{2})(?:[:分](?:(\d{2})(?:[.,](\d{1,9}))?秒?)?)?\s*(AM|PM)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$/i

function readClock(text: string): Clock | undefined {
  if (text === '') return MIDNIGHT
  const found = CLOCK.exec(text)
  if (!found) return undefined
  const [, before, hourText = '', minute = '', second = '00', fraction, after, zone] = found
  if (before && after) return undefined
  const half = (before ?? after)?.toUpperCase()
  const hour = Number(hourText)
  if (half && hour > 12) return undefined
  const isLate = half === 'PM' || half === '下午'
  const hour24 = half ? (hour % 12) + (isLate ? 12 : 0) : hour
  return { hour: String(hour24), minute, second, fraction, zone: zone && (/^[ZUG]/i.test(zone) ? 'Z' : zone) }
}

/** The same day and clock for any writing of them, or undefined when there is no such day, hour or zone. */
function build(year = '', month = '', day = '', clock: Clock): FileTime | undefined {
  const [y, m, d, h] = [Number(year), Number(month), Number(day), Number(clock.hour)]
  const { minute, second, fraction, zone } = clock
  if (!(m >= 1 && m <= 12 && d >= 1 && d <= daysInMonth(y, m) && y >= 1900)) return undefined
  if (h > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const local = `${year}-${pad(m)}-${pad(d)} ${pad(h)}:${minute}:${second}${fraction ? `.${fraction.slice(0, 6)}` : ''}`
  if (!zone) return { local }
  const [, zoneHour = '', zoneMinute = '00'] = /^[+-](\d{2}):?(\d{2})?$/.exec(zone) ?? []
  // The farthest zones are -12:00 and +14:00; PostgreSQL would end the whole import at +25:00.
  return Number(zoneHour) > 14 || Number(zoneMinute) > 59 ? undefined : { instant: `${local}${zone}` }
}

function pad(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

const DAY_MS = 86_400_000
/** Serial day 1 is 1900-01-01, and day 60 a 29 February that never was: from day 61 on the count is one ahead. */
const [BEFORE_1900, BEFORE_1900_LEAP, BEFORE_1904] = [
  Date.UTC(1899, 11, 31),
  Date.UTC(1899, 11, 30),
  Date.UTC(1904, 0, 1),
]
/** 9999-12-31, the last day that a spreadsheet knows. */
const SERIAL_MAX = 2_958_466

/**
 * A spreadsheet's serial day as ISO text: 2011-12-10, 2011-12-10 12:50:00, or 12:50:00 for a time without a day.
 * @returns undefined when it is none; the serial day 60 of the 1900 system is none.
 */
export function excelTime(text: string, is1904: boolean): string | undefined {
  const serial = Number(text)
  if (text.trim() === '' || !(serial >= 0 && serial < SERIAL_MAX)) return undefined
  if (!is1904 && serial >= 60 && serial < 61) return undefined
  const epoch = is1904 ? BEFORE_1904 : serial < 60 ? BEFORE_1900 : BEFORE_1900_LEAP
  // Doubles hold a time of our days to 1 µs, so the milliseconds are what was typed.
  const iso = new Date(epoch + Math.round(serial * DAY_MS)).toISOString()
  const [day, clock] = [iso.slice(0, 10), iso.slice(11, 23).replace(/\.000$/, '')]
  if (serial < 1) return clock
  return clock === '00:00:00' ? day : `${day} ${clock}`
}

const NUMBER = /^-?\d{1,15}(?:\.\d{1,20})?$/

/** The form that is next in frequency: 1,234.50. Up to four groups, as 15 digits are the most. */
const THOUSANDS = /^-?[1-9]\d{0,2}(?:,\d{3}){1,4}(?:\.\d{1,20})?$/

const SPACES = /[\s\u00a0\u2009\u202f\u3000]+/g
const SYMBOL = /^(?:US|HK|NT|CN|[ACS])?[$¥€£]|^(?:RMB|[A-Z]{3}(?=[^A-Z]))/
const SYMBOL_AFTER = /(?:[$¥€£元]|RMB|[A-Z]{3})$/

/**
 * A number as files write it, as plain decimal text for PostgreSQL's numeric: 1234.50, 1,234.50, 1 234,50, 1.234,50,
 * ￥１，２３４．５０, (5.00), 5.00-, USD 5. Which of point and comma is the decimal sign is told by the number itself,
 * unless the style says it: one comma with one, two or more than three digits after it is decimal, 1,234 is thousands.
 *
 * @returns undefined when it is none (percents and exponents too), or has over 15 whole digits or 20 decimals.
 */
export function readNumber(text: string, style: FieldStyle = {}): string | undefined {
  if (style.decimal !== 'comma') {
    if (NUMBER.test(text)) return text
    if (THOUSANDS.test(text)) return text.replaceAll(',', '')
  }
  const found = bareNumber(text)
  const plain = found && plainDecimal(found.body, style.decimal)
  if (!plain || !NUMBER.test(plain)) return undefined
  return found.isNegative && /[1-9]/.test(plain) ? `-${plain}` : plain
}

/** The digits and separators between signs, parentheses, currency and spaces; each of those at most once. */
function bareNumber(text: string): { body: string; isNegative: boolean } | undefined {
  if (text.length > 60) return undefined
  let body = toHalfWidth(text).replace(/[−－]/g, '-').trim()
  let [signs, currencies, isNegative] = [0, 0, false]
  for (let before = ''; before !== body; ) {
    before = body
    const symbol = SYMBOL.exec(body)?.[0] ?? SYMBOL_AFTER.exec(body)?.[0]
    if (symbol && (symbol === '元' || /[$¥€£]$/.test(symbol) || isCurrency(symbol))) {
      currencies += 1
      body = (body.startsWith(symbol) ? body.slice(symbol.length) : body.slice(0, -symbol.length)).trim()
    }
    const inner = /^\((.*)\)$/.exec(body)?.[1] ?? /^[+-](.*)$/.exec(body)?.[1] ?? /^(.*\d.*)-$/.exec(body)?.[1]
    if (inner !== undefined) {
      signs += 1
      isNegative = !body.startsWith('+')
      body = inner.trim()
    }
  }
  return signs > 1 || currencies > 1 ? undefined : { body, isNegative }
}

let currencies: ReadonlySet<string> | undefined

function isCurrency(code: string): boolean {
  currencies ??= new Set([...Intl.supportedValuesOf('currency'), 'RMB'])
  return currencies.has(code)
}

function plainDecimal(body: string, decimal: FieldStyle['decimal']): string | undefined {
  if (!/^[\d.,'’\s]+$/.test(body) || !/\d/.test(body)) return undefined
  const text = body.replace(SPACES, ' ')
  const sign = decimal === 'comma' ? ',' : decimal === 'point' ? '.' : decimalSign(text)
  const parts = sign ? text.split(sign) : [text]
  const [whole = '', fraction = ''] = parts
  if (parts.length > 2 || !/^\d*$/.test(fraction)) return undefined
  const separators = new Set(whole.replace(/\d/g, ''))
  if (separators.size > 1 || (separators.size === 1 && !/^\d{1,3}(?:[.,'’ ]\d{3})+$/.test(whole))) return undefined
  const digits = whole.replace(/\D/g, '').replace(/^0+(?=\d)/, '') || '0'
  return fraction ? `${digits}.${fraction}` : digits
}

/** Told by the number: the later of both signs; a comma alone that no thousands separator can be; else the point. */
function decimalSign(text: string): '.' | ',' | undefined {
  const [points, commas] = [text.split('.').length - 1, text.split(',').length - 1]
  if (points > 0 && commas > 0) return text.lastIndexOf('.') > text.lastIndexOf(',') ? '.' : ','
  if (points > 1) return undefined
  if (points === 1) return '.'
  if (commas !== 1) return undefined
  const isThousands = /^[1-9]\d{0,2},\d{3}$/.test(text)
  return isThousands ? undefined : ','
}

/** Which currencies an amount can be in by the sign or code it is written with; undefined when it has none. */
const SIGNS: Readonly<Record<string, readonly string[]>> = {
  '¥': ['CNY', 'JPY'],
  元: ['CNY'],
  RMB: ['CNY'],
  '€': ['EUR'],
  '£': ['GBP', 'EGP', 'GIP', 'FKP', 'SHP', 'SYP', 'LBP', 'SDG', 'SSP'],
}

/**
 * False when an amount is written with the sign or code of another currency: $5 in a shop that keeps CNY. A bare $
 * fits every dollar and peso.
 */
export function fitsCurrency(text: string, currency: string): boolean {
  if (NUMBER.test(text)) return true
  const written = /[A-Z]{2,3}(?![A-Z$¥])|(?:US|HK|NT|CN|[ACS])?[$¥€£]|元/.exec(toHalfWidth(text))?.[0]
  if (written === undefined || written === currency) return true
  const fitting = SIGNS[written] ?? DOLLARS[written]
  if (written === '$') return /D$|^(MXN|CLP|COP|ARS|UYU|DOP|CUP)$/.test(currency)
  return fitting?.includes(currency) ?? false
}

const DOLLARS: Readonly<Record<string, readonly string[]>> = {
  US$: ['USD'],
  HK$: ['HKD'],
  NT$: ['TWD'],
  A$: ['AUD'],
  C$: ['CAD'],
  S$: ['SGD'],
  'CN¥': ['CNY'],
}

/** The text without the first of the prefixes that it begins with: NASAW00011000 -> AW00011000. */
export function stripPrefix(text: string, prefixes: string | readonly string[] | undefined): string {
  if (prefixes === undefined) return text
  const list = typeof prefixes === 'string' ? [prefixes] : prefixes
  return text.slice(list.find((prefix) => text.startsWith(prefix))?.length ?? 0)
}

/** What a mapping says about the values of its fields. */
export interface ValueRules {
  readonly strip_prefix?: Readonly<Record<string, string | readonly string[]>> | undefined
  readonly values?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined
  readonly defaults?: Readonly<Record<string, string>> | undefined
}

/** A field of a row: without its prefix, the source's word as ours, what is empty by its default. '' when there is none. */
export function fieldValue(
  fields: readonly string[],
  columns: Readonly<Record<string, number>>,
  name: string,
  rules: ValueRules,
): string {
  const index = columns[name] ?? -1
  const text = index < 0 ? '' : stripPrefix((fields[index] ?? '').trim(), rules.strip_prefix?.[name])
  const words = rules.values?.[name]
  const word = words && Object.hasOwn(words, text) ? words[text] : text
  return word || (rules.defaults?.[name] ?? '')
}

/** Full-width digits, letters and signs as the plain ones, and the ideographic space as a space. */
export function toHalfWidth(text: string): string {
  if (!/[\u3000-\uffff]/.test(text)) return text
  return text
    .replace(/[！-～]/g, (character) => String.fromCharCode(character.charCodeAt(0) - 0xfee0))
    .replace(/[\u3000￥￡]/g, (character) => WIDE[character] ?? ' ')
}

const WIDE: Readonly<Record<string, string>> = { '￥': '¥', '￡': '£' }

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
