import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/** "Since yesterday" asks for minutes of the last 24 hours; what is older is one sum. */
const MINUTES_KEPT = 25 * 60
/** Sums that are read with every brief before they are folded: as many again as can be left after it. 10,000 cost 2 ms. */
const ROWS_MAX = 2 * 4 * MINUTES_KEPT

/**
 * Folds the sums of orders and refunds, of which each statement appends some, to one a minute, when there are many. Two that
 * fold at once take turns at the rows, and the later one finds what is left.
 */
export async function foldTotalRows(tx: Sql, now: Date, rowsMax = ROWS_MAX): Promise<void> {
  const { rows } = await sql<{ is_due: boolean }>`
    select count(*) > ${rowsMax}::int as is_due
    from (select from commerce.totals limit ${rowsMax + 1}) t`.execute(tx)
  if (!rows[0]?.is_due) return
  await sql`
    with folded as (delete from commerce.totals returning *)
    insert into commerce.totals
    select kind, case when recorded_minute > ${now}::timestamptz - make_interval(mins => ${MINUTES_KEPT}::int) then recorded_minute
      else '-infinity' end, is_anonymous, sum(documents), sum(amount_minor)
    from folded group by 1, 2, 3 having sum(documents) <> 0 or sum(amount_minor) <> 0`.execute(tx)
}
