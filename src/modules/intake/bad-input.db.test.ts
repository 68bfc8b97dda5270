import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { testDatabase } from '../../../test/database.ts'
import { NO_DECISIONS, testHttp } from '../../../test/http.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { workbook } from '../../../test/table-files.ts'
import { brandByName, keysOfInstallation, WEBHOOK_KEY_FILE } from '../../bin/access.ts'
import { registerRoutes } from '../../bin/routes.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal, type Refusal } from '../../platform/refusal.ts'
import { openVault } from '../../platform/secrets.ts'
import { importOrders } from '../commerce/actions.ts'
import { importPeople } from '../customers/actions.ts'
import { createApiKey, createWebhook } from './access.ts'
import type { FactResult, ImportReport } from './schema.ts'

// What comes in by file and by API and is no fact. Beside it: src/platform/table-file.test.ts (what a file can be),
// import.db.test.ts of commerce (rows), routes.db.test.ts (keys, signatures) and facts.db.test.ts (single facts).

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const HEADER = 'order_id,customer_id,paid_at,item,item_name,quantity,unit_price,currency'
const ROW = 'o1,a,2026-05-01 10:00:00,x,Tea,1,10.00,CNY'

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-bad-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const feed = async (
    content: string | Buffer,
    { name = 'orders.csv', sheet = '', kind = 'orders' as 'orders' | 'people' } = {},
  ): Promise<ImportReport | Refusal> => {
    await writeFile(join(folder, name), content)
    const command = { path: join(folder, name) + sheet, mapping: kind, options: {}, dryRun: false }
    const run = kind === 'people' ? importPeople : importOrders
    return run(database, clock, {
      ...command,
      rejectsFolder: join(folder, 'rejects'),
      runsFolder: join(folder, 'runs'),
    })
  }
  const count = async (table: string) =>
    Number((await database.pool.query(`select count(*) as n from ${table}`)).rows[0].n)
  return { database, folder, feed, count }
}

const repeat = (text: string, bytes: number) => text.repeat(Math.ceil(bytes / text.length))
const sheetOf = (cells: string) => workbook({ sheets: [{ name: 'S', rows: `<row r="1">${cells}</row>` }] })

const UNREADABLE: readonly (readonly [what: string, content: () => string | Buffer, said: RegExp])[] = [
  ['a line of 10 MB', () => `${HEADER}\n${ROW}\n${repeat('x', 10_000_000)}\n`, /Line 3 is longer than 1,000,000 bytes/],
  ['200,000 columns', () => `${repeat('column,', 200_000 * 7)}last\n`, /more than 2,000 columns/],
  [
    'a workbook that unpacks to a thousand times its size',
    () => sheetOf(`<c><v>${repeat('0', 20_000_000)}</v></c>`),
    /unpacks to \d+ times its size/,
  ],
  // 100 MB in 100 kB, of rows that would each be refused: nobody is to wait for the end of them.
  [
    'a gzip of one line that unpacks to 100 MB',
    () => gzipSync(`${HEADER}\n${repeat('0', 100_000_000)}`),
    /Line 2 is longer than/,
  ],
  [
    'bytes that are no UTF-8',
    () => Buffer.concat([Buffer.from(`${HEADER}\n${ROW}\no2,茶`), Buffer.from([0xff, 0xfe]), Buffer.from(',,,\n')]),
    /neither UTF-8 nor Chinese/,
  ],
]

for (const [what, content, said] of UNREADABLE) {
  test(`a file with ${what} is refused in words, soon, and nothing of it is stored`, async (t) => {
    const { feed, folder, count } = await start(t)
    for (const kind of ['orders', 'people'] as const) {
      const refusal = await feed(content(), { kind })
      if (!isRefusal(refusal)) assert.fail(JSON.stringify(refusal))
      assert.equal(refusal.code, 'unreadable_table')
      assert.match(refusal.message, said)
      assert.notEqual(refusal.remedy, '')
    }
    assert.deepEqual([await count('intake.inbox'), await count('intake.imports')], [0, 0])
    assert.deepEqual(await readdir(join(folder, 'rejects')).catch(() => []), [])
  })
}

