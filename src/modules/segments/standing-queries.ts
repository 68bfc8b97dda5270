import { type RawBuilder, sql } from 'kysely'
import { z } from 'zod'
import { type Cuts, keptTiersBody, lastScoresBody, scoreHeldUntil } from '../relationship/actions.ts'
import { fanTier, RFM_SEGMENTS, RFM_VALUE_GROUPS, tiersFrom } from '../relationship/schema.ts'
import { ageEdges, ageHolds } from './event-queries.ts'
import { ahead, type ClauseKind, type Compiled, earliest, type Ground, hoursOf } from './ground-queries.ts'
import { daysRange, LIMITS, type Range, rangeOf } from './schema.ts'

/*
 * Clauses over what relationship makes of the facts: depth, RFM and fan tier. Depth and RFM read the standing `s` of the person that
 * every evaluation begins with, and cost no table of their own.
 */

const SAYS_NOTHING = 'says nothing: name at least one field'
const hasAny = (clause: object) => Object.values(clause).some((value) => value !== undefined)

const depthClause = z
  .strictObject({
    is: z.array(z.number().int().min(0).max(5)).min(1).max(6).optional(),
    /** For how long it has been so, in whole times of 24 hours. */
    since_days: daysRange.optional(),
    /** Time alone changes it within so many days. */
    lapses_within_days: z.number().int().min(1).max(LIMITS.days).optional(),
    /** Connected once, and not any more. */
    lost: z.boolean().optional(),
  })
  .refine(hasAny, SAYS_NOTHING)

export const DEPTH: ClauseKind<typeof depthClause> = {
  schema: depthClause,
  // What they do changes it of few, who are told apart.
  facts: ['order', 'connection', 'membership', 'person', 'review', 'depth'],
  compile: ({ is, since_days: since, lapses_within_days: within, lost }, ground) => {
    const soon = within === undefined ? undefined : sql`s.lapses_at - ${hoursOf(within)}`
    const isLost = sql`(s.depth = 0 and s.depth_if_connected > 0)`
    return {
      holds: both([
        ...(is ? [sql`s.depth = any(${is}::int[])`] : []),
        ...(since ? [ageHolds(sql`s.since`, since, ground)] : []),
        ...(soon ? [sql`coalesce(${soon} <= ${ground.at}::timestamptz, false)`] : []),
        ...(lost === undefined ? [] : [lost ? isLost : sql`not ${isLost}`]),
      ]),
      until: earliest([
        // Stored before its time was up: the new run is stored soon, and this is looked at again then.
        sql`case when s.is_lapsed then ${ground.at}::timestamptz else s.lapses_at end`,
        ...(since ? ageEdges(sql`s.since`, since, ground) : []),
        ...(soon ? [ahead(sql`(${soon})`, ground)] : []),
      ]),
      observed: sql`jsonb_build_object('depth', s.depth, 'since', s.since, 'lapses_at', s.lapses_at, 'lost', ${isLost})`,
      factId: sql`coalesce(s.evidence[2], s.evidence[1])`,
    }
  },
}

const score = z.array(z.number().int().min(1).max(5)).min(1).max(5)
const segmentNames = RFM_SEGMENTS.map(({ segment }) => segment) as [string, ...string[]]
const groupNames = RFM_VALUE_GROUPS.map(({ group }) => group) as [string, ...string[]]
const MINOR_MAX = 1e15

const rfmClause = z
  .strictObject({
    r: score.optional(),
    f: score.optional(),
    m: score.optional(),
    segment: z.array(z.enum(segmentNames)).min(1).optional(),
    value_group: z.array(z.enum(groupNames)).min(1).optional(),
    recency_days: daysRange.optional(),
    frequency: rangeOf(1, 1_000_000).optional(),
    monetary_minor: rangeOf(-MINOR_MAX, MINOR_MAX).optional(),
  })
  .refine(hasAny, SAYS_NOTHING)
type RfmClause = z.infer<typeof rfmClause>

