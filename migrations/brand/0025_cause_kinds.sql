-- What kind of fact caused a change of depth is kept with it, as its place in the list of kinds: to find it in the facts' own tables was
-- most of the time of a migration.
alter table relationship.depth_changes add column cause_kind smallint;
update relationship.depth_changes d set cause_kind = case
  when cause_fact_id is null then 0
  when to_depth > from_depth and exists (select from commerce.published_orders o
    where o.person_id = d.person_id and o.order_id = d.cause_fact_id and o.paid_at = d.changed_at) then 1
  when exists (select from customers.published_connections c
    where c.person_id = d.person_id and c.connection_id = d.cause_fact_id and c.begun_at = d.changed_at) then 4
  when exists (select from customers.published_connections c
    where c.person_id = d.person_id and c.connection_id = d.cause_fact_id) then 3
  when exists (select from commerce.published_allocations a
    where a.person_id = d.person_id and a.refund_id = d.cause_fact_id and a.refunded_at = d.changed_at) then 2
  when exists (select from commerce.published_orders o
    where o.person_id = d.person_id and o.order_id = d.cause_fact_id and o.paid_at = d.changed_at) then 1
  when exists (select from commerce.published_spreads s where s.person_id = d.person_id and s.spread_id = d.cause_fact_id) then 9
  when exists (select from commerce.published_spreads s where s.person_id = d.person_id and s.voided_id = d.cause_fact_id) then 10
  else coalesce((select array_position(array['membership', 'person', 'interaction', 'review'], i.kind) + 4
    from intake.published_inbox i where i.fact_id = d.cause_fact_id), 0)
end;
alter table relationship.depth_changes alter column cause_kind set not null;

drop index relationship.depth_changes_by_time;
create index depth_changes_by_time on relationship.depth_changes (changed_at)
  include (person_id, from_depth, to_depth, cause_fact_id, cause_kind) where superseded_at is null;

create or replace view relationship.published_depth_changes as
  select person_id, changed_at, from_depth, to_depth, cause_fact_id, recorded_at, cause_kind
  from relationship.depth_changes where superseded_at is null;
