import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CountryCode } from 'libphonenumber-js/max'
import { keysOf, libraryNumber, normaliseIdentity, phoneCut, plainMobile } from './rules.ts'

const phone = (value: string, country?: CountryCode) =>
  normaliseIdentity({ kind: 'phone', namespace: '', value }, country)?.value

test('one number, however it is written', () => {
  const mobile = [
    '13800001111',
    '138 0000 1111',
    '138-0000-1111',
    '138.0000.1111',
    '138—0000—1111',
    '１３８００００１１１１',
    '138\u30000000\u30001111',
    '\u202d13800001111\u202c',
    '+8613800001111',
    '＋86 138 0000 1111',
    '(+86)138-0000-1111',
    '（86）13800001111',
    '86-13800001111',
    '008613800001111',
    '0086 138 0000 1111',
    '013800001111',
    '17951 138 0000 1111',
  ]
  assert.deepEqual([...new Set(mobile.map((text) => phone(text)))], ['+8613800001111'])
  const landline = ['0571-86543210', '(0571)86543210', '0571 8654 3210', '+86 571 8654 3210', '0086-0571-86543210']
  assert.deepEqual([...new Set(landline.map((text) => phone(text)))], ['+8657186543210'])
  assert.equal(phone('010-65432100'), '+861065432100')
  assert.equal(phone('0431-8765432'), undefined, 'this area has 8 digits')
  for (const prefix of ['162', '165', '166', '167', '170', '171', '191', '195', '199']) {
    assert.equal(phone(`${prefix}20304050`), `+86${prefix}20304050`, prefix)
  }
})

test('numbers of other countries by their code, or by the country of the brand', () => {
  assert.equal(phone('+852 5123 4567'), '+85251234567')
  assert.equal(phone('0085251234567'), '+85251234567')
  assert.equal(phone('+1 (415) 555-2671'), '+14155552671')
  assert.equal(phone('(415) 555-2671', 'US'), '+14155552671')
  assert.equal(phone('13800001111', 'US'), undefined)
  assert.equal(phone('+86 13800001111', 'US'), '+8613800001111')
  assert.equal(phone('5123 4567', 'HK'), '+85251234567')
  assert.equal(phone('51234567'), undefined, 'of nowhere')
})

test('masked and virtual numbers, placeholders and service numbers are no identity', () => {
  const none = [
    ...['138****0000', '138＊＊＊＊0000', '138xxxx0000', '138••••0000'],
    ...[
      '13800001111转2',
      '13800001111 分机 88',
      '13800001111 ext. 5',
      '13800001111x5',
      '13800001111#5',
      '13800001111,5',
    ],
    ...['13800001111-1234', '021-62345678-801', '0431-8765432-1', '13800001111;ext=5'],
    ...['00000000', '00000000000', '11111111111', '12345678901', '12345678910', '13800138000', '13900139000'],
    ...[
      '+86 138 0013 8000',
      '13800000000',
      '13888888888',
      '18888888888',
      '13812345678',
      '13123456789',
      '138 1000 0000',
    ],
    ...['021-12345678', '021-88888888', '+1 212 555 0123'],
    ...['4001234567', '400-820-8820', '8008201234', '+864008208820', '95588', '9501234567', '10086', '12345', '110'],
    ...['021-95588', '02110086', '+86 21 95588', '0571-96123', '+1 800 356 9377'],
    ...['86543210', '2162345678', '1380000111', '138000011112', '14955556666', '无', 'unknown', '', 'tel', '+', '+86'],
    ...['13800001111/13900002222', '13800001111 13900002222', '微信同号13800001111'],
  ]
  assert.deepEqual(
    none.filter((text) => phone(text) !== undefined),
    [],
  )
})

test('a placeholder among phones may be a customer id', () => {
  const own = (value: string) => normaliseIdentity({ kind: 'own_id', namespace: 'shop', value })?.value
  assert.deepEqual(['12345678', '1111111', '13800138000'].map(own), ['12345678', '1111111', '13800138000'])
  assert.deepEqual(['0000000', 'unknown', 'C7****'].map(own), [undefined, undefined, undefined])
})