/** RFM of buyers, see docs/definitions.md §2; who is no buyer has none, and is in no such clause. */
export const RFM: ClauseKind<typeof rfmClause> = {
  schema: rfmClause,
  facts: ['order'],
  usesCuts: ({ r, f, m, segment, value_group }) => [r, f, m, segment, value_group].some((asked) => asked !== undefined),
  compile: compileRfm,
}

function compileRfm(clause: RfmClause, ground: Ground): Compiled {
  const { cuts } = ground
  const scores = cuts && {
    r: sql`(5 - ${countOf(cuts.recency_days.map((cut) => isReached(cut + 1, ground)))})`,
    f: sql`(1 + ${cutsBelow(cuts.frequency, sql`s.occasions`)})`,
    m: sql`(1 + ${cutsBelow(cuts.monetary_minor, sql`s.net_paid_minor`)})`,
  }
  const better = cuts && {
    r: sql`not ${isReached(Math.ceil(cuts.mean_recency_days ?? 0), ground)}`,
    f: sql`s.occasions > ${cuts.mean_frequency}::float8`,
    m: sql`s.net_paid_minor > ${cuts.mean_monetary_minor}::float8`,
  }
  const { recency_days: recency } = clause
  // What time does not change: whom it leaves out is never due.
  const lasting = [
    sql`s.occasions > 0`,
    ...(clause.frequency ? [within(sql`s.occasions`, clause.frequency)] : []),
    ...(clause.monetary_minor ? [within(sql`s.net_paid_minor`, clause.monetary_minor)] : []),
    ...(scores ? (['f', 'm'] as const).flatMap((name) => isAmong(scores[name], clause[name])) : []),
  ]
  const passing = [
    ...(recency?.at_least === undefined ? [] : [isReached(recency.at_least, ground)]),
    ...(recency?.at_most === undefined ? [] : [sql`not ${isReached(recency.at_most + 1, ground)}`]),
    ...(scores ? [...isAmong(scores.r, clause.r), ...segmentCondition(clause.segment, scores)] : []),
    ...(better && clause.value_group ? [groupCondition(clause.value_group, better)] : []),
  ]
  const edges = recencyEdges(clause, cuts).map((days) => ahead(recencyReaches(days, ground), ground))
  return {
    holds: sql`coalesce(${both([...lasting, ...passing])}, false)`,
    until: sql`case when ${both(lasting)} then ${earliest(edges)} else 'infinity'::timestamptz end`,
    observed: sql`jsonb_build_object('recency_days', ${recencyDays(ground)}, 'frequency', s.occasions, 'monetary_minor', s.net_paid_minor ${
      scores ? sql`, 'r', ${scores.r}, 'f', ${scores.f}, 'm', ${scores.m}` : sql``
    })`,
    // The first order of the latest occasion, where depth names it.
    factId: sql`s.evidence[2]`,
  }
}

function isAmong(value: RawBuilder<unknown>, list: readonly number[] | undefined): RawBuilder<unknown>[] {
  return list ? [sql`${value} = any(${list}::int[])`] : []
}

function segmentCondition(
  segments: readonly string[] | undefined,
  scores: Record<'r' | 'f', RawBuilder<unknown>>,
): RawBuilder<unknown>[] {
  if (!segments) return []
  const cells = RFM_SEGMENTS.filter(({ segment }) => segments.includes(segment)).map(
    ({ r, f }) => sql`${scores.r} = any(${r}::int[]) and ${scores.f} = any(${f}::int[])`,
  )
  return [either(cells)]
}

function groupCondition(
  groups: readonly string[],
  better: Record<'r' | 'f' | 'm', RawBuilder<unknown>>,
): RawBuilder<unknown> {
  return either(
    RFM_VALUE_GROUPS.filter(({ group }) => groups.includes(group)).map(
      ({ r, f, m }) => sql`(${better.r}) = ${r} and (${better.f}) = ${f} and (${better.m}) = ${m}`,
    ),
  )
}

