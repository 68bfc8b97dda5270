import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  sql,
} from 'kysely'
import { isRefusal } from '../../platform/refusal.ts'
import type { Settings } from '../brand/schema.ts'
import { type ResolvedNode, readDefinition, resolve } from './definition.ts'
import { evaluationOfFew } from './few-queries.ts'
import { EVERYONE, evaluationBody } from './queries.ts'

// The SQL that definitions become, as somebody reviews it: a change of the compiler shows in the diff of this file. With
// UPDATE_SNAPSHOTS=1 it is written anew.

const FILE = new URL('../../../test/segment-snapshots.sql', import.meta.url)

const compiler = new Kysely({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})
const settings: Settings = {
  zone: 'Asia/Shanghai',
  currency: 'CNY',
  period_days: 365,
  occasion_unit: 'day',
  recency_unit: 'day',
  member_by_purchase: true,
  phone_claim_days: 1095,
  spread_window: 'period',
  margin_rate: null,
  discount_rate_per_year: 0.1,
  referral_share: 0.2,
  attribution_days: 30,
  fan_tier_scores: [5, 20, 60],
  rfm_recency_days: null,
  rfm_frequency: null,
  rfm_monetary_minor: null,
}
const cuts = {
  in_force_from: null,
  buyers: 5,
  recency_days: [1, 11, 61, 122],
  frequency: [1, 1, 1, 2],
  monetary_minor: [2000, 5000, 20_000, 20_000],
  mean_recency_days: 75.2,
  mean_frequency: 1.6,
  mean_monetary_minor: 17_400,
  fixed: [],
}

const DEFINITIONS: Readonly<Record<string, Record<string, unknown>>> = {
  'bought twice, and not for 90 days': {
    all: [
      { orders: { count: { at_least: 2 } } },
      { not: { orders: { count: { at_least: 1 }, window: { last_days: 90 } } } },
    ],
  },
  'spent on tea in the last quarter': {
    orders: {
      net_minor: { at_least: 10_000 },
      window: { calendar: 'last_quarter' },
      items: ['tea'],
      categories: ['leaf'],
      sources: ['shop'],
    },
  },
  'best buyers, or close ones': {
    any: [{ rfm: { segment: ['champions'], m: [5] } }, { fan: { tier: ['active', 'devoted'] } }],
  },
  'about to lapse, with an adviser, reachable': {
    all: [
      { depth: { is: [3, 4], lapses_within_days: 30 } },
      { connection: { staff: ['lin'], groups: ['vip'], begun: { from: '2025-01-01' } } },
      { consent: { purpose: 'marketing', channel: 'wecom', state: 'granted' } },
      { membership: {} },
      { attribute: { has: 'phone' } },
      { interactions: { days_since_last: { at_most: 30 }, types: ['reply'] } },
    ],
  },
  'buy little and bring many, late': {
    all: [
      { depth: { is: [4] } },
      { value: { transaction: [1], propagation: [3], p_alive_percent: { at_least: 50 } } },
      { rhythm: { state: ['late', 'at_risk'] } },
    ],
  },
}

const GROUND = { at: new Date('2026-03-01T04:00:00Z'), scope: EVERYONE, settings, cuts, isExplaining: false }

function nodeOf(given: Record<string, unknown>): ResolvedNode {
  const read = readDefinition(given)
  assert.ok(!isRefusal(read))
  const node = resolve(read, new Map())
  assert.ok(!isRefusal(node))
  return node
}

/** As it is committed: a name, the definition, the statement, and what it is given. */
function written(name: string, given: Record<string, unknown>, body: RawBuilder<unknown>): string {
  const { sql: text, parameters } = body.compile(compiler)
  const lines = text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
  return [`-- ${name}`, `-- ${JSON.stringify(given)}`, ...lines, `-- ${JSON.stringify(parameters)}`, ''].join('\n')
}

test('definitions become the SQL that is committed', async () => {
  const of = Object.entries(DEFINITIONS)
  const few = { people: sql`select person_id from looks`, standing: sql.table('looked_standing'), orders: undefined }
  const parts = [
    ...of.map(([name, given]) => written(name, given, evaluationBody(nodeOf(given), GROUND))),
    ...of
      .slice(0, 1)
      .map(([name, given]) => written(`${name}, of few`, given, evaluationOfFew(nodeOf(given), { ...GROUND, few }))),
  ]
  const text = parts.join('\n')
  if (process.env.UPDATE_SNAPSHOTS) await writeFile(FILE, text)
  assert.equal(text, await readFile(FILE, 'utf8'), 'UPDATE_SNAPSHOTS=1 writes it anew')
})
