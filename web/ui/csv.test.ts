import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { csvText } from './csv.ts'

test('rows as they are, quoted where they must be', () => {
  assert.equal(csvText([['客户', 'a,b', 'say "hi"', -3, null]]), '\uFEFF客户,"a,b","say ""hi""",-3,\r\n')
})

test('no text begins a formula, and nothing of it is lost', () => {
  for (const start of ['=', '+', '-', '@', '\t', '\r', '＝']) {
    const [, field = ''] = /^\uFEFF"?([\s\S]*?)"?\r\n$/.exec(csvText([[`${start}1+1`]])) ?? []
    assert.equal(field, `'${start}1+1`)
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      const field = csvText([[text]]).slice(1, -2)
      const read = field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field
      assert.ok(read === text || read === `'${text}`)
      assert.doesNotMatch(read, /^[=+\-@]/)
    }),
  )
})
