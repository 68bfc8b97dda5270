-- Figures of everybody that pages show, kept instead of counted: at a million people and ten million orders counting them took
-- seconds. Each is kept in the transaction of the rows that it counts.

-- Sums of orders and refunds, by the minute in which they were recorded, for "since yesterday". Only appended to, so that nobody
-- waits for anybody: a row for each statement, folded into one a minute (commerce/actions.ts foldTotals), and after two days
-- into one for all before.
create table commerce.totals (
  kind text not null check (kind in ('order', 'refund')),
  recorded_minute timestamptz not null,
  is_anonymous boolean not null,
  documents bigint not null,
  amount_minor bigint not null
);

-- Triggers and not statements beside each write: a way of writing orders that forgets them would make a wrong revenue.
create function commerce.add_totals() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into commerce.totals
    select tg_argv[0], date_trunc('minute', recorded_at), person_id = 0, count(*), sum(amount_minor) from came group by 2, 3;
  elsif tg_op = 'DELETE' then
    insert into commerce.totals
    select tg_argv[0], date_trunc('minute', recorded_at), person_id = 0, -count(*), -sum(amount_minor) from went group by 2, 3;
  else
    insert into commerce.totals
    select tg_argv[0], recorded_minute, is_anonymous, sum(documents), sum(amount_minor)
    from (
      select date_trunc('minute', recorded_at) as recorded_minute, person_id = 0 as is_anonymous, 1 as documents, amount_minor from came
      union all
      select date_trunc('minute', recorded_at), person_id = 0, -1, -amount_minor from went
    ) changed group by 2, 3 having sum(documents) <> 0 or sum(amount_minor) <> 0;
  end if;
  return null;
end
$$;

create trigger totals_insert after insert on commerce.orders
  referencing new table as came for each statement execute function commerce.add_totals('order');
create trigger totals_update after update on commerce.orders
  referencing old table as went new table as came for each statement execute function commerce.add_totals('order');
create trigger totals_delete after delete on commerce.orders
  referencing old table as went for each statement execute function commerce.add_totals('order');
create trigger totals_insert after insert on commerce.refunds
  referencing new table as came for each statement execute function commerce.add_totals('refund');
create trigger totals_update after update on commerce.refunds
  referencing old table as went new table as came for each statement execute function commerce.add_totals('refund');
create trigger totals_delete after delete on commerce.refunds
  referencing old table as went for each statement execute function commerce.add_totals('refund');

-- The exceptions, few beside all: orders that are refunded in full, and refunds that gave back more than they found.
create table commerce.void_orders (
  order_id bigint primary key,
  is_anonymous boolean not null
);
create table commerce.unmatched_refunds (
  refund_id bigint primary key,
  unmatched_minor bigint not null check (unmatched_minor > 0)
);

-- Whom a refund cancels that names an order of 0.00: such an order has nothing to allocate.
create index orders_free_by_id on commerce.orders (source, external_id) where amount_minor = 0;

-- By the ids, so that each is looked up by index however many they are: a plan is made once and kept, and after the first big
-- import it would walk over all orders for each later order.
create function commerce.judge_orders(ids bigint[]) returns void language sql
set enable_hashjoin = off set enable_mergejoin = off as $$
  delete from commerce.void_orders where order_id = any(ids);
  insert into commerce.void_orders
  select o.order_id, o.person_id = 0
  from (select distinct unnest(ids) as order_id) changed join commerce.orders o using (order_id)
  where case when o.amount_minor = 0 then exists (
      select from commerce.refunds r where r.source = o.source and r.of_external_id = o.external_id)
    else o.amount_minor <= (
      select sum(a.amount_minor) from commerce.refund_allocations a
      where a.person_id = o.person_id and a.order_id = o.order_id) end
  on conflict (order_id) do update set is_anonymous = excluded.is_anonymous;
$$;

create function commerce.judge_refunds(ids bigint[]) returns void language sql
set enable_hashjoin = off set enable_mergejoin = off as $$
  delete from commerce.unmatched_refunds where refund_id = any(ids);
  insert into commerce.unmatched_refunds
  select refund_id, left_minor
  from (
    select r.refund_id, r.amount_minor - coalesce((
      select sum(a.amount_minor) from commerce.refund_allocations a where a.refund_id = r.refund_id), 0) as left_minor
    from (select distinct unnest(ids) as refund_id) changed join commerce.refunds r using (refund_id)
  ) judged where left_minor > 0
  on conflict (refund_id) do update set unmatched_minor = excluded.unmatched_minor;
$$;

create function commerce.judge_allocated() returns trigger language plpgsql as $$
declare
  orders bigint[];
  refunds bigint[];
begin
  if tg_op = 'INSERT' then
    select array_agg(distinct order_id), array_agg(distinct refund_id) into orders, refunds from came;
  elsif tg_op = 'DELETE' then
    select array_agg(distinct order_id), array_agg(distinct refund_id) into orders, refunds from went;
  else
    select array_agg(distinct order_id), array_agg(distinct refund_id) into orders, refunds
    from (select order_id, refund_id from came union all select order_id, refund_id from went) changed;
  end if;
  if orders is not null then
    perform commerce.judge_orders(orders);
    perform commerce.judge_refunds(refunds);
  end if;
  return null;
end
$$;
create trigger judged_insert after insert on commerce.refund_allocations
  referencing new table as came for each statement execute function commerce.judge_allocated();
create trigger judged_update after update on commerce.refund_allocations
  referencing old table as went new table as came for each statement execute function commerce.judge_allocated();
