import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { testDatabase } from '../../../test/database.ts'
import { check } from '../../../test/histories.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { migrate } from '../../platform/migrate.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { readPersonByKey } from '../analytics/actions.ts'
import { changeSettings, readSettings } from '../brand/actions.ts'
import { claimPending, storeFacts } from '../intake/actions.ts'
import { rebuild, refreshLapsed, refreshStanding } from './actions.ts'
import { carryStanding } from './carry-queries.ts'

// Who bought once more has their standing carried on from what it was: who that is, and that a rebuild gives the same.

const RUNS = 16
const ROOT = resolve(import.meta.dirname, '../../..')
const DAY_MS = 86_400_000
const BEGIN = Date.parse('2026-01-01T04:00:00Z')

const on = (day: number) => new Date(BEGIN + day * DAY_MS)
const clockOn = (day: number): Clock => ({ now: () => on(day) })
const order = (id: string, customer: string, day: number, more: object = {}) => ({
  kind: 'order',
  source: 'shop',
  external_id: id,
  customer_id: customer,
  paid_at: on(day).toISOString(),
  lines: [{ item: 'tea', quantity: 1, unit_price: '12.50' }],
  ...more,
})
const refund = (id: string, of: string, customer: string, day: number) =>
  order(id, customer, day, { refund_of: of, lines: [{ item: 'tea', quantity: -1, unit_price: '12.50' }] })
const fact = (kind: string, id: string, customer: string, more: object) => ({
  kind,
  source: 'crm',
  external_id: id,
  identity: { kind: 'own_id', namespace: 'shop', value: customer },
  ...more,
})
const connection = (customer: string, endedOn?: number) =>
  fact('connection', `c-${customer}`, customer, {
    channel: 'wecom',
    begun_at: on(0).toISOString(),
    ...(endedOn === undefined ? {} : { ended_at: on(endedOn).toISOString() }),
  })
const review = (customer: string, day: number) =>
  fact('review', `r-${customer}`, customer, { item: 'tea', rating: 5, occurred_at: on(day).toISOString() })
const act = (customer: string, day: number) =>
  fact('interaction', `i-${customer}-${day}`, customer, { type: 'share', occurred_at: on(day).toISOString() })

async function store(database: Database, day: number, facts: readonly object[]): Promise<void> {
  const results = await storeFacts(database, clockOn(day), facts, FACT_KINDS)
  assert.ok(!isRefusal(results) && results.every(({ status }) => status === 'new'), JSON.stringify(results))
}

async function begin(t: TestContext, periodDays: number): Promise<Database> {
  const { database } = await testDatabase(t)
  await setPeriod(database, periodDays)
  return database
}

async function setPeriod(database: Database, periodDays: number): Promise<void> {
  const changed = await changeSettings(database, { period_days: periodDays }, atTerminal('test'), on(0))
  assert.ok(!isRefusal(changed))
  await refreshStanding(database, clockOn(0))
}

/** Everything that a refresh keeps of people, and how many they are counted to be. */
async function kept(database: Database) {
  const read = async (text: string) => (await database.pool.query(text)).rows
  return {
    occasions: await read('select * from relationship.occasions order by person_id, from_at, occasion_at, order_id'),
    eventful: await read('select * from relationship.eventful_occasions order by person_id, occasion_key, from_at'),
    eventful_orders: await read('select * from relationship.eventful_orders order by person_id, order_id'),
    standing: await read('select * from relationship.standing order by person_id'),
    tiers: await read('select * from relationship.fan_tiers order by person_id'),
    changes: await read(
      `select person_id, changed_at, from_depth, to_depth, cause_fact_id, cause_kind from relationship.published_depth_changes
       order by person_id, changed_at`,
    ),
    counts: await read(
      `select depth, last_occasion_day, occasions, sum(people)::int as people
       from (select * from relationship.people_counts union all select * from relationship.people_count_changes) c
       group by 1, 2, 3 having sum(people) <> 0 order by 1, 2, 3`,
    ),
  }
}

