import { type RawBuilder, sql } from 'kysely'
import type { Settings } from '../brand/schema.ts'
import type { Scope } from './queries.ts'

/** The key of an order's purchase occasion: its calendar day in the brand's zone, or the order itself. */
function occasionKey(unit: Settings['occasion_unit'], zone: string): RawBuilder<unknown> {
  return unit === 'order' ? sql`order_id` : sql`((paid_at at time zone ${zone})::date - date '1970-01-01')::bigint`
}

/**
 * Purchase occasions in time (domain.md §1): orders of one day are one occasion, at the first payment among those
 * that still count; an order refunded in full counts for nothing from that instant on. One row for each stretch in
 * which an occasion looked the same.
 *
 * Most days have one order and no refund: that order is the occasion, with no history. The others are looked for first,
 * which is a walk over all orders that gives few rows; over `shares` of the people it goes on all cores.
 */
export function occasionsBody(
  scope: Scope,
  settings: Pick<Settings, 'occasion_unit' | 'zone'>,
  shares: readonly Scope[] = [scope],
): RawBuilder<unknown> {
  const key = occasionKey(settings.occasion_unit, settings.zone)
  const eventful = shares.map((share) => eventfulDaysBody(share, key))
  return sql`
    with eventful_orders as materialized (
      select e.person_id, e.occasion_key, o.order_id, o.paid_at, o.amount_minor
      from (${sql.join(eventful, sql` union all `)}) e
      cross join lateral unnest(e.order_ids) as of_day(order_id)
      join commerce.published_orders o on o.person_id = e.person_id and o.order_id = of_day.order_id
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
        coalesce(sum(a.amount_minor), 0)::bigint as refunded_minor, count(a.refund_id) > 0 as is_refunded
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
      from (select *, not is_refunded or refunded_minor < amount_minor as counts from orders_then) o
      group by person_id, occasion_key, at, fact_id
    )
    select person_id, occasion_key, at as from_at, coalesce(next_at, 'infinity') as to_at, occasion_at, order_id, order_count,
      net_minor, fact_id as opened_by, next_fact_id as closed_by
    from states where order_count > 0
    union all
    (select person_id, ${key}, paid_at, 'infinity', paid_at, order_id, 1, amount_minor, order_id, null
    from commerce.published_orders o
    where person_id > 0 and person_id ${scope}
      and not exists (select from eventful_orders e where e.person_id = o.person_id and e.order_id = o.order_id)
    -- Everybody reads occasions in the order of people.
    order by person_id, order_id)`
}

/** Days with several orders or a refund, and their orders. */
function eventfulDaysBody(scope: Scope, key: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select person_id, occasion_key, array_agg(order_id) as order_ids
    from (
      select person_id, order_id, ${key} as occasion_key, refunded.order_id is not null as is_refunded
      from commerce.published_orders
      left join (select distinct person_id, order_id from commerce.published_allocations where person_id ${scope}) refunded
        using (person_id, order_id)
      where person_id > 0 and person_id ${scope}
    ) keyed
    group by person_id, occasion_key having count(*) > 1 or bool_or(is_refunded)`
}
