import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { PeopleScope } from '../../platform/roles.ts'
import { inScope, ofScope } from '../customers/actions.ts'
import type { ValueCellQuery } from './schema.ts'

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
}

export async function selectEquity(db: Sql, scope: PeopleScope): Promise<ScopedEquity> {
  const { rows } = await sql<ScopedEquity>`
    select count(*) as people, count(*) filter (where d.depth >= 1) as reachable,
      coalesce(sum(expected_minor) filter (where d.depth >= 1), 0)::bigint as expected_minor
    from (${ofScope(sql`select person_id, expected_minor from value.people`, scope)}) v
    left join relationship.published_standing d using (person_id)`.execute(db)
  return rows[0] ?? { people: 0, reachable: 0, expected_minor: 0 }
}

export interface Tenth {
  readonly tenth: number
  readonly people: number
  readonly least_minor: number
  readonly expected_minor: number
}

export async function selectTenths(db: Sql, scope: PeopleScope): Promise<Tenth[]> {
  const { rows } = await sql<Tenth>`
    select tenth, count(*) as people, min(expected_minor) as least_minor, sum(expected_minor)::bigint as expected_minor
    from (
      select expected_minor, ntile(10) over (order by expected_minor desc, person_id)::int as tenth
      from (${ofScope(sql`select person_id, expected_minor from value.people`, scope)}) v
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
}

export async function selectPersonValue(db: Sql, personId: number): Promise<PersonRow | undefined> {
  const { rows } = await sql<PersonRow>`
    select v.*, p.repeats, p.last_days, p.watched_days, p.mean_spend_minor
    from value.published_values v left join value.people p using (person_id) where v.person_id = ${personId}`.execute(
    db,
  )
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
export async function selectChain(db: Sql, personId: number, scope: PeopleScope): Promise<NamedRow[]> {
  const { rows } = await sql<NamedRow>`
    with recursive above as (
      select referrer_person_id as person_id, 1 as levels from value.referral_edges where person_id = ${personId} and refusal is null
      union all
      select e.referrer_person_id, a.levels + 1 from above a join value.referral_edges e using (person_id)
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

/** Those below, who bring most first: 100 at most, of a tree's first 100,000 people. */
export async function selectBrought(db: Sql, personId: number, scope: PeopleScope): Promise<BroughtRow[]> {
  const { rows } = await sql<BroughtRow>`
    with recursive below as (
      select person_id, 1 as levels from value.referral_edges where referrer_person_id = ${personId} and refusal is null
      union all
      select e.person_id, b.levels + 1 from below b join value.referral_edges e on e.referrer_person_id = b.person_id
      where e.refusal is null and b.levels < 100
    ), seen as (
      select b.person_id, b.levels, v.own_minor, v.tree_depth
      from (select * from below limit 100000) b join value.published_values v using (person_id)
      where ${inScope(sql`b.person_id`, scope)}
      order by abs(v.own_minor) desc, b.person_id limit 100
    )
    select s.*, k.key, k.key_kind, k.source, r.name from seen s ${WITH_KEY}
    order by abs(s.own_minor) desc, s.person_id`.execute(db)
  return rows
}

export interface ValueCuts {
  readonly in_force_from: Date
  readonly own_minor: number[]
  readonly influenced_minor: number[]
}

export async function selectCuts(db: Sql): Promise<ValueCuts | undefined> {
  const { rows } = await sql<ValueCuts>`select * from value.cuts order by in_force_from desc limit 1`.execute(db)
  return rows[0]
}

/** Everybody in view who has a depth, with the third of each value. */
function thirdsBody(cuts: ValueCuts, scope: PeopleScope): RawBuilder<unknown> {
  const third = (value: RawBuilder<unknown>, [low = 0, high = 0]: number[]) =>
    sql`1 + (${value} > ${low}::bigint)::int + (${value} > ${high}::bigint)::int`
  return ofScope(
    sql`select d.person_id, d.depth, coalesce(v.own_minor, 0) as own_minor, coalesce(v.allocated_minor, 0) as allocated_minor,
        coalesce(v.influenced_minor, 0) as influenced_minor, v.p_alive,
        ${third(sql`coalesce(v.own_minor, 0)`, cuts.own_minor)} as transaction,
        ${third(sql`coalesce(v.influenced_minor, 0)`, cuts.influenced_minor)} as propagation
      from relationship.published_standing d left join value.published_values v using (person_id)`,
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

export async function selectMatrix(db: Sql, cuts: ValueCuts, scope: PeopleScope): Promise<CellRow[]> {
  const { rows } = await sql<CellRow>`
    select depth, transaction, propagation, count(*) as people, sum(own_minor)::bigint as own_minor,
      sum(allocated_minor)::bigint as allocated_minor
    from (${thirdsBody(cuts, scope)}) t group by 1, 2, 3 order by 1, 2, 3`.execute(db)
  return rows
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
  cuts: ValueCuts,
  cell: ValueCellQuery,
  scope: PeopleScope,
): Promise<CellPerson[]> {
  const { rows } = await sql<CellPerson>`
    select s.person_id, s.own_minor, s.allocated_minor, s.influenced_minor, s.p_alive, k.key, k.key_kind, k.source, r.name
    from (
      select * from (${thirdsBody(cuts, scope)}) t
      where depth = ${cell.depth} and transaction = ${cell.transaction} and propagation = ${cell.propagation}
        and person_id > ${cell.after}
      order by person_id limit ${cell.limit + 1}
    ) s ${WITH_KEY} order by s.person_id`.execute(db)
  return rows
}
