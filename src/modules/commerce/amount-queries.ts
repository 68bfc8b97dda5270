import { sql } from 'kysely'
import type { PoolClient } from 'pg'
import type { Sql } from '../../platform/db.ts'
import type { StagedLine } from './schema.ts'

/*
 * Amounts that a file has for a whole order, beside those of its lines: `order_amounts`, a row for each row that has some.
 */

/** After every row of a file, whatever its length. */
const [ADJUSTMENTS_FROM, REFUNDS_FROM] = [1e15, 2e15]

export async function createOrderAmounts(tx: Sql): Promise<void> {
  await sql`
    create temp table order_amounts (document_id text, line bigint, total numeric, refunded numeric, is_refunded boolean)
    on commit drop`.execute(tx)
}

export async function copyOrderAmounts(client: PoolClient, lines: readonly StagedLine[]): Promise<void> {
  const rows = lines.flatMap(({ documentId, line, orderTotal = null, orderRefunded = null, isRefunded = false }) =>
    orderTotal === null && orderRefunded === null && !isRefunded
      ? []
      : [{ document_id: documentId, line, total: orderTotal, refunded: orderRefunded, is_refunded: isRefunded }],
  )
  if (rows.length === 0) return
  await client.query(
    'insert into order_amounts select * from jsonb_populate_recordset(null::order_amounts, $1::jsonb)',
    [JSON.stringify(rows)],
  )
}

/** Lines that no row of the file is. */
export async function countAddedLines(tx: Sql): Promise<number> {
  const { rows } = await sql<{ added: number }>`
    select count(*) as added from lines where line >= ${ADJUSTMENTS_FROM}::bigint`.execute(tx)
  return rows[0]?.added ?? 0
}

/**
 * Completes `lines` and `documents`: what an order's total has beyond its lines (discount, delivery, tax) is a line of its
 * own, and what was given back of it a return in the same document, at the time of payment, as the file has no other. Of
 * rows that differ the first counts. `line_count` stays the number of rows.
 */
export async function completeDocuments(tx: Sql, exponent: number): Promise<void> {
  const scale = 10 ** exponent
  await sql`analyze order_amounts`.execute(tx)
  await sql`
    create temp table order_sums on commit drop as
    select d.document_id, d.customer, d.paid_at, a.line, d.order_minor,
      coalesce(round(a.total * ${scale})::bigint, d.order_minor) as total_minor,
      case when a.is_refunded then coalesce(round(a.total * ${scale})::bigint, d.order_minor)
        else coalesce(round(a.refunded * ${scale})::bigint, 0) end as refunded_minor
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
    from order_sums where refunded_minor > 0`.execute(tx)
  await sql`
    update documents d
    set order_minor = s.total_minor,
        order_lines = d.order_lines + (s.total_minor <> s.order_minor)::int,
        refund_minor = d.refund_minor + greatest(s.refunded_minor, 0),
        refund_lines = d.refund_lines + (s.refunded_minor > 0)::int,
        refund_of = case when s.refunded_minor > 0 then d.document_id else d.refund_of end
    from order_sums s where s.document_id = d.document_id`.execute(tx)
}
