import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import type { Clock } from '../../platform/clock.ts'
import { valueEverybody } from './runs.ts'
import { equityAnswer, equityReport, personValue, referralTree, valueCellPage, valueMatrix } from './schema.ts'

const NOW = new Date('2026-06-01T04:00:00Z')
const clock: Clock = { now: () => NOW }
const ago = (days: number) => new Date(NOW.getTime() - days * 86_400_000).toISOString()
const who = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })
const order = (id: string, customer: string, days: number, price: number) => ({
  kind: 'order',
  external_id: id,
  customer_id: customer,
  paid_at: ago(days),
  lines: [{ item: 'tea', unit_price: price }],
})
const connection = (customer: string, days: number, staff: string) => ({
  kind: 'connection',
  external_id: `c-${customer}`,
  identity: who(customer),
  channel: 'wecom',
  staff,
  begun_at: ago(days),
})
const claim = (id: string, invitee: string, referrer: string, days: number) => ({
  kind: 'referral_claim',
  external_id: id,
  invitee: who(invitee),
  referrer: who(referrer),
  occurred_at: ago(days),
})

// a brought b, b brought c and d; e came alone and is gone for long.
const FACTS = [
  connection('a', 300, 'lin'),
  connection('b', 200, 'lin'),
  connection('c', 100, 'wu'),
  connection('e', 500, 'wu'),
  claim('1', 'b', 'a', 201),
  claim('2', 'c', 'b', 101),
  claim('3', 'd', 'b', 51),
  order('a-1', 'a', 250, 80),
  order('a-2', 'a', 150, 80),
  order('a-3', 'a', 50, 80),
  order('b-1', 'b', 190, 100),
  order('c-1', 'c', 99, 1000),
  order('d-1', 'd', 50, 10),
  order('e-1', 'e', 480, 30),
  order('e-2', 'e', 470, 30),
  order('e-3', 'e', 460, 30),
]

test('what a person is worth comes with its model, its interval and with whom each part of it comes from', async (t) => {
  const desk = await testConsole(t, clock)
  await desk.post(...FACTS)
  const { cookie: owner } = await userOf(desk.http, 'owner')
  const { cookie: adviser } = await userOf(desk.http, 'adviser')
  const get = async (path: string, cookie = owner) => {
    const response = await desk.http.send(path, { cookie })
    assert.equal(response.status, 200, path)
    return response.json()
  }
  const before = equityReport.parse(await get('/api/v1/value'))
  assert.deepEqual([before.valued_at, before.model, before.people, before.distribution], [null, null, 0, []])
  assert.deepEqual(valueMatrix.parse(await get('/api/v1/value/matrix')).cells, [])

  await valueEverybody(desk.database, NOW)
  const equity = equityReport.parse(await get('/api/v1/value'))
  assert.deepEqual([equity.model, equity.reason, equity.basis], ['historic-rate', 'few_repeaters', 'revenue'])
  assert.deepEqual([equity.people, equity.reachable_people], [5, 4])
  assert.ok((equity.customer_equity_low_minor ?? 0) < equity.customer_equity_minor)
  const matrix = valueMatrix.parse(await get('/api/v1/value/matrix'))
  assert.equal(
    matrix.cells.reduce((sum, { people }) => sum + people, 0),
    5,
  )

  const ids = new Map<string, number>()
  for (const { depth, transaction, propagation, people } of matrix.cells) {
    const cell = `/api/v1/value/people?depth=${depth}&transaction=${transaction}&propagation=${propagation}`
    const seen: number[] = []
    for (let after: number | null = 0; after !== null; ) {
      const page = valueCellPage.parse(await get(`${cell}&limit=1&after=${after}`))
      for (const person of page.people) {
        seen.push(person.person_id)
        ids.set(person.key, person.person_id)
      }
      after = page.next
    }
    assert.equal(seen.length, people, cell)
  }
  assert.deepEqual([...ids.keys()].sort(), ['a', 'b', 'c', 'd', 'e'])

  const worthOf = async (key: string, cookie = owner) =>
    personValue.parse(await get(`/api/v1/people/${ids.get(key)}/value`, cookie))
  const [a, b, c, d, e] = [
    await worthOf('a'),
    await worthOf('b'),
    await worthOf('c'),
    await worthOf('d'),
    await worthOf('e'),
  ]
  assert.deepEqual(
    c.chain.map(({ key, levels }) => [key, levels]),
    [
      ['b', 1],
      ['a', 2],
    ],
  )
  assert.deepEqual(a.brought.map(({ key, levels }) => [key, levels]).sort(), [
    ['b', 1],
    ['c', 2],
    ['d', 2],
  ])
  assert.equal(a.influenced_minor, b.own_minor + c.own_minor + d.own_minor)
  // What is allocated is what is kept and what comes from each of those below.
  const parts = (value: typeof a) => value.brought.reduce((sum, { allocated_minor }) => sum + allocated_minor, 0)
  assert.equal(a.allocated_minor, a.own_minor + parts(a))
  assert.equal(parts(a), Math.trunc(b.own_minor / 5) + Math.trunc(c.own_minor / 25) + Math.trunc(d.own_minor / 25))
  assert.deepEqual([a.kept_minor, e.kept_minor], [a.own_minor, e.own_minor], 'nobody is above them')
  // A fifth of b goes up, of c and d a fifth in all: four of them to b, one to a.
  assert.equal(b.kept_minor, b.own_minor - Math.trunc(b.own_minor / 5))
  const passed = (minor: number) => Math.trunc((minor * 4) / 25) + Math.trunc(minor / 25)
  assert.equal(c.kept_minor, c.own_minor - passed(c.own_minor))
  for (const value of [a, b, c, d, e]) assert.equal(value.kept_minor + parts(value), value.allocated_minor)
  const comes = a.brought.map(({ allocated_minor }) => Math.abs(allocated_minor))
  assert.deepEqual(
    comes,
    comes.toSorted((x, y) => y - x),
    'of whom most comes first',
  )
  const own = [a, b, c, d, e]
  assert.equal(
    own.reduce((sum, { allocated_minor }) => sum + allocated_minor, 0),
    own.reduce((sum, { own_minor }) => sum + own_minor, 0),
  )
  assert.deepEqual([a.realised_minor, a.repeats, a.last_days, a.watched_days], [24_000, 2, 200, 250])
  assert.deepEqual([e.rhythm?.state, e.rhythm?.days_since, a.rhythm?.state], ['lapsed', 460, 'in_rhythm'])

  const treeOf = async (key: string, cookie = owner) =>
    referralTree.parse(await get(`/api/v1/people/${ids.get(key)}/referral-tree`, cookie))
  const keyOf = (id: number) => [...ids].find(([, other]) => other === id)?.[0]
  const tree = await treeOf('a')
  assert.deepEqual(
    tree.nodes.map((node) => [node.key, node.levels, keyOf(node.referrer_person_id), node.own_minor]),
    [
      ['b', 1, 'a', b.own_minor],
      ['c', 2, 'b', c.own_minor],
      ['d', 2, 'b', d.own_minor],
    ],
  )
  assert.deepEqual([tree.is_cut, (await treeOf('e')).nodes], [false, []])

  // An adviser sees lin's people: a and b, and of what b brought nobody.
  assert.deepEqual(
    (await treeOf('a', adviser)).nodes.map(({ key }) => key),
    ['b'],
  )
  const seen = await worthOf('b', adviser)
  assert.deepEqual([seen.chain.map(({ key }) => key), seen.brought], [['a'], []])
  const ownEquity = equityReport.parse(await get('/api/v1/value', adviser))
  assert.deepEqual([ownEquity.people, ownEquity.customer_equity_low_minor], [2, null])
  assert.equal(ownEquity.customer_equity_minor, a.expected_minor + b.expected_minor)
  assert.equal((await desk.http.send(`/api/v1/people/${ids.get('c')}/value`, { cookie: adviser })).status, 404)
})

