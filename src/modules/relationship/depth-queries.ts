import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import { EVERYBODYS, factsOf } from './facts-queries.ts'
import { activePeople, interestSpans } from './interest-queries.ts'
import type { Scope } from './queries.ts'
import { CAUSE_KINDS, type CauseKind } from './schema.ts'

/** What of the settings decides a depth. */
export type DepthSettings = Pick<Settings, 'period_days' | 'member_by_purchase' | 'spread_window'>

/** Whether further conditions are reckoned with: where no further fact is about anybody, they cost half of the work. */
export type Further = 'none' | 'all'

/**
 * Depth by its counts; tested from the deepest down, the first that holds is it (domain.md §1): occasions `in_period` and
 * `ever`, live `connections`; and, where `furtherCounts` are there, memberships in force (`enrolled`), spans of the score
 * (`scored`) and of product facts (`product`), and `spreads`. Who has bought in the period is a buyer only as a member; who
 * bought before it is dormant, member or not.
 */
export function depthCase(
  connections: RawBuilder<unknown>,
  settings: DepthSettings,
  furtherCounts: Further,
): RawBuilder<unknown> {
  const byPurchase = sql`${settings.member_by_purchase}`
  const isMember = furtherCounts === 'none' ? byPurchase : sql`(enrolled > 0 or ${byPurchase})`
  const isAdvocate = furtherCounts === 'none' ? sql`false` : sql`spreads > 0`
  const isInterested = furtherCounts === 'none' ? sql`false` : sql`enrolled > 0 or (scored > 0 and product > 0)`
  return sql`
    (case
      when ${connections} = 0 then 0
      when in_period >= 2 and ${isMember} then case when ${isAdvocate} then 5 else 4 end
      when in_period = 1 and ${isMember} then 3
      when in_period = 0 and (ever >= 1 or ${isInterested}) then 2
      else 1
    end)::smallint`
}

/**
 * Whoever a fact is about that depth rests on besides occasions and connections. With `all` once for each fact that may be such a
 * one, which is quick to ask whether there are any.
 */
export function furtherPeople(scope: Scope, rows: 'distinct' | 'all' = 'distinct'): RawBuilder<unknown> {
  const isAll = rows === 'all'
  const acts = sql`select person_id from interactions.published_interactions where person_id ${scope}`
  const and = isAll ? sql`union all` : sql`union`
  return sql`${isAll ? acts : activePeople(scope)} ${and} ${beyondInterest(scope, and)}`
}

/** The same without whom only interest may be a condition of. */
export function beyondInterest(scope: Scope, and = sql`union`): RawBuilder<unknown> {
  return sql`
    select person_id from customers.published_memberships where person_id ${scope}
    ${and} select person_id from customers.published_records where person_id ${scope} and enrolled_at is not null
    ${and} select person_id from interactions.published_reviews where person_id ${scope}
    ${and} select person_id from commerce.published_spreads where person_id ${scope}`
}

const FURTHER_CONDITIONS = ['enrolled', 'scored', 'product', 'spreads']

/**
 * The spans in which each further condition holds, (person_id, condition, begin_at, end_at, begun_by, ended_by and the kinds of these
 * two), by the facts up to `now`; a fact that time takes away is ended by none.
 */
export function furtherSpans(
  scope: Scope,
  now: Date,
  settings: DepthSettings,
  facts = EVERYBODYS,
): RawBuilder<unknown> {
  return sql`
    select person_id, 'enrolled' as condition, begin_at, end_at, begun_by, null::bigint as ended_by, begun_kind, null::int as ended_kind
    from (${enrolledSpans(scope, now)}) e
    union all
    select person_id, condition, begin_at, end_at, begun_by, null, ${kindCode('interaction')}, null
    from (${interestSpans(scope, now, facts)}) i
    union all
    select person_id, 'spreads', begin_at, end_at, begun_by, ended_by, begun_kind, ended_kind
    from (${spreadSpans(scope, now, settings)}) a`
}

/** The kind of a cause as the log keeps it. */
export function kindCode(kind: CauseKind): RawBuilder<unknown> {
  return sql.lit(CAUSE_KINDS.indexOf(kind))
}

/** A document that sold and gave back at one instant, of one person: what it caused is told by the way the depth went. */
const SOLD_AND_GAVE_BACK = sql.lit(15)

/** A fact and its kind as one value: of several at one instant the greatest was recorded last. Null, which is time's, where no fact is. */
function decision(factId: RawBuilder<unknown>, kind: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(${factId} << 4 | ${kind})`
}

/**
 * Whether a document sold or gave back at an instant, for a row of `known` occasions. Asked only where a day had several orders or a
 * refund: a look into an index for each of few.
 */
function documentKind(factId: RawBuilder<unknown>, at: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    case when (select true from commerce.published_orders o
        where o.person_id = known.person_id and o.order_id = ${factId} and o.paid_at = ${at} limit 1) is null then ${kindCode('refund')}
      when (select true from commerce.published_allocations a
        where a.person_id = known.person_id and a.refund_id = ${factId} and a.refunded_at = ${at} limit 1) then ${SOLD_AND_GAVE_BACK}
      else ${kindCode('order')} end`
}

