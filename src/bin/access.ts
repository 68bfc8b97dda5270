import { recordAudit } from '../modules/audit/actions.ts'
import { brandKeyOf, findApiKey } from '../modules/intake/actions.ts'
import type { Audit } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { BRAND_HEADER, type BrandOf, type Keys, type OpenBrand } from '../platform/http-gate.ts'
import type { Brand, Installation } from '../platform/installation.ts'
import { refuse } from '../platform/refusal.ts'
import { isPassing } from './import-into.ts'

/** Name of the file with the key that seals the secrets of webhooks, in `<home>/secrets`. */
export const WEBHOOK_KEY_FILE = 'webhook-key'

export function brandOfInstallation(installation: Pick<Installation, 'brands' | 'openBrand'>): BrandOf {
  return async (request) => {
    const named = request?.headers[BRAND_HEADER]
    const brands = await brandsOfInstallation(installation)()
    const brand = brands.find((one) => (named === undefined ? one.isCurrent : one.key === named))
    if (brand) return { brand, database: await installation.openBrand(brand) }
    if (named === undefined) {
      throw refuse('missing', 'no_brand', 'There is no brand yet.', 'Restart the server: it makes one.')
    }
    const remedy = `Name one of these: ${brands.map(({ key }) => key).join(', ')}.`
    throw refuse('missing', 'unknown_brand', `There is no brand "${named}".`, remedy)
  }
}

/** The brands that people work with: an account is one of the installation, and its role holds in each of them. */
export function brandsOfInstallation(installation: Pick<Installation, 'brands'>): () => Promise<Brand[]> {
  return async () => (await installation.brands()).filter((brand) => !isPassing(brand))
}

/** What was done to accounts goes into the log of the current brand: its owner reads one log. */
export function auditOf(brandOf: () => Promise<Pick<OpenBrand, 'database'>>, clock: Clock): Audit {
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
