import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startProduct } from '../../test/product.ts'

test('keys and webhooks are made, listed and revoked on the command line, and the server beside it heeds them', async (t) => {
  const product = await startProduct(t)
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await product.cli(...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }
  const post = async (key: string) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    return (await fetch(`${product.url}/api/v1/facts`, { method: 'POST', headers, body: '{"facts":[]}' })).status
  }

  const made = await json('api-key-create', 'my shop', '--scope', 'facts:write', '--scope', 'people:read')
  const { key, ...rest } = made
  assert.match(key, /^pk_main_[A-Za-z0-9]{32}$/)
  assert.deepEqual(rest, { key_id: 1, name: 'my shop', scopes: ['facts:write', 'people:read'], brand: 'main' })
  assert.equal(await post(key), 200)

  const { api_keys } = await json('api-key-list')
  assert.deepEqual(Object.keys(api_keys[0]).sort(), [
    'created_at',
    'created_by',
    'key_id',
    'last_used_at',
    'name',
    'revoked_at',
    'scopes',
  ])
  assert.doesNotMatch(JSON.stringify(api_keys), new RegExp(key.slice(-32)))
  assert.ok((await json('api-key-revoke', '1')).revoked_at)
  assert.equal(await post(key), 401)

  const webhook = await json('webhook-create', 'my shop')
  assert.match(webhook.secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  assert.equal(webhook.url, `${product.url}/api/v1/webhooks/my%20shop?brand=main`)
  assert.deepEqual(await json('webhook-revoke', '1'), { webhook_id: 1, source: 'my shop' })

  for (const args of [
    ['api-key-create', ' ', '--scope', 'facts:write'],
    ['api-key-revoke', '99'],
    ['webhook-create', ' a'],
  ]) {
    assert.equal((await product.cli(...args)).code, 1, args.join(' '))
  }
})
