import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type Binaries, findBinaries } from './embedded-postgres-binaries.ts'
import {
  ensurePassword,
  findOrphans,
  findPlace,
  locateCluster,
  maybe,
  type Place,
  prepareHome,
  withFolderLock,
} from './embedded-postgres-folder.ts'
import {
  boundLog,
  clearCrash,
  createCluster,
  inspectPostmaster,
  type Postmaster,
  startPostmaster,
  stopPostmaster,
} from './embedded-postgres-process.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'

/**
 * The PostgreSQL of one data folder: made on first use, started by whoever needs it first, shared by everybody who
 * comes while it runs, and stopped by the last one out. It outlives a crash of its users, and is brought back after
 * a crash of its own (docs/adr has why a real server and not an in-process one).
 *
 * Each user holds a shared advisory lock for life on a connection of its own, the app server an exclusive second
 * one. They are PostgreSQL's locks and not files because they go when their process does, however it dies.
 */
export interface Cluster {
  /** postgres://perennial:<password>@127.0.0.1:<port>/postgres: the maintenance database, as superuser. */
  readonly url: string
  readonly port: number
  /** Process id of the postmaster; another one after `recover`. */
  readonly serverPid: number
  /** What opening took: made, started, joined while running, or started after it had died. */
  readonly started: Started
  /** Url of another database of the same cluster. */
  databaseUrl(name: string): string
  /** Gives up this process's use; PostgreSQL stops cleanly when nobody else uses it. Close pools first. Idempotent. */
  release(): Promise<void>
  /** Calls back whenever PostgreSQL has ended this process's connection without being asked to: it died or restarts. */
  onLost(callback: () => void): void
  /**
   * Brings PostgreSQL back after a loss, on the same port, and takes the locks again; does nothing without a loss.
   * @throws Error when it does not start, its port was taken meanwhile, or another server took the data folder over.
   */
  recover(): Promise<void>
}

export type Started = 'created' | 'started' | 'attached' | 'recovered'

export interface ClusterOptions {
  /** The data folder, absolute. */
  readonly home: string
  /** Folder with initdb and postgres to use in place of the packaged binaries. */
  readonly pgBin?: string | undefined
  /** PostgreSQL settings on top of SETTINGS; tests turn fsync off. */
  readonly settings?: Record<string, string>
  /** The checkout, with node_modules in it. */
  readonly root: string
}

/** Facts for people who look after an installation. */
export interface ClusterFacts {
  /** The folder that holds the cluster's `data` and `postgres.log`. */
  readonly location: string
  readonly state: 'absent' | 'stopped' | 'running' | 'crashed'
  /** Major version that made the cluster. */
  readonly major: string | undefined
  readonly port?: number
  readonly pid?: number
  /** Clusters under /var/lib/perennial whose data folder is gone. */
  readonly orphans: readonly string[]
  /** The settings that a start would use. */
  readonly settings: Record<string, string>
}

const MB = 2 ** 20
const BUFFERS_MB_MIN = 256
const BUFFERS_MB_MAX = 4096

/**
 * Pages that PostgreSQL keeps itself: a sixteenth of the memory, which leaves the rest to the file cache, to sorts and to Node. A page
 * that is not among them is copied and its checksum worked out, and often another one is written first: of a million people members of
 * 10,000 facts took 0.85 to 1.07 s with 1 GB and 0.87 to 1.57 s with 256 MB, in turn.
 */
export function sharedBuffersOf(memoryBytes: number): string {
  const megabytes = Math.floor(memoryBytes / 16 / MB)
  return `${Math.min(Math.max(megabytes, BUFFERS_MB_MIN), BUFFERS_MB_MAX)}MB`
}

/** What this process may use: a container's limit is not what the machine has. */
const MEMORY_BYTES = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)

