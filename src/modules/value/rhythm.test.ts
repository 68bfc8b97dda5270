import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { rhythmAt, shareShorter, turnsOf } from './rhythm.ts'
import type { FittedOccasions } from './schema.ts'

const fitted = (r: number, alpha: number): FittedOccasions<'day'> => ({
  model: 'nbd',
  unit: 'day',
  estimate: { parameters: { r, alpha }, logLikelihood: 0, standardErrors: {}, covariance: null, isConverged: true },
})

test('late, at risk and lapsed begin where seven, nine and ninety-nine of a hundred gaps have ended, or with the period', () => {
  // So many occasions that gaps are as good as exponential around 10 days: 12.04, 23.03 and 46.05 days.
  const of = (period: number) => turnsOf(fitted(1, 10), { x: 100_000, last: 1_000_000 }, period)
  assert.deepEqual(of(365), [13, 24, 47])
  assert.deepEqual(of(30), [13, 24, 31], 'more days than the period')
  assert.deepEqual(of(10), [11, 11, 11])
  assert.deepEqual(
    [0, 12, 13, 23, 24, 46, 47, 900].map((since) => rhythmAt(of(365), since)),
    ['in_rhythm', 'in_rhythm', 'late', 'late', 'at_risk', 'at_risk', 'lapsed', 'lapsed'],
  )
  assert.deepEqual([rhythmAt(of(10), 11), rhythmAt(of(10), 10)], ['lapsed', 'in_rhythm'])
})

test('each state begins on the first day on which more than its share of the gaps is shorter', () => {
  const positive = fc.double({ min: 0.05, max: 100, noNaN: true })
  fc.assert(
    fc.property(
      positive,
      positive,
      fc.nat(50),
      fc.nat(900),
      fc.integer({ min: 1, max: 1000 }),
      (r, alpha, x, last, period) => {
        const gaps = { x, last: x === 0 ? 0 : last }
        const turns = turnsOf(fitted(r, alpha), gaps, period)
        // Day by day, by the share itself as the definition has it; a share within rounding of its limit may fall on either side.
        const scale = alpha + gaps.last
        const share = (since: number) => 1 - (scale / (scale + since)) ** (r + x)
        ;[0.7, 0.9, 0.99].forEach((limit, state) => {
          const first = Array.from({ length: period + 2 }, (_, day) => day).find(
            (day) => share(day) > limit || day > period,
          )
          const turn = turns[state] ?? 0
          const isClose = Math.abs(share(Math.min(turn, first ?? 0)) - limit) < 1e-9
          assert.ok(turn === first || isClose, `${limit}: ${turn}, ${first}`)
        })
        for (const since of [0, 1, 40, 300]) {
          assert.ok(Math.abs(shareShorter(fitted(r, alpha), gaps, since) - share(since)) < 1e-9)
        }
      },
    ),
  )
})
