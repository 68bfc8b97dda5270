import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import pg from 'pg'
import { type TestConsole, testConsole } from '../../test/console.ts'
import { userOf } from '../../test/roles.ts'
import type { Clock } from '../platform/clock.ts'
import { isAboutPeople, may } from '../platform/roles.ts'

// An adviser sees the people with a live connection to their staff id, and of anybody else not so much as that they are
// there. The oracle is a brand that has the adviser's people and nobody else: its owner has to see the same figures.

const NOW = new Date('2026-06-01T00:00:00Z')
const clock: Clock = { now: () => NOW }
const SPAN = 'from=2025-09-01T00:00:00Z'

const who = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })

function connection(key: string, staff: string | undefined, begun: string, ended?: string) {
  return {
    kind: 'connection',
    external_id: `c-${key}-${staff}-${begun}`,
    identity: who(key),
    channel: 'wecom',
    ...(staff ? { staff } : {}),
    begun_at: `${begun}T00:00:00Z`,
    ...(ended ? { ended_at: `${ended}T00:00:00Z` } : {}),
  }
}

function order(key: string | undefined, id: string, day: string, price: number, more: object = {}) {
  const quantity = price < 0 ? -1 : 1
  return {
    kind: 'order',
    external_id: id,
    ...(key ? { customer_id: key } : {}),
    paid_at: `${day}T04:00:00Z`,
    lines: [{ item: 'tea', quantity, unit_price: Math.abs(price) }],
    ...more,
  }
}

/** People of lin: connected to lin now, whatever else they have. */
const OWN = [
  connection('lin-1', 'lin', '2025-10-01'),
  order('lin-1', 'L1', '2025-10-05', 100),
  order('lin-1', 'L2', '2026-05-31', 40),
  order('lin-1', 'L3', '2026-05-20', -30),
  connection('lin-2', 'lin', '2025-07-01'),
  order('lin-2', 'L4', '2025-06-10', 77),
  connection('lin-3', 'lin', '2026-05-31'),
  // Of two of the staff at once.
  connection('lin-4', 'lin', '2026-01-01'),
  connection('lin-4', 'wu', '2026-01-01'),
  order('lin-4', 'L5', '2026-02-01', 55),
  order('lin-4', 'L6', '2026-03-01', 65, { shared_by: who('lin-1') }),
]
/** Everybody else: never lin's, no longer lin's, nobody's. */
const OTHERS = [
  connection('other-1', 'wu', '2025-10-01'),
  order('other-1', 'O1', '2025-11-05', 1000),
  order('other-1', 'O2', '2026-05-31', 2000),
  order('other-1', 'O3', '2026-05-31', -70),
  connection('other-2', 'lin', '2025-10-01', '2026-05-01'),
  order('other-2', 'O4', '2026-04-01', 3000),
  connection('other-3', undefined, '2025-10-01'),
  connection('other-4', 'LIN', '2025-10-01'),
  order('other-6', 'O5', '2026-05-31', 500),
  order(undefined, 'O6', '2026-05-31', 600),
]

async function start(t: TestContext, facts: readonly object[]) {
  const desk = await testConsole(t, clock)
  if (facts.length > 0) await desk.post(...facts)
  return desk
}

async function read(desk: TestConsole, path: string, cookie: string): Promise<Record<string, unknown>> {
  const response = await desk.http.send(path, { cookie })
  assert.equal(response.status, 200, `${path}: ${await response.clone().text()}`)
  return (await response.json()) as Record<string, unknown>
}

/** Without what is of the answer and not of the people: numbers differ between two brands. */
function comparable(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer, (name, value) =>
      ['person_id', 'fact_id', 'cause_fact_id', 'next', 'last_import'].includes(name) ? null : value,
    ),
  )
}

