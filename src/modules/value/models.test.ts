import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chance, exponential, gamma } from '../../../test/chance.ts'
import { bgNbdObjective, bgNbdProbabilities } from './bg-nbd.ts'
import { gammaGammaObjective } from './gamma-gamma.ts'
import { groupHistories } from './histories.ts'
import { nbdObjective, nbdProbabilities } from './nbd.ts'
import type { Objective } from './optimise.ts'
import { paretoNbdObjective } from './pareto-nbd.ts'
import {
  aliveShare,
  expectedOccasions,
  expectedOfNew,
  expectedSpend,
  fitOccasions,
  fitSpend,
  personInterval,
  residualOccasions,
  span,
  spanOfDays,
  stepEnds,
  valuer,
} from './rules.ts'
import { sbgExpected, sbgObjective, sbgResidual, sbgSurvival } from './sbg.ts'
import type { FittedOccasions, FittedSpend, History, OccasionParameters, Span, SpendGroup } from './schema.ts'

const CDNOW = {
  'bg-nbd': { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 },
  'pareto-nbd': { r: 0.553, alpha: 10.578, s: 0.606, beta: 11.669 },
  nbd: { r: 0.385, alpha: 12.07 },
} as const

function fitted<Model extends keyof typeof CDNOW>(
  model: Model,
  parameters: OccasionParameters[Model] | (typeof CDNOW)[Model] = CDNOW[model],
): FittedOccasions<'week'> {
  const estimate = { parameters, logLikelihood: 0, standardErrors: {}, covariance: null, isConverged: true }
  return { model, unit: 'week', estimate } as FittedOccasions<'week'>
}

const weeks = (length: number) => span('week', length)
const history = (x: number, tX: number, T: number): History<'week'> => ({ x, tX: weeks(tX), T: weeks(T) })

