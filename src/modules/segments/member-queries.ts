import { type RawBuilder, sql } from 'kysely'
import { tryLockAgainstBackup } from '../../platform/backup-database.ts'
import type { Sql } from '../../platform/db.ts'
import type { Share } from '../intake/actions.ts'
import type { ResolvedNode } from './definition.ts'
import { evaluationOfFew } from './few-queries.ts'
import type { Few, Ground, Scope } from './ground-queries.ts'
import { lookedPeople } from './look-queries.ts'
import { evaluationBody, scopesOfEverybody } from './queries.ts'
import { monthOf } from './rules.ts'

/*
 * Who is in which segment, kept current. Whoever is looked at is evaluated by one statement a segment, and all that differs from what is
 * kept is written by a few statements for all looks together.
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

/** Without waiting. @returns whether they are locked as `lockSegments` does. */
export async function tryLockSegments(tx: Sql, share?: Share): Promise<boolean> {
  const { rows } = share
    ? await sql<{ locked: boolean }>`
        select pg_try_advisory_xact_lock_shared(hashtext('perennial segments'))
          and pg_try_advisory_xact_lock(hashtext('perennial segments of a share'), ${share.number}::int) as locked`.execute(
        tx,
      )
    : await sql<{ locked: boolean }>`
        select pg_try_advisory_xact_lock(hashtext('perennial segments')) as locked`.execute(tx)
  return rows[0]?.locked === true
}

/** Whether the month of an instant has its partition, so that nobody has to make it. */
export async function hasMonth(tx: Sql, at: Date): Promise<boolean> {
  const name = `past_stays_${monthOf(at).toISOString().slice(0, 7).replace('-', '_')}`
  const { rows } = await sql<{ found: boolean }>`
    select to_regclass('segments.' || ${name}::text) is not null as found`.execute(tx)
  return rows[0]?.found === true
}

/** First instant at which somebody is due; undefined: nobody ever is. One entry of an index. */
export async function selectNextDue(db: Sql): Promise<Date | undefined> {
  const { rows } = await sql<{
    due_at: Date
  }>`select due_at from segments.verdicts where due_at is not null order by due_at limit 1`.execute(db)
  return rows[0]?.due_at
}

/** Whether so many are due, once for each segment. */
export async function areDue(db: Sql, now: Date, people: number): Promise<boolean> {
  const { rows } = await sql<{ due: number }>`
    select count(*) as due from (select from segments.verdicts where due_at <= ${now}::timestamptz limit ${people}) d`.execute(
    db,
  )
  return (rows[0]?.due ?? 0) >= people
}

/**
 * What `evaluated` has, of the people of one segment: `people` is a from clause that joins what is so of them (holds, until) with the
 * verdict that is kept. Only who differs: who is in and was not, or the other way about, whoever is due by now, and whose due has to come
 * sooner than the one that is kept. A look that comes too early costs one evaluation, one that comes too late would be wrong; and a
 * renewed cut table moves the instants of half of the buyers by a day, mostly to later ones, and a further order that of its buyer.
 */
function differing(segmentId: number, people: RawBuilder<unknown>, now: Date): RawBuilder<unknown> {
  return sql`
    select ${segmentId}::bigint as segment_id, person_id, coalesce(holds, false) as holds, nullif(until, 'infinity') as until, ${VERDICT}
    from ${people}
    where coalesce(holds, false) <> (in_at is not null) or due_at <= ${now}::timestamptz
      or (until < 'infinity' and (due_at is null or due_at > until))`
}

/**
 * Evaluates a segment for the people of its looks. What is kept is looked up by an array of them, or all of it is read. Each time they are
 * asked for they were sorted out of the looks anew, 3 ms of 5,000 and five times; where they are joined and their order counts, they are
 * still.
 */
