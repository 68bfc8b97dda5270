import { FAN_TIERS, RFM_SEGMENTS } from '../../paths.ts'
import type { Clause, Field, LeadKey, NameKey, Option, RangeField } from './fields.ts'

/** What the console knows of a kind of clause. */
export interface ClauseKind {
  readonly label: NameKey
  /** What a new one says; it holds for somebody as it stands. */
  readonly initial: Clause
  readonly fields: readonly Field[]
  /** Fields that are said in one phrase, in the order of the language; the others follow it. */
  readonly lead?: { readonly says: LeadKey; readonly slots: readonly string[] }
}

const scale = (values: readonly number[], label: (value: number) => NameKey): Option[] =>
  values.map((value) => ({ value, label: label(value) }))
const DEPTHS = scale([0, 1, 2, 3, 4, 5], (depth) => `depth.name_${depth}` as NameKey)
const SCORES = scale([1, 2, 3, 4, 5], (score) => `score.${score}` as NameKey)
const named = <Name extends string>(names: readonly Name[], label: (name: Name) => NameKey): Option[] =>
  names.map((name) => ({ value: name, label: label(name) }))

const INTERACTION_TYPES = [
  'details_left',
  'share',
  'reply',
  'quiz',
  'check_in',
  'like',
  'comment',
  'click',
  'open',
  'view',
  'cart',
  'question',
  'coupon',
] as const
const VALUE_GROUPS = [
  'key_value',
  'key_develop',
  'key_keep',
  'key_win_back',
  'general_value',
  'general_develop',
  'general_keep',
  'general_win_back',
] as const
const RHYTHMS = ['in_rhythm', 'late', 'at_risk', 'lapsed'] as const
const THIRDS = scale([1, 2, 3], (third) => `value.third_${third}` as NameKey)
const IDENTITIES = ['phone', 'email', 'unionid', 'external_userid', 'openid', 'own_id'] as const

const window: Field = { as: 'window', name: 'window', label: 'asks.window', says: 'says.window' }
const categories: Field = {
  as: 'texts',
  name: 'categories',
  label: 'asks.categories',
  says: 'says.categories',
  hint: 'hint.categories',
}
const items: Field = { as: 'texts', name: 'items', label: 'asks.items', says: 'says.items', hint: 'hint.items' }
const sources: Field = {
  as: 'texts',
  name: 'sources',
  label: 'asks.sources',
  says: 'says.sources',
  hint: 'hint.sources',
}

const orderMeasures: readonly RangeField[] = [
  {
    as: 'range',
    name: 'count',
    label: 'measure.orders',
    says: 'says.orders',
    unit: 'orders',
    spoken: [
      { at_least: 1, says: 'spoken.bought' },
      { at_most: 0, says: 'spoken.not_bought' },
    ],
  },
  { as: 'range', name: 'net_minor', label: 'measure.net', says: 'says.net', unit: 'money' },
  { as: 'range', name: 'days_since_last', label: 'measure.since_last', says: 'says.since_last', unit: 'days' },
  { as: 'range', name: 'days_since_first', label: 'measure.since_first', says: 'says.since_first', unit: 'days' },
]
const interactionMeasures: readonly RangeField[] = [
  {
    as: 'range',
    name: 'count',
    label: 'measure.interactions',
    says: 'says.interactions',
    unit: 'times',
    spoken: [
      { at_least: 1, says: 'spoken.interacted' },
      { at_most: 0, says: 'spoken.not_interacted' },
    ],
  },
  {
    as: 'range',
    name: 'days_since_last',
    label: 'measure.interaction_last',
    says: 'says.interaction_last',
    unit: 'days',
  },
  {
    as: 'range',
    name: 'days_since_first',
    label: 'measure.interaction_first',
    says: 'says.interaction_first',
    unit: 'days',
  },
]

