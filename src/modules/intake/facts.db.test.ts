import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDatabase } from '../../../test/database.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { storeFacts } from './facts.ts'
import { FACTS_MAX, type FactResult } from './schema.ts'

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }

interface TestOrder {
  readonly id: string
  readonly source?: string
  readonly customer?: string
  readonly at?: string
  readonly price?: number | string
  readonly quantity?: number
  readonly refundOf?: string
  readonly currency?: string
}

function order({ id, source = 'shop', customer, at, price = 10, quantity = 1, refundOf, currency }: TestOrder) {
  return {
    kind: 'order',
    source,
    external_id: id,
    ...(customer ? { customer_id: customer } : {}),
    ...(refundOf ? { refund_of: refundOf } : {}),
    ...(currency ? { currency } : {}),
    paid_at: at ?? '2026-05-01T12:00:00+08:00',
    lines: [{ item: 'tea', quantity, unit_price: price }],
  }
}

async function send(database: Database, facts: readonly unknown[]): Promise<FactResult[]> {
  const results = await storeFacts(database, clock, facts, FACT_KINDS)
  if (isRefusal(results)) throw new Error(results.message)
  return results
}

const statusesOf = (results: readonly FactResult[]) => results.map(({ status, error }) => error?.code ?? status)

async function one<Row extends object>(database: Database, statement: string): Promise<Row> {
  const { rows } = await database.pool.query<Row>(statement)
  assert.ok(rows[0], statement)
  return rows[0]
}

const REVENUE = `select (select count(*) from commerce.orders) as orders,
  (select coalesce(sum(amount_minor), 0)::bigint from commerce.orders) as paid_minor,
  (select coalesce(sum(amount_minor), 0)::bigint from commerce.refund_allocations) as allocated_minor,
  (select count(*) from commerce.refunds) as refunds`

test('each fact is stored whole or refused by itself, in the order of the request', async (t) => {
  const { database } = await testDatabase(t)
  const results = await send(database, [
    order({ id: 'A-1', customer: 'lin' }),
    { ...order({ id: 'A-2' }), coupon: 'x' },
    { ...order({ id: 'A-3' }), lines: [{ item: 'tea', quantity: 1 }] },
    order({ id: 'A-4', at: '2026-06-02T00:00:00Z' }),
    { kind: 'parcel', source: 'shop', external_id: 'A-5' },
    null,
    'fact',
    { ...order({ id: 'A-6' }), external_id: 17 },
    { kind: 'constructor', source: 'shop', external_id: 'A-7' },
    order({ id: 'A-8', price: '12.345678901234' }),
    order({ id: 'A-9', customer: 'lin', price: 0.1 + 0.2, quantity: 10 }),
  ])
  assert.deepEqual(statusesOf(results), [
    'new',
    'invalid',
    'invalid',
    'future_time',
    'invalid',
    'invalid',
    'invalid',
    'invalid',
    'invalid',
    'invalid',
    'new',
  ])
  assert.deepEqual(
    results.map((result) => result.external_id),
    ['A-1', 'A-2', 'A-3', 'A-4', 'A-5', null, null, null, 'A-7', 'A-8', 'A-9'],
  )
  assert.match(results[1]?.error?.message ?? '', /coupon/)
  assert.match(results[4]?.error?.message ?? '', /order, person/)
  assert.deepEqual(await one(database, REVENUE), { orders: 2, paid_minor: 1300, allocated_minor: 0, refunds: 0 })
})

test('what the database cannot keep is refused, and nothing beside it suffers', async (t) => {
  const { database } = await testDatabase(t)
  const results = await send(database, [
    order({ id: 'B-1' }),
    order({ id: 'B-\0' }),
    order({ id: 'B-\ud800' }),
    order({ id: 'B-4', price: 1e15 }),
    order({ id: 'B-5', price: '999999999999999', quantity: 1e9 }),
    order({ id: 'B-6', at: '0000-01-01T00:00:00Z' }),
    order({ id: 'B-\t\\N\n7 茶 ' }),
    order({ id: 'B-8' }),
  ])
  const [first, nul, half, large, larger, never, odd, last] = statusesOf(results)
  assert.deepEqual([first, nul, half, larger, odd, last], ['new', 'invalid', 'invalid', 'bad_number', 'new', 'new'])
  assert.equal(large, 'bad_number')
  assert.equal(never, 'out_of_range')
  assert.equal((await one<{ orders: number }>(database, REVENUE)).orders, 3)
})

test('the same facts again change nothing; another body replaces the whole order; an old body is known', async (t) => {
  const { database } = await testDatabase(t)
  const facts = [order({ id: 'C-1', customer: 'lin' }), order({ id: 'C-2', customer: 'wu', price: '12.50' })]
  assert.deepEqual(statusesOf(await send(database, facts)), ['new', 'new'])
  assert.deepEqual(statusesOf(await send(database, facts)), ['known', 'known'])
  const corrected = order({ id: 'C-1', customer: 'lin', price: 7 })
  assert.deepEqual(statusesOf(await send(database, [corrected, facts[1]])), ['corrected', 'known'])
  assert.deepEqual(await one(database, REVENUE), { orders: 2, paid_minor: 1950, allocated_minor: 0, refunds: 0 })
  assert.deepEqual(statusesOf(await send(database, [facts[0]])), ['known'])
  assert.equal((await one<{ paid_minor: number }>(database, REVENUE)).paid_minor, 1950)
})

