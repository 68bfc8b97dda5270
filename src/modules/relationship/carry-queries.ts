import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import { countedBody } from './counts-queries.ts'
import { depthCase, insertChanges, kindCode } from './depth-queries.ts'
import { EVERYBODYS, layOutActs } from './facts-queries.ts'
import { writeFanTiers } from './interest-queries.ts'
import { occasionKey } from './occasions-queries.ts'
import { hasFacts } from './people-queries.ts'
import { actedPeople, type HandOn, STANDING_COLUMNS } from './queries.ts'

/*
 * Of nearly everybody who becomes pending one of two things has happened. They bought once more, later than ever before: the occasion is
 * that order, and depth follows from what it was, for of occasions in the period only the last two decide, and those two are in what
 * stood. Or they did or said what decides nothing for a buyer who is connected, and everything stands. Whoever is not connected stays so
 * whatever they buy or do. Nothing has to be found again in their facts.
 *
 * Whoever is not so plain is left to rewriteStanding, to which random histories hold this (carry.db.test.ts, depth.db.test.ts). Among a
 * million people 10,000 further orders took twice as long by that way alone.
 */

/**
 * Kinds of facts that decide nothing of a buyer's depth, or, with interactions, nothing from within the run of depth that holds: interest
 * makes a member of who never bought.
 */
const QUIET_KINDS = ['interaction', 'unweighted_interaction', 'consent', 'referral_claim', 'tag']

/** How many people were carried on, and their standing as it is now: a select body with STANDING_COLUMNS. */
export interface Carried {
  readonly people: number
  readonly standing?: RawBuilder<unknown>
}

/**
 * Brings standing and what is kept with it up to date of those of `claimed_people` for whom that needs no other fact than those that
 * changed them, and takes them off that table.
 */
export async function carryStanding(tx: Sql, now: Date, settings: Settings, handOn: HandOn): Promise<Carried> {
  // Where buying makes nobody a member, memberships and interest decide of buyers too.
  if (!settings.member_by_purchase) return { people: 0 }
  await findPlain(tx)
  // Of a stream of new customers nobody, and each of the tables below is a millisecond.
  const carried = (await areAnyKnown(tx)) ? await carryPlain(tx, now, settings, handOn) : { people: 0 }
  await sql`drop table plain_people`.execute(tx)
  return carried
}

async function carryPlain(tx: Sql, now: Date, settings: Settings, handOn: HandOn): Promise<Carried> {
  await sql`analyze plain_people (person_id, has_orders, has_weight)`.execute(tx)
  await findFurtherOrders(tx, settings)
  await findCarried(tx, now, settings)
  const bought = await writeCarried(tx, now, settings)
  const quiet = await takeQuiet(tx)
  if (bought + quiet > 0) {
    await renewTiers(tx, now, settings, handOn)
    await sql`analyze claimed_people (person_id)`.execute(tx)
  }
  await sql`drop table further_orders`.execute(tx)
  // Whoever is left on the list is not as they stood.
  const standing = sql`
    select ${STANDING_COLUMNS} from stood where person_id not in (select person_id from claimed_people)
    union all
    select person_id, depth, since, lapses_at, lapses_to, evidence, depth_if_connected, paid_at, occasions + 1, net_paid_minor from carried`
  return { people: bought + quiet, standing }
}

/** `plain_people`: of whom nothing but orders and facts of QUIET_KINDS came, from when on either, and whether acts have a weight. */
async function findPlain(tx: Sql): Promise<void> {
  const from = (kind: string) => sql`changed_from[array_position(fact_kinds, ${kind})]`
  // Each whose instant is not known is null, and one of them is enough.
  const areDated = (kind: string) => sql`(${kind} = any(fact_kinds)) = (${from(kind)} is not null)`
  await sql`
    create temp table plain_people on commit drop as
    select * from (
      select person_id, pending_since, fact_id, ${from('order')} as orders_from,
        least(${from('interaction')}, ${from('unweighted_interaction')}) as acts_from,
        'order' = any(fact_kinds) as has_orders, 'interaction' = any(fact_kinds) as has_weight
      from claimed_people
      -- A kind that is not known is in no list.
      where fact_kinds <@ ${['order', ...QUIET_KINDS]}::text[]
        and ${areDated('order')} and ${areDated('interaction')} and ${areDated('unweighted_interaction')}
    ) plain
    order by person_id`.execute(tx)
}

