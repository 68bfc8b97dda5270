import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import { lockIntake, lockOrders, lookUp } from './queries.ts'

/*
 * Which version of a fact is in force (docs/definitions.md §0). The verbs take and leave temporary tables of the
 * caller's transaction:
 *
 *   arriving   external_id, body_hash, version and ADMITTED_COLUMNS: a fact each
 *              status      new | corrected | known | stale | returned (it had been retracted) | retracted
 *              is_applied  its body comes into force: the module writes its rows
 *              replaces    the body that is in force goes: the module removes its rows
 *   displaced  fact_id, body_hash, identity_ids, body: bodies that are not in force, filled by the module
 */

/**
 * What a caller adds to its `arriving`, for `admitArriving` to judge. Every fact is taken for new, because nearly all of a
 * stream are: those need no update then. An id that is not needed is a gap, nothing more. The caller orders by
 * external_id collate "C", so that the same file always gives the same fact ids.
 */
export const ADMITTED_COLUMNS = sql`nextval('intake.fact_id') as fact_id, 'new' as status, true as is_applied, false as replaces,
  null::bytea as replaced_hash`

/**
 * What a writer of a kind keeps out until its transaction ends. claims: everybody. orders: other writers of that source's.
 * A kind that is not here has facts of which each stands by itself, whether or not it makes people known: two writers meet
 * only where they bring the same fact or the same unknown identity.
 */
const KEEPS_OUT: Readonly<Record<string, 'claims' | 'orders'>> = {
  person: 'claims',
  order: 'orders',
}

/**
 * The rank of a version that came as text: a sequence, an instant, or wall-clock time in the source's zone; times count
 * as seconds since 1970.
 */
export function versionRank(text: RawBuilder<unknown>, zone: string): RawBuilder<unknown> {
  return sql`(case
    when ${text} is null then null
    when ${text} ~ '^[0-9]+$' then ${text}::numeric
    when ${text} ~ '(Z|[+-][0-9]{2}:?[0-9]{2})$' then extract(epoch from ${text}::timestamptz)
    else extract(epoch from ${text}::timestamp at time zone ${zone}) end)`
}

/**
 * Admits the facts of `arriving`. New ones stand in the inbox from here on, the others after `settleVersions`. From here
 * to its end the transaction holds what `lockForKind` says: staging goes on side by side before it.
 *
 * Versions that the source ranks are taken by rank, whatever their order of arrival; without a rank the later receipt
 * wins, but never over a version that has one. A body that is stored already, with this rank or a higher one, says
 * nothing new. The same body with a higher rank moves the rank and nothing else.
 *
 * @returns whether any fact was there before with another body.
 */
export async function admitArriving(
  tx: Sql,
  source: string,
  kind: string,
  importId: number,
  now: Date,
): Promise<{ hasVersions: boolean }> {
  await lockForKind(tx, source, kind)
  // In one order, so that two writers with the same facts do not wait for each other in turn.
  const { numAffectedRows } = await sql`
    with claimed as (
      insert into intake.inbox (source, kind, external_id, fact_id, body_hash, version, import_id, recorded_at)
      select ${source}, ${kind}, external_id, fact_id, body_hash, version, ${importId}, ${now}
      from arriving order by external_id collate "C"
      on conflict (source, kind, external_id) do nothing
      returning fact_id
    )
    update arriving a set fact_id = null, status = null, is_applied = false
    where not exists (select from claimed c where c.fact_id = a.fact_id)`.execute(tx)
  const standing = Number(numAffectedRows ?? 0)
  if (standing === 0) return { hasVersions: false }
  const fence = lookUp(standing)
  if (!KEEPS_OUT[kind]) {
    // Two writers that correct the same fact take turns here: the second one sees what the first has said.
    await sql`
      select from arriving o
      cross join lateral (
        select fact_id from intake.inbox where source = ${source} and kind = ${kind} and external_id = o.external_id ${fence}
      ) f join intake.inbox i on i.fact_id = f.fact_id
      where o.fact_id is null order by o.external_id collate "C" for update of i`.execute(tx)
  }
  await sql`
    with judged as (
      select o.external_id, i.fact_id, i.body_hash, case
        when i.retracted_at is not null then 'returned'
        when i.body_hash = o.body_hash and o.version > coalesce(i.version, '-infinity') then 'renewed'
        when i.body_hash = o.body_hash then 'known'
        when exists (select from intake.versions v
          where v.fact_id = i.fact_id and v.body_hash = o.body_hash and v.retracted_at is null
            and (o.version is null or v.version >= o.version)) then 'known'
        when o.version is null and i.version is null then 'corrected'
        when o.version >= coalesce(i.version, '-infinity') then 'corrected'
        else 'stale' end as status
      from arriving o
      cross join lateral (
        select fact_id, body_hash, version, retracted_at from intake.inbox
        where source = ${source} and kind = ${kind} and external_id = o.external_id ${fence}
      ) i
      where o.fact_id is null
    )
    update arriving a
    set fact_id = j.fact_id, status = j.status, is_applied = j.status in ('corrected', 'returned'),
      replaces = j.status = 'corrected', replaced_hash = case when j.status = 'corrected' then j.body_hash end
    from judged j where a.external_id = j.external_id`.execute(tx)
  await renewVersions(tx, importId, now)
  const found = await sql<{ found: boolean }>`
    select exists (select from arriving where status not in ('new', 'known')) as found`.execute(tx)
  return { hasVersions: found.rows[0]?.found === true }
}

