import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import { END, isHeld, strengthAt } from './queries.ts'
import { MAIN_TAGS, type TagSource } from './schema.ts'

export interface HeldRow {
  readonly tag_id: number
  readonly tag: string
  readonly group: string | null
  readonly sources: TagSource[]
  readonly strength: number
  readonly given_at: Date
  readonly lapses_at: Date | null
  readonly is_by_rule_alone: boolean
  readonly is_archived: boolean
  readonly is_main: boolean
}

/**
 * The tags of a person at an instant, in the order of docs/definitions.md: first the one of each group that stands first in it, then
 * the others; stronger ones first, then rarer, newer, by name. The first five that are not archived are the main ones.
 */
export async function selectHeld(db: Sql, personId: number, at: Date): Promise<HeldRow[]> {
  const instant = sql`${at}::timestamptz`
  const order = sql`h.strength desc, r.people, h.given_at desc, t.name collate "C"`
  const { rows } = await sql<HeldRow>`
    with held as (
      select a.tag_id, max(${strengthAt(instant)}) as strength, max(a.given_at) as given_at,
        case when bool_or(${END} is null) then null else max(${END}) end as lapses_at,
        array_agg(distinct a.source) as sources, bool_and(a.source = 'rule') as is_by_rule_alone
      from tags.assignments a join tags.tags t using (tag_id)
      where a.person_id = ${personId} and ${isHeld(instant)} group by a.tag_id
    ), ranked as (
      select h.*, t.name as tag, g.name as group, t.archived_at is not null as is_archived, r.people,
        row_number() over (
          partition by t.archived_at is null, t.group_id, case when t.group_id is null then t.tag_id end order by ${order}) as place
      from held h join tags.tags t using (tag_id) left join tags.groups g using (group_id)
      cross join lateral (
        select count(distinct a.person_id) as people from tags.assignments a where a.tag_id = h.tag_id and ${isHeld(instant)}
      ) r
    )
    select tag_id, tag, "group", sources, strength, given_at, lapses_at, is_by_rule_alone, is_archived,
      not is_archived and row_number() over (
        order by is_archived, place > 1, strength desc, people, given_at desc, tag collate "C") <= ${MAIN_TAGS} as is_main
    from ranked order by is_archived, place > 1, strength desc, people, given_at desc, tag collate "C"`.execute(db)
  return rows
}

export interface RecordRow {
  readonly assignment_id: number
  readonly tag_id: number
  readonly tag: string
  readonly source: TagSource
  readonly origin: string | null
  readonly strength: number
  readonly given_at: Date
  readonly given_by: string | null
  readonly given_cause: string | null
  readonly given_fact_id: number | null
  readonly lapses_at: Date | null
  readonly ends_at: Date | null
  readonly removed_at: Date | null
  readonly removed_by: string | null
  readonly removed_cause: string | null
  readonly removed_fact_id: number | null
}

/** Everything that a person was given up to an instant, newest first. */
export async function selectRecords(db: Sql, personId: number, at: Date, limit: number): Promise<RecordRow[]> {
  const { rows } = await sql<RecordRow>`
    select a.assignment_id, a.tag_id, t.name as tag, a.source, a.origin, a.strength, a.given_at, a.given_by, a.given_cause,
      a.given_fact_id, a.lapses_at, a.ends_at, a.removed_at, a.removed_by, a.removed_cause, a.removed_fact_id
    from tags.assignments a join tags.tags t using (tag_id)
    where a.person_id = ${personId} and a.given_at <= ${at}
    order by a.given_at desc, a.assignment_id desc limit ${limit}`.execute(db)
  return rows
}
