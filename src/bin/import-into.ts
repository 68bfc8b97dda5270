import { join } from 'node:path'
import type { ImportCommand } from '../modules/intake/actions.ts'
import type { ImportReport } from '../modules/intake/schema.ts'
import { systemClock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import type { Brand, Installation, NewBrand } from '../platform/installation.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'
import { catchUp } from './catch-up.ts'
import { importAny } from './file-kinds.ts'

/** Into which brand a file goes. */
export interface ImportGoal {
  /** The brand named; the current one of one's own, else the first, when none is. */
  readonly brandKey?: string | undefined
  /** What a brand is called that is made for the import; its key when absent. */
  readonly brandName?: string | undefined
  readonly isDryRun: boolean
  readonly isIntoDemo: boolean
}

interface ImportTarget {
  readonly brand: Brand
  /** Made for this import: taken away again when the import is refused. */
  readonly made: boolean
  /** Made for a dry run: taken away again in any case. */
  readonly scratch: boolean
}

export const OWN_BRAND = { key: 'main', name: 'My brand', isDemo: false } as const

/** In the data folder: rejected rows, what unfinished imports have read, files that came by the console. */
export const [REJECTS_FOLDER, RUNS_FOLDER, UPLOADS_FOLDER] = ['rejects', 'imports', 'uploads']

/** What an import needs of an installation. */
export type ImportHome = Pick<
  Installation,
  'brands' | 'currentBrand' | 'createBrand' | 'makeCurrent' | 'dropBrand' | 'openBrand'
> & { readonly config: Pick<Config, 'home'> }

/**
 * Imports a file into the brand that it is for, and has everybody concerned brought up to date; from the command line and
 * from the console alike. The first real import takes the console over from the demo.
 *
 * @param onStored called when the facts are in and people follow.
 */
export async function importInto(
  installation: ImportHome,
  goal: ImportGoal,
  command: Omit<ImportCommand, 'rejectsFolder' | 'runsFolder' | 'dryRun'>,
  onStored?: () => void,
): Promise<{ report: ImportReport; brand: Brand; scratch: boolean } | Refusal> {
  const { home } = installation.config
  const target = await importTarget(installation, goal)
  if (isRefusal(target)) return target
  const { brand, scratch } = target
  const database = await installation.openBrand(brand)
  try {
    const report = await importAny(database, systemClock, {
      ...command,
      dryRun: goal.isDryRun,
      rejectsFolder: join(home, REJECTS_FOLDER),
      runsFolder: join(home, RUNS_FOLDER),
    })
    if (isRefusal(report)) {
      if (target.made) await installation.dropBrand(brand.key)
      return report
    }
    if (!report.dry_run) {
      onStored?.()
      await catchUp(database, systemClock)
      // The first real import takes the console over from the demo; later ones leave the choice to people.
      const current = await installation.currentBrand()
      if (!brand.isDemo && (!current || current.isDemo)) await installation.makeCurrent(brand.key)
    }
    return { report, brand, scratch }
  } finally {
    if (scratch) await installation.dropBrand(brand.key)
  }
}

/** Where a file goes: the brand named, the demo when asked for, else the brand's own database, made on first import. */
async function importTarget(installation: ImportHome, goal: ImportGoal): Promise<ImportTarget | Refusal> {
  const known = await knownTarget(installation, goal)
  if (isRefusal(known)) return known
  if (known) return { brand: known, made: false, scratch: false }
  const { brandKey: key, brandName: name = key, isDryRun: scratch } = goal
  const wanted: NewBrand = scratch
    ? { key: `${DRY_RUN_PREFIX}${process.pid}`, name: 'Dry run', isDemo: false }
    : key
      ? { key, name: name ?? key, isDemo: false }
      : OWN_BRAND
  const brand = await installation.createBrand(wanted, systemClock.now())
  return isRefusal(brand) ? brand : { brand, made: true, scratch }
}

/** The brand that is there for it; undefined when it has to be made. */
export async function knownTarget(
  installation: Pick<Installation, 'brands'>,
  { brandKey: key, isIntoDemo }: Pick<ImportGoal, 'brandKey' | 'isIntoDemo'>,
): Promise<Brand | undefined | Refusal> {
  const brands = await installation.brands()
  if (isIntoDemo) {
    const demo = brands.find((brand) => brand.isDemo)
    return (
      demo ?? refuse('missing', 'no_demo', 'There is no demo brand.', 'Run npm start once, or leave --into-demo out.')
    )
  }
  const isOwn = (brand: Brand) => !brand.isDemo && brand.key !== LOOKING_BRAND.key
  const own = key
    ? brands.find((brand) => brand.key === key)
    : (brands.find((brand) => brand.isCurrent && isOwn(brand)) ?? brands.find(isOwn))
  if (!own?.isDemo) return own
  return refuse(
    'conflict',
    'is_demo',
    `The brand "${own.key}" is the demo.`,
    'Use --into-demo to mix real orders into it on purpose.',
  )
}

const DRY_RUN_PREFIX = 'dry_run_'

/** Whether a brand is there for a moment only, and nobody's. */
export function isPassing({ key }: Pick<Brand, 'key'>): boolean {
  return key === LOOKING_BRAND.key || key.startsWith(DRY_RUN_PREFIX)
}

/** Empty: what a file is looked at against while its brand is not there yet. */
export const LOOKING_BRAND = { key: 'looking', name: 'Preview', isDemo: false } as const
