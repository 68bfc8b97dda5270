import { z } from 'zod'
import { identity } from '../customers/schema.ts'
import { factBase } from '../intake/schema.ts'

/** What people do with us, short of buying; `weight` is what it adds to the interaction score (domain.md §5). */
export const INTERACTION_TYPES = {
  details_left: { weight: 10, isProduct: false },
  share: { weight: 8, isProduct: false },
  reply: { weight: 5, isProduct: false },
  quiz: { weight: 4, isProduct: false },
  check_in: { weight: 3, isProduct: false },
  like: { weight: 3, isProduct: false },
  comment: { weight: 3, isProduct: false },
  click: { weight: 2, isProduct: false },
  open: { weight: 0.5, isProduct: false },
  view: { weight: 0, isProduct: true },
  cart: { weight: 0, isProduct: true },
  question: { weight: 0, isProduct: true },
  coupon: { weight: 0, isProduct: true },
} as const
export type InteractionType = keyof typeof INTERACTION_TYPES

const types = Object.keys(INTERACTION_TYPES) as [InteractionType, ...InteractionType[]]

/** Something a person did. Chats are not read: a reply is what an adviser noted or a channel reported. */
export const interactionFact = factBase
  .extend({
    kind: z.literal('interaction'),
    identity,
    type: z.enum(types),
    /** The product it was about. */
    item: z.string().max(200).optional(),
    /** The content it was about. */
    content: z.string().max(200).optional(),
    occurred_at: z.iso.datetime({ offset: true }),
  })
  .strict()
export type InteractionFact = z.infer<typeof interactionFact>

/** What somebody said of a product. */
export const reviewFact = factBase
  .extend({
    kind: z.literal('review'),
    identity,
    item: z.string().max(200).optional(),
    rating: z.number().min(1).max(5).optional(),
    is_recommended: z.boolean().optional(),
    occurred_at: z.iso.datetime({ offset: true }),
  })
  .strict()
  .refine(
    (review) => review.rating !== undefined || review.is_recommended !== undefined,
    'needs rating or is_recommended',
  )
export type ReviewFact = z.infer<typeof reviewFact>
