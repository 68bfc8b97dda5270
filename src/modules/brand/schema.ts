import { z } from 'zod'

/** Names that a fan tier above the lowest goes by, as their scores stand in `fan_tier_scores`. */
const FAN_TIER_CUTS = 3
/** Five scores take four cuts. */
const RFM_CUTS = 4
const AMOUNT_MINOR_MAX = 1e13

/** Thresholds of one value, ascending; null: at 20, 40, 60 and 80 % of the buyers. */
const thresholds = (min: number, max: number) => z.array(z.number().int().min(min).max(max)).length(RFM_CUTS).nullable()

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
  /** Interaction scores from which the second, third and highest fan tier hold, ascending; two decimals at most. */
  fan_tier_scores: z.array(z.number().min(0.01).max(1e6).multipleOf(0.01)).length(FAN_TIER_CUTS),
  /** Days since the last occasion up to which R is 5, 4, 3, 2. */
  rfm_recency_days: thresholds(0, 36_600),
  /** Occasions up to which F is 1, 2, 3, 4. */
  rfm_frequency: thresholds(1, 1_000_000),
  /** Net paid up to which M is 1, 2, 3, 4; minor units of the brand's currency. */
  rfm_monetary_minor: thresholds(0, AMOUNT_MINOR_MAX),
})
export type Settings = z.infer<typeof settings>

/** What GET /api/v1/settings answers. */
export const settingsAnswer = settings.extend({
  /** A setting was changed and everyone's standing is being made anew: figures follow the old one until then. */
  is_rebuilding: z.boolean(),
  /** Since when everybody's standing follows the last change of such a setting; null: none was changed yet. */
  followed_at: z.iso.datetime().nullable(),
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
    fan_tier_scores: settings.shape.fan_tier_scores.optional(),
    rfm_recency_days: settings.shape.rfm_recency_days.optional(),
    rfm_frequency: settings.shape.rfm_frequency.optional(),
    rfm_monetary_minor: settings.shape.rfm_monetary_minor.optional(),
  })
  .strict()
export type SettingsChange = z.infer<typeof settingsChange>

/** Settings that standing, fan tiers or RFM cuts rest on: after a change everyone's are made anew. */
export const REBUILDING_SETTINGS: readonly string[] = [
  'zone',
  'period_days',
  'occasion_unit',
  'member_by_purchase',
  'spread_window',
  'fan_tier_scores',
  'rfm_recency_days',
  'rfm_frequency',
  'rfm_monetary_minor',
]

/** Settings that are a list of thresholds, each of which has to lie above the one before. */
export const CUT_SETTINGS = ['fan_tier_scores', 'rfm_recency_days', 'rfm_frequency', 'rfm_monetary_minor'] as const

/** The currency of a brand that has not been told one. */
export const DEFAULT_CURRENCY = 'CNY'
