import { type RawBuilder, sql } from 'kysely'
import type { PoolClient } from 'pg'
import { copyIn, copyText } from '../../platform/copy.ts'
import type { Sql } from '../../platform/db.ts'
import type { View } from '../../platform/roles.ts'
import { ADMITTED_COLUMNS, createDisplaced, lookUp, versionRank } from '../intake/actions.ts'
import { followConsents } from './consent-queries.ts'
import { followReferralClaims } from './referral-queries.ts'
import type { Identity, StagedRecord } from './schema.ts'
import { inScope } from './scope-queries.ts'

/*
 * Set verbs take their arguments as temporary tables of the caller's transaction:
 *
 *   arriving_identities (kind, namespace, value, identity_id, person_id)   made here (`identify`)
 *   arriving_links (external_id, kind, namespace, value)                   the identities that a record puts together
 *   arriving_connections (identity_id, person_id, begun_at, fact_id)
 */

/**
 * `arriving_identities`, or a table of another name: whom `named` selects (kind, namespace, value), each once, with their node
 * and person. Makes the nodes that are new. A new node is a person until a claim links it.
 *
 * @param isLarge so many that reading whole tables beats looking each of them up.
 */
export async function identify(
  tx: Sql,
  now: Date,
  named: RawBuilder<unknown>,
  { isLarge, into = 'arriving_identities' }: { readonly isLarge: boolean; readonly into?: string },
): Promise<void> {
  const table = sql.ref(into)
  const one = isLarge ? sql`` : lookUp(0)
  // Looked up first: most are known, and trying to insert those would cost more and use up their ids.
  await sql`
    create temp table ${table} on commit drop as
    select n.kind, n.namespace, n.value, i.identity_id, c.person_id
    from (select distinct kind, namespace, value from (${named}) n) n
    left join lateral (
      select identity_id from customers.identities
      where value = n.value and kind = n.kind and namespace = n.namespace ${one}
    ) i on true
    left join lateral (select person_id from customers.canonical where identity_id = i.identity_id ${one}) c on true`.execute(
    tx,
  )
  const { rows } = await sql<{ unknown: number }>`
    select count(*) as unknown from ${table} where identity_id is null`.execute(tx)
  const unknown = rows[0]?.unknown ?? 0
  if (unknown === 0) return
  const { numAffectedRows } = await sql`
    with made as (
      insert into customers.identities (kind, namespace, value, recorded_at)
      select kind, namespace, value, ${now} from ${table} where identity_id is null
      order by kind, namespace collate "C", value collate "C"
      on conflict do nothing returning identity_id, kind, namespace, value
    ), mapped as (
      insert into customers.canonical (identity_id, person_id) select identity_id, identity_id from made
    )
    update ${table} a set identity_id = m.identity_id, person_id = m.identity_id
    from made m where m.value = a.value and m.kind = a.kind and m.namespace = a.namespace`.execute(tx)
  if (Number(numAffectedRows ?? 0) === unknown) return
  // Another writer has made the rest, and the insert waited for its end.
  await sql`
    update ${table} a set identity_id = i.identity_id, person_id = c.person_id
    from customers.identities i join customers.canonical c using (identity_id)
    where a.identity_id is null and i.kind = a.kind and i.namespace = a.namespace and i.value = a.value`.execute(tx)
}

/** Whom records name, for `identify`. */
export const LINKED = sql`select kind, namespace, value from arriving_links`

/**
 * Writes the records of `arriving` (as intake admitted them) as claims with the links of `arriving_links`, and leaves
 * `changed_nodes (identity_id)`: every identity that a claim gained or lost.
 */
export async function writeClaims(tx: Sql, kind: 'person' | 'merge', source: string, now: Date): Promise<void> {
  // Ids and status were filled in since the statistics were taken, which still say "none": a join would loop.
  for (const table of ['arriving', 'arriving_identities'] as const) await sql`analyze ${sql.ref(table)}`.execute(tx)
  await sql`create temp table changed_nodes (identity_id bigint) on commit drop`.execute(tx)
  await sql`
    with gone as (
      delete from customers.claim_identities l using arriving a where a.replaces and l.claim_id = a.fact_id
      returning l.identity_id
    )
    insert into changed_nodes select distinct identity_id from gone`.execute(tx)
  await sql`
    delete from customers.claims c using arriving a
    where a.replaces and not a.is_applied and c.claim_id = a.fact_id`.execute(tx)
  await sql`
    insert into customers.claims (claim_id, kind, source, external_id, claimed_at, recorded_at)
    select fact_id, ${kind}, ${source}, external_id, claimed_at, ${now} from arriving where is_applied
    on conflict (claim_id) do update set claimed_at = excluded.claimed_at, recorded_at = excluded.recorded_at`.execute(
    tx,
  )
  await sql`
    with written as (
      insert into customers.claim_identities (claim_id, identity_id)
      select distinct a.fact_id, i.identity_id
      from arriving a
      join arriving_links l using (external_id)
      join arriving_identities i on i.kind = l.kind and i.namespace = l.namespace and i.value = l.value
      where a.is_applied
      returning identity_id
    )
    insert into changed_nodes select distinct identity_id from written`.execute(tx)
}

