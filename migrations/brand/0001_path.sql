-- The facts of the first path (orders, refunds, connections), who they belong to, and the standing made from them.
--
-- Two classes of tables (ARCHITECTURE.md): person-keyed ones, whose primary key begins with person_id, and lookups
-- keyed by their own value (inbox, identity). person_id 0 is nobody: an order without a customer is stored and
-- counted in revenue, and a primary key cannot hold null.

-- brand: what holds for the whole brand ---------------------------------------------------------------------------
create schema brand;

create table brand.settings (
  only_row boolean primary key default true check (only_row),
  zone text not null default 'Asia/Shanghai',
  -- ISO 4217. Null until the first import says it; then fixed: another currency is refused without a rate.
  currency text check (currency ~ '^[A-Z]{3}$'),
  -- P of docs/definitions.md §1, in units of 24 hours.
  period_days int not null default 365 check (period_days between 1 and 3660),
  -- Orders of one calendar day are one purchase occasion ('day'), or each order is one ('order').
  occasion_unit text not null default 'day' check (occasion_unit in ('day', 'order')),
  -- RFM recency in brand days, or floor of 24-hour periods.
  recency_unit text not null default 'day' check (recency_unit in ('day', '24h')),
  -- Connected and ever had a countable occasion makes a member.
  member_by_purchase boolean not null default true
);
insert into brand.settings default values;

create view brand.published_settings as
  select zone, currency, period_days, occasion_unit, recency_unit, member_by_purchase from brand.settings;

-- intake: how facts came in ---------------------------------------------------------------------------------------
create schema intake;

-- One sequence for facts of every kind: evidence and causes name a fact by one number.
create sequence intake.fact_id;

create table intake.imports (
  import_id bigint generated always as identity primary key,
  file_name text not null,
  mapping_name text not null,
  source text not null,
  options jsonb not null,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  rows_in bigint not null,
  rows_stored bigint not null,
  rows_merged bigint not null,
  rows_rejected bigint not null,
  check (rows_in = rows_stored + rows_merged + rows_rejected)
);

-- Unit of idempotency: (source, kind, external id) of a fact, with the hash of its body that is in force.
create table intake.inbox (
  source text not null,
  -- 'order': a sales document; it may hold an order, a refund, or both, under the one fact id.
  kind text not null check (kind in ('order', 'connection')),
  external_id text not null,
  fact_id bigint not null,
  body_hash bytea not null,
  import_id bigint not null,
  recorded_at timestamptz not null,
  primary key (source, kind, external_id)
);
create index inbox_by_fact on intake.inbox (fact_id);

-- Bodies that a correction replaced. A body equal to any stored version is a no-op.
create table intake.superseded (
  fact_id bigint not null,
  body_hash bytea not null,
  body jsonb not null,
  import_id bigint not null,
  recorded_at timestamptz not null,
  superseded_at timestamptz not null,
  primary key (fact_id, body_hash)
);

-- Who works off what changed: a module above adds its name by migration; a module below never learns of it.
create table intake.subscribers (
  event text not null check (event in ('people_changed', 'identities_moved')),
  subscriber text not null,
  primary key (event, subscriber)
);

-- People whose facts changed, one row for each subscriber, written in the transaction of the change and claimed with
-- skip locked. A cursor over a sequence would lose what commits late.
create table intake.pending_people (
  subscriber text not null,
  person_id bigint not null,
  primary key (subscriber, person_id)
);
insert into intake.subscribers values ('people_changed', 'relationship');

create view intake.published_inbox as select source, kind, external_id, fact_id, recorded_at from intake.inbox;
create view intake.published_imports as
  select import_id, file_name, mapping_name, finished_at, rows_in, rows_stored, rows_merged, rows_rejected from intake.imports;

-- customers: one person behind identities -------------------------------------------------------------------------
create schema customers;

-- An identity node: a fact stores the node it came by, for ever.
create table customers.identities (
  identity_id bigint generated always as identity primary key,
  kind text not null check (kind in ('own_id')),
  -- Where the value means something: the source for an own id.
  namespace text not null,
  value text not null check (value <> ''),
  recorded_at timestamptz not null,
  unique (kind, namespace, value)
);

-- The canonical map: which person a node belongs to now. Derived from the set of claims and rewritten when it changes.
create table customers.canonical (
  identity_id bigint primary key references customers.identities,
  person_id bigint not null check (person_id > 0)
);
create index canonical_by_person on customers.canonical (person_id);

-- Relations: person × staff × channel, apart from the person.
create table customers.connections (
  person_id bigint not null,
  connection_id bigint not null,
  identity_id bigint not null,
  source text not null,
  channel text not null,
  begun_at timestamptz not null,
  ended_at timestamptz check (ended_at >= begun_at),
  recorded_at timestamptz not null,
  primary key (person_id, connection_id)
);
create index connections_by_identity on customers.connections (identity_id, channel);

create view customers.published_people as
  select c.person_id, i.identity_id, i.kind, i.namespace, i.value
  from customers.canonical c join customers.identities i using (identity_id);
create view customers.published_connections as
  select person_id, connection_id, identity_id, source, channel, begun_at, ended_at from customers.connections;

-- commerce: orders and refunds ------------------------------------------------------------------------------------
create schema commerce;

create table commerce.orders (
  person_id bigint not null,
  order_id bigint not null,
  identity_id bigint,
  source text not null,
  external_id text not null,
  paid_at timestamptz not null,
  -- What was paid, before refunds. Each line is rounded once, to minor units of the brand's currency.
  amount_minor bigint not null check (amount_minor >= 0),
  line_count int not null,
  recorded_at timestamptz not null,
  primary key (person_id, order_id),
  check ((identity_id is null) = (person_id = 0))
);
create index orders_by_id on commerce.orders (order_id);
create index orders_by_recorded on commerce.orders using brin (recorded_at);

