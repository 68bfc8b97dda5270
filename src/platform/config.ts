import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The only reader of the environment; what is not here is not configurable. */
export interface Config {
  /** The checkout this program runs from. */
  readonly root: string
  /** Data folder: cluster, secrets, rejects files (`PERENNIAL_HOME`, else `data` in the checkout). */
  readonly home: string
  /** An existing PostgreSQL >= 15 in place of the embedded one (`DATABASE_URL`). */
  readonly databaseUrl: string | undefined
  /** A folder with initdb, pg_ctl and postgres to use in place of the packaged ones (`PG_BIN`). */
  readonly pgBin: string | undefined
  /** TCP port of API and console on 127.0.0.1 (`PORT`, default 8700). */
  readonly port: number
  /** Address people type, when a reverse proxy stands in front (`PUBLIC_URL`). */
  readonly publicUrl: string | undefined
  /** Folder of the public data sets that some tests read (`PERENNIAL_TEST_DATA`, else `../shared/data`). */
  readonly testData: string
  /** Browser for the browser tests (`CHROMIUM_PATH`). */
  readonly chromiumPath: string | undefined
  /** True on a CI machine (`CI`), where a missing data set is a failure and not a skip. */
  readonly ci: boolean
}

export class ConfigError extends Error {}

/** @throws ConfigError with a sentence that names the variable and says what it takes. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
  const home = resolve(env.PERENNIAL_HOME || join(root, 'data'))
  return {
    root,
    home,
    databaseUrl: env.DATABASE_URL || undefined,
    pgBin: env.PG_BIN || undefined,
    port: readPort(env.PORT),
    publicUrl: env.PUBLIC_URL || undefined,
    testData: resolve(env.PERENNIAL_TEST_DATA || join(root, '../shared/data')),
    chromiumPath: env.CHROMIUM_PATH || undefined,
    ci: env.CI === 'true' || env.CI === '1',
  }
}

function readPort(text: string | undefined): number {
  if (!text) return 8700
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ConfigError(`PORT is "${text}"; it takes a whole number from 0 (any free port) to 65535.`)
  }
  return port
}

/**
 * The origin of PUBLIC_URL, undefined when it is not set.
 * @throws ConfigError with a sentence that says what the variable takes.
 */
export function readPublicOrigin(config: Pick<Config, 'publicUrl'>): string | undefined {
  if (!config.publicUrl) return undefined
  const url = URL.parse(config.publicUrl)
  if (url && /^https?:$/.test(url.protocol)) return url.origin
  throw new ConfigError(`PUBLIC_URL is "${config.publicUrl}"; it takes an address such as https://crm.example.com.`)
}
