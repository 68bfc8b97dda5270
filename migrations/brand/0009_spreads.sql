-- Who moved between two instants is read off the log of depth changes by time: from the index alone, or half of it is read
-- at random (200,000 people over a year: 1.0 s, and 0.1 s with it).
drop index relationship.depth_changes_by_time;
create index depth_changes_by_time on relationship.depth_changes (changed_at)
  include (person_id, from_depth, to_depth, cause_fact_id) where superseded_at is null;

-- An order that a share of somebody brought: a fact on the sharer, and when the order was refunded in full another one.
-- Kept by the sharer's person like any fact; the buyer's person stands beside it and follows the order's.
create table commerce.spreads (
  person_id bigint not null,
  order_id bigint not null,
  -- The node that the sharer was named by; null after an erasure.
  identity_id bigint,
  -- Whose order it is: null when it is nobody's, 0 when the buyer was erased since.
  buyer_person_id bigint,
  -- The fact numbers of the spread and of its end, so that evidence and causes can name them.
  spread_id bigint not null,
  voided_id bigint not null,
  -- The payment, and the instant from which the order was refunded in full; null: it is not.
  spread_at timestamptz not null,
  voided_at timestamptz check (voided_at >= spread_at),
  recorded_at timestamptz not null,
  primary key (person_id, order_id),
  check ((identity_id is null) = (person_id = 0))
);
create index spreads_by_order on commerce.spreads (order_id);

-- Those that count: somebody else bought. Whoever is sharer and buyer in one person has shared with nobody.
create view commerce.published_spreads as
  select s.person_id, s.spread_id, s.order_id, s.spread_at, s.voided_at,
    case when s.voided_at is not null then s.voided_id end as voided_id
  from commerce.spreads s
  where s.person_id > 0 and s.buyer_person_id is not null and s.buyer_person_id <> s.person_id;

-- How far standing lags behind the facts. Null: it was pending before this was kept.
alter table intake.pending_people add column pending_since timestamptz;

-- A key for whoever collects figures of the running server.
alter table intake.api_keys drop constraint api_keys_scopes_check;
alter table intake.api_keys add constraint api_keys_scopes_check
  check (scopes <> '{}' and scopes <@ array['facts:write', 'people:read', 'metrics:read']);
