import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTooLong, readBuilderSearch } from './search.ts'

test('a definition stands in the address while a server would still take a request for it', () => {
  const named = (tags: number) => ({
    all: Array.from({ length: tags }, (_, index) => ({ tag: { name: `标签${index}` } })),
  })
  assert.equal(isTooLong(named(20)), false)
  assert.equal(isTooLong(named(500)), true)
  const longest = Array.from({ length: 500 }, (_, tags) => named(tags)).findLast((one) => !isTooLong(one))
  assert.ok(encodeURIComponent(JSON.stringify(longest)).length < 8000)
})

test('what makes no sense in an address is left out', () => {
  assert.deepEqual(readBuilderSearch({ definition: [1], name: 2026, json: 'yes' }), { name: '2026' })
})
