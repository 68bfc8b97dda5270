import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { catchUp } from '../src/bin/catch-up.ts'
import { importAny } from '../src/bin/file-kinds.ts'
import type { ImportReport } from '../src/modules/intake/schema.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import type { Installation } from '../src/platform/installation.ts'
import { isRefusal, type Refusal } from '../src/platform/refusal.ts'
import { FILE_NAMES, type FileName, writeClub } from './files.ts'
import { makeTags } from './tags.ts'

/** What `npm start` begins with: some 20 s of processor, where 20,000 people take 37 and a start may not take half a minute. */
export const PEOPLE_AT_START = 10_000
/** What `./perennial demo` makes. */
export const PEOPLE_DEFAULT = 20_000
/** A deck of stories, dealt once; fewer would miss some. */
const PEOPLE_MIN = 200
const PEOPLE_MAX = 1_000_000

/** How many people the club is to have, as somebody wrote it; undefined when it cannot have so many. */
export function readPeople(text: string | undefined, otherwise: number): number | undefined {
  const people = text === undefined ? otherwise : /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN
  return people >= PEOPLE_MIN && people <= PEOPLE_MAX ? people : undefined
}
export const PEOPLE_RANGE = `a number from ${PEOPLE_MIN} to ${PEOPLE_MAX}`

const DEMO_BRAND = { key: 'demo', name: '醇时葡萄酒会', isDemo: true } as const

/** How a user would name each file to `./perennial import`: mapping, source, options. */
const SHOP = { own_id_source: 'shop' }
const WECHAT = { corp: 'chunshi', app: 'chunshi-club' }
const IMPORTS: Readonly<
  Record<FileName, { readonly mapping: string; readonly source: string; readonly options: Record<string, string> }>
> = {
  shop_people: { mapping: 'people', source: 'shop', options: {} },
  parcel_people: { mapping: 'people', source: 'parcel_card', options: { own_id_source: 'marketplace' } },
  wecom_people: { mapping: 'people', source: 'wecom', options: { corp: WECHAT.corp } },
  mini_program_people: { mapping: 'people', source: 'mini_program', options: { app: WECHAT.app } },
  connections: { mapping: 'connections', source: 'wecom', options: WECHAT },
  memberships: { mapping: 'memberships', source: 'shop', options: { ...WECHAT, ...SHOP } },
  orders: { mapping: 'orders', source: 'shop', options: {} },
  marketplace_orders: { mapping: 'orders', source: 'marketplace', options: {} },
  interactions: { mapping: 'interactions', source: 'wecom', options: WECHAT },
  reviews: { mapping: 'reviews', source: 'shop', options: SHOP },
  consents: { mapping: 'consents', source: 'wecom', options: WECHAT },
  referral_claims: { mapping: 'referral_claims', source: 'shop', options: { ...WECHAT, ...SHOP } },
  tags: { mapping: 'tags', source: 'wecom', options: { ...WECHAT, ...SHOP } },
}

/** Who is one person comes first: what they did finds them then. */
const RECORDS: readonly FileName[] = ['shop_people', 'parcel_people', 'wecom_people', 'mini_program_people']
/** As many rows as all others together. */
const ACTS: FileName = 'interactions'
const OTHERS = FILE_NAMES.filter((name) => !RECORDS.includes(name) && name !== ACTS)

interface ClubOrder {
  readonly people: number
  readonly now: Date
  readonly home: string
  /** Called when a file is in. */
  readonly onFile?: ((report: ImportReport) => void) | undefined
}

/** The club into a brand's database, by the imports that a user has; `home` is the data folder. */
export async function importClub(
  database: Database,
  { people, now, home, onFile }: ClubOrder,
): Promise<ImportReport[] | Refusal> {
  const clock: Clock = { now: () => now }
  const parent = join(home, 'tmp')
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, 'demo-'))
  try {
    const paths = await writeClub(folder, { people, now })
    const take = async (names: readonly FileName[]): Promise<ImportReport[] | Refusal> => {
      const reports: ImportReport[] = []
      for (const name of names) {
        const report = await importAny(database, clock, {
          path: paths[name],
          ...IMPORTS[name],
          dryRun: false,
          rejectsFolder: join(home, 'rejects'),
          runsFolder: join(home, 'imports'),
        })
        if (isRefusal(report)) return report
        onFile?.(report)
        reports.push(report)
      }
      return reports
    }
    await makeTags(database, now)
    const records = await take(RECORDS)
    if (isRefusal(records)) return records
    // Beside each other, on two cores: neither writes a table of the other's facts.
    const [acts, others] = await Promise.all([take([ACTS]), take(OTHERS)])
    if (isRefusal(acts)) return acts
    if (isRefusal(others)) return others
    await catchUp(database, clock)
    return [...records, ...acts, ...others]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The demo brand: a wine club in a database of its own. A start that was cut off goes on where it was: what is already
 * there is known and not stored twice. It is current from then on, unless another brand is.
 *
 * @returns the reports of its imports.
 */
export async function makeDemoBrand(
  installation: Installation,
  now: Date,
  people: number,
  onFile?: ClubOrder['onFile'],
): Promise<ImportReport[] | Refusal> {
  const brand = await installation.createBrand(DEMO_BRAND, now)
  if (isRefusal(brand)) return brand
  const reports = await importClub(await installation.openBrand(brand), {
    people,
    now,
    home: installation.config.home,
    onFile,
  })
  if (isRefusal(reports)) return reports
  if (!(await installation.currentBrand())) await installation.makeCurrent(brand.key)
  return reports
}