test('an id twice in a request is a fact and its correction', async (t) => {
  const { database } = await testDatabase(t)
  const facts = [order({ id: 'D-1', price: 1 }), order({ id: 'D-1', price: 2 }), order({ id: 'D-1', price: 2 })]
  assert.deepEqual(statusesOf(await send(database, facts)), ['new', 'corrected', 'known'])
  assert.deepEqual(statusesOf(await send(database, [order({ id: 'D-1', source: 'till', price: 3 })])), ['new'])
  assert.equal((await one<{ paid_minor: number }>(database, REVENUE)).paid_minor, 500)
})

test('kinds of facts can be mixed, and a refund finds its order whichever comes first', async (t) => {
  const { database } = await testDatabase(t)
  const results = await send(database, [
    order({ id: 'E-1', customer: 'lin', price: 30 }),
    { kind: 'person', source: 'shop', external_id: 'p-1', identities: [{ kind: 'own_id', value: 'lin' }], name: '林' },
    order({ id: 'E-1-back', customer: 'lin', price: 30, refundOf: 'E-1' }),
    order({ id: 'E-2-back', customer: 'wu', price: 5, refundOf: 'E-2' }),
    { kind: 'person', source: 'shop', external_id: 'p-2', identities: [] },
  ])
  assert.deepEqual(statusesOf(results), ['new', 'new', 'new', 'new', 'invalid'])
  assert.deepEqual(await one(database, REVENUE), { orders: 1, paid_minor: 3000, allocated_minor: 3000, refunds: 2 })
  await send(database, [order({ id: 'E-2', customer: 'wu', price: 9, at: '2026-04-01T00:00:00Z' })])
  assert.equal((await one<{ allocated_minor: number }>(database, REVENUE)).allocated_minor, 3500)
  const named = await one<{ names: number }>(
    database,
    `select count(*) as names from customers.records where name = '林'`,
  )
  assert.equal(named.names, 1)
})

test('amounts in another currency than the brand keeps are refused', async (t) => {
  const { database } = await testDatabase(t)
  assert.deepEqual(statusesOf(await send(database, [order({ id: 'F-1', currency: 'CNY' })])), ['new'])
  const facts = [order({ id: 'F-2', currency: 'USD' }), order({ id: 'F-3' }), order({ id: 'F-4', currency: 'usd' })]
  assert.deepEqual(statusesOf(await send(database, facts)), ['other_currency', 'new', 'invalid'])
})

test('a thousand facts at a time, and no more', async (t) => {
  const { database } = await testDatabase(t)
  const facts = Array.from({ length: FACTS_MAX + 1 }, (_, index) =>
    order({ id: `G-${index}`, customer: `c-${index % 70}` }),
  )
  const refused = await storeFacts(database, clock, facts, FACT_KINDS)
  assert.ok(isRefusal(refused))
  assert.deepEqual([refused.kind, refused.code], ['invalid', 'too_many_facts'])
  const results = await send(database, facts.slice(0, FACTS_MAX))
  assert.ok(results.every((result) => result.status === 'new'))
  assert.equal((await one<{ orders: number }>(database, REVENUE)).orders, FACTS_MAX)
})

test('eight writers with the same documents store each of them once', async (t) => {
  const { database } = await testDatabase(t)
  const facts = Array.from({ length: 120 }, (_, index) => order({ id: `H-${index}`, customer: `c-${index % 9}` }))
  const rotated = Array.from({ length: 8 }, (_, writer) => [
    ...facts.slice(writer * 15),
    ...facts.slice(0, writer * 15),
  ])
  const all = (await Promise.all(rotated.map((facts) => send(database, facts)))).flat()
  assert.equal(all.filter((result) => result.status === 'new').length, facts.length)
  assert.equal(all.filter((result) => result.status === 'known').length, facts.length * 7)
  assert.deepEqual(await one(database, REVENUE), { orders: 120, paid_minor: 120_000, allocated_minor: 0, refunds: 0 })
  const people = await one<{ people: number }>(
    database,
    'select count(distinct person_id) as people from commerce.orders',
  )
  assert.equal(people.people, 9)
})

test('writers that bring orders, their refunds and corrections at once end as if one had come after the other', async (t) => {
  const { database } = await testDatabase(t)
  const numbers = Array.from({ length: 60 }, (_, index) => index)
  const buying = numbers.map((n) => order({ id: `I-${n}`, customer: `c-${n % 7}`, price: 20 }))
  const named = numbers.map((n) => order({ id: `I-${n}-back`, customer: `c-${n % 7}`, price: 5, refundOf: `I-${n}` }))
  const unnamed = numbers.slice(0, 14).map((n) => ({
    ...order({ id: `I-${n}-later`, customer: `c-${n % 7}`, at: '2026-05-02T00:00:00Z' }),
    lines: [{ item: 'tea', quantity: -1, unit_price: 15 }],
  }))
  const requests = [buying.slice(0, 30), named, buying.slice(30), unnamed, buying.toReversed(), named.toReversed()]
  const results = (await Promise.all(requests.map((facts) => send(database, facts)))).flat()
  assert.equal(results.filter((result) => result.status === 'new').length, 60 + 60 + 14)
  assert.deepEqual(await one(database, REVENUE), {
    orders: 60,
    paid_minor: 120_000,
    allocated_minor: 60 * 500 + 14 * 1500,
    refunds: 74,
  })
})
