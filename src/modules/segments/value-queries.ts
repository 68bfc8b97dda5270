import { type RawBuilder, sql } from 'kysely'
import { z } from 'zod'
import { RHYTHMS } from '../value/schema.ts'
import { ahead, type ClauseKind, type Ground } from './ground-queries.ts'
import { type Range, rangeOf } from './schema.ts'
import { both } from './standing-queries.ts'

/*
 * Clauses over what a run says people are worth, and over their rhythm. Not dated: as of a past instant too it is what the last run
 * says. They ask for settled values, which follow a run only where it left a band around them (docs/definitions.md §3.11), so that a
 * fit of the next night moves nobody who stands where they stood.
 */

const MINOR_MAX = 1e15
const money = rangeOf(-MINOR_MAX, MINOR_MAX).optional()
const thirds = z.array(z.number().int().min(1).max(3)).min(1).max(3).optional()

const valueClause = z
  .strictObject({
    /** Margin of the next 12 months, minor units. */
    expected_minor: money,
    /** With what was realised in the period. */
    own_minor: money,
    p_alive_percent: rangeOf(0, 100).optional(),
    allocated_minor: money,
    influenced_minor: money,
    /** Rows and columns of the matrix; its depth is asked for by `depth`. */
    transaction: thirds,
    propagation: thirds,
  })
  .refine(
    (clause) => Object.values(clause).some((value) => value !== undefined),
    'says nothing: name at least one field',
  )

/** Before the first run nothing is known of anybody. One look for the whole statement. */
const IS_VALUED = sql`(exists (select from value.published_runs))`

const MONEY = ['expected_minor', 'own_minor', 'allocated_minor', 'influenced_minor'] as const
const THIRDS = ['transaction', 'propagation'] as const

/** Whoever never bought and brought nobody has 0 of everything but a chance to be alive, and is in the first thirds. */
export const VALUE: ClauseKind<typeof valueClause> = {
  schema: valueClause,
  // A run is no fact: everybody is looked at after it.
  facts: ['value'],
  usesValues: true,
  compile: (clause, { scope }, alias) => {
    const asked = (name: string) => sql`${alias}.${sql.ref(name)}`
    const percent = sql`100 * ${asked('p_alive')}`
    const seen = [
      ...MONEY.filter((name) => clause[name]).map((name) => [name, sql`coalesce(${asked(name)}, 0)`] as const),
      ...(clause.p_alive_percent ? [['p_alive_percent', sql`round((${percent})::numeric, 1)`] as const] : []),
      ...THIRDS.filter((name) => clause[name]).map((name) => [name, sql`coalesce(${asked(name)}, 1)`] as const),
    ]
    return {
      body: sql`
        select person_id, expected_minor, own_minor, p_alive, allocated_minor, influenced_minor, transaction, propagation
        from value.published_settled where person_id ${scope}`,
      holds: both([
        IS_VALUED,
        ...MONEY.flatMap((name) => inRange(sql`coalesce(${asked(name)}, 0)`, clause[name], sql`bigint`)),
        ...inRange(percent, clause.p_alive_percent, sql`float8`).map((range) => sql`coalesce(${range}, false)`),
        ...THIRDS.flatMap((name) => {
          const list = clause[name]
          return list ? [sql`coalesce(${asked(name)}, 1) = any(${list}::int[])`] : []
        }),
      ]),
      until: sql`'infinity'::timestamptz`,
      observed: sql`jsonb_build_object(${sql.join(seen.flatMap(([name, value]) => [sql`${name}::text`, value]))})`,
      factId: sql`null::bigint`,
    }
  },
}

function inRange(
  value: RawBuilder<unknown>,
  range: Range | undefined,
  type: RawBuilder<unknown>,
): RawBuilder<unknown>[] {
  if (!range) return []
  const { at_least, at_most } = range
  const ends = [
    ...(at_least === undefined ? [] : [sql`${value} >= ${at_least}::${type}`]),
    ...(at_most === undefined ? [] : [sql`${value} <= ${at_most}::${type}`]),
  ]
  return [both(ends)]
}

const rhythmClause = z.strictObject({ state: z.array(z.enum(RHYTHMS)).min(1).max(4) })

/** Days since the last occasion against the days on which this person's rhythm turns; who was never scored has none. */
export const RHYTHM: ClauseKind<typeof rhythmClause> = {
  schema: rhythmClause,
  facts: ['order', 'value'],
  usesValues: true,
  compile: ({ state }, ground, alias) => {
    const turned = turnsPassed(ground, alias)
    const wanted = RHYTHMS.flatMap((name, index) => (state.includes(name) ? [index] : []))
    return {
      body: sql`
        select person_id, last_occasion_at, turns_days, turns_at from value.published_settled
        where person_id ${ground.scope} and turns_days is not null`,
      holds: sql`coalesce(${turned} = any(${wanted}::int[]), false)`,
      until: sql`coalesce(${nextTurn(ground, alias)}, 'infinity'::timestamptz)`,
      observed: sql`jsonb_build_object('rhythm', (${[...RHYTHMS]}::text[])[${turned} + 1], 'days_since_last', ${daysSince(ground)})`,
      factId: sql`s.evidence[2]`,
    }
  },
}

/** By standing: the run may have been before the last occasion. */
const isOfRun = (alias: RawBuilder<unknown>) => sql`s.last_occasion_at = ${alias}.last_occasion_at`

function brandDay(instant: RawBuilder<unknown>, { settings }: Pick<Ground, 'settings'>): RawBuilder<unknown> {
  return sql`(${instant} at time zone ${settings.zone}::text)::date`
}

function daysSince(ground: Ground): RawBuilder<unknown> {
  return sql`(${brandDay(sql`${ground.at}::timestamptz`, ground)} - ${brandDay(sql`s.last_occasion_at`, ground)})`
}

/** How many of the three turns are past; null without a rhythm or an occasion. By instants that are kept, and by days where they are not. */
function turnsPassed(ground: Ground, alias: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    (case when ${isOfRun(alias)} then width_bucket(${ground.at}::timestamptz, ${alias}.turns_at)
      when s.last_occasion_at is not null then width_bucket(${daysSince(ground)}, ${alias}.turns_days) end)`
}

/** The first turn that is still to come; null when all are past. */
function nextTurn(ground: Ground, alias: RawBuilder<unknown>): RawBuilder<unknown> {
  const kept = [1, 2, 3].map((turn) => ahead(sql`${alias}.turns_at[${sql.lit(turn)}]`, ground))
  const day = sql`${brandDay(sql`s.last_occasion_at`, ground)} + ${alias}.turns_days[width_bucket(${daysSince(ground)}, ${alias}.turns_days) + 1]`
  return sql`
    (case when ${isOfRun(alias)} then least(${sql.join(kept)})
      when s.last_occasion_at is not null then (${day})::timestamp at time zone ${ground.settings.zone}::text end)`
}
