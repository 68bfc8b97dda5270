import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/**
 * Takes people whose depth has lapsed by time alone since it was stored into `claimed_people (person_id)`, by the index on
 * lapses_at: where nothing is due nothing is read.
 */
export async function claimLapsed(tx: Sql, now: Date, limit: number): Promise<number> {
  await sql`
    create temp table claimed_people on commit drop as
    select person_id from relationship.standing where lapses_at <= ${now} order by lapses_at limit ${limit}`.execute(tx)
  const { rows } = await sql<{ claimed: number }>`select count(*) as claimed from claimed_people`.execute(tx)
  return rows[0]?.claimed ?? 0
}

/**
 * The instant as of which `claimed_people` stand: by the clock, and not before the last of their facts was stored. A clock that was put
 * back in between would leave that fact out, and only a further one would bring it in.
 */
export async function selectPresentInstant(tx: Sql, now: Date): Promise<Date> {
  const { rows } = await sql<{
    stored_at: Date | null
  }>`select max(stored_at) as stored_at from claimed_people`.execute(tx)
  const storedAt = rows[0]?.stored_at
  return storedAt && storedAt > now ? storedAt : now
}

/** Standing without the people of whom nothing had happened yet: they are known now, and were not then. */
export function knownThen(standing: RawBuilder<unknown>, at: Date): RawBuilder<unknown> {
  return sql`
    select s.* from (${standing}) s
    where exists (select from commerce.published_orders o where o.person_id = s.person_id and o.paid_at <= ${at})
      or exists (select from commerce.published_refunds r where r.person_id = s.person_id and r.refunded_at <= ${at})
      or exists (select from commerce.published_spreads p where p.person_id = s.person_id and p.spread_at <= ${at})
      or exists (select from customers.published_connections c where c.person_id = s.person_id and c.begun_at <= ${at})
      or exists (select from customers.published_memberships m where m.person_id = s.person_id and m.enrolled_at <= ${at})
      or exists (select from customers.published_records r where r.person_id = s.person_id and r.enrolled_at <= ${at})
      or exists (select from customers.published_claims k where k.person_id = s.person_id and k.claimed_at <= ${at})
      or exists (select from customers.published_consent_statements c where c.person_id = s.person_id and c.occurred_at <= ${at})
      or exists (select from tags.published_tags t where t.person_id = s.person_id and t.given_at <= ${at})
      or exists (select from customers.published_referral_claims f
        where f.invitee_person_id = s.person_id and f.claimed_at <= ${at})
      or exists (select from customers.published_referral_claims f
        where f.referrer_person_id = s.person_id and f.claimed_at <= ${at})
      or exists (select from interactions.published_interactions i where i.person_id = s.person_id and i.occurred_at <= ${at})
      or exists (select from interactions.published_reviews v where v.person_id = s.person_id and v.reviewed_at <= ${at})`
}