export async function evaluateLooked(
  tx: Sql,
  segmentId: number,
  node: ResolvedNode,
  { ground, laidOut }: { readonly ground: Omit<Ground, 'scope'>; readonly laidOut: Omit<Few, 'people'> },
): Promise<void> {
  const looked = lookedPeople(sql`where segment_id = ${segmentId}::bigint`)
  const people = sql`select person_id from asked_people`
  const body = evaluationOfFew(node, { ...ground, scope: sql`in (${looked})`, few: { ...laidOut, people } })
  await sql`
    insert into evaluated
    with asked_people as materialized (${looked})
    ${differing(
      segmentId,
      sql`asked_people left join (${body}) e using (person_id)
      left join (
        select person_id, ${VERDICT} from ${verdictsOf(segmentId)} where person_id = any(array(${people}))
      ) v using (person_id)`,
      ground.at,
    )}`.execute(tx)
}

/**
 * Of everybody, whether the definition holds and until when: a select body (person_id, holds, until). Who is not in and never will be by
 * time has no row. Shares are put in order because a part of one cannot be then: the planner would rather have had all cores read half of
 * each, and count the other half each for itself.
 */
async function everybody(tx: Sql, node: ResolvedNode, ground: Omit<Ground, 'scope'>): Promise<RawBuilder<unknown>> {
  const scopes = await scopesOfEverybody(tx)
  const evaluationOf = (scope: Scope) => sql`
    select person_id, holds, until from (${evaluationBody(node, { ...ground, scope })}) e where holds or until < 'infinity'`
  return sql.join(
    scopes.map((scope) => sql`(${evaluationOf(scope)} order by person_id)`),
    sql` union all `,
  )
}

/** The same for everybody: as a table that is made of it, which is on both cores. */
export async function evaluateEverybody(
  tx: Sql,
  segmentId: number,
  node: ResolvedNode,
  ground: Omit<Ground, 'scope'>,
): Promise<void> {
  const body = await everybody(tx, node, ground)
  const kept = sql`(select person_id, ${VERDICT} from ${verdictsOf(segmentId)}) v`
  await sql`drop table if exists evaluated`.execute(tx)
  await sql`
    create temp table evaluated on commit drop as
    ${differing(segmentId, sql`(${body}) e full join ${kept} using (person_id)`, ground.at)}`.execute(tx)
}

/** How many stays began and ended. */
export interface Flips {
  readonly entered: number
  readonly left: number
}

/**
 * Writes `evaluated`: stays that begin and end, and when each is due next. Of looks by the time or the fact that did it, which joins are
 * off for: the planner has no statistics of `changes` and read all verdicts there are, 0.7 s of a million. Of everybody by one `cause`.
 */
export async function writeDifferences(
  tx: Sql,
  extent: 'looks' | { readonly cause: string },
  now: Date,
  zone: string,
): Promise<Flips> {
  await sql`drop table if exists changes`.execute(tx)
  const at = sql`${now}::timestamptz`
  const changing = sql`
    segment_id, person_id, holds, in_at, in_fact_id, in_cause, in_at is not null or due_at is not null as is_kept,
    least(until, case when due_at > ${at} then due_at end) as due_at`
  // A person is looked at once for each segment, or twice when time and a fact fall together: the fact is named then.
  const body =
    extent === 'looks'
      ? sql`
        select distinct on (segment_id, person_id) ${changing}, cause, fact_id, at
        from evaluated join looks using (segment_id, person_id) order by segment_id, person_id, cause`
      : sql`select ${changing}, ${extent.cause}::text as cause, null::bigint as fact_id, ${at} as at from evaluated`
  await sql`create temp table changes on commit drop as ${body}`.execute(tx)
  const { rows } = await sql<Flips & { gone: number }>`
    select count(*) filter (where holds and in_at is null) as entered, count(*) filter (where not holds and in_at is not null) as left,
      count(*) filter (where ${IS_GONE}) as gone
    from changes`.execute(tx)
  const { entered, left, gone } = rows[0] ?? { entered: 0, left: 0, gone: 0 }
  if (left > 0) await writePast(tx, now)
  if (gone > 0) await deleteGone(tx, extent === 'looks')
  await writeVerdicts(tx)
  if (entered + left > 0) await writeSizes(tx, zone, now)
  return { entered, left }
}

/** Neither in nor due any more. */
const IS_GONE = sql`is_kept and not holds and due_at is null`

