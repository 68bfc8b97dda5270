import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  filterOf,
  opens,
  readAuditSearch,
  readOpened,
  readPeopleSearch,
  readRelationshipSearch,
  readTodaySearch,
  readValueSearch,
  safeReturn,
  withoutOpened,
} from './paths.ts'

test('an address keeps what makes sense and drops the rest', () => {
  assert.deepEqual(readTodaySearch({ list: 'depth', depth: 4, person: 7 }), { list: 'depth', depth: 4, person: 7 })
  assert.deepEqual(readTodaySearch({ list: 'depth', depth: 9 }), {})
  assert.deepEqual(readTodaySearch({ list: 'lapsing', lapsing_days: '30' }), { list: 'lapsing', lapsing_days: 30 })
  assert.deepEqual(readTodaySearch({ list: 'everyone', person: -1, as_of: 'yesterday' }), {})
  // A filter of another list would say one thing in the address and another on the screen.
  assert.deepEqual(readTodaySearch({ list: 'buyers', depth: 3 }), { list: 'buyers' })
  assert.deepEqual(readTodaySearch({ as_of: '2026-03-05T00:00:00Z' }), { as_of: '2026-03-05T00:00:00Z' })
  assert.deepEqual(readValueSearch({ as_of: '2011-12-01', table: 'true' }), { as_of: '2011-12-01', table: true })
  assert.deepEqual(readValueSearch({ as_of: 'last year' }), {})
  assert.deepEqual(withoutOpened({ as_of: '2011-12-01', person: 7 }), { as_of: '2011-12-01' }, 'the day stays')
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

test('what a flow, a cause or a cell opens reads back as the same people', () => {
  for (const opened of [
    opens.flow(3, 4),
    opens.flow(0, undefined),
    opens.flow(undefined, undefined),
    opens.moved('up', 'end_of_connection'),
    opens.standing(2, 'none'),
    opens.standing(undefined, 'at_risk'),
  ]) {
    assert.deepEqual(readOpened({ ...opened }), opened)
  }
  assert.deepEqual(filterOf(opens.standing(2, 'none')), { depth: 2, rfm_segment: 'none' })
  assert.deepEqual(readOpened({ list: 'moved', moved: 'sideways', cause: '<b>', from_depth: 7 }), { list: 'moved' })
})

test('opening and closing beside a page leaves what the page is about', () => {
  const page = { from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z', table: true }
  const search = readRelationshipSearch({ ...page, ...opens.flow(3, 4), person: 7 })
  assert.deepEqual(withoutOpened({ ...search }), page)
  assert.deepEqual(readRelationshipSearch({ from: 'once', table: 'yes' }), {})
})

test('a filter of people reads back from the address, whatever the router makes of its values', () => {
  // The router reads what looks like a number or a truth as one.
  assert.deepEqual(readPeopleSearch({ search: 1234, depth: 4, buyers: true }), {
    search: '1234',
    depth: 4,
    buyers: true,
  })
  assert.deepEqual(
    readPeopleSearch({ search: ' ', depth: '9', rfm_segment: 'rich', fan_tier: 'active', buyers: 'false' }),
    {
      fan_tier: 'active',
      buyers: false,
    },
  )
})

test('a filter of the log reads back from the address, and nonsense is dropped', () => {
  assert.deepEqual(readAuditSearch({ operation: 'import_undo', actor_id: 7 }), {
    operation: 'import_undo',
    actor_id: '7',
  })
  assert.deepEqual(readAuditSearch({ operation: 'DROP TABLE', actor_id: '../..' }), {})
})
