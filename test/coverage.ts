import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { groupHistories } from '../src/modules/value/histories.ts'
import { cohortValue, fitOccasions, fitSpend, span, valuer } from '../src/modules/value/rules.ts'
import type { SpendGroup } from '../src/modules/value/schema.ts'
import { CDNOW_POPULATION, chance, type SimulatedPerson, simulatePerson } from './chance.ts'

const WATCHED_WEEKS = 39
/** The horizon that customer equity has. */
const YEAR_WEEKS = 52
const PROMISED = 0.8

/**
 * Simulates cohorts whose truth is known, values each as the product does from what was seen of it, and counts how often what
 * they then brought lies in the interval that was promised to hold it with 80 %.
 *
 * @throws AssertionError when the share is more than three standard errors away, or the mean is off.
 */
export function assertCoverage(t: TestContext, cohorts: number, people: number, afterWeeks = YEAR_WEEKS): void {
  const random = chance(20_240_817)
  let [inside, below, above, fallbacks] = [0, 0, 0, 0]
  let [personsInside, persons, expectedSum, realisedSum] = [0, 0, 0, 0]
  for (let cohort = 0; cohort < cohorts; cohort += 1) {
    const drawn: SimulatedPerson[] = []
    for (let index = 0; index < people; index += 1) {
      const watched = WATCHED_WEEKS - 12 * random()
      drawn.push(simulatePerson(random, CDNOW_POPULATION, watched, afterWeeks))
    }
    const histories = groupHistories('week', drawn)
    const groups: SpendGroup[] = drawn
      .filter(({ x }) => x > 0)
      .map(({ x, spend }) => ({ x, meanSpend: spend, people: 1 }))
    const [occasions, spend] = [fitOccasions('bg-nbd', histories), fitSpend(groups)]
    if (occasions.reason || spend.reason) fallbacks += 1
    const horizon = span('week', afterWeeks)
    const discounting = { horizon, step: horizon, ratePerStep: 0, marginRate: 1 }
    const rows = drawn.map((person) => ({
      history: { x: person.x, tX: span('week', person.tX), T: span('week', person.T) },
      meanSpend: person.spend,
      people: 1,
    }))
    const total = cohortValue(occasions.fitted, spend.fitted, discounting, rows)
    const realised = drawn.reduce((sum, { laterSpend }) => sum + laterSpend, 0)
    if (realised < total.low) below += 1
    else if (realised > total.high) above += 1
    else inside += 1
    expectedSum += total.margin
    realisedSum += realised
    if (cohort % 20 === 0) {
      const values = valuer(occasions.fitted, spend.fitted, discounting)
      drawn.forEach((person, index) => {
        const row = rows[index]
        if (!row) return
        const { high } = values.interval(row.history, person.spend)
        persons += 1
        if (person.laterSpend <= high) personsInside += 1
      })
    }
  }
  const share = inside / cohorts
  const error = Math.sqrt((PROMISED * (1 - PROMISED)) / cohorts)
  t.diagnostic(
    `${cohorts} cohorts of ${people}: ${(100 * share).toFixed(1)} % inside, ${below} below, ${above} above; ${fallbacks} by a fallback; ` +
      `expected ${((100 * expectedSum) / realisedSum - 100).toFixed(2)} % over what came; ` +
      `${((100 * personsInside) / persons).toFixed(2)} % of ${persons} people at most at their upper end`,
  )
  assert.ok(Math.abs(share - PROMISED) <= 3 * error, `${share} of intervals hold, ${PROMISED} ± ${3 * error} promised`)
  assert.ok(Math.abs(expectedSum / realisedSum - 1) < 0.03, `expected ${expectedSum}, came ${realisedSum}`)
  assert.ok(
    Math.abs(personsInside / persons - 0.9) < 0.02,
    `${personsInside / persons} of people below their upper end`,
  )
}
