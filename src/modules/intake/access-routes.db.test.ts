import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import { systemClock } from '../../platform/clock.ts'

type Wire = Record<string, unknown> & { error?: { code: string } }

test('a key made in the console works until it is revoked, and is shown once', async (t) => {
  const { http } = await testConsole(t, systemClock)
  const { cookie } = await userOf(http, 'owner')
  const call = async (path: string, options: object = {}) => {
    const response = await http.send(path, { cookie, ...options })
    return { status: response.status, wire: (await response.json()) as Wire }
  }
  const made = await call('/api/v1/api-keys', { body: { name: 'till', scopes: ['people:read'] } })
  const key = String(made.wire.key)
  assert.match(key, /^pk_main_/)
  const listed = await call('/api/v1/api-keys')
  assert.ok(!JSON.stringify(listed.wire).includes(key))
  assert.deepEqual((listed.wire.api_keys as Wire[])[0]?.name, 'till')
  const asked = () => http.send('/api/v1/persons?key=nobody', { headers: { authorization: `Bearer ${key}` } })
  assert.equal((await asked()).status, 404)
  const revoked = await call(`/api/v1/api-keys/${made.wire.key_id}`, { method: 'DELETE' })
  assert.equal(typeof revoked.wire.revoked_at, 'string')
  assert.equal((await asked()).status, 401)
  assert.equal((await call('/api/v1/api-keys/999', { method: 'DELETE' })).status, 404)

  const webhook = await call('/api/v1/webhook-sources', { body: { source: 'shop & co' } })
  assert.match(String(webhook.wire.secret), /^whsec_/)
  assert.equal(webhook.wire.path, '/api/v1/webhooks/shop%20%26%20co?brand=main')
  const sources = await call('/api/v1/webhook-sources')
  assert.ok(!JSON.stringify(sources.wire).includes('whsec_'))
  const gone = await call(`/api/v1/webhook-sources/${webhook.wire.webhook_id}`, { method: 'DELETE' })
  assert.deepEqual(gone.wire, { webhook_id: webhook.wire.webhook_id, source: 'shop & co' })
})

test('an integrator makes no key that sees more than they do', async (t) => {
  const { http } = await testConsole(t, systemClock)
  const { cookie } = await userOf(http, 'integrator')
  const make = async (...scopes: string[]) => {
    const response = await http.send('/api/v1/api-keys', { cookie, body: { name: 'till', scopes } })
    return ((await response.json()) as Wire).error?.code ?? response.status
  }
  assert.equal(await make('facts:write', 'metrics:read'), 200)
  assert.equal(await make('people:read'), 'scope_not_yours')
  assert.equal(await make('facts:write', 'people:read'), 'scope_not_yours')
  assert.equal(await make('everything'), 'invalid_request')
  assert.equal((await http.send('/api/v1/people', { cookie })).status, 403)
})
