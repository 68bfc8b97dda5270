import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Config, readConfig } from '../src/platform/config.ts'
import { type Database, openDatabase } from '../src/platform/db.ts'
import { type Installation, openInstallation } from '../src/platform/installation.ts'
import type { MigrationSet } from '../src/platform/migrate.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { openTombstones } from '../src/platform/tombstones.ts'
import { scratchFolder } from './scratch.ts'
import { SERVER_ENV, startTestServer, TEMPLATES, type TestServer, withClient } from './server.ts'

const CLOSE_TIMEOUT_MS = 1000

let own: Promise<TestServer> | undefined
let made = 0

/**
 * A fresh, migrated database of this test's own, gone when the test ends. Under `npm test` it is cloned on the
 * runner's server; a test file run by hand (`node --test src/…/x.db.test.ts`) gets a server for its process.
 * It never skips: a test that cannot have its database fails.
 */
export async function testDatabase(
  t: TestContext,
  set: MigrationSet = 'brand',
): Promise<{ url: string; database: Database }> {
  const serverUrl = process.env[SERVER_ENV] ?? (await ownServer()).url
  made += 1
  const name = `perennial_test_${process.pid}_${made}`
  // Without fsync the checkpoints of file_copy cost nothing: 11 ms, and 105 ms by the default, the write-ahead log.
  const clone = `create database ${name} template ${TEMPLATES[set]} strategy file_copy`
  await withClient(serverUrl, (client) => client.query(clone))
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const home = await mkdtemp(join(scratchFolder(), 'perennial-test-home-'))
  const database = openDatabase(url.toString(), openTombstones(home, name))
  t.after(async () => {
    // A test may have closed the pool itself, e.g. to prove what happens without one.
    const closed = database.pool.ended ? undefined : database.close()
    // A pool waits for its running statements, and a test that timed out has one: the drop ends those.
    await Promise.race([closed, sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false })])
    await rm(home, { recursive: true, force: true })
    await withClient(serverUrl, (client) => client.query(`drop database if exists ${name} with (force)`))
    await closed
  })
  return { url: url.toString(), database }
}

export interface TestInstallation {
  readonly config: Config
  /** Opened, and closed at the test's end unless the test has. */
  open(): Promise<Installation>
}

/**
 * Where an installation can be made, on the same server: an empty database to hold accounts and the list of brands, and a data
 * folder. All its databases are gone when the test ends.
 */
export async function testInstallation(t: TestContext): Promise<TestInstallation> {
  const serverUrl = process.env[SERVER_ENV] ?? (await ownServer()).url
  made += 1
  const name = `perennial_inst_${process.pid}_${made}`
  await withClient(serverUrl, (client) => client.query(`create database ${name}`))
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const home = await mkdtemp(join(scratchFolder(), 'perennial-test-home-'))
  const config = { ...readConfig({}), home, databaseUrl: url.toString() }
  const opened: Installation[] = []
  t.after(async () => {
    for (const installation of opened) {
      if (!installation.control.pool.ended) await installation.close()
    }
    await rm(home, { recursive: true, force: true })
    await withClient(serverUrl, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `select quote_ident(datname) as name from pg_database where datname = $1 or datname like $1 || '\\_%'`,
        [name],
      )
      for (const { name: database } of rows) await client.query(`drop database if exists ${database} with (force)`)
    })
  })
  return {
    config,
    open: async () => {
      const installation = await openInstallation(config, 'command')
      if (isRefusal(installation)) throw new Error(installation.message)
      opened.push(installation)
      return installation
    },
  }
}

function ownServer(): Promise<TestServer> {
  own ??= startTestServer()
  return own
}

// At the top level of the test file that imports this one, so it runs once, after its last test.
after(async () => (await own)?.stop())