const READS = [
  '/api/v1/brief',
  '/api/v1/brief?as_of=2026-03-15T00:00:00Z',
  '/api/v1/people',
  '/api/v1/people?as_of=2026-03-15T00:00:00Z',
  ...[0, 1, 2, 3, 4, 5].map((depth) => `/api/v1/people?depth=${depth}`),
  '/api/v1/people?buyers=true',
  '/api/v1/people?buyers=false',
  '/api/v1/people?lapsing_days=366',
  ...['deepened', 'lapsed', 'ordered', 'refunded'].map((figure) => `/api/v1/people?since_yesterday=${figure}`),
  `/api/v1/depth/migration?${SPAN}`,
  `/api/v1/depth/migration?${SPAN}&to=2026-03-15T00:00:00Z`,
  ...['up', 'down', 'any', 'all'].map((way) => `/api/v1/depth/migration?${SPAN}&moved=${way}`),
  ...['order', 'connection', 'end_of_connection', 'time', 'spread'].map(
    (cause) => `/api/v1/depth/migration?${SPAN}&moved=any&cause=${cause}`,
  ),
  '/api/v1/depth/net-deepening?months=14',
  ...['passer_by', 'follower', 'active', 'devoted'].map((tier) => `/api/v1/people?fan_tier=${tier}`),
  ...['lin-1', 'other-1', 'shop:other-2', 'other-'].map(
    (typed) => `/api/v1/people?search=${encodeURIComponent(typed)}`,
  ),
  ...[0, 1, 3, 4].flatMap((from) =>
    [0, 1, 3, 4].map((to) => `/api/v1/depth/migration?${SPAN}&from_depth=${from}&to_depth=${to}`),
  ),
]

test('every figure and list of an adviser counts their own people and nobody else', async (t) => {
  const all = await start(t, [...OWN, ...OTHERS])
  const alone = await start(t, OWN)
  const { cookie: adviser } = await userOf(all.http, 'adviser')
  const { cookie: owner } = await userOf(alone.http, 'owner')
  for (const path of READS) {
    const seen = comparable(await read(all, path, adviser))
    assert.deepEqual(seen, comparable(await read(alone, path, owner)), path)
    assert.doesNotMatch(JSON.stringify(seen), /other-|"O\d"/, path)
  }
  const { total } = await read(all, '/api/v1/people', adviser)
  assert.equal(total, 4)
})

test('an adviser finds their own people by name, phone and last digits, and nobody else', async (t) => {
  const desk = await start(t, [...OWN, ...OTHERS])
  const record = (key: string, name: string, phone: string) => ({
    kind: 'person',
    external_id: key,
    name,
    identities: [who(key), { kind: 'phone', value: phone }],
  })
  await desk.post(record('lin-1', '王小满', '13812341234'), record('other-1', '王大海', '13987651234'))
  const { cookie: adviser } = await userOf(desk.http, 'adviser')
  const { cookie: owner } = await userOf(desk.http, 'owner')
  const find = async (typed: string, cookie: string) => {
    const page = await read(desk, `/api/v1/people?search=${encodeURIComponent(typed)}`, cookie)
    const { total, people } = page as { total: number; people: { key: string }[] }
    assert.equal(total, people.length)
    return people.map(({ key }) => key).sort()
  }
  for (const typed of ['王', '1234']) {
    assert.deepEqual(await find(typed, owner), ['lin-1', 'other-1'])
    assert.deepEqual(await find(typed, adviser), ['lin-1'], typed)
  }
  for (const typed of ['王大海', '13987651234', '+86 139 8765 1234', 'other-1', 'shop:other-1']) {
    assert.deepEqual(await find(typed, owner), ['other-1'], typed)
    assert.deepEqual(await find(typed, adviser), [], typed)
  }
})

test("an adviser's segments count their own people, each in the segment that the whole brand's cuts give", async (t) => {
  const desk = await start(t, [...OWN, ...OTHERS])
  const { cookie: adviser } = await userOf(desk.http, 'adviser')
  const { cookie: owner } = await userOf(desk.http, 'owner')
  const cells = async (cookie: string) => {
    const { people, cells } = await read(desk, '/api/v1/depth/segments', cookie)
    return { people, cells: cells as { depth: number; rfm_segment: string; people: number }[] }
  }
  const own = await cells(adviser)
  assert.equal(own.people, 4)
  const all = await cells(owner)
  assert.ok(Number(all.people) > 4)
  let counted = 0
  for (const cell of all.cells) {
    const path = `/api/v1/people?depth=${cell.depth}&rfm_segment=${cell.rfm_segment}`
    const everyone = (await read(desk, path, owner)) as { people: { key: string }[] }
    const expected = everyone.people.map(({ key }) => key).filter((key) => key.startsWith('lin-'))
    const seen = (await read(desk, path, adviser)) as { total: number; people: { key: string }[] }
    assert.deepEqual(seen.people.map(({ key }) => key).sort(), expected.sort(), path)
    const mine = own.cells.find((row) => row.depth === cell.depth && row.rfm_segment === cell.rfm_segment)
    assert.equal(mine?.people ?? 0, expected.length, path)
    counted += expected.length
  }
  assert.equal(counted, 4)
})

