import { type RawBuilder, sql } from 'kysely'
import type { Settings } from '../src/modules/brand/schema.ts'
import type { Sql } from '../src/platform/db.ts'

/*
 * The floor that the rebuild is held against: what somebody who knows SQL well would write by hand for the same
 * columns, keys and indexes, if orders were never refunded, occasions never voided and connections never ended. On such
 * data it gives the same rows (run.ts asserts that); on other data it is wrong, and just as fast.
 *
 * One pass over the orders: with one occasion a row in the order of time, the two before it are two lags, and everything that
 * standing says follows from these.
 */

export async function makePlain(tx: Sql, now: Date, settings: Settings): Promise<void> {
  await sql`drop schema if exists plain cascade`.execute(tx)
  await sql`create schema plain`.execute(tx)
  // As the rebuild does: both may read orders in the order of their key.
  await sql`set local effective_cache_size = '8GB'`.execute(tx)
  await makeStanding(tx, now, settings)
}

export async function dropPlain(tx: Sql): Promise<void> {
  await sql`drop schema plain cascade`.execute(tx)
}

/** An occasion for each day on which somebody bought. */
function occasionsBody({ zone }: Pick<Settings, 'zone'>): RawBuilder<unknown> {
  return sql`
    select person_id, ((paid_at at time zone ${zone})::date - date '1970-01-01')::bigint as occasion_key,
      min(paid_at) as occasion_at, min(order_id) as order_id, count(*)::int as order_count, sum(amount_minor)::bigint as net_minor
    from commerce.orders where person_id > 0
    group by 1, 2 order by 1, 2`
}

async function makeStanding(tx: Sql, now: Date, settings: Settings): Promise<void> {
  const period = sql`make_interval(hours => ${settings.period_days * 24})`
  await sql`
    create table plain.standing as
    with ordered as (
      select person_id, occasion_at, net_minor, order_id, lag(order_id) over w as order_before,
        lag(occasion_at) over w as before, lag(occasion_at, 2) over w as second_before,
        lead(occasion_at) over w as next
      from (${occasionsBody(settings)}) occasions window w as (partition by person_id order by occasion_key)
    ), buyers as (
      select person_id, count(*)::int as occasions, sum(net_minor)::bigint as net_paid_minor,
        count(*) filter (where occasion_at > ${now}::timestamptz - ${period}) as in_period,
        max(occasion_at) as last, max(before) as second_last,
        max(order_id) filter (where next is null) as last_order,
        max(order_before) filter (where next is null) as second_last_order,
        max(occasion_at) filter (where before + ${period} > occasion_at
          and (second_before is null or second_before + ${period} < occasion_at)) as repeat_since
      from ordered group by person_id
    ), connected as (
      select distinct on (person_id) person_id, connection_id, begun_at
      from customers.connections order by person_id, begun_at, connection_id
    ), figures as (
      select p.person_id, c.connection_id, c.begun_at, b.last, b.second_last, b.last_order, b.second_last_order,
        b.repeat_since, coalesce(b.occasions, 0) as occasions, coalesce(b.net_paid_minor, 0) as net_paid_minor,
        (case when in_period >= 2 then 4 when in_period = 1 then 3 when occasions >= 1 then 2 else 1 end)::smallint
          as depth_if_connected
      from (select distinct person_id from customers.canonical) p
      left join buyers b using (person_id)
      left join connected c using (person_id)
      where b.person_id is not null or c.person_id is not null or (
        select true from (
          select 1 from customers.records k where k.person_id = p.person_id
          union all select 1 from commerce.orders o where o.person_id = p.person_id
          union all select 1 from commerce.refunds r where r.person_id = p.person_id
          union all select 1 from customers.connections x where x.person_id = p.person_id
          union all select 1 from customers.memberships m where m.person_id = p.person_id
          union all select 1 from customers.consents k where k.person_id = p.person_id
          union all select 1 from customers.referral_claims f where f.person_id = p.person_id
          union all select 1 from customers.referral_claims f where f.referrer_person_id = p.person_id
          union all select 1 from commerce.published_spreads s where s.person_id = p.person_id
          union all select 1 from interactions.reviews v where v.person_id = p.person_id
          union all select 1 from interactions.interactions i where i.person_id = p.person_id
        ) fact limit 1)
    )
    select person_id, case when connection_id is null then 0 else depth_if_connected end::smallint as depth,
      case when connection_id is null then null else greatest(begun_at, case depth_if_connected
        when 4 then repeat_since
        when 3 then case when second_last + ${period} > last then second_last + ${period} else last end
        when 2 then last + ${period} end) end as since,
      case when connection_id is null then null when depth_if_connected = 4 then second_last + ${period}
        when depth_if_connected = 3 then last + ${period} end as lapses_at,
      case when connection_id is null then null when depth_if_connected >= 3 then depth_if_connected - 1 end::smallint
        as lapses_to,
      case when connection_id is null then '{}' when depth_if_connected = 4
        then array[connection_id, last_order, second_last_order] when depth_if_connected >= 2
        then array[connection_id, last_order] else array[connection_id] end::bigint[] as evidence,
      case when connection_id is null then 0 else depth_if_connected end::smallint as depth_if_connected,
      last as last_occasion_at, occasions, net_paid_minor
    from figures`.execute(tx)
  await sql`alter table plain.standing add primary key (person_id)`.execute(tx)
  await sql`create index on plain.standing (lapses_at) where lapses_at is not null`.execute(tx)
  await sql`create index on plain.standing (depth, (occasions > 0), (-net_paid_minor), person_id)`.execute(tx)
  await sql`analyze plain.standing`.execute(tx)
}

/** Rows that are not the same in both, of occasions and of standing; 0 on simple data, or the floor is no floor. */
export async function countDifferences(db: Sql, settings: Settings): Promise<number> {
  const { rows } = await sql<{ different: number }>`
    with occasions as (
      select person_id, from_at, to_at, occasion_at, order_id, order_count, net_minor, opened_by, closed_by
      from relationship.occasions
    ), plain_occasions as (
      select person_id, occasion_at as from_at, 'infinity'::timestamptz as to_at, occasion_at, order_id, order_count, net_minor,
        order_id as opened_by, null::bigint as closed_by
      from (${occasionsBody(settings)}) o
    ), standing as (
      select person_id, depth, since, lapses_at, lapses_to, evidence, depth_if_connected, last_occasion_at, occasions,
        net_paid_minor
      from relationship.standing
    )
    select (select count(*) from (select * from occasions except all select * from plain_occasions) d)
      + (select count(*) from (select * from plain_occasions except all select * from occasions) d)
      + (select count(*) from (select * from standing except all select * from plain.standing) d)
      + (select count(*) from (select * from plain.standing except all select * from standing) d) as different`.execute(
    db,
  )
  return rows[0]?.different ?? 0
}
