import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import type { Share } from '../intake/actions.ts'
import { beyondInterest, depthCase, depthRunsBody, type Further, furtherPeople, furtherSpans } from './depth-queries.ts'
import { EVERYBODYS, type Facts, factsOf, lookUp, peopleOf } from './facts-queries.ts'
import { activePeople } from './interest-queries.ts'
import { occasionsBody } from './occasions-queries.ts'
import { hasFacts } from './people-queries.ts'

/*
 * Everything here is a select body over a set of people as of an instant: one person, a batch or all take the same
 * text. `scope` is a where-clause fragment on person_id, e.g. `in (select person_id from claimed_people)`.
 */

export type Scope = RawBuilder<unknown>
export const EVERYONE: Scope = sql`> 0`
/** The people that intake handed over for recomputing, in the caller's transaction. */
export const CLAIMED: Scope = sql`in (select person_id from claimed_people)`

export function onePerson(personId: number): Scope {
  return sql`= ${personId}`
}

/**
 * Occasions worked out on the spot, a table with the columns of `relationship.occasions`: everyone's by another unit than the brand's, or
 * those of somebody whom standing may have yet to follow.
 */
export function occasionsOf(
  settings: Pick<Settings, 'occasion_unit' | 'zone'>,
  scope: Scope = EVERYONE,
): RawBuilder<unknown> {
  return sql`(${occasionsBody(scope, settings)})`
}

/**
 * One rebuild at a time, and beside it no refresh; refreshes side by side when each has a share of the people. Otherwise a
 * rebuild that had read before a refresh wrote would hang its older row in place of the newer one, and two refreshes of one
 * person would both insert their row.
 */
export async function lockStanding(tx: Sql, share?: Share): Promise<void> {
  if (!share) await sql`select pg_advisory_xact_lock(hashtext('perennial standing'))`.execute(tx)
  else
    await sql`
      select pg_advisory_xact_lock_shared(hashtext('perennial standing')),
        pg_advisory_xact_lock(hashtext('perennial standing of a share'), ${share.number}::int)`.execute(tx)
}

/** The event that standing of some people was made anew of their facts. */
export const STANDING_CHANGED = 'standing_changed'

/** Hands people of a select body (person_id, fact_kinds, pending_since, fact_id) on to whoever rests on standing. */
export type HandOn = (people: RawBuilder<unknown>) => Promise<void>

/**
 * Of whom what they did may have changed more than what they did, for who rests on depth or fan tiers and not on each act, to be handed
 * on: those of `claimed_people` or of a select body (person_id, pending_since, fact_id, …).
 */
export function actedPeople(
  kinds: readonly ('depth' | 'fan')[],
  people = sql`select * from claimed_people where fact_kinds && '{interaction,unweighted_interaction}'`,
): RawBuilder<unknown> {
  return sql`select person_id, ${kinds}::text[] as fact_kinds, pending_since, fact_id from (${people}) acted`
}

/** How many people have standing. */
export async function countStanding(db: Sql): Promise<number> {
  const { rows } = await sql<{ people: number }>`select count(*) as people from relationship.standing`.execute(db)
  return rows[0]?.people ?? 0
}

/** Of the occasions that count at `now`: how many, the latest, and what they brought. */
export function liveFigures(now: Date): RawBuilder<unknown> {
  const live = sql`filter (where to_at > ${now})`
  return sql`count(*) ${live} as live, max(occasion_at) ${live} as last_occasion_at, sum(net_minor) ${live} as net_minor`
}

/**
 * One row for each person, with the columns of `figures` beside. Net paid has everything refunded taken
 * off, also what found no order to reduce.
 */
