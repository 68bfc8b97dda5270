import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TestConsole, testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import { catchUp } from '../../bin/catch-up.ts'
import type { Clock } from '../../platform/clock.ts'

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }

const order = (id: string, day: string) => ({
  kind: 'order',
  external_id: id,
  customer_id: 'lin',
  paid_at: `${day}T00:00:00Z`,
  lines: [{ item: 'tea', unit_price: 10 }],
})
const FACTS = [
  order('A-1', '2026-05-01'),
  order('A-2', '2025-09-01'),
  {
    kind: 'connection',
    external_id: 'c-1',
    identity: { kind: 'own_id', namespace: 'shop', value: 'lin' },
    channel: 'wecom',
    begun_at: '2025-01-01T00:00:00Z',
  },
]

type Wire = Record<string, unknown> & { error?: { code: string } }

async function send(desk: TestConsole, cookie: string, body?: object) {
  const response = await desk.http.send('/api/v1/settings', { cookie, ...(body ? { method: 'PATCH', body } : {}) })
  return { status: response.status, wire: (await response.json()) as Wire }
}

async function depthOfLin(desk: TestConsole): Promise<number | undefined> {
  const { rows } = await desk.database.pool.query<{ depth: number }>('select depth from relationship.standing')
  return rows[0]?.depth
}

test('a setting that depth rests on has everybody made anew, once, whoever does the work', async (t) => {
  const desk = await testConsole(t, clock)
  const { cookie } = await userOf(desk.http, 'owner')
  await desk.post(...FACTS)
  assert.equal(await depthOfLin(desk), 4, 'two occasions within 365 days')
  const before = await send(desk, cookie)
  assert.deepEqual([before.wire.period_days, before.wire.is_rebuilding], [365, false])
  const changed = await send(desk, cookie, { period_days: 90 })
  assert.deepEqual([changed.wire.period_days, changed.wire.is_rebuilding], [90, true])
  assert.equal(await depthOfLin(desk), 4, 'until the work is done')
  // As after a restart: nothing but the database knows that it is due.
  await catchUp(desk.database, clock)
  assert.equal(await depthOfLin(desk), 3)
  assert.equal((await send(desk, cookie)).wire.is_rebuilding, false)
  const same = await send(desk, cookie, { period_days: 90 })
  assert.equal(same.wire.is_rebuilding, false, 'nothing was changed')
})

test('a setting that is only asked when read needs no rebuild', async (t) => {
  const desk = await testConsole(t, clock)
  const { cookie } = await userOf(desk.http, 'owner')
  const changed = await send(desk, cookie, { recency_unit: '24h', phone_claim_days: 30 })
  assert.deepEqual(
    [changed.wire.recency_unit, changed.wire.phone_claim_days, changed.wire.is_rebuilding],
    ['24h', 30, false],
  )
})

test('a change made while a rebuild runs is due for another one', async (t) => {
  const desk = await testConsole(t, clock)
  let at = clock.now().getTime()
  const moving: Clock = {
    now: () => {
      at += 1000
      return new Date(at)
    },
  }
  const { cookie } = await userOf(desk.http, 'owner')
  await desk.post(...FACTS)
  await send(desk, cookie, { period_days: 90 })
  // Holds the rebuild where it takes its lock, after it has been asked for.
  const client = await desk.database.pool.connect()
  await client.query('begin')
  await client.query('lock table relationship.standing in exclusive mode')
  const rebuilding = catchUp(desk.database, moving)
  await desk.database.pool.query('update brand.settings set period_days = 365, rebuild_due_at = $1', [moving.now()])
  await client.query('commit')
  client.release()
  await rebuilding
  await catchUp(desk.database, moving)
  assert.equal(await depthOfLin(desk), 4)
  assert.equal((await send(desk, cookie)).wire.is_rebuilding, false)
})

