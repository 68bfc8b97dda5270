import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/**
 * Which line each refund reduces, recomputed whole for every named order and every source customer that this import
 * touched (domain.md §0). First the refunds that name an order, then the others against what is left.
 *
 * What an order can still give depends on all refunds that name it, whoever they came from; and a refund that a
 * correction turned to another order gives the first one back. So orders are touched by name, in both versions.
 */
export async function reallocateRefunds(tx: Sql, source: string): Promise<void> {
  // Beside the documents of this import, which are `admitted`: looking those up again took 6 of 80 ms for 1,000.
  await sql`
    create temp table touched_orders on commit drop as
    select o.person_id, o.order_id, o.identity_id
    from (
      select refund_of as external_id from admitted where refund_of is not null
      union select external_id from arriving where replaces
      union select refund_of from superseding where refund_of is not null
    ) n
    cross join lateral ${orderNamed(source, sql`n.external_id`)} i
    join commerce.orders o on o.order_id = i.fact_id`.execute(tx)
  // One branch for each way to be touched, so that each goes by its index; with `or` all refunds were read.
  await sql`
    create temp table touched_refunds on commit drop as
    with touched_name as (
      select document_id as external_id from admitted
      union select refund_of from admitted where refund_of is not null
      union select external_id from arriving where replaces
      union select refund_of from superseding where refund_of is not null
    ), touched_identity as (
      -- A refund reduces earlier lines, so that what came touches none from before it.
      select identity_id, min(from_at) as from_at
      from (
        select identity_id, paid_at as from_at from admitted
        union all select identity_id, '-infinity' from superseding
        union all select identity_id, '-infinity' from touched_orders
      ) t where identity_id is not null group by identity_id
    ), touched as (
      select r.person_id, r.refund_id from touched_identity t join commerce.refunds r using (identity_id)
      where r.of_external_id is null and r.refunded_at >= t.from_at
      union
      select r.person_id, r.refund_id from admitted a join commerce.refunds r on r.refund_id = a.fact_id
      union
      select r.person_id, r.refund_id from touched_name n
      join commerce.refunds r on r.source = ${source} and r.of_external_id = n.external_id
    )
    select r.person_id, r.refund_id, r.identity_id, r.external_id, r.of_external_id, r.refunded_at
    from touched join commerce.refunds r using (person_id, refund_id)`.execute(tx)
  const { rows } = await sql<{ touched: boolean; superseding: boolean; by_item: boolean }>`
    select exists (select from touched_refunds) as touched, exists (select from superseding) as superseding,
      exists (select from touched_refunds where of_external_id is null) as by_item`.execute(tx)
  const found = rows[0]
  if (!found?.touched && !found?.superseding) return
  await sql`analyze touched_refunds`.execute(tx)
  await sql`
    delete from commerce.refund_allocations a using (
      select refund_id from touched_refunds union select fact_id from superseding
    ) t where a.refund_id = t.refund_id`.execute(tx)
  await sql`
    delete from commerce.refund_allocations a using superseding s
    where a.person_id = s.person_id and a.order_id = s.fact_id`.execute(tx)
  await allocateNamed(tx, source)
  if (found.by_item) await allocateByItem(tx)
}

/**
 * The document that an id of the source names, looked up by the whole key: fenced off by "offset 0", because the planner
 * expects so little of a source and kind that it reads all of theirs.
 */
