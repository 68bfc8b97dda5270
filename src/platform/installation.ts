import { mkdir } from 'node:fs/promises'
import pg from 'pg'
import type { Config } from './config.ts'
import { type Database, openDatabase } from './db.ts'
import { type Cluster, openCluster } from './embedded-postgres.ts'
import { migrate } from './migrate.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { openTombstones } from './tombstones.ts'

/**
 * One installation: a PostgreSQL server (embedded, or the one DATABASE_URL names), its database of accounts and
 * brands, and one database per brand (docs/adr/0005-one-brand-per-database.md).
 */
export interface Installation {
  readonly config: Config
  /** The embedded cluster; undefined with DATABASE_URL. */
  readonly cluster: Cluster | undefined
  /** Accounts and the list of brands. */
  readonly control: Database
  brands(): Promise<Brand[]>
  currentBrand(): Promise<Brand | undefined>
  /** Makes the brand's database and migrates it; returns the brand as it is when it exists already. */
  createBrand(brand: NewBrand, now: Date): Promise<Brand | Refusal>
  /** From now on the console and the command line take this brand when none is named. */
  makeCurrent(brandKey: string): Promise<void>
  /** Removes a brand with its database: for scratch brands (dry run) and the demo only. */
  dropBrand(brandKey: string): Promise<void>
  /** The brand's database, migrated on first use, one pool per process. */
  openBrand(brand: Brand): Promise<Database>
  /** Name of the database of accounts and brands; a brand's begins with it. */
  readonly controlName: string
  /** Url of another database of the same server. */
  urlOf(databaseName: string): string
  /** Major version of the server, asked now: it answers only while PostgreSQL does. */
  serverMajor(): Promise<number>
  close(): Promise<void>
}

export interface NewBrand {
  readonly key: string
  readonly name: string
  readonly isDemo: boolean
}

export interface Brand extends NewBrand {
  readonly databaseName: string
  readonly isCurrent: boolean
}

const INSTALLATION_DATABASE = 'perennial'
export const INSUFFICIENT_PRIVILEGE = '42501'

/** @throws Error when the server cannot be reached or migrated; Refusal when the data folder is in use or unfit. */
export async function openInstallation(config: Config, role: 'server' | 'command'): Promise<Installation | Refusal> {
  if (config.databaseUrl) return compose(config, undefined, config.databaseUrl)
  await mkdir(config.home, { recursive: true })
  const cluster = await openCluster({ home: config.home, pgBin: config.pgBin, root: config.root }, role)
  if (isRefusal(cluster)) return cluster
  try {
    await createDatabase(cluster.url, INSTALLATION_DATABASE)
    return await compose(config, cluster, cluster.databaseUrl(INSTALLATION_DATABASE))
  } catch (error) {
    await cluster.release()
    throw error
  }
}