/**
 * `resolved (identity_id, person_id)` becomes the canonical map; what changed is logged, relations follow their
 * identity, and `moved_identities (identity_id, person_id)` says which identities left which person.
 */
export async function writeCanonical(tx: Sql, now: Date): Promise<void> {
  await sql`
    create temp table moved_identities on commit drop as
    select r.identity_id, c.person_id, r.person_id as to_person_id
    from resolved r join customers.canonical c using (identity_id) where c.person_id <> r.person_id`.execute(tx)
  await sql`
    update customers.canonical c set person_id = m.to_person_id
    from moved_identities m where m.identity_id = c.identity_id`.execute(tx)
  await sql`
    insert into customers.person_changes (identity_id, from_person_id, to_person_id, changed_at)
    select identity_id, person_id, to_person_id, ${now} from moved_identities`.execute(tx)
  await sql`
    update customers.records k set person_id = m.to_person_id
    from moved_identities m where k.identity_id = m.identity_id and k.person_id = m.person_id`.execute(tx)
  await sql`
    update customers.memberships k set person_id = m.to_person_id
    from moved_identities m where k.identity_id = m.identity_id and k.person_id = m.person_id`.execute(tx)
  await sql`
    update customers.connections k set person_id = m.to_person_id
    from moved_identities m where k.identity_id = m.identity_id and k.person_id = m.person_id`.execute(tx)
  await followConsents(tx)
  await followReferralClaims(tx)
  await sql`
    delete from customers.withdrawn_values w using region r
    where w.identity_id = r.identity_id and not exists (select from withdrawn n where n.identity_id = w.identity_id)`.execute(
    tx,
  )
  await sql`
    insert into customers.withdrawn_values (identity_id, unionids, accounts, withdrawn_at)
    select identity_id, max(unionids), max(accounts), ${now} from withdrawn group by identity_id
    on conflict (identity_id) do update set unionids = excluded.unionids, accounts = excluded.accounts`.execute(tx)
}

/**
 * Brings the relations of `arriving_connections (identity_id, person_id, begun_at, fact_id)` on one channel to what
 * their facts now say: a relation that is there keeps its id and moves its beginning, either way; one without a
 * beginning has lost the last fact it rested on and goes; a new one is made when asked for.
 */
export async function connect(tx: Sql, source: string, channel: string, now: Date, makesNew: boolean): Promise<void> {
  await sql`
    update customers.connections c
    set begun_at = a.begun_at
    from arriving_connections a
    where c.identity_id = a.identity_id and c.person_id = a.person_id and c.source = ${source} and c.channel = ${channel}
      and a.begun_at <> c.begun_at`.execute(tx)
  await sql`
    delete from customers.connections c using arriving_connections a
    where c.identity_id = a.identity_id and c.person_id = a.person_id and c.source = ${source} and c.channel = ${channel}
      and a.begun_at is null`.execute(tx)
  if (!makesNew) return
  await sql`
    insert into customers.connections (person_id, connection_id, identity_id, source, channel, begun_at, recorded_at)
    select a.person_id, a.fact_id, a.identity_id, ${source}, ${channel}, a.begun_at, ${now}
    from (select * from arriving_connections where begun_at is not null order by identity_id) a
    where not exists (select from customers.connections c
      where c.person_id = a.person_id and c.identity_id = a.identity_id and c.channel = ${channel})`.execute(tx)
}

/*
 * A people file is staged as records (one row each) and record_identities (one row an identity).
 */
export async function createRecordStaging(tx: Sql): Promise<void> {
  await sql`
    create temp table staged_records (line bigint, external_id text, name text, enrolled_at text, seen_at text, identities jsonb, unlinked jsonb,
      version text) on commit drop`.execute(tx)
}

/** A record as COPY takes it. */
export function recordText(record: StagedRecord): string {
  const { line, recordId, name, enrolledAt, seenAt, identities, unlinked, version } = record
  const json = (value: unknown) => copyText(JSON.stringify(value))
  return (
    `${line}\t${copyText(recordId)}\t${copyText(name)}\t${copyText(enrolledAt)}\t${copyText(seenAt)}\t` +
    `${json(identities)}\t${json(unlinked)}\t${copyText(version)}\n`
  )
}

