import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { testDatabase } from '../../../test/database.ts'
import { storyFolder } from '../../../test/histories.ts'
import { atTerminal } from '../../platform/audit.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { storeFacts, undoImport } from '../intake/actions.ts'
import { importOrders, ORDER_FACTS } from './actions.ts'

// What kind of item a line is about: from a file and by API, as a part of what an order says.

const NOW = new Date('2026-03-10T00:00:00Z')
const HEADER = '订单编号,客户编号,付款时间,商品编码,品类,数量,单价,updated_at'
const row = (order: string, category: string, day: number) =>
  `${order},A,2026-03-01 10:00,T-1,${category},1,10,2026-03-0${day} 10:00`

test('a category comes with the line, another one is another version, and undoing an import brings back the one before', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const clock = { now: () => NOW }
  const bring = async (...rows: string[]) => {
    const path = join(folder, 'shop.csv')
    await writeFile(path, `${[HEADER, ...rows].join('\n')}\n`)
    const report = await importOrders(database, clock, {
      path,
      mapping: 'orders',
      options: {},
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'imports'),
    })
    if (isRefusal(report)) throw new Error(`${report.message} ${report.remedy}`)
    return report
  }
  const kept = async (table = 'order_lines') => {
    const { rows } = await database.pool.query(`select category from commerce.${table} order by 1`)
    return rows.map(({ category }) => category)
  }

  assert.equal((await bring(row('1', '绿茶', 2), row('2', '', 2))).rows_stored, 2)
  assert.deepEqual(await kept(), ['绿茶', null])
  const again = await bring(row('1', '绿茶', 2), row('2', '', 2))
  assert.deepEqual([again.documents_known, again.documents_corrected], [2, 0])

  const later = await bring(row('1', '红茶', 3))
  assert.equal(later.documents_corrected, 1)
  assert.deepEqual(await kept(), ['红茶', null])
  const earlier = await bring(row('1', '白茶', 1))
  assert.equal(earlier.documents_stale, 1)
  assert.deepEqual(await kept(), ['红茶', null])
  const undone = await undoImport(database, clock, {
    importId: later.import_id ?? 0,
    by: atTerminal('lead'),
    kinds: { order: ORDER_FACTS },
  })
  assert.ok(!isRefusal(undone))
  assert.deepEqual(await kept(), ['绿茶', null])

  const order = {
    kind: 'order',
    source: 'till',
    external_id: '9',
    customer_id: 'B',
    paid_at: '2026-03-02T00:00:00Z',
    lines: [
      { item: 'T-9', category: '茶具', quantity: 1, unit_price: 30 },
      { item: 'T-9', category: '茶具', quantity: -1, unit_price: 30 },
    ],
  }
  const results = await storeFacts(database, clock, [order], { order: ORDER_FACTS })
  assert.ok(!isRefusal(results) && results[0]?.status === 'new', JSON.stringify(results))
  assert.deepEqual(await kept(), ['绿茶', '茶具', null])
  assert.deepEqual(await kept('refund_lines'), ['茶具'])
})
