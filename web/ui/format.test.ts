import assert from 'node:assert/strict'
import { test } from 'node:test'
import { amount, count, daysBetween, instant, money, share, when } from './format.ts'

const SHANGHAI = 'Asia/Shanghai'

test('money keeps the minor units of its currency', () => {
  assert.equal(money(123_450, 'CNY', 'zh-CN'), '¥1,234.50')
  assert.equal(money(123_450, 'JPY', 'en'), '¥123,450')
  assert.equal(amount(-5, 'GBP', 'en'), '-0.05')
  assert.equal(amount(1_234_500, 'KWD', 'en'), '1,234.500')
  assert.equal(count(18_532, 'zh-CN'), '18,532')
})

test('a share never rounds something to nothing, nor a part to the whole', () => {
  assert.equal(share(1, 100_000, 'zh-CN'), '<0.1%')
  assert.equal(share(99_999, 100_000, 'zh-CN'), '>99.9%')
  assert.equal(share(0, 100, 'zh-CN'), '0.0%')
  assert.equal(share(100, 100, 'en'), '100.0%')
  assert.equal(share(0, 0, 'en'), '–')
})

test('days are the calendar days of the zone, not spans of 24 hours', () => {
  // 23:50 and 00:10 in Shanghai are twenty minutes and one day apart.
  assert.equal(daysBetween('2026-03-05T15:50:00Z', '2026-03-05T16:10:00Z', SHANGHAI), 1)
  assert.equal(daysBetween('2026-03-05T16:10:00Z', '2026-03-06T15:50:00Z', SHANGHAI), 0)
  // The night in which London's clocks go forward has 23 hours and is still one day.
  assert.equal(daysBetween('2026-03-28T12:00:00Z', '2026-03-29T11:00:00Z', 'Europe/London'), 1)
})

test('an instant is relative up to a week and a date from then on', () => {
  const asOf = '2026-03-05T04:00:00Z'
  assert.equal(when('2026-03-05T06:20:00Z', asOf, SHANGHAI, 'zh-CN'), '今天 14:20')
  assert.equal(when('2026-03-06T06:20:00Z', asOf, SHANGHAI, 'en'), 'tomorrow 14:20')
  assert.equal(when('2026-03-12T06:20:00Z', asOf, SHANGHAI, 'zh-CN'), '7天后')
  assert.equal(when('2026-03-13T06:20:00Z', asOf, SHANGHAI, 'zh-CN'), '2026-03-13')
  assert.equal(when('2026-02-26T06:20:00Z', asOf, SHANGHAI, 'en'), '7 days ago')
  assert.equal(instant('2026-03-05T06:20:00Z', SHANGHAI), '2026-03-05 14:20')
})
