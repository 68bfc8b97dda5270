import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { PeopleScope } from '../../platform/roles.ts'
import type { Settings } from '../brand/schema.ts'
import { ofScope } from '../customers/actions.ts'
import { depthRunsBody, kindCode } from './depth-queries.ts'
import { presentStanding } from './queries.ts'
import { CAUSE_KINDS, type CauseKind, DEPTHS } from './schema.ts'
import { knownThen } from './time-queries.ts'

/*
 * Who moved between two instants (docs/definitions.md §1.6). The log of depth changes is read from the later end: what
 * holds now is stored, so depth at an instant is depth now less the changes since, and only those are read, by their time.
 */

export interface Span {
  readonly from: Date
  readonly to: Date
  /** When the question is asked; `to` is not later. */
  readonly now: Date
  /** Whose people count; everyone's when left out. */
  readonly scope?: PeopleScope | undefined
}

/** All statements of the transaction see the database as it is at the next one. */
export async function readOneMoment(tx: Sql): Promise<void> {
  await sql`set transaction isolation level repeatable read, read only`.execute(tx)
}

/** A name for what the transaction sees, by which others see the same for as long as it lasts. */
export async function exportMoment(tx: Sql): Promise<string> {
  const { rows } = await sql<{ moment: string }>`select pg_export_snapshot() as moment`.execute(tx)
  return rows[0]?.moment ?? ''
}

/** All statements of the transaction see the database as the one does that exported the moment. */
export async function readSameMoment(tx: Sql, moment: string): Promise<void> {
  await readOneMoment(tx)
  await sql`set transaction snapshot ${sql.lit(moment)}`.execute(tx)
}

/** What all bodies below read: select bodies of the log of changes up to now, and of everybody's standing. */
interface Known {
  readonly log: RawBuilder<unknown>
  readonly standing: RawBuilder<unknown>
}

/**
 * Of who has lapsed since it was written the log is computed on the spot, and the whole of it, so that each person's
 * changes follow from one another. Nearly always that is nobody, and the tables alone are read: with what is computed
 * beside them no plan is parallel.
 */
async function known(db: Sql, { now, scope }: Pick<Span, 'now' | 'scope'>, settings: Settings): Promise<Known> {
  const all = await knownOfAll(db, now, settings)
  return scope === undefined ? all : { log: ofScope(all.log, scope), standing: ofScope(all.standing, scope) }
}

async function knownOfAll(db: Sql, now: Date, settings: Settings): Promise<Known> {
  const log = sql`
    select person_id, changed_at, from_depth, to_depth, cause_fact_id, cause_kind from relationship.published_depth_changes`
  const due = sql`(select person_id from relationship.standing where lapses_at <= ${now})`
  const { rows } = await sql<{ found: boolean }>`select exists ${due} as found`.execute(db)
  if (!rows[0]?.found) return { log, standing: sql`select person_id, depth, net_paid_minor from relationship.standing` }
  return {
    log: sql`
      ${log} where person_id not in ${due}
      union all
      select person_id, since, from_depth, depth, cause, cause_kind from (${depthRunsBody(sql`in ${due}`, now, settings)}) r where since <= ${now}`,
    standing: presentStanding(now, settings),
  }
}

/** Changes of one person follow from one another, so these add up to 2^to - 2^from: a sum needs no order of changes. */
const STEP = sql`(1 << to_depth) - (1 << from_depth)`

const DEEPEST = DEPTHS.length - 1

/** Every way to move, by its sum of steps. */
const FLOWS = sql`
  select (1 << t) - (1 << f) as steps, f as from_depth, t as to_depth
  from generate_series(0, ${DEEPEST}::int) f cross join generate_series(0, ${DEEPEST}::int) t where t <> f`

/** A change and what caused it, as one value: of several the greatest is the last. */
const DECISION = sql`array[(date_part('epoch', changed_at) * 1000000)::bigint, coalesce(cause_fact_id, 0), cause_kind]`

