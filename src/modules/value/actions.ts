export { valueAsOf } from './past.ts'
export { fitContracts, NOTHING_WATCHED, valueContracts, valuePayments } from './plain-table.ts'
export { acceptEdges, fractionOf, propagate } from './propagation.ts'
export { eraseValues } from './queries.ts'
export {
  exportValues,
  listAtRisk,
  listValueCell,
  readEquity,
  readPersonValue,
  readReferralTree,
  readValueMatrix,
} from './reading.ts'
export { discountPerUnit, span, spanOfDays } from './rules.ts'
export {
  beginValueRun,
  followChanges,
  isFollowDue,
  isValueRunDue,
  nothingWatched,
  type ValueRuns,
  valueEverybody,
} from './runs.ts'
export { renewalsOf } from './sbg.ts'
