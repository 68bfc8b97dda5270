import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { statusUnderHost, type TestHttp, testHttp } from '../../test/http.ts'
import type { Http } from './http.ts'
import { createMetrics } from './metrics.ts'
import { refuse } from './refusal.ts'

/** One route for each way in which a handler can end. */
function endings(app: Http): void {
  const config = { policy: 'public' } as const
  const kinds = z.object({ kind: z.enum(['invalid', 'forbidden', 'missing', 'conflict', 'over_limit']) })
  app.get(
    '/api/v1/test/refusal/:kind',
    { config, schema: { params: kinds, response: { 200: z.object({ never: z.string() }) } } },
    async (request, reply) =>
      reply.answer<{ never: string }>(refuse(request.params.kind, 'test_refusal', 'This is why.', 'Do that.')),
  )
  app.get('/api/v1/test/thrown-refusal', { config }, async () => {
    throw refuse('conflict', 'test_refusal', 'This is why.', 'Do that.')
  })
  app.get('/api/v1/test/failure', { config }, async () => {
    throw Object.assign(new Error('password of the database is hunter2'), { detail: 'Key (email)=(lin@example.com)' })
  })
  app.get('/api/v1/test/failure-with-status', { config }, async () => {
    throw Object.assign(new Error('password of the database is hunter2'), { statusCode: 404 })
  })
  app.get(
    '/api/v1/test/ill-formed',
    { config, schema: { response: { 200: z.object({ count: z.number() }) } } },
    async () => ({ count: Number.NaN }),
  )
  app.post('/api/v1/test/echo', { config, schema: { body: z.object({ n: z.number().max(9) }) } }, async (request) => ({
    n: request.body.n,
  }))
  app.get('/api/v1/test/whoami', { config: { permission: 'account:own' } }, async (request) => ({
    role: request.user?.role,
  }))
}

type ErrorBody = { error: { code: string; kind: string; message: string; remedy: string } }

async function errorOf(response: Response): Promise<ErrorBody['error']> {
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
  return ((await response.json()) as ErrorBody).error
}

const html = { accept: 'text/html,application/xhtml+xml' }

test('a refusal leaves with the status of its kind', async (t) => {
  const http = await testHttp(t, { routes: endings })
  const expected = { invalid: 400, forbidden: 403, missing: 404, conflict: 409, over_limit: 429 }
  for (const [kind, status] of Object.entries(expected)) {
    const response = await http.send(`/api/v1/test/refusal/${kind}`)
    assert.equal(response.status, status)
    assert.deepEqual(await response.json(), {
      error: { code: 'test_refusal', kind, message: 'This is why.', remedy: 'Do that.' },
    })
  }
  assert.equal((await errorOf(await http.send('/api/v1/test/thrown-refusal'))).code, 'test_refusal')
})

test('a failure tells the caller a number and the log the reason, without the row', async (t) => {
  const http = await testHttp(t, { routes: endings })
  for (const path of ['failure', 'failure-with-status', 'ill-formed']) {
    const response = await http.send(`/api/v1/test/${path}?secret=swordfish`, { cookie: 'a=b' })
    assert.equal(response.status, 500, path)
    const { code, message, remedy } = await errorOf(response)
    assert.equal(code, 'internal_error')
    assert.ok(message.includes(response.headers.get('x-request-id') ?? 'no id'))
    assert.doesNotMatch(message + remedy, /hunter2|\.ts|node:/)
  }
  const logged = http.log.join()
  assert.match(logged, /"method":"GET","route":"\/api\/v1\/test\/failure"/)
  assert.match(logged, /hunter2/)
  assert.doesNotMatch(logged, /lin@example\.com|swordfish|a=b/)
})

test('what does not fit its schema is named', async (t) => {
  const http = await testHttp(t, { routes: endings })
  const wrong = await http.send('/api/v1/test/echo', { body: { n: 10 } })
  assert.equal(wrong.status, 400)
  const { code, kind, message } = await errorOf(wrong)
  assert.deepEqual([code, kind], ['invalid_request', 'invalid'])
  assert.match(message, /^n: /)
  assert.equal((await http.send('/api/v1/test/echo', { body: { n: 9 } })).status, 200)

  const noJson = await fetch(`${http.baseUrl}/api/v1/test/echo`, {
    method: 'POST',
    headers: { origin: http.baseUrl, 'content-type': 'application/json' },
    body: '{',
  })
  assert.equal(noJson.status, 400)
  assert.equal((await errorOf(noJson)).kind, 'invalid')
  const form = await fetch(`${http.baseUrl}/api/v1/test/echo`, {
    method: 'POST',
    headers: { origin: http.baseUrl, 'content-type': 'text/plain' },
    body: '{"n":1}',
  })
  assert.equal(form.status, 415)
  assert.equal((await errorOf(form)).code, 'ctp_invalid_media_type')
  const long = await http.send('/api/v1/test/echo', { body: { n: 1, padding: 'x'.repeat(1024 * 1024) } })
  assert.equal(long.status, 413)
  assert.equal((await errorOf(long)).kind, 'over_limit')
  assert.equal((await errorOf(await http.send('/api/v1/test/refusal/%'))).kind, 'invalid')
})