export function copyRecords(client: PoolClient, text: string | AsyncIterable<Buffer>): Promise<void> {
  return copyIn(client, 'copy staged_records from stdin', text)
}

/**
 * Of a record's rows in the file the highest version is what it says, else the last; `arriving` and
 * `arriving_links` follow. An enrolment that has not happened yet is no fact: its record goes.
 *
 * @returns the lines of those.
 */
export async function resolveRecords(tx: Sql, zone: string, now: Date): Promise<number[]> {
  await sql`
    create temp table records on commit drop as
    select distinct on (external_id) line, external_id, name, identities, unlinked, ranked as version,
      case when enrolled_at ~ '(Z|[+-][0-9]{2}:?[0-9]{2})$' then enrolled_at::timestamptz
        else enrolled_at::timestamp at time zone ${zone} end as enrolled_at,
      case when seen_at ~ '(Z|[+-][0-9]{2}:?[0-9]{2})$' then seen_at::timestamptz
        else seen_at::timestamp at time zone ${zone} end as seen_at
    from (select *, ${versionRank(sql`version`, zone)} as ranked from staged_records) s
    order by external_id, ranked desc nulls last, line desc`.execute(tx)
  const { rows } = await sql<{ line: number }>`
    with early as (delete from records where enrolled_at > ${now} returning external_id),
      gone as (delete from staged_records s using early e where s.external_id = e.external_id returning s.line)
    select line from gone`.execute(tx)
  await sql`
    create temp table arriving_links on commit drop as
    select r.external_id, i.kind, i.namespace, i.value
    from records r, jsonb_to_recordset(r.identities) i (kind text, namespace text, value text)`.execute(tx)
  await sql`
    create temp table arriving on commit drop as
    select external_id, coalesce(seen_at, ${now}) as claimed_at,
      sha256(convert_to(concat_ws(E'\x1f', identities::text, coalesce(name, ''), coalesce(extract(epoch from enrolled_at)::text, ''),
        unlinked::text), 'UTF8')) as body_hash,
      version, ${ADMITTED_COLUMNS}
    from records order by external_id collate "C"`.execute(tx)
  for (const table of ['records', 'arriving', 'arriving_links'] as const)
    await sql`analyze ${sql.ref(table)}`.execute(tx)
  return rows.map(({ line }) => line)
}

/** The records of new and corrected claims; their person is the one that the identity graph has just named. */
export async function writeRecords(tx: Sql): Promise<void> {
  await sql`
    delete from customers.records r using arriving a where a.replaces and r.claim_id = a.fact_id`.execute(tx)
  await sql`
    insert into customers.records (person_id, claim_id, identity_id, name, enrolled_at, unlinked)
    select c.person_id, a.fact_id, f.identity_id, r.name, r.enrolled_at, r.unlinked
    from arriving a
    join records r using (external_id)
    join (
      select distinct on (l.external_id) l.external_id, i.identity_id
      from arriving_links l
      join arriving_identities i on i.kind = l.kind and i.namespace = l.namespace and i.value = l.value
      order by l.external_id, i.kind = 'phone', i.kind = 'email', i.identity_id
    ) f using (external_id)
    join customers.canonical c on c.identity_id = f.identity_id
    where a.is_applied`.execute(tx)
}

/** Keeps in `displaced` what claims said that are replaced or go, and records that came too late to count. */
export async function fillDisplaced(tx: Sql): Promise<void> {
  await createDisplaced(tx)
  await sql`
    insert into displaced
    select a.fact_id, a.replaced_hash, l.identity_ids, jsonb_build_object('identity_ids', l.identity_ids, 'name', r.name,
      'enrolled_at', r.enrolled_at, 'seen_at', c.claimed_at, 'unlinked', r.unlinked)
    from arriving a
    join customers.claims c on c.claim_id = a.fact_id
    join customers.records r on r.claim_id = a.fact_id
    cross join lateral (
      select array_agg(identity_id order by identity_id) as identity_ids from customers.claim_identities l where l.claim_id = a.fact_id) l
    where a.replaces
    union all
    select a.fact_id, a.body_hash, l.identity_ids, jsonb_build_object('identity_ids', l.identity_ids, 'name', r.name,
      'enrolled_at', r.enrolled_at, 'seen_at', a.claimed_at, 'unlinked', r.unlinked)
    from arriving a
    join records r using (external_id)
    cross join lateral (
      select array_agg(distinct i.identity_id) as identity_ids
      from arriving_links l join arriving_identities i on i.kind = l.kind and i.namespace = l.namespace and i.value = l.value
      where l.external_id = a.external_id) l
    where a.status = 'stale'`.execute(tx)
}

