import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import { EVERYBODYS, type Facts, factsOf } from './facts-queries.ts'
import type { Scope } from './queries.ts'

/** The key of an order's purchase occasion: its calendar day in the brand's zone, or the order itself. */
export function occasionKey(
  unit: Settings['occasion_unit'],
  zone: string,
  paidAt: RawBuilder<unknown> = sql`paid_at`,
): RawBuilder<unknown> {
  return unit === 'order' ? sql`order_id` : sql`((${paidAt} at time zone ${zone})::date - date '1970-01-01')::bigint`
}

type OccasionSettings = Pick<Settings, 'occasion_unit' | 'zone'>

/*
 * Purchase occasions in time (domain.md §1): orders of one day are one occasion, at the first payment among those
 * that still count; an order refunded in full counts for nothing from that instant on. One row for each stretch in
 * which an occasion looked the same.
 *
 * Most days have one order and no refund: that order is the occasion, with no history, and nothing is kept of it. The others are
 * eventful: `relationship.eventful_occasions` has their histories, `relationship.eventful_orders` names their orders, and the view
 * `relationship.occasions` is both.
 */

/** Occasions by other settings than the brand's, worked out at once: the columns of the view. */
export function occasionsBody(scope: Scope, settings: OccasionSettings): RawBuilder<unknown> {
  return sql`
    with days_orders as materialized (${ordersOfEventfulDays(settings, [scope])})
    select person_id, from_at, to_at, occasion_at, order_id, order_count, net_minor, opened_by, closed_by
    from (${historiesOf(sql`days_orders`)}) histories
    union all
    select person_id, paid_at, 'infinity', paid_at, order_id, 1, amount_minor, order_id, null
    from commerce.published_orders o
    where person_id > 0 and person_id ${scope}
      and not exists (select from days_orders e where e.person_id = o.person_id and e.order_id = o.order_id)`
}

/**
 * The orders of all eventful days, (person_id, occasion_key, order_id, paid_at, amount_minor). A walk over all orders that gives few rows;
 * over `shares` of the people it goes on all cores.
 */
export function ordersOfEventfulDays(settings: OccasionSettings, shares: readonly Scope[]): RawBuilder<unknown> {
  const key = occasionKey(settings.occasion_unit, settings.zone)
  const eventful = sql.join(
    shares.map((share) => eventfulDaysBody(share, key)),
    sql` union all `,
  )
  return sql`
    with days as materialized (select distinct person_id, occasion_key from (${eventful}) eventful)
    ${ordersOfDays(sql`days`, key)}`
}

/** The histories of eventful days of everybody whose orders are given, as they are kept. */
export function historiesOf(orders: RawBuilder<unknown>): RawBuilder<unknown> {
  // Found once for all their orders: the planner expected few of them and looked each up twice.
  const facts: Facts = { ...EVERYBODYS, allocations: sql`eventful_allocations` }
  return sql`
    with eventful_allocations as materialized (
      select person_id, order_id, a.refund_id, a.refunded_at, a.amount_minor
      from ${EVERYBODYS.allocations} a join (select person_id, order_id from ${orders} o) o using (person_id, order_id)
    )
    ${historiesBody(orders, facts)}`
}

/*
 * The same in steps, for a temporary table of some people: one walk takes every day as if it had one order and no refund; the
 * others, few, are then taken out and their histories put in. Not for everyone: what is taken out lies on nearly every page,
 * and each was written anew.
 */

/** Every day of the people of `scope` as if it had one order and no refund. */
export function plainDaysBody(scope: Scope, settings: OccasionSettings): RawBuilder<unknown> {
  const key = occasionKey(settings.occasion_unit, settings.zone)
  return sql`
    select person_id, ${key} as occasion_key, min(paid_at) as from_at, 'infinity'::timestamptz as to_at,
      min(paid_at) as occasion_at, min(order_id) as order_id, count(*)::int as order_count,
      sum(amount_minor)::bigint as net_minor, min(order_id) as opened_by, null::bigint as closed_by
    from commerce.published_orders where person_id > 0 and person_id ${scope} group by 1, 2 order by 1, 2`
}

/**
 * Makes such a table, the occasions of `facts`, right. Leaves `true_orders` and `true_histories`: what is to be kept of the eventful days.
 */
