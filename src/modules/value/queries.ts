import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import { erasePast } from './past-queries.ts'
import { PRESENT, type ValueTables } from './tables-queries.ts'

/** One run for a brand at a time; readers do not wait. */
export async function lockValues(tx: Sql, tables = PRESENT): Promise<void> {
  await sql`lock table ${tables.people}, ${tables.edges} in share row exclusive mode`.execute(tx)
}

/**
 * `valued_people`, for the transaction: everybody's history by `now` in days of the brand, mean spend of the repeat occasions, what
 * was realised in the period, and whether they can be reached.
 */
export async function createValuedPeople(
  tx: Sql,
  tables: ValueTables,
  now: Date,
  { zone, period_days: days }: Settings,
): Promise<void> {
  await sql`
    create temp table valued_people on commit drop as
    select h.person_id, repeats, last_days, watched_days, last_day, realised_minor, paid_minor, coalesce(s.depth >= 1, false) as is_reachable,
      s.net_paid_minor, s.last_occasion_at,
      case when repeats > 0 then greatest(0, (paid_minor - first_minor)::double precision / repeats) else 0 end as mean_spend_minor
    from (
      select person_id, (count(*) - 1)::int as repeats, (max(day) - min(day))::int as last_days, max(day) as last_day,
        ((${now}::timestamptz at time zone ${zone})::date - min(day))::int as watched_days,
        sum(net_minor)::bigint as paid_minor, (array_agg(net_minor order by occasion_at, order_id))[1] as first_minor,
        coalesce(sum(net_minor) filter (where occasion_at > ${now}::timestamptz - make_interval(hours => ${24 * days})), 0)::bigint
          as realised_minor
      from (
        select person_id, order_id, occasion_at, net_minor, (occasion_at at time zone ${zone})::date as day
        from relationship.published_occasions where from_at <= ${now} and to_at > ${now} and occasion_at <= ${now}
      ) o group by person_id
    ) h left join ${tables.standing} s using (person_id)`.execute(tx)
  await sql`create unique index on valued_people (person_id)`.execute(tx)
  await sql`analyze valued_people`.execute(tx)
}

export interface HistoryGroup {
  readonly repeats: number
  readonly last_days: number
  readonly watched_days: number
  readonly people: number
  readonly reachable: number
  /** Mean spend of the reachable ones. */
  readonly reachable_spend_minor: number
}

/** Equal histories with their numbers: a million people are some 300,000 of them. */
export async function selectHistoryGroups(tx: Sql): Promise<HistoryGroup[]> {
  const { rows } = await sql<HistoryGroup>`
    select repeats, last_days, watched_days, count(*) as people, count(*) filter (where is_reachable) as reachable,
      coalesce(avg(mean_spend_minor) filter (where is_reachable), 0) as reachable_spend_minor
    from valued_people group by 1, 2, 3 order by 1, 2, 3`.execute(tx)
  return rows
}

/** People with alike spend together: within 2 % of each other, by the mean of them. */
export async function selectSpendGroups(tx: Sql): Promise<{ x: number; meanSpend: number; people: number }[]> {
  const { rows } = await sql<{ x: number; meanSpend: number; people: number }>`
    select repeats as x, avg(mean_spend_minor) as "meanSpend", count(*) as people
    from valued_people where repeats > 0 and mean_spend_minor > 0
    group by repeats, round(ln(mean_spend_minor) * 50) order by 1, 2`.execute(tx)
  return rows
}

/** Mean of what was paid on an occasion, the first ones too. */
export async function selectSpendOfOccasions(tx: Sql): Promise<number> {
  const { rows } = await sql<{ mean: number }>`
    select coalesce(sum(paid_minor) / nullif(sum(repeats + 1), 0), 0)::double precision as mean from valued_people`.execute(
    tx,
  )
  return rows[0]?.mean ?? 0
}

export interface EarlierGroup {
  readonly repeats: number
  readonly last_days: number
  readonly watched_days: number
  readonly people: number
  /** Their occasions since then. */
  readonly later: number
}

