import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import type { RfmPerson } from './schema.ts'

const DAY_MS = 86_400_000

/*
 * Everything here is a select body over a set of people as of an instant: one person, a batch or all take the same
 * text. `scope` is a where-clause fragment on person_id, e.g. `in (select person_id from claimed_people)`.
 */

export type Scope = RawBuilder<unknown>
export const EVERYONE: Scope = sql`> 0`
/** The people that intake handed over for recomputing, in the caller's transaction. */
export const CLAIMED: Scope = sql`in (select person_id from claimed_people)`

export function onePerson(personId: number): Scope {
  return sql`= ${personId}`
}

/** Everyone's occasions by other units than the maintained table's, computed on the spot. */
export function occasionsOf(settings: Pick<Settings, 'occasion_unit' | 'zone'>): RawBuilder<unknown> {
  return sql`(${occasionsBody(EVERYONE, settings)})`
}

/** Depth by its three counts; tested from the deepest down, the first that holds is it (domain.md §1). */
function depthCase(connections: RawBuilder<unknown>, memberByPurchase: boolean): RawBuilder<unknown> {
  return sql`
    (case
      when ${connections} = 0 then 0
      when in_period >= 2 then 4
      when in_period = 1 then 3
      when ever >= 1 and ${memberByPurchase} then 2
      else 1
    end)::smallint`
}

/**
 * Refreshes go side by side, each with its own people; a rebuild waits for them and they for it. Otherwise a rebuild
 * that had read before a refresh wrote would hang its older row in place of the newer one.
 */
export async function lockStanding(tx: Sql, mode: 'shared' | 'exclusive'): Promise<void> {
  const lock = mode === 'shared' ? sql`pg_advisory_xact_lock_shared` : sql`pg_advisory_xact_lock`
  await sql`select ${lock}(hashtext('perennial standing'))`.execute(tx)
}

/** The key of an order's purchase occasion: its calendar day in the brand's zone, or the order itself. */
function occasionKey(unit: Settings['occasion_unit'], zone: string): RawBuilder<unknown> {
  return unit === 'order' ? sql`order_id` : sql`((paid_at at time zone ${zone})::date - date '1970-01-01')::bigint`
}

/**
 * Purchase occasions in time (domain.md §1): orders of one day are one occasion, at the first payment among those
 * that still count; an order refunded in full counts for nothing from that instant on. One row for each stretch in
 * which an occasion looked the same.
 *
 * Most days have one order and no refund and need no history: they take the first branch, which is a plain group by.
 */
export function occasionsBody(scope: Scope, settings: Pick<Settings, 'occasion_unit' | 'zone'>): RawBuilder<unknown> {
  return sql`
    with keyed as (
      select person_id, order_id, paid_at, amount_minor, ${occasionKey(settings.occasion_unit, settings.zone)} as occasion_key
      from commerce.published_orders where person_id > 0 and person_id ${scope}
    ), days as (
      select person_id, occasion_key, min(paid_at) as paid_at, min(order_id) as order_id, count(*)::int as order_count,
        sum(amount_minor)::bigint as amount_minor
      from keyed group by person_id, occasion_key
    ), refunded_orders as (
      select distinct person_id, order_id from commerce.published_allocations where person_id ${scope}
    ), eventful as (
      select person_id, occasion_key from days where order_count > 1
      union
      select k.person_id, k.occasion_key from keyed k join refunded_orders r using (person_id, order_id)
    ), eventful_orders as (
      select k.* from keyed k join eventful using (person_id, occasion_key)
    ), events as (
      select person_id, occasion_key, paid_at as at, order_id as fact_id from eventful_orders
      union all
      select o.person_id, o.occasion_key, a.refunded_at, a.refund_id
      from eventful_orders o join commerce.published_allocations a using (person_id, order_id)
    ), instants as (
      select person_id, occasion_key, at, max(fact_id) as fact_id from events group by person_id, occasion_key, at
    ), orders_then as (
      -- Every order of the occasion at every instant of its history, with what was refunded of it by then.
      select i.person_id, i.occasion_key, i.at, i.fact_id, o.order_id, o.paid_at, o.amount_minor,
        coalesce(sum(a.amount_minor), 0)::bigint as refunded_minor
      from instants i
      join eventful_orders o on o.person_id = i.person_id and o.occasion_key = i.occasion_key and o.paid_at <= i.at
      left join commerce.published_allocations a
        on a.person_id = o.person_id and a.order_id = o.order_id and a.refunded_at <= i.at
      group by i.person_id, i.occasion_key, i.at, i.fact_id, o.order_id, o.paid_at, o.amount_minor
    ), states as (
      select person_id, occasion_key, at, fact_id,
        min(paid_at) filter (where counts) as occasion_at,
        (array_agg(order_id order by paid_at, order_id) filter (where counts))[1] as order_id,
        (count(*) filter (where counts))::int as order_count,
        (coalesce(sum(amount_minor - refunded_minor) filter (where counts), 0))::bigint as net_minor,
        lead(at) over (partition by person_id, occasion_key order by at) as next_at,
        lead(fact_id) over (partition by person_id, occasion_key order by at) as next_fact_id
      from (select *, refunded_minor = 0 or refunded_minor < amount_minor as counts from orders_then) o
      group by person_id, occasion_key, at, fact_id
    )
    select d.person_id, d.occasion_key, d.paid_at as from_at, 'infinity'::timestamptz as to_at, d.paid_at as occasion_at,
      d.order_id, d.order_count, d.amount_minor as net_minor, d.order_id as opened_by, null::bigint as closed_by
    from days d
    where d.order_count = 1 and not exists (
      select from eventful e where e.person_id = d.person_id and e.occasion_key = d.occasion_key)
    union all
    select person_id, occasion_key, at, coalesce(next_at, 'infinity'), occasion_at, order_id, order_count, net_minor,
      fact_id, next_fact_id
    from states where order_count > 0`
}

