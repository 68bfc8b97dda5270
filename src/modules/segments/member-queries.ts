import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import { shareOutPeople } from '../customers/actions.ts'
import type { Share } from '../intake/actions.ts'
import type { ResolvedNode } from './definition.ts'
import { refundedOrders } from './event-queries.ts'
import type { Few, Ground, Scope } from './ground-queries.ts'
import { EVERYONE, evaluationBody, storedStanding } from './queries.ts'
import { monthOf } from './rules.ts'

/*
 * Who is in which segment, kept current. A look is a pair of segment and person; whoever is looked at is evaluated by one statement a
 * segment, and all that differs from what is kept is written by a few statements for all looks together.
 */

/** Stays that ended longer ago go, by whole months. */
export const RETENTION_MONTHS = 36

/** One at a time: evaluation, and changes of definitions. Of several shares of the people each beside the others, and nothing else. */
export async function lockSegments(tx: Sql, share?: Share): Promise<void> {
  if (!share) await sql`select pg_advisory_xact_lock(hashtext('perennial segments'))`.execute(tx)
  else
    await sql`
      select pg_advisory_xact_lock_shared(hashtext('perennial segments')),
        pg_advisory_xact_lock(hashtext('perennial segments of a share'), ${share.number}::int)`.execute(tx)
}

/**
 * `looks (segment_id, person_id, cause, fact_id, at)`, and `evaluated` for what differs of them: whether the definition holds and until
 * when, beside the stay (in_at, in_cause, in_fact_id) and the due (due_at) that are kept, null where none is. Empty.
 */
export async function createLooks(tx: Sql): Promise<void> {
  await sql`drop table if exists looks, evaluated`.execute(tx)
  await sql`
    create temp table looks (segment_id bigint not null, person_id bigint not null, cause text not null, fact_id bigint, at timestamptz not null)
    on commit drop`.execute(tx)
  await sql`
    create temp table evaluated (
      segment_id bigint not null, person_id bigint not null, holds boolean not null, until timestamptz not null,
      in_at timestamptz, in_cause text, in_fact_id bigint, due_at timestamptz
    ) on commit drop`.execute(tx)
}

/** The people of `claimed_people` whom a segment has to be asked about: those of whom a fact changed that it may rest on. */
export async function lookAtClaimed(
  tx: Sql,
  segments: readonly { segment_id: number; factKinds: readonly string[] | null }[],
  now: Date,
): Promise<void> {
  const ids = segments.map(({ segment_id }) => segment_id)
  // Null is a kind that nobody has, so that an array of arrays of one length is not needed.
  const kinds = segments.map(({ factKinds }) => JSON.stringify(factKinds))
  await sql`
    with asked as materialized (
      select segment_id, kinds = 'null' as is_any,
        case when kinds <> 'null' then array(select jsonb_array_elements_text(kinds::jsonb)) end as kinds
      from unnest(${ids}::bigint[], ${kinds}::text[]) as g(segment_id, kinds)
    )
    insert into looks
    select g.segment_id, p.person_id, 'fact', p.fact_id, ${now}::timestamptz
    from asked g cross join claimed_people p
    where g.is_any or array_position(p.fact_kinds, null) is not null or p.fact_kinds && g.kinds`.execute(tx)
  await sql`analyze looks`.execute(tx)
}

/** Takes whoever is due by time, soonest first, into `looks`. Where nobody is, nothing but the index is read. */
export async function lookAtDue(tx: Sql, now: Date, limit: number): Promise<number> {
  const { rows } = await sql<{ due: number }>`
    with taken as (
      insert into looks
      select segment_id, person_id, 'time', null, due_at from segments.due
      where due_at <= ${now}::timestamptz order by due_at limit ${limit} returning 1
    ) select count(*) as due from taken`.execute(tx)
  const due = rows[0]?.due ?? 0
  if (due === 0) return 0
  await sql`analyze looks`.execute(tx)
  await sql`
    delete from segments.due d using looks l
    where d.due_at <= ${now}::timestamptz and d.segment_id = l.segment_id and d.person_id = l.person_id`.execute(tx)
  return due
}