/** Whether any of `plain_people` has standing; the first is enough. */
async function areAnyKnown(tx: Sql): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from plain_people p where (select true from relationship.standing s where s.person_id = p.person_id)
    ) as found`.execute(tx)
  return rows[0]?.found === true
}

/**
 * `further_orders`: the order of who has bought once since, on a day on which they bought nothing else. One that is refunded already is
 * left out: its day has a history.
 */
async function findFurtherOrders(tx: Sql, { occasion_unit: unit, zone }: Settings): Promise<void> {
  const key = occasionKey(unit, zone)
  const isOfThatDay = unit === 'order' ? sql`false` : sql`occasion_key = ${occasionKey(unit, zone, sql`c.orders_from`)}`
  await sql`
    create temp table further_orders on commit drop as
    select c.person_id, o.order_id, c.orders_from as paid_at, o.amount_minor, c.acts_from
    from plain_people c
    cross join lateral (
      select count(*) as orders, max(order_id) as order_id, max(paid_at) as paid_at, max(amount_minor) as amount_minor
      from (
        -- No day is longer, and to tell the day of each order costs more than to compare instants.
        select order_id, paid_at, amount_minor, ${key} as occasion_key from commerce.published_orders o
        where o.person_id = c.person_id and paid_at >= c.orders_from - interval '2 days' offset 0
      ) lately
      where paid_at >= c.orders_from or ${isOfThatDay}
    ) o
    where c.has_orders and o.orders = 1 and o.paid_at = c.orders_from
      and (select true from ${EVERYBODYS.allocations} a where a.person_id = c.person_id and a.order_id = o.order_id limit 1) is null
      -- Of an advocate more decides.
      and (select true from interactions.published_reviews r where r.person_id = c.person_id limit 1) is null
      and (select true from commerce.published_spreads s where s.person_id = c.person_id limit 1) is null`.execute(tx)
  await sql`analyze further_orders (person_id)`.execute(tx)
}

/**
 * Of a standing `s` of depth 0 from before `at`: it is still so now, and what was before it lies behind. What somebody lost was is what they
 * were when the last connection ended. A connection from after that is looked for, because a clock may have been behind.
 */
function staysUnconnected(at: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    (depth = 0 and (since is null or ${at} is null or ${at} > since) and not exists (
      select from ${EVERYBODYS.connections} c where c.person_id = s.person_id and (since is null or ended_at > since)))`
}

/**
 * `carried`: what stood of who is connected, if it held when they bought and what it becomes holds now; the order, and what it becomes.
 * Memberships and interest decide nothing of a buyer, who is a member by that. So too of who is not connected, of whom nothing changes
 * but the figures.
 */
async function findCarried(tx: Sql, now: Date, settings: Settings): Promise<void> {
  const period = sql`make_interval(hours => ${settings.period_days * 24})`
  await sql`
    create temp table carried on commit drop as
    select person_id, order_id, paid_at, net_paid_minor + amount_minor as net_paid_minor, from_depth, last_occasion_at, occasions, depth,
      case when depth = from_depth then since else paid_at end as since,
      case when depth > 0 then case when depth = 4 then last_occasion_at else paid_at end + ${period} end as lapses_at,
      case when depth > 0 then case when depth = 4 then 3 else 2 end end::smallint as lapses_to,
      case when depth > 0 then evidence[1:1] || order_id || case when depth = 4 then evidence[2:2] end else evidence end as evidence,
      case when depth > 0 then depth else depth_if_connected end as depth_if_connected
    from (
      select *, ${depthCase(sql`(from_depth > 0)::int`, settings, 'none')} as depth
      from (
        select o.person_id, order_id, paid_at, amount_minor, depth as from_depth, since, evidence, last_occasion_at, occasions,
          depth_if_connected, net_paid_minor, occasions + 1 as ever, greatest(depth - 2, 0) + 1 as in_period
        from further_orders o join relationship.standing s on s.person_id = o.person_id
        where o.paid_at <= ${now}
          -- Whoever was worked out anew meanwhile has it already.
          and (last_occasion_at is null or last_occasion_at < o.paid_at)
          and (${staysUnconnected(sql`o.paid_at`)} or
            since < o.paid_at and (lapses_at is null or lapses_at > o.paid_at)
            -- Of facts of one instant the last recorded is the cause.
            and (acts_from is null or acts_from > o.paid_at)
            -- The relation, then the last order or the last two.
            and cardinality(evidence) = case when depth = 1 and occasions = 0 then 1 when depth in (2, 3) and occasions > 0 then 2 when depth = 4 then 3 end
            and case when depth >= 3 then last_occasion_at else o.paid_at end + ${period} > ${now})
      ) stood
    ) deepened`.execute(tx)
  await sql`analyze carried (person_id)`.execute(tx)
}