test('a gzip that unpacks to many small rows is read in batches, and its bad rows are counted', async (t) => {
  const { feed, count } = await start(t)
  const rows = Array.from({ length: 50_000 }, () => 'o,a,never,x,Tea,1,10.00,CNY')
  const report = await feed(gzipSync(`${HEADER}\n${rows.join('\n')}\n`), { name: 'orders.csv.gz' })
  assert.ok(!isRefusal(report))
  assert.deepEqual(report.rejected_by_reason, { bad_time: 50_000 })
  assert.equal(await count('intake.inbox'), 0)
})

test('a currency that is none is refused, and does not become the brand’s', async (t) => {
  const { database, feed } = await start(t)
  const report = await feed(`${HEADER}\n${ROW.replace('CNY', 'XYZ')}\n${ROW.replace('o1', 'o2')}\n`)
  assert.ok(!isRefusal(report))
  assert.deepEqual([report.currency, report.rejected_by_reason], ['CNY', { other_currency: 1 }])
  const { rows } = await database.pool.query('select currency from brand.settings')
  assert.deepEqual(rows, [{ currency: 'CNY' }])
})

test('people with NUL bytes, endless names or a column too many are rejected, each with its reason', async (t) => {
  const { feed, count } = await start(t)
  const rows = [
    'P1,a,13800001111,林',
    'P2,b,13800002222,N\0',
    `P3,c,13800003333,${'n'.repeat(2001)}`,
    'P4,d,1,x,y',
    'P5,,,王',
  ]
  const report = await feed(`record_id,own_id,phone,name\n${rows.join('\n')}\n`, { kind: 'people' })
  assert.ok(!isRefusal(report))
  assert.deepEqual(report.rejected_by_reason, { nul_byte: 1, field_too_long: 1, column_count: 1, missing_identity: 1 })
  assert.equal(await count('customers.records'), 1)
})

test('a path is a path and nothing else: no file is read or written but those named', async (t) => {
  const { database, folder, feed } = await start(t)
  const outside = async (path: string) =>
    importOrders(database, clock, {
      path,
      mapping: 'orders',
      options: {},
      dryRun: false,
      rejectsFolder: join(folder, 'rejects'),
      runsFolder: join(folder, 'runs'),
    })
  for (const path of ['../../nowhere.csv', join(folder, '..', '..', 'nowhere.csv'), `${folder}/a\nb.csv`, '']) {
    const refusal = await outside(path)
    if (!isRefusal(refusal)) assert.fail(path)
    assert.equal(refusal.code, 'no_such_file', path)
  }
  const book = (name: string) => {
    const cell = (column: number, text: string) =>
      `<c r="${'ABCDEFGH'[column]}1" t="inlineStr"><is><t>${text}</t></is></c>`
    const header = HEADER.split(',')
      .map((text, column) => cell(column, text))
      .join('')
    const bad = ROW.replace('10.00', 'much')
      .split(',')
      .map((text, column) => cell(column, text).replace('1" t', '2" t'))
      .join('')
    return workbook({ sheets: [{ name, rows: `<row r="1">${header}</row><row r="2">${bad}</row>` }] })
  }
  const missing = await feed(book('Orders'), { name: 'file.xlsx', sheet: '#../x' })
  if (!isRefusal(missing)) assert.fail('a sheet that is not there')
  assert.match(missing.message, /no sheet "\.\.\/x". Its sheets are: Orders/)
  // Sheets can be named so by other programs than Excel, and then it is only a name.
  const report = await feed(book('../../x'), { name: 'file.xlsx', sheet: '#../../x' })
  assert.ok(!isRefusal(report), JSON.stringify(report))
  assert.equal(dirname(report.rejects_file ?? ''), join(folder, 'rejects'))
  const odd = await feed(`${HEADER}\n${ROW.replace('10.00', 'much')}\n`, { name: '..\\..\n;x..csv' })
  assert.ok(!isRefusal(odd))
  assert.equal(dirname(odd.rejects_file ?? ''), join(folder, 'rejects'))
  assert.deepEqual((await readdir(folder)).sort(), ['..\\..\n;x..csv', 'file.xlsx', 'rejects', 'runs'])
})

