import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { needData } from '../../../test/data.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { ORDERS } from '../commerce/actions.ts'
import { PEOPLE } from '../customers/actions.ts'
import { guessFile, type MappingGuess } from './actions.ts'
import { SURE } from './rules.ts'

async function guess(path: string): Promise<MappingGuess | undefined> {
  const guessed = await guessFile(path, [ORDERS, PEOPLE])
  if (isRefusal(guessed)) throw new Error(guessed.message)
  return guessed
}

async function guessText(t: TestContext, lines: readonly string[]): Promise<MappingGuess | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-guess-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'file.csv')
  await writeFile(path, lines.join('\n'))
  return guess(path)
}

const columnsOf = (guessed: MappingGuess | undefined) =>
  Object.fromEntries(guessed?.columns.map(({ field, column }) => [field, column]) ?? [])

suite('a mapping is guessed', () => {
  const SHIPPED: readonly (readonly [file: string, mapping: string])[] = [
    ['online_retail_2010_2011/online_retail.csv.gz', 'online-retail'],
    ['superstore/superstore.csv', 'superstore'],
  ]
  for (const [file, mapping] of SHIPPED) {
    test(`${file} is ${mapping}`, async (t) => {
      const path = needData(t, file)
      if (!path) return
      const guessed = await guess(path)
      assert.ok(guessed && guessed.confidence >= SURE)
      assert.equal(guessed.mapping.name, mapping)
    })
  }

  test('a Chinese order export is read by the shipped mapping', async (t) => {
    const guessed = await guessText(t, [
      '订单编号,会员编号,付款时间,商品编码,商品名称,数量,单价',
      'A1,u1,2026-03-05 12:00:00,s1,茶杯,2,￥19.90',
      'A1,u1,2026-03-05 12:00:00,s2,茶壶,1,￥99.00',
    ])
    assert.ok(guessed && guessed.confidence >= SURE)
    assert.deepEqual([guessed.mapping.kind, guessed.mapping.source], ['orders', 'orders'])
    assert.equal(columnsOf(guessed).unit_price, '单价')
  })

  test('days before months are told by a day over 12, and decimal commas by one', async (t) => {
    const guessed = await guessText(t, [
      'order_id;customer_id;order_date;item;quantity;unit_price',
      '1;c1;05/03/2026;x;1;1,50',
      '2;c2;25/03/2026;x;1;12,00',
    ])
    assert.ok(guessed && guessed.confidence >= SURE, JSON.stringify(guessed))
    assert.deepEqual([guessed.mapping.date_order, guessed.mapping.decimal], ['dmy', 'comma'])
  })

  test('a date that could be read in two orders is asked about', async (t) => {
    const guessed = await guessText(t, [
      'order_id,customer_id,order_date,amount',
      '1,c,1/2/2026,5.00',
      '2,c,3/4/2026,6.00',
    ])
    assert.ok(guessed && guessed.confidence < SURE)
    assert.match(JSON.stringify(guessed.columns), /say date_order/)
  })

  test('a name whose values contradict it is not taken', async (t) => {
    const guessed = await guessText(t, ['order_id,customer_id,paid_at,amount', '1,c,yes,5.00', '2,d,no,6.00'])
    assert.ok(guessed && guessed.confidence < SURE)
  })

  test('orders without a known customer column are asked about', async (t) => {
    const guessed = await guessText(t, ['order_id,买家,paid_at,amount', '1,c,2026-03-05,5.00', '2,d,2026-03-06,6.00'])
    assert.ok(guessed && guessed.confidence < SURE)
    assert.equal(guessed.mapping.kind, 'orders')
  })

  test('no amount is taken beside a price', async (t) => {
    const guessed = await guessText(t, [
      'Order No,Customer,Date,SKU,Qty,Price,Profit',
      '1,c,2026-03-05,x,2,5.25,1.10',
      '2,d,2026-03-06,y,1,6.75,2.20',
    ])
    assert.ok(guessed && guessed.confidence >= SURE)
    assert.equal(columnsOf(guessed).amount, undefined)
    assert.equal(columnsOf(guessed).unit_price, 'Price')
  })

  test('people are known by phones, whatever the column is called', async (t) => {
    const guessed = await guessText(t, ['contact,姓名', '13800001111,张三', '139 0000 2222,李四'])
    assert.ok(guessed)
    assert.equal(guessed.mapping.kind, 'people')
    assert.equal(columnsOf(guessed).phone, 'contact')
  })

  test('a people file is no order file', async (t) => {
    const guessed = await guessText(t, ['customer_id,手机号,email,入会时间', 'u1,13800001111,a@b.cn,2026-03-05'])
    assert.ok(guessed && guessed.confidence >= SURE)
    assert.deepEqual([guessed.mapping.kind, guessed.mapping.name], ['people', 'people'])
  })

  test('nothing is guessed of what nothing is known of', async (t) => {
    assert.equal(await guessText(t, ['foo,bar', 'x,y']), undefined)
    assert.equal((await guessText(t, ['order_id,customer_id']))?.confidence, 0)
  })
})
