-- What people are marked with: by hand, by a rule, by a source.

alter table intake.inbox drop constraint inbox_kind_check;
alter table intake.inbox add constraint inbox_kind_check check (kind in
  ('order', 'connection', 'person', 'membership', 'interaction', 'review', 'consent', 'referral_claim', 'tag'));

create schema tags;

-- Groups and tags are few: every table of people may join them.
create table tags.groups (
  group_id bigint generated always as identity primary key,
  name text not null,
  -- As the channel knows it, where the two are kept alike.
  external_id text
);
create unique index groups_by_name on tags.groups (lower(name));

create table tags.tags (
  tag_id bigint generated always as identity primary key,
  group_id bigint references tags.groups,
  name text not null,
  description text,
  -- How it fades: at most one of the two. Neither: it holds until it is taken.
  life_days int check (life_days > 0),
  half_life_days int check (half_life_days > 0),
  archived_at timestamptz,
  external_id text,
  -- Of a tag that a channel has too: who is told by whom.
  sync_direction text check (sync_direction in ('in', 'out', 'both')),
  created_at timestamptz not null,
  check (life_days is null or half_life_days is null)
);
create unique index tags_by_name on tags.tags (lower(name));
create index tags_by_group on tags.tags (group_id);

-- Which segment gives and takes a tag.
create table tags.rules (
  tag_id bigint primary key references tags.tags on delete cascade,
  segment text not null,
  set_at timestamptz not null
);

-- Every giving and taking by hand, of one person or of many, in the order in which they were done.
create table tags.edits (
  edit_id bigint generated always as identity primary key,
  tag_id bigint not null references tags.tags on delete cascade,
  verb text not null check (verb in ('give', 'take')),
  -- People whose tag it changed.
  people int not null,
  done_at timestamptz not null,
  done_by text not null,
  -- The account's, or null: the command line.
  done_by_id text,
  undone_at timestamptz,
  undone_by text
);
create index edits_by_tag on tags.edits (tag_id);

-- That somebody has a tag, from given_at up to the first of its ends. The person follows the identity that it came by; what was given by hand
-- or by a rule came by the identity that the person was named by then.
create table tags.assignments (
  person_id bigint not null,
  -- Of one that a source told: the fact's.
  assignment_id bigint not null,
  identity_id bigint not null,
  tag_id bigint not null references tags.tags,
  source text not null check (source in ('manual', 'rule', 'import', 'wecom')),
  -- Which source of facts told it.
  origin text,
  strength double precision not null check (strength > 0 and strength <= 1),
  given_at timestamptz not null,
  given_by text,
  edit_id bigint,
  -- When time alone ends it, by the tag's life or half-life.
  lapses_at timestamptz,
  -- When its source ends it.
  ends_at timestamptz,
  -- When it was taken here, by hand or by a rule.
  removed_at timestamptz,
  removed_by text,
  removed_edit_id bigint,
  recorded_at timestamptz not null,
  primary key (person_id, assignment_id),
  check (ends_at >= given_at)
);
-- Who has a tag, and how many they are, is answered by the index alone.
create index assignments_by_tag on tags.assignments (tag_id, person_id) include (given_at, lapses_at, ends_at, removed_at);
create index assignments_by_id on tags.assignments (assignment_id);
create index assignments_by_edit on tags.assignments (edit_id) where edit_id is not null;
create index assignments_by_removal on tags.assignments (removed_edit_id) where removed_edit_id is not null;

-- Who has which tag, and had it: in force at an instant is what was given by then and does not lapse by then. `lapses_at` is the
-- end from whatever cause, `strength` as it was given.
create view tags.published_tags as
  select a.person_id, t.name as tag, a.source, a.strength::real as strength, a.given_at,
    least(a.lapses_at, a.ends_at, a.removed_at) as lapses_at
  from tags.assignments a join tags.tags t using (tag_id);

insert into intake.subscribers values ('identities_moved', 'tags');
