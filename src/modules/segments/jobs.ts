import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { readRebuildDue, readSettings } from '../brand/actions.ts'
import type { Settings } from '../brand/schema.ts'
import { claimPending, countPending } from '../intake/actions.ts'
import {
  type Cuts,
  cutsAt,
  isSubscribedToStanding,
  readCutsInForce,
  subscribeToStanding,
  unsubscribeFromStanding,
} from '../relationship/actions.ts'
import {
  factKindsOf,
  type Node,
  type ResolvedNode,
  readDefinition,
  referencesOf,
  resolve,
  usesCuts,
  usesValues,
} from './definition.ts'
import type { Ground, Scope } from './ground-queries.ts'
import * as members from './member-queries.ts'
import { EVERYONE, holdsForNobody, selectLastRun } from './queries.ts'
import { type SegmentRow, selectSegments, updateEvaluated } from './segment-queries.ts'

const SUBSCRIBER = 'segments'
/** People looked at in one transaction. */
const BATCH_PEOPLE = 20_000
/** From so many pending people on everybody is looked at, which reads each table once. */
const WHOLE_FROM_PEOPLE = 200_000

/** A segment with what it says whole, and what can change who is in it. */
export interface Evaluable {
  readonly row: SegmentRow
  readonly node: ResolvedNode
  readonly usesCuts: boolean
  readonly usesValues: boolean
  /** Segments that it rests on, also by way of others. */
  readonly restsOn: readonly number[]
}

/** All segments of the brand, ready to be evaluated. */
export async function readEvaluables(db: Sql): Promise<Evaluable[]> {
  const rows = await selectSegments(db)
  const nodes = readNodes(rows)
  return rows.map((row) => {
    const node = resolve(nodes.get(row.segment_id) ?? unread(row.segment_id), nodes, row.segment_id)
    if (isRefusal(node)) throw new Error(`Segment ${row.segment_id} is kept with ${node.message}`)
    const restsOn = [...restingOn(row.segment_id, nodes)]
    return { row, node, usesCuts: usesCuts(node), usesValues: usesValues(node), restsOn }
  })
}

function unread(segmentId: number): never {
  throw new Error(`Segment ${segmentId} has no definition`)
}

/** Definitions as they are kept. @throws Error when one was kept that is none. */
export function readNodes(rows: readonly Pick<SegmentRow, 'segment_id' | 'definition'>[]): Map<number, Node> {
  return new Map(
    rows.map(({ segment_id, definition }) => {
      const node = readDefinition(definition)
      if (isRefusal(node)) throw new Error(`Segment ${segment_id} is kept with ${node.message}`)
      return [segment_id, node]
    }),
  )
}

function restingOn(segmentId: number, nodes: ReadonlyMap<number, Node>, found = new Set<number>()): Set<number> {
  const node = nodes.get(segmentId)
  for (const id of node ? referencesOf(node) : []) {
    if (found.has(id)) continue
    found.add(id)
    restingOn(id, nodes, found)
  }
  return found
}

/**
 * Brings every segment up to the present: whoever a fact was about, whoever is due by time, and everybody of a segment whose
 * definition, settings, cut table or values are others. People come here when standing has followed their facts. Claim and work are one
 * transaction, so a crash leaves them pending.
 *
 * @returns how many stays began or ended.
 */
export async function refreshSegments(database: Database, clock: Clock): Promise<number> {
  const segments = await readEvaluables(database.db)
  // By the time: what time did is told from what a fact did, when both are there.
  const byTime = segments.length > 0 ? await refreshDue(database, clock) : 0
  const byFacts = segments.length > 0 ? await refreshPending(database, clock) : await forgetPending(database)
  const whole = segments.length > 0 ? await refreshWhole(database, clock) : 0
  return byTime + byFacts + whole
}

/** When somebody is due next by time alone, for whoever waits for it; undefined: nobody is. */
export function readNextDue(db: Sql): Promise<Date | undefined> {
  return members.selectNextDue(db)
}

