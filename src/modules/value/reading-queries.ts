import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { PeopleScope } from '../../platform/roles.ts'
import { inScope, ofScope } from '../customers/actions.ts'
import { LEVELS_MAX } from './propagation.ts'
import { RHYTHMS, type Rhythm, type ValueCellQuery } from './schema.ts'
import type { ValueTables } from './tables-queries.ts'

/** What a source calls a person: the identity known longest, and the latest name. */
const WITH_KEY = sql`
  join lateral (
    select p.value as key, p.kind as key_kind, p.namespace as source from customers.published_people p
    where p.person_id = s.person_id order by p.identity_id limit 1
  ) k on true
  left join lateral (
    select r.name from customers.published_records r
    where r.person_id = s.person_id and r.name is not null order by r.claim_id desc limit 1
  ) r on true`

export interface ScopedEquity {
  readonly people: number
  readonly reachable: number
  readonly expected_minor: number
  readonly last_purchase_at: Date | null
}

export async function selectEquity(db: Sql, tables: ValueTables, scope: PeopleScope): Promise<ScopedEquity> {
  const { rows } = await sql<ScopedEquity>`
    select count(*) as people, count(*) filter (where d.depth >= 1) as reachable,
      coalesce(sum(expected_minor) filter (where d.depth >= 1), 0)::bigint as expected_minor,
      max(v.last_occasion_at) as last_purchase_at
    from (${ofScope(sql`select person_id, expected_minor, last_occasion_at from ${tables.people} where valued_at is not null`, scope)}) v
    left join ${tables.standing} d using (person_id)`.execute(db)
  return rows[0] ?? { people: 0, reachable: 0, expected_minor: 0, last_purchase_at: null }
}

const cameOf = ({ came }: ValueTables) =>
  came ? sql`came_minor, known_expected_minor` : sql`null::bigint as came_minor, null::bigint as known_expected_minor`
const withCame = ({ came }: ValueTables) => (came ? sql`left join ${came} since using (person_id)` : sql``)

/** Of those in view who could be reached on a past day. */
export async function selectCame(
  db: Sql,
  tables: ValueTables,
  scope: PeopleScope,
): Promise<{ came_minor: number; expected_minor: number }> {
  const { rows } = await sql<{ came_minor: number; expected_minor: number }>`
    select coalesce(sum(came_minor), 0)::bigint as came_minor, coalesce(sum(known_expected_minor), 0)::bigint as expected_minor
    from (${ofScope(
      sql`select person_id, ${cameOf(tables)} from ${tables.standing} s ${withCame(tables)} where s.depth >= 1`,
      scope,
    )}) v`.execute(db)
  return rows[0] ?? { came_minor: 0, expected_minor: 0 }
}

export interface Tenth {
  readonly tenth: number
  readonly people: number
  readonly least_minor: number
  readonly expected_minor: number
  /** Null for values of now. */
  readonly came_minor: number | null
  readonly expected_since_minor: number | null
}

export async function selectTenths(db: Sql, tables: ValueTables, scope: PeopleScope): Promise<Tenth[]> {
  const { rows } = await sql<Tenth>`
    select tenth, count(*) as people, min(expected_minor) as least_minor, sum(expected_minor)::bigint as expected_minor,
      sum(came_minor)::bigint as came_minor, sum(known_expected_minor)::bigint as expected_since_minor
    from (
      select v.*, ntile(10) over (order by expected_minor desc, person_id)::int as tenth
      from (${ofScope(
        sql`select person_id, expected_minor, ${cameOf(tables)} from ${tables.people} p ${withCame(tables)} where valued_at is not null`,
        scope,
      )}) v
    ) t group by tenth order by tenth`.execute(db)
  return rows
}

export interface PersonRow {
  readonly valued_at: Date | null
  readonly fit_id: number | null
  readonly repeats: number | null
  readonly last_days: number | null
  readonly watched_days: number | null
  readonly mean_spend_minor: number | null
  readonly p_alive: number | null
  readonly expected_occasions: number | null
  readonly expected_minor: number
  readonly expected_low_minor: number
  readonly expected_high_minor: number
  readonly realised_minor: number
  readonly own_minor: number
  readonly allocated_minor: number
  readonly influenced_minor: number
  readonly tree_depth: number
  /** Null: by a run of before they were kept. */
  readonly turns_days: number[] | null
  /** Of a past day: what came since, and what was to be expected in that time. */
  readonly came_minor: number | null
  readonly known_expected_minor: number | null
}

export async function selectPersonValue(
  db: Sql,
  tables: ValueTables,
  personId: number,
): Promise<PersonRow | undefined> {
  const { rows } = await sql<PersonRow>`
    select v.*, p.repeats, p.last_days, p.watched_days, p.mean_spend_minor, coalesce(k.turns_days, p.turns_days) as turns_days,
      ${cameOf(tables)}
    from ${tables.values} v left join ${tables.people} p using (person_id) left join ${tables.settled} k using (person_id)
    ${withCame(tables)}
    where v.person_id = ${personId}`.execute(db)
  return rows[0]
}