/** First instant at which somebody is due; undefined: nobody ever is. One entry of an index. */
export async function selectNextDue(db: Sql): Promise<Date | undefined> {
  const { rows } = await sql<{ due_at: Date }>`select due_at from segments.due order by due_at limit 1`.execute(db)
  return rows[0]?.due_at
}

/**
 * What `evaluated` has, of the people of one segment: `people` is a from clause that joins what is so of them (holds, until) with what is
 * kept. Only who differs: who is in and was not, or the other way about, and whose due has to come sooner than the one that is written. A
 * look that comes too early costs one evaluation, one that comes too late would be wrong; and a renewed cut table moves the instants of
 * half of the buyers by a day, mostly to later ones, and a further order that of its buyer.
 */
function differing(segmentId: number, people: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select ${segmentId}::bigint as segment_id, person_id, coalesce(holds, false) as holds, coalesce(until, 'infinity') as until,
      in_at, in_cause, in_fact_id, due_at
    from ${people}
    where coalesce(holds, false) <> (in_at is not null) or (until < 'infinity' and (due_at is null or due_at > until))`
}

/**
 * `looked_standing` and `looked_orders`: of whoever is looked at, once for all segments. Five segments with four clauses about orders
 * that each read them took 1.3 s of PostgreSQL's processor for 10,000 facts, and this way, with interactions looked up, 0.9 s.
 */
export async function layOutLooked(
  tx: Sql,
  ground: Omit<Ground, 'scope'>,
  withOrders: boolean,
): Promise<Omit<Few, 'people'>> {
  const people = lookedPeople()
  const all = { ...ground, scope: sql`in (${people})` }
  const [standing, orders] = [sql.table('looked_standing'), withOrders ? sql.table('looked_orders') : undefined]
  await sql`drop table if exists looked_standing, looked_orders`.execute(tx)
  // Statistics of a tenth of the usual number of rows are enough, and take a tenth of the time.
  await sql`set local default_statistics_target = 10`.execute(tx)
  await sql`create temp table ${standing} on commit drop as ${storedStanding(all)}`.execute(tx)
  await sql`analyze ${standing} (person_id)`.execute(tx)
  if (orders) {
    const body = refundedOrders({ ...all, few: { people, standing, orders: undefined } }, false)
    await sql`create temp table ${orders} on commit drop as ${body}`.execute(tx)
    await sql`analyze ${orders} (person_id, paid_at)`.execute(tx)
  }
  return { standing, orders }
}

/**
 * People of looks, in their order and each once, which a join keeps behind an offset. Out of a hash they came to their rows in any order:
 * looking up standing, orders, interactions and stays of 5,000 among a million took an eighth to a third longer.
 */
function lookedPeople(where = sql``): RawBuilder<unknown> {
  return sql`select distinct person_id from looks ${where} order by person_id offset bigint '0'`
}

/** Evaluates a segment for the people of its looks. What is kept is looked up for each, behind "offset 0", or all of it is read. */
export async function evaluateLooked(
  tx: Sql,
  segmentId: number,
  node: ResolvedNode,
  { ground, laidOut }: { readonly ground: Omit<Ground, 'scope'>; readonly laidOut: Omit<Few, 'people'> },
): Promise<void> {
  const people = lookedPeople(sql`where segment_id = ${segmentId}::bigint`)
  const few = { ...laidOut, people }
  const body = evaluationBody(node, { ...ground, scope: sql`in (${people})`, few })
  await sql`
    insert into evaluated ${differing(
      segmentId,
      sql`(${people}) p left join (${body}) e using (person_id)
      left join lateral (
        select in_at, in_cause, in_fact_id from ${membersTable(segmentId)} m where m.person_id = p.person_id offset 0
      ) m on true
      left join lateral (
        select due_at from ${dueTable(segmentId)} d where d.person_id = p.person_id and e.until < 'infinity' offset 0
      ) d on true`,
    )}`.execute(tx)
}

/**
 * From so many people on they are shared out; below, shares cost more to plan than they save: the 200 clauses that a definition may have
 * take 11 s to plan in six shares and 1.4 s whole; the eleven of five segments saved 4.9 s for a million people.
 */
const SHARED_OUT_FROM_PEOPLE = 100_000
/** Of three processes on two cores each has two; with four shares the last one ran alone, and took an eighth longer. */
const SHARES_OF_PEOPLE = 6

/** What is kept of a segment that everybody is looked at for. */
export interface Kept {
  /** Nothing is. */
  readonly isFirst: boolean
  /** What was due is by another definition, and says nothing. */
  readonly isNew: boolean
}

/**
 * The same for everybody: as a table that is made of it, which is on both cores. What is counted of each person would be on one, so
 * many are shared out: five segments of a million people took 14.6 s, and 9.7 s by four shares. Shares are put in order because a part of one
 * cannot be then: the planner would rather have had all cores read half of each, and count the other half each for itself.
 */
export async function evaluateEverybody(
  tx: Sql,
  segmentId: number,
  node: ResolvedNode,
  ground: Omit<Ground, 'scope'>,
  { isFirst, isNew }: Kept,
): Promise<void> {
  // One row for each of a million people in a hash: in the memory that is set else, they go to disk.
  await sql`set local work_mem = '64MB'`.execute(tx)
  const { last, shares } = await shareOutPeople(tx, SHARES_OF_PEOPLE)
  // Who is not in and never will be by time has no row.
  const evaluationOf = (scope: Scope) => sql`
    select person_id, holds, until from (${evaluationBody(node, { ...ground, scope })}) e where holds or until < 'infinity'`
  const body =
    last < SHARED_OUT_FROM_PEOPLE
      ? evaluationOf(EVERYONE)
      : sql.join(
          shares.map((share) => sql`(${evaluationOf(share)} order by person_id)`),
          sql` union all `,
        )
  const none = sql`cross join (select null::timestamptz as in_at, null::text as in_cause, null::bigint as in_fact_id) m`
  const stays = sql`
    full join (select person_id, in_at, in_cause, in_fact_id from ${membersTable(segmentId)}) m using (person_id)`
  const dues =
    isFirst || isNew
      ? sql`cross join (select null::timestamptz as due_at) d`
      : sql`left join (select person_id, due_at from ${dueTable(segmentId)}) d using (person_id)`
  await sql`drop table if exists evaluated`.execute(tx)
  await sql`
    create temp table evaluated on commit drop as
    ${differing(segmentId, sql`(${body}) e ${isFirst ? none : stays} ${dues}`)}`.execute(tx)
}

/** Segments that have looks. */
export async function selectLooked(tx: Sql): Promise<number[]> {
  const { rows } = await sql<{ segment_id: number }>`select distinct segment_id from looks`.execute(tx)
  return rows.map(({ segment_id }) => segment_id)
}

/** Of whom `evaluated` is. */
export type Extent =
  | { readonly of: 'looks' }
  | ({ readonly of: 'segment'; readonly segmentId: number; readonly cause: string } & Kept)

/**
 * Writes `evaluated`: stays that begin and end, by the time or the fact that did it, and when each is due next. Sizes follow. By a
 * definition that is new what is due takes its place with `exchangeDue`.
 *
 * @returns how many stays began and ended.
 */
export async function writeDifferences(
  tx: Sql,
  extent: Extent,
  now: Date,
  zone: string,
): Promise<{ entered: number; left: number }> {
  if (extent.of === 'segment' && extent.isFirst) return writeFirst(tx, extent, now, zone)
  await sql`drop table if exists flips`.execute(tx)
  const flipping = sql`segment_id, person_id, in_at, in_cause, in_fact_id`
  const flipped = sql`holds <> (in_at is not null)`
  // A person is looked at once for each segment, or twice when time and a fact fall together: the fact is named then.
  const body =
    extent.of === 'looks'
      ? sql`
        select distinct on (segment_id, person_id) ${flipping}, cause, fact_id, at
        from evaluated join looks using (segment_id, person_id) where ${flipped} order by segment_id, person_id, cause`
      : sql`
        select ${flipping}, ${extent.cause}::text as cause, null::bigint as fact_id, ${now}::timestamptz as at
        from evaluated where ${flipped}`
  await sql`create temp table flips on commit drop as ${body}`.execute(tx)
  const counts = await countFlips(tx)
  const isChanged = counts.entered + counts.left > 0
  if (isChanged) await writeFlips(tx, extent, now)
  if (extent.of === 'segment' && extent.isNew) await prepareDue(tx, extent.segmentId)
  else await writeDue(tx)
  if (isChanged) await writeSizes(tx, zone, now)
  return counts
}

async function countFlips(tx: Sql): Promise<{ entered: number; left: number }> {
  const { rows } = await sql<{ entered: number; left: number }>`
    select count(*) filter (where in_at is null) as entered, count(in_at) as left from flips`.execute(tx)
  return rows[0] ?? { entered: 0, left: 0 }
}

async function writeFlips(tx: Sql, extent: Extent, now: Date): Promise<void> {
  await createMonths(tx, now)
  // Of looks each is looked up: the planner has no statistics of `flips` and read all members there are, 0.7 s of a million.
  const joins = sql.lit(extent.of === 'looks' ? 'off' : 'on')
  await sql`select set_config('enable_mergejoin', ${joins}, true), set_config('enable_hashjoin', ${joins}, true)`.execute(
    tx,
  )
  await sql`
    delete from segments.members m using flips f
    where m.out_at = 'infinity' and f.in_at is not null and m.person_id = f.person_id and m.segment_id = f.segment_id`.execute(
    tx,
  )
  await sql`select set_config('enable_mergejoin', 'on', true), set_config('enable_hashjoin', 'on', true)`.execute(tx)
  // Who entered and left at one instant was never in.
  await sql`
    insert into segments.members
    select person_id, segment_id, in_at, at, in_cause, in_fact_id, cause, fact_id from flips
    where in_at < at
    on conflict do nothing`.execute(tx)
  await sql`
    insert into segments.members (person_id, segment_id, in_at, in_cause, in_fact_id)
    select person_id, segment_id, at, cause, fact_id from flips where in_at is null
    order by person_id`.execute(tx)
}

/** Who is in a segment that is new, and when they are due: in tables of its own. */
async function writeFirst(
  tx: Sql,
  { segmentId, cause }: { readonly segmentId: number; readonly cause: string },
  now: Date,
  zone: string,
): Promise<{ entered: number; left: number }> {
  const kept = membersTable(segmentId)
  await sql`create table ${kept} (like segments.members including defaults including constraints)`.execute(tx)
  const { numAffectedRows } = await sql`
    insert into ${kept} (person_id, segment_id, in_at, in_cause)
    select person_id, segment_id, ${now}::timestamptz, ${cause}::text from evaluated where holds`.execute(tx)
  const entered = Number(numAffectedRows ?? 0)
  await sql`alter table ${kept} add primary key (person_id, segment_id, in_at, out_at)`.execute(tx)
  await sql`create index on ${kept} (segment_id, person_id)`.execute(tx)
  await prepareDue(tx, segmentId)
  await exchangeDue(tx, segmentId)
  await sql`alter table segments.members_now attach partition ${kept} for values in (${sql.lit(segmentId)})`.execute(tx)
  await sql`update segments.segments set size = ${entered}::bigint where segment_id = ${segmentId}::bigint`.execute(tx)
  if (entered > 0) await writeSizesOfDay(tx, sql`${segmentId}::bigint`, zone, now)
  return { entered, left: 0 }
}

function membersTable(segmentId: number): RawBuilder<unknown> {
  return sql.table(`segments.members_now_${segmentId}`)
}

/** Last, and in one order: shares of the people that are worked off beside each other meet here, and wait only for the commit. */
async function writeSizes(tx: Sql, zone: string, now: Date): Promise<void> {
  await sql`
    select from segments.segments where segment_id in (select segment_id from flips) order by segment_id for update`.execute(
    tx,
  )
  await sql`
    update segments.segments s set size = s.size + f.difference
    from (
      select segment_id, count(*) filter (where in_at is null) - count(in_at) as difference from flips group by segment_id
    ) f where f.segment_id = s.segment_id`.execute(tx)
  await writeSizesOfDay(tx, sql`select segment_id from flips`, zone, now)
}

async function writeSizesOfDay(tx: Sql, segmentIds: RawBuilder<unknown>, zone: string, now: Date): Promise<void> {
  await sql`
    insert into segments.sizes (segment_id, day, size)
    select segment_id, (${now}::timestamptz at time zone ${zone})::date, size from segments.segments
    where segment_id in (${segmentIds})
    on conflict (segment_id, day) do update set size = excluded.size`.execute(tx)
}

/** A month has its partition before the first stay that ended in it is written; months beyond the retention go then. */
async function createMonths(tx: Sql, now: Date): Promise<void> {
  await createMonthsOf(tx, sql`select at from flips where in_at < at`, now)
}

/** Before shares of the people are worked off beside each other, who would wait for each other to make it. */
export function createMonth(tx: Sql, now: Date): Promise<void> {
  return createMonthsOf(tx, sql`select ${now}::timestamptz as at`, now)
}

async function createMonthsOf(tx: Sql, instants: RawBuilder<unknown>, now: Date): Promise<void> {
  const { rows } = await sql<{ name: string; from: string; to: string }>`
    select 'members_' || to_char(month, 'YYYY_MM') as name, month::text as from, (month + interval '1 month')::text as to
    from (select distinct date_trunc('month', at at time zone 'UTC') as month from (${instants}) i) m
    where to_regclass('segments.members_' || to_char(month, 'YYYY_MM')) is null`.execute(tx)
  for (const { name, from, to } of rows) {
    await sql`
      create table segments.${sql.ref(name)} partition of segments.members
      for values from (${sql.lit(`${from}+00`)}) to (${sql.lit(`${to}+00`)})`.execute(tx)
  }
  if (rows.length > 0) await dropOldMonths(tx, now)
}

async function dropOldMonths(tx: Sql, now: Date): Promise<void> {
  const oldest = `members_${monthOf(now, RETENTION_MONTHS).toISOString().slice(0, 7).replace('-', '_')}`
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'segments.members'::regclass and c.relname ~ '^members_\\d{4}_\\d\\d$' and c.relname < ${oldest}`.execute(
    tx,
  )
  for (const { name } of rows) await sql`drop table segments.${sql.ref(name)}`.execute(tx)
}