/**
 * Facts of which each stands by itself come in side by side: the key of the inbox keeps two writers from taking the same
 * fact for new, since one waits there for the other. Orders of a source come one writer at a time, because which line a
 * refund reduces depends on all of that source's that are stored. Who is one person depends on all claims, and facts are
 * stored under the person: claims come in alone.
 */
async function lockForKind(tx: Sql, source: string, kind: string): Promise<void> {
  const keepsOut = KEEPS_OUT[kind]
  await lockIntake(tx, keepsOut === 'claims' ? 'alone' : 'beside')
  if (keepsOut === 'orders') await lockOrders(tx, source)
}

/** The body in force came again with a higher rank: that is its version from here on, and the earlier one is kept. */
async function renewVersions(tx: Sql, importId: number, now: Date): Promise<void> {
  await sql`
    with earlier as (
      insert into intake.versions (fact_id, import_id, body_hash, version, recorded_at)
      select i.fact_id, i.import_id, i.body_hash, i.version, i.recorded_at
      from arriving a join intake.inbox i on i.fact_id = a.fact_id where a.status = 'renewed'
    )
    update intake.inbox i set version = a.version, import_id = ${importId}, recorded_at = ${now}
    from arriving a where a.status = 'renewed' and i.fact_id = a.fact_id`.execute(tx)
  await sql`update arriving set status = 'known' where status = 'renewed'`.execute(tx)
}

/** Made empty by the module that fills it. */
export async function createDisplaced(tx: Sql): Promise<void> {
  await sql`
    create temp table displaced (fact_id bigint, body_hash bytea, identity_ids bigint[], body jsonb) on commit drop`.execute(
    tx,
  )
}

/** Keeps what `displaced` holds. */
export async function keepBodies(tx: Sql): Promise<void> {
  await sql`
    insert into intake.bodies (fact_id, body_hash, identity_ids, body)
    select fact_id, body_hash, identity_ids, body from displaced on conflict do nothing`.execute(tx)
}

/** The inbox takes what came into force, and versions that are not in force are kept beside it. */
export async function settleVersions(tx: Sql, importId: number, now: Date): Promise<void> {
  await sql`
    insert into intake.versions (fact_id, import_id, body_hash, version, recorded_at)
    select i.fact_id, i.import_id, i.body_hash, i.version, i.recorded_at
    from arriving a join intake.inbox i on i.fact_id = a.fact_id where a.replaces
    union all
    select fact_id, ${importId}, body_hash, version, ${now} from arriving where status = 'stale'`.execute(tx)
  // By the fact, not by its three-part key: of that the planner expects one row, and reads `arriving` for each it finds.
  await sql`
    update intake.inbox i
    set body_hash = a.body_hash, version = a.version, import_id = ${importId}, recorded_at = ${now}, retracted_at = null
    from arriving a where a.is_applied and a.status <> 'new' and i.fact_id = a.fact_id`.execute(tx)
}

export interface StoredImport {
  readonly import_id: number
  readonly file_name: string
  readonly mapping_name: string
  readonly source: string
  readonly started_at: Date
  readonly finished_at: Date
  readonly rows_in: number
  readonly rows_stored: number
  readonly rows_merged: number
  readonly rows_rejected: number
  readonly undone_at: Date | null
  readonly undone_by: string | null
}

const IMPORT_COLUMNS = sql`import_id, file_name, mapping_name, source, started_at, finished_at, rows_in, rows_stored, rows_merged,
  rows_rejected, undone_at, undone_by`

/** The latest imports of files, newest first. */
export async function selectImports(db: Sql, limit: number): Promise<StoredImport[]> {
  const { rows } = await sql<StoredImport>`
    select ${IMPORT_COLUMNS} from intake.imports order by import_id desc limit ${limit}`.execute(db)
  return rows
}

