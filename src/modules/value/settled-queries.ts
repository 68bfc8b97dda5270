import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import { PRESENT } from './tables-queries.ts'

/*
 * Values as segments and the matrix ask for them. A fit of the next night moves everybody a little; whoever stands near a threshold
 * would go in and out of segments with it. So each value is kept until it has left a band around what is kept.
 */

/** Part of what is kept, in which a value may move without being followed; of P(alive) in itself. */
const BAND = 0.05

/**
 * Of `claimed_people`, those whose realised margin may have moved since it was worked out, those who bought for the first time since the
 * run, and numbers that are nobody's any more: `changed_values`, for the transaction.
 */
export async function createChangedValues(tx: Sql): Promise<void> {
  await sql`
    create temp table changed_values on commit drop as
    select c.person_id from claimed_people c
    left join value.people p using (person_id) left join relationship.published_standing s using (person_id)
    where case when p.person_id is null then s.last_occasion_at is not null
      else s.person_id is null or s.net_paid_minor is distinct from p.net_paid_minor end`.execute(tx)
  await sql`analyze changed_values`.execute(tx)
}

/**
 * Of `changed_values`: what came in by `now` in the period, at the margin rate of the fit they were valued by. Whom no run has valued has
 * that alone, of the latest fit: what they are expected to bring waits for the next.
 */
export async function updateRealised(tx: Sql, now: Date, { period_days: days }: Settings): Promise<void> {
  await sql`
    create temp table came_in on commit drop as
    select c.person_id, s.net_paid_minor, o.paid_minor, s.person_id is not null and o.occasions > 0 as is_buyer
    from changed_values c
    left join relationship.published_standing s using (person_id)
    cross join lateral (
      select count(*) as occasions, coalesce(sum(net_minor) filter (
        where occasion_at > ${now}::timestamptz - make_interval(hours => ${24 * days})), 0) as paid_minor
      from relationship.published_occasions o
      where o.person_id = c.person_id and from_at <= ${now} and to_at > ${now} and occasion_at <= ${now}
    ) o`.execute(tx)
  await sql`
    delete from value.people p using came_in c
    where p.person_id = c.person_id and not c.is_buyer and (p.valued_at is null or c.net_paid_minor is null)`.execute(
    tx,
  )
  await sql`
    update value.people p set realised_minor = round(c.paid_minor * coalesce(f.margin_rate, 1))::bigint, net_paid_minor = c.net_paid_minor
    from came_in c, value.fits f
    where p.person_id = c.person_id and f.fit_id = p.fit_id`.execute(tx)
  await sql`
    insert into value.people (person_id, fit_id, repeats, last_days, watched_days, mean_spend_minor, expected_occasions, expected_minor,
      expected_low_minor, expected_high_minor, realised_minor, net_paid_minor)
    select c.person_id, f.fit_id, 0, 0, 0, 0, 0, 0, 0, 0, round(c.paid_minor * coalesce(f.margin_rate, 1))::bigint, c.net_paid_minor
    from came_in c, (select fit_id, margin_rate from value.fits order by fit_id desc limit 1) f
    where c.is_buyer
    on conflict (person_id) do nothing`.execute(tx)
  await sql`
    delete from value.settled k using came_in c
    where k.person_id = c.person_id and not exists (select from value.people p where p.person_id = k.person_id)`.execute(
    tx,
  )
}

/**
 * Brings what is kept up to date: of everybody, or of `changed_values` and `region`. A value within its band stays as it is; a third
 * changes when its value is past the cut by as much; the days of a rhythm stay while none of them moved by more than that and a day.
 * Who changed is in `settled_changes`, for the transaction.
 */
