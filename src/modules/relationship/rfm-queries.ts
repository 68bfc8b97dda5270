import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import { EVERYONE, liveFigures, occasionsOf, type Scope, withNetPaid } from './queries.ts'
import type { RfmPerson } from './schema.ts'

export type Ties = 'group' | 'first'

/**
 * R, F and M of every buyer as of `now` (domain.md §2): brand days since the last occasion or floor of 24-hour
 * periods, occasions, net paid.
 */
function rfmValuesBody(
  scope: Scope,
  now: Date,
  settings: Pick<Settings, 'period_days' | 'recency_unit' | 'zone'>,
  occasions: RawBuilder<unknown> = sql`relationship.occasions`,
): RawBuilder<unknown> {
  const buyers = sql`
    select person_id, ${liveFigures(now)} from ${occasions} as o
    where person_id ${scope} and from_at <= ${now} and to_at > ${now} group by person_id`
  return sql`
    select person_id, ${recencyAt(now, settings)} as recency_days, live as frequency, net_paid_minor as monetary_minor
    from (${withNetPaid(scope, now, buyers)}) b where live > 0`
}

/** The same at the present, from what standing keeps: a million rows in place of ten million. No fact lies ahead of it. */
function presentValuesBody(now: Date, settings: Pick<Settings, 'recency_unit' | 'zone'>): RawBuilder<unknown> {
  return sql`
    select person_id, ${recencyAt(now, settings)} as recency_days, occasions as frequency, net_paid_minor as monetary_minor
    from relationship.standing where occasions > 0`
}

