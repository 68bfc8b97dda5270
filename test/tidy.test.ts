import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { before, suite, test } from 'node:test'
import { MODULES } from '../src/modules/dependencies.ts'
import { parseAll, readTree, tidy } from './tidy.ts'
import { moduleOf } from './tidy-imports.ts'
import type { Files } from './tidy-source.ts'
import { referencesOf } from './tidy-sql.ts'

suite('the checkout', () => {
  let files: Files
  before(async () => {
    files = await readTree(resolve(import.meta.dirname, '..'))
  })

  test('keeps every rule', () => {
    const said = tidy(files).map(({ rule, file, line, message }) => `${file}:${line} ${rule}: ${message}`)
    assert.equal(said.length, 0, `\n${said.join('\n')}\n`)
  })

  test('knows lower modules only', () => {
    const names = MODULES.map(({ name }) => name as string)
    for (const [index, { name, knows }] of MODULES.entries()) {
      const higher = knows.filter((known) => names.indexOf(known) >= index)
      assert.deepEqual(higher, [], name)
    }
  })

  // A rule that matches none of the real statements is green and proves nothing.
  test('shows its SQL to the rules', () => {
    const sources = parseAll(files).filter(({ file }) => /^src\/modules\/\w+\/queries\.ts$/.test(file))
    const seen = sources.flatMap((source) => referencesOf(source).map((reference) => ({ ...reference, source })))
    for (const { file } of sources) {
      const own = seen.filter(({ source, schema }) => source.file === file && schema === moduleOf(file))
      const others = seen.filter(({ source, name }) => source.file === file && name.startsWith('published_'))
      assert.ok(own.length + others.length > 0, `${file}: no table of its own and no published view seen`)
    }
    assert.ok(seen.some(({ isWrite }) => isWrite))
    assert.ok(seen.some(({ schema, source }) => schema !== moduleOf(source.file)))
  })
})

/** A checkout with nothing wrong in it, and with what the rules allow although it looks like what they forbid. */
const CLEAN: Record<string, string> = {
  'package.json': '{ "dependencies": { "zod": "4.6.7" } }',
  'package-lock.json': '{ "packages": { "node_modules/gen": { "resolved": "tools/gen", "link": true } } }',
  'migrations/brand/0001_first.sql': `-- since now() is
    create table commerce.orders (order_id bigint);
    create view commerce.published_orders as select order_id from commerce.orders;
    create view relationship.published_standing as select order_id from commerce.published_orders;`,
  'migrations/brand/0002_second.sql': 'create index orders_by_id on commerce.orders (order_id);',
  'src/bin/server.ts': `import { place } from '../modules/commerce/actions.ts'
    import { routes } from '../modules/commerce/routes.ts'
    export const started = [place, routes, 'Select a file from the list', 'update the settings']`,
  'src/platform/clock.ts': 'export const now = () => new Date()',
  'src/platform/money.ts': 'export const half = (minor: number) => minor / 2',
  'src/modules/commerce/schema.ts': `export type Order = { at: Date }`,
  'src/modules/commerce/rules.ts': `import { z } from 'zod'
    import { half } from '../../platform/money.ts'
    import type { Order } from './schema.ts'
    export const later = (order: Order) => [z, half(1), new Date(order.at)]`,
  'src/modules/commerce/queries.ts': `import { sql } from 'kysely'
    export const read = (db: Db) => sql\`
      with now as (select order_id from commerce.orders) -- and now() is none
      select now.order_id, 'now()' from now join intake.published_inbox i using (fact_id)\`.execute(db)
    export const write = (db: Db) => db.insertInto('commerce.orders').execute()
    export const seed = sql\`create temp table staged (line bigint); select nextval('commerce.order_id')\``,
  'src/modules/commerce/actions.ts': `import { now } from '../../platform/clock.ts'
    import { read, seed, write } from './queries.ts'
    import { later } from './rules.ts'
    export { read } from './queries.ts'
    export const place = [now, read, seed, write, later]`,
  'src/modules/commerce/routes.ts': 'export const routes = []',
  'src/modules/commerce/commerce.db.test.ts': `import { place } from './actions.ts'
    const statement = 'delete from intake.inbox'
    export const began = [place, statement, Date.now()]`,
  'demo/seed.ts': `import { place } from '../src/modules/commerce/actions.ts'
    export const seeded = place`,
  'web/app.tsx': `import './app.css'
    import type { paths } from '../generated/openapi.ts'
    export const App = (paths: paths) => <p>{String(paths)}</p>`,
}

