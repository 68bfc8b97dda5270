import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, open, readdir, readFile, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { renameForGood } from './durable-file.ts'
import {
  CHILD_ENVIRONMENT,
  giveToAccount,
  maybe,
  type Place,
  run,
  tieToCluster,
  tieToHome,
} from './embedded-postgres-folder.ts'

// The postmaster as a process: made, started, found, stopped, and cleaned up after. All but `inspectPostmaster`
// and `boundLog` are called under the folder lock only.

/** A long crash recovery replays up to max_wal_size of log; killing it would only make the next one start over. */
const START_MS_MAX = 600_000
const STOP_MS_MAX = 60_000
const LOG_BYTES_MAX = 8_000_000
const LOG_TAIL_BYTES = 2_000
/** Below this a full disk is worth naming as a cause. */
const FREE_MB_MIN = 500
/** Backends that outlived their postmaster: first they may finish, then they are told to end, then they are ended. */
const ORPHAN_QUIT_AFTER_MS = 5_000
const ORPHAN_KILL_AFTER_MS = 7_000
const ORPHAN_MS_MAX = 10_000

const hasProc = process.platform === 'linux'

export interface Postmaster {
  readonly pid: number
  /** Undefined while the pid file is being written. */
  readonly port: number | undefined
}

export type Vitals = { readonly state: 'absent' | 'stopped' } | ({ readonly state: 'running' | 'crashed' } & Postmaster)

/** What the cluster's pid file and the processes of this machine say; changes nothing. */
export async function inspectPostmaster(data: string): Promise<Vitals> {
  if (!(await maybe(stat(join(data, 'PG_VERSION'))))) return { state: 'absent' }
  const postmaster = await readPidFile(data)
  if (!postmaster) return { state: 'stopped' }
  return { state: (await isPostmaster(postmaster, data)) ? 'running' : 'crashed', ...postmaster }
}

/** postmaster.pid: line 1 the pid, line 4 the port, line 8 the state. An empty file is one being written. */
async function readPidFile(data: string): Promise<(Postmaster & { isReady: boolean }) | undefined> {
  const text = await maybe(readFile(join(data, 'postmaster.pid'), 'utf8'))
  if (text === undefined) return undefined
  const lines = text.split('\n')
  return { pid: Number(lines[0]) || 0, port: Number(lines[3]) || undefined, isReady: lines[7]?.trim() === 'ready' }
}

/** A pid file proves nothing: its process may be a zombie that nobody reaps, or a stranger with a reused number. */
async function isPostmaster({ pid, port }: Postmaster, data: string): Promise<boolean> {
  if (!exists(pid)) return false
  if (hasProc) return await worksIn(pid, data)
  return port !== undefined && (await accepts(port))
}

function exists(pid: number): boolean {
  return send(pid, 0)
}

/** False when there is no such process of ours any more. Never a process group (pid <= 0). */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return pid > 0 && process.kill(pid, signal)
  } catch {
    // ESRCH, or EPERM: a process of another account, which the postmaster of a cluster that we may open is not.
    return false
  }
}

/** Linux: a living PostgreSQL process whose current folder is the cluster's, as that of every server process is. */
async function worksIn(pid: number, data: string): Promise<boolean> {
  try {
    const [, command, state] = /\((.*)\) (\S)/s.exec(await readFile(`/proc/${pid}/stat`, 'utf8')) ?? []
    if (!/^post(gres|master)$/.test(command ?? '') || state === 'Z' || state === 'X') return false
    const [folder, cluster] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(data)])
    return folder.ino === cluster.ino && folder.dev === cluster.dev
  } catch {
    // The process ended while we looked, or belongs to somebody else.
    return false
  }
}

/** Where there is no /proc: somebody listens. PostgreSQL's own check of its shared memory is the second guard. */
async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/**
 * Makes a cluster whose postmaster died startable. PostgreSQL itself removes a pid file whose process is gone, after
 * a look at its shared memory; it refuses when the pid still exists, as a zombie's or a stranger's does. Only then,
 * and only when no process of the cluster lives, is the file removed here.
 */
export async function clearCrash(data: string, pid: number): Promise<void> {
  const started = performance.now()
  for (;;) {
    const orphans = await livingProcesses(data)
    if (orphans.length === 0) break
    const waited = performance.now() - started
    if (waited > ORPHAN_MS_MAX)
      throw new Error(`Processes ${orphans.join(', ')} of the crashed PostgreSQL in ${data} do not end`)
    const signal = waited > ORPHAN_KILL_AFTER_MS ? 'SIGKILL' : 'SIGQUIT'
    for (const orphan of orphans) if (waited > ORPHAN_QUIT_AFTER_MS) send(orphan, signal)
    await sleep(20)
  }
  // Pid 0 is a file that a power cut left empty, which PostgreSQL refuses too.
  if (pid === 0 || exists(pid)) await rm(join(data, 'postmaster.pid'), { force: true })
}

