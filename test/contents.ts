import type { Database } from '../src/platform/db.ts'

/** Of every table, whoever keeps it: how many rows, and a hash of them in no order. Partitions count with their table. */
export type Contents = Readonly<Record<string, string>>

/** Columns that say when or where, and are others in another place. */
const NOT_COMPARED: Readonly<Record<string, string>> = {
  'platform.migrations': 'applied_at',
  'installation.brands': 'database_name',
}

export async function readContents({ pool }: Database): Promise<Contents> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
     order by 1`,
  )
  const contents: Record<string, string> = {}
  for (const { name } of tables) {
    const { rows } = await pool.query<{ found: string }>(
      `select count(*) || ' ' || coalesce(md5(string_agg(row, ',' order by row)), '') as found
       from (select md5((to_jsonb(t) - $1)::text) as row from ${name} t) hashed`,
      [NOT_COMPARED[name] ?? ''],
    )
    contents[name] = rows[0]?.found ?? ''
  }
  const { rows: sequences } = await pool.query<{ name: string; last: string | null }>(
    `select schemaname || '.' || sequencename as name, last_value::text as last from pg_sequences order by 1`,
  )
  for (const { name, last } of sequences) contents[`sequence ${name}`] = last ?? ''
  const { rows: partitions } = await pool.query<{ name: string; bound: string }>(
    `select oid::regclass::text as name, pg_get_expr(relpartbound, oid) as bound from pg_class
     where relispartition and relkind = 'r' and pg_get_expr(relpartbound, oid) <> 'DEFAULT' order by 1`,
  )
  for (const { name, bound } of partitions) contents[`partition ${name}`] = bound
  const { rows: indexes } = await pool.query<{ name: string; definition: string }>(
    `select schemaname || '.' || indexname as name, indexdef as definition from pg_indexes
     where schemaname !~ '^pg_' and indexname !~ '_[ab]_|[0-9]{4}_[0-9]{2}' order by 1`,
  )
  for (const { name, definition } of indexes) contents[`index ${name}`] = definition
  return contents
}