/** How many cuts lie strictly below a value. */
function cutsBelow(cuts: readonly number[], value: RawBuilder<unknown>): RawBuilder<unknown> {
  return countOf(cuts.map((cut) => sql`${value} > ${cut}::bigint`))
}

function countOf(conditions: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  if (conditions.length === 0) return sql`0`
  return sql`(${sql.join(
    conditions.map((condition) => sql`(${condition})::int`),
    sql` + `,
  )})`
}

/**
 * Whether the last occasion is so many days ago or more, in the brand's unit: by an instant that is the same for everybody. To
 * convert each person's last occasion to the brand's day, once for each cut: 1.7 s for 100,000 people in place of 0.5 s.
 */
function isReached(days: number, { at, settings }: Ground): RawBuilder<unknown> {
  return settings.recency_unit === '24h'
    ? sql`(s.last_occasion_at <= ${at}::timestamptz - ${hoursOf(days)})`
    : sql`(s.last_occasion_at < (((${at}::timestamptz at time zone ${settings.zone}::text)::date - ${days - 1}::int)::timestamp at time zone ${settings.zone}::text))`
}

/** Days since the last occasion at which something that the clause asks for may change. */
function recencyEdges(clause: RfmClause, cuts: Cuts | null): number[] {
  const { at_least, at_most } = clause.recency_days ?? {}
  // With the cut after it R goes from one score to the next: of matter where the clause takes one of them and not the other.
  const asked = (r: number) => [
    clause.r?.includes(r) ?? false,
    ...RFM_SEGMENTS.map(
      ({ segment, r: rs, f }) => clause.segment?.includes(segment) === true && isIn(r, rs) && f.join(),
    ),
  ]
  const scored = (cuts?.recency_days ?? []).flatMap((cut, index) =>
    asked(5 - index).join(' ') === asked(4 - index).join(' ') ? [] : [cut + 1],
  )
  const mean = cuts?.mean_recency_days
  return [
    ...(at_least === undefined ? [] : [at_least]),
    ...(at_most === undefined ? [] : [at_most + 1]),
    ...scored,
    ...(clause.value_group && typeof mean === 'number' ? [Math.ceil(mean)] : []),
  ]
}

function isIn(value: number, list: readonly number[]): boolean {
  return list.includes(value)
}

/** The instant from which on the last occasion is so many days ago, in the brand's unit. */
function recencyReaches(days: number, { settings }: Ground): RawBuilder<unknown> {
  return settings.recency_unit === '24h'
    ? sql`(s.last_occasion_at + ${hoursOf(days)})`
    : sql`(((s.last_occasion_at at time zone ${settings.zone})::date + ${days}::int)::timestamp at time zone ${settings.zone})`
}

/** Days since the last occasion as of `at`. */
function recencyDays({ at, settings }: Ground): RawBuilder<unknown> {
  return settings.recency_unit === '24h'
    ? sql`floor(extract(epoch from ${at}::timestamptz - s.last_occasion_at) / 86400)::int`
    : sql`((${at}::timestamptz at time zone ${settings.zone})::date - (s.last_occasion_at at time zone ${settings.zone})::date)`
}

const fanClause = z
  .strictObject({
    tier: z.array(fanTier).min(1).max(4).optional(),
    score: z
      .strictObject({
        at_least: z.number().gt(0).max(1e6).optional(),
        below: z.number().gt(0).max(1e6).optional(),
      })
      .refine(hasAny, 'needs at_least or below')
      .refine(
        (range) => (range.at_least ?? 0) < (range.below ?? Number.POSITIVE_INFINITY),
        'at_least is not below `below`',
      )
      .optional(),
  })
  .refine(hasAny, SAYS_NOTHING)

