import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Identity } from './schema.ts'

/** Every identity of a person -> `erased_identities`. @returns what they are called. */
export async function insertErasedPerson(tx: Sql, personId: number): Promise<Identity[]> {
  await sql`
    insert into erased_identities (identity_id, person_id)
    select identity_id, person_id from customers.canonical where person_id = ${personId}`.execute(tx)
  return selectErasedIdentities(tx)
}

/** These identities -> `erased_identities`, with the people they belong to now. */
export async function insertErasedIdentities(tx: Sql, identityIds: readonly number[]): Promise<Identity[]> {
  await sql`
    insert into erased_identities (identity_id, person_id)
    select identity_id, person_id from customers.canonical where identity_id = any(${identityIds}::bigint[])`.execute(
    tx,
  )
  return selectErasedIdentities(tx)
}

async function selectErasedIdentities(tx: Sql): Promise<Identity[]> {
  const { rows } = await sql<Identity>`
    select distinct i.kind, i.namespace, i.value
    from erased_identities join customers.identities i using (identity_id)`.execute(tx)
  return rows
}

/** A page of all identities in the order of their numbers, after one of them. */
export async function selectIdentities(
  db: Sql,
  after: number,
  limit: number,
): Promise<(Identity & { identity_id: number })[]> {
  const { rows } = await sql<Identity & { identity_id: number }>`
    select identity_id, kind, namespace, value from customers.identities
    where identity_id > ${after} order by identity_id limit ${limit}`.execute(db)
  return rows
}

/** Who else was claimed together with somebody who goes: their claims are fewer now. Leaves `changed_nodes`. */
export async function createBereaved(tx: Sql): Promise<void> {
  await sql`
    create temp table changed_nodes on commit drop as
    select distinct o.identity_id
    from erased_identities e
    join customers.claim_identities l using (identity_id)
    join customers.claim_identities o using (claim_id)
    where not exists (select from erased_identities x where x.identity_id = o.identity_id)`.execute(tx)
}

/**
 * What names them goes: records, claims, consents, referral claims and the nodes themselves. Relations and memberships stay as nobody's, so that what
 * was counted by day and by staff still adds up.
 */
export async function eraseCustomers(tx: Sql): Promise<void> {
  await sql`
    with named as (
      select distinct l.claim_id from erased_identities e join customers.claim_identities l using (identity_id)
    ), gone as (
      delete from customers.records r using named n
      where r.claim_id = n.claim_id and exists (select from erased_identities e where e.identity_id = r.identity_id)
      returning r.claim_id
    )
    insert into erased_facts select claim_id, false from gone`.execute(tx)
  await sql`
    delete from customers.claim_identities l using erased_identities e where l.identity_id = e.identity_id`.execute(tx)
  await sql`
    delete from customers.claims c using erased_facts f
    where c.claim_id = f.fact_id and not exists (select from customers.claim_identities l where l.claim_id = c.claim_id)`.execute(
    tx,
  )
  for (const [table, id] of [
    ['connections', 'connection_id'],
    ['memberships', 'membership_id'],
  ] as const) {
    await sql`
      with gone as (
        update customers.${sql.ref(table)} t set person_id = 0, identity_id = null
        from erased_identities e where t.person_id = e.person_id and t.identity_id = e.identity_id
        returning t.${sql.ref(id)} as fact_id
      )
      insert into erased_facts select fact_id, false from gone`.execute(tx)
  }
  await sql`
    with gone as (
      delete from customers.consents t using erased_identities e
      where t.person_id = e.person_id and t.identity_id = e.identity_id returning t.consent_id
    )
    insert into erased_facts select consent_id, false from gone`.execute(tx)
  await sql`
    with gone as (
      delete from customers.referral_claims t using erased_identities e
      where (t.person_id = e.person_id and t.identity_id = e.identity_id)
        or (t.referrer_person_id = e.person_id and t.referrer_identity_id = e.identity_id)
      returning t.claim_id
    )
    insert into erased_facts select claim_id, false from gone`.execute(tx)
  for (const table of ['cut_links', 'withdrawn_values', 'canonical', 'identities'] as const) {
    await sql`
      delete from customers.${sql.ref(table)} t using erased_identities e where t.identity_id = e.identity_id`.execute(
      tx,
    )
  }
}

/** Whoever lost somebody, and who was erased: `changed_people`. */
export async function createErasedPeople(tx: Sql): Promise<void> {
  await sql`
    create temp table changed_people on commit drop as
    select person_id from erased_identities
    union select person_id from moved_identities union select to_person_id from moved_identities`.execute(tx)
}

export async function selectPersonGraph(
  db: Sql,
  personId: number,
): Promise<{
  identities: (Identity & { identity_id: number; recorded_at: Date })[]
  claims: object[]
  person_changes: object[]
  referrals_made: object[]
}> {
  const identities = await sql<Identity & { identity_id: number; recorded_at: Date }>`
    select i.identity_id, i.kind, i.namespace, i.value, i.recorded_at
    from customers.canonical c join customers.identities i using (identity_id)
    where c.person_id = ${personId} order by i.identity_id`.execute(db)
  const claims = await sql<object>`
    select k.claim_id, k.kind, k.source, k.external_id, k.claimed_at, k.recorded_at, k.claimed_by, k.withdrawn_at,
      array_agg(l.identity_id order by l.identity_id) as identity_ids
    from customers.canonical c
    join customers.claim_identities l using (identity_id)
    join customers.claims k using (claim_id)
    where c.person_id = ${personId} group by k.claim_id order by k.claim_id`.execute(db)
  const changes = await sql<object>`
    select h.* from customers.canonical c join customers.person_changes h using (identity_id)
    where c.person_id = ${personId} order by h.changed_at, h.identity_id`.execute(db)
  const made = await sql<object>`
    select * from customers.referral_claims where referrer_person_id = ${personId} order by claim_id`.execute(db)
  return {
    identities: identities.rows,
    claims: claims.rows,
    person_changes: changes.rows,
    referrals_made: made.rows,
  }
}
