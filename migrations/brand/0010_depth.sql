-- Depth by its whole rule: memberships, interest and spreads beside occasions and connections.

alter table brand.settings add column spread_window text not null default 'period'
  check (spread_window in ('period', 'ever'));
create or replace view brand.published_settings as
  select zone, currency, period_days, occasion_unit, recency_unit, member_by_purchase, phone_claim_days, spread_window
  from brand.settings;

-- What somebody bought, for the reviews of it.
create view commerce.published_order_lines as
  select person_id, order_id, line_no, item, quantity, amount_minor from commerce.order_lines;

-- An order that cost nothing has nothing to allocate: who names it in a refund cancels it, and that reduces it by 0.00.
create index orders_free on commerce.orders (person_id) where amount_minor = 0;
create or replace view commerce.published_allocations as
  select person_id, refund_id, order_id, refunded_at, amount_minor from commerce.refund_allocations
  union all
  select o.person_id, r.refund_id, o.order_id, r.refunded_at, 0::bigint
  from commerce.orders o join commerce.refunds r on r.source = o.source and r.of_external_id = o.external_id
  where o.amount_minor = 0;

-- Whom the wider rule concerns is due at once, so that reads and the next command compute them anew: whom one of these facts is
-- about, and who is not connected, because beside them now stands what they were; and who had an order of 0.00 that was cancelled.
update relationship.standing s set lapses_at = timestamptz '1970-01-01 00:00+00'
where depth = 0
  or exists (select from commerce.published_allocations a where a.person_id = s.person_id and a.amount_minor = 0)
  or exists (select from customers.published_memberships m where m.person_id = s.person_id)
  or exists (select from customers.published_records r where r.person_id = s.person_id and r.enrolled_at is not null)
  or exists (select from interactions.published_interactions i where i.person_id = s.person_id)
  or exists (select from interactions.published_reviews v where v.person_id = s.person_id)
  or exists (select from commerce.published_spreads p where p.person_id = s.person_id);
