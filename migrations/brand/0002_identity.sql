-- One person behind many identities: what sources claim, and the map that follows from it.

alter table customers.identities drop constraint identities_kind_check;
-- unionid, external_userid (namespace: corp), openid (app) and own_id (source) link firmly; phone and email only while
-- what they join looks like one person.
alter table customers.identities add constraint identities_kind_check
  check (kind in ('unionid', 'external_userid', 'openid', 'own_id', 'phone', 'email'));

alter table intake.inbox drop constraint inbox_kind_check;
alter table intake.inbox add constraint inbox_kind_check check (kind in ('order', 'connection', 'person', 'merge', 'split'));

-- A claim says that some identities are one person: a record of a source, or a merge by hand. A split by hand takes
-- one identity out of claims. Claims are facts: claim_id is the fact's id.
create table customers.claims (
  claim_id bigint primary key,
  kind text not null check (kind in ('person', 'merge', 'split')),
  source text not null,
  external_id text not null,
  claimed_at timestamptz not null,
  recorded_at timestamptz not null,
  -- Who decided it, for claims by hand.
  claimed_by text,
  -- Set when a claim by hand was taken back: it then counts for nothing, and what was there before comes back.
  withdrawn_at timestamptz
);

create table customers.claim_identities (
  claim_id bigint not null references customers.claims on delete cascade,
  identity_id bigint not null references customers.identities,
  primary key (claim_id, identity_id)
);
create index claim_identities_by_identity on customers.claim_identities (identity_id);

-- What a source's record says about its person, beside who it is.
create table customers.records (
  person_id bigint not null,
  claim_id bigint not null references customers.claims on delete cascade,
  -- The node that the record came by: the person follows it.
  identity_id bigint not null,
  name text,
  enrolled_at timestamptz,
  -- Values that were given and are no identity: masked or virtual numbers, placeholders.
  unlinked jsonb not null,
  primary key (person_id, claim_id)
);
create index records_by_claim on customers.records (claim_id);

-- What a split takes back: identity_id no longer counts in claim_id, for as long as the split stands.
create table customers.cut_links (
  split_claim_id bigint not null references customers.claims on delete cascade,
  claim_id bigint not null,
  identity_id bigint not null,
  primary key (split_claim_id, claim_id, identity_id)
);
create index cut_links_by_link on customers.cut_links (claim_id, identity_id);

-- Phones and e-mails that link nobody for now, because they would join what cannot be one person: for a human to see.
create table customers.withdrawn_values (
  identity_id bigint primary key references customers.identities,
  -- Unionids and accounts that it would have joined.
  unionids int not null,
  accounts int not null,
  withdrawn_at timestamptz not null
);

-- Every change of the canonical map, so that a merge can be explained and an un-merge checked.
create table customers.person_changes (
  identity_id bigint not null,
  from_person_id bigint not null,
  to_person_id bigint not null,
  changed_at timestamptz not null
);
create index person_changes_by_identity on customers.person_changes (identity_id, changed_at);
create index person_changes_by_person on customers.person_changes (to_person_id, changed_at);

-- Identities that left a person, for the modules that keep facts by person: each rewrites its own rows.
create table intake.pending_moves (
  subscriber text not null,
  identity_id bigint not null,
  person_id bigint not null,
  primary key (subscriber, identity_id, person_id)
);
insert into intake.subscribers values ('identities_moved', 'commerce');

create view customers.published_claims as
  select r.person_id, r.claim_id, c.claimed_at from customers.records r join customers.claims c using (claim_id);
create view customers.published_records as select person_id, claim_id, name, enrolled_at from customers.records;