/** Who entered and left at one instant was never in. */
async function writePast(tx: Sql, now: Date): Promise<void> {
  await createMonthsOf(tx, sql`select at from changes where not holds and in_at < at`, now)
  await sql`
    insert into segments.past_stays
    select person_id, segment_id, in_at, at, in_cause, in_fact_id, cause, fact_id from changes where not holds and in_at < at
    on conflict do nothing`.execute(tx)
}

async function deleteGone(tx: Sql, isLookedUp: boolean): Promise<void> {
  const setJoins = (value: string) =>
    sql`select set_config('enable_mergejoin', ${value}, true), set_config('enable_hashjoin', ${value}, true)`.execute(
      tx,
    )
  if (isLookedUp) await setJoins('off')
  await sql`
    delete from segments.verdicts v using (select segment_id, person_id from changes where ${IS_GONE}) c
    where v.person_id = c.person_id and v.segment_id = c.segment_id`.execute(tx)
  if (isLookedUp) await setJoins('on')
}

async function writeVerdicts(tx: Sql): Promise<void> {
  await sql`
    insert into segments.verdicts (person_id, segment_id, due_at, in_at, in_fact_id, in_cause)
    select person_id, segment_id, due_at, case when holds then coalesce(in_at, at) end,
      case when holds then case when in_at is null then fact_id else in_fact_id end end, case when holds then coalesce(in_cause, cause) end
    from changes where holds or due_at is not null
    order by segment_id, person_id
    on conflict (person_id, segment_id) do update
    set due_at = excluded.due_at, in_at = excluded.in_at, in_fact_id = excluded.in_fact_id, in_cause = excluded.in_cause`.execute(
    tx,
  )
}

/**
 * Everybody of a segment that is new, or has a new definition, as a table of its own, on both cores and without the log, indexed after it:
 * of 600,000 rows beside three million, indexed as they came, 12 s and 260 MB of log; this way 1.3 s and none. It is the segment's, or
 * takes the place of the one it has with `exchangeVerdicts`.
 */
export async function evaluateAnew(
  tx: Sql,
  segmentId: number,
  node: ResolvedNode,
  ground: Omit<Ground, 'scope'>,
  { cause, isFirst }: { readonly cause: string; readonly isFirst: boolean },
): Promise<Flips> {
  const body = await everybody(tx, node, ground)
  const made = isFirst ? verdictsOf(segmentId) : nextVerdictsOf(segmentId)
  const kept = isFirst
    ? sql`cross join (select null::timestamptz as in_at, null::bigint as in_fact_id, null::text as in_cause) v`
    : sql`left join (select person_id, ${VERDICT} from ${verdictsOf(segmentId)}) v using (person_id)`
  const at = sql`${ground.at}::timestamptz`
  await sql`
    create table ${made} as
    select person_id, ${segmentId}::bigint as segment_id, nullif(until, 'infinity') as due_at,
      case when holds then coalesce(in_at, ${at}) end as in_at, case when holds then in_fact_id end as in_fact_id,
      case when holds then coalesce(in_cause, ${cause}::text) end as in_cause
    from (${body}) e ${kept}`.execute(tx)
  // With the constraint that all are of the segment nobody reads them again to attach them.
  await sql`
    alter table ${made} add constraint of_segment check (segment_id = ${sql.lit(segmentId)}::bigint), add primary key (person_id, segment_id)`.execute(
    tx,
  )
  await sql`create index on ${made} (due_at) where due_at is not null`.execute(tx)
  if (!isFirst) return writeReplaced(tx, segmentId, ground.at, cause)
  await attachVerdicts(tx, segmentId)
  const { rows } = await sql<{ entered: number }>`select count(in_at) as entered from ${made}`.execute(tx)
  return { entered: rows[0]?.entered ?? 0, left: 0 }
}

