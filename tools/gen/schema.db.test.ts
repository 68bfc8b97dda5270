import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { testDatabase } from '../../test/database.ts'
import { root, withClient } from '../../test/server.ts'
import { readCatalog } from './catalog.ts'
import { readMigrationTexts, schemaSql } from './schema-sql.ts'

const FILES = { brand: 'generated/schema.sql', installation: 'generated/schema.installation.sql' } as const

// Runs on PostgreSQL 15 as well: a migration may not mean one thing there and another on 18.
for (const set of ['brand', 'installation'] as const) {
  test(`${FILES[set]} is what the migrations make, whatever the server's version`, async (t) => {
    const { url } = await testDatabase(t, set)
    const catalog = await withClient(url, readCatalog)
    const committed = await readFile(join(root, FILES[set]), 'utf8')
    assert.equal(schemaSql(catalog, set, await readMigrationTexts(root, set)), committed, 'run "npm run gen"')
  })
}
