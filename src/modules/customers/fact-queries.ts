import { type RawBuilder, sql } from 'kysely'
import type { PoolClient } from 'pg'
import { copyIn, copyText } from '../../platform/copy.ts'
import type { Sql } from '../../platform/db.ts'
import { ADMITTED_COLUMNS, createDisplaced, versionRank } from '../intake/actions.ts'
import type { StagedFact } from './schema.ts'

/*
 * Facts about one person, one row each, of any kind:
 *
 *   staged_facts     as they came              arriving             as intake admits them
 *   personal_facts   new and corrected ones, with the person they belong to
 */

export async function createFactStaging(tx: Sql): Promise<void> {
  await sql`
    create temp table staged_facts (line bigint, external_id text, occurred_at timestamptz, kind text, namespace text, value text, body jsonb,
      version text) on commit drop`.execute(tx)
}

/** A fact as COPY takes it. */
export function factText({ line, external_id, occurred_at, identity, body, version }: StagedFact): string {
  const { kind, namespace, value } = identity
  return (
    `${line}\t${copyText(external_id)}\t${copyText(occurred_at)}\t${kind}\t${copyText(namespace)}\t${copyText(value)}\t` +
    `${copyText(JSON.stringify(body))}\t${copyText(version)}\n`
  )
}

export function copyFacts(client: PoolClient, text: string | AsyncIterable<Buffer>): Promise<void> {
  return copyIn(client, 'copy staged_facts from stdin', text)
}

/**
 * `arriving` of what is staged. What has not happened yet is no fact and goes.
 * @returns the lines of those.
 */
export async function resolveFacts(tx: Sql, now: Date): Promise<number[]> {
  const { rows } = await sql<{ line: number }>`
    delete from staged_facts where occurred_at > ${now} returning line`.execute(tx)
  await sql`
    create temp table arriving on commit drop as
    select external_id, sha256(convert_to(concat_ws(E'\x1f', kind, namespace, value, extract(epoch from occurred_at), body::text), 'UTF8')) as body_hash,
      ${versionRank(sql`version`, 'UTC')} as version, ${ADMITTED_COLUMNS}
    from staged_facts order by external_id collate "C"`.execute(tx)
  return rows.map(({ line }) => line)
}

/** Whom facts are about and, of kinds that name a second person, that one too: for `identify`. */
export function namedBy({ second }: { readonly second: boolean }): RawBuilder<unknown> {
  const seconds = sql`
    union all select r.kind, r.namespace, r.value
    from staged_facts f, jsonb_to_record(f.body->'second') r (kind text, namespace text, value text)`
  return sql`select kind, namespace, value from staged_facts ${second ? seconds : sql``}`
}

/**
 * `personal_facts`: what comes into force, with the person it belongs to. The identities are joined last: of three equal
 * columns the planner expects next to no rows, and looped over a million pairs for a batch of a thousand.
 */
export async function createPersonalFacts(tx: Sql): Promise<void> {
  await sql`
    create temp table personal_facts on commit drop as
    with applied as materialized (
      select a.fact_id, f.* from arriving a join staged_facts f using (external_id) where a.is_applied
    )
    select f.fact_id, i.identity_id, i.person_id, f.occurred_at, f.body
    from applied f
    join arriving_identities i on i.kind = f.kind and i.namespace = f.namespace and i.value = f.value`.execute(tx)
}

/** The same from the bodies that come back into force; who no longer exists has none. */
export async function restoreFacts(tx: Sql): Promise<void> {
  await sql`
    create temp table personal_facts on commit drop as
    select a.fact_id, c.identity_id, c.person_id, (b.body->>'occurred_at')::timestamptz as occurred_at,
      case when o.identity_id is null then b.body->'body' else (b.body->'body') || jsonb_build_object('second',
        jsonb_build_object('kind', o.kind, 'namespace', o.namespace, 'value', o.value)) end as body
    from arriving a
    join intake.published_bodies b using (fact_id, body_hash)
    join customers.canonical c on c.identity_id = b.identity_ids[1]
    left join customers.identities o on o.identity_id = b.identity_ids[2]
    where a.is_applied`.execute(tx)
  await sql`
    create temp table arriving_identities on commit drop as
    select i.kind, i.namespace, i.value, i.identity_id, c.person_id
    from (
      select distinct unnest(b.identity_ids) as identity_id
      from arriving a join intake.published_bodies b using (fact_id, body_hash) where a.is_applied
    ) n join customers.identities i using (identity_id) join customers.canonical c using (identity_id)`.execute(tx)
}

/** Which fact is whose: (person_id, fact_id). */
export const PERSONAL_FACTS = sql`select person_id, fact_id from personal_facts`

