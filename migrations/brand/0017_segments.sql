-- Segments: named sets of people by a definition, kept current with the facts and with time.

-- What a change was, for subscribers whom not every kind of fact concerns: the kind and number of the fact. Null: it may have
-- been anything, such as people who were joined.
alter table intake.pending_people add column fact_kind text;
alter table intake.pending_people add column fact_id bigint;
insert into intake.subscribers values ('people_changed', 'segments');

-- Which line a refund reduced, for what is left of one product.
create or replace view commerce.published_allocations as
  select person_id, refund_id, order_id, refunded_at, amount_minor, order_line_no from commerce.refund_allocations
  union all
  select o.person_id, r.refund_id, o.order_id, r.refunded_at, 0::bigint, null::int
  from commerce.orders o join commerce.refunds r on r.source = o.source and r.of_external_id = o.external_id
  where o.amount_minor = 0;

-- The means of the buyers that the cuts were made of, by which value groups are told where a table in force is asked. Null: the
-- table is from before means were kept.
alter table relationship.rfm_cuts add column mean_recency_days float8;
alter table relationship.rfm_cuts add column mean_frequency float8;
alter table relationship.rfm_cuts add column mean_monetary_minor float8;

create schema segments;

create table segments.segments (
  segment_id bigint generated always as identity primary key,
  name text not null unique check (name <> ''),
  version int not null,
  -- People in it now.
  size bigint not null default 0,
  -- What its members were last worked out by, for everybody: null or another one means that it is due.
  evaluated_version int,
  evaluated_settings text,
  -- The RFM cut table in force then; null where it rests on none.
  evaluated_cuts timestamptz,
  evaluated_at timestamptz
);

-- Every version of a definition; the highest is in force.
create table segments.versions (
  segment_id bigint not null references segments.segments on delete cascade,
  version int not null,
  definition jsonb not null,
  made_at timestamptz not null,
  made_by text not null,
  primary key (segment_id, version)
);

-- By what a segment is used, and so cannot be deleted: another segment, and whatever modules above add.
create table segments.uses (
  segment_id bigint not null references segments.segments,
  user_kind text not null,
  user_id bigint not null,
  user_name text not null,
  primary key (segment_id, user_kind, user_id)
);
create index uses_by_user on segments.uses (user_kind, user_id);

-- Who is and was in a segment, [in_at, out_at). Who is in it now lies apart; the others by the month in which they went, so that
-- old months go whole.
create table segments.members (
  person_id bigint not null,
  segment_id bigint not null,
  in_at timestamptz not null,
  out_at timestamptz not null default 'infinity' check (out_at >= in_at),
  -- fact, time, definition, cuts, settings; the fact where it is known.
  in_cause text not null,
  in_fact_id bigint,
  out_cause text,
  out_fact_id bigint,
  primary key (person_id, segment_id, in_at, out_at)
) partition by range (out_at);
create table segments.members_now partition of segments.members for values from ('infinity') to (maxvalue);
create index members_by_segment on segments.members (segment_id, person_id);

-- When time alone may next change whether somebody is in a segment: never later than it does.
create table segments.due (
  person_id bigint not null,
  segment_id bigint not null,
  due_at timestamptz not null,
  primary key (person_id, segment_id)
);
create index due_by_time on segments.due (due_at);

-- Size at the end of each day of the brand's zone on which it was looked at and had changed.
create table segments.sizes (
  segment_id bigint not null references segments.segments on delete cascade,
  day date not null,
  size bigint not null,
  primary key (segment_id, day)
);

create view segments.published_members as
  select person_id, segment_id, in_at, out_at from segments.members;
create view segments.published_segments as
  select segment_id, name, version, size, evaluated_at from segments.segments;
