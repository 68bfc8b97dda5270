import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from '../brand/schema.ts'
import type { Scope } from './queries.ts'

/*
 * How many people stand at each depth, by the brand's day of their last occasion and by how many they had. Kept in the
 * transaction that writes standing: counting a million people took 0.2 s for each figure, and ten thousand rows are read in 10 ms.
 *
 * What a refresh changes is appended to `people_count_changes` and never waits for another refresh; a row for each combination,
 * which two of them would both have had to write, made them take turns. The sum of both tables is the truth.
 */

const DAY = (zone: string) => sql`(last_occasion_at at time zone ${zone})::date`

export function countedBody(standing: RawBuilder<unknown>, zone: string): RawBuilder<unknown> {
  return sql`
    select depth, ${DAY(zone)} as last_occasion_day, occasions, count(*) as people from ${standing} group by 1, 2, 3`
}

/** Replaces the standing of `claimed_people` by the rows of a select body, and appends how many people are counted otherwise now. */
export async function replaceStanding(
  tx: Sql,
  made: RawBuilder<unknown>,
  { zone }: Pick<Settings, 'zone'>,
): Promise<void> {
  const columns = sql`depth, last_occasion_at, occasions`
  await sql`
    with gone as (
      delete from relationship.standing s using claimed_people c where s.person_id = c.person_id returning ${columns}
    )
    insert into relationship.people_count_changes
    select depth, last_occasion_day, occasions, -people from (${countedBody(sql`gone`, zone)}) counted`.execute(tx)
  await sql`
    with made as (insert into relationship.standing ${made} returning ${columns})
    insert into relationship.people_count_changes ${countedBody(sql`made`, zone)}`.execute(tx)
}

/** One writer of `people_counts` at a time. Who appends changes does not come here. */
async function lockCounts(tx: Sql): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('perennial people counts'))`.execute(tx)
}

/** Counts everybody anew. */
export async function recount(tx: Sql, { zone }: Pick<Settings, 'zone'>): Promise<void> {
  await lockCounts(tx)
  await sql`delete from relationship.people_count_changes`.execute(tx)
  await sql`delete from relationship.people_counts`.execute(tx)
  await sql`insert into relationship.people_counts ${countedBody(sql`relationship.standing`, zone)}`.execute(tx)
}

/** Changes that are read with every figure, before they are folded in: 5,000 cost a millisecond. */
const CHANGES_MAX = 5000

/** Folds the changes in when there are many. */
export async function foldCounts(tx: Sql, changesMax = CHANGES_MAX): Promise<void> {
  const { rows } = await sql<{ is_due: boolean }>`
    select count(*) > ${changesMax}::int as is_due
    from (select from relationship.people_count_changes limit ${changesMax + 1}) changes`.execute(tx)
  if (!rows[0]?.is_due) return
  await lockCounts(tx)
  await sql`
    with folded as (delete from relationship.people_count_changes returning *)
    insert into relationship.people_counts as c
    select depth, last_occasion_day, occasions, sum(people) from folded group by 1, 2, 3 having sum(people) <> 0
    on conflict on constraint people_counts_key do update set people = c.people + excluded.people`.execute(tx)
  await sql`delete from relationship.people_counts where people = 0`.execute(tx)
}

/** Who has lapsed since they were stored and is not yet settled: few, because they are within a minute. */
const DUE_MAX = 500

/** The present in parts that indexes serve: each person is in one of the two. */
export interface Present {
  /** Select body of standing as it is stored, of those for whom it holds; plain, so that its indexes are found. */
  readonly stored: RawBuilder<unknown>
  /** Select body of standing computed at once, of who has lapsed since; undefined: nobody has. */
  readonly due: RawBuilder<unknown> | undefined
  /** Select body (depth, last_occasion_day, occasions, people) of everybody. A combination may be in it several times. */
  readonly counts: RawBuilder<unknown>
}

/**
 * The present, to be read in the transaction of one moment in which it was asked for.
 * @returns undefined where more have lapsed than are worth taking along: then standing is read whole.
 */
export async function selectPresent(
  db: Sql,
  now: Date,
  columns: RawBuilder<unknown>,
  zone: string,
  standingOfThese: (scope: Scope) => RawBuilder<unknown>,
): Promise<Present | undefined> {
  const { rows: found } = await sql<{ person_id: number }>`
    select person_id from relationship.standing where lapses_at <= ${now} limit ${DUE_MAX + 1}`.execute(db)
  if (found.length > DUE_MAX) return undefined
  const counts = sql`
    select depth, last_occasion_day, occasions, people from relationship.people_counts
    union all
    select depth, last_occasion_day, occasions, people from relationship.people_count_changes`
  if (found.length === 0) {
    // Behind this question there is nobody to leave out, and the condition on lapses_at would cost the plain scan a fifth.
    return { stored: sql`select ${columns} from relationship.standing`, due: undefined, counts }
  }
  const these: Scope = sql`= any(${found.map((row) => row.person_id)}::bigint[])`
  // Computed once, and taken along as a value: four figures ask for it.
  const { rows } = await sql<{ due: string }>`
    select coalesce(jsonb_agg(to_jsonb(s)), '[]')::text as due from (${standingOfThese(these)}) s`.execute(db)
  const due = sql`
    select ${columns} from jsonb_populate_recordset(null::relationship.standing, ${rows[0]?.due ?? '[]'}::jsonb) d`
  return {
    stored: sql`select ${columns} from relationship.standing where lapses_at is null or lapses_at > ${now}`,
    due,
    counts: sql`
      ${counts}
      union all
      select depth, ${DAY(zone)}, occasions, -1 from relationship.standing where person_id ${these}
      union all
      select depth, ${DAY(zone)}, occasions, 1 from (${due}) d`,
  }
}
