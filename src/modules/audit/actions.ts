import type { AuditEntry } from '../../platform/audit.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isRefusal, type Refusal } from '../../platform/refusal.ts'
import { insertEntry, selectEntries } from './queries.ts'
import type { AuditPage, AuditQuery } from './schema.ts'

/** Writes an entry, in the transaction of what it tells of where there is one. */
export function recordAudit(tx: Sql, entry: AuditEntry, now: Date): Promise<void> {
  return insertEntry(tx, entry, now)
}

/** A write and its entry, in one transaction; what was refused leaves none. */
export function audited<T>(
  database: Database,
  now: Date,
  write: (tx: Sql) => Promise<T | Refusal>,
  entryOf: (done: Exclude<T, Refusal>) => AuditEntry,
): Promise<T | Refusal> {
  return database.transaction(async (tx) => {
    const done = await write(tx)
    if (!isRefusal(done)) await insertEntry(tx, entryOf(done as Exclude<T, Refusal>), now)
    return done
  })
}

/** One page of the log, the latest first. */
export async function listAudit(db: Sql, query: AuditQuery): Promise<AuditPage> {
  const rows = await selectEntries(db, query)
  return {
    entries: rows.map((row) => ({
      entry_id: row.entry_id,
      done_at: row.done_at.toISOString(),
      actor: { kind: row.actor_kind, id: row.actor_id, name: row.actor_name },
      operation: row.operation,
      subjects: row.subjects,
      fields: row.fields,
    })),
    next: rows.length === query.limit ? (rows.at(-1)?.entry_id ?? null) : null,
  }
}