/** `records`, `arriving_links` and `arriving_identities` as they were when the bodies came in that come back into force. */
export async function restoreRecords(tx: Sql): Promise<void> {
  await sql`alter table arriving add column claimed_at timestamptz`.execute(tx)
  await sql`
    update arriving a set claimed_at = (b.body->>'seen_at')::timestamptz
    from intake.published_bodies b
    where a.is_applied and b.fact_id = a.fact_id and b.body_hash = a.body_hash`.execute(tx)
  await sql`
    create temp table records on commit drop as
    select a.external_id, b.identity_ids, b.body->>'name' as name, (b.body->>'enrolled_at')::timestamptz as enrolled_at,
      b.body->'unlinked' as unlinked
    from arriving a join intake.published_bodies b using (fact_id, body_hash) where a.is_applied`.execute(tx)
  await sql`
    create temp table arriving_links on commit drop as
    select r.external_id, i.kind, i.namespace, i.value
    from records r join customers.identities i on i.identity_id = any(r.identity_ids)`.execute(tx)
}

/**
 * Everybody whom a claim names or named before it was corrected, and whoever lost an identity to somebody else:
 * `changed_people`.
 */
export async function createChangedPeople(tx: Sql): Promise<void> {
  await sql`
    create temp table changed_people on commit drop as
    select c.person_id from changed_nodes join customers.canonical c using (identity_id)
    union select person_id from moved_identities union select to_person_id from moved_identities`.execute(tx)
}

/** Whoever lost an identity or got one: `changed_people`. */
export async function createMovedPeople(tx: Sql): Promise<void> {
  await sql`
    create temp table changed_people on commit drop as
    select person_id from moved_identities union select to_person_id from moved_identities`.execute(tx)
}

export interface RecordCounts {
  readonly rows_repeated: number
  readonly rows_known: number
  readonly people: number
  readonly documents_new: number
  readonly documents_corrected: number
  readonly documents_known: number
  readonly documents_stale: number
}

export async function selectRecordCounts(tx: Sql): Promise<RecordCounts> {
  const { rows } = await sql<RecordCounts>`
    select
      (select count(*) from staged_records) - (select count(*) from records) as rows_repeated,
      (select count(*) from arriving where status = 'known') as rows_known,
      (select count(distinct k.person_id) from arriving a join customers.records k on k.claim_id = a.fact_id) as people,
      (select count(*) from arriving where status in ('new', 'returned')) as documents_new,
      (select count(*) from arriving where status = 'corrected') as documents_corrected,
      (select count(*) from arriving where status = 'known') as documents_known,
      (select count(*) from arriving where status = 'stale') as documents_stale`.execute(tx)
  const [row] = rows
  if (!row) throw new Error('The counts of an import came back empty')
  return row
}

/** A claim by hand, about nodes that are already known; leaves `changed_nodes`. @returns the claim's id. */
export async function insertHandClaim(
  tx: Sql,
  claim: { claimId: number; kind: 'merge' | 'split'; identityIds: readonly number[]; by: string; now: Date },
): Promise<void> {
  await sql`
    insert into customers.claims (claim_id, kind, source, external_id, claimed_at, recorded_at, claimed_by)
    values (${claim.claimId}, ${claim.kind}, 'by_hand', ${String(claim.claimId)}, ${claim.now}, ${claim.now}, ${claim.by})`.execute(
    tx,
  )
  await sql`
    insert into customers.claim_identities (claim_id, identity_id)
    select ${claim.claimId}::bigint, unnest(${claim.identityIds}::bigint[])`.execute(tx)
  await sql`
    create temp table changed_nodes on commit drop as select unnest(${claim.identityIds}::bigint[]) as identity_id`.execute(
    tx,
  )
}

/** A split takes the identity out of every claim that now puts it together with another one. */
export async function cutLinks(tx: Sql, splitClaimId: number, identityId: number): Promise<void> {
  await sql`
    insert into customers.cut_links (split_claim_id, claim_id, identity_id)
    select ${splitClaimId}, l.claim_id, l.identity_id
    from customers.claim_identities l join customers.claims c using (claim_id)
    where l.identity_id = ${identityId} and c.kind <> 'split' and c.withdrawn_at is null
      and exists (select from customers.claim_identities o where o.claim_id = l.claim_id and o.identity_id <> l.identity_id)`.execute(
    tx,
  )
}

