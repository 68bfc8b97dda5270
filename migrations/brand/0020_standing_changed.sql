-- Orders and refunds are judged each by its index, whatever is known of their tables. As a join the ids were compared with every row of
-- a table that had not been analysed yet: 1 ms for each refund of a first file, 20 s for the 20,000 refunds of a million orders.
create or replace function commerce.judge_orders(ids bigint[]) returns void language sql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  delete from commerce.void_orders where order_id = any(ids);
  insert into commerce.void_orders
  select o.order_id, o.person_id = 0
  from commerce.orders o
  where o.order_id = any(ids) and case when o.amount_minor = 0 then exists (
      select from commerce.refunds r where r.source = o.source and r.of_external_id = o.external_id)
    else o.amount_minor <= (
      select sum(a.amount_minor) from commerce.refund_allocations a
      where a.person_id = o.person_id and a.order_id = o.order_id) end
  on conflict (order_id) do update set is_anonymous = excluded.is_anonymous;
$$;

create or replace function commerce.judge_refunds(ids bigint[]) returns void language sql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  delete from commerce.unmatched_refunds where refund_id = any(ids);
  insert into commerce.unmatched_refunds
  select refund_id, left_minor
  from (
    select r.refund_id, r.amount_minor - coalesce((
      select sum(a.amount_minor) from commerce.refund_allocations a where a.refund_id = r.refund_id), 0) as left_minor
    from commerce.refunds r where r.refund_id = any(ids)
  ) judged where left_minor > 0
  on conflict (refund_id) do update set unmatched_minor = excluded.unmatched_minor;
$$;

-- Segments rest on standing, so standing hands people on to them when it has followed their facts, and a fact makes one pending row
-- and not two. A brand without segments makes none.
alter table intake.subscribers drop constraint subscribers_event_check;
alter table intake.subscribers add check (event in ('people_changed', 'identities_moved', 'standing_changed'));
update intake.subscribers set event = 'standing_changed' where subscriber = 'segments';

-- In order; of few people, so that it need not be fast.
create function relationship.sorted(instants timestamptz[]) returns timestamptz[]
language sql immutable parallel safe as $$ select array_agg(at order by at) from unnest(instants) as at $$;
