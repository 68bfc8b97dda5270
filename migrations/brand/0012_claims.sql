-- Links and records are written and removed by the same few statements as their claims (customers/queries.ts writeClaims,
-- customers/erasure-queries.ts), in one transaction; and a link's claim and identity need not lie on one machine. The three
-- checks took 43 of 170 ms for 1,000 records.
alter table customers.claim_identities drop constraint claim_identities_claim_id_fkey;
alter table customers.claim_identities drop constraint claim_identities_identity_id_fkey;
alter table customers.records drop constraint records_claim_id_fkey;