/** Days of the brand since the last occasion by now; undefined without one. */
export async function selectDaysSince(db: Sql, personId: number, now: Date, zone: string): Promise<number | undefined> {
  const { rows } = await sql<{ days: number | null }>`
    select (${now}::timestamptz at time zone ${zone})::date - max((occasion_at at time zone ${zone})::date) as days
    from relationship.published_occasions
    where person_id = ${personId} and from_at <= ${now} and to_at > ${now} and occasion_at <= ${now}`.execute(db)
  return rows[0]?.days ?? undefined
}

export interface NamedRow {
  readonly person_id: number
  readonly key: string
  readonly key_kind: string
  readonly source: string
  readonly name: string | null
  readonly levels: number
}

/** Those above, the referrer first: 100 at most. */
export async function selectChain(
  db: Sql,
  tables: ValueTables,
  personId: number,
  scope: PeopleScope,
): Promise<NamedRow[]> {
  const { rows } = await sql<NamedRow>`
    with recursive above as (
      select referrer_person_id as person_id, 1 as levels from ${tables.edges} where person_id = ${personId} and refusal is null
      union all
      select e.referrer_person_id, a.levels + 1 from above a join ${tables.edges} e using (person_id)
      where e.refusal is null and a.levels < 100
    )
    select s.person_id, s.levels, k.key, k.key_kind, k.source, r.name
    from above s ${WITH_KEY} where ${inScope(sql`s.person_id`, scope)} order by s.levels`.execute(db)
  return rows
}

export interface BroughtRow extends NamedRow {
  readonly own_minor: number
  readonly tree_depth: number
}

/** Those below, of whom most comes here first: 100 at most, of a tree's first 100,000 people. */
export async function selectBrought(
  db: Sql,
  tables: ValueTables,
  personId: number,
  referralShare: number,
  scope: PeopleScope,
): Promise<BroughtRow[]> {
  const share = sql`power(${referralShare}::float8, levels)
    * case when levels > ${LEVELS_MAX} then 0 when levels = least(${LEVELS_MAX}, tree_depth) then 1 else 1 - ${referralShare}::float8 end`
  const { rows } = await sql<BroughtRow>`
    with recursive below as (
      select person_id, 1 as levels from ${tables.edges} where referrer_person_id = ${personId} and refusal is null
      union all
      select e.person_id, b.levels + 1 from below b join ${tables.edges} e on e.referrer_person_id = b.person_id
      where e.refusal is null and b.levels < 100
    ), seen as (
      select b.person_id, b.levels, v.own_minor, v.tree_depth, abs(v.own_minor * (${share})) as brought
      from (select * from below limit 100000) b join ${tables.values} v using (person_id)
      where ${inScope(sql`b.person_id`, scope)}
      order by brought desc, abs(v.own_minor) desc, b.person_id limit 100
    )
    select s.person_id, s.levels, s.own_minor, s.tree_depth, k.key, k.key_kind, k.source, r.name from seen s ${WITH_KEY}
    order by s.brought desc, abs(s.own_minor) desc, s.person_id`.execute(db)
  return rows
}

export interface TreeRow extends NamedRow {
  readonly referrer_person_id: number
  readonly own_minor: number
  readonly influenced_minor: number
}

/** Those below, the nearest first: of `limit` people, whom somebody may see. */
export async function selectTree(
  db: Sql,
  tables: ValueTables,
  personId: number,
  limit: number,
  scope: PeopleScope,
): Promise<TreeRow[]> {
  const { rows } = await sql<TreeRow>`
    with recursive below as (
      select person_id, referrer_person_id, 1 as levels from ${tables.edges}
      where referrer_person_id = ${personId} and refusal is null
      union all
      select e.person_id, e.referrer_person_id, b.levels + 1
      from below b join ${tables.edges} e on e.referrer_person_id = b.person_id
      where e.refusal is null and b.levels < 100
    ), seen as (
      -- A recursion makes the nearest first, and goes no further than it is read.
      select * from (select * from below limit ${limit}) b where ${inScope(sql`b.person_id`, scope)}
    )
    select s.person_id, s.referrer_person_id, s.levels, coalesce(v.own_minor, 0) as own_minor,
      coalesce(v.influenced_minor, 0) as influenced_minor, k.key, k.key_kind, k.source, r.name
    from seen s left join ${tables.values} v using (person_id) ${WITH_KEY}
    order by s.levels, coalesce(v.own_minor, 0) + coalesce(v.influenced_minor, 0) desc, s.person_id`.execute(db)
  return rows
}

export interface ValueCuts {
  readonly in_force_from: Date
  readonly own_minor: number[]
  readonly influenced_minor: number[]
}