async function assertAsRebuilt(database: Database, day: number): Promise<void> {
  const grown = await kept(database)
  await rebuild(database, clockOn(day))
  assert.deepEqual(await kept(database), grown)
}

class RolledBack extends Error {}

/** Whom a refresh would carry now, by the customer's id; nothing of it stays. */
async function carriedOf(database: Database, day: number): Promise<string[]> {
  let carried: string[] = []
  const looked = database.transaction(async (tx, client) => {
    const claimed = async () => {
      const { rows } = await client.query<{ value: string }>(
        `select value from customers.published_people join claimed_people using (person_id) where namespace = 'shop' order by value`,
      )
      return rows.map(({ value }) => value)
    }
    await claimPending(tx, 'relationship', 1000)
    const all = await claimed()
    const { people: count } = await carryStanding(tx, on(day), await readSettings(tx), async () => {})
    const left = new Set(await claimed())
    carried = all.filter((customer) => !left.has(customer))
    assert.equal(carried.length, count)
    throw new RolledBack()
  })
  await assert.rejects(looked, RolledBack)
  return carried
}

test('who bought once more, later than ever, is carried on, and nobody else', async (t) => {
  const database = await begin(t, 100)
  // An earlier purchase of each kind of customer, and what else is known of them.
  await store(database, 60, [
    ...[
      'never',
      'once',
      'twice',
      'dormant',
      'same-day',
      'two',
      'earlier',
      'reviewed',
      'lapsed',
      'returned',
      'back',
    ].map((one) => connection(one)),
    connection('lost', 20),
    connection('found', 20),
    order('o1', 'once', 50),
    order('t1', 'twice', 40),
    order('t2', 'twice', 50),
    order('s1', 'same-day', 59.9),
    order('w1', 'two', 50),
    order('e1', 'earlier', 50),
    order('v1', 'reviewed', 50),
    review('reviewed', 51),
    order('u1', 'unconnected', 50),
    order('z1', 'lost', 15),
    order('f1', 'found', 15),
    order('b1', 'back', 50),
    order('r1', 'returned', 50),
    act('once', 55),
  ])
  await store(database, 60, [refund('r2', 'r1', 'returned', 55)])
  await refreshStanding(database, clockOn(60))
  await store(database, 60, [order('d1', 'dormant', 1), order('l1', 'lapsed', 2)])
  await refreshStanding(database, clockOn(101.5))
  await assertAsRebuilt(database, 101.5)

  await store(database, 103, [
    order('n1', 'never', 103),
    order('o2', 'once', 103),
    order('t3', 'twice', 103),
    order('d2', 'dormant', 103),
    order('s2', 'same-day', 60),
    order('w2', 'two', 102),
    order('w3', 'two', 103),
    order('e2', 'earlier', 49),
    order('v2', 'reviewed', 103),
    order('l2', 'lapsed', 103),
    order('u2', 'unconnected', 103),
    order('z2', 'lost', 103),
    order('f2', 'found', 15.5),
    order('r3', 'returned', 103),
    order('b2', 'back', 103),
    order('x1', 'unknown', 103),
  ])
  await store(database, 103, [refund('b3', 'b2', 'back', 103)])
  const carried = await carriedOf(database, 103)
  assert.deepEqual(carried, ['dormant', 'lost', 'never', 'once', 'returned', 'twice', 'unconnected'])
  await refreshStanding(database, clockOn(103))
  await assertAsRebuilt(database, 103)

  // As of an instant at which what it becomes has lapsed again, it is found anew.
  await store(database, 104, [order('n2', 'never', 104)])
  assert.deepEqual(await carriedOf(database, 104), ['never'])
  assert.deepEqual(await carriedOf(database, 203), [])
})

