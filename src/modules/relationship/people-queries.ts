import { type RawBuilder, sql } from 'kysely'

/**
 * Whether any fact is kept under a person; an identity without one is nobody (docs/definitions.md 0.5). Those come first that most
 * have who have no order and no relation: of visitors of a shop the rest took ten times the time of their interactions.
 *
 * A scalar subquery and not `exists`, which the planner makes hashes of whole tables for as soon as it expects many askers.
 * This one is asked only where an `or` gets to it, by index, and ends at the first fact.
 */
export function hasFacts(personId: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(
    select true from (
      select 1 from customers.published_records k where k.person_id = ${personId}
      union all select 1 from interactions.published_interactions i where i.person_id = ${personId}
      union all select 1 from commerce.published_orders o where o.person_id = ${personId}
      union all select 1 from commerce.published_refunds r where r.person_id = ${personId}
      union all select 1 from customers.published_connections c where c.person_id = ${personId}
      union all select 1 from customers.published_memberships m where m.person_id = ${personId}
      union all select 1 from customers.published_consent_statements c where c.person_id = ${personId}
      union all select 1 from customers.published_referral_claims f where f.invitee_person_id = ${personId}
      union all select 1 from customers.published_referral_claims f where f.referrer_person_id = ${personId}
      union all select 1 from tags.published_tags t where t.person_id = ${personId}
      union all select 1 from commerce.published_spreads s where s.person_id = ${personId}
      union all select 1 from interactions.published_reviews v where v.person_id = ${personId}
    ) fact limit 1)`
}
