import type { Client } from 'pg'

/** What the catalog of a migrated database says, in an order that depends on names alone. */
export interface Catalog {
  readonly schemas: readonly string[]
  readonly relations: readonly Relation[]
  readonly indexes: readonly Definition[]
  readonly sequences: readonly Definition[]
  readonly functions: readonly Definition[]
  readonly triggers: readonly Definition[]
  readonly enums: readonly Enum[]
}

export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: 'table' | 'view' | 'materialized view'
  /** e.g. `RANGE (decided_at)`; null for a plain table. */
  readonly partitionKey: string | null
  /** Table and bound of a partition, e.g. `touch.decisions for values from …`; null for anything else. */
  readonly partitionOf: string | null
  readonly columns: readonly Column[]
  readonly constraints: readonly Definition[]
}

export interface Column {
  readonly number: number
  readonly name: string
  /** As SQL writes it, e.g. `numeric(10,2)`. */
  readonly type: string
  /** Name in pg_type of the type, a domain's base, an array's element, e.g. `int8`. */
  readonly baseType: string
  readonly isArray: boolean
  readonly notNull: boolean
  readonly default: string | null
  readonly identity: 'always' | 'by default' | null
  readonly isComputed: boolean
}

export interface Definition {
  readonly schema: string
  readonly name: string
  readonly sql: string
}

export interface Enum {
  readonly schema: string
  readonly name: string
  readonly labels: readonly string[]
}

/** The platform schema is made by code before the first migration, and has no place in what people review. */
const OURS = `n.nspname not in ('public', 'platform', 'information_schema') and n.nspname !~ '^pg_'`

export async function readCatalog(client: Client): Promise<Catalog> {
  const all = async <T extends object>(sql: string): Promise<T[]> => (await client.query<T>(sql)).rows
  const schemas = await all<{ name: string }>(
    `select nspname as name from pg_namespace n where ${OURS} order by nspname collate "C"`,
  )
  const relations = await all<Omit<Relation, 'columns' | 'constraints'>>(`
    select c.oid::int as oid, n.nspname as schema, c.relname as name,
      case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind,
      case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end as "partitionKey",
      case when c.relispartition then
        (select i.inhparent::regclass::text || ' ' || pg_get_expr(c.relpartbound, c.oid) from pg_inherits i
         where i.inhrelid = c.oid) end as "partitionOf"
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where ${OURS} and c.relkind in ('r', 'p', 'v', 'm')
    order by n.nspname collate "C", c.relname collate "C"`)
  const columns = await all<Column & { oid: number }>(`
    select a.attrelid::int as oid, a.attnum as number, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
      coalesce(el.typname, base.typname, t.typname) as "baseType", el.oid is not null as "isArray",
      a.attnotnull as "notNull", pg_get_expr(d.adbin, d.adrelid) as default,
      case a.attidentity when 'a' then 'always' when 'd' then 'by default' end as identity,
      a.attgenerated <> '' as "isComputed"
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    join pg_type t on t.oid = a.atttypid
    left join pg_type base on t.typtype = 'd' and base.oid = t.typbasetype
    left join pg_type el on t.typcategory = 'A' and el.oid = t.typelem
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where ${OURS} and c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0 and not a.attisdropped
    order by a.attrelid, a.attnum`)
  // Since PostgreSQL 18 a not-null is a constraint with a name (contype n); 15 has only the column's flag.
  const constraints = await all<Definition & { oid: number }>(`
    select con.conrelid::int as oid, n.nspname as schema, con.conname as name, pg_get_constraintdef(con.oid) as sql
    from pg_constraint con
    join pg_class c on c.oid = con.conrelid join pg_namespace n on n.oid = c.relnamespace
    where ${OURS} and con.contype in ('p', 'u', 'f', 'c', 'x')
    order by position(con.contype::text in 'pufcx'), con.conname collate "C"`)
  const indexes = await all<Definition>(`
    select n.nspname as schema, i.relname as name, pg_get_indexdef(x.indexrelid) as sql
    from pg_index x
    join pg_class i on i.oid = x.indexrelid join pg_class c on c.oid = x.indrelid
    join pg_namespace n on n.oid = c.relnamespace
    where ${OURS} and not exists (select from pg_constraint con where con.conindid = x.indexrelid and con.contype in ('p', 'u', 'x'))
    order by n.nspname collate "C", c.relname collate "C", i.relname collate "C"`)
  const sequences = await all<Definition>(`
    select n.nspname as schema, c.relname as name,
      format('CREATE SEQUENCE %I.%I AS %s INCREMENT %s START %s', n.nspname, c.relname, format_type(s.seqtypid, null),
        s.seqincrement, s.seqstart) || case when s.seqcycle then ' CYCLE' else '' end as sql
    from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace
    where ${OURS} and not exists (select from pg_depend d where d.objid = c.oid and d.deptype in ('i', 'a'))
    order by n.nspname collate "C", c.relname collate "C"`)
  const functions = await all<Definition>(`
    select n.nspname as schema, p.proname as name, trim(trailing E'\\n' from pg_get_functiondef(p.oid)) as sql
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where ${OURS} and p.prokind in ('f', 'p')
    order by n.nspname collate "C", p.proname collate "C", pg_get_function_identity_arguments(p.oid) collate "C"`)
  const triggers = await all<Definition>(`
    select n.nspname as schema, g.tgname as name, pg_get_triggerdef(g.oid) as sql
    from pg_trigger g join pg_class c on c.oid = g.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where ${OURS} and not g.tgisinternal
    order by n.nspname collate "C", c.relname collate "C", g.tgname collate "C"`)
  const enums = await all<Enum>(`
    select n.nspname as schema, t.typname as name, array_agg(e.enumlabel::text order by e.enumsortorder) as labels
    from pg_type t join pg_namespace n on n.oid = t.typnamespace join pg_enum e on e.enumtypid = t.oid
    where ${OURS} group by 1, 2 order by n.nspname collate "C", t.typname collate "C"`)
  return {
    schemas: schemas.map((schema) => schema.name),
    relations: relations.map((relation) => ({
      ...relation,
      columns: columns.filter((column) => column.oid === relation.oid),
      constraints: constraints.filter((constraint) => constraint.oid === relation.oid),
    })),
    indexes,
    sequences,
    functions,
    triggers,
    enums,
  }
}

