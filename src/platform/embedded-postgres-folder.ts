import { execFile } from 'node:child_process'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, chown, mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeWhole } from './durable-file.ts'
import { openLock, tryLock } from './file-lock.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'

// Where the embedded PostgreSQL lives and as whom it runs: data folder, account, binaries, password, folder lock.

/** Home of clusters and binaries that an unprivileged account could not reach in the data folder or the checkout. */
export const SHARED_HOME = '/var/lib/perennial'
const LOCK_WAIT_MS_MAX = 30_000
const COMMAND_MS_MAX = 120_000

/** Nothing of the caller's environment reaches PostgreSQL: PG* and locale variables would change what it does. */
export const CHILD_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** An account of /etc/passwd that PostgreSQL runs as, because it refuses to run as root. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Where one data folder's cluster is. Paths are absolute with symbolic links resolved. */
export interface Place {
  readonly home: string
  /** Holds `data` and `postgres.log`; owned by the account. */
  readonly folder: string
  readonly data: string
  readonly log: string
  /** False until the first start made the cluster. */
  readonly exists: boolean
  /** Undefined: this process's own account. */
  readonly account: Account | undefined
}

/** What `<home>/cluster.json` and `<folder>/home.json` say of each other when the cluster is not in the data folder. */
interface Tie {
  readonly id: string
  readonly path: string
}

/** The data folder, made if need be and with symbolic links resolved. */
export async function prepareHome(home: string): Promise<string | Refusal> {
  try {
    await mkdir(home, { recursive: true })
    const real = await realpath(home)
    await access(real, constants.R_OK | constants.W_OK | constants.X_OK)
    return real
  } catch (error) {
    return refuse(
      'forbidden',
      'home_not_writable',
      `The data folder ${home} cannot be written: ${(error as Error).message}`,
      'Give its owner to the account that runs Perennial, or name another folder by PERENNIAL_HOME.',
    )
  }
}

/**
 * Runs `work` while no other process opens, starts, stops or recovers the cluster of this data folder.
 *
 * @throws what `work` throws. Refuses after 30 s of waiting.
 */
export async function withFolderLock<T>(home: string, work: () => Promise<T>): Promise<T | Refusal> {
  const path = join(home, 'cluster.lock')
  const lock = openHomeLock(path)
  try {
    const started = performance.now()
    while (!tryLock(lock)) {
      if (performance.now() - started > LOCK_WAIT_MS_MAX) {
        return refuse(
          'conflict',
          'starting',
          `Another process has been starting or stopping PostgreSQL in ${home} for more than 30 s.`,
          'After a crash PostgreSQL may take minutes to replay its log: see postgres.log, and try again.',
        )
      }
      await sleep(20)
    }
    // By path: opening and closing this file beside SQLite would drop the lock of the whole process.
    await giveToOwnerOf(home, path)
    return await work()
  } finally {
    lock.close()
  }
}

function openHomeLock(path: string): DatabaseSync {
  try {
    return openLock(path)
  } catch (error) {
    throw new Error(`The lock of the data folder, ${path}, cannot be opened: is it another account's?`, {
      cause: error,
    })
  }
}

/** The folder of the cluster that belongs to this data folder, without making or changing anything. */
export async function locateCluster(home: string): Promise<{ folder: string; tie: Tie | undefined }> {
  const tie = await readTie(join(home, 'cluster.json'))
  return { folder: tie?.path ?? join(home, 'postgres'), tie }
}

