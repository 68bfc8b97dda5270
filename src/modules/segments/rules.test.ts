import assert from 'node:assert/strict'
import { test } from 'node:test'
import { estimate, monthOf, samplePeople, spanOf, together } from './rules.ts'

const SHANGHAI = 'Asia/Shanghai'
const span = (window: Parameters<typeof spanOf>[0], at: string, zone = SHANGHAI) => {
  const { from, to, shiftsAt } = spanOf(window, new Date(at), zone)
  return [from, to, shiftsAt].map((instant) => instant?.toISOString() ?? null)
}

test('windows of the calendar begin and end at midnights of the zone', () => {
  // Sunday 1 March 2026 01:00 there; still February in UTC.
  const at = '2026-02-28T17:00:00Z'
  assert.deepEqual(span({ calendar: 'last_month' }, at), [
    '2026-01-31T16:00:00.000Z',
    '2026-02-28T16:00:00.000Z',
    '2026-03-31T16:00:00.000Z',
  ])
  assert.deepEqual(span({ calendar: 'last_quarter' }, at), [
    '2025-09-30T16:00:00.000Z',
    '2025-12-31T16:00:00.000Z',
    '2026-03-31T16:00:00.000Z',
  ])
  assert.deepEqual(span({ calendar: 'this_week' }, at), [
    '2026-02-22T16:00:00.000Z',
    '2026-03-01T16:00:00.000Z',
    '2026-03-01T16:00:00.000Z',
  ])
  assert.deepEqual(span({ calendar: 'yesterday' }, at), [
    '2026-02-27T16:00:00.000Z',
    '2026-02-28T16:00:00.000Z',
    '2026-03-01T16:00:00.000Z',
  ])
  assert.deepEqual(span({ calendar: 'last_year' }, at).slice(0, 2), [
    '2024-12-31T16:00:00.000Z',
    '2025-12-31T16:00:00.000Z',
  ])
  // The day on which the clock goes on has 23 hours.
  assert.deepEqual(span({ calendar: 'today' }, '2026-03-08T16:00:00Z', 'America/New_York'), [
    '2026-03-08T05:00:00.000Z',
    '2026-03-09T04:00:00.000Z',
    '2026-03-09T04:00:00.000Z',
  ])
})

test('a window of so many days is hours, and a date is its beginning in the zone', () => {
  assert.deepEqual(span({ last_days: 30 }, '2026-03-31T10:00:00Z'), ['2026-03-01T10:00:00.000Z', null, null])
  assert.deepEqual(span({ from: '2026-03-01', to: '2026-03-02T00:00:00Z' }, '2026-05-01T00:00:00Z'), [
    '2026-02-28T16:00:00.000Z',
    '2026-03-02T00:00:00.000Z',
    null,
  ])
})

test('verdicts together hold until one of those that decide may change', () => {
  const at = (day: number) => new Date(Date.UTC(2026, 0, day))
  const yes = (day: number | null) => ({ holds: true, until: day === null ? null : at(day) })
  const no = (day: number | null) => ({ holds: false, until: day === null ? null : at(day) })
  assert.deepEqual(together('all', [yes(3), yes(2), yes(null)]), yes(2))
  assert.deepEqual(together('all', [yes(2), no(5), no(4)]), no(5))
  assert.deepEqual(together('all', [yes(2), no(null), no(4)]), no(null))
  assert.deepEqual(together('any', [no(2), yes(5), yes(4)]), yes(5))
  assert.deepEqual(together('any', [no(2), no(9)]), no(2))
})

test('an estimate has the interval of its sample, and never less than was seen', () => {
  assert.deepEqual(estimate(0, 0, 10), { people: 0, low: 0, high: 10 })
  const none = estimate(0, 20_000, 1_000_000)
  assert.deepEqual([none.people, none.low], [0, 0])
  assert.ok(none.high > 100 && none.high < 300, `${none.high}`)
  const half = estimate(10_000, 20_000, 1_000_000)
  assert.equal(half.people, 500_000)
  assert.ok(half.high - half.low > 13_000 && half.high - half.low < 14_500, JSON.stringify(half))
  assert.deepEqual(estimate(20_000, 20_000, 1_000_000).high, 1_000_000)
})

test('the true share lies in the interval 95 times of 100', () => {
  // Of 2,000 draws of 500 from a share of 3 %, by a generator that is written here.
  let state = 7
  const draw = () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  const people = 1_000_000
  let inside = 0
  for (let round = 0; round < 2000; round += 1) {
    let holding = 0
    for (let index = 0; index < 500; index += 1) if (draw() < 0.03) holding += 1
    const { low, high } = estimate(holding, 500, people)
    if (low <= 0.03 * people && 0.03 * people <= high) inside += 1
  }
  assert.ok(inside > 1860 && inside < 1960, `${inside} of 2000`)
})

test('a sample is the smaller the more conditions read facts, and never less than is told apart', () => {
  assert.deepEqual([0, 1, 2, 3, 200].map(samplePeople), [20_000, 7500, 3750, 2500, 2500])
})

test('months are counted in UTC', () => {
  assert.equal(monthOf(new Date('2026-01-31T23:59:59Z'), 36).toISOString(), '2023-01-01T00:00:00.000Z')
})