async function livingProcesses(data: string): Promise<number[]> {
  if (!hasProc) return []
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0)
  const live = await Promise.all(pids.map((pid) => worksIn(pid, data)))
  return pids.filter((_pid, index) => live[index])
}

/** Makes an empty cluster. It appears whole by one rename: a crash in the middle leaves a `new-*` folder at most. */
export async function createCluster(place: Place, bin: string, password: string, fsync: boolean): Promise<void> {
  await mkdir(place.folder, { recursive: true, mode: 0o700 })
  await giveToAccount(place, place.folder)
  await tieToHome(place)
  for (const name of await readdir(place.folder)) {
    if (name.startsWith('new-')) await rm(join(place.folder, name), { recursive: true, force: true, maxRetries: 3 })
  }
  const staging = join(place.folder, `new-${randomUUID()}`)
  const passwordFile = join(staging, 'password')
  try {
    await mkdir(staging, { mode: 0o700 })
    await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' })
    await giveToAccount(place, staging, passwordFile)
    const made = await run(place.account, join(bin, 'initdb'), [
      // Locale C is the only order that is the same on every version, system and C library; Chinese order is ICU's.
      ...['--pgdata', join(staging, 'data'), '--encoding=UTF8', '--locale=C', '--data-checksums'],
      ...['--username=perennial', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, ...(fsync ? [] : ['--no-sync'])],
    ])
    if (!made.ok) throw await failure(place, 'cannot be made', made.output)
    await renameForGood(join(staging, 'data'), place.data)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  await tieToCluster(place)
}

/**
 * Starts the postmaster in a session of its own, with no pipe to this process, so that it outlives a kill -9 of it.
 *
 * @returns its pid once it accepts connections, or `port_taken`.
 * @throws Error with the tail of PostgreSQL's log.
 */
export async function startPostmaster(
  place: Place,
  bin: string,
  settings: Record<string, string>,
): Promise<number | 'port_taken'> {
  await boundLog(place.log)
  const log = await open(place.log, 'a', 0o600)
  try {
    await giveToAccount(place, place.log)
    const begin = (await log.stat()).size
    const child = spawn(
      join(bin, 'postgres'),
      ['-D', place.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...place.account, detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/', env: CHILD_ENVIRONMENT },
    )
    child.unref()
    let end: string | undefined
    child.once('error', (error) => {
      end = error.message
    })
    child.once('exit', (code, signal) => {
      end = `it ended with ${signal ?? code}`
    })
    const started = performance.now()
    while (end === undefined && performance.now() - started < START_MS_MAX) {
      const file = await readPidFile(place.data)
      if (child.pid && file?.pid === child.pid && file.isReady) return child.pid
      await sleep(5)
    }
    const said = await tail(place.log, begin)
    // lc_messages is C. The address may be in use by another program that took the port a moment ago.
    if (/could not bind/.test(said)) return 'port_taken'
    throw await failure(place, `does not start: ${end ?? 'it is still recovering'}`, said)
  } finally {
    await log.close()
  }
}

/** Clean ("fast") stop: sessions are ended, everything is written. @throws Error when it takes more than a minute. */
export async function stopPostmaster(place: Place, postmaster: Postmaster): Promise<void> {
  send(postmaster.pid, 'SIGINT')
  const started = performance.now()
  const isUp = async () => exists(postmaster.pid) && (!hasProc || (await worksIn(postmaster.pid, place.data)))
  while (await isUp()) {
    if (performance.now() - started > STOP_MS_MAX) {
      throw await failure(place, `does not stop in a minute (process ${postmaster.pid})`, await tail(place.log, 0))
    }
    await sleep(5)
  }
}

/**
 * Keeps the log below 8 MB, and one older file of the same size. Copied and cut, because PostgreSQL holds the file
 * open; its own collector bounds a log by time only.
 */
export async function boundLog(path: string): Promise<void> {
  const size = (await maybe(stat(path)))?.size ?? 0
  if (size < LOG_BYTES_MAX) return
  await copyFile(path, `${path}.1`)
  await truncate(path)
}

/** Says how much room there is: on a full disk PostgreSQL cannot even write its log. */
async function failure(place: Place, what: string, said: string): Promise<Error> {
  const disk = await statfs(place.folder)
  const freeMb = Math.floor((disk.bavail * disk.bsize) / 1_000_000)
  const room = freeMb < FREE_MB_MIN ? ` Its disk has ${freeMb} MB left.` : ''
  return new Error(`The database in ${place.folder} ${what}.${room} PostgreSQL's last words:\n${said || '(none)'}`)
}

async function tail(path: string, begin: number): Promise<string> {
  const text = (await readFile(path)).subarray(begin)
  return text.subarray(-LOG_TAIL_BYTES).toString('utf8').trim()
}
