import assert from 'node:assert/strict'
import type { Database } from '../src/platform/db.ts'

/** Sums of orders and refunds, and the exceptions among them, as they are kept, against the rows that they are of. */
export async function assertKeptTotals({ pool }: Database, place: string): Promise<void> {
  const { rows } = await pool.query<Record<'counted' | 'kept', Record<string, unknown>>>(`
    select jsonb_build_object(
        'totals', (select jsonb_agg(t order by kind, is_anonymous) from (
          select 'order' as kind, person_id = 0 as is_anonymous, count(*) as documents, sum(amount_minor) as amount_minor
          from commerce.orders group by 2
          union all
          select 'refund', person_id = 0, count(*), sum(amount_minor) from commerce.refunds group by 2) t),
        'void', (select jsonb_agg(v order by order_id) from (
          select o.order_id, o.person_id = 0 as is_anonymous
          from commerce.orders o join commerce.published_allocations a on a.person_id = o.person_id and a.order_id = o.order_id
          group by o.person_id, o.order_id, o.amount_minor having sum(a.amount_minor) >= o.amount_minor) v),
        'unmatched', (select jsonb_agg(jsonb_build_array(refund_id, unmatched_minor) order by refund_id) from commerce.published_unmatched)
      ) as counted,
      jsonb_build_object(
        'totals', (select jsonb_agg(t order by kind, is_anonymous) from (
          select kind, is_anonymous, sum(documents) as documents, sum(amount_minor) as amount_minor
          from commerce.totals group by 1, 2 having sum(documents) <> 0 or sum(amount_minor) <> 0) t),
        'void', (select jsonb_agg(v order by order_id) from commerce.void_orders v),
        'unmatched', (select jsonb_agg(jsonb_build_array(refund_id, unmatched_minor) order by refund_id) from commerce.unmatched_refunds)
      ) as kept`)
  assert.deepEqual(rows[0]?.kept, rows[0]?.counted, `${place}: kept totals`)
}