/** Histories as they were so many days before `now`, with the occasions since, by all that is known now. */
export async function selectEarlierGroups(
  tx: Sql,
  now: Date,
  days: number,
  { zone }: Settings,
): Promise<EarlierGroup[]> {
  const { rows } = await sql<EarlierGroup>`
    with cut as (select (${now}::timestamptz at time zone ${zone})::date - ${days}::int as day)
    select repeats, last_days, watched_days, count(*) as people, sum(later)::bigint as later
    from (
      select (count(*) filter (where o.day <= cut.day) - 1)::int as repeats,
        (max(o.day) filter (where o.day <= cut.day) - min(o.day))::int as last_days,
        (cut.day - min(o.day))::int as watched_days, count(*) filter (where o.day > cut.day) as later
      from (
        select person_id, (occasion_at at time zone ${zone})::date as day
        from relationship.published_occasions where from_at <= ${now} and to_at > ${now} and occasion_at <= ${now}
      ) o cross join cut
      group by person_id, cut.day having min(o.day) <= cut.day
    ) h group by 1, 2, 3 order by 1, 2, 3`.execute(tx)
  return rows
}

export interface ValuedPerson {
  readonly person_id: number
  readonly repeats: number
  readonly last_days: number
  readonly watched_days: number
  readonly mean_spend_minor: number
  readonly is_reachable: boolean
}

export async function selectValuedPeople(tx: Sql, after: number, limit: number): Promise<ValuedPerson[]> {
  const { rows } = await sql<ValuedPerson>`
    select person_id, repeats, last_days, watched_days, mean_spend_minor, is_reachable
    from valued_people where person_id > ${after} order by person_id limit ${limit}`.execute(tx)
  return rows
}

export async function clearPeople(tx: Sql, tables: ValueTables): Promise<void> {
  await sql`delete from ${tables.people}`.execute(tx)
}

/** Columns of people of `valued_people`, in one order. */
export interface Scores {
  readonly personIds: number[]
  readonly alive: number[]
  readonly occasions: number[]
  readonly expected: number[]
  readonly low: number[]
  readonly high: number[]
  /** Days since the last occasion from which on they are late, at risk and lapsed. */
  readonly late: number[]
  readonly atRisk: number[]
  readonly lapsed: number[]
}

export async function insertPeople(
  tx: Sql,
  tables: ValueTables,
  { fitId, at }: { readonly fitId: number; readonly at: Date },
  scores: Scores,
): Promise<void> {
  await sql`
    insert into ${tables.people} (person_id, fit_id, valued_at, repeats, last_days, watched_days, mean_spend_minor, p_alive,
      expected_occasions, expected_minor, expected_low_minor, expected_high_minor, realised_minor, net_paid_minor, last_occasion_at,
      last_day, turns_days)
    select person_id, ${fitId}, ${at}, v.repeats, v.last_days, v.watched_days, v.mean_spend_minor, s.alive, s.occasions,
      s.expected, s.low, s.high, round(v.realised_minor * coalesce(f.margin_rate, 1))::bigint, v.net_paid_minor,
      v.last_occasion_at, v.last_day, array[s.late, s.at_risk, s.lapsed]
    from unnest(${scores.personIds}::bigint[], ${scores.alive}::double precision[], ${scores.occasions}::double precision[],
      ${scores.expected}::bigint[], ${scores.low}::bigint[], ${scores.high}::bigint[],
      ${scores.late}::int[], ${scores.atRisk}::int[], ${scores.lapsed}::int[])
      s (person_id, alive, occasions, expected, low, high, late, at_risk, lapsed)
    join valued_people v using (person_id)
    join ${tables.fits} f on f.fit_id = ${fitId}`.execute(tx)
}

export interface FitRow {
  readonly fitted_at: Date
  readonly unit: string
  readonly model_asked: string
  readonly model: string
  readonly reason: string | null
  /** An Estimate. */
  readonly occasions: object
  readonly spend_model: string
  readonly spend_reason: string | null
  readonly spend: object
  readonly margin_rate: number | null
  readonly discount_rate_per_year: number
  readonly people: number
  readonly repeaters: number
  readonly reachable_people: number
  readonly expected_minor: number
  readonly expected_low_minor: number
  readonly expected_high_minor: number
  readonly calibration: readonly object[]
  readonly drift: number | null
}

