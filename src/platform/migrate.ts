import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database } from './db.ts'

/** `installation`: accounts and the list of brands. `brand`: one brand's facts and everything derived. */
export type MigrationSet = 'installation' | 'brand'

export interface Migration {
  readonly number: number
  readonly name: string
  readonly sql: string
  readonly sha256: string
}

/**
 * Brings a database up to the checkout's migrations, in one transaction under a lock, so that two processes that
 * start together do it once. Forward only: a file that was applied and has changed since, or a database that is
 * ahead of this checkout, is refused before anything is written.
 *
 * @param upTo the number of the last one to apply: a backup is loaded into the tables that it was made of.
 * @returns the names of the migrations applied now.
 * @throws Error with what to do, the database unchanged.
 */
export async function migrate(
  database: Database,
  root: string,
  set: MigrationSet,
  upTo = Number.POSITIVE_INFINITY,
): Promise<string[]> {
  const known = await readMigrations(root, set)
  return database.transaction(async (_tx, client) => {
    await client.query(`select pg_advisory_xact_lock(hashtext('perennial migrations'))`)
    await client.query(`
      create schema if not exists platform;
      create table if not exists platform.migrations (
        set_name text not null, number int not null, name text not null, sha256 text not null,
        applied_at timestamptz not null default transaction_timestamp(), primary key (set_name, number))`)
    const applied = await client.query<{ number: number; name: string; sha256: string }>(
      'select number, name, sha256 from platform.migrations where set_name = $1 order by number',
      [set],
    )
    for (const row of applied.rows) {
      const file = known.find((migration) => migration.number === row.number)
      if (!file) {
        throw new Error(
          `The database was migrated by a newer Perennial (${row.name} is not in this checkout). ` +
            'Start the newer version, or restore a backup made with this one.',
        )
      }
      if (file.sha256 !== row.sha256) {
        throw new Error(
          `migrations/${set}/${file.name} was changed after it had been applied. ` +
            'Restore the file and put the change into a new migration.',
        )
      }
    }
    const done = new Set(applied.rows.map((row) => row.number))
    const due = known.filter(({ number }) => !done.has(number) && number <= upTo)
    for (const migration of due) {
      await client.query(migration.sql)
      await client.query('insert into platform.migrations (set_name, number, name, sha256) values ($1, $2, $3, $4)', [
        set,
        migration.number,
        migration.name,
        migration.sha256,
      ])
    }
    return due.map((migration) => migration.name)
  })
}

/** The schemas that the migrations of a set make. */
export async function schemasOf(root: string, set: MigrationSet): Promise<string[]> {
  const migrations = await readMigrations(root, set)
  return migrations.flatMap(({ sql }) => [...sql.matchAll(/^create schema (\w+);/gm)].map(([, name = '']) => name))
}

/** What a checkout has, in order. */
export async function readMigrations(root: string, set: MigrationSet): Promise<Migration[]> {
  const folder = join(root, 'migrations', set)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name, index) => {
      const number = Number(name.slice(0, 4))
      if (number !== index + 1) throw new Error(`migrations: ${name} should have number ${index + 1}`)
      const sql = await readFile(join(folder, name), 'utf8')
      return { number, name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}
