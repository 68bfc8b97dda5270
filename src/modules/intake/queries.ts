import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { FactResult } from './schema.ts'

/**
 * Until the transaction ends. `alone`: no fact of the brand comes in beside it, because it changes who is one person, takes
 * facts back or erases them. `beside`: facts come in side by side, and who they belong to stands still.
 */
export async function lockIntake(tx: Sql, mode: 'alone' | 'beside' = 'alone'): Promise<void> {
  const lock = mode === 'alone' ? sql`pg_advisory_xact_lock` : sql`pg_advisory_xact_lock_shared`
  await sql`select ${lock}(hashtext('perennial intake'))`.execute(tx)
}

/** One writer of a source's orders at a time, until the transaction ends. */
export async function lockOrders(tx: Sql, source: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('perennial orders'), hashtext(${source}))`.execute(tx)
}

/**
 * For a transaction that looks up a thousand rows of tables that may have millions: never read such a table from end to
 * end. Its size tempts the planner to, until it is a few hundred thousand rows, and a batch took three times as long.
 */
export async function preferIndexes(tx: Sql): Promise<void> {
  await sql`select set_config('enable_seqscan', 'off', true), set_config('enable_mergejoin', 'off', true)`.execute(tx)
}

/** From so many rows on, one pass over a table is cheaper than looking each of them up. */
const LOOKED_UP_MAX = 50_000

/**
 * The end of a lateral subquery that looks rows up by an index. "offset 0" is a fence: of few rows each is looked up, whatever
 * the planner thinks of a table that has grown since its statistics were taken, if ever (a batch of 1,000 records took
 * 0.3 s in one join that read all claims). Of many it may choose.
 */
export function lookUp(rows: number): RawBuilder<unknown> {
  return rows <= LOOKED_UP_MAX ? sql`offset 0` : sql``
}

/** Gives the caller's `arriving_connections` the ids that new ones take; an id not taken is a gap, nothing more. */
export async function numberConnections(tx: Sql): Promise<void> {
  await sql`update arriving_connections set fact_id = nextval('intake.fact_id')`.execute(tx)
}

/** The same for the caller's `true_spreads`: a spread and its end are facts, each with a number of its own. */
export async function numberSpreads(tx: Sql): Promise<void> {
  await sql`
    update true_spreads set spread_id = nextval('intake.fact_id'), voided_id = nextval('intake.fact_id')
    where spread_id is null`.execute(tx)
}

/** The same for the caller's `new_assignments`: tags that are given here and not told by a source. */
export async function numberAssignments(tx: Sql): Promise<void> {
  await sql`update new_assignments set assignment_id = nextval('intake.fact_id')`.execute(tx)
}

export interface ImportRow {
  readonly file_name: string
  readonly mapping_name: string
  readonly source: string
  readonly options: Record<string, string>
  readonly started_at: Date
}

/** Which brand this is: brands of an installation have a database each. */
export async function selectDatabaseName(db: Sql): Promise<string> {
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
  return rows[0]?.name ?? ''
}

export async function nextFactId(tx: Sql): Promise<number> {
  const { rows } = await sql<{ id: number }>`select nextval('intake.fact_id') as id`.execute(tx)
  return rows[0]?.id ?? 0
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

/**
 * `changed_people (person_id bigint)` of the caller's transaction, or another table of it -> a pending row for each subscriber, waiting since `now`. Always
 * a row of its own, also for who is pending already: that row may be worked off before this transaction commits, by a worker that
 * does not see its facts. And nobody waits for a worker.
 */
export async function insertPending(
  tx: Sql,
  now: Date,
  { changed = 'changed_people', ...cause }: { readonly changed?: string } & Partial<PendingCause> = {},
): Promise<void> {
  const facts = cause.facts ?? sql`select null::bigint as person_id, null::bigint as fact_id where false`
  const changedFrom = cause.isDated ? CHANGED_FROM : sql`null::timestamptz`
  const kind = cause.isKinded ? sql`fact_kind` : sql`${cause.kind ?? null}::text`
  await sql`
    insert into intake.pending_people (subscriber, person_id, pending_since, fact_kind, fact_id, changed_from)
    select s.subscriber, p.person_id, ${now}::timestamptz, p.fact_kind, f.fact_id, p.changed_from
    from (select person_id, ${kind} as fact_kind, ${changedFrom} as changed_from from ${sql.ref(changed)} group by 1, 2) p
    left join (select person_id, max(fact_id) as fact_id from (${facts}) c group by person_id) f using (person_id)
    cross join intake.subscribers s
    where s.event = 'people_changed' and p.person_id > 0`.execute(tx)
}

/** What changed them: facts, as a select body (person_id, fact_id). */
export interface PendingCause {
  readonly kind?: string
  /** The table of changed people has a column `fact_kind` in place of it. */
  readonly isKinded?: boolean
  readonly facts: RawBuilder<unknown>
  /** The table of changed people has a column `changed_from`: from when on they may be known otherwise; null: at any instant. */
  readonly isDated?: boolean
}

/** Of several changes of a person the earliest; null where one of them is at any instant. */
const CHANGED_FROM = sql`case when bool_and(changed_from is not null) then min(changed_from) end`

/** One of several parts of all people, by a hash: numbers that come two at a time, as with a phone each, are all even. One worker each. */
export interface Share {
  readonly number: number
  readonly of: number
}

/** Of rows with a person_id those of a share, or all: `and …`. */
export function isOfShare(share: Share | undefined): RawBuilder<unknown> {
  return share ? sql`and abs(hashint8(person_id) % ${share.of}::int) = ${share.number}::int` : sql``
}

/**
 * Takes pending people off the list into `claimed_people (person_id, fact_kinds, changed_from, fact_id, pending_since, stored_at)`, with
 * all their rows that it sees: kinds of the facts that changed them, with a null among them where it may have been anything, and for each
 * from when on (null: at any instant); the latest of those facts; since when they wait, and when the last was stored.
 * Each subscriber claims under a lock of its own, one for each share, and nobody else takes rows away. So none is locked before it is
 * deleted to skip those that another claims: that was half of the time of a claim.
 *
 * @returns how many people were claimed.
 */
export async function claimPending(tx: Sql, subscriber: string, limit: number, share?: Share): Promise<number> {
  const rows = sql`intake.pending_people where subscriber = ${subscriber} ${isOfShare(share)}`
  await sql`
    create temp table claimed_people (
      person_id bigint not null, fact_kinds text[] not null, changed_from timestamptz[] not null, fact_id bigint,
      pending_since timestamptz, stored_at timestamptz
    ) on commit drop`.execute(tx)
  // One list after the other and not all beside each other: in a hash those of 5,000 people took up more than it may, and went to disk.
  await sql`set local enable_hashagg = off`.execute(tx)
  const { rows: claimed } = await sql<{ claimed: number }>`
    with gone as (
      -- Up to a person, and not of a join or a list: of a join the planner walked over all rows of other subscribers for each person,
      -- 25 s for ten thousand. Which one is asked only where there are so many.
      delete from ${rows} and person_id <= case when (select count(*) from ${rows}) > ${limit} then (
        select max(person_id) from (select distinct person_id from ${rows} order by person_id limit ${limit}) first
      ) else ${Number.MAX_SAFE_INTEGER}::bigint end
      returning person_id, fact_kind, fact_id, pending_since, changed_from
    ), kept as (
      insert into claimed_people
      select person_id, array_agg(fact_kind), array_agg(changed_from), max(fact_id), min(pending_since), max(stored_at)
      from (
        select person_id, fact_kind, ${CHANGED_FROM} as changed_from, max(fact_id) as fact_id, min(pending_since) as pending_since,
          max(pending_since) as stored_at
        from gone group by person_id, fact_kind
      ) kinds group by person_id
      returning person_id
    )
    select count(*) as claimed from kept`.execute(tx)
  await sql`set local enable_hashagg = on`.execute(tx)
  // Statistics of a tenth of the usual number of rows are enough, also of what is made of these people. Of lists of kinds and instants
  // the planner asks nothing, and to count them took longer than to write them.
  await sql`set local default_statistics_target = 10`.execute(tx)
  await sql`analyze claimed_people (person_id)`.execute(tx)
  return claimed[0]?.claimed ?? 0
}

/** Those who are on the list that `claimPending` made, with its columns. */
export const CLAIMED_PEOPLE: RawBuilder<unknown> = sql`select * from claimed_people`

/**
 * Hands people on to whoever rests on what the claimer made of the facts, in the transaction that made it: what is pending for them is
 * done here. They wait since their first fact. `people` is a select body (person_id, fact_kinds, pending_since, fact_id); changes that the
 * claimer knows of besides the facts are kinds of their own.
 *
 * @param besides a subscriber who has them already.
 */
export async function passPending(
  tx: Sql,
  event: string,
  people: RawBuilder<unknown>,
  besides?: string | undefined,
): Promise<void> {
  await sql`
    insert into intake.pending_people (subscriber, person_id, pending_since, fact_kind, fact_id)
    select s.subscriber, c.person_id, c.pending_since, k.fact_kind, c.fact_id
    from intake.subscribers s cross join (${people}) c cross join lateral unnest(c.fact_kinds) as k(fact_kind)
    where s.event = ${event} and s.subscriber is distinct from ${besides ?? null}::text`.execute(tx)
}

/** People of a select body (person_id, fact_id), of whom anything may have changed, wait for one subscriber since `now`. */
export async function makePending(tx: Sql, subscriber: string, people: RawBuilder<unknown>, now: Date): Promise<void> {
  await sql`
    insert into intake.pending_people (subscriber, person_id, pending_since, fact_id)
    select ${subscriber}::text, person_id, ${now}::timestamptz, max(fact_id) from (${people}) p group by person_id`.execute(
    tx,
  )
}

/** From when this transaction is in, pending rows are made for the subscriber too. The caller keeps out whoever makes them. */
export async function subscribe(tx: Sql, event: string, subscriber: string): Promise<void> {
  await sql`insert into intake.subscribers values (${event}, ${subscriber})`.execute(tx)
}

/** From then on none are made; those that are left go. */
export async function unsubscribe(tx: Sql, event: string, subscriber: string): Promise<void> {
  await sql`delete from intake.subscribers where event = ${event} and subscriber = ${subscriber}`.execute(tx)
  await sql`delete from intake.pending_people where subscriber = ${subscriber}`.execute(tx)
}

export async function isSubscribed(db: Sql, event: string, subscriber: string): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (select from intake.subscribers where event = ${event} and subscriber = ${subscriber}) as found`.execute(
    db,
  )
  return rows[0]?.found === true
}