/**
 * How deep each relationship was at every instant up to \`now\`, and when time alone will change it: one row for each
 * run of equal depth (domain.md §1).
 *
 * Depth rests on three counts, each a sum of steps in time: occasions in period (an occasion adds one from the
 * instant it is known to count until it is voided or P has passed), occasions ever, and live connections. So one
 * running sum gives history, `since` and `lapses_at` alike, by the same words: the run that holds at `now` began at
 * `since` and ends at `lapses_at`. Facts after `now` are left out first, so it is also the truth as of a past instant.
 */
export function depthRunsBody(
  scope: Scope,
  now: Date,
  settings: Pick<Settings, 'period_days' | 'member_by_purchase'>,
  occasions: RawBuilder<unknown> = sql`relationship.occasions`,
): RawBuilder<unknown> {
  const period = sql`make_interval(hours => ${settings.period_days * 24})`
  return sql`
    with known as (
      select person_id, from_at, case when to_at <= ${now} then to_at else 'infinity' end as to_at, opened_by, closed_by,
        case when to_at <= ${now} then closed_by end as ended_by, occasion_at + ${period} as period_ends_at
      from ${occasions} as o where person_id ${scope} and from_at <= ${now}
    ), steps as (
      select person_id, from_at as at, (period_ends_at > from_at)::int as in_period, 1 as ever, 0 as connections, opened_by as cause from known
      union all
      select person_id, period_ends_at, -1, 0, 0, null from known where period_ends_at > from_at and period_ends_at < to_at
      union all
      select person_id, to_at, -(period_ends_at >= to_at)::int, -1, 0, ended_by from known where to_at < 'infinity'
      union all
      select person_id, begun_at, 0, 0, 1, connection_id from customers.published_connections
      where person_id ${scope} and begun_at <= ${now}
      union all
      select person_id, ended_at, 0, 0, -1, connection_id from customers.published_connections
      where person_id ${scope} and begun_at <= ${now} and ended_at is not null
    ), instants as (
      select person_id, at, sum(in_period) as in_period, sum(ever) as ever, sum(connections) as connections, max(cause) as cause
      from steps group by person_id, at
    ), counted as (
      select person_id, at, cause, sum(in_period) over w as in_period, sum(ever) over w as ever, sum(connections) over w as connections
      from instants window w as (partition by person_id order by at)
    ), compared as (
      select *, lag(depth, 1, 0::smallint) over (partition by person_id order by at) as from_depth
      from (select *, ${depthCase(sql`connections`, settings.member_by_purchase)} as depth from counted) d
    )
    select person_id, at as since, from_depth, depth, cause, lead(at) over w as ends_at, lead(depth) over w as next_depth
    from compared where depth <> from_depth
    window w as (partition by person_id order by at)`
}

/**
 * What RFM and evidence rest on as of `now`, one row for each person that is known. Net paid has everything refunded
 * taken off, also what found no order to reduce.
 */
