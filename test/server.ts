import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { openDatabase } from '../src/platform/db.ts'
import { type Cluster, openCluster } from '../src/platform/embedded-postgres.ts'
import { type MigrationSet, migrate } from '../src/platform/migrate.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { scratchFolder } from './scratch.ts'

export const root = resolve(import.meta.dirname, '..')

/** Env variable by which the runner tells its test processes where the server is: url of a maintenance database. */
export const SERVER_ENV = 'PERENNIAL_TEST_SERVER'

/**
 * Env variable by which the runner says how many of its random histories a property meets: `chosen`, on the second server, those
 * of its usual seed alone, or a number of times as many as in `npm test`.
 */
export const HISTORIES_ENV = 'PERENNIAL_TEST_HISTORIES'

export const TEMPLATES: Record<MigrationSet, string> = {
  brand: 'perennial_template_brand',
  installation: 'perennial_template_installation',
}

export interface TestServer {
  /** Url of the maintenance database. */
  readonly url: string
  /** e.g. `18.4`. */
  readonly version: string
  stop(): Promise<void>
}

/**
 * A throw-away PostgreSQL in a temp folder, with the migrated templates that `testDatabase` clones.
 *
 * @param options.pgBin folder with initdb, pg_ctl and postgres; the packaged PostgreSQL when left out.
 * @throws Error when the server cannot be started or the migrations fail; nothing is left behind.
 */
export async function startTestServer(options: { pgBin?: string } = {}): Promise<TestServer> {
  const home = await mkdtemp(join(scratchFolder(), 'perennial-test-'))
  // As root the server runs under another account, which has to pass through this folder (mkdtemp makes it 0700).
  await chmod(home, 0o755)
  const unwatch = watch(home)
  let cluster: Cluster | undefined
  const stop = async () => {
    await cluster?.release()
    cluster = undefined
    await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    await unwatch()
  }
  try {
    const opened = await openCluster({ home, root, pgBin: options.pgBin, settings: FAST_SETTINGS }, 'server')
    if (isRefusal(opened)) throw new Error(`${opened.message} ${opened.remedy}`)
    cluster = opened
    for (const set of ['brand', 'installation'] as const) await makeTemplate(opened, set)
    return { url: opened.url, version: await serverVersion(opened.url), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Has the folder and its server removed when this process ends without `stop`; see watchdog.ts. */
function watch(home: string): () => Promise<void> {
  const watchdog = spawn(process.execPath, [join(import.meta.dirname, 'watchdog.ts'), home], {
    // A process group of its own: Ctrl-C in a terminal is not for it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.unref()
  // Its end of the pipe may be gone first, and neither that nor an open pipe is a reason to fail or to wait.
  watchdog.stdin.on('error', () => {})
  if ('unref' in watchdog.stdin && typeof watchdog.stdin.unref === 'function') watchdog.stdin.unref()
  const exited = once(watchdog, 'exit')
  return async () => {
    watchdog.ref()
    watchdog.stdin.end()
    await exited
  }
}

/** What a crash could lose is thrown away anyway. Two test files at a time, each with a pool of 12, and some room. */
const FAST_SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '100',
  // In memory a log of 4 GB would be taken from the tests, and a checkpoint costs nothing.
  max_wal_size: '256MB',
}

async function makeTemplate(cluster: Cluster, set: MigrationSet): Promise<void> {
  await withClient(cluster.url, (client) => client.query(`create database ${TEMPLATES[set]}`))
  const database = openDatabase(cluster.databaseUrl(TEMPLATES[set]))
  try {
    await migrate(database, root, set)
  } finally {
    await database.close()
  }
}

async function serverVersion(url: string): Promise<string> {
  const { rows } = await withClient(url, (client) =>
    client.query<{ version: string }>(`select current_setting('server_version') as version`),
  )
  // Debian's own builds say `15.12 (Debian 15.12-0+deb12u2)`.
  return rows[0]?.version.split(' ')[0] ?? 'unknown'
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
