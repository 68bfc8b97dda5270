import { type RawBuilder, sql } from 'kysely'
import { z } from 'zod'
import { INTERACTION_TYPES } from '../interactions/schema.ts'
import { ahead, type ClauseKind, type Compiled, earliest, type Ground, hoursOf } from './ground-queries.ts'
import { type Span, spanOf } from './rules.ts'
import { LIMITS, type Range, rangeOf, type TimeWindow, texts, timeWindow } from './schema.ts'

/*
 * Clauses that measure facts that happened: how many, how much, how long ago the last or the first of them (docs/definitions.md
 * §12.3). One row for each person who has any; whoever has none has 0 of them, and no last.
 */

const COUNT_MAX = 1_000_000
const MINOR_MAX = 1e15

/** What is measured: exactly one of these. */
const measures = {
  count: rangeOf(0, COUNT_MAX).optional(),
  days_since_last: rangeOf(0, LIMITS.days).optional(),
  days_since_first: rangeOf(0, LIMITS.days).optional(),
}
const SAYS_ONE = 'needs exactly one measure'

interface Measured {
  readonly count?: Range | undefined
  readonly net_minor?: Range | undefined
  readonly days_since_last?: Range | undefined
  readonly days_since_first?: Range | undefined
  readonly window?: TimeWindow | undefined
}
type Measure = Exclude<keyof Measured, 'window'>
const MEASURES: readonly Measure[] = ['count', 'net_minor', 'days_since_last', 'days_since_first']

function hasOne(clause: Measured): boolean {
  return MEASURES.filter((measure) => clause[measure] !== undefined).length === 1
}

const ordersClause = z
  .strictObject({
    ...measures,
    /** What is left of them after refunds, minor units. */
    net_minor: rangeOf(-MINOR_MAX, MINOR_MAX).optional(),
    window: timeWindow.optional(),
    /** Only orders with a line of one of these items and categories, and of them these lines. */
    items: texts.optional(),
    categories: texts.optional(),
    sources: texts.optional(),
  })
  .refine(hasOne, `${SAYS_ONE}: count, net_minor, days_since_last or days_since_first`)

const types = Object.keys(INTERACTION_TYPES) as [keyof typeof INTERACTION_TYPES, ...(keyof typeof INTERACTION_TYPES)[]]
const interactionsClause = z
  .strictObject({
    ...measures,
    window: timeWindow.optional(),
    types: z.array(z.enum(types)).min(1).optional(),
    items: texts.optional(),
    sources: texts.optional(),
  })
  .refine(hasOne, `${SAYS_ONE}: count, days_since_last or days_since_first`)

export const ORDERS: ClauseKind<typeof ordersClause> = {
  schema: ordersClause,
  facts: ['order'],
  readsOrders: (clause) => clause.sources === undefined && !(isOfAll(clause) && isOfOne(clause)),
  compile: (clause, ground, alias) => ({
    ...measured(clause, (span) => orderRows(clause, span, ground), ground, alias),
    known: knownOfOrders(clause, ground),
  }),
}

/** Whether it counts orders whatever they are of. */
function isOfAll({ count, items, categories, sources }: z.infer<typeof ordersClause>): boolean {
  return [items, categories, sources].every((asked) => asked === undefined) && count !== undefined
}

/** Whether it asks for any at all, or for none. */
function isOfOne({ count }: z.infer<typeof ordersClause>): boolean {
  return turningCounts(count ?? {}).every((turning) => turning === 1)
}

/**
 * What the occasions that are kept with standing say of orders. Whoever has none has no order, nor has one in a window whom the last
 * occasion lies before by more than a day can be long. And there are as many orders as occasions, or more.
 */
function knownOfOrders(
  clause: z.infer<typeof ordersClause>,
  { at, settings }: Ground,
): Pick<Compiled, 'holds' | 'until'> {
  const { from, to, slidingDays, shiftsAt } = spanOf(clause.window, at, settings.zone)
  const last = sql`s.last_occasion_at`
  const { at_least: least, at_most: most } = clause.count ?? clause.net_minor ?? {}
  const hasZero = clause.count !== undefined || clause.net_minor !== undefined
  const noneHolds = hasZero && (least ?? 0) <= 0 && (most ?? 0) >= 0
  const hasNone = from
    ? sql`(s.occasions = 0 or ${last} < ${from}::timestamptz - interval '2 days')`
    : sql`s.occasions = 0`
  const isEnough = most === undefined ? sql`>= ${least}::bigint then true` : sql`> ${most}::bigint then false`
  const seen = from ? sql`(${last} > ${from}::timestamptz and ${last} <= ${at}::timestamptz)::int` : sql`s.occasions`
  const some = isOfAll(clause) && (to === null || to > at) ? sql`when ${seen} ${isEnough}` : sql``
  const shifts = shiftsAt ? sql`${shiftsAt}::timestamptz` : sql`'infinity'::timestamptz`
  return {
    holds: sql`(case when ${hasNone} then ${noneHolds}::boolean ${some} end)`,
    until: sql`
      (case when ${hasNone} then 'infinity'::timestamptz else ${slidingDays === null ? shifts : sql`${last} + ${hoursOf(slidingDays)}`} end)`,
  }
}

