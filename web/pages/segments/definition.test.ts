import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  asGroup,
  clauseOf,
  clausesIn,
  findingsIn,
  groupOf,
  nodeAt,
  placeText,
  rowOf,
  viewOf,
  withAdded,
  withNode,
  withoutNode,
} from './definition.ts'

const bought = { orders: { count: { at_least: 1 } } }
const deep = { depth: { is: [3, 4, 5] } }
const nested = { all: [bought, { not: { any: [deep, { not: { segment: 3 } }] } }] }

test('a not belongs to the row that it stands before', () => {
  const view = viewOf(nested)
  assert.ok(view.row === 'group' && view.word === 'all')
  const [first, second] = view.of
  assert.deepEqual(first, {
    row: 'clause',
    place: ['all', 0],
    isNot: false,
    kind: 'orders',
    content: bought.orders,
  })
  assert.ok(second?.row === 'group' && second.word === 'not_any')
  assert.deepEqual(second.place, ['all', 1])
  assert.deepEqual(
    second.of.map(({ place }) => placeText(place)),
    ['$.all[1].not.any[0]', '$.all[1].not.any[1]'],
  )
  assert.ok(second.of[1]?.row === 'clause' && second.of[1].isNot && second.of[1].content === 3)
  assert.equal(clausesIn(view), 3)
})

test('what has no form is kept as it is', () => {
  for (const odd of [{ not: { not: deep } }, { all: 'x' }, { all: [], any: [] }, 7, null, []]) {
    assert.deepEqual(viewOf(odd), { row: 'raw', place: [], value: odd })
  }
})

test('a row is changed, added and taken out where it stands, and nothing else', () => {
  assert.deepEqual(withNode(nested, ['all', 0], deep), { all: [deep, nested.all[1]] })
  assert.deepEqual(withAdded(nested, ['all', 1], bought), {
    all: [bought, { not: { any: [deep, { not: { segment: 3 } }, bought] } }],
  })
  assert.deepEqual(withoutNode(nested, ['all', 1, 'not', 'any', 0]), {
    all: [bought, { not: { any: [{ not: { segment: 3 } }] } }],
  })
  assert.deepEqual(withoutNode(nested, ['all', 0]), { all: [nested.all[1]] })
  assert.deepEqual(nodeAt(nested, ['all', 1, 'not', 'any', 0]), deep)
  assert.deepEqual(asGroup(deep), { all: [deep] })
  assert.equal(asGroup(nested), nested)
})

test('a group and a clause are written as they are read', () => {
  for (const word of ['all', 'any', 'not_any', 'not_all'] as const) {
    const view = viewOf(groupOf(word, [bought]))
    assert.ok(view.row === 'group' && view.word === word && view.of.length === 1)
  }
  for (const isNot of [true, false]) {
    const view = viewOf(clauseOf('depth', deep.depth, isNot))
    assert.ok(view.row === 'clause' && view.isNot === isNot && view.content === deep.depth)
  }
})

test('a refusal is shown at the row that its place leads to', () => {
  const view = viewOf(nested)
  const findings = findingsIn(
    '$.all[1].not.any[1].not.segment: there is no segment 3; $.all[0].orders.count: at_least is above at_most; x',
  )
  assert.deepEqual(
    findings.map((finding) => placeText(rowOf(view, finding))),
    ['$.all[1].not.any[1]', '$.all[0]'],
  )
  assert.equal(findings[1]?.reason, 'at_least is above at_most; x')
  assert.deepEqual(rowOf(view, { path: '$.all', reason: '' }), [])
  assert.deepEqual(rowOf(view, { path: '$.all[1].not.any', reason: '' }), ['all', 1])
  // The tenth is not the first.
  const ten = viewOf({ all: Array.from({ length: 11 }, () => bought) })
  assert.deepEqual(rowOf(ten, { path: '$.all[10].orders', reason: '' }), ['all', 10])
  assert.deepEqual(findingsIn('Something else'), [])
})