export function aggregatesBody(
  scope: Scope,
  now: Date,
  settings: Pick<Settings, 'period_days'>,
  occasions: RawBuilder<unknown> = sql`relationship.occasions`,
): RawBuilder<unknown> {
  const periodBegin = new Date(now.getTime() - settings.period_days * DAY_MS)
  return sql`
    select p.person_id, coalesce(o.ever, 0)::int as ever, coalesce(o.in_period, 0)::int as in_period, o.last_occasion_at,
      o.latest_orders, (coalesce(o.net_minor, 0) - coalesce(u.unmatched_minor, 0))::bigint as net_paid_minor
    from (select distinct person_id from customers.published_people where person_id ${scope}) p
    left join (
      select person_id, count(*) as ever, count(*) filter (where occasion_at > ${periodBegin}) as in_period,
        max(occasion_at) as last_occasion_at, sum(net_minor) as net_minor,
        (array_agg(order_id order by occasion_at desc))[1:2] as latest_orders
      from ${occasions} as o
      where person_id ${scope} and from_at <= ${now} and to_at > ${now}
      group by person_id
    ) o using (person_id)
    left join (
      select person_id, sum(unmatched_minor) as unmatched_minor from commerce.published_unmatched
      where person_id ${scope} and refunded_at <= ${now}
      group by person_id
    ) u using (person_id)`
}

/** Standing as of `now`: the run of depth that holds, the aggregates, and the facts that decide. */
export function standingBody(
  scope: Scope,
  now: Date,
  settings: Settings,
  occasions?: RawBuilder<unknown>,
): RawBuilder<unknown> {
  return sql`
    select a.person_id, coalesce(r.depth, 0)::smallint as depth, r.since, r.ends_at as lapses_at, r.next_depth as lapses_to,
      case
        when r.depth >= 4 then array[c.connection_id] || a.latest_orders
        when r.depth in (2, 3) then array[c.connection_id] || a.latest_orders[1:1]
        when c.connection_id is not null then array[c.connection_id]
        else '{}'
      end::bigint[] as evidence,
      ${depthCase(sql`1`, settings.member_by_purchase)} as depth_if_connected,
      a.last_occasion_at, a.ever as occasions, a.net_paid_minor
    from (${aggregatesBody(scope, now, settings, occasions)}) a
    left join (
      select * from (${depthRunsBody(scope, now, settings, occasions)}) runs
      where since <= ${now} and (ends_at is null or ends_at > ${now})
    ) r using (person_id)
    left join (
      -- The relation that decides: a live one before an ended one, the oldest first.
      select distinct on (person_id) person_id, connection_id from customers.published_connections
      where person_id ${scope} and begun_at <= ${now}
      order by person_id, (ended_at is null or ended_at > ${now}) desc, begun_at, connection_id
    ) c using (person_id)`
}

const STANDING_COLUMNS = sql`person_id, depth, since, lapses_at, lapses_to, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor`

/**
 * Standing at the present instant: the stored rows, and for people whose depth has lapsed since it was stored the
 * same body at once. A depth with lapses_at <= now is never served, and a read writes nothing.
 */
export function presentStanding(now: Date, settings: Settings): RawBuilder<unknown> {
  return sql`
    select ${STANDING_COLUMNS} from relationship.standing where lapses_at is null or lapses_at > ${now}
    union all
    select ${STANDING_COLUMNS} from (${standingBody(
      sql`in (select person_id from relationship.standing where lapses_at <= ${now})`,
      now,
      settings,
    )}) due`
}

/** Recomputes occasions, standing and the change log of `scope` in place. */
export async function rewriteStanding(tx: Sql, scope: Scope, now: Date, settings: Settings): Promise<void> {
  await sql`delete from relationship.occasions where person_id ${scope}`.execute(tx)
  await sql`insert into relationship.occasions ${occasionsBody(scope, settings)}`.execute(tx)
  await sql`delete from relationship.standing where person_id ${scope}`.execute(tx)
  await sql`insert into relationship.standing ${standingBody(scope, now, settings)}`.execute(tx)
  await writeDepthChanges(tx, scope, now, settings)
}

/** Everyone by build and swap: new tables beside the old ones, then hung in their place in the same transaction. */
export async function rebuildStanding(tx: Sql, now: Date, settings: Settings): Promise<void> {
  await swapIn(tx, 'occasions', occasionsBody(EVERYONE, settings), sql`(person_id, occasion_key, from_at)`)
  await swapIn(tx, 'standing', standingBody(EVERYONE, now, settings), sql`(person_id)`)
}

async function swapIn(
  tx: Sql,
  table: 'occasions' | 'standing',
  body: RawBuilder<unknown>,
  key: RawBuilder<unknown>,
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
  await sql`create table ${nextTable} as ${body}`.execute(tx)
  await sql`alter table ${nextTable} add primary key ${key}`.execute(tx)
  await sql`analyze ${nextTable}`.execute(tx)
  await sql`alter table ${parent} detach partition ${oldTable}`.execute(tx)
  await sql`drop table ${oldTable}`.execute(tx)
  await sql`alter table ${parent} attach partition ${nextTable} default`.execute(tx)
}