test('what they do or say leaves who bought and is connected as they are', async (t) => {
  const database = await begin(t, 100)
  const consent = (customer: string) =>
    fact('consent', `k-${customer}`, customer, {
      purpose: 'marketing',
      channel: 'sms',
      state: 'granted',
      occurred_at: on(5).toISOString(),
    })
  const share = (customer: string, day: number, id = '') => ({
    ...act(customer, day),
    external_id: `i-${customer}-${id}`,
  })
  const customers = [
    'acts',
    'consents',
    'both',
    'earlier',
    'never',
    'dormant',
    'corrected',
    'reviews',
    'again',
    'at-once',
  ]
  await store(database, 60, [
    ...customers.map((one) => connection(one)),
    ...customers.filter((one) => one !== 'never').map((one) => order(`1-${one}`, one, 50)),
    order('1-unconnected', 'unconnected', 50),
    connection('lost', 40),
    connection('lost-later', 58),
    share('corrected', 55),
  ])
  await refreshStanding(database, clockOn(60))
  await refreshLapsed(database, clockOn(160))
  const said = [
    ...['acts', 'both', 'dormant', 'unconnected', 'never', 'again', 'at-once'].flatMap((one) =>
      ['a', 'b', 'c'].map((id) => share(one, 161, id)),
    ),
    share('lost', 161),
    share('lost-later', 57),
    ...['acts', 'consents'].map(consent),
    order('2-both', 'both', 160.9),
    order('2-at-once', 'at-once', 161),
    order('2-again', 'again', 161),
    share('again', 45, 'd'),
    share('earlier', 45),
    review('reviews', 161),
  ]
  await store(database, 161, said)
  const results = await storeFacts(database, clockOn(161), [share('corrected', 150)], FACT_KINDS)
  assert.ok(!isRefusal(results) && results[0]?.status === 'corrected')
  const carried = await carriedOf(database, 161)
  assert.deepEqual(carried, ['acts', 'both', 'consents', 'dormant', 'lost', 'unconnected'])
  await refreshStanding(database, clockOn(161))
  await assertAsRebuilt(database, 161)
  const { rows } = await database.pool.query('select count(*)::int as followers from relationship.fan_tiers')
  assert.deepEqual(rows, [{ followers: 11 }])
})

test('where orders are occasions, a second one of the day is one more', async (t) => {
  const database = await begin(t, 100)
  const changed = await changeSettings(database, { occasion_unit: 'order' }, atTerminal('test'), on(0))
  assert.ok(!isRefusal(changed))
  await store(database, 10, [connection('a'), order('1', 'a', 9.9)])
  await refreshStanding(database, clockOn(10))
  await store(database, 10, [order('2', 'a', 10)])
  assert.deepEqual(await carriedOf(database, 10), ['a'])
  await refreshStanding(database, clockOn(10))
  await assertAsRebuilt(database, 10)
})

test('where buying makes nobody a member nobody is carried', async (t) => {
  const database = await begin(t, 100)
  const changed = await changeSettings(database, { member_by_purchase: false }, atTerminal('test'), on(0))
  assert.ok(!isRefusal(changed))
  await store(database, 10, [connection('a'), order('1', 'a', 5)])
  await refreshStanding(database, clockOn(10))
  await store(database, 10, [order('2', 'a', 10)])
  assert.deepEqual(await carriedOf(database, 10), [])
})

test('a clock that was put back leaves out nothing that is stored', async (t) => {
  const database = await begin(t, 100)
  await store(database, 10, [connection('a'), order('1', 'a', 5)])
  await refreshStanding(database, clockOn(10))
  await store(database, 20, [order('2', 'a', 20)])
  await refreshStanding(database, clockOn(19))
  await store(database, 30, [order('3', 'a', 30)])
  await refreshStanding(database, clockOn(30))
  await assertAsRebuilt(database, 30)
})

test('a connection that a clock which was behind left out is not overlooked later', async (t) => {
  const database = await begin(t, 100)
  await store(database, 20, [
    ...['buys', 'acts'].map((one) => ({ ...connection(one), begun_at: on(15).toISOString() })),
    ...['buys', 'acts'].map((one) => order(`1-${one}`, one, 5)),
  ])
  await rebuild(database, clockOn(10))
  await store(database, 30, [order('2', 'buys', 30), act('acts', 30)])
  assert.deepEqual(await carriedOf(database, 30), [])
  await refreshStanding(database, clockOn(30))
  await assertAsRebuilt(database, 30)
})