/** Every kind of clause, in the order in which they are offered. A new kind is one entry here and its texts. */
export const CLAUSE_KINDS: Readonly<Record<string, ClauseKind>> = {
  orders: {
    label: 'clause.orders',
    initial: { count: { at_least: 1 }, window: { last_days: 90 } },
    fields: [
      { as: 'measure', name: 'measure', label: 'asks.measure', of: orderMeasures },
      window,
      items,
      categories,
      sources,
    ],
    lead: { says: 'lead.orders', slots: ['window', 'measure'] },
  },
  depth: {
    label: 'clause.depth',
    initial: { is: [3, 4, 5] },
    fields: [
      { as: 'many', name: 'is', label: 'asks.depth', says: 'says.depth', options: DEPTHS, isScale: true },
      { as: 'number', name: 'lapses_within_days', label: 'asks.lapses', says: 'says.lapses', unit: 'days' },
      { as: 'range', name: 'since_days', label: 'asks.since', says: 'says.since', unit: 'days' },
      {
        as: 'one',
        name: 'lost',
        label: 'asks.lost',
        says: 'says.as_it_is',
        isOptional: true,
        options: [
          { value: true, label: 'option.lost' },
          { value: false, label: 'option.not_lost' },
        ],
      },
    ],
  },
  rfm: {
    label: 'clause.rfm',
    initial: { segment: ['champions', 'loyal_customers'] },
    fields: [
      {
        as: 'many',
        name: 'segment',
        label: 'asks.rfm_segment',
        says: 'says.rfm_segment',
        options: named(
          RFM_SEGMENTS.filter((name) => name !== 'none'),
          (name) => `segment.${name}`,
        ),
      },
      {
        as: 'many',
        name: 'value_group',
        label: 'asks.value_group',
        says: 'says.value_group',
        options: named(VALUE_GROUPS, (name) => `value_group.${name}`),
      },
      { as: 'many', name: 'r', label: 'asks.r', says: 'says.r', options: SCORES, isScale: true },
      { as: 'many', name: 'f', label: 'asks.f', says: 'says.f', options: SCORES, isScale: true },
      { as: 'many', name: 'm', label: 'asks.m', says: 'says.m', options: SCORES, isScale: true },
      { as: 'range', name: 'recency_days', label: 'asks.recency', says: 'says.recency', unit: 'days' },
      {
        as: 'range',
        name: 'frequency',
        label: 'asks.frequency',
        says: 'says.frequency',
        unit: 'purchase_days',
        min: 1,
      },
      { as: 'range', name: 'monetary_minor', label: 'asks.monetary', says: 'says.monetary', unit: 'money' },
    ],
  },
  value: {
    label: 'clause.value',
    initial: { transaction: [1], propagation: [3] },
    fields: [
      { as: 'many', name: 'transaction', label: 'asks.transaction', says: 'says.transaction', options: THIRDS },
      { as: 'many', name: 'propagation', label: 'asks.propagation', says: 'says.propagation', options: THIRDS },
      { as: 'range', name: 'expected_minor', label: 'asks.expected', says: 'says.expected', unit: 'money' },
      { as: 'range', name: 'own_minor', label: 'asks.own', says: 'says.own', unit: 'money' },
      { as: 'range', name: 'p_alive_percent', label: 'asks.alive', says: 'says.alive', unit: 'percent' },
      { as: 'range', name: 'influenced_minor', label: 'asks.influenced', says: 'says.influenced', unit: 'money' },
      { as: 'range', name: 'allocated_minor', label: 'asks.allocated', says: 'says.allocated', unit: 'money' },
    ],
  },
  rhythm: {
    label: 'clause.rhythm',
    initial: { state: ['late', 'at_risk'] },
    fields: [
      {
        as: 'many',
        name: 'state',
        label: 'asks.rhythm',
        says: 'says.rhythm',
        options: named(RHYTHMS, (name) => `value.rhythm_${name}`),
      },
    ],
  },
  fan: {
    label: 'clause.fan',
    initial: { tier: ['active', 'devoted'] },
    fields: [
      {
        as: 'many',
        name: 'tier',
        label: 'asks.tier',
        says: 'says.tier',
        options: named(FAN_TIERS, (name) => `tier.${name}`),
      },
      { as: 'range', name: 'score', label: 'asks.fan_score', says: 'says.fan_score', unit: 'score', isBelow: true },
    ],
  },
  interactions: {
    label: 'clause.interactions',
    initial: { count: { at_least: 1 }, window: { last_days: 30 } },
    fields: [
      { as: 'measure', name: 'measure', label: 'asks.measure', of: interactionMeasures },
      window,
      {
        as: 'many',
        name: 'types',
        label: 'asks.types',
        says: 'says.types',
        options: named(INTERACTION_TYPES, (name) => `interaction.${name}`),
      },
      items,
      sources,
    ],
    lead: { says: 'lead.interactions', slots: ['window', 'measure'] },
  },
  connection: {
    label: 'clause.connection',
    initial: { state: 'live' },
    fields: [
      {
        as: 'one',
        name: 'state',
        label: 'asks.connection',
        says: 'says.as_it_is',
        options: [
          { value: 'live', label: 'option.live' },
          { value: 'ever', label: 'option.ever_connected' },
        ],
      },
      { as: 'texts', name: 'staff', label: 'asks.staff', says: 'says.staff', hint: 'hint.staff' },
      { as: 'texts', name: 'groups', label: 'asks.groups', says: 'says.groups', hint: 'hint.groups' },
      { as: 'texts', name: 'channels', label: 'asks.channels', says: 'says.channels', hint: 'hint.channels' },
      sources,
      { as: 'window', name: 'begun', label: 'asks.begun', says: 'says.begun' },
    ],
  },
  tag: {
    label: 'clause.tag',
    initial: { any_of: ['投诉'], state: 'has' },
    fields: [
      {
        as: 'one',
        name: 'state',
        label: 'asks.tag_state',
        says: 'says.as_it_is',
        options: [
          { value: 'has', label: 'option.has_tag' },
          { value: 'ever', label: 'option.ever_tag' },
        ],
      },
      { as: 'texts', name: 'any_of', label: 'asks.tags', says: 'says.as_it_is', hint: 'hint.tags' },
      { as: 'window', name: 'given', label: 'asks.given', says: 'says.given' },
    ],
    lead: { says: 'lead.tag', slots: ['state', 'any_of'] },
  },
  membership: {
    label: 'clause.membership',
    initial: { state: 'in_force' },
    fields: [
      {
        as: 'one',
        name: 'state',
        label: 'asks.membership',
        says: 'says.as_it_is',
        options: [
          { value: 'in_force', label: 'option.member' },
          { value: 'ever', label: 'option.ever_member' },
        ],
      },
      { as: 'window', name: 'enrolled', label: 'asks.enrolled', says: 'says.enrolled' },
      sources,
    ],
  },
  consent: {
    label: 'clause.consent',
    initial: { purpose: 'marketing', state: 'granted' },
    fields: [
      {
        as: 'one',
        name: 'state',
        label: 'asks.consent',
        says: 'says.as_it_is',
        options: [
          { value: 'granted', label: 'option.granted' },
          { value: 'withdrawn', label: 'option.withdrawn' },
          { value: 'none', label: 'option.unsaid' },
        ],
      },
      {
        as: 'one',
        name: 'purpose',
        label: 'asks.purpose',
        says: 'says.as_it_is',
        options: named(['marketing', 'calls', 'health'] as const, (name) => `purpose.${name}`),
      },
      { as: 'text', name: 'channel', label: 'asks.consent_channel', says: 'says.channels', hint: 'hint.channel' },
    ],
    lead: { says: 'lead.consent', slots: ['state', 'purpose'] },
  },
  attribute: {
    label: 'clause.attribute',
    initial: { has: 'phone' },
    fields: [
      {
        as: 'one',
        name: 'has',
        label: 'asks.has',
        says: 'says.has',
        isOptional: true,
        drops: ['name_contains', 'namespace'],
        options: [{ value: 'name', label: 'option.name' }, ...named(IDENTITIES, (name) => `identity.${name}`)],
      },
      { as: 'text', name: 'namespace', label: 'asks.namespace', says: 'says.namespace', hint: 'hint.namespace' },
      {
        as: 'text',
        name: 'name_contains',
        label: 'asks.name_contains',
        says: 'says.name_contains',
        hint: 'hint.name_contains',
        drops: ['has', 'namespace'],
      },
    ],
  },
}
