import { fieldValue, fitsCurrency, readNumber, readTime, readVersion } from '../../platform/fields.ts'
import type { Identity } from '../customers/schema.ts'
import { type MappedRow, type Mapping, type RejectReason, versionOf } from '../intake/schema.ts'
import type { OrderFact, OrderField, OrderOptions, StagedLine } from './schema.ts'

const FIELD_LENGTH_MAX = 2000
/** An index entry holds 2,704 bytes; nobody's ids come near. */
const ID_LENGTH_MAX = 200
/** In the currency's unit: 900 such orders still add up exactly in a JavaScript number. */
const AMOUNT_MAX = 1e11

export interface LineRule {
  readonly columns: Record<string, number>
  readonly fieldCount: number
  readonly mapping: Pick<
    Mapping,
    'source' | 'date_order' | 'dates' | 'decimal' | 'cancel_prefix' | 'strip_prefix' | 'values' | 'defaults'
  >
  readonly options: OrderOptions
  /** The currency that the brand keeps; a row that names another is refused. */
  readonly currency: string
}

/** One row of an order file -> one staged line, or the reason why not. Options that drop rows are reasons too. */
export function mapLine(lineNumber: number, fields: readonly string[], rule: LineRule): MappedRow<StagedLine> {
  const { columns, mapping, options } = rule
  const field = (name: OrderField): string => fieldValue(fields, columns, name, mapping)
  const documentId = field('order_id')
  const reject = (reason: RejectReason): MappedRow<StagedLine> => ({ ok: false, reason, unit: documentId || undefined })

  // With another number of fields the order id may have slipped too. Where it has not, the rest of the order must not
  // be stored without this row; where it has, another order waits in the rejects file, and nothing is lost.
  if (fields.length !== rule.fieldCount) return reject('column_count')
  if (documentId.includes('\0')) return { ok: false, reason: 'nul_byte', unit: undefined }
  if (fields.some((text) => text.includes('\0'))) return reject('nul_byte')
  if (fields.some((text) => text.length > FIELD_LENGTH_MAX)) return reject('field_too_long')
  if (!documentId) return reject('missing_order_id')
  const ids = [documentId, field('customer_id'), field('shared_by')]
  if (ids.some((id) => id.length > ID_LENGTH_MAX)) return reject('id_too_long')

  const quantityText = field('quantity')
  const priceText = field('unit_price')
  const amountText = field('amount')
  const quantity = quantityText ? readNumber(quantityText, mapping) : '1'
  const unitPrice = priceText ? readNumber(priceText, mapping) : null
  const amount = amountText ? readNumber(amountText, mapping) : null
  if (quantity === undefined || unitPrice === undefined || amount === undefined) return reject('bad_number')
  if (amount === null && unitPrice === null) return reject('missing_amount')

  if (Math.abs(Number(amount ?? Number(quantity) * Number(unitPrice))) > AMOUNT_MAX) return reject('amount_too_large')

  const isCancel = mapping.cancel_prefix !== undefined && documentId.startsWith(mapping.cancel_prefix)
  if (isCancel && options.cancels === 'drop') return { ok: false, reason: 'cancel_dropped', unit: undefined }
  if (options.zero_price === 'drop' && Number(unitPrice ?? amount) <= 0) {
    return { ok: false, reason: 'zero_price_dropped', unit: undefined }
  }

  const timeText = field('paid_at')
  if (!timeText) return reject('missing_paid_at')
  const time = readTime(timeText, mapping.date_order, mapping)
  if (!time) return reject('bad_time')
  const version = readVersion(field('sequence'), field('updated_at'), mapping.date_order, mapping)
  if (version === undefined) return reject('bad_version')

  const totals = orderAmounts(field, mapping)
  if (totals === undefined) return reject('bad_number')

  const currency = field('currency')
  if (currency && currency.toUpperCase() !== rule.currency) return reject('other_currency')
  if (!fitsCurrency(priceText, rule.currency) || !fitsCurrency(amountText, rule.currency)) {
    return reject('other_currency')
  }

  return {
    ok: true,
    row: {
      line: lineNumber,
      documentId,
      customer: field('customer_id') || null,
      localTime: 'local' in time ? time.local : null,
      instant: 'instant' in time ? time.instant : null,
      item: field('item'),
      itemName: field('item_name') || null,
      category: field('category') || null,
      lineId: field('line_id') || null,
      quantity,
      unitPrice,
      amount,
      refundOf: field('refund_of') || null,
      isCancel,
      sharedBy: field('shared_by') ? ['own_id', mapping.source, field('shared_by')] : null,
      version,
      ...totals,
    },
  }
}

/** What the row says of the whole order; undefined when it is no amount. */
function orderAmounts(
  field: (name: OrderField) => string,
  mapping: LineRule['mapping'],
): Pick<StagedLine, 'orderTotal' | 'orderRefunded' | 'isRefunded'> | undefined {
  const [total, refunded] = [field('order_total'), field('order_refunded')].map((text) =>
    text ? readNumber(text, mapping) : null,
  )
  if (total === undefined || refunded === undefined) return undefined
  if ([total, refunded].some((amount) => Number(amount) < 0 || Number(amount) > AMOUNT_MAX)) return undefined
  const isRefunded = field('is_refunded').toLowerCase() === 'yes'
  return {
    ...(total === null ? {} : { orderTotal: total }),
    ...(refunded === null ? {} : { orderRefunded: refunded }),
    ...(isRefunded ? { isRefunded } : {}),
  }
}

/** The lines of an order that came by API; `line` is the fact's place in the request, `sharer` whom it names as that. */
export function factLines(fact: OrderFact, line: number, sharer: Identity | null): MappedRow<StagedLine>[] {
  const version = versionOf(fact)
  return fact.lines.map((given) => {
    const [quantity, unitPrice, amount] = [given.quantity, given.unit_price, given.amount].map((value) =>
      value === undefined ? null : readNumber(decimalText(value)),
    )
    const size = Math.abs(Number(amount ?? Number(quantity) * Number(unitPrice)))
    if (
      quantity === undefined ||
      quantity === null ||
      unitPrice === undefined ||
      amount === undefined ||
      size > AMOUNT_MAX
    ) {
      return { ok: false, reason: 'bad_number', unit: fact.external_id }
    }
    return {
      ok: true,
      row: {
        line,
        documentId: fact.external_id,
        customer: fact.customer_id ?? null,
        localTime: null,
        instant: fact.paid_at,
        item: given.item,
        itemName: given.item_name ?? null,
        category: given.category ?? null,
        lineId: given.line_id ?? null,
        quantity,
        unitPrice: unitPrice ?? null,
        amount: amount ?? null,
        refundOf: fact.refund_of ?? null,
        isCancel: false,
        sharedBy: sharer && [sharer.kind, sharer.namespace, sharer.value],
        version,
      },
    }
  })
}

/** A JSON number as it was meant: 0.1 + 0.2 comes as 0.30000000000000004. */
function decimalText(value: number | string): string {
  return typeof value === 'number' && Math.abs(value) < AMOUNT_MAX ? String(Number(value.toFixed(9))) : String(value)
}
