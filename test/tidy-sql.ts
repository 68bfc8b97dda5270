import { FURTHER_FILES, knownBy, moduleNames, moduleOf } from './tidy-imports.ts'
import { type Files, type Finding, isTest, type Literal, lineOf, type Source } from './tidy-source.ts'

/** A table, view or sequence named with its schema. */
export interface Reference {
  readonly schema: string
  /** Empty where it is put together at run time. */
  readonly name: string
  readonly isWrite: boolean
  readonly offset: number
}

const KYSELY_READS = ['selectFrom']
const KYSELY_WRITES = ['insertInto', 'updateTable', 'deleteFrom', 'mergeInto', 'replaceInto']
const PUBLISHED = /^published_/
const RESERVED_SCHEMAS = ['platform', 'installation']

const WRITE_BEFORE = new RegExp(
  [
    'insert\\s+into',
    'update(\\s+only)?',
    'delete\\s+from(\\s+only)?',
    'merge\\s+into(\\s+only)?',
    'truncate(\\s+table)?(\\s+only)?',
    '(create|alter|drop)\\s+[a-z\\s]*?(schema|table|view|sequence|function|type|index)(\\s+if\\s+(not\\s+)?exists)?(\\s+only)?',
    'create\\s+[a-z\\s]*index\\s+[\\w\\s]*?on(\\s+only)?',
    'lock\\s+table',
    'copy',
    'nextval\\(\\s*',
    'setval\\(\\s*',
    'refresh\\s+materialized\\s+view(\\s+concurrently)?',
  ]
    .map((words) => `\\b${words}\\s*['"]?$`)
    .join('|'),
  'i',
)

/** Statements as the house writes them, in small letters, or all in capitals: prose has neither. */
const STATEMENTS = [
  'select\\b[\\s\\S]*\\bfrom\\s',
  'select\\s+\\w+\\(',
  'insert\\s+into\\s',
  'update\\s+[\\w."]+(\\s+\\w+)?\\s+set\\s',
  'delete\\s+from\\s',
  'merge\\s+into\\s',
  'with\\s+(recursive\\s+)?\\w+\\s*(\\([^)]*\\)\\s*)?as\\s*(materialized\\s*)?\\(',
  '(create|alter|drop)\\s+((or\\s+replace|unlogged|temp|temporary|unique|materialized)\\s+)*' +
    '(table|view|index|schema|database|sequence|function|trigger)\\s',
  'truncate\\s',
  'copy\\s+[\\w.]+(\\s*\\([^)]*\\))?\\s+(from|to)\\s',
  'refresh\\s+materialized\\s',
]
const SMALL = new RegExp(`^\\s*(${STATEMENTS.join('|')})`)
// Escapes such as \S mean something else as capitals, so only the words are raised.
const CAPITAL = new RegExp(
  `^\\s*(${STATEMENTS.map((text) => text.replace(/(?<!\\)\b[a-z]{2,}/g, (word) => word.toUpperCase())).join('|')})`,
)
/** Further inside a text, where it says whose table it means. */
const NAMED = new RegExp(`\\b(from|join|into|update|table|view)\\s+"?(${moduleNames.join('|')})"?\\.\\w`, 'i')

