-- A phone changes hands: what a source has not said again for so long links nobody any more.

alter table brand.settings add column phone_claim_days int not null default 1095
  check (phone_claim_days between 1 and 36600);
create or replace view brand.published_settings as
  select zone, currency, period_days, occasion_unit, recency_unit, member_by_purchase, phone_claim_days from brand.settings;

-- Whether the phones of the claim had lapsed when people were last worked out. False for claims younger than the limit and
-- for those by hand, whatever they name: then only what has changed with time is looked for, by either index.
alter table customers.claims add column phone_lapsed boolean not null default false;
-- Before the source said the same again: as of then the record was known. Null: claimed_at is the first.
alter table customers.claims add column first_claimed_at timestamptz;
create index claims_by_age on customers.claims (claimed_at) where kind = 'person' and not phone_lapsed;
create index claims_by_lapsed_age on customers.claims (claimed_at) where kind = 'person' and phone_lapsed;

create or replace view customers.published_claims as
  select r.person_id, r.claim_id, least(c.claimed_at, c.first_claimed_at) as claimed_at
  from customers.records r join customers.claims c using (claim_id);

-- A record stood by the smallest identity of its claim, also where that was a phone that links nobody. It stands by a firm
-- one, else by an e-mail, which does not age.
update customers.records r set identity_id = f.identity_id, person_id = k.person_id
from (
  select distinct on (l.claim_id) l.claim_id, l.identity_id
  from customers.claim_identities l join customers.identities i using (identity_id)
  order by l.claim_id, i.kind = 'phone', i.kind = 'email', l.identity_id
) f
join customers.canonical k on k.identity_id = f.identity_id
where f.claim_id = r.claim_id and f.identity_id <> r.identity_id;

-- An identity that no fact is kept under is nobody: a phone that links nobody had a row.
delete from relationship.standing s
where not exists (select from commerce.published_orders o where o.person_id = s.person_id)
  and not exists (select from commerce.published_refunds r where r.person_id = s.person_id)
  and not exists (select from customers.published_connections c where c.person_id = s.person_id)
  and not exists (select from customers.published_records k where k.person_id = s.person_id)
  and not exists (select from customers.published_memberships m where m.person_id = s.person_id)
  and not exists (select from interactions.published_interactions i where i.person_id = s.person_id)
  and not exists (select from interactions.published_reviews v where v.person_id = s.person_id);
