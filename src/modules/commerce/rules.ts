import { readNumber, readTime } from '../../platform/fields.ts'
import type { Mapping, RejectReason } from '../intake/schema.ts'
import type { OrderField, OrderOptions, StagedLine } from './schema.ts'

const FIELD_LENGTH_MAX = 2000
/** An index entry holds 2,704 bytes; nobody's ids come near. */
const ID_LENGTH_MAX = 200
/** In the currency's unit: 900 such orders still add up exactly in a JavaScript number. */
const AMOUNT_MAX = 1e11

export type MappedLine =
  | { readonly ok: true; readonly line: StagedLine }
  /** documentId: the order that the row would have been part of, when it can be read; it is then rejected whole. */
  | { readonly ok: false; readonly reason: RejectReason; readonly documentId: string | undefined }

export interface LineRule {
  readonly columns: Record<string, number>
  readonly fieldCount: number
  readonly mapping: Pick<Mapping, 'date_order' | 'cancel_prefix'>
  readonly options: OrderOptions
  /** The currency that the brand keeps; a row that names another is refused. */
  readonly currency: string
}

/** One row of an order file -> one staged line, or the reason why not. Options that drop rows are reasons too. */
export function mapLine(lineNumber: number, fields: readonly string[], rule: LineRule): MappedLine {
  const { columns, mapping, options } = rule
  const field = (name: OrderField): string => {
    const index = columns[name] ?? -1
    return index < 0 ? '' : (fields[index] ?? '').trim()
  }
  const documentId = field('order_id')
  const reject = (reason: RejectReason): MappedLine => ({ ok: false, reason, documentId: documentId || undefined })

  // With another number of fields the order id may have slipped too. Where it has not, the rest of the order must not
  // be stored without this row; where it has, another order waits in the rejects file, and nothing is lost.
  if (fields.length !== rule.fieldCount) return reject('column_count')
  if (documentId.includes('\0')) return { ok: false, reason: 'nul_byte', documentId: undefined }
  if (fields.some((text) => text.includes('\0'))) return reject('nul_byte')
  if (fields.some((text) => text.length > FIELD_LENGTH_MAX)) return reject('field_too_long')
  if (!documentId) return reject('missing_order_id')
  if (documentId.length > ID_LENGTH_MAX || field('customer_id').length > ID_LENGTH_MAX) return reject('id_too_long')

  const quantityText = field('quantity')
  const priceText = field('unit_price')
  const amountText = field('amount')
  const quantity = quantityText ? readNumber(quantityText) : '1'
  const unitPrice = priceText ? readNumber(priceText) : null
  const amount = amountText ? readNumber(amountText) : null
  if (quantity === undefined || unitPrice === undefined || amount === undefined) return reject('bad_number')
  if (amount === null && unitPrice === null) return reject('missing_amount')

  if (Math.abs(Number(amount ?? Number(quantity) * Number(unitPrice))) > AMOUNT_MAX) return reject('amount_too_large')

  const isCancel = mapping.cancel_prefix !== undefined && documentId.startsWith(mapping.cancel_prefix)
  if (isCancel && options.cancels === 'drop') return { ok: false, reason: 'cancel_dropped', documentId: undefined }
  if (options.zero_price === 'drop' && Number(unitPrice ?? amount) <= 0) {
    return { ok: false, reason: 'zero_price_dropped', documentId: undefined }
  }

  const timeText = field('paid_at')
  if (!timeText) return reject('missing_paid_at')
  const time = readTime(timeText, mapping.date_order)
  if (!time) return reject('bad_time')

  const currency = field('currency')
  if (currency && currency.toUpperCase() !== rule.currency) return reject('other_currency')

  return {
    ok: true,
    line: {
      line: lineNumber,
      documentId,
      customer: field('customer_id') || null,
      localTime: 'local' in time ? time.local : null,
      instant: 'instant' in time ? time.instant : null,
      item: field('item'),
      itemName: field('item_name') || null,
      lineId: field('line_id') || null,
      quantity,
      unitPrice,
      amount,
      refundOf: field('refund_of') || null,
      isCancel,
    },
  }
}

/** Options of the mapping, overridden by those of the command; a wrong one is named. */
export function mergeOptions(mapping: Mapping, given: Readonly<Record<string, string>>): Record<string, string> {
  return { ...mapping.options, ...given }
}