export async function countPending(db: Sql, subscriber: string): Promise<number> {
  const { rows } = await sql<{ pending: number }>`
    select count(distinct person_id) as pending from intake.pending_people where subscriber = ${subscriber}`.execute(db)
  return rows[0]?.pending ?? 0
}

/** How often people changed whom a subscriber has yet to work off: as many as they are, or more. To tell 10,000 apart took 20 ms. */
export async function countPendingChanges(db: Sql, subscriber: string): Promise<number> {
  const { rows } = await sql<{ changes: number }>`
    select count(*) as changes from intake.pending_people where subscriber = ${subscriber}`.execute(db)
  return rows[0]?.changes ?? 0
}

/** How many people a subscriber has yet to work off, and since when the first of them waits. */
export async function selectPending(
  db: Sql,
  subscriber: string,
): Promise<{ pending: number; pending_since: Date | null }> {
  const { rows } = await sql<{ pending: number; pending_since: Date | null }>`
    select count(distinct person_id) as pending, min(pending_since) as pending_since
    from intake.pending_people where subscriber = ${subscriber}`.execute(db)
  return rows[0] ?? { pending: 0, pending_since: null }
}

/**
 * Everything becomes pending for one subscriber at once when it rebuilds: forget what was pending before, and hand it on to the
 * subscribers of an event of its own, as people of whom anything may have changed.
 */
