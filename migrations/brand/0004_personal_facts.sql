-- Facts about one person beside orders: relations and memberships (customers), what people do and say (interactions).

alter table intake.inbox drop constraint inbox_kind_check;
alter table intake.inbox add constraint inbox_kind_check
  check (kind in ('order', 'connection', 'person', 'membership', 'interaction', 'review'));

-- A relation is person × staff × channel; the staff side is whoever the source names.
alter table customers.connections add column staff text;

-- Enrolled as a member, by a source; an end may be known beforehand.
create table customers.memberships (
  person_id bigint not null,
  membership_id bigint not null,
  identity_id bigint not null,
  source text not null,
  enrolled_at timestamptz not null,
  ended_at timestamptz check (ended_at >= enrolled_at),
  recorded_at timestamptz not null,
  primary key (person_id, membership_id)
);
create view customers.published_memberships as
  select person_id, membership_id, enrolled_at, ended_at from customers.memberships;

create schema interactions;

-- By month of occurrence, so that old months can be let go whole; partitions are made when the first fact of a month comes.
create table interactions.interactions (
  person_id bigint not null,
  occurred_at timestamptz not null,
  interaction_id bigint not null,
  identity_id bigint not null,
  source text not null,
  type text not null,
  item text,
  content text,
  recorded_at timestamptz not null,
  primary key (person_id, occurred_at, interaction_id)
) partition by range (occurred_at);

create table interactions.reviews (
  person_id bigint not null,
  review_id bigint not null,
  identity_id bigint not null,
  source text not null,
  item text,
  -- 1 to 5, or null where the source has words only.
  rating numeric check (rating between 1 and 5),
  -- A reviewer's tick: they would recommend it.
  is_recommended boolean,
  reviewed_at timestamptz not null,
  recorded_at timestamptz not null,
  primary key (person_id, review_id)
);

create view interactions.published_interactions as
  select person_id, interaction_id, type, item, content, occurred_at from interactions.interactions;
create view interactions.published_reviews as
  select person_id, review_id, item, rating, is_recommended, reviewed_at from interactions.reviews;

insert into intake.subscribers values ('identities_moved', 'interactions');
