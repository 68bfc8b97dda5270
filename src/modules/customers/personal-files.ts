import { createHash } from 'node:crypto'
import { type FieldStyle, fieldValue, readNumber, readTime } from '../../platform/fields.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { instantsIn } from '../../platform/zone.ts'
import { readSettings } from '../brand/actions.ts'
import type { ImportKind, ImportStart } from '../intake/actions.ts'
import type { MappedRow, Mapping, RejectReason } from '../intake/schema.ts'
import { factText } from './fact-queries.ts'
import { identitiesOf, openPersonalStaging, type PersonalFact, type PersonalKind, toRow } from './personal-facts.ts'
import { IDENTITY_FIELDS, identitiesIn, namespaceOf, normaliseIdentity } from './rules.ts'
import { type Identity, type PeopleOptions, peopleOptions, type StagedFact } from './schema.ts'

/** How facts about one person lie in a file, one a row. */
export interface PersonalFile {
  readonly kind: Mapping['kind']
  readonly mappingsFolder: string
  /** The fact's people, and what their identity columns begin with: { referrer: 'referrer_' } reads referrer_phone. */
  readonly people: Readonly<Record<string, string>>
  /** The fact's other fields. */
  readonly fields: Readonly<Record<string, PersonalField>>
  /** Of each group a file needs one column, a row one value. */
  readonly needs: readonly (readonly string[])[]
}

export interface PersonalField {
  readonly about: string
  /** word: one of a few, in any case: `Check-in` is check_in. */
  readonly reads: 'text' | 'word' | 'time' | 'number' | 'yes_no'
}

const FIELD_LENGTH_MAX = 2000
const ID_LENGTH_MAX = 200
const YES_NO: Readonly<Record<string, boolean>> = {
  ...{ true: true, yes: true, y: true, '1': true, 是: true },
  ...{ false: false, no: false, n: false, '0': false, 否: false },
}

/** Files of a kind that the API knows: a row becomes the fact that the API would be sent, and goes the same way. */
export function personalFileKind<Fact extends PersonalFact>(
  kind: PersonalKind<Fact>,
  file: PersonalFile,
): ImportKind<StagedFact, PeopleOptions> {
  return {
    kind: file.kind,
    mappingsFolder: file.mappingsFolder,
    fields: fieldsOf(file),
    missingFields: (columns) => {
      const has = (field: string) => (columns[field] ?? -1) >= 0
      const people = Object.values(file.people).map((prefix) => IDENTITY_FIELDS.map((name) => prefix + name))
      return [...people, ...file.needs].flatMap((group) => (group.some(has) ? [] : group.slice(0, 1)))
    },
    readOptions,
    openReader: async (db, start) => {
      const toInstant = zoned(start.mapping.zone ?? (await readSettings(db)).zone)
      if (isRefusal(toInstant)) return toInstant
      const map = (line: number, fields: readonly string[]) => mapRow(kind, file, line, fields, start, toInstant)
      return {
        basis: '',
        map,
        identitiesOf,
        identitiesIn: identitiesIn(start),
        unitOf: () => undefined,
        encode: factText,
      }
    },
    begin: (tx, { mapping, now }) => openPersonalStaging(tx, kind, mapping.source, now, { isFile: true }),
  }
}

function zoned(zone: string): ReturnType<typeof instantsIn> | Refusal {
  try {
    return instantsIn(zone)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return refuse(
      'invalid',
      'bad_zone',
      `There is no time zone "${zone}".`,
      'Name one as Asia/Shanghai in the mapping.',
    )
  }
}

function fieldsOf(file: PersonalFile): Record<string, string> {
  const people = Object.entries(file.people).flatMap(([role, prefix]) =>
    IDENTITY_FIELDS.map((name) => [prefix + name, role === 'identity' ? 'who it was' : `who the ${role} is`]),
  )
  const others = Object.entries(file.fields).map(([name, { about }]) => [name, about])
  return Object.fromEntries([
    ['external_id', "the fact's id in the source; else made of what the row says"],
    ...people,
    ...others,
    ['updated_at', 'when the source last changed it: of two versions the later one counts'],
    ['sequence', "instead of updated_at: the source's own count of its changes"],
  ])
}

/** Options of people files: whose customer ids, which corp, which app. */
export function readOptions(given: Readonly<Record<string, string>>): PeopleOptions | Refusal {
  const options = peopleOptions.safeParse(given)
  if (options.success) return options.data
  const [first] = options.error.issues
  return refuse(
    'invalid',
    'bad_option',
    `Option ${first?.path.join('.') || ''}: ${first?.message}.`,
    'Options are own_id_source=SOURCE, corp=CORP, app=APP.',
  )
}

