-- What people are worth (docs/definitions.md §3 and §4): dated by a run, nightly or on demand, from occasions and referral claims.

create schema value;

alter table brand.settings
  -- Null: not said, and what is called margin is revenue.
  add column margin_rate double precision check (margin_rate > 0 and margin_rate <= 1),
  add column discount_rate_per_year double precision not null default 0.1
    check (discount_rate_per_year >= 0 and discount_rate_per_year <= 1),
  -- β: the share of a value that is passed up at each step.
  add column referral_share numeric(5, 4) not null default 0.2 check (referral_share >= 0 and referral_share <= 1),
  add column attribution_days integer not null default 30 check (attribution_days between 0 and 3650);

-- Each run's fit, earlier ones kept: what is new is compared with what was.
create table value.fits (
  fit_id bigint generated always as identity primary key,
  fitted_at timestamptz not null,
  unit text not null check (unit in ('day', 'week')),
  model_asked text not null,
  model text not null,
  reason text,
  occasions jsonb not null,
  spend_model text not null,
  spend_reason text,
  spend jsonb not null,
  -- Null: not said when it was made.
  margin_rate double precision,
  discount_rate_per_year double precision not null,
  people bigint not null,
  repeaters bigint not null,
  -- The next four are of people with a live connection: customer equity.
  reachable_people bigint not null,
  expected_minor bigint not null,
  expected_low_minor bigint not null,
  expected_high_minor bigint not null,
  calibration jsonb not null,
  -- Expected occasions of everybody, by those that the fit before expects of them, less 1.
  drift double precision
);

create table value.people (
  person_id bigint primary key,
  fit_id bigint not null,
  valued_at timestamptz not null,
  repeats integer not null,
  last_days integer not null,
  watched_days integer not null,
  mean_spend_minor double precision not null,
  p_alive double precision not null check (p_alive between 0 and 1),
  expected_occasions double precision not null check (expected_occasions >= 0),
  expected_minor bigint not null,
  expected_low_minor bigint not null,
  expected_high_minor bigint not null,
  -- In the period before valued_at.
  realised_minor bigint not null
);

-- Every referral claim with its fate. person_id is the invitee's.
create table value.referral_edges (
  person_id bigint not null,
  claim_id bigint not null,
  referrer_person_id bigint not null,
  claimed_at timestamptz not null,
  -- Why it is no edge whatever else there is; null: it is taken in time order with the others.
  set_aside text check (set_aside in ('assist', 'not_arrived', 'outside_window')),
  -- Null: it is the person's edge.
  refusal text check (refusal in ('assist', 'not_arrived', 'outside_window', 'self', 'later_claim', 'cycle')),
  primary key (person_id, claim_id)
);
create index referral_edges_by_referrer on value.referral_edges (referrer_person_id);

-- People with a place in a tree of referrals; everybody else keeps what is their own.
create table value.propagation (
  person_id bigint primary key,
  tree_depth integer not null,
  allocated_minor bigint not null,
  influenced_minor bigint not null
);

-- Thirds of people by each value, of those who have some; in force from the run that made them until the next.
create table value.cuts (
  in_force_from timestamptz primary key,
  own_minor bigint[] not null,
  influenced_minor bigint[] not null
);

create view value.published_values as
  select person_id, p.fit_id, p.valued_at, p.p_alive, p.expected_occasions, coalesce(p.expected_minor, 0) as expected_minor,
    coalesce(p.expected_low_minor, 0) as expected_low_minor, coalesce(p.expected_high_minor, 0) as expected_high_minor,
    coalesce(p.realised_minor, 0) as realised_minor,
    coalesce(p.realised_minor + p.expected_minor, 0) as own_minor,
    coalesce(g.allocated_minor, p.realised_minor + p.expected_minor, 0) as allocated_minor,
    coalesce(g.influenced_minor, 0) as influenced_minor, coalesce(g.tree_depth, 0) as tree_depth
  from value.people p full join value.propagation g using (person_id);

create view value.published_referrals as
  select person_id, claim_id, referrer_person_id, claimed_at, refusal from value.referral_edges;
