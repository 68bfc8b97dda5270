import pg from 'pg'
import { checkBackup, type DumpedDatabase, type Manifest, openBackup } from './backup-archive.ts'
import { foreignMigration, loadDatabase } from './backup-database.ts'
import type { Config } from './config.ts'
import { type Database, openDatabase } from './db.ts'
import {
  brandDatabaseName,
  createDatabase,
  INSUFFICIENT_PRIVILEGE,
  type Installation,
  openInstallation,
} from './installation.ts'
import { migrate, readMigrations, schemasOf } from './migrate.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { openTombstones, readKeyMark } from './tombstones.ts'

/*
 * A backup into an installation. Every database is made anew beside the one that it replaces; when all of them are whole, one
 * transaction gives them the names (docs/adr/0018-backup.md). Whatever ends a restore before that leaves what was there.
 */

/** Of names: what is being made, and what was replaced and is yet to be removed. */
const NEW = '__new'
const OLD = '__old'
const SWAP_TRIES_MAX = 5
const OBJECT_IN_USE = '55006'

export interface RestoreCommand {
  readonly path: string
  /** What is there may be lost. */
  readonly isReplacing: boolean
  /** The key of erasures is lost: who was erased before the backup is no longer known to the intake. */
  readonly isKeyLost: boolean
}

type Settle = (database: Database) => Promise<unknown>

/**
 * @param settle is given each brand's database, loaded and migrated, before anybody else sees it.
 * @returns refusals of `checkBackup`, and newer_backup, other_migrations, other_erasure_key, not_empty, in_use, shared_database,
 *   cannot_create_database.
 * @throws Error when it fails midway; what was there is still there.
 */
export async function restoreBackup(
  config: Config,
  command: RestoreCommand,
  settle: Settle,
): Promise<Manifest | Refusal> {
  const manifest = await checkBackup(command.path)
  if (isRefusal(manifest)) return manifest
  const unfit = (await judgeMigrations(config, manifest)) ?? (await judgeKey(config, manifest, command))
  if (unfit) return unfit
  // As the server: none runs meanwhile, and none starts.
  const installation = await openInstallation(config, 'server')
  if (isRefusal(installation)) return installation
  try {
    const refusal = (await judgeTarget(installation, manifest, command)) ?? (await judgeUse(installation))
    return refusal ?? (await replaceAll(installation, manifest, command.path, settle))
  } finally {
    await installation.close()
  }
}

async function judgeMigrations(config: Config, { databases, program }: Manifest): Promise<Refusal | undefined> {
  for (const dumped of databases) {
    const known = await readMigrations(config.root, dumped.brand === null ? 'installation' : 'brand')
    const foreign = foreignMigration(dumped, known)
    if (foreign?.isNewer) {
      return refuse(
        'conflict',
        'newer_backup',
        `The backup was made by a newer Perennial (${program}; ${foreign.name} is not in this checkout).`,
        'Restore it with that version or a later one.',
      )
    }
    if (foreign) {
      return refuse(
        'conflict',
        'other_migrations',
        `${foreign.name} of this checkout is not the file that the backup was made with.`,
        'Restore it with an unchanged checkout.',
      )
    }
  }
  return undefined
}

/** The marks of who was erased say nothing under another key: they would come back with the next import. */
async function judgeKey(
  { home }: Config,
  { erasure_key_mark: wanted }: Manifest,
  { isKeyLost }: RestoreCommand,
): Promise<Refusal | undefined> {
  if (wanted === null || isKeyLost || (await readKeyMark(home)) === wanted) return undefined
  return refuse(
    'conflict',
    'other_erasure_key',
    `People had been erased when the backup was made, and ${home}/secrets has not the key by which they are known.`,
    'Put secrets/erasure-key and secrets/erased-*.log of the installation that was backed up there. ' +
      'If they are lost say --lost-erasure-key: an import can then bring those people back.',
  )
}

