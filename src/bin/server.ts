// `npm start`: PostgreSQL, API and console in one process. Composition only.

import { parseArgs } from 'node:util'
import { Counter, Gauge, type Registry } from 'prom-client'
import { makeDemoBrand, PEOPLE_AT_START, PEOPLE_RANGE, readPeople } from '../../demo/make.ts'
import manifest from '../../package.json' with { type: 'json' }
import { ensureConsole } from '../../web/build.ts'
import { pruneAudit } from '../modules/audit/actions.ts'
import { type Freshness, readFreshness } from '../modules/relationship/actions.ts'
import { readNextDue } from '../modules/segments/actions.ts'
import { isOpenAccount, LINK_MINUTES } from '../platform/accounts.ts'
import { type Auth, createAuth } from '../platform/auth.ts'
import { systemClock } from '../platform/clock.ts'
import { readConfig } from '../platform/config.ts'
import { createHttp, type Health, type Http } from '../platform/http.ts'
import { type Installation, openInstallation } from '../platform/installation.ts'
import { createDurations, createMetrics } from '../platform/metrics.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'
import { openVault } from '../platform/secrets.ts'
import { type Stopping, stopOnSignals } from '../platform/stopping.ts'
import {
  auditOf,
  brandByName,
  brandOfInstallation,
  brandsOfInstallation,
  keysOfInstallation,
  WEBHOOK_KEY_FILE,
} from './access.ts'
import { catchUp } from './catch-up.ts'
import { eraseEverywhere } from './erasure.ts'
import { openImportDesk } from './import-work.ts'
import { registerRoutes } from './routes.ts'
import { createSettling, type Settling } from './settling.ts'
import { createValuing, type Valuing } from './valuing.ts'

const USAGE = `Starts Perennial: database, API and console, on 127.0.0.1.

usage: npm start -- [--empty] [--people N] [--help]

  --empty      begin with an empty brand in place of the demo brand
  --people N   begin with a demo brand of so many people (${PEOPLE_AT_START})
  --help       print this

Settings are environment variables: PORT (8700), PERENNIAL_HOME (./data), DATABASE_URL, PUBLIC_URL.`

/** @param demoPeople of the demo brand that a first start makes; 0: an empty brand in its place. */
async function start(demoPeople: number, stopping: Stopping): Promise<void> {
  const config = readConfig()
  const consoleFolder = await ensureConsole(config.root)
  const installation = orThrow(await openInstallation(config, 'server'))
  stopping.onStop(() => installation.close())
  bringBackWhenLost(installation, stopping)
  if (!(await installation.currentBrand())) await makeFirstBrand(installation, demoPeople)

  await catchUpAll(installation)

  let address = ''
  const auth = await createAuth(installation, { baseUrl: () => address, clock: systemClock })
  const brandOf = brandOfInstallation(installation)
  const health = () => healthOf(installation)
  const version = manifest.version
  const keys = keysOfInstallation(installation, systemClock, (userId, now) =>
    isOpenAccount(installation.control, userId, now),
  )
  const metrics = createMetrics()
  const countedFacts = new Counter({
    name: 'perennial_facts_total',
    help: 'Facts by API and webhook, by kind and what became of them.',
    labelNames: ['kind', 'status'],
    registers: [metrics],
  })
  const spentRefreshing = createDurations(
    metrics,
    'perennial_refresh_duration_seconds',
    'Runs that bring standing up to date.',
    ['outcome'],
  )
  measureFreshness(metrics, installation)
  const valuing = createValuing(systemClock, console.error)
  stopping.onStop(() => valuing.stop())
  const settling = createSettling(systemClock, {
    log: console.error,
    spent: (seconds, outcome) => spentRefreshing.observe({ outcome }, seconds),
  })
  stopping.onStop(() => settling.stop())
  const importing = openImportDesk(installation, systemClock, console.error)
  stopping.onStop(() => importing.stop())
  const app = await createHttp({
    config,
    auth,
    clock: systemClock,
    control: installation.control,
    audit: auditOf(brandOf, systemClock),
    version,
    consoleFolder,
    brandOf,
    brands: brandsOfInstallation(installation),
    keys,
    health,
    metrics,
  })
  registerRoutes(app, {
    brandOf,
    brandNamed: brandByName(installation),
    clock: systemClock,
    settle: settling.settle,
    catchUp: (database) => catchUp(database, systemClock),
    erase: (database, command) => eraseEverywhere(database, systemClock, config.home, command),
    vault: openVault(config.home, WEBHOOK_KEY_FILE),
    count: (kind, status) => countedFacts.inc({ kind, status }),
    ...importing.deps,
    // Who is in segments by what they are worth follows.
    valueRuns: {
      state: valuing.state,
      begin: (database, asOf) => valuing.begin(database, asOf, () => settling.settle(database)),
    },
  })
  await importing.resume()

  const ticking = setInterval(() => settleAll(installation, settling, valuing).catch(() => {}), LAPSE_TICK_MS)
  stopping.onStop(async () => clearInterval(ticking))
  const looking = setInterval(() => settleDue(installation, settling).catch(() => {}), DUE_TICK_MS)
  stopping.onStop(async () => clearInterval(looking))
  // A failure is tried again an hour later.
  const pruning = setInterval(() => pruneAll(installation).catch(() => {}), PRUNE_TICK_MS)
  stopping.onStop(async () => clearInterval(pruning))

  address = await listen(app, config.port)
  stopping.onStop(() => app.close())
  console.log(`Perennial is ready at ${address}`)
  console.log(await invitation(auth, address))
}

/** Time moves people too: whoever has lapsed is stored within this, and shown at once whether stored or not. */
const LAPSE_TICK_MS = 60_000

