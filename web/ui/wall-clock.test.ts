import assert from 'node:assert/strict'
import { test } from 'node:test'
import { instantOf, lastMonth, wallClock } from './wall-clock.ts'

test('the brand’s clock and back', () => {
  assert.equal(wallClock('2026-03-05T16:30:00Z', 'Asia/Shanghai'), '2026-03-06T00:30')
  for (const zone of ['Asia/Shanghai', 'America/New_York', 'Asia/Kathmandu', 'UTC']) {
    for (const wall of ['2026-03-06T00:30', '2026-07-31T23:59', '2026-12-31T12:00']) {
      assert.equal(wallClock(instantOf(wall, zone) ?? '', zone), wall, zone)
    }
  }
  assert.equal(instantOf('2026-03-08T12:00', 'America/New_York'), '2026-03-08T16:00:00.000Z')
  assert.equal(instantOf('', 'UTC'), undefined)
})

test('last month is a calendar month of the zone', () => {
  assert.deepEqual(lastMonth('2026-01-31T16:30:00Z', 'Asia/Shanghai'), {
    from: '2025-12-31T16:00:00.000Z',
    to: '2026-01-31T16:00:00.000Z',
  })
  assert.deepEqual(lastMonth('2026-01-10T00:00:00Z', 'UTC'), {
    from: '2025-12-01T00:00:00.000Z',
    to: '2026-01-01T00:00:00.000Z',
  })
})