test('the key of an identity names its namespace, or its kind where it has none', () => {
  const one = (kind: 'own_id' | 'openid' | 'phone' | 'email', namespace: string, value: string) => ({
    kind,
    namespace,
    value,
  })
  assert.deepEqual(keysOf([one('own_id', 'shop', '7'), one('own_id', 'crm', '7')]), ['shop:7', 'crm:7'])
  assert.deepEqual(keysOf([one('own_id', 'shop', '+86138'), one('phone', '', '+86138')]), [
    'shop:+86138',
    'phone:+86138',
  ])
  const same = [one('own_id', 'shop', '7'), one('openid', 'shop', '7'), one('email', '', '7')]
  assert.deepEqual(keysOf(same), ['own_id:shop:7', 'openid:shop:7', 'email:7'])
})

test('the limit of a phone is counted in units of 24 hours', () => {
  assert.equal(phoneCut(new Date('2026-02-28T08:00:00.001Z'), 1095).toISOString(), '2023-03-01T08:00:00.001Z')
})

const digits = (min: number, max: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: min, maxLength: max }).map((list) => list.join(''))
const anyNumber = fc.oneof(
  digits(9, 9).map((rest) => `13${rest}`),
  digits(10, 10).map((rest) => `1${rest}`),
  digits(9, 11).map((rest) => `0${rest}`),
  digits(7, 12).map((rest) => `+${rest}`),
  digits(8, 8).map((rest) => `+8525${rest.slice(1)}`),
  digits(10, 10).map((rest) => `+1${rest}`),
  digits(10, 10).map((rest) => `00861${rest}`),
  digits(5, 14),
)

test('the fast path says what the library says', () => {
  const mobile = fc.tuple(fc.constantFrom('', '+86'), digits(9, 9), fc.integer({ min: 0, max: 9 }))
  let fast = 0
  fc.assert(
    fc.property(mobile, ([code, rest, second]) => {
      const bare = `${code}1${second}${rest}`
      const found = plainMobile(bare)
      if (found === undefined) return
      fast += 1
      assert.equal(found, libraryNumber(bare))
    }),
    { numRuns: 5000 },
  )
  assert.ok(fast > 1500, `${fast} of 5000 went the fast way`)
  assert.equal(plainMobile('13800001111', 'US'), undefined)
  // Every prefix once, so that the property does not rest on luck.
  for (let prefix = 100; prefix < 200; prefix += 1) {
    const bare = `${prefix}20304050`
    if (plainMobile(bare)) assert.equal(libraryNumber(bare), `+86${bare}`, bare)
  }
})

test('the normal form is its own normal form, in every country', () => {
  fc.assert(
    fc.property(anyNumber, fc.constantFrom<CountryCode>('CN', 'US', 'HK', 'DE'), (text, country) => {
      const normal = phone(text, country)
      fc.pre(normal !== undefined)
      assert.match(normal ?? '', /^\+\d{7,15}$/)
      assert.equal(phone(normal ?? '', country), normal)
      assert.equal(phone(normal ?? '', 'GB'), normal, 'E.164 needs no country')
    }),
    { numRuns: 1000 },
  )
})

test('spaces, dashes, brackets and full-width signs make no other number', () => {
  const mark = fc.constantFrom('', '', '', ' ', '-', '–', '.', '\u3000', '\u00a0', '\u202d')
  const styled = fc.record({
    number: anyNumber,
    marks: fc.array(mark, { minLength: 20, maxLength: 20 }),
    isWide: fc.boolean(),
    bracketAt: fc.integer({ min: 0, max: 6 }),
  })
  fc.assert(
    fc.property(styled, ({ number, marks, isWide, bracketAt }) => {
      const between = (character: string, index: number) => {
        const isLast = index >= number.length - 7
        // Behind a dash few digits are an extension, and these are not the same number: see above.
        return character + (isLast ? (marks[index] ?? '').replace(/[-–]/, ' ') : (marks[index] ?? ''))
      }
      const spaced = [...number].map(between)
      if (bracketAt > 0) {
        spaced[0] = `(${spaced[0]}`
        spaced[bracketAt - 1] += ')'
      }
      const text = spaced.join('')
      const wide = text.replace(/[!-~]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0))
      assert.equal(phone(isWide ? wide : text), phone(number), JSON.stringify(text))
    }),
    { numRuns: 2000 },
  )
})
