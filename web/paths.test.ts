import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filterOf, opens, readTodaySearch, safeReturn } from './paths.ts'

test('an address keeps what makes sense and drops the rest', () => {
  assert.deepEqual(readTodaySearch({ list: 'depth', depth: 4, person: 7 }), { list: 'depth', depth: 4, person: 7 })
  assert.deepEqual(readTodaySearch({ list: 'depth', depth: 9 }), {})
  assert.deepEqual(readTodaySearch({ list: 'lapsing', lapsing_days: '30' }), { list: 'lapsing', lapsing_days: 30 })
  assert.deepEqual(readTodaySearch({ list: 'everyone', person: -1, as_of: 'yesterday' }), {})
  // A filter of another list would say one thing in the address and another on the screen.
  assert.deepEqual(readTodaySearch({ list: 'buyers', depth: 3 }), { list: 'buyers' })
  assert.deepEqual(readTodaySearch({ as_of: '2026-03-05T00:00:00Z' }), { as_of: '2026-03-05T00:00:00Z' })
})

test('what a figure opens reads back from the address as the same filter', () => {
  assert.deepEqual(filterOf(readTodaySearch({ ...opens.people })), {})
  assert.deepEqual(filterOf(readTodaySearch({ ...opens.buyers })), { buyers: 'true' })
  assert.deepEqual(filterOf(readTodaySearch({ ...opens.depth(0) })), { depth: 0 })
  assert.deepEqual(filterOf(readTodaySearch({ ...opens.lapsing(7) })), { lapsing_days: 7 })
  assert.equal(filterOf(readTodaySearch({ ...opens.unmatched })), undefined)
})

test('signing in never leads out of the console', () => {
  assert.equal(safeReturn('/?list=buyers'), '/?list=buyers')
  for (const bad of ['//elsewhere.example', '/\\elsewhere.example', 'https://elsewhere.example', undefined, 3]) {
    assert.equal(safeReturn(bad), '/')
  }
})
