import type { RawBuilder } from 'kysely'
import type { z } from 'zod'
import { atOneMoment, type Sql } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { FULL_VIEW, type View } from '../../platform/roles.ts'
import { readSettings } from '../brand/actions.ts'
import { DEFAULT_CURRENCY, type Settings } from '../brand/schema.ts'
import { findPerson, isInScope, searchedPeople } from '../customers/actions.ts'
import {
  fanTierHolders,
  fanTiersAt,
  occasionsOfOne,
  readInteraction,
  readPresent,
  scorePerson,
  segmentRangesAt,
  segmentsAt,
  standingAt,
  standingOf,
} from '../relationship/actions.ts'
import { DEPTHS, type DepthKey, FAN_TIERS, nextStepAt } from '../relationship/schema.ts'
import { peopleOfDefinition, peopleOfSegment } from '../segments/actions.ts'
import type { countCommand } from '../segments/schema.ts'
import { taggedPeople } from '../tags/actions.ts'
import * as presentQueries from './present-queries.ts'
import * as queries from './queries.ts'
import {
  type BrandInfo,
  type Brief,
  type ListedPerson,
  type PeopleFilter,
  type PeoplePage,
  type Person,
  rfmSegment,
  type SegmentMatrix,
  type TimelinePage,
  type TimelineQuery,
} from './schema.ts'
import { selectTimeline, type TimelinePlace } from './timeline-queries.ts'

/** The brand as the installation lists it. */
export interface BrandName {
  readonly key: string
  readonly name: string
  readonly isDemo: boolean
}

const LAPSES_NEXT_MAX = 10

export async function readBrand(db: Sql, brand: BrandName, now: Date): Promise<BrandInfo> {
  return { ...nameBrand(brand, await readSettings(db)), now: now.toISOString() }
}

function nameBrand(brand: BrandName, settings: Settings): Brief['brand'] {
  return {
    key: brand.key,
    name: brand.name,
    is_demo: brand.isDemo,
    zone: settings.zone,
    currency: settings.currency ?? DEFAULT_CURRENCY,
    period_days: settings.period_days,
  }
}

/**
 * The brief (M1). Without `asOf` it is of now; with it, of the facts up to that instant by all that is known now.
 */
export async function readBrief(
  db: Sql,
  brand: BrandName,
  now: Date,
  asOf: Date | undefined,
  { scope }: View = FULL_VIEW,
): Promise<Brief> {
  const at = asOf ?? now
  const { settings, figures, next, lastImport } = await atOneMoment(db, async (tx) => {
    const settings = await readSettings(tx)
    const lastImport = scope === 'everyone' ? await queries.selectLastImport(tx, at) : undefined
    const soonest = { at, lapsingDays: 366 * 10, limit: LAPSES_NEXT_MAX }
    const present = isPresent(asOf, scope) ? await readPresent(tx, now, settings) : undefined
    if (present) {
      const figures = await presentQueries.selectPresentBrief(tx, present, at)
      const next = await presentQueries.selectSoonest(tx, present, soonest)
      return { settings, figures, next, lastImport }
    }
    const standing = standingAt(now, asOf, settings)
    const figures = await queries.selectBrief(tx, standing, at, scope)
    const next = await queries.selectPeople(tx, standing, { ...soonest, scope })
    return { settings, figures, next, lastImport }
  })
  return {
    brand: nameBrand(brand, settings),
    as_of: at.toISOString(),
    people: figures.people,
    buyers: figures.buyers,
    orders: figures.orders,
    anonymous_orders: figures.anonymous_orders,
    net_revenue_minor: figures.paid_minor - figures.refunded_minor,
    anonymous_net_revenue_minor: figures.anonymous_paid_minor - figures.anonymous_refunded_minor,
    unmatched_refunds: figures.unmatched_refunds,
    unmatched_refunds_minor: figures.unmatched_refunds_minor,
    depths: DEPTHS.map(({ depth, key }) => ({
      depth,
      key,
      people: figures.depths.find((row) => row.depth === depth)?.people ?? 0,
    })),
    lapsing_7_days: figures.lapsing_7_days,
    lapsing_30_days: figures.lapsing_30_days,
    lapses_next: next.rows.map(listed),
    since_yesterday: {
      orders_recorded: figures.orders_recorded,
      refunds_recorded: figures.refunds_recorded,
      net_revenue_recorded_minor: figures.net_revenue_recorded_minor,
      people_deepened: figures.people_deepened,
      people_lapsed: figures.people_lapsed,
    },
    last_import: lastImport ? { ...lastImport, finished_at: lastImport.finished_at.toISOString() } : null,
  }
}

/** What pages ask, for which figures are kept: about everyone, and about now. */
function isPresent(asOf: Date | undefined, scope: View['scope']): boolean {
  return asOf === undefined && scope === 'everyone'
}