/** Everybody's id by key, as the owner sees them. */
async function idsByKey(desk: TestConsole, owner: string): Promise<Map<string, number>> {
  const { people } = (await read(desk, '/api/v1/people?limit=200', owner)) as {
    people: { key: string; person_id: number }[]
  }
  return new Map(people.map(({ key, person_id }) => [key, person_id]))
}

/** One person of a random history, with the facts about them; `isOwn` by the definition of an adviser's own people. */
interface Drawn {
  readonly facts: object[]
  readonly isOwn: boolean
}

const DAY_MS = 86_400_000
const dayBefore = (days: number) => new Date(NOW.getTime() - days * DAY_MS).toISOString().slice(0, 10)

const relation = fc.record({
  staff: fc.constantFrom('lin', 'wu', 'Lin', undefined),
  begun: fc.integer({ min: 1, max: 700 }),
  // Days that it lasted; null: it still does.
  lasted: fc.option(fc.integer({ min: 0, max: 700 })),
})
const purchase = fc.record({ ago: fc.integer({ min: 0, max: 600 }), price: fc.integer({ min: -50, max: 90 }) })
const history = fc.array(
  fc.record({ relations: fc.array(relation, { maxLength: 3 }), orders: fc.array(purchase, { maxLength: 4 }) }),
  { minLength: 2, maxLength: 7 },
)

function draw(
  place: number,
  { relations, orders }: { relations: readonly Relation[]; orders: readonly Purchase[] },
): Drawn {
  const key = `p${place}`
  const facts = [
    ...relations.map(({ staff, begun, lasted }, index) => {
      const ended = lasted === null || lasted >= begun ? undefined : dayBefore(begun - lasted)
      return { ...connection(key, staff, dayBefore(begun), ended), external_id: `c-${key}-${index}` }
    }),
    ...orders.map(({ ago, price }, index) => {
      const day = new Date(NOW.getTime() - ago * DAY_MS - 21 * 3_600_000).toISOString().slice(0, 10)
      return order(key, `${key}-${index}`, day, price)
    }),
  ]
  const isOwn = relations.some(({ staff, begun, lasted }) => staff === 'lin' && (lasted === null || lasted >= begun))
  return { facts, isOwn }
}
type Relation = typeof relation extends fc.Arbitrary<infer Value> ? Value : never
type Purchase = typeof purchase extends fc.Arbitrary<infer Value> ? Value : never

test('the same of random histories, at any instant', async (t) => {
  await fc.assert(
    fc.asyncProperty(history, fc.integer({ min: 1, max: 500 }), async (people, ago) => {
      const drawn = people.map((person, place) => draw(place, person))
      const own = drawn.filter(({ isOwn }) => isOwn).flatMap(({ facts }) => facts)
      const all = await start(
        t,
        drawn.flatMap(({ facts }) => facts),
      )
      const alone = await start(t, own)
      const { cookie: adviser } = await userOf(all.http, 'adviser')
      const { cookie: owner } = await userOf(alone.http, 'owner')
      const then = `${dayBefore(ago)}T00:00:00Z`
      for (const path of [
        '/api/v1/brief',
        `/api/v1/brief?as_of=${then}`,
        '/api/v1/people',
        `/api/v1/people?as_of=${then}&lapsing_days=90`,
        `/api/v1/depth/migration?from=${then}`,
        `/api/v1/depth/migration?from=${dayBefore(600)}T00:00:00Z&to=${then}`,
        `/api/v1/depth/migration?from=${then}&from_depth=1&to_depth=1`,
      ]) {
        const seen = comparable(await read(all, path, adviser))
        assert.deepEqual(seen, comparable(await read(alone, path, owner)), path)
      }
    }),
    { numRuns: 8, endOnFailure: true },
  )
})