// By API ----------------------------------------------------------------------------------------------------------

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly nosniff: string | null
  readonly text: string
  readonly results: readonly FactResult[]
  readonly code: string | undefined
}

async function startApi(t: TestContext) {
  const { database, folder, count } = await start(t)
  const brand = { key: 'main', name: 'Main', isDemo: false, databaseName: 'main', isCurrent: true }
  const installation = { brands: async () => [brand], openBrand: async () => database }
  const vault = openVault(folder, WEBHOOK_KEY_FILE)
  const brandOf = async () => ({ brand, database })
  const { baseUrl } = await testHttp(t, {
    brandOf,
    keys: keysOfInstallation(installation, clock, async () => false),
    routes: (app) =>
      registerRoutes(app, {
        ...NO_DECISIONS,
        brandOf,
        brandNamed: brandByName(installation),
        clock,
        settle: () => {},
        vault,
      }),
  })
  const scopes = ['facts:write', 'people:read'] as const
  const made = await createApiKey(database.db, 'main', { name: 'test', scopes }, clock.now())
  const webhook = await createWebhook(database.db, vault, 'shop', clock.now())
  if (isRefusal(made) || isRefusal(webhook)) throw new Error('No key')
  const ask = async (path: string, headers: Record<string, string>, body?: Buffer): Promise<Answer> => {
    const response = await fetch(baseUrl + path, {
      method: body ? 'POST' : 'GET',
      headers: { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body ? new Uint8Array(body) : null,
    })
    const text = await response.text()
    const wire = JSON.parse(text) as { results?: FactResult[]; error?: { code: string } }
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      nosniff: response.headers.get('x-content-type-options'),
      text,
      results: wire.results ?? [],
      code: wire.error?.code,
    }
  }
  const authorization = { authorization: `Bearer ${made.key}` }
  return {
    database,
    count,
    get: (path: string) => ask(path, authorization),
    post: (body: Buffer | object) =>
      ask('/api/v1/facts', authorization, Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))),
    deliver: (body: Buffer) => {
      const timestamp = String(Math.floor(clock.now().getTime() / 1000))
      const secret = Buffer.from(webhook.secret.slice('whsec_'.length), 'base64')
      const signature = createHmac('sha256', secret).update(`msg_1.${timestamp}.`).update(body).digest('base64')
      const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
      return ask('/api/v1/webhooks/shop', headers, body)
    },
  }
}

function order(id: string, changed: Record<string, unknown> = {}, line: Record<string, unknown> = {}) {
  return {
    kind: 'order',
    source: 'shop',
    external_id: id,
    customer_id: 'lin',
    paid_at: '2026-05-01T12:00:00+08:00',
    lines: [{ item: 'tea', quantity: 1, unit_price: '10.00', ...line }],
    ...changed,
  }
}

test('a body whose bytes are no UTF-8 is refused by key and by webhook: nothing is stored under another name', async (t) => {
  const api = await startApi(t)
  const told = (head: object) => {
    const [before, after] = JSON.stringify({ ...head, facts: [order('A-1', {}, { item_name: '茶X' })] }).split('X')
    return Buffer.concat([Buffer.from(before ?? ''), Buffer.from([0xc3, 0x28]), Buffer.from(after ?? '')])
  }
  for (const answer of [await api.post(told({})), await api.deliver(told({ type: 'facts' }))]) {
    assert.deepEqual([answer.status, answer.code], [400, 'invalid_request'])
    assert.match(answer.text, /no UTF-8/)
  }
  assert.equal(await api.count('intake.inbox'), 0)
  for (const broken of ['{"facts":[', '{"facts":[],"__proto__":{"x":1}}', '']) {
    assert.equal((await api.post(Buffer.from(broken))).status, 400, broken)
  }
  assert.equal((await api.deliver(Buffer.from(JSON.stringify({ type: 'facts', facts: [order('A-1')] })))).status, 200)
})

