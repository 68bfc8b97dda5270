-- What people allow and forbid, and who says to have brought whom: facts about persons, by API and by file.

alter table intake.inbox drop constraint inbox_kind_check;
alter table intake.inbox add constraint inbox_kind_check
  check (kind in ('order', 'connection', 'person', 'membership', 'interaction', 'review', 'consent', 'referral_claim'));

-- Statements, never overwritten by later ones: a withdrawal is a row of its own, and what holds is derived.
create table customers.consents (
  person_id bigint not null,
  consent_id bigint not null,
  identity_id bigint not null,
  source text not null,
  purpose text not null check (purpose in ('marketing', 'calls', 'health')),
  -- Empty: of every channel.
  channel text not null,
  state text not null check (state in ('granted', 'withdrawn')),
  -- The form, the version of its wording.
  evidence text,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  primary key (person_id, consent_id)
);

-- What is in force over [from_at, until_at): for each channel that a person ever named, and under the empty channel for
-- all others. A statement about every channel counts for each. At one instant a withdrawal comes last.
create view customers.published_consents as
  select person_id, purpose, channel, state, consent_id, from_at, until_at
  from (
    select k.person_id, k.purpose, k.channel, c.state, c.consent_id, c.occurred_at as from_at,
      lead(c.occurred_at) over (
        partition by k.person_id, k.purpose, k.channel
        order by c.occurred_at, c.state = 'withdrawn', c.consent_id) as until_at
    from (select distinct person_id, purpose, channel from customers.consents) k
    join customers.consents c on c.person_id = k.person_id and c.purpose = k.purpose and c.channel in (k.channel, '')
  ) s
  where until_at is null or until_at > from_at;

-- Claims that somebody brought somebody, all of them: which one wins is not decided here. person_id is the invitee's.
create table customers.referral_claims (
  person_id bigint not null,
  claim_id bigint not null,
  identity_id bigint not null,
  referrer_person_id bigint not null,
  referrer_identity_id bigint not null,
  source text not null,
  campaign text,
  content text,
  claimed_at timestamptz not null,
  recorded_at timestamptz not null,
  primary key (person_id, claim_id),
  check (identity_id <> referrer_identity_id)
);
create index referral_claims_by_referrer on customers.referral_claims (referrer_person_id);

create view customers.published_referral_claims as
  select referrer_person_id, person_id as invitee_person_id, claim_id, claimed_at, campaign, content
  from customers.referral_claims;

-- The file's header, by which files of one shop are told from those of another.
alter table intake.imports add column columns text[];
