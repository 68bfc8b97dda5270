import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { needData } from '../../../test/data.ts'
import { root } from '../../../test/server.ts'
import { FILE_KINDS } from '../../bin/file-kinds.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { guessFile, type MappingGuess } from './actions.ts'
import { SURE, seriesOf } from './rules.ts'

async function guess(path: string): Promise<MappingGuess | undefined> {
  const guessed = await guessFile(path, FILE_KINDS)
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

  for (const shop of ['shopify', 'woocommerce']) {
    test(`an export of ${shop} is read by its mapping`, async () => {
      const guessed = await guess(join(root, 'test', 'exports', `${shop}.csv`))
      assert.ok(guessed && guessed.confidence >= SURE, JSON.stringify(guessed))
      assert.equal(guessed.mapping.name, shop)
    })
  }

  test('names of one shop are no names in general', async (t) => {
    const guessed = await guessText(t, ['Name,Email', 'Lin,lin@example.com', 'Wu,wu@example.com'])
    assert.equal(guessed?.mapping.kind, 'people')
  })

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

  test('an export with the states of its orders is asked about, with what each state does', async (t) => {
    const guessed = await guessText(t, [
      '订单号,订单状态,付款时间,买家编号,商品名称,商品数量,商品单价,商品实付金额',
      'E1,交易成功,2026-03-05 12:00,u1,茶,1,￥9.00,￥9.00',
      'E2,退款成功,2026-03-05 12:00,u2,茶,1,￥9.00,￥9.00',
      'E3,待付款,,u3,茶,1,￥9.00,￥9.00',
      'E4,拼团中,2026-03-05 12:00,u4,茶,1,￥9.00,￥9.00',
    ])
    assert.ok(guessed && guessed.confidence < SURE)
    const { columns, only, values } = guessed.mapping
    assert.deepEqual(
      [columns.customer_id, columns.status, columns.is_refunded],
      [['买家编号'], ['订单状态'], ['订单状态']],
    )
    const counted = (word: string) => only?.status?.includes(word) === true
    assert.deepEqual(['交易成功', '退款成功', '交易关闭', '拼团中', '待付款', 'paid'].map(counted), [
      true,
      true,
      true,
      true,
      false,
      false,
    ])
    assert.deepEqual([values?.is_refunded?.退款成功, values?.is_refunded?.交易成功], ['yes', undefined])
    assert.match(JSON.stringify(guessed.columns), /拼团中.* is not known/)
  })

  test('an English state is taken as the file spells it', async (t) => {
    const guessed = await guessText(t, [
      'Order No,Customer,Date,Amount,Order Status',
      '1,c,2026-03-05,5.25,Completed',
      '2,d,2026-03-06,6.75,Refunded',
    ])
    assert.ok(guessed && guessed.confidence < SURE)
    assert.ok(guessed.mapping.only?.status?.includes('Completed'))
    assert.equal(guessed.mapping.values?.is_refunded?.Refunded, 'yes')
  })

  test('where no column has ids a phone or an e-mail says who bought, but not one with hidden digits', async (t) => {
    const customer = async (name: string, value: string) => {
      const rows = [`1,2026-03-05,5.25,${value}`, `2,2026-03-06,6.75,${value}`]
      const guessed = await guessText(t, [`order_id,paid_at,amount,${name}`, ...rows])
      assert.ok(guessed && guessed.confidence < SURE, name)
      return columnsOf(guessed).customer_id
    }
    assert.equal(await customer('收货人手机', '13912345678'), '收货人手机')
    assert.equal(await customer('Contact', 'lin@example.com'), 'Contact')
    assert.equal(await customer('收货人手机', '139****5678'), undefined)
  })

  test('a customer column that is half known is asked about, and neither acted on nor left out', async (t) => {
    const rows = ['1,c,2026-03-05,5.00', '2,d,2026-03-06,6.00']
    const guessed = await guessText(t, ['order_id,Customer label,paid_at,amount', ...rows])
    assert.ok(guessed && guessed.confidence < SURE)
    assert.equal(columnsOf(guessed).customer_id, 'Customer label')
    const known = await guessText(t, ['order_id,Customer No,paid_at,amount', ...rows])
    assert.ok(known && known.confidence >= SURE)
    assert.equal(columnsOf(known).customer_id, 'Customer No')
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

  const KINDS: Readonly<Record<string, readonly (readonly string[])[]>> = {
    connections: [
      [
        '客户编号,渠道,跟进人,添加时间,删除时间',
        'u1,企业微信,林,2026-03-05 10:00,',
        'u2,企业微信,吴,2026-03-06 10:00,2026-04-01',
      ],
      ['external_userid,staff_id,channel,added_at', 'wm_1,lin,wecom,2026-03-05', 'wm_2,wu,wecom,2026-03-06'],
      ['phone,channel,connected_at', '13800001111,sms,2026-03-05', '13900002222,sms,2026-03-06'],
    ],
    memberships: [
      ['会员编号,会员卡号,开卡时间,到期时间', 'u1,k1,2026-03-05,2027-03-05', 'u2,k2,2026-03-06,2027-03-06'],
      ['member_id,enrolled_at,expires_at', 'u1,2026-03-05,2027-03-05', 'u2,2026-03-06,2027-03-06'],
    ],
    interactions: [
      ['会员编号,行为,商品编码,时间', 'u1,收藏,s1,2026-03-05 10:00', 'u2,浏览,s2,2026-03-05 10:01'],
      ['customer_id,event,product_id,timestamp', 'u1,view,s1,2026-03-05T10:00:00Z', 'u2,cart,s2,2026-03-05T10:01:00Z'],
      [
        'unionid,手机号,类型,内容,发生时间',
        'oU1,13800001111,打卡,day 1,2026-03-05',
        'oU2,13900002222,分享,p,2026-03-05',
      ],
    ],
    reviews: [
      ['会员编号,商品编码,评分,评价时间', 'u1,s1,5,2026-03-05', 'u2,s2,4,2026-03-06'],
      ['review_id,customer_id,product_id,rating,review_time', '1,u1,s1,5,2026-03-05', '2,u2,s2,3.5,2026-03-06'],
      ['订单编号,会员编号,商品编码,评价等级,评价时间', 'A1,u1,s1,好评,2026-03-05', 'A2,u2,s2,差评,2026-03-06'],
    ],
    consents: [
      [
        '手机号,用途,渠道,状态,操作时间',
        '13800001111,营销,短信,已退订,2026-03-05',
        '13900002222,营销,短信,同意,2026-03-06',
      ],
      ['email,purpose,channel,status,consented_at,form', 'a@b.cn,marketing,email,granted,2026-03-05,web 3'],
    ],
    referral_claims: [
      ['推荐人编号,被推荐人编号,推荐时间', 'u1,u2,2026-03-05', 'u1,u3,2026-03-06'],
      ['邀请人手机号,被邀请人手机号,邀请时间,活动', '13800001111,13900002222,2026-03-05,春'],
      ['referrer_id,invitee_id,referred_at,campaign', 'u1,u2,2026-03-05,x'],
    ],
    people: [
      ['会员编号,姓名,手机号,入会时间', 'u1,张三,13800001111,2026-03-05'],
      ['id,name,phone,email', '1,Lin,13800001111,a@b.cn'],
      ['member_id,enrolled_at', 'u1,2026-03-05'],
    ],
    orders: [
      [
        '订单号,客户编号,支付时间,商品名称,数量,实付金额',
        'A1,u1,2026-03-05 12:00,茶杯,2,39.80',
        'A2,u2,2026-03-06 12:00,茶壶,1,99.00',
      ],
      ['订单编号,手机号,会员编号,付款时间,商品编码,数量,金额', 'A1,13800001111,u1,2026-03-05,s1,1,9.90'],
    ],
  }
  for (const [kind, files] of Object.entries(KINDS)) {
    for (const lines of files) {
      test(`${lines[0]} is ${kind}`, async (t) => {
        const guessed = await guessText(t, lines)
        assert.equal(guessed?.mapping.kind, kind, JSON.stringify(guessed))
        assert.ok(guessed.confidence >= SURE, JSON.stringify(guessed))
      })
    }
  }

  test('words of a shop are read as ours, in a mapping that was made too', async (t) => {
    const guessed = await guessText(t, [
      '会员编号,用户行为,行为,商品编码,时间',
      'u1,x,收藏,s1,2026-03-05',
      'u2,y,浏览,s2,2026-03-06',
    ])
    assert.equal(guessed?.mapping.values?.type?.浏览, 'view')
  })

  test('nothing is guessed of what nothing is known of', async (t) => {
    assert.equal(await guessText(t, ['foo,bar', 'x,y']), undefined)
    assert.equal((await guessText(t, ['order_id,customer_id']))?.confidence, 0)
  })
})

test('files of one series have names that differ by numbers, dates, months and copies', () => {
  const series = [
    ['orders_export_1.csv', 'orders_export_2 (1).csv.gz', 'Orders-Export.xlsx#Sheet1'],
    ['天猫订单2026年8月.csv', '天猫订单2026年十一月 副本.xlsx'],
    ['sales march 2026.csv', 'sales_Sep-2026.csv'],
  ]
  for (const names of series) assert.equal(new Set(names.map(seriesOf)).size, 1, names.join())
  const others = ['orders.csv', 'tmall.csv', '抖音订单.csv', '天猫订单.csv', 'marches.csv', 'octopus.csv']
  assert.equal(new Set(others.map(seriesOf)).size, others.length)
})