export async function selectImport(db: Sql, importId: number): Promise<StoredImport | undefined> {
  const { rows } = await sql<StoredImport>`
    select ${IMPORT_COLUMNS} from intake.imports where import_id = ${importId}`.execute(db)
  return rows[0]
}

export async function lockImport(tx: Sql, importId: number): Promise<StoredImport | undefined> {
  await sql`select from intake.imports where import_id = ${importId} for update`.execute(tx)
  return selectImport(tx, importId)
}

export async function updateUndone(tx: Sql, importId: number, by: string, now: Date): Promise<void> {
  await sql`
    update intake.imports set undone_at = ${now}, undone_by = ${by} where import_id = ${importId}`.execute(tx)
}

/** Kinds of fact that an import brought: one, or none when all it brought has been replaced since. */
export async function selectKindsInForce(tx: Sql, importId: number): Promise<{ source: string; kind: string }[]> {
  const { rows } = await sql<{ source: string; kind: string }>`
    select distinct source, kind from intake.inbox where import_id = ${importId} and retracted_at is null`.execute(tx)
  return rows
}

/** Versions of an import that are not in force: they never will be again. */
export async function retractVersions(tx: Sql, importId: number, now: Date): Promise<void> {
  await sql`
    update intake.versions set retracted_at = ${now} where import_id = ${importId} and retracted_at is null`.execute(tx)
}

/** Facts `i` of which the import's version is in force, each with the version `v` that takes its place, or none. */
function inForceOf(importId: number) {
  return sql`intake.inbox i
    left join lateral (
      select fact_id, import_id, body_hash, version, recorded_at from intake.versions
      where fact_id = i.fact_id and retracted_at is null and import_id <> ${importId}
      order by version desc nulls last, recorded_at desc, import_id desc limit 1
    ) v on true
    where i.import_id = ${importId} and i.retracted_at is null`
}

/** What `selectRetracted` would say once the import was undone. */
export async function selectRetractable(
  db: Sql,
  importId: number,
): Promise<{ facts_retracted: number; facts_restored: number }> {
  const { rows } = await sql<{ facts_retracted: number; facts_restored: number }>`
    select count(*) filter (where v.fact_id is null) as facts_retracted,
      count(*) filter (where v.fact_id is not null) as facts_restored
    from ${inForceOf(importId)}`.execute(db)
  return rows[0] ?? { facts_retracted: 0, facts_restored: 0 }
}

/**
 * `arriving`: the facts of which the import's version is in force, each with the version that takes its place: the highest
 * rank of those left, of equal ones the latest. Without any the fact is retracted.
 */
export async function createRetracting(tx: Sql, importId: number): Promise<void> {
  await sql`
    create temp table arriving on commit drop as
    select i.external_id, i.fact_id, v.body_hash, v.version, v.import_id, v.recorded_at,
      case when v.fact_id is null then 'retracted' when v.body_hash = i.body_hash then 'known' else 'corrected' end as status,
      v.body_hash is distinct from i.body_hash and v.fact_id is not null as is_applied,
      v.body_hash is distinct from i.body_hash as replaces, i.body_hash as replaced_hash
    from ${inForceOf(importId)}`.execute(tx)
  await sql`create unique index on arriving (external_id)`.execute(tx)
  await sql`analyze arriving`.execute(tx)
}

export async function selectRetracted(tx: Sql): Promise<{ facts_retracted: number; facts_restored: number }> {
  const { rows } = await sql<{ facts_retracted: number; facts_restored: number }>`
    select count(*) filter (where status = 'retracted') as facts_retracted,
      count(*) filter (where status <> 'retracted') as facts_restored from arriving`.execute(tx)
  return rows[0] ?? { facts_retracted: 0, facts_restored: 0 }
}

/** The inbox takes the versions that came back, and what the import said is kept as retracted. */
export async function settleRetraction(tx: Sql, now: Date): Promise<void> {
  await sql`
    insert into intake.versions (fact_id, import_id, body_hash, version, recorded_at, retracted_at)
    select i.fact_id, i.import_id, i.body_hash, i.version, i.recorded_at, ${now}
    from arriving a join intake.inbox i on i.fact_id = a.fact_id`.execute(tx)
  await sql`
    delete from intake.versions v using arriving a where v.fact_id = a.fact_id and v.import_id = a.import_id`.execute(
    tx,
  )
  await sql`
    update intake.inbox i
    set body_hash = a.body_hash, version = a.version, import_id = a.import_id, recorded_at = a.recorded_at
    from arriving a where a.status <> 'retracted' and i.fact_id = a.fact_id`.execute(tx)
  await sql`
    update intake.inbox i set retracted_at = ${now}
    from arriving a where a.status = 'retracted' and i.fact_id = a.fact_id`.execute(tx)
}