/** For a machine with 2 cores and 4 GB or more that also runs the app. Given on the command line: they win over the files. */
export const SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: sharedBuffersOf(MEMORY_BYTES),
  // Per sort or hash: set statements over a million people stay in memory, 60 sessions never all sort at once.
  work_mem: '32MB',
  // Index builds of the build-and-swap tables.
  maintenance_work_mem: '256MB',
  // What the planner may expect to find in memory, file cache included.
  effective_cache_size: '1GB',
  // Bulk imports without a checkpoint every few seconds; also the upper bound of a crash recovery.
  max_wal_size: '4GB',
  checkpoint_completion_target: '0.9',
  // A thirty-second of shared_buffers is the default, and was full thousands of times while the standing of 10,000 people was
  // written after a checkpoint, each page of it whole: 1.7 s, and 1.35 s with this.
  wal_buffers: '64MB',
  // The log's writer wakes every 200 ms by default. While 10,000 people are refreshed after a checkpoint the buffer fills faster than that,
  // and each connection then wrote the log itself, page by page, ten thousand times, while the others waited: 1.33 to 1.7 s, and 1.0 to
  // 1.3 s with this. Idle, it sleeps 25 times as long.
  wal_writer_delay: '5ms',
  // Compiling costs more than it gives below some ten seconds of a statement.
  jit: 'off',
  // A pool of 12 for each of four brands, command lines beside them, locks and reserve.
  max_connections: '60',
  // Of the ways to compress only pglz is compiled in everywhere, and it takes more of the processor than it spares of the disk:
  // the standing of 10,000 people after a checkpoint took 2 to 3 times as long with it, for 60 MB of log in place of 118.
  wal_compression: 'off',
  // Nobody streams this log, and a backup is a copy of the tables. So a table that is made and filled in one transaction, as
  // by a rebuild, goes to disk once and not twice.
  wal_level: 'minimal',
  max_wal_senders: '0',
  // Two cores, measured on a scan of 8M rows: 0.61 s alone, 0.38 s with one worker, 0.40 s with two; four cores gain.
  max_parallel_workers_per_gather: '2',
  // Solid state disks: an index is worth its random reads.
  random_page_cost: '1.1',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Customers' data stays out of the log: no statements of failed queries, no "Key (phone)=(…)" details.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
}

// Advisory locks, in the database postgres: (application, which).
const LOCK_APPLICATION = 0x70657265
const LOCK_USER = 1
const LOCK_SERVER = 2

const OPEN_MS_MAX = 30_000
const CONNECT_MS_MAX = 5_000
const LOG_CHECK_MS = 60_000
const PORT_TRIES_MAX = 20
const STARTS_MAX = 3
/** Below the range that systems give to outgoing connections, so that a restart finds its port free again. */
const PORT_MIN = 20_000
const PORT_END = 32_768
const INVALID_PASSWORD = '28P01'

type Role = 'server' | 'command'

/** What opening needs to know, and recovery again. */
interface Opening {
  readonly place: Place
  readonly binaries: Binaries
  readonly password: string
  readonly settings: Record<string, string>
  readonly role: Role
}

/** A running PostgreSQL with this process's locks on it. */
interface Hold {
  readonly client: pg.Client
  readonly pid: number
  readonly port: number
  readonly started: Started
}

/**
 * Opens the cluster of a data folder, making or starting it if need be.
 *
 * `server` is the one app server of the data folder and is refused while another lives. `command` is a command of
 * the command line: it joins a running server, or has PostgreSQL for itself.
 *
 * @throws Error with the tail of PostgreSQL's log when it cannot be made or started (a full disk, say).
 */
export async function openCluster(options: ClusterOptions, role: Role): Promise<Cluster | Refusal> {
  const home = await prepareHome(options.home)
  if (isRefusal(home)) return home
  return await withFolderLock(home, async () => {
    const place = await findPlace(home)
    if (isRefusal(place)) return place
    const binaries = await findBinaries(options.root, options.pgBin, place)
    if (isRefusal(binaries)) return binaries
    const made = place.exists ? (await readFile(join(place.data, 'PG_VERSION'), 'utf8')).trim() : binaries.major
    if (made !== binaries.major) return otherMajor(place, made, binaries)
    const password = await ensurePassword(place)
    if (isRefusal(password)) return password
    const settings = { ...SETTINGS, ...options.settings }
    const opening = { place, binaries, password, settings, role }
    if (!place.exists) await createCluster(place, binaries.bin, password, settings.fsync !== 'off')
    const hold = await takeHold(opening)
    if (isRefusal(hold)) return hold
    return keepCluster(opening, place.exists ? hold : { ...hold, started: 'created' })
  })
}

function otherMajor(place: Place, made: string, binaries: Binaries): Refusal {
  return refuse(
    'conflict',
    'other_major',
    `The database in ${place.folder} was made by PostgreSQL ${made}; ` +
      `this is PostgreSQL ${binaries.major} (${binaries.bin}).`,
    `Name a PostgreSQL ${made} by PG_BIN to go on with it. To move: run it so, make a backup, ` +
      `and restore the backup into a new data folder with PostgreSQL ${binaries.major}.`,
  )
}