/** Stays that end by a table that takes the place of another one, and how many begin and end. */
async function writeReplaced(tx: Sql, segmentId: number, at: Date, cause: string): Promise<Flips> {
  const [kept, made] = [verdictsOf(segmentId), nextVerdictsOf(segmentId)]
  const { rows } = await sql<Flips>`
    select count(m.in_at) filter (where k.in_at is null) as entered, count(k.in_at) filter (where m.in_at is null) as left
    from ${kept} k full join ${made} m using (person_id)`.execute(tx)
  const flips = rows[0] ?? { entered: 0, left: 0 }
  if (flips.left === 0) return flips
  await createMonths(tx, at, at)
  await sql`
    insert into segments.past_stays
    select k.person_id, k.segment_id, k.in_at, ${at}::timestamptz, k.in_cause, k.in_fact_id, ${cause}::text, null
    from ${kept} k left join ${made} m using (person_id)
    where k.in_at < ${at}::timestamptz and m.in_at is null
    on conflict do nothing`.execute(tx)
  return flips
}

/** It takes the place of what was by another definition. Late: nobody else can ask about members up to the end of the transaction. */
export async function exchangeVerdicts(tx: Sql, segmentId: number): Promise<void> {
  await sql`drop table ${verdictsOf(segmentId)}`.execute(tx)
  await sql`alter table ${nextVerdictsOf(segmentId)} rename to ${sql.ref(`verdicts_${segmentId}`)}`.execute(tx)
  for (const index of ['pkey', 'due_at_idx']) {
    const [from, to] = [`segments.verdicts_${segmentId}_next_${index}`, `verdicts_${segmentId}_${index}`]
    await sql`alter index ${sql.table(from)} rename to ${sql.ref(to)}`.execute(tx)
  }
  await attachVerdicts(tx, segmentId)
}

async function attachVerdicts(tx: Sql, segmentId: number): Promise<void> {
  const made = verdictsOf(segmentId)
  await sql`alter table segments.verdicts attach partition ${made} for values in (${sql.lit(segmentId)})`.execute(tx)
  await sql`alter table ${made} drop constraint of_segment`.execute(tx)
}

/** What is kept of a person beside the numbers. */
const VERDICT = sql`due_at, in_at, in_fact_id, in_cause`

export function verdictsOf(segmentId: number): RawBuilder<unknown> {
  return sql.table(`segments.verdicts_${segmentId}`)
}

function nextVerdictsOf(segmentId: number): RawBuilder<unknown> {
  return sql.table(`segments.verdicts_${segmentId}_next`)
}

/** Last, and in one order: shares of the people that are worked off beside each other meet here, and wait only for the commit. */
async function writeSizes(tx: Sql, zone: string, now: Date): Promise<void> {
  const flipped = sql`changes where holds <> (in_at is not null)`
  await sql`
    select from segments.segments where segment_id in (select segment_id from ${flipped}) order by segment_id for update`.execute(
    tx,
  )
  await sql`
    update segments.segments s set size = s.size + c.difference
    from (
      select segment_id, count(*) filter (where holds) - count(in_at) as difference from ${flipped} group by segment_id
    ) c where c.segment_id = s.segment_id`.execute(tx)
  await writeSizesOfDay(tx, sql`select segment_id from ${flipped}`, zone, now)
}

/** Of a segment whose people are kept anew. */
export async function writeSize(
  tx: Sql,
  segmentId: number,
  { entered, left }: Flips,
  zone: string,
  now: Date,
): Promise<void> {
  if (entered + left === 0) return
  await sql`
    update segments.segments set size = size + ${entered - left}::bigint where segment_id = ${segmentId}::bigint`.execute(
    tx,
  )
  await writeSizesOfDay(tx, sql`${segmentId}::bigint`, zone, now)
}

async function writeSizesOfDay(tx: Sql, segmentIds: RawBuilder<unknown>, zone: string, now: Date): Promise<void> {
  await sql`
    insert into segments.sizes (segment_id, day, size)
    select segment_id, (${now}::timestamptz at time zone ${zone})::date, size from segments.segments
    where segment_id in (${segmentIds})
    on conflict (segment_id, day) do update set size = excluded.size`.execute(tx)
}