export async function settleValues(tx: Sql, isAll: boolean, { zone }: Settings, tables = PRESENT): Promise<void> {
  const ofChanged = isAll
    ? sql``
    : sql`where person_id in (select person_id from changed_values union all select person_id from region)`
  if (isAll) {
    await sql`
      delete from ${tables.settled} k
      where not exists (select from ${tables.people} p where p.person_id = k.person_id)
        and not exists (select from ${tables.propagation} g where g.person_id = k.person_id)`.execute(tx)
  }
  const turnsAt = sql`case when s.turns_days is not null then array[late.begins_at, at_risk.begins_at, lapsed.begins_at] end`
  await sql`
    create temp table settled_changes on commit drop as
    with latest as (
      select person_id, coalesce(p.expected_minor, 0) as expected_minor, coalesce(p.realised_minor + p.expected_minor, 0) as own_minor,
        p.p_alive, coalesce(g.allocated_minor, p.realised_minor + p.expected_minor, 0) as allocated_minor,
        coalesce(g.influenced_minor, 0) as influenced_minor, p.last_occasion_at, p.last_day, p.turns_days
      from (select * from ${tables.people} ${ofChanged}) p
      full join (select * from ${tables.propagation} ${ofChanged}) g using (person_id)
    ), settled as (
      select person_id, n.last_occasion_at, n.last_day,
        ${kept(sql`n.expected_minor`, sql`k.expected_minor`)} as expected_minor,
        ${kept(sql`n.own_minor`, sql`k.own_minor`)} as own_minor,
        case when abs(n.p_alive - k.p_alive) <= ${BAND}::float8 then k.p_alive else n.p_alive end as p_alive,
        ${kept(sql`n.allocated_minor`, sql`k.allocated_minor`)} as allocated_minor,
        ${kept(sql`n.influenced_minor`, sql`k.influenced_minor`)} as influenced_minor,
        ${third(sql`n.own_minor`, sql`c.own_minor`, sql`k.transaction`)} as transaction,
        ${third(sql`n.influenced_minor`, sql`c.influenced_minor`, sql`k.propagation`)} as propagation,
        case when ${sql.join(
          [1, 2, 3].map(
            (turn) =>
              sql`abs(n.turns_days[${sql.lit(turn)}] - k.turns_days[${sql.lit(turn)}]) <= greatest(1, ${BAND}::float8 * k.turns_days[${sql.lit(turn)}])`,
          ),
          sql` and `,
        )} then k.turns_days else n.turns_days end as turns_days
      from latest n left join ${tables.settled} k using (person_id)
      cross join (select own_minor, influenced_minor from ${tables.cuts} order by in_force_from desc limit 1) c
    ), days as materialized (
      -- Each day once: to convert the days of each person took ten times as long.
      select day::date as day, day at time zone ${zone} as begins_at
      from generate_series((select min(last_day) from latest)::timestamp,
        ((select max(last_day) from latest) + (select max(turns_days[3]) from settled))::timestamp, interval '1 day') day
    ), written as (
      insert into ${tables.settled} as k (person_id, expected_minor, own_minor, p_alive, allocated_minor, influenced_minor, transaction,
        propagation, last_occasion_at, turns_days, turns_at)
      select person_id, s.expected_minor, s.own_minor, s.p_alive, s.allocated_minor, s.influenced_minor, s.transaction, s.propagation,
        s.last_occasion_at, s.turns_days, ${turnsAt}
      from settled s left join ${tables.settled} b using (person_id)
      left join days late on late.day = s.last_day + s.turns_days[1]
      left join days at_risk on at_risk.day = s.last_day + s.turns_days[2]
      left join days lapsed on lapsed.day = s.last_day + s.turns_days[3]
      where (s.expected_minor, s.own_minor, s.p_alive, s.allocated_minor, s.influenced_minor, s.transaction, s.propagation,
          s.last_occasion_at, s.turns_days, ${turnsAt})
        is distinct from (b.expected_minor, b.own_minor, b.p_alive, b.allocated_minor, b.influenced_minor, b.transaction,
          b.propagation, b.last_occasion_at, b.turns_days, b.turns_at)
      on conflict (person_id) do update set expected_minor = excluded.expected_minor, own_minor = excluded.own_minor,
        p_alive = excluded.p_alive, allocated_minor = excluded.allocated_minor, influenced_minor = excluded.influenced_minor,
        transaction = excluded.transaction, propagation = excluded.propagation, last_occasion_at = excluded.last_occasion_at,
        turns_days = excluded.turns_days, turns_at = excluded.turns_at
      returning k.person_id
    )
    select person_id from written`.execute(tx)
}

function kept(value: RawBuilder<unknown>, before: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`case when abs(${value} - ${before}) <= ${BAND}::float8 * abs(${before}) then ${before} else ${value} end`
}

/** Up when the value is past a cut by the band, down when it is below by as much; the first time by the cut itself. */
function third(
  value: RawBuilder<unknown>,
  cuts: RawBuilder<unknown>,
  before: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const past = (factor: number) =>
    sql`1 + (${value} > ${factor}::float8 * ${cuts}[1])::int + (${value} > ${factor}::float8 * ${cuts}[2])::int`
  return sql`case when ${before} is null then ${past(1)} else greatest(${past(1 + BAND)}, least(${before}, ${past(1 - BAND)})) end`
}
