import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConsole } from '../../test/console.ts'
import { testDatabase } from '../../test/database.ts'
import { userOf } from '../../test/roles.ts'
import { pruneAudit, recordAudit } from '../modules/audit/actions.ts'
import type { Clock } from '../platform/clock.ts'

const DAY_MS = 86_400_000
const NOW = new Date('2026-06-01T00:00:00Z')
const clock: Clock = { now: () => NOW }

test('searches of a session are counted: too many are refused, and told when to come again', async (t) => {
  const rates = { requestsPerKey: 100, wrongPerAddress: 100, searchesPerSession: 3 }
  const { http } = await testConsole(t, clock, { rates })
  const [lead, owner] = [await userOf(http, 'lead'), await userOf(http, 'owner')]
  const ask = async (path: string, { cookie }: { cookie: string }) => {
    const response = await http.send(path, { cookie })
    const { error } = (await response.json()) as { error?: { code: string; kind: string } }
    return { status: response.status, error, wait: Number(response.headers.get('retry-after')) }
  }
  for (const path of ['/api/v1/people?search=a', '/api/v1/people?search=b', '/api/v1/persons?key=c']) {
    assert.ok((await ask(path, lead)).status !== 429, path)
  }
  for (const path of ['/api/v1/people?search=d', '/api/v1/persons?key=c', '/api/v1/people?search=a&depth=3']) {
    const { status, error, wait } = await ask(path, lead)
    assert.deepEqual([status, error?.kind, error?.code], [429, 'over_limit', 'too_many_requests'], path)
    assert.ok(wait > 0 && wait <= 60, 'seconds to wait')
  }
  assert.equal(
    (await ask('/api/v1/people?depth=3', lead)).status,
    200,
    'a list that searches for nobody is not counted',
  )
  assert.equal((await ask('/api/v1/people?search=a', owner)).status, 200, 'nor is another session')
})

test('a key works for as long as the account of who made it', async (t) => {
  let now = NOW
  const { http } = await testConsole(t, { now: () => now })
  const maker = await userOf(http, 'owner')
  const body = { name: 'till', scopes: ['people:read'] }
  const made = await http.send('/api/v1/api-keys', { cookie: maker.cookie, body })
  const { key, key_id } = (await made.json()) as { key: string; key_id: number }
  const listed = await http.send('/api/v1/api-keys', { cookie: maker.cookie })
  const { api_keys } = (await listed.json()) as { api_keys: { key_id: number; created_by: string }[] }
  assert.deepEqual(
    api_keys.map((known) => [known.key_id, known.created_by]),
    [[key_id, maker.userId]],
  )
  const ask = async () => {
    const response = await fetch(`${http.baseUrl}/api/v1/persons?key=nobody`, {
      headers: { authorization: `Bearer ${key}` },
    })
    return ((await response.json()) as { error: { code: string } }).error.code
  }
  const set = (column: string, value: Date | null) =>
    http.database.pool.query(`update auth.users set ${column} = $1 where id = $2`, [value, maker.userId])
  assert.equal(await ask(), 'no_such_person', 'the key is good')
  await set('disabled_at', now)
  assert.equal(await ask(), 'bad_key')
  await set('disabled_at', null)
  assert.equal(await ask(), 'no_such_person', 'opened again')
  await http.database.pool.query(`update auth.users set role = 'outside_operator', ends_at = $1 where id = $2`, [
    new Date(NOW.getTime() + DAY_MS),
    maker.userId,
  ])
  assert.equal(await ask(), 'no_such_person')
  now = new Date(NOW.getTime() + DAY_MS)
  assert.equal(await ask(), 'bad_key', 'at the end of the account')
})

test('entries of people are kept for three years, those of programs for 90 days', async (t) => {
  const { database } = await testDatabase(t)
  const ages = [0, 89, 90, 91, 1094, 1095, 1096]
  for (const kind of ['user', 'command_line', 'api_key', 'webhook'] as const) {
    for (const days of ages) {
      const entry = { actor: { kind, id: null, name: kind }, operation: `after_${days}`, subjects: {} }
      await recordAudit(database.db, entry, new Date(NOW.getTime() - days * DAY_MS))
    }
  }
  assert.equal(await pruneAudit(database, NOW), 2 * 1 + 2 * 4)
  const { rows } = await database.pool.query<{ kind: string; kept: string[] }>(
    `select actor_kind as kind, array_agg(operation order by entry_id) as kept from audit.entries group by 1 order by 1`,
  )
  const [programs, people] = [
    [0, 89, 90],
    [0, 89, 90, 91, 1094, 1095],
  ].map((kept) => kept.map((days) => `after_${days}`))
  assert.deepEqual(rows, [
    { kind: 'api_key', kept: programs },
    { kind: 'command_line', kept: people },
    { kind: 'user', kept: people },
    { kind: 'webhook', kept: programs },
  ])
  assert.equal(await pruneAudit(database, NOW), 0)
})