/**
 * One row for each person whose depth at `to` is another than at `from` (`steps` > 0: a deeper one), with the change that
 * decided it: of those that went the same way as the person, the last. To look the change up again by its time took as
 * long as all the rest.
 */
function movesBody({ log }: Known, { from, to }: Span): RawBuilder<unknown> {
  return sql`
    select person_id, steps, nullif(decision[2], 0) as cause_fact_id, decision[3] as cause_kind,
      timestamptz 'epoch' + decision[1] * interval '1 microsecond' as changed_at
    from (
      select person_id, sum(${STEP}) as steps, case when sum(${STEP}) > 0
        then max(${DECISION}) filter (where to_depth > from_depth)
        else max(${DECISION}) filter (where to_depth < from_depth) end as decision
      from (${log}) c where changed_at > ${from} and changed_at <= ${to} group by person_id having sum(${STEP}) <> 0
    ) m`
}

/** Everyone who is known now, with their depth at `to` and what they have paid by now; who was not known then is at 0. */
function depthsAtBody({ log, standing }: Known, { to }: Pick<Span, 'to'>): RawBuilder<unknown> {
  return sql`
    select person_id, case when later.steps is null then s.depth
      else array_position(array[1, 2, 4, 8, 16, 32], ((1 << s.depth) - later.steps)::int) - 1 end as depth, net_paid_minor
    from (${standing}) s
    left join (
      select person_id, sum(${STEP}) as steps from (${log}) c where changed_at > ${to} group by person_id
    ) later using (person_id)`
}

/** The kind of a cause by its name. */
const CAUSE_KIND = sql`(array[${sql.join(CAUSE_KINDS.map((kind) => sql.lit(kind)))}])[cause_kind + 1]`

/** A change and the kind of what caused it, as one value: of several the greatest is the last. */
const KIND_OF_LAST = sql`max((date_part('epoch', changed_at) * 1000000)::bigint << 4 | cause_kind)`

export interface FlowRow {
  readonly from_depth: number
  readonly to_depth: number
  readonly cause: CauseKind
  readonly people: number
}

/** People who moved, by flow and by the kind of fact that decided it. */
export async function selectFlows(db: Sql, span: Span, settings: Settings): Promise<FlowRow[]> {
  const facts = await known(db, span, settings)
  const { rows } = await sql<FlowRow>`
    select from_depth, to_depth, ${CAUSE_KIND} as cause, people
    from (
      select steps, cause_kind, count(*) as people
      from (
        -- Without the change itself, which movesBody tells: one number to compare, and not three.
        select sum(${STEP}) as steps, (case when sum(${STEP}) > 0
          then ${KIND_OF_LAST} filter (where to_depth > from_depth) else ${KIND_OF_LAST} filter (where to_depth < from_depth) end & 15)::int as cause_kind
        from (${facts.log}) c where changed_at > ${span.from} and changed_at <= ${span.to} group by person_id having sum(${STEP}) <> 0
      ) moves group by steps, cause_kind
    ) counted join (${FLOWS}) f using (steps)`.execute(db)
  return rows
}

export interface MonthRow {
  readonly from: Date
  readonly to: Date
  readonly ups: number
  readonly downs: number
}

/**
 * Who moved up and down in each of the last calendar months. A span of migration has its end and not its beginning, so
 * months do here: whoever changes at the first instant of a month moved in the month before.
 */
