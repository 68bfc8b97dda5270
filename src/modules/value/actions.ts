export { fitContracts, NOTHING_WATCHED, valueContracts, valuePayments } from './plain-table.ts'
export { acceptEdges, fractionOf, propagate } from './propagation.ts'
export { discountPerUnit, span, spanOfDays } from './rules.ts'
export { renewalsOf } from './sbg.ts'