/**
 * The log of depth changes up to `now`: rows that are no longer true by what is now known are superseded, new ones
 * added. A row that stands is not touched, so its recorded_at keeps saying when it became known.
 */
export async function writeDepthChanges(tx: Sql, scope: Scope, now: Date, settings: Settings): Promise<void> {
  await sql`
    create temp table true_changes on commit drop as
    select person_id, since as changed_at, from_depth, depth as to_depth, cause as cause_fact_id
    from (${depthRunsBody(scope, now, settings)}) runs where since <= ${now}`.execute(tx)
  await sql`
    update relationship.depth_changes c set superseded_at = ${now}
    where person_id ${scope} and superseded_at is null and not exists (
      select from true_changes t
      where t.person_id = c.person_id and t.changed_at = c.changed_at and t.from_depth = c.from_depth
        and t.to_depth = c.to_depth and t.cause_fact_id is not distinct from c.cause_fact_id)`.execute(tx)
  await sql`
    insert into relationship.depth_changes (person_id, changed_at, from_depth, to_depth, cause_fact_id, recorded_at)
    select t.person_id, t.changed_at, t.from_depth, t.to_depth, t.cause_fact_id, ${now}
    from true_changes t
    where not exists (
      select from relationship.depth_changes c
      where c.person_id = t.person_id and c.changed_at = t.changed_at and c.superseded_at is null)
    on conflict (person_id, changed_at, recorded_at) do nothing`.execute(tx)
  await sql`drop table true_changes`.execute(tx)
}

export type Ties = 'group' | 'first'

/**
 * R, F and M of every buyer as of `now` (domain.md §2): brand days since the last occasion or floor of 24-hour
 * periods, occasions, net paid.
 */
function rfmValuesBody(
  scope: Scope,
  now: Date,
  settings: Pick<Settings, 'period_days' | 'recency_unit' | 'zone'>,
  occasions?: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const recency =
    settings.recency_unit === '24h'
      ? sql`floor(extract(epoch from ${now}::timestamptz - last_occasion_at) / 86400)::int`
      : sql`(${now}::timestamptz at time zone ${settings.zone})::date - (last_occasion_at at time zone ${settings.zone})::date`
  return sql`
    select person_id, ${recency} as recency_days, ever as frequency, net_paid_minor as monetary_minor
    from (${aggregatesBody(scope, now, settings, occasions)}) a where ever > 0`
}

export interface RfmValues {
  readonly recency_days: number
  readonly frequency: number
  readonly monetary_minor: number
}

/** One person's values; undefined when they are no buyer then. */
export async function selectRfmValues(
  db: Sql,
  scope: Scope,
  now: Date,
  settings: Settings,
): Promise<RfmValues | undefined> {
  const { rows } = await sql<RfmValues>`
    select recency_days, frequency, monetary_minor from (${rfmValuesBody(scope, now, settings)}) v`.execute(db)
  return rows[0]
}

/** Who a buyer is to people: their key in the source that has known them longest. */
const PERSON_KEYS = sql`
  select distinct on (person_id) person_id, value as key from customers.published_people order by person_id, identity_id`

/** Keys in ascending order: numbers by value before text, text by code point (rules.ts compareKeys). */
const KEY_ORDER = sql`case when key ~ '^[0-9]{1,15}$' then key::numeric end nulls last, key collate "C"`

/** Cut points at 20, 40, 60 and 80 % (percentile_disc); F on the rank when ties are broken by key. */
function cutsBody(values: RawBuilder<unknown>, ties: Ties): RawBuilder<unknown> {
  const at = sql`array[0.2, 0.4, 0.6, 0.8]::float8[]`
  return sql`
    select count(*) as buyers,
      percentile_disc(${at}) within group (order by recency_days) as recency_days,
      percentile_disc(${at}) within group (order by ${ties === 'first' ? sql`frequency_rank` : sql`frequency::bigint`}) as frequency,
      percentile_disc(${at}) within group (order by monetary_minor) as monetary_minor
    from ${values} v`
}

export async function insertCuts(tx: Sql, now: Date, settings: Settings): Promise<void> {
  await sql`
    insert into relationship.rfm_cuts (in_force_from, recency_unit, occasion_unit, buyers, recency_days, frequency, monetary_minor)
    select ${now}::timestamptz, ${settings.recency_unit}, ${settings.occasion_unit}, c.*
    from (${cutsBody(sql`(${rfmValuesBody(EVERYONE, now, settings)})`, 'group')}) c
    where c.buyers > 0
    on conflict (in_force_from) do nothing`.execute(tx)
}