test('who may has everybody valued now: once at a time, where there is something to go by, and it is recorded', async (t) => {
  const desk = await testConsole(t, clock)
  const { cookie } = await userOf(desk.http, 'lead')
  const begin = async (by = cookie) => {
    const response = await desk.http.send('/api/v1/value/runs', { cookie: by, method: 'POST' })
    const wire = (await response.json()) as { error?: { code: string }; running_since?: string | null }
    return [response.status, wire.error?.code ?? wire.running_since]
  }
  const runOf = async () => equityAnswer.parse(await (await desk.http.send('/api/v1/value', { cookie })).json()).run
  assert.deepEqual(await begin(), [409, 'nothing_watched'])
  await desk.post(...FACTS)
  for (const role of ['adviser', 'analyst', 'outside_operator', 'integrator'] as const) {
    const { cookie: other } = await userOf(desk.http, role)
    assert.deepEqual(await begin(other), [403, 'not_allowed'], role)
  }
  assert.deepEqual(await runOf(), { running_since: null, failed_at: null, as_of: null })
  // Nobody gets at values, so that it is under way as long as we look.
  const client = await desk.database.pool.connect()
  await client.query('begin')
  await client.query('lock table value.people in share row exclusive mode')
  assert.deepEqual(await begin(), [202, NOW.toISOString()])
  assert.deepEqual(await begin(), [409, 'value_run_running'])
  assert.deepEqual(await runOf(), { running_since: NOW.toISOString(), failed_at: null, as_of: null })
  await client.query('commit')
  client.release()
  while ((await runOf()).running_since !== null) await sleep(20)
  const equity = equityAnswer.parse(await (await desk.http.send('/api/v1/value', { cookie })).json())
  assert.deepEqual([equity.valued_at, equity.people, equity.run.failed_at], [NOW.toISOString(), 5, null])
  const { rows } = await desk.database.pool.query("select from audit.entries where operation = 'value_run'")
  assert.equal(rows.length, 1, 'only what was begun')
})