export async function selectNetDeepening(
  db: Sql,
  months: number,
  { now, scope }: Pick<Span, 'now' | 'scope'>,
  settings: Settings,
): Promise<MonthRow[]> {
  const { log } = await known(db, { now, scope }, settings)
  const zone = settings.zone
  const { rows } = await sql<MonthRow>`
    with month as materialized (
      select begins at time zone ${zone} as "from", least((begins + interval '1 month') at time zone ${zone}, ${now}::timestamptz) as "to"
      from (
        select date_trunc('month', ${now}::timestamptz at time zone ${zone}) - make_interval(months => n) as begins
        from generate_series(0, ${months}::int - 1) n
      ) b
    ), moved as (
      -- The month by its place among the beginnings, of which a change at the very first instant is not yet in: a join compared each of
      -- a million changes with twelve months.
      select width_bucket(changed_at - interval '1 microsecond', (select array_agg("from" order by "from") from month)) as place,
        person_id, sum(${STEP}) as steps
      from (${log}) c
      where changed_at > (select min("from") from month) and changed_at <= ${now}
      group by place, person_id
    ), counted as (
      select place, count(*) filter (where steps > 0) as ups, count(*) filter (where steps < 0) as downs from moved group by place
    )
    select "from", "to", coalesce(ups, 0) as ups, coalesce(downs, 0) as downs
    from (select *, row_number() over (order by "from") as place from month) m left join counted using (place)
    order by "from"`.execute(db)
  return rows
}

export interface DepthRow {
  readonly depth: number
  readonly people: number
  /** Sum over them of what they had paid by then, less what was refunded. */
  readonly net_paid_minor: number
}

/** How many people are at each depth at `to`, among all who are known now, and what they had paid by then. */
export async function selectDepthsAt(
  db: Sql,
  { to, now, scope }: Pick<Span, 'to' | 'now' | 'scope'>,
  settings: Settings,
): Promise<DepthRow[]> {
  const facts = await known(db, { now, scope }, settings)
  const { standing } = facts
  if (to.getTime() === now.getTime()) {
    const { rows } = await sql<DepthRow>`
      select depth, count(*) as people, sum(net_paid_minor)::bigint as net_paid_minor from (${standing}) s group by depth`.execute(
      db,
    )
    return rows
  }
  // What they had paid by then is what they have paid by now, less what changed since: for a month ago a tenth of the rows. Added up by
  // depth and not by person first, for which 700,000 people were sorted on disk.
  const { rows } = await sql<DepthRow>`
    with people as materialized (${depthsAtBody(facts, { to })})
    select depth, sum(people)::bigint as people, sum(net_minor)::bigint as net_paid_minor
    from (
      select depth, 1 as people, net_paid_minor as net_minor from people
      union all
      select depth, 0, case when from_at <= ${to} and to_at > ${to} then net_minor else -net_minor end
      from people join relationship.occasions using (person_id)
      -- The first line follows from the second, and rules nearly all out by two comparisons.
      where (from_at > ${to} or to_at <= ${now})
        and (from_at <= ${to} and to_at > ${to}) <> (from_at <= ${now} and to_at > ${now})
      union all
      -- By those that are kept: summing up all refunds to find them took a quarter of the time.
      select depth, 0, unmatched_minor
      from people
      join (
        select person_id, unmatched_minor
        from commerce.published_unmatched_refunds join commerce.published_refunds using (refund_id)
        where refunded_at > ${to} and refunded_at <= ${now}
      ) refunded using (person_id)
    ) paid
    group by depth`.execute(db)
  return rows
}

/** Of the people at depth 0 at `to` those of whom nothing had happened by then: they count as nobody. */
export async function countUnknownAt(
  db: Sql,
  { to, now, scope }: Pick<Span, 'to' | 'now' | 'scope'>,
  settings: Settings,
): Promise<number> {
  if (to.getTime() === now.getTime()) return 0
  const { log, standing } = await known(db, { now, scope }, settings)
  // Who has moved off 0 since then, or is there now: nobody else can have been unknown.
  const candidates = sql`
    select person_id from (${log}) c where changed_at > ${to} and from_depth = 0
    union
    select person_id from (${standing}) s where depth = 0`
  const { rows } = await sql<{ unknown: number }>`
    select (select count(*) from (${candidates}) c) - (select count(*) from (${knownThen(candidates, to)}) k) as unknown`.execute(
    db,
  )
  return rows[0]?.unknown ?? 0
}

