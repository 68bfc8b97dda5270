import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEPTHS } from '../../src/modules/relationship/schema.ts'
import { en } from './en.ts'
import { zhCN } from './zh-CN.ts'

const chinese: Record<string, string> = zhCN
const english: Record<string, string | undefined> = en

test('both languages say the same things', () => {
  const withoutPlurals = Object.keys(english).filter((key) => !key.endsWith('_one') || key in chinese)
  assert.deepEqual(withoutPlurals.sort(), Object.keys(chinese).sort())
  for (const key of Object.keys(english)) assert.ok(key.replace(/_one$/, '') in chinese, key)
})

test('no text is empty, and both languages fill in the same values', () => {
  for (const [key, text] of Object.entries(chinese)) {
    assert.ok(text.length > 0, key)
    assert.deepEqual(placeholders(english[key] ?? ''), placeholders(text), key)
  }
})

test('Chinese text uses Chinese punctuation and leaves the thin space to the browser', () => {
  for (const [key, text] of Object.entries(chinese)) {
    assert.doesNotMatch(text, /[\u4e00-\u9fff][,:;?() ]|[,:;?() ][\u4e00-\u9fff]/, key)
  }
})

test('depths have the names the server gives them', () => {
  for (const { depth, zh, en: name } of DEPTHS) {
    assert.equal(chinese[`depth.name_${depth}`], zh)
    assert.equal(english[`depth.name_${depth}`], name)
  }
})

function placeholders(text: string): string[] {
  return [...text.matchAll(/{{(\w+)}}/g)].map(([, name]) => name ?? '').sort()
}
