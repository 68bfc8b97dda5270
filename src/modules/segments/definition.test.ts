import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRefusal } from '../../platform/refusal.ts'
import {
  clausesOf,
  factKindsOf,
  isPersonal,
  type Node,
  readDefinition,
  referencesOf,
  resolve,
  usesCuts,
} from './definition.ts'

const bought = { orders: { count: { at_least: 1 } } }

function read(given: unknown): Node {
  const node = readDefinition(given)
  if (isRefusal(node)) throw new Error(node.message)
  return node
}

/** The whole sentence of a refusal. */
function refusalOf(given: unknown): string {
  const node = readDefinition(given)
  assert.ok(isRefusal(node))
  assert.deepEqual([node.kind, node.code], ['invalid', 'bad_definition'])
  return node.message
}

function nested(levels: number): unknown {
  return levels === 0 ? bought : { not: nested(levels - 1) }
}

test('a bad definition is refused with its place and the reason', () => {
  const cases: [unknown, RegExp][] = [
    [null, /^\$: is no object/],
    ['drop table people', /^\$: is no object/],
    [[], /^\$: is no object/],
    [{}, /^\$: is empty/],
    [{ ...bought, depth: { is: [1] } }, /^\$: has orders, depth; write exactly one/],
    [{ order: {} }, /^\$\.order: is no clause; there are all, any, not, segment, attribute/],
    [{ constructor: {} }, /^\$\.constructor: is no clause/],
    [{ all: [] }, /^\$\.all: needs a list/],
    [{ all: bought }, /^\$\.all: needs a list/],
    [{ all: [bought, { any: [{ orders: {} }] }] }, /^\$\.all\[1\]\.any\[0\]\.orders: needs exactly one measure/],
    [{ orders: { count: { at_least: 1 }, net_minor: { at_least: 1 } } }, /^\$\.orders: needs exactly one measure/],
    [{ orders: { count: { at_least: 'x' } } }, /^\$\.orders\.count\.at_least: /],
    [{ orders: { count: { at_least: 1.5 } } }, /^\$\.orders\.count\.at_least: /],
    [{ orders: { count: { at_least: 3, at_most: 2 } } }, /^\$\.orders\.count: at_least is above at_most/],
    [{ orders: { count: {} } }, /^\$\.orders\.count: needs at_least or at_most/],
    [{ orders: { count: { at_least: 1 }, colour: 'red' } }, /^\$\.orders: .*colour/],
    [{ orders: { count: { at_least: 1 }, items: [] } }, /^\$\.orders\.items: /],
    [{ orders: { count: { at_least: 1 }, items: [7] } }, /^\$\.orders\.items\[0\]: /],
    [{ orders: { count: { at_least: 1 }, window: {} } }, /^\$\.orders\.window: needs one of last_days/],
    [{ orders: { count: { at_least: 1 }, window: { last_days: 0 } } }, /^\$\.orders\.window\.last_days: /],
    [{ orders: { count: { at_least: 1 }, window: { last_days: 36_601 } } }, /^\$\.orders\.window\.last_days: /],
    [
      { orders: { count: { at_least: 1 }, window: { last_days: 7, calendar: 'today' } } },
      /^\$\.orders\.window: needs one/,
    ],
    [{ orders: { count: { at_least: 1 }, window: { calendar: 'last_century' } } }, /^\$\.orders\.window\.calendar: /],
    [{ orders: { count: { at_least: 1 }, window: { from: 'yesterday' } } }, /^\$\.orders\.window\.from: is no time/],
    [{ orders: { count: { at_least: 1 }, window: { from: '2026-02-30' } } }, /^\$\.orders\.window\.from: is no time/],
    [
      { orders: { count: { at_least: 1 }, window: { from: '2026-03-02', to: '2026-03-01' } } },
      /^\$\.orders\.window: ends before it begins/,
    ],
    [{ depth: {} }, /^\$\.depth: says nothing/],
    [{ depth: { is: [6] } }, /^\$\.depth\.is\[0\]: /],
    [{ rfm: { r: [0] } }, /^\$\.rfm\.r\[0\]: /],
    [{ rfm: { segment: ['best'] } }, /^\$\.rfm\.segment\[0\]: /],
    [{ fan: { score: { at_least: 9, below: 9 } } }, /^\$\.fan\.score: at_least is not below/],
    [{ fan: { score: { at_least: Number.NaN } } }, /^\$\.fan\.score\.at_least: /],
    [{ interactions: { count: { at_least: 1 }, types: ['stare'] } }, /^\$\.interactions\.types\[0\]: /],
    [{ consent: { purpose: 'marketing' } }, /^\$\.consent\.state: /],
    [{ attribute: { has: 'phone', name_contains: 'A' } }, /^\$\.attribute: needs has or name_contains/],
    [{ attribute: { has: 'name', namespace: 'shop' } }, /^\$\.attribute\.namespace: is of an identity/],
    [{ segment: 0 }, /^\$\.segment: is no segment's number/],
    [{ segment: '1; drop table segments' }, /^\$\.segment: is no segment's number/],
    [{ segment: { id: 1 } }, /^\$\.segment: is no segment's number/],
    [{ all: Array(201).fill(bought) }, /^\$\.all: with it there are 201 clauses or more; 200 are the most/],
    [
      { any: Array(3).fill({ all: Array(100).fill(bought) }) },
      /^\$\.any\[2\]\.all\[0\]\.orders: with it there are 201/,
    ],
    [{ all: Array(10_000).fill(bought) }, /200 are the most/],
    [nested(11), /\.not: stands more than 10 deep$/],
    [JSON.parse(`${'{"not":'.repeat(30_000)}{}${'}'.repeat(30_000)}`), /stands more than 10 deep/],
  ]
  for (const [given, expected] of cases) assert.match(refusalOf(given), expected)
  assert.ok(refusalOf({ [`${'x'.repeat(5000)}\n`]: {} }).length < 1100, 'what somebody wrote is not repeated whole')
  read(nested(10))
  read({ all: Array(200).fill(bought) })
})

test('a text that looks like SQL is a text', () => {
  const text = "'; drop schema segments cascade; --"
  read({ orders: { count: { at_least: 1 }, items: [text] } })
  read({ attribute: { name_contains: text } })
})

test('what a segment says stands in its place; in itself, directly or by way of others, it is refused', () => {
  const nodes = new Map([
    [1, read(bought)],
    [2, read({ all: [{ segment: 1 }, { depth: { is: [3] } }] })],
    [3, read({ not: { segment: 2 } })],
  ])
  const whole = resolve(read({ any: [{ segment: 3 }, { segment: 1 }] }), nodes)
  assert.ok(!isRefusal(whole))
  assert.deepEqual(
    clausesOf(whole).map(({ kind }) => kind),
    ['orders', 'depth', 'orders'],
  )
  assert.deepEqual(referencesOf(read({ any: [{ segment: 3 }, { segment: 1 }, { segment: 3 }] })), [3, 1])
  const message = (given: unknown, itself?: number) => {
    const refused = resolve(read(given), nodes, itself)
    assert.ok(isRefusal(refused))
    return refused.message
  }
  assert.equal(message({ segment: 1 }, 1), '$.segment: segment 1 would contain itself')
  assert.equal(message({ segment: 3 }, 1), '$.all[0].segment: segment 1 would contain itself, by way of 3, 2')
  assert.equal(message({ segment: 9 }), '$.segment: there is no segment 9')
  const large = new Map([[1, read({ all: Array(150).fill(bought) })]])
  const tooLarge = resolve(read({ any: [{ segment: 1 }, { segment: 1 }] }), large)
  assert.ok(isRefusal(tooLarge) && /201 clauses or more; 200 are the most, those of segments/.test(tooLarge.message))
})

test('what can change a definition follows from its clauses', () => {
  const resolved = (given: unknown) => {
    const node = resolve(read(given), new Map())
    assert.ok(!isRefusal(node))
    return node
  }
  assert.deepEqual(factKindsOf(resolved({ all: [bought, { fan: { tier: ['active'] } }] })), ['order', 'fan'])
  assert.deepEqual(factKindsOf(resolved({ all: [bought, { fan: { score: { at_least: 3 } } }] })), [
    'order',
    'interaction',
  ])
  assert.equal(factKindsOf(resolved({ all: [bought, { attribute: { has: 'phone' } }] })), null)
  assert.deepEqual(
    [
      { rfm: { recency_days: { at_most: 3 } } },
      { rfm: { r: [5] } },
      { not: { rfm: { value_group: ['key_value'] } } },
    ].map((given) => usesCuts(resolved(given))),
    [false, true, true],
  )
  assert.deepEqual(
    [{ attribute: { has: 'phone' } }, { not: { attribute: { name_contains: 'L' } } }].map((given) =>
      isPersonal(resolved(given)),
    ),
    [false, true],
  )
})
