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
