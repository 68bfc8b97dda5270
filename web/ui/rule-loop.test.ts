import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loopSteps } from './rule-loop.ts'

test('every step of a round is read, with its place', () => {
  const round =
    'segment 3, which gives "高价值", asks for "老客" at $.all[1].any[0].tag; segment 8, which gives "老客", asks for "高价值" at $.not.tag'
  assert.deepEqual(loopSteps(`A tag would decide about itself: ${round}.`), [
    { segment: '3', gives: '高价值', asks: '老客', place: '2.1' },
    { segment: '8', gives: '老客', asks: '高价值', place: '1' },
  ])
  assert.deepEqual(loopSteps('Something else.'), [])
})
