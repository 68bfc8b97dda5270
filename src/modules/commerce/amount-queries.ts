import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/*
 * Amounts that a file has for a whole order, beside those of its lines: rows of `staged` that have some.
 */

/** After every row of a file, whatever its length. */
const [ADJUSTMENTS_FROM, REFUNDS_FROM] = [1e15, 2e15]

/** Lines that no row of the file is. */
export async function countAddedLines(tx: Sql): Promise<number> {
  const { rows } = await sql<{ added: number }>`
    select count(*) as added from lines where line >= ${ADJUSTMENTS_FROM}::bigint`.execute(tx)
  return rows[0]?.added ?? 0
}

/**
 * Completes `lines` and `documents`: what an order's total has beyond its lines (discount, delivery, tax) is a line of its
 * own, and what was given back of it a return in the same document, at the time of payment, as the file has no other; of 0.00 for a
 * closed order of gifts, which counts for nothing either. Of
 * rows that differ the first counts. `line_count` stays the number of rows.
 */
export async function completeDocuments(tx: Sql, exponent: number): Promise<void> {
  const scale = 10 ** exponent
  await sql`
    create temp table order_amounts on commit drop as
    select document_id, line, order_total as total, order_refunded as refunded, is_refunded from staged
    where order_total is not null or order_refunded is not null or is_refunded`.execute(tx)
  await sql`analyze order_amounts`.execute(tx)
  await sql`
    create temp table order_sums on commit drop as
    select d.document_id, d.customer, d.paid_at, a.line, d.order_minor,
      coalesce(round(a.total * ${scale})::bigint, d.order_minor) as total_minor,
      case when a.is_refunded then coalesce(round(a.total * ${scale})::bigint, d.order_minor)
        else coalesce(round(a.refunded * ${scale})::bigint, 0) end as refunded_minor, a.is_refunded
    from documents d
    join (
      select document_id, min(line) as line, (array_agg(total order by line) filter (where total is not null))[1] as total,
        (array_agg(refunded order by line) filter (where refunded is not null))[1] as refunded, bool_or(is_refunded) as is_refunded
      from order_amounts group by document_id
    ) a using (document_id)
    where d.order_lines > 0`.execute(tx)
  await sql`
    insert into lines (line, document_id, customer, paid_at, item, quantity, unit_price, is_return, amount_minor)
    select ${ADJUSTMENTS_FROM}::bigint + line, document_id, customer, paid_at, 'adjustment', 1,
      trim_scale((total_minor - order_minor)::numeric / ${scale}), false, total_minor - order_minor
    from order_sums where total_minor <> order_minor`.execute(tx)
  await sql`
    insert into lines (line, document_id, customer, paid_at, item, quantity, unit_price, is_return, amount_minor, refund_of)
    select ${REFUNDS_FROM}::bigint + line, document_id, customer, paid_at, 'refund', 1,
      trim_scale(refunded_minor::numeric / ${scale}), true, refunded_minor, document_id
    from order_sums where refunded_minor > 0 or is_refunded`.execute(tx)
  await sql`
    update documents d
    set order_minor = s.total_minor,
        order_lines = d.order_lines + (s.total_minor <> s.order_minor)::int,
        refund_minor = d.refund_minor + greatest(s.refunded_minor, 0),
        refund_lines = d.refund_lines + (s.refunded_minor > 0 or s.is_refunded)::int,
        refund_of = case when s.refunded_minor > 0 or s.is_refunded then d.document_id else d.refund_of end
    from order_sums s where s.document_id = d.document_id`.execute(tx)
}