interface Present {
  readonly now: Date
  readonly settings: Settings
  readonly cuts: Cuts | null
  /** Read before anybody is looked at: a run that ends meanwhile is looked at again. */
  readonly run: number | null
}

async function readPresent(tx: Sql, clock: Clock, segments: readonly Evaluable[]): Promise<Present> {
  const now = clock.now()
  const cuts = segments.some((segment) => segment.usesCuts) ? await cutsAt(tx, now) : null
  return { now, settings: await readSettings(tx), cuts, run: await selectLastRun(tx) }
}

function groundOf({ now: at, settings, cuts }: Present, scope: Scope): Ground {
  return { at, settings, cuts, scope, isExplaining: false, isKept: true }
}

async function refreshDue(database: Database, clock: Clock): Promise<number> {
  let changed = 0
  for (let due = BATCH_PEOPLE; due === BATCH_PEOPLE; ) {
    const next = await members.selectNextDue(database.db)
    if (!next || next > clock.now()) break
    due = await database.transaction(async (tx) => {
      await members.lockSegments(tx)
      const segments = await readEvaluables(tx)
      const present = await readPresent(tx, clock, segments)
      await members.createLooks(tx)
      const count = await members.lookAtDue(tx, present.now, BATCH_PEOPLE)
      if (count > 0) changed += await evaluateLooks(tx, segments, present)
      return count
    })
  }
  return changed
}

/** A brand without segments pays nothing for them. Under the lock, so that none is made meanwhile. */
async function forgetPending(database: Database): Promise<number> {
  const isConcerned =
    (await isSubscribedToStanding(database.db, SUBSCRIBER)) || (await countPending(database.db, SUBSCRIBER)) > 0
  if (!isConcerned) return 0
  await database.transaction(async (tx) => {
    await members.lockSegments(tx)
    if ((await selectSegments(tx)).length === 0) await unsubscribeFromStanding(tx, SUBSCRIBER)
  })
  return 0
}

async function refreshPending(database: Database, clock: Clock): Promise<number> {
  let changed = 0
  for (let claimed = BATCH_PEOPLE; claimed === BATCH_PEOPLE; ) {
    const pending = await countPending(database.db, SUBSCRIBER)
    if (pending === 0) break
    const limit = pending >= WHOLE_FROM_PEOPLE ? pending : BATCH_PEOPLE
    claimed = await database.transaction(async (tx) => {
      await members.lockSegments(tx)
      const count = await claimPending(tx, SUBSCRIBER, limit)
      if (count === 0) return count
      const segments = await readEvaluables(tx)
      const present = await readPresent(tx, clock, segments)
      if (count >= WHOLE_FROM_PEOPLE) {
        for (const segment of segments) changed += await evaluateWhole(tx, segment, present, 'fact')
        return count
      }
      await members.createLooks(tx)
      const asked: { segment_id: number; factKinds: string[] | null }[] = []
      for (const { row, node } of segments) {
        const factKinds = factKindsOf(node)
        const isOpen = factKinds !== null && (await holdsForNobody(tx, node, groundOf(present, EVERYONE)))
        asked.push({ segment_id: row.segment_id, factKinds: isOpen ? null : factKinds })
      }
      await members.lookAtClaimed(tx, asked, present.now)
      changed += await evaluateLooks(tx, segments, present)
      return count
    })
  }
  return changed
}

/** One statement for each segment that has looks, and then what differs. */
async function evaluateLooks(tx: Sql, segments: readonly Evaluable[], present: Present): Promise<number> {
  const looked = new Set(await members.selectLooked(tx))
  for (const { row, node } of segments) {
    if (!looked.has(row.segment_id)) continue
    await members.evaluate(tx, row.segment_id, node, groundOf(present, members.lookedAt(row.segment_id)))
  }
  const { entered, left } = await members.writeDifferences(tx, { of: 'looks' }, present.now, present.settings.zone)
  return entered + left
}