/** Before shares of the people are worked off beside each other, who would wait for each other to make them. */
export function createMonths(tx: Sql, from: Date, now: Date): Promise<void> {
  return createMonthsOf(tx, sql`values (${from}::timestamptz), (${now}::timestamptz)`, now)
}

/**
 * Each month from the first of some instants (`at`) to the last has its partition before a stay that ended in it is written, and the one
 * after them too, so that nobody waits when it begins; months beyond the retention go then.
 */
async function createMonthsOf(tx: Sql, instants: RawBuilder<unknown>, now: Date): Promise<void> {
  const { rows } = await sql<{ name: string; from: string; to: string }>`
    select 'past_stays_' || to_char(month, 'YYYY_MM') as name, month::text as from, (month + interval '1 month')::text as to
    from (
      select generate_series(date_trunc('month', min(at) at time zone 'UTC'), max(at) at time zone 'UTC' + interval '1 month', interval '1 month') as month
      from (${instants}) i(at)
    ) m
    where to_regclass('segments.past_stays_' || to_char(month, 'YYYY_MM')) is null`.execute(tx)
  for (const { name, from, to } of rows) {
    // Made and attached: to make it where it belongs takes the strongest lock on all of them, for which a backup would have to end.
    await sql`create table segments.${sql.ref(name)} (like segments.past_stays including constraints)`.execute(tx)
    await sql`
      alter table segments.past_stays attach partition segments.${sql.ref(name)}
      for values from (${sql.lit(`${from}+00`)}) to (${sql.lit(`${to}+00`)})`.execute(tx)
  }
  // Beside a backup they stay another month.
  if (rows.length > 0 && (await tryLockAgainstBackup(tx))) await dropOldMonths(tx, now)
}

async function dropOldMonths(tx: Sql, now: Date): Promise<void> {
  const oldest = `past_stays_${monthOf(now, RETENTION_MONTHS).toISOString().slice(0, 7).replace('-', '_')}`
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'segments.past_stays'::regclass and c.relname < ${oldest}`.execute(tx)
  for (const { name } of rows) await sql`drop table segments.${sql.ref(name)}`.execute(tx)
}

/** Everything kept of a segment's people. */
export async function deletePeople(tx: Sql, segmentId: number): Promise<void> {
  await sql`delete from segments.past_stays where segment_id = ${segmentId}::bigint`.execute(tx)
  // Last: nobody else can ask about members from here on, up to the end of the transaction.
  await sql`drop table if exists ${verdictsOf(segmentId)}`.execute(tx)
}

/** Whoever of `erased_identities` was in a segment never was; sizes of days that are over stay. */
export async function eraseMembers(tx: Sql): Promise<void> {
  // Verdicts, then sizes, as an evaluation beside it writes them.
  const erased = sql`person_id in (select person_id from erased_identities)`
  const { rows } = await sql<{ segment_id: number; people: number }>`
    with gone as (delete from segments.verdicts where ${erased} returning segment_id, in_at)
    select segment_id, count(in_at) as people from gone group by segment_id having count(in_at) > 0`.execute(tx)
  await sql`delete from segments.past_stays where ${erased}`.execute(tx)
  const [segmentIds, people] = [rows.map((row) => row.segment_id), rows.map((row) => row.people)]
  await sql`
    update segments.segments s set size = s.size - m.people
    from unnest(${segmentIds}::bigint[], ${people}::bigint[]) as m(segment_id, people)
    where m.segment_id = s.segment_id`.execute(tx)
}

/**
 * Members as of an instant, by what was written then: a select body (person_id). Of the present from one table, of which the planner has
 * statistics: of the view it expected 200 people, and looked each of 500,000 up, 4.5 s for a page of a list in place of 1.3.
 */
export function membersAt(segmentId: number, at: Date | undefined): RawBuilder<unknown> {
  return at === undefined
    ? sql`select person_id from segments.verdicts where segment_id = ${segmentId}::bigint and in_at is not null`
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
    from segments.stays m join segments.segments s using (segment_id)
    where m.person_id = ${personId}::bigint order by m.out_at desc, m.in_at desc, m.segment_id limit ${limit}`.execute(
    db,
  )
  return rows
}
