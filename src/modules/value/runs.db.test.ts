import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { chance, exponential, gamma } from '../../../test/chance.ts'
import { testConsole } from '../../../test/console.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { ERASERS } from '../../bin/erasers.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { readSettings } from '../brand/actions.ts'
import { erasePerson } from '../customers/actions.ts'
import { readEquity, readPersonValue } from './reading.ts'
import { followChanges, isFollowDue, valueEverybody } from './runs.ts'
import { settleValues } from './settled-queries.ts'

const NOW = new Date('2026-06-01T04:00:00Z')
const clock: Clock = { now: () => NOW }
const DAY_MS = 86_400_000
const who = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })
const ago = (days: number) => new Date(NOW.getTime() - days * DAY_MS).toISOString()

const order = (id: string, customer: string, days: number, price: number) => ({
  kind: 'order',
  external_id: id,
  customer_id: customer,
  paid_at: ago(days),
  lines: [{ item: 'tea', unit_price: price }],
})
const connection = (customer: string, days: number) => ({
  kind: 'connection',
  external_id: `c-${customer}`,
  identity: who(customer),
  channel: 'wecom',
  begun_at: ago(days),
})
const claim = (id: string, invitee: string, referrer: string, days: number) => ({
  kind: 'referral_claim',
  external_id: id,
  invitee: who(invitee),
  referrer: who(referrer),
  occurred_at: ago(days),
})

async function start(t: TestContext) {
  const { database, post } = await testConsole(t, clock)
  const rows = async <Row>(text: ReturnType<typeof sql<Row>>) => (await text.execute(database.db)).rows
  const personOf = async (value: string) =>
    (await rows(sql<{ person_id: number }>`select person_id from customers.published_people where value = ${value}`))[0]
      ?.person_id ?? 0
  return { database, post, rows, personOf }
}

/** Of a brand whose people buy as they like: some once, some often, some no more. */
function shop(people: number): object[] {
  const random = chance(7)
  return Array.from({ length: people }, (_, index) => index).flatMap((index) => {
    const customer = `p${index}`
    const began = 30 + Math.floor(500 * random())
    const rate = gamma(random, 0.9) / 40
    const drop = 0.25 * random()
    const days = [began]
    for (let day = began - exponential(random) / rate; day > 1 && random() > drop; day -= exponential(random) / rate) {
      days.push(Math.floor(day))
    }
    const price = 20 + Math.round(80 * random())
    const orders = [...new Set(days)].map((day, number) =>
      order(`${customer}-${number}`, customer, day, price + Math.round(30 * random())),
    )
    return index % 4 === 0 ? orders : [connection(customer, began), ...orders]
  })
}

test('a run dates a value for everybody who bought, and a fit with its label', async (t) => {
  const { database, post, rows } = await start(t)
  assert.equal(await valueEverybody(database, NOW), undefined, 'nobody has bought')
  const facts = shop(500)
  for (let from = 0; from < facts.length; from += 500) await post(...facts.slice(from, from + 500))
  const report = await valueEverybody(database, NOW)
  assert.ok(report)
  assert.deepEqual([report.people, report.drift], [500, null])
  assert.ok(report.reachable_people > 300 && report.reachable_people < 400)
  const valued = await rows(sql<Record<string, number>>`select * from value.people order by person_id`)
  assert.equal(valued.length, 500)

  // An oracle of its own: histories and money from the facts that were posted.
  const byCustomer = new Map<string, { day: number; price: number }[]>()
  for (const fact of facts as ReturnType<typeof order>[]) {
    if (fact.kind !== 'order') continue
    const day = Math.round((NOW.getTime() - Date.parse(fact.paid_at)) / DAY_MS)
    const list = byCustomer.get(fact.customer_id) ?? []
    list.push({ day, price: fact.lines[0]?.unit_price ?? 0 })
    byCustomer.set(fact.customer_id, list)
  }
  const keys = await rows(
    sql<{ person_id: number; value: string }>`select person_id, value from customers.published_people`,
  )
  let equity = 0
  for (const { person_id, value } of keys) {
    const own = valued.find((row) => row.person_id === person_id)
    const bought = (byCustomer.get(value) ?? []).sort((a, b) => b.day - a.day)
    const [first, last] = [bought[0], bought.at(-1)]
    assert.ok(own && first && last)
    assert.deepEqual(
      [own.repeats, own.last_days, own.watched_days],
      [bought.length - 1, first.day - last.day, first.day],
      value,
    )
    const later = bought.slice(1).reduce((sum, { price }) => sum + 100 * price, 0)
    assert.ok(Math.abs((own.mean_spend_minor ?? 0) - (bought.length > 1 ? later / (bought.length - 1) : 0)) < 1e-6)
    const realised = bought.filter(({ day }) => day < 365).reduce((sum, { price }) => sum + 100 * price, 0)
    assert.equal(own.realised_minor, realised)
    const { expected_minor: expected = 0, expected_low_minor: low = 0, expected_high_minor: high = 0 } = own
    assert.ok(low >= 0 && low <= high && expected >= 0)
    if (Number(value.slice(1)) % 4 !== 0) equity += expected
  }
  assert.ok(Math.abs(report.customer_equity_minor - equity) < 500)
  assert.ok(report.customer_equity_low_minor < equity && equity < report.customer_equity_high_minor)

  const again = await valueEverybody(database, NOW)
  assert.ok(Math.abs(again?.drift ?? 1) < 1e-9, 'the same facts give the same fit')
  assert.equal(again?.customer_equity_minor, report.customer_equity_minor)
  const fits = await rows(
    sql<{ calibration: { people: number; actual: number }[] }>`select calibration from value.fits`,
  )
  assert.equal(fits.length, 2, 'the earlier one is kept')
  assert.ok((fits[0]?.calibration.length ?? 0) > 3)

  await sql`update brand.settings set margin_rate = 0.4, discount_rate_per_year = 0`.execute(database.db)
  const atMargin = await valueEverybody(database, NOW)
  const undiscounted = (atMargin?.customer_equity_minor ?? 0) / 0.4
  assert.ok(undiscounted > equity * 1.02 && undiscounted < equity * 1.08, 'a tenth a year, half a year away on average')
})

