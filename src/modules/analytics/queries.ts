import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { PeopleScope } from '../../platform/roles.ts'
import { ofScope } from '../customers/actions.ts'
import type { Evidence } from '../relationship/schema.ts'

/** One row of a list of people, as the database has it. */
export interface PersonRow {
  readonly person_id: number
  readonly key: string
  readonly key_kind: string
  readonly source: string
  readonly name: string | null
  readonly depth: number
  readonly since: Date | null
  readonly lapses_at: Date | null
  readonly lapses_to: number | null
  readonly last_occasion_at: Date | null
  readonly occasions: number
  readonly net_paid_minor: number
}

/** What a source calls a person: the identity known longest, and the latest name. Looked up for the rows shown only. */
const WITH_KEY = sql`
  left join lateral (
    select p.value as key, p.kind as key_kind, p.namespace as source from customers.published_people p
    where p.person_id = s.person_id order by p.identity_id limit 1
  ) k on true
  left join lateral (
    select r.name from customers.published_records r
    where r.person_id = s.person_id and r.name is not null order by r.claim_id desc limit 1
  ) r on true`

export interface BriefRow {
  readonly people: number
  readonly buyers: number
  readonly depths: { depth: number; people: number }[]
  readonly lapsing_7_days: number
  readonly lapsing_30_days: number
  readonly orders: number
  readonly anonymous_orders: number
  readonly paid_minor: number
  readonly anonymous_paid_minor: number
  readonly refunded_minor: number
  readonly anonymous_refunded_minor: number
  readonly unmatched_refunds: number
  readonly unmatched_refunds_minor: number
  readonly orders_recorded: number
  readonly refunds_recorded: number
  readonly net_revenue_recorded_minor: number
  readonly people_deepened: number
  readonly people_lapsed: number
}

/** Every figure of the brief in one statement, so that they are of one moment. */
export async function selectBrief(
  db: Sql,
  standing: RawBuilder<unknown>,
  at: Date,
  scope: PeopleScope,
): Promise<BriefRow> {
  const of = (view: RawBuilder<unknown>) =>
    scope === 'everyone' ? view : sql`(${ofScope(sql`select * from ${view}`, scope)})`
  const orders = of(sql`commerce.published_orders`)
  const refunds = of(sql`commerce.published_refunds`)
  const allocations = of(sql`commerce.published_allocations`)
  const unmatched = of(sql`commerce.published_unmatched`)
  const changes = of(sql`relationship.published_depth_changes`)
  const yesterday = sql`${at}::timestamptz - interval '24 hours'`
  const { rows } = await sql<BriefRow>`
    with standing as materialized (${ofScope(standing, scope)}),
    by_depth as (
      select depth, count(*) as people, count(*) filter (where occasions > 0) as buyers,
        count(*) filter (where lapses_at <= ${at}::timestamptz + interval '168 hours') as lapsing_7_days,
        count(*) filter (where lapses_at <= ${at}::timestamptz + interval '720 hours') as lapsing_30_days
      from standing group by depth
    ), void_orders as (
      -- Fully refunded by then: a few beside all orders, so they are counted off.
      select o.person_id, o.order_id
      from ${orders} o
      join ${allocations} a on a.person_id = o.person_id and a.order_id = o.order_id and a.refunded_at <= ${at}
      where o.paid_at <= ${at}
      group by o.person_id, o.order_id, o.amount_minor having sum(a.amount_minor) >= o.amount_minor
    )
    select p.*, o.*, v.orders - w.orders as orders, v.anonymous_orders - w.anonymous_orders as anonymous_orders, r.*, u.*, n.*, c.*
    from (
      select coalesce(sum(people), 0)::bigint as people, coalesce(sum(buyers), 0)::bigint as buyers,
        coalesce(sum(lapsing_7_days), 0)::bigint as lapsing_7_days, coalesce(sum(lapsing_30_days), 0)::bigint as lapsing_30_days,
        coalesce(jsonb_agg(jsonb_build_object('depth', depth, 'people', people)), '[]') as depths
      from by_depth
    ) p,
    (select coalesce(sum(amount_minor), 0)::bigint as paid_minor,
      coalesce(sum(amount_minor) filter (where person_id = 0), 0)::bigint as anonymous_paid_minor
      from ${orders} o where paid_at <= ${at}) o,
    (select count(*) as orders, count(*) filter (where person_id = 0) as anonymous_orders
      from ${orders} o where paid_at <= ${at}) v,
    (select count(*) as orders, count(*) filter (where person_id = 0) as anonymous_orders from void_orders) w,
    (select coalesce(sum(amount_minor), 0)::bigint as refunded_minor,
      coalesce(sum(amount_minor) filter (where person_id = 0), 0)::bigint as anonymous_refunded_minor
      from ${refunds} r where refunded_at <= ${at}) r,
    (select count(*) as unmatched_refunds, coalesce(sum(unmatched_minor), 0)::bigint as unmatched_refunds_minor
      from ${unmatched} u where refunded_at <= ${at}) u,
    (select
      (select count(*) from ${orders} o where recorded_at > ${yesterday} and recorded_at <= ${at}) as orders_recorded,
      (select count(*) from ${refunds} r where recorded_at > ${yesterday} and recorded_at <= ${at}) as refunds_recorded,
      (select coalesce(sum(amount_minor), 0)::bigint from ${orders} o where recorded_at > ${yesterday} and recorded_at <= ${at})
        - (select coalesce(sum(amount_minor), 0)::bigint from ${refunds} r where recorded_at > ${yesterday} and recorded_at <= ${at})
        as net_revenue_recorded_minor) n,
    (select count(distinct person_id) filter (where to_depth > from_depth) as people_deepened,
      count(distinct person_id) filter (where to_depth < from_depth) as people_lapsed
      from ${changes} c where changed_at > ${yesterday} and changed_at <= ${at}) c`.execute(db)
  const [row] = rows
  if (!row) throw new Error('The brief came back empty')
  return row
}

