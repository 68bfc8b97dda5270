import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { auditOf, brandByName, keysOfInstallation, WEBHOOK_KEY_FILE } from '../src/bin/access.ts'
import { catchUp } from '../src/bin/catch-up.ts'
import { eraseEverywhere } from '../src/bin/erasure.ts'
import { type ImportDesk, openImportDesk } from '../src/bin/import-work.ts'
import { FACT_KINDS, registerRoutes } from '../src/bin/routes.ts'
import { createValuing } from '../src/bin/valuing.ts'
import { storeFacts } from '../src/modules/intake/actions.ts'
import { isOpenAccount } from '../src/platform/accounts.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import type { Http } from '../src/platform/http.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { openVault } from '../src/platform/secrets.ts'
import { testDatabase } from './database.ts'
import { type TestHttp, type TestHttpOptions, testHttp } from './http.ts'
import { scratchFolder } from './scratch.ts'

export interface TestConsole {
  readonly http: TestHttp
  /** The brand's; `http.database` is the installation's. */
  readonly database: Database
  /** The data folder. */
  readonly home: string
  readonly importing: ImportDesk
  /** What a later process makes of the same folder. */
  reopenImports(): ImportDesk
  /** Stores facts of the source `shop` and has everybody concerned brought up to date. */
  post(...facts: object[]): Promise<void>
}

export interface ConsoleOptions extends Omit<TestHttpOptions, 'routes'> {
  /** Routes beside those of the modules. */
  readonly more?: (app: Http) => void
}

/** The server with every module's routes, on an installation and a brand of its own. */
export async function testConsole(
  t: TestContext,
  clock: Clock,
  { more, ...options }: ConsoleOptions = {},
): Promise<TestConsole> {
  const { database } = await testDatabase(t)
  const home = await mkdtemp(join(scratchFolder(), 'perennial-console-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const brand = { key: 'main', name: 'Main', isDemo: false, databaseName: 'main', isCurrent: true }
  const brandOf = async () => ({ brand, database })
  const installation = {
    config: { home },
    brands: async () => [brand],
    currentBrand: async () => brand,
    openBrand: async () => database,
    createBrand: async () => brand,
    makeCurrent: async () => {},
    dropBrand: async () => {},
  }
  const open = () => {
    const desk = openImportDesk(installation, clock, (sentence) => http.log.push(sentence))
    t.after(() => desk.stop())
    return desk
  }
  const importing = open()
  const valuing = createValuing(clock, (sentence) => http.log.push(sentence))
  t.after(() => valuing.stop())
  const http: TestHttp = await testHttp(t, {
    ...options,
    brandOf,
    audit: auditOf(brandOf, clock),
    keys: keysOfInstallation(installation, clock, (userId, now) => isOpenAccount(http.database, userId, now)),
    routes: (app) => {
      more?.(app)
      registerRoutes(app, {
        brandOf,
        brandNamed: brandByName(installation),
        clock,
        settle: () => {},
        catchUp: (changed) => catchUp(changed, clock),
        erase: (from, command) => eraseEverywhere(from, clock, home, command),
        vault: openVault(home, WEBHOOK_KEY_FILE),
        ...importing.deps,
        valueRuns: { state: valuing.state, begin: (valued, asOf) => valuing.begin(valued, asOf, () => {}) },
      })
    },
  })
  const post = async (...facts: object[]) => {
    const sent = facts.map((fact) => ({ source: 'shop', ...fact }))
    const results = await storeFacts(database, clock, sent, FACT_KINDS)
    if (isRefusal(results)) throw new Error(results.message)
    const refused = results.find(({ status }) => status === 'refused')
    if (refused) throw new Error(JSON.stringify(refused))
    await catchUp(database, clock)
  }
  return { http, database, home, importing, reopenImports: open, post }
}
