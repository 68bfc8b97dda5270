import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConsole } from '../../test/console.ts'
import { userOf } from '../../test/roles.ts'
import type { Clock } from '../platform/clock.ts'
import { PERMISSIONS, ROLES, type Role } from '../platform/roles.ts'

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }

/** The table as docs/guide/en/roles.md has it: written here once more, so that a slip in the product's own shows. */
const TABLE: Record<string, string> = {
  //                  owner lead adviser analyst integrator outside_operator
  'account:own': '     x     x    x       x       x          x',
  'brief:read': '      x     x    x       x       -          x',
  'people:read': '     x     x    x       x       -          x',
  'segments:read': '   x     x    x       x       -          x',
  'segments:write': '  x     x    -       x       -          x',
  'people:export': '   x     x    -       -       -          -',
  'people:merge': '    x     x    -       -       -          -',
  'people:erase': '    x     x    -       -       -          -',
  'tags:write': '      x     x    x       -       -          -',
  'tags:manage': '     x     x    -       -       -          -',
  'imports:manage': '  x     x    -       -       x          -',
  'users:manage': '    x     x    -       -       -          -',
  'audit:read': '      x     x    -       -       -          -',
  'settings:read': '   x     x    x       x       x          x',
  'settings:change': ' x     x    -       -       -          -',
  'values:run': ' x     x    -       -       -          -',
  'api_keys:manage': ' x     -    -       -       x          -',
  'webhooks:manage': ' x     -    -       -       x          -',
}

function isAllowed(permission: string, role: Role): boolean {
  const row = TABLE[permission]?.trim().split(/\s+/)
  assert.ok(row && row.length === ROLES.length, `the table of this test lacks ${permission}`)
  return row[ROLES.indexOf(role)] === 'x'
}

test('the table of permissions is the one that is documented', () => {
  assert.deepEqual(Object.keys(PERMISSIONS), Object.keys(TABLE))
  for (const [permission, roles] of Object.entries(PERMISSIONS)) {
    assert.deepEqual(
      ROLES.filter((role) => isAllowed(permission, role)),
      roles,
      permission,
    )
  }
})

test('every role gets on every route exactly what the table says', async (t) => {
  const { http } = await testConsole(t, clock)
  const routes = http.app.declaredRoutes
  assert.ok(routes.length > 20, 'the running server lists its routes')
  for (const role of ROLES) {
    // Nothing below fits what a route takes, so nothing ends the session.
    const { cookie } = await userOf(http, role)
    for (const { method, url, config } of routes) {
      if (!config.permission) continue
      const path = url.replace(/:\w+/g, '1')
      // Without a body that fits: who is let in is refused for that, and nothing is changed.
      const body = method === 'GET' || method === 'HEAD' || method === 'DELETE' ? undefined : {}
      const response = await http.send(path, { method, cookie, body })
      const what = `${role}: ${method} ${url} -> ${response.status}`
      assert.ok(response.status < 500 && response.status !== 401, what)
      const { error } =
        method === 'HEAD'
          ? {}
          : ((await response.json()) as { error?: { code: string; message: string; remedy: string } })
      if (isAllowed(config.permission, role)) {
        assert.ok(error?.code !== 'not_allowed', what)
        if (method === 'HEAD') assert.notEqual(response.status, 403, what)
        continue
      }
      assert.equal(response.status, 403, what)
      if (!error) continue
      assert.equal(error.code, 'not_allowed', what)
      assert.ok(error.message.includes(role) && error.message.includes(config.permission), what)
      assert.ok(error.remedy.includes('owner'), what)
      assert.deepEqual(Object.keys(error).sort(), ['code', 'kind', 'message', 'remedy'])
    }
  }
})

test('who is not signed in gets 401 on every route that has a permission, and a foreign page gets 403', async (t) => {
  const { http } = await testConsole(t, clock)
  const { cookie } = await userOf(http, 'owner')
  for (const { method, url, config } of http.app.declaredRoutes) {
    if (!config.permission) continue
    const path = url.replace(/:\w+/g, '1')
    assert.equal((await http.send(path, { method })).status, 401, `${method} ${url}`)
    if (['GET', 'HEAD'].includes(method)) continue
    const foreign = await http.send(path, { method, cookie, headers: { origin: 'https://evil.example' } })
    const { error } = (await foreign.json()) as { error: { code: string } }
    assert.deepEqual([foreign.status, error.code], [403, 'foreign_origin'], `${method} ${url}`)
  }
})
