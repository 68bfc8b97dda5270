import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

export async function removeConsents(tx: Sql): Promise<void> {
  await sql`
    with gone as (
      delete from customers.consents c using replaced_facts f where c.consent_id = f.fact_id returning c.*
    )
    insert into removed_facts (fact_id, person_id, identity_id, occurred_at, body)
    select consent_id, person_id, identity_id, occurred_at, jsonb_build_object('purpose', purpose,
      'channel', nullif(channel, ''), 'state', state, 'evidence', evidence) from gone`.execute(tx)
}

export async function insertConsents(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    insert into customers.consents (person_id, consent_id, identity_id, source, purpose, channel, state, evidence, occurred_at, recorded_at)
    select person_id, fact_id, identity_id, ${source}, body->>'purpose', coalesce(body->>'channel', ''), body->>'state',
      body->>'evidence', occurred_at, ${now}
    from personal_facts order by person_id`.execute(tx)
}

/** Statements of `moved_identities` go where their identity went. */
export async function followConsents(tx: Sql): Promise<void> {
  await sql`
    update customers.consents k set person_id = m.to_person_id
    from moved_identities m where k.identity_id = m.identity_id and k.person_id = m.person_id`.execute(tx)
}
