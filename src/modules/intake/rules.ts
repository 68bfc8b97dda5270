import { columnsOf, type DateOrder, readNumber, readTime } from '../../platform/fields.ts'
import type { Mapping } from './schema.ts'

/** What is known of a kind of file: its fields, and the shipped mappings, whose column names are the aliases. */
export interface GuessKind {
  readonly kind: Mapping['kind']
  readonly fields: Readonly<Record<string, string>>
  readonly shipped: readonly Mapping[]
  /** Fields without which a file of the kind cannot be imported, given the columns found (-1: none). */
  missingFields(columns: Readonly<Record<string, number>>): readonly string[]
  readonly status?: StatusColumns
}

/** A column that says whether a row counts: its names, and what the words in it mean. */
export interface StatusColumns {
  readonly names: readonly string[]
  readonly words: Readonly<Record<'paid' | 'given_back' | 'unpaid', readonly string[]>>
}

export interface ColumnGuess {
  readonly field: string
  readonly column: string
  /** 0 to 1. */
  readonly confidence: number
  /** Why, in words. */
  readonly evidence: readonly string[]
}

export interface MappingGuess {
  readonly mapping: Mapping
  /** Of the whole: that of the least sure column without which nothing could be imported. 0 to 1. */
  readonly confidence: number
  readonly columns: readonly ColumnGuess[]
}

/** 2026-09 and (1), months in words, and what else exports of one kind differ by. */
const SERIAL_PARTS =
  /\d+|\b(jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|january|february|march|april|june|july|august|september|october|november|december|copy|final|new)\b|十?[一二三四五六七八九十]月|[年月日]|副本|最新/g