export interface LastImportRow {
  readonly import_id: number
  readonly file_name: string
  readonly finished_at: Date
  readonly rows_in: number
  readonly rows_stored: number
  readonly rows_merged: number
  readonly rows_rejected: number
}

export async function selectLastImport(db: Sql, at: Date): Promise<LastImportRow | undefined> {
  const { rows } = await sql<LastImportRow>`
    select import_id, file_name, finished_at, rows_in, rows_stored, rows_merged, rows_rejected
    from intake.published_imports where finished_at <= ${at} order by import_id desc limit 1`.execute(db)
  return rows[0]
}

export type SinceYesterday = 'deepened' | 'lapsed' | 'ordered' | 'refunded'

/** The people whom a figure of the last 24 hours counts; the same words as in selectBrief. */
export function peopleSince(figure: SinceYesterday, at: Date): RawBuilder<unknown> {
  const yesterday = sql`${at}::timestamptz - interval '24 hours'`
  switch (figure) {
    case 'deepened':
      return sql`select person_id from relationship.published_depth_changes
        where to_depth > from_depth and changed_at > ${yesterday} and changed_at <= ${at}`
    case 'lapsed':
      return sql`select person_id from relationship.published_depth_changes
        where to_depth < from_depth and changed_at > ${yesterday} and changed_at <= ${at}`
    case 'ordered':
      return sql`select person_id from commerce.published_orders where recorded_at > ${yesterday} and recorded_at <= ${at}`
    case 'refunded':
      return sql`select person_id from commerce.published_refunds where recorded_at > ${yesterday} and recorded_at <= ${at}`
  }
}

export interface PeopleQuery {
  readonly at: Date
  readonly depth?: number | undefined
  readonly lapsingDays?: number | undefined
  readonly buyers?: boolean | undefined
  readonly sinceYesterday?: SinceYesterday | undefined
  /** With the segments of everybody; `none` is who has no row in them. */
  readonly segment?: { readonly name: string; readonly of: RawBuilder<unknown> } | undefined
  /** With the tiers of everybody; the lowest is who has no row in them. */
  readonly fanTier?: { readonly name: string; readonly lowest: string; readonly of: RawBuilder<unknown> } | undefined
  /** Select body of the person_id of who has a tag. */
  readonly tagged?: RawBuilder<unknown> | undefined
  /** Select body of the person_id of whom a search finds. */
  readonly searched?: RawBuilder<unknown> | undefined
  /** Select body of the person_id of who is in a segment. */
  readonly members?: RawBuilder<unknown> | undefined
  readonly after?: { readonly sort: string; readonly personId: number } | undefined
  readonly limit: number
  readonly scope: PeopleScope
}