async function judgeTarget(
  installation: Installation,
  { taken_at: takenAt }: Manifest,
  { isReplacing }: RestoreCommand,
): Promise<Refusal | undefined> {
  const brands = await installation.brands()
  const { rows } = await installation.control.pool.query<{ users: number }>('select count(*) as users from auth.users')
  const users = rows[0]?.users ?? 0
  if (isReplacing || (brands.length === 0 && users === 0)) return undefined
  const there = brands.map(({ name, key }) => `${name} (${key})`).join(', ') || 'no brand'
  return refuse(
    'conflict',
    'not_empty',
    `There are data already: ${there}; accounts: ${users}. They would be lost, and with them all that was stored after ${takenAt}.`,
    'Back them up (./perennial backup), then say --replace; or name an empty data folder by PERENNIAL_HOME.',
  )
}

/**
 * A server on an external database holds no lock that would have refused us; nearly always its connections tell of it. And a
 * database in which something else lives cannot be replaced by a new one.
 */
async function judgeUse(installation: Installation): Promise<Refusal | undefined> {
  const { config, control, controlName } = installation
  const brands = (await installation.brands()).map(({ databaseName }) => databaseName)
  const used = await control.pool.query<{ database: string }>(
    `select distinct datname as database from pg_stat_activity where application_name = 'perennial' and datname = any($1)`,
    [brands.filter((name) => name !== controlName)],
  )
  if (used.rows.length > 0) {
    return refuse(
      'conflict',
      'in_use',
      `Another Perennial works on ${used.rows.map(({ database }) => database).join(', ')}.`,
      'Stop the server and wait for running commands, then restore.',
    )
  }
  const own = [
    ...(await schemasOf(config.root, 'installation')),
    ...(await schemasOf(config.root, 'brand')),
    'platform',
  ]
  const others = await control.pool.query<{ name: string }>(
    `select distinct n.nspname as name from pg_namespace n join pg_class c on c.relnamespace = n.oid
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and n.nspname <> all($1) order by 1`,
    [own],
  )
  if (others.rows.length === 0) return undefined
  return refuse(
    'conflict',
    'shared_database',
    `In the database ${controlName} there is more than Perennial: ${others.rows.map(({ name }) => name).join(', ')}.`,
    'A restore puts a new database in its place. Name one of its own by DATABASE_URL.',
  )
}

async function replaceAll(
  installation: Installation,
  manifest: Manifest,
  path: string,
  settle: Settle,
): Promise<Manifest | Refusal> {
  const { config, controlName } = installation
  const replaced = [controlName, ...(await installation.brands()).map(({ databaseName }) => databaseName)]
  const finalNames = manifest.databases.map(({ brand }) => finalName(controlName, brand))
  // Of a restore that was cut short.
  await dropDatabases(
    installation,
    [...replaced, ...finalNames].flatMap((name) => [name + NEW, name + OLD]),
  )
  const backup = openBackup(path)
  try {
    for (const [index, dumped] of manifest.databases.entries()) {
      const name = finalNames[index] ?? controlName
      try {
        await createDatabase(installation.urlOf(controlName), name + NEW)
      } catch (error) {
        if ((error as { code?: string }).code === INSUFFICIENT_PRIVILEGE) return cannotCreate(name)
        throw error
      }
      // By the name it will have: the log of who was erased is kept under it.
      const database = openDatabase(installation.urlOf(name + NEW), openTombstones(config.home, name))
      try {
        await fill(database, dumped, { root: config.root, backup, controlName, settle })
      } finally {
        await database.close()
      }
    }
    await swap(installation, replaced, finalNames)
  } catch (error) {
    await dropDatabases(
      installation,
      finalNames.map((name) => name + NEW),
    ).catch(() => {})
    throw error
  } finally {
    await backup.close()
  }
  await dropDatabases(
    installation,
    replaced.map((name) => name + OLD),
  )
  return manifest
}

function finalName(controlName: string, brand: string | null): string {
  return brand === null ? controlName : brandDatabaseName(controlName, brand)
}

