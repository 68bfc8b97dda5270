import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { CONNECTION_FACTS, MEMBERSHIP_FACTS, mergePeople, PERSON_FACTS } from '../customers/actions.ts'
import { storeFacts } from '../intake/actions.ts'
import { followIdentities, INTERACTION_FACTS, REVIEW_FACTS } from './actions.ts'

const KINDS = {
  person: PERSON_FACTS,
  connection: CONNECTION_FACTS,
  membership: MEMBERSHIP_FACTS,
  interaction: INTERACTION_FACTS,
  review: REVIEW_FACTS,
}
const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const who = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const post = async (...facts: object[]) => {
    const results = await storeFacts(
      database,
      clock,
      facts.map((fact) => ({ source: 'crm', ...fact })),
      KINDS,
    )
    if (isRefusal(results)) throw new Error(results.message)
    return results.map(({ status, error }) => error?.code ?? status)
  }
  const read = async (table: string) =>
    (await sql<Record<string, unknown>>`select * from ${sql.raw(table)} order by 1, 2`.execute(database.db)).rows
  return { database, post, read }
}

const VIEW = {
  kind: 'interaction',
  external_id: 'i1',
  identity: who('a'),
  type: 'view',
  item: 'W1',
  occurred_at: '2026-03-05T10:00:00Z',
}

test('each kind is stored once, whatever is sent again, and a correction replaces it', async (t) => {
  const { post, read } = await start(t)
  const facts = [
    VIEW,
    {
      kind: 'review',
      external_id: 'r1',
      identity: who('a'),
      item: 'W1',
      rating: 5,
      occurred_at: '2026-04-01T00:00:00Z',
    },
    {
      kind: 'connection',
      external_id: 'c1',
      identity: who('a'),
      channel: 'wecom',
      staff: 'lin',
      begun_at: '2026-01-01T00:00:00Z',
    },
    { kind: 'membership', external_id: 'm1', identity: who('a'), enrolled_at: '2026-01-02T00:00:00Z' },
  ]
  assert.deepEqual(await post(...facts), ['new', 'new', 'new', 'new'])
  assert.deepEqual(await post(...facts), ['known', 'known', 'known', 'known'])
  assert.deepEqual(await post({ ...VIEW, type: 'cart' }), ['corrected'])
  assert.deepEqual(
    await post({ ...VIEW, type: 'cart', occurred_at: '2026-03-06T10:00:00Z' }),
    ['corrected'],
    'the time alone',
  )
  const interactions = await read('interactions.published_interactions')
  assert.deepEqual(
    interactions.map(({ type, item }) => [type, item]),
    [['cart', 'W1']],
  )
  assert.equal((await read('interactions.published_reviews')).length, 1)
  assert.deepEqual(
    (await read('customers.connections')).map(({ channel, staff }) => [channel, staff]),
    [['wecom', 'lin']],
  )
  assert.equal((await read('customers.published_memberships')).length, 1)
})

test('interactions of any months find their partition', async (t) => {
  const { post, read } = await start(t)
  const months = ['2019-12-31T23:59:59Z', '2020-01-01T00:00:00Z', '2026-05-31T23:30:00+08:00']
  const facts = months.map((occurred_at, index) => ({ ...VIEW, external_id: `i${index}`, occurred_at }))
  assert.deepEqual(await post(...facts), ['new', 'new', 'new'])
  const { length } = await read('interactions.published_interactions')
  assert.equal(length, 3)
})

test('the future, a nameless person, an end before the beginning and unknown fields are refused, each with its reason', async (t) => {
  const { post, read } = await start(t)
  const results = await post(
    { ...VIEW, external_id: 'i2', occurred_at: '2026-06-01T00:00:01Z' },
    { ...VIEW, external_id: 'i3', identity: { kind: 'phone', value: '138****0000' } },
    {
      kind: 'membership',
      external_id: 'm2',
      identity: who('a'),
      enrolled_at: '2026-02-01T00:00:00Z',
      ended_at: '2026-01-01T00:00:00Z',
    },
    { ...VIEW, external_id: 'i4', mood: 'good' },
    { kind: 'review', external_id: 'r2', identity: who('a'), occurred_at: '2026-02-01T00:00:00Z' },
    { ...VIEW, external_id: 'i5' },
  )
  assert.deepEqual(results, ['future_time', 'missing_identity', 'invalid', 'invalid', 'invalid', 'new'])
  assert.equal((await read('interactions.published_interactions')).length, 1)
})

test('what a person did follows the identity when two become one', async (t) => {
  const { database, post, read } = await start(t)
  await post(VIEW, { ...VIEW, external_id: 'i2', identity: who('b') })
  const { rows } = await sql<{
    person_id: number
  }>`select distinct person_id from customers.canonical order by 1`.execute(database.db)
  const merged = await mergePeople(database, clock, {
    personIds: rows.map((row) => row.person_id),
    by: atTerminal('lead'),
  })
  assert.ok('claim_id' in merged)
  assert.equal(await followIdentities(database, clock), 1)
  const people = new Set((await read('interactions.published_interactions')).map((row) => row.person_id))
  assert.equal(people.size, 1)
})