/**
 * One page of the people that a figure counts, and how many there are. Who lapses comes soonest first, everybody else
 * by what they paid; the key of a page is (sort value, person), so pages stay whole while people move.
 */
export async function selectPeople(db: Sql, standing: RawBuilder<unknown>, query: PeopleQuery): Promise<PickedRows> {
  const lapsing = query.lapsingDays !== undefined
  const filter = sql`
    (${query.depth ?? null}::int is null or depth = ${query.depth ?? null}::int)
    and (${query.buyers ?? null}::boolean is null or (occasions > 0) = ${query.buyers ?? null}::boolean)
    and (${query.lapsingDays ?? null}::int is null or lapses_at <= ${query.at}::timestamptz + make_interval(hours => 24 * ${query.lapsingDays ?? null}::int))`
  const among = sql.join(amongBodies(query), sql` `)
  const sort = lapsing ? sql`lapses_at` : sql`-net_paid_minor`
  const type = lapsing ? sql`timestamptz` : sql`bigint`
  const after = query.after
    ? sql`(sort, person_id) > (${query.after.sort}::${type}, ${query.after.personId}::bigint)`
    : sql`true`
  return personRows(db, {
    matching: sql`select *, ${sort} as sort from (${ofScope(standing, query.scope)}) s where ${filter} ${among}`,
    total: sql`select count(*) as total from matching`,
    picked: sql`select person_id, sort from matching where ${after} order by sort, person_id limit ${query.limit}`,
    standing: sql`select * from matching`,
  })
}

/**
 * Of whom a search finds it looks at so many. A family name has 34,000 people of a million, and to count and sort them took 0.33 s;
 * nobody reads so many, and who is looked for has more of a name than that.
 */
export const FOUND_MAX = 5000

export interface PickedRows {
  readonly total: number
  /** The search found more than are looked at: `total` is the least there are. */
  readonly isMore: boolean
  readonly rows: (PersonRow & { sort: string })[]
}

/** Select bodies of a page of people. */
export interface PickedPeople {
  /** Whom a search found, as far as they are looked at, and one more: (person_id), by this name. */
  readonly found?: RawBuilder<unknown> | undefined
  /** Read by the others under this name, and worked out once. */
  readonly matching?: RawBuilder<unknown>
  /** One row: total. */
  readonly total: RawBuilder<unknown>
  /** The page: (person_id, sort). */
  readonly picked: RawBuilder<unknown>
  /** The standing of at least these people. */
  readonly standing: RawBuilder<unknown>
  /** Whether an index finds the standing of one of them. */
  readonly isByPerson?: boolean
}

/** The rows of a page, in its order, with what the people are called. */
export async function personRows(
  db: Sql,
  { found, matching, total, picked, standing, isByPerson = false }: PickedPeople,
): Promise<PickedRows> {
  // Looked up for each of the page. As a join the planner expects a fifth of all behind 50 rows of several parts, and reads everybody:
  // 0.25 s of 0.4 s at a million people.
  const each = sql`lateral (select * from (${standing}) of_all where of_all.person_id = p.person_id limit 1) s`
  const isMore = found ? sql`(select count(*) > ${FOUND_MAX}::int from found)` : sql`false`
  const bodies = [
    ...(found ? [sql`found as materialized (${found} limit ${FOUND_MAX + 1}::int)`] : []),
    ...(matching ? [sql`matching as materialized (${matching})`] : []),
  ]
  const { rows } = await sql<PersonRow & { sort: string; total: number; is_more: boolean }>`
    ${bodies.length > 0 ? sql`with ${sql.join(bodies)}` : sql``}
    select s.person_id, k.key, k.key_kind, k.source, r.name, s.depth, s.since, s.lapses_at, s.lapses_to, s.last_occasion_at, s.occasions,
      s.net_paid_minor, p.sort::text as sort, t.total,
      ${isMore} as is_more
    from (${total}) t
    left join (${picked}) p on true
    left join ${isByPerson ? each : sql`(${standing}) s`} on s.person_id = p.person_id
    ${WITH_KEY}
    order by p.sort, p.person_id`.execute(db)
  const [{ total: counted, is_more } = { total: 0, is_more: false }] = rows
  return { total: counted, isMore: is_more, rows: rows.filter((row) => row.person_id !== null) }
}