export interface Cuts {
  readonly in_force_from: Date | null
  readonly buyers: number
  readonly recency_days: number[]
  readonly frequency: number[]
  readonly monetary_minor: number[]
}

/** The cut table in force at `now`, when one was and it speaks of the same units. */
export async function selectCutsInForce(
  db: Sql,
  now: Date,
  units: Pick<Settings, 'recency_unit' | 'occasion_unit'>,
): Promise<Cuts | undefined> {
  const { rows } = await sql<Cuts>`
    select in_force_from, buyers, recency_days, frequency, monetary_minor from relationship.rfm_cuts
    where in_force_from <= ${now} and recency_unit = ${units.recency_unit} and occasion_unit = ${units.occasion_unit}
    order by in_force_from desc limit 1`.execute(db)
  return rows[0]
}

export interface RfmQuery {
  readonly now: Date
  readonly settings: Pick<Settings, 'period_days' | 'recency_unit' | 'zone'>
  readonly ties: Ties
  /** Given where an occasion unit other than the brand's is asked for; the maintained table otherwise. */
  readonly occasions?: RawBuilder<unknown>
}

function rankedBody(query: RfmQuery): RawBuilder<unknown> {
  return sql`
    select *, row_number() over (order by frequency, ${KEY_ORDER}) as frequency_rank
    from (${rfmValuesBody(EVERYONE, query.now, query.settings, query.occasions)}) v join (${PERSON_KEYS}) k using (person_id)`
}

/** Cuts made now from the facts up to `now`, where no dated table was in force. */
export async function computeCuts(db: Sql, query: RfmQuery): Promise<Cuts> {
  const { rows } = await sql<Cuts>`
    select null as in_force_from, c.* from (${cutsBody(sql`(${rankedBody(query)})`, query.ties)}) c`.execute(db)
  const [row] = rows
  if (!row) throw new Error('Cuts came back empty')
  // Without a buyer there is nothing to cut.
  return {
    ...row,
    recency_days: row.recency_days ?? [],
    frequency: row.frequency ?? [],
    monetary_minor: row.monetary_minor ?? [],
  }
}

/** Values and scores of every buyer by the cuts given; the maps from scores to names are passed in as data. */
export async function selectRfm(
  db: Sql,
  query: RfmQuery,
  cuts: Cuts,
  maps: { segments: readonly object[]; groups: readonly object[] },
): Promise<RfmPerson[]> {
  const cutFrequency = query.ties === 'first' ? sql`v.frequency_rank` : sql`v.frequency`
  const { rows } = await sql<RfmPerson>`
    with ranked as materialized (${rankedBody(query)}),
    means as materialized (
      select avg(recency_days) as recency_days, avg(frequency) as frequency, avg(monetary_minor) as monetary_minor from ranked
    ), scored as (
      select v.*,
        5 - (select count(*) from unnest(${cuts.recency_days}::int[]) cut where cut < v.recency_days)::int as r,
        1 + (select count(*) from unnest(${cuts.frequency}::bigint[]) cut where cut < ${cutFrequency})::int as f,
        1 + (select count(*) from unnest(${cuts.monetary_minor}::bigint[]) cut where cut < v.monetary_minor)::int as m,
        v.recency_days < n.recency_days as r_better, v.frequency > n.frequency as f_better, v.monetary_minor > n.monetary_minor as m_better
      from ranked v cross join means n
    )
    select s.person_id, s.key, s.recency_days, s.frequency, s.monetary_minor, s.r, s.f, s.m, g.segment, v.group as value_group
    from scored s
    join jsonb_to_recordset(${JSON.stringify(maps.segments)}::jsonb) g (segment text, r jsonb, f jsonb)
      on g.r @> to_jsonb(s.r) and g.f @> to_jsonb(s.f)
    join jsonb_to_recordset(${JSON.stringify(maps.groups)}::jsonb) v ("group" text, r boolean, f boolean, m boolean)
      on v.r = s.r_better and v.f = s.f_better and v.m = s.m_better
    order by s.frequency_rank`.execute(db)
  return rows
}

export async function selectDepthReport(
  db: Sql,
  standing: RawBuilder<unknown>,
): Promise<{ depth: number; people: number; lapsing: number; first_lapses_at: Date | null }[]> {
  const { rows } = await sql<{ depth: number; people: number; lapsing: number; first_lapses_at: Date | null }>`
    select depth, count(*) as people, count(lapses_at) as lapsing, min(lapses_at) as first_lapses_at
    from (${standing}) s group by depth`.execute(db)
  return rows
}
