import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import { INTERACTION_TYPES } from '../interactions/schema.ts'
import { EVERYBODYS, type Facts, factsOf } from './facts-queries.ts'
import type { Scope } from './queries.ts'
import { FAN_TIERS, INTEREST, tiersFrom } from './schema.ts'

type TierSettings = Pick<Settings, 'fan_tier_scores'>

/*
 * The interaction score (domain.md §5) is a sum of weights that each halve every 30 days: it rises at an interaction, only
 * falls between two, and so crosses a threshold at an instant that the last interaction before it determines.
 */

const entries = Object.entries(INTERACTION_TYPES)
const WEIGHTS = sql`(values ${sql.join(
  entries.filter(([, { weight }]) => weight > 0).map(([type, { weight }]) => sql`(${type}, ${weight}::float8)`),
)})`
const PRODUCT_TYPES = entries.filter(([, { isProduct }]) => isProduct).map(([type]) => type)

const HALF_LIFE_US = INTEREST.half_life_seconds * 1_000_000

/**
 * By how much a weight given at an instant outweighs the same weight in 2010: 2^(half-lives since then), so that one running
 * sum over it serves every instant. The same instant has the same figure whatever else is known, and so has each crossing.
 *
 * The whole half-lives and the rest are raised apart: together the rest would have lost ten bits, some milliseconds of a
 * crossing. A double holds 2^±1000, 82 years each way; what lies further away is taken as if it lay there.
 */
function growthAt(at: RawBuilder<unknown>): RawBuilder<unknown> {
  const us = sql`round(date_part('epoch', ${at}) * 1000000)::bigint`
  const halfLife = sql`${HALF_LIFE_US}::bigint`
  return sql`(power(2::float8, greatest(least(${us} / ${halfLife} - 487, 1000), -1000)::float8)
    * power(2::float8, (${us} % ${halfLife})::float8 / ${halfLife}))`
}

/**
 * The score just after each instant at which it rose, and the interaction that did it: (person_id, at, score, interaction_id).
 * @param interactions what stands after from, ending in a where.
 */
function scoresBody(interactions: RawBuilder<unknown>, now: Date): RawBuilder<unknown> {
  return sql`
    select person_id, at, interaction_id,
      sum(weight * growth) over (partition by person_id order by at) / growth as score
    from (
      select person_id, occurred_at as at, max(interaction_id) as interaction_id, sum(weight) as weight, ${growthAt(sql`occurred_at`)} as growth
      from (select person_id, occurred_at, interaction_id, type from ${interactions} and occurred_at <= ${now}) known
      join ${WEIGHTS} as weighed(type, weight) using (type)
      group by person_id, occurred_at
    ) risen`
}

