import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isPersonal, maskAnswer, maskText, maskValue } from './masking.ts'

test('phones and e-mails are masked wherever they stand in a text', () => {
  const cases = [
    ['13812341234', '138****1234'],
    ['+8613812341234', '138****1234'],
    ['008613812341234', '138****1234'],
    ['138 1234 1234', '138****1234'],
    ['138-1234-1234', '138****1234'],
    ['wm_13812341234', 'wm_138****1234'],
    ['网店 13812341234 林', '网店 138****1234 林'],
    ['+442079460958', '+44****0958'],
    ['+44 20 7946 0958', '+44****0958'],
    ['021-62345678', '216****5678'],
    ['alice.w@example.com', 'a***@example.com'],
    ['写给 alice@例子.中国 的', '写给 a***@例子.中国 的'],
    ['11010119900307123X', '110****23X'],
  ] as const
  for (const [text, masked] of cases) {
    assert.equal(maskText(text), masked)
    assert.ok(isPersonal(text), text)
    assert.equal(maskText(masked), masked, 'masked twice is masked once')
  }
})

test('dates, order numbers and own ids stay as they are', () => {
  for (const text of [
    '2026-06-01T00:00:00.000Z',
    '2026-06-01',
    '2026-05-31 04:00:00+00',
    '20260501000123',
    'A-2011-1009',
    '12347',
    '1.5',
    '',
  ]) {
    assert.equal(maskText(text), text)
  }
})

test('a value is masked by its kind, whatever it looks like', () => {
  assert.equal(maskValue('phone', '+8613812341234'), '138****1234')
  assert.equal(maskValue('phone', '+9991234567'), '+99****4567')
  assert.equal(maskValue('unionid', 'o6_bmasdasdsad6_2sgVt7hMZOPfL'), 'o6****fL')
  assert.equal(maskValue('openid', 'abc'), '****')
  assert.equal(maskValue('own_id', 'C-12347'), 'C-12347')
})

test('an answer keeps its shape; what names or reaches a person in it is masked', () => {
  const at = new Date('2026-06-01T00:00:00Z')
  const answer = {
    people: [{ person_id: 7, key: 'oABCDEFGHxy', key_kind: 'openid', name: '林小满', paid_minor: 13812341234, at }],
    identities: [{ kind: 'phone', namespace: '', value: '+8613812341234' }],
    evidence: [{ external_id: 'alice@example.com', source: 'shop' }],
    name: 'Spring sale',
    total: null,
    next: 'NyAxMzgxMjM0MTIzNA',
  }
  assert.deepEqual(maskAnswer(answer), {
    people: [{ person_id: 7, key: 'oA****xy', key_kind: 'openid', name: '林**', paid_minor: 13812341234, at }],
    identities: [{ kind: 'phone', namespace: '', value: '138****1234' }],
    evidence: [{ external_id: 'a***@example.com', source: 'shop' }],
    name: 'Spring sale',
    total: null,
    next: 'NyAxMzgxMjM0MTIzNA',
  })
})

test('no mobile number survives in any text around it', () => {
  const mobile = fc
    .tuple(fc.constantFrom('13', '15', '17', '18', '19'), fc.stringMatching(/^\d{9}$/))
    .map((parts) => parts.join(''))
  const around = fc.string().map((text) => text.replace(/\d/g, 'x'))
  fc.assert(
    fc.property(mobile, around, around, (number, before, after) => {
      assert.ok(!maskText(before + number + after).includes(number))
    }),
  )
})
