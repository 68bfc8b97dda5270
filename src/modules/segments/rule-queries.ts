import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import { taggedPeople } from '../tags/actions.ts'
import { analyzeLooks } from './look-queries.ts'
import { verdictsOf } from './member-queries.ts'

/* Tags that segments give and take: what a rule says of people, and whom those segments are asked about that ask for the tag. */

export interface RuleRow {
  readonly tag_id: number
  readonly tag: string
  readonly segment_id: number
}

export async function selectRules(db: Sql): Promise<RuleRow[]> {
  const { rows } = await sql<RuleRow>`select tag_id, tag, segment_id from tags.published_rules order by tag_id`.execute(
    db,
  )
  return rows
}

/** Select bodies (person_id, at, cause, fact_id). */
export interface Said {
  readonly peopleIn: RawBuilder<unknown>
  readonly peopleOut: RawBuilder<unknown>
}

/** Of whom there are looks, once their stays are written. By the cause that a stay has too; who is in is looked up for each. */
export function saidOfLooked(segmentId: number): Said {
  const body = (isIn: boolean) => sql`
    select l.person_id, l.at, l.cause, l.fact_id
    from (select distinct on (person_id) * from looks where segment_id = ${segmentId}::bigint order by person_id, cause) l
    left join lateral (
      select in_at from ${verdictsOf(segmentId)} v where v.person_id = l.person_id offset 0
    ) v on true
    where v.in_at is ${isIn ? sql`not null` : sql`null`}`
  return { peopleIn: body(true), peopleOut: body(false) }
}

/** Of everybody; without a segment nobody is in. */
export function saidOfAll(
  segmentId: number | null,
  { tagId, cause, now }: { readonly tagId: number; readonly cause: string; readonly now: Date },
): Said {
  const said = sql`person_id, ${now}::timestamptz as at, ${cause}::text as cause, null::bigint as fact_id`
  return {
    peopleIn: sql`
      select ${said} from segments.verdicts where in_at is not null and segment_id = ${segmentId ?? 0}::bigint`,
    peopleOut: sql`select ${said} from (${taggedPeople(tagId, now)}) tagged`,
  }
}

/** `next_looks`, empty. */
export async function createNextLooks(tx: Sql): Promise<void> {
  await sql`drop table if exists next_looks`.execute(tx)
  await sql`
    create temp table next_looks (segment_id bigint not null, person_id bigint not null, cause text not null, fact_id bigint, at timestamptz not null)
    on commit drop`.execute(tx)
}

/** Who was given a tag or lost it (`tag_changes`), for these segments: by what did it, at its instant. */
export async function lookAtTagged(tx: Sql, segmentIds: readonly number[]): Promise<void> {
  await sql`
    insert into next_looks
    select segment_id, person_id, cause, fact_id, at
    from unnest(${segmentIds}::bigint[]) g(segment_id) cross join tag_changes`.execute(tx)
}

/** `next_looks` in the place of `looks`. @returns whether there are any. */
export async function takeNextLooks(tx: Sql): Promise<boolean> {
  await sql`insert into looks select * from next_looks`.execute(tx)
  const { rows } = await sql<{ found: boolean }>`select exists (select from looks) as found`.execute(tx)
  const isFound = rows[0]?.found === true
  if (isFound) await analyzeLooks(tx)
  return isFound
}
