import manifest from '../../package.json' with { type: 'json' }
import type { Uploads } from '../modules/intake/actions.ts'
import type { ImportWork } from '../modules/intake/jobs.ts'
import type { Auth } from '../platform/auth.ts'
import { systemClock } from '../platform/clock.ts'
import { readConfig } from '../platform/config.ts'
import type { Database } from '../platform/db.ts'
import { createHttp } from '../platform/http.ts'
import { registerRoutes } from './routes.ts'

/** The server's OpenAPI 3.1 document, from its routes: nothing listens and nothing is asked, so there is no database. */
export async function openApiDocument(): Promise<object> {
  const absent = () => {
    throw new Error('The routes are only described here, not called')
  }
  const app = await createHttp({
    config: readConfig({}),
    auth: new Proxy({} as Auth, { get: () => absent }),
    version: manifest.version,
    consoleFolder: import.meta.dirname,
    brandOf: absent,
    brands: absent,
    keys: { find: absent },
    clock: systemClock,
    control: new Proxy({} as Database, { get: () => absent }),
    audit: absent,
    health: absent,
  })
  registerRoutes(app, {
    brandOf: absent,
    brandNamed: absent,
    clock: systemClock,
    settle: absent,
    catchUp: absent,
    erase: absent,
    vault: { seal: absent, open: absent },
    uploads: new Proxy({} as Uploads, { get: () => absent }),
    work: new Proxy({} as ImportWork, { get: () => absent }),
    files: { kinds: absent, guess: absent, preview: absent },
    targetOf: absent,
    newBrandKey: absent,
    rejectsFolder: '',
    valueRuns: { state: absent, begin: absent },
  })
  await app.ready()
  const document = app.swagger()
  await app.close()
  return document
}