export const INTERACTIONS: ClauseKind<typeof interactionsClause> = {
  schema: interactionsClause,
  facts: ['interaction', 'unweighted_interaction'],
  compile: (clause, ground, alias) => measured(clause, (span) => interactionRows(clause, span, ground), ground, alias),
}

const among = (column: string, values: readonly string[] | undefined) =>
  values === undefined ? sql`` : sql`and ${sql.ref(column)} = any(${values}::text[])`

/** From the beginning of the window on, up to the instant of asking; where it ends before, that is looked at later. */
function inSpan(column: RawBuilder<unknown>, { from, isFromIn }: Span, at: Date): RawBuilder<unknown> {
  const begins =
    from && (isFromIn ? sql`and ${column} >= ${from}::timestamptz` : sql`and ${column} > ${from}::timestamptz`)
  return sql`${column} <= ${at}::timestamptz ${begins ?? sql``}`
}

/**
 * What was refunded of orders of the people. Allocations are a union, of which the planner has no statistics: asked by the scope it
 * expected all of them to match, and for each clause read every one, about half of the time of the clause for 10,000 facts.
 */
function allocations({ scope, few }: Ground): RawBuilder<unknown> {
  if (!few) return sql`(select * from commerce.published_allocations where person_id ${scope})`
  return sql`(select * from commerce.published_allocations where person_id = any(array(${few.people})))`
}

/**
 * Orders, and what of each was refunded by then, null for nothing: a select body (person_id, order_id, paid_at, amount_minor,
 * refunded_minor, and source where it is asked for, which is not in the index that has all others).
 */
export function refundedOrders(ground: Ground, withSource: boolean): RawBuilder<unknown> {
  const { at, scope, few } = ground
  // Those of others are of no harm: whoever is asked about joins them, and to leave them out first took longer.
  if (few?.orders && !withSource) return sql`select * from ${few.orders}`
  return sql`
    select o.person_id, o.order_id, o.paid_at, ${withSource ? sql`o.source, ` : sql``}o.amount_minor, r.refunded_minor
    from commerce.published_orders o
    left join (
      select person_id, order_id, sum(amount_minor) as refunded_minor from ${allocations(ground)} a
      where refunded_at <= ${at}::timestamptz group by person_id, order_id
    ) r using (person_id, order_id)
    where o.person_id ${scope}`
}

/** Orders that count: not refunded in full by then. Of some items or categories: the lines that are not, and what is left of those. */
function orderRows(
  { items, categories, sources }: z.infer<typeof ordersClause>,
  span: Span,
  ground: Ground,
): RawBuilder<unknown> {
  const { at, scope } = ground
  const isOfSome = items !== undefined || categories !== undefined
  const lines = sql`
    join (
      select l.person_id, l.order_id, sum(l.amount_minor - coalesce(a.refunded_minor, 0)) as net_minor
      from commerce.published_order_lines l
      left join (
        select person_id, order_id, order_line_no as line_no, sum(amount_minor) as refunded_minor
        from ${allocations(ground)} a
        where refunded_at <= ${at}::timestamptz and order_line_no is not null
        group by person_id, order_id, order_line_no
      ) a using (person_id, order_id, line_no)
      where l.person_id ${scope} ${among('l.item', items)} ${among('l.category', categories)} and (a.line_no is null or a.refunded_minor < l.amount_minor)
      group by l.person_id, l.order_id
    ) line using (person_id, order_id)`
  return sql`
    select o.person_id, o.paid_at as at, o.order_id as fact_id,
      ${isOfSome ? sql`line.net_minor` : sql`o.amount_minor - coalesce(o.refunded_minor, 0)`} as net_minor
    from (${refundedOrders(ground, sources !== undefined)}) o
    ${isOfSome ? lines : sql``}
    where ${inSpan(sql`o.paid_at`, span, at)} ${among('o.source', sources)}
      and (o.refunded_minor is null or o.refunded_minor < o.amount_minor)`
}

/** Of few people as an array, by which each month is gone through once and in order; else the planner reads whole months. */
function interactionRows(
  clause: z.infer<typeof interactionsClause>,
  span: Span,
  { at, scope, few }: Ground,
): RawBuilder<unknown> {
  const rows = (people: RawBuilder<unknown>) => sql`
    select person_id, occurred_at as at, interaction_id as fact_id, 0::bigint as net_minor
    from interactions.published_interactions
    where person_id ${people} and ${inSpan(sql`occurred_at`, span, at)}
      ${among('type', clause.types)} ${among('item', clause.items)} ${among('source', clause.sources)}`
  return rows(few ? sql`= any(array(${few.people}))` : scope)
}

