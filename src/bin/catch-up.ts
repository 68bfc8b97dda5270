import { foldTotals, followIdentities as followOrders } from '../modules/commerce/actions.ts'
import { reapplyErasures, refreshAgedPhones } from '../modules/customers/actions.ts'
import { followIdentities as followInteractions } from '../modules/interactions/actions.ts'
import { foldPeople, refreshLapsed, refreshStanding } from '../modules/relationship/actions.ts'
import { CONTINUATION, refreshSegments } from '../modules/segments/actions.ts'
import { followIdentities as followTags } from '../modules/tags/actions.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { ERASERS } from './erasers.ts'

/** Databases of which this process knows that nobody is in them who was erased. */
const withoutErased = new WeakSet<Database>()

/**
 * Works off what time and facts left to do, lowest module first: phones that link nobody any more, whose orders are whose
 * then, how everybody concerned stands, who has lapsed since, and who is in which segment.
 * RFM cuts younger than `cutsKeptMs` stay as they are.
 *
 * @returns how many people were computed anew.
 */
export async function catchUp(database: Database, clock: Clock, cutsKeptMs = 0): Promise<number> {
  if (!withoutErased.has(database)) {
    // A backup that was restored has them again.
    await reapplyErasures(database, clock, ERASERS)
    withoutErased.add(database)
  }
  await refreshAgedPhones(database, clock)
  await followTags(database, clock)
  await followOrders(database, clock)
  await followInteractions(database, clock)
  const changed = await refreshStanding(database, clock, cutsKeptMs, CONTINUATION)
  if (changed > 0) await foldTotals(database, clock)
  const lapsed = await refreshLapsed(database, clock)
  await refreshSegments(database, clock)
  if (changed + lapsed > 0) await foldPeople(database)
  return changed + lapsed
}
