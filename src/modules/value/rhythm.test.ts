import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { rhythmOf } from './rhythm.ts'
import type { FittedOccasions } from './schema.ts'

const fitted = (r: number, alpha: number): FittedOccasions<'day'> => ({
  model: 'nbd',
  unit: 'day',
  estimate: { parameters: { r, alpha }, logLikelihood: 0, standardErrors: {}, covariance: null, isConverged: true },
})

test('late, at risk and lapsed begin where seven, nine and ninety-nine of a hundred gaps have ended, or with the period', () => {
  // So many occasions that gaps are as good as exponential around 10 days: 12.0, 23.0 and 46.1 days.
  const at = (since: number, period = 365) =>
    rhythmOf(fitted(1, 10), { x: 100_000, last: 1_000_000, since, period }).state
  assert.deepEqual(
    [0, 12, 12.1, 23, 23.1, 46, 46.1].map((since) => at(since)),
    ['in_rhythm', 'in_rhythm', 'late', 'late', 'at_risk', 'at_risk', 'lapsed'],
  )
  assert.deepEqual([at(11, 10), at(10, 10)], ['lapsed', 'in_rhythm'])
})

test('more time is never a better state, and late begins after the days that are said', () => {
  const states = ['in_rhythm', 'late', 'at_risk', 'lapsed']
  const positive = fc.double({ min: 0.05, max: 100, noNaN: true })
  fc.assert(
    fc.property(positive, positive, fc.nat(50), fc.nat(900), fc.nat(900), (r, alpha, x, last, since) => {
      const of = (days: number) => rhythmOf(fitted(r, alpha), { x, last: x === 0 ? 0 : last, since: days, period: 365 })
      const [now, later] = [of(since), of(since + 7)]
      assert.ok(states.indexOf(now.state) <= states.indexOf(later.state))
      assert.ok(now.shareShorter >= 0 && now.shareShorter <= later.shareShorter && later.shareShorter <= 1)
      assert.equal(of(now.lateAfter * 0.999).state, 'in_rhythm')
      assert.notEqual(of(now.lateAfter * 1.001 + 1e-6).state, 'in_rhythm')
    }),
  )
})
