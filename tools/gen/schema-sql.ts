import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MigrationSet } from '../../src/platform/migrate.ts'
import type { Catalog, Column, Relation } from './catalog.ts'

/**
 * The whole schema as one SQL text, for people who review a change. It says the same whatever the server's version,
 * so views stand as the migrations wrote them: PostgreSQL 16 began to print them in another way than 15.
 *
 * @param migrations text of all migrations of the set, in order.
 * @throws Error for a view whose text is not in the migrations.
 */
export function schemaSql(catalog: Catalog, set: MigrationSet, migrations: string): string {
  const views = viewTexts(migrations)
  const parts = [
    `-- Made by \`npm run gen\` from the catalog of a database with all of migrations/${set}; do not edit.`,
    ...catalog.schemas.map((schema) => schemaPart(catalog, schema, views)),
  ]
  return `${parts.join('\n\n')}\n`
}

function schemaPart(catalog: Catalog, schema: string, views: Map<string, string>): string {
  const here = <T extends { schema: string }>(things: readonly T[]) => things.filter((thing) => thing.schema === schema)
  const indexes = here(catalog.indexes)
  const blocks = [
    `-- ${schema} ${'-'.repeat(115 - schema.length)}\ncreate schema ${schema};`,
    ...here(catalog.enums).map(
      ({ name, labels }) =>
        `create type ${schema}.${name} as enum (${labels.map((label) => `'${label}'`).join(', ')});`,
    ),
    ...here(catalog.sequences).map(({ sql }) => `${sql};`),
    ...here(catalog.relations).map((relation) => {
      if (relation.kind !== 'table') return viewSql(relation, views)
      const own = indexes.filter(
        ({ sql }) =>
          sql.includes(` ON ${schema}.${relation.name} `) || sql.includes(` ON ONLY ${schema}.${relation.name} `),
      )
      return [tableSql(relation), ...own.map(({ sql }) => `${sql};`)].join('\n')
    }),
    ...here(catalog.functions).map(({ sql }) => `${sql};`),
    ...here(catalog.triggers).map(({ sql }) => `${sql};`),
  ]
  return blocks.join('\n\n')
}

function tableSql(table: Relation): string {
  const name = `${table.schema}.${table.name}`
  if (table.partitionOf) return `create table ${name} partition of ${table.partitionOf};`
  const lines = [
    ...table.columns.map(columnSql),
    ...table.constraints.map((constraint) => `constraint ${constraint.name} ${constraint.sql}`),
  ]
  const partitions = table.partitionKey ? ` partition by ${table.partitionKey}` : ''
  return `create table ${name} (\n${lines.map((line) => `  ${line}`).join(',\n')}\n)${partitions};`
}

function columnSql(column: Column): string {
  const parts = [column.name, column.type]
  if (column.identity) parts.push(`generated ${column.identity} as identity`)
  else if (column.isComputed) parts.push(`generated always as (${column.default}) stored`)
  else if (column.default) parts.push(`default ${column.default}`)
  if (column.notNull) parts.push('not null')
  return parts.join(' ')
}

function viewSql(view: Relation, views: Map<string, string>): string {
  const name = `${view.schema}.${view.name}`
  const text = views.get(name)
  if (!text) throw new Error(`No migration says "create view ${name} as …;", written in that way`)
  const columns = view.columns.map((column) => `--   ${column.name} ${column.type}\n`)
  return `-- Its columns:\n${columns.join('')}create ${view.kind} ${name} as\n  ${text};`
}

/** The last definition of each view. A view's text holds no semicolon. */
function viewTexts(migrations: string): Map<string, string> {
  const texts = new Map<string, string>()
  const definition = /^create (?:or replace )?(?:materialized )?view (?:if not exists )?(\w+\.\w+) as\s+([^;]+);/gim
  for (const [, name, text] of migrations.matchAll(definition)) if (name && text) texts.set(name, text.trim())
  return texts
}

/** The text of all migrations of a set, in order. */
export async function readMigrationTexts(root: string, set: MigrationSet): Promise<string> {
  const folder = join(root, 'migrations', set)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  return texts.join('\n')
}
