import type { RawBuilder } from 'kysely'
import { lockAgainstBackup } from '../../platform/backup-database.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { readRebuildDue, readSettings, settleRebuild } from '../brand/actions.ts'
import { DEFAULT_CURRENCY, type Settings } from '../brand/schema.ts'
import {
  CLAIMED_PEOPLE,
  claimPending,
  countPending,
  countPendingChanges,
  deletePending,
  isSubscribed,
  type PersonRows,
  passPending,
  type Share,
  selectPending,
  selectPersonRows,
  subscribe,
  unsubscribe,
} from '../intake/actions.ts'
import { carryStanding } from './carry-queries.ts'
import { foldCounts, type Present, selectPresent } from './counts-queries.ts'
import {
  fanTiersBody,
  keptTiersBody,
  lastScoresBody,
  scoreHeldUntil,
  selectLastScore,
  tierHoldersBody,
} from './interest-queries.ts'
import {
  actedPeople,
  countStanding,
  EVERYONE,
  type HandOn,
  lockStanding,
  occasionsOf,
  onePerson,
  presentStanding,
  STANDING_CHANGED,
  STANDING_COLUMNS,
  selectDepthReport,
  standingBody,
  standingOfFew,
  standingOfOne,
} from './queries.ts'
import {
  type Cuts,
  computeCuts,
  insertCuts,
  type RfmQuery,
  type RfmValues,
  segmentsBody,
  selectCutsInForce,
  selectRfm,
  selectRfmValues,
  type Ties,
} from './rfm-queries.ts'
import { interactionAt, rangesOf, type SegmentRanges, segmentOf } from './rules.ts'
import {
  DEPTHS,
  type DepthReport,
  type FanTier,
  type Interaction,
  RFM_SEGMENTS,
  RFM_VALUE_GROUPS,
  type RfmReport,
} from './schema.ts'
import { claimLapsed, knownThen, selectPresentInstant } from './time-queries.ts'
import { rebuildFigures, rebuildStanding, rewriteStanding, writeDepthChanges } from './write-queries.ts'

export type { Present } from './counts-queries.ts'
export { listFlow, readPersonMigration, reportMigration } from './migration.ts'
export { compareKeys, type SegmentRanges, scoreRfm } from './rules.ts'

const SUBSCRIBER = 'relationship'
/** People recomputed in one transaction: 12k took 0.7 s, so a batch stays short beside live traffic. */
const BATCH_PEOPLE = 20_000
/** From half of the people on, and so many, build and swap is cheaper than rewriting rows in place. */
const REBUILD_FROM_PEOPLE = 50_000
/**
 * From so many pending people on they are worked off by two connections: no plan with a temporary table runs on two cores,
 * and 10,000 people took 1.3 s on one.
 */
const SHARED_FROM_PEOPLE = 2000
const SHARES: readonly Share[] = [
  { number: 0, of: 2 },
  { number: 1, of: 2 },
]

/**
 * Works off the people whose facts changed: their occasions, standing and change log are current afterwards. Claim
 * and work are one transaction, so a crash leaves them pending.
 *
 * @param cutsKeptMs RFM cuts that are younger stay in force: making them reads every buyer, which after each order of a
 * stream would cost more than the order.
 * @param continuation of those who rest on standing, one that goes on in the same transaction: for it the people are neither written down
 * nor read again.
 * @returns how many people were recomputed.
 */
export async function refreshStanding(
  database: Database,
  clock: Clock,
  cutsKeptMs = 0,
  continuation?: Continuation,
): Promise<number> {
  // A setting that standing rests on was changed.
  const isDue = (await readRebuildDue(database.db)) !== null
  const changes = await countPendingChanges(database.db, SUBSCRIBER)
  // There are no more people than changes.
  const pending = isDue || changes >= REBUILD_FROM_PEOPLE ? await countPending(database.db, SUBSCRIBER) : changes
  const isMost = pending >= REBUILD_FROM_PEOPLE && 2 * pending >= (await countStanding(database.db))
  if (isDue || isMost) return rebuild(database, clock).then(() => pending)
  const goingOn = continuation && pending < continuation.peopleMax ? continuation : undefined
  const refreshed =
    pending < SHARED_FROM_PEOPLE
      ? await refreshPending(database, clock, { continuation: goingOn })
      : sum(await allDone(SHARES.map((share) => refreshPending(database, clock, { share, continuation: goingOn }))))
  if (refreshed > 0) await renewCuts(database, clock.now(), cutsKeptMs)
  return refreshed
}