/** One that is no segment yet, of everybody or of the people that a count samples. */
export type WrittenDefinition = Pick<z.infer<typeof countCommand>, 'definition' | 'method'>

/** The people that a figure counts, or a definition holds for: the same filter gives the same number as the brief. */
export async function listPeople(
  db: Sql,
  now: Date,
  filter: PeopleFilter,
  view: View = FULL_VIEW,
  written?: WrittenDefinition,
): Promise<PeoplePage | Refusal> {
  const { scope, isMasked } = view
  const asOf = filter.as_of ? new Date(filter.as_of) : undefined
  const after = filter.after ? readCursor(filter.after) : undefined
  if (filter.after && !after) {
    return badCursor()
  }
  const members = await membersOf(db, filter, written, { now, asOf, view })
  if (isRefusal(members)) return members
  const at = asOf ?? now
  const asked = {
    at,
    depth: filter.depth,
    lapsingDays: filter.lapsing_days,
    buyers: filter.buyers === undefined ? undefined : filter.buyers === 'true',
    sinceYesterday: filter.since_yesterday,
    tagged: filter.tag === undefined ? undefined : taggedPeople(filter.tag, at),
    searched: filter.search === undefined ? undefined : searchedPeople(filter.search, { isMasked }),
    members,
    after,
    // One more than the page has: a full page may be the last.
    limit: filter.limit + 1,
  }
  const { rfm_segment: name, fan_tier: tier } = filter
  const { total, isMore, rows } = await atOneMoment(db, async (tx) => {
    const settings = await readSettings(tx)
    const fanTier = tier && { name: tier, lowest: FAN_TIERS[0].tier, of: fanTiersAt(now, asOf, settings) }
    const present = isPresent(asOf, scope) ? await readPresent(tx, now, settings) : undefined
    if (present) {
      const segment = name && { name, ranges: await segmentRangesAt(tx, now) }
      const heldTier = fanTier && { ...fanTier, holders: fanTierHolders(now, fanTier.name) }
      return presentQueries.selectPresentPeople(tx, present, { ...asked, segment, fanTier: heldTier })
    }
    const segment = name && { name, of: await segmentsAt(tx, at) }
    return queries.selectPeople(tx, standingAt(now, asOf, settings), { ...asked, segment, fanTier, scope })
  })
  const page = rows.slice(0, filter.limit)
  const last = rows.length > filter.limit ? page.at(-1) : undefined
  return {
    total,
    is_total_minimum: isMore,
    people: page.map(listed),
    next: last ? writeCursor(last.sort, last.person_id) : null,
  }
}

/** Who is in the segment that is asked for, or in one that is only written down; undefined: none is. */
async function membersOf(
  db: Sql,
  { in_segment: segmentId }: PeopleFilter,
  written: WrittenDefinition | undefined,
  asked: { now: Date; asOf: Date | undefined; view: View },
): Promise<RawBuilder<unknown> | Refusal | undefined> {
  if (written) return peopleOfDefinition(db, written.definition, { ...asked, method: written.method })
  return segmentId === undefined ? undefined : peopleOfSegment(db, segmentId, asked.asOf)
}

/**
 * How many people stand at each depth in each segment: the same filter gives the same number in `listPeople`. Segments are
 * by the cuts of the whole brand, whoever asks.
 */
export async function readSegmentMatrix(
  db: Sql,
  now: Date,
  asOf: Date | undefined,
  { scope }: View = FULL_VIEW,
): Promise<SegmentMatrix> {
  const at = asOf ?? now
  const rows = await atOneMoment(db, async (tx) => {
    const settings = await readSettings(tx)
    const present = isPresent(asOf, scope) ? await readPresent(tx, now, settings) : undefined
    const counted = present && (await presentQueries.selectPresentMatrix(tx, present, await segmentRangesAt(tx, now)))
    return (
      counted ??
      (await queries.selectSegmentMatrix(tx, standingAt(now, asOf, settings), await segmentsAt(tx, at), scope))
    )
  })
  return {
    as_of: at.toISOString(),
    people: rows.reduce((sum, { people }) => sum + people, 0),
    cells: rows.map((row) => ({ ...row, rfm_segment: rfmSegment.parse(row.rfm_segment) })),
  }
}