/** Takes a claim by hand back and leaves `changed_nodes`. @returns false when there is no such claim in force. */
export async function withdrawHandClaim(tx: Sql, claimId: number, now: Date): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update customers.claims set withdrawn_at = ${now}
    where claim_id = ${claimId} and source = 'by_hand' and withdrawn_at is null`.execute(tx)
  if (!numAffectedRows) return false
  await sql`
    create temp table changed_nodes on commit drop as
    select identity_id from customers.claim_identities where claim_id = ${claimId}`.execute(tx)
  return true
}

/** The identity that a person is named by, for each of these people. */
export async function selectNamingIdentities(tx: Sql, personIds: readonly number[]): Promise<number[]> {
  const { rows } = await sql<{ identity_id: number }>`
    select min(identity_id) as identity_id from customers.canonical
    where person_id = any(${personIds}::bigint[]) group by person_id`.execute(tx)
  return rows.map((row) => row.identity_id)
}

/**
 * Identities with this value, or one of the longer names of `keysOf` (rules.ts), by the index on the value: of people in
 * scope, and for who sees personal values masked by own ids alone.
 */
export async function selectIdentitiesByKey(
  db: Sql,
  key: string,
  { scope, isMasked }: View,
): Promise<(Identity & { identity_id: number; person_id: number })[]> {
  const parts = key.split(':')
  const values = parts.map((_, index) => parts.slice(index).join(':'))
  const { rows } = await sql<Identity & { identity_id: number; person_id: number }>`
    select i.identity_id, c.person_id, i.kind, i.namespace, i.value
    from customers.identities i join customers.canonical c using (identity_id)
    where i.value = any(${values}::text[])
      and (i.value = ${key} or coalesce(nullif(i.namespace, ''), i.kind) || ':' || i.value = ${key}
        or i.kind || ':' || i.namespace || ':' || i.value = ${key})
      and ${inScope(sql`c.person_id`, scope)} and (not ${isMasked}::boolean or i.kind = 'own_id')
    order by i.identity_id limit 10`.execute(db)
  return rows
}

export interface HandDecisionRow {
  readonly claim_id: number
  readonly kind: 'merge' | 'split'
  readonly decided_at: Date
  readonly decided_by: string | null
  readonly identities: (Identity & { identity_id: number; person_id: number | null })[]
}

/** Merges and splits by hand that are in force, newest first. */
export async function selectHandDecisions(db: Sql, limit: number): Promise<HandDecisionRow[]> {
  const { rows } = await sql<HandDecisionRow>`
    select c.claim_id, c.kind, c.claimed_at as decided_at, c.claimed_by as decided_by, (
      select coalesce(jsonb_agg(jsonb_build_object('identity_id', i.identity_id, 'kind', i.kind, 'namespace', i.namespace,
        'value', i.value, 'person_id', p.person_id) order by i.identity_id), '[]')
      from customers.claim_identities l join customers.identities i using (identity_id)
      left join customers.canonical p using (identity_id)
      where l.claim_id = c.claim_id) as identities
    from customers.claims c
    where c.source = 'by_hand' and c.kind in ('merge', 'split') and c.withdrawn_at is null
    order by c.claimed_at desc, c.claim_id desc limit ${limit}`.execute(db)
  return rows
}

export async function hasIdentity(tx: Sql, identityId: number): Promise<boolean> {
  const { rows } = await sql`select from customers.canonical where identity_id = ${identityId}`.execute(tx)
  return rows.length > 0
}

export interface WithdrawnValue {
  readonly identity_id: number
  readonly kind: string
  readonly value: string
  readonly unionids: number
  readonly accounts: number
  readonly withdrawn_at: Date
  /** People that the value is claimed for, each by the identity it is named by. */
  readonly people: number[]
}

/** The review queue: values that link nobody because they would join what cannot be one person; newest first. */
export async function selectWithdrawn(db: Sql, limit: number): Promise<WithdrawnValue[]> {
  const { rows } = await sql<WithdrawnValue>`
    select w.identity_id, i.kind, i.value, w.unionids, w.accounts, w.withdrawn_at,
      (select coalesce(array_agg(distinct c.person_id), '{}') from customers.claim_identities l
        join customers.claims k using (claim_id)
        join customers.claim_identities o using (claim_id) join customers.canonical c on c.identity_id = o.identity_id
        where l.identity_id = w.identity_id and o.identity_id <> w.identity_id
          and not (i.kind = 'phone' and k.phone_lapsed)) as people
    from customers.withdrawn_values w join customers.identities i using (identity_id)
    order by w.withdrawn_at desc, w.identity_id limit ${limit}`.execute(db)
  return rows
}