export async function putHistories(tx: Sql, scope: Scope, settings: OccasionSettings, facts: Facts): Promise<void> {
  const table = facts.occasions
  const key = occasionKey(settings.occasion_unit, settings.zone)
  // By where they lie, and as an array: of a join the planner makes a walk over the whole table.
  await sql`
    create temp table eventful_days on commit drop as
    select d.ctid as place, d.person_id, d.occasion_key
    from ${table} d
    left join (
      select distinct person_id, ${key} as occasion_key
      from (select distinct person_id, order_id from ${factsOf(scope, 'allocations', facts)}) a
      join commerce.published_orders using (person_id, order_id)
    ) refunded using (person_id, occasion_key)
    where order_count > 1 or refunded.person_id is not null`.execute(tx)
  await sql`analyze eventful_days`.execute(tx)
  await sql`delete from ${table} where ctid = any(array(select place from eventful_days))`.execute(tx)
  await neverLoop(tx, async () => {
    await sql`create temp table true_orders on commit drop as ${ordersOfDays(sql`eventful_days`, key)}`.execute(tx)
    await sql`
      create temp table true_histories on commit drop as ${historiesBody(sql`true_orders`, facts)}`.execute(tx)
  })
  await sql`insert into ${table} select * from true_histories`.execute(tx)
  await sql`drop table eventful_days`.execute(tx)
}

/**
 * Days with several orders or a refund; one with both comes twice. Of the refunded, few, each is looked up: a join to all orders took
 * two fifths of the time.
 */
function eventfulDaysBody(scope: Scope, key: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select person_id, ${key} as occasion_key
    from commerce.published_orders where person_id > 0 and person_id ${scope}
    group by 1, 2 having count(*) > 1
    union all
    select person_id, ${key}
    from (select distinct person_id, order_id from commerce.published_allocations where person_id > 0 and person_id ${scope}) refunded
    join commerce.published_orders using (person_id, order_id)`
}

/**
 * All orders of `days`, a table. Those of their people are looked up: the planner expects five times as many days and read every order.
 * Each person's once and not each day's, or somebody with a hundred thousand orders would be read for each of their days.
 */
function ordersOfDays(days: RawBuilder<unknown>, key: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select d.person_id, d.occasion_key, o.order_id, o.paid_at, o.amount_minor
    from (select distinct person_id from ${days} days) p
    cross join lateral (
      select order_id, paid_at, amount_minor, ${key} as occasion_key
      from commerce.published_orders o where o.person_id = p.person_id offset 0
    ) o
    join ${days} d on d.person_id = p.person_id and d.occasion_key = o.occasion_key`
}

/**
 * Histories join what the statement itself has found. Of few people the planner expects a row or two of it, and went through all refunds
 * for each order: 2.8 of the 3.1 s of 10,000 people. What has to be looked up is a lateral subquery, which stays one.
 */
export async function neverLoop(tx: Sql, work: () => Promise<void>): Promise<void> {
  await sql`set local enable_nestloop = off`.execute(tx)
  await work()
  await sql`set local enable_nestloop = on`.execute(tx)
}

/** The history of each day whose `orders` are given, all of them: what it looked like from when to when. */
function historiesBody(orders: RawBuilder<unknown>, facts: Facts): RawBuilder<unknown> {
  return sql`
    select person_id, occasion_key, at as from_at, coalesce(next_at, 'infinity') as to_at, occasion_at, order_id, order_count,
      net_minor, fact_id as opened_by, next_fact_id as closed_by
    from (
      select person_id, occasion_key, at, fact_id,
        min(paid_at) filter (where counts) as occasion_at,
        (array_agg(order_id order by paid_at, order_id) filter (where counts))[1] as order_id,
        (count(*) filter (where counts))::int as order_count,
        (coalesce(sum(amount_minor - refunded_minor) filter (where counts), 0))::bigint as net_minor,
        lead(at) over (partition by person_id, occasion_key order by at) as next_at,
        lead(fact_id) over (partition by person_id, occasion_key order by at) as next_fact_id
      from (select *, not is_refunded or refunded_minor < amount_minor as counts from (${ordersThen(orders, facts)}) o) o
      group by person_id, occasion_key, at, fact_id
    ) states where order_count > 0`
}

/** Every order of a day at every instant of its history, with what was refunded of it by then. */
function ordersThen(orders: RawBuilder<unknown>, { allocations }: Facts): RawBuilder<unknown> {
  return sql`
    select i.person_id, i.occasion_key, i.at, i.fact_id, o.order_id, o.paid_at, o.amount_minor,
      coalesce(sum(a.amount_minor), 0)::bigint as refunded_minor, count(a.refund_id) > 0 as is_refunded
    from (
      select person_id, occasion_key, at, max(fact_id) as fact_id
      from (
        select person_id, occasion_key, paid_at as at, order_id as fact_id from ${orders} o
        union all
        select o.person_id, o.occasion_key, a.refunded_at, a.refund_id
        from ${orders} o join ${allocations} a using (person_id, order_id)
      ) event group by person_id, occasion_key, at
    ) i
    join ${orders} o on o.person_id = i.person_id and o.occasion_key = i.occasion_key and o.paid_at <= i.at
    left join ${allocations} a
      on a.person_id = o.person_id and a.order_id = o.order_id and a.refunded_at <= i.at
    group by i.person_id, i.occasion_key, i.at, i.fact_id, o.order_id, o.paid_at, o.amount_minor`
}
