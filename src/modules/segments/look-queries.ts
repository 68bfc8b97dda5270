import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import { isOfShare, type Share } from '../intake/actions.ts'
import { refundedOrders } from './event-queries.ts'
import type { Few, Ground } from './ground-queries.ts'
import { asItStands, storedStanding } from './queries.ts'

/*
 * Looks: pairs of a segment and a person who has to be evaluated, and what is laid out of these people once for all segments. Tables of
 * the caller's transaction.
 */

/**
 * `looks (segment_id, person_id, cause, fact_id, at)`, and `evaluated` for what differs of them: whether the definition holds and until
 * when, null for ever, beside the verdict that is kept (due_at, in_at, in_fact_id, in_cause), nulls where none is. Empty.
 */
export async function createLooks(tx: Sql): Promise<void> {
  await sql`drop table if exists looks, evaluated`.execute(tx)
  await sql`
    create temp table looks (segment_id bigint not null, person_id bigint not null, cause text not null, fact_id bigint, at timestamptz not null)
    on commit drop`.execute(tx)
  await sql`
    create temp table evaluated (
      segment_id bigint not null, person_id bigint not null, holds boolean not null, until timestamptz,
      due_at timestamptz, in_at timestamptz, in_fact_id bigint, in_cause text
    ) on commit drop`.execute(tx)
}

/**
 * Of people, a select body (person_id, fact_kinds, fact_id), those whom a segment has to be asked about: of whom a fact changed that it may
 * rest on. There are few lists of kinds: each is compared once, and not for each person.
 */
export async function lookAtChanged(
  tx: Sql,
  people: RawBuilder<unknown>,
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
    ), changed as materialized (${people}), concerned as materialized (
      select segment_id, fact_kinds from asked g cross join (select distinct fact_kinds from changed) c
      where g.is_any or array_position(fact_kinds, null) is not null or fact_kinds && g.kinds
    )
    insert into looks
    select segment_id, person_id, 'fact', fact_id, ${now}::timestamptz from concerned join changed using (fact_kinds)`.execute(
    tx,
  )
}

/** Takes people who are due by time out of `looks`: what time did comes first. @returns them as a table (person_id, fact_id). */
export async function takeDueLooks(tx: Sql, now: Date): Promise<RawBuilder<unknown>> {
  await sql`
    create temp table due_people on commit drop as
    select person_id, fact_id from looks
    where person_id in (select person_id from segments.verdicts where due_at <= ${now}::timestamptz)`.execute(tx)
  await sql`delete from looks where person_id in (select person_id from due_people)`.execute(tx)
  return sql`select person_id, fact_id from due_people`
}

/** Whoever is looked at: (person_id, fact_id), once for each look. */
export const LOOKED_PEOPLE: RawBuilder<unknown> = sql`select person_id, fact_id from looks`

/** Statistics of a tenth of the usual number of rows are enough, and take a tenth of the time. */
export async function analyzeLooks(tx: Sql): Promise<void> {
  await sql`set local default_statistics_target = 10`.execute(tx)
  await sql`analyze looks (segment_id, person_id)`.execute(tx)
}

/** Takes whoever is due by time, of all or of a share, soonest first into `looks`. Where nobody is, nothing but the index is read. */
export async function lookAtDue(tx: Sql, now: Date, limit: number, share?: Share): Promise<number> {
  const { numAffectedRows } = await sql`
    insert into looks
    select segment_id, person_id, 'time', null, due_at from segments.verdicts
    where due_at <= ${now}::timestamptz ${isOfShare(share)} order by due_at limit ${limit}`.execute(tx)
  const due = Number(numAffectedRows ?? 0)
  if (due > 0) await analyzeLooks(tx)
  return due
}

/** Segments that have looks. */
export async function selectLooked(tx: Sql): Promise<number[]> {
  const { rows } = await sql<{ segment_id: number }>`select distinct segment_id from looks`.execute(tx)
  return rows.map(({ segment_id }) => segment_id)
}

/**
 * `looked_standing` and `looked_orders`, in the order of people: of whoever is looked at, once for all segments. Five segments with four
 * clauses about orders that each read them took 1.3 s of PostgreSQL's processor for 10,000 facts, and this way, with interactions looked
 * up, 0.9 s.
 *
 * @param known standing of some of them, as it is kept: a select body.
 */
export async function layOutLooked(
  tx: Sql,
  ground: Omit<Ground, 'scope'>,
  withOrders: boolean,
  known?: RawBuilder<unknown>,
): Promise<Omit<Few, 'people'>> {
  const people = lookedPeople()
  const all = { ...ground, scope: sql`= any(array(${people}))` }
  const [standing, orders] = [sql.table('looked_standing'), withOrders ? sql.table('looked_orders') : undefined]
  await sql`drop table if exists looked_standing, looked_orders`.execute(tx)
  const unknown = sql`= any(array(${lookedPeople(sql`where person_id not in (select person_id from known)`)}))`
  const rows = known
    ? sql`
      with known as materialized (${known})
      ${asItStands(sql`known where person_id in (select person_id from looks)`, ground.at)}
      union all
      ${storedStanding({ ...ground, scope: unknown })}`
    : storedStanding(all)
  await sql`create temp table ${standing} on commit drop as ${rows}`.execute(tx)
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
 * looking up standing, orders, interactions and stays of 5,000 among a million took an eighth to a third longer. As an array they are one
 * walk through an index in place of 5,000: standing of them 18 ms and 30, verdicts 5 and 9.
 */
export function lookedPeople(where = sql``): RawBuilder<unknown> {
  return sql`select distinct person_id from looks ${where} order by person_id offset bigint '0'`
}
