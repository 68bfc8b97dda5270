import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { LastFit, Total } from './queries.ts'

/*
 * Values as of one past day, beside those of now: what their tables hold besides, and how the day's facts come there.
 */

/** The tables of a past day that have rows of people. */
export const PAST_OF_PEOPLE = [
  'past_people',
  'past_propagation',
  'past_referral_edges',
  'past_settled',
  'past_standing',
  'past_came',
] as const

/** All that is kept of another past day goes. */
export async function clearPast(tx: Sql): Promise<void> {
  for (const name of [...PAST_OF_PEOPLE, 'past_cuts', 'past_fits']) {
    await sql`delete from ${sql.table(`value.${name}`)}`.execute(tx)
  }
}

/** @param standing as of the day, a select body. */
export async function insertPastStanding(tx: Sql, standing: RawBuilder<unknown>): Promise<void> {
  await sql`
    insert into value.past_standing (person_id, depth, last_occasion_at, net_paid_minor)
    select person_id, depth, last_occasion_at, net_paid_minor from (${standing}) s`.execute(tx)
  await sql`analyze value.past_standing`.execute(tx)
}

/** When the brand's first purchase was that counts at `now`, and its last one; undefined where there is none. */
export async function selectPurchases(db: Sql, now: Date): Promise<{ first: Date; last: Date } | undefined> {
  const { rows } = await sql<{ first: Date | null; last: Date | null }>`
    select min(occasion_at) as first, max(occasion_at) as last from relationship.published_occasions
    where from_at <= ${now} and to_at > ${now} and occasion_at <= ${now}`.execute(db)
  const [row] = rows
  return row?.first && row.last ? { first: row.first, last: row.last } : undefined
}

/** What each of some people was to bring since the day. */
export async function insertExpectedSince(
  tx: Sql,
  personIds: readonly number[],
  expected: readonly number[],
): Promise<void> {
  await sql`
    insert into value.past_came (person_id, known_expected_minor, came_minor)
    select person_id, expected, 0 from unnest(${personIds}::bigint[], ${expected}::bigint[]) s (person_id, expected)`.execute(
    tx,
  )
}

export async function updateExpectedSince(tx: Sql, fitId: number, { expected, low, high }: Total): Promise<void> {
  await sql`
    update value.past_fits set known_expected_minor = ${expected}, known_low_minor = ${low}, known_high_minor = ${high}
    where fit_id = ${fitId}`.execute(tx)
}

/** What came of each person after `at` and until `until`, of the purchases that count at `now`, at the margin rate of the run. */
export async function updateCame(tx: Sql, span: { at: Date; until: Date; now: Date }): Promise<void> {
  await sql`
    update value.past_came k set came_minor = round(c.paid_minor * coalesce(f.margin_rate, 1))::bigint
    from (
      select person_id, sum(net_minor) as paid_minor from relationship.published_occasions
      where from_at <= ${span.now} and to_at > ${span.now} and occasion_at > ${span.at} and occasion_at <= ${span.until}
      group by person_id
    ) c, value.past_fits f
    where c.person_id = k.person_id`.execute(tx)
}

/** When it was worked out, until when what came is known (null: not a day), and what came of those who could be reached. */
export async function updatePastFit(tx: Sql, workedOutAt: Date, knownUntil: Date | null): Promise<void> {
  await sql`
    update value.past_fits set worked_out_at = ${workedOutAt}, known_until = ${knownUntil}::timestamptz,
      came_minor = case when ${knownUntil}::timestamptz is not null then (
        select coalesce(sum(k.came_minor), 0)::bigint
        from value.past_came k join value.past_standing s using (person_id) where s.depth >= 1) end`.execute(tx)
}

/** The run of a past day, with what its fit has beside. */
export type PastFit = LastFit & {
  readonly worked_out_at: Date
  readonly known_until: Date | null
  readonly known_expected_minor: number | null
  readonly known_low_minor: number | null
  readonly known_high_minor: number | null
  readonly came_minor: number | null
}

export async function selectPastFit(db: Sql): Promise<PastFit | undefined> {
  const { rows } = await sql<PastFit>`select * from value.past_fits`.execute(db)
  return rows[0]
}

/** Of `claimed_people`, whoever is somebody else by now: the list behind a figure has nobody to show for them. */
export async function deleteMergedPast(tx: Sql): Promise<void> {
  for (const name of PAST_OF_PEOPLE) {
    await sql`
      delete from ${sql.table(`value.${name}`)} v using claimed_people c
      where v.person_id = c.person_id
        and not exists (select from relationship.published_standing s where s.person_id = c.person_id)`.execute(tx)
  }
}

/** Of `erased_identities`: an edge tells of both its ends. */
export async function erasePast(tx: Sql): Promise<void> {
  for (const name of PAST_OF_PEOPLE) {
    await sql`
      delete from ${sql.table(`value.${name}`)} v using erased_identities e where v.person_id = e.person_id`.execute(tx)
  }
  await sql`
    delete from value.past_referral_edges v using erased_identities e where v.referrer_person_id = e.person_id`.execute(
    tx,
  )
}