/** Whoever's interactions weigh enough together to reach the threshold of interest if they had all been at one instant. */
function activeBody(interactions: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select person_id from ${interactions} join ${WEIGHTS} as weighed(type, weight) using (type)
    group by person_id having sum(weight) >= ${INTEREST.score}::float8`
}

/** The people of `scope` whom interest may make members: (person_id). */
export function activePeople(scope: Scope): RawBuilder<unknown> {
  return activeBody(sql`(select person_id, type from ${factsOf(scope, 'interactions', EVERYBODYS)}) known`)
}

/**
 * When the score is at its threshold or above (`scored`), and the 30 days from each product fact on (`product`): (person_id,
 * condition, begin_at, end_at, begun_by).
 *
 * The score is looked at in whole seconds from the interaction on, so a span ends with the first second that finds it below,
 * and one that only reaches the threshold is a second long. A millionth of a second is added before the cut, because a sum of
 * doubles may miss a whole second by less. A later span covers what is left of an earlier one, which therefore need not be
 * cut off where the later one begins.
 */
export function interestSpans(scope: Scope, now: Date, facts: Facts): RawBuilder<unknown> {
  const seconds = sql`floor(${INTEREST.half_life_seconds} * ln(score / ${INTEREST.score}::float8) / ln(2::float8) + 1e-6) + 1`
  return sql`
    with known as materialized (
      select person_id, type, occurred_at, interaction_id from ${factsOf(scope, 'interactions', facts)} and occurred_at <= ${now}
    ), acts as materialized (
      -- Nobody else is ever interested, whatever they looked at: of a shop's visitors nine in ten.
      select * from known where person_id in (${activeBody(sql`known`)})
    )
    select person_id, 'scored' as condition, at as begin_at, at + make_interval(secs => ${seconds}) as end_at, interaction_id as begun_by
    from (${scoresBody(sql`acts where true`, now)}) scores where ${seconds} > 0
    union all
    select person_id, 'product', occurred_at, occurred_at + make_interval(hours => ${INTEREST.product_days * 24}), interaction_id
    from acts where type = any(${PRODUCT_TYPES}::text[])`
}

const columnOf = (tier: string) => sql.ref(`${tier}_until`)
/** The columns of `fan_tiers`, highest tier last. */
const TIER_ENDS = FAN_TIERS.slice(1).map(({ tier }) => ({ tier, column: columnOf(tier) }))

/** Everybody of `scope` who ever reached a fan tier above the lowest: (person_id, and until when each tier holds). */
function tierEndsBody(
  scope: Scope,
  now: Date,
  { fan_tier_scores: scores }: TierSettings,
  facts = EVERYBODYS,
): RawBuilder<unknown> {
  const tiers = tiersFrom(scores).slice(1)
  const ends = sql.join(
    tiers.map(({ tier, from }) => sql`nullif(${scoreHeldUntil(from)}, '-infinity') as ${columnOf(tier)}`),
  )
  return sql`
    select person_id, ${ends}
    from (${lastScoresBody(scope, now, { facts })}) last_scores where score >= ${tiers[0]?.from ?? 0}::float8`
}

/**
 * Keeps fan tiers of the people of `scope` as of their last interaction: what lies ahead follows from it.
 * @param further 'none' where there is no interaction at all, which spares the plan over all months.
 */
export async function writeFanTiers(
  tx: Sql,
  scope: Scope,
  now: Date,
  settings: TierSettings,
  further: 'none' | 'all',
  facts = EVERYBODYS,
): Promise<void> {
  const columns = sql.join(TIER_ENDS.map(({ column }) => column))
  await sql`delete from relationship.fan_tiers where person_id ${scope}`.execute(tx)
  if (further === 'none') return
  // In the order of people, by which shares of them are read: as they came out of a hash, each row was on another page, and a segment of
  // a million people that asks for tiers took 2.9 s in place of 1.9.
  await sql`
    insert into relationship.fan_tiers (person_id, ${columns}, value_order)
    select person_id, ${columns}, -net_paid_minor
    from (${tierEndsBody(scope, now, settings, facts)}) t join relationship.standing using (person_id)
    order by person_id`.execute(tx)
}

/**
 * Who is at a fan tier now, or above the lowest for that one: (person_id, value_order), by the indexes of what is kept.
 */
export function tierHoldersBody(now: Date, tier: string): RawBuilder<unknown> {
  const at = TIER_ENDS.findIndex((known) => known.tier === tier)
  const [own, next] = [TIER_ENDS[Math.max(at, 0)], at < 0 ? undefined : TIER_ENDS[at + 1]]
  const isBelow = next ? sql`and (${next.column} is null or ${next.column} <= ${now})` : sql``
  return sql`select person_id, value_order from relationship.fan_tiers where ${own?.column} > ${now} ${isBelow}`
}

/** Until when the people of `scope` hold tiers, as it is kept with standing: (person_id, and a column for each `from` of a tier). */
export function keptTiersBody(
  scope: Scope,
  { fan_tier_scores: scores }: TierSettings,
  columns: readonly (readonly [from: number, name: string])[],
): RawBuilder<unknown> {
  const tiers = tiersFrom(scores).slice(1)
  const named = columns.map(([from, name]) => {
    const known = tiers.find((one) => one.from === from)
    if (!known) throw new Error(`No fan tier begins at ${from}`)
    return sql`, ${columnOf(known.tier)} as ${sql.ref(name)}`
  })
  return sql`
    select person_id ${named.length > 0 ? sql.join(named, sql` `) : sql``} from relationship.fan_tiers where person_id ${scope}`
}

/**
 * Everybody's fan tier above the lowest: (person_id, fan_tier).
 * @param asOf a past instant, of which nothing is kept; else it is of `now`.
 */
export function fanTiersBody(now: Date, asOf: Date | undefined, settings: TierSettings): RawBuilder<unknown> {
  const at = asOf ?? now
  const cases = sql.join(
    TIER_ENDS.toReversed().map(({ tier, column }) => sql`when ${column} > ${at} then ${tier}::text`),
    sql` `,
  )
  const kept = asOf ? sql`(${tierEndsBody(sql`> 0`, asOf, settings)})` : sql`relationship.fan_tiers`
  const [lowest] = TIER_ENDS
  return sql`select person_id, case ${cases} end as fan_tier from ${kept} t where ${lowest?.column} > ${at}`
}

/**
 * Until when a row (score, at) of `lastScoresBody` is at a threshold above 0 or over it, were nothing to happen any more: the first
 * whole second that finds it below; `-infinity` when it never was.
 */
export function scoreHeldUntil(threshold: number): RawBuilder<unknown> {
  return sql`case when score >= ${threshold}::float8 then at + make_interval(
    secs => floor(${INTEREST.half_life_seconds} * ln(score / ${threshold}::float8) / ln(2::float8) + 1e-6) + 1)
    else '-infinity'::timestamptz end`
}

/**
 * The score of each of `scope` just after the last interaction up to `now` that raised it: (person_id, at, score), and with
 * `withFact` interaction_id. By sums alone: the running sum of scoresBody and the last row of it took twice the time.
 */
export function lastScoresBody(
  scope: Scope,
  now: Date,
  { withFact = false, facts = EVERYBODYS } = {},
): RawBuilder<unknown> {
  return sql`
    select person_id, max(at) as at, sum(weight * growth) / ${growthAt(sql`max(at)`)} as score
      ${withFact ? sql`, (array_agg(interaction_id order by at desc))[1] as interaction_id` : sql``}
    from (
      select person_id, occurred_at as at, sum(weight) as weight, ${growthAt(sql`occurred_at`)} as growth
        ${withFact ? sql`, max(interaction_id) as interaction_id` : sql``}
      from (select person_id, occurred_at, interaction_id, type from ${factsOf(scope, 'interactions', facts)} and occurred_at <= ${now}) known
      join ${WEIGHTS} as weighed(type, weight) using (type)
      group by person_id, occurred_at
    ) risen group by person_id`
}

/** The score just after the last interaction up to `now` that raised it; undefined: none did. */
export async function selectLastScore(
  db: Sql,
  scope: Scope,
  now: Date,
): Promise<{ at: Date; score: number } | undefined> {
  const { rows } = await sql<{ at: Date; score: number }>`
    select at, score from (${scoresBody(factsOf(scope, 'interactions', EVERYBODYS), now)}) scores order by at desc limit 1`.execute(
    db,
  )
  return rows[0]
}
