import type { RawBuilder } from 'kysely'
import { lockAgainstBackup } from '../../platform/backup-database.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { readRebuildDue, readSettings } from '../brand/actions.ts'
import type { Settings } from '../brand/schema.ts'
import { CLAIMED_PEOPLE, claimPending, countPending, lockIntake, type Share } from '../intake/actions.ts'
import {
  type Cuts,
  cutsAt,
  isSubscribedToStanding,
  readCutsInForce,
  subscribeToStanding,
  unsubscribeFromStanding,
} from '../relationship/actions.ts'
import { applyRuleTag } from '../tags/actions.ts'
import {
  countOrders,
  factKindsOf,
  type Node,
  type ResolvedNode,
  readDefinition,
  referencesOf,
  resolve,
  ruleTagsOf,
  usesCuts,
  usesValues,
} from './definition.ts'
import type { Ground } from './ground-queries.ts'
import * as looks from './look-queries.ts'
import * as members from './member-queries.ts'
import { holdsForNobody, selectLastRun } from './queries.ts'
import * as ruleQueries from './rule-queries.ts'
import { loopOf } from './rules.ts'
import { type SegmentRow, selectSegments, updateEvaluated } from './segment-queries.ts'

export const SUBSCRIBER = 'segments'
/** People looked at in one transaction. */
const BATCH_PEOPLE = 20_000
/** From so many pending people on everybody is looked at, which reads each table once. */
export const WHOLE_FROM_PEOPLE = 200_000

/** From so many people on they are worked off on two connections, a share of them each. */
const SHARED_FROM_PEOPLE = 2000
const SHARES: readonly Share[] = [
  { number: 0, of: 2 },
  { number: 1, of: 2 },
]

/** A segment with what it says whole, and what can change who is in it. */
export interface Evaluable {
  readonly row: SegmentRow
  readonly node: ResolvedNode
  readonly usesCuts: boolean
  readonly usesValues: boolean
  /** Segments that it rests on, also by way of others. */
  readonly restsOn: readonly number[]
  /** Tags that it asks for where a rule may give them, each with its place. */
  readonly ruleTags: ReadonlyMap<string, string>
}

