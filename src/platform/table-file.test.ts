import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { type Book, bookParts, readElsewhere, workbook, writeBigCsv, zip } from '../../test/table-files.ts'
import { TableError, type TableLimits, type TablePosition, type TableRecord } from './table.ts'
import { openTable } from './table-file.ts'

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-table-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

interface Given {
  /** Ends the path, e.g. `#Sheet`. */
  readonly suffix?: string
  readonly limits?: Partial<TableLimits>
}

async function read(t: TestContext, content: string | Buffer, { suffix = '', limits = {} }: Given = {}) {
  const path = join(await folderOf(t), 'file')
  await writeFile(path, content)
  const table = await openTable(path + suffix, limits)
  const records: TableRecord[] = []
  for await (const batch of table.batches) records.push(...batch)
  const { bytesRead, bytesTotal } = table.progress()
  assert.equal(bytesRead, bytesTotal)
  const { header, headerLine } = table
  return { header, headerLine, records, rows: records.map(({ fields }) => fields) }
}

async function refused(t: TestContext, content: string | Buffer, saying: RegExp, given?: Given): Promise<void> {
  await assert.rejects(read(t, content, given), (error) => {
    assert.ok(error instanceof TableError, `${error}`)
    assert.match(error.message, saying)
    assert.match(error.message, /[.!]$/)
    return true
  })
}

const HEADER = ['order_id', '付款时间', 'item', 'quantity', 'amount', 'note']
const ROWS = Array.from({ length: 50 }, (_, index) => [
  `A-${1000 + index}`,
  `2026-03-${String(1 + (index % 28)).padStart(2, '0')} 08:05:0${index % 10}`,
  ['茶杯', '茶, 壶', 'a;b|c\td', 'café'][index % 4] ?? '',
  String((index % 5) - 1),
  `${index}.5`,
  index % 7 === 0 ? '' : `"${index}"`,
])