test('which claims are edges: before the arrival, in the window, the first; others are kept with their reason', async (t) => {
  const { database, post, rows, personOf } = await start(t)
  await post(
    connection('a', 100),
    connection('b', 50),
    order('b-1', 'b', 40, 100),
    order('b-2', 'b', 20, 50),
    order('d-1', 'd', 9, 30),
    claim('1', 'b', 'a', 51),
    claim('2', 'b', 'c', 50.5),
    claim('3', 'a', 'b', 101),
    claim('4', 'a', 'c', 99),
    claim('5', 'd', 'b', 10),
    claim('6', 'e', 'a', 5),
    claim('7', 'c', 'a', 5),
    connection('f', 3),
    claim('8', 'f', 'a', 34),
    connection('g', 3),
    claim('9', 'g', 'f', 3),
  )
  await valueEverybody(database, NOW)
  const fates = await rows(
    sql<{ external_id: string; refusal: string | null }>`
      select i.external_id, e.refusal from value.published_referrals e join intake.inbox i on i.fact_id = e.claim_id
      order by i.external_id`,
  )
  assert.deepEqual(Object.fromEntries(fates.map(({ external_id, refusal }) => [external_id, refusal])), {
    1: 'cycle',
    2: null,
    3: null,
    4: 'assist',
    5: null,
    6: 'not_arrived',
    7: 'not_arrived',
    8: 'outside_window',
    9: null,
  })
  const place = async (key: string) => {
    const [found] = await rows(
      sql<Record<string, number>>`select * from value.published_values where person_id = ${await personOf(key)}`,
    )
    return found
  }
  const [b, c, d] = [await place('b'), await place('c'), await place('d')]
  assert.equal(c?.own_minor, 0)
  assert.deepEqual([c?.tree_depth, b?.tree_depth, d?.tree_depth], [0, 1, 2])
  const own = (b?.own_minor ?? 0) + (d?.own_minor ?? 0)
  assert.equal(c?.influenced_minor, own)
  const [sums] = await rows(
    sql<{ own: number; allocated: number }>`
      select sum(own_minor)::bigint as own, sum(allocated_minor)::bigint as allocated from value.published_values`,
  )
  assert.ok(sums && sums.own > 0 && sums.own === sums.allocated)
})