create trigger judged_delete after delete on commerce.refund_allocations
  referencing old table as went for each statement execute function commerce.judge_allocated();

-- A new order has no refunds yet, unless it cost nothing: what is allocated to it comes after it and is judged then.
create function commerce.judge_changed_orders() returns trigger language plpgsql as $$
declare
  ids bigint[];
begin
  if tg_op = 'INSERT' then
    select array_agg(order_id) into ids from came where amount_minor = 0;
  elsif tg_op = 'DELETE' then
    select array_agg(order_id) into ids from went;
  else
    select array_agg(order_id) into ids from came;
  end if;
  if ids is not null then
    perform commerce.judge_orders(ids);
  end if;
  return null;
end
$$;
create trigger judged_insert after insert on commerce.orders
  referencing new table as came for each statement execute function commerce.judge_changed_orders();
create trigger judged_update after update on commerce.orders
  referencing new table as came for each statement execute function commerce.judge_changed_orders();
create trigger judged_delete after delete on commerce.orders
  referencing old table as went for each statement execute function commerce.judge_changed_orders();

create function commerce.judge_changed_refunds() returns trigger language plpgsql
set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  ids bigint[];
  free bigint[];
begin
  if tg_op = 'DELETE' then
    select array_agg(refund_id) into ids from went;
    select array_agg(o.order_id) into free
    from went r join commerce.orders o on o.source = r.source and o.external_id = r.of_external_id and o.amount_minor = 0;
  else
    select array_agg(refund_id) into ids from came;
    select array_agg(o.order_id) into free
    from came r join commerce.orders o on o.source = r.source and o.external_id = r.of_external_id and o.amount_minor = 0;
  end if;
  if ids is not null then
    perform commerce.judge_refunds(ids);
  end if;
  if free is not null then
    perform commerce.judge_orders(free);
  end if;
  return null;
end
$$;
create trigger judged_insert after insert on commerce.refunds
  referencing new table as came for each statement execute function commerce.judge_changed_refunds();
create trigger judged_delete after delete on commerce.refunds
  referencing old table as went for each statement execute function commerce.judge_changed_refunds();

insert into commerce.totals
  select 'order', date_trunc('minute', recorded_at), person_id = 0, count(*), sum(amount_minor) from commerce.orders group by 2, 3
  union all
  select 'refund', date_trunc('minute', recorded_at), person_id = 0, count(*), sum(amount_minor) from commerce.refunds group by 2, 3;
insert into commerce.void_orders
  select o.order_id, o.person_id = 0
  from commerce.orders o
  join commerce.published_allocations a on a.person_id = o.person_id and a.order_id = o.order_id
  group by o.person_id, o.order_id, o.amount_minor having sum(a.amount_minor) >= o.amount_minor;
insert into commerce.unmatched_refunds select refund_id, unmatched_minor from commerce.published_unmatched;

create view commerce.published_totals as
  select kind, recorded_minute, is_anonymous, documents, amount_minor from commerce.totals;
create view commerce.published_void_orders as select order_id, is_anonymous from commerce.void_orders;
create view commerce.published_unmatched_refunds as select refund_id, unmatched_minor from commerce.unmatched_refunds;

-- How many people stand at each depth, by the brand's day of their last occasion and by how many they had: all that depths,
-- buyers and segments are counted by. A million people make some ten thousand rows. What refreshes changed is appended to the
-- second table, so that two of them never wait for each other, and folded into the first.
create table relationship.people_counts (
  depth smallint not null,
  last_occasion_day date,
  occasions int not null,
  people bigint not null,
  constraint people_counts_key unique nulls not distinct (depth, last_occasion_day, occasions)
);
create table relationship.people_count_changes (
  depth smallint not null,
  last_occasion_day date,
  occasions int not null,
  people bigint not null
);

-- Until when each fan tier above the lowest holds, if nothing more is done; null: it was not reached. Kept with standing.
create table relationship.fan_tiers (
  person_id bigint primary key,
  follower_until timestamptz not null,
  active_until timestamptz,
  devoted_until timestamptz,
  -- What they paid, as lists go: less than nothing comes last.
  value_order bigint not null
);
create index fan_tiers_by_value on relationship.fan_tiers (value_order, person_id);
create index fan_tiers_by_follower on relationship.fan_tiers (follower_until);
create index fan_tiers_by_active on relationship.fan_tiers (active_until) where active_until is not null;
create index fan_tiers_by_devoted on relationship.fan_tiers (devoted_until) where devoted_until is not null;

-- Lists of people go by what they paid, of one depth or of all, and buyers apart from who never bought.
drop index relationship.standing_by_depth;
create index standing_by_value on relationship.standing (depth, (occasions > 0), (-net_paid_minor), person_id);

insert into relationship.people_counts
  select depth, (last_occasion_at at time zone s.zone)::date, occasions, count(*)
  from relationship.standing cross join brand.published_settings s group by 1, 2, 3;

-- Whom a fan tier may be kept of is due at once, so that the next command writes it.
update relationship.standing s set lapses_at = timestamptz '1970-01-01 00:00+00'
where exists (select from interactions.published_interactions i where i.person_id = s.person_id);

-- Whose key it is: it works for as long as their account is open. Null: made at the terminal of the server.
alter table intake.api_keys add column created_by uuid;

-- Entries are let go by their age.
create index entries_by_time on audit.entries using brin (done_at) with (autosummarize = on);

-- What was recorded in this minute is found by these: of pages that were filled since the last vacuum too.
alter index commerce.orders_by_recorded set (autosummarize = on);
alter index commerce.refunds_by_recorded set (autosummarize = on);