function measured(
  clause: Measured,
  rowsOf: (span: Span) => RawBuilder<unknown>,
  ground: Ground,
  alias: RawBuilder<unknown>,
): Compiled {
  const span = spanOf(clause.window, ground.at, ground.settings.zone)
  const measure = MEASURES.find((name) => clause[name] !== undefined) ?? 'count'
  const range = clause[measure] ?? {}
  const inside = span.to ? sql`filter (where at < ${span.to}::timestamptz)` : sql``
  const body = sql`
    select person_id, count(*) ${inside} as count, sum(net_minor) ${inside} as net_minor, max(at) ${inside} as last_at,
      min(at) ${inside} as first_at ${nthColumns(measure, range, span, inside)}
      ${ground.isExplaining ? sql`, (array_agg(fact_id order by at desc, fact_id desc) ${inside})[1] as last_fact, (array_agg(fact_id order by at, fact_id) ${inside})[1] as first_fact` : sql``}
    from (${rowsOf(span)}) r group by person_id`
  const isAge = measure === 'days_since_last' || measure === 'days_since_first'
  const stood = sql`${alias}.${sql.ref(measure === 'days_since_first' ? 'first_at' : 'last_at')}`
  const value = isAge
    ? sql`floor(extract(epoch from ${ground.at}::timestamptz - ${stood}) / 86400)::bigint`
    : sql`coalesce(${alias}.${sql.ref(measure)}, 0)`
  return {
    body,
    holds: isAge ? ageHolds(stood, range, ground) : numberHolds(value, range),
    until: earliest([
      ...(isAge ? ageEdges(stood, range, ground) : []),
      ...slidesOut(measure, range, span, alias),
      // Whoever has no fact from the window's beginning on has none in the next one either.
      ...(span.shiftsAt ? [sql`case when ${alias}.person_id is not null then ${span.shiftsAt}::timestamptz end`] : []),
    ]),
    observed: sql`jsonb_build_object(${measure}::text, ${value}, 'at', ${stood})`,
    factId: sql`${alias}.${sql.ref(measure === 'days_since_first' ? 'first_fact' : 'last_fact')}`,
  }
}

function numberHolds(value: RawBuilder<unknown>, { at_least, at_most }: Range): RawBuilder<unknown> {
  const low = at_least === undefined ? sql`true` : sql`${value} >= ${at_least}::bigint`
  const high = at_most === undefined ? sql`true` : sql`${value} <= ${at_most}::bigint`
  return sql`(${low} and ${high})`
}

/** In whole times of 24 hours, by instants: so the clause and its end are one comparison. False where there is no instant. */
export function ageHolds(
  instant: RawBuilder<unknown>,
  { at_least, at_most }: Range,
  { at }: Ground,
): RawBuilder<unknown> {
  const old = sql`${instant} + ${hoursOf(at_least ?? 0)} <= ${at}::timestamptz`
  const young = at_most === undefined ? sql`true` : sql`${instant} + ${hoursOf(at_most + 1)} > ${at}::timestamptz`
  return sql`coalesce(${old} and ${young}, false)`
}

/** When such an age reaches an end of its range. */
export function ageEdges(
  instant: RawBuilder<unknown>,
  { at_least, at_most }: Range,
  ground: Ground,
): RawBuilder<unknown>[] {
  const edges = [at_least ?? 0, ...(at_most === undefined ? [] : [at_most + 1])].filter((days) => days > 0)
  return edges.map((days) => ahead(sql`(${instant} + ${hoursOf(days)})`, ground))
}

/** By how many facts in the window an end of the range is passed. */
function turningCounts({ at_least, at_most }: Range): number[] {
  return [at_least ?? 0, ...(at_most === undefined ? [] : [at_most + 1])].filter((count) => count > 0)
}

/** For a count in a window that slides: when the fact happened with whose leaving the count passes an end of the range. */
function nthColumns(measure: Measure, range: Range, span: Span, inside: RawBuilder<unknown>): RawBuilder<unknown> {
  if (measure !== 'count' || span.slidingDays === null) return sql``
  const columns = turningCounts(range).map((count, index) => {
    // The latest needs no sort, and it is what most ask for: bought at all, or not at all.
    const nth = count === 1 ? sql`max(at) ${inside}` : sql`(array_agg(at order by at desc) ${inside})[${count}::int]`
    return sql`, ${nth} as ${sql.ref(`turning_${index}`)}`
  })
  return sql.join(columns, sql` `)
}

/** When facts that leave a window that slides may change the measure. A sum may pass its range with any of them. */
function slidesOut(measure: Measure, range: Range, span: Span, alias: RawBuilder<unknown>): RawBuilder<unknown>[] {
  const { slidingDays } = span
  if (slidingDays === null) return []
  const leaving = (column: string) => sql`${alias}.${sql.ref(column)} + ${hoursOf(slidingDays)}`
  switch (measure) {
    case 'count':
      return turningCounts(range).map((_, index) => leaving(`turning_${index}`))
    case 'days_since_last':
      return [leaving('last_at')]
    case 'net_minor':
    case 'days_since_first':
      return [leaving('first_at')]
  }
}
