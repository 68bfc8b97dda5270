import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import { shareOutPeople } from '../customers/actions.ts'
import { recount, replaceStanding } from './counts-queries.ts'
import { depthRunsBody, type Further, furtherPeople, furtherSpans, insertChanges } from './depth-queries.ts'
import { dropFacts, EVERYBODYS, type Facts, layOutFacts } from './facts-queries.ts'
import { writeFanTiers } from './interest-queries.ts'
import { historiesOf, neverLoop, ordersOfEventfulDays, plainDaysBody, putHistories } from './occasions-queries.ts'
import {
  CLAIMED,
  EVERYONE,
  figuresBody,
  type Made,
  ofPeople,
  type Scope,
  settledFigures,
  standingByArrays,
  standingByRuns,
  standingOfListed,
} from './queries.ts'

/*
 * What is kept of everybody's standing, written: of some people in place, of everyone by build and swap.
 */

/**
 * Recomputes eventful occasions, standing and the change log of `claimed_people`, in place. Occasions and changes that are as they were
 * are not written again.
 */
export async function rewriteStanding(tx: Sql, now: Date, settings: Settings): Promise<void> {
  const scope = CLAIMED
  const facts = await layOutFacts(tx, now)
  await sql`create temp table ${facts.occasions} on commit drop as ${plainDaysBody(scope, settings)}`.execute(tx)
  await putHistories(tx, scope, settings, facts)
  await sql`analyze ${facts.occasions} (person_id, occasion_key, from_at)`.execute(tx)
  await replaceEventful(tx, scope)
  const made = await makeRuns(tx, scope, now, settings, facts)
  const figures = ofPeople(figuresBody(scope, now, settings, 'runs', facts))
  await replaceStanding(tx, standingByRuns(scope, now, settings, figures, made), settings)
  await writeFanTiers(tx, scope, now, settings, made.further, facts)
  await logRuns(tx, scope, now)
  await dropFacts(tx, facts)
}

/**
 * What is kept of eventful days, where it differs, from `true_orders` and `true_histories`, which it uses up. Rows are named by where they
 * lie, because nobody else writes these tables while lockStanding holds.
 */
async function replaceEventful(tx: Sql, scope: Scope): Promise<void> {
  await sql`
    create temp table differences on commit drop as
    select place, t.*
    from (select ctid as place, * from relationship.eventful_occasions where person_id ${scope}) o
    full join true_histories t using (person_id, occasion_key, from_at)
    where (t.to_at, t.occasion_at, t.order_id, t.order_count, t.net_minor, t.opened_by, t.closed_by)
      is distinct from (o.to_at, o.occasion_at, o.order_id, o.order_count, o.net_minor, o.opened_by, o.closed_by)`.execute(
    tx,
  )
  await sql`delete from relationship.eventful_occasions where ctid = any(array(select place from differences))`.execute(
    tx,
  )
  await sql`
    insert into relationship.eventful_occasions
    select person_id, occasion_key, from_at, to_at, occasion_at, order_id, order_count, net_minor, opened_by, closed_by
    from differences where person_id is not null`.execute(tx)
  await sql`
    delete from relationship.eventful_orders e
    where person_id ${scope}
      and not exists (select from true_orders t where t.person_id = e.person_id and t.order_id = e.order_id)`.execute(
    tx,
  )
  await sql`
    insert into relationship.eventful_orders select person_id, order_id from true_orders on conflict do nothing`.execute(
    tx,
  )
  await sql`drop table differences, true_orders, true_histories`.execute(tx)
}

/** Of a million the loops that the planner takes are right ones: 34 s with them, 44 to 48 s without. */
const LOOPING_FROM_PEOPLE = 100_000

/** Everyone by build and swap: new tables beside the old ones, then hung in their place in the same transaction. */
export async function rebuildStanding(tx: Sql, now: Date, settings: Settings): Promise<void> {
  // Orders are in the order of people by their key. The planner trusts that less for a key of two columns, and without
  // this sorts ten million rows on disk that it could have read in order.
  await sql`set local effective_cache_size = '8GB'`.execute(tx)
  // A walk over orders in the order of people goes on one core; over shares of the people, on all of them.
  const { last, shares } = await shareOutPeople(tx)
  const find = () => makeEventful(tx, settings, shares)
  await (last < LOOPING_FROM_PEOPLE ? neverLoop(tx, find) : find())
  await swapIn(tx, 'standing', sql`(person_id)`, async (table) => {
    const further = await findFurther(tx)
    const figures = shares.map((share) =>
      further === 'all' ? settledFigures(share, now, settings) : figuresBody(share, now, settings, 'arrays'),
    )
    await sql`create table ${table} as ${standingByArrays(figures, now, settings)}`.execute(tx)
    if (further === 'none') return
    const unsettled = sql`
      select person_id from (${furtherPeople(EVERYONE)}) f
      where not exists (select from ${table} s where s.person_id = f.person_id)`
    await sql`insert into ${table} ${standingOfListed(unsettled, now, settings)}`.execute(tx)
  })
}