async function fill(
  database: Database,
  dumped: DumpedDatabase,
  {
    root,
    backup,
    controlName,
    settle,
  }: {
    root: string
    backup: ReturnType<typeof openBackup>
    controlName: string
    settle: Settle
  },
): Promise<void> {
  const set = dumped.brand === null ? 'installation' : 'brand'
  await migrate(database, root, set, dumped.migrations.at(-1)?.number ?? 0)
  await loadDatabase(database, dumped, backup)
  await migrate(database, root, set)
  if (dumped.brand !== null) await settle(database)
  // They may have lain on another server, in databases of other names.
  else {
    const rename = `update installation.brands set database_name = $1::text || '_' || brand_key`
    await database.pool.query(rename, [controlName])
  }
}

/** All names at once: before it everything is as it was, after it everything is restored. */
async function swap(installation: Installation, replaced: readonly string[], names: readonly string[]): Promise<void> {
  const isThere = new Set(replaced)
  const renames = [
    ...[...isThere].map((name) => [name, name + OLD] as const),
    ...names.map((name) => [name + NEW, name] as const),
  ]
  await onMaintenance(installation, async (client) => {
    for (let tries = 1; ; tries++) {
      await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = any($1)', [
        renames.map(([from]) => from),
      ])
      try {
        await client.query('begin')
        for (const [from, to] of renames) {
          await client.query(`alter database ${pg.escapeIdentifier(from)} rename to ${pg.escapeIdentifier(to)}`)
        }
        await client.query('commit')
        return
      } catch (error) {
        await client.query('rollback')
        if ((error as { code?: string }).code !== OBJECT_IN_USE || tries === SWAP_TRIES_MAX) throw error
      }
    }
  })
}

/** A database that nothing belongs to any more. */
export interface LeftOver {
  readonly name: string
  readonly bytes: number
  /** Somebody works in it: a restore that is under way. */
  readonly isUsed: boolean
}

/**
 * What killed restores, and brands that were being made or removed when a process was killed, have left. In the embedded
 * PostgreSQL that is every database that nobody names; on another server others have theirs, and only what a restore calls its own
 * is told from them.
 */
export async function findLeftOver({ cluster, control, controlName, brands }: Installation): Promise<LeftOver[]> {
  const named = [controlName, 'postgres', ...(await brands()).map(({ databaseName }) => databaseName)]
  const { rows } = await control.pool.query<LeftOver>(
    `select datname as name, pg_database_size(oid) as bytes,
       exists (select from pg_stat_activity a where a.datid = d.oid) as "isUsed"
     from pg_database d where not datistemplate and datname <> all($1) order by datname`,
    [named],
  )
  const ofRestores = named.flatMap((name) => [name + NEW, name + OLD])
  return rows.filter(({ name }) => cluster !== undefined || ofRestores.includes(name))
}

/** Removes them, but those in which somebody works. @returns the names of those that are gone. */
export async function removeLeftOver(installation: Installation): Promise<string[]> {
  const free = (await findLeftOver(installation)).filter(({ isUsed }) => !isUsed).map(({ name }) => name)
  await onMaintenance(installation, async (client) => {
    for (const name of free) await client.query(`drop database if exists ${pg.escapeIdentifier(name)}`)
  })
  return free
}

async function dropDatabases(installation: Installation, names: readonly string[]): Promise<void> {
  await onMaintenance(installation, async (client) => {
    for (const name of new Set(names)) {
      await client.query(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`)
    }
  })
}

/** In a database that is none of ours: the one that a connection is in can be neither renamed nor dropped. */
async function onMaintenance(installation: Installation, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: installation.urlOf('postgres') })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

function cannotCreate(name: string): Refusal {
  return refuse(
    'forbidden',
    'cannot_create_database',
    `The account of DATABASE_URL may not create the database ${name}.`,
    'Grant it CREATEDB for the restore: everything is made beside what is there, and then takes its place.',
  )
}
