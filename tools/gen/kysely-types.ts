import type { Catalog, Column, Relation } from './catalog.ts'

/** How src/platform/db.ts makes a value of each type arrive; anything else has to be decided there and here first. */
const TYPES: Record<string, string> = {
  bool: 'boolean',
  bytea: 'Buffer',
  // A day has no zone: as a Date it would move.
  date: 'string',
  float4: 'number',
  float8: 'number',
  inet: 'string',
  int2: 'number',
  int4: 'number',
  int8: 'number',
  json: 'unknown',
  jsonb: 'unknown',
  name: 'string',
  numeric: 'string',
  text: 'string',
  time: 'string',
  timestamptz: 'Date',
  uuid: 'string',
  varchar: 'string',
}
const ARRAY_ELEMENTS = ['bool', 'float4', 'float8', 'int2', 'int4', 'int8', 'text', 'timestamptz', 'uuid', 'varchar']

/** The `DB` interface of Kysely: tables and views by `schema.name`. */
export function kyselyTypes(catalog: Catalog, nullableViewColumns: ReadonlySet<string>): string {
  const enums = new Map(
    catalog.enums.map(({ name, labels }) => [name, labels.map((label) => JSON.stringify(label)).join(' | ')]),
  )
  // A partition is written and read through its table.
  const relations = catalog.relations.filter((relation) => !relation.partitionOf)
  const interfaces = relations.map((relation) => {
    const lines = relation.columns.map((column) => `  ${column.name}: ${columnType(relation, column)}`)
    return `export interface ${interfaceName(relation)} {\n${lines.join('\n')}\n}`
  })

  function columnType(relation: Relation, column: Column): string {
    const where = `${relation.schema}.${relation.name}.${column.name}`
    const isTable = relation.kind === 'table'
    const value = valueType(where, column)
    const isNullable = value !== 'unknown' && (isTable ? !column.notNull : nullableViewColumns.has(where))
    const type = isNullable ? `${value} | null` : value
    if (!isTable) return type
    if (column.isComputed) return `ColumnType<${type}, never, never>`
    if (column.identity === 'always') return `GeneratedAlways<${type}>`
    if (column.baseType === 'numeric' && !column.isArray) {
      // Exact decimals leave as text, and may come as a number where that is exact.
      const written = isNullable ? 'string | number | null' : 'string | number'
      const inserted = column.default !== null || isNullable ? `${written} | undefined` : written
      return `ColumnType<${type}, ${inserted}, ${written}>`
    }
    return column.identity || column.default !== null ? `Generated<${type}>` : type
  }

  function valueType(where: string, column: Column): string {
    const known = enums.get(column.baseType) ?? TYPES[column.baseType]
    if (!known || (column.isArray && !ARRAY_ELEMENTS.includes(column.baseType))) {
      throw new Error(`${where}: no rule in tools/gen/kysely-types.ts for the type ${column.type}`)
    }
    return column.isArray ? `${known}[]` : known
  }

  const body = [
    ...interfaces,
    `/** Tables and views of a brand database. */\nexport interface DB {\n${relations
      .map((relation) => `  '${relation.schema}.${relation.name}': ${interfaceName(relation)}`)
      .join('\n')}\n}`,
  ].join('\n\n')
  const imports = ['ColumnType', 'Generated', 'GeneratedAlways'].filter((name) => body.includes(`${name}<`))
  const head = imports.length > 0 ? `import type { ${imports.join(', ')} } from 'kysely'\n\n` : ''
  return `// Made by \`npm run gen\` from the catalog of a migrated brand database; do not edit.\n\n${head}${body}\n`
}

function interfaceName(relation: Relation): string {
  return `${relation.schema}_${relation.name}`.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