create table commerce.order_lines (
  person_id bigint not null,
  order_id bigint not null,
  line_no int not null,
  item text not null,
  item_name text,
  quantity numeric not null,
  unit_price numeric not null,
  amount_minor bigint not null,
  primary key (person_id, order_id, line_no)
);

create table commerce.refunds (
  person_id bigint not null,
  refund_id bigint not null,
  identity_id bigint,
  source text not null,
  external_id text not null,
  refunded_at timestamptz not null,
  -- The order it names; null: it reduces the newest earlier lines of the same customer and item.
  of_external_id text,
  -- What was given back, positive.
  amount_minor bigint not null check (amount_minor >= 0),
  recorded_at timestamptz not null,
  primary key (person_id, refund_id),
  check ((identity_id is null) = (person_id = 0))
);
create index refunds_by_id on commerce.refunds (refund_id);
create index refunds_by_order on commerce.refunds (source, of_external_id) where of_external_id is not null;
create index refunds_by_recorded on commerce.refunds using brin (recorded_at);

create table commerce.refund_lines (
  person_id bigint not null,
  refund_id bigint not null,
  line_no int not null,
  item text not null,
  item_name text,
  quantity numeric not null,
  unit_price numeric not null,
  amount_minor bigint not null check (amount_minor >= 0),
  primary key (person_id, refund_id, line_no)
);

-- Derived: which line a refund reduced by how much. Recomputed whole for a customer and item when a late fact arrives.
-- What is not allocated is unmatched: it lowers net revenue and never makes or unmakes an occasion.
create table commerce.refund_allocations (
  person_id bigint not null,
  refund_id bigint not null,
  refund_line_no int not null,
  order_id bigint not null,
  order_line_no int not null,
  refunded_at timestamptz not null,
  amount_minor bigint not null check (amount_minor > 0),
  primary key (person_id, refund_id, refund_line_no, order_id, order_line_no)
);
create index allocations_by_order on commerce.refund_allocations (person_id, order_id);

create view commerce.published_orders as
  select person_id, order_id, source, external_id, paid_at, amount_minor, recorded_at from commerce.orders;
create view commerce.published_refunds as
  select person_id, refund_id, source, external_id, refunded_at, amount_minor, recorded_at from commerce.refunds;
create view commerce.published_allocations as
  select person_id, refund_id, order_id, refunded_at, amount_minor from commerce.refund_allocations;
-- What a refund gave back beyond every earlier line it could reduce.
create view commerce.published_unmatched as
  select r.person_id, r.refund_id, r.refunded_at, r.amount_minor - coalesce(a.amount_minor, 0) as unmatched_minor
  from commerce.refunds r
  left join (
    select refund_id, sum(amount_minor)::bigint as amount_minor from commerce.refund_allocations group by refund_id
  ) a using (refund_id)
  where r.amount_minor > coalesce(a.amount_minor, 0);

-- relationship: occasions, depth, RFM ------------------------------------------------------------------------------
create schema relationship;

-- Purchase occasions in time: one row for each stretch [from_at, to_at) in which an occasion looked the same. A plain
-- day has one row that never ends; a second order of the day or a refund closes a row and opens the next one. So the
-- state as of any instant T is `from_at <= T and T < to_at`, and no history has to be replayed.
--
-- Occasions and standing are derived and can be rebuilt whole: a rebuild makes a new table and hangs it in place of the
-- old one (create table as runs in parallel, insert does not: 5.3 against 9.6 s for a million people). So each is a
-- partitioned table with one partition, _a and _b in turn, and views and writers name the parent.
create table relationship.occasions (
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
create table relationship.occasions_a partition of relationship.occasions default;

create table relationship.standing (
  person_id bigint not null,
  depth smallint,
  since timestamptz,
  lapses_at timestamptz,
  lapses_to smallint,
  -- Facts that decide the depth.
  evidence bigint[],
  -- The depth they would have were they connected: what a lost person was.
  depth_if_connected smallint,
  last_occasion_at timestamptz,
  occasions int,
  -- Paid less refunded, unmatched refunds included.
  net_paid_minor bigint,
  primary key (person_id)
) partition by range (person_id);
create index standing_by_lapse on relationship.standing (lapses_at) where lapses_at is not null;
create index standing_by_depth on relationship.standing (depth, person_id);
create table relationship.standing_a partition of relationship.standing default;

create table relationship.depth_changes (
  person_id bigint not null,
  changed_at timestamptz not null,
  from_depth smallint not null,
  to_depth smallint not null,
  -- The fact that caused it; null: time alone.
  cause_fact_id bigint,
  recorded_at timestamptz not null,
  -- Set when later knowledge made this row untrue.
  superseded_at timestamptz,
  primary key (person_id, changed_at, recorded_at)
);
create index depth_changes_by_time on relationship.depth_changes (changed_at) where superseded_at is null;

-- Dated quantile cuts: scores are computed on read from the cuts in force, so the passing of a day writes nothing.
create table relationship.rfm_cuts (
  in_force_from timestamptz primary key,
  recency_unit text not null,
  occasion_unit text not null,
  buyers bigint not null,
  recency_days int[] not null,
  frequency bigint[] not null,
  monetary_minor bigint[] not null
);

create view relationship.published_standing as
  select person_id, depth, since, lapses_at, lapses_to, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor
  from relationship.standing;
create view relationship.published_depth_changes as
  select person_id, changed_at, from_depth, to_depth, cause_fact_id, recorded_at
  from relationship.depth_changes where superseded_at is null;
create view relationship.published_occasions as
  select person_id, occasion_key, from_at, to_at, occasion_at, order_count, net_minor from relationship.occasions;