/** Whom they are about, from when on, and as what: `changed_people (person_id, changed_from, fact_kind)`. */
export async function createChangedPeople(tx: Sql, pendingKind: RawBuilder<unknown>): Promise<void> {
  await sql`
    create temp table changed_people on commit drop as
    select person_id, occurred_at as changed_from, ${pendingKind} as fact_kind from personal_facts`.execute(tx)
}

/** `replaced_facts` and `removed_facts`, which the kind fills. */
export async function createReplacedFacts(tx: Sql): Promise<void> {
  await sql`
    create temp table replaced_facts on commit drop as
    select fact_id, replaced_hash from arriving where replaces`.execute(tx)
  await sql`analyze replaced_facts`.execute(tx)
  await sql`
    create temp table removed_facts (fact_id bigint, person_id bigint, identity_id bigint, occurred_at timestamptz, body jsonb,
      second_identity_id bigint) on commit drop`.execute(tx)
}

/** Keeps in `displaced` what `removed_facts` said, and facts that came too late to count; who lost one is concerned too. */
export async function fillDisplaced(tx: Sql, pendingKind: RawBuilder<unknown>): Promise<void> {
  await sql`insert into changed_people select person_id, occurred_at, ${pendingKind} from removed_facts`.execute(tx)
  await createDisplaced(tx)
  await sql`
    insert into displaced
    select fact_id, replaced_hash, array_remove(array[identity_id, second_identity_id], null),
      jsonb_build_object('occurred_at', occurred_at, 'body', body)
    from removed_facts join replaced_facts using (fact_id)`.execute(tx)
  const { rows } = await sql<{ found: boolean }>`
    select exists (select from arriving where status = 'stale') as found`.execute(tx)
  if (!rows[0]?.found) return
  await sql`
    insert into displaced
    select a.fact_id, a.body_hash, array_remove(array[i.identity_id, o.identity_id], null),
      jsonb_build_object('occurred_at', f.occurred_at, 'body', f.body - 'second')
    from arriving a
    join staged_facts f using (external_id)
    join arriving_identities i on i.kind = f.kind and i.namespace = f.namespace and i.value = f.value
    left join arriving_identities o on o.kind = f.body->'second'->>'kind'
      and o.namespace = f.body->'second'->>'namespace' and o.value = f.body->'second'->>'value'
    where a.status = 'stale'`.execute(tx)
}

export interface FactCounts {
  readonly rows_repeated: number
  readonly rows_known: number
  readonly people: number
  readonly documents_new: number
  readonly documents_corrected: number
  readonly documents_known: number
  readonly documents_stale: number
}

export async function selectFactCounts(tx: Sql): Promise<FactCounts> {
  const { rows } = await sql<FactCounts>`
    select 0 as rows_repeated, count(*) filter (where status = 'known') as rows_known,
      (select count(distinct person_id) from arriving_identities) as people,
      count(*) filter (where status in ('new', 'returned')) as documents_new,
      count(*) filter (where status = 'corrected') as documents_corrected,
      count(*) filter (where status = 'known') as documents_known,
      count(*) filter (where status = 'stale') as documents_stale
    from arriving`.execute(tx)
  const [row] = rows
  if (!row) throw new Error('The counts came back empty')
  return row
}

export async function removeConnections(tx: Sql): Promise<void> {
  await sql`
    with gone as (
      delete from customers.connections c using replaced_facts f where c.connection_id = f.fact_id returning c.*
    )
    insert into removed_facts (fact_id, person_id, identity_id, occurred_at, body)
    select connection_id, person_id, identity_id, begun_at,
      jsonb_build_object('channel', channel, 'staff', staff, 'group_id', group_id, 'ended_at', ended_at) from gone`.execute(
    tx,
  )
}

/** Relations as their source tells them. */
export async function insertConnections(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    insert into customers.connections (person_id, connection_id, identity_id, source, channel, staff, group_id, begun_at, ended_at, recorded_at)
    select person_id, fact_id, identity_id, ${source}, body->>'channel', body->>'staff', body->>'group_id', occurred_at,
      (body->>'ended_at')::timestamptz, ${now}
    from personal_facts order by person_id`.execute(tx)
}

export async function removeMemberships(tx: Sql): Promise<void> {
  await sql`
    with gone as (
      delete from customers.memberships m using replaced_facts f where m.membership_id = f.fact_id returning m.*
    )
    insert into removed_facts (fact_id, person_id, identity_id, occurred_at, body)
    select membership_id, person_id, identity_id, enrolled_at, jsonb_build_object('ended_at', ended_at) from gone`.execute(
    tx,
  )
}

export async function insertMemberships(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    insert into customers.memberships (person_id, membership_id, identity_id, source, enrolled_at, ended_at, recorded_at)
    select person_id, fact_id, identity_id, ${source}, occurred_at, (body->>'ended_at')::timestamptz, ${now}
    from personal_facts order by person_id`.execute(tx)
}
