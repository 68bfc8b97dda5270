-- Whose people somebody sees, and who did what.

-- To whom of the staff a relation is: the people of an adviser.
create or replace view customers.published_connections as
  select person_id, connection_id, identity_id, source, channel, begun_at, ended_at, staff from customers.connections;
create index connections_by_staff on customers.connections (staff, person_id) where staff is not null;

create schema audit;

-- One row for each write by a person or a program, and for each export of people. Only ids and names of fields: a personal
-- value that stood here would outlive the erasure of its person. Rows are appended and never changed.
create table audit.entries (
  entry_id bigint generated always as identity primary key,
  done_at timestamptz not null,
  actor_kind text not null check (actor_kind in ('user', 'api_key', 'webhook', 'command_line')),
  -- The user's, key's or webhook's; null for the command line, whose account the operating system knows.
  actor_id text,
  actor_name text not null,
  -- What was done: `api_key_create`.
  operation text not null,
  -- On what: {"key_id": 3}.
  subjects jsonb not null,
  -- Which fields were set or changed.
  fields text[] not null
);
create index entries_by_actor on audit.entries (actor_kind, actor_id, entry_id);

-- Since when everyone's standing has to be made anew, because a setting that it rests on was changed; null: it has not.
alter table brand.settings add column rebuild_due_at timestamptz;