/** Facts for `doctor` and the health page; starts and changes nothing. */
export async function inspectCluster(options: ClusterOptions): Promise<ClusterFacts> {
  const { folder } = await locateCluster(options.home)
  const data = join(folder, 'data')
  const vitals = await inspectPostmaster(data)
  return {
    location: folder,
    state: vitals.state,
    major: (await maybe(readFile(join(data, 'PG_VERSION'), 'utf8')))?.trim(),
    ...(vitals.state === 'running' && vitals.port !== undefined ? { port: vitals.port } : {}),
    ...(vitals.state === 'running' ? { pid: vitals.pid } : {}),
    orphans: await findOrphans(),
    settings: { ...SETTINGS, ...options.settings },
  }
}

/** Attaches to the running PostgreSQL, or starts it; `port` is kept when it is given. Under the folder lock. */
async function takeHold(opening: Opening, port?: number): Promise<Hold | Refusal> {
  const { place } = opening
  let began = performance.now()
  let started: Started = 'attached'
  let starts = 0
  while (performance.now() - began < OPEN_MS_MAX) {
    const vitals = await inspectPostmaster(place.data)
    if (vitals.state === 'running') {
      const hold = await lockIn(opening, vitals, started).catch(async (error: Error) => {
        // Started for nothing (a wrong password, say), and so far known to nobody else.
        if (starts > 0) await stopPostmaster(place, vitals)
        throw error
      })
      if (hold !== 'later') return hold
      await sleep(20)
      continue
    }
    if (vitals.state === 'crashed') await clearCrash(place.data, vitals.pid)
    if (++starts > STARTS_MAX) throw new Error(`PostgreSQL in ${place.folder} ends after each start: see ${place.log}`)
    await startOnPort(opening, port)
    // A start may have replayed minutes of log; the wait for a connection begins here.
    began = performance.now()
    started = vitals.state === 'crashed' ? 'recovered' : 'started'
  }
  return refuse(
    'conflict',
    'starting',
    `PostgreSQL in ${place.folder} runs, and has not accepted connections for 30 s.`,
    'It may be replaying its log after a crash: see postgres.log, and try again.',
  )
}

async function startOnPort({ place, binaries, settings }: Opening, port: number | undefined): Promise<void> {
  const previous = port ?? (await previousPort(place))
  for (let attempt = 0; attempt < PORT_TRIES_MAX; attempt++) {
    // The same port again if possible: pools of a process that waits for the recovery keep their url.
    const candidate = port ?? (attempt === 0 && previous ? previous : randomInt(PORT_MIN, PORT_END))
    const isFree = await isPortFree(candidate)
    const fixed = { port: String(candidate), listen_addresses: '127.0.0.1', unix_socket_directories: '' }
    if (isFree && (await startPostmaster(place, binaries.bin, { ...settings, ...fixed })) !== 'port_taken') return
    if (port !== undefined) await sleep(500)
  }
  throw new Error(
    `No free port for PostgreSQL on 127.0.0.1${port === undefined ? '' : `: ${port} was taken by another program`}`,
  )
}

/** PostgreSQL notes the command line of each start in postmaster.opts. */
async function previousPort(place: Place): Promise<number | undefined> {
  const options = (await maybe(readFile(join(place.data, 'postmaster.opts'), 'utf8'))) ?? ''
  return Number(/"port=(\d+)"/.exec(options)?.[1]) || undefined
}

async function isPortFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer().once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

