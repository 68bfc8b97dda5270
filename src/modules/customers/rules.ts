import { type CountryCode, type NumberType, parsePhoneNumberFromString } from 'libphonenumber-js/max'
import { fieldValue, readTime, readVersion, stripPrefix, toHalfWidth } from '../../platform/fields.ts'
import { type MappedRow, type Mapping, versionOf } from '../intake/schema.ts'
import {
  IDENTITY_KINDS,
  type Identity,
  type IdentityKind,
  type PeopleField,
  type PeopleOptions,
  type PersonFact,
  type StagedRecord,
} from './schema.ts'

/** What people and programs write where a value is asked for and none is known. */
const NO_VALUE = /^(0{7,}|none|null|n\/a|unknown|无|未知|test)$/i

/**
 * The form in which an identity is compared, or undefined when the value is none: masked (138****0000), a virtual
 * number with an extension (分机), a placeholder (00000000), or no phone or e-mail at all. Such values are kept with
 * the record they came in, and never link anybody.
 *
 * @param country where a phone number without a country code is dialled.
 */
export function normaliseIdentity(given: Identity, country: CountryCode = 'CN'): Identity | undefined {
  const value = toHalfWidth(given.value.trim())
  if (!value || value.includes('*') || NO_VALUE.test(value)) return undefined
  switch (given.kind) {
    case 'phone': {
      const phone = normalisePhone(value, country)
      return phone ? { kind: 'phone', namespace: '', value: phone } : undefined
    }
    case 'email':
      return /^[^\s@]+@[^\s@]+\.[^\s@]{2,}$/.test(value)
        ? { kind: 'email', namespace: '', value: value.toLowerCase() }
        : undefined
    case 'unionid':
      return { kind: 'unionid', namespace: '', value }
    default:
      return { ...given, value }
  }
}

/** E.164 with +. */
function normalisePhone(text: string, country: CountryCode): string | undefined {
  const bare = PLAIN_MOBILE.test(text) ? text : bareNumber(text)
  const number = bare && (plainMobile(bare, country) ?? libraryNumber(bare, country))
  return number && !PLACEHOLDER_NUMBERS.some((pattern) => pattern.test(number)) ? number : undefined
}

/**
 * Digits, with + before a country code. Spaces, dashes, brackets, dots and signs that nobody sees are taken off, because the
 * library keeps to some of them; what is then more than digits has an extension, or is no number.
 */
function bareNumber(text: string): string | undefined {
  const dashed = text.replace(/[\p{Pd}\u2212]/gu, '-')
  // 0431-8888123-4 would pass for a longer landline.
  if (/^\(?0\d{2,3}\)?[-\s]?\d{7,8}-\d{1,6}$/.test(dashed)) return undefined
  const bare = dashed.replace(/[\s\p{Cf}()[\].·-]/gu, '').replace(/^00/, '+')
  return /^\+?\d{6,17}$/.test(bare) ? bare : undefined
}

const PLAIN_MOBILE = /^(?:\+86)?(1(?:[38]\d|5[0-35-9]|66|7[0-35-8]|9[0-35-9])\d{8})$/

/**
 * Most numbers of a Chinese brand, in 1 µs where the library takes 20: an import of a million people would do nothing else
 * for 20 s. Prefixes that are not here, or are new, are asked of the library; those that are, it knows as mobiles, 170 and
 * 171 of the virtual operators included.
 */
export function plainMobile(bare: string, country: CountryCode = 'CN'): string | undefined {
  const digits = country === 'CN' || bare.startsWith('+') ? PLAIN_MOBILE.exec(bare)?.[1] : undefined
  return digits && `+86${digits}`
}

/**
 * What a number of one person, household or firm can be. Everybody's are left out: free and shared-cost service numbers
 * (800, 400, 95xxx), premium ones, pagers.
 */
const OWN_NUMBERS: readonly NumberType[] = ['MOBILE', 'FIXED_LINE', 'FIXED_LINE_OR_MOBILE', 'PERSONAL_NUMBER', 'VOIP']