/** Segments of which everybody has to be looked at, each in a transaction of its own. */
async function refreshWhole(database: Database, clock: Clock): Promise<number> {
  let changed = 0
  // A setting that standing rests on was changed, and standing has not followed: after it has.
  if ((await readRebuildDue(database.db)) !== null) return changed
  const isDue = await dueWhole(database.db, clock)
  const due = (await readEvaluables(database.db)).filter((segment) => isDue(segment) !== undefined)
  for (const { row } of due) {
    changed += await database.transaction(async (tx) => {
      await members.lockSegments(tx)
      const segment = (await readEvaluables(tx)).find((other) => other.row.segment_id === row.segment_id)
      const cause = segment && (await dueWhole(tx, clock))(segment)
      if (!segment || !cause) return 0
      return evaluateWhole(tx, segment, await readPresent(tx, clock, [segment]), cause)
    })
  }
  return changed
}

/** Why everybody of a segment has to be looked at; undefined: nobody has. */
async function dueWhole(db: Sql, clock: Clock) {
  const settings = settingsText(await readSettings(db))
  const cuts = await readCutsInForce(db, clock.now())
  const run = await selectLastRun(db)
  return ({ row, ...uses }: Evaluable): 'definition' | 'settings' | 'cuts' | 'value' | undefined => {
    if (row.evaluated_version !== row.version) return 'definition'
    if (row.evaluated_settings !== settings) return 'settings'
    if (uses.usesCuts && row.evaluated_cuts?.getTime() !== cuts?.getTime()) return 'cuts'
    return uses.usesValues && row.evaluated_run !== run ? 'value' : undefined
  }
}

/** The settings that who is in a segment can rest on. */
function settingsText(settings: Settings): string {
  const { zone, period_days, occasion_unit, recency_unit, member_by_purchase, spread_window, fan_tier_scores } =
    settings
  // RFM thresholds come with a cut table of their own.
  const texts = { zone, period_days, occasion_unit, recency_unit, member_by_purchase, spread_window, fan_tier_scores }
  return JSON.stringify(texts)
}

/** Everybody of one segment, in the caller's transaction and under its lock: the set statement, and then what differs. */
async function evaluateWhole(tx: Sql, { row, node }: Evaluable, present: Present, cause: string): Promise<number> {
  const { now, settings, cuts, run } = present
  await members.createEvaluated(tx)
  const hasNoDue = cause === 'definition' || cause === 'settings'
  // Of another definition: nothing of it says anything of this one.
  if (hasNoDue && row.evaluated_version !== null) await members.deleteDue(tx, row.segment_id)
  await members.evaluate(tx, row.segment_id, node, groundOf(present, EVERYONE))
  const extent = { of: 'segment', segmentId: row.segment_id, cause, hasNoDue } as const
  const { entered, left } = await members.writeDifferences(tx, extent, now, settings.zone)
  // Where standing has yet to follow a setting, all of it is looked at once more after that.
  const isFollowing = (await readRebuildDue(tx)) !== null
  const evaluated = {
    version: row.version,
    settings: isFollowing ? '' : settingsText(settings),
    cuts: cuts?.in_force_from ?? null,
    run,
    now,
  }
  await updateEvaluated(tx, row.segment_id, evaluated)
  return entered + left
}

/** Evaluates a segment for everybody at once, in the transaction that wrote its definition. */
export async function evaluateNew(tx: Sql, clock: Clock, segmentId: number): Promise<void> {
  await subscribeToStanding(tx, SUBSCRIBER)
  const segments = await readEvaluables(tx)
  const touched = segments.filter(({ row, restsOn }) => row.segment_id === segmentId || restsOn.includes(segmentId))
  const present = await readPresent(tx, clock, touched)
  for (const segment of touched) await evaluateWhole(tx, segment, present, 'definition')
}