/** Keeps the counts of people short: after standing was refreshed, as often as anybody likes. */
export function foldPeople(database: Database): Promise<void> {
  return database.transaction((tx) => foldCounts(tx))
}

/** What goes on where standing of people whose facts changed is brought up to date, in the transaction that does it. */
export interface Continuation {
  /** As whom it is subscribed: there the people are pending when it does not go on. */
  readonly subscriber: string
  /** With so many people pending, or more, it does not. */
  readonly peopleMax: number
  /** People were claimed, of a share or of all. Undefined: it does not go on this time; it throws nothing but what ends the transaction. */
  begin(tx: Sql, clock: Clock, share: Share | undefined): Promise<Continuing | undefined>
}
export interface Continuing {
  /** Takes people that are handed on, as a select body that may be another one later. */
  readonly take: HandOn
  /**
   * Standing of all of them is written; of some, a select body with STANDING_COLUMNS, it need not be read again. What fails leaves them
   * pending, and throws nothing but what ends the transaction.
   */
  finish(standing: RawBuilder<unknown> | undefined): Promise<void>
}

/** @returns how many people were recomputed, of the share or of all. */
async function refreshPending(
  database: Database,
  clock: Clock,
  { share, continuation }: { readonly share?: Share; readonly continuation?: Continuation | undefined },
): Promise<number> {
  let refreshed = 0
  for (let claimed = BATCH_PEOPLE; claimed === BATCH_PEOPLE; refreshed += claimed) {
    claimed = await database.transaction(async (tx) => {
      // One at a time: who became pending again could be in two hands at once.
      await lockStanding(tx, share)
      const count = await claimPending(tx, SUBSCRIBER, BATCH_PEOPLE, share)
      if (count === 0) return count
      const continuing = await continuation?.begin(tx, clock, share)
      const handOn: HandOn = async (people) => {
        await continuing?.take(people)
        await passPending(tx, STANDING_CHANGED, people, continuing && continuation?.subscriber)
      }
      await handOn(CLAIMED_PEOPLE)
      const [now, settings] = [await selectPresentInstant(tx, clock.now()), await readSettings(tx)]
      const carried = await carryStanding(tx, now, settings, handOn)
      if (carried.people < count) {
        await handOn(actedPeople(['depth', 'fan']))
        await rewriteStanding(tx, now, settings)
      }
      await continuing?.finish(carried.standing)
      return count
    })
  }
  return refreshed
}

