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
})
export type Settings = z.infer<typeof settings>

/** The currency of a brand that has not been told one. */
export const DEFAULT_CURRENCY = 'CNY'