/** Interaction score and fan tier, docs/definitions.md 1.8. Each threshold holds up to an instant, and so does each tier. */
export const FAN: ClauseKind<typeof fanClause> = {
  schema: fanClause,
  facts: ({ score: range }) => [range ? 'interaction' : 'fan'],
  compile: ({ tier, score: range }, ground, alias) => {
    const bounds = [range?.at_least, range?.below].filter((bound) => bound !== undefined)
    const runs = tier ? tierRuns(tier, ground.settings.fan_tier_scores) : []
    const ends = runs.flatMap(([from, to]) => (to === undefined ? [from] : [from, to]))
    const thresholds = [...new Set([...bounds, ...ends])].filter((threshold) => threshold > 0)
    const column = (threshold: number) => sql`${alias}.${sql.ref(`until_${thresholds.indexOf(threshold)}`)}`
    // A threshold of 0 is reached by everybody, one beyond all tiers by nobody.
    const reaches = (threshold: number) =>
      threshold <= 0 ? sql`true` : sql`coalesce(${column(threshold)} > ${ground.at}::timestamptz, false)`
    const held = thresholds.map(
      (threshold, index) => sql`, ${scoreHeldUntil(threshold)} as ${sql.ref(`until_${index}`)}`,
    )
    const { isExplaining: withFact } = ground
    // Behind "offset 0": else each mention of a column works out its logarithm again.
    const scored = sql`
        select person_id, at, score ${withFact ? sql`, interaction_id` : sql``} ${held.length > 0 ? sql.join(held, sql` `) : sql``}
        from (${lastScoresBody(ground.scope, ground.at, { withFact })}) last_scores offset 0`
    // Tiers are kept with standing; summing up the interactions again was half of the time of a segment that asks for one.
    const isKept = ground.isKept === true && range === undefined && !withFact
    const names = thresholds.map((threshold, index) => [threshold, `until_${index}`] as const)
    return {
      body: isKept ? keptTiersBody(ground.scope, ground.settings, names) : scored,
      holds: both([
        ...(range?.at_least === undefined ? [] : [reaches(range.at_least)]),
        ...(range?.below === undefined ? [] : [sql`not ${reaches(range.below)}`]),
        ...(tier
          ? [
              either(
                runs.map(([from, to]) => both([reaches(from), ...(to === undefined ? [] : [sql`not ${reaches(to)}`])])),
              ),
            ]
          : []),
      ]),
      until: earliest(thresholds.map((threshold) => ahead(column(threshold), ground))),
      observed: sql`jsonb_build_object('score', coalesce(round((${alias}.score
        * power(2::float8, -extract(epoch from ${ground.at}::timestamptz - ${alias}.at)::float8 / 2592000))::numeric, 2), 0))`,
      factId: withFact ? sql`${alias}.interaction_id` : sql`null::bigint`,
    }
  },
}

/** Tiers that follow each other as one span of the score: from which on, and up to which. */
function tierRuns(tiers: readonly string[], scores: readonly number[]): [from: number, to?: number][] {
  const runs: [from: number, to?: number][] = []
  const known = tiersFrom(scores)
  known.forEach(({ tier, from }, index) => {
    const isAsked = tiers.includes(tier)
    const wasAsked = index > 0 && tiers.includes(known[index - 1]?.tier ?? '')
    if (isAsked && !wasAsked) runs.push([from])
    const last = runs.at(-1)
    if (!isAsked && wasAsked && last) last[1] = from
  })
  return runs
}

function within(value: RawBuilder<unknown>, { at_least, at_most }: Range): RawBuilder<unknown> {
  return both([
    ...(at_least === undefined ? [] : [sql`${value} >= ${at_least}::bigint`]),
    ...(at_most === undefined ? [] : [sql`${value} <= ${at_most}::bigint`]),
  ])
}

/** In brackets, whatever stands in it. */
export function both(conditions: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return conditions.length === 0 ? sql`true` : sql`(${sql.join(conditions, sql` and `)})`
}

export function either(conditions: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  const alternatives = conditions.map((condition) => sql`(${condition})`)
  return conditions.length === 0 ? sql`false` : sql`(${sql.join(alternatives, sql` or `)})`
}
