import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { PeopleScope } from '../../platform/roles.ts'
import { ofScope } from '../customers/actions.ts'
import { HELD_STRENGTH_MIN, type TagChange, type TagCommand } from './schema.ts'

/** The first of the ends of an assignment `a`; null: it has none. */
export const END = sql`least(a.lapses_at, a.ends_at, a.removed_at)`

/** Whether an assignment `a` is in force at an instant. */
export function isHeld(at: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(a.given_at <= ${at} and coalesce(${END} > ${at}, true))`
}

/** When time alone ends what was given, by the life or half-life of the tag `t`; null: never. */
export function lapseOf(strength: RawBuilder<unknown>, givenAt: RawBuilder<unknown>): RawBuilder<unknown> {
  const halvings = sql`greatest(0, ln(${strength} / ${HELD_STRENGTH_MIN}::double precision) / ln(2::double precision))`
  return sql`case
    when t.life_days is not null then ${givenAt} + make_interval(hours => 24 * t.life_days)
    when t.half_life_days is not null then ${givenAt} + 86400 * t.half_life_days * ${halvings} * interval '1 second' end`
}

/** What is left of the strength of an assignment `a` of the tag `t` at an instant. */
export function strengthAt(at: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(case when t.half_life_days is null then a.strength
    else a.strength * power(2::double precision, -extract(epoch from ${at} - a.given_at)::double precision / (86400 * t.half_life_days)) end)`
}

/** Select body of the person_id of who has a tag at an instant; the same person may come several times. */
export function taggedBody(tagId: number, at: Date): RawBuilder<unknown> {
  return sql`select a.person_id from tags.assignments a where a.tag_id = ${tagId}::bigint and ${isHeld(sql`${at}::timestamptz`)}`
}

export interface TagRow {
  readonly tag_id: number
  readonly name: string
  readonly group_id: number | null
  readonly group: string | null
  readonly description: string | null
  readonly life_days: number | null
  readonly half_life_days: number | null
  readonly rule_segment: string | null
  readonly rule_segment_id: number | null
  readonly archived_at: Date | null
}

/** What a rule knows of its segment. */
export interface RuleSegment {
  readonly segment_id: number
  readonly name: string
}

const TAG_COLUMNS = sql`t.tag_id, t.name, t.group_id, g.name as group, t.description, t.life_days, t.half_life_days,
  r.segment as rule_segment, r.segment_id as rule_segment_id, t.archived_at`
const TAG_TABLES = sql`tags.tags t left join tags.groups g using (group_id) left join tags.rules r using (tag_id)`

export async function selectGroups(db: Sql): Promise<{ group_id: number; name: string; tags: number }[]> {
  const { rows } = await sql<{ group_id: number; name: string; tags: number }>`
    select g.group_id, g.name, count(t.tag_id) as tags
    from tags.groups g left join tags.tags t using (group_id) group by g.group_id order by g.name, g.group_id`.execute(
    db,
  )
  return rows
}

/** Every tag, with how many of those in scope have it at an instant. */
export async function selectTags(db: Sql, at: Date, scope: PeopleScope): Promise<(TagRow & { people: number })[]> {
  const instant = sql`${at}::timestamptz`
  const { rows } = await sql<TagRow & { people: number }>`
    select ${TAG_COLUMNS}, coalesce(n.people, 0)::bigint as people
    from ${TAG_TABLES}
    left join (
      select h.tag_id, count(distinct h.person_id) as people
      from (${ofScope(sql`select a.tag_id, a.person_id from tags.assignments a where ${isHeld(instant)}`, scope)}) h group by h.tag_id
    ) n using (tag_id)
    order by g.name nulls last, t.name, t.tag_id`.execute(db)
  return rows
}

export async function selectTag(db: Sql, tagId: number): Promise<TagRow | undefined> {
  const { rows } = await sql<TagRow>`select ${TAG_COLUMNS} from ${TAG_TABLES} where t.tag_id = ${tagId}`.execute(db)
  return rows[0]
}

export async function selectTagByName(db: Sql, name: string): Promise<TagRow | undefined> {
  const { rows } = await sql<TagRow>`
    select ${TAG_COLUMNS} from ${TAG_TABLES} where lower(t.name) = lower(${name})`.execute(db)
  return rows[0]
}

/**
 * The tag for as long as the transaction lasts: what is given and taken of it, and what it is, comes one after the other.
 * Facts go on `beside` it: their foreign keys need less.
 */
export async function lockTag(
  tx: Sql,
  tagId: number,
  mode: 'alone' | 'beside' = 'beside',
): Promise<TagRow | undefined> {
  const lock = mode === 'alone' ? sql`for update` : sql`for no key update`
  await sql`select from tags.tags where tag_id = ${tagId} ${lock}`.execute(tx)
  return selectTag(tx, tagId)
}

/** How many people have a tag at an instant, and whether anybody ever had it. */
export async function selectUse(db: Sql, tagId: number, at: Date): Promise<{ people: number; isUsed: boolean }> {
  const { rows } = await sql<{ people: number; is_used: boolean }>`
    select (select count(distinct person_id) from (${taggedBody(tagId, at)}) p) as people,
      exists (select from tags.assignments where tag_id = ${tagId}) as is_used`.execute(db)
  return { people: rows[0]?.people ?? 0, isUsed: rows[0]?.is_used ?? false }
}

