import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/**
 * The set verbs of this module take their argument as a temporary table of the caller's transaction:
 * `arriving (external_id text, body_hash bytea, fact_id bigint, status text)`.
 */

/**
 * One import of a brand at a time, until the transaction ends. Two at once that bring the same document would both
 * take it for new, and its revenue would count twice.
 */
export async function lockIntake(tx: Sql): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('perennial intake'))`.execute(tx)
}

/** Fills fact_id and status (new | known | corrected) of `arriving`, and gives the new ones their ids. */
export async function admitArriving(tx: Sql, source: string, kind: string): Promise<void> {
  await sql`
    update arriving a
    set fact_id = i.fact_id,
        status = case
          when i.body_hash = a.body_hash then 'known'
          when exists (select from intake.superseded s where s.fact_id = i.fact_id and s.body_hash = a.body_hash)
            then 'known'
          else 'corrected' end
    from intake.inbox i
    where i.source = ${source} and i.kind = ${kind} and i.external_id = a.external_id`.execute(tx)
  // In the order of the documents' own ids, so that the same file always gives the same fact ids.
  await sql`
    update arriving a
    set fact_id = n.fact_id, status = 'new'
    from (
      select external_id, nextval('intake.fact_id') as fact_id
      from (select external_id from arriving where fact_id is null order by external_id collate "C") o
    ) n
    where n.external_id = a.external_id and a.fact_id is null`.execute(tx)
}

/** Gives the caller's `arriving_connections` the ids that new ones take; an id not taken is a gap, nothing more. */
export async function numberConnections(tx: Sql): Promise<void> {
  await sql`update arriving_connections set fact_id = nextval('intake.fact_id')`.execute(tx)
}

/** Keeps the bodies that are about to be replaced: `superseding (fact_id bigint, body jsonb)`. */
export async function insertSuperseded(tx: Sql, now: Date): Promise<void> {
  await sql`
    insert into intake.superseded (fact_id, body_hash, body, import_id, recorded_at, superseded_at)
    select i.fact_id, i.body_hash, s.body, i.import_id, i.recorded_at, ${now}
    from superseding s join intake.inbox i using (fact_id)
    on conflict do nothing`.execute(tx)
}

export async function upsertInbox(tx: Sql, source: string, kind: string, importId: number, now: Date): Promise<void> {
  await sql`
    insert into intake.inbox (source, kind, external_id, fact_id, body_hash, import_id, recorded_at)
    select ${source}, ${kind}, external_id, fact_id, body_hash, ${importId}, ${now}
    from arriving where status <> 'known'
    on conflict (source, kind, external_id) do update
    set body_hash = excluded.body_hash, import_id = excluded.import_id, recorded_at = excluded.recorded_at`.execute(tx)
}

export interface ImportRow {
  readonly file_name: string
  readonly mapping_name: string
  readonly source: string
  readonly options: Record<string, string>
  readonly started_at: Date
}

/** Reserves the id; the row itself is written when the counts are known, in the same transaction. */
export async function nextImportId(tx: Sql): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    select nextval(pg_get_serial_sequence('intake.imports', 'import_id')) as id`.execute(tx)
  return rows[0]?.id ?? 0
}

export async function insertImport(
  tx: Sql,
  importId: number,
  row: ImportRow,
  counts: { rows_in: number; rows_stored: number; rows_merged: number; rows_rejected: number },
  finishedAt: Date,
): Promise<void> {
  await sql`
    insert into intake.imports (import_id, file_name, mapping_name, source, options, started_at, finished_at,
      rows_in, rows_stored, rows_merged, rows_rejected)
    overriding system value
    values (${importId}, ${row.file_name}, ${row.mapping_name}, ${row.source}, ${JSON.stringify(row.options)}::jsonb,
      ${row.started_at}, ${finishedAt}, ${counts.rows_in}, ${counts.rows_stored}, ${counts.rows_merged},
      ${counts.rows_rejected})`.execute(tx)
}

/** `changed_people (person_id bigint)` of the caller's transaction -> a pending row for each subscriber. */
export async function insertPending(tx: Sql): Promise<void> {
  await sql`
    insert into intake.pending_people (subscriber, person_id)
    select subscriber, person_id from intake.subscribers, (select distinct person_id from changed_people) p
    where person_id > 0
    on conflict do nothing`.execute(tx)
}

/** Takes pending people off the list into `claimed_people (person_id)`; others' claims are skipped, not waited for. */
export async function claimPending(tx: Sql, subscriber: string, limit: number): Promise<number> {
  await sql`create temp table claimed_people (person_id bigint primary key) on commit drop`.execute(tx)
  const { rows } = await sql<{ claimed: number }>`
    with taken as (
      select person_id from intake.pending_people where subscriber = ${subscriber}
      order by person_id limit ${limit} for update skip locked
    ), gone as (
      delete from intake.pending_people p using taken t
      where p.subscriber = ${subscriber} and p.person_id = t.person_id returning p.person_id
    ), kept as (
      insert into claimed_people select person_id from gone returning person_id
    )
    select count(*) as claimed from kept`.execute(tx)
  await sql`analyze claimed_people`.execute(tx)
  return rows[0]?.claimed ?? 0
}

export async function countPending(db: Sql, subscriber: string): Promise<number> {
  const { rows } = await sql<{ pending: number }>`
    select count(*) as pending from intake.pending_people where subscriber = ${subscriber}`.execute(db)
  return rows[0]?.pending ?? 0
}

/** Everything becomes pending for one subscriber at once when it rebuilds: forget what was pending before. */
export async function deletePending(tx: Sql, subscriber: string): Promise<void> {
  await sql`delete from intake.pending_people where subscriber = ${subscriber}`.execute(tx)
}
