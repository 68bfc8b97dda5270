import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Brief } from '../../api/queries.ts'
import { firstThings, isEmpty } from './first.ts'

const KEYS = ['unconnected', 'connected', 'member', 'buyer', 'repeat_buyer', 'advocate'] as const

function briefWith(given: Partial<Brief> & { at?: number[]; isDemo?: boolean }): Brief {
  const { at = [0, 0, 0, 0, 0, 0], isDemo = false, ...rest } = given
  return {
    brand: {
      key: 'b',
      name: 'B',
      is_demo: isDemo,
      zone: 'Asia/Shanghai',
      currency: 'CNY',
      period_days: 365,
    },
    as_of: '2026-03-05T04:00:00Z',
    people: at.reduce((sum, people) => sum + people, 0),
    buyers: 0,
    orders: 0,
    anonymous_orders: 0,
    net_revenue_minor: 0,
    anonymous_net_revenue_minor: 0,
    unmatched_refunds: 0,
    unmatched_refunds_minor: 0,
    depths: KEYS.map((key, depth) => ({ depth, key, people: at[depth] ?? 0 })),
    lapsing_7_days: 0,
    lapsing_30_days: 0,
    lapses_next: [],
    since_yesterday: {
      orders_recorded: 0,
      refunds_recorded: 0,
      net_revenue_recorded_minor: 0,
      people_deepened: 0,
      people_lapsed: 0,
    },
    last_import: null,
    ...rest,
  }
}

const kinds = (brief: Brief) => firstThings(brief).map((thing) => thing.kind)

test('a brand without facts is empty; one with an import, however bad, is not', () => {
  assert.equal(isEmpty(briefWith({})), true)
  const last_import = {
    import_id: 1,
    file_name: 'orders.csv',
    finished_at: '2026-03-05T03:00:00Z',
    rows_in: 4,
    rows_stored: 0,
    rows_merged: 0,
    rows_rejected: 4,
  }
  assert.equal(isEmpty(briefWith({ last_import })), false)
  assert.deepEqual(kinds(briefWith({ last_import })), ['rejected'])
})

test('nothing urgent is said plainly', () => {
  assert.deepEqual(kinds(briefWith({ at: [0, 10, 0, 0, 5, 0] })), ['none'])
  assert.deepEqual(kinds(briefWith({ at: [0, 10, 0, 0, 5, 0], isDemo: true })), ['none', 'demo'])
})

test('at most three things, what is lost soonest first', () => {
  const brief = briefWith({
    at: [50, 10, 10, 20, 10, 0],
    orders: 100,
    anonymous_orders: 30,
    unmatched_refunds: 2,
    lapsing_7_days: 4,
    lapsing_30_days: 9,
  })
  assert.deepEqual(kinds(brief), ['lapsing', 'unconnected', 'unmatched'])
})

test('lapses of the month are named only when the week has none', () => {
  assert.deepEqual(kinds(briefWith({ at: [0, 9, 0, 0, 3, 0], lapsing_30_days: 2 })), ['lapsing30'])
})

test('each thing with people opens exactly the list it counts', () => {
  const [first] = firstThings(briefWith({ at: [0, 9, 0, 0, 3, 0], lapsing_7_days: 2, lapsing_30_days: 2 }))
  assert.deepEqual(first, { kind: 'lapsing', people: 2, opened: { list: 'lapsing', lapsing_days: 7 } })
})
