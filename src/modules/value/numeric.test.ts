import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  betaQuadrature,
  digamma,
  hypergeometricOne,
  logBeta,
  logGamma,
  normalQuantile,
  normalShare,
  powerSpan,
  scaledExponentialIntegral,
} from './numeric.ts'
import { covarianceAt, minimise, nelderMead } from './optimise.ts'

const EULER = 0.5772156649015329

function near(actual: number, expected: number, relative = 1e-12, name = ''): void {
  const error = Math.abs(actual - expected) / Math.max(1e-300, Math.abs(expected))
  assert.ok(error <= relative || Math.abs(actual - expected) < 1e-15, `${name} ${actual}, expected ${expected}`)
}

test('ln Γ and ψ have their known values', () => {
  near(logGamma(0.5), Math.log(Math.PI) / 2)
  near(logGamma(10), Math.log(362_880))
  near(logGamma(101), 363.7393755555635)
  near(logGamma(1e-5), 11.512919692895826)
  near(logGamma(1e6), 12_815_504.569147611)
  assert.ok(Math.abs(logGamma(1)) < 1e-14 && Math.abs(logGamma(2)) < 1e-14)
  near(digamma(1), -EULER)
  near(digamma(0.5), -EULER - 2 * Math.LN2)
  near(digamma(100), 4.600161852738087)
  near(logBeta(2, 3), Math.log(1 / 12))
})

test('Γ(x + 1) = x·Γ(x), and ψ is the slope of ln Γ', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-3, max: 1e4, noNaN: true }), (x) => {
      assert.ok(Math.abs(logGamma(x + 1) - logGamma(x) - Math.log(x)) < 1e-12 * (1 + Math.abs(logGamma(x))))
      assert.ok(Math.abs(digamma(x + 1) - digamma(x) - 1 / x) < 1e-12 * (1 + 1 / x))
      const h = 1e-4 * x
      const slope = (logGamma(x + h) - logGamma(x - h)) / (2 * h)
      assert.ok(Math.abs(slope - digamma(x)) < 1e-6 * (1 + Math.abs(digamma(x))))
    }),
  )
})

test('₂F₁(1, b; c; z) has its known values up to where the power series is hopeless', () => {
  for (const z of [-0.9, 0.1, 0.5, 0.9, 0.999, 0.999999]) {
    near(hypergeometricOne(1, 2, z), -Math.log1p(-z) / z, 1e-11, `ln at ${z}`)
    near(hypergeometricOne(3.7, 3.7, z), 1 / (1 - z), 1e-9, `1/(1−z) at ${z}`)
    if (z > 0) near(hypergeometricOne(0.5, 1.5, z), Math.atanh(Math.sqrt(z)) / Math.sqrt(z), 1e-11, `atanh at ${z}`)
  }
})

test('₂F₁(1, b; c; z) is its power series', () => {
  const [b, beyond] = [fc.double({ min: 0.01, max: 60, noNaN: true }), fc.double({ min: 0, max: 40, noNaN: true })]
  fc.assert(
    fc.property(b, beyond, fc.double({ min: 0, max: 0.8, noNaN: true }), (first, more, z) => {
      const second = first + more
      let [term, sum] = [1, 1]
      for (let k = 0; k < 2000; k += 1) {
        term *= ((first + k) / (second + k)) * z
        sum += term
      }
      near(hypergeometricOne(first, second, z), sum, 1e-9)
    }),
  )
})

test('e^y·E_n(y) has its known values, and the recurrence of the exponential integral', () => {
  near(scaledExponentialIntegral(1, 1), Math.E * 0.2193839343955203, 1e-12)
  near(scaledExponentialIntegral(2, 0.5), Math.exp(0.5) * 0.326643862324553, 1e-11)
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 50, noNaN: true }),
      fc.double({ min: 0.01, max: 100, noNaN: true }),
      (n, y) => {
        const here = scaledExponentialIntegral(n, y)
        near(n * scaledExponentialIntegral(n + 1, y) + y * here, 1, 1e-8)
      },
    ),
  )
})

