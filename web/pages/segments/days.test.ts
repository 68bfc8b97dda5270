import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sizeByDay } from './days.ts'

test('between the days on which it changed a size stays, up to today', () => {
  const sizes = [
    { day: '2026-02-27', size: 4 },
    { day: '2026-03-02', size: 7 },
  ]
  assert.deepEqual(sizeByDay(sizes, '2026-03-03', 90), [
    { day: '2026-02-27', size: 4 },
    { day: '2026-02-28', size: 4 },
    { day: '2026-03-01', size: 4 },
    { day: '2026-03-02', size: 7 },
    { day: '2026-03-03', size: 7 },
  ])
  // What changed before the days that are shown still holds in them.
  assert.deepEqual(sizeByDay(sizes, '2026-03-02', 2), [
    { day: '2026-03-01', size: 4 },
    { day: '2026-03-02', size: 7 },
  ])
  assert.deepEqual(sizeByDay([], '2026-03-02', 2), [])
})