export function withNetPaid(
  scope: Scope,
  now: Date,
  figures: RawBuilder<unknown>,
  facts = EVERYBODYS,
): RawBuilder<unknown> {
  return sql`
    select *, (coalesce(net_minor, 0) - coalesce(unmatched_minor, 0))::bigint as net_paid_minor
    from (${peopleOf(scope, facts)}) p
    left join (${figures}) f using (person_id)
    left join (
      -- What they gave back less what of it found a line to reduce, whoever bought that. Not by commerce.published_unmatched,
      -- which sums up everybody's refunds before it finds those of one: at a million people 1.1 s for ten thousand or for one.
      select person_id, sum(amount_minor) as unmatched_minor
      from (
        select person_id, amount_minor from commerce.published_refunds where person_id ${scope} and refunded_at <= ${now}
        union all
        select r.person_id, -a.amount_minor
        from commerce.published_refunds r
        cross join lateral (
          select a.amount_minor from commerce.published_allocations a where a.refund_id = r.refund_id ${lookUp(facts)}
        ) a
        where r.person_id ${scope} and r.refunded_at <= ${now}
      ) given_back group by person_id
    ) u using (person_id)`
}

/**
 * What depth rests on, one row for each person with an order: figures of the occasions that count, the latest two orders among them,
 * and in the form of arrays the spans in which an occasion is in period (`begins`, `ends`).
 *
 * Arrays of a group by and not the running sum of depthRunsBody, which needs a row for each end, a second sort and
 * window functions, and these never run in parallel: 2.7 s of CPU for a million occasions against 12 s, on all cores.
 * The random histories of depth.db.test.ts hold both to the same rules.
 */
function spansBody(
  scope: Scope,
  now: Date,
  settings: Pick<Settings, 'period_days' | 'member_by_purchase'>,
  facts: Facts,
  form: Form,
): RawBuilder<unknown> {
  const end = sql`least(to_at, occasion_at + make_interval(hours => ${settings.period_days * 24}))`
  const ever = sql`array_agg(from_at order by from_at) as ever_begins, array_agg(to_at order by to_at) as ever_ends`
  const spans = sql`,
      array_agg(from_at order by from_at) filter (where ${end} > from_at) as begins,
      array_agg(${end} order by ${end}) filter (where ${end} > from_at) as ends,
      ${settings.member_by_purchase ? sql`max(to_at) as ever_until` : ever}`
  return sql`
    select person_id, ${liveFigures(now)},
      (array_agg(order_id order by occasion_at desc, order_id desc) filter (where to_at > ${now}))[1:2] as latest_orders
      ${form === 'arrays' ? spans : sql``}
    from (
      select person_id, from_at, case when to_at <= ${now} then to_at else 'infinity' end as to_at, occasion_at, order_id, net_minor
      from ${factsOf(scope, 'occasions', facts)} and from_at <= ${now}
    ) known
    group by person_id`
}

/**
 * The same for being connected, and the relation that decides: a live one before an ended one, the oldest first. In one order, so that
 * one sort gives all arrays; the ends of who has several relations are ordered by themselves.
 */
function connectedBody(scope: Scope, now: Date, facts: Facts): RawBuilder<unknown> {
  const held = sql`filter (where ended_at > begun_at)`
  const inOrder = sql`order by begun_at, connection_id`
  return sql`
    select person_id, connected_begins, connected_until, connection_id,
      case when relations = 1 then connected_ends else relationship.sorted(connected_ends) end as connected_ends
    from (
      select person_id, count(*) as relations, array_agg(begun_at ${inOrder}) ${held} as connected_begins,
        array_agg(ended_at ${inOrder}) ${held} as connected_ends, max(ended_at) ${held} as connected_until,
        coalesce((array_agg(connection_id ${inOrder}) filter (where ended_at = 'infinity'))[1],
          (array_agg(connection_id ${inOrder}))[1]) as connection_id
      from (
        select person_id, connection_id, begun_at, case when ended_at <= ${now} then ended_at else 'infinity' end as ended_at
        from ${factsOf(scope, 'connections', facts)} and begun_at <= ${now}
      ) known
      group by person_id
    ) persons`
}

/**
 * When a person was last dormant (an occasion ever, none in period): without membership by purchase that is deeper than
 * what comes before and after. The last end of it is the begin of a span or the end of an occasion.
 */
const DORMANT_UNTIL = sql`(
  select max(at) from unnest(begins || ever_ends) as at
  where at < 'infinity'
    and (select count(*) from unnest(ever_begins) b where b < at) > (select count(*) from unnest(ever_ends) e where e < at)
    and (select count(*) from unnest(begins) b where b < at) = (select count(*) from unnest(ends) e where e < at))`

