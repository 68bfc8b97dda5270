import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UploadGuess } from '../../api/import-queries.ts'
import { chooseColumn, chooseStatus, countingOf, draftOf, draftOfKind, sayCounting, wishOf } from './draft.ts'

const COLUMNS = ['单号', '买家', '付款时间', '金额'].map((name) => ({ name, samples: [], words: [] }))

function guessed(change: Partial<UploadGuess> = {}): UploadGuess {
  return {
    columns: COLUMNS,
    header_line: 1,
    guess: {
      mapping: {
        name: 'guessed',
        kind: 'orders',
        source: 'orders',
        date_order: 'ymd',
        // A shipped mapping has many names for a column.
        columns: { order_id: ['订单编号', '单号'], paid_at: ['付款时间'], amount: ['金额'], item: ['商品编码'] },
        options: {},
      },
      confidence: 0.9,
      is_sure: true,
      columns: [
        { field: 'order_id', column: '单号', confidence: 0.9, evidence: [] },
        { field: 'paid_at', column: '付款时间', confidence: 0.98, evidence: [] },
        { field: 'amount', column: '金额', confidence: 0.98, evidence: [] },
      ],
    },
    kinds: [
      { kind: 'orders', fields: ['order_id', 'paid_at', 'amount', 'customer_id'], known: { columns: {} } },
      {
        kind: 'people',
        fields: ['own_id', 'phone'],
        known: { columns: { own_id: ['客户编号', '买 家'], phone: ['手机'] } },
      },
    ],
    sources: [],
    is_source_known: true,
    target: { name: 'My brand', is_new: true, demo_name: null, currency: null },
    ...change,
  }
}

test('a guess becomes a form that names one column for each field that was found', () => {
  const draft = draftOf(guessed(), null)
  assert.deepEqual(draft.mapping.columns, { order_id: ['单号'], paid_at: ['付款时间'], amount: ['金额'] })
  assert.equal(draft.source, 'orders')
  const wish = wishOf(draft)
  assert.equal('source' in wish, false, 'nobody said it, so the server asks about a stranger')
  assert.equal(wish.mapping.name, 'guessed')
})

test('a column that somebody chooses takes the place of the guessed one, and none takes it away', () => {
  const chosen = chooseColumn(draftOf(guessed(), null), 'customer_id', '买家')
  assert.deepEqual(chosen.mapping.columns.customer_id, ['买家'])
  assert.deepEqual(chosen.byHand, ['customer_id'])
  assert.equal(chosen.mapping.name, 'by_hand')
  const without = chooseColumn(chosen, 'amount', '')
  assert.equal('amount' in without.mapping.columns, false)
})

test('where nobody can tell the source it has to be said, and then it is sent', () => {
  const stranger = guessed({ is_source_known: false, sources: [{ source: 'orders', files: 3, last_file: 'a.csv' }] })
  const draft = draftOf(stranger, null)
  assert.equal(draft.source, '')
  assert.equal('source' in wishOf(draft), false)
  const said = wishOf({ ...draft, source: ' 二店 ', isSourceSaid: true })
  assert.deepEqual([said.source, said.mapping.source], ['二店', '二店'])
})

test('another kind takes its columns by their known names, and the ids of the shop that is known', () => {
  const sources = [{ source: 'shop-a', files: 1, last_file: 'orders.csv' }]
  const draft = draftOfKind(guessed({ sources }), 'people')
  assert.deepEqual([draft.mapping.kind, draft.mapping.columns], ['people', { own_id: ['买家'] }])
  assert.deepEqual(draft.options, { own_id_source: 'shop-a' })
  const several = [...sources, { source: 'shop-b', files: 1, last_file: 'b.csv' }]
  assert.deepEqual(draftOfKind(guessed({ sources: several }), 'people').options, {}, 'of two shops nobody can tell')
  assert.deepEqual(
    draftOfKind(guessed({ sources }), 'orders').mapping.columns,
    draftOf(guessed(), null).mapping.columns,
  )
})

test('what was tried comes back as it was sent', () => {
  const draft = { ...draftOf(guessed(), null), source: 'shop-b', isSourceSaid: true, sheet: '三月', isIntoDemo: true }
  const sent = wishOf(draft)
  assert.deepEqual([sent.source, sent.sheet, sent.into_demo], ['shop-b', '三月', true])
  assert.deepEqual(wishOf(draftOf(guessed(), sent)), sent)
})

test('a state counts until somebody says otherwise, and none is left out unsaid', () => {
  const guess = guessed()
  const words = ['成功', '关闭', '待付']
  const columns = [...guess.columns, { name: '状态', samples: words, words }]
  const chosen = chooseStatus(draftOf({ ...guess, columns }, null), { ...guess, columns }, '状态')
  assert.deepEqual(
    words.map((word) => countingOf(chosen, word)),
    ['paid', 'paid', 'paid'],
  )
  const said = sayCounting(sayCounting(chosen, '关闭', 'given_back'), '待付', 'unpaid')
  assert.deepEqual(
    words.map((word) => countingOf(said, word)),
    ['paid', 'given_back', 'unpaid'],
  )
  assert.deepEqual(said.mapping.only, { status: ['成功', '关闭'] })
  assert.deepEqual(said.mapping.values, { is_refunded: { 关闭: 'yes' } })
  assert.equal(countingOf(sayCounting(said, '关闭', 'paid'), '关闭'), 'paid')
  const none = chooseStatus(said, { ...guess, columns }, '')
  assert.deepEqual(
    [none.mapping.only, none.mapping.values, none.mapping.columns.status],
    [undefined, undefined, undefined],
  )
})

test('a brand that is made has a name, and the demo none', () => {
  const draft = draftOf(guessed(), null)
  assert.equal('new_brand' in wishOf(draft), false)
  assert.equal(wishOf({ ...draft, newBrand: ' 南岸 ' }).new_brand, '南岸')
  assert.equal('new_brand' in wishOf({ ...draft, newBrand: '南岸', isIntoDemo: true }), false)
})
