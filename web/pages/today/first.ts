import type { Brief } from '../../api/queries.ts'
import { type Opened, opens } from '../../paths.ts'

/**
 * What to do first, read off the brief's own figures. Each thing names the figure it rests on, so nothing is said
 * that the page does not show.
 */
export type FirstThing =
  | { kind: 'rejected'; rows: number }
  | { kind: 'lapsing'; people: number; opened: Opened }
  | { kind: 'lapsing30'; people: number; opened: Opened }
  | { kind: 'unmatched'; refunds: number; opened: Opened }
  | { kind: 'unconnected'; people: number; of: number; opened: Opened }
  | { kind: 'anonymous'; orders: number; of: number; opened: Opened }
  | { kind: 'second'; people: number; opened: Opened }
  | { kind: 'demo' }
  | { kind: 'none' }

/** More than three things are a list, not a beginning. */
const THINGS_MAX = 3
/** From this share on, being unable to reach people comes before anything one could say to them. */
const UNCONNECTED_SHARE_LARGE = 0.3
const ANONYMOUS_SHARE_LARGE = 0.2

export function isEmpty(brief: Brief): boolean {
  return brief.people === 0 && brief.orders === 0 && brief.unmatched_refunds === 0 && brief.last_import === null
}

export function firstThings(brief: Brief): FirstThing[] {
  const things: FirstThing[] = []
  const unconnected = peopleAt(brief, 0)
  const bought = peopleAt(brief, 3)

  if (brief.last_import && brief.last_import.rows_rejected > 0) {
    things.push({ kind: 'rejected', rows: brief.last_import.rows_rejected })
  }
  if (brief.lapsing_7_days > 0) {
    things.push({ kind: 'lapsing', people: brief.lapsing_7_days, opened: opens.lapsing(7) })
  }
  if (brief.people > 0 && unconnected / brief.people >= UNCONNECTED_SHARE_LARGE) {
    things.push({ kind: 'unconnected', people: unconnected, of: brief.people, opened: opens.depth(0) })
  }
  if (brief.unmatched_refunds > 0) {
    things.push({ kind: 'unmatched', refunds: brief.unmatched_refunds, opened: opens.unmatched })
  }
  if (brief.orders > 0 && brief.anonymous_orders / brief.orders >= ANONYMOUS_SHARE_LARGE) {
    things.push({ kind: 'anonymous', orders: brief.anonymous_orders, of: brief.orders, opened: opens.anonymous })
  }
  if (brief.lapsing_7_days === 0 && brief.lapsing_30_days > 0) {
    things.push({ kind: 'lapsing30', people: brief.lapsing_30_days, opened: opens.lapsing(30) })
  }
  if (bought > 0) things.push({ kind: 'second', people: bought, opened: opens.depth(3) })

  const first = things.slice(0, THINGS_MAX)
  if (first.length === 0) first.push({ kind: 'none' })
  // The demo's own line comes after what its figures say: they are there to be tried out.
  if (brief.brand.is_demo) first.push({ kind: 'demo' })
  return first
}

export function peopleAt(brief: Brief, depth: number): number {
  return brief.depths.find((row) => row.depth === depth)?.people ?? 0
}
