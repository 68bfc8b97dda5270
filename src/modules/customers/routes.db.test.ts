import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { testDatabase } from '../../../test/database.ts'
import { testHttp } from '../../../test/http.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { eraseEverywhere } from '../../bin/erasure.ts'
import { registerExportRoutes } from '../../bin/export.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { systemClock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { readPersonByKey } from '../analytics/actions.ts'
import { storeFacts } from '../intake/actions.ts'
import { registerCustomersRoutes } from './routes.ts'
import { mergeReview } from './schema.ts'

// Decisions about people over HTTP: what the console does, and what it is refused.

const own = (value: string, namespace = 'shop') => ({ kind: 'own_id', namespace, value })

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const home = await mkdtemp(join(scratchFolder(), 'perennial-decisions-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const http = await testHttp(t, {
    routes: (app) => {
      const deps = { clock: systemClock, brandOf: async () => ({ database }) }
      registerCustomersRoutes(app, {
        ...deps,
        catchUp: (changed) => catchUp(changed, systemClock),
        erase: (from, command) => eraseEverywhere(from, systemClock, home, command),
      })
      registerExportRoutes(app, deps)
    },
  })
  const cookie = await http.signInByLink()
  const keys = ['A', 'B', 'C', 'D']
  const facts = keys.map((key) => ({
    kind: 'person',
    source: 'crm',
    external_id: key,
    identities: [own(key), { kind: 'phone', value: '13800001111' }],
  }))
  // Somebody of another source with the same number as B.
  const namesake = { kind: 'person', source: 'pos', external_id: 'x', identities: [own('B', 'pos')] }
  const stored = await storeFacts(database, systemClock, [...facts, namesake], FACT_KINDS)
  assert.ok(!isRefusal(stored))
  await catchUp(database, systemClock)
  const idOf = async (key: string) => {
    const found = await readPersonByKey(database.db, key, systemClock.now())
    return isRefusal(found) ? 0 : found.person_id
  }
  const ask = async (path: string, body?: object) => {
    const response = await http.send(path, { cookie, ...(body ? { body } : {}) })
    return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
  }
  const review = async () => mergeReview.parse((await ask('/api/v1/merge-review')).answer)
  return { http, ask, review, idOf }
}

test('a merge and a split by hand are in force at once, name who made them, and can be taken back', async (t) => {
  const { ask, review, idOf } = await start(t)
  const before = await review()
  const [value] = before.values
  assert.deepEqual([value?.value, value?.accounts, value?.people.length], ['+8613800001111', 4, 4])
  assert.deepEqual(before.decisions, [])

  const merged = await ask('/api/v1/merges', { person_ids: [await idOf('A'), await idOf('shop:B')] })
  assert.equal(merged.status, 200)
  assert.equal(await idOf('A'), await idOf('D'), 'three accounts: the phone links again, all four')
  const after = await review()
  assert.deepEqual(after.values, [])
  const [made] = after.decisions
  assert.deepEqual([made?.kind, made?.claim_id], ['merge', merged.answer.claim_id])
  assert.equal(made?.decided_by, 'Owner')
  assert.deepEqual(
    made?.identities.map((identity) => identity.value),
    ['A', 'B'],
  )
  assert.equal((await ask(`/api/v1/claims/${made?.claim_id}/withdraw`, {})).status, 200)
  assert.deepEqual(
    (await review()).values.map(({ people }) => people.length),
    [4],
  )
  assert.notEqual(await idOf('A'), await idOf('D'))
  const again = await ask(`/api/v1/claims/${made?.claim_id}/withdraw`, {})
  assert.deepEqual([again.status, (again.answer.error as { code: string }).code], [404, 'no_such_claim'])

  assert.equal((await ask('/api/v1/splits', { identity_id: value?.identity_id })).status, 200)
  const apart = await review()
  assert.deepEqual([apart.values, apart.decisions.map(({ kind }) => kind)], [[], ['split']])
  await ask(`/api/v1/claims/${apart.decisions[0]?.claim_id}/withdraw`, {})
  assert.deepEqual(
    (await review()).values.map((one) => one.value),
    ['+8613800001111'],
  )
})

test('nonsense is refused, and so is a stranger', async (t) => {
  const { http, ask, idOf } = await start(t)
  const id = await idOf('A')
  for (const [path, body] of [
    ['/api/v1/merges', { person_ids: [id] }],
    ['/api/v1/merges', { person_ids: [id, 'B'] }],
    ['/api/v1/splits', { identity_id: 0 }],
    [`/api/v1/people/${id}/erase`, {}],
  ] as const) {
    assert.equal((await ask(path, body)).status, 400, path)
  }
  assert.equal((await ask('/api/v1/merges', { person_ids: [id, 999_999] })).status, 404)
  assert.equal((await ask('/api/v1/merges', { person_ids: [id, id] })).status, 404)
  assert.equal((await ask('/api/v1/splits', { identity_id: 999_999 })).status, 404)
  for (const path of ['/api/v1/merges', '/api/v1/splits', '/api/v1/claims/1/withdraw', `/api/v1/people/${id}/erase`]) {
    assert.equal((await http.send(path, { body: {} })).status, 401, path)
  }
  for (const path of ['/api/v1/merge-review', `/api/v1/people/${id}/export`]) {
    assert.equal((await http.send(path)).status, 401, path)
  }
})

test('erasing needs a key of that very person; the namesake stays', async (t) => {
  const { ask, idOf } = await start(t)
  const id = await idOf('shop:B')
  const namesake = await idOf('pos:B')
  const exported = await ask(`/api/v1/people/${id}/export`)
  assert.equal(exported.answer.person_id, id)
  const wrong = await ask(`/api/v1/people/${id}/erase`, { key: 'A' })
  assert.deepEqual([wrong.status, (wrong.answer.error as { code: string }).code], [409, 'wrong_key'])
  assert.equal(await idOf('shop:B'), id)
  const erased = await ask(`/api/v1/people/${id}/erase`, { key: 'B' })
  assert.equal(erased.status, 200)
  assert.deepEqual([erased.answer.identities, await idOf('shop:B'), await idOf('pos:B')], [1, 0, namesake])
  assert.equal((await ask(`/api/v1/people/${id}/erase`, { key: 'B' })).status, 409)
})