/** The fact that caused change `d`, of which the log knows the kind: (source, external_id, at), null where time did. */
const CAUSE = sql`
  left join lateral (
    select source, external_id, paid_at as at from commerce.published_orders
    where d.cause_kind = ${kindCode('order')} and person_id = d.person_id and order_id = d.cause_fact_id
    union all
    select source, channel, d.changed_at from customers.published_connections
    where d.cause_kind in (${kindCode('connection')}, ${kindCode('end_of_connection')})
      and person_id = d.person_id and connection_id = d.cause_fact_id
    union all
    select source, external_id, refunded_at from commerce.published_refunds
    where d.cause_kind = ${kindCode('refund')} and refund_id = d.cause_fact_id
    union all
    select o.source, o.external_id, d.changed_at
    from commerce.published_spreads s join commerce.published_orders o using (order_id)
    where s.person_id = d.person_id
      and (d.cause_kind = ${kindCode('spread')} and s.spread_id = d.cause_fact_id
        or d.cause_kind = ${kindCode('spread_voided')} and s.voided_id = d.cause_fact_id)
    union all
    select source, external_id, d.changed_at from intake.published_inbox
    where d.cause_kind in (${sql.join((['membership', 'person', 'interaction', 'review'] as const).map(kindCode))}) and fact_id = d.cause_fact_id
    limit 1
  ) f on true`

export interface CausedRow {
  readonly changed_at: Date
  readonly from_depth: number
  readonly to_depth: number
  readonly cause_fact_id: number | null
  readonly kind: CauseKind
  readonly source: string | null
  readonly external_id: string | null
  readonly at: Date | null
}

/** One person's changes in between, oldest first, each with the fact that caused it. */
export async function selectChanges(
  db: Sql,
  personId: number,
  { from, to, now }: Span,
  settings: Settings,
): Promise<CausedRow[]> {
  const { log } = await known(db, { now }, settings)
  const { rows } = await sql<CausedRow>`
    select d.changed_at, d.from_depth, d.to_depth, d.cause_fact_id, ${CAUSE_KIND} as kind, f.source, f.external_id, f.at
    from (${log}) d ${CAUSE}
    where d.person_id = ${personId} and d.changed_at > ${from} and d.changed_at <= ${to}
    order by d.changed_at`.execute(db)
  return rows
}

/** One person's depth at an instant: where their last change by then led. */
export async function selectDepthOf(
  db: Sql,
  personId: number,
  at: Date,
  now: Date,
  settings: Settings,
): Promise<number> {
  const { log } = await known(db, { now }, settings)
  const { rows } = await sql<{ to_depth: number }>`
    select to_depth from (${log}) c
    where person_id = ${personId} and changed_at <= ${at} order by changed_at desc limit 1`.execute(db)
  return rows[0]?.to_depth ?? 0
}

/** Which people of a migration: those of a flow, of one of its ends, or who moved one way, or for one cause. */
export interface FlowQuery {
  readonly fromDepth: number | undefined
  readonly toDepth: number | undefined
  /** Those who moved only, and this way; `all` or undefined: also who stayed. */
  readonly moved: 'up' | 'down' | 'any' | 'all' | undefined
  /** Kind of the fact that decided it: only who moved has one. */
  readonly cause: CauseKind | undefined
  /** The place of the last row of the page before. */
  readonly after: { readonly sort: number; readonly personId: number } | undefined
  readonly limit: number
}

export interface MovedRow extends Omit<CausedRow, 'changed_at'> {
  readonly person_id: number
  readonly from_depth: number
  readonly to_depth: number
  readonly key: string
  readonly key_kind: string
  readonly source_of_key: string
  readonly name: string | null
  /** Null for who stayed. */
  readonly changed_at: Date | null
  /** Microseconds since 1970 of the change that decided it; 0 where nothing did. */
  readonly sort: number
  readonly total: number
}