test('a route without a policy ends the start', async (t) => {
  const routes = (app: Http) => app.get('/api/v1/forgotten', async () => ({}))
  await assert.rejects(testHttp(t, { routes }), /GET \/api\/v1\/forgotten declares no permission/)
})

test('a route for the signed-in answers 401 to anybody else', async (t) => {
  const http = await testHttp(t, { routes: endings })
  const stranger = await http.send('/api/v1/test/whoami')
  assert.equal(stranger.status, 401)
  assert.equal((await errorOf(stranger)).code, 'not_signed_in')
  assert.equal((await http.send('/api/v1/test/whoami', { cookie: 'perennial.session_token=forged.sig' })).status, 401)
  assert.equal((await http.send('/api/v1/test/whoami', { method: 'HEAD' })).status, 401)
  assert.deepEqual(await (await http.send('/api/v1/session')).json(), { signed_in: false })
  const cookie = await http.signInByLink()
  assert.deepEqual(await (await http.send('/api/v1/test/whoami', { cookie })).json(), { role: 'owner' })
})

test('an expired session is no session', async (t) => {
  const http = await testHttp(t, { routes: endings })
  const cookie = await http.signInByLink()
  await http.database.pool.query(`update auth.sessions set expires_at = expires_at - interval '31 days'`)
  assert.equal((await http.send('/api/v1/test/whoami', { cookie })).status, 401)
})

test('only our own pages change anything', async (t) => {
  const http = await testHttp(t, { routes: endings, publicUrl: 'https://crm.example.com' })
  const { port } = new URL(http.baseUrl)
  const post = async (headers: Record<string, string>) => {
    const response = await fetch(`${http.baseUrl}/api/v1/test/echo`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{"n":1}',
    })
    return response.status === 403 ? (await errorOf(response)).code : response.status
  }
  assert.equal(await post({ origin: http.baseUrl }), 200)
  assert.equal(await post({ origin: `http://localhost:${port}` }), 200)
  assert.equal(await post({ origin: 'https://crm.example.com' }), 200)
  // As through a forwarded port, where the browser knows another port than the server.
  assert.equal(await post({ origin: 'http://localhost:9000', 'sec-fetch-site': 'same-origin' }), 200)
  assert.equal(await post({ origin: 'https://evil.example' }), 'foreign_origin')
  assert.equal(await post({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }), 'foreign_origin')
  assert.equal(await post({ origin: `http://localhost:${Number(port) + 1}` }), 'foreign_origin')
  assert.equal(await post({ origin: 'null' }), 'foreign_origin')
  assert.equal(await post({}), 'foreign_origin')
  assert.equal(
    (await http.send('/api/auth/sign-out', { body: {}, headers: { origin: 'https://evil.example' } })).status,
    403,
  )
})

test('it answers under its own names only (DNS rebinding)', async (t) => {
  const http = await testHttp(t, { publicUrl: 'https://crm.example.com' })
  const { port } = new URL(http.baseUrl)
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, 'localhost:9000', 'crm.example.com']) {
    assert.equal(await statusUnderHost(http.baseUrl, '/healthz', host), 200, host)
  }
  for (const host of [`evil.example:${port}`, '127.0.0.1.evil.example', 'localhost@evil.example', '10.0.0.1']) {
    for (const path of ['/healthz', '/', '/api/v1/session', '/nowhere']) {
      assert.ok([400, 421].includes((await statusUnderHost(http.baseUrl, path, host)) ?? 0), `${host}${path}`)
    }
  }
})

test('the console comes with its guards, and its pages are its own business', async (t) => {
  const http = await testHttp(t)
  for (const path of ['/', '/people/17?depth=3', '/sign-in', '/index.html']) {
    const page = await http.send(path, { headers: html })
    assert.equal(page.status, 200, path)
    assert.match(await page.text(), /<title>console<\/title>/)
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/)
    assert.equal(page.headers.get('cache-control'), 'no-cache')
    assert.equal(
      page.headers.get('content-security-policy'),
      "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
        "frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'self'",
    )
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(page.headers.get('referrer-policy'), 'same-origin')
    assert.equal(page.headers.get('cross-origin-opener-policy'), 'same-origin')
  }
  const script = await http.send('/assets/app-1a2b3c.js')
  assert.equal(script.headers.get('cache-control'), 'public, max-age=31536000, immutable')
  assert.match(script.headers.get('content-type') ?? '', /javascript/)
})