export async function selectCuts(db: Sql, tables: ValueTables): Promise<ValueCuts | undefined> {
  const { rows } = await sql<ValueCuts>`select * from ${tables.cuts} order by in_force_from desc limit 1`.execute(db)
  return rows[0]
}

/** Everybody in view who has a depth, with the third of each value; who has none of it is in the first. */
function thirdsBody(tables: ValueTables, scope: PeopleScope): RawBuilder<unknown> {
  return ofScope(
    sql`select d.person_id, d.depth, coalesce(v.own_minor, 0) as own_minor, coalesce(v.allocated_minor, 0) as allocated_minor,
        coalesce(v.influenced_minor, 0) as influenced_minor, v.p_alive,
        coalesce(k.transaction, 1) as transaction, coalesce(k.propagation, 1) as propagation
      from ${tables.standing} d left join ${tables.values} v using (person_id)
      left join ${tables.settled} k using (person_id)`,
    scope,
  )
}

export interface CellRow {
  readonly depth: number
  readonly transaction: number
  readonly propagation: number
  readonly people: number
  readonly own_minor: number
  readonly allocated_minor: number
}

export async function selectMatrix(db: Sql, tables: ValueTables, scope: PeopleScope): Promise<CellRow[]> {
  const { rows } = await sql<CellRow>`
    select depth, transaction, propagation, count(*) as people, sum(own_minor)::bigint as own_minor,
      sum(allocated_minor)::bigint as allocated_minor
    from (${thirdsBody(tables, scope)}) t group by 1, 2, 3 order by 1, 2, 3`.execute(db)
  return rows
}

/** Referral claims of people in view, and how many of them are edges. */
export async function selectReferrals(
  db: Sql,
  tables: ValueTables,
  scope: PeopleScope,
): Promise<{ claims: number; referrals: number }> {
  const { rows } = await sql<{ claims: number; referrals: number }>`
    select count(*) as claims, count(*) filter (where refusal is null) as referrals
    from (${ofScope(sql`select person_id, refusal from ${tables.edges}`, scope)}) e`.execute(db)
  return rows[0] ?? { claims: 0, referrals: 0 }
}

export interface CellPerson extends Omit<NamedRow, 'levels'> {
  readonly own_minor: number
  readonly allocated_minor: number
  readonly influenced_minor: number
  readonly p_alive: number | null
}

/** One more than asked for, so that the caller knows whether there are more. */
export async function selectCell(
  db: Sql,
  tables: ValueTables,
  cell: ValueCellQuery,
  scope: PeopleScope,
): Promise<CellPerson[]> {
  const { rows } = await sql<CellPerson>`
    select s.person_id, s.own_minor, s.allocated_minor, s.influenced_minor, s.p_alive, k.key, k.key_kind, k.source, r.name
    from (
      select * from (${thirdsBody(tables, scope)}) t
      where depth = ${cell.depth} and transaction = ${cell.transaction} and propagation = ${cell.propagation}
        and person_id > ${cell.after}
      order by person_id limit ${cell.limit + 1}
    ) s ${WITH_KEY} order by s.person_id`.execute(db)
  return rows
}

export interface AtRiskRow extends Omit<NamedRow, 'levels'> {
  readonly state: Rhythm
  readonly days_since: number
  readonly own_minor: number
  readonly expected_minor: number
  readonly p_alive: number | null
}

/**
 * Late or at risk at `now` and connected, by settled value, the highest first: in the order of an index, until there are enough. Whoever
 * has bought since the run is in rhythm.
 */
export async function selectAtRisk(
  db: Sql,
  { now, zone, limit, scope }: { now: Date; zone: string; limit: number; scope: PeopleScope },
): Promise<AtRiskRow[]> {
  const day = (instant: RawBuilder<unknown>) => sql`(${instant} at time zone ${zone})::date`
  const { rows } = await sql<AtRiskRow>`
    select s.person_id, s.state, s.days_since, v.own_minor, v.expected_minor, v.p_alive, k.key, k.key_kind, k.source, r.name
    from (
      select x.person_id, x.own_minor, (${[...RHYTHMS]}::text[])[width_bucket(${now}::timestamptz, x.turns_at) + 1] as state,
        ${day(sql`${now}::timestamptz`)} - ${day(sql`x.last_occasion_at`)} as days_since
      from value.settled x join relationship.published_standing d using (person_id)
      where x.turns_at is not null and x.turns_at[1] <= ${now} and x.turns_at[3] > ${now}
        and d.last_occasion_at = x.last_occasion_at and d.depth >= 1 and ${inScope(sql`x.person_id`, scope)}
      order by x.own_minor desc, x.person_id limit ${limit}
    ) s join value.published_values v using (person_id) ${WITH_KEY} order by s.own_minor desc, s.person_id`.execute(db)
  return rows
}
