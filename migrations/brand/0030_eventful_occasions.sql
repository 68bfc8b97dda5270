-- A day with one order and nothing given back is an occasion that its order says whole, and nearly all days are such. Only the others are
-- kept: what they looked like from when to when, and which orders are theirs. Of ten million occasions that is one in thirty, and a
-- further order writes none.
create table relationship.eventful_occasions (
  person_id bigint not null,
  -- The brand's calendar day as days since 1970-01-01, or the order id (setting occasion_unit).
  occasion_key bigint not null,
  from_at timestamptz not null,
  to_at timestamptz,
  -- First payment among the orders that still count.
  occasion_at timestamptz,
  order_id bigint,
  order_count int,
  net_minor bigint,
  -- The order or refund that made it look so, and the one that ended that; null: it still does.
  opened_by bigint,
  closed_by bigint,
  primary key (person_id, occasion_key, from_at)
) partition by range (person_id);
create table relationship.eventful_occasions_a partition of relationship.eventful_occasions default;

create table relationship.eventful_orders (
  person_id bigint not null,
  order_id bigint not null,
  primary key (person_id, order_id)
) partition by range (person_id);
create table relationship.eventful_orders_a partition of relationship.eventful_orders default;

insert into relationship.eventful_occasions
select o.* from relationship.occasions o
join (
  select distinct person_id, occasion_key from relationship.occasions
  where order_count > 1 or closed_by is not null or opened_by <> order_id or from_at <> occasion_at
) eventful using (person_id, occasion_key)
order by person_id, occasion_key, from_at;

-- Also orders that never counted, because they were given back at once.
insert into relationship.eventful_orders
select person_id, order_id from commerce.published_orders o
where person_id > 0 and not exists (
  select from relationship.occasions c
  where c.person_id = o.person_id and c.order_id = o.order_id and c.order_count = 1 and c.closed_by is null
    and c.opened_by = c.order_id and c.from_at = c.occasion_at
    and not exists (
      select from relationship.eventful_occasions e where e.person_id = c.person_id and e.occasion_key = c.occasion_key
    )
)
order by person_id, order_id;

drop view relationship.published_occasions;
drop table relationship.occasions;

-- Purchase occasions in time: the state as of any instant T is `from_at <= T and T < to_at`.
create view relationship.occasions as
  select person_id, from_at, to_at, occasion_at, order_id, order_count, net_minor, opened_by, closed_by
  from relationship.eventful_occasions
  union all
  select person_id, paid_at, 'infinity'::timestamptz, paid_at, order_id, 1, amount_minor, order_id, null::bigint
  from commerce.published_orders o
  where person_id > 0
    and not exists (select from relationship.eventful_orders e where e.person_id = o.person_id and e.order_id = o.order_id);

create view relationship.published_occasions as
  select person_id, from_at, to_at, occasion_at, order_id, order_count, net_minor from relationship.occasions;

analyze relationship.eventful_occasions, relationship.eventful_orders;

-- An order that is still pending was in no occasion, and counts as eventful above. Whoever is pending is worked out anew, which mends that.
update intake.pending_people set changed_from = null where subscriber = 'relationship';
