import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importOrders } from '../src/modules/commerce/actions.ts'
import { refreshStanding } from '../src/modules/relationship/actions.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Brand, Installation } from '../src/platform/installation.ts'
import { isRefusal, type Refusal } from '../src/platform/refusal.ts'
import { makeWineClub } from './wine-club.ts'

const PEOPLE = 1200
const MARKETPLACE = fileURLToPath(new URL('./marketplace.yaml', import.meta.url))

/**
 * The demo brand: a wine club in a database of its own, made by the same import that a user has. A start that was
 * cut off goes on where it was: what is already there is known and not stored twice.
 */
export async function makeDemoBrand(installation: Installation, now: Date, people = PEOPLE): Promise<Brand | Refusal> {
  const brand = await installation.createBrand({ key: 'demo', name: '醇时葡萄酒会', isDemo: true }, now)
  if (isRefusal(brand)) return brand
  const database = await installation.openBrand(brand)
  const clock: Clock = { now: () => now }
  const parent = join(installation.config.home, 'tmp')
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, 'demo-'))
  try {
    const { club, marketplace } = makeWineClub(people, now)
    const files = [
      { name: 'club.csv', content: club, mapping: 'orders', options: { connected_by: 'shop_account' } },
      { name: 'marketplace.csv', content: marketplace, mapping: MARKETPLACE, options: {} },
    ]
    for (const file of files) {
      const path = join(folder, file.name)
      await writeFile(path, file.content)
      const report = await importOrders(database, clock, {
        path,
        mapping: file.mapping,
        options: file.options,
        dryRun: false,
        rejectsFolder: join(installation.config.home, 'rejects'),
        runsFolder: join(installation.config.home, 'imports'),
      })
      if (isRefusal(report)) return report
    }
    await refreshStanding(database, clock)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  await installation.makeCurrent(brand.key)
  return brand
}