test("somebody else's person is missing on every route, in the same words and by the same work as nobody", async (t) => {
  const desk = await start(t, [...OWN, ...OTHERS])
  const { cookie: owner } = await userOf(desk.http, 'owner')
  const { cookie: adviser } = await userOf(desk.http, 'adviser')
  const ids = await idsByKey(desk, owner)
  const foreign = { key: 'other-1', person_id: String(ids.get('other-1')) }
  const nobody = { key: 'nobody-1', person_id: '999999' }
  const body = { name: 'everybody', definition: { not: { depth: { lost: true } } } }
  const made = await desk.http.send('/api/v1/segments', { method: 'POST', cookie: owner, body })
  const { segment_id: segmentId } = (await made.json()) as { segment_id: number }
  const own = { key: 'lin-1', person_id: String(ids.get('lin-1')) }
  const given = (url: string, person: typeof own) =>
    url
      .replace(/:(\w+)/g, (_, name: string) => {
        if (name === 'key' || name === 'person_id') return person[name]
        if (name === 'segment_id') return String(segmentId)
        throw new Error(`${url}: this test knows no ${name}; say here what it is`)
      })
      .concat(url === '/api/v1/persons' ? `?key=${person.key}` : '')
  const asked = desk.http.app.declaredRoutes.filter(
    ({ method, url, config }) =>
      method === 'GET' &&
      config.permission &&
      isAboutPeople(config.permission) &&
      may('adviser', config.permission) &&
      (/:(key|person_id)/.test(url) || url === '/api/v1/persons'),
  )
  assert.ok(asked.length >= 4)
  const statements = countStatements(t)
  for (const { url } of asked) {
    const answers = []
    for (const person of [foreign, nobody]) {
      const before = statements()
      const response = await desk.http.send(given(url, person), { cookie: adviser })
      const text = (await response.text()).replaceAll(person.key, 'KEY').replaceAll(person.person_id, 'ID')
      answers.push({ status: response.status, text, statements: statements() - before })
    }
    assert.deepEqual(answers[0], answers[1], url)
    assert.equal(answers[0]?.status, 404, url)
    assert.equal((await desk.http.send(given(url, own), { cookie: adviser })).status, 200, url)
    assert.equal((await desk.http.send(given(url, foreign), { cookie: owner })).status, 200, url)
  }
})

/** Statements that this process has sent so far. */
function countStatements(t: TestContext): () => number {
  let sent = 0
  const send = pg.Client.prototype.query
  const counted = function (this: pg.Client, ...args: unknown[]) {
    sent += 1
    return Reflect.apply(send, this, args)
  }
  Object.assign(pg.Client.prototype, { query: counted })
  t.after(() => Object.assign(pg.Client.prototype, { query: send }))
  return () => sent
}

test('a connection that ends takes the person out of sight, a new staff id brings others', async (t) => {
  const desk = await start(t, [...OWN, ...OTHERS])
  const { cookie: owner } = await userOf(desk.http, 'owner')
  const { cookie: lin, userId } = await userOf(desk.http, 'adviser')
  const id = (await idsByKey(desk, owner)).get('lin-1')
  assert.equal((await desk.http.send(`/api/v1/people/${id}`, { cookie: lin })).status, 200)
  await desk.post({ ...connection('lin-1', 'lin', '2025-10-01'), ended_at: '2026-05-30T00:00:00Z' })
  assert.equal((await desk.http.send(`/api/v1/people/${id}`, { cookie: lin })).status, 404)
  const past = `/api/v1/people/${id}?as_of=2026-01-01T00:00:00Z`
  assert.equal((await desk.http.send(past, { cookie: lin })).status, 404, 'nor as of when they were theirs')
  await desk.http.database.pool.query(`update auth.users set staff_id = 'wu' where id = $1`, [userId])
  const { people } = (await read(desk, '/api/v1/people', lin)) as { people: { key: string }[] }
  assert.deepEqual(people.map(({ key }) => key).sort(), ['lin-4', 'other-1'])
})

test('a route that answers about people without asking for the view fails for who sees less', async (t) => {
  const desk = await testConsole(t, clock, {
    more: (app) =>
      app.get('/api/v1/test/careless', { config: { permission: 'people:read' } }, async () => ({ all: 1 })),
  })
  const expected = { owner: 200, lead: 200, outside_operator: 200, adviser: 500, analyst: 500 } as const
  for (const role of ['owner', 'lead', 'outside_operator', 'adviser', 'analyst'] as const) {
    const { cookie } = await userOf(desk.http, role)
    const { status } = await desk.http.send('/api/v1/test/careless', { cookie })
    assert.equal(status, expected[role], role)
  }
})