test('what is not there is missing, in JSON', async (t) => {
  const http = await testHttp(t)
  const missing: [string, RequestInit['method'], Record<string, string>][] = [
    ['/api/v1/nothing', 'GET', html],
    ['/api/nothing', 'POST', html],
    ['/api', 'GET', html],
    ['/assets/app-old.js', 'GET', html],
    ['/people', 'GET', { accept: '*/*' }],
    ['/people', 'POST', html],
    ['/%2e%2e/%2e%2e/etc/passwd', 'GET', { accept: '*/*' }],
    ['/.stamp', 'GET', { accept: '*/*' }],
  ]
  for (const [path, method, headers] of missing) {
    const response = await http.send(path, { method: method ?? 'GET', headers })
    assert.equal(response.status, 404, path)
    assert.equal((await errorOf(response)).kind, 'missing', path)
  }
})

test('health needs no sign-in and says what is wrong', async (t) => {
  const well = await testHttp(t)
  const response = await well.send('/healthz')
  assert.equal(response.status, 200)
  assert.deepEqual(await response.json(), {
    status: 'ok',
    version: '0.0.0-test',
    database: { major: 18, embedded: true },
    brand: 'main',
    freshness: null,
  })

  const ill: TestHttp = await testHttp(t, {
    health: async () => {
      await ill.database.pool.query('select 1')
      return { database: { major: 18, embedded: true }, brand: null, freshness: null }
    },
  })
  assert.equal((await ill.send('/healthz')).status, 200)
  await ill.database.close()
  const unwell = await ill.send('/healthz')
  assert.equal(unwell.status, 503)
  assert.deepEqual(await unwell.json(), {
    status: 'unavailable',
    version: '0.0.0-test',
    problem: 'The database does not answer.',
  })
})

test('figures are for keys that may read them, and name routes, not addresses', async (t) => {
  const metrics = createMetrics()
  const http: TestHttp = await testHttp(t, {
    metrics,
    keys: {
      find: async (key) => {
        const brand = { key: 'main', name: 'Main', isDemo: false, databaseName: 'main', isCurrent: true }
        const scopes = key === 'pk_main_reads' ? ['metrics:read'] : ['people:read']
        return { brand, database: http.database, keyId: key, scopes }
      },
    },
  })
  const read = (key?: string) => http.send('/metrics', key ? { headers: { authorization: `Bearer ${key}` } } : {})
  await http.send('/sign-in/a-secret-token')
  assert.equal((await read()).status, 401)
  assert.equal((await read('pk_main_other')).status, 403)
  const response = await read('pk_main_reads')
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  const text = await response.text()
  assert.match(
    text,
    /^perennial_http_request_duration_seconds_count\{method="GET",route="\/sign-in\/:token",status="\d+"\} 1$/m,
  )
  assert.match(text, /route="\/metrics",status="403"\} 1$/m)
  assert.ok(!text.includes('a-secret-token'))
})

const openApi = z.object({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), z.object({ responses: z.record(z.string(), z.unknown()) }))),
})

test('the API describes itself in OpenAPI 3.1', async (t) => {
  const http = await testHttp(t, { routes: endings })
  await http.app.ready()
  const document = openApi.parse(http.app.swagger())
  assert.equal(document.openapi, '3.1.0')
  assert.deepEqual(
    Object.keys(document.paths).filter((path) => !path.includes('/test/')),
    [
      '/healthz',
      '/api/auth/sign-in/email',
      '/api/auth/sign-out',
      '/api/v1/session',
      '/api/v1/account',
      '/api/v1/users',
      '/api/v1/users/{user_id}',
      '/api/v1/users/{user_id}/link',
      '/api/v1/users/{user_id}/sessions',
      '/api/v1/sessions',
      '/api/v1/sessions/{session_id}',
      '/api/v1/invitations',
      '/api/v1/invitations/{invitation_id}',
      '/api/v1/invitation',
      '/api/v1/invitations/accept',
    ],
  )
  assert.deepEqual(Object.keys(document.paths['/api/v1/session']?.get?.responses ?? {}), ['200', '4XX'])
  assert.match(JSON.stringify(document.paths['/api/v1/account']?.post?.responses), /has_password/)
})