/** Of two instants that differ the sooner one is due. */
async function writeDue(tx: Sql): Promise<void> {
  await sql`
    insert into segments.due (person_id, segment_id, due_at)
    select person_id, segment_id, until from evaluated where until < 'infinity' and (due_at is null or due_at > until)
    order by person_id
    on conflict (person_id, segment_id) do update set due_at = excluded.due_at`.execute(tx)
}

/**
 * When the people of a segment are due by a definition that is new, as a table of its own. Of 600,000 rows beside three million,
 * indexed as they came, 12 s and 260 MB of log; this way 1.3 s and none.
 */
async function prepareDue(tx: Sql, segmentId: number): Promise<void> {
  const next = sql.table(`segments.due_${segmentId}_next`)
  await sql`create table ${next} (like segments.due)`.execute(tx)
  await sql`
    insert into ${next} (person_id, segment_id, due_at)
    select person_id, segment_id, until from evaluated where until < 'infinity'`.execute(tx)
  await sql`alter table ${next} add primary key (person_id, segment_id)`.execute(tx)
  await sql`create index on ${next} (due_at)`.execute(tx)
}

/** It takes the place of what was due by another definition. Late: nobody else can ask who is due up to the end of the transaction. */
export async function exchangeDue(tx: Sql, segmentId: number): Promise<void> {
  const [kept, next] = [dueTable(segmentId), sql.table(`segments.due_${segmentId}_next`)]
  await sql`drop table if exists ${kept}`.execute(tx)
  await sql`alter table ${next} rename to ${sql.ref(`due_${segmentId}`)}`.execute(tx)
  // As a partition that is made empty has them, so that a restored database is the same.
  for (const index of ['pkey', 'due_at_idx']) {
    const [from, to] = [`segments.due_${segmentId}_next_${index}`, `due_${segmentId}_${index}`]
    await sql`alter index ${sql.table(from)} rename to ${sql.ref(to)}`.execute(tx)
  }
  await sql`alter table segments.due attach partition ${kept} for values in (${sql.lit(segmentId)})`.execute(tx)
}

