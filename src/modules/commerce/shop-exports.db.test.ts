import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { root } from '../../../test/server.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import type { Mapping } from '../intake/schema.ts'
import { importOrders } from './actions.ts'

const clock: Clock = { now: () => new Date('2026-11-01T00:00:00Z') }
const exported = (name: string) => join(root, 'test', 'exports', name)

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-shops-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const take = async (path: string, mapping: string | Mapping, options: Record<string, string> = {}) => {
    const report = await importOrders(database, clock, {
      path,
      mapping,
      options,
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'runs'),
    })
    if (isRefusal(report)) throw new Error(`${report.code}: ${report.message}`)
    assert.equal(report.rows_in, report.rows_stored + report.rows_merged + report.rows_rejected)
    assert.ok(report.rows_stored >= 0)
    return report
  }
  const feed = async (text: string, mapping: string | Mapping, options: Record<string, string> = {}) => {
    const path = join(folder, 'fed.csv')
    await writeFile(path, text)
    return take(path, mapping, options)
  }
  const read = async (query: string) =>
    (await sql<Record<string, unknown>>`${sql.raw(query)}`.execute(database.db)).rows.map((row) => Object.values(row))
  return { take, feed, read }
}

const ORDERS = `select external_id, coalesce(value, '') as who, to_char(paid_at at time zone 'UTC', 'MM-DD HH24:MI:SS'), amount_minor
  from commerce.orders left join customers.identities using (identity_id) order by external_id`
const LINES = `select external_id, l.item, l.item_name, l.quantity::text, l.amount_minor
  from commerce.order_lines l join commerce.orders using (person_id, order_id) order by external_id, line_no`
const REFUNDS = `select r.external_id, r.of_external_id, r.amount_minor, coalesce(sum(a.amount_minor), 0)::int as allocated
  from commerce.refunds r left join commerce.refund_allocations a using (person_id, refund_id)
  group by r.external_id, r.of_external_id, r.amount_minor order by 1`

test('Shopify: one row a line, the order in its first row; unpaid orders stay out, refunds reduce theirs', async (t) => {
  const { take, read } = await start(t)
  const report = await take(exported('shopify.csv'), 'shopify')
  assert.deepEqual(report.rejected_by_reason, { left_out: 3 })
  assert.deepEqual([report.rows_in, report.rows_stored, report.currency], [11, 8, 'USD'])
  assert.deepEqual([report.orders, report.refunds, report.people, report.unmatched_refunds], [5, 2, 2, 0])
  assert.deepEqual(await read(ORDERS), [
    ['#1001', 'first@example.com', '03-05 02:00:00', 4925],
    ['#1002', 'second@example.com', '03-06 03:00:00', 2500],
    ['#1003', 'first@example.com', '03-07 04:00:00', 1740],
    ['#1006', '', '03-09 04:00:00', 1600],
    ['#1007', 'second@example.com', '03-10 04:00:00', 0],
  ])
  assert.deepEqual(await read(LINES), [
    ['#1001', 'TEA-50', 'Spring tea - 50 g', '2', 2500],
    ['#1001', 'CUP-1', 'Glass cup', '1', 900],
    ['#1001', '', 'Tin, large', '1', 1300],
    ['#1001', 'adjustment', null, '1', 225],
    ['#1002', 'CUP-1', 'Glass cup', '1', 900],
    ['#1002', 'POT-1', 'Teapot', '1', 1600],
    ['#1003', 'TEA-50', 'Spring tea - 50 g', '1', 1250],
    ['#1003', 'adjustment', null, '1', 490],
    ['#1006', 'POT-1', 'Teapot', '1', 1600],
    ['#1007', 'CUP-1', 'Glass cup', '1', 900],
    ['#1007', 'adjustment', null, '1', -900],
  ])
  assert.deepEqual(await read(REFUNDS), [
    ['#1002', '#1002', 900, 900],
    ['#1003', '#1003', 1740, 1740],
  ])
  const again = await take(exported('shopify.csv'), 'shopify')
  assert.deepEqual([again.rows_stored, again.rows_merged, again.documents_known], [0, 8, 5])
})