const E164_DIGITS_MAX = 15

/**
 * The number by the library's numbering plans, with `max` metadata: `min` (half as large) knows no types and would take 400
 * numbers for people's, `mobile` would refuse landlines. A landline links like any phone: domain.md §0 makes no difference,
 * and where a shop or an office shares one, the limits on what a value may join withdraw it.
 */
export function libraryNumber(bare: string, country: CountryCode = 'CN'): string | undefined {
  const parsed = parsePhoneNumberFromString(bare, { defaultCountry: country, extract: false })
  const type = parsed?.getType()
  if (!parsed || !type || !OWN_NUMBERS.includes(type)) return undefined
  // It knows German numbers of 16 digits, which E.164 does not.
  if (parsed.number.length > '+'.length + E164_DIGITS_MAX) return undefined
  const isShort = parsed.country === 'CN' && type === 'FIXED_LINE' && !isLandline(bare, parsed.nationalNumber)
  return isShort ? undefined : parsed.number
}

/** Area code and 7 or 8 digits; the library also knows short codes behind an area code (021-95588), and needs no 0. */
function isLandline(bare: string, national: string): boolean {
  return national.length >= 10 && /^(\+|0|86)/.test(bare)
}

/** Numbers that stand for none, though some of them somebody may have: a wrong join costs more than a missed one. */
const PLACEHOLDER_NUMBERS = [
  // 13800000000, 13888888888, 0571-88888888
  /(\d)\1{7}$|0{7}$/,
  // 13800138000, 13900139000
  /^\+86(1[3-9]\d)00(?:\1)000$/,
  // 13812345678, 13123456789, 13887654321, 13698765432
  /(?:12345678|23456789|34567890|87654321|98765432)$/,
  // 13579246810, 13456789012, 15678901234
  /^\+86(?:13579246810|13456789012|14567890123|15678901234)$/,
  // In films: 555-0100 to 555-0199.
  /^\+1\d{3}55501\d\d$/,
]

/**
 * What each identity can be asked by where the value alone names several: `namespace:value`, or `kind:value` where the kind
 * has no namespace; with both where that too names another.
 */
export function keysOf(found: readonly Identity[]): string[] {
  const short = found.map(({ kind, namespace, value }) => `${namespace || kind}:${value}`)
  return found.map(({ kind, namespace, value }, index) => {
    const key = short[index] ?? ''
    return short.indexOf(key) === short.lastIndexOf(key) ? key : `${kind}:${namespace}:${value}`
  })
}

const DAY_MS = 86_400_000

/** Up to which instant a phone claimed has lapsed: it links while now < claimed_at + limit (domain.md §0). */
export function phoneCut(now: Date, phoneClaimDays: number): Date {
  return new Date(now.getTime() - phoneClaimDays * DAY_MS)
}

export interface RecordRule {
  readonly columns: Readonly<Record<string, number>>
  readonly fieldCount: number
  readonly mapping: Pick<Mapping, 'date_order' | 'dates' | 'source' | 'strip_prefix' | 'values' | 'defaults'>
  readonly options: PeopleOptions
}

const FIELD_LENGTH_MAX = 2000

