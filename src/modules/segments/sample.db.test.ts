import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import { peoplePage } from '../analytics/schema.ts'
import { segmentCount } from './schema.ts'

// Of a large brand a count while somebody types asks a sample, and lists those whom it found.

const NOW = new Date('2026-03-01T04:00:00Z')
const PEOPLE = 60_000
/** Standing alone is asked, so its rows are enough: depths 0 to 5 in turn, and every 5,000th has paid far more. */
const FILL = `
  with people as (
    insert into customers.identities (kind, namespace, value, recorded_at)
    select 'own_id', 'shop', 'p' || n, '2026-01-01' from generate_series(1, ${PEOPLE}) n returning identity_id
  ), own as (
    insert into customers.canonical select identity_id, identity_id from people returning person_id
  )
  insert into relationship.standing (person_id, depth, since, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor)
  select person_id, person_id % 6, '2026-01-01', '{}', person_id % 6, '2026-01-01', 1, case when person_id % 5000 = 0 then 1e9 else person_id end
  from own`

test('a count of a sample has the truth in its interval, and lists of it whom it found', async (t) => {
  const desk = await testConsole(t, { now: () => NOW })
  await desk.database.pool.query(FILL)
  await desk.database.pool.query('analyze')
  const { cookie } = await userOf(desk.http, 'owner')
  const ask = async (path: string, body: object, as = cookie) => {
    const response = await desk.http.send(path, { cookie: as, body })
    return { status: response.status, answer: (await response.json()) as { total?: number; error?: { code: string } } }
  }
  const countOf = async (definition: object, method: string) =>
    segmentCount.parse((await ask('/api/v1/segments/count', { definition, method })).answer)
  const pageOf = async (definition: object, method: string, after?: string) =>
    peoplePage.parse(
      (await ask('/api/v1/segments/members', { definition, method, limit: 200, ...(after ? { after } : {}) })).answer,
    )

  const deep = { depth: { is: [4] } }
  const rare = { rfm: { monetary_minor: { at_least: 1e9 } } }
  const definitions = [
    { definition: deep, people: PEOPLE / 6 },
    { definition: rare, people: PEOPLE / 5000 },
    { definition: { not: deep }, people: (PEOPLE * 5) / 6 },
    { definition: { rfm: { monetary_minor: { at_least: 2e9 } } }, people: 0 },
    // A clause that reads facts is asked of fewer.
    { definition: { all: [deep, { orders: { count: { at_most: 0 } } }] }, people: PEOPLE / 6 },
  ]
  for (const { definition, people } of definitions) {
    const said = JSON.stringify(definition)
    const [exact, sampled] = [await countOf(definition, 'exact'), await countOf(definition, 'sample')]
    assert.deepEqual([exact.people, exact.low, exact.high, exact.of_people], [people, people, people, PEOPLE], said)
    assert.deepEqual([sampled.method, sampled.of_people], ['sample', PEOPLE], said)
    assert.ok(sampled.sampled >= 2500 && sampled.sampled <= 20_000, `${said}: ${sampled.sampled}`)
    assert.ok(sampled.low <= people && people <= sampled.high, `${said}: ${sampled.low} to ${sampled.high}`)
    const [all, some] = [await pageOf(definition, 'exact'), await pageOf(definition, 'sample')]
    assert.equal(all.total, people, said)
    assert.equal(Math.round((some.total / sampled.sampled) * PEOPLE), sampled.people, said)
  }

  const listed: number[] = []
  for (let page = await pageOf(deep, 'sample'); ; page = await pageOf(deep, 'sample', page.next)) {
    assert.ok(page.people.every(({ depth }) => depth === 4))
    listed.push(...page.people.map(({ person_id }) => person_id))
    if (page.next === null) {
      assert.deepEqual([new Set(listed).size, listed.length], [page.total, page.total])
      break
    }
  }
  assert.deepEqual(
    (await pageOf(rare, 'exact')).people.map(({ person_id }) => person_id % 5000),
    Array.from({ length: PEOPLE / 5000 }, () => 0),
  )

  const probe = { definition: { attribute: { name_contains: 'A' } } }
  const { cookie: analyst } = await userOf(desk.http, 'analyst')
  assert.equal((await ask('/api/v1/segments/members', probe, analyst)).answer.error?.code, 'personal_clause')
  const { cookie: lin } = await userOf(desk.http, 'adviser')
  const own = await ask('/api/v1/segments/members', { definition: deep, method: 'sample' }, lin)
  assert.deepEqual([own.status, own.answer.total], [200, 0], 'nobody is theirs')
  const bad = await ask('/api/v1/segments/members', { definition: { depth: { is: [9] } } })
  assert.deepEqual([bad.status, bad.answer.error?.code], [400, 'bad_definition'])
})