/** Memberships, whose end is part of them and may lie ahead; an enrolment that a record tells of has no end. */
function enrolledSpans(scope: Scope, now: Date): RawBuilder<unknown> {
  return sql`
    select person_id, enrolled_at as begin_at, coalesce(ended_at, 'infinity') as end_at, membership_id as begun_by,
      ${kindCode('membership')} as begun_kind
    from customers.published_memberships where person_id ${scope} and enrolled_at <= ${now}
    union all
    select person_id, enrolled_at, 'infinity', claim_id, ${kindCode('person')}
    from customers.published_records where person_id ${scope} and enrolled_at <= ${now}`
}

/** A spread holds until it is voided; with the setting `period` for the period from its instant on at most. */
function spreadSpans(scope: Scope, now: Date, settings: DepthSettings): RawBuilder<unknown> {
  const periodEnd =
    settings.spread_window === 'period'
      ? sql`spread_at + make_interval(hours => ${settings.period_days * 24})`
      : sql`'infinity'::timestamptz`
  return sql`
    select person_id, spread_at as begin_at, least(voided_at, ${periodEnd}) as end_at, spread_id as begun_by,
      case when voided_at <= ${periodEnd} then voided_by end as ended_by, begun_kind, ended_kind
    from (
      select *, ${kindCode('review')} as begun_kind, ${kindCode('refund')} as ended_kind from (${reviewSpreads(scope, now)}) reviews
      union all
      select *, ${kindCode('spread')}, ${kindCode('spread_voided')} from (${shareSpreads(scope, now)}) shares
    ) spread`
}

/** Orders of others that a share of theirs brought, in the same columns. */
function shareSpreads(scope: Scope, now: Date): RawBuilder<unknown> {
  return sql`
    select person_id, spread_id, spread_at, case when voided_at <= ${now} then voided_at else 'infinity' end as voided_at,
      case when voided_at <= ${now} then voided_id end as voided_by
    from commerce.published_spreads where person_id ${scope} and spread_at <= ${now}`
}

/**
 * Positive reviews of a product they bought: (person_id, spread_id, spread_at, voided_at, voided_by). Bought is an order of the
 * person with a line of that item, paid at or before the review, until it is refunded in full; of several the one that counts
 * longest. Items are compared by what their sources call them: reviews often come from another system than orders.
 *
 * The reviews come first, behind "offset 0": the planner expects hardly any match and went through all of `scope` for each.
 */
function reviewSpreads(scope: Scope, now: Date): RawBuilder<unknown> {
  return sql`
    select distinct on (person_id, review_id) person_id, review_id as spread_id, reviewed_at as spread_at,
      coalesce(voided_at, 'infinity') as voided_at, voided_by
    from (
      select person_id, review_id, item, reviewed_at from interactions.published_reviews
      where person_id ${scope} and reviewed_at <= ${now} and (rating >= 4 or is_recommended) offset 0
    ) review
    join commerce.published_order_lines l using (person_id, item)
    join commerce.published_orders o using (person_id, order_id)
    left join lateral (
      select refunded_at as voided_at, refund_id as voided_by
      from (
        select refunded_at, refund_id, sum(a.amount_minor) over (order by refunded_at) as refunded_minor
        from commerce.published_allocations a
        where a.person_id = o.person_id and a.order_id = o.order_id and refunded_at <= ${now}
      ) refunded
      where refunded_minor >= o.amount_minor order by refunded_at, refund_id desc limit 1
    ) void on true
    where paid_at <= reviewed_at
    order by person_id, review_id, coalesce(voided_at, 'infinity') desc, paid_at, order_id`
}

/**
 * How deep each relationship was at every instant up to `now`, what made it so, and when time alone will change it: one row for each
 * run of equal depth (domain.md §1).
 *
 * Depth rests on counts, each a sum of steps in time: occasions in period (an occasion adds one from the instant it is
 * known to count until it is voided or P has passed), occasions ever, live connections, and the further conditions of
 * which each adds one for as long as its span lasts. So one running sum gives history, `since` and `lapses_at` alike, by
 * the same words: the run that holds at `now` began at `since` and ends at `lapses_at`. Facts after `now` are left out
 * first, so it is also the truth as of a past instant.
 *
 * @param further 'none' only where no further fact is about anybody.
 * @param spans the further conditions where somebody has them already.
 */
