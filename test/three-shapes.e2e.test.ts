import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runThreeShapes } from './three-shapes.ts'

const ORDERS = 3000
/** The server twice, an import once. */
const KILLS_MIN = 2

test('a year of a shop by file, by API and by webhook, with kills between, is the same as one clean import', async (t) => {
  const { differences, withOneMore, killed } = await runThreeShapes(ORDERS, (said) => t.diagnostic(said))
  assert.deepEqual(differences, [])
  assert.ok(killed >= KILLS_MIN, `${killed} kills`)
  assert.match(withOneMore.join('\n'), /orders: 1 only in one clean import.*O-extra/)
})
