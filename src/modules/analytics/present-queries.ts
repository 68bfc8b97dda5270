import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Present, SegmentRanges } from '../relationship/actions.ts'
import { DEPTHS } from '../relationship/schema.ts'
import {
  type BriefRow,
  type CellRow,
  FOUND_MAX,
  type PeopleQuery,
  type PersonRow,
  type PickedPeople,
  type PickedRows,
  peopleSince,
  personRows,
} from './queries.ts'

/*
 * The same questions as in queries.ts, about everyone and about now, which is what pages ask: from figures that are kept and by
 * indexes, so that they take no longer at a million people (docs/benchmarks.md). A test holds both to the same answers.
 */

const LAPSED_AT = (at: Date, hours: number) => sql`${at}::timestamptz + make_interval(hours => ${hours}::int)`

/** People of the present by a condition on the columns of standing, with those columns named. */
function presentWhere(
  { stored, due }: Present,
  columns: RawBuilder<unknown>,
  condition: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const of = (body: RawBuilder<unknown>) => sql`select ${columns} from (${body}) s where ${condition}`
  return due ? sql`${of(stored)} union all ${of(due)}` : of(stored)
}

/** Every figure of the brief in one statement. */
export async function selectPresentBrief(db: Sql, present: Present, at: Date): Promise<BriefRow> {
  const yesterday = sql`${at}::timestamptz - interval '24 hours'`
  /** Recorded in (yesterday, at]: whole minutes from the sums, the two at the ends from the rows. */
  const recorded = (kind: 'order' | 'refund') => {
    const rows = kind === 'order' ? sql`commerce.published_orders` : sql`commerce.published_refunds`
    const first = sql`date_trunc('minute', ${yesterday})`
    const last = sql`date_trunc('minute', ${at}::timestamptz)`
    return sql`
      select coalesce(sum(documents), 0)::bigint as documents, coalesce(sum(amount_minor), 0)::bigint as amount_minor
      from (
        select documents, amount_minor from totals
        where kind = ${kind} and recorded_minute > ${first} and recorded_minute < ${last}
        union all
        select 1, amount_minor from ${rows} where recorded_at > ${yesterday} and recorded_at < ${first} + interval '1 minute'
        union all
        select 1, amount_minor from ${rows} where recorded_at >= ${last} and recorded_at <= ${at}
      ) recorded`
  }
  const lapsing = presentWhere(present, sql`lapses_at`, sql`lapses_at <= ${LAPSED_AT(at, 720)}`)
  const { rows } = await sql<BriefRow>`
    with counts as materialized (
      select depth, sum(people)::bigint as people, (sum(people) filter (where occasions > 0))::bigint as buyers
      from (${present.counts}) c group by depth having sum(people) <> 0
    ), totals as materialized (
      select kind, recorded_minute, is_anonymous, documents, amount_minor from commerce.published_totals
    )
    select p.*, l.*, t.*, t.documents - v.orders as orders, t.anonymous_documents - v.anonymous_orders as anonymous_orders, u.*,
      o.documents as orders_recorded, r.documents as refunds_recorded, o.amount_minor - r.amount_minor as net_revenue_recorded_minor, c.*
    from (
      select coalesce(sum(people), 0)::bigint as people, coalesce(sum(buyers), 0)::bigint as buyers,
        coalesce(jsonb_agg(jsonb_build_object('depth', depth, 'people', people)), '[]') as depths
      from counts
    ) p,
    (select count(*) filter (where lapses_at <= ${LAPSED_AT(at, 168)}) as lapsing_7_days, count(*) as lapsing_30_days
      from (${lapsing}) s) l,
    (select coalesce(sum(documents) filter (where kind = 'order'), 0)::bigint as documents,
      coalesce(sum(documents) filter (where kind = 'order' and is_anonymous), 0)::bigint as anonymous_documents,
      coalesce(sum(amount_minor) filter (where kind = 'order'), 0)::bigint as paid_minor,
      coalesce(sum(amount_minor) filter (where kind = 'order' and is_anonymous), 0)::bigint as anonymous_paid_minor,
      coalesce(sum(amount_minor) filter (where kind = 'refund'), 0)::bigint as refunded_minor,
      coalesce(sum(amount_minor) filter (where kind = 'refund' and is_anonymous), 0)::bigint as anonymous_refunded_minor
      from totals) t,
    (select count(*) as orders, count(*) filter (where is_anonymous) as anonymous_orders
      from commerce.published_void_orders) v,
    (select count(*) as unmatched_refunds, coalesce(sum(unmatched_minor), 0)::bigint as unmatched_refunds_minor
      from commerce.published_unmatched_refunds) u,
    (${recorded('order')}) o, (${recorded('refund')}) r,
    (select count(distinct person_id) filter (where to_depth > from_depth) as people_deepened,
      count(distinct person_id) filter (where to_depth < from_depth) as people_lapsed
      from relationship.published_depth_changes where changed_at > ${yesterday} and changed_at <= ${at}) c`.execute(db)
  const [row] = rows
  if (!row) throw new Error('The brief came back empty')
  return row
}

