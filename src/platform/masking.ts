import { findPhoneNumbersInText } from 'libphonenumber-js/max'

/*
 * Personal values for eyes that need not have them. Everything that leaves for a role without them passes `maskAnswer`: by
 * kind where the answer says of what kind a value is, and by what it looks like in every other text, because a source may
 * take a phone for its own id of a person or a record.
 */

/** Of identities, those that reach a person or are the person's name elsewhere; an own id is the brand's own word. */
const MASKED_KINDS = ['phone', 'email', 'unionid', 'openid', 'external_userid']
/** Fields that hold the name of a person where they stand beside `person_id`. */
const NAME_FIELDS = ['name', 'nickname']

const EMAIL = /[^\s@<>()[\]",;:]+@[^\s@<>()[\]",;:]+/g
/** As the product writes it, and inside of other words: `wm_13812345678`. */
const CHINESE_MOBILE = /(?<!\d)(?:\+?86[ -]?)?(1[3-9]\d)[ -]?(\d{4})[ -]?(\d{4})(?!\d)/g
/** A number of a resident's card: area, birthday, order, check. */
const RESIDENT_NUMBER = /(?<!\d)(\d{3})\d{3}(?:18|19|20)\d\d(?:0\d|1[0-2])(?:[0-2]\d|3[01])\d(\d\d[\dXx])(?!\d)/g
/** An instant as every answer writes it: to look for phones in it takes 100 µs. */
const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/
/** Where people write in a national form, that is China's: the rule by which phones come in (customers/rules.ts). */
const COUNTRY = 'CN'

/** `138****1234`, `+44****0958`, `a***@example.com`; texts of other kinds keep their first and last two characters. */
export function maskValue(kind: string, value: string): string {
  const masked = maskText(value)
  if (masked !== value || !MASKED_KINDS.includes(kind)) return masked
  if (kind === 'phone') return `${value.slice(0, 3)}****${value.slice(-4)}`
  const characters = [...value]
  return characters.length <= 6 ? '****' : `${characters.slice(0, 2).join('')}****${characters.slice(-2).join('')}`
}

/** Whatever in a text is a phone or an e-mail, masked. */
export function maskText(text: string): string {
  if (INSTANT.test(text)) return text
  const masked = text
    .replace(EMAIL, (email) => `${[...email][0]}***${email.slice(email.lastIndexOf('@'))}`)
    .replace(RESIDENT_NUMBER, '$1****$2')
    .replace(CHINESE_MOBILE, '$1****$3')
  return /\d\D{0,3}\d\D{0,3}\d\D{0,3}\d\D{0,3}\d\D{0,3}\d\D{0,3}\d/.test(masked) ? maskPhones(masked) : masked
}

function maskPhones(text: string): string {
  let masked = text
  // From the end, so that places found before stay where they are.
  for (const { startsAt, endsAt, number } of findPhoneNumbersInText(text, COUNTRY).reverse()) {
    const digits = number.nationalNumber
    const lead = text[startsAt] === '+' ? `+${number.countryCallingCode}` : digits.slice(0, 3)
    masked = `${masked.slice(0, startsAt)}${lead}****${digits.slice(-4)}${masked.slice(endsAt)}`
  }
  return masked
}

/** Whether a text, such as a key to look somebody up by, is or holds a value that would be masked. */
export function isPersonal(text: string): boolean {
  return maskText(text) !== text
}

/** An answer with every personal value in it masked; numbers, flags and dates are as they were. */
export function maskAnswer<Answer>(answer: Answer): Answer {
  return mask(answer) as Answer
}

function mask(value: unknown): unknown {
  if (typeof value === 'string') return maskText(value)
  if (Array.isArray(value)) return value.map(mask)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  const fields = value as Record<string, unknown>
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, maskField(fields, name, field)]))
}

function maskField(fields: Readonly<Record<string, unknown>>, name: string, value: unknown): unknown {
  if (typeof value !== 'string') return mask(value)
  // The place of a page, made of numbers here: a change would lose it.
  if (name === 'next') return value
  if (name === 'value' && typeof fields.kind === 'string') return maskValue(fields.kind, value)
  if (name === 'key' && typeof fields.key_kind === 'string') return maskValue(fields.key_kind, value)
  if (NAME_FIELDS.includes(name) && 'person_id' in fields) return `${[...value][0] ?? ''}**`
  return maskText(value)
}