export async function deletePending(tx: Sql, subscriber: string, passedAs: string): Promise<void> {
  await sql`
    with gone as (
      delete from intake.pending_people where subscriber = ${subscriber} returning person_id, pending_since, fact_id
    )
    insert into intake.pending_people (subscriber, person_id, pending_since, fact_id)
    select s.subscriber, person_id, min(pending_since), max(fact_id)
    from gone cross join intake.subscribers s where s.event = ${passedAs}
    group by s.subscriber, person_id`.execute(tx)
}

/**
 * `moved_identities (identity_id, person_id)` of the caller: identities that left a person, for whoever keeps facts by
 * person. Which is pending already is locked ("do update … where false" locks and writes nothing), so that nobody claims the
 * row before this transaction commits; in one order, so that two writers do not wait for each other.
 */
export async function insertMoves(tx: Sql): Promise<void> {
  await sql`
    insert into intake.pending_moves (subscriber, identity_id, person_id)
    select s.subscriber, m.identity_id, m.person_id
    from intake.subscribers s, (select distinct identity_id, person_id from moved_identities) m
    where s.event = 'identities_moved'
    order by s.subscriber, m.identity_id, m.person_id
    on conflict (subscriber, identity_id, person_id) do update set person_id = excluded.person_id where false`.execute(
    tx,
  )
}

/** Takes moves off the list into `claimed_moves (identity_id, person_id)`. */
export async function claimMoves(tx: Sql, subscriber: string, limit: number): Promise<number> {
  await sql`create temp table claimed_moves (identity_id bigint, person_id bigint) on commit drop`.execute(tx)
  const { rows } = await sql<{ claimed: number }>`
    with taken as (
      select identity_id, person_id from intake.pending_moves where subscriber = ${subscriber}
      order by identity_id limit ${limit} for update skip locked
    ), gone as (
      delete from intake.pending_moves p using taken t
      where p.subscriber = ${subscriber} and p.identity_id = t.identity_id and p.person_id = t.person_id
      returning p.identity_id, p.person_id
    ), kept as (
      insert into claimed_moves select identity_id, person_id from gone returning identity_id
    )
    select count(*) as claimed from kept`.execute(tx)
  await sql`analyze claimed_moves`.execute(tx)
  return rows[0]?.claimed ?? 0
}

/** What became of the documents of this transaction, after `admitArriving`. */
export async function selectArriving(tx: Sql): Promise<{ external_id: string; status: FactResult['status'] }[]> {
  const { rows } = await sql<{ external_id: string; status: FactResult['status'] }>`
    select external_id, case status when 'returned' then 'new' else status end as status from arriving`.execute(tx)
  return rows
}
