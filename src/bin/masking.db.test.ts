import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type TestConsole, testConsole } from '../../test/console.ts'
import { userOf } from '../../test/roles.ts'
import type { Clock } from '../platform/clock.ts'
import { isAboutPeople } from '../platform/roles.ts'

// What an analyst gets of people whose every value is personal: as identities, as keys, and as a source's own ids of records,
// relations and orders.

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const PHONE = '13812345678'
const OTHER_PHONE = '13987654321'
const EMAIL = 'alice.wang@example.com'
const OPENID = 'oABC_openid_of_alice'
const UNIONID = 'uXYZ_unionid_of_alice'
const WECOM_ID = 'wmAAA_external_of_alice'
/** By which alone somebody is known. */
const ONLY_OPENID = 'oDEF_openid_of_nobody_else'
const NAME = '王爱丽丝'
/** None of these may leave. */
const PERSONAL = [PHONE, OTHER_PHONE, EMAIL, 'alice.wang', OPENID, ONLY_OPENID, UNIONID, WECOM_ID, NAME]

const FACTS = [
  {
    kind: 'person',
    external_id: EMAIL,
    name: NAME,
    enrolled_at: '2026-01-01T00:00:00Z',
    identities: [
      { kind: 'phone', value: PHONE },
      { kind: 'own_id', namespace: 'shop', value: 'C-1' },
      { kind: 'email', value: EMAIL },
      { kind: 'openid', namespace: 'wx1', value: OPENID },
      { kind: 'unionid', value: UNIONID },
      { kind: 'external_userid', namespace: 'ww1', value: WECOM_ID },
    ],
  },
  {
    kind: 'connection',
    external_id: `c-${PHONE}`,
    identity: { kind: 'own_id', namespace: 'shop', value: 'C-1' },
    channel: 'wecom',
    staff: 'lin',
    begun_at: '2026-01-01T00:00:00Z',
  },
  ...[PHONE, 'O-2'].map((id, day) => ({
    kind: 'order',
    external_id: id,
    customer_id: 'C-1',
    paid_at: `2026-0${day + 4}-01T00:00:00Z`,
    lines: [{ item: 'tea', item_name: `for ${PHONE}`, unit_price: 10 }],
  })),
  {
    kind: 'interaction',
    external_id: 'i-1',
    identity: { kind: 'openid', namespace: 'wx1', value: ONLY_OPENID },
    type: 'view',
    occurred_at: '2026-05-01T00:00:00Z',
  },
  // Somebody whom the shop itself calls by a phone, and who lapses next.
  {
    kind: 'order',
    external_id: 'O-3',
    customer_id: OTHER_PHONE,
    paid_at: '2026-05-31T12:00:00Z',
    lines: [{ item: 'tea', unit_price: 10 }],
  },
  {
    kind: 'connection',
    external_id: 'c-2',
    identity: { kind: 'own_id', namespace: 'shop', value: OTHER_PHONE },
    channel: 'wecom',
    staff: 'lin',
    begun_at: '2026-01-01T00:00:00Z',
  },
]

async function start(t: TestContext): Promise<TestConsole> {
  const desk = await testConsole(t, clock)
  await desk.post(...FACTS)
  const { cookie } = await userOf(desk.http, 'owner')
  const body = { name: 'everybody', definition: { not: { depth: { lost: true } } } }
  assert.equal((await desk.http.send('/api/v1/segments', { method: 'POST', cookie, body })).status, 200)
  return desk
}

/** The addresses of a route about people, with the values that this test knows for its parts. */
function addresses(url: string, personIds: readonly number[]): string[] {
  const known: Record<string, readonly string[]> = {
    person_id: personIds.map(String),
    key: ['C-1'],
    segment_id: ['1'],
  }
  let found = [url]
  for (const [, name = ''] of url.matchAll(/:(\w+)/g)) {
    const values = known[name]
    assert.ok(values, `${url}: this test knows no ${name}; say here what it is`)
    found = found.flatMap((address) => values.map((value) => address.replace(`:${name}`, value)))
  }
  const queries: Record<string, readonly string[]> = {
    '/api/v1/persons': ['?key=C-1'],
    '/api/v1/people': ['', '?since_yesterday=ordered', '?lapsing_days=366', '?as_of=2026-05-15T00:00:00Z'],
    '/api/v1/depth/migration': [
      '?from=2026-01-01T00:00:00Z',
      ...[0, 1, 3, 4].flatMap((depth) =>
        [0, 4].map((from) => `?from=2025-12-01T00:00:00Z&from_depth=${from}&to_depth=${depth}`),
      ),
    ],
  }
  return found.flatMap((address) => (queries[url] ?? ['']).map((query) => address + query))
}

