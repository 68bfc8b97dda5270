import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PRESETS, presetOf, spanBefore, spanOf } from './span.ts'

const ZONE = 'Asia/Shanghai'
const NOW = '2026-03-15T04:00:00.000Z'

test('a preset is known again by the span that it makes', () => {
  for (const preset of PRESETS) assert.equal(presetOf(spanOf(preset, NOW, ZONE), NOW, ZONE), preset)
  assert.deepEqual(spanOf('days_7', NOW, ZONE), { from: '2026-03-08T04:00:00.000Z', to: NOW })
  assert.deepEqual(spanOf('last_month', NOW, ZONE), {
    from: '2026-01-31T16:00:00.000Z',
    to: '2026-02-28T16:00:00.000Z',
  })
})

test('a link to the last seven days is that for a day, and then a span like any other', () => {
  const sent = spanOf('days_7', NOW, ZONE)
  assert.equal(presetOf(sent, '2026-03-16T03:59:59.999Z', ZONE), 'days_7')
  assert.equal(presetOf(sent, '2026-03-16T04:00:00.000Z', ZONE), undefined)
  assert.equal(presetOf({ ...sent, from: '2026-03-08T04:00:00.001Z' }, NOW, ZONE), undefined)
})

test('what a change is compared with ends where the span begins, and is as long', () => {
  const span = spanOf('days_30', NOW, ZONE)
  assert.deepEqual(spanBefore(span), { from: '2026-01-14T04:00:00.000Z', to: span.from })
})