/** Who moved and is asked for. */
function moversBody(facts: Known, span: Span, query: FlowQuery): RawBuilder<unknown> {
  const isAsked = (column: RawBuilder<unknown>, depth: number | undefined) =>
    depth === undefined ? sql`true` : sql`${column} = ${depth}::int`
  const isWay = query.moved === 'up' ? sql`steps > 0` : query.moved === 'down' ? sql`steps < 0` : sql`true`
  const isCause = query.cause === undefined ? sql`true` : sql`cause_kind = ${kindCode(query.cause)}`
  return sql`
    select d.person_id, d.steps, f.from_depth, f.to_depth, d.cause_fact_id, d.cause_kind, d.changed_at
    from (${movesBody(facts, span)}) d join (${FLOWS}) f using (steps)
    where ${isAsked(sql`f.from_depth`, query.fromDepth)} and ${isAsked(sql`f.to_depth`, query.toDepth)} and ${isWay} and ${isCause}`
}

/** Who stayed where they were; undefined where nobody who did is asked for. */
function stayersBody(facts: Known, span: Span, query: FlowQuery): RawBuilder<unknown> | undefined {
  const depth = query.fromDepth ?? query.toDepth
  const isOtherEnd = query.toDepth !== undefined && query.toDepth !== depth
  const isMoversOnly = query.moved !== undefined && query.moved !== 'all'
  if (isMoversOnly || query.cause !== undefined || isOtherEnd) return undefined
  const stayed = sql`
    select s.person_id, 0 as steps, s.depth as from_depth, s.depth as to_depth, null::bigint as cause_fact_id, null::bigint as cause_kind, null::timestamptz as changed_at
    from (${depthsAtBody(facts, span)}) s
    where ${depth === undefined ? sql`true` : sql`s.depth = ${depth}::int`}
      and not exists (select from (${movesBody(facts, span)}) m where m.person_id = s.person_id)`
  // Only at 0 is anybody of whom nothing had happened yet.
  if (depth !== undefined && depth > 0) return stayed
  return sql`
    select * from (${stayed}) p where to_depth > 0
    union all
    select * from (${knownThen(sql`select * from (${stayed}) p where to_depth = 0`, span.to)}) k`
}

/** One page of people of a migration, who moved last first; those who stayed where they were by their number. */
export async function selectMoved(
  db: Sql,
  span: Span,
  settings: Settings,
  query: FlowQuery,
): Promise<{ total: number; rows: MovedRow[] }> {
  const { after, limit } = query
  const facts = await known(db, span, settings)
  const movers = moversBody(facts, span, query)
  const stayers = stayersBody(facts, span, query)
  const isStay = query.fromDepth !== undefined && query.fromDepth === query.toDepth
  const people = !stayers ? movers : isStay ? stayers : sql`${movers} union all ${stayers}`
  const isAfter = after ? sql`(sort, person_id) < (${after.sort}::bigint, ${after.personId}::bigint)` : sql`true`
  const { rows } = await sql<MovedRow>`
    with matching as materialized (
      select *, coalesce((date_part('epoch', changed_at) * 1000000)::bigint, 0) as sort
      from (${people}) p
    )
    select d.person_id, d.from_depth, d.to_depth, k.key, k.kind as key_kind, k.source as source_of_key, r.name, d.sort, t.total, d.changed_at, d.cause_fact_id,
      ${CAUSE_KIND} as kind, f.source, f.external_id, f.at
    from (select count(*) as total from matching) t
    left join (select * from matching where ${isAfter} order by sort desc, person_id desc limit ${limit}) d on true
    ${CAUSE}
    left join lateral (
      select i.value as key, i.kind, i.namespace as source from customers.published_people i
      where i.person_id = d.person_id order by i.identity_id limit 1
    ) k on true
    left join lateral (
      select r.name from customers.published_records r
      where r.person_id = d.person_id and r.name is not null order by r.claim_id desc limit 1
    ) r on true
    order by d.sort desc, d.person_id desc`.execute(db)
  return { total: rows[0]?.total ?? 0, rows: rows.filter((row) => row.person_id !== null) }
}
