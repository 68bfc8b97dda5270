import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDurations, createMetrics } from './metrics.ts'

test('durations are counted in the buckets of their server alone', async () => {
  const [metrics, other] = [createMetrics(), createMetrics()]
  const spent = createDurations(metrics, 'work_seconds', 'Work.', ['outcome'])
  createDurations(other, 'work_seconds', 'Work.', ['outcome'])
  for (const seconds of [0.005, 0.3, 60]) spent.observe({ outcome: 'done' }, seconds)
  const text = await metrics.metrics()
  const buckets = [...text.matchAll(/^work_seconds_bucket\{le="([^"]+)",outcome="done"\} (\d+)$/gm)]
  const counts = Object.fromEntries(buckets.map(([, bound, count]) => [bound, count]))
  assert.deepEqual(counts, { ...counts, '0.005': '1', '0.25': '1', '0.5': '2', '30': '2', '+Inf': '3' })
  assert.match(text, /^work_seconds_sum\{outcome="done"\} 60\.305$/m)
  assert.doesNotMatch(await other.metrics(), /_sum\{/)
})
