import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { sql } from 'kysely'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import type { BackupReader, BackupWriter, DumpedDatabase, DumpedTable } from './backup-archive.ts'
import type { Database, Sql } from './db.ts'
import { type MigrationSet, schemasOf } from './migrate.ts'

/*
 * One database into a backup and out of it. Its tables are made by the migrations that the backup names; the backup has what no
 * migration makes: rows, where sequences stand, and partitions that were made for the rows of a month.
 */

/** Open sessions, one-time links and attempts: after a restore everybody signs in again, and no link works a second time. */
export const LEFT_OUT = ['auth.sessions', 'auth.verifications', 'auth.rate_limits'] as const

const ORDINARY = `('r', 'p')`

interface TableRow {
  readonly schema: string
  readonly name: string
  readonly columns: string[]
}

const nameOf = ({ schema, name }: { schema: string; name: string }) =>
  `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`

/**
 * Writes all of one database as of one instant, while others go on: readers and writers of rows wait for nothing. What would
 * hang new tables in place of old ones waits (`lockAgainstBackup`).
 */
export async function dumpDatabase(
  database: Database,
  root: string,
  set: MigrationSet,
  prefix: string,
  backup: BackupWriter,
): Promise<Omit<DumpedDatabase, 'brand' | 'brand_name'>> {
  const schemas = await schemasOf(root, set)
  return withoutSwaps(database, () =>
    database.transaction(async (_tx, client) => {
      await client.query('set transaction isolation level repeatable read, read only')
      await client.query(`set local datestyle = 'ISO, YMD'`)
      const migrations = await client.query<DumpedDatabase['migrations'][number]>(
        'select number, name, sha256 from platform.migrations where set_name = $1 order by number',
        [set],
      )
      const tables: DumpedTable[] = []
      for (const table of await selectTables(client, schemas)) {
        tables.push(await dumpTable(client, table, `${prefix}/${table.schema}.${table.name}`, backup))
      }
      const partitions = await client.query<DumpedDatabase['partitions'][number]>(
        `select n.nspname as schema, c.relname as name, i.inhparent::regclass::text as parent,
           pg_get_expr(c.relpartbound, c.oid) as bound
         from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_inherits i on i.inhrelid = c.oid
         where c.relispartition and c.relkind in ${ORDINARY} and n.nspname = any($1)
           and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' order by 1, 2`,
        [schemas],
      )
      return {
        migrations: migrations.rows,
        tables,
        partitions: partitions.rows,
        // After the rows: a sequence knows no transactions, and one that stands too far does no harm.
        sequences: await readSequences(client, schemas),
      }
    }),
  )
}

/**
 * Had by whoever hangs a new table in place of an old one, before any other lock: beside a backup that would wait for the old
 * table, and everybody who reads it would wait behind.
 */
