-- What the last look at a person found for a segment, in one row: since when they are in, and when time alone may next change that. Stays
-- that are over lie apart, by the month in which they ended. It was two tables for each segment, and each look found its person in both.
drop view segments.published_members;

create table segments.verdicts (
  person_id bigint not null,
  segment_id bigint not null,
  -- Never later than time alone does change it; null: it does not.
  due_at timestamptz,
  -- Null: they are not in. Who is not in and not due has no row.
  in_at timestamptz,
  in_fact_id bigint,
  in_cause text,
  primary key (person_id, segment_id)
) partition by list (segment_id);
create index verdicts_due on segments.verdicts (due_at) where due_at is not null;

do $$
declare segment bigint;
begin
  for segment in select segment_id from segments.segments loop
    execute format('create table segments.%I partition of segments.verdicts for values in (%s)', 'verdicts_' || segment, segment);
  end loop;
end $$;
insert into segments.verdicts
select person_id, segment_id, due_at, in_at, in_fact_id, in_cause
from (select * from segments.members where out_at = 'infinity') m full join segments.due using (person_id, segment_id)
where segment_id in (select segment_id from segments.segments)
order by segment_id, person_id;

drop table segments.due;
alter table segments.members detach partition segments.members_now;
drop table segments.members_now;

alter table segments.members rename to past_stays;
alter table segments.past_stays alter column out_at drop default;
alter table segments.past_stays rename constraint members_pkey to past_stays_pkey;
alter table segments.past_stays rename constraint members_check to past_stays_check;
alter index segments.members_by_segment rename to past_stays_by_segment;
do $$
declare month text;
begin
  for month in
    select substr(c.relname, length('members_') + 1) from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'segments.past_stays'::regclass
  loop
    execute format('alter table segments.%I rename to %I', 'members_' || month, 'past_stays_' || month);
  end loop;
end $$;

-- Who is and was in a segment, [in_at, out_at).
create view segments.stays as
  select person_id, segment_id, in_at, 'infinity'::timestamptz as out_at, in_cause, in_fact_id, null::text as out_cause,
    null::bigint as out_fact_id
  from segments.verdicts where in_at is not null
  union all
  select person_id, segment_id, in_at, out_at, in_cause, in_fact_id, out_cause, out_fact_id from segments.past_stays;
create view segments.published_members as
  select person_id, segment_id, in_at, out_at from segments.stays;
