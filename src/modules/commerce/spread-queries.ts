import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/*
 * Who shared what an order was bought through (docs/definitions.md §1.7): a row of commerce.spreads for each order in force
 * that names a sharer, kept under the sharer's person. Every verb belongs into the transaction that changes orders, refunds or
 * people, and adds to `changed_people` the sharers for whom something changed. What it takes:
 *
 *   documents   document_id, shared_by: JSON text [kind, namespace, value], and order_lines
 *   arriving    as intake admitted them
 */

/** Whether any order of the brand was ever shared. Nearly all work is left out where none was. */
export async function hasSpreads(tx: Sql): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`select exists (select from commerce.spreads) as found`.execute(tx)
  return rows[0]?.found === true
}

/** `arriving_sharers`: whom the documents name as their sharers, for `identify`. */
export const SHARERS = sql`
  select who->>0 as kind, who->>1 as namespace, who->>2 as value
  from (select shared_by::jsonb as who from documents where shared_by is not null and order_lines > 0) d`

/** `arriving_shares (fact_id, status, is_applied, identity_id, person_id)`: each document with its sharer. */
export async function createArrivingShares(tx: Sql): Promise<void> {
  await sql`
    create temp table arriving_shares on commit drop as
    select a.fact_id, a.status, a.is_applied, s.identity_id, s.person_id
    from (
      select document_id, shared_by::jsonb as who from documents where shared_by is not null and order_lines > 0
    ) d
    join arriving a on a.external_id = d.document_id
    join arriving_sharers s on s.kind = who->>0 and s.namespace = who->>1 and s.value = who->>2`.execute(tx)
}

/** Bodies of `displaced` say by whom they were shared, so that they can come into force again. */
export async function keepSharers(tx: Sql): Promise<void> {
  await sql`
    update displaced d
    set identity_ids = d.identity_ids || s.identity_id, body = (
      select jsonb_agg(line || jsonb_build_object('shared_by', s.identity_id) order by place)
      from jsonb_array_elements(d.body) with ordinality as l(line, place))
    from (
      select a.fact_id, c.identity_id from arriving a join commerce.spreads c on c.order_id = a.fact_id
      where a.replaces and c.identity_id is not null
      union all
      select fact_id, identity_id from arriving_shares where status = 'stale'
    ) s
    where s.fact_id = d.fact_id`.execute(tx)
}

/**
 * `true_spreads`: what the spreads of every order that this transaction touched have to be. A refund that names no order
 * may have moved to another order of the same customer, so the customer's shared orders are all looked at.
 *
 * The people are those of the canonical map: an order may still wait to follow its identity.
 */
export async function createTrueSpreads(tx: Sql): Promise<void> {
  await sql`
    create temp table concerned_spreads on commit drop as
    select fact_id as order_id from admitted
    union select fact_id from superseding
    union select order_id from touched_orders
    union
    select s.order_id from commerce.orders o join commerce.spreads s using (order_id)
    where (exists (select from touched_refunds) or exists (select from superseding)) and o.identity_id in (
      select identity_id from admitted union select identity_id from superseding union select identity_id from touched_orders
      union select identity_id from touched_refunds)`.execute(tx)
  await sql`
    create temp table true_spreads on commit drop as
    select o.order_id, p.person_id, shared.identity_id, case when o.identity_id is not null then b.person_id
        when known.buyer_person_id = 0 then 0 end as buyer_person_id,
      known.spread_id, known.voided_id, o.paid_at as spread_at, (
        select greatest(o.paid_at, min(refunded_at)) from (
          select refunded_at, sum(amount_minor) over (order by refunded_at) as refunded_minor
          from commerce.refund_allocations a where a.person_id = o.person_id and a.order_id = o.order_id
        ) r where refunded_minor >= o.amount_minor having count(*) > 0) as voided_at
    from (
      select fact_id as order_id, identity_id from arriving_shares where is_applied
      union all
      select s.order_id, s.identity_id from concerned_spreads c join commerce.spreads s using (order_id)
      where not exists (select from admitted a where a.fact_id = s.order_id)
        and not exists (select from superseding x where x.fact_id = s.order_id)
    ) shared
    join commerce.orders o using (order_id)
    left join commerce.spreads known using (order_id)
    left join customers.published_people p on p.identity_id = shared.identity_id
    left join customers.published_people b on b.identity_id = o.identity_id`.execute(tx)
}

/** `true_spreads` come into force; sharers of whom a row came, went or changed are added to `changed_people`. */
export async function writeSpreads(tx: Sql, now: Date): Promise<void> {
  await sql`
    create temp table stale_spreads on commit drop as
    select s.* from concerned_spreads c join commerce.spreads s using (order_id)
    where not exists (
      select from true_spreads t
      where t.order_id = s.order_id and coalesce(t.person_id, 0) = s.person_id and t.identity_id is not distinct from s.identity_id
        and t.buyer_person_id is not distinct from s.buyer_person_id and t.spread_at = s.spread_at
        and t.voided_at is not distinct from s.voided_at)`.execute(tx)
  await sql`
    delete from commerce.spreads s using stale_spreads x where s.person_id = x.person_id and s.order_id = x.order_id`.execute(
    tx,
  )
  await sql`
    with written as (
      insert into commerce.spreads (person_id, order_id, identity_id, buyer_person_id, spread_id, voided_id, spread_at, voided_at, recorded_at)
      select coalesce(t.person_id, 0), t.order_id, t.identity_id, t.buyer_person_id, t.spread_id, t.voided_id, t.spread_at, t.voided_at,
        coalesce(x.recorded_at, ${now})
      from true_spreads t left join stale_spreads x using (order_id)
      where not exists (select from commerce.spreads s where s.order_id = t.order_id)
      returning person_id
    )
    insert into changed_people
    select person_id from written union select person_id from stale_spreads
    union select person_id from arriving_shares where status <> 'known'`.execute(tx)
}

/** Sharer and buyer follow their identities, as `moves` and `moved_documents` say. */
export async function followSpreads(tx: Sql): Promise<void> {
  // What a sharer's share counts for depends on who the buyer is: the same person counts for nothing.
  await sql`
    insert into changed_people
    select s.person_id from moved_documents d join commerce.spreads s on s.order_id = d.fact_id`.execute(tx)
  await sql`
    update commerce.spreads s set buyer_person_id = d.to_person_id
    from moved_documents d where s.order_id = d.fact_id`.execute(tx)
  await sql`
    update commerce.spreads s set person_id = m.to_person_id
    from moves m where s.person_id = m.from_person_id and s.identity_id = m.identity_id`.execute(tx)
}

/**
 * Who is erased leaves nobody's share behind, and it stays a share where the buyer goes: somebody else did buy. The order
 * document named its sharer, so it is one of `erased_facts`.
 */
export async function eraseSpreads(tx: Sql): Promise<void> {
  await sql`
    update commerce.spreads s set buyer_person_id = case when s.buyer_person_id <> s.person_id then 0 end
    from erased_documents d where s.order_id = d.fact_id`.execute(tx)
  await sql`
    with gone as (
      update commerce.spreads s set person_id = 0, identity_id = null
      from erased_identities e where s.person_id = e.person_id and s.identity_id = e.identity_id
      returning s.order_id
    )
    insert into erased_facts select order_id, true from gone`.execute(tx)
}