/** One person by id, as of an instant, with the facts behind. */
export async function readPerson(
  db: Sql,
  personId: number,
  now: Date,
  asOf: Date | undefined,
  { scope }: View = FULL_VIEW,
): Promise<Person | Refusal> {
  if (!(await isInScope(db, personId, scope))) return noSuchPerson(personId)
  const at = asOf ?? now
  const settings = await readSettings(db)
  const row = await queries.selectPerson(db, standingOf(personId, at, settings), personId)
  if (!row) return noSuchPerson(personId)
  const [facts, rfm, interaction] = await Promise.all([
    queries.selectPersonFacts(db, { personId, evidence: row.evidence, at, bought: occasionsOfOne(personId, settings) }),
    scorePerson(db, personId, at),
    readInteraction(db, personId, at),
  ])
  return {
    ...listed(row),
    as_of: at.toISOString(),
    currency: settings.currency ?? DEFAULT_CURRENCY,
    depth_if_connected: row.depth_if_connected,
    is_lost: row.depth === 0 && facts.connections.length > 0,
    next_step: nextStepAt(row.depth, !settings.member_by_purchase && !facts.is_enrolled),
    identities: facts.identities.map((identity) => ({
      ...identity,
      recorded_at: identity.recorded_at.toISOString(),
      claims: identity.claims.map((claim) => ({ ...claim, claimed_at: new Date(claim.claimed_at).toISOString() })),
    })),
    connections: facts.connections.map((connection) => ({
      ...connection,
      begun_at: connection.begun_at.toISOString(),
      ended_at: connection.ended_at?.toISOString() ?? null,
    })),
    evidence: facts.evidence.map((fact) => ({ ...fact, occurred_at: fact.occurred_at.toISOString() })),
    rfm,
    interaction,
    occasions_list: facts.occasions.map((occasion) => ({
      ...occasion,
      occasion_at: occasion.occasion_at.toISOString(),
    })),
    changes: facts.changes.map((change) => ({ ...change, changed_at: change.changed_at.toISOString() })),
  }
}

/** What happened with one person, newest first. */
export async function readTimeline(
  db: Sql,
  personId: number,
  now: Date,
  query: TimelineQuery,
  { scope }: View = FULL_VIEW,
): Promise<TimelinePage | Refusal> {
  if (!(await isInScope(db, personId, scope))) return noSuchPerson(personId)
  const at = query.as_of ? new Date(query.as_of) : now
  const after = query.after === undefined ? undefined : readPlace(query.after)
  if (query.after !== undefined && !after) return badCursor()
  const row = await queries.selectPerson(db, standingOf(personId, at, await readSettings(db)), personId)
  if (!row) return noSuchPerson(personId)
  // One more than the page has: a full page may be the last.
  const { total, rows } = await selectTimeline(db, personId, { at, after, limit: query.limit + 1 })
  const page = rows.slice(0, query.limit)
  const last = rows.length > query.limit ? page.at(-1) : undefined
  return {
    total,
    entries: page.map(({ at_us: _us, ...entry }) => ({ ...entry, at: entry.at.toISOString() })),
    next: last ? Buffer.from(`${last.at_us} ${last.kind} ${last.fact_id}`).toString('base64url') : null,
  }
}

function readPlace(text: string): TimelinePlace | undefined {
  const [, atUs, kind, factId] =
    /^(-?\d{1,17}) ([a-z_]{1,40}) (\d{1,15})$/.exec(Buffer.from(text, 'base64url').toString()) ?? []
  return kind === undefined ? undefined : { atUs: Number(atUs), kind, factId: Number(factId) }
}

function noSuchPerson(personId: number): Refusal {
  return refuse('missing', 'no_such_person', `There is no person ${personId}.`, 'Look the person up by key.')
}

function badCursor(): Refusal {
  return refuse('invalid', 'bad_cursor', '`after` is not the `next` of a page.', 'Begin again without it.')
}

/** The person that a key names, as of now. */
export async function readPersonByKey(
  db: Sql,
  key: string,
  now: Date,
  view: View = FULL_VIEW,
): Promise<Person | Refusal> {
  const personId = await findPerson(db, key, view)
  return isRefusal(personId) ? personId : readPerson(db, personId, now, undefined, view)
}

function listed(row: queries.PersonRow): ListedPerson {
  return {
    person_id: row.person_id,
    key: row.key,
    key_kind: row.key_kind,
    source: row.source,
    name: row.name,
    depth: row.depth,
    depth_key: depthKeyOf(row.depth),
    since: row.since?.toISOString() ?? null,
    lapses_at: row.lapses_at?.toISOString() ?? null,
    lapses_to: row.lapses_to,
    last_occasion_at: row.last_occasion_at?.toISOString() ?? null,
    occasions: row.occasions,
    net_paid_minor: row.net_paid_minor,
  }
}

function depthKeyOf(depth: number): DepthKey {
  const found = DEPTHS.find((entry) => entry.depth === depth)
  if (!found) throw new RangeError(`There is no depth ${depth}`)
  return found.key
}

function writeCursor(sort: string, personId: number): string {
  return Buffer.from(`${personId} ${sort}`).toString('base64url')
}

function readCursor(text: string): { sort: string; personId: number } | undefined {
  const match = /^(\d{1,15}) ([-+:. \d]{1,40})$/.exec(Buffer.from(text, 'base64url').toString())
  return match ? { personId: Number(match[1]), sort: match[2] ?? '' } : undefined
}