export function depthRunsBody(
  scope: Scope,
  now: Date,
  settings: DepthSettings,
  further: Further = 'all',
  spans: RawBuilder<unknown> = sql`(${furtherSpans(scope, now, settings)})`,
  facts = EVERYBODYS,
): RawBuilder<unknown> {
  /** A column for each further condition. */
  const each = (column: (condition: string) => RawBuilder<unknown>) =>
    further === 'none' ? sql`` : sql`, ${sql.join(FURTHER_CONDITIONS.map(column))}`
  const counts = ['in_period', 'ever', 'connections', ...(further === 'none' ? [] : FURTHER_CONDITIONS)]
  const step = (count: string) => sql.ref(`${count}_step`)
  const depth = depthCase(sql`connections`, settings, further)
  const zeros = each(() => sql`0`)
  const edges = sql`
      union all
      select person_id, at, 0, 0, 0, ${decision(sql`cause`, sql`kind`)}${each((condition) => sql`(condition = ${condition})::int * step`)}
      from ${spans} spans
      cross join lateral (values (begin_at, 1, begun_by, begun_kind), (end_at, -1, ended_by, ended_kind)) as edge(at, step, cause, kind)
      where begin_at < end_at and at < 'infinity'`
  const period = sql`make_interval(hours => ${settings.period_days * 24})`
  const opening = sql`case when is_opened_by_sale then ${kindCode('order')} else ${documentKind(sql`opened_by`, sql`from_at`)} end`
  const connections = sql`${factsOf(scope, 'connections', facts)} and begun_at <= ${now}`
  return sql`
    with known as (
      select person_id, from_at, case when to_at <= ${now} then to_at else 'infinity' end as to_at, opened_by,
        case when to_at <= ${now} then closed_by end as ended_by, occasion_at + ${period} as period_ends_at,
        opened_by = order_id and from_at = occasion_at as is_opened_by_sale
      from ${factsOf(scope, 'occasions', facts)} and from_at <= ${now}
    ), steps as (
      select person_id, from_at as at, (period_ends_at > from_at)::int as in_period, 1 as ever, 0 as connections,
        ${decision(sql`opened_by`, opening)} as decision${each((condition) => sql`0 as ${sql.ref(condition)}`)} from known
      union all
      select person_id, period_ends_at, -1, 0, 0, null${zeros} from known where period_ends_at > from_at and period_ends_at < to_at
      union all
      select person_id, to_at, -(period_ends_at >= to_at)::int, -1, 0, ${decision(sql`ended_by`, documentKind(sql`ended_by`, sql`to_at`))}${zeros} from known where to_at < 'infinity'
      union all
      select person_id, begun_at, 0, 0, 1, ${decision(sql`connection_id`, kindCode('connection'))}${zeros} from ${connections}
      union all
      select person_id, ended_at, 0, 0, -1, ${decision(sql`connection_id`, kindCode('end_of_connection'))}${zeros} from ${connections} and ended_at <= ${now}
      ${further === 'none' ? sql`` : edges}
    ), instants as (
      -- As int, or the running sums are numeric and take twice the time. Sorted first: all that follows goes in that order.
      select person_id, at, sum(in_period)::int as in_period, sum(ever)::int as ever, sum(connections)::int as connections,
        max(decision) as decision${each((condition) => sql`sum(${sql.ref(condition)})::int as ${sql.ref(condition)}`)}
      from (select * from steps order by person_id, at) s group by person_id, at
    ), counted as (
      select person_id, at, decision, ${sql.join(counts.map((count) => sql`${sql.ref(count)} as ${step(count)}`))},
        ${sql.join(counts.map((count) => sql`sum(${sql.ref(count)}) over w as ${sql.ref(count)}`))}
      from instants window w as (partition by person_id order by at rows unbounded preceding)
    ), compared as (
      -- What it was before is worked out from the step, which spares another window: a fifth of the time.
      select person_id, at, decision, ${depth} as depth, from_depth
      from counted cross join lateral (
        select ${depth} as from_depth
        from (select ${sql.join(counts.map((count) => sql`${sql.ref(count)} - ${step(count)} as ${sql.ref(count)}`))}) earlier
      ) before
    )
    select person_id, at as since, from_depth, depth, decision >> 4 as cause,
      (case decision & 15 when ${SOLD_AND_GAVE_BACK} then case when depth > from_depth then ${kindCode('order')} else ${kindCode('refund')} end
        else coalesce(decision & 15, ${kindCode('time')}) end)::smallint as cause_kind, lead(at) over w as ends_at, lead(depth) over w as next_depth
    from compared where depth <> from_depth
    window w as (partition by person_id order by at)`
}

/**
 * Changes that hold by what is known at `now` into the log: a select body (person_id, changed_at, from_depth, to_depth, cause_fact_id,
 * cause_kind). One that was found and superseded at this very instant before holds again.
 */
export async function insertChanges(tx: Sql, changes: RawBuilder<unknown>, now: Date): Promise<void> {
  await sql`
    insert into relationship.depth_changes (person_id, changed_at, from_depth, to_depth, cause_fact_id, cause_kind, recorded_at)
    select c.*, ${now}::timestamptz from (${changes}) c
    on conflict (person_id, changed_at, recorded_at) do update
      set from_depth = excluded.from_depth, to_depth = excluded.to_depth, cause_fact_id = excluded.cause_fact_id,
        cause_kind = excluded.cause_kind, superseded_at = null`.execute(tx)
}