const people = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
test('who is erased leaves no value and no edge, and the tree without them is the one of a replay', async (t) => {
  const { database, post, rows, personOf } = await start(t)
  await post(
    ...['a', 'b', 'c', 'd'].flatMap((key, index) => [connection(key, 100 - index), order(`${key}-1`, key, 80, 100)]),
    claim('1', 'b', 'a', 99.5),
    claim('2', 'c', 'b', 98.5),
    claim('3', 'd', 'c', 97.5),
  )
  await valueEverybody(database, NOW)
  const erased = await personOf('b')
  const by = atTerminal('owner')
  assert.ok(!isRefusal(await erasePerson(database, clock, { personId: erased, by, erasers: ERASERS })))
  await catchUp(database, clock)
  assert.ok((await followChanges(database, NOW)) > 0)
  const left = await rows(
    sql`select 1 from value.people where person_id = ${erased}
      union all select 1 from value.propagation where person_id = ${erased}
      union all select 1 from value.referral_edges where ${erased} in (person_id, referrer_person_id)`,
  )
  assert.deepEqual(left, [])
  const [sums] = await rows(
    sql<{ own: number; allocated: number; depths: number }>`
      select sum(own_minor)::bigint as own, sum(allocated_minor)::bigint as allocated, sum(tree_depth)::int as depths
      from value.published_values`,
  )
  assert.ok(sums && sums.own > 0 && sums.own === sums.allocated)
  assert.equal(sums.depths, 1, 'c brought d, and nobody is above c any more')
})

const kindOfFact = (what: string, weight: number, days: number) => ({
  weight,
  arbitrary: fc.record({ what: fc.constant(what), one: fc.nat(7), other: fc.nat(7), days: fc.nat(days) }),
})
// Most claims lie before the arrival and within the window, some do not.
const anyFact = fc.oneof(
  kindOfFact('claim', 8, 45),
  kindOfFact('connect', 5, 10),
  kindOfFact('buy', 1, 10),
  kindOfFact('join', 1, 0),
)

test('referrals kept up to date are those of a replay from scratch', async (t) => {
  const { database, post, rows } = await start(t)
  await post(order('z-1', 'z', 300, 100), ...people.map((key, index) => order(`v-${key}`, key, 200, 10 * (index + 1))))
  await valueEverybody(database, NOW)
  let [number, replayed, compared] = [0, 0, 0]
  const state = async () => ({
    edges: await rows(sql`select * from value.referral_edges order by person_id, claim_id`),
    places: await rows(sql`select * from value.propagation order by person_id`),
  })
  const factOf = ({ what, one, other, days }: { what: string; one: number; other: number; days: number }) => {
    number += 1
    // New people each time, so that they have not arrived long ago; a few of them are named again.
    const [key = '', second = ''] = [`${people[one]}${number >> 6}`, `${people[other]}${(number >> 6) - (other % 2)}`]
    if (what === 'connect') return connection(key, days)
    if (what === 'buy') return order(`n-${number}`, key, days, 50)
    if (what === 'join') {
      return { kind: 'person', external_id: `j-${number}`, updated_at: ago(0), identities: [who(key), who(second)] }
    }
    return key === second ? connection(key, days) : claim(`k-${number}`, key, second, days)
  }
  await fc.assert(
    fc.asyncProperty(fc.array(anyFact, { minLength: 3, maxLength: 10 }), async (list) => {
      const facts = list.map(factOf).filter((fact, index, all) => {
        const identities = (fact as { identities?: { value: string }[] }).identities
        const isSame = identities !== undefined && identities[0]?.value === identities[1]?.value
        return !isSame && all.findIndex((other) => other.external_id === fact.external_id) === index
      })
      if (facts.length > 0) await post(...facts)
      if ((await followChanges(database, NOW)) > 0) replayed += 1
      const kept = await state()
      compared += kept.places.length
      assert.equal(await followChanges(database, NOW), 0, 'nothing changed, nothing is done')
      await database.transaction(async (tx) => {
        await sql`delete from value.referral_edges`.execute(tx)
        await sql`delete from value.propagation`.execute(tx)
        await sql`
          insert into intake.pending_people (subscriber, person_id, pending_since)
          select distinct 'value', person_id, ${NOW}::timestamptz from customers.published_people`.execute(tx)
      })
      await followChanges(database, NOW)
      assert.deepEqual(await state(), kept)
    }),
    { numRuns: 30 },
  )
  const { edges, places } = await state()
  t.diagnostic(`${edges.length} claims, ${places.length} people in trees, ${replayed} replays`)
  // Over all lists, some 200: at the end chance may have left no more than ten people in trees.
  assert.ok(replayed > 10 && compared > 10, `${replayed} replays, ${compared} places compared`)
  await valueEverybody(database, NOW)
  assert.deepEqual((await state()).edges, edges, 'a run finds the same')
})