/** What is wrong, by the rule that has to find it: the files to add to the clean checkout, or to put in place. */
const PLANTS: readonly (readonly [rule: string, files: Record<string, string>])[] = [
  ['module-imports', actions(`import { rows } from '../intake/queries.ts'`)],
  ['module-imports', actions(`import { brief } from '../analytics/schema.ts'`)],
  ['module-imports', actions(`export { brief } from '../relationship/actions.ts'`)],
  ['module-imports', actions(`const late = await import('../relationship/actions.ts')`)],
  ['module-imports', { 'src/bin/cli.ts': `import { read } from '../modules/commerce/queries.ts'` }],
  ['platform-imports', { 'src/platform/clock.ts': `import type { Order } from '../modules/commerce/schema.ts'` }],
  ['web-imports', { 'web/late.ts': `import type { Order } from '../src/modules/commerce/schema.ts'` }],
  ['demo-imports', { 'demo/late.ts': `import { later } from '../src/modules/commerce/rules.ts'` }],
  ['import-extension', { 'demo/late.ts': `import { seeded } from './seed'` }],
  ['barrel', { 'web/ui/index.ts': `export { App } from '../app.tsx'` }],
  ['barrel', { 'demo/all.ts': `export * from './seed.ts'` }],
  ['default-export', { 'demo/late.ts': 'export default 1' }],
  ['pure-rules', rules(`import { now } from '../../platform/clock.ts'`)],
  ['pure-rules', rules(`import { readFileSync } from 'node:fs'`)],
  ['pure-rules', rules(`import { read } from './queries.ts'`)],
  ['pure-rules', rules('const folder = process.cwd()')],
  ['pure-rules', { 'src/platform/money.ts': `import pg from 'pg'` }],
  ['module-files', { 'src/modules/commerce/service.ts': '', ...actions(`import './service.ts'`) }],
  [
    'module-files',
    { 'src/modules/loyalty/actions.ts': '', 'src/bin/cli.ts': `import '../modules/loyalty/actions.ts'` },
  ],
  ['dead-file', { 'src/platform/ids.ts': 'export const id = 1' }],
  ['sql-writes', queries('sql`delete from intake.inbox`')],
  ['sql-writes', queries('sql`with gone as (delete from only brand.settings returning 1) select * from gone`')],
  ['sql-writes', queries(`sql<{ a: 1 }>\`insert into brand.\${table} values (1)\``)],
  ['sql-writes', queries(`sql\`select nextval('intake.fact_id')\``)],
  ['sql-writes', queries(`db.updateTable('brand.settings')`)],
  ['sql-writes', queries('sql`update "brand"."settings" set zone = 1`')],
  ['sql-writes', queries(`client.query('truncate table brand.settings')`)],
  ['sql-writes', queries(`client.query('begin; delete from intake.inbox')`)],
  ['sql-writes', queries('sql`alter table if exists brand.settings add x int`')],
  ['sql-writes', queries('sql`drop view brand.published_settings`')],
  ['sql-writes', queries('sql`create unique index on brand.settings (zone)`')],
  ['sql-writes', queries(`client.query(copyFrom('copy intake.inbox (a, b) from stdin'))`)],
  ['sql-writes', queries('sql`merge into brand.settings using x on true`')],
  ['sql-reads', queries('sql`select 1 from intake.inbox`')],
  ['sql-reads', queries('sql`select 1 from relationship.published_standing`')],
  ['sql-reads', queries('sql`select 1 from platform.migrations`')],
  ['sql-reads', queries(`sql\`exists (select from \${x} join intake.\${table})\``)],
  ['sql-reads', queries(`db.selectFrom('brand.settings as s')`)],
  [
    'sql-reads',
    { 'migrations/brand/0003_third.sql': 'create view relationship.late as select 1 from commerce.orders;' },
  ],
  [
    'sql-reads',
    { 'migrations/brand/0003_third.sql': 'create table intake.late (x int references customers.identities);' },
  ],
  ['sql-home', actions('sql`in (select 1)`')],
  ['sql-home', actions(`db.selectFrom(table)`)],
  ['sql-home', { 'src/bin/cli.ts': `pool.query('select 1 from commerce.orders')` }],
  ['sql-home', { 'demo/late.ts': `pool.query(\`\n  INSERT INTO commerce.orders\`)` }],
  ['sql-clock', queries('sql`select order_id from commerce.orders where paid_at < now()`')],
  ['sql-clock', queries(`sql\`select 'today'::date\``)],
  ['sql-clock', queries(`client.query('select current_date from commerce.orders')`)],
  [
    'sql-clock',
    { 'migrations/brand/0003_third.sql': 'alter table commerce.orders add at timestamptz default CURRENT_TIMESTAMP;' },
  ],
  ['leftover', { 'docs/a.md': 'TODO' }],
  ['suppression', actions('// biome-ignore lint: because')],
  ['suppression', actions('const x = 1 as any')],
  ['focused-test', { 'demo/a.test.ts': `test.only('a', () => {})` }],
  ['focused-test', { 'demo/a.test.ts': `describe.skip('a', () => {})` }],
  [
    'raw-markup',
    { 'web/late.tsx': 'export const Name = (name: string) => <p dangerouslySetInnerHTML={{ __html: name }} />' },
  ],
  ['machine-path', { 'docs/a.md': 'cd /home/someone/perennial' }],
  ['machine-path', { '.npmrc': 'registry=https://registry.npmjs.org' }],
  ['issue-number', { 'docs/a.md': 'Fixes issue #12' }],
  ['lock-host', { 'package-lock.json': '{ "packages": { "a": { "resolved": "https://example.org/a.tgz" } } }' }],
  ['pinned-version', { 'bench/package.json': '{ "devDependencies": { "zod": "^4.6.7" } }' }],
  ['migration-number', { 'migrations/brand/0004_fourth.sql': '' }],
  ['migration-number', { 'migrations/brand/0002_another.sql': '' }],
  ['drawer-name', { 'web/utils/dates.ts': '' }],
  ['drawer-name', { 'demo/helpers.ts': '' }],
  ['file-length', { 'demo/late.ts': '\n'.repeat(501) }],
  ['clock', actions('const at = new Date()')],
  ['clock', actions('const at = Date.now()')],
  ['clock', actions('const at = performance.now()')],
  ['chance', actions('const id = randomUUID()')],
  ['chance', { 'src/platform/clock.ts': 'export const now = Math.random()' }],
  ['environment', actions('const zone = process.env.TZ')],
  ['environment', actions(`import { env } from 'node:process'`)],
]

