import { recordAudit } from '../modules/audit/actions.ts'
import { brandKeyOf, findApiKey } from '../modules/intake/actions.ts'
import type { Audit } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { BrandOf, Keys, OpenBrand } from '../platform/http-gate.ts'
import type { Installation } from '../platform/installation.ts'
import { refuse } from '../platform/refusal.ts'

/** Name of the file with the key that seals the secrets of webhooks, in `<home>/secrets`. */
export const WEBHOOK_KEY_FILE = 'webhook-key'

export function brandOfInstallation(installation: Installation): BrandOf {
  return async () => {
    const brand = await installation.currentBrand()
    if (!brand) throw refuse('missing', 'no_brand', 'There is no brand yet.', 'Restart the server: it makes one.')
    return { brand, database: await installation.openBrand(brand) }
  }
}

/** What was done to accounts goes into the log of the current brand: its owner reads one log. */
export function auditOf(brandOf: BrandOf, clock: Clock): Audit {
  return async (entry) => {
    const { database } = await brandOf()
    await recordAudit(database.db, entry, clock.now())
  }
}

/** The brand of that key, or the current one when none is named. */
export function brandByName(
  installation: Pick<Installation, 'brands' | 'openBrand'>,
): (brandKey: string | undefined) => Promise<OpenBrand | undefined> {
  return async (brandKey) => {
    const brands = await installation.brands()
    const brand = brands.find((other) => (brandKey === undefined ? other.isCurrent : other.key === brandKey))
    return brand && { brand, database: await installation.openBrand(brand) }
  }
}

/** A key names its brand, and that brand's database knows it. It ends with the account of whoever made it. */
export function keysOfInstallation(
  installation: Pick<Installation, 'brands' | 'openBrand'>,
  clock: Clock,
  isOpen: (userId: string, now: Date) => Promise<boolean>,
): Keys {
  const brandNamed = brandByName(installation)
  return {
    find: async (key) => {
      const brandKey = brandKeyOf(key)
      const open = brandKey === undefined ? undefined : await brandNamed(brandKey)
      const now = clock.now()
      const found = open && (await findApiKey(open.database.db, key, now))
      if (!open || !found || (found.createdBy !== null && !(await isOpen(found.createdBy, now)))) return undefined
      return { ...open, keyId: `${open.brand.key} ${found.keyId}`, keyName: found.name, scopes: found.scopes }
    },
  }
}