export async function selectCounts(db: Sql): Promise<{ tags: number; groups: number }> {
  const { rows } = await sql<{ tags: number; groups: number }>`
    select (select count(*) from tags.tags) as tags, (select count(*) from tags.groups) as groups`.execute(db)
  return rows[0] ?? { tags: 0, groups: 0 }
}

/** @returns undefined when there is one of that name. */
export async function insertGroup(tx: Sql, name: string): Promise<number | undefined> {
  const { rows } = await sql<{ group_id: number }>`
    insert into tags.groups (name) values (${name}) on conflict do nothing returning group_id`.execute(tx)
  return rows[0]?.group_id
}

/** @returns whether there is such a group; `isTaken` when another one is called so. */
export async function renameGroup(
  tx: Sql,
  groupId: number,
  name: string,
): Promise<{ isFound: boolean; isTaken: boolean }> {
  const { rows } = await sql<{ is_found: boolean; is_taken: boolean }>`
    select exists (select from tags.groups where group_id = ${groupId}) as is_found,
      exists (select from tags.groups where lower(name) = lower(${name}) and group_id <> ${groupId}) as is_taken`.execute(
    tx,
  )
  const { is_found: isFound = false, is_taken: isTaken = false } = rows[0] ?? {}
  if (isFound && !isTaken) await sql`update tags.groups set name = ${name} where group_id = ${groupId}`.execute(tx)
  return { isFound, isTaken }
}

/** Tags of a group, archived ones too; undefined when there is no such group. */
export async function countGroupTags(tx: Sql, groupId: number): Promise<number | undefined> {
  const { rows } = await sql<{ tags: number }>`
    select (select count(*) from tags.tags where group_id = ${groupId}) as tags
    from tags.groups where group_id = ${groupId} for update`.execute(tx)
  return rows[0]?.tags
}

export async function deleteGroup(tx: Sql, groupId: number): Promise<void> {
  await sql`delete from tags.groups where group_id = ${groupId}`.execute(tx)
}

/** @returns undefined when there is one of that name. */
export async function insertTag(tx: Sql, tag: TagCommand, now: Date): Promise<number | undefined> {
  const { rows } = await sql<{ tag_id: number }>`
    insert into tags.tags (group_id, name, description, life_days, half_life_days, created_at)
    values (${tag.group_id ?? null}, ${tag.name}, ${tag.description ?? null}, ${tag.life_days ?? null}, ${tag.half_life_days ?? null}, ${now})
    on conflict do nothing returning tag_id`.execute(tx)
  return rows[0]?.tag_id
}

/** What is left out stays. The caller has locked the tag and seen that nothing else is called so. */
export async function updateTag(tx: Sql, tagId: number, change: TagChange, now: Date): Promise<void> {
  const given = (name: keyof TagChange) => change[name] !== undefined
  await sql`
    update tags.tags set
      name = coalesce(${change.name ?? null}, name),
      group_id = case when ${given('group_id')} then ${change.group_id ?? null}::bigint else group_id end,
      description = case when ${given('description')} then ${change.description ?? null} else description end,
      life_days = case when ${given('life_days')} then ${change.life_days ?? null}::int else life_days end,
      half_life_days = case when ${given('half_life_days')} then ${change.half_life_days ?? null}::int else half_life_days end,
      archived_at = case when not ${given('is_archived')} then archived_at
        when ${change.is_archived ?? false} then coalesce(archived_at, ${now}) end
    where tag_id = ${tagId}`.execute(tx)
}

/** Whoever was ever given a tag: `tag_changes`. */
export async function createEveryHolder(tx: Sql, tagId: number): Promise<void> {
  await sql`
    create temp table tag_changes on commit drop as
    select distinct person_id from tags.assignments where tag_id = ${tagId}`.execute(tx)
}

/** The ends of a tag's assignments by its life as it is now. */
export async function renewLapses(tx: Sql, tagId: number): Promise<void> {
  await sql`
    update tags.assignments a set lapses_at = ${lapseOf(sql`a.strength`, sql`a.given_at`)}
    from tags.tags t where t.tag_id = ${tagId} and a.tag_id = t.tag_id`.execute(tx)
}

export async function deleteTag(tx: Sql, tagId: number): Promise<void> {
  await sql`delete from tags.tags where tag_id = ${tagId}`.execute(tx)
}

/** @param segment null: no rule any more. */
export async function writeRule(tx: Sql, tagId: number, segment: RuleSegment | null, now: Date): Promise<void> {
  if (segment === null) {
    await sql`delete from tags.rules where tag_id = ${tagId}`.execute(tx)
    return
  }
  await sql`
    insert into tags.rules (tag_id, segment, segment_id, set_at) values (${tagId}, ${segment.name}, ${segment.segment_id}, ${now})
    on conflict (tag_id) do update set segment = excluded.segment, segment_id = excluded.segment_id, set_at = excluded.set_at`.execute(
    tx,
  )
}

/** The segment of these rules is called so from now on. */
export async function renameRules(tx: Sql, { segment_id: segmentId, name }: RuleSegment): Promise<void> {
  await sql`update tags.rules set segment = ${name} where segment_id = ${segmentId}`.execute(tx)
}