/** One row of a people file -> one staged record, or the reason why not. */
export function mapRecord(lineNumber: number, fields: readonly string[], rule: RecordRule): MappedRow<StagedRecord> {
  const field = (name: PeopleField): string => fieldValue(fields, rule.columns, name, rule.mapping)
  if (fields.length !== rule.fieldCount) return { ok: false, reason: 'column_count', unit: undefined }
  if (fields.some((text) => text.includes('\0'))) return { ok: false, reason: 'nul_byte', unit: undefined }
  if (fields.some((text) => text.length > FIELD_LENGTH_MAX))
    return { ok: false, reason: 'field_too_long', unit: undefined }
  const given = IDENTITY_FIELDS.map((kind) => ({
    kind,
    namespace: namespaceOf(kind, rule),
    value: field(kind),
  })).filter(({ value }) => value !== '')
  const { identities, unlinked } = sorted(given)
  const [first] = identities
  if (!first) return { ok: false, reason: 'missing_identity', unit: undefined }
  const version = readVersion(field('sequence'), field('updated_at'), rule.mapping.date_order, rule.mapping)
  if (version === undefined) return { ok: false, reason: 'bad_version', unit: undefined }
  const times = [field('enrolled_at'), field('seen_at') || field('updated_at')]
  const [enrolledAt, seenAt] = times.map((text) => (text ? wallClock(text, rule.mapping) : null))
  if (enrolledAt === undefined || seenAt === undefined) return { ok: false, reason: 'bad_time', unit: undefined }
  return {
    ok: true,
    row: {
      line: lineNumber,
      recordId: field('record_id') || `${first.kind}:${first.namespace}:${first.value}`,
      identities: inOrder(identities),
      name: field('name') || null,
      enrolledAt,
      seenAt,
      unlinked,
      version,
    },
  }
}

/** What can link, as it is compared, and what cannot, as it was given. */
function sorted(given: readonly Identity[]): Pick<StagedRecord, 'identities' | 'unlinked'> {
  const read = given.map((one) => ({ one, identity: normaliseIdentity(one) }))
  return {
    identities: read.flatMap(({ identity }) => identity ?? []),
    unlinked: Object.fromEntries(read.flatMap(({ one, identity }) => (identity ? [] : [[one.kind, one.value]]))),
  }
}

export const IDENTITY_FIELDS = [
  'own_id',
  'unionid',
  'external_userid',
  'openid',
  'phone',
  'email',
] as const satisfies readonly IdentityKind[]

export function namespaceOf(
  kind: IdentityKind,
  { mapping, options }: { readonly mapping: Pick<Mapping, 'source'>; readonly options: PeopleOptions },
): string {
  switch (kind) {
    case 'own_id':
      return options.own_id_source ?? mapping.source
    case 'external_userid':
      return options.corp ?? mapping.source
    case 'openid':
      return options.app ?? mapping.source
    default:
      return ''
  }
}

/** What a field may name, as whatever kind of identity its text can be. */
export function identitiesIn(rule: Pick<RecordRule, 'mapping' | 'options'>) {
  return (text: string): Identity[] =>
    IDENTITY_FIELDS.flatMap((kind) => {
      const value = stripPrefix(text.trim(), rule.mapping.strip_prefix?.[kind])
      return normaliseIdentity({ kind, namespace: namespaceOf(kind, rule), value }) ?? []
    })
}

/** Text for timestamptz: an instant as given, or wall-clock time that the set statement reads in the source's zone. */
function wallClock(text: string, mapping: RecordRule['mapping']): string | undefined {
  const time = readTime(text, mapping.date_order, mapping)
  return time && ('instant' in time ? time.instant : time.local)
}

/** Each once and in one order, so that the same identities are the same body. */
function inOrder(identities: readonly Identity[]): Identity[] {
  const byText = new Map(identities.map((one) => [`${one.kind} ${one.namespace} ${one.value}`, one]))
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
}

/** A record that came by API; `line` is the fact's place in the request. */
export function factRecord(fact: PersonFact, line: number): MappedRow<StagedRecord> {
  const given = fact.identities.map((one) => ({
    ...one,
    namespace: IDENTITY_KINDS[one.kind].needsNamespace ? one.namespace || fact.source : '',
  }))
  const { identities, unlinked } = sorted(given)
  if (identities.length === 0) return { ok: false, reason: 'missing_identity', unit: fact.external_id }
  return {
    ok: true,
    row: {
      line,
      recordId: fact.external_id,
      identities: inOrder(identities),
      name: fact.name ?? null,
      enrolledAt: fact.enrolled_at ?? null,
      seenAt: fact.seen_at ?? fact.updated_at ?? null,
      unlinked,
      version: versionOf(fact),
    },
  }
}