/**
 * Columns of views that can be null. The catalog marks none of a view's columns as not null, so this follows each to
 * the table column it shows (`resorigtbl` in the view's parse tree, which says in `varnullingrels` whether an outer
 * join can make it null). An expression counts as nullable, and so does everything above an outer join in a subquery.
 */
export async function readNullableViewColumns(client: Client, catalog: Catalog): Promise<Set<string>> {
  const { rows } = await client.query<{ oid: number; tree: string }>(
    `select ev_class::int as oid, ev_action::text as tree from pg_rewrite where rulename = '_RETURN'`,
  )
  const trees = new Map(rows.map((row) => [row.oid, row.tree]))
  const relations = new Map(catalog.relations.map((relation) => [relation.oid, relation]))

  function isNullable(oid: number, number: number): boolean {
    const relation = relations.get(oid)
    const column = relation?.columns.find((candidate) => candidate.number === number)
    if (!relation || !column) return true
    if (relation.kind === 'table') return !column.notNull
    const { top, nested } = splitQuery(trees.get(oid) ?? '')
    const shown = new RegExp(
      `{VAR [^{}]*:varnullingrels \\(b\\)[^{}]*} :resno ${number} :resname \\S+ ` +
        ':ressortgroupref \\d+ :resorigtbl (\\d+) :resorigcol (\\d+)',
    )
    const origin = shown.exec(top)
    return !origin || /:jointype [1-9]/.test(nested) || isNullable(Number(origin[1]), Number(origin[2]))
  }

  const nullable = new Set<string>()
  for (const relation of catalog.relations.filter((candidate) => candidate.kind !== 'table')) {
    for (const column of relation.columns) {
      if (isNullable(relation.oid, column.number)) nullable.add(`${relation.schema}.${relation.name}.${column.name}`)
    }
  }
  return nullable
}

/** A parse tree's text, and apart from it that of its subqueries (from clause, with, exists). */
function splitQuery(tree: string): { top: string; nested: string } {
  const parts = { top: '', nested: '' }
  let queryDepth = 0
  const open: boolean[] = []
  for (const token of tree.split(/(?=\{)|(?<=\})/)) {
    const isQuery = token.startsWith('{QUERY')
    if (token.startsWith('{')) open.push(isQuery)
    if (isQuery) queryDepth += 1
    parts[queryDepth > 1 ? 'nested' : 'top'] += token
    if (token.endsWith('}') && open.pop()) queryDepth -= 1
  }
  return parts
}