test('between runs what came in moves, of its people and of the trees they are in, and nothing else', async (t) => {
  const { database, post, rows, personOf } = await start(t)
  await sql`update brand.settings set margin_rate = 0.5`.execute(database.db)
  await post(
    ...['a', 'b', 'c', 'd'].flatMap((key, index) => [connection(key, 100 - index), order(`${key}-1`, key, 80, 100)]),
    claim('1', 'b', 'a', 99.5),
    claim('2', 'c', 'b', 98.5),
  )
  await valueEverybody(database, NOW)
  const values = async () => {
    const found = await rows(
      sql<Record<string, number> & { key: string }>`
        select value as key, v.* from value.published_values v join customers.published_people using (person_id) order by value`,
    )
    return new Map(found.map((row) => [row.key, row]))
  }
  const before = await values()
  assert.equal(await followChanges(database, NOW), 0)
  await post(order('c-2', 'c', 3, 40), order('z-1', 'z', 3, 40))
  assert.equal(
    await followChanges(database, NOW),
    4,
    'a, b, c and z, who bought for the first time; d is in no tree with them',
  )
  const after = await values()
  const of = (key: string, name: string) => (after.get(key)?.[name] ?? 0) - (before.get(key)?.[name] ?? 0)
  assert.deepEqual(
    ['own_minor', 'realised_minor', 'expected_minor', 'allocated_minor', 'influenced_minor'].map((name) =>
      ['a', 'b', 'c', 'd'].map((key) => of(key, name)),
    ),
    [
      [0, 0, 2000, 0],
      [0, 0, 2000, 0],
      [0, 0, 0, 0],
      [80, 320, 1600, 0],
      [2000, 2000, 0, 0],
    ],
  )
  const z = after.get('z')
  assert.deepEqual(
    [z?.own_minor, z?.realised_minor, z?.allocated_minor],
    [2000, 2000, 2000],
    'at half of what was paid',
  )
  assert.deepEqual([z?.valued_at, z?.p_alive, z?.expected_minor], [null, null, 0], 'what is expected waits for the run')
  const told = await readPersonValue(database.db, await personOf('z'), NOW)
  assert.ok(!isRefusal(told))
  // Three in the morning in Shanghai.
  assert.deepEqual([told.valued_at, told.next_valued_at], [null, '2026-06-01T19:00:00.000Z'])
  const known = await readPersonValue(database.db, await personOf('a'), NOW)
  assert.ok(!isRefusal(known) && known.valued_at !== null && known.next_valued_at === null)
  const { people: valued } = await readEquity(database.db)
  assert.equal(valued, 4, 'z is not valued yet')

  await post({ ...order('c-2r', 'c', 1, 40), refund_of: 'c-2' }, { ...order('z-1r', 'z', 1, 40), refund_of: 'z-1' })
  assert.equal(await followChanges(database, NOW), 4)
  assert.deepEqual(await values(), before, 'a refund takes it back')

  await post(order('z-2', 'z', 2, 40))
  await followChanges(database, NOW)
  await valueEverybody(database, NOW)
  const run = (await values()).get('z') as unknown as { valued_at: Date; expected_minor: number } | undefined
  assert.ok(run && run.valued_at.getTime() === NOW.getTime() && run.expected_minor > 0)
})

test('whoever is merged into another leaves no value of their own behind', async (t) => {
  const { database, post, rows, personOf } = await start(t)
  await post(
    ...['a', 'b', 'c'].flatMap((key) => [connection(key, 100), order(`${key}-1`, key, 80, 100)]),
    claim('1', 'b', 'c', 101),
  )
  await valueEverybody(database, NOW)
  const realised = async () =>
    (await rows(sql<{ sum: number }>`select sum(realised_minor)::bigint as sum from value.published_values`))[0]?.sum
  assert.equal(await realised(), 30_000)
  await post({ kind: 'person', external_id: 'j', updated_at: ago(0), identities: [who('a'), who('b')] })
  assert.ok((await followChanges(database, NOW)) > 0)
  assert.equal(await personOf('a'), await personOf('b'))
  assert.equal(await realised(), 30_000, 'what both brought is the one person’s')
  const left = await rows(
    sql`select person_id from value.published_values v where not exists (
          select from customers.published_people p where p.person_id = v.person_id)
        union all select person_id from value.settled s where not exists (
          select from customers.published_people p where p.person_id = s.person_id)`,
  )
  assert.deepEqual(left, [])
})

