import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from './schema.ts'

export async function selectSettings(db: Sql): Promise<Settings> {
  const { rows } = await sql<Settings>`
    select zone, currency, period_days, occasion_unit, recency_unit, member_by_purchase, phone_claim_days, spread_window
    from brand.settings`.execute(db)
  const [row] = rows
  if (!row) throw new Error('brand.settings is empty: the migration did not run')
  return row
}

export async function updateCurrency(tx: Sql, currency: string): Promise<void> {
  await sql`update brand.settings set currency = ${currency} where currency is null`.execute(tx)
}
