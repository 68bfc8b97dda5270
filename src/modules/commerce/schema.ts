import { z } from 'zod'

/** Fields of an order line that a mapping may name; the value is what the field is for. */
export const ORDER_FIELDS = {
  order_id: "the order's id in the source (required)",
  line_id: "the line's own id in the source",
  customer_id: "the customer's id in the source; empty: an anonymous order",
  paid_at: 'when it was paid, or refunded (required)',
  item: 'what was bought: refunds that name no order reduce lines of the same item',
  item_name: 'its name for people',
  quantity: 'negative for a return',
  unit_price: 'keeps its decimals',
  amount: 'of the line; else quantity × unit_price, rounded once',
  currency: "ISO 4217; else the mapping's",
  refund_of: 'the order that a refund reduces',
} as const
export type OrderField = keyof typeof ORDER_FIELDS

/** Choices that published figures differ by; the defaults are the honest ones. */
export const orderOptions = z
  .object({
    /** keep: two equal rows are two lines. merge: they are one. */
    duplicates: z.enum(['keep', 'merge']).default('keep'),
    /** reduce: a cancel reduces what was bought. drop: cancels are left out (gross figures). */
    cancels: z.enum(['reduce', 'drop']).default('reduce'),
    /** drop: lines without a positive price are left out. */
    zero_price: z.enum(['keep', 'drop']).default('keep'),
    /** shop_account: a customer id is a live connection from the first order on. */
    connected_by: z.enum(['none', 'shop_account']).default('none'),
  })
  .strict()
export type OrderOptions = z.infer<typeof orderOptions>

/** A line as it waits for the set statements; numbers are text for numeric, money is not rounded yet. */
export interface StagedLine {
  readonly line: number
  readonly documentId: string
  readonly customer: string | null
  readonly localTime: string | null
  readonly instant: string | null
  readonly item: string
  readonly itemName: string | null
  readonly lineId: string | null
  readonly quantity: string
  readonly unitPrice: string | null
  readonly amount: string | null
  readonly refundOf: string | null
  readonly isCancel: boolean
}