/** Connects and takes this role's locks. `later`: PostgreSQL is starting or stopping at this moment. */
async function lockIn(opening: Opening, server: Postmaster, started: Started): Promise<Hold | Refusal | 'later'> {
  const { pid, port } = server
  if (port === undefined) return 'later'
  const client = new pg.Client({
    connectionString: urlOf(opening.password, port, 'postgres'),
    application_name: `perennial ${opening.role} ${process.pid}`,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    options: '-c idle_session_timeout=0',
  })
  // Its end is told by 'end'; without a listener 'error' would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    if (await tryLock(client, 'pg_try_advisory_lock_shared', LOCK_USER)) {
      if (opening.role === 'command') return { client, pid, port, started }
      if (await tryLock(client, 'pg_try_advisory_lock', LOCK_SERVER)) return { client, pid, port, started }
      const holder = await serverPid(client)
      await client.end()
      // Killed a moment ago: PostgreSQL takes its lock away as soon as it has noticed.
      if (holder !== undefined && !isAlive(holder)) return 'later'
      return alreadyRunning(holder, opening.place)
    }
  } catch (error) {
    const code = (error as { code?: string }).code ?? ''
    if (code === INVALID_PASSWORD) {
      throw new Error(`The password in ${join(opening.place.home, 'secrets')} is not that of the database`, {
        cause: error,
      })
    }
    // 57P01 to 57P03: shutting down, starting up, recovering. What PostgreSQL did not say: the connection broke.
    if (error instanceof pg.DatabaseError && !code.startsWith('57P')) throw error
  }
  await client.end().catch(() => {})
  return 'later'
}

async function tryLock(client: pg.Client, form: string, which: number): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(`select ${form}($1, $2) as taken`, [LOCK_APPLICATION, which])
  return rows[0]?.taken === true
}

/** Gives this process's locks back; true, with everybody shut out, when nobody else holds one. */
async function isLastUser(client: pg.Client): Promise<boolean> {
  try {
    await client.query('select pg_advisory_unlock_all()')
    return await tryLock(client, 'pg_try_advisory_lock', LOCK_USER)
  } catch {
    // The connection broke, and its locks with it; there may be nothing left to stop.
    return false
  }
}

/** The process that holds the server's lock, as its connection says; undefined when it has just gone. */
async function serverPid(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ name: string }>(
    `select a.application_name as name from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory' and l.granted and l.objsubid = 2
       and l.classid = $1::bigint::oid and l.objid = $2::bigint::oid`,
    [LOCK_APPLICATION, LOCK_SERVER],
  )
  return Number(/\d+$/.exec(rows[0]?.name ?? '')?.[0]) || undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process may not be signalled, and lives.
    return (error as { code?: string }).code === 'EPERM'
  }
}

function alreadyRunning(pid: number | undefined, place: Place): Refusal {
  return refuse(
    'conflict',
    'already_running',
    `A Perennial server already runs on ${place.home}${pid ? ` (process ${pid})` : ''}.`,
    'Use that one, stop it first, or name another data folder by PERENNIAL_HOME.',
  )
}

function keepCluster(opening: Opening, first: Hold): Cluster {
  const { place, password } = opening
  const callbacks: (() => void)[] = []
  let hold = first
  let isLost = false
  let recovering: Promise<void> | undefined
  let releasing: Promise<void> | undefined
  const logCheck = setInterval(() => void boundLog(place.log).catch(() => {}), LOG_CHECK_MS).unref()

  function watch(client: pg.Client): void {
    client.once('end', () => {
      if (releasing || client !== hold.client) return
      isLost = true
      for (const callback of callbacks) callback()
    })
  }

  async function bringBack(): Promise<void> {
    const found = await withFolderLock(place.home, () => takeHold(opening, first.port))
    if (isRefusal(found)) throw new Error(`${found.message} ${found.remedy}`)
    if (found.port !== first.port) {
      await found.client.end()
      throw new Error(`PostgreSQL in ${place.folder} now runs on port ${found.port}; this process needs a restart`)
    }
    hold = found
    isLost = false
    watch(found.client)
  }

  async function letGo(): Promise<void> {
    clearInterval(logCheck)
    await recovering?.catch(() => {})
    if (isLost) return
    await withFolderLock(place.home, async () => {
      // Under the folder lock nobody is between finding PostgreSQL running and locking it.
      if (await isLastUser(hold.client)) await stopPostmaster(place, hold)
    }).finally(() => hold.client.end())
  }

  watch(first.client)
  return {
    url: urlOf(password, first.port, 'postgres'),
    port: first.port,
    started: first.started,
    get serverPid() {
      return hold.pid
    },
    databaseUrl: (name) => urlOf(password, first.port, name),
    onLost: (callback) => {
      callbacks.push(callback)
      if (isLost) callback()
    },
    recover: () => {
      if (!isLost || releasing) return recovering ?? Promise.resolve()
      recovering ??= bringBack().finally(() => {
        recovering = undefined
      })
      return recovering
    },
    release: () => {
      releasing ??= letGo()
      return releasing
    },
  }
}

function urlOf(password: string, port: number, database: string): string {
  return `postgres://perennial:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`
}
