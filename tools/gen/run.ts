// `npm run gen`: writes the files of generated/ from the migrations, the routes and the schema of mappings. `--check`
// writes nothing and fails with the list of files that differ.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Client } from 'pg'
import { z } from 'zod'
import { mapping } from '../../src/modules/intake/schema.ts'
import type { MigrationSet } from '../../src/platform/migrate.ts'
import { root, startTestServer, TEMPLATES, withClient } from '../../test/server.ts'
import { readCatalog, readNullableViewColumns } from './catalog.ts'
import { kyselyTypes } from './kysely-types.ts'
import { openApiFiles } from './openapi.ts'
import { readMigrationTexts, schemaSql } from './schema-sql.ts'

const isCheck = process.argv.includes('--check')
const files = await generate()
const differing = []
for (const [file, text] of files) {
  const path = join(root, file)
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) continue
  differing.push(file)
  if (isCheck) continue
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}
if (isCheck && differing.length > 0) {
  console.error(
    `Not what the migrations, routes and mappings say: ${differing.join(', ')}. Run "npm run gen" and commit them.`,
  )
  process.exitCode = 1
} else {
  console.log(
    differing.length > 0 ? `Written: ${differing.join(', ')}` : `${files.size} generated files are up to date`,
  )
}

async function generate(): Promise<Map<string, string>> {
  const made = new Map<string, string>()
  const server = await startTestServer()
  try {
    await withTemplate(server.url, 'brand', async (client) => {
      const catalog = await readCatalog(client)
      made.set('generated/schema.sql', schemaSql(catalog, 'brand', await readMigrationTexts(root, 'brand')))
      made.set('generated/db.ts', kyselyTypes(catalog, await readNullableViewColumns(client, catalog)))
    })
    await withTemplate(server.url, 'installation', async (client) => {
      const migrations = await readMigrationTexts(root, 'installation')
      made.set('generated/schema.installation.sql', schemaSql(await readCatalog(client), 'installation', migrations))
    })
  } finally {
    await server.stop()
  }
  made.set('generated/mapping.schema.json', mappingSchema())
  const openApi = await openApiFiles()
  made.set('generated/openapi.json', openApi.json)
  made.set('generated/openapi.ts', openApi.types)
  return made
}

/** For editors: `# yaml-language-server: $schema=generated/mapping.schema.json` completes and checks a mapping. */
function mappingSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(mapping, { io: 'input' }), null, 2)}\n`
}

function withTemplate(serverUrl: string, set: MigrationSet, work: (client: Client) => Promise<void>): Promise<void> {
  const url = new URL(serverUrl)
  url.pathname = `/${TEMPLATES[set]}`
  return withClient(url.toString(), work)
}