export async function lockAgainstBackup(tx: Sql): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('perennial backup'))`.execute(tx)
}

/** The same for what can be done another time. @returns whether no backup is made, and none begins up to the end of the transaction. */
export async function tryLockAgainstBackup(tx: Sql): Promise<boolean> {
  const { rows } = await sql<{ isHad: boolean }>`
    select pg_try_advisory_xact_lock(hashtext('perennial backup')) as "isHad"`.execute(tx)
  return rows[0]?.isHad === true
}

/** On a connection of its own and before the transaction begins: a table that was hung in after its instant would be empty. */
async function withoutSwaps<T>(database: Database, work: () => Promise<T>): Promise<T> {
  const client = await database.pool.connect()
  try {
    await client.query(`select pg_advisory_lock_shared(hashtext('perennial backup'))`)
    return await work()
  } finally {
    // Closed, and its lock with it.
    client.release(true)
  }
}

/** Tables with what they refer to before them, partitions by their parent. */
async function selectTables(client: pg.PoolClient, schemas: readonly string[]): Promise<TableRow[]> {
  const { rows } = await client.query<TableRow & { oid: number; refers_to: number[] }>(
    `select c.oid::int as oid, n.nspname as schema, c.relname as name,
       array(select a.attname::text from pg_attribute a
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum) as columns,
       array(select f.confrelid::int from pg_constraint f
         where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid) as refers_to
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ${ORDINARY} and not c.relispartition and n.nspname = any($1) order by 2, 3`,
    [schemas],
  )
  const wanted = rows.filter(({ schema, name }) => !(LEFT_OUT as readonly string[]).includes(`${schema}.${name}`))
  const ordered: typeof wanted = []
  while (ordered.length < wanted.length) {
    const next = wanted.filter(
      (table) =>
        !ordered.includes(table) &&
        table.refers_to.every((oid) => ordered.some((done) => done.oid === oid) || !wanted.some((t) => t.oid === oid)),
    )
    if (next.length === 0) throw new Error('Tables refer to each other in a circle: they cannot be loaded in any order')
    ordered.push(...next)
  }
  return ordered.map(({ schema, name, columns }) => ({ schema, name, columns }))
}

async function dumpTable(
  client: pg.PoolClient,
  table: TableRow,
  prefix: string,
  backup: BackupWriter,
): Promise<DumpedTable> {
  const columns = table.columns.map(pg.escapeIdentifier).join(', ')
  const rows = client.query(copyTo(`copy (select ${columns} from ${nameOf(table)}) to stdout`))
  const written = await backup.addRows(prefix, rows)
  return { ...table, rows: rows.rowCount, ...written }
}

async function readSequences(client: pg.PoolClient, schemas: readonly string[]): Promise<DumpedDatabase['sequences']> {
  const { rows } = await client.query<{ schema: string; name: string }>(
    `select schemaname as schema, sequencename as name from pg_sequences where schemaname = any($1) order by 1, 2`,
    [schemas],
  )
  const sequences: DumpedDatabase['sequences'] = []
  for (const sequence of rows) {
    const found = await client.query<{ last_value: string; is_called: boolean }>(
      `select last_value::text as last_value, is_called from ${nameOf(sequence)}`,
    )
    const [state] = found.rows
    if (state) sequences.push({ ...sequence, ...state })
  }
  return sequences
}

/**
 * Puts the rows of a backup into a database that its migrations have just made, in one transaction. Triggers rest meanwhile:
 * what they would write is in the backup. Indexes other than keys are made anew after the rows, in a third of the time.
 */
export async function loadDatabase(database: Database, dumped: DumpedDatabase, backup: BackupReader): Promise<void> {
  await database.transaction(async (_tx, client) => {
    await client.query(`set local datestyle = 'ISO, YMD'`)
    for (const { schema, name, parent, bound } of dumped.partitions) {
      await client.query(`create table if not exists ${nameOf({ schema, name })} partition of ${parent} ${bound}`)
    }
    const tables = dumped.tables.map(nameOf)
    for (const table of tables) await client.query(`alter table ${table} disable trigger user`)
    const indexes = await dropIndexes(client, dumped)
    await client.query(`truncate ${tables.join(', ')} cascade`)
    for (const table of dumped.tables) await loadTable(client, table, backup)
    for (const definition of indexes) await client.query(definition)
    for (const table of tables) await client.query(`alter table ${table} enable trigger user`)
    for (const sequence of dumped.sequences) {
      await client.query('select setval($1::regclass, $2, $3)', [
        nameOf(sequence),
        sequence.last_value,
        sequence.is_called,
      ])
    }
  })
  await database.pool.query('analyze')
}

/** @returns the statements that make them again. */
async function dropIndexes(client: pg.PoolClient, dumped: DumpedDatabase): Promise<string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
     where not c.relispartition and n.nspname || '.' || c.relname = any($1)
       and not exists (select from pg_constraint k where k.conindid = i.indexrelid)`,
    [dumped.tables.map(({ schema, name }) => `${schema}.${name}`)],
  )
  for (const { name } of rows) await client.query(`drop index ${name}`)
  // Of a partitioned table the definition says "on only", which would leave its partitions without.
  return rows.map(({ definition }) => definition.replace(' ON ONLY ', ' ON '))
}

async function loadTable(client: pg.PoolClient, table: DumpedTable, backup: BackupReader): Promise<void> {
  const columns = table.columns.map(pg.escapeIdentifier).join(', ')
  const target = client.query(copyFrom(`copy ${nameOf(table)} (${columns}) from stdin`))
  const done = finished(target)
  done.catch(() => {})
  try {
    for await (const rows of backup.rowsOf(table)) {
      if (!target.write(rows)) await Promise.race([new Promise((resolve) => target.once('drain', resolve)), done])
    }
  } catch (error) {
    target.destroy(error as Error)
    await done.catch(() => {})
    throw error
  }
  target.end()
  await done
  if (target.rowCount !== table.rows) {
    throw new Error(`${nameOf(table)} took ${target.rowCount} rows, and the backup has ${table.rows}`)
  }
}

/** Whether this checkout can make the tables of that database. @returns the name of a migration that stands in the way. */
export function foreignMigration(
  dumped: DumpedDatabase,
  known: readonly { number: number; name: string; sha256: string }[],
): { name: string; isNewer: boolean } | undefined {
  for (const migration of dumped.migrations) {
    const file = known.find(({ number }) => number === migration.number)
    if (!file) return { name: migration.name, isNewer: true }
    if (file.sha256 !== migration.sha256) return { name: join('migrations', file.name), isNewer: false }
  }
  return undefined
}
