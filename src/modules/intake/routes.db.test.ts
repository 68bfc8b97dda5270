import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { testDatabase } from '../../../test/database.ts'
import { NO_DECISIONS, type TestHttpOptions, testHttp } from '../../../test/http.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { brandByName, keysOfInstallation, WEBHOOK_KEY_FILE } from '../../bin/access.ts'
import { registerRoutes } from '../../bin/routes.ts'
import { createSettling } from '../../bin/settling.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { openVault } from '../../platform/secrets.ts'
import { createApiKey, createWebhook, listApiKeys, revokeApiKey, revokeWebhook } from './access.ts'
import type { ApiScope, FactResult } from './schema.ts'

const NOW = new Date('2026-06-01T00:00:00Z')
const DESK = { key: 'main', name: 'Main', isDemo: false, databaseName: 'main', isCurrent: true }

interface Wire {
  readonly error?: { code: string; kind: string; message: string }
  readonly results?: FactResult[]
  readonly status?: string
}

/** The server with every module's routes on a brand's database, standing brought up to date as in the product. */
async function testApi(t: TestContext, options: TestHttpOptions = {}) {
  let now = NOW
  const clock: Clock = { now: () => now }
  const settling = createSettling(clock, { log: (sentence) => assert.fail(sentence) })
  // Before the database, so that it also ends before it.
  t.after(() => settling.stop())
  const { database } = await testDatabase(t)
  const home = await mkdtemp(join(scratchFolder(), 'perennial-api-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const installation = { brands: async () => [DESK], openBrand: async () => database }
  const vault = openVault(home, WEBHOOK_KEY_FILE)
  const brandOf = async () => ({ brand: DESK, database })
  const brandNamed = brandByName(installation)
  const http = await testHttp(t, {
    ...options,
    brandOf,
    keys: keysOfInstallation(installation, clock, async () => false),
    routes: (app) =>
      registerRoutes(app, { ...NO_DECISIONS, brandOf, brandNamed, clock, settle: settling.settle, vault }),
  })

  async function keyFor(...scopes: ApiScope[]): Promise<string> {
    const made = await createApiKey(database.db, 'main', { name: 'test', scopes }, now)
    if (isRefusal(made)) throw new Error(made.message)
    return made.key
  }

  /** As a program asks: no Origin, no cookie. */
  async function ask(path: string, init: { key?: string; body?: unknown; raw?: string; headers?: object } = {}) {
    const body = init.raw ?? (init.body === undefined ? null : JSON.stringify(init.body))
    const response = await fetch(http.baseUrl + path, {
      method: body === null ? 'GET' : 'POST',
      headers: {
        ...(init.key ? { authorization: `Bearer ${init.key}` } : {}),
        ...(body === null ? {} : { 'content-type': 'application/json' }),
        ...init.headers,
      },
      body,
    })
    const wire = (await response.json()) as Wire & Record<string, unknown>
    return { status: response.status, code: wire.error?.code, headers: response.headers, wire }
  }

  async function webhookFor(source: string) {
    const made = await createWebhook(database.db, vault, source, now)
    if (isRefusal(made)) throw new Error(made.message)
    return made
  }

  const setNow = (instant: Date) => {
    now = instant
  }
  return { database, home, http, keyFor, ask, webhookFor, setNow }
}

function order(id: string, customer = 'lin', source = 'shop') {
  const lines = [{ item: 'tea', quantity: 1, unit_price: 10 }]
  return {
    kind: 'order',
    source,
    external_id: id,
    customer_id: customer,
    paid_at: '2026-05-01T12:00:00+08:00',
    lines,
  }
}

function signed(secret: string, id: string, at: Date, raw: string): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000))
  const bytes = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const signature = createHmac('sha256', bytes).update(`${id}.${timestamp}.${raw}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

test('a key opens what its scopes say, without an Origin', async (t) => {
  const api = await testApi(t)
  const writer = await api.keyFor('facts:write')
  const reader = await api.keyFor('people:read')
  const sent = await api.ask('/api/v1/facts', { key: writer, body: { facts: [order('A-1'), { kind: 'order' }] } })
  assert.equal(sent.status, 200)
  assert.deepEqual(
    sent.wire.results?.map((result) => result.status),
    ['new', 'refused'],
  )
  const lacking = await api.ask('/api/v1/facts', { key: reader, body: { facts: [] } })
  assert.deepEqual([lacking.status, lacking.code], [403, 'missing_scope'])
  const alsoLacking = await api.ask('/api/v1/persons?key=lin', { key: writer })
  assert.deepEqual([alsoLacking.status, alsoLacking.code], [403, 'missing_scope'])
  const found = await api.ask('/api/v1/persons?key=shop:lin', { key: reader })
  assert.deepEqual(found.wire.identities, [{ kind: 'own_id', namespace: 'shop', value: 'lin' }])
  assert.equal((await api.ask('/api/v1/persons?key=nobody', { key: reader })).status, 404)
})

test('wrong, mangled, absent and revoked keys are all the same to the sender', async (t) => {
  const api = await testApi(t, { rates: { requestsPerKey: 100, wrongPerAddress: 100 } })
  const key = await api.keyFor('facts:write')
  const wrong = [
    undefined,
    'pk_main_short',
    `${key}x`,
    key.replace('pk_main', 'pk_other'),
    `pk_main_${'a'.repeat(32)}`,
    'x'.repeat(5000),
  ]
  for (const one of wrong) {
    const refused = await api.ask('/api/v1/facts', { ...(one ? { key: one } : {}), body: { facts: [] } })
    assert.deepEqual([refused.status, refused.code], [401, 'bad_key'], one)
  }
  assert.equal((await api.ask('/api/v1/facts', { key, body: { facts: [] } })).status, 200)
  assert.equal(isRefusal(await revokeApiKey(api.database.db, 1, NOW)), false)
  const revoked = await api.ask('/api/v1/facts', { key, body: { facts: [] } })
  assert.deepEqual([revoked.status, revoked.code], [401, 'bad_key'])
  const [listed] = await listApiKeys(api.database.db)
  assert.deepEqual(
    [listed?.last_used_at, listed?.revoked_at, listed?.scopes],
    [NOW.toISOString(), NOW.toISOString(), ['facts:write']],
  )
  const { rows } = await api.database.pool.query('select * from intake.api_keys')
  assert.doesNotMatch(JSON.stringify(rows), new RegExp(key.slice(-32)))
})

test('people are read by a key or by a session, and facts by a key only', async (t) => {
  const api = await testApi(t)
  const key = await api.keyFor('facts:write', 'people:read')
  await api.ask('/api/v1/facts', { key, body: { facts: [order('B-1')] } })
  const stranger = await api.http.send('/api/v1/persons/lin/orders')
  assert.equal(stranger.status, 401)
  const cookie = await api.http.signInByLink()
  assert.equal((await api.http.send('/api/v1/persons/lin/orders', { cookie })).status, 200)
  assert.equal((await api.http.send('/api/v1/facts', { cookie, body: { facts: [] } })).status, 401)
  // A key is not asked where a session is meant, and a wrong one is not covered by a session.
  assert.equal((await api.ask('/api/v1/brief', { key })).status, 401)
  const headers = { authorization: 'Bearer pk_main_wrong' }
  assert.equal((await api.http.send('/api/v1/persons/lin/orders', { cookie, headers })).status, 401)
})

test('more requests of a key, or wrong keys of an address, than a minute allows are told when to come again', async (t) => {
  const api = await testApi(t, { rates: { requestsPerKey: 3, wrongPerAddress: 2 } })
  const [key, other] = [await api.keyFor('people:read'), await api.keyFor('people:read')]
  const path = '/api/v1/persons?key=nobody'
  for (let index = 0; index < 3; index += 1) assert.equal((await api.ask(path, { key })).status, 404)
  const tooMany = await api.ask(path, { key })
  assert.deepEqual([tooMany.status, tooMany.code], [429, 'too_many_requests'])
  const seconds = Number(tooMany.headers.get('retry-after'))
  assert.ok(seconds > 0 && seconds <= 60)
  const wrong = []
  for (let index = 0; index < 3; index += 1) wrong.push((await api.ask(path, { key: 'pk_main_wrong' })).status)
  assert.deepEqual(wrong, [401, 401, 429])
  assert.equal((await api.ask(path, { key: other })).status, 404, 'a right key of the same address goes on')
})

test('a body may be five megabytes and its shape is fixed', async (t) => {
  const api = await testApi(t)
  const key = await api.keyFor('facts:write')
  const long = await api.ask('/api/v1/facts', { key, body: { facts: [{ text: 'x'.repeat(5 * 1024 * 1024) }] } })
  assert.deepEqual([long.status, long.wire.error?.kind], [413, 'over_limit'])
  const fits = await api.ask('/api/v1/facts', { key, body: { facts: [{ text: 'x'.repeat(4 * 1024 * 1024) }] } })
  assert.deepEqual([fits.status, fits.wire.results?.[0]?.status], [200, 'refused'])
  for (const body of [{}, { facts: {} }, { facts: [], mode: 'x' }, []]) {
    const refused = await api.ask('/api/v1/facts', { key, body })
    assert.deepEqual([refused.status, refused.code], [400, 'invalid_request'])
  }
  const many = await api.ask('/api/v1/facts', { key, body: { facts: Array.from({ length: 1001 }, () => ({})) } })
  assert.deepEqual([many.status, many.code], [400, 'too_many_facts'])
})

test('orders are read newest first, page by page, each once', async (t) => {
  const api = await testApi(t)
  const key = await api.keyFor('facts:write', 'people:read')
  // Four of them in one microsecond.
  const days = ['01', '02', '03', '03', '03', '03', '04']
  const facts = days.map((day, index) => ({ ...order(`C-${index}`), paid_at: `2026-05-${day}T08:00:00.123456Z` }))
  const back = { ...order('C-back'), paid_at: '2026-05-09T08:00:00Z', refund_of: 'C-6' }
  await api.ask('/api/v1/facts', { key, body: { facts: [...facts, back] } })
  const seen: string[] = []
  let after = ''
  for (let page = 0; page < 10; page += 1) {
    const { wire } = await api.ask(`/api/v1/persons/lin/orders?limit=2${after && `&after=${after}`}`, { key })
    const orders = wire.orders as { external_id: string; refunded_minor: number; lines: { quantity: string }[] }[]
    if (page === 0) assert.deepEqual([orders[0]?.refunded_minor, orders[0]?.lines[0]?.quantity], [1000, '1'])
    seen.push(...orders.map((one) => one.external_id))
    if (typeof wire.next !== 'string') break
    after = wire.next
  }
  assert.deepEqual(seen, ['C-6', 'C-5', 'C-4', 'C-3', 'C-2', 'C-1', 'C-0'])
  assert.equal(
    (await api.ask('/api/v1/persons/lin/orders?limit=7', { key })).wire.next,
    null,
    'a full page may be the last',
  )
  const forged = await api.ask(`/api/v1/persons/lin/orders?after=${Buffer.from('1 now()').toString('base64url')}`, {
    key,
  })
  assert.deepEqual([forged.status, forged.code], [400, 'bad_cursor'])
})

test('a posted order moves its person within a second', async (t) => {
  const api = await testApi(t)
  const key = await api.keyFor('facts:write', 'people:read')
  const connection = {
    kind: 'connection',
    source: 'shop',
    external_id: 'c-1',
    identity: { kind: 'own_id', value: 'lin' },
    channel: 'wecom',
    begun_at: '2026-04-01T00:00:00Z',
  }
  const depths: unknown[] = []
  for (const fact of [connection, order('D-1'), { ...order('D-2'), paid_at: '2026-05-03T00:00:00Z' }]) {
    const answer = await api.ask('/api/v1/facts', { key, body: { facts: [fact] } })
    assert.deepEqual(
      answer.wire.results?.map((result) => result.status),
      ['new'],
    )
    const answered = performance.now()
    const before = depths.at(-1)
    let depth = before
    while (depth === before && performance.now() - answered < 1000) {
      depth = (await api.ask('/api/v1/persons/lin/standing', { key })).wire.depth_key
      if (depth === before) await sleep(20)
    }
    depths.push(depth)
  }
  assert.deepEqual(depths, ['connected', 'buyer', 'repeat_buyer'])
})

test('a signed delivery is stored once', async (t) => {
  const api = await testApi(t)
  const { secret } = await api.webhookFor('shop')
  const raw = `{ "type": "facts",\n "facts": ${JSON.stringify([order('E-1'), order('E-2', 'wu', 'till')])} }`
  const headers = signed(secret, 'msg_1', NOW, raw)
  const first = await api.ask('/api/v1/webhooks/shop', { raw, headers })
  assert.equal(first.status, 200)
  assert.deepEqual(
    [first.wire.status, first.wire.results?.map(({ status, error }) => error?.code ?? status)],
    ['stored', ['new', 'other_source']],
  )
  const again = await api.ask('/api/v1/webhooks/shop?brand=main', { raw, headers })
  assert.deepEqual([again.status, again.wire], [200, { status: 'known', results: [] }])
  // Another delivery with the same facts: known by themselves.
  const renamed = await api.ask('/api/v1/webhooks/shop', { raw, headers: signed(secret, 'msg_2', NOW, raw) })
  assert.deepEqual([renamed.wire.status, renamed.wire.results?.[0]?.status], ['stored', 'known'])
  const { rows } = await api.database.pool.query('select count(*) as orders from commerce.orders')
  assert.equal(rows[0].orders, 1)
})

test('a delivery that is not signed, signed late, or signed by somebody else is refused', async (t) => {
  const api = await testApi(t, { rates: { requestsPerKey: 100, wrongPerAddress: 12 } })
  const { secret, webhook_id } = await api.webhookFor('shop')
  const other = await api.webhookFor('till')
  const raw = JSON.stringify({ type: 'facts', facts: [order('F-1')] })
  const good = signed(secret, 'msg_1', NOW, raw)
  const minutes = (count: number) => new Date(NOW.getTime() + count * 60_000)
  const refused: [string, Record<string, string>, string][] = [
    ['/api/v1/webhooks/shop', {}, raw],
    ['/api/v1/webhooks/shop', good, raw.replace('tea', 'tee')],
    ['/api/v1/webhooks/shop', { ...good, 'webhook-id': 'msg_2' }, raw],
    ['/api/v1/webhooks/shop', { ...good, 'webhook-timestamp': String(Number(good['webhook-timestamp']) + 1) }, raw],
    [
      '/api/v1/webhooks/shop',
      { ...good, 'webhook-signature': (good['webhook-signature'] ?? '').replace('v1,', 'v1a,') },
      raw,
    ],
    ['/api/v1/webhooks/shop', { ...good, 'webhook-signature': 'v1,' }, raw],
    ['/api/v1/webhooks/shop', signed(secret, 'msg_1', minutes(-5.1), raw), raw],
    ['/api/v1/webhooks/shop', signed(secret, 'msg_1', minutes(5.1), raw), raw],
    ['/api/v1/webhooks/shop', signed(other.secret, 'msg_1', NOW, raw), raw],
    ['/api/v1/webhooks/till', good, raw],
    ['/api/v1/webhooks/nobody', good, raw],
  ]
  for (const [path, headers, body] of refused) {
    const answer = await api.ask(path, { raw: body, headers })
    assert.deepEqual([answer.status, answer.code], [401, 'bad_signature'], JSON.stringify(headers))
  }
  assert.equal((await api.ask('/api/v1/webhooks/shop?brand=none', { raw, headers: good })).status, 404)
  const several = `v1,${Buffer.alloc(32).toString('base64')} ${good['webhook-signature']}`
  assert.equal(
    (await api.ask('/api/v1/webhooks/shop', { raw, headers: { ...good, 'webhook-signature': several } })).status,
    200,
  )
  const late = signed(secret, 'msg_3', minutes(-4.9), raw)
  assert.equal((await api.ask('/api/v1/webhooks/shop', { raw, headers: late })).status, 200)
  await revokeWebhook(api.database.db, webhook_id, NOW)
  assert.equal(
    (await api.ask('/api/v1/webhooks/shop', { raw, headers: signed(secret, 'msg_4', NOW, raw) })).status,
    401,
  )
  assert.equal((await api.ask('/api/v1/webhooks/shop', { raw, headers: {} })).status, 429)
})

test('secrets of webhooks lie sealed, and receipts are let go after they can no longer matter', async (t) => {
  const api = await testApi(t)
  const { secret } = await api.webhookFor('shop')
  const { rows } = await api.database.pool.query<{ sealed_secret: Buffer }>(
    'select sealed_secret from intake.webhook_sources',
  )
  assert.equal(rows[0]?.sealed_secret.includes(Buffer.from(secret.replace('whsec_', ''), 'base64')), false)
  const keyFile = join(api.home, 'secrets', WEBHOOK_KEY_FILE)
  assert.equal((await stat(keyFile)).mode & 0o777, 0o600)
  assert.equal(Buffer.from(await readFile(keyFile, 'utf8'), 'base64url').length, 32)
  const raw = JSON.stringify({ type: 'facts', facts: [] })
  for (const days of [0, 1, 6]) {
    const at = new Date(NOW.getTime() + days * 24 * 3600 * 1000)
    api.setNow(at)
    const headers = signed(secret, `msg_${days}`, at, raw)
    assert.equal((await api.ask('/api/v1/webhooks/shop', { raw, headers })).wire.status, 'stored')
  }
  const kept = await api.database.pool.query('select webhook_id from intake.webhook_receipts')
  assert.deepEqual(
    kept.rows.map((row) => row.webhook_id),
    ['msg_6'],
  )
})

test('a delivery that is signed and no facts is refused, and can be sent again', async (t) => {
  const api = await testApi(t)
  const { secret } = await api.webhookFor('shop')
  for (const raw of ['{', '{"type":"order","facts":[]}', '{"type":"facts","facts":[],"more":1}', '""']) {
    const answer = await api.ask('/api/v1/webhooks/shop', { raw, headers: signed(secret, 'msg_1', NOW, raw) })
    assert.deepEqual([answer.status, answer.code], [400, 'invalid_request'], raw)
  }
  const raw = JSON.stringify({ type: 'facts', facts: [order('G-1')] })
  const sent = await api.ask('/api/v1/webhooks/shop', { raw, headers: signed(secret, 'msg_1', NOW, raw) })
  assert.equal(sent.wire.status, 'stored')
})