/** Where the cluster is or shall be, and the account that can reach it. */
export async function findPlace(home: string): Promise<Place | Refusal> {
  const { folder, tie } = await locateCluster(home)
  const data = join(folder, 'data')
  const self = process.getuid?.()
  const owner = (await maybe(stat(folder)))?.uid
  if (self && owner !== undefined && owner !== self) return wrongOwner(folder, owner)
  const exists = (await maybe(stat(join(data, 'PG_VERSION')))) !== undefined
  const broken = tie && (await checkTie(home, tie, exists))
  if (broken) return broken
  const account = await chooseAccount(exists ? data : home, exists)
  if (isRefusal(account)) return account
  const inside = { home, folder, data, log: join(folder, 'postgres.log'), exists, account }
  if (!account || (await canEnter(account, exists ? data : home))) return inside
  if (exists) {
    return refuse(
      'forbidden',
      'cluster_unreachable',
      `PostgreSQL runs as uid ${account.uid}, which cannot enter a folder above ${data}.`,
      'Let others pass through the folders above it (chmod o+x), or move the data folder back.',
    )
  }
  return await planSharedPlace(home, account)
}

/** As root with a data folder below somebody's 0700 home: the cluster goes where its account can follow. */
async function planSharedPlace(home: string, account: Account): Promise<Place> {
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 16)
  await makeSharedFolder(SHARED_HOME)
  for (const name of await readdir(SHARED_HOME)) {
    // A first start that was interrupted; a folder with data in it is never ours to remove.
    const leftover = join(SHARED_HOME, name)
    const isEmpty = name.startsWith(`${hash}-`) && !(await maybe(stat(join(leftover, 'data'))))
    if (isEmpty) await rm(leftover, { recursive: true, force: true })
  }
  // A new id each time: a data folder that was deleted and made again is a new brand and must not meet the old data.
  const folder = join(SHARED_HOME, `${hash}-${randomUUID().slice(0, 8)}`)
  return { home, folder, data: join(folder, 'data'), log: join(folder, 'postgres.log'), exists: false, account }
}

/**
 * Names each other, when the cluster is not in the data folder: the cluster first, so that an interrupted first
 * start shows up as an orphan, and the data folder last, when there is a whole cluster to name.
 */
export async function tieToHome(place: Place): Promise<void> {
  if (place.folder === join(place.home, 'postgres')) return
  await writeWhole(
    join(place.folder, 'home.json'),
    JSON.stringify({ id: basename(place.folder), path: place.home }),
    0o644,
  )
}

export async function tieToCluster(place: Place): Promise<void> {
  if (place.folder === join(place.home, 'postgres')) return
  const path = join(place.home, 'cluster.json')
  await writeWhole(path, JSON.stringify({ id: basename(place.folder), path: place.folder }), 0o644)
  await giveToOwnerOf(place.home, path)
}

async function checkTie(home: string, tie: Tie, exists: boolean): Promise<Refusal | undefined> {
  const back = await readTie(join(tie.path, 'home.json'))
  if (!exists || back?.id !== tie.id) {
    return refuse(
      'missing',
      'cluster_gone',
      `The data folder ${home} says that its database is in ${tie.path}, and it is not there.`,
      'Bring that folder back, or restore a backup into a new data folder.',
    )
  }
  if (back.path === home) return undefined
  if ((await readTie(join(back.path, 'cluster.json')))?.id === tie.id) {
    return refuse(
      'conflict',
      'copied_data_folder',
      `The data folder ${home} is a copy of ${back.path}, and the database itself (${tie.path}) was not copied.`,
      `Use ${back.path}, or restore a backup into a new data folder.`,
    )
  }
  // The data folder was moved: from now on the cluster knows it by its new name.
  await writeWhole(join(tie.path, 'home.json'), JSON.stringify({ id: tie.id, path: home }), 0o644)
  return undefined
}

/** Clusters under /var/lib/perennial whose data folder is gone or has a new brand in it. */
export async function findOrphans(): Promise<string[]> {
  const orphans: string[] = []
  for (const name of (await maybe(readdir(SHARED_HOME))) ?? []) {
    const folder = join(SHARED_HOME, name)
    try {
      const back = await readTie(join(folder, 'home.json'))
      if (!back || !(await maybe(stat(join(folder, 'data'))))) continue
      if ((await readTie(join(back.path, 'cluster.json')))?.id !== back.id) orphans.push(folder)
    } catch {
      // What this account may not read is not known to be gone.
    }
  }
  return orphans.sort()
}