function recencyAt(now: Date, settings: Pick<Settings, 'recency_unit' | 'zone'>): RawBuilder<unknown> {
  return settings.recency_unit === '24h'
    ? sql`floor(extract(epoch from ${now}::timestamptz - last_occasion_at) / 86400)::int`
    : sql`(${now}::timestamptz at time zone ${settings.zone})::date - (last_occasion_at at time zone ${settings.zone})::date`
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
    select recency_days, frequency, monetary_minor from (${rfmValuesBody(scope, now, settings, occasionsOf(settings, scope))}) v`.execute(
    db,
  )
  return rows[0]
}

/** Who a buyer is to people: their key in the source that has known them longest. */
const PERSON_KEYS = sql`
  select distinct on (person_id) person_id, value as key from customers.published_people order by person_id, identity_id`

/** Keys in ascending order: numbers by value before text, text by code point (rules.ts compareKeys). */
const KEY_ORDER = sql`case when key ~ '^[0-9]{1,15}$' then key::numeric end nulls last, key collate "C"`

type CutSettings = Pick<Settings, 'rfm_recency_days' | 'rfm_frequency' | 'rfm_monetary_minor'>

/** The thresholds that the brand has set; ranks, which break ties by key, are always cut by shares. */
function fixedCuts(settings: CutSettings, ties: Ties) {
  const fixed = {
    recency_days: settings.rfm_recency_days,
    frequency: ties === 'first' ? null : settings.rfm_frequency,
    monetary_minor: settings.rfm_monetary_minor,
  }
  const names = (['recency_days', 'frequency', 'monetary_minor'] as const).filter((name) => fixed[name] !== null)
  return { ...fixed, names }
}

/**
 * Cut points at 20, 40, 60 and 80 % (percentile_disc) where the brand has set no thresholds, and the means; F on the rank when ties
 * are broken by key.
 */
function cutsBody(values: RawBuilder<unknown>, settings: CutSettings, ties: Ties): RawBuilder<unknown> {
  const fixed = fixedCuts(settings, ties)
  const cuts = (given: readonly number[] | null, type: 'int' | 'bigint', value: RawBuilder<unknown>) =>
    given
      ? sql`${given}::${sql.raw(type)}[]`
      : sql`percentile_disc(array[0.2, 0.4, 0.6, 0.8]::float8[]) within group (order by ${value})`
  return sql`
    select count(*) as buyers,
      ${cuts(fixed.recency_days, 'int', sql`recency_days`)} as recency_days,
      ${cuts(fixed.frequency, 'bigint', ties === 'first' ? sql`frequency_rank` : sql`frequency::bigint`)} as frequency,
      ${cuts(fixed.monetary_minor, 'bigint', sql`monetary_minor`)} as monetary_minor,
      avg(recency_days)::float8 as mean_recency_days, avg(frequency)::float8 as mean_frequency,
      avg(monetary_minor)::float8 as mean_monetary_minor, ${fixed.names}::text[] as fixed
    from ${values} v`
}

/** Cuts of everybody as of `now`, which is the present: standing has been brought up to it. */
export async function insertCuts(tx: Sql, now: Date, settings: Settings): Promise<void> {
  await sql`
    insert into relationship.rfm_cuts (in_force_from, recency_unit, occasion_unit, buyers, recency_days, frequency, monetary_minor,
      mean_recency_days, mean_frequency, mean_monetary_minor, fixed)
    select ${now}::timestamptz, ${settings.recency_unit}, ${settings.occasion_unit}, c.*
    from (${cutsBody(sql`(${presentValuesBody(now, settings)})`, settings, 'group')}) c
    where c.buyers > 0
    -- Made again at the same instant: after a threshold was set.
    on conflict (in_force_from) do update set recency_unit = excluded.recency_unit, occasion_unit = excluded.occasion_unit,
      buyers = excluded.buyers, recency_days = excluded.recency_days, frequency = excluded.frequency,
      monetary_minor = excluded.monetary_minor, mean_recency_days = excluded.mean_recency_days,
      mean_frequency = excluded.mean_frequency, mean_monetary_minor = excluded.mean_monetary_minor, fixed = excluded.fixed`.execute(
    tx,
  )
}

export interface Cuts {
  readonly in_force_from: Date | null
  readonly buyers: number
  readonly recency_days: number[]
  readonly frequency: number[]
  readonly monetary_minor: number[]
  /** Of the same buyers; null in a table from before means were kept. */
  readonly mean_recency_days: number | null
  readonly mean_frequency: number | null
  readonly mean_monetary_minor: number | null
  /** Of which of the three they are thresholds that the brand has set. */
  readonly fixed: ('recency_days' | 'frequency' | 'monetary_minor')[]
}

/** The cut table in force at `now`, when one was and it speaks of the same units. */
export async function selectCutsInForce(
  db: Sql,
  now: Date,
  units: Pick<Settings, 'recency_unit' | 'occasion_unit'>,
): Promise<Cuts | undefined> {
  const { rows } = await sql<Cuts>`
    select in_force_from, buyers, recency_days, frequency, monetary_minor, mean_recency_days, mean_frequency, mean_monetary_minor,
      fixed
    from relationship.rfm_cuts
    where in_force_from <= ${now} and recency_unit = ${units.recency_unit} and occasion_unit = ${units.occasion_unit}
    order by in_force_from desc limit 1`.execute(db)
  return rows[0]
}

/** Which segment a pair of R and F is. */
export interface SegmentCell {
  readonly r: number
  readonly f: number
  readonly segment: string
}

/** The segment of every buyer by the cuts given: (person_id, rfm_segment). */
export function segmentsBody(
  now: Date,
  settings: Settings,
  cuts: Cuts,
  cells: readonly SegmentCell[],
): RawBuilder<unknown> {
  const below = (list: readonly number[], value: RawBuilder<unknown>) =>
    sql`(select count(*) from unnest(${list}::bigint[]) cut where cut < ${value})::int`
  return sql`
    select person_id, g.segment as rfm_segment
    from (
      select person_id, 5 - ${below(cuts.recency_days, sql`v.recency_days`)} as r, 1 + ${below(cuts.frequency, sql`v.frequency`)} as f
      from (${rfmValuesBody(EVERYONE, now, settings)}) v
    ) scored
    join (values ${sql.join(cells.map(({ r, f, segment }) => sql`(${r}::int, ${f}::int, ${segment}::text)`))}) as g(r, f, segment)
      using (r, f)`
}

export interface RfmQuery {
  readonly now: Date
  readonly settings: Pick<Settings, 'period_days' | 'recency_unit' | 'zone'> & CutSettings
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
    select null as in_force_from, c.* from (${cutsBody(sql`(${rankedBody(query)})`, query.settings, query.ties)}) c`.execute(
    db,
  )
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
