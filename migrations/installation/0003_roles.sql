-- Who may do what (src/platform/roles.ts): roles, the staff an adviser stands for, accounts that end, and invitations.

alter table auth.users
  drop constraint users_role_check,
  add constraint users_role_check
    check (role in ('owner', 'lead', 'adviser', 'analyst', 'integrator', 'outside_operator')),
  -- Whose people an adviser sees: the staff id that connections name.
  add column staff_id text check (staff_id <> ''),
  -- From then on nothing works for an outside operator.
  add column ends_at timestamptz,
  -- Set when the account was closed; it is not deleted, because the audit log names it.
  add column disabled_at timestamptz,
  add constraint users_adviser_check check ((role = 'adviser') = (staff_id is not null)),
  add constraint users_outside_operator_check check ((role = 'outside_operator') = (ends_at is not null));

create table auth.invitations (
  invitation_id bigint generated always as identity primary key,
  -- SHA-256 of the link's token: 128 random bits, so there is nothing for a slow hash to protect.
  token_hash bytea not null unique check (length(token_hash) = 32),
  name text not null,
  email text not null,
  role text not null check (role in ('owner', 'lead', 'adviser', 'analyst', 'integrator', 'outside_operator')),
  staff_id text,
  ends_at timestamptz,
  -- Null: made at the terminal of the server.
  invited_by uuid references auth.users (id),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  -- One of the two ends it; either way the row stays, so that it can be told who let whom in.
  accepted_at timestamptz,
  revoked_at timestamptz,
  check ((role = 'adviser') = (staff_id is not null)),
  check ((role = 'outside_operator') = (ends_at is not null))
);
