import type { AuditEntry } from '../../platform/audit.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isRefusal, type Refusal } from '../../platform/refusal.ts'
import { deleteEntries, insertEntry, selectEntries } from './queries.ts'
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

const DAY_MS = 86_400_000
/**
 * How long entries are kept. What people did for three years, as the law on personal information asks of records of handling it
 * (PIPL, article 56). What programs sent, thousands of entries a day, for 90 days: who sent a fact and when is on the fact.
 */
const KEPT = [
  { kinds: ['user', 'command_line'], days: 3 * 365 },
  { kinds: ['api_key', 'webhook'], days: 90 },
] as const

/** Lets go of entries whose time is over, in short transactions. @returns how many. */
export async function pruneAudit(database: Database, now: Date): Promise<number> {
  let gone = 0
  for (const { kinds, days } of KEPT) {
    const before = new Date(now.getTime() - days * DAY_MS)
    for (let more = 1; more > 0; gone += more) {
      more = await database.transaction((tx) => deleteEntries(tx, kinds, before))
    }
  }
  return gone
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
