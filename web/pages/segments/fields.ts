import type { MessageKey } from '../../i18n/zh-CN.ts'

/** Texts by what they have to be filled with: names with nothing, phrases with a value. */
export type NameKey = Extract<
  MessageKey,
  | `clause.${string}`
  | `asks.${string}`
  | `measure.${string}`
  | `option.${string}`
  | `hint.${string}`
  | `score.${string}`
  | `depth.name_${string}`
  | `segment.${string}`
  | `value_group.${string}`
  | `tier.${string}`
  | `interaction.${string}`
  | `purpose.${string}`
  | `identity.${string}`
  | `value.third_${string}`
  | `value.rhythm_${'in_rhythm' | 'late' | 'at_risk' | 'lapsed'}`
>
export type SaysKey = Extract<MessageKey, `says.${string}`>
export type SpokenKey = Extract<MessageKey, `spoken.${string}`>
export type LeadKey = Extract<MessageKey, `lead.${string}`>

export type Clause = Readonly<Record<string, unknown>>

export interface Option {
  readonly value: string | number | boolean
  readonly label: NameKey
}

/** What a number of a range counts; `money` is written in the brand's currency and kept in its minor unit. */
export type Unit = 'days' | 'orders' | 'times' | 'purchase_days' | 'score' | 'percent' | 'money'

interface Named {
  /** As the definition has it. */
  readonly name: string
  readonly label: NameKey
}

/** A range that a field asks for. */
export interface RangeField extends Named {
  readonly as: 'range'
  readonly says: SaysKey
  readonly unit: Unit
  readonly min?: number
  /** The upper end is out of the range, and is called so. */
  readonly isBelow?: boolean
  /** Ranges that people have a word for. */
  readonly spoken?: readonly { readonly at_least?: number; readonly at_most?: number; readonly says: SpokenKey }[]
}

/** One thing that a clause asks for: its form and its words come from here. */
export type Field =
  | RangeField
  /** Exactly one of some ranges. */
  | { readonly as: 'measure'; readonly name: string; readonly label: NameKey; readonly of: readonly RangeField[] }
  /** Some of a few; `isScale`: they follow one another, and are said as a range where they do. */
  | (Named & {
      readonly as: 'many'
      readonly says: SaysKey
      readonly options: readonly Option[]
      readonly isScale?: boolean
    })
  /** Left out it is the first of its options, unless `isOptional`. `drops`: fields that cannot stand beside a choice. */
  | (Named & {
      readonly as: 'one'
      readonly says: SaysKey
      readonly options: readonly Option[]
      readonly isOptional?: boolean
      readonly drops?: readonly string[]
    })
  | (Named & { readonly as: 'number'; readonly says: SaysKey; readonly unit: Unit })
  | (Named & { readonly as: 'texts'; readonly says: SaysKey; readonly hint: NameKey })
  | (Named & {
      readonly as: 'text'
      readonly says: SaysKey
      readonly hint: NameKey
      readonly drops?: readonly string[]
    })
  | (Named & { readonly as: 'window'; readonly says: SaysKey })

export const CALENDARS = [
  'today',
  'yesterday',
  'this_week',
  'last_week',
  'this_month',
  'last_month',
  'this_quarter',
  'last_quarter',
  'this_year',
  'last_year',
] as const
export type Calendar = (typeof CALENDARS)[number]

export interface TimeWindow {
  readonly last_days?: number
  readonly calendar?: Calendar
  readonly from?: string
  readonly to?: string
}

export interface Range {
  readonly at_least?: number | undefined
  readonly at_most?: number | undefined
}

/** The clause with a field said otherwise; undefined takes it out. */
export function withField(clause: Clause, name: string, value: unknown, drops: readonly string[] = []): Clause {
  const kept = Object.entries(clause).filter(([other]) => other !== name && !drops.includes(other))
  const order = Object.keys(clause).indexOf(name)
  if (value === undefined) return Object.fromEntries(kept)
  kept.splice(order < 0 ? kept.length : Math.min(order, kept.length), 0, [name, value])
  return Object.fromEntries(kept)
}

/** What a clause says of a field: of a choice that it leaves out, what that means. */
export function givenOf(field: Field, clause: Readonly<Record<string, unknown>>): unknown {
  return clause[field.name] ?? (field.as === 'one' && !field.isOptional ? field.options[0]?.value : undefined)
}
