import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import { INTERACTION_TYPES } from './schema.ts'

/** A month has its partition before the first interaction of that month is written; few, and rarely new. */
export async function createMonths(tx: Sql): Promise<void> {
  const { rows } = await sql<{ name: string; from: string; to: string }>`
    select 'interactions_' || to_char(month, 'YYYY_MM') as name, month::text as from, (month + interval '1 month')::text as to
    from (select distinct date_trunc('month', occurred_at at time zone 'UTC') as month from personal_facts) m
    where to_regclass('interactions.interactions_' || to_char(month, 'YYYY_MM')) is null`.execute(tx)
  for (const { name, from, to } of rows) {
    // Another writer may make it at the same moment: the lock makes them take turns, and a second look lets one go by.
    await sql`select pg_advisory_xact_lock(hashtext('perennial interactions months'))`.execute(tx)
    const { rows: made } = await sql`select 1 where to_regclass(${`interactions.${name}`}) is not null`.execute(tx)
    if (made.length > 0) continue
    // Made, then hung in: `create … partition of` shuts everybody out, and would wait for whoever reads for long, a backup.
    await sql`
      create table interactions.${sql.ref(name)}
      (like interactions.interactions including defaults including constraints)`.execute(tx)
    await sql`
      alter table interactions.interactions attach partition interactions.${sql.ref(name)}
      for values from (${sql.lit(`${from}+00`)}) to (${sql.lit(`${to}+00`)})`.execute(tx)
  }
}

export async function removeInteractions(tx: Sql): Promise<void> {
  await sql`
    with gone as (
      delete from interactions.interactions i using replaced_facts f where i.interaction_id = f.fact_id returning i.*
    )
    insert into removed_facts (fact_id, person_id, identity_id, occurred_at, body)
    select interaction_id, person_id, identity_id, occurred_at,
      jsonb_build_object('type', type, 'item', item, 'content', content) from gone`.execute(tx)
}

export async function insertInteractions(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    insert into interactions.interactions (person_id, occurred_at, interaction_id, identity_id, source, type, item, content, recorded_at)
    select person_id, occurred_at, fact_id, identity_id, ${source}, body->>'type', body->>'item', body->>'content', ${now}
    from personal_facts order by person_id, occurred_at`.execute(tx)
}

const WEIGHTED_TYPES = Object.entries(INTERACTION_TYPES).flatMap(([type, { weight }]) => (weight > 0 ? [type] : []))

/**
 * Interactions that add nothing to the score are told apart, by the `body` of the fact: most of what people do are views, and neither
 * their score nor their fan tier has to be looked at for these.
 */
export const PENDING_KIND = sql`
  case when body->>'type' = any(${WEIGHTED_TYPES}::text[]) then 'interaction' else 'unweighted_interaction' end`

export async function removeReviews(tx: Sql): Promise<void> {
  await sql`
    with gone as (
      delete from interactions.reviews r using replaced_facts f where r.review_id = f.fact_id returning r.*
    )
    insert into removed_facts (fact_id, person_id, identity_id, occurred_at, body)
    select review_id, person_id, identity_id, reviewed_at,
      jsonb_build_object('item', item, 'rating', rating, 'is_recommended', is_recommended) from gone`.execute(tx)
}

export async function insertReviews(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    insert into interactions.reviews (person_id, review_id, identity_id, source, item, rating, is_recommended, reviewed_at, recorded_at)
    select person_id, fact_id, identity_id, ${source}, body->>'item', (body->>'rating')::numeric,
      (body->>'is_recommended')::boolean, occurred_at, ${now}
    from personal_facts order by person_id`.execute(tx)
}

/** Facts of `claimed_moves` follow their identity to its person now. */
export async function followMoves(tx: Sql): Promise<void> {
  for (const table of ['interactions', 'reviews'] as const) {
    await sql`
      update interactions.${sql.ref(table)} t set person_id = p.person_id
      from claimed_moves m join customers.published_people p using (identity_id)
      where t.person_id = m.person_id and t.identity_id = m.identity_id and p.person_id <> m.person_id`.execute(tx)
  }
  await sql`
    create temp table changed_people on commit drop as
    select person_id from claimed_moves union select p.person_id from claimed_moves join customers.published_people p using (identity_id)`.execute(
    tx,
  )
}

/** What who is erased did and said becomes nobody's. */
export async function eraseInteractions(tx: Sql): Promise<void> {
  for (const [table, id] of [
    ['interactions', 'interaction_id'],
    ['reviews', 'review_id'],
  ] as const) {
    await sql`
      with gone as (
        update interactions.${sql.ref(table)} t set person_id = 0, identity_id = null
        from erased_identities e where t.person_id = e.person_id and t.identity_id = e.identity_id
        returning t.${sql.ref(id)} as fact_id
      )
      insert into erased_facts select fact_id, false from gone`.execute(tx)
  }
}