function mapRow<Fact extends PersonalFact>(
  kind: PersonalKind<Fact>,
  file: PersonalFile,
  line: number,
  fields: readonly string[],
  start: ImportStart<PeopleOptions>,
  toInstant: ReturnType<typeof instantsIn>,
): MappedRow<StagedFact> {
  const reject = (reason: RejectReason): MappedRow<StagedFact> => ({ ok: false, reason, unit: undefined })
  const { mapping, columns } = start
  if (fields.length !== start.fieldCount) return reject('column_count')
  if (fields.some((text) => text.includes('\0'))) return reject('nul_byte')
  if (fields.some((text) => text.length > FIELD_LENGTH_MAX)) return reject('field_too_long')
  const said: Record<string, unknown> = { kind: kind.name }
  for (const [role, prefix] of Object.entries(file.people)) {
    const identity = firstIdentity(prefix, fields, start)
    if (!identity) return reject('missing_identity')
    if (identity.value.length > ID_LENGTH_MAX) return reject('id_too_long')
    said[role] = identity
  }
  for (const [name, { reads }] of Object.entries(file.fields)) {
    const text = fieldValue(fields, columns, name, mapping)
    if (text === '') continue
    const value = readValue(text, reads, mapping, toInstant, mapping.values?.[name])
    if (value === undefined) return reject(UNREADABLE[reads])
    said[name] = value
  }
  const lacking = file.needs.find((group) => group.every((name) => said[name] === undefined))
  if (lacking)
    return reject(lacking.some((name) => file.fields[name]?.reads === 'time') ? 'missing_time' : 'missing_field')
  const id = fieldValue(fields, columns, 'external_id', mapping)
  if (id.length > ID_LENGTH_MAX) return reject('id_too_long')
  const version = readRank(fields, start, toInstant)
  if (!version) return reject('bad_version')
  const fact = { ...said, ...version, source: mapping.source, external_id: id || contentId(said) }
  const parsed = kind.fact.safeParse(fact)
  if (parsed.success) return toRow(kind, parsed.data, line)
  // An issue of no field is about both times: the schemas compare nothing else that is not checked above.
  return reject(parsed.error.issues[0]?.path.length === 0 ? 'ended_before_begun' : 'bad_value')
}

/** The source's rank of what the row says, as the API takes it; undefined when it is none. */
function readRank(
  fields: readonly string[],
  { columns, mapping }: ImportStart<PeopleOptions>,
  toInstant: ReturnType<typeof instantsIn>,
): { sequence?: number; updated_at?: string } | undefined {
  const [sequence, updatedAt] = ['sequence', 'updated_at'].map((name) => fieldValue(fields, columns, name, mapping))
  if (sequence) return /^\d{1,15}$/.test(sequence) ? { sequence: Number(sequence) } : undefined
  if (!updatedAt) return {}
  const time = readTime(updatedAt, mapping.date_order, mapping)
  const instant = time && toInstant(time)
  return instant === undefined ? undefined : { updated_at: instant }
}

/** Of the identities in a row the first that can be one. */
function firstIdentity(
  prefix: string,
  fields: readonly string[],
  start: ImportStart<PeopleOptions>,
): Identity | undefined {
  for (const kind of IDENTITY_FIELDS) {
    const value = fieldValue(fields, start.columns, prefix + kind, start.mapping)
    const identity = value && normaliseIdentity({ kind, namespace: namespaceOf(kind, start), value })
    if (identity) return identity
  }
  return undefined
}

const UNREADABLE = {
  text: 'bad_value',
  word: 'bad_value',
  time: 'bad_time',
  number: 'bad_number',
  yes_no: 'bad_value',
} as const

function readValue(
  text: string,
  reads: PersonalField['reads'],
  mapping: Mapping & FieldStyle,
  toInstant: ReturnType<typeof instantsIn>,
  words: Readonly<Record<string, string>> = {},
): string | number | boolean | undefined {
  if (reads === 'text') return text
  if (reads === 'word') {
    const word = text.toLowerCase().replace(/[\s-]+/g, '_')
    return Object.hasOwn(words, word) ? words[word] : word
  }
  if (reads === 'yes_no') return Object.hasOwn(YES_NO, text.toLowerCase()) ? YES_NO[text.toLowerCase()] : undefined
  if (reads === 'number') {
    const number = readNumber(text, mapping)
    return number === undefined ? undefined : Number(number)
  }
  const time = readTime(text, mapping.date_order, mapping)
  return time && toInstant(time)
}

/** Of what was read, not of the row's text: another export with more columns or other date forms says the same facts. */
function contentId(said: Readonly<Record<string, unknown>>): string {
  const sorted = Object.entries(said).sort(([a], [b]) => (a < b ? -1 : 1))
  return `row:${createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 32)}`
}
