import assert from 'node:assert/strict'
import type { Database } from '../src/platform/db.ts'
import { type Books, unmatchedOf } from './oracle.ts'

export async function rowsOf<T extends object>(database: Database, text: string, values: unknown[] = []): Promise<T[]> {
  const { rows } = await database.pool.query<T>(text, values)
  return rows
}
const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
/** The same rows in whatever order. */
export const sorted = <T extends object>(list: readonly T[]) => [...list].sort(byText)

/** The customer's id in the source of the row `f`; empty: nobody. */
export const CUSTOMER = `coalesce((select value from customers.published_people p where p.person_id = f.person_id), '')`

/** Orders, refunds and what refunds took of orders are these, by the source's own ids. */
export async function assertBooks(database: Database, books: Books): Promise<void> {
  assert.deepEqual(
    sorted(
      await rowsOf(
        database,
        `select external_id as id, ${CUSTOMER} as customer, extract(epoch from paid_at)::float8 * 1000 as at, amount_minor as amount
         from commerce.published_orders f`,
      ),
    ),
    sorted(books.orders.map(({ id, customer, at, amount }) => ({ id, customer, at, amount }))),
    'orders',
  )
  assert.deepEqual(
    sorted(
      await rowsOf(
        database,
        `select external_id as id, ${CUSTOMER} as customer, extract(epoch from refunded_at)::float8 * 1000 as at, amount_minor as amount
         from commerce.published_refunds f`,
      ),
    ),
    sorted(books.refunds.map(({ id, customer, at, amount }) => ({ id, customer, at, amount }))),
    'refunds',
  )
  assert.deepEqual(
    sorted(
      await rowsOf(
        database,
        `select r.external_id as refund, a.refund_line_no as "refundLine", o.external_id as order, a.order_line_no as "orderLine",
           extract(epoch from a.refunded_at)::float8 * 1000 as at, a.amount_minor as amount
         from commerce.refund_allocations a
         join commerce.refunds r using (refund_id)
         join commerce.orders o on o.person_id = a.person_id and o.order_id = a.order_id`,
      ),
    ),
    sorted(books.allocations),
    'allocations',
  )
  assert.deepEqual(
    sorted(
      await rowsOf(
        database,
        `select external_id as id, unmatched_minor as unmatched from commerce.published_unmatched u
         join commerce.published_refunds r using (refund_id)`,
      ),
    ),
    sorted(
      books.refunds
        .map((refund) => ({ id: refund.id, unmatched: unmatchedOf(books, refund) }))
        .filter(({ unmatched }) => unmatched > 0),
    ),
    'unmatched refunds',
  )
}
