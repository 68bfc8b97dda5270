import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childrenOf, type TreeNode } from './tree.ts'

const node = (person_id: number, referrer_person_id: number) => ({
  person_id,
  referrer_person_id,
  key: String(person_id),
  key_kind: 'own_id',
  source: 'shop',
  name: null,
  levels: 1,
  own_minor: 0,
  influenced_minor: 0,
})
const shape = (nodes: readonly TreeNode[]): unknown[] =>
  nodes.map(({ person, below, people }) => [person.person_id, people, shape(below)])

test('a list becomes the tree that it tells of, and whoever is cut off from it stands at its root', () => {
  // 1 is the person; 9 may not be seen.
  const nodes = [node(2, 1), node(3, 1), node(4, 2), node(5, 4), node(6, 9)]
  assert.deepEqual(shape(childrenOf({ nodes })), [
    [2, 2, [[4, 1, [[5, 0, []]]]]],
    [3, 0, []],
    [6, 0, []],
  ])
})

test('a chain of 100 and a fan of 400 are a tree of 500', () => {
  const chain = Array.from({ length: 100 }, (_, index) => node(index + 2, index + 1))
  const fan = Array.from({ length: 400 }, (_, index) => node(index + 200, 101))
  const [first] = childrenOf({ nodes: [...chain, ...fan] })
  assert.equal(first?.people, 499)
})