test('what is found again at the instant at which it was superseded is in the log', async (t) => {
  const database = await begin(t, 100)
  await store(database, 10, [connection('a'), order('1', 'a', 5)])
  await refreshStanding(database, clockOn(10))
  await store(database, 10, [order('2', 'a', 4)])
  await refreshStanding(database, clockOn(10))
  const { rows } = await database.pool.query(
    'select from_depth, to_depth from relationship.published_depth_changes order by changed_at',
  )
  assert.deepEqual(
    rows.map(({ from_depth, to_depth }) => [from_depth, to_depth]),
    [
      [0, 1],
      [1, 3],
      [3, 4],
    ],
  )
  await assertAsRebuilt(database, 10)
})

test('an order that was laid down as an occasion to come is carried on when it has come', async (t) => {
  const database = await begin(t, 10)
  await store(database, 6, [connection('a'), order('1', 'a', 5)])
  await refreshStanding(database, clockOn(6))
  await store(database, 20, [order('2', 'a', 20)])
  // By a clock that is behind, what they lapse to is worked out, with all their orders at hand.
  assert.equal(await refreshLapsed(database, clockOn(19)), 1)
  assert.deepEqual(await carriedOf(database, 20), ['a'])
  await refreshStanding(database, clockOn(20))
  await assertAsRebuilt(database, 20)
})

/** Back to the tables of before 0030_eventful_occasions.sql, with what they would have held. */
async function asBeforeEventful({ pool }: Database): Promise<void> {
  await pool.query(`
    create table relationship.before as
      select * from relationship.eventful_occasions
      union all
      select person_id, (from_at at time zone (select zone from brand.settings))::date - date '1970-01-01', from_at, to_at, occasion_at,
        order_id, order_count, net_minor, opened_by, closed_by
      from relationship.occasions o
      where not exists (select from relationship.eventful_orders e where e.person_id = o.person_id and e.order_id = o.order_id);
    drop view relationship.published_occasions;
    drop view relationship.occasions;
    drop table relationship.eventful_occasions, relationship.eventful_orders;
    alter table relationship.before rename to occasions;
    create view relationship.published_occasions as select * from relationship.occasions;
    delete from platform.migrations where set_name = 'brand' and number = 30`)
}

test('an upgrade keeps what there was, and whose orders were pending across it', async (t) => {
  const database = await begin(t, 365)
  await store(database, 6, [
    ...['a', 'b', 'c', 'd'].map((one) => connection(one)),
    ...['a', 'b', 'c', 'd'].map((customer) => order(`${customer}1`, customer, 1)),
    order('b2', 'b', 1.1),
    refund('c2', 'c1', 'c', 2),
    // Given back at once: there never was such an occasion.
    order('d2', 'd', 3),
    refund('d3', 'd2', 'd', 3),
  ])
  await refreshStanding(database, clockOn(6))
  const { occasions, eventful } = await kept(database)
  await asBeforeEventful(database)
  await store(database, 7, [order('a2', 'a', 7), order('b3', 'b', 7)])
  await migrate(database, ROOT, 'brand')
  const upgraded = await kept(database)
  assert.deepEqual([upgraded.occasions, upgraded.eventful], [occasions, eventful])
  await refreshStanding(database, clockOn(7))
  await assertAsRebuilt(database, 7)
})

