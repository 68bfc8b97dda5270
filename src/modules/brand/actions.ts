import type { Sql } from '../../platform/db.ts'
import { isCurrency } from '../../platform/money.ts'
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
  if (wanted !== undefined && !isCurrency(wanted)) {
    const remedy = 'Write the code of ISO 4217: CNY, USD, EUR.'
    return refuse('invalid', 'unknown_currency', `"${wanted}" is no currency.`, remedy)
  }
  let { currency } = await selectSettings(tx)
  if (!currency) {
    // Of two first imports at once the later one waits here, and then finds what the other has said.
    await updateCurrency(tx, wanted ?? DEFAULT_CURRENCY)
    currency = (await selectSettings(tx)).currency
  }
  return agree(currency ?? DEFAULT_CURRENCY, wanted)
}

/** What `settleCurrency` would answer now, with nothing fixed. */
export async function expectCurrency(db: Sql, wanted: string | undefined): Promise<string | Refusal> {
  const { currency } = await selectSettings(db)
  return agree(currency ?? wanted ?? DEFAULT_CURRENCY, wanted)
}

function agree(settled: string, wanted: string | undefined): string | Refusal {
  if (wanted && wanted !== settled) {
    return refuse(
      'conflict',
      'other_currency',
      `The amounts are in ${wanted}, the brand's are in ${settled}.`,
      `Convert them to ${settled}, or import them into a brand of its own (--brand).`,
    )
  }
  return settled
}
