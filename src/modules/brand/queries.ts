import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Settings } from './schema.ts'

export async function selectSettings(db: Sql): Promise<Settings> {
  const { rows } = await sql<Settings>`
    select zone, currency, period_days, occasion_unit, recency_unit, member_by_purchase, phone_claim_days, spread_window,
      margin_rate, discount_rate_per_year, referral_share::double precision as referral_share, attribution_days,
      fan_tier_scores, rfm_recency_days, rfm_frequency, rfm_monetary_minor
    from brand.settings`.execute(db)
  const [row] = rows
  if (!row) throw new Error('brand.settings is empty: the migration did not run')
  return row
}

/** The row as it is, locked until the transaction ends. */
export async function lockSettings(tx: Sql): Promise<void> {
  await sql`select from brand.settings for update`.execute(tx)
}

export async function updateSettings(tx: Sql, next: Settings, rebuildDueAt: Date | null): Promise<void> {
  await sql`
    update brand.settings
    set zone = ${next.zone}, currency = ${next.currency}, period_days = ${next.period_days},
      occasion_unit = ${next.occasion_unit}, recency_unit = ${next.recency_unit},
      member_by_purchase = ${next.member_by_purchase}, phone_claim_days = ${next.phone_claim_days},
      spread_window = ${next.spread_window}, margin_rate = ${next.margin_rate},
      discount_rate_per_year = ${next.discount_rate_per_year}, referral_share = ${next.referral_share}::numeric(5, 4),
      attribution_days = ${next.attribution_days}, fan_tier_scores = ${next.fan_tier_scores}::float8[],
      rfm_recency_days = ${next.rfm_recency_days}::int[], rfm_frequency = ${next.rfm_frequency}::int[],
      rfm_monetary_minor = ${next.rfm_monetary_minor}::bigint[],
      rebuild_due_at = coalesce(${rebuildDueAt}::timestamptz, rebuild_due_at)`.execute(tx)
}

/** PostgreSQL's own list decides, because brand days are made there. */
export async function hasZone(db: Sql, zone: string): Promise<boolean> {
  const { rows } = await sql`select from pg_timezone_names where name = ${zone}`.execute(db)
  return rows.length > 0
}

/** Since when a rebuild is due, and since when the last one that was due is in. */
export async function selectFollowing(db: Sql): Promise<{ dueAt: Date | null; followedAt: Date | null }> {
  const { rows } = await sql<{ dueAt: Date | null; followedAt: Date | null }>`
    select rebuild_due_at as "dueAt", followed_at as "followedAt" from brand.settings`.execute(db)
  return rows[0] ?? { dueAt: null, followedAt: null }
}

/** Unless a setting was changed again meanwhile. */
export async function clearRebuildDue(tx: Sql, dueAt: Date, now: Date): Promise<void> {
  await sql`
    update brand.settings set rebuild_due_at = null, followed_at = ${now} where rebuild_due_at = ${dueAt}`.execute(tx)
}

export async function updateCurrency(tx: Sql, currency: string): Promise<void> {
  await sql`update brand.settings set currency = ${currency} where currency is null`.execute(tx)
}