/** The conditions that are sets of people. */
function amongBodies(query: PeopleQuery): RawBuilder<unknown>[] {
  const { sinceYesterday, searched, members, segment, fanTier, tagged } = query
  const withRow = (column: string, { name, of }: { name: string; of: RawBuilder<unknown> }) =>
    sql`and person_id in (select person_id from (${of}) f where f.${sql.ref(column)} = ${name})`
  const withoutRow = (of: RawBuilder<unknown>) => sql`and person_id not in (select person_id from (${of}) f)`
  return [
    ...(sinceYesterday ? [sql`and person_id in (${peopleSince(sinceYesterday, query.at)})`] : []),
    ...(tagged ? [sql`and person_id in (${tagged})`] : []),
    ...(searched ? [sql`and person_id in (${searched})`] : []),
    ...(members ? [sql`and person_id in (${members})`] : []),
    ...(segment ? [segment.name === 'none' ? withoutRow(segment.of) : withRow('rfm_segment', segment)] : []),
    ...(fanTier ? [fanTier.name === fanTier.lowest ? withoutRow(fanTier.of) : withRow('fan_tier', fanTier)] : []),
  ]
}

export interface CellRow {
  readonly depth: number
  readonly rfm_segment: string
  readonly people: number
}

/** People by depth and segment; `none` for who has no row in `segments`. */
export async function selectSegmentMatrix(
  db: Sql,
  standing: RawBuilder<unknown>,
  segments: RawBuilder<unknown>,
  scope: PeopleScope,
): Promise<CellRow[]> {
  const { rows } = await sql<CellRow>`
    select depth, coalesce(rfm_segment, 'none') as rfm_segment, count(*) as people
    from (${ofScope(standing, scope)}) s left join (${segments}) g using (person_id)
    group by 1, 2 order by 1, 2`.execute(db)
  return rows
}

export async function selectPerson(
  db: Sql,
  standing: RawBuilder<unknown>,
  personId: number,
): Promise<(PersonRow & { evidence: number[]; depth_if_connected: number }) | undefined> {
  const { rows } = await sql<PersonRow & { evidence: number[]; depth_if_connected: number }>`
    select s.person_id, k.key, k.key_kind, k.source, r.name, s.depth, s.since, s.lapses_at, s.lapses_to, s.last_occasion_at, s.occasions,
      s.net_paid_minor, s.evidence, s.depth_if_connected
    from (${standing}) s ${WITH_KEY} where s.person_id = ${personId}`.execute(db)
  return rows[0]
}

export interface PersonFacts {
  readonly identities: {
    identity_id: number
    kind: string
    namespace: string
    value: string
    recorded_at: Date
    claims: {
      claim_id: number
      kind: 'person' | 'merge'
      source: string
      claimed_at: string
      claimed_by: string | null
    }[]
  }[]
  readonly connections: {
    channel: string
    source: string
    staff: string | null
    group_id: string | null
    begun_at: Date
    ended_at: Date | null
  }[]
  readonly evidence: {
    fact_id: number
    kind: Evidence['kind']
    external_id: string
    source: string
    occurred_at: Date
  }[]
  readonly occasions: { occasion_at: Date; orders: number; net_minor: number }[]
  readonly changes: { changed_at: Date; from_depth: number; to_depth: number; cause_fact_id: number | null }[]
  /** A membership in force, or a record that tells of one. */
  readonly is_enrolled: boolean
}