suite('each rule finds what it is for', () => {
  test('and nothing in a clean checkout', () => assert.deepEqual(tidy(new Map(Object.entries(CLEAN))), []))

  test('and none is without a plant', async () => {
    const files = await readTree(resolve(import.meta.dirname, '..'), 'test')
    const own = [...files].filter(([file]) => /^test\/tidy-\w+\.ts$/.test(file)).map(([, text]) => text)
    const named = own.flatMap((text) => [...text.matchAll(/(?:[rR]ule\(\s*|rule: |report\()'([a-z-]+)'/g)])
    const rules = new Set(named.map(([, rule]) => rule))
    assert.ok(rules.size >= 25, `${rules.size} rules`)
    const planted = new Set(PLANTS.map(([rule]) => rule))
    assert.deepEqual([...rules].sort(), [...planted].sort())
  })

  for (const [rule, planted] of PLANTS) {
    const [file, text] = Object.entries(planted)[0] ?? []
    test(`${rule}: ${file} ${text?.trim().split('\n').at(-1)?.slice(-100)}`, () => {
      const found = tidy(new Map(Object.entries({ ...CLEAN, ...planted })))
      assert.deepEqual([...new Set(found.map((finding) => finding.rule))], [rule])
    })
  }
})

function actions(line: string): Record<string, string> {
  return { 'src/modules/commerce/actions.ts': `${CLEAN['src/modules/commerce/actions.ts']}\n${line}` }
}

function queries(statement: string): Record<string, string> {
  return { 'src/modules/commerce/queries.ts': `${CLEAN['src/modules/commerce/queries.ts']}\nawait ${statement}` }
}

function rules(line: string): Record<string, string> {
  return { 'src/modules/commerce/rules.ts': `${CLEAN['src/modules/commerce/rules.ts']}\n${line}` }
}