/**
 * Standing as of `now`, by two forms that say the same: whom a further fact is about by the runs of their depth, everybody
 * else by arrays. Facts after `now` are left out first: a past instant has its own truth.
 */
export function standingBody(scope: Scope, now: Date, settings: Settings): RawBuilder<unknown> {
  return sql`
    ${standingByArrays([plainFigures(scope, now, settings)], now, settings)}
    union all
    select * from (${furtherStanding(scope, now, settings)}) further`
}

/** The same for few people, all by runs: it is planned in a third of the time, and of few people that is most of it. */
export function standingOfFew(scope: Scope, now: Date, settings: Settings, facts = EVERYBODYS): RawBuilder<unknown> {
  const runs = sql`(${depthRunsBody(scope, now, settings, 'all', sql`spans`, facts)})`
  const made: Made = { runs, spans: sql`(${furtherSpans(scope, now, settings)})`, further: 'all' }
  return standingByRuns(scope, now, settings, ofPeople(figuresBody(scope, now, settings, 'runs', facts)), made)
}

/**
 * The same for one person, wholly from their facts: the view of occasions does not yet know that an order just stored was of the day of
 * another one, and would have it deepen the relationship until standing has followed.
 */
export function standingOfOne(personId: number, now: Date, settings: Settings): RawBuilder<unknown> {
  const scope = onePerson(personId)
  return standingOfFew(scope, now, settings, {
    ...EVERYBODYS,
    occasions: sql`${occasionsOf(settings, scope)} occasions`,
  })
}

/** The people of `scope` whom a further fact is about. */
function furtherStanding(scope: Scope, now: Date, settings: Settings): RawBuilder<unknown> {
  return standingOfListed(furtherPeople(scope), now, settings)
}

/** The people of a select body (person_id), by runs. */
export function standingOfListed(people: RawBuilder<unknown>, now: Date, settings: Settings): RawBuilder<unknown> {
  const listed: Scope = sql`in (select person_id from listed_people)`
  return sql`
    with listed_people as materialized (${people})
    ${standingByRuns(listed, now, settings, figuresBody(listed, now, settings, 'runs'))}`
}

/** By which of its two forms standing is told: by arrays, or by runs, which bring their spans themselves. */
type Form = 'arrays' | 'runs'

/** All that standing rests on, one row for each person of the canonical map. */
export function figuresBody(
  scope: Scope,
  now: Date,
  settings: Settings,
  form: Form,
  facts = EVERYBODYS,
): RawBuilder<unknown> {
  const ever = settings.member_by_purchase ? sql`ever_until` : sql`ever_begins, ever_ends`
  const spans = sql`, begins, ends, ${ever}, connected_begins, connected_ends, connected_until`
  return sql`
    select person_id, live, last_occasion_at, latest_orders, net_paid_minor, connection_id ${form === 'arrays' ? spans : sql``}
    from (${withNetPaid(scope, now, spansBody(scope, now, settings, facts, form), facts)}) b
    left join (${connectedBody(scope, now, facts)}) c using (person_id)`
}

/** The same without whom a further fact is about. */
function plainFigures(scope: Scope, now: Date, settings: Settings): RawBuilder<unknown> {
  return sql`
    select * from (${figuresBody(scope, now, settings, 'arrays')}) figures
    where not exists (select from (${furtherPeople(scope)}) f where f.person_id = figures.person_id)`
}

/**
 * The same with those of them whose standing does not rest on it: interest makes a member of who never bought, so it says nothing of a
 * buyer who is connected. Of a brand whose customers click and reply that is nearly everybody.
 */
export function settledFigures(scope: Scope, now: Date, settings: Settings): RawBuilder<unknown> {
  return sql`
    select figures.*
    from (${figuresBody(scope, now, settings, 'arrays')}) figures
    left join (${activePeople(scope)}) active on active.person_id = figures.person_id
    where not exists (select from (${beyondInterest(scope)}) f where f.person_id = figures.person_id)
      and (active.person_id is null or ${settings.member_by_purchase} and live >= 1 and connected_until = 'infinity')`
}

/**
 * Without the identities that are nobody. Whoever has an occasion or a relation is somebody; of the others, few, it is looked
 * up. Behind "offset 0", or the lookup goes down into every share of the people, and none of them runs in parallel: it took
 * twice the time.
 */
