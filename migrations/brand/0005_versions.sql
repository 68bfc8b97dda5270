-- Versions of a fact, ranked by their source; an import can be undone.

alter table intake.inbox
  -- The source's own rank of the version in force: its sequence, or its updated-at as seconds since 1970. Null: it said none.
  add column version numeric,
  -- Set when the import of the only version was undone: the id keeps its fact number, and the fact counts for nothing.
  add column retracted_at timestamptz;
-- Nearly in order, because rows are appended: a block range index finds an import's facts at hardly any cost.
create index inbox_by_import on intake.inbox using brin (import_id);

-- Every version that is not in force: outranked, replaced, or retracted. One import brings a fact at most once.
create table intake.versions (
  fact_id bigint not null,
  import_id bigint not null,
  body_hash bytea not null,
  version numeric,
  recorded_at timestamptz not null,
  retracted_at timestamptz,
  primary key (fact_id, import_id)
);
create index versions_by_import on intake.versions (import_id);

-- What those versions said, once for each body; the body in force is in the tables of its module. Whom it is about is
-- said by identity, so that whoever erases a person finds all of it.
create table intake.bodies (
  fact_id bigint not null,
  body_hash bytea not null,
  identity_ids bigint[] not null,
  body jsonb not null,
  primary key (fact_id, body_hash)
);
create index bodies_by_identity on intake.bodies using gin (identity_ids);

insert into intake.versions (fact_id, import_id, body_hash, recorded_at)
  select distinct on (fact_id, import_id) fact_id, import_id, body_hash, recorded_at
  from intake.superseded order by fact_id, import_id, superseded_at desc;
insert into intake.bodies (fact_id, body_hash, identity_ids, body)
  select fact_id, body_hash, coalesce((
      select array_agg(distinct (line->>'identity_id')::bigint) from jsonb_array_elements(body) line
      where line->>'identity_id' is not null), '{}'), body
  from intake.superseded;
drop table intake.superseded;

alter table intake.imports
  add column undone_at timestamptz,
  add column undone_by text;

create view intake.published_bodies as select fact_id, body_hash, identity_ids, body from intake.bodies;

-- A correction finds the row that it replaces by the fact.
create index interactions_by_id on interactions.interactions (interaction_id);
create index reviews_by_id on interactions.reviews (review_id);
create index memberships_by_id on customers.memberships (membership_id);
create index connections_by_id on customers.connections (connection_id);
