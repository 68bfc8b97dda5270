import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { DB } from '../../generated/db.ts'
import { NO_TOMBSTONES, type Tombstones } from './tombstones.ts'

/** Typed access to a brand database, inside or outside a transaction. */
export type Sql = Kysely<DB>

const CONNECTIONS_MAX = 12
const CONNECT_TIMEOUT_MS = 10_000
const CANCEL_AGAIN_MS = 100

/**
 * bigint (int8) and sum(bigint) (numeric with scale 0) arrive as text. Ids and money in minor units stay far
 * below 2^53; a value above it would be silently rounded, so it is refused here, the one place of conversion.
 */
function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a JavaScript number`)
  return value
}

const typeParsers = new pg.TypeOverrides()
typeParsers.setTypeParser(pg.types.builtins.INT8, parseInt8)
typeParsers.setTypeParser(pg.types.builtins.DATE, (text) => text)
// bigint[] (1016) shares the element rule above.
typeParsers.setTypeParser(1016 as never, (text: string) =>
  text === '{}' ? [] : text.slice(1, -1).split(',').map(parseInt8),
)

export interface Database {
  readonly pool: pg.Pool
  readonly db: Sql
  /**
   * One transaction on one connection; `client` is that connection, for COPY. Rolls back when `work` throws, and when
   * `cancelling` is aborted before `work` has ended: whatever statement runs then, ends at once.
   * @throws Cancelled when it was cancelled; nothing of it is stored.
   */
  transaction<T>(work: (tx: Sql, client: pg.PoolClient) => Promise<T>, cancelling?: AbortSignal): Promise<T>
  /** What was erased from it. */
  readonly tombstones: Tombstones
  close(): Promise<void>
}

/** Opens a pool; connects only on first use. The session zone is UTC: brand days are made explicitly in SQL. */
export function openDatabase(url: string, tombstones: Tombstones = NO_TOMBSTONES): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    types: typeParsers,
    options: '-c timezone=UTC -c jit=off',
    application_name: 'perennial',
  })
  // An idle connection lost to a server restart must not end the process; the next query reports it.
  pool.on('error', () => {})
  // Nor must one that is lost between two statements of a transaction, when nobody waits for its answer.
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  return {
    pool,
    db,
    transaction: (work, cancelling) => inTransaction(pool, work, cancelling),
    tombstones,
    close: () => pool.end(),
  }
}

/** Statements that all see the database as it is at the first of them, and write nothing. */
export function atOneMoment<T>(db: Sql, work: (tx: Sql) => Promise<T>): Promise<T> {
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work)
}

/** Part of the caller's transaction. Undefined when it failed, and then nothing of it is stored; the transaction goes on. */
export async function orUndone<T>(tx: Sql, work: () => Promise<T>): Promise<T | undefined> {
  await sql`savepoint attempt`.execute(tx)
  try {
    const done = await work()
    await sql`release savepoint attempt`.execute(tx)
    return done
  } catch {
    await sql`rollback to savepoint attempt`.execute(tx)
    return undefined
  }
}

/** Somebody does not want it any more; nothing of it is stored. */
export class Cancelled extends Error {
  constructor(cause?: unknown) {
    super('It was cancelled.', { cause })
  }
}

async function inTransaction<T>(
  pool: pg.Pool,
  work: (tx: Sql, client: pg.PoolClient) => Promise<T>,
  cancelling: AbortSignal | undefined,
): Promise<T> {
  const client = await pool.connect()
  // Kysely's own transactions hide the connection, and COPY needs it: bind a Kysely to this one client instead.
  const bound = { query: client.query.bind(client), release: () => {} } as unknown as pg.PoolClient
  const tx = new Kysely<DB>({
    dialect: new PostgresDialect({ pool: { connect: async () => bound, end: async () => {} } as unknown as pg.Pool }),
  })
  let broken: Error | undefined
  try {
    await client.query('begin')
    const result = await (cancelling ? cancellable(pool, client, cancelling, () => work(tx, client)) : work(tx, client))
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((lost: Error) => {
      broken = lost
    })
    throw error
  } finally {
    client.release(broken)
  }
}

/**
 * Ends the statement that runs when it is not wanted any more: to sort out a million rows is one statement, and its signal
 * is looked at by nobody until it ends. Asked again and again, because between two statements the request is lost; and
 * waited for, so that none reaches the commit or whoever has the connection next.
 */
async function cancellable<T>(
  pool: pg.Pool,
  client: pg.PoolClient,
  cancelling: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  const over = new AbortController()
  let asking = Promise.resolve()
  const ask = async () => {
    while (!over.signal.aborted) {
      await pool.query('select pg_cancel_backend($1)', [rows[0]?.pid])
      await sleep(CANCEL_AGAIN_MS, undefined, { signal: over.signal }).catch(() => {})
    }
  }
  const begin = () => {
    asking = ask().catch(() => {})
  }
  cancelling.addEventListener('abort', begin, { once: true })
  try {
    if (cancelling.aborted) throw new Cancelled()
    const result = await work()
    if (cancelling.aborted) throw new Cancelled()
    return result
  } catch (error) {
    throw cancelling.aborted && !(error instanceof Cancelled) ? new Cancelled(error) : error
  } finally {
    cancelling.removeEventListener('abort', begin)
    over.abort()
    await asking
  }
}
