import { test } from 'node:test'
import { assertCoverage } from '../../../test/coverage.ts'

test('the interval of a cohort holds what it brings as often as promised (2,000 cohorts)', (t) => {
  assertCoverage(t, 2000, 1000)
})

test('so does that of a part of a year, which what came since a past day is held to', (t) => {
  assertCoverage(t, 2000, 1000, 13)
})
