import { sql } from 'kysely'
import type { AuditEntry } from '../../platform/audit.ts'
import type { Sql } from '../../platform/db.ts'
import type { AuditQuery } from './schema.ts'

export async function insertEntry(
  tx: Sql,
  { actor, operation, subjects, fields }: AuditEntry,
  now: Date,
): Promise<void> {
  await sql`
    insert into audit.entries (done_at, actor_kind, actor_id, actor_name, operation, subjects, fields)
    values (${now}, ${actor.kind}, ${actor.id}, ${actor.name}, ${operation}, ${JSON.stringify(subjects)}::jsonb,
      ${fields ?? []}::text[])`.execute(tx)
}

const LET_GO_AT_ONCE = 20_000

/** Lets go of entries of these kinds of actors that are older. @returns how many, at most so many at once. */
export async function deleteEntries(tx: Sql, kinds: readonly string[], before: Date): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from audit.entries where ctid = any(array(
      select ctid from audit.entries where done_at < ${before} and actor_kind = any(${kinds}::text[]) limit ${LET_GO_AT_ONCE}))`.execute(
    tx,
  )
  return Number(numAffectedRows ?? 0)
}

export interface EntryRow {
  readonly entry_id: number
  readonly done_at: Date
  readonly actor_kind: 'user' | 'api_key' | 'webhook' | 'command_line'
  readonly actor_id: string | null
  readonly actor_name: string
  readonly operation: string
  readonly subjects: Record<string, unknown>
  readonly fields: string[]
}

export async function selectEntries(db: Sql, query: AuditQuery): Promise<EntryRow[]> {
  const { operation = null, actor_id: actorId = null, after = null } = query
  const { rows } = await sql<EntryRow>`
    select entry_id, done_at, actor_kind, actor_id, actor_name, operation, subjects, fields from audit.entries
    where (${after}::bigint is null or entry_id < ${after}::bigint)
      and (${operation}::text is null or operation = ${operation}) and (${actorId}::text is null or actor_id = ${actorId})
    order by entry_id desc limit ${query.limit}`.execute(db)
  return rows
}
