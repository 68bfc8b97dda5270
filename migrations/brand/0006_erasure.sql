-- Erasure of a person: what names them goes, what they did stays as nobody's, and they do not come back.

create table intake.erasures (
  erasure_id bigint generated always as identity primary key,
  erased_at timestamptz not null,
  -- Who asked for it; null: the log outside the database said so after a backup was restored.
  erased_by text,
  identities int not null,
  facts int not null
);

-- HMAC-SHA256 of each erased identity, under a key that lies outside database and backups: whoever has this table can
-- neither read nor guess whom it is about.
create table intake.erased (
  identity_hash bytea primary key check (length(identity_hash) = 32),
  erasure_id bigint not null
);

-- What an erased person did is kept as nobody's: person_id 0 and no identity.
alter table customers.connections alter column identity_id drop not null;
alter table customers.memberships alter column identity_id drop not null;
alter table interactions.interactions alter column identity_id drop not null;
alter table interactions.reviews alter column identity_id drop not null;