async function compose(config: Config, cluster: Cluster | undefined, url: string): Promise<Installation | Refusal> {
  const control = openDatabase(url)
  const refusal = await checkServerVersion(control)
  if (refusal) {
    await control.close()
    return refusal
  }
  await migrate(control, config.root, 'installation')
  const pools = new Map<string, Promise<Database>>()

  const controlName = decodeURIComponent(new URL(url).pathname.slice(1))
  const urlOf = (databaseName: string) => {
    const parsed = new URL(url)
    parsed.pathname = `/${encodeURIComponent(databaseName)}`
    return parsed.toString()
  }

  async function brands(): Promise<Brand[]> {
    const { rows } = await control.pool.query<Brand>(
      `select brand_key as key, name, database_name as "databaseName", is_demo as "isDemo", is_current as "isCurrent"
       from installation.brands order by is_current desc, created_at, brand_key`,
    )
    return rows
  }

  async function createBrand(brand: NewBrand, now: Date): Promise<Brand | Refusal> {
    const existing = (await brands()).find((other) => other.key === brand.key)
    if (existing) return existing
    // Two underscores are what a restore tells its own databases by.
    if (!/^[a-z][a-z0-9_]{0,30}$/.test(brand.key) || brand.key.includes('__')) {
      return refuse(
        'invalid',
        'bad_brand_key',
        `"${brand.key}" cannot be a brand's key.`,
        'Use lower-case letters, digits and single _, beginning with a letter, at most 31 characters.',
      )
    }
    let databaseName = brandDatabaseName(controlName, brand.key)
    try {
      await createDatabase(url, databaseName)
    } catch (error) {
      if ((error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error
      // A hosted account that may not create databases still gets one brand: it lives in the database it was given.
      const taken = (await brands()).some((other) => other.databaseName === controlName)
      if (taken || brand.isDemo) {
        return refuse(
          'forbidden',
          'cannot_create_database',
          `The account of DATABASE_URL may not create the database ${databaseName} for the brand "${brand.key}".`,
          'Grant it CREATEDB, or go on with one brand and no demo brand (--empty).',
        )
      }
      databaseName = controlName
    }
    await control.pool.query(
      `insert into installation.brands (brand_key, name, database_name, is_demo, created_at)
       values ($1, $2, $3, $4, $5) on conflict (brand_key) do nothing`,
      [brand.key, brand.name, databaseName, brand.isDemo, now],
    )
    const made = (await brands()).find((other) => other.key === brand.key)
    if (!made) throw new Error(`The brand ${brand.key} was removed while it was being made`)
    await openBrand(made)
    return made
  }

  async function makeCurrent(brandKey: string): Promise<void> {
    await control.transaction(async (_tx, client) => {
      await client.query('update installation.brands set is_current = false where is_current and brand_key <> $1', [
        brandKey,
      ])
      await client.query('update installation.brands set is_current = true where brand_key = $1', [brandKey])
    })
  }

  async function dropBrand(brandKey: string): Promise<void> {
    const brand = (await brands()).find((other) => other.key === brandKey)
    if (!brand) return
    const open = await pools.get(brand.databaseName)
    pools.delete(brand.databaseName)
    await open?.close()
    await control.pool.query('delete from installation.brands where brand_key = $1', [brandKey])
    // A hosted account's one brand lives in the database of the installation itself, which stays.
    if (brand.databaseName === controlName) return
    await control.pool.query(`drop database if exists ${pg.escapeIdentifier(brand.databaseName)} with (force)`)
  }

  async function openBrand(brand: Brand): Promise<Database> {
    const open = pools.get(brand.databaseName) ?? openMigrated(brand.databaseName)
    pools.set(brand.databaseName, open)
    open.catch(() => pools.delete(brand.databaseName))
    return open
  }

  async function openMigrated(databaseName: string): Promise<Database> {
    const database = openDatabase(urlOf(databaseName), openTombstones(config.home, databaseName))
    try {
      await migrate(database, config.root, 'brand')
      return database
    } catch (error) {
      await database.close()
      throw error
    }
  }

  return {
    config,
    cluster,
    control,
    brands,
    currentBrand: async () => (await brands()).find((brand) => brand.isCurrent),
    createBrand,
    makeCurrent,
    dropBrand,
    openBrand,
    controlName,
    urlOf,
    serverMajor: async () => Math.floor((await serverVersion(control)).number / 10_000),
    close: async () => {
      for (const open of pools.values()) await (await open).close()
      await control.close()
      await cluster?.release()
    },
  }
}

const SERVER_VERSION_MIN = 150_000

async function serverVersion(database: Database): Promise<{ number: number; text: string }> {
  const { rows } = await database.pool.query<{ number: number; text: string }>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as text`,
  )
  return rows[0] ?? { number: 0, text: 'unknown' }
}

async function checkServerVersion(database: Database): Promise<Refusal | undefined> {
  const version = await serverVersion(database)
  if (version.number >= SERVER_VERSION_MIN) return undefined
  return refuse(
    'invalid',
    'old_postgresql',
    `DATABASE_URL points at PostgreSQL ${version.text}.`,
    'Perennial needs 15 or newer: upgrade that server, or leave DATABASE_URL out to use the embedded one.',
  )
}

export function brandDatabaseName(controlName: string, brandKey: string): string {
  return `${controlName}_${brandKey}`
}

/** Creates the database unless it is there; two processes may try at once. */
export async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name])
    if (rowCount) return
    await client.query(`create database ${pg.escapeIdentifier(name)}`)
  } catch (error) {
    const code = (error as { code?: string }).code
    // duplicate_database, or the unique violation that two concurrent creators can meet in pg_database
    if (code !== '42P04' && code !== '23505') throw error
  } finally {
    await client.end()
  }
}
