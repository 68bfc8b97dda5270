-- What segments and the matrix ask by: values that follow a run only where it moved them for good, and the days on which somebody's
-- rhythm turns (docs/definitions.md §3.9, §3.11). And what tells whose realised margin has moved since the run.

alter table value.people
  -- By standing when realised margin was worked out; null: by a run of before this was kept.
  add column net_paid_minor bigint,
  add column last_occasion_at timestamptz,
  -- The same in days of the brand.
  add column last_day date,
  -- Days since the last occasion from which on they are late, at risk and lapsed.
  add column turns_days integer[];

create table value.settled (
  person_id bigint primary key,
  expected_minor bigint not null,
  own_minor bigint not null,
  -- Null: was never scored, has only brought others.
  p_alive double precision,
  allocated_minor bigint not null,
  influenced_minor bigint not null,
  -- Thirds, 1 to 3.
  transaction smallint not null,
  propagation smallint not null,
  -- Of the run; somebody who has bought since has another one.
  last_occasion_at timestamptz,
  turns_days integer[],
  -- The instants at which those days begin after last_occasion_at.
  turns_at timestamptz[]
);

-- Who is at risk and worth most, in the order in which they are looked for.
create index settled_by_own on value.settled (own_minor desc, person_id) where turns_at is not null;

-- Until the next run: values as they are, no rhythm.
insert into value.settled (person_id, expected_minor, own_minor, p_alive, allocated_minor, influenced_minor, transaction, propagation)
select v.person_id, v.expected_minor, v.own_minor, v.p_alive, v.allocated_minor, v.influenced_minor,
  1 + (v.own_minor > c.own_minor[1])::int + (v.own_minor > c.own_minor[2])::int,
  1 + (v.influenced_minor > c.influenced_minor[1])::int + (v.influenced_minor > c.influenced_minor[2])::int
from value.published_values v
cross join (select own_minor, influenced_minor from value.cuts order by in_force_from desc limit 1) c;

create view value.published_settled as
  select person_id, expected_minor, own_minor, p_alive, allocated_minor, influenced_minor, transaction, propagation,
    last_occasion_at, turns_days, turns_at
  from value.settled;

create view value.published_runs as select fit_id, fitted_at from value.fits;

-- The run by which everybody of a segment was last looked at; null: there was none.
alter table segments.segments add column evaluated_run bigint;
