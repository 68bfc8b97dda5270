-- People are found by what somebody at a desk knows of them: a part of the name, the end of a phone number.

-- The characters of a name in lower case: Chinese names are two or three of them, and rare ones. That they are neighbours is
-- looked at in the few names that have them all. Pairs of neighbours, which would find the middle of Latin names sooner, need
-- a function in SQL, and cost 156 µs a record at intake against 15 µs. pg_trgm was not taken: it is not on every server, and
-- finds nothing shorter than three characters.
create index records_by_name_character on customers.records using gin (string_to_array(lower(name), null)) where name is not null;
create index identities_by_phone_end on customers.identities (right(value, 4)) where kind = 'phone';

-- What a person's page says of each fact besides what depth needs.
create or replace view customers.published_connections as
  select person_id, connection_id, identity_id, source, channel, begun_at, ended_at, staff from customers.connections;

create or replace view customers.published_memberships as
  select person_id, membership_id, enrolled_at, ended_at, source from customers.memberships;

create view customers.published_consent_statements as
  select person_id, consent_id, source, purpose, channel, state, occurred_at, evidence from customers.consents;

-- Who says that an identity belongs to whom it belongs to, and since when.
create view customers.published_identity_claims as
  select l.identity_id, c.claim_id, c.kind, c.source, least(c.claimed_at, c.first_claimed_at) as claimed_at, c.claimed_by
  from customers.claim_identities l join customers.claims c using (claim_id)
  where c.withdrawn_at is null and c.kind <> 'split'
    and not exists (
      select from customers.cut_links x join customers.claims s on s.claim_id = x.split_claim_id and s.withdrawn_at is null
      where x.claim_id = l.claim_id and x.identity_id = l.identity_id);

create or replace view customers.published_people as
  select c.person_id, i.identity_id, i.kind, i.namespace, i.value, i.recorded_at
  from customers.canonical c join customers.identities i using (identity_id);

create or replace view interactions.published_interactions as
  select person_id, interaction_id, type, item, content, occurred_at, source from interactions.interactions;

create or replace view interactions.published_reviews as
  select person_id, review_id, item, rating, is_recommended, reviewed_at, source from interactions.reviews;