/** A file's name without what changes from one export to the next: two of one series have the same. */
export function seriesOf(fileName: string): string {
  const bare = fileName
    .toLowerCase()
    .replace(/#.*$/, '')
    .replace(/(\.(csv|txt|tsv|jsonl|ndjson|json|xlsx|gz))+$/, '')
  return bare
    .replace(/_/g, ' ')
    .replace(SERIAL_PARTS, '')
    .replace(/[\s().\-–—+~]+/g, '')
}

/** From here on a guess is acted on; below it is shown to be mended. */
export const SURE = 0.75

/** By its name, by part of its name; and what is left of either when the values do not look like it. */
const [NAMED, HALF_NAMED, CONTRADICTED] = [0.9, 0.65, 0.3]
const VALUES_FIT = 0.08
/** Without any name: values that can hardly be anything else, and values that may be many things. */
const [TELLING_VALUES, POSSIBLE_VALUES] = [0.7, 0.45]
const CONFIDENCE_MIN = 0.4
/** Orders whose customer is in no column that is known would all be stored as anonymous. */
const WITHOUT_CUSTOMER = 0.7
/** What a status does to figures is never acted on unseen. */
const WITH_STATUS = 0.7
/** Values of a status column: the words that it has. */
const STATUS_WORDS_MAX = 20
/** Of the filled values, so many have to look like it: real files have bad rows. */
const MOST = 0.8

/**
 * The mapping that a file most likely needs, by the names of its columns and the values of some rows. A shipped
 * mapping is taken whole where it fits; else one is made of the columns that are found. Never sure of a date that
 * could be read in two orders.
 *
 * @returns undefined when not one column is recognised.
 */
export function guessMapping(
  header: readonly string[],
  sampleRows: readonly (readonly string[])[],
  kinds: readonly GuessKind[],
): MappingGuess | undefined {
  const columns = header.map((name, index) =>
    describe(
      name,
      sampleRows.map((row) => row[index] ?? ''),
    ),
  )
  const guesses = kinds.flatMap((kind) => [
    ...kind.shipped.flatMap((mapping) => judgeShipped(mapping, kind, header, columns) ?? []),
    ...(compose(kind, columns) ?? []),
  ])
  const rank = (guess: MappingGuess) => guess.columns.reduce((sum, { confidence }) => sum + confidence, 0)
  // The kind by what it explains of the file: each order file would do as a list of its customers too.
  const [most] = guesses.toSorted((a, b) => rank(b) - rank(a))
  const ofKind = guesses.filter(({ mapping }) => mapping.kind === most?.mapping.kind)
  const isSure = (guess: MappingGuess) => Number(guess.confidence >= SURE)
  const [best] = ofKind.sort((a, b) => isSure(b) - isSure(a) || rank(b) - rank(a) || b.confidence - a.confidence)
  return best?.columns.some(({ confidence }) => confidence >= HALF_NAMED) ? best : undefined
}

/** A field with a default is there in every row, whatever the file's columns. */
function presentColumns(
  columns: Readonly<Record<string, number>>,
  mapping: Pick<Mapping, 'defaults'>,
): Record<string, number> {
  const defaulted = Object.keys(mapping.defaults ?? {}).filter((field) => (columns[field] ?? -1) < 0)
  return { ...columns, ...Object.fromEntries(defaulted.map((field) => [field, 0])) }
}

/** What a file lacks to be read by a mapping: what its kind needs, and what the mapping takes rows by. */
export function missingColumns(
  columns: Readonly<Record<string, number>>,
  mapping: Mapping,
  kind: Pick<GuessKind, 'missingFields'>,
): string[] {
  const present = presentColumns(columns, mapping)
  const asked = Object.keys(mapping.only ?? {}).filter((field) => (present[field] ?? -1) < 0)
  return [...kind.missingFields(present), ...asked]
}

interface Column {
  readonly name: string
  /** Shares of the filled values, 0 to 1. */
  readonly filled: number
  readonly distinct: number
  readonly number: number
  readonly phone: number
  /** Phones of which no digit is hidden. */
  readonly wholePhone: number
  readonly email: number
  readonly time: Readonly<Record<DateOrder, number>>
  readonly hasDecimals: boolean
  readonly hasDecimalComma: boolean
  readonly hasDecimalPoint: boolean
  /** Every value is a small whole number. */
  readonly isCount: boolean
  /** Its different values; none where there are many. */
  readonly words: readonly string[]
}

function describe(name: string, values: readonly string[]): Column {
  const filled = values.map((value) => value.trim()).filter((value) => value !== '')
  const share = (test: (value: string) => boolean) =>
    filled.length === 0 ? 0 : filled.filter(test).length / filled.length
  const isTime = (order: DateOrder) => share((value) => readTime(value, order) !== undefined)
  const words = [...new Set(filled)]
  const hasDecimalComma = filled.some((value) => /\d,(\d{1,2}|\d{4,})\D*$/.test(value) && !value.includes('-'))
  return {
    name,
    filled: values.length === 0 ? 0 : filled.length / values.length,
    distinct: filled.length === 0 ? 0 : new Set(filled).size / filled.length,
    number: share((value) => readNumber(value) !== undefined),
    phone: share((value) => /^(\+?86[ -]?)?1[3-9]\d[ -]?(\d{4}|\*{4})[ -]?\d{4}$|^\+\d[\d ()-]{7,16}$/.test(value)),
    wholePhone: share((value) => /^(\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}$/.test(value)),
    email: share((value) => /^[^\s@]+@[^\s@]+\.[^\s@]{2,}$/.test(value)),
    time: { ymd: isTime('ymd'), mdy: isTime('mdy'), dmy: isTime('dmy') },
    hasDecimals: filled.some((value) => /\d[.,]\d{1,2}\D*$/.test(value)),
    hasDecimalComma,
    hasDecimalPoint: filled.some((value) => /\d\.(\d{1,2}|\d{4,})\D*$/.test(value)),
    isCount: filled.length > 0 && filled.every((value) => /^-?\d{1,4}$/.test(value)),
    words: words.length <= STATUS_WORDS_MAX ? words : [],
  }
}

/** What the values of a field look like; a field without an entry may hold any text. */
const LOOKS: Readonly<
  Record<string, { readonly what: string; test(column: Column): boolean; readonly telling?: true }>
> = {
  paid_at: { what: 'dates', test: isTimeColumn, telling: true },
  enrolled_at: { what: 'dates', test: isTimeColumn },
  seen_at: { what: 'dates', test: isTimeColumn },
  begun_at: { what: 'dates', test: isTimeColumn, telling: true },
  ended_at: { what: 'dates', test: isTimeColumn },
  occurred_at: { what: 'dates', test: isTimeColumn, telling: true },
  quantity: { what: 'small whole numbers', test: (column) => column.number >= MOST && !column.hasDecimals },
  unit_price: { what: 'amounts', test: (column) => column.number >= MOST },
  amount: { what: 'amounts', test: (column) => column.number >= MOST },
  order_total: { what: 'amounts', test: (column) => column.number >= MOST },
  order_refunded: { what: 'amounts', test: (column) => column.number >= MOST },
  phone: { what: 'phone numbers', test: (column) => column.phone >= MOST, telling: true },
  email: { what: 'e-mail addresses', test: (column) => column.email >= MOST, telling: true },
  order_id: { what: 'ids', test: (column) => column.filled >= MOST && !column.hasDecimals && column.email < MOST },
}

/** `referrer_phone` looks like a phone. */
function lookOf(field: string) {
  return LOOKS[field] ?? LOOKS[field.replace(/^(referrer|invitee)_/, '')]
}

function isTimeColumn(column: Column): boolean {
  return Math.max(column.time.ymd, column.time.mdy, column.time.dmy) >= MOST
}

/** An order id that has no name to go by could be any of these. */
function looksElse(column: Column): boolean {
  return isTimeColumn(column) || column.email >= MOST || column.phone >= MOST || column.hasDecimals || column.isCount
}

/** Fields that values alone may suggest, where no column has their name. */
const BY_VALUES: readonly string[] = ['paid_at', 'begun_at', 'occurred_at', 'phone', 'email', 'amount', 'order_id']

/** They change what an order amounts to, or whether it counts at all: only a mapping that was written says them. */
const SAID: readonly string[] = ['order_total', 'order_refunded', 'is_refunded', 'status']

function judge(field: string, column: Column, named: 'whole' | 'part' | 'not'): ColumnGuess | undefined {
  const look = lookOf(field)
  const isEmpty = column.filled === 0
  const fits = look === undefined || isEmpty || look.test(column)
  const said = fits && look && !isEmpty ? [`its values look like ${look.what}`] : []
  if (named === 'not') {
    if (field === 'customer_id') return judgeContact(column)
    if (!fits || isEmpty || !BY_VALUES.includes(field)) return undefined
    if (field === 'amount' && !column.hasDecimals) return undefined
    if (field === 'order_id' && looksElse(column)) return undefined
    return { field, column: column.name, confidence: look?.telling ? TELLING_VALUES : POSSIBLE_VALUES, evidence: said }
  }
  const name = named === 'whole' ? 'its name is known for this' : 'part of its name is known for this'
  if (!fits) {
    const doubt = `but its values do not look like ${look?.what}`
    return { field, column: column.name, confidence: CONTRADICTED, evidence: [name, doubt] }
  }
  const base = named === 'whole' ? NAMED : HALF_NAMED
  return {
    field,
    column: column.name,
    confidence: base + (said.length > 0 ? VALUES_FIT : 0),
    evidence: [name, ...said],
  }
}

/** Where no column has customers' ids, a phone or an e-mail says who bought; somebody has to look. */
function judgeContact(column: Column): ColumnGuess | undefined {
  const what = column.email >= MOST ? 'e-mail addresses' : column.wholePhone >= MOST ? 'phone numbers' : undefined
  if (what === undefined) return undefined
  const evidence = [`its values look like ${what}, and each of them would be a customer`]
  return { field: 'customer_id', column: column.name, confidence: POSSIBLE_VALUES, evidence }
}

/** The column that says how far an order is, with what its words do; the generic mappings have no such rule. */
function findStatus({ status }: GuessKind, columns: readonly Column[]) {
  if (!status) return undefined
  const { paid, given_back, unpaid } = status.words
  const known = [...paid, ...given_back, ...unpaid]
  const isKnown = (word: string) => known.includes(word.toLowerCase())
  const fits = (named: 'whole' | 'part') =>
    columns.find(({ name, words }) => nameFit(name, status.names) === named && words.some((word) => isKnown(word)))
  const column = fits('whole') ?? fits('part')
  if (!column) return undefined
  const isChinese = (words: readonly string[]) => words.some((word) => /\p{Script=Han}/u.test(word))
  const inItsLanguage = (word: string) => isChinese([word]) === isChinese(column.words)
  // As the file spells them: rows are compared letter by letter.
  const asSeen = (word: string) => column.words.find((seen) => seen.toLowerCase() === word) ?? word
  const spelt = (words: readonly string[]) => words.filter(inItsLanguage).map(asSeen)
  const strange = column.words.filter((word) => !isKnown(word))
  const unknown = strange.map((word) => `"${word}" is not known, and taken for paid`)
  const evidence = ['its words say which orders count: closed and refunded ones are given back whole', ...unknown]
  return {
    column,
    guess: { field: 'status', column: column.name, confidence: HALF_NAMED, evidence },
    rules: {
      only: { status: [...spelt([...paid, ...given_back]), ...strange] },
      given_back: Object.fromEntries(spelt(given_back).map((word) => [word, 'yes'])),
    },
  }
}

/** A shipped mapping as it is, when the file has every column that it needs. */
function judgeShipped(
  mapping: Mapping,
  kind: GuessKind,
  header: readonly string[],
  columns: readonly Column[],
): MappingGuess | undefined {
  const places = columnsOf(header, mapping.columns)
  if (missingColumns(places, mapping, kind).length > 0) return undefined
  if (mapping.name === kind.kind && findStatus(kind, columns)) return undefined
  const found = Object.entries(places).flatMap(([field, index]) => {
    const column = columns[index]
    const guess = column && judge(field, column, 'whole')
    return guess && column ? [doubtOrder(guess, column, mapping.date_order)] : []
  })
  return { mapping, confidence: overall(found, kind, mapping), columns: found }
}

/** A date column that cannot be read in the mapping's order is none. */
function doubtOrder(guess: ColumnGuess, column: Column, order: DateOrder): ColumnGuess {
  if (LOOKS[guess.field]?.what !== 'dates' || column.filled === 0 || column.time[order] >= MOST) return guess
  return { ...guess, confidence: CONTRADICTED, evidence: [...guess.evidence, `but not in the order ${order}`] }
}

/** A mapping of the columns that are found, the surest first, each column for one field. */
function compose(kind: GuessKind, columns: readonly Column[]): MappingGuess[] | undefined {
  // Not the names of particular shops: Shopify calls an order's id Name.
  const generic = kind.shipped.find(({ name }) => name === kind.kind)
  const aliases = (field: string) => [field, ...(generic?.columns[field] ?? [])]
  const all = Object.keys(kind.fields)
    .filter((field) => !SAID.includes(field))
    .flatMap((field) =>
      columns.flatMap((column, place) => {
        const named = nameFit(column.name, aliases(field))
        const guess = judge(field, column, named)
        return guess && guess.confidence >= CONFIDENCE_MIN ? [{ guess, place, isNamed: named !== 'not' }] : []
      }),
    )
  all.sort((a, b) => b.guess.confidence - a.guess.confidence || a.place - b.place)
  const taken = new Map<number, ColumnGuess>()
  const fields = new Set<string>()
  const take = (list: typeof all) => {
    for (const { guess, place } of list) {
      if (taken.has(place) || fields.has(guess.field)) continue
      taken.set(place, guess)
      fields.add(guess.field)
    }
  }
  take(all.filter(({ isNamed }) => isNamed))
  // Values alone suggest only what would be missing: an amount beside a price would take the price's place.
  const missing = kind.missingFields(Object.fromEntries([...fields].map((field) => [field, 0])))
  const isMissing = (field: string) =>
    missing.includes(field === 'amount' ? 'unit_price' : field) || field === 'customer_id'
  take(all.filter(({ guess }) => isMissing(guess.field) || guess.field === 'phone' || guess.field === 'email'))
  if (taken.size === 0) return undefined
  const { date_order, isSure } = orderOf(
    [...taken].flatMap(([place, guess]) => {
      const column = columns[place]
      return column && LOOKS[guess.field]?.what === 'dates' ? [column] : []
    }),
  )
  const doubted = [...taken.values()].map((guess) =>
    isSure || LOOKS[guess.field]?.what !== 'dates'
      ? guess
      : {
          ...guess,
          confidence: Math.min(guess.confidence, 0.5),
          evidence: [...guess.evidence, 'but days and months can be told from each other in no value: say date_order'],
        },
  )
  const status = findStatus(kind, columns)
  const confidence = Math.min(overall(doubted, kind), status ? WITH_STATUS : 1)
  // What is acted on unseen has no column that is only half known.
  const found = confidence >= SURE ? doubted.filter((guess) => guess.confidence >= SURE) : doubted
  const amounts = columns.filter((_, place) => ['amount', 'unit_price'].includes(taken.get(place)?.field ?? ''))
  const isComma = amounts.some((column) => column.hasDecimalComma) && !amounts.some((column) => column.hasDecimalPoint)
  const mapping: Mapping = {
    name: 'guessed',
    kind: kind.kind,
    source: kind.kind,
    date_order,
    ...(isComma ? { decimal: 'comma' as const } : {}),
    columns: Object.fromEntries(found.map(({ field, column }) => [field, [column]])),
    ...(generic?.values ? { values: generic.values } : {}),
    options: {},
  }
  return [
    status ? withStatus({ mapping, confidence, columns: found }, status) : { mapping, confidence, columns: found },
  ]
}

function withStatus(
  { mapping, confidence, columns }: MappingGuess,
  { column: { name }, guess, rules }: NonNullable<ReturnType<typeof findStatus>>,
): MappingGuess {
  return {
    mapping: {
      ...mapping,
      columns: { ...mapping.columns, status: [name], is_refunded: [name] },
      only: rules.only,
      values: { ...mapping.values, is_refunded: rules.given_back },
    },
    confidence,
    columns: [...columns, guess, { ...guess, field: 'is_refunded' }],
  }
}

function nameFit(name: string, aliases: readonly string[]): 'whole' | 'part' | 'not' {
  const plain = plainWords(name).join('')
  if (plain === '') return 'not'
  if (aliases.some((alias) => plainWords(alias).join('') === plain)) return 'whole'
  const words = new Set(plainWords(name))
  const isPart = aliases.some((alias) => {
    const wanted = plainWords(alias)
    // Chinese has no spaces: 订单付款时间 holds 付款时间.
    const isChinese = /\p{Script=Han}{2}/u.test(alias) && plain.includes(wanted.join(''))
    return isChinese || (wanted.join('').length > 2 && wanted.every((word) => words.has(word)))
  })
  return isPart ? 'part' : 'not'
}

/** `OrderDate`, `order_date` and `Order Date` are the same two words. */
function plainWords(name: string): string[] {
  const spaced = name.replace(/([a-z\d])([A-Z])/g, '$1 $2')
  return spaced
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
}

/** The order in which all dates of the file can be read; not sure when more than one could. */
function orderOf(columns: readonly Column[]): { date_order: DateOrder; isSure: boolean } {
  const least = (order: DateOrder) => Math.min(1, ...columns.map(({ time }) => time[order]))
  if (least('ymd') >= MOST) return { date_order: 'ymd', isSure: true }
  const [mdy, dmy] = [least('mdy'), least('dmy')]
  return { date_order: dmy > mdy ? 'dmy' : 'mdy', isSure: mdy !== dmy }
}

/** As sure as of the least sure field that cannot be left out; none when one is missing. */
function overall(found: readonly ColumnGuess[], kind: GuessKind, mapping: Pick<Mapping, 'defaults'> = {}): number {
  const places = (list: readonly ColumnGuess[]) =>
    presentColumns(Object.fromEntries(list.map(({ field }, index) => [field, index])), mapping)
  if (kind.missingFields(places(found)).length > 0) return 0
  const needed = found.filter((one) => kind.missingFields(places(found.filter((other) => other !== one))).length > 0)
  const sure = needed.length > 0 ? Math.min(...needed.map(({ confidence }) => confidence)) : 1
  const most = Math.max(0, ...found.map(({ confidence }) => confidence))
  // A column that is only half known is left out of what is acted on unseen.
  const isKnown = ({ field, confidence }: ColumnGuess) => field === 'customer_id' && confidence >= SURE
  const isAnonymous = 'customer_id' in kind.fields && !found.some(isKnown)
  return Math.min(sure, most, isAnonymous ? WITHOUT_CUSTOMER : 1)
}
