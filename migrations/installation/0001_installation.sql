-- What belongs to the whole installation and not to one brand: which brands there are. Accounts follow in schema auth.
create schema installation;

create table installation.brands (
  brand_key text primary key check (brand_key ~ '^[a-z][a-z0-9_]{0,30}$'),
  name text not null,
  database_name text not null unique,
  is_demo boolean not null default false,
  -- The brand that the console and the command line take when none is named.
  is_current boolean not null default false,
  created_at timestamptz not null
);
create unique index brands_one_current on installation.brands (is_current) where is_current;
