import { useQuery } from '@tanstack/react-query'
import type { TFunction } from 'i18next'
import { useCallback, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { segmentsQuery } from '../../api/segment-queries.ts'
import { type BrandFormat, useBrandFormat } from '../../ui/brand-format.tsx'
import { thirdKey } from '../value/thirds.ts'
import { CLAUSE_KINDS } from './clause-kinds.ts'
import { isDefinition, type View, viewOf } from './definition.ts'
import { CALENDARS, type Field, givenOf, type Range, type RangeField, type TimeWindow, type Unit } from './fields.ts'

/** Definitions as sentences, in the reader's language. */
export interface Words {
  /** A whole definition, or a part of it. */
  sentence(definition: unknown): string
  clause(kind: string, content: unknown): string
  /** What was found of a person, beside what a clause asks for. */
  observed(kind: string, seen: Readonly<Record<string, unknown>>): string
}

interface Ground {
  t: TFunction
  format: BrandFormat
  nameOf: (segmentId: number) => string | undefined
}

/** Names of segments by their numbers, for definitions that refer to one another. */
export function useSegmentNames(): (segmentId: number) => string | undefined {
  const { data } = useQuery(segmentsQuery)
  return useCallback((id) => data?.segments.find((segment) => segment.segment_id === id)?.name, [data])
}

/** @param nameOf name of a segment by its number, where it is known. */
export function useWords(nameOf: (segmentId: number) => string | undefined): Words {
  const { t } = useTranslation()
  const format = useBrandFormat()
  return useMemo(() => {
    const ground = { t, format, nameOf }
    return {
      sentence: (definition) => viewText(viewOf(definition), ground),
      clause: (kind, content) => clauseText(kind, content, ground),
      observed: (kind, seen) => observedText(kind, seen, ground),
    }
  }, [t, format, nameOf])
}

function viewText(view: View, ground: Ground, isInner = false): string {
  const { t } = ground
  if (view.row === 'raw') return JSON.stringify(view.value)
  if (view.row === 'clause') {
    const said = clauseText(view.kind, view.content, ground)
    return view.isNot ? t('sentence.not', { what: said }) : said
  }
  if (view.of.length === 0) return t('sentence.nobody')
  const joiner = view.word === 'all' || view.word === 'not_all' ? t('sentence.and') : t('sentence.or')
  const said = view.of.map((one) => viewText(one, ground, true)).join(joiner)
  if (view.word === 'not_all' || view.word === 'not_any') return t('sentence.not', { what: said })
  return isInner && view.of.length > 1 ? t('sentence.group', { what: said }) : said
}

function clauseText(kind: string, content: unknown, ground: Ground): string {
  const { t, nameOf } = ground
  if (kind === 'segment') {
    return t('sentence.segment', { name: nameOf(Number(content)) ?? String(content) })
  }
  const known = Object.hasOwn(CLAUSE_KINDS, kind) ? CLAUSE_KINDS[kind] : undefined
  if (!known || !isDefinition(content)) return `${kind} ${JSON.stringify(content)}`
  const slots = known.lead?.slots ?? []
  const said = new Map(known.fields.map((field) => [field.name, fieldText(field, content, ground)]))
  const slot = (name: string) => said.get(name) ?? ''
  const filled = {
    window: slot('window'),
    measure: slot('measure'),
    state: slot('state'),
    purpose: slot('purpose'),
    any_of: slot('any_of'),
  }
  const lead = known.lead ? t(known.lead.says, filled).trim() : ''
  const rest = known.fields.filter(({ name }) => !slots.includes(name)).map(({ name }) => said.get(name) ?? '')
  const phrases = [lead, ...rest].filter((phrase) => phrase !== '')
  return phrases.length === 0 ? t(known.label) : phrases.join(t('sentence.comma'))
}

/** What a field of a clause says; empty when nothing. */
function fieldText(field: Field, clause: Readonly<Record<string, unknown>>, ground: Ground): string {
  const { t } = ground
  if (field.as === 'measure') {
    const asked = field.of.find(({ name }) => clause[name] !== undefined)
    return asked ? fieldText(asked, clause, ground) : ''
  }
  const value = givenOf(field, clause)
  if (value === undefined || value === '') return ''
  switch (field.as) {
    case 'range':
      return isDefinition(value) ? rangeSaid(field, value, ground) : ''
    case 'number':
      return t(field.says, { value: unitText(Number(value), field.unit, ground) })
    case 'many': {
      const chosen = Array.isArray(value) ? field.options.filter((option) => value.includes(option.value)) : []
      return chosen.length === 0 ? '' : t(field.says, { value: manyText(field, chosen, t) })
    }
    case 'one': {
      const chosen = field.options.find((option) => option.value === value)
      return t(field.says, { value: chosen ? t(chosen.label) : String(value) })
    }
    case 'texts':
      return Array.isArray(value) && value.length > 0 ? t(field.says, { value: value.join(t('sentence.list')) }) : ''
    case 'text':
      return t(field.says, { value: String(value) })
    case 'window':
      return isDefinition(value) ? t(field.says, { value: windowText(value, t) }) : ''
  }
}

function manyText(
  { options, isScale }: Extract<Field, { as: 'many' }>,
  chosen: Extract<Field, { as: 'many' }>['options'],
  t: TFunction,
): string {
  const numbers = chosen.map(({ value }) => Number(value))
  const [low = 0, high = 0] = [numbers[0], numbers.at(-1)]
  const isRun = isScale && chosen.length > 1 && high - low === chosen.length - 1
  if (isRun && high === options.at(-1)?.value) return t('range.at_least', { low })
  if (isRun && low === options[0]?.value) return t('range.at_most', { high })
  if (isRun) return t('range.between', { low, high })
  const names = chosen.map(({ value, label }) => {
    const name = t(label)
    return isScale && name !== String(value) ? `${value} ${name}` : name
  })
  return names.join(t('sentence.list_or'))
}

function rangeSaid(field: RangeField, value: Readonly<Record<string, unknown>>, ground: Ground): string {
  const range = value as Range & { readonly below?: number }
  const spoken = field.spoken?.find((one) => one.at_least === range.at_least && one.at_most === range.at_most)
  if (spoken) return ground.t(spoken.says)
  const text = rangeText(range, field.unit, ground)
  return text === '' ? '' : ground.t(field.says, { value: text })
}

function rangeText(range: Range & { readonly below?: number }, unit: Unit, ground: Ground): string {
  const { t } = ground
  const { at_least: low, at_most: high, below } = range
  const of = (value: number) => unitText(value, unit, ground)
  if (low !== undefined && high === low) return t('range.exactly', { low: of(low) })
  if (low !== undefined && high !== undefined) return t('range.between', { low: of(low), high: of(high) })
  if (low !== undefined && below !== undefined) return t('range.from_below', { low: of(low), high: of(below) })
  if (low !== undefined) return t('range.at_least', { low: of(low) })
  if (high !== undefined) return t('range.at_most', { high: of(high) })
  return below === undefined ? '' : t('range.below', { high: of(below) })
}

export function unitText(value: number, unit: Unit, { t, format }: Pick<Ground, 't' | 'format'>): string {
  if (unit === 'money') return format.money(value)
  if (unit === 'score') return String(value)
  return t(`unit.${unit}`, { value: format.count(value), count: value })
}

function windowText(window: Readonly<Record<string, unknown>>, t: TFunction): string {
  const { last_days: days, calendar, from, to } = window as TimeWindow
  if (days !== undefined) return t('window.last_days', { days })
  const name = CALENDARS.find((known) => known === calendar)
  if (name) return t(`window.${name}`)
  if (from !== undefined && to !== undefined) return t('window.from_to', { from, to })
  if (from !== undefined) return t('window.from', { from })
  return to === undefined ? '' : t('window.to', { to })
}

/** Told of beside what some kinds ask for. */
const KNOWN_MEASURES: readonly { readonly name: string; readonly unit: Unit }[] = [
  { name: 'days_since_last', unit: 'days' },
]
const INSTANTS: readonly string[] = ['since', 'at', 'lapses_at']

/** By what was found and not by its kind: a new kind that tells of known things is said without a change here. */
function observedText(kind: string, seen: Readonly<Record<string, unknown>>, ground: Ground): string {
  const { t, format } = ground
  const measures: readonly RangeField[] = (CLAUSE_KINDS[kind]?.fields ?? []).flatMap((field) =>
    field.as === 'measure' ? field.of : field.as === 'range' ? [field] : [],
  )
  // What is so first, and since when after it; the wire has no order.
  const inOrder = Object.entries(seen).toSorted(([one], [other]) => INSTANTS.indexOf(one) - INSTANTS.indexOf(other))
  const phrases = inOrder.flatMap(([name, value]): string[] => {
    if (name === 'found') return [value === true ? t('observed.found') : t('observed.not_found')]
    if (name === 'depth') return [`${value} ${t(`depth.name_${Number(value)}` as 'depth.name_0')}`]
    if (name === 'lost') return value === true ? [t('observed.lost')] : []
    if (name === 'state') return [t(`observed.consent_${value}` as 'observed.consent_none')]
    const at = typeof value === 'string' ? format.day(value) : undefined
    if (name === 'lapses_at') return [at ? t('observed.lapses_at', { at }) : t('observed.no_lapse')]
    if (name === 'since') return at ? [t('observed.since', { at })] : []
    if (name === 'at') return at ? [t('observed.at', { at })] : []
    if (name === 'r' || name === 'f' || name === 'm') return [`${name.toUpperCase()} ${value}`]
    if (name === 'transaction' || name === 'propagation') {
      return [t(`value.${name}`, { third: t(thirdKey(Number(value))) })]
    }
    if (name === 'rhythm')
      return [typeof value === 'string' ? t(`value.rhythm_${value}` as 'value.rhythm_late') : t('observed.no_rhythm')]
    const measure = measures.find((one) => one.name === name) ?? KNOWN_MEASURES.find((one) => one.name === name)
    if (value === null) return measure ? [t('observed.none')] : []
    if (measure && typeof value === 'number') return [unitText(value, measure.unit, ground)]
    return [`${name} ${JSON.stringify(value)}`]
  })
  return phrases.join(t('sentence.comma'))
}