test('somebody is told by the rules, occasions by days, also while standing has yet to follow', async (t) => {
  const database = await begin(t, 365)
  await store(database, 1, [connection('a'), order('1', 'a', 1)])
  await refreshStanding(database, clockOn(1))
  const told = async () => {
    const person = await readPersonByKey(database.db, 'a', on(2), undefined)
    assert.ok(!isRefusal(person))
    const { depth, occasions, net_paid_minor: net, rfm, occasions_list: list } = person
    return [depth, occasions, net, rfm?.frequency, list.map(({ orders, net_minor }) => [orders, net_minor])]
  }
  assert.deepEqual(await told(), [3, 1, 1250, 1, [[1, 1250]]])
  await store(database, 1.2, [order('2', 'a', 1.1)])
  assert.deepEqual(await told(), [3, 1, 2500, 1, [[2, 2500]]])
  await store(database, 1.3, [refund('3', '1', 'a', 1.2)])
  assert.deepEqual(await told(), [3, 1, 1250, 1, [[1, 1250]]])
  const before = await told()
  await refreshStanding(database, clockOn(2))
  assert.deepEqual(await told(), before)
})

/** Mostly one more order at a time; now and then several, an earlier one, one given back, or time alone. */
const step = fc.record({
  customer: fc.constantFrom('a', 'b', 'c', 'd'),
  what: fc.constantFrom(
    'order',
    'order',
    'order',
    'order',
    'act',
    'act',
    'look',
    'late act',
    'act corrected',
    'two',
    'earlier',
    'refund',
    'review',
    'time',
  ),
  /** Whole days meet the edges of a period of 30. */
  days: fc.constantFrom(0, 0.1, 1, 5, 10, 15, 20, 29, 30, 31, 60),
  isRefreshed: fc.boolean(),
})

test('what grew by single orders is what a rebuild makes of them', async (t) => {
  const { database } = await testDatabase(t)
  await setPeriod(database, 30)
  let run = 0
  // Of all runs: what they leave stays, and time does not go back.
  let day = 0
  let carried = 0
  await check(t, fc.array(step, { minLength: 4, maxLength: 14 }), RUNS, async (steps) => {
    run += 1
    const of = (customer: string) => `${run}-${customer}`
    day += 1
    const orders: { id: string; customer: string }[] = []
    const acts: { type: string }[] = []
    await store(
      database,
      day,
      // One is lost, and one never was connected.
      ['a', 'b', 'd'].map((customer) => connection(of(customer), customer === 'd' ? day : undefined)),
    )
    for (const [index, { customer, what, days, isRefreshed }] of steps.entries()) {
      day += days
      const who = of(customer)
      const buy = (at: number, part = '') => {
        orders.push({ id: `${run}-${index}${part}`, customer: who })
        return order(`${run}-${index}${part}`, who, at)
      }
      if (what === 'order') await store(database, day, [buy(day)])
      if (what === 'two') await store(database, day, [buy(day), buy(day - 3, '+')])
      if (what === 'earlier') await store(database, day, [buy(day - 12)])
      if (what === 'review' && index % 3 === 0)
        await store(database, day, [{ ...review(who, day), external_id: `${run}-r${index}` }])
      if (what === 'act' || what === 'look' || what === 'late act') {
        const at = what === 'late act' ? day - 20 : day
        const done = { ...act(who, at), type: what === 'look' ? 'view' : 'share', external_id: `${run}-i${index}` }
        acts.push(done)
        await store(database, day, [done])
      }
      const was = acts.pop()
      if (was && what === 'act corrected') {
        const results = await storeFacts(
          database,
          clockOn(day),
          [{ ...was, type: was.type === 'view' ? 'share' : 'view' }],
          FACT_KINDS,
        )
        assert.ok(!isRefusal(results) && results[0]?.status === 'corrected')
      } else if (was) acts.push(was)
      const given = orders.at(-1)
      if (what === 'refund' && given) {
        orders.pop()
        await store(database, day, [refund(`${run}-b${index}`, given.id, given.customer, day)])
      }
      if (isRefreshed) await refreshLapsed(database, clockOn(day))
      carried += (await carriedOf(database, day)).length
      if (isRefreshed || !['order', 'act'].includes(what)) await refreshStanding(database, clockOn(day))
    }
    await refreshStanding(database, clockOn(day))
    await refreshLapsed(database, clockOn(day))
    await assertAsRebuilt(database, day)
  })
  assert.ok(carried > 10, `${carried} were carried`)
})