test('following reads nobody whose facts did not change', async (t) => {
  const { database, post, rows } = await start(t)
  await post(
    ...people.flatMap((key) => [connection(key, 100), order(`${key}-1`, key, 80, 100)]),
    claim('1', 'b', 'a', 101),
  )
  await valueEverybody(database, NOW)
  const pending = async () =>
    (await rows(sql<{ count: number }>`select count(*) from intake.pending_people where subscriber = 'value'`))[0]
      ?.count
  assert.equal(await pending(), 0, 'a run has seen everybody')
  // A value that nobody's facts changed stays as it is: it is not looked at.
  await sql`update value.people set net_paid_minor = 1`.execute(database.db)
  assert.equal(await followChanges(database, NOW), 0)
  await post(order('c-2', 'c', 3, 40))
  assert.equal(await pending(), 1)
  assert.equal(await followChanges(database, NOW), 1)
  assert.equal(await pending(), 0)
})

test('a brand in which nobody was valued keeps nobody pending for it', async (t) => {
  const { database, post, rows } = await start(t)
  const pending = () => rows(sql`select from intake.pending_people where subscriber = 'value'`)
  await post(connection('a', 3))
  assert.equal(await followChanges(database, NOW), 0)
  await post(connection('b', 3))
  assert.deepEqual(await pending(), [])
  assert.equal(await valueEverybody(database, NOW), undefined)
  await post(connection('c', 3))
  assert.deepEqual(await pending(), [])
  await post(order('c-1', 'c', 2, 30))
  assert.ok(await valueEverybody(database, NOW))
  await post(order('c-2', 'c', 1, 30))
  assert.equal(await followChanges(database, NOW), 1)

  // A run of before values followed whom standing hands on.
  await sql`delete from intake.subscribers where subscriber = 'value'`.execute(database.db)
  assert.equal(await isFollowDue(database), true)
  assert.equal(await followChanges(database, NOW), 0)
  assert.equal(await isFollowDue(database), false)
  await post(order('c-3', 'c', 1, 30))
  assert.equal(await isFollowDue(database), true)
  assert.equal(await followChanges(database, NOW), 1)
})

/** Settled values of one person after each of some runs, in place of the fits that would have made them. */
test('settled values follow beyond a twentieth, thirds beyond it of a cut, and rhythms beyond a day', async (t) => {
  const { database, post, personOf } = await start(t)
  await post(order('a-1', 'a', 80, 100), order('b-1', 'b', 80, 100), order('c-1', 'c', 80, 100))
  await valueEverybody(database, NOW)
  const person = await personOf('a')
  const settings = await readSettings(database.db)
  await sql`insert into value.cuts values (${new Date(NOW.getTime() + 1)}, '{10000,20000}', '{10000,20000}')`.execute(
    database.db,
  )
  await sql`delete from value.settled`.execute(database.db)
  const settled = async (expected: number, alive: number, turns: number[]) => {
    await sql`update value.people set realised_minor = 0, expected_minor = ${expected}, p_alive = ${alive}, turns_days = ${turns}
      where person_id = ${person}`.execute(database.db)
    return database.transaction(async (tx) => {
      await settleValues(tx, true, settings)
      const { rows: found } = await sql<Record<string, unknown>>`
        select own_minor, p_alive, transaction, turns_days, (turns_at[1] at time zone ${settings.zone})::text as late_at
        from value.settled where person_id = ${person}`.execute(tx)
      return Object.values(found[0] ?? {})
    })
  }
  // 80 days before 1 June 2026 is 13 March.
  assert.deepEqual(await settled(9_700, 0.5, [10, 40, 100]), [9700, 0.5, 1, [10, 40, 100], '2026-03-23 00:00:00'])
  const kept = [9700, 0.5, 1, [10, 40, 100], '2026-03-23 00:00:00']
  assert.deepEqual(
    await settled(10_185, 0.54, [11, 42, 105]),
    kept,
    'all just within; past the cut, and not by a twentieth',
  )
  assert.deepEqual(await settled(10_186, 0.56, [11, 42, 106]), [10_186, 0.56, 1, [11, 42, 106], '2026-03-24 00:00:00'])
  assert.deepEqual(
    (await settled(10_501, 0.56, [12, 42, 106])).slice(0, 3),
    [10_186, 0.56, 2],
    'a third goes by the value itself',
  )
  assert.deepEqual((await settled(9_501, 0.56, [12, 42, 106])).slice(0, 3), [9501, 0.56, 2])
  assert.deepEqual((await settled(9_500, 0.56, [12, 42, 106])).slice(0, 3), [9501, 0.56, 1])
  assert.deepEqual((await settled(90_000, 0.56, [12, 42, 106])).slice(0, 3), [90_000, 0.56, 3])
})
