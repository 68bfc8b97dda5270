import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../src/platform/db.ts'

/** The tables that standing is kept in. */
const TABLES = ['eventful_occasions', 'eventful_orders', 'standing', 'depth_changes'].map(
  (table) => `relationship.${table}`,
)

export async function currentTransaction(database: Database): Promise<string> {
  const { rows } = await database.pool.query<{ id: string }>('select pg_current_xact_id()::xid::text as id')
  return rows[0]?.id ?? ''
}

/** Rows that transactions after this one wrote and that stand, RFM cuts included, and how many people they are about. */
export async function countWritten(database: Database, after: string): Promise<{ rows: number; people: number }> {
  const written = TABLES.map((table) => `select person_id from ${table} where age(xmin) < age($1::text::xid)`)
  const { rows } = await database.pool.query<{ rows: number; people: number }>(
    `select count(*) + (select count(*) from relationship.rfm_cuts where age(xmin) < age($1::text::xid)) as rows,
       count(distinct person_id) as people
     from (${written.join(' union all ')}) w`,
    [after],
  )
  return rows[0] ?? { rows: Number.NaN, people: Number.NaN }
}

/** Pages of tables and their indexes that `work` looked at, from memory or from disk; PostgreSQL's own catalogs apart. */
export async function pagesRead(database: Database, work: () => Promise<unknown>): Promise<number> {
  await untilNobodyAnalyses(database)
  const before = await countPages(database)
  await work()
  return (await countPages(database)) - before
}

/** A connection tells of its reads at the end of a query, but not twice within a second. */
const TOLD_MS = 1100

/** Waits until all connections have told what they read. */
export async function untilReadsAreTold({ pool }: Database): Promise<void> {
  await sleep(TOLD_MS)
  await Promise.all(Array.from({ length: pool.idleCount }, () => pool.query('select pg_stat_force_next_flush()')))
}

async function countPages(database: Database): Promise<number> {
  await untilReadsAreTold(database)
  const { pool } = database
  const { rows } = await pool.query<{ pages: number }>(`
    select coalesce(sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)), 0)::bigint as pages
    from pg_statio_user_tables`)
  return rows[0]?.pages ?? Number.NaN
}

const ANALYSES_MS_MAX = 120_000

/**
 * PostgreSQL gathers statistics of the tables that were filled: it reads them, and sees the database as it was when it began. Waits until
 * it has done so.
 */
export async function untilNobodyAnalyses(database: Database): Promise<void> {
  const deadline = performance.now() + ANALYSES_MS_MAX
  for (;;) {
    const { rows } = await database.pool.query<{ workers: number }>(
      `select count(*)::int as workers from pg_stat_activity where backend_type = 'autovacuum worker'`,
    )
    if (rows[0]?.workers === 0 || performance.now() > deadline) return
    await sleep(500)
  }
}