function dueTable(segmentId: number): RawBuilder<unknown> {
  return sql.table(`segments.due_${segmentId}`)
}

/** Everything kept of a segment's people. */
export async function deleteMembers(tx: Sql, segmentId: number): Promise<void> {
  await sql`delete from segments.members where segment_id = ${segmentId}::bigint`.execute(tx)
  // Last: nobody else can ask about members or dues from here on, up to the end of the transaction.
  await sql`drop table if exists ${membersTable(segmentId)}, ${dueTable(segmentId)}`.execute(tx)
}

/** Whoever of `erased_identities` was in a segment never was; sizes of days that are over stay. */
export async function eraseMembers(tx: Sql): Promise<void> {
  // Members, then dues, then sizes, as an evaluation beside it writes them.
  const erased = sql`person_id in (select person_id from erased_identities)`
  const { rows } = await sql<{ segment_id: number; people: number }>`
    with gone as (delete from segments.members where ${erased} returning segment_id, out_at)
    select segment_id, count(*) filter (where out_at = 'infinity') as people from gone group by segment_id`.execute(tx)
  await sql`delete from segments.due where ${erased}`.execute(tx)
  const [segmentIds, people] = [rows.map((row) => row.segment_id), rows.map((row) => row.people)]
  await sql`
    update segments.segments s set size = s.size - m.people
    from unnest(${segmentIds}::bigint[], ${people}::bigint[]) as m(segment_id, people)
    where m.segment_id = s.segment_id`.execute(tx)
}