export async function insertFit(tx: Sql, tables: ValueTables, fit: FitRow): Promise<number> {
  const { rows } = await sql<{ fit_id: number }>`
    insert into ${tables.fits} (fitted_at, unit, model_asked, model, reason, occasions, spend_model, spend_reason, spend, margin_rate,
      discount_rate_per_year, people, repeaters, reachable_people, expected_minor, expected_low_minor, expected_high_minor,
      calibration, drift)
    values (${fit.fitted_at}, ${fit.unit}, ${fit.model_asked}, ${fit.model}, ${fit.reason}, ${JSON.stringify(fit.occasions)}::jsonb,
      ${fit.spend_model}, ${fit.spend_reason}, ${JSON.stringify(fit.spend)}::jsonb, ${fit.margin_rate},
      ${fit.discount_rate_per_year}, ${fit.people}, ${fit.repeaters}, ${fit.reachable_people}, ${fit.expected_minor},
      ${fit.expected_low_minor}, ${fit.expected_high_minor}, ${JSON.stringify(fit.calibration)}::jsonb, ${fit.drift})
    returning fit_id`.execute(tx)
  const [row] = rows
  if (!row) throw new Error('the table of fits took no row')
  return row.fit_id
}

/** What people are expected to bring together, with its interval. */
export interface Total {
  readonly people: number
  readonly expected: number
  readonly low: number
  readonly high: number
}

/** What is known only after everybody was scored. */
export async function updateEquity(tx: Sql, tables: ValueTables, fitId: number, equity: Total): Promise<void> {
  await sql`
    update ${tables.fits} set reachable_people = ${equity.people}, expected_minor = ${equity.expected},
      expected_low_minor = ${equity.low}, expected_high_minor = ${equity.high}
    where fit_id = ${fitId}`.execute(tx)
}

export type LastFit = FitRow & { readonly fit_id: number }

export async function selectLastFit(db: Sql, tables = PRESENT): Promise<LastFit | undefined> {
  const { rows } = await sql<LastFit>`
    select * from ${tables.fits} order by fit_id desc limit 1`.execute(db)
  return rows[0]
}

/** Cuts at a third and two thirds of the people who have something, as RFM's: the first value whose share reaches it. */
export async function insertCuts(tx: Sql, tables: ValueTables, now: Date): Promise<void> {
  await sql`
    insert into ${tables.cuts} (in_force_from, own_minor, influenced_minor)
    select ${now},
      coalesce(percentile_disc(array[1.0 / 3, 2.0 / 3]) within group (order by own_minor) filter (where own_minor > 0), '{0,0}'),
      coalesce(percentile_disc(array[1.0 / 3, 2.0 / 3]) within group (order by influenced_minor)
        filter (where influenced_minor > 0), '{0,0}')
    from ${tables.values}
    on conflict (in_force_from) do update
    set own_minor = excluded.own_minor, influenced_minor = excluded.influenced_minor`.execute(tx)
}

/** Whether somebody had bought before the day of `at`, as of then: else there is nothing to fit. */
export async function hasWatched(db: Sql, at: Date, { zone }: Settings): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from relationship.published_occasions
      where from_at <= ${at} and to_at > ${at} and occasion_at < date_trunc('day', ${at}::timestamptz, ${zone})) as found`.execute(
    db,
  )
  return rows[0]?.found ?? false
}

/** From this hour of the brand's day on: the day before is whole, and nobody works. */
const RUN_HOUR = 3

/** When a run is due next: on the brand's day after the last one, from 3 in the morning on; at once where none was and somebody has bought. */
export async function selectRunDueAt(db: Sql, now: Date, { zone }: Settings): Promise<Date | undefined> {
  const { rows } = await sql<{ due_at: Date | null }>`
    select case
      when last.fitted_at is not null then
        (date_trunc('day', last.fitted_at at time zone ${zone}) + interval '1 day' + make_interval(hours => ${RUN_HOUR})) at time zone ${zone}
      when exists (select from relationship.published_occasions where occasion_at < date_trunc('day', ${now}::timestamptz, ${zone}))
        then ${now}::timestamptz
      end as due_at
    from (select max(fitted_at) as fitted_at from value.fits) last`.execute(db)
  return rows[0]?.due_at ?? undefined
}

/**
 * What was worked out of people who are erased goes; their referral claims have become nobody's, and the next refresh takes the
 * edges out and replays what hung on them.
 */
export async function eraseValues(tx: Sql): Promise<void> {
  await sql`delete from value.people v using erased_identities e where v.person_id = e.person_id`.execute(tx)
  await sql`delete from value.propagation v using erased_identities e where v.person_id = e.person_id`.execute(tx)
  await sql`delete from value.settled v using erased_identities e where v.person_id = e.person_id`.execute(tx)
  await erasePast(tx)
}