test('a delivery beyond five megabytes is refused before its signature is looked at', async (t) => {
  const api = await startApi(t)
  const answer = await api.deliver(Buffer.from(`{"type":"facts","facts":["${repeat('x', 5 * 1024 * 1024)}"]}`))
  assert.equal(answer.status, 413)
})

test('a negative amount gives money back, and never both in one fact', async (t) => {
  const api = await startApi(t)
  const { results } = await api.post({
    facts: [
      order('A-1', {}, { unit_price: '-5.00' }),
      order('A-2', {
        lines: [
          { item: 'tea', unit_price: '-5.00' },
          { item: 'pot', unit_price: '3.00' },
        ],
      }),
      order('A-3', {}, { quantity: '-0' }),
      order('A-4', {}, { quantity: '1e9' }),
      order('A-5', {}, { unit_price: 'NaN' }),
      order('A-6', { currency: 'XYZ' }),
      order('A-7', { paid_at: '2026-06-01T00:00:01Z' }),
      order('A-8', { paid_at: '2026-02-30T00:00:00Z' }),
      order('A-9', { colour: 'red' }),
    ],
  })
  const said = results.map(({ status, error }) => error?.code ?? status)
  assert.deepEqual(said, [
    'new',
    'mixed_refund',
    'new',
    'invalid',
    'invalid',
    'unknown_currency',
    'future_time',
    'invalid',
    'invalid',
  ])
  assert.match(results[5]?.error?.message ?? '', /XYZ/)
  const { rows } = await api.database.pool.query('select external_id, amount_minor from commerce.refunds')
  assert.deepEqual(rows, [{ external_id: 'A-1', amount_minor: 500 }])
})

test('markup and formulas are stored as text and leave as JSON that no browser reads as a page', async (t) => {
  const api = await startApi(t)
  const name = '<script>alert(1)</script>=HYPERLINK("http://example.com")'
  const customer = '=1+1<img src=x>'
  const identity = { kind: 'own_id', value: customer }
  const facts = [
    order('<b>A-1</b>', { customer_id: customer }, { item: '@SUM(1)', item_name: name }),
    { kind: 'person', source: 'shop', external_id: 'p', name, identities: [identity] },
    {
      kind: 'connection',
      source: 'shop',
      external_id: 'c',
      identity,
      channel: '<i>wecom</i>',
      staff: '+cmd',
      begun_at: '2026-05-01T00:00:00Z',
    },
  ]
  const sent = await api.post({ facts })
  assert.deepEqual(
    sent.results.map(({ status }) => status),
    ['new', 'new', 'new'],
  )
  const key = encodeURIComponent(customer)
  const answers = [await api.get(`/api/v1/persons?key=${key}`), await api.get(`/api/v1/persons/${key}/orders`)]
  for (const { status, type, nosniff } of [sent, ...answers]) {
    assert.equal(status, 200)
    assert.match(type ?? '', /^application\/json/)
    assert.equal(nosniff, 'nosniff')
  }
  const [person, orders] = answers.map(({ text }) => JSON.parse(text))
  assert.deepEqual([person.identities[0].value, person.connections[0].channel], [customer, '<i>wecom</i>'])
  assert.equal(orders.orders[0].external_id, '<b>A-1</b>')
  assert.deepEqual([orders.orders[0].lines[0].item, orders.orders[0].lines[0].item_name], ['@SUM(1)', name])
  const { rows } = await api.database.pool.query('select name from customers.records')
  assert.deepEqual(rows, [{ name }])
})
