import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { needData } from '../../../test/data.ts'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { systemClock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { openTable } from '../../platform/table-file.ts'
import { importOrders } from './actions.ts'

const SALES = `
name: crm-sales
kind: orders
source: crm
currency: USD
columns:
  order_id: [sls_ord_num]
  customer_id: [sls_cust_id]
  paid_at: [sls_order_dt]
  item: [sls_prd_key]
  quantity: [sls_quantity]
  unit_price: [sls_price]
  amount: [sls_sales]
`

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-messy-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const feed = async (path: string, mapping: string, options: Record<string, string> = {}) => {
    const command = {
      path,
      mapping,
      options,
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'imports'),
    }
    const report = await importOrders(database, systemClock, command)
    if (isRefusal(report)) throw new Error(`${report.message} ${report.remedy}`)
    return report
  }
  const totals = async () => {
    const { rows } = await sql<{ lines: number; paid: number; refunded: number; buyers: number }>`
      select count(*) as lines, sum(amount_minor)::bigint as paid,
        (select coalesce(sum(amount_minor), 0)::bigint from commerce.refund_lines) as refunded,
        (select count(distinct person_id) from commerce.orders) as buyers
      from commerce.order_lines`.execute(database.db)
    return rows[0]
  }
  return { folder, feed, totals }
}

async function expectedOf(t: TestContext, id: string): Promise<Record<string, number>> {
  const path = needData(t, 'expected_dev.json')
  const listed: { id: string; expect: Record<string, number> }[] = path ? JSON.parse(await readFile(path, 'utf8')) : []
  return listed.find((one) => one.id === id)?.expect ?? {}
}

async function recordsOf(path: string): Promise<Record<string, string>[]> {
  const table = await openTable(path)
  const records: Record<string, string>[] = []
  for await (const batch of table.batches) {
    for (const { line, fields } of batch) {
      const named = Object.fromEntries(table.header.map((name, index) => [name, fields[index] ?? '']))
      records.push({ ...named, line: String(line) })
    }
  }
  return records
}

test('messy sales: every row is stored or explained, and the sums say where each went', async (t) => {
  const path = needData(t, 'crm_erp_messy/sales_details.csv')
  if (!path) return
  const expected = await expectedOf(t, 'crm')
  const { folder, feed, totals } = await start(t)
  const mapping = join(folder, 'sales.yaml')
  await writeFile(mapping, SALES)
  const report = await feed(path, mapping)
  assert.equal(report.rows_in, expected.sales_lines)
  assert.equal(report.rows_in, report.rows_stored + report.rows_merged + report.rows_rejected)
  // The other rows of the 15 orders with a bad date are whole, and wait for it.
  assert.deepEqual(report.rejected_by_reason, { bad_time: expected.bad_order_dates, order_has_bad_row: 20 })
  const rejects = await recordsOf(report.rejects_file ?? '')
  assert.equal(rejects.length, report.rows_rejected)
  const all = await recordsOf(path)
  const orderIds = (records: Record<string, string>[]) => new Set(records.map((record) => record.sls_ord_num))
  assert.equal(report.documents_new + orderIds(rejects).size, expected.orders)
  const customers = (records: Record<string, string>[]) => new Set(records.map((record) => record.sls_cust_id))
  assert.equal(customers(all).size, expected.sales_customers)

  // Rows of the file by the line that the rejects file names are the very rows.
  const byLine = new Map(all.map((record) => [record.line, record]))
  for (const reject of rejects) assert.equal(byLine.get(reject.reject_line ?? '')?.sls_ord_num, reject.sls_ord_num)

  const sales = (records: Record<string, string>[]) =>
    records.reduce((sum, record) => sum + Number(record.sls_sales || 0), 0)
  assert.equal(sales(all), expected.raw_sales_sum)
  const isRejected = new Set(rejects.map((record) => record.reject_line))
  const stored = all.filter((record) => !isRejected.has(record.line ?? ''))
  assert.equal(report.people, customers(stored).size)
  const empty = stored.filter((record) => record.sls_sales === '')
  assert.equal(all.filter((record) => record.sls_sales === '').length, expected.null_sales)
  assert.equal(
    all.filter((record) => record.sls_sales && Number(record.sls_sales) <= 0).length,
    expected.nonpositive_sales,
  )
  const filled = empty.reduce((sum, record) => sum + Number(record.sls_quantity) * Number(record.sls_price), 0)
  const found = await totals()
  assert.equal(((found?.paid ?? 0) - (found?.refunded ?? 0)) / 100, sales(stored) + filled)

  const again = await feed(path, mapping)
  assert.deepEqual([again.rows_stored, again.documents_known], [0, report.documents_new])
})

test('Superstore: orders, customers and sales as published', async (t) => {
  const path = needData(t, 'superstore/superstore.csv')
  if (!path) return
  const expected = await expectedOf(t, 'superstore')
  const { feed, totals } = await start(t)
  const report = await feed(path, 'superstore')
  assert.deepEqual([report.rows_in, report.rows_rejected], [expected.lines, 0])
  assert.deepEqual([report.orders, report.people], [expected.orders, expected.customers])
  const found = await totals()
  assert.equal(found?.lines, expected.lines)
  // Each line is rounded to the cent once; the published sum has four decimals.
  const records = await recordsOf(path)
  const rounded = records.reduce((sum, record) => sum + Math.round(Number(record.Sales) * 100 + 1e-7), 0)
  assert.equal(found?.paid, rounded)
  assert.ok(Math.abs(rounded / 100 - (expected.sales ?? 0)) < 0.005 * Math.sqrt(records.length), `${rounded}`)
})
