import { join } from 'node:path'
import { openUploads, undoImport } from '../modules/intake/actions.ts'
import { createImportWork, type ImportWork } from '../modules/intake/jobs.ts'
import type { ImportDeps } from '../modules/intake/routes.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { isRefusal } from '../platform/refusal.ts'
import { catchUp } from './catch-up.ts'
import { importFiles } from './file-kinds.ts'
import {
  type ImportHome,
  importInto,
  knownTarget,
  LOOKING_BRAND,
  OWN_BRAND,
  REJECTS_FOLDER,
  UPLOADS_FOLDER,
} from './import-into.ts'
import { FACT_KINDS } from './routes.ts'

/** An empty brand is thrown away when no file was looked at for so long. */
const LOOKING_KEPT_MS = 5 * 60_000

export interface ImportDesk {
  readonly deps: Pick<ImportDeps, 'uploads' | 'work' | 'files' | 'targetOf' | 'rejectsFolder'>
  /** Takes up what the last process left. */
  resume(): Promise<void>
  stop(): Promise<void>
}

/** Imports through the console, on the brands of an installation. */
export function openImportDesk(installation: ImportHome, clock: Clock, log: (sentence: string) => void): ImportDesk {
  const { home } = installation.config
  const uploads = openUploads(join(home, UPLOADS_FOLDER), clock)
  const looking = lookingBrand(installation, clock)
  const rejectsFolder = join(home, REJECTS_FOLDER)
  const work: ImportWork = createImportWork({
    uploads,
    clock,
    rejectsFolder,
    log,
    importInto: async ({ isIntoDemo, brandKey, dryRun, ...order }) => {
      const goal = { isDryRun: dryRun, isIntoDemo, brandKey }
      const done = await importInto(installation, goal, order, () => order.onProgress({ phase: 'settling' }))
      return isRefusal(done) ? done : { report: done.report, brand: done.scratch ? null : done.brand.key }
    },
    undo: async (database, importId, by) => {
      const undone = await undoImport(database, clock, { importId, by, kinds: FACT_KINDS })
      if (!isRefusal(undone)) await catchUp(database, clock)
      return undone
    },
  })
  return {
    deps: {
      uploads,
      work,
      files: importFiles(clock),
      rejectsFolder,
      targetOf: async (goal) => {
        const known = await knownTarget(installation, goal)
        if (isRefusal(known)) return known
        const current = await installation.currentBrand()
        const demo_name = current?.isDemo ? current.name : null
        if (known) return { database: await installation.openBrand(known), name: known.name, is_new: false, demo_name }
        const database = await looking.open()
        return isRefusal(database) ? database : { database, name: OWN_BRAND.name, is_new: true, demo_name }
      },
    },
    resume: async () => {
      await installation.dropBrand(LOOKING_BRAND.key)
      await work.resume()
    },
    stop: async () => {
      await work.stop()
      await looking.drop()
    },
  }
}

/** An empty brand for as long as files are looked at that will make one's own. */
function lookingBrand(installation: ImportHome, clock: Clock) {
  let timer: NodeJS.Timeout | undefined
  let opened: ReturnType<typeof make> | undefined

  async function make() {
    const brand = await installation.createBrand(LOOKING_BRAND, clock.now())
    return isRefusal(brand) ? brand : installation.openBrand(brand)
  }

  async function drop(): Promise<void> {
    clearTimeout(timer)
    if (!opened) return
    await opened.catch(() => {})
    opened = undefined
    await installation.dropBrand(LOOKING_BRAND.key)
  }

  return {
    drop,
    open: (): Promise<Database | Awaited<ReturnType<typeof make>>> => {
      clearTimeout(timer)
      timer = setTimeout(() => void drop().catch(() => {}), LOOKING_KEPT_MS)
      timer.unref()
      opened ??= make().catch((error: unknown) => {
        opened = undefined
        throw error
      })
      return opened
    },
  }
}
