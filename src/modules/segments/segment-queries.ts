import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Definition, SegmentUse } from './schema.ts'

/* Definitions, their versions, and who uses them. */

/** Who uses segments: those that said so, and the tags that segments give, whose rules are kept with the tags. */
const USES = sql`(
  select segment_id, user_kind, user_id, user_name from segments.uses
  union all select segment_id, 'tag', tag_id, tag from tags.published_rules)`

export interface SegmentRow {
  readonly segment_id: number
  readonly name: string
  readonly version: number
  readonly size: number
  readonly definition: Definition
  readonly made_at: Date
  readonly made_by: string
  readonly evaluated_version: number | null
  readonly evaluated_settings: string | null
  readonly evaluated_cuts: Date | null
  readonly evaluated_run: number | null
  readonly evaluated_at: Date | null
}

export async function selectSegments(db: Sql): Promise<SegmentRow[]> {
  const { rows } = await sql<SegmentRow>`
    select s.segment_id, s.name, s.version, s.size, v.definition, v.made_at, v.made_by, s.evaluated_version, s.evaluated_settings,
      s.evaluated_cuts, s.evaluated_run, s.evaluated_at
    from segments.segments s join segments.versions v using (segment_id, version) order by s.segment_id`.execute(db)
  return rows
}

/** @returns undefined when the name is taken. */
export async function insertSegment(tx: Sql, name: string): Promise<number | undefined> {
  const { rows } = await sql<{ segment_id: number }>`
    insert into segments.segments (name, version) values (${name}, 0) on conflict (name) do nothing
    returning segment_id`.execute(tx)
  return rows[0]?.segment_id
}

/** @returns false when the name is another's. */
export async function renameSegment(tx: Sql, segmentId: number, name: string): Promise<boolean> {
  const { rows } = await sql<{ segment_id: number }>`
    update segments.segments set name = ${name}
    where segment_id = ${segmentId}::bigint
      and not exists (select from segments.segments o where o.name = ${name} and o.segment_id <> ${segmentId}::bigint)
    returning segment_id`.execute(tx)
  await sql`
    update segments.uses set user_name = ${name} where user_kind = 'segment' and user_id = ${segmentId}::bigint`.execute(
    tx,
  )
  return rows.length > 0
}

export async function insertVersion(
  tx: Sql,
  segmentId: number,
  { definition, by, now }: { definition: Definition; by: string; now: Date },
): Promise<void> {
  await sql`
    with raised as (
      update segments.segments set version = version + 1 where segment_id = ${segmentId}::bigint returning segment_id, version
    )
    insert into segments.versions (segment_id, version, definition, made_at, made_by)
    select segment_id, version, ${JSON.stringify(definition)}::jsonb, ${now}::timestamptz, ${by} from raised`.execute(
    tx,
  )
}

/** Which segments a definition names. */
export async function replaceReferences(
  tx: Sql,
  segment: { segment_id: number; name: string },
  references: readonly number[],
): Promise<void> {
  await sql`delete from segments.uses where user_kind = 'segment' and user_id = ${segment.segment_id}::bigint`.execute(
    tx,
  )
  await sql`
    insert into segments.uses (segment_id, user_kind, user_id, user_name)
    select id, 'segment', ${segment.segment_id}::bigint, ${segment.name} from unnest(${references}::bigint[]) id`.execute(
    tx,
  )
}

export async function selectUses(db: Sql, segmentId: number): Promise<SegmentUse[]> {
  const { rows } = await sql<SegmentUse>`
    select user_kind, user_id, user_name from ${USES} u where segment_id = ${segmentId}::bigint
    order by user_kind, user_id`.execute(db)
  return rows
}

export interface ListFigures {
  readonly segment_id: number
  readonly size_before: number | null
  readonly used_by: SegmentUse[]
}

/** Of every segment: its size at the end of the day of `at`, null where it was not there yet, and who uses it. */
export async function selectListFigures(db: Sql, { at, zone }: { at: Date; zone: string }): Promise<ListFigures[]> {
  const day = (instant: RawBuilder<unknown>) => sql`(${instant} at time zone ${zone})::date`
  const { rows } = await sql<ListFigures>`
    select s.segment_id,
      coalesce(
        (select d.size from segments.sizes d where d.segment_id = s.segment_id and d.day <= ${day(sql`${at}::timestamptz`)}
         order by d.day desc limit 1),
        -- Nobody was ever in it: no day on which that changed.
        (select 0 from segments.versions v
         where v.segment_id = s.segment_id and ${day(sql`v.made_at`)} <= ${day(sql`${at}::timestamptz`)} limit 1)
      ) as size_before,
      (select coalesce(jsonb_agg(jsonb_build_object('user_kind', u.user_kind, 'user_id', u.user_id, 'user_name', u.user_name)
         order by u.user_kind, u.user_id), '[]')
       from ${USES} u where u.segment_id = s.segment_id) as used_by
    from segments.segments s`.execute(db)
  return rows
}

/** For a module above that uses a segment, or does so no more. */
export async function insertUse(tx: Sql, segmentId: number, use: SegmentUse): Promise<void> {
  await sql`
    insert into segments.uses (segment_id, user_kind, user_id, user_name)
    values (${segmentId}::bigint, ${use.user_kind}, ${use.user_id}::bigint, ${use.user_name})
    on conflict (segment_id, user_kind, user_id) do update set user_name = excluded.user_name`.execute(tx)
}

export async function deleteUse(tx: Sql, segmentId: number, use: Omit<SegmentUse, 'user_name'>): Promise<void> {
  await sql`
    delete from segments.uses where segment_id = ${segmentId}::bigint and user_kind = ${use.user_kind}
      and user_id = ${use.user_id}::bigint`.execute(tx)
}

export async function deleteSegment(tx: Sql, segmentId: number): Promise<void> {
  await sql`delete from segments.uses where user_kind = 'segment' and user_id = ${segmentId}::bigint`.execute(tx)
  await sql`delete from segments.segments where segment_id = ${segmentId}::bigint`.execute(tx)
}

/** By what everybody was looked at last. */
export async function updateEvaluated(
  tx: Sql,
  segmentId: number,
  evaluated: { version: number; settings: string; cuts: Date | null; run: number | null; now: Date },
): Promise<void> {
  await sql`
    update segments.segments
    set evaluated_version = ${evaluated.version}, evaluated_settings = ${evaluated.settings}, evaluated_cuts = ${evaluated.cuts},
      evaluated_run = ${evaluated.run}, evaluated_at = ${evaluated.now}
    where segment_id = ${segmentId}::bigint`.execute(tx)
}

export async function selectVersions(
  db: Sql,
  segmentId: number,
): Promise<{ version: number; definition: Definition; made_at: Date; made_by: string }[]> {
  const { rows } = await sql<{ version: number; definition: Definition; made_at: Date; made_by: string }>`
    select version, definition, made_at, made_by from segments.versions where segment_id = ${segmentId}::bigint
    order by version desc limit 200`.execute(db)
  return rows
}

/** Sizes of the days from `from` on, and the last one before it, which held on then. */
export async function selectSizes(db: Sql, segmentId: number, from: string): Promise<{ day: string; size: number }[]> {
  const { rows } = await sql<{ day: string; size: number }>`
    select day, size from segments.sizes
    where segment_id = ${segmentId}::bigint
      and day >= coalesce((
        select max(day) from segments.sizes where segment_id = ${segmentId}::bigint and day <= ${from}::date), ${from}::date)
    order by day`.execute(db)
  return rows
}
