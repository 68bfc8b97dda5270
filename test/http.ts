import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Uploads } from '../src/modules/intake/actions.ts'
import type { ImportWork } from '../src/modules/intake/jobs.ts'
import { type Auth, createAuth } from '../src/platform/auth.ts'
import { systemClock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import { createHttp, type Http, type HttpParts } from '../src/platform/http.ts'
import { testDatabase } from './database.ts'
import { scratchFolder } from './scratch.ts'

export interface TestHttp {
  readonly auth: Auth
  readonly app: Http
  readonly database: Database
  readonly baseUrl: string
  /** Everything the server and better-auth logged. */
  readonly log: string[]
  /** A request to a path; does not follow redirects; sends the Origin of the server's own pages unless told. */
  send(path: string, options?: SendOptions): Promise<Response>
  /** Signs in by a fresh link and returns the cookie header. */
  signInByLink(): Promise<string>
}

const absent = () => {
  throw new Error('This test has no files and makes no decisions')
}

/** For routes of decisions about people, and of files, where a test makes none and has none. */
export const NO_DECISIONS = {
  catchUp: async () => {},
  erase: async () => ({ erasure_id: 0, identities: 0, facts: 0, rejected_rows: 0 }),
  uploads: new Proxy({} as Uploads, { get: () => absent }),
  work: new Proxy({} as ImportWork, { get: () => absent }),
  files: { kinds: absent, guess: absent, preview: absent },
  targetOf: absent,
  newBrandKey: absent,
  rejectsFolder: '',
  valueRuns: { state: absent, begin: absent },
}

export interface SendOptions {
  readonly method?: string
  readonly cookie?: string
  readonly headers?: Record<string, string>
  /** Sent as JSON; makes the method POST. */
  readonly body?: unknown
  /** A part of a file, in place of a body. */
  readonly bytes?: Buffer
}

export interface TestHttpOptions
  extends Partial<
    Pick<
      HttpParts,
      'audit' | 'clock' | 'health' | 'brandOf' | 'brands' | 'consoleFolder' | 'keys' | 'rates' | 'metrics'
    >
  > {
  readonly publicUrl?: string
  /** More routes, as a module would register them. */
  readonly routes?: (app: Http) => void
}

/** The real server on a free port, on a database of installation of its own; gone when the test ends. */
export async function testHttp(t: TestContext, options: TestHttpOptions = {}): Promise<TestHttp> {
  const { database } = await testDatabase(t, 'installation')
  const home = await mkdtemp(join(scratchFolder(), 'perennial-http-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const log: string[] = []
  const config = { home, publicUrl: options.publicUrl }
  let baseUrl = ''
  const auth = await createAuth(
    { control: database, config },
    {
      baseUrl: () => baseUrl,
      clock: options.clock ?? systemClock,
      log: (level, sentence) => log.push(`${level} ${sentence}`),
    },
  )
  const brand = { key: 'main', name: 'Main', isDemo: false, databaseName: 'main', isCurrent: true }
  const app = await createHttp({
    config,
    auth,
    clock: options.clock ?? systemClock,
    control: database,
    audit: options.audit ?? (async () => {}),
    version: '0.0.0-test',
    consoleFolder: options.consoleFolder ?? (await makeConsole(home)),
    brandOf: options.brandOf ?? (async () => ({ brand, database })),
    brands: options.brands ?? (async () => [brand]),
    keys: options.keys ?? { find: async () => undefined },
    ...(options.rates ? { rates: options.rates } : {}),
    ...(options.metrics ? { metrics: options.metrics } : {}),
    health:
      options.health ?? (async () => ({ database: { major: 18, embedded: true }, brand: 'main', freshness: null })),
    logTo: { write: (line) => log.push(line) },
  })
  options.routes?.(app)
  baseUrl = await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => app.close())

  const send = (path: string, { method, cookie, headers, body, bytes }: SendOptions = {}) =>
    fetch(new URL(path, baseUrl), {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      redirect: 'manual',
      headers: {
        origin: baseUrl,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(bytes ? { 'content-type': 'application/octet-stream' } : {}),
        ...(cookie ? { cookie } : {}),
        ...headers,
      },
      body: bytes ? new Uint8Array(bytes) : body === undefined ? null : JSON.stringify(body),
    })

  return {
    auth,
    app,
    database,
    log,
    send,
    get baseUrl() {
      return baseUrl
    },
    signInByLink: async () => cookieOf(await send(new URL(await auth.makeSignInLink()).pathname)),
  }
}

/** The cookies a response sets, as a browser would send them back. */
export function cookieOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ')
}

/** Status of a GET that names another host than it connects to, which fetch does not allow. */
export function statusUnderHost(baseUrl: string, path: string, host: string): Promise<number | undefined> {
  return new Promise((done, fail) => {
    const sent = httpRequest(new URL(path, baseUrl), { headers: { host } }, (response) => {
      response.resume()
      done(response.statusCode)
    })
    sent.on('error', fail)
    sent.end()
  })
}

async function makeConsole(home: string): Promise<string> {
  const folder = join(home, 'console')
  await mkdir(join(folder, 'assets'), { recursive: true })
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>console</title>')
  await writeFile(join(folder, 'assets', 'app-1a2b3c.js'), 'export {}')
  return folder
}
