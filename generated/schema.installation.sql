-- Made by `npm run gen` from the catalog of a database with all of migrations/installation; do not edit.

-- auth ---------------------------------------------------------------------------------------------------------------
create schema auth;

create table auth.accounts (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  account_id text not null,
  provider_id text not null,
  access_token text,
  refresh_token text,
  id_token text,
  access_token_expires_at timestamp with time zone,
  refresh_token_expires_at timestamp with time zone,
  scope text,
  password text,
  created_at timestamp with time zone default transaction_timestamp() not null,
  updated_at timestamp with time zone not null,
  constraint accounts_pkey PRIMARY KEY (id),
  constraint accounts_provider_id_account_id_key UNIQUE (provider_id, account_id),
  constraint accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE
);
CREATE INDEX accounts_user_id_idx ON auth.accounts USING btree (user_id);

create table auth.invitations (
  invitation_id bigint generated always as identity not null,
  token_hash bytea not null,
  name text not null,
  email text not null,
  role text not null,
  staff_id text,
  ends_at timestamp with time zone,
  invited_by uuid,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  accepted_at timestamp with time zone,
  revoked_at timestamp with time zone,
  constraint invitations_pkey PRIMARY KEY (invitation_id),
  constraint invitations_token_hash_key UNIQUE (token_hash),
  constraint invitations_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES auth.users(id),
  constraint invitations_check CHECK (((role = 'adviser'::text) = (staff_id IS NOT NULL))),
  constraint invitations_check1 CHECK (((role = 'outside_operator'::text) = (ends_at IS NOT NULL))),
  constraint invitations_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'lead'::text, 'adviser'::text, 'analyst'::text, 'integrator'::text, 'outside_operator'::text]))),
  constraint invitations_token_hash_check CHECK ((length(token_hash) = 32))
);

create table auth.rate_limits (
  id uuid default gen_random_uuid() not null,
  key text not null,
  count integer not null,
  last_request bigint not null,
  constraint rate_limits_pkey PRIMARY KEY (id),
  constraint rate_limits_key_key UNIQUE (key)
);

create table auth.sessions (
  id uuid default gen_random_uuid() not null,
  user_id uuid not null,
  token text not null,
  expires_at timestamp with time zone not null,
  opened_by_link boolean not null,
  ip_address text,
  user_agent text,
  created_at timestamp with time zone default transaction_timestamp() not null,
  updated_at timestamp with time zone not null,
  constraint sessions_pkey PRIMARY KEY (id),
  constraint sessions_token_key UNIQUE (token),
  constraint sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE
);
CREATE INDEX sessions_user_id_idx ON auth.sessions USING btree (user_id);

create table auth.users (
  id uuid default gen_random_uuid() not null,
  name text not null,
  email text not null,
  email_verified boolean not null,
  image text,
  role text not null,
  created_at timestamp with time zone default transaction_timestamp() not null,
  updated_at timestamp with time zone default transaction_timestamp() not null,
  staff_id text,
  ends_at timestamp with time zone,
  disabled_at timestamp with time zone,
  constraint users_pkey PRIMARY KEY (id),
  constraint users_email_key UNIQUE (email),
  constraint users_adviser_check CHECK (((role = 'adviser'::text) = (staff_id IS NOT NULL))),
  constraint users_outside_operator_check CHECK (((role = 'outside_operator'::text) = (ends_at IS NOT NULL))),
  constraint users_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'lead'::text, 'adviser'::text, 'analyst'::text, 'integrator'::text, 'outside_operator'::text]))),
  constraint users_staff_id_check CHECK ((staff_id <> ''::text))
);

create table auth.verifications (
  id uuid default gen_random_uuid() not null,
  identifier text not null,
  value text not null,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone default transaction_timestamp() not null,
  updated_at timestamp with time zone default transaction_timestamp() not null,
  constraint verifications_pkey PRIMARY KEY (id)
);
CREATE INDEX verifications_identifier_idx ON auth.verifications USING btree (identifier);

-- installation -------------------------------------------------------------------------------------------------------
create schema installation;

create table installation.brands (
  brand_key text not null,
  name text not null,
  database_name text not null,
  is_demo boolean default false not null,
  is_current boolean default false not null,
  created_at timestamp with time zone not null,
  constraint brands_pkey PRIMARY KEY (brand_key),
  constraint brands_database_name_key UNIQUE (database_name),
  constraint brands_brand_key_check CHECK ((brand_key ~ '^[a-z][a-z0-9_]{0,30}$'::text))
);
CREATE UNIQUE INDEX brands_one_current ON installation.brands USING btree (is_current) WHERE is_current;