const TIME_AND_CHANCE =
  /\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|random|gen_random_uuid|uuidv[47])\s*\(|\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b|'(now|today|tomorrow|yesterday)'/gi

/** SQL with comments blanked, and with the strings, but for those that name a table: nextval('intake.fact_id'). */
function bare(sql: string): string {
  return sql.replace(/--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'/g, (part) =>
    /^'(\w+\.\w+|now|today|tomorrow|yesterday)'$/i.test(part) ? part : part.replace(/[^\n]/g, ' '),
  )
}

export function references(sql: string): Reference[] {
  const text = bare(sql)
  const named = new RegExp(
    `(?<![\\w.])"?(${[...moduleNames, ...RESERVED_SCHEMAS].join('|')})"?\\s*\\.\\s*"?(\\w*)`,
    'gi',
  )
  return [...text.matchAll(named)].map((match) => ({
    schema: (match[1] ?? '').toLowerCase(),
    name: match[2] ?? '',
    isWrite: WRITE_BEFORE.test(text.slice(0, match.index)),
    offset: match.index,
  }))
}

function isSql(literal: Literal): boolean {
  return literal.tag === 'sql' || [SMALL, CAPITAL, NAMED].some((pattern) => pattern.test(literal.text))
}

/** All references of a source: in its SQL, and in strings that Kysely takes for tables ('commerce.orders as o'). */
export function referencesOf(source: Source): Reference[] {
  return source.literals.flatMap((literal) => {
    const isTable = /^\s*\w+\.\w+(\s+as\s+\w+)?\s*$/.test(literal.text)
    if (!isSql(literal) && !isTable) return []
    const isWrite = isTable && KYSELY_WRITES.includes(literal.callee ?? '')
    return references(literal.text).map((reference) => ({
      ...reference,
      isWrite: reference.isWrite || isWrite,
      offset: literal.offset + reference.offset,
    }))
  })
}

/** A module writes its own schema, and reads besides only what the modules it knows have published. */
export function sqlBounds(sources: readonly Source[], files: Files): Finding[] {
  const found: Finding[] = []
  const judge = (file: string, text: string, owner: string, reference: Reference) => {
    const { schema, name, isWrite, offset } = reference
    if (schema === owner) return
    const report = (rule: string, message: string) => found.push({ rule, file, line: lineOf(text, offset), message })
    const what = `${schema}.${name}`
    if (isWrite) report('sql-writes', `${owner} may not write ${what}: call an action of ${schema}`)
    else if (!knownBy(owner).includes(schema)) report('sql-reads', `${owner} may not know ${what}`)
    else if (!PUBLISHED.test(name)) report('sql-reads', `${what} is private: read a view ${schema}.published_…`)
  }
  for (const source of sources) {
    const owner = moduleOf(source.file)
    if (!owner || isTest(source.file)) continue
    for (const reference of referencesOf(source)) judge(source.file, source.text, owner, reference)
  }
  for (const [file, text] of files) {
    if (!file.startsWith('migrations/brand/')) continue
    for (const { sql, offset } of statements(text)) {
      // A statement belongs to the schema it makes or changes something in, which it names first.
      const [first, ...others] = references(sql)
      if (!first) continue
      for (const other of others) judge(file, text, first.schema, { ...other, offset: offset + other.offset })
    }
  }
  return found
}

/** Statements of a migration with their offsets; a function's body between $$ is part of its statement. */
function statements(text: string): { sql: string; offset: number }[] {
  const masked = bare(text).replace(/\$(\w*)\$[\s\S]*?\$\1\$/g, (body) => body.replaceAll(';', ' '))
  const parts: { sql: string; offset: number }[] = []
  for (let begin = 0; begin < masked.length; ) {
    const semicolon = masked.indexOf(';', begin)
    const end = semicolon < 0 ? masked.length : semicolon
    parts.push({ sql: masked.slice(begin, end), offset: begin })
    begin = end + 1
  }
  return parts
}

/** SQL stands in the platform and in the queries.ts of modules. */
export function sqlHome(sources: readonly Source[]): Finding[] {
  return sources
    .filter(({ file }) => /^(src|demo|web)\//.test(file) && !file.startsWith('src/platform/') && !isTest(file))
    .filter(({ file }) => !/^src\/modules\/[^/]+\/([a-z]+-)?queries\.ts$/.test(file))
    .filter(({ file }) => !(FURTHER_FILES[file] && /\/queries[^/]*\.ts$/.test(file)))
    .flatMap((source) => {
      const spots = [
        ...source.literals.filter(isSql),
        ...source.calls.filter(({ name }) => [...KYSELY_READS, ...KYSELY_WRITES].includes(name)),
      ]
      return spots.map(({ offset }) => ({
        rule: 'sql-home',
        file: source.file,
        line: lineOf(source.text, offset),
        message: "SQL stands in a module's queries.ts",
      }))
    })
}

/** Time and chance enter by clock.ts and ids.ts, so that any question can be asked as of any instant. */
export function sqlClock(sources: readonly Source[], files: Files): Finding[] {
  const texts = [
    ...sources
      .filter(({ file }) => moduleOf(file) && !isTest(file))
      .flatMap(({ file, text, literals }) => literals.filter(isSql).map((literal) => ({ file, text, literal }))),
    ...[...files]
      .filter(([file]) => file.startsWith('migrations/brand/'))
      .map(([file, text]) => ({ file, text, literal: { text, offset: 0 } })),
  ]
  return texts.flatMap(({ file, text, literal }) =>
    [...bare(literal.text).matchAll(TIME_AND_CHANCE)].map((match) => ({
      rule: 'sql-clock',
      file,
      line: lineOf(text, literal.offset + match.index),
      message: `"${match[0]}" asks the server's clock or dice: pass the instant, or the id, as an argument`,
    })),
  )
}