/** Undefined when we are not root. Else the owner of `path`, or when that is root: `postgres`, else `nobody`. */
async function chooseAccount(path: string, exists: boolean): Promise<Account | undefined | Refusal> {
  if (process.getuid?.() !== 0) return undefined
  const owner = await stat(path)
  if (exists) return owner.uid === 0 ? wrongOwner(path, 0) : { uid: owner.uid, gid: owner.gid }
  const rows = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  // initdb looks its account up by number: one without a name, as a container's mounted folder may have, will not do.
  const row =
    rows.find(([, , uid]) => owner.uid !== 0 && Number(uid) === owner.uid) ??
    rows.find(([name]) => name === 'postgres') ??
    rows.find(([name]) => name === 'nobody')
  if (row) return { uid: Number(row[2]), gid: Number(row[3]) }
  return refuse(
    'missing',
    'no_account',
    'Perennial runs as root, PostgreSQL cannot, and there is neither an account "postgres" nor "nobody".',
    `Add an account, and give it the data folder ${path}.`,
  )
}

function wrongOwner(path: string, owner: number): Refusal {
  const isRoot = owner === 0
  return refuse(
    'forbidden',
    'wrong_owner',
    `The database in ${path} belongs to ${isRoot ? 'root, as which PostgreSQL does not run' : `uid ${owner}`}.`,
    isRoot ? `Give it to an ordinary account: chown -R postgres ${path}` : `Run Perennial as uid ${owner} or as root.`,
  )
}

/** By trying: mode bits say nothing of access lists and security modules. */
async function canEnter(account: Account, path: string): Promise<boolean> {
  return (await run(account, '/bin/sh', ['-c', 'cd -- "$1"', 'sh', path])).ok
}

/** Passable for everybody, whatever the umask. */
export async function makeSharedFolder(path: string): Promise<void> {
  for (const folder of [dirname(path), path]) {
    // mkdir tells only the one process that made the folder.
    if (await mkdir(folder, { recursive: true })) await chmod(folder, 0o755)
  }
}

/** The superuser's password; made on the first start, before the cluster that is made with it. */
export async function ensurePassword(place: Place): Promise<string | Refusal> {
  const folder = join(place.home, 'secrets')
  const path = join(folder, 'postgres-password')
  const known = await maybe(readFile(path, 'utf8'))
  if (known) return known.trim()
  if (place.exists) {
    return refuse(
      'missing',
      'no_password',
      `The database in ${place.folder} exists, and its password ${path} is gone.`,
      'Put that file back from a backup, or restore a backup into a new data folder.',
    )
  }
  const password = randomBytes(32).toString('base64url')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeWhole(path, password, 0o600)
  await giveToOwnerOf(place.home, folder, path)
  return password
}

/** What root makes in somebody's data folder must stay usable for that somebody. */
async function giveToOwnerOf(home: string, ...paths: string[]): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(home)
  for (const path of paths) await chown(path, uid, gid)
}

export async function giveToAccount(place: Place, ...paths: string[]): Promise<void> {
  for (const path of paths) if (place.account) await chown(path, place.account.uid, place.account.gid)
}

/** Runs a program to its end as the account; `output` is the tail of both streams, or why it did not start. */
export async function run(
  account: Account | undefined,
  file: string,
  args: string[],
): Promise<{ ok: boolean; output: string }> {
  // cwd: PostgreSQL up to 15 stops when its account cannot enter the current folder.
  const options = { ...account, cwd: '/', env: CHILD_ENVIRONMENT, timeout: COMMAND_MS_MAX }
  return await new Promise((resolve) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim() || (error?.message ?? '')
      resolve({ ok: error === null, output: output.slice(-2000) })
    })
  })
}

async function readTie(path: string): Promise<Tie | undefined> {
  const text = await maybe(readFile(path, 'utf8'))
  return text === undefined ? undefined : (JSON.parse(text) as Tie)
}

/** Undefined when the file or folder is not there; any other failure throws. */
export async function maybe<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
