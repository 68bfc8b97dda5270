import type { Sql } from '../../platform/db.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { selectSettings, updateCurrency } from './queries.ts'
import { DEFAULT_CURRENCY, type Settings } from './schema.ts'

export function readSettings(db: Sql): Promise<Settings> {
  return selectSettings(db)
}

/**
 * The currency that amounts of this brand are kept in. The first import fixes it; from then on another one is
 * refused, because adding pounds to yuan without a rate would be an invented figure.
 */
export async function settleCurrency(tx: Sql, wanted: string | undefined): Promise<string | Refusal> {
  const { currency } = await selectSettings(tx)
  const settled = currency ?? wanted ?? DEFAULT_CURRENCY
  if (wanted && wanted !== settled) {
    return refuse(
      'conflict',
      'other_currency',
      `The file's amounts are in ${wanted}, the brand's are in ${settled}.`,
      `Convert the file to ${settled}, or import it into a brand of its own (--brand).`,
    )
  }
  if (!currency) await updateCurrency(tx, settled)
  return settled
}