test('the normal distribution and its quantiles', () => {
  near(normalQuantile(0.975), 1.9599639845400545, 1e-10)
  near(normalQuantile(0.9), 1.2815515655446004, 1e-10)
  near(normalQuantile(1e-6), -4.753424308822899, 1e-9)
  assert.equal(normalQuantile(0.5) < 1e-12, true)
  near(normalShare(-5), 2.866515718791939e-7, 1e-8)
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }), (share) => {
      near(normalShare(normalQuantile(share)), share, 1e-9)
    }),
  )
})

test('the quadrature of a Beta distribution gives its moments', () => {
  const shape = fc.double({ min: 0.02, max: 40, noNaN: true })
  fc.assert(
    fc.property(shape, shape, (a, b) => {
      const { nodes, weights } = betaQuadrature(a, b, 12)
      const moment = (k: number) => nodes.reduce((sum, p, index) => sum + (weights[index] ?? 0) * p ** k, 0)
      near(moment(0), 1, 1e-10)
      near(moment(1), a / (a + b), 1e-8)
      near(moment(2), (a * (a + 1)) / ((a + b) * (a + b + 1)), 1e-8)
      near(moment(7), Math.exp(logBeta(a + 7, b) - logBeta(a, b)), 1e-6)
    }),
  )
})

test('(e^(ky) − 1)/k does not break where k is 0', () => {
  near(powerSpan(0, 0.7), 0.7)
  near(powerSpan(1e-9, 0.7), 0.7, 1e-8)
  near(powerSpan(2, 0.7), (Math.exp(1.4) - 1) / 2)
})

test('a narrow curved valley is walked to its bottom, by BFGS and by Nelder and Mead', () => {
  // Rosenbrock's: the minimum is at (1, 1), where the Hessian is [802, −400; −400, 200].
  const valley = (point: Float64Array, gradient: Float64Array = new Float64Array(2)) => {
    const [x = 0, y = 0] = point
    gradient[0] = -2 * (1 - x) - 400 * x * (y - x * x)
    gradient[1] = 200 * (y - x * x)
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2
  }
  const found = minimise(valley, [[-1.2, 1]])
  assert.ok(found.isConverged)
  near(found.point[0] ?? 0, 1, 1e-5)
  near(found.point[1] ?? 0, 1, 1e-5)
  const covariance = covarianceAt(valley, Float64Array.of(1, 1))
  near(covariance?.[0] ?? 0, 0.5, 1e-4)
  near(covariance?.[3] ?? 0, 2.005, 1e-4)
  const walked = nelderMead(valley, Float64Array.of(-1.2, 1))
  assert.ok(Math.abs((walked[0] ?? 0) - 1) < 0.01)
})

test('what has no minimum is not said to have one', () => {
  const slope = (point: Float64Array, gradient: Float64Array = new Float64Array(2)) => {
    gradient[0] = -Math.exp(-(point[0] ?? 0))
    return 1e6 * Math.exp(-(point[0] ?? 0))
  }
  const steep = (point: Float64Array, gradient: Float64Array = new Float64Array(2)) => {
    gradient[0] = 3
    return 3 * (point[0] ?? 0)
  }
  assert.equal(minimise(steep, [[0]]).isConverged, false)
  assert.equal(covarianceAt(steep, Float64Array.of(0)), undefined)
  assert.ok(Number.isFinite(minimise(slope, [[0]]).value))
})

test('a ridge on which two coordinates go out together ends at its bound, soon, with the others at their best', () => {
  // Falls towards 5 along x = y − 1, as 1 over e^x does; the third lies in a valley of its own.
  let asked = 0
  const ridge = (point: Float64Array, gradient: Float64Array = new Float64Array(3)) => {
    asked += 1
    const [x = 0, y = 0, z = 0] = point
    const across = y - x - 1
    gradient[0] = -Math.exp(-x) - 2e4 * across
    gradient[1] = 2e4 * across
    gradient[2] = 20 * (z - 2)
    return 5 + Math.exp(-x) + 1e4 * across ** 2 + 10 * (z - 2) ** 2
  }
  const found = minimise(
    ridge,
    [
      [0, 3, 0],
      [1, 0, 5],
    ],
    [[0, 1]],
  )
  assert.ok(found.isConverged)
  near(found.value, 5, 1e-4)
  near((found.point[1] ?? 0) - (found.point[0] ?? 0), 1, 1e-4)
  near(found.point[2] ?? 0, 2, 1e-4)
  assert.ok(asked < 200, `${asked} evaluations`)
})
