import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { ValueTables } from './tables-queries.ts'

/**
 * Referral claims between people as they are now, with what sets each aside. A person arrives with their first connection or occasion,
 * whichever comes first. A claim after that brought nobody: an assist.
 *
 * @param claims which of them: rows of published_referral_claims.
 */
function claimsBody(now: Date, attributionDays: number, claims: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select c.invitee_person_id as person_id, c.claim_id, c.referrer_person_id, c.claimed_at,
      case
        when c.invitee_person_id = c.referrer_person_id then null
        when a.arrived_at is null or a.arrived_at > ${now} then 'not_arrived'
        when a.arrived_at < c.claimed_at then 'assist'
        when a.arrived_at > c.claimed_at + make_interval(hours => ${24 * attributionDays}) then 'outside_window'
      end as set_aside
    from ${claims} c
    cross join lateral (
      select min(at) as arrived_at from (
        select begun_at as at from customers.published_connections k where k.person_id = c.invitee_person_id
        union all
        select occasion_at from relationship.published_occasions o
        where o.person_id = c.invitee_person_id and o.from_at <= ${now} and o.to_at > ${now}
      ) known
    ) a
    where c.invitee_person_id > 0 and c.referrer_person_id > 0 and c.claimed_at <= ${now}`
}

/** `region`, for the transaction: everybody of whom there is a claim by `at`, or was. */
export async function createWholeRegion(tx: Sql, tables: ValueTables, at: Date): Promise<void> {
  await sql`
    create temp table region on commit drop as
    select invitee_person_id as person_id from customers.published_referral_claims where claimed_at <= ${at}
    union select referrer_person_id from customers.published_referral_claims where claimed_at <= ${at}
    union select person_id from ${tables.edges}
    union select referrer_person_id from ${tables.edges}`.execute(tx)
  await sql`create unique index on region (person_id)`.execute(tx)
  await sql`analyze region`.execute(tx)
}

/**
 * `region`, for the transaction: the weak components, by the claims as they were and as they are, of everybody of whom some claim
 * changed, or, of `changed_values`, what they are worth. Only claims of `claimed_people` can have changed, and what lies outside the
 * region can't be reached by the change: all of it is looked up by index.
 */
export async function createTouchedRegion(tx: Sql, now: Date, attributionDays: number): Promise<void> {
  await sql`
    create temp table changed_referrals on commit drop as
    select unnest(array[n.person_id, n.referrer_person_id, e.person_id, e.referrer_person_id]) as person_id
    from (${claimsBody(
      now,
      attributionDays,
      sql`(
        select c.* from claimed_people p join customers.published_referral_claims c on c.invitee_person_id = p.person_id
        union
        select c.* from claimed_people p join customers.published_referral_claims c on c.referrer_person_id = p.person_id)`,
    )}) n
    full join (
      select e.* from claimed_people p join value.referral_edges e using (person_id)
      union
      select e.* from claimed_people p join value.referral_edges e on e.referrer_person_id = p.person_id
    ) e using (person_id, claim_id)
    where (n.referrer_person_id, n.claimed_at, n.set_aside) is distinct from (e.referrer_person_id, e.claimed_at, e.set_aside)
    union all select person_id from changed_values join value.propagation using (person_id)`.execute(tx)
  await sql`
    create temp table region on commit drop as
    with recursive reached as (
      select person_id from changed_referrals where person_id is not null
      union
      -- Each by its index: a join over "is one of both" has no plan but every pair.
      select l.person_id from reached r cross join lateral (
        select referrer_person_id as person_id from value.referral_edges e where e.person_id = r.person_id
        union all
        select e.person_id from value.referral_edges e where e.referrer_person_id = r.person_id
        union all
        select referrer_person_id from customers.published_referral_claims c where c.invitee_person_id = r.person_id
        union all
        select invitee_person_id from customers.published_referral_claims c where c.referrer_person_id = r.person_id
      ) l where l.person_id > 0
    )
    select person_id from reached`.execute(tx)
  await sql`create unique index on region (person_id)`.execute(tx)
  await sql`analyze region`.execute(tx)
}

/**
 * `claims_now`, for the transaction: the claims of the region. One that came in meanwhile and leads out of it is left to the next time:
 * its people are pending.
 *
 * @returns how many people the region has.
 */
export async function createClaims(tx: Sql, now: Date, attributionDays: number): Promise<number> {
  const within = sql`(
    select c.* from customers.published_referral_claims c
    join region i on i.person_id = c.invitee_person_id join region r on r.person_id = c.referrer_person_id)`
  await sql`create temp table claims_now on commit drop as ${claimsBody(now, attributionDays, within)}`.execute(tx)
  await sql`analyze claims_now`.execute(tx)
  const { rows } = await sql<{ people: number }>`select count(*) as people from region`.execute(tx)
  return rows[0]?.people ?? 0
}

/** Of how many people a follow-up is: those of `region` and of `changed_values`. */
export async function countTouched(tx: Sql): Promise<number> {
  const { rows } = await sql<{ people: number }>`
    select count(*) as people from (select person_id from region union select person_id from changed_values) t`.execute(
    tx,
  )
  return rows[0]?.people ?? 0
}

export interface ClaimRow {
  readonly person_id: number
  readonly claim_id: number
  readonly referrer_person_id: number
  readonly claimed_at: Date
  readonly set_aside: string | null
}

/** `claims_now`, in the order in which they were made. */
export async function selectRegionClaims(tx: Sql): Promise<ClaimRow[]> {
  const { rows } = await sql<ClaimRow>`
    select * from claims_now order by claimed_at, claim_id`.execute(tx)
  return rows
}

/** Own value of the region's people who have one. */
export async function selectRegionValues(
  tx: Sql,
  tables: ValueTables,
): Promise<{ person_id: number; own_minor: number }[]> {
  const { rows } = await sql<{ person_id: number; own_minor: number }>`
    select person_id, realised_minor + expected_minor as own_minor from ${tables.people} join region using (person_id)`.execute(
    tx,
  )
  return rows
}

export async function clearRegion(tx: Sql, tables: ValueTables): Promise<void> {
  await sql`delete from ${tables.edges} e using region r where e.person_id = r.person_id`.execute(tx)
  await sql`delete from ${tables.propagation} g using region r where g.person_id = r.person_id`.execute(tx)
}

export async function insertEdges(
  tx: Sql,
  tables: ValueTables,
  claimIds: readonly number[],
  refusals: readonly (string | null)[],
): Promise<void> {
  await sql`
    insert into ${tables.edges} (person_id, claim_id, referrer_person_id, claimed_at, set_aside, refusal)
    select c.person_id, c.claim_id, c.referrer_person_id, c.claimed_at, c.set_aside, f.refusal
    from unnest(${claimIds}::bigint[], ${refusals}::text[]) f (claim_id, refusal) join claims_now c using (claim_id)`.execute(
    tx,
  )
}

export interface Places {
  readonly personIds: readonly number[]
  readonly depths: readonly number[]
  readonly allocated: readonly string[]
  readonly influenced: readonly string[]
}

export async function insertPlaces(tx: Sql, tables: ValueTables, places: Places): Promise<void> {
  await sql`
    insert into ${tables.propagation} (person_id, tree_depth, allocated_minor, influenced_minor)
    select * from unnest(${places.personIds}::bigint[], ${places.depths}::int[], ${places.allocated}::bigint[],
      ${places.influenced}::bigint[])`.execute(tx)
}