/**
 * Writes what is kept of who is `carried`, and takes them off `claimed_people`. In place: a row that was taken out and put in again lay on
 * another page, of which both had to be written.
 *
 * @returns how many they are.
 */
async function writeCarried(tx: Sql, now: Date, { zone }: Settings): Promise<number> {
  const { numAffectedRows } = await sql`
    update relationship.standing s
    set depth = c.depth, since = c.since, lapses_at = c.lapses_at, lapses_to = c.lapses_to, evidence = c.evidence,
      depth_if_connected = c.depth_if_connected, last_occasion_at = paid_at, occasions = s.occasions + 1,
      net_paid_minor = c.net_paid_minor
    from carried c where c.person_id = s.person_id`.execute(tx)
  if (!numAffectedRows) return 0
  await insertChanges(
    tx,
    sql`select person_id, paid_at, from_depth, depth, order_id, ${kindCode('order')} from carried where depth <> from_depth`,
    now,
  )
  const before = sql`(select from_depth as depth, last_occasion_at, occasions from carried)`
  const after = sql`(select depth, paid_at as last_occasion_at, occasions + 1 as occasions from carried)`
  await sql`
    insert into relationship.people_count_changes
    select depth, last_occasion_day, occasions, -people from (${countedBody(sql`${before} before`, zone)}) counted
    union all
    ${countedBody(sql`${after} after`, zone)}`.execute(tx)
  await sql`delete from claimed_people p using carried c where c.person_id = p.person_id`.execute(tx)
  return Number(numAffectedRows)
}

/** Whose standing what they did or said leaves as it is: they are off `claimed_people`, and as they stand among others in `stood`. */
async function takeQuiet(tx: Sql): Promise<number> {
  // An array is one walk through the index, a lookup for each took two thirds longer.
  await sql`
    create temp table stood on commit drop as
    select ${STANDING_COLUMNS} from relationship.standing
    where person_id = any(array(select person_id from plain_people where not has_orders))`.execute(tx)
  await sql`analyze stood (person_id)`.execute(tx)
  const { numAffectedRows } = await sql`
    delete from claimed_people c using plain_people p join stood s using (person_id)
    where c.person_id = p.person_id and not has_orders
      -- Of who never bought a correction may have taken away all that was known.
      and (${staysUnconnected(sql`acts_from`)} and (occasions > 0 or ${hasFacts(sql`s.person_id`)}) or depth > 0 and occasions > 0 and (acts_from is null or acts_from > since))`.execute(
    tx,
  )
  return Number(numAffectedRows)
}

/**
 * Fan tiers of who was taken off `claimed_people` and whose score rose, handed on where there is one; of who bought alone the place in
 * lists.
 */
async function renewTiers(tx: Sql, now: Date, settings: Settings, handOn: HandOn): Promise<void> {
  await sql`
    create temp table acted on commit drop as
    select person_id, pending_since, fact_id, (select true from relationship.fan_tiers t where t.person_id = p.person_id) as was_tiered
    from plain_people p where has_weight and person_id not in (select person_id from claimed_people)`.execute(tx)
  await sql`analyze acted (person_id)`.execute(tx)
  const { rows } = await sql<{ found: boolean }>`select exists (select from acted) as found`.execute(tx)
  if (rows[0]?.found) {
    const acts = await layOutActs(tx, 'acted', now)
    await writeFanTiers(tx, sql`in (select person_id from acted)`, now, settings, 'all', acts)
    await sql`drop table ${acts.interactions}`.execute(tx)
    const tiered = sql`
      select * from acted a where was_tiered or (select true from relationship.fan_tiers t where t.person_id = a.person_id)`
    await handOn(actedPeople(['fan'], tiered))
  }
  await sql`
    update relationship.fan_tiers t set value_order = -c.net_paid_minor
    from carried c where c.person_id = t.person_id`.execute(tx)
  await sql`drop table acted`.execute(tx)
}
