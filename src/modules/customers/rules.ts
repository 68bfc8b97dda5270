import { readTime, readVersion, stripPrefix, toHalfWidth } from '../../platform/fields.ts'
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

const PLACEHOLDERS = /^(\d)\1{6,}$|^1?2345678|^(none|null|n\/a|unknown|无|未知|test)$/i

/**
 * The form in which an identity is compared, or undefined when the value is none: masked (138****0000), a virtual
 * number with an extension (分机), a placeholder (00000000), or no phone or e-mail at all. Such values are kept with
 * the record they came in, and never link anybody.
 */
export function normaliseIdentity(given: Identity): Identity | undefined {
  const value = toHalfWidth(given.value.trim())
  if (!value || value.includes('*') || PLACEHOLDERS.test(value)) return undefined
  switch (given.kind) {
    case 'phone': {
      const phone = normalisePhone(value)
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

/** E.164 with +; a number without a country is Chinese. Extensions make it virtual. */
function normalisePhone(text: string): string | undefined {
  if (/(ext|转|分机|[-,;#xX]\d{1,6}$)/i.test(text.replace(/^\+?\d[\d ()-]{6,}$/, ''))) return undefined
  const digits = text.replace(/[\s().-]/g, '')
  const bare = digits.replace(/^(\+|00)/, '')
  if (!/^\d{6,15}$/.test(bare) || PLACEHOLDERS.test(bare)) return undefined
  if (digits.startsWith('+') || digits.startsWith('00')) return `+${bare}`
  if (/^1[3-9]\d{9}$/.test(bare)) return `+86${bare}`
  if (/^861[3-9]\d{9}$/.test(bare)) return `+${bare}`
  return /^0\d{9,11}$/.test(bare) ? `+86${bare.slice(1)}` : undefined
}

export interface RecordRule {
  readonly columns: Readonly<Record<string, number>>
  readonly fieldCount: number
  readonly mapping: Pick<Mapping, 'date_order' | 'dates' | 'source' | 'strip_prefix'>
  readonly options: PeopleOptions
}

const FIELD_LENGTH_MAX = 2000

/** One row of a people file -> one staged record, or the reason why not. */
export function mapRecord(lineNumber: number, fields: readonly string[], rule: RecordRule): MappedRow<StagedRecord> {
  const field = (name: PeopleField): string => {
    const index = rule.columns[name] ?? -1
    return index < 0 ? '' : stripPrefix((fields[index] ?? '').trim(), rule.mapping.strip_prefix?.[name])
  }
  if (fields.length !== rule.fieldCount) return { ok: false, reason: 'column_count', unit: undefined }
  if (fields.some((text) => text.includes('\0'))) return { ok: false, reason: 'nul_byte', unit: undefined }
  if (fields.some((text) => text.length > FIELD_LENGTH_MAX))
    return { ok: false, reason: 'field_too_long', unit: undefined }
  const given = IDENTITY_FIELDS.map((kind) => ({
    kind,
    namespace: namespaceOf(kind, rule),
    value: field(kind),
  })).filter(({ value }) => value !== '')
  const identities = given.flatMap((identity) => normaliseIdentity(identity) ?? [])
  const [first] = identities
  if (!first) return { ok: false, reason: 'missing_identity', unit: undefined }
  const version = readVersion(field('sequence'), field('updated_at'), rule.mapping.date_order, rule.mapping)
  if (version === undefined) return { ok: false, reason: 'bad_version', unit: undefined }
  const times = [field('enrolled_at'), field('seen_at') || field('updated_at')]
  const [enrolledAt, seenAt] = times.map((text) => (text ? wallClock(text, rule.mapping) : null))
  if (enrolledAt === undefined || seenAt === undefined) return { ok: false, reason: 'bad_time', unit: undefined }
  const unlinked = given.filter((identity) => !normaliseIdentity(identity))
  return {
    ok: true,
    row: {
      line: lineNumber,
      recordId: field('record_id') || `${first.kind}:${first.namespace}:${first.value}`,
      identities: inOrder(identities),
      name: field('name') || null,
      enrolledAt,
      seenAt,
      unlinked: Object.fromEntries(unlinked.map(({ kind, value }) => [kind, value])),
      version,
    },
  }
}

const IDENTITY_FIELDS = [
  'own_id',
  'unionid',
  'external_userid',
  'openid',
  'phone',
  'email',
] as const satisfies readonly IdentityKind[]

function namespaceOf(kind: IdentityKind, { mapping, options }: RecordRule): string {
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
  const identities = given.flatMap((one) => normaliseIdentity(one) ?? [])
  if (identities.length === 0) return { ok: false, reason: 'missing_identity', unit: fact.external_id }
  const unlinked = given.filter((one) => !normaliseIdentity(one))
  return {
    ok: true,
    row: {
      line,
      recordId: fact.external_id,
      identities: inOrder(identities),
      name: fact.name ?? null,
      enrolledAt: fact.enrolled_at ?? null,
      seenAt: fact.seen_at ?? fact.updated_at ?? null,
      unlinked: Object.fromEntries(unlinked.map(({ kind, value }) => [kind, value])),
      version: versionOf(fact),
    },
  }
}