function near(actual: number, expected: number, tolerance: number, name = ''): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${name} ${actual}, expected ${expected} ± ${tolerance}`)
}

test('the gradients are the slopes of the likelihoods', () => {
  const random = chance(3)
  const rows = Array.from({ length: 200 }, () => {
    const T = 10 + Math.floor(random() * 40)
    const x = Math.floor(random() ** 3 * 12)
    return { x, tX: x === 0 ? 0 : Math.min(T, 1 + Math.floor(random() * T)), T }
  })
  const histories = groupHistories('week', rows)
  const groups: SpendGroup[] = rows
    .filter(({ x }) => x > 0)
    .map(({ x }) => ({ x, meanSpend: 5 + 60 * random(), people: 1 + Math.floor(3 * random()) }))
  const cases: [string, Objective, number][] = [
    ['nbd', nbdObjective(histories), 2],
    ['bg-nbd', bgNbdObjective(histories), 4],
    ['pareto-nbd', paretoNbdObjective(histories), 4],
    ['gamma-gamma', gammaGammaObjective(groups), 3],
    ['sbg', sbgObjective({ left: [131, 126, 90], staying: [0, 4, 9, 653] }), 2],
  ]
  for (const [name, objective, size] of cases) {
    for (let round = 0; round < 20; round += 1) {
      const point = Float64Array.from({ length: size }, () => 4 * random() - 1.5)
      const [gradient, ignored] = [new Float64Array(size), new Float64Array(size)]
      objective(point, gradient)
      for (let i = 0; i < size; i += 1) {
        const at = (by: number) =>
          objective(
            point.map((entry, j) => (i === j ? entry + by : entry)),
            ignored,
          )
        const slope = (8 * (at(1e-3) - at(-1e-3)) - (at(2e-3) - at(-2e-3))) / 12e-3
        near(gradient[i] ?? 0, slope, 1e-5 * (1 + Math.abs(slope)), `${name} ${i}`)
      }
    }
  }
})

test('equal people weigh as they are many', () => {
  const one = [
    { x: 2, tX: 30, T: 38 },
    { x: 0, tX: 0, T: 30 },
  ]
  const gradient = new Float64Array(4)
  const point = Float64Array.of(-1, 1, -0.2, 0.8)
  const single = groupHistories('week', [...one, ...one, ...one])
  const weighted = groupHistories(
    'week',
    one.map((row) => ({ ...row, people: 3 })),
  )
  assert.equal(single.weights.length, 2)
  assert.equal(bgNbdObjective(single)(point, gradient), bgNbdObjective(weighted)(point, gradient))
})

test('a history that cannot be is a failure', () => {
  for (const row of [
    { x: 1, tX: 3, T: 2 },
    { x: -1, tX: 0, T: 2 },
    { x: 0, tX: 1, T: 2 },
    { x: 0.5, tX: 1, T: 2 },
    { x: 1, tX: 1, T: Number.NaN },
  ]) {
    assert.throws(() => groupHistories('day', [row]), RangeError)
  }
})

test('published: P(X(t) = k) of a new person', () => {
  const of = (length: number, k: number) => bgNbdProbabilities(CDNOW['bg-nbd'], length, k)[k] ?? 0
  near(of(2, 10), 1.07869e-7, 1e-11)
  near(of(39, 0), 0.5737864, 1e-6)
  for (const [k, expected] of [
    [11, 0.0019995214],
    [12, 0.0015170236],
    [13, 0.001163315],
  ] as const)
    near(of(30, k), expected, 1e-8)
})

test('without dropout the probabilities of a new person are negative binomial', () => {
  const [r, alpha, t] = [0.385, 12.07, 30]
  const all = nbdProbabilities({ r, alpha }, t, 300)
  near(all[0] ?? 0, (alpha / (alpha + t)) ** r, 1e-12)
  near(all[2] ?? 0, ((r * (r + 1)) / 2) * (alpha / (alpha + t)) ** r * (t / (alpha + t)) ** 2, 1e-12)
  near(
    all.reduce((sum, p, k) => sum + k * p, 0),
    (r * t) / alpha,
    1e-6,
  )
})

test('probabilities of a new person sum to 1, with the mean that is expected', () => {
  const all = bgNbdProbabilities(CDNOW['bg-nbd'], 20, 400)
  near(
    all.reduce((sum, p) => sum + p, 0),
    1,
    1e-6,
  )
  near(
    all.reduce((sum, p, k) => sum + k * p, 0),
    expectedOfNew(fitted('bg-nbd'), weeks(20)),
    1e-4,
  )
})

// An oracle that shares nothing with the formulas: rates are drawn, weighed by the likelihood of the history given them (Bayes'
// rule), and what people with these rates do afterwards is simulated occasion by occasion.
test('means, second moments, silence and residual are those of simulated people', () => {
  const random = chance(11)
  const draws = 200_000
  const cases = [
    ['bg-nbd', history(0, 0, 5)],
    ['bg-nbd', history(3, 14, 20)],
    ['bg-nbd', history(9, 19, 20)],
    ['pareto-nbd', history(0, 0, 5)],
    ['pareto-nbd', history(3, 14, 20)],
    ['pareto-nbd', history(9, 12, 20)],
  ] as const
  for (const [model, known] of cases) {
    const [length, delta] = [26, 0.01]
    let [weight, mean, square, none, residual] = [0, 0, 0, 0, 0]
    for (let draw = 0; draw < draws; draw += 1) {
      const drawn = model === 'bg-nbd' ? ofBgNbd(random, known, length) : ofParetoNbd(random, known, length)
      weight += drawn.weight
      const y = drawn.later.filter((at) => at <= length).length
      mean += y
      square += y * (y - 1)
      none += drawn.weight - (y === 0 ? 0 : 1)
      residual += drawn.later.reduce((sum, at) => sum + Math.exp(-delta * at), 0)
    }
    const given = fitted(model)
    const label = `${model} ${known.x}`
    const spend: FittedSpend = {
      model: 'shrunk-mean',
      estimate: {
        parameters: { mean: 1, weight: 1 },
        logLikelihood: null,
        standardErrors: {},
        covariance: null,
        isConverged: true,
      },
    }
    const { none: silent, variance } = valuer(given, spend, {
      horizon: weeks(length),
      step: weeks(length),
      ratePerStep: 0,
      marginRate: 1,
    }).value(known, 1)
    const expected = expectedOccasions(given, known, weeks(length))
    near(aliveShare(given, known), draws / weight, 0.01, `${label} alive`)
    near(expected, mean / weight, 0.02 * (1 + mean / weight), `${label} mean`)
    near(silent, none / weight, 0.01, `${label} none`)
    // With exponential spend around 1 the variance is E[Y² + Y] − E[Y]².
    const second = variance + expected * expected - 2 * expected
    near(second, square / weight, 0.05 * (1 + square / weight), `${label} second`)
    near(
      residualOccasions(given, known, delta) ?? 0,
      residual / weight,
      0.04 * (1 + residual / weight),
      `${label} dert`,
    )
  }
})

/** How likely the history is for a λ and p that are drawn, by that of being alive; and what they do after T if alive. */
function ofBgNbd(random: () => number, { x, tX, T }: History<'week'>, length: number) {
  const { r, alpha, a, b } = CDNOW['bg-nbd']
  const rate = gamma(random, r + x) / (alpha + T)
  const [one, other] = [gamma(random, a), gamma(random, b + x)]
  const p = one / (one + other)
  // Drawn with λ^x·e^(−λT) and (1 − p)^x already in: what is left is 1 alive, and dropping out at the last occasion.
  const dead = x > 0 ? (p / (1 - p)) * Math.exp(rate * (T - tX)) : 0
  const later: number[] = []
  for (let at = exponential(random) / rate; at < 40 * length; at += exponential(random) / rate) {
    later.push(at)
    if (random() < p) break
  }
  return { weight: 1 + dead, later }
}

function ofParetoNbd(random: () => number, { x, tX, T }: History<'week'>, length: number) {
  const { r, alpha, s, beta } = CDNOW['pareto-nbd']
  const rate = gamma(random, r + x) / (alpha + T)
  const mu = gamma(random, s) / (beta + T)
  // λ^x·(λe^(−(λ+μ)T) + μe^(−(λ+μ)t_x))/(λ + μ), with λ^x·e^(−(λ+μ)T) already in.
  const dead = (mu / (rate + mu)) * Math.expm1((rate + mu) * (T - tX))
  const later: number[] = []
  const life = exponential(random) / mu
  for (let at = exponential(random) / rate; at < Math.min(life, 40 * length); at += exponential(random) / rate) {
    later.push(at)
  }
  return { weight: 1 + dead, later }
}

const positive = (most: number) => fc.double({ min: Math.log(1e-4), max: Math.log(most), noNaN: true }).map(Math.exp)
const anyHistory = fc
  .tuple(
    fc.nat({ max: 3000 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 600, noNaN: true }),
  )
  .map(([x, share, T]) => history(T === 0 ? 0 : x, x === 0 || T === 0 ? 0 : share * T, T))

test('never NaN, never below 0, more time never brings less: whatever the parameters and the history', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('bg-nbd', 'pareto-nbd', 'nbd'),
      fc.tuple(positive(1e3), positive(1e4), positive(1e3), positive(1e4)),
      anyHistory,
      positive(2000),
      (model, [first, second, third, fourth], known, length) => {
        const parameters = {
          'bg-nbd': { r: first, alpha: second, a: third, b: fourth },
          'pareto-nbd': { r: first, alpha: second, s: third, beta: fourth },
          nbd: { r: first, alpha: second },
        }[model]
        const given = fitted(model, parameters as never)
        const alive = aliveShare(given, known)
        assert.ok(alive >= 0 && alive <= 1, `alive ${alive}`)
        const [less, more] = [
          expectedOccasions(given, known, weeks(length)),
          expectedOccasions(given, known, weeks(2 * length)),
        ]
        const most = ((first + known.x) / (second + known.T)) * length
        assert.ok(less >= 0 && less <= most * (1 + 1e-6), `expected ${less}, at most ${most}`)
        assert.ok(more >= less * (1 - 1e-9), `${more} in twice the time, ${less} in once`)
        const value = valuer(given, SPEND, {
          horizon: weeks(length),
          step: weeks(length / 3),
          ratePerStep: 0.01,
          marginRate: 0.4,
        }).value(known, 30)
        for (const [name, number] of Object.entries(value))
          assert.ok(number >= 0 && number < Infinity, `${name} ${number}`)
        assert.ok(value.none <= 1 + 1e-9)
        const { low, high } = personInterval(value)
        assert.ok(low >= 0 && high >= low && high < Infinity, `${low} to ${high}`)
        const residual = residualOccasions(given, known, 0.003)
        assert.ok(residual !== null && residual >= 0 && residual < Infinity, `residual ${residual}`)
      },
    ),
    { numRuns: 500 },
  )
})
const SPEND: FittedSpend = {
  model: 'gamma-gamma',
  estimate: {
    parameters: { p: 6.25, q: 3.74, v: 15.44 },
    logLikelihood: null,
    standardErrors: {},
    covariance: null,
    isConverged: true,
  },
}

test('a = 1 and s = 1 are no gaps', () => {
  const known = history(4, 20, 30)
  const at = (a: number) => expectedOccasions(fitted('bg-nbd', { r: 0.3, alpha: 5, a, b: 0.4 }), known, weeks(50))
  const of = (s: number) => expectedOccasions(fitted('pareto-nbd', { r: 0.3, alpha: 5, s, beta: 9 }), known, weeks(50))
  for (const ask of [at, of]) near(ask(1), (ask(1 - 1e-4) + ask(1 + 1e-4)) / 2, 1e-6)
})

test('series and quadrature of the expected occasions meet where one takes over from the other', () => {
  const known = history(4, 20, 30)
  const at = (a: number, b: number, r: number, length: number) =>
    expectedOccasions(fitted('bg-nbd', { r, alpha: 6, a, b }), known, weeks(length))
  // g = a + b − 1 − r around 10 and −10, a around 30, and a span that is 97 % of span and age.
  const pairs = [
    [at(3, 8.3 - 1e-9, 0.3, 52), at(3, 8.3 + 1e-9, 0.3, 52)],
    [at(0.8, 2.2, 12 - 1e-9, 52), at(0.8, 2.2, 12 + 1e-9, 52)],
    [at(30 - 1e-9, 0.5, 25, 52), at(30 + 1e-9, 0.5, 25, 52)],
    [at(0.8, 2.4, 0.25, 1163.9), at(0.8, 2.4, 0.25, 1164.1)],
  ] as const
  for (const [before, after] of pairs) near(after / before, 1, 1e-4)
  near(pairs[0][1] / pairs[0][0], 1, 1e-7)
  near(pairs[1][1] / pairs[1][0], 1, 1e-7)
})

test('discounting: a step is discounted at its end, and no discount leaves the sum', () => {
  const known = history(3, 20, 30)
  const given = fitted('bg-nbd')
  const value = (ratePerStep: number) =>
    valuer(given, SPEND, { horizon: weeks(13.035), step: weeks(4.345), ratePerStep, marginRate: 0.5 }).value(known, 20)
  const mean = expectedSpend(SPEND, 3, 20)
  near(value(0).margin, 0.5 * mean * expectedOccasions(given, known, weeks(13.035)), 1e-9)
  const at = [0, 1, 2, 3].map((step) => (step === 0 ? 0 : expectedOccasions(given, known, weeks(step * 4.345))))
  const byHand = [1, 2, 3].reduce((sum, k) => sum + ((at[k] ?? 0) - (at[k - 1] ?? 0)) / 1.02 ** k, 0)
  near(value(0.02).margin, 0.5 * mean * byHand, 1e-9)
  assert.deepEqual(stepEnds(weeks(10), weeks(4)), [4, 8, 10])
  assert.deepEqual(stepEnds(weeks(12), weeks(4)), [4, 8, 12])
  assert.deepEqual(stepEnds(weeks(3), weeks(4)), [3])
})

test('units are types: a day is not a week', () => {
  type IsSame<A, B> = A extends B ? true : false
  const isTaken: IsSame<Span<'day'>, Span<'week'>> = false
  const isOwn: IsSame<Span<'week'>, Span<'week'>> = true
  assert.deepEqual([isTaken, isOwn], [false, true])
  near(spanOfDays('week', 365), 52.142857142857146, 1e-12)
  assert.equal(spanOfDays('day', 365), 365)
})

test('fewer than 100 people who bought again: a historic rate, and it says so', () => {
  const rows = Array.from({ length: 150 }, (_, index) => ({ x: index % 2, tX: index % 2 ? 3 : 0, T: 10 }))
  const { fitted: found, reason } = fitOccasions('bg-nbd', groupHistories('week', rows))
  assert.deepEqual([found.model, reason], ['historic-rate', 'few_repeaters'])
  // 75.5 occasions in 1,500 weeks; somebody with none in 10 weeks, with 10 more at that rate.
  near(expectedOccasions(found, history(0, 0, 10), weeks(10)), (75.5 / 150 / 20) * 10, 1e-12)
  const one = fitOccasions('pareto-nbd', groupHistories('week', [{ x: 0, tX: 0, T: 1 }]))
  assert.equal(one.fitted.model, 'historic-rate')
  assert.ok(expectedOccasions(one.fitted, history(0, 0, 1), weeks(52)) > 0)
})

test('where nobody drops out, dropout is not identified, and the NBD is used', () => {
  const random = chance(5)
  const rows = Array.from({ length: 3000 }, () => {
    const rate = gamma(random, 0.8) / 8
    const T = 20 + Math.floor(30 * random())
    let [x, tX] = [0, 0]
    for (let at = exponential(random) / rate; at < T; at += exponential(random) / rate) {
      x += 1
      tX = at
    }
    return { x, tX: Math.min(T, Math.ceil(tX)), T }
  })
  for (const model of ['bg-nbd', 'pareto-nbd'] as const) {
    const { fitted: found, reason, tried } = fitOccasions(model, groupHistories('week', rows))
    assert.deepEqual([found.model, reason], ['nbd', 'dropout_unidentified'], model)
    assert.ok(tried.length === 2 && tried[0]?.model === model)
    if (found.model !== 'nbd') return
    near(found.estimate.parameters.r, 0.8, 0.1)
    near(found.estimate.parameters.alpha, 8, 1)
  }
})

test('where all lives are of one rate s and β grow together, and that is a maximum', () => {
  const random = chance(11)
  const rows = Array.from({ length: 1000 }, () => {
    const rate = gamma(random, 0.8) / 8
    const end = 30 * exponential(random)
    const T = 150 + Math.floor(100 * random())
    let [x, tX] = [0, 0]
    for (let at = exponential(random) / rate; at < Math.min(T, end); at += exponential(random) / rate) {
      x += 1
      tX = at
    }
    return { x, tX: Math.min(T, Math.ceil(tX)), T }
  })
  const { fitted: found, reason } = fitOccasions('pareto-nbd', groupHistories('week', rows))
  assert.deepEqual([found.model, reason], ['pareto-nbd', undefined])
  if (found.model !== 'pareto-nbd') return
  const { s, beta } = found.estimate.parameters
  assert.ok(s > 20, `s is ${s}`)
  near(s / beta, 1 / 30, 0.005)
})

test('Gamma-Gamma is refused where it says nothing, and the shrunk mean takes its place', () => {
  const random = chance(8)
  const groups = (spend: (x: number) => number) =>
    Array.from({ length: 600 }, () => {
      const x = 1 + Math.floor(6 * random())
      return { x, meanSpend: spend(x), people: 1 }
    })
  const reasonOf = (list: SpendGroup[]) => fitSpend(list).reason
  assert.equal(reasonOf(groups(() => 20)), 'spend_constant')
  assert.equal(reasonOf(groups((x) => 20 * x + random())), 'spend_correlated')
  assert.equal(reasonOf(groups(() => 20 + random()).slice(0, 50)), 'few_repeaters')
  assert.equal(reasonOf([]), 'few_repeaters')
  // Means of Cauchy-like tails: no mean of all.
  assert.equal(reasonOf(groups(() => (10 * exponential(random)) / gamma(random, 0.6))), 'spend_mean_infinite')
  const { fitted: mean } = fitSpend(groups(() => 20))
  near(expectedSpend(mean, 0, 0), 20, 1e-9)
  near(expectedSpend(mean, 3, 40), 35, 1e-9)
})

test('contracts: expected and residual renewals are sums of survival', () => {
  const parameters = { alpha: 0.668, beta: 3.806 }
  const survival = [1, 2, 3].map((k) => sbgSurvival(parameters, 2, k))
  near(
    sbgExpected(parameters, 2, 3),
    survival.reduce((sum, s) => sum + s, 0),
    1e-12,
  )
  // A survival is the product of retention rates (β + t − 1)/(α + β + t − 1).
  near(survival[0] ?? 0, (3.806 + 2) / (0.668 + 3.806 + 2), 1e-12)
  let residual = 0
  for (let k = 1; k < 400; k += 1) residual += sbgSurvival(parameters, 2, k) / 1.1 ** k
  near(sbgResidual(parameters, 2, 0.1), residual, 1e-9)
})
