import { join } from 'node:path'
import { readSettings } from '../modules/brand/actions.ts'
import { openUploads, undoImport } from '../modules/intake/actions.ts'
import { createImportWork, type ImportWork } from '../modules/intake/jobs.ts'
import type { ImportDeps } from '../modules/intake/routes.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { isRefusal, refuse } from '../platform/refusal.ts'
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

/** Each brand is a database of its own; who runs more shops than that has a terminal. */
const BRANDS_MAX = 50
/** An empty brand is thrown away when no file was looked at for so long. */
const LOOKING_KEPT_MS = 5 * 60_000

export interface ImportDesk {
  readonly deps: Pick<ImportDeps, 'uploads' | 'work' | 'files' | 'targetOf' | 'newBrandKey' | 'rejectsFolder'>
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
    importInto: async ({ isIntoDemo, brandKey, brandName, dryRun, ...order }) => {
      const goal = { isDryRun: dryRun, isIntoDemo, brandKey, brandName }
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
        const known = goal.newBrand === undefined ? await knownTarget(installation, goal) : undefined
        if (isRefusal(known)) return known
        const current = await installation.currentBrand()
        const demo_name = current?.isDemo ? current.name : null
        if (known) {
          const database = await installation.openBrand(known)
          const { currency } = await readSettings(database.db)
          return { database, name: known.name, is_new: false, demo_name, currency }
        }
        const database = await looking.open()
        const name = goal.newBrand ?? OWN_BRAND.name
        return isRefusal(database) ? database : { database, name, is_new: true, demo_name, currency: null }
      },
      newBrandKey: async (name) => {
        const brands = await installation.brands()
        if (brands.some((brand) => brand.name === name)) {
          const message = `There is a brand called "${name}".`
          return refuse(
            'conflict',
            'brand_name_taken',
            message,
            'Choose another name, or go to that brand and import there.',
          )
        }
        if (brands.length >= BRANDS_MAX) {
          const message = `There are ${brands.length} brands, and a file of the console makes no further one.`
          return refuse(
            'over_limit',
            'too_many_brands',
            message,
            'Import into one of them, or by command on the server.',
          )
        }
        // A brand that a waiting import will make has its key already.
        const coming = (await uploads.list()).flatMap(({ task }) =>
          task?.kind === 'import' && (task.state === 'waiting' || task.state === 'running') ? [task.into_brand] : [],
        )
        const taken = new Set([...brands.map(({ key }) => key), ...coming])
        for (let number = 2; taken.has(OWN_BRAND.key); number += 1) {
          if (!taken.has(`brand_${number}`)) return `brand_${number}`
        }
        return OWN_BRAND.key
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