test('no personal value leaves for an analyst, by any route about people', async (t) => {
  const desk = await start(t)
  const { cookie: analyst } = await userOf(desk.http, 'analyst')
  const { cookie: lead } = await userOf(desk.http, 'lead')
  const list = await desk.http.send('/api/v1/people', { cookie: lead })
  const { people } = (await list.json()) as { people: { person_id: number }[] }
  assert.equal(people.length, 3)
  const ids = people.map(({ person_id }) => person_id)
  const asked = desk.http.app.declaredRoutes.filter(
    ({ method, config: { permission } }) => method === 'GET' && permission && isAboutPeople(permission),
  )
  const seenUnmasked = new Set<string>()
  for (const { url } of asked) {
    for (const address of addresses(url, ids)) {
      const response = await desk.http.send(address, { cookie: analyst })
      const text = await response.text()
      for (const value of PERSONAL) assert.ok(!text.includes(value), `${address} shows ${value}: ${text}`)
      const whole = await (await desk.http.send(address, { cookie: lead })).text()
      for (const value of PERSONAL) if (whole.includes(value)) seenUnmasked.add(value)
      if (!response.ok) continue
      assert.equal(text.match(/"total":\d+/)?.[0], whole.match(/"total":\d+/)?.[0], address)
    }
  }
  // Else the above would say nothing: somebody who may see them does.
  for (const value of [PHONE, OTHER_PHONE, EMAIL, OPENID, ONLY_OPENID, UNIONID, WECOM_ID, NAME])
    assert.ok(seenUnmasked.has(value), value)
})

test('an analyst finds nobody by a personal value, in the words used of nobody', async (t) => {
  const desk = await start(t)
  const { cookie: analyst } = await userOf(desk.http, 'analyst')
  const { cookie: lead } = await userOf(desk.http, 'lead')
  const keys = [
    `+86${PHONE}`,
    `phone::+86${PHONE}`,
    OTHER_PHONE,
    `shop:${OTHER_PHONE}`,
    EMAIL,
    OPENID,
    ONLY_OPENID,
    `wx1:${OPENID}`,
    UNIONID,
    WECOM_ID,
  ]
  const ask = async (address: string, cookie: string) => {
    const response = await desk.http.send(address, { cookie })
    return { status: response.status, text: await response.text() }
  }
  for (const address of ['/api/v1/persons?key=KEY', '/api/v1/persons/KEY/standing', '/api/v1/persons/KEY/orders']) {
    const nobody = await ask(address.replace('KEY', 'nobody'), analyst)
    for (const key of keys) {
      const path = address.replace('KEY', encodeURIComponent(key))
      const { status, text } = await ask(path, analyst)
      assert.equal(status, 404, path)
      assert.equal(text.replace(/\\"[^"]*\\"/, 'KEY'), nobody.text.replace(/\\"[^"]*\\"/, 'KEY'), path)
    }
    assert.equal((await ask(address.replace('KEY', 'C-1'), analyst)).status, 200)
    assert.equal((await ask(address.replace('KEY', encodeURIComponent(EMAIL)), lead)).status, 200)
  }
})

test('an analyst searches by own ids alone', async (t) => {
  const desk = await start(t)
  const { cookie: analyst } = await userOf(desk.http, 'analyst')
  const { cookie: lead } = await userOf(desk.http, 'lead')
  const find = async (typed: string, cookie: string) => {
    const response = await desk.http.send(`/api/v1/people?search=${encodeURIComponent(typed)}`, { cookie })
    assert.equal(response.status, 200)
    return response.text()
  }
  // The phone above is one that nobody has: as an identity it is not taken in.
  const phone = '13612347777'
  const identities = [
    { kind: 'phone', value: phone },
    { kind: 'own_id', namespace: 'shop', value: 'C-1' },
  ]
  await desk.post({ kind: 'person', external_id: 'r-2', identities })
  const nobody = await find('nobody-1', analyst)
  assert.match(nobody, /"total":0/)
  const personal = [
    ...[NAME, '爱丽', phone, '136 1234 7777', '7777', OTHER_PHONE, `shop:${OTHER_PHONE}`, EMAIL],
    ...[OPENID, `wx1:${OPENID}`, ONLY_OPENID, UNIONID, WECOM_ID],
  ]
  for (const typed of personal) {
    assert.match(await find(typed, lead), /"total":1/, typed)
    assert.equal(await find(typed, analyst), nobody, typed)
  }
  for (const typed of ['C-1', 'shop:C-1']) assert.match(await find(typed, analyst), /"total":1/, typed)
})

test('of the own account everything is shown', async (t) => {
  const desk = await start(t)
  const { cookie, email } = await userOf(desk.http, 'analyst', { email: 'mei.li@example.com' })
  const { user, sees } = (await (await desk.http.send('/api/v1/session', { cookie })).json()) as {
    user: { email: string }
    sees: object
  }
  assert.equal(user.email, email)
  assert.deepEqual(sees, { people: 'everyone', is_masked: true })
})