test('Shopify: a later export with more refunded corrects the order', async (t) => {
  const { feed, read } = await start(t)
  const text = await readFile(exported('shopify.csv'), 'utf8')
  await feed(text, 'shopify')
  const paid = '#1001,first@example.com,paid,'
  assert.ok(text.includes(paid))
  const later = text
    .replace(paid, '#1001,first@example.com,partially_refunded,')
    .replace(/(#1001,first.*?Shopify Payments,,)0\.00/, '$140.00')
  const report = await feed(later, 'shopify')
  assert.deepEqual([report.documents_corrected, report.documents_known], [1, 4])
  assert.deepEqual((await read(REFUNDS))[0], ['#1001', '#1001', 4000, 4000])
})

test('Shopify: of an order with a bad row nothing is stored, and the mended rejects file brings it whole', async (t) => {
  const { feed, read } = await start(t)
  const text = await readFile(exported('shopify.csv'), 'utf8')
  const bad = text.replace(',1,Glass cup,9.00,,CUP-1,', ',one,Glass cup,9.00,,CUP-1,')
  assert.notEqual(bad, text)
  const report = await feed(bad, 'shopify')
  assert.deepEqual(report.rejected_by_reason, { left_out: 3, bad_number: 1, order_has_bad_row: 2 })
  const rejects = await readFile(report.rejects_file ?? '', 'utf8')
  // Its rows came one by one, the bad one first: each has what the first row of the order said.
  assert.equal(
    rejects.split('\n').filter((line) => line.startsWith('#1001,first@example.com,paid,2026-03-05')).length,
    3,
  )
  const mended = rejects.replace(',one,Glass cup', ',1,Glass cup')
  assert.equal((await feed(mended, 'shopify')).documents_new, 1)
  assert.deepEqual((await read(ORDERS))[0], ['#1001', 'first@example.com', '03-05 02:00:00', 4925])
})

test('WooCommerce: one row an order; guests are nobody, a refunded or cancelled order is given back whole', async (t) => {
  const { take, read } = await start(t)
  const report = await take(exported('woocommerce.csv'), 'woocommerce')
  assert.deepEqual(report.rejected_by_reason, { left_out: 1, missing_paid_at: 1 })
  assert.deepEqual([report.orders, report.refunds, report.currency], [4, 2, 'EUR'])
  assert.deepEqual(await read(ORDERS), [
    ['501', '7', '09-05 22:30:00', 3090],
    ['502', '', '09-07 10:29:05', 900],
    ['504', '8', '09-07 22:30:00', 900],
    ['505', '8', '09-12 22:30:00', 1600],
  ])
  assert.deepEqual(await read(REFUNDS), [
    ['504', '504', 900, 900],
    ['505', '505', 1600, 1600],
  ])
  assert.equal((await take(exported('woocommerce.csv'), 'woocommerce')).rows_merged, 4)
})

const MAPPING: Mapping = {
  name: 'totals',
  kind: 'orders',
  source: 'totals',
  date_order: 'ymd',
  columns: {
    order_id: ['id'],
    customer_id: ['who'],
    paid_at: ['at'],
    item: ['item'],
    quantity: ['n'],
    unit_price: ['price'],
    order_total: ['total'],
    order_refunded: ['back'],
    is_refunded: ['void'],
    status: ['status'],
  },
  only: { status: ['paid'] },
  options: {},
}

test('amounts of whole orders: the first that is filled counts, equal rows are merged first, bad ones are rejected', async (t) => {
  const { feed, read } = await start(t)
  const lines = [
    'id,who,at,item,n,price,total,back,void,status',
    'A,u,2026-03-05,x,1,10.00,,,,paid',
    'A,u,2026-03-05,y,1,10.00,18.50,,,paid',
    'A,u,2026-03-05,y,1,10.00,99.00,,,paid',
    'B,u,2026-03-06,x,1,10.00,-1,,,paid',
    'C,u,2026-03-06,x,1,10.00,ten,,,paid',
    'D,u,2026-03-06,x,2,10.00,,,yes,paid',
    'E,u,2026-03-07,x,1,10.00,,30.00,,paid',
    'F,u,2026-03-08,x,1,10.00,10.00,,,open',
    'G,u,2026-03-08,x,-1,10.00,-10.00,,,paid',
    'H,u,2026-03-09,x,1,10.00,12.00,,,paid',
    'H,u,2026-03-09,x,-1,10.00,12.00,,,paid',
  ]
  const merged = await feed(lines.join('\n'), MAPPING, { duplicates: 'merge' })
  assert.deepEqual(merged.rejected_by_reason, { bad_number: 3, left_out: 1 })
  assert.deepEqual([merged.rows_merged, merged.unmatched_refunds_minor], [1, 2000])
  assert.deepEqual(
    (await read(ORDERS)).map(([id, , , minor]) => [id, minor]),
    [
      ['A', 1850],
      ['D', 2000],
      ['E', 1000],
      ['H', 1200],
    ],
  )
})

test('an order that was closed counts for nothing, also one of gifts alone', async (t) => {
  const { feed, read } = await start(t)
  const mapping: Mapping = {
    name: 'guessed',
    kind: 'orders',
    source: 'orders',
    date_order: 'ymd',
    columns: { order_id: ['id'], customer_id: ['who'], paid_at: ['paid'], amount: ['amount'], is_refunded: ['state'] },
    values: { is_refunded: { 关闭: 'yes' } },
    options: {},
  }
  const text =
    'id,who,paid,amount,state\nA,u,2026-03-01,0.00,关闭\nB,u,2026-03-02,0.00,成功\nC,u,2026-03-03,5.00,关闭\n'
  const report = await feed(text, mapping)
  assert.deepEqual([report.orders, report.refunds, report.unmatched_refunds], [3, 2, 0])
  const voids = 'select external_id from commerce.void_orders join commerce.orders using (order_id) order by 1'
  assert.deepEqual(await read(voids), [['A'], ['C']])
  const again = await feed(text, mapping)
  assert.deepEqual([again.rows_merged, again.documents_known], [3, 3])
})

test('any orders with totals: what is stored of each is its total less what was given back', async (t) => {
  const { feed, read } = await start(t)
  const order = fc.record({
    prices: fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 4 }),
    total: fc.option(fc.integer({ min: 0, max: 20_000 })),
    back: fc.option(fc.integer({ min: 0, max: 30_000 })),
    isVoid: fc.boolean(),
  })
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(order, { minLength: 1, maxLength: 6 }), async (orders) => {
      run += 1
      const money = (minor: number | null) => (minor === null ? '' : (minor / 100).toFixed(2))
      const rows = orders.flatMap(({ prices, total, back, isVoid }, index) =>
        prices.map((price, place) =>
          place === 0
            ? `${run}-${index},u${index},2026-03-05,x,1,${money(price)},${money(total)},${money(back)},${isVoid ? 'yes' : 'no'},paid`
            : `${run}-${index},,,y,1,${money(price)},,,,`,
        ),
      )
      const mapping = { ...MAPPING, carry_down: ['customer_id', 'paid_at', 'status'] }
      await feed(['id,who,at,item,n,price,total,back,void,status', ...rows].join('\n'), mapping)
      const stored = await read(`select o.external_id, o.amount_minor, coalesce(r.amount_minor, 0) as refunded,
          (select coalesce(sum(amount_minor), 0)::int from commerce.order_lines l where l.order_id = o.order_id) as lines,
          (select coalesce(sum(amount_minor), 0)::int from commerce.refund_allocations a where a.order_id = o.order_id) as allocated
        from commerce.orders o left join commerce.refunds r on r.external_id = o.external_id
        where o.external_id like '${run}-%' order by o.external_id`)
      const expected = orders.map(({ prices, total, back, isVoid }, index) => {
        const paid = total ?? prices.reduce((sum, price) => sum + price, 0)
        const given = isVoid ? paid : (back ?? 0)
        return [`${run}-${index}`, paid, given, paid, Math.min(given, paid)]
      })
      assert.deepEqual(stored, expected)
    }),
    { numRuns: 20 },
  )
})

