import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

export async function removeReferralClaims(tx: Sql): Promise<void> {
  await sql`
    with gone as (
      delete from customers.referral_claims c using replaced_facts f where c.claim_id = f.fact_id returning c.*
    ), removed as (
      insert into removed_facts (fact_id, person_id, identity_id, second_identity_id, occurred_at, body)
      select claim_id, person_id, identity_id, referrer_identity_id, claimed_at,
        jsonb_build_object('campaign', campaign, 'content', content) from gone
    )
    insert into changed_people select referrer_person_id from gone`.execute(tx)
}

/** `personal_facts` -> referral claims, after their referrers are known; both sides are concerned. */
export async function insertReferralClaims(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    with written as (
      insert into customers.referral_claims (person_id, claim_id, identity_id, referrer_person_id, referrer_identity_id,
        source, campaign, content, claimed_at, recorded_at)
      select f.person_id, f.fact_id, f.identity_id, i.person_id, i.identity_id, ${source}, f.body->>'campaign',
        f.body->>'content', f.occurred_at, ${now}
      from personal_facts f
      cross join lateral jsonb_to_record(f.body->'second') r (kind text, namespace text, value text)
      join arriving_identities i on i.kind = r.kind and i.namespace = r.namespace and i.value = r.value
      order by f.person_id
      returning referrer_person_id
    )
    insert into changed_people select referrer_person_id from written`.execute(tx)
}

/** Claims of `moved_identities` go where their identities went, on either side. */
export async function followReferralClaims(tx: Sql): Promise<void> {
  await sql`
    update customers.referral_claims k set person_id = m.to_person_id
    from moved_identities m where k.identity_id = m.identity_id and k.person_id = m.person_id`.execute(tx)
  await sql`
    update customers.referral_claims k set referrer_person_id = m.to_person_id
    from moved_identities m
    where k.referrer_identity_id = m.identity_id and k.referrer_person_id = m.person_id`.execute(tx)
}
