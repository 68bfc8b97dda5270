import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { zhCN } from './zh-CN.ts'

// What the server calls by a word of its own, and pages show, has words here: nobody should read `tag_group_delete`.

const root = resolve(import.meta.dirname, '../..')
const words: Record<string, string> = zhCN

async function sourceOf(...patterns: string[]): Promise<string> {
  const texts: string[] = []
  for await (const path of glob(patterns, { cwd: root })) {
    if (!path.includes('.test.')) texts.push(await readFile(join(root, path), 'utf8'))
  }
  assert.ok(texts.length > 0, patterns.join())
  return texts.join('\n')
}

const found = (text: string, pattern: RegExp) => new Set([...text.matchAll(pattern)].map((match) => match[1] ?? ''))

test('every operation that the audit log names has words, and so has what it is about', async () => {
  // It calls every route that is noted there, see audit.db.test.ts.
  const recipes = await readFile(join(root, 'src/bin/audit.db.test.ts'), 'utf8')
  const operations = found(recipes, /operation: '(\w+)'/g)
  assert.ok(operations.size > 30, `${operations.size} operations`)
  for (const operation of operations) assert.ok(words[`op.${operation}`], operation)
  const fields = new Set(
    [...recipes.matchAll(/fields: \[([^\]]+)\]/g)].flatMap(([, list]) => [...found(list ?? '', /'(\w+)'/g)]),
  )
  for (const field of fields) assert.ok(words[`changed.${field}`] ?? words[`brand.${field}`], field)
  const subjects = found(await sourceOf('src/**/*.ts'), /subjects(?:: | = )\{ (\w+)[:, ]/g)
  assert.ok(subjects.size > 8, `${subjects.size} subjects`)
  for (const subject of subjects) assert.ok(words[`subject.${subject}`], subject)
})

/** Refusals that only a terminal, a program with a key, or the start of the server meets. */
const NOT_ON_PAGES = [
  'ambiguous_key',
  'bad_key',
  'bad_signature',
  'is_demo',
  'is_folder',
  'missing_scope',
  'no_such_address',
  'no_such_brand',
  'no_such_file',
  'not_signed_in',
  'too_many_facts',
  'unknown_host',
  'unknown_mapping',
  'unreadable_file',
]

test('every refusal that a page may meet is said in the reader’s language', async () => {
  const texts = await sourceOf(
    'src/modules/**/*.ts',
    'src/platform/http*.ts',
    'src/platform/{accounts,auth,invitations,users}.ts',
    'src/bin/{access,file-kinds,import-into}.ts',
  )
  const codes = found(texts, /refuse\(\s*'\w+',\s*'(\w+)'/g)
  assert.ok(codes.size > 60, `${codes.size} codes`)
  for (const code of NOT_ON_PAGES) assert.ok(codes.has(code), `${code} is no refusal any more`)
  for (const code of codes) {
    assert.notEqual(`refusal.${code}_remedy` in words, NOT_ON_PAGES.includes(code), code)
  }
})
