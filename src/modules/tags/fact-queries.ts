import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import { lapseOf } from './queries.ts'

/*
 * Tags that sources told, as facts about one person: see `PersonalKind` of customers for the temporary tables.
 */

/** What was taken here of facts that are replaced: it holds for what they say now too. */
async function createKeptRemovals(tx: Sql): Promise<void> {
  await sql`
    create temp table if not exists kept_removals (assignment_id bigint, identity_id bigint, tag_id bigint, removed_at timestamptz, removed_by text,
      removed_edit_id bigint) on commit drop`.execute(tx)
}

export async function removeTagFacts(tx: Sql): Promise<void> {
  await createKeptRemovals(tx)
  await sql`
    insert into kept_removals
    select a.assignment_id, a.identity_id, a.tag_id, a.removed_at, a.removed_by, a.removed_edit_id
    from tags.assignments a join replaced_facts f on f.fact_id = a.assignment_id where a.removed_at is not null`.execute(
    tx,
  )
  // The tag by its number too: its name may be another when the fact comes back.
  await sql`
    with gone as (
      delete from tags.assignments a using replaced_facts f where a.assignment_id = f.fact_id returning a.*
    )
    insert into removed_facts (fact_id, person_id, identity_id, occurred_at, body)
    select g.assignment_id, g.person_id, g.identity_id, g.given_at,
      jsonb_build_object('tag_id', g.tag_id, 'tag', t.name, 'strength', g.strength, 'removed_at', g.ends_at)
    from gone g join tags.tags t using (tag_id)`.execute(tx)
}

/**
 * Tags and groups that facts name and nobody knows yet. Two writers that make the same one: the second waits for the first, and
 * finds it afterwards.
 */
async function makeTags(tx: Sql, now: Date): Promise<void> {
  await sql`
    create temp table fact_tags on commit drop as
    select distinct on (lower(n.tag)) n.tag, n.tag_group
    from (select body->>'tag' as tag, body->>'group' as tag_group, (body->>'tag_id')::bigint as tag_id from personal_facts) n
    where not exists (select from tags.tags t where t.tag_id = n.tag_id or lower(t.name) = lower(n.tag))
    order by lower(n.tag), n.tag_group collate "C", n.tag collate "C"`.execute(tx)
  await sql`
    insert into tags.groups (name)
    select distinct on (lower(tag_group)) tag_group from fact_tags where tag_group is not null
    order by lower(tag_group), tag_group collate "C" on conflict do nothing`.execute(tx)
  await sql`
    insert into tags.tags (group_id, name, created_at)
    select g.group_id, f.tag, ${now} from fact_tags f left join tags.groups g on lower(g.name) = lower(f.tag_group)
    order by lower(f.tag) on conflict do nothing`.execute(tx)
  await sql`drop table fact_tags`.execute(tx)
}

export async function insertTagFacts(tx: Sql, source: string, now: Date): Promise<void> {
  await createKeptRemovals(tx)
  await makeTags(tx, now)
  await sql`
    insert into tags.assignments (person_id, assignment_id, identity_id, tag_id, source, origin, strength, given_at, lapses_at, ends_at,
      removed_at, removed_by, removed_edit_id, recorded_at)
    select f.person_id, f.fact_id, f.identity_id, t.tag_id, 'import', ${source}, f.strength, f.occurred_at,
      ${lapseOf(sql`f.strength`, sql`f.occurred_at`)}, f.ends_at, k.removed_at, k.removed_by, k.removed_edit_id, ${now}
    from (
      select person_id, fact_id, identity_id, occurred_at, coalesce((body->>'strength')::double precision, 1) as strength,
        (body->>'removed_at')::timestamptz as ends_at, body->>'tag' as tag, (body->>'tag_id')::bigint as tag_id
      from personal_facts
    ) f
    left join tags.tags known on known.tag_id = f.tag_id
    join tags.tags t on case when known.tag_id is null then lower(t.name) = lower(f.tag) else t.tag_id = known.tag_id end
    left join kept_removals k on k.assignment_id = f.fact_id and k.identity_id = f.identity_id and k.tag_id = t.tag_id
      and k.removed_at >= f.occurred_at
    order by f.person_id`.execute(tx)
}

/** Tags of `claimed_moves` follow their identity to its person now: `changed_people`. */
export async function followMoves(tx: Sql): Promise<void> {
  await sql`
    update tags.assignments a set person_id = p.person_id
    from claimed_moves m join customers.published_canonical p using (identity_id)
    where a.person_id = m.person_id and a.identity_id = m.identity_id and p.person_id <> m.person_id`.execute(tx)
  await sql`
    create temp table changed_people on commit drop as
    select person_id from claimed_moves
    union select p.person_id from claimed_moves join customers.published_canonical p using (identity_id)`.execute(tx)
}

/** A tag is about its person and is part of no total: it goes with them. */
export async function eraseTags(tx: Sql): Promise<void> {
  await sql`
    with gone as (
      delete from tags.assignments a using erased_identities e
      where a.person_id = e.person_id and a.identity_id = e.identity_id returning a.assignment_id
    )
    insert into erased_facts select assignment_id, false from gone`.execute(tx)
}
