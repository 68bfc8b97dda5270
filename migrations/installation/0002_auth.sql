-- Who may sign in. The tables are better-auth's, written by hand under our names (plural, snake_case); src/platform/auth.ts
-- maps each of its fields to a column, and a test has better-auth compare them with what it would make itself.
create schema auth;

create table auth.users (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  -- Always lower case: better-auth looks people up by lower(email).
  email text not null unique,
  email_verified boolean not null,
  image text,
  role text not null check (role in ('owner')),
  created_at timestamptz not null default transaction_timestamp(),
  updated_at timestamptz not null default transaction_timestamp()
);

create table auth.sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  -- The cookie carries it signed with <home>/secrets/auth-secret: a copy of this table alone opens nothing.
  token text not null unique,
  expires_at timestamptz not null,
  -- Opened by the link from the terminal. Only such a session may replace a password that exists.
  opened_by_link boolean not null,
  ip_address text,
  user_agent text,
  created_at timestamptz not null default transaction_timestamp(),
  updated_at timestamptz not null
);
create index sessions_user_id_idx on auth.sessions (user_id);

-- Ways to sign in. Only provider 'credential' is used: account_id is the user's id, password an argon2id hash.
create table auth.accounts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  account_id text not null,
  provider_id text not null,
  access_token text,
  refresh_token text,
  id_token text,
  access_token_expires_at timestamptz,
  refresh_token_expires_at timestamptz,
  scope text,
  password text,
  created_at timestamptz not null default transaction_timestamp(),
  updated_at timestamptz not null,
  unique (provider_id, account_id)
);
create index accounts_user_id_idx on auth.accounts (user_id);

-- One-time sign-in links, by the hash of their token; consumed by deletion.
create table auth.verifications (
  id uuid primary key default gen_random_uuid(),
  identifier text not null,
  value text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default transaction_timestamp(),
  updated_at timestamptz not null default transaction_timestamp()
);
create index verifications_identifier_idx on auth.verifications (identifier);

-- In the database and not in memory, so that neither a restart nor a second process gives a guesser fresh attempts.
create table auth.rate_limits (
  id uuid primary key default gen_random_uuid(),
  -- Address and path, e.g. 127.0.0.1|/sign-in/email.
  key text not null unique,
  count integer not null,
  -- Milliseconds since 1970.
  last_request bigint not null
);
