import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type DateOrder, excelTime, fitsCurrency, readNumber, readTime, stripPrefix } from './fields.ts'

suite('numbers', () => {
  const READ: readonly (readonly [text: string, number: string])[] = [
    ['0', '0'],
    ['1234.50', '1234.50'],
    ['-3.14', '-3.14'],
    ['+5', '5'],
    ['1,234', '1234'],
    ['1,234.50', '1234.50'],
    ['12,345,678.9', '12345678.9'],
    ['1 234,50', '1234.50'],
    ['1\u00a0234\u202f567,5', '1234567.5'],
    ['1 234,567', '1234.567'],
    ['1.234,50', '1234.50'],
    ['1.234.567', '1234567'],
    ["1'234.50", '1234.50'],
    ['1,5', '1.5'],
    ['1,50', '1.50'],
    ['1,2345', '1.2345'],
    ['0,123', '0.123'],
    ['-1,234', '-1234'],
    ['１，２３４．５０', '1234.50'],
    ['－１２', '-12'],
    ['−12', '-12'],
    ['¥12.5', '12.5'],
    ['￥１２．５', '12.5'],
    ['￥-12.5', '-12.5'],
    ['-￥12.5', '-12.5'],
    ['12.5元', '12.5'],
    ['$1,234.50', '1234.50'],
    ['US$ 5', '5'],
    ['€ 1.234,50', '1234.50'],
    ['1.234,50 €', '1234.50'],
    ['£0.99', '0.99'],
    ['USD 5', '5'],
    ['CNY12', '12'],
    ['5.00 RMB', '5.00'],
    ['(5.00)', '-5.00'],
    ['($5.00)', '-5.00'],
    ['$(5.00)', '-5.00'],
    ['5.00-', '-5.00'],
    ['(0.00)', '0.00'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['0012', '0012'],
    ['33.3333333333333', '33.3333333333333'],
  ]
  const NONE = [
    '',
    ' ',
    '-',
    '()',
    '.',
    ',',
    '12%',
    '1e5',
    '1.2E+17',
    '--5',
    '-(5)',
    '-5-',
    '1,23,456',
    '12,34.5',
    '1.23.4',
    '1,234.5.6',
    '1,234 567',
    '5 pcs',
    '5 ABC',
    'ABC5',
    '$5 USD',
    '$$5',
    '1234567890123456',
    '0x10',
    'NaN',
    'Infinity',
    '五',
    '1,,234',
    ',123,456',
    '２０２６－０３－０５',
  ]

  for (const [text, number] of READ) test(`${text} is ${number}`, () => assert.equal(readNumber(text), number))
  for (const text of NONE) test(`"${text}" is none`, () => assert.equal(readNumber(text), undefined))

  test('the mapping says what the number does not', () => {
    assert.equal(readNumber('1,234', { decimal: 'comma' }), '1.234')
    assert.equal(readNumber('1.234', { decimal: 'comma' }), '1234')
    assert.equal(readNumber('1.234'), '1.234')
    assert.equal(readNumber('1234.5', { decimal: 'comma' }), undefined)
    assert.equal(readNumber('1234', { decimal: 'comma' }), '1234')
    assert.equal(readNumber('1234,5', { decimal: 'point' }), undefined)
    assert.equal(readNumber('1,234', { decimal: 'point' }), '1234')
  })

  test('what is written in any style is read back', () => {
    const amount = fc.record({ cents: fc.bigInt(0n, 99_999_999_999_999n), isNegative: fc.boolean() })
    const styles = [
      { group: ',', point: '.', decimal: undefined },
      { group: ' ', point: ',', decimal: undefined },
      { group: '.', point: ',', decimal: undefined },
      { group: '', point: ',', decimal: 'comma' },
      { group: '\u202f', point: '.', decimal: 'point' },
      { group: "'", point: '.', decimal: undefined },
    ] as const
    const signs = [(text: string) => `-${text}`, (text: string) => `(${text})`, (text: string) => `${text}-`]
    const coins = [(text: string) => text, (text: string) => `¥${text}`, (text: string) => `${text} EUR`]
    fc.assert(
      fc.property(
        amount,
        fc.constantFrom(...styles),
        fc.constantFrom(...signs),
        fc.constantFrom(...coins),
        fc.boolean(),
        ({ cents, isNegative }, { group, point, decimal }, sign, coin, isWide) => {
          const whole = String(cents / 100n)
          const fraction = String(cents % 100n).padStart(2, '0')
          const written = coin(whole.replace(/\B(?=(\d{3})+$)/g, group) + point + fraction)
          const signed = isNegative ? sign(written) : written
          const text = isWide ? signed.replace(/[0-9,.()-]/g, wide) : signed
          const expected = `${isNegative && cents > 0n ? '-' : ''}${whole}.${fraction}`
          assert.equal(readNumber(text, { decimal }), expected, text)
        },
      ),
    )
  })

  test('anything else throws nothing, and gives plain decimals only', () => {
    const pieces = fc.array(fc.constantFrom(..."0123456789.,-+()¥$€ '％%eE元", 'USD', '\u00a0', '，'), {
      maxLength: 14,
    })
    const any = fc.oneof(
      fc.string({ unit: 'binary' }),
      pieces.map((list) => list.join('')),
    )
    fc.assert(
      fc.property(any, fc.constantFrom(undefined, 'comma', 'point'), (text, decimal) => {
        const number = readNumber(text, { decimal })
        if (number !== undefined) assert.match(number, /^-?\d{1,15}(\.\d{1,20})?$/)
      }),
      { numRuns: 3000 },
    )
  })

  test('an amount in another currency is known by its sign or code', () => {
    const fits: readonly (readonly [string, string])[] = [
      ['5', 'CNY'],
      ['¥5', 'CNY'],
      ['¥5', 'JPY'],
      ['5元', 'CNY'],
      ['RMB 5', 'CNY'],
      ['$5', 'AUD'],
      ['US$5', 'USD'],
      ['5 EUR', 'EUR'],
      ['€5', 'EUR'],
    ]
    const differ: readonly (readonly [string, string])[] = [
      ['$5', 'CNY'],
      ['￥5', 'USD'],
      ['HK$5', 'USD'],
      ['5元', 'JPY'],
      ['USD 5', 'CNY'],
      ['€5', 'GBP'],
    ]
    for (const [text, currency] of fits) assert.ok(fitsCurrency(text, currency), `${text} ${currency}`)
    for (const [text, currency] of differ) assert.ok(!fitsCurrency(text, currency), `${text} ${currency}`)
  })
})

function wide(character: string): string {
  return String.fromCharCode(character.charCodeAt(0) + 0xfee0)
}

suite('times', () => {
  const READ: readonly (readonly [text: string, local: string, order?: DateOrder])[] = [
    ['2010-12-01', '2010-12-01 00:00:00'],
    ['2010/12/1 8:26', '2010-12-01 08:26:00'],
    ['2010.12.01T08:26:30.125', '2010-12-01 08:26:30.125'],
    ['2010-12-01 08:26:30,5', '2010-12-01 08:26:30.5'],
    ['2010-12-01 8:26 PM', '2010-12-01 20:26:00'],
    ['2010/12/1 下午 2:30:05', '2010-12-01 14:30:05'],
    ['2024年3月5日', '2024-03-05 00:00:00'],
    ['2024年3月5日 14:30', '2024-03-05 14:30:00'],
    ['2024年03月05日14时30分05秒', '2024-03-05 14:30:05'],
    ['2024 年 3 月 5 日 上午9:05', '2024-03-05 09:05:00'],
    ['２０２４－０３－０５　１４：３０', '2024-03-05 14:30:00'],
    ['20240305', '2024-03-05 00:00:00'],
    ['20240305143000', '2024-03-05 14:30:00'],
    ['20240305 1430', '2024-03-05 14:30:00'],
    ['20240305T143000', '2024-03-05 14:30:00'],
    ['05-Mar-2024', '2024-03-05 00:00:00'],
    ['5 March 2024 14:30', '2024-03-05 14:30:00'],
    ['Mar 5, 2024, 2:30 PM', '2024-03-05 14:30:00'],
    ['Sept 5, 2024', '2024-09-05 00:00:00'],
    ['3/5/2024', '2024-03-05 00:00:00', 'mdy'],
    ['3/5/2024', '2024-05-03 00:00:00', 'dmy'],
    ['3/5/2024 2:30:00 PM', '2024-03-05 14:30:00', 'mdy'],
    ['3/5/2024 12:30:00 AM', '2024-03-05 00:30:00', 'mdy'],
    ['3/5/2024 12:30 pm', '2024-03-05 12:30:00', 'mdy'],
    ['05.03.2024 14:30:00.250', '2024-03-05 14:30:00.250', 'dmy'],
    ['2024-02-29', '2024-02-29 00:00:00'],
  ]
  const NONE: readonly (readonly [text: string, order?: DateOrder])[] = [
    [''],
    ['3/5/2024'],
    ['13/13/2024', 'mdy'],
    ['2023-02-29'],
    ['1900-02-29'],
    ['2024-04-31'],
    ['2024-13-01'],
    ['0'],
    ['5489'],
    ['32154'],
    ['40888.5'],
    ['05032024', 'dmy'],
    ['20241301'],
    ['2024030514300'],
    ['2024-03-05 24:00'],
    ['2024-03-05 14:60'],
    ['2024-03-05 14:30 PM'],
    ['2024-03-05 上午 9:30 AM'],
    ['2024-03-0514:30'],
    ['2024-03-05 14:30+25:00'],
    ['2024-03-05 14:30+08:99'],
    ['5 Mai 2024'],
    ['05-Mar-24'],
    ['Marching 5, 2024'],
    ['1899-12-31'],
    ['12:50:00'],
    ['2024-03-05 foo'],
  ]

  for (const [text, local, order = 'ymd'] of READ) {
    test(`${text} (${order}) is ${local}`, () => assert.deepEqual(readTime(text, order), { local }))
  }
  for (const [text, order = 'ymd'] of NONE) {
    test(`"${text}" (${order}) is none`, () => assert.equal(readTime(text, order), undefined))
  }

  test('an offset makes an instant', () => {
    const instants = [
      '2024-03-05T14:30:00Z',
      '2024-03-05 22:30:00+08:00',
      '2024-03-05 22:30:00 +0800',
      '2024-03-05 22:30:00+08',
      '2024-03-05 14:30 UTC',
      '2024年3月5日 22:30 +08:00',
    ]
    for (const text of instants) {
      const time = readTime(text, 'ymd')
      assert.ok(time && 'instant' in time, text)
      const iso = time.instant.replace(' ', 'T').replace(/([+-]\d{2}):?(\d{2})?$/, '$1:00')
      assert.equal(new Date(iso).toISOString(), '2024-03-05T14:30:00.000Z', text)
    }
  })

  test('a bare number is a day where the mapping says so', () => {
    const style = { dates: 'excel' } as const
    assert.deepEqual(readTime('40887.534722222219', 'ymd', style), { local: '2011-12-10 12:50:00' })
    assert.deepEqual(readTime('40887', 'ymd', style), { local: '2011-12-10 00:00:00' })
    assert.deepEqual(readTime('2011-12-10', 'ymd', style), { local: '2011-12-10 00:00:00' })
    assert.equal(readTime('0.5', 'ymd', style), undefined)
    assert.equal(readTime('9999999', 'ymd', style), undefined)
  })

  const instant = fc.date({
    min: new Date('1900-03-01T00:00:00Z'),
    max: new Date('2199-12-31T23:59:59Z'),
    noInvalidDate: true,
  })

  test('what is written in any form is read back, and never as another day', () => {
    const names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
    fc.assert(
      fc.property(instant, (date) => {
        const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
        const iso = date.toISOString()
        const [local, clock] = [`${iso.slice(0, 10)} ${iso.slice(11, 19)}`, iso.slice(11, 19)]
        const hour = date.getUTCHours()
        const twelve = `${hour % 12 || 12}${clock.slice(2)}`
        const half = hour < 12 ? 'AM' : 'PM'
        const forms: readonly (readonly [string, DateOrder])[] = [
          [`${year}-${month}-${day} ${clock}`, 'ymd'],
          [`${iso.slice(0, 10).replaceAll('-', '')}${clock.replaceAll(':', '')}`, 'ymd'],
          [`${year}年${month}月${day}日 ${clock}`, 'mdy'],
          [`${year}年${month}月${day}日 ${hour < 12 ? '上午' : '下午'} ${twelve}`, 'ymd'],
          [`${month}/${day}/${year} ${clock}`, 'mdy'],
          [`${month}/${day}/${year} ${twelve} ${half}`, 'mdy'],
          [`${day}.${month}.${year} ${clock}`, 'dmy'],
          [`${day}-${names[month - 1]}-${year} ${clock}`, 'ymd'],
          [`${names[month - 1]} ${day}, ${year} ${twelve} ${half}`, 'dmy'],
        ]
        for (const [text, order] of forms) assert.deepEqual(readTime(text, order), { local }, text)
      }),
    )
  })

  test('a serial day of either system is the instant it was made from', () => {
    fc.assert(
      fc.property(instant, fc.boolean(), (date, is1904) => {
        const at = new Date(Math.floor(date.getTime() / 1000) * 1000)
        const epoch = is1904 ? Date.UTC(1904, 0, 1) : Date.UTC(1899, 11, 30)
        const serial = (at.getTime() - epoch) / 86_400_000
        if (serial < 1) return
        const iso = at.toISOString()
        const expected =
          iso.slice(11, 19) === '00:00:00' ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${iso.slice(11, 19)}`
        assert.equal(excelTime(String(serial), is1904), expected)
      }),
    )
    assert.equal(excelTime('1', false), '1900-01-01')
    assert.equal(excelTime('59', false), '1900-02-28')
    assert.equal(excelTime('60', false), undefined)
    assert.equal(excelTime('61', false), '1900-03-01')
    assert.equal(excelTime('0', true), '00:00:00')
  })

  test('anything else throws nothing, and gives real days only', () => {
    const pieces = fc.array(
      fc.constantFrom(...'0123456789/-.: T', '年', '月', '日', 'Mar', 'PM', '+08:00', '2024', '31'),
      {
        maxLength: 12,
      },
    )
    const any = fc.oneof(
      fc.string({ unit: 'binary' }),
      pieces.map((list) => list.join('')),
    )
    fc.assert(
      fc.property(any, fc.constantFrom<DateOrder>('ymd', 'mdy', 'dmy'), fc.boolean(), (text, order, isExcel) => {
        const time = readTime(text, order, { dates: isExcel ? 'excel' : 'text' })
        if (!time) return
        const local = ('instant' in time ? time.instant : time.local).slice(0, 19)
        assert.match(local, /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/)
        assert.equal(new Date(`${local.replace(' ', 'T')}Z`).toISOString().slice(0, 19).replace('T', ' '), local)
      }),
      { numRuns: 5000 },
    )
  })
})

test('a prefix is taken off once', () => {
  assert.equal(stripPrefix('NASAW1', 'NAS'), 'AW1')
  assert.equal(stripPrefix('NASAW1', ['X', 'NASAW', 'NAS']), '1')
  assert.equal(stripPrefix('AW1', ['NAS']), 'AW1')
  assert.equal(stripPrefix('AW1', undefined), 'AW1')
})