async function settleAll(installation: Installation, settling: Settling, valuing: Valuing): Promise<void> {
  for (const brand of await installation.brands()) {
    const database = await installation.openBrand(brand)
    settling.settle(database)
    // Who is in segments by what they are worth follows.
    if (await valuing.run(database)) settling.settle(database)
  }
}

/** Time moves people between segments to the second: one entry of an index is read, and where it is due the work begins. */
const DUE_TICK_MS = 500

async function settleDue(installation: Installation, settling: Settling): Promise<void> {
  for (const brand of await installation.brands()) {
    const database = await installation.openBrand(brand)
    const next = await readNextDue(database.db)
    if (next && next <= systemClock.now()) settling.settle(database)
  }
}

/** Entries of the audit log whose time is over go within this. */
const PRUNE_TICK_MS = 3600 * 1000

async function pruneAll(installation: Installation): Promise<void> {
  for (const brand of await installation.brands()) {
    await pruneAudit(await installation.openBrand(brand), systemClock.now())
  }
}

async function listen(app: Http, port: number): Promise<string> {
  try {
    return await app.listen({ host: '127.0.0.1', port })
  } catch (error) {
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error
    throw refuse(
      'conflict',
      'port_taken',
      `Port ${port} is taken by another program.`,
      `Stop that one, or name a free port: PORT=${port + 1} npm start`,
    )
  }
}

async function invitation(auth: Auth, address: string): Promise<string> {
  if (await auth.ownerHasPassword()) return `Sign in at ${address}/ (new link: ./perennial sign-in)`
  return `Sign in once with ${await auth.makeSignInLink()} (valid ${LINK_MINUTES} minutes)`
}

async function makeFirstBrand(installation: Installation, demoPeople: number): Promise<void> {
  const now = systemClock.now()
  if (demoPeople > 0) {
    console.log(`Making the demo brand, a wine club of ${demoPeople.toLocaleString('en-US')} people…`)
    orThrow(await makeDemoBrand(installation, now, demoPeople))
    return
  }
  const brand = orThrow(await installation.createBrand({ key: 'main', name: 'My brand', isDemo: false }, now))
  await installation.makeCurrent(brand.key)
}

const QUIET_START_MS = 2000

/**
 * People whose facts changed while nothing worked them off, by an import that was killed after its facts were in, or whom time moved. A
 * million people who were left for most of a year took a minute and a half: a start that takes long says what it does.
 */
async function catchUpAll(installation: Installation): Promise<void> {
  for (const brand of await installation.brands()) {
    const saying = setTimeout(
      () => console.log(`Bringing ${brand.name} up to date with what happened since it last ran…`),
      QUIET_START_MS,
    )
    await catchUp(await installation.openBrand(brand), systemClock).finally(() => clearTimeout(saying))
  }
}

async function healthOf(installation: Installation): Promise<Health> {
  const major = await installation.serverMajor()
  const brand = await installation.currentBrand()
  const freshness = brand ? await readFreshness((await installation.openBrand(brand)).db, systemClock.now()) : null
  const database = { major, embedded: installation.cluster !== undefined }
  return { database, brand: brand?.key ?? null, freshness }
}

/** Two gauges, of each brand, asked each time the figures are read. */
function measureFreshness(metrics: Registry, installation: Installation): void {
  const measure = (name: string, help: string, figure: (freshness: Freshness) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['brand'],
      registers: [metrics],
      async collect() {
        // A brand that is gone is not measured any more.
        this.reset()
        for (const brand of await installation.brands()) {
          const { db } = await installation.openBrand(brand)
          this.set({ brand: brand.key }, figure(await readFreshness(db, systemClock.now())))
        }
      },
    })
  measure(
    'perennial_pending_people',
    'People whose facts changed and whose standing has not followed.',
    ({ pending_people }) => pending_people,
  )
  measure(
    'perennial_oldest_pending_seconds',
    'How long the first of them has waited; 0 when nobody waits.',
    ({ oldest_pending_seconds }) => oldest_pending_seconds ?? 0,
  )
}

/** PostgreSQL can be killed apart from us, by the kernel for one; requests fail until it is back. */
function bringBackWhenLost({ cluster }: Installation, stopping: Stopping): void {
  cluster?.onLost(async () => {
    if (stopping.isStopping) return
    console.error('PostgreSQL ended unexpectedly; bringing it back.')
    try {
      await cluster.recover()
      console.error('PostgreSQL is back.')
    } catch (error) {
      report(error)
      await stopping.stop(1)
    }
  })
}

function orThrow<T>(value: T | Refusal): T {
  if (isRefusal(value)) throw value
  return value
}

/** A sentence for what somebody can put right; the stack too for what only a programmer can. */
function report(error: unknown): void {
  if (isRefusal(error)) console.error(`${error.message} ${error.remedy}`)
  else console.error(error instanceof Error && !(error instanceof TypeError) ? error.message : error)
}

function readArguments(args: string[]): { people: number; help: boolean } {
  const options = {
    empty: { type: 'boolean', default: false },
    people: { type: 'string' },
    help: { type: 'boolean', default: false },
  } as const
  try {
    const { empty, people: given, help } = parseArgs({ args, options }).values
    const people = readPeople(given, PEOPLE_AT_START)
    if (people === undefined) throw new Error(`--people takes ${PEOPLE_RANGE}, not "${given}".`)
    return { people: empty ? 0 : people, help }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

const { people, help } = readArguments(process.argv.slice(2))
if (help) {
  console.log(USAGE)
} else {
  const stopping = stopOnSignals()
  start(people, stopping).catch((error) => {
    // Stopped while starting: what failed then failed because its database was closed.
    if (stopping.isStopping) return
    report(error)
    void stopping.stop(1)
  })
}