export function ofPeople(figures: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select * from (${figures} offset 0) known
    where live is not null or connection_id is not null or ${hasFacts(sql`known.person_id`)}`
}

/**
 * Whoever no further fact is about, in one or several shares. A depth is a set of conditions: it holds since the last of them
 * came to hold. What is looked up, of few, comes last: with it no share runs in parallel.
 */
export function standingByArrays(
  shares: readonly RawBuilder<unknown>[],
  now: Date,
  settings: Settings,
): RawBuilder<unknown> {
  const since = settings.member_by_purchase
    ? sql`since`
    : sql`case when depth = 1 then greatest(since, ${DORMANT_UNTIL}) else since end`
  return sql`
    select person_id, depth, ${since} as since, lapses_at, lapses_to, evidence,
      case when depth > 0 then depth when connected_until is null then 0::smallint else ${lostDepth(settings)} end as depth_if_connected,
      last_occasion_at, ever::int as occasions, net_paid_minor
    from (${ofPeople(
      sql.join(
        shares.map((share) => depthsByArrays(share, now, settings)),
        sql` union all `,
      ),
    )}) s`
}

function depthsByArrays(figures: RawBuilder<unknown>, now: Date, settings: Settings): RawBuilder<unknown> {
  const ever = settings.member_by_purchase ? sql`ever_until` : sql`null::timestamptz`
  // Nearly everybody has one relation, and is spared the function.
  const connectedSince = sql`case when cardinality(connected_begins) = 1 then connected_begins[1]
    else relationship.held_since(1, connected_begins, connected_ends) end`
  return sql`
    select *,
      case when depth = 0 then connected_until
        else greatest(${connectedSince}, case depth
          when 1 then ${ever}
          when 2 then one_until
          when 3 then greatest(relationship.held_since(1, begins, ends), relationship.two_held_until(begins, ends))
          else relationship.held_since(2, begins, ends) end) end as since,
      case when depth = 4 then two_until when depth > 0 and in_period > 0 then one_until end as lapses_at,
      case when depth = 4 and two_until < one_until then 3 when depth > 0 and in_period > 0 then 2 end::smallint as lapses_to,
      case
        when depth >= 4 then array[connection_id] || latest_orders
        when depth in (2, 3) then array[connection_id] || latest_orders[1:1]
        when connection_id is not null then array[connection_id]
        else '{}'
      end::bigint[] as evidence
    from (
      select *, ${depthCase(sql`connections`, settings, 'none')} as depth
      from (
        select *, coalesce((one_until > ${now})::int, 0) + coalesce((two_until > ${now})::int, 0) as in_period
        from (
          select *, coalesce(live, 0) as ever, (connected_until is not distinct from 'infinity')::int as connections,
            ends[cardinality(ends)] as one_until, ends[cardinality(ends) - 1] as two_until
          from (${figures}) f
        ) spans
      ) counted
    ) s`
}

/** What somebody lost was: the depth just before the last connection ended. Looked up, because few are lost. */
function lostDepth(settings: Settings): RawBuilder<unknown> {
  return sql`(
    select ${depthCase(sql`1`, settings, 'none')} from (
      select count(*) as ever, count(*) filter (
        where occasion_at + make_interval(hours => ${settings.period_days * 24}) >= connected_until) as in_period
      from relationship.occasions o
      where o.person_id = s.person_id and o.from_at < connected_until and o.to_at >= connected_until
    ) then_held)`
}

/** Runs of depth and spans of the further conditions that are in tables already. */
export interface Made {
  readonly runs: RawBuilder<unknown>
  readonly spans: RawBuilder<unknown>
  readonly further: Further
}

/**
 * The people of `figures`, by the run of their depth that holds at `now`. Who was never connected has none. What somebody lost
 * was is what their last change was from.
 */
export function standingByRuns(
  scope: Scope,
  now: Date,
  settings: Settings,
  figures: RawBuilder<unknown>,
  made?: Made,
): RawBuilder<unknown> {
  const further = made?.further ?? 'all'
  const runs = made?.runs ?? sql`(${depthRunsBody(scope, now, settings, further, sql`spans`)})`
  const spans = made?.spans ?? sql`(${furtherSpans(scope, now, settings)})`
  const latest = (condition: string) =>
    sql`(array_agg(begun_by order by begin_at desc, begun_by desc) filter (where condition = ${condition}))[1]`
  const deciding =
    further === 'none'
      ? sql`
        select 0::bigint as person_id, null::bigint as enrolled_by, null::bigint as scored_by, null::bigint as product_by,
          null::bigint as spread_by, null::timestamptz as enrolled_until, null::timestamptz as scored_until,
          null::timestamptz as product_until where false`
      : sql`
        -- Of memberships the one that lasts longest; of acts and spreads the latest, which does.
        select person_id, (array_agg(begun_by order by end_at desc, begin_at, begun_by) filter (where condition = 'enrolled'))[1] as enrolled_by,
          ${latest('scored')} as scored_by, ${latest('product')} as product_by, ${latest('spreads')} as spread_by,
          max(end_at) filter (where condition = 'enrolled') as enrolled_until,
          max(end_at) filter (where condition = 'scored') as scored_until, max(end_at) filter (where condition = 'product') as product_until
        from spans where begin_at <= ${now} and end_at > ${now} group by person_id`
  // Evidence has to stand for as long as the depth does: of two ways to be a member it is the one that holds longer.
  const isEnrolledDeciding = sql`(enrolled_until is not null and case
    when depth = 2 then ever = 0 and enrolled_until >= coalesce(interested_until, enrolled_until)
    else depth > 2 and not ${settings.member_by_purchase} end)`
  return sql`
    select person_id, depth, since, ends_at as lapses_at, next_depth as lapses_to,
      array_remove(array[connection_id]
        || case when ${isEnrolledDeciding} then array[enrolled_by] end
        || case when depth >= 4 then latest_orders when depth >= 2 then latest_orders[1:1] end
        || case when depth = 2 and ever = 0 and not ${isEnrolledDeciding} then array[scored_by, product_by] end
        || case when depth = 5 then array[spread_by] end, null)::bigint[] as evidence,
      case when depth > 0 then depth else coalesce(from_depth, 0::smallint) end as depth_if_connected,
      last_occasion_at, ever::int as occasions, net_paid_minor
    from (
      with ${further === 'none' ? sql`` : sql`spans as materialized (select * from ${spans} spans),`}
      deciding as (${deciding}),
      runs as (
        select person_id, depth, from_depth, since, ends_at, next_depth from ${runs} runs
        where since <= ${now} and (ends_at is null or ends_at > ${now})
      )
      select f.*, coalesce(live, 0) as ever, coalesce(depth, 0::smallint) as depth, from_depth, since, ends_at, next_depth,
        enrolled_by, scored_by, product_by, spread_by, enrolled_until,
        case when scored_until is not null and product_until is not null then least(scored_until, product_until) end as interested_until
      from (${figures}) f left join runs using (person_id) left join deciding using (person_id)
    ) s`
}

export const STANDING_COLUMNS = sql`person_id, depth, since, lapses_at, lapses_to, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor`

/**
 * Standing at the present instant: the stored rows, and for people whose depth has lapsed since it was stored the
 * same body at once. A depth with lapses_at <= now is never served, and a read writes nothing.
 */
export function presentStanding(now: Date, settings: Settings): RawBuilder<unknown> {
  return sql`
    select ${STANDING_COLUMNS} from relationship.standing where lapses_at is null or lapses_at > ${now}
    union all
    select ${STANDING_COLUMNS} from (${standingBody(
      sql`in (select person_id from relationship.standing where lapses_at <= ${now})`,
      now,
      settings,
    )}) due`
}

export async function selectDepthReport(
  db: Sql,
  standing: RawBuilder<unknown>,
): Promise<{ depth: number; people: number; lapsing: number; first_lapses_at: Date | null }[]> {
  const { rows } = await sql<{ depth: number; people: number; lapsing: number; first_lapses_at: Date | null }>`
    select depth, count(*) as people, count(lapses_at) as lapsing, min(lapses_at) as first_lapses_at
    from (${standing}) s group by depth`.execute(db)
  return rows
}
