import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { PeopleScope } from '../../platform/roles.ts'

/**
 * Whether a person is one of those that somebody may see, as a predicate: the one place where a scope becomes SQL, for
 * every module. Of an adviser it is whoever has a live connection to their staff id, whatever instant is asked about.
 */
export function inScope(personId: RawBuilder<unknown>, scope: PeopleScope): RawBuilder<unknown> {
  if (scope === 'everyone') return sql`true`
  return sql`exists (
    select from customers.published_connections own
    where own.person_id = ${personId} and own.staff = ${scope.staff} and own.begun_at <= ${scope.at}
      and (own.ended_at is null or own.ended_at > ${scope.at}))`
}

/** Those rows of a select body that are of people in scope; the body as it is for who sees everyone. */
export function ofScope(body: RawBuilder<unknown>, scope: PeopleScope): RawBuilder<unknown> {
  if (scope === 'everyone') return body
  return sql`select scoped.* from (${body}) scoped where ${inScope(sql`scoped.person_id`, scope)}`
}

/** Asked before anything else is, so that somebody else's person takes as long as one that is not there. */
export async function isInScope(db: Sql, personId: number, scope: PeopleScope): Promise<boolean> {
  if (scope === 'everyone') return true
  const { rows } = await sql<{ found: boolean }>`
    select ${inScope(sql`${personId}::bigint`, scope)} as found`.execute(db)
  return rows[0]?.found ?? false
}

/** Whether there is such a person: whoever was merged into another or erased is not. */
export async function isPerson(db: Sql, personId: number): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (select from customers.published_people where person_id = ${personId}) as found`.execute(db)
  return rows[0]?.found ?? false
}

/**
 * Everyone as shares of about the same size, predicates on a person's number, and the highest number: what is worked out for everyone
 * share by share (`union all`) is, where a share is not worked out on several cores itself, on all of them. More shares than cores, so
 * that nobody waits long for the last one; and what is set for the transaction has whole shares worked out side by side, and not a part
 * of one: with that inside no share runs beside another, and at a million people standing took 30 s on one core in place of 15.
 */
export async function shareOutPeople(
  tx: Sql,
  shares = 4,
): Promise<{ readonly last: number; readonly shares: RawBuilder<unknown>[] }> {
  const { rows } = await sql<{ last: number | null }>`
    select max(person_id) as last from customers.published_canonical`.execute(tx)
  const last = rows[0]?.last ?? 0
  await sql`select set_config('parallel_setup_cost', ${String(Math.max(1000, last / 20))}, true)`.execute(tx)
  const cut = (share: number) => Math.floor((last * share) / shares)
  return {
    last,
    shares: Array.from({ length: shares }, (_, share) =>
      share === shares - 1 ? sql`> ${cut(share)}` : sql`between ${cut(share) + 1} and ${cut(share + 1)}`,
    ),
  }
}
