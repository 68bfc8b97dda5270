import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { sql } from 'kysely'
import { needData } from '../../../test/data.ts'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { systemClock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { openTable } from '../../platform/table-file.ts'
import { importOrders } from '../commerce/actions.ts'
import { importPeople } from './actions.ts'

/** The shop's own list, by the number that its sales name. */
const CRM = `
name: crm
kind: people
source: crm
columns:
  own_id: [cst_id]
  name: [cst_firstname]
  enrolled_at: [cst_create_date]
`

/** The accounts' list, which writes the same number as NASAW00011000, or AW00022058. */
const ERP = `
name: erp
kind: people
source: erp
strip_prefix:
  own_id: [NASAW000, AW000]
columns:
  own_id: [CID]
options:
  own_id_source: crm
`

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

test('two lists and the sales of one messy shop are the same people', async (t) => {
  const paths = ['cust_info', 'CUST_AZ12', 'sales_details'].map((name) => needData(t, `crm_erp_messy/${name}.csv`))
  const [crm, erp, sales] = paths
  const expectedPath = needData(t, 'expected_dev.json')
  if (!crm || !erp || !sales || !expectedPath) return
  const listed: { id: string; expect: Record<string, number> }[] = JSON.parse(await readFile(expectedPath, 'utf8'))
  const expected = listed.find(({ id }) => id === 'crm')?.expect ?? {}
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-messy-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const feed = async (path: string, mapping: string, importer: typeof importPeople) => {
    const mappingPath = join(folder, 'mapping.yaml')
    await writeFile(mappingPath, mapping)
    const command = {
      path,
      mapping: mappingPath,
      options: {},
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'imports'),
    }
    const report = await importer(database, systemClock, command)
    if (isRefusal(report)) throw new Error(`${report.message} ${report.remedy}`)
    assert.equal(report.rows_in, report.rows_stored + report.rows_merged + report.rows_rejected)
    return report
  }
  const people = async () => {
    const { rows } = await sql<{ people: number; ids: number }>`
      select count(distinct person_id) as people, count(*) as ids from customers.published_people
      where kind = 'own_id'`.execute(database.db)
    return rows[0]
  }

  const fromCrm = await feed(crm, CRM, importPeople)
  assert.equal(fromCrm.rows_in, expected.cust_rows)
  assert.deepEqual(fromCrm.rejected_by_reason, { missing_identity: expected.null_ids })
  assert.equal(fromCrm.people, expected.sales_customers)
  const rejects = await openTable(fromCrm.rejects_file ?? '')
  const keys: (string | undefined)[] = []
  for await (const batch of rejects.batches)
    keys.push(...batch.map(({ fields }) => fields[rejects.header.indexOf('cst_key')]))
  assert.deepEqual(keys, ['SF566', 'PO25', '13451235', 'A01Ass'])
  assert.deepEqual(await people(), { people: expected.sales_customers, ids: expected.sales_customers })

  const fromErp = await feed(erp, ERP, importPeople)
  assert.deepEqual([fromErp.rows_in, fromErp.rows_rejected, fromErp.people], [18_484, 0, 18_484])
  assert.deepEqual(await people(), { people: expected.sales_customers, ids: expected.sales_customers })

  // Customers whose every order has a bad date are known from the lists; nobody is new.
  const fromSales = await feed(sales, SALES, importOrders)
  assert.equal(fromSales.rows_in, expected.sales_lines)
  assert.deepEqual(await people(), { people: expected.sales_customers, ids: expected.sales_customers })
})