const LIST_MAX = 50

/** Whose facts are asked for, as of when, and by what: `bought` is a table of their occasions. */
interface PersonFactsQuery {
  readonly personId: number
  readonly evidence: readonly number[]
  readonly at: Date
  readonly bought: RawBuilder<unknown>
}

/** What stands behind one person as of an instant. */
export async function selectPersonFacts(
  db: Sql,
  { personId, evidence, at, bought }: PersonFactsQuery,
): Promise<PersonFacts> {
  const [identities, connections, facts, occasions, changes, enrolled] = await Promise.all([
    sql<PersonFacts['identities'][number]>`
      select identity_id, kind, namespace, value, recorded_at, (
        select coalesce(jsonb_agg(jsonb_build_object('claim_id', c.claim_id, 'kind', c.kind, 'source', c.source,
          'claimed_at', c.claimed_at, 'claimed_by', c.claimed_by) order by c.claimed_at, c.claim_id), '[]')
        from customers.published_identity_claims c where c.identity_id = p.identity_id) as claims
      from customers.published_people p where person_id = ${personId} order by identity_id`.execute(db),
    sql<PersonFacts['connections'][number]>`
      select channel, source, staff, group_id, begun_at, ended_at from customers.published_connections
      where person_id = ${personId} and begun_at <= ${at} order by begun_at`.execute(db),
    sql<PersonFacts['evidence'][number]>`
      select order_id as fact_id, 'order' as kind, external_id, source, paid_at as occurred_at from commerce.published_orders
      where person_id = ${personId} and order_id = any(${evidence}::bigint[])
      union all
      select connection_id, 'connection', channel, source, begun_at from customers.published_connections
      where person_id = ${personId} and connection_id = any(${evidence}::bigint[])
      union all
      select fact_id, f.kind, i.external_id, i.source, occurred_at
      from (
        select membership_id as fact_id, 'membership' as kind, enrolled_at as occurred_at from customers.published_memberships
        where person_id = ${personId} and membership_id = any(${evidence}::bigint[])
        union all
        select claim_id, 'person', enrolled_at from customers.published_records
        where person_id = ${personId} and claim_id = any(${evidence}::bigint[])
        union all
        select interaction_id, 'interaction', occurred_at from interactions.published_interactions
        where person_id = ${personId} and interaction_id = any(${evidence}::bigint[])
        union all
        select review_id, 'review', reviewed_at from interactions.published_reviews
        where person_id = ${personId} and review_id = any(${evidence}::bigint[])
      ) f
      join intake.published_inbox i using (fact_id)
      union all
      select spread_id, 'spread', o.external_id, o.source, spread_at
      from commerce.published_spreads s join commerce.published_orders o using (order_id)
      where s.person_id = ${personId} and spread_id = any(${evidence}::bigint[])
      order by occurred_at desc`.execute(db),
    sql<PersonFacts['occasions'][number]>`
      select occasion_at, order_count as orders, net_minor from ${bought} bought
      where person_id = ${personId} and from_at <= ${at} and to_at > ${at}
      order by occasion_at desc limit ${LIST_MAX}`.execute(db),
    sql<PersonFacts['changes'][number]>`
      select changed_at, from_depth, to_depth, cause_fact_id from relationship.published_depth_changes
      where person_id = ${personId} and changed_at <= ${at} order by changed_at desc limit ${LIST_MAX}`.execute(db),
    sql<{ is_enrolled: boolean }>`
      select exists (
        select from customers.published_memberships
        where person_id = ${personId} and enrolled_at <= ${at} and (ended_at is null or ended_at > ${at})
      ) or exists (
        select from customers.published_records where person_id = ${personId} and enrolled_at <= ${at}
      ) as is_enrolled`.execute(db),
  ])
  return {
    identities: identities.rows,
    connections: connections.rows,
    evidence: facts.rows,
    occasions: occasions.rows,
    changes: changes.rows,
    is_enrolled: enrolled.rows[0]?.is_enrolled ?? false,
  }
}