/** All segments of the brand, ready to be evaluated. */
export async function readEvaluables(db: Sql): Promise<Evaluable[]> {
  const rows = await selectSegments(db)
  const nodes = readNodes(rows)
  return rows.map((row) => {
    const node = resolve(nodes.get(row.segment_id) ?? unread(row.segment_id), nodes, row.segment_id)
    if (isRefusal(node)) throw new Error(`Segment ${row.segment_id} is kept with ${node.message}`)
    const restsOn = [...restingOn(row.segment_id, nodes)]
    return { row, node, usesCuts: usesCuts(node), usesValues: usesValues(node), restsOn, ruleTags: ruleTagsOf(node) }
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

export interface Present {
  readonly now: Date
  readonly settings: Settings
  readonly cuts: Cuts | null
  /** Read before anybody is looked at: a run that ends meanwhile is looked at again. */
  readonly run: number | null
}

export async function readPresent(tx: Sql, clock: Clock, segments: readonly Evaluable[]): Promise<Present> {
  const now = clock.now()
  const cuts = segments.some((segment) => segment.usesCuts) ? await cutsAt(tx, now) : null
  return { now, settings: await readSettings(tx), cuts, run: await selectLastRun(tx) }
}

function groundOf({ now: at, settings, cuts }: Present): Omit<Ground, 'scope'> {
  return { at, settings, cuts, isExplaining: false, isKept: true }
}

async function refreshDue(database: Database, clock: Clock): Promise<number> {
  const next = await members.selectNextDue(database.db)
  if (!next || next > clock.now()) return 0
  const isMany = await members.areDue(database.db, clock.now(), SHARED_FROM_PEOPLE)
  return byShares(database, clock, isMany ? next : undefined, (share) => refreshDueOf(database, clock, share))
}

async function refreshDueOf(database: Database, clock: Clock, share?: Share): Promise<number> {
  let changed = 0
  for (let due = BATCH_PEOPLE; due === BATCH_PEOPLE; ) {
    due = await database.transaction(async (tx) => {
      if (!(await lockFor(tx, share))) return 0
      const segments = await readEvaluables(tx)
      const present = await readPresent(tx, clock, segments)
      await looks.createLooks(tx)
      const count = await looks.lookAtDue(tx, present.now, BATCH_PEOPLE, share)
      if (count > 0) changed += await evaluateLooks(tx, segments, present)
      return count
    })
  }
  return changed
}

/**
 * Works people off alone, or, from many on, by shares of them beside each other, two connections for two cores. A tag is given and taken
 * by one at a time, because two shares would wait for each other's tags.
 *
 * @param manySince since when stays of many may have ended; undefined: they are few.
 */
async function byShares(
  database: Database,
  clock: Clock,
  manySince: Date | undefined,
  work: (share?: Share) => Promise<number>,
): Promise<number> {
  if (!manySince || (await ruleQueries.selectRules(database.db)).length > 0) return work()
  await database.transaction(async (tx) => {
    await members.lockSegments(tx)
    await members.createMonths(tx, manySince, clock.now())
  })
  const changed = await allDone(SHARES.map(work))
  // Whom they left, for a rule that was set meanwhile.
  if ((await ruleQueries.selectRules(database.db)).length > 0) changed.push(await work())
  return changed.reduce((total, number) => total + number, 0)
}

/** @returns whether there is anything to do: a share is left alone where a rule was set meanwhile. */
async function lockFor(tx: Sql, share: Share | undefined): Promise<boolean> {
  await (share ? members.lockSegments(tx, share) : lockWithRules(tx))
  return !share || (await ruleQueries.selectRules(tx)).length === 0
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
  const pending = await countPending(database.db, SUBSCRIBER)
  if (pending === 0) return 0
  const isMany = pending >= SHARED_FROM_PEOPLE && pending < WHOLE_FROM_PEOPLE
  return byShares(database, clock, isMany ? clock.now() : undefined, (share) => refreshShare(database, clock, share))
}

/** Waits for all of them, also when one fails. */
async function allDone<T>(running: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(running)
  return Promise.all(running)
}

/** Of one share of the people, or of all: then everybody is looked at where most are pending. */
async function refreshShare(database: Database, clock: Clock, share?: Share): Promise<number> {
  let changed = 0
  for (let claimed = BATCH_PEOPLE; claimed === BATCH_PEOPLE; ) {
    const pending = share ? BATCH_PEOPLE : await countPending(database.db, SUBSCRIBER)
    if (pending === 0) break
    const limit = pending >= WHOLE_FROM_PEOPLE ? pending : BATCH_PEOPLE
    claimed = await database.transaction(async (tx) => {
      if (!(await lockFor(tx, share))) return 0
      const count = await claimPending(tx, SUBSCRIBER, limit, share)
      if (count === 0) return count
      const segments = await readEvaluables(tx)
      const present = await readPresent(tx, clock, segments)
      if (count >= WHOLE_FROM_PEOPLE) {
        for (const segment of segments) {
          changed += await evaluateWhole(tx, { segment, segments, cause: 'fact' }, present)
        }
        return count
      }
      await looks.createLooks(tx)
      const asked = await askedFor(tx, segments, present)
      await looks.lookAtChanged(tx, CLAIMED_PEOPLE, asked, present.now)
      await looks.analyzeLooks(tx)
      changed += await evaluateLooks(tx, segments, present)
      return count
    })
  }
  return changed
}

/** For which kinds of facts each segment is asked about somebody; null: for any. */
export async function askedFor(tx: Sql, segments: readonly Evaluable[], present: Present) {
  const asked: { segment_id: number; factKinds: string[] | null }[] = []
  for (const { row, node } of segments) {
    const factKinds = factKindsOf(node)
    const isOpen = factKinds !== null && (await holdsForNobody(tx, node, groundOf(present), present.run))
    asked.push({ segment_id: row.segment_id, factKinds: isOpen ? null : factKinds })
  }
  return asked
}

/**
 * One statement for each segment that has looks, and then what differs. Tags that these give are given and taken with it, and
 * whoever's tags differ is looked at by the segments that ask for them, until none does: no tag decides about itself (`refuseLoop`),
 * so there are at most as many rounds more as rules.
 */
export async function evaluateLooks(
  tx: Sql,
  segments: readonly Evaluable[],
  present: Present,
  known?: RawBuilder<unknown>,
): Promise<number> {
  const rules = await ruleQueries.selectRules(tx)
  let changed = 0
  for (let round = 0; round <= rules.length; round += 1) {
    const looked = new Set(await looks.selectLooked(tx))
    const asked = segments.filter(({ row }) => looked.has(row.segment_id))
    const ground = groundOf(present)
    const orderClauses = asked.reduce((count, { node }) => count + countOrders(node), 0)
    const laidOut = await looks.layOutLooked(tx, ground, orderClauses > 1, known)
    for (const { row, node } of asked) await members.evaluateLooked(tx, row.segment_id, node, { ground, laidOut })
    const { entered, left } = await members.writeDifferences(tx, 'looks', present.now, present.settings.zone)
    changed += entered + left
    const said = rules.flatMap((rule) =>
      looked.has(rule.segment_id) ? [{ rule, people: ruleQueries.saidOfLooked(rule.segment_id) }] : [],
    )
    if (!(await applyRules(tx, segments, said, present.now))) break
  }
  return changed
}

/** @returns whether segments have to be asked about people whose tags differ now: then there are looks of them, and of nobody else. */
async function applyRules(
  tx: Sql,
  segments: readonly Evaluable[],
  said: readonly { rule: Pick<ruleQueries.RuleRow, 'tag_id' | 'tag'>; people: ruleQueries.Said }[],
  now: Date,
): Promise<boolean> {
  if (said.length === 0) return false
  await ruleQueries.createNextLooks(tx)
  for (const { rule, people } of said) {
    const done = await applyRuleTag(tx, rule.tag_id, people, now)
    // An archived tag is given to nobody, and takes no rule; one that went away took its rule along.
    if (isRefusal(done)) throw new Error(`The rule of tag ${rule.tag_id} cannot be followed: ${done.message}`)
    const asking = segments.filter(({ ruleTags }) => ruleTags.has(rule.tag.toLowerCase()))
    if (done.given + done.taken === 0 || asking.length === 0) continue
    await ruleQueries.lookAtTagged(
      tx,
      asking.map(({ row }) => row.segment_id),
    )
  }
  await looks.createLooks(tx)
  return ruleQueries.takeNextLooks(tx)
}

/** A tag gets its rule or loses it (null), in the caller's transaction and under its lock: everybody has it who is in, and nobody else. */
export async function applyRule(
  tx: Sql,
  clock: Clock,
  { tag_id: tagId, tag, segment_id: segmentId }: { tag_id: number; tag: string; segment_id: number | null },
): Promise<void> {
  const segments = await readEvaluables(tx)
  const present = await readPresent(tx, clock, segments)
  const { now } = present
  const people = ruleQueries.saidOfAll(segmentId, { tagId, cause: 'rule', now })
  const isMore = await applyRules(tx, segments, [{ rule: { tag_id: tagId, tag }, people }], now)
  if (isMore) await evaluateLooks(tx, segments, present)
}

/** Refuses rules and definitions, as they are in the caller's transaction, by which a tag would decide about itself. */
export async function refuseLoop(tx: Sql): Promise<Refusal | undefined> {
  const segments = await readEvaluables(tx)
  const rules = (await ruleQueries.selectRules(tx)).map(({ tag, segment_id: segmentId }) => {
    const asks = segments.find(({ row }) => row.segment_id === segmentId)?.ruleTags ?? new Map()
    return { tag, segmentId, asks }
  })
  const loop = loopOf(rules)
  if (!loop) return undefined
  const remedy = 'Ask there for the tag from other sources, or have the segment give another tag.'
  return refuse('conflict', 'rule_loop', `A tag would decide about itself: ${loop}.`, remedy)
}

/**
 * One at a time. Where segments give tags, who is one person stands still too, and that lock comes before any row: whoever erases
 * somebody has it, and then takes rows of members.
 */
export async function lockWithRules(tx: Sql): Promise<void> {
  await members.lockSegments(tx)
  if ((await ruleQueries.selectRules(tx)).length > 0) await lockIntake(tx, 'beside')
}

/** Segments of which everybody has to be looked at, each in a transaction of its own. */
async function refreshWhole(database: Database, clock: Clock): Promise<number> {
  let changed = 0
  // A setting that standing rests on was changed, and standing has not followed: after it has.
  if ((await readRebuildDue(database.db)) !== null) return changed
  const isDue = await dueWhole(database.db, clock)
  const due = (await readEvaluables(database.db)).flatMap((segment) => {
    const cause = isDue(segment)
    return cause ? [{ segmentId: segment.row.segment_id, isReplacing: isAnew(cause) }] : []
  })
  for (const { segmentId, isReplacing } of due) {
    changed += await database.transaction(async (tx) => {
      // Before any other lock.
      if (isReplacing) await lockAgainstBackup(tx)
      await lockWithRules(tx)
      const segments = await readEvaluables(tx)
      const segment = segments.find((other) => other.row.segment_id === segmentId)
      const cause = segment && (await dueWhole(tx, clock))(segment)
      // What is due for another reason by now is so in the next run too.
      if (!segment || !cause || isAnew(cause) !== isReplacing) return 0
      return evaluateWhole(tx, { segment, segments, cause }, await readPresent(tx, clock, segments))
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

/** Whether what is kept says nothing of when people are due, and all of it is replaced. */
function isAnew(cause: string): boolean {
  return cause === 'definition' || cause === 'settings'
}

interface WholeLook {
  readonly segment: Evaluable
  /** All of the brand. */
  readonly segments: readonly Evaluable[]
  readonly cause: string
}

/** Everybody of one of the segments, in the caller's transaction and under its lock. */
async function evaluateWhole(tx: Sql, look: WholeLook, present: Present): Promise<number> {
  const { changed, isExchanged } = await writeWhole(tx, look, present)
  if (isExchanged) await members.exchangeVerdicts(tx, look.segment.row.segment_id)
  return changed + (await followWhole(tx, look, present))
}

/** The set statement, and what differs. @returns whether what was made has yet to take its place. */
async function writeWhole(
  tx: Sql,
  { segment: { row, node }, cause }: WholeLook,
  present: Present,
): Promise<{ changed: number; isExchanged: boolean }> {
  const { now, settings, cuts, run } = present
  const segmentId = row.segment_id
  const isFirst = row.evaluated_version === null
  const ground = groundOf(present)
  let flips: members.Flips
  if (isAnew(cause)) {
    flips = await members.evaluateAnew(tx, segmentId, node, ground, { cause, isFirst })
    await members.writeSize(tx, segmentId, flips, settings.zone, now)
  } else {
    await members.evaluateEverybody(tx, segmentId, node, ground)
    flips = await members.writeDifferences(tx, { cause }, now, settings.zone)
  }
  // Where standing has yet to follow a setting, all of it is looked at once more after that.
  const isFollowing = (await readRebuildDue(tx)) !== null
  const evaluated = {
    version: row.version,
    settings: isFollowing ? '' : settingsText(settings),
    cuts: cuts?.in_force_from ?? null,
    run,
    now,
  }
  await updateEvaluated(tx, segmentId, evaluated)
  return { changed: flips.entered + flips.left, isExchanged: isAnew(cause) && !isFirst }
}

/** The tags that the segment gives, and who is in others by them. @returns how many stays of others began or ended. */
async function followWhole(tx: Sql, { segment, segments, cause }: WholeLook, present: Present): Promise<number> {
  const segmentId = segment.row.segment_id
  const { now } = present
  const rules = (await ruleQueries.selectRules(tx)).filter((rule) => rule.segment_id === segmentId)
  const said = rules.map((rule) => ({
    rule,
    people: ruleQueries.saidOfAll(segmentId, { tagId: rule.tag_id, cause, now }),
  }))
  return (await applyRules(tx, segments, said, now)) ? evaluateLooks(tx, segments, present) : 0
}

/** Evaluates a segment and those that refer to it for everybody at once, in the transaction that wrote its definition. */
export async function evaluateNew(tx: Sql, clock: Clock, segmentId: number): Promise<void> {
  await subscribeToStanding(tx, SUBSCRIBER)
  const segments = await readEvaluables(tx)
  const present = await readPresent(tx, clock, segments)
  await members.createMonths(tx, present.now, present.now)
  const looks = segments
    .filter(({ row, restsOn }) => row.segment_id === segmentId || restsOn.includes(segmentId))
    .map((segment) => ({ segment, segments, cause: 'definition' }))
  const exchanged: number[] = []
  for (const look of looks) {
    const { isExchanged } = await writeWhole(tx, look, present)
    if (isExchanged) exchanged.push(look.segment.row.segment_id)
  }
  for (const id of exchanged) await members.exchangeVerdicts(tx, id)
  for (const look of looks) await followWhole(tx, look, present)
}
