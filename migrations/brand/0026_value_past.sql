-- Values as of one past day, beside those of now and of the same shapes: nothing that asks for present values reads them. One past day
-- is kept at a time; the next one takes its place.

create table value.past_fits (like value.fits including all);
alter table value.past_fits
  -- When it was worked out: by all that was known then of the facts up to fitted_at.
  add column worked_out_at timestamptz,
  -- Until when it is known what came since: a year on, the run, or the brand's last purchase, whichever is first. Null: not a day.
  add column known_until timestamptz,
  -- Of people with a live connection then, until known_until and not discounted: what was to be expected, and what came.
  add column known_expected_minor bigint,
  add column known_low_minor bigint,
  add column known_high_minor bigint,
  add column came_minor bigint;

create table value.past_people (like value.people including all);
create table value.past_referral_edges (like value.referral_edges including all);
create table value.past_propagation (like value.propagation including all);
create table value.past_settled (like value.settled including all);
create table value.past_cuts (like value.cuts including all);

-- Standing as of that day: depth now says nothing of who could be reached then.
create table value.past_standing (
  person_id bigint primary key,
  depth smallint not null,
  last_occasion_at timestamptz,
  net_paid_minor bigint not null
);

-- What each person was to bring from that day until known_until, not discounted, and what came of them.
create table value.past_came (
  person_id bigint primary key,
  known_expected_minor bigint not null,
  came_minor bigint not null
);

create view value.past_values as
  select person_id, p.fit_id, p.valued_at, p.p_alive, p.expected_occasions, coalesce(p.expected_minor, 0) as expected_minor,
    coalesce(p.expected_low_minor, 0) as expected_low_minor, coalesce(p.expected_high_minor, 0) as expected_high_minor,
    coalesce(p.realised_minor, 0) as realised_minor,
    coalesce(p.realised_minor + p.expected_minor, 0) as own_minor,
    coalesce(g.allocated_minor, p.realised_minor + p.expected_minor, 0) as allocated_minor,
    coalesce(g.influenced_minor, 0) as influenced_minor, coalesce(g.tree_depth, 0) as tree_depth
  from value.past_people p full join value.past_propagation g using (person_id);
