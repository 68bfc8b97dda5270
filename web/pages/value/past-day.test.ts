import assert from 'node:assert/strict'
import { test } from 'node:test'
import { instantOfSearch, searchOf, toDay } from './past-day.ts'

test('a day of an address is its beginning in the brand’s zone, and comes back as that day', () => {
  for (const [zone, instant] of [
    ['Asia/Shanghai', '2011-11-30T16:00:00.000Z'],
    ['Europe/London', '2011-12-01T00:00:00.000Z'],
    ['America/New_York', '2011-12-01T05:00:00.000Z'],
  ] as const) {
    assert.equal(instantOfSearch('2011-12-01', zone), instant)
    assert.equal(searchOf(instant, zone), '2011-12-01')
  }
  assert.equal(instantOfSearch(undefined, 'Asia/Shanghai'), undefined)
  assert.equal(instantOfSearch('2011-12-01T12:30:00+08:00', 'Asia/Shanghai'), '2011-12-01T04:30:00.000Z')
  assert.equal(searchOf('2011-12-01T04:30:00.000Z', 'Asia/Shanghai'), '2011-12-01T04:30:00.000Z')
  assert.equal(searchOf('2011-11-30T16:00:30.000Z', 'Asia/Shanghai'), '2011-11-30T16:00:30.000Z', 'seconds after it')
})

test('another day closes what was open, and keeps how the page is looked at', () => {
  const now = { as_of: '2011-06-01', table: true, list: 'valued', depth: 4, transaction: 1, propagation: 3, person: 7 }
  assert.deepEqual(toDay('2011-12-01')(now), { as_of: '2011-12-01', table: true })
  assert.deepEqual(toDay(undefined)(now), { table: true })
})