/** Waits for all of them, also when one fails. */
async function allDone<T>(running: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(running)
  return Promise.all(running)
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

/**
 * Stores what time alone has changed: people whose depth has lapsed are computed anew and the change is logged. Reads do
 * not wait for it (presentStanding), figures of who moved do.
 *
 * @returns how many people had lapsed.
 */
export async function refreshLapsed(database: Database, clock: Clock): Promise<number> {
  let refreshed = 0
  for (let claimed = BATCH_PEOPLE; claimed === BATCH_PEOPLE; refreshed += claimed) {
    claimed = await database.transaction(async (tx) => {
      // Alone, and briefly: beside a refresh for a fact of the same person both would insert their row.
      await lockStanding(tx)
      const now = clock.now()
      const count = await claimLapsed(tx, now, BATCH_PEOPLE)
      if (count > 0) await rewriteStanding(tx, now, await readSettings(tx))
      return count
    })
  }
  return refreshed
}

/**
 * From when the caller's transaction is in, whoever's facts standing has followed becomes pending for this subscriber. Nothing is
 * refreshed meanwhile where that was not so before: what was made is in when this returns, and what is made later is handed on.
 */
export async function subscribeToStanding(tx: Sql, subscriber: string): Promise<void> {
  if (await isSubscribed(tx, STANDING_CHANGED, subscriber)) return
  await lockStanding(tx)
  await subscribe(tx, STANDING_CHANGED, subscriber)
}

/** Nobody becomes pending for this subscriber any more, once the caller's transaction is in. */
export async function unsubscribeFromStanding(tx: Sql, subscriber: string): Promise<void> {
  await unsubscribe(tx, STANDING_CHANGED, subscriber)
}

/** Whether anybody becomes pending for this subscriber. */
export function isSubscribedToStanding(db: Sql, subscriber: string): Promise<boolean> {
  return isSubscribed(db, STANDING_CHANGED, subscriber)
}

/** How far standing lags behind the facts that are stored. */
export interface Freshness {
  readonly pending_people: number
  /** Since the fact of whoever waits longest came in; null: nobody waits. */
  readonly oldest_pending_seconds: number | null
}

export async function readFreshness(db: Sql, now: Date): Promise<Freshness> {
  const { pending, pending_since: since } = await selectPending(db, SUBSCRIBER)
  const seconds = since && Math.max(0, (now.getTime() - since.getTime()) / 1000)
  return { pending_people: pending, oldest_pending_seconds: seconds }
}

/** RFM cuts of everybody as of `now`, unless there are some that are younger than `keptMs`. */
export async function renewCuts(database: Database, now: Date, keptMs: number): Promise<void> {
  await database.transaction(async (tx) => {
    const settings = await readSettings(tx)
    const inForce = keptMs > 0 ? await selectCutsInForce(tx, now, settings) : undefined
    const madeAt = inForce?.in_force_from?.getTime() ?? Number.NEGATIVE_INFINITY
    if (now.getTime() - madeAt >= keptMs) await insertCuts(tx, now, settings)
  })
}

/** Everyone from the facts, into new tables that replace the old ones in one transaction; readers never see half. */
export async function rebuild(database: Database, clock: Clock): Promise<void> {
  await database.transaction(async (tx) => {
    await lockAgainstBackup(tx)
    await lockStanding(tx)
    // Before the settings: what is changed in between is due for one more.
    const dueAt = await readRebuildDue(tx)
    const settings = await readSettings(tx)
    const now = clock.now()
    await deletePending(tx, SUBSCRIBER, STANDING_CHANGED)
    await rebuildStanding(tx, now, settings)
    await rebuildFigures(tx, now, settings)
    await writeDepthChanges(tx, EVERYONE, now, settings)
    await insertCuts(tx, now, settings)
    if (dueAt) await settleRebuild(tx, dueAt, now)
  })
}

/**
 * Standing as a select body, for the queries of modules above: with `asOf` from the facts up to that instant, without
 * it as it is now (stored rows; whoever has lapsed since, computed on the spot).
 */
export function standingAt(now: Date, asOf: Date | undefined, settings: Settings): RawBuilder<unknown> {
  return asOf ? knownThen(standingBody(EVERYONE, asOf, settings), asOf) : presentStanding(now, settings)
}

/** The same for one person, always from the facts: a lookup by key costs nothing beside the walk over everyone. */
export function standingOf(personId: number, at: Date, settings: Settings): RawBuilder<unknown> {
  return standingOfOne(personId, at, settings)
}

/** One person's occasions as a table for a from clause, always from the facts: (person_id, from_at, to_at, occasion_at, order_count, net_minor, …). */
export function occasionsOfOne(personId: number, settings: Settings): RawBuilder<unknown> {
  return occasionsOf(settings, onePerson(personId))
}

/** One buyer's RFM by the cut table in force then; by cuts made now where none was. Null: not a buyer then. */
export async function scorePerson(db: Sql, personId: number, at: Date): Promise<PersonScores | null> {
  const settings = await readSettings(db)
  const values = await selectRfmValues(db, onePerson(personId), at, settings)
  if (!values) return null
  const cuts =
    (await selectCutsInForce(db, at, settings)) ?? (await computeCuts(db, { now: at, settings, ties: 'group' }))
  const below = (list: readonly number[], value: number) => list.filter((cut) => cut < value).length
  const r = 5 - below(cuts.recency_days, values.recency_days)
  const f = 1 + below(cuts.frequency, values.frequency)
  const m = 1 + below(cuts.monetary_minor, values.monetary_minor)
  return { ...values, r, f, m, segment: segmentOf(r, f) }
}

/**
 * Everybody's segment as a select body (person_id, rfm_segment) for the queries of modules above, by the same cuts as
 * scorePerson; who is no buyer has no row.
 */
export async function segmentsAt(db: Sql, at: Date): Promise<RawBuilder<unknown>> {
  const settings = await readSettings(db)
  const cuts =
    (await selectCutsInForce(db, at, settings)) ?? (await computeCuts(db, { now: at, settings, ties: 'group' }))
  const cells = RFM_SEGMENTS.flatMap(({ segment, r: rs, f: fs }) =>
    rs.flatMap((r) => fs.map((f) => ({ r, f, segment }))),
  )
  return segmentsBody(at, settings, cuts, cells)
}

/** Everybody's fan tier as a select body (person_id, fan_tier); who is at the lowest has no row. */
export function fanTiersAt(now: Date, asOf: Date | undefined, settings: Settings): RawBuilder<unknown> {
  return fanTiersBody(now, asOf, settings)
}

/** Who is at a fan tier now, or above the lowest for that one, as a select body (person_id, value_order: −net paid). */
export function fanTierHolders(now: Date, tier: FanTier): RawBuilder<unknown> {
  return tierHoldersBody(now, tier)
}

/**
 * The present in parts that indexes serve, for the queries of modules above: in the transaction of one moment in which they
 * are asked. Undefined where many have lapsed and none of them is settled yet.
 */
export function readPresent(tx: Sql, now: Date, settings: Settings): Promise<Present | undefined> {
  return selectPresent(tx, now, STANDING_COLUMNS, settings.zone, (scope) => standingOfFew(scope, now, settings))
}

/** Which of the ranges of R and F is each segment, by the cuts in force at `now`. */
export async function segmentRangesAt(db: Sql, now: Date): Promise<SegmentRanges> {
  const settings = await readSettings(db)
  const cuts = (await selectCutsInForce(db, now, settings)) ?? (await computeCuts(db, { now, settings, ties: 'group' }))
  return rangesOf(now, settings, cuts, RFM_SEGMENTS)
}

export type { Cuts }
/** Last scores as a select body, and until when such a row holds a threshold, for the queries of modules above. */
export { keptTiersBody, lastScoresBody, scoreHeldUntil }

/** The cuts and means by which buyers are scored as of an instant: of the table in force then, or made now where none was. */
export async function cutsAt(db: Sql, at: Date): Promise<Cuts> {
  const settings = await readSettings(db)
  const inForce = await selectCutsInForce(db, at, settings)
  if (inForce?.mean_frequency !== null && inForce !== undefined) return inForce
  const made = await computeCuts(db, { now: at, settings, ties: 'group' })
  return inForce ? { ...made, ...inForce, ...meansOf(made) } : made
}

function meansOf(cuts: Cuts): Pick<Cuts, 'mean_recency_days' | 'mean_frequency' | 'mean_monetary_minor'> {
  const { mean_recency_days, mean_frequency, mean_monetary_minor } = cuts
  return { mean_recency_days, mean_frequency, mean_monetary_minor }
}

/** Since when the cut table is in force that is in force at an instant; null: none is. */
export async function readCutsInForce(db: Sql, at: Date): Promise<Date | null> {
  return (await selectCutsInForce(db, at, await readSettings(db)))?.in_force_from ?? null
}

/** One person's interaction score and fan tier as of an instant. */
export async function readInteraction(db: Sql, personId: number, at: Date): Promise<Interaction> {
  const { fan_tier_scores: scores } = await readSettings(db)
  return interactionAt(await selectLastScore(db, onePerson(personId), at), at, scores)
}

export interface PersonScores extends RfmValues {
  readonly r: number
  readonly f: number
  readonly m: number
  readonly segment: string
}

/** People at each depth as of an instant, and how many of them time alone will move. */
export async function reportDepth(db: Sql, now: Date, asOf: Date | undefined): Promise<DepthReport> {
  const settings = await readSettings(db)
  const rows = await selectDepthReport(db, standingAt(now, asOf, settings))
  const depths = DEPTHS.map(({ depth, key }) => {
    const row = rows.find((other) => other.depth === depth)
    return {
      depth,
      key,
      people: row?.people ?? 0,
      lapsing: row?.lapsing ?? 0,
      first_lapses_at: row?.first_lapses_at?.toISOString() ?? null,
    }
  })
  return {
    as_of: (asOf ?? now).toISOString(),
    period_days: settings.period_days,
    people: depths.reduce((sum, { people }) => sum + people, 0),
    depths,
  }
}

export interface RfmCommand {
  readonly asOf: Date
  readonly ties: Ties
  /** The brand's settings when not given. */
  readonly recencyUnit: Settings['recency_unit'] | undefined
  readonly occasionUnit: Settings['occasion_unit'] | undefined
}

/**
 * R, F, M, scores and segments of every buyer as of an instant (docs/definitions.md §2). Scores come from the cut table
 * in force then; where none was, or another unit or tie rule is asked for, from cuts made now, and the answer says which.
 */
export async function reportRfm(db: Sql, command: RfmCommand): Promise<RfmReport> {
  const stored = await readSettings(db)
  const settings: Settings = {
    ...stored,
    recency_unit: command.recencyUnit ?? stored.recency_unit,
    occasion_unit: command.occasionUnit ?? stored.occasion_unit,
  }
  const query: RfmQuery = {
    now: command.asOf,
    settings,
    ties: command.ties,
    ...(settings.occasion_unit === stored.occasion_unit ? {} : { occasions: occasionsOf(settings) }),
  }
  const inForce = command.ties === 'group' ? await selectCutsInForce(db, command.asOf, settings) : undefined
  const cuts = inForce ?? (await computeCuts(db, query))
  const people = await selectRfm(db, query, cuts, { segments: RFM_SEGMENTS, groups: RFM_VALUE_GROUPS })
  const mean = (values: number[]) =>
    values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null
  return {
    as_of: command.asOf.toISOString(),
    currency: stored.currency ?? DEFAULT_CURRENCY,
    recency_unit: settings.recency_unit,
    occasion_unit: settings.occasion_unit,
    ties: command.ties,
    buyers: people.length,
    cuts: {
      origin: inForce ? 'in_force' : 'computed',
      in_force_from: cuts.in_force_from?.toISOString() ?? null,
      buyers: cuts.buyers,
      recency_days: cuts.recency_days,
      frequency: cuts.frequency,
      monetary_minor: cuts.monetary_minor,
      fixed: cuts.fixed,
    },
    segments: RFM_SEGMENTS.map(({ segment }) => {
      const members = people.filter((person) => person.segment === segment)
      return {
        segment,
        buyers: members.length,
        mean_recency_days: mean(members.map((person) => person.recency_days)),
        mean_frequency: mean(members.map((person) => person.frequency)),
        mean_monetary_minor: mean(members.map((person) => person.monetary_minor)),
      }
    }),
    value_groups: RFM_VALUE_GROUPS.map(({ group }) => ({
      group,
      buyers: people.filter((person) => person.value_group === group).length,
    })),
    people,
  }
}

/** All that is kept of a person here, as it stands. */
export function exportStanding(db: Sql, personId: number): Promise<PersonRows> {
  const tables = ['standing', 'occasions', 'eventful_occasions', 'eventful_orders', 'depth_changes', 'fan_tiers']
  return selectPersonRows(db, 'relationship', tables, personId)
}