/** Members as of an instant, by what was written then: a select body (person_id). */
export function membersAt(segmentId: number, at: Date | undefined): RawBuilder<unknown> {
  return at === undefined
    ? sql`select person_id from segments.published_members where segment_id = ${segmentId}::bigint and out_at = 'infinity'`
    : sql`select person_id from segments.published_members
        where segment_id = ${segmentId}::bigint and in_at <= ${at}::timestamptz and out_at > ${at}::timestamptz`
}

export interface StayRow {
  readonly segment_id: number
  readonly name: string
  readonly in_at: Date
  readonly out_at: Date | number
  readonly in_cause: string
  readonly in_fact_id: number | null
  readonly out_cause: string | null
  readonly out_fact_id: number | null
}

/** A person's stays in segments, the latest first. */
export async function selectStays(db: Sql, personId: number, limit: number): Promise<StayRow[]> {
  const { rows } = await sql<StayRow>`
    select m.segment_id, s.name, m.in_at, m.out_at, m.in_cause, m.in_fact_id, m.out_cause, m.out_fact_id
    from segments.members m join segments.segments s using (segment_id)
    where m.person_id = ${personId}::bigint order by m.out_at desc, m.in_at desc, m.segment_id limit ${limit}`.execute(
    db,
  )
  return rows
}
