-- Programs that send facts and ask about people: keys of the API, and sources that push by signed webhook.

-- A key is shown once and only its hash is kept: whoever reads this table, or a backup of it, can call nothing.
create table intake.api_keys (
  key_id bigint generated always as identity primary key,
  name text not null check (name <> ''),
  -- SHA-256. The key is 190 random bits, so there is nothing for a slow hash to protect.
  key_hash bytea not null unique check (length(key_hash) = 32),
  scopes text[] not null check (scopes <> '{}' and scopes <@ array['facts:write', 'people:read']),
  created_at timestamptz not null,
  -- To the minute: a write for every request would cost more than the request.
  last_used_at timestamptz,
  revoked_at timestamptz
);

-- Who may push facts of a source. The secret has to be read to check a signature, so it is not hashed but sealed
-- (AES-256-GCM) with a key that lies outside database and backups.
create table intake.webhook_sources (
  webhook_id bigint generated always as identity primary key,
  source text not null check (source <> ''),
  sealed_secret bytea not null,
  created_at timestamptz not null,
  revoked_at timestamptz
);
-- More than one at a time, so that a secret can be replaced without a gap.
create index webhook_sources_by_source on intake.webhook_sources (source) where revoked_at is null;

-- Deliveries that took effect, by the sender's own id: the same one again is answered without effect. Kept for longer
-- than a timestamp is accepted and than senders go on trying, then pruned.
create table intake.webhook_receipts (
  source text not null,
  webhook_id text not null,
  received_at timestamptz not null,
  primary key (source, webhook_id)
);
create index webhook_receipts_by_time on intake.webhook_receipts (received_at);

-- A person is looked up by what any source calls them; the unique key begins with the kind and does not serve that.
create index identities_by_value on customers.identities (value);

-- A batch of a thousand facts asks which refunds and orders its customers have: each by index, or its cost grows with
-- all that was ever stored.
create index refunds_by_identity on commerce.refunds (identity_id) where identity_id is not null;
create index orders_by_identity on commerce.orders (identity_id) where identity_id is not null;
create index allocations_by_refund on commerce.refund_allocations (refund_id);