/** What is kept of eventful days, of everybody. */
async function makeEventful(tx: Sql, settings: Settings, shares: readonly Scope[]): Promise<void> {
  // Orders are read in the order of people, and their days need only be sorted within each. Hashes of all days were written to disk
  // where they had four shares, and took 1 GB where they had sixteen.
  await sql`set local enable_hashagg = off`.execute(tx)
  await sql`create temp table true_orders on commit drop as ${ordersOfEventfulDays(settings, shares)}`.execute(tx)
  await sql`set local enable_hashagg = on`.execute(tx)
  await sql`analyze true_orders`.execute(tx)
  await swapIn(tx, 'eventful_orders', sql`(person_id, order_id)`, async (table) => {
    await sql`create table ${table} as select person_id, order_id from true_orders order by 1, 2`.execute(tx)
  })
  await swapIn(tx, 'eventful_occasions', sql`(person_id, occasion_key, from_at)`, async (table) => {
    await sql`create table ${table} as ${historiesOf(sql`true_orders`)}`.execute(tx)
  })
  await sql`drop table true_orders`.execute(tx)
}

/** What pages read of everybody, from standing as it is. */
export async function rebuildFigures(tx: Sql, now: Date, settings: Settings): Promise<void> {
  await recount(tx, settings)
  await writeFanTiers(tx, EVERYONE, now, settings, 'all')
}

/** Whether a further fact is about anybody at all: whoever has none need not be told apart, and nothing is asked of them. */
async function findFurther(tx: Sql): Promise<Further> {
  const { rows } = await sql<{ found: boolean }>`select exists (${furtherPeople(EVERYONE, 'all')}) as found`.execute(tx)
  return rows[0]?.found ? 'all' : 'none'
}

async function swapIn(
  tx: Sql,
  table: 'eventful_orders' | 'eventful_occasions' | 'standing',
  key: RawBuilder<unknown>,
  make: (table: RawBuilder<unknown>) => Promise<void>,
): Promise<void> {
  const parent = sql`relationship.${sql.ref(table)}`
  const { rows } = await sql<{ name: string }>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = ${`relationship.${table}`}::regclass`.execute(
    tx,
  )
  const old = rows[0]?.name.endsWith('_a') ? 'a' : 'b'
  const next = old === 'a' ? 'b' : 'a'
  const oldTable = sql`relationship.${sql.ref(`${table}_${old}`)}`
  const nextTable = sql`relationship.${sql.ref(`${table}_${next}`)}`
  await make(nextTable)
  await sql`alter table ${nextTable} add primary key ${key}`.execute(tx)
  await sql`analyze ${nextTable}`.execute(tx)
  await sql`alter table ${parent} detach partition ${oldTable}`.execute(tx)
  await sql`drop table ${oldTable}`.execute(tx)
  await sql`alter table ${parent} attach partition ${nextTable} default`.execute(tx)
}

/** The runs of depth into `true_runs`, of which standing and the log are made. */
async function makeRuns(tx: Sql, scope: Scope, now: Date, settings: Settings, facts: Facts): Promise<Made> {
  const made: Made = { runs: sql`true_runs`, spans: sql`true_spans`, further: await findFurther(tx) }
  if (made.further === 'all') {
    await sql`create temp table true_spans on commit drop as ${furtherSpans(scope, now, settings, facts)}`.execute(tx)
    await sql`analyze true_spans`.execute(tx)
  }
  await sql`
    create temp table true_runs on commit drop as
    ${depthRunsBody(scope, now, settings, made.further, made.spans, facts)}`.execute(tx)
  await sql`analyze true_runs (person_id, since)`.execute(tx)
  return made
}

/**
 * The log of depth changes up to `now`: rows that are no longer true by what is now known are superseded, new ones
 * added. A row that stands is not touched, so its recorded_at keeps saying when it became known.
 */
export async function writeDepthChanges(tx: Sql, scope: Scope, now: Date, settings: Settings): Promise<void> {
  await makeRuns(tx, scope, now, settings, EVERYBODYS)
  await logRuns(tx, scope, now)
  // Else refreshes read the whole log until somebody else does this: 1.9 s for a share of 10,000 facts, of 3.9 million changes.
  await sql`analyze relationship.depth_changes (person_id)`.execute(tx)
}

/** From `true_runs`, which it uses up. */
async function logRuns(tx: Sql, scope: Scope, now: Date): Promise<void> {
  await sql`
    create temp table differences on commit drop as
    select place, t.*
    from (
      select ctid as place, person_id, changed_at as since, from_depth, to_depth, cause_fact_id, cause_kind
      from relationship.depth_changes
      where person_id ${scope} and superseded_at is null
    ) c
    full join (select person_id, since, from_depth, depth, cause, cause_kind from true_runs where since <= ${now}) t using (person_id, since)
    where (t.from_depth, t.depth, t.cause, t.cause_kind) is distinct from (c.from_depth, c.to_depth, c.cause_fact_id, c.cause_kind)`.execute(
    tx,
  )
  await sql`
    update relationship.depth_changes set superseded_at = ${now} where ctid = any(array(select place from differences))`.execute(
    tx,
  )
  await insertChanges(
    tx,
    sql`select person_id, since, from_depth, depth, cause, cause_kind from differences where depth is not null`,
    now,
  )
  await sql`drop table if exists differences, true_runs, true_spans`.execute(tx)
}