function orderNamed(source: string, externalId: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(
    select fact_id from intake.published_inbox
    where source = ${source} and kind = 'order' and external_id = ${externalId} offset 0
  )`
}

/**
 * What can be refunded of each line: its share of the order's total when lines are laid end to end. A discount line
 * (negative amount) lowers the total, so the last lines' share is cut: the shares add up to what was paid.
 */
const LINE_SHARES = sql`
  select person_id, order_id, identity_id, external_id, paid_at, line_no, item,
    least(upto - greatest(amount_minor, 0), total) as from_minor, least(upto, total) as to_minor
  from (
    select l.person_id, l.order_id, o.identity_id, o.external_id, o.paid_at, l.line_no, l.item, l.amount_minor,
      sum(greatest(l.amount_minor, 0)) over (partition by l.person_id, l.order_id order by l.line_no)::bigint as upto,
      o.amount_minor as total
    from concerned_orders o join commerce.order_lines l using (person_id, order_id)
  ) x`

/** Refunds of an order and its lines are both laid end to end; where they overlap, the refund reduces the line. */
async function allocateNamed(tx: Sql, source: string): Promise<void> {
  await sql`
    create temp table concerned_orders on commit drop as
    select distinct o.person_id, o.order_id, o.amount_minor, o.external_id, o.identity_id, o.paid_at
    from (select distinct of_external_id from touched_refunds where of_external_id is not null) t
    cross join lateral ${orderNamed(source, sql`t.of_external_id`)} i
    join commerce.orders o on o.order_id = i.fact_id`.execute(tx)
  await sql`
    insert into commerce.refund_allocations (person_id, refund_id, refund_line_no, order_id, order_line_no, refunded_at, amount_minor)
    with refund_line as (
      select o.person_id, o.order_id, r.refund_id, l.line_no, r.refunded_at, l.amount_minor,
        sum(l.amount_minor) over (partition by o.order_id order by r.refunded_at, r.external_id collate "C", l.line_no)::bigint as upto
      from concerned_orders o
      join touched_refunds r on r.of_external_id = o.external_id
      join commerce.refund_lines l on l.person_id = r.person_id and l.refund_id = r.refund_id
    ), order_line as (${LINE_SHARES})
    select o.person_id, r.refund_id, r.line_no, o.order_id, o.line_no, r.refunded_at,
      least(r.upto, o.to_minor) - greatest(r.upto - r.amount_minor, o.from_minor)
    from refund_line r join order_line o on o.person_id = r.person_id and o.order_id = r.order_id
    where least(r.upto, o.to_minor) > greatest(r.upto - r.amount_minor, o.from_minor)`.execute(tx)
  await sql`drop table concerned_orders`.execute(tx)
}

/**
 * Refunds that name no order reduce, per source customer and item, the newest earlier lines in turn: last in, first
 * out. As a set: walk through purchases (+) and refunds (−) in time, reflected at zero. A purchase then covers the
 * heights between the level before it and the level after it, a refund uncovers heights the same way, and at any one
 * height purchases and refunds alternate: each refund meets the purchase just before it, which is the newest. What a
 * refund would take below zero is unmatched. What happened at one instant is taken in the order of the source's own ids
 * (files with dates only have many such), so that it does not matter which file came first.
 *
 * Rejected: a loop in PL/pgSQL with a stack (one statement a row), and a recursive query (one level a row).
 *
 * The moves stand in a table of their own, because the planner has to know how many they are: as one statement it took
 * (customer, item) for nearly unique and looped over all pairs, for minutes from a million rows on.
 */
async function allocateByItem(tx: Sql): Promise<void> {
  await sql`
    create temp table moves on commit drop as
    select r.identity_id, l.item, r.refunded_at as at, 1 as turn, r.external_id collate "C" as document_id, r.refund_id as fact_id, l.line_no, r.person_id, -l.amount_minor as delta
    from touched_refunds r join commerce.refund_lines l using (person_id, refund_id)
    where r.of_external_id is null and r.identity_id is not null and l.amount_minor > 0`.execute(tx)
  await sql`analyze moves`.execute(tx)
  // By identity alone: after a merge its earlier orders stand under another person until they have followed.
  await sql`
    create temp table concerned_orders on commit drop as
    select o.person_id, o.order_id, o.amount_minor, o.external_id, o.identity_id, o.paid_at
    from commerce.orders o
    where o.identity_id in (select identity_id from moves)`.execute(tx)
  await sql`analyze concerned_orders`.execute(tx)
  await sql`
    insert into moves
    select s.identity_id, s.item, s.paid_at, 0, s.external_id, s.order_id, s.line_no, s.person_id,
      s.to_minor - s.from_minor - coalesce(a.amount_minor, 0)
    from (${LINE_SHARES}) s
    left join (
      select c.person_id, c.order_id, x.order_line_no, sum(x.amount_minor)::bigint as amount_minor
      from concerned_orders c join commerce.refund_allocations x using (person_id, order_id) group by 1, 2, 3
    ) a on a.person_id = s.person_id and a.order_id = s.order_id and a.order_line_no = s.line_no
    where (s.identity_id, s.item) in (select identity_id, item from moves)
      and s.to_minor - s.from_minor > coalesce(a.amount_minor, 0)`.execute(tx)
  await sql`analyze moves`.execute(tx)
  await sql`
    insert into commerce.refund_allocations (person_id, refund_id, refund_line_no, order_id, order_line_no, refunded_at, amount_minor)
    with walked as (
      select *, min(level) over w as lowest
      from (select *, sum(delta) over (partition by identity_id, item order by at, turn, document_id, line_no) as level from moves) m
      window w as (partition by identity_id, item order by at, turn, document_id, line_no)
    ), reflected as (
      select *, level - least(lowest, 0) as after,
        lag(level - least(lowest, 0), 1, 0::numeric) over (partition by identity_id, item order by at, turn, document_id, line_no) as before
      from walked
    ), height as (
      select identity_id, item, after as low, lead(after) over (partition by identity_id, item order by after) as high
      from (select distinct identity_id, item, after from reflected union select distinct identity_id, item, 0::numeric from reflected) b
    ), crossing as (
      select r.turn, r.person_id, r.fact_id, r.line_no, r.at, h.high - h.low as amount_minor,
        lag(r.person_id) over w as met_person_id, lag(r.fact_id) over w as met_fact_id, lag(r.line_no) over w as met_line_no
      from reflected r
      join height h on h.identity_id = r.identity_id and h.item = r.item
        and h.low >= least(r.before, r.after) and h.high <= greatest(r.before, r.after)
      window w as (partition by r.identity_id, r.item, h.low order by r.at, r.turn, r.document_id, r.line_no)
    )
    select met_person_id, fact_id, line_no, met_fact_id, met_line_no, at, sum(amount_minor)::bigint
    from crossing where turn = 1
    group by met_person_id, fact_id, line_no, met_fact_id, met_line_no, at`.execute(tx)
}