test('where a tier begins is a setting: everybody has theirs anew, and since when they do is said', async (t) => {
  const desk = await testConsole(t, clock)
  const { cookie } = await userOf(desk.http, 'owner')
  const act = (type: string) => ({
    kind: 'interaction',
    external_id: type,
    identity: { kind: 'own_id', namespace: 'shop', value: 'lin' },
    type,
    occurred_at: '2026-05-31T23:00:00Z',
  })
  await desk.post(...FACTS, act('share'), act('like'))
  const tierOf = async (tier: string) => {
    const listed = await desk.http.send(`/api/v1/people?fan_tier=${tier}`, { cookie })
    return ((await listed.json()) as { total: number }).total
  }
  assert.deepEqual([await tierOf('follower'), await tierOf('active')], [1, 0], 'a score of nearly 11')
  assert.equal((await send(desk, cookie)).wire.followed_at, null)
  const changed = await send(desk, cookie, { fan_tier_scores: [5, 10, 60] })
  assert.deepEqual([changed.wire.is_rebuilding, changed.wire.fan_tier_scores], [true, [5, 10, 60]])
  await catchUp(desk.database, clock)
  assert.deepEqual([await tierOf('follower'), await tierOf('active')], [0, 1])
  const after = (await send(desk, cookie)).wire
  assert.deepEqual([after.is_rebuilding, after.followed_at], [false, clock.now().toISOString()])
  const same = await send(desk, cookie, { fan_tier_scores: [5, 10, 60], rfm_frequency: null })
  assert.equal(same.wire.is_rebuilding, false, 'equal lists are no change')
})

test('what cannot be is refused, and leaves everything as it was', async (t) => {
  const desk = await testConsole(t, clock)
  const { cookie } = await userOf(desk.http, 'owner')
  await desk.post(...FACTS)
  const before = (await send(desk, cookie)).wire
  const cases = [
    [{ zone: 'Mars/Base' }, 400, 'unknown_zone'],
    [{ currency: 'USD' }, 409, 'other_currency'],
    [{ currency: 'usd' }, 400, 'unknown_currency'],
    [{ period_days: 0 }, 400, 'invalid_request'],
    [{ period_days: 3661 }, 400, 'invalid_request'],
    [{ occasion_unit: 'week' }, 400, 'invalid_request'],
    [{ password: 'x' }, 400, 'invalid_request'],
    [{ fan_tier_scores: [5, 60, 20] }, 400, 'cuts_not_ascending'],
    [{ fan_tier_scores: [5, 20, 20] }, 400, 'cuts_not_ascending'],
    [{ fan_tier_scores: [0, 20, 60] }, 400, 'invalid_request'],
    [{ fan_tier_scores: [5, 20.001, 60] }, 400, 'invalid_request'],
    [{ fan_tier_scores: [5, 20] }, 400, 'invalid_request'],
    [{ fan_tier_scores: null }, 400, 'invalid_request'],
    [{ rfm_recency_days: [30, 60, 90, 90] }, 400, 'cuts_not_ascending'],
    [{ rfm_recency_days: [-1, 60, 90, 120] }, 400, 'invalid_request'],
    [{ rfm_frequency: [0, 1, 2, 3] }, 400, 'invalid_request'],
    [{ rfm_frequency: [1, 2.5, 3, 4] }, 400, 'invalid_request'],
    [{ rfm_monetary_minor: [0, 1, 2] }, 400, 'invalid_request'],
    [{ period_days: 90, rfm_monetary_minor: [5, 4, 6, 7] }, 400, 'cuts_not_ascending'],
    [{ zone: 'Europe/London', currency: 'USD' }, 409, 'other_currency'],
  ] as const
  for (const [body, status, code] of cases) {
    const refused = await send(desk, cookie, body)
    assert.deepEqual([refused.status, refused.wire.error?.code], [status, code], JSON.stringify(body))
  }
  assert.deepEqual((await send(desk, cookie)).wire, before)
})

test('a brand without amounts takes the currency it is told', async (t) => {
  const desk = await testConsole(t, clock)
  const { cookie } = await userOf(desk.http, 'lead')
  const changed = await send(desk, cookie, { currency: 'EUR', zone: 'Europe/Berlin' })
  assert.deepEqual([changed.wire.currency, changed.wire.zone], ['EUR', 'Europe/Berlin'])
})
