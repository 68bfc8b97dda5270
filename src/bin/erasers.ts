import { eraseOrders } from '../modules/commerce/actions.ts'
import type { Eraser } from '../modules/customers/actions.ts'
import { eraseInteractions } from '../modules/interactions/actions.ts'
import { eraseMembers } from '../modules/segments/actions.ts'
import { eraseTags } from '../modules/tags/actions.ts'
import { eraseValues } from '../modules/value/actions.ts'

/** What every module that keeps facts by person does when one is erased; customers itself comes after them. */
export const ERASERS: readonly Eraser[] = [eraseOrders, eraseInteractions, eraseTags, eraseValues, eraseMembers]
