import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/**
 * `claims_now`, for the transaction: every referral claim between people as they are now, with what sets it aside. A person arrives
 * with their first connection or occasion, whichever comes first. A claim after that brought nobody: an assist.
 */
export async function createClaims(tx: Sql, now: Date, attributionDays: number): Promise<void> {
  await sql`
    create temp table claims_now on commit drop as
    select c.invitee_person_id as person_id, c.claim_id, c.referrer_person_id, c.claimed_at,
      case
        when c.invitee_person_id = c.referrer_person_id then null
        when a.arrived_at is null or a.arrived_at > ${now} then 'not_arrived'
        when a.arrived_at < c.claimed_at then 'assist'
        when a.arrived_at > c.claimed_at + make_interval(hours => ${24 * attributionDays}) then 'outside_window'
      end as set_aside
    from customers.published_referral_claims c
    cross join lateral (
      select min(at) as arrived_at from (
        select begun_at as at from customers.published_connections k where k.person_id = c.invitee_person_id
        union all
        select occasion_at from relationship.published_occasions o
        where o.person_id = c.invitee_person_id and o.from_at <= ${now} and o.to_at > ${now}
      ) known
    ) a
    where c.invitee_person_id > 0 and c.referrer_person_id > 0 and c.claimed_at <= ${now}`.execute(tx)
  await sql`create index on claims_now (person_id)`.execute(tx)
  await sql`create index on claims_now (referrer_person_id)`.execute(tx)
  await sql`analyze claims_now`.execute(tx)
}

/**
 * `region`, for the transaction: the weak components, by the claims as they were and as they are, of everybody of whom some claim
 * changed, or, of `changed_values`, what they are worth; all people of claims with `isAll`. What lies outside can't be reached by the
 * change.
 *
 * @returns its people.
 */
export async function createRegion(tx: Sql, isAll: boolean): Promise<number> {
  await sql`
    create temp table changed_referrals on commit drop as
    select unnest(array[n.person_id, n.referrer_person_id, e.person_id, e.referrer_person_id]) as person_id
    from claims_now n full join value.referral_edges e using (person_id, claim_id)
    where ${isAll} or (n.referrer_person_id, n.claimed_at, n.set_aside) is distinct from
      (e.referrer_person_id, e.claimed_at, e.set_aside)
    union all select person_id from changed_values join value.propagation using (person_id)`.execute(tx)
  await sql`create temp table region (person_id bigint not null) on commit drop`.execute(tx)
  const { rows: found } = await sql<{ is_changed: boolean }>`
    select exists (select from changed_referrals) as is_changed`.execute(tx)
  if (!found[0]?.is_changed) return 0
  // Either way, by one column: a join over "is one of both" has no plan but every pair.
  await sql`
    create temp table referral_links on commit drop as
    select person_id, referrer_person_id as other_id from claims_now
    union select referrer_person_id, person_id from claims_now
    union select person_id, referrer_person_id from value.referral_edges
    union select referrer_person_id, person_id from value.referral_edges`.execute(tx)
  await sql`create index on referral_links (person_id)`.execute(tx)
  await sql`analyze referral_links`.execute(tx)
  await sql`
    insert into region
    with recursive reached as (
      select person_id from changed_referrals where person_id is not null
      union
      select l.other_id from reached r join referral_links l using (person_id)
    )
    select person_id from reached`.execute(tx)
  await sql`create unique index on region (person_id)`.execute(tx)
  await sql`analyze region`.execute(tx)
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

/** Claims of the region's people, in the order in which they were made. */
export async function selectRegionClaims(tx: Sql): Promise<ClaimRow[]> {
  const { rows } = await sql<ClaimRow>`
    select c.* from claims_now c join region using (person_id) order by claimed_at, claim_id`.execute(tx)
  return rows
}

/** Own value of the region's people who have one. */
export async function selectRegionValues(tx: Sql): Promise<{ person_id: number; own_minor: number }[]> {
  const { rows } = await sql<{ person_id: number; own_minor: number }>`
    select person_id, realised_minor + expected_minor as own_minor from value.people join region using (person_id)`.execute(
    tx,
  )
  return rows
}

export async function clearRegion(tx: Sql): Promise<void> {
  await sql`delete from value.referral_edges e using region r where e.person_id = r.person_id`.execute(tx)
  await sql`delete from value.propagation g using region r where g.person_id = r.person_id`.execute(tx)
}

export async function insertEdges(
  tx: Sql,
  claimIds: readonly number[],
  refusals: readonly (string | null)[],
): Promise<void> {
  await sql`
    insert into value.referral_edges (person_id, claim_id, referrer_person_id, claimed_at, set_aside, refusal)
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

export async function insertPlaces(tx: Sql, places: Places): Promise<void> {
  await sql`
    insert into value.propagation (person_id, tree_depth, allocated_minor, influenced_minor)
    select * from unnest(${places.personIds}::bigint[], ${places.depths}::int[], ${places.allocated}::bigint[],
      ${places.influenced}::bigint[])`.execute(tx)
}
