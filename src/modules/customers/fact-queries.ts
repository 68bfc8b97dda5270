import { sql } from 'kysely'
import type { PoolClient } from 'pg'
import type { Sql } from '../../platform/db.ts'
import type { StagedFact } from './schema.ts'

/*
 * Facts about one person, one row each, of any kind:
 *
 *   staged_facts     as they came              arriving             as intake admits them
 *   personal_facts   new and corrected ones, with the person they belong to
 */

export async function createFactStaging(tx: Sql): Promise<void> {
  await sql`
    create temp table staged_facts (line bigint, external_id text, occurred_at timestamptz, kind text, namespace text, value text, body jsonb)
    on commit drop`.execute(tx)
}

export async function copyFacts(client: PoolClient, facts: readonly StagedFact[]): Promise<void> {
  const rows = facts.map(({ line, external_id, occurred_at, identity, body }) => ({
    line,
    external_id,
    occurred_at,
    ...identity,
    body,
  }))
  await client.query('insert into staged_facts select * from jsonb_populate_recordset(null::staged_facts, $1::jsonb)', [
    JSON.stringify(rows),
  ])
}

/** What has not happened yet is no fact: `bad_facts`; the rest becomes `arriving` and `arriving_identities`. */
export async function resolveFacts(tx: Sql, now: Date): Promise<void> {
  await sql`
    create temp table bad_facts on commit drop as
    select line, 'future_time' as reason from staged_facts where occurred_at > ${now}`.execute(tx)
  await sql`delete from staged_facts f using bad_facts b where f.line = b.line`.execute(tx)
  await sql`
    create temp table arriving on commit drop as
    select external_id, sha256(convert_to(concat_ws(E'\x1f', kind, namespace, value, body::text), 'UTF8')) as body_hash,
      null::bigint as fact_id, null::text as status
    from staged_facts`.execute(tx)
  await sql`
    create temp table arriving_identities on commit drop as
    select distinct kind, namespace, value, null::bigint as identity_id, null::bigint as person_id from staged_facts`.execute(
    tx,
  )
}

export async function selectBadFacts(tx: Sql): Promise<{ line: number; reason: string }[]> {
  const { rows } = await sql<{ line: number; reason: string }>`select line, reason from bad_facts`.execute(tx)
  return rows
}

export async function createPersonalFacts(tx: Sql): Promise<void> {
  await sql`
    create temp table personal_facts on commit drop as
    select a.fact_id, a.status, a.external_id, i.identity_id, i.person_id, f.occurred_at, f.body
    from arriving a
    join staged_facts f using (external_id)
    join arriving_identities i on i.kind = f.kind and i.namespace = f.namespace and i.value = f.value
    where a.status <> 'known'`.execute(tx)
  await sql`create temp table changed_people on commit drop as select distinct person_id from personal_facts`.execute(
    tx,
  )
}

export interface FactCounts {
  readonly rows_repeated: number
  readonly rows_known: number
  readonly people: number
  readonly documents_new: number
  readonly documents_corrected: number
  readonly documents_known: number
}

export async function selectFactCounts(tx: Sql): Promise<FactCounts> {
  const { rows } = await sql<FactCounts>`
    select 0 as rows_repeated, count(*) filter (where status = 'known') as rows_known,
      (select count(distinct person_id) from arriving_identities) as people,
      count(*) filter (where status = 'new') as documents_new,
      count(*) filter (where status = 'corrected') as documents_corrected,
      count(*) filter (where status = 'known') as documents_known
    from arriving`.execute(tx)
  const [row] = rows
  if (!row) throw new Error('The counts came back empty')
  return row
}

/** Relations as their source tells them; a corrected one replaces what it said before. */
export async function writeConnections(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    with gone as (
      delete from customers.connections c using personal_facts f
      where f.status = 'corrected' and c.connection_id = f.fact_id returning c.person_id
    )
    insert into changed_people select person_id from gone`.execute(tx)
  await sql`
    insert into customers.connections (person_id, connection_id, identity_id, source, channel, staff, begun_at, ended_at, recorded_at)
    select person_id, fact_id, identity_id, ${source}, body->>'channel', body->>'staff', occurred_at,
      (body->>'ended_at')::timestamptz, ${now}
    from personal_facts order by person_id`.execute(tx)
}

export async function writeMemberships(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    with gone as (
      delete from customers.memberships m using personal_facts f
      where f.status = 'corrected' and m.membership_id = f.fact_id returning m.person_id
    )
    insert into changed_people select person_id from gone`.execute(tx)
  await sql`
    insert into customers.memberships (person_id, membership_id, identity_id, source, enrolled_at, ended_at, recorded_at)
    select person_id, fact_id, identity_id, ${source}, occurred_at, (body->>'ended_at')::timestamptz, ${now}
    from personal_facts order by person_id`.execute(tx)
}
