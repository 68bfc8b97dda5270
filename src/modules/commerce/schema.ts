import { z } from 'zod'
import { type Identity, identity } from '../customers/schema.ts'
import { factBase } from '../intake/schema.ts'

/** Fields of an order line that a mapping may name; the value is what the field is for. */
export const ORDER_FIELDS = {
  order_id: "the order's id in the source (required)",
  line_id: "the line's own id in the source",
  customer_id: "the customer's id in the source; empty: an anonymous order",
  paid_at: 'when it was paid, or refunded (required)',
  item: 'what was bought: refunds that name no order reduce lines of the same item',
  item_name: 'its name for people',
  category: 'what kind of item it is',
  quantity: 'negative for a return',
  unit_price: 'keeps its decimals',
  amount: 'of the line; else quantity × unit_price, rounded once',
  currency: "ISO 4217; else the mapping's",
  refund_of: 'the order that a refund reduces',
  shared_by: 'the customer id, in the source, of who shared what was bought',
  updated_at: 'when the source last changed the order: of two versions the later one counts',
  sequence: "instead of updated_at: the source's own count of its changes",
  status: 'how far the order is; for `only`',
  order_total: 'what was paid for the whole order; what its lines do not add up to is a line of its own',
  order_refunded: 'what was given back of the whole order by now',
  is_refunded: 'yes: all of it was given back',
} as const
export type OrderField = keyof typeof ORDER_FIELDS

/** Columns that say how far an order is, by their names. */
export const STATUS_COLUMNS = ['status', 'order_status', 'payment_status', '订单状态', '交易状态', '支付状态']

/**
 * What shops write in them. paid: the order counts. given_back: it was closed or refunded whole, and counts for nothing once it had
 * been paid. unpaid: it is left out.
 */
export const STATUS_WORDS: Readonly<Record<'paid' | 'given_back' | 'unpaid', readonly string[]>> = {
  paid: [
    ...[
      '交易成功',
      '交易完成',
      '已完成',
      '完成',
      '已付款',
      '已支付',
      '待发货',
      '已发货',
      '待收货',
      '已收货',
      '已签收',
      '待评价',
      '已评价',
    ],
    ...['买家已付款', '卖家已发货', '卖家已发货，等待买家确认', '买家已付款，等待卖家发货', '部分退款', '部分发货'],
    ...['paid', 'completed', 'complete', 'processing', 'fulfilled', 'shipped', 'delivered', 'partially_refunded'],
  ],
  given_back: [
    ...[
      '已取消',
      '取消',
      '交易取消',
      '交易关闭',
      '已关闭',
      '订单关闭',
      '退款成功',
      '已退款',
      '退款完成',
      '全额退款',
      '已退货',
    ],
    ...['cancelled', 'canceled', 'refunded', 'returned', 'voided'],
  ],
  unpaid: [
    ...['待付款', '待支付', '未付款', '未支付', '等待买家付款', '支付失败'],
    ...['pending', 'unpaid', 'failed', 'expired', 'draft'],
  ],
}

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
  readonly category: string | null
  readonly lineId: string | null
  readonly quantity: string
  readonly unitPrice: string | null
  readonly amount: string | null
  readonly refundOf: string | null
  readonly isCancel: boolean
  /** Who shared what was bought: [kind, namespace, value]. */
  readonly sharedBy: readonly [kind: Identity['kind'], namespace: string, value: string] | null
  /** The rank of the order's version, see `versionRank`. */
  readonly version: string | null
  /** Of the whole order, where the file has them; its first row that does counts. */
  readonly orderTotal?: string | null
  readonly orderRefunded?: string | null
  readonly isRefunded?: boolean
}

/** A decimal as a number or, where every digit matters, as text. */
const decimal = z.union([z.number(), z.string().regex(/^-?\d{1,15}(\.\d{1,9})?$/, 'a decimal like 12.50')])

const factLine = z
  .object({
    line_id: z.string().max(200).optional(),
    item: z.string().max(200).default(''),
    item_name: z.string().max(2000).optional(),
    /** What kind of item it is. */
    category: z.string().min(1).max(200).optional(),
    /** Negative for a return. */
    quantity: decimal.default(1),
    unit_price: decimal.optional(),
    /** Of the line; else quantity × unit_price, rounded once. */
    amount: decimal.optional(),
  })
  .strict()
  .refine((line) => line.unit_price !== undefined || line.amount !== undefined, 'needs unit_price or amount')

/** An order or a refund, as the API takes it. */
export const orderFact = factBase
  .extend({
    kind: z.literal('order'),
    /** The customer's id in the source; absent: an anonymous order. */
    customer_id: z.string().min(1).max(200).optional(),
    /** When it was paid, or refunded. */
    paid_at: z.iso.datetime({ offset: true }),
    /** ISO 4217; another than the brand's is refused. */
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'ISO 4217, like CNY')
      .optional(),
    /** The order that a refund reduces. */
    refund_of: z.string().min(1).max(200).optional(),
    /** Who shared what was bought; a refund has no use for it. */
    shared_by: identity.optional(),
    lines: z.array(factLine).min(1).max(500),
  })
  .strict()
export type OrderFact = z.infer<typeof orderFact>

/** Of a person's orders: which page, and how long. */
export const ordersQuery = z.object({
  /** Keyset: the `next` of the page before. */
  after: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
export type OrdersQuery = z.infer<typeof ordersQuery>

/** One page of a person's orders, newest first; amounts in minor units of `currency`. */
export const ordersPage = z.object({
  currency: z.string(),
  orders: z.array(
    z.object({
      source: z.string(),
      external_id: z.string(),
      paid_at: z.iso.datetime(),
      /** What was paid, before refunds. */
      amount_minor: z.number().int(),
      /** What was given back of it so far. */
      refunded_minor: z.number().int(),
      lines: z.array(
        z.object({
          item: z.string(),
          item_name: z.string().nullable(),
          category: z.string().nullable(),
          /** A decimal, as text. */
          quantity: z.string(),
          amount_minor: z.number().int(),
        }),
      ),
    }),
  ),
  next: z.string().nullable(),
})
export type OrdersPage = z.infer<typeof ordersPage>
