-- Rule tags: a segment gives and takes a tag. None could be set before.

delete from tags.rules;
-- The segment's number beside its name, which follows when it is renamed.
alter table tags.rules add column segment_id bigint not null;

-- Why a rule gave a tag and took it: fact, time, definition, cuts, value, settings of the segment, or rule; and the fact where it is
-- known. Null: it was not by a rule.
alter table tags.assignments add column given_cause text;
alter table tags.assignments add column given_fact_id bigint;
alter table tags.assignments add column removed_cause text;
alter table tags.assignments add column removed_fact_id bigint;

create view tags.published_rules as
  select r.tag_id, t.name as tag, r.segment_id from tags.rules r join tags.tags t using (tag_id);

-- Who is in a segment and when people are due, a table for each segment: all of a segment at once is then written without the log,
-- and indexes are built after it.
alter table segments.due rename to due_before;
alter index segments.due_pkey rename to due_before_pkey;
alter index segments.due_by_time rename to due_before_by_time;
create table segments.due (
  person_id bigint not null,
  segment_id bigint not null,
  due_at timestamptz not null,
  primary key (person_id, segment_id)
) partition by list (segment_id);
create index due_by_time on segments.due (due_at);

alter table segments.members detach partition segments.members_now;
alter table segments.members_now rename to members_before;
alter index segments.members_now_pkey rename to members_before_pkey;
alter index segments.members_now_segment_id_person_id_idx rename to members_before_by_segment;
create table segments.members_now partition of segments.members
  for values from ('infinity') to (maxvalue) partition by list (segment_id);

do $$
declare segment bigint;
begin
  for segment in select segment_id from segments.segments loop
    execute format('create table segments.%I partition of segments.due for values in (%s)', 'due_' || segment, segment);
    execute format(
      'create table segments.%I partition of segments.members_now for values in (%s)', 'members_now_' || segment, segment);
  end loop;
end $$;
insert into segments.due select person_id, segment_id, due_at from segments.due_before d
  where exists (select from segments.segments s where s.segment_id = d.segment_id);
insert into segments.members select * from segments.members_before m
  where exists (select from segments.segments s where s.segment_id = m.segment_id);
drop table segments.due_before;
drop table segments.members_before;