/** What of a list can be asked of standing alone. */
function plainCondition({
  depth,
  buyers,
  lapsingDays,
  at,
}: Pick<PeopleQuery, 'depth' | 'buyers' | 'lapsingDays' | 'at'>): RawBuilder<unknown> {
  const conditions = [
    ...(depth === undefined ? [] : [sql`depth = ${depth}::smallint`]),
    ...(buyers === undefined ? [] : [buyers ? sql`occasions > 0` : sql`not (occasions > 0)`]),
    ...(lapsingDays === undefined ? [] : [sql`lapses_at <= ${LAPSED_AT(at, 24 * lapsingDays)}`]),
  ]
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `)
}

interface AskedSegment {
  readonly name: string
  readonly ranges: SegmentRanges
}

/** Whoever is in one of its ranges, by the columns of standing. */
function inRanges({ name, ranges }: AskedSegment): RawBuilder<unknown> {
  const found = ranges.get(name) ?? []
  if (found.length === 0) return sql`false`
  const cells = found.map(({ lastFrom, lastTo, days, occasionsAbove, occasionsMax }) => {
    const bounds = [
      sql`occasions > ${occasionsAbove}::int`,
      ...(occasionsMax === null ? [] : [sql`occasions <= ${occasionsMax}::int`]),
      ...(lastFrom ? [sql`last_occasion_at ${days ? sql`>=` : sql`>`} ${lastFrom}::timestamptz`] : []),
      ...(lastTo ? [sql`last_occasion_at ${days ? sql`<` : sql`<=`} ${lastTo}::timestamptz`] : []),
    ]
    return sql`(${sql.join(bounds, sql` and `)})`
  })
  return sql`(${sql.join(cells, sql` or `)})`
}

/** The same by the columns of counts. */
function countedInRanges({ name, ranges }: AskedSegment): RawBuilder<unknown> {
  const found = ranges.get(name) ?? []
  if (found.length === 0) return sql`false`
  const cells = found.map(({ days, occasionsAbove, occasionsMax }) => {
    const bounds = [
      sql`occasions > ${occasionsAbove}::int`,
      ...(occasionsMax === null ? [] : [sql`occasions <= ${occasionsMax}::int`]),
      ...(days?.from ? [sql`last_occasion_day >= ${days.from}::date`] : []),
      ...(days?.to ? [sql`last_occasion_day < ${days.to}::date`] : []),
    ]
    return sql`(${sql.join(bounds, sql` and `)})`
  })
  return sql`(${sql.join(cells, sql` or `)})`
}

/** Whether counts by day can tell segments apart. */
function areOfDays(ranges: SegmentRanges): boolean {
  return [...ranges.values()].every((found) => found.every(({ days }) => days !== undefined))
}

/** A list of the present, and its segment as ranges where one is asked for. */
export interface PresentQuery extends Omit<PeopleQuery, 'segment' | 'fanTier' | 'scope'> {
  /** With who is at it, or above the lowest for that one: (person_id, value_order). */
  readonly fanTier?: (NonNullable<PeopleQuery['fanTier']> & { readonly holders: RawBuilder<unknown> }) | undefined
  readonly segment?: AskedSegment | undefined
}

/** One page of the people of the present, and how many there are; like selectPeople. */
export async function selectPresentPeople(db: Sql, present: Present, query: PresentQuery): Promise<PickedRows> {
  const standing = present.due ? sql`${present.stored} union all ${present.due}` : present.stored
  return personRows(db, { ...pickedBody(present, query), standing, isByPerson: true })
}

/** Who lapses soonest: the first of such a list, uncounted. */
export async function selectSoonest(
  db: Sql,
  present: Present,
  query: PresentQuery,
): Promise<{ rows: (PersonRow & { sort: string })[] }> {
  const standing = present.due ? sql`${present.stored} union all ${present.due}` : present.stored
  return personRows(db, { ...pickedBody(present, query), total: sql`select 0 as total`, standing, isByPerson: true })
}

/** Select bodies of how many there are (total) and of the page (person_id, sort); `matching` is what both read. */
function pickedBody(present: Present, query: PresentQuery): Omit<PickedPeople, 'standing'> {
  const { sinceYesterday, searched, tagged, members, segment, fanTier, lapsingDays, limit, after } = query
  const isLapsing = lapsingDays !== undefined
  const [sort, type] = isLapsing ? [sql`lapses_at`, sql`timestamptz`] : [sql`-net_paid_minor`, sql`bigint`]
  const isAfter = (place: RawBuilder<unknown>) =>
    after ? sql`(${place}, person_id) > (${after.sort}::${type}, ${after.personId}::bigint)` : sql`true`
  const plain = sql`${plainCondition(query)} and ${segmentCondition(segment)}`
  const pageOf = (body: RawBuilder<unknown>, condition: RawBuilder<unknown>) => sql`
    (select person_id, ${sort} as sort from (${body}) s where ${condition} and ${isAfter(sort)} order by ${sort}, person_id limit ${limit})`
  // Each part by its own index; a sort over both would read all of both.
  const merged = (stored: RawBuilder<unknown>, condition: RawBuilder<unknown>) => {
    const parts = present.due ? sql`${stored} union all ${pageOf(present.due, condition)}` : stored
    return sql`select * from (${parts}) parts order by sort, person_id limit ${limit}`
  }
  const isOfValue = !isLapsing && (!segment || segment.name === 'none')
  const stored = (condition: RawBuilder<unknown>) =>
    isOfValue
      ? byValue(present.stored, { query, condition: sql`${condition} and ${isAfter(sort)}` })
      : pageOf(present.stored, condition)

  const isTierAlone = [
    query.depth,
    query.buyers,
    lapsingDays,
    segment,
    sinceYesterday,
    searched,
    tagged,
    members,
  ].every((asked) => asked === undefined)
  if (fanTier && isTierAlone && fanTier.name !== fanTier.lowest) {
    // What they paid stands beside the tier, so that of many the first are found and not sorted.
    return {
      total: sql`select count(*) as total from (${fanTier.holders}) h`,
      picked: sql`
        select person_id, value_order as sort from (${fanTier.holders}) h where ${isAfter(sql`value_order`)}
        order by value_order, person_id limit ${limit}`,
    }
  }
  if (fanTier && isTierAlone) {
    // Nearly everybody: counted as the rest, and found on the way through the index.
    const condition = sql`not exists (select from (${fanTier.holders}) h where h.person_id = s.person_id)`
    return {
      total: sql`select (${countedTotal(present, sql`true`)}) - (select count(*) from (${fanTier.holders}) h) as total`,
      picked: merged(stored(condition), condition),
    }
  }
  if (sinceYesterday || searched || tagged || members || fanTier) {
    // Few, nearly always: found first, by their own indexes, and kept for both questions.
    const condition = sql.join([plain, ...amongSets(query)], sql` and `)
    return {
      found: searched && sql`select distinct person_id from (${searched}) f order by person_id`,
      matching: presentWhere(present, sql`person_id, ${sort} as sort`, condition),
      total: sql`select count(*) as total from matching`,
      picked: sql`select * from matching where ${isAfter(sql`sort`)} order by sort, person_id limit ${limit}`,
    }
  }
  const isCounted = isOfValue || (!isLapsing && segment !== undefined && areOfDays(segment.ranges))
  const counted = isOfValue || !segment ? plain : sql`${plainCondition(query)} and ${countedInRanges(segment)}`
  return {
    total: isCounted
      ? countedTotal(present, counted)
      : sql`select count(*) as total from (${presentWhere(present, sql`person_id`, plain)}) s`,
    picked: merged(stored(plain), plain),
  }
}

/** Whoever never bought has no segment. */
function segmentCondition(segment: PresentQuery['segment']): RawBuilder<unknown> {
  if (!segment) return sql`true`
  return segment.name === 'none' ? sql`not (occasions > 0)` : inRanges(segment)
}

function countedTotal({ counts }: Present, condition: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`select coalesce(sum(people), 0)::bigint as total from (${counts}) c where ${condition}`
}

/** The first of each depth, buyers and others apart, which is how the index goes: twelve looks into it in place of all people. */
function byValue(
  stored: RawBuilder<unknown>,
  { query, condition }: { query: PresentQuery; condition: RawBuilder<unknown> },
): RawBuilder<unknown> {
  const depths = query.depth === undefined ? DEPTHS.map((known) => known.depth) : [query.depth]
  const looks = depths.flatMap((depth) =>
    // "is false": a "not" is turned into "occasions <= 0", which is no column of the index, and all of a depth was read (0.1 s of
    // 0.3 s at a million people).
    [sql`occasions > 0`, sql`(occasions > 0) is false`].map(
      (isBuyer) => sql`
      (select person_id, -net_paid_minor as sort from (${stored}) s
      where depth = ${sql.lit(depth)}::smallint and ${isBuyer} and ${condition}
      order by -net_paid_minor, person_id limit ${query.limit})`,
    ),
  )
  return sql.join(looks, sql` union all `)
}

/** The conditions that are sets of people. */
function amongSets({ sinceYesterday, searched, tagged, members, fanTier, at }: PresentQuery): RawBuilder<unknown>[] {
  return [
    ...(sinceYesterday ? [sql`person_id in (${peopleSince(sinceYesterday, at)})`] : []),
    ...(searched ? [sql`person_id in (select person_id from found order by person_id limit ${FOUND_MAX}::int)`] : []),
    ...(tagged ? [sql`person_id in (${tagged})`] : []),
    ...(members ? [sql`person_id in (${members})`] : []),
    ...(fanTier
      ? [
          fanTier.name === fanTier.lowest
            ? sql`person_id not in (select person_id from (${fanTier.of}) f)`
            : sql`person_id in (select person_id from (${fanTier.of}) f where f.fan_tier = ${fanTier.name})`,
        ]
      : []),
  ]
}

/** People by depth and segment; `none` for who never bought. Undefined where counts by day cannot tell segments apart. */
export async function selectPresentMatrix(
  db: Sql,
  { counts }: Present,
  ranges: SegmentRanges,
): Promise<CellRow[] | undefined> {
  if (!areOfDays(ranges)) return undefined
  const cases = [...ranges.keys()].map((name) => sql`when ${countedInRanges({ name, ranges })} then ${name}::text`)
  const { rows } = await sql<CellRow>`
    select depth, case when not (occasions > 0) then 'none' ${sql.join(cases, sql` `)} end as rfm_segment, sum(people)::bigint as people
    from (${counts}) c group by 1, 2 having sum(people) <> 0 order by 1, 2`.execute(db)
  return rows
}
