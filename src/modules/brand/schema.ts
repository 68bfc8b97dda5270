import { z } from 'zod'

/** What holds for the whole brand; the defaults stand in docs/definitions.md. */
export const settings = z.object({
  /** IANA zone of the brand's calendar; a naive time in a file is in it. */
  zone: z.string(),
  /** ISO 4217; null until the first import says it. */
  currency: z.string().length(3).nullable(),
  /** Current period P, in units of 24 hours. */
  period_days: z.number().int().positive(),
  occasion_unit: z.enum(['day', 'order']),
  recency_unit: z.enum(['day', '24h']),
  member_by_purchase: z.boolean(),
  /** For how long after a source last knew it a phone links, in units of 24 hours. */
  phone_claim_days: z.number().int().positive(),
  /** For how long a spread makes an advocate: within the current period, or ever. */
  spread_window: z.enum(['period', 'ever']),
  /** Margin by what is paid; null: not said, and margin is shown as revenue. */
  margin_rate: z.number().gt(0).max(1).nullable(),
  discount_rate_per_year: z.number().min(0).max(1),
  /** The share of a person's value that is passed up to who brought them, at each step. */
  referral_share: z.number().min(0).max(1),
  /** For how long before an arrival a referral claim may lie. */
  attribution_days: z.number().int().min(0).max(3650),
})
export type Settings = z.infer<typeof settings>

/** What GET /api/v1/settings answers. */
export const settingsAnswer = settings.extend({
  /** A setting was changed and everyone's standing is being made anew: figures follow the old one until then. */
  is_rebuilding: z.boolean(),
  /** Names of the settings after a change of which that is done. */
  rebuilding_settings: z.array(z.string()),
})
export type SettingsAnswer = z.infer<typeof settingsAnswer>

/** What is named is changed. */
export const settingsChange = z
  .object({
    zone: z.string().min(1).max(60).optional(),
    /** Only of a brand that has none yet: amounts are kept in it. */
    currency: z.string().length(3).optional(),
    period_days: z.number().int().min(1).max(3660).optional(),
    occasion_unit: settings.shape.occasion_unit.optional(),
    recency_unit: settings.shape.recency_unit.optional(),
    member_by_purchase: z.boolean().optional(),
    phone_claim_days: z.number().int().min(1).max(36_600).optional(),
    spread_window: settings.shape.spread_window.optional(),
    margin_rate: settings.shape.margin_rate.optional(),
    discount_rate_per_year: settings.shape.discount_rate_per_year.optional(),
    /** Four decimals at most. */
    referral_share: settings.shape.referral_share.multipleOf(0.0001).optional(),
    attribution_days: settings.shape.attribution_days.optional(),
  })
  .strict()
export type SettingsChange = z.infer<typeof settingsChange>

/** Settings that occasions and depth rest on: after a change everyone's standing is made anew. */
export const REBUILDING_SETTINGS: readonly string[] = [
  'zone',
  'period_days',
  'occasion_unit',
  'member_by_purchase',
  'spread_window',
]

/** The currency of a brand that has not been told one. */
export const DEFAULT_CURRENCY = 'CNY'