function delimited(delimiter: string, end = '\n'): string {
  const quoted = (text: string) => (/[",;|\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return [HEADER, ...ROWS].map((row) => row.map(quoted).join(delimiter) + end).join('')
}

function jsonLines(): string {
  const objects = ROWS.map(([id, at, item, quantity, amount, note]) => ({
    [HEADER[0] ?? '']: id,
    [HEADER[1] ?? '']: at,
    item,
    quantity: Number(quantity),
    amount: Number(amount),
    note: note === '' ? null : note,
  }))
  return objects.map((object) => `${JSON.stringify(object)}\n`).join('')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** Texts shared, inline and as a formula's; numbers and dates as numbers. */
function book(): Book {
  const sharedTexts = [...new Set([...HEADER, ...ROWS.map((row) => row[2] ?? '')])]
  const cell = (text: string, column: number, row: number) => {
    const place = `r="${'ABCDEF'[column]}${row}"`
    if (text === '') return column === 5 ? '' : `<c ${place}/>`
    if (row > 1 && column === 1) {
      const days = (Date.parse(`${text.replace(' ', 'T')}Z`) - Date.UTC(1899, 11, 30)) / 86_400_000
      return `<c ${place} s="1"><v>${days}</v></c>`
    }
    if (row > 1 && (column === 3 || column === 4)) return `<c ${place}><f>1+1</f><v>${text}</v></c>`
    const shared = sharedTexts.indexOf(text)
    if (shared >= 0) return `<c ${place} t="s"><v>${shared}</v></c>`
    return column === 0
      ? `<c ${place} t="str"><f>A1</f><v>${escaped(text)}</v></c>`
      : `<c ${place} t="inlineStr"><is><r><t>${escaped(text.slice(0, 1))}</t></r><r><t xml:space="preserve">${escaped(text.slice(1))}</t></r></is></c>`
  }
  const rows = [HEADER, ...ROWS].map(
    (fields, index) =>
      `<row r="${index + 1}">${fields.map((text, column) => cell(text, column, index + 1)).join('')}</row>`,
  )
  return {
    sheets: [{ name: '订单', rows: rows.join('') }],
    sharedTexts: sharedTexts.map(escaped),
    styles: '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>',
  }
}

/** Text of the 50 rows that GB18030 and UTF-16 can carry as well as UTF-8. */
function utf16(text: string, isBig: boolean): Buffer {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le')
  return isBig ? bytes.swap16() : bytes
}

/** GB18030 by table: Node decodes it and does not encode it. */
function gb18030(text: string): Buffer {
  const codes = new Map<string, number[]>()
  const decoder = new TextDecoder('gb18030')
  for (let high = 0x81; high <= 0xfe; high += 1) {
    for (let low = 0x40; low <= 0xfe; low += 1) {
      const character = decoder.decode(Uint8Array.of(high, low))
      if (character.length === 1 && character !== '\ufffd' && !codes.has(character)) codes.set(character, [high, low])
    }
  }
  return Buffer.from([...text].flatMap((character) => codes.get(character) ?? [character.charCodeAt(0)]))
}

suite('the same 50 rows', () => {
  const csv = delimited(',')
  const forms: Record<string, () => string | Buffer> = {
    'CSV in UTF-8': () => csv,
    'with a byte order mark': () => `\ufeff${csv}`,
    'with CRLF': () => delimited(',', '\r\n'),
    'with semicolons': () => delimited(';'),
    'with tabs': () => delimited('\t'),
    'with pipes': () => delimited('|'),
    'without an end of line at the end': () => csv.slice(0, -1),
    gzipped: () => gzipSync(csv),
    'in UTF-16LE': () => utf16(csv, false),
    'in UTF-16BE': () => utf16(delimited('\t', '\r\n'), true),
    'in GB18030': () => gb18030(csv),
    'in GB18030, gzipped, with semicolons': () => gzipSync(gb18030(delimited(';'))),
    XLSX: () => workbook(book()),
  }
  for (const [name, make] of Object.entries(forms)) {
    test(name, async (t) => {
      const { header, records } = await read(t, make())
      assert.deepEqual(header, HEADER)
      assert.deepEqual(
        records,
        ROWS.map((fields, index) => ({ line: index + 2, fields })),
      )
    })
  }
  for (const [name, make] of [
    ['JSON lines', () => jsonLines()],
    ['JSON lines in GB18030, gzipped', () => gzipSync(gb18030(jsonLines()))],
  ] as const) {
    test(`${name}, which have no header line`, async (t) => {
      const { header, records } = await read(t, make())
      assert.deepEqual(header, HEADER)
      assert.deepEqual(
        records,
        ROWS.map((fields, index) => ({ line: index + 1, fields })),
      )
    })
  }
})

suite('text', () => {
  test('quoted newlines and empty lines are counted', async (t) => {
    const { records } = await read(t, 'a,"b\r\nc"\n1,"x\ny"\n\n2,"p\r\nq"\r\n3,z')
    assert.deepEqual(records, [
      { line: 3, fields: ['1', 'x\ny'] },
      { line: 6, fields: ['2', 'p\r\nq'] },
      { line: 8, fields: ['3', 'z'] },
    ])
    const old = await read(t, 'a,b\r1,"x\ry"\r2,z\r')
    assert.deepEqual(old.records, [
      { line: 2, fields: ['1', 'x\ry'] },
      { line: 4, fields: ['2', 'z'] },
    ])
  })

  test('a delimiter inside quotes is none', async (t) => {
    const { header, rows } = await read(t, '"a,b,c,d";e\n"1,2";3\n"1,2,3";4\n')
    assert.deepEqual(
      [header, rows[0]],
      [
        ['a,b,c,d', 'e'],
        ['1,2', '3'],
      ],
    )
  })

  test('decimal commas do not make a comma file', async (t) => {
    const { header } = await read(t, 'id;betrag\n1;1,50\n2;2,50\n3;3,00\n')
    assert.deepEqual(header, ['id', 'betrag'])
  })

  test('one column needs no delimiter', async (t) => {
    assert.deepEqual(await read(t, 'phone\n13800001111\n').then(({ header }) => header), ['phone'])
  })

  test("Excel's own separator line is followed", async (t) => {
    const { header, records } = await read(t, 'sep=;\r\na;b\r\n1,5;2\r\n')
    assert.deepEqual(header, ['a', 'b'])
    assert.deepEqual(records, [{ line: 3, fields: ['1,5', '2'] }])
  })

  test('a row with another number of fields keeps them, and a NUL byte is passed on to be refused', async (t) => {
    const { rows } = await read(t, 'a,b\n1,2,3\n4\n5,\0\n')
    assert.deepEqual(rows, [['1', '2', '3'], ['4'], ['5', '\0']])
  })

  test('characters on the border of two reads stay whole', async (t) => {
    const text = `名称,数\n${'汉字测试,1\n'.repeat(60_000)}`
    for (const content of [text, gb18030(text), utf16(text, false), gzipSync(text)]) {
      const { rows } = await read(t, content)
      assert.equal(rows.length, 60_000)
      assert.ok(rows.every(([name]) => name === '汉字测试'))
    }
  })

  test('Chinese GB18030 after a long beginning in ASCII is an error that names the line', (t) =>
    refused(t, Buffer.concat([Buffer.from(`a,b\n${'1,2\n'.repeat(100_000)}`), gb18030('中,文\n')]), /^Line 100002 /))

  test('invalid UTF-8 names its line and is no GB18030, near the beginning and far from it', async (t) => {
    const line = Buffer.from('茶杯,蓝色\n')
    const bad = Buffer.from('茶杯,蓝色\n')
    bad[4] = 0xff
    const few = [Buffer.from('名,色\n'), ...Array<Buffer>(20).fill(line), bad, line]
    await refused(t, Buffer.concat(few), /^Line 22 has bytes that are no UTF-8/)
    const many = [Buffer.from('名,色\n'), ...Array<Buffer>(60_000).fill(line), bad, line]
    await refused(t, Buffer.concat(many), /^Line 60002 has bytes that are no UTF-8/)
    await refused(t, gzipSync(Buffer.concat(many)), /^Line 60002 /)
  })

  test('a lone surrogate of UTF-16 names its line', (t) =>
    refused(
      t,
      Buffer.concat([utf16('a,b\n1,2\n3,', false), Buffer.from([0x00, 0xd8, 0x34, 0x00])]),
      /^Line 3 .*UTF-16LE/,
    ))

  test('Western text in one byte a letter is not read as Chinese', (t) =>
    refused(t, Buffer.from('name,city\nMüller,Köln\nétienne,Orléans\n', 'latin1'), /neither UTF-8 nor Chinese/))
})

suite('titles above the header', () => {
  for (const [name, delimiter] of [
    ['commas', ','],
    ['semicolons', ';'],
    ['tabs', '\t'],
  ] as const) {
    test(`are passed over where ${name} stand between the columns`, async (t) => {
      const titles = ['某某酒窖订单导出', '', ['门店', '徐汇店'].join(delimiter)].join('\n')
      const { header, headerLine, rows, records } = await read(t, `${titles}\n${delimited(delimiter)}`)
      assert.deepEqual([header, headerLine, records[0]?.line], [HEADER, 4, 5])
      assert.deepEqual(rows, ROWS)
    })
  }

  test('are none where the first record fills more than half as many cells as the others', async (t) => {
    for (const [first, row] of [
      ['id', '1'],
      ['id,phone', '1,2'],
      ['id,,paid', '1,x,2'],
      ['a,b,c,d', '1,2,3,4,5,6,7,8,9,10'],
    ]) {
      const { headerLine, header } = await read(t, `${first}\n${row}\n${row}\n`)
      assert.deepEqual([headerLine, header], [1, first?.split(',')])
    }
  })
})

suite('JSON lines', () => {
  test('are flattened, with numbers as written', async (t) => {
    const { header, rows } = await read(
      t,
      `\ufeff{"id": 1234567890123456789, "buyer": {"phone": "138", "tags": ["a", 1]}, "paid": 10.50, "x": 1e3}\r
{"id": 7, "late": true, "buyer": {"phone": null}, "__proto__": "p"}\n`,
    )
    assert.deepEqual(header, ['id', 'buyer.phone', 'buyer.tags', 'paid', 'x', 'late', '__proto__'])
    assert.deepEqual(rows, [
      ['1234567890123456789', '138', '["a",1]', '10.50', '1e3', '', ''],
      ['7', '', '', '', '', 'true', 'p'],
    ])
  })

  test('keys that come after the first 1,000 objects are not read', async (t) => {
    const { header, rows } = await read(t, `${'{"a":1}\n'.repeat(1000)}{"b":2,"a":3}\n`)
    assert.deepEqual([header, rows.length, rows.at(-1)], [['a'], 1001, ['3']])
  })

  test('what is no object names its line', async (t) => {
    await refused(t, '{"a":1}\n{"a":\n', /^Line 2 is no JSON/)
    await refused(t, '{"a":1}\n\n[1]\n', /^Line 3 is no JSON object/)
    await refused(t, `{"a":1}\n{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}\n`, /^Line 2 is no JSON/)
    await refused(t, '[\n{"a":1}\n]', /one JSON list/)
    await refused(t, `{"a":1}\n{"a":"${'x'.repeat(1_100_000)}"}`, /^Line 2 is longer/)
  })
})

suite('workbooks', () => {
  const STYLES = `<numFmts><numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/>
    <numFmt numFmtId="165" formatCode="&quot;day&quot; 0.00"/><numFmt numFmtId="166" formatCode="[h]:mm"/></numFmts>
    <cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/><xf numFmtId="22"/><xf numFmtId="20"/></cellXfs>`
  const row = (number: number, cells: readonly string[]) =>
    `<row r="${number}">${cells.map((cell, column) => `<c r="${'ABCDEFGHIJ'[column]}${number}" ${cell}</c>`).join('')}</row>`
  const texts = (number: number, list: readonly string[]) =>
    row(
      number,
      list.map((text) => `t="inlineStr"><is><t>${text}</t></is>`),
    )

  test('dates of both systems, numbers as they are shown, booleans and errors', async (t) => {
    const rows = [
      texts(1, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']),
      row(2, [
        's="1"><v>40887</v>',
        's="2"><v>40887</v>',
        's="5"><v>40887.534722222219</v>',
        's="3"><v>40887</v>',
        's="4"><v>1.5</v>',
        's="6"><v>0.5</v>',
        '><v>0.30000000000000004</v>',
        '><v>1.0000000000000001E-7</v>',
        't="b"><v>1</v>',
        't="e"><v>#N/A</v>',
      ]),
    ].join('')
    const sheets = [{ name: 'S', rows }]
    const { rows: read1900 } = await read(t, workbook({ sheets, styles: STYLES }))
    const numbers = ['0.3', '0.0000001', 'true', '#N/A']
    assert.deepEqual(read1900, [
      ['2011-12-10', '2011-12-10', '2011-12-10 12:50:00', '40887', '1.5', '12:00:00', ...numbers],
    ])
    const { rows: read1904 } = await read(t, workbook({ sheets, styles: STYLES, is1904: true }))
    assert.deepEqual(read1904[0]?.slice(0, 3), ['2015-12-11', '2015-12-11', '2015-12-11 12:50:00'])
  })

  test('the first visible sheet, or the one named, or a refusal that lists them', async (t) => {
    const sheets = [
      { name: 'Notes', rows: texts(1, ['hidden']), hidden: true },
      { name: 'Orders', rows: texts(1, ['orders']) },
      { name: '退款 #2', rows: texts(1, ['refunds']) },
    ]
    const content = workbook({ sheets })
    assert.deepEqual(await read(t, content).then(({ header }) => header), ['orders'])
    assert.deepEqual(await read(t, content, { suffix: '#notes' }).then(({ header }) => header), ['hidden'])
    await refused(t, content, /no sheet "Other". Its sheets are: Notes, Orders, 退款 #2/, { suffix: '#Other' })
    await refused(t, 'a,b\n', /names a sheet/, { suffix: '#Other' })
  })

  test('gaps, rows without numbers, empty rows, guides and escapes', async (t) => {
    const rows = `<row><c/></row><row r="3"><c r="A3" t="s"><v>0</v></c><c r="C3" t="s"><v>1</v></c></row>
      <row r="5"><c r="B5"><v>7</v></c></row><row r="6"><c r="A6" s="1"/></row><row><c><v>1</v></c><c><v>2</v></c></row>
      <row r="9"><c r="D9"><v>9</v></c></row>`
    const sharedTexts = ['<r><t>名</t></r><rPh sb="0" eb="1"><t>な</t></rPh><r><t>前</t></r>', 'x_x000A_y_x005F_x0041_']
    const { header, records } = await read(t, workbook({ sheets: [{ name: 'S', rows }], sharedTexts }))
    assert.deepEqual(header, ['名前', '', 'x\ny_x0041_'])
    assert.deepEqual(records, [
      { line: 5, fields: ['', '7', ''] },
      { line: 7, fields: ['1', '2', ''] },
      { line: 9, fields: ['', '', '', '9'] },
    ])
  })

  test('titles above the header are passed over', async (t) => {
    const rows = `${texts(1, ['销售明细'])}${texts(2, ['导出人', '店长'])}${texts(4, ['单号', '时间', '会员', '金额'])}${texts(5, ['1', '2026-01-02', 'u', '5'])}`
    const sheet = await read(t, workbook({ sheets: [{ name: 'S', rows }] }))
    assert.deepEqual([sheet.header, sheet.headerLine], [['单号', '时间', '会员', '金额'], 4])
    assert.deepEqual(sheet.records, [{ line: 5, fields: ['1', '2026-01-02', 'u', '5'] }])
  })

  test('what is damaged or hostile is refused in words', async (t) => {
    const good = workbook({ sheets: [{ name: 'S', rows: texts(1, ['a', 'b']) }] })
    const sheet = (rows: string) => workbook({ sheets: [{ name: 'S', rows }] })
    await refused(t, good.subarray(0, good.length - 30), /cut off or damaged/)
    await refused(t, good.subarray(0, 200), /cut off or damaged/)
    await refused(t, zip(bookParts({ sheets: [] })), /has no sheet/)
    await refused(t, sheet(''), /has no row/)
    await refused(t, zip([{ name: 'orders.csv', text: 'a,b' }]), /holds no workbook \(orders.csv\)/)
    await refused(t, zip([{ name: 'xl/workbook.xml', text: '', encrypted: true }]), /encrypted/)
    await refused(t, Buffer.from('d0cf11e0a1b11ae1', 'hex'), /old .xls, or a workbook with a password/)
    await refused(t, sheet('<row r="1"><c r="A1"><v>1</c></row>'), /damaged at byte/)
    await refused(t, sheet('<row r="1"><c r="A1" t="s"><v>5</v></c></row>'), /damaged: a cell names a text/)
    await refused(t, sheet('<row r="1048577"><c><v>1</v></c></row>'), /row beyond 1,048,576/)
    await refused(t, sheet('<row r="1"><c r="BYX1"><v>1</v></c></row>'), /more than 2,000 columns/)
    const long = sheet(`<row r="1"><c t="str"><v>${'x'.repeat(200_000)}</v></c></row>`)
    await refused(t, long, /Row 1 has more/, { limits: { recordBytes: 100_000 } })
  })

  test('bombs are refused before they go off', async (t) => {
    const zeros = `<row r="1"><c><v>${'0'.repeat(20_000_000)}</v></c></row>`
    await refused(t, workbook({ sheets: [{ name: 'S', rows: zeros }] }), /unpacks to \d+ times its size/)
    const limits = { workbookRatio: 1e9 }
    await refused(t, workbook({ sheets: [{ name: 'S', rows: zeros }] }), /longer than a sheet can hold/, { limits })
    const parts = bookParts({ sheets: [{ name: 'S', rows: texts(1, ['a']) }] })
    const lies = parts.map((part) => (part.deflate ? { ...part, saidBytes: 10 } : part))
    await refused(t, zip(lies), /damaged/)
    const book = workbook({ sheets: [{ name: 'S', rows: '' }], sharedTexts: Array<string>(1000).fill('x'.repeat(100)) })
    await refused(t, book, /unpacks to more than 50,000 bytes/, { limits: { workbookBytes: 50_000 } })
    await refused(t, book, /texts take more than 50,000 bytes/, { limits: { sharedTextBytes: 50_000 } })
  })

  test('entities are neither fetched nor multiplied', async (t) => {
    const named = (doctype: string, text: string) => {
      const parts = bookParts({ sheets: [{ name: 'S', rows: texts(1, [text]) }] })
      return zip(
        parts.map((part) => ({ ...part, text: part.text.replace('?>\n<worksheet', `?>\n${doctype}<worksheet`) })),
      )
    }
    await refused(t, named('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', '&e;'), /DOCTYPE/)
    await refused(t, named('<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>', '&b;'), /DOCTYPE/)
    await refused(t, named('', '&e;'), /damaged/)
  })
})

suite('what is no table', () => {
  test('is said to be what it is', async (t) => {
    await refused(t, '', /The file is empty/)
    await refused(t, '\n\n', /no header line/)
    await refused(t, '\ufeff', /no header line/)
    await refused(t, '<html><table><tr><td>1</td></tr></table>', /web page or XML/)
    await refused(t, '%PDF-1.7', /PDF/)
    await assert.rejects(openTable(join(await folderOf(t), 'none.csv')), { code: 'ENOENT' })
  })

  test('has lines, records or headers without end', async (t) => {
    await refused(t, `a,b\n1,2\n3,${'x'.repeat(10_000_000)}\n`, /^Line 3 is longer than 1,000,000 bytes/)
    await refused(t, `a,b\n1,2\n3,"${'x\n'.repeat(1_000_000)}"\n`, /is longer than a record may be/)
    await refused(
      t,
      `${Array.from({ length: 200_000 }, (_, index) => `c${index}`).join(',')}\n`,
      /more than 2,000 columns/,
    )
    await refused(t, `a,b\n1,"2\n${'3,4\n'.repeat(1000)}`, /quoted text is not closed/)
    await refused(t, 'a,b\n1,5" screen\n', /near line 2.*Quote the whole text/)
  })

  test('is cut off or damaged gzip', async (t) => {
    const whole = gzipSync(delimited(',').repeat(50))
    await refused(t, whole.subarray(0, whole.length - 10), /cut off/)
    const broken = Buffer.from(whole)
    broken.fill(0xff, 300, 340)
    await refused(t, broken, /gzip file is damaged|cannot be read|bytes that are no/)
    await refused(t, gzipSync('a,b\n'.repeat(1000)), /Unpacked, the file has more/, { limits: { gzipBytes: 100 } })
  })
})

test('a file let go of before its end closes', async (t) => {
  const path = join(await folderOf(t), 'file.csv')
  await writeBigCsv(path, 5_000_000)
  const table = await openTable(path)
  table.close()
  for await (const batch of (await openTable(path)).batches) {
    assert.equal(batch[0]?.line, 2)
    break
  }
})

/** Records of a few forms in some order, so that a block, a batch and a record end anywhere. */
const csvFile = fc.record({
  mark: fc.constantFrom('', '\ufeff'),
  saysSeparator: fc.boolean(),
  end: fc.constantFrom('\n', '\r\n', '\r'),
  forms: fc.array(
    fc.constantFrom('a,b,c', '"x""y",,', '茶,"1,2",…', '"two\nlines",b,c', '"two\r\nlines",b,c', '', 'short'),
    {
      minLength: 1,
      maxLength: 12,
    },
  ),
})

test('a CSV file entered at a position goes on as if it had been read from its beginning', async (t) => {
  const path = join(await folderOf(t), 'file.csv')
  await fc.assert(
    fc.asyncProperty(csvFile, async ({ mark, saysSeparator, end, forms }) => {
      const lines = Array.from({ length: 5000 }, (_, index) => `${forms[(index * index) % forms.length]}`)
      const inside = end === '\r' ? lines.map((line) => line.replace(/\r?\n/, '\r')) : lines
      const separator = saysSeparator && end !== '\r' ? `sep=,${end}` : ''
      await writeFile(path, `${mark}${separator}${['first,second,third', ...inside, 'z,z,z'].join(end)}${end}`)
      const table = await openTable(path)
      const [records, positions]: [TableRecord[], (TablePosition & { records: number })[]] = [[], []]
      const note = () => positions.push({ ...(table.position?.() ?? assert.fail()), records: records.length })
      note()
      for await (const batch of table.batches) {
        records.push(...batch)
        note()
      }
      for (const { records: before, ...position } of positions) {
        const rest: TableRecord[] = []
        const later = await openTable(path, {}, position)
        assert.deepEqual(later.header, table.header)
        for await (const batch of later.batches) rest.push(...batch)
        assert.deepEqual(rest, records.slice(before))
      }
    }),
    { numRuns: 15 },
  )
})

test('200 MB are read in 250 MB of memory', async (t) => {
  const path = join(await folderOf(t), 'big.csv')
  const rows = await writeBigCsv(path, 200_000_000)
  const read = await readElsewhere(path)
  assert.equal(read.rows, rows)
  assert.ok(read.rssMb <= 250, `${Math.round(read.rssMb)} MB`)
})