test('a large export of orders with totals adds up, and is known the second time', async (t) => {
  const { feed, read } = await start(t)
  const orders = 4000
  const rows = Array.from({ length: orders }, (_, n) => [
    `${n},u${n % 700},2026-03-05,x,1,10.00,${(15 + (n % 3)).toFixed(2)},${n % 10 === 0 ? '5.00' : ''},,paid`,
    `${n},,,y,1,5.00,,,,`,
  ])
  const text = ['id,who,at,item,n,price,total,back,void,status', ...rows.flat()].join('\n')
  const mapping = { ...MAPPING, carry_down: ['customer_id', 'paid_at', 'status'] }
  const first = await feed(text, mapping)
  assert.deepEqual(
    [first.rows_stored, first.orders, first.refunds, first.people],
    [orders * 2, orders, orders / 10, 700],
  )
  const expected = rows.reduce((sum, _, n) => sum + 1500 + 100 * (n % 3), 0)
  assert.deepEqual(await read('select sum(amount_minor)::bigint as paid from commerce.orders'), [[expected]])
  assert.deepEqual(await read('select sum(amount_minor)::bigint as back from commerce.refund_allocations'), [
    [500 * (orders / 10)],
  ])
  const again = await feed(text, mapping)
  assert.deepEqual([again.rows_stored, again.rows_merged, again.documents_known], [0, orders * 2, orders])
})
