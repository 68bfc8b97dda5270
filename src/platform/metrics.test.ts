import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from './metrics.ts'

test('counters, histograms and gauges are written as Prometheus reads them', async () => {
  const metrics = createMetrics()
  const count = metrics.counter('things_total', 'Things.')
  count({ kind: 'a' })
  count({ kind: 'a' }, 2)
  count({ kind: 'a "quoted" \\ \n one' })
  const spend = metrics.histogram('work_seconds', 'Work.')
  spend({}, 0.005)
  spend({}, 0.3)
  spend({}, 60)
  metrics.gauge('waiting', 'Waiting.', async () => [{ labels: { brand: 'main' }, value: 7 }])
  const text = await metrics.render()
  assert.ok(text.startsWith('# HELP things_total Things.\n# TYPE things_total counter\nthings_total{kind="a"} 3\n'))
  assert.ok(text.includes('things_total{kind="a \\"quoted\\" \\\\ \\n one"} 1\n'))
  const buckets = [...text.matchAll(/^work_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)].map(([, le, found]) => [
    le,
    found,
  ])
  assert.deepEqual(buckets.slice(0, 2), [
    ['0.005', '1'],
    ['0.01', '1'],
  ])
  assert.deepEqual(buckets.slice(-3), [
    ['10', '2'],
    ['30', '2'],
    ['+Inf', '3'],
  ])
  assert.match(text, /^work_seconds_sum 60\.305$/m)
  assert.match(text, /^work_seconds_count 3$/m)
  assert.ok(text.endsWith('# TYPE waiting gauge\nwaiting{brand="main"} 7\n'))
})

test('a family that is given ever new labels stops growing', async () => {
  const metrics = createMetrics()
  const count = metrics.counter('things_total', 'Things.')
  for (let number = 0; number < 5000; number += 1) count({ number: String(number) })
  assert.equal((await metrics.render()).split('\n').length, 1000 + 3)
})
