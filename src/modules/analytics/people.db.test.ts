import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { searchedPeople } from '../customers/actions.ts'
import { storeFacts } from '../intake/actions.ts'
import { readInteraction, rebuild, reportDepth, reportRfm } from '../relationship/actions.ts'
import { listPeople, readSegmentMatrix, readTimeline } from './actions.ts'
import { FOUND_MAX } from './queries.ts'
import { peopleFilter, type TimelinePage, timelineQuery } from './schema.ts'

// Whom the filters of the People page find: each against the same question asked another way.

const NOW = new Date('2026-06-01T04:00:00Z')
const clock: Clock = { now: () => NOW }
const DAY_MS = 86_400_000

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  let sent = 0
  const post = async (...facts: object[]) => {
    const numbered = facts.map((fact) => {
      sent += 1
      return { source: 'crm', external_id: `f${sent}`, ...fact }
    })
    for (let from = 0; from < numbered.length; from += 500) {
      const results = await storeFacts(database, clock, numbered.slice(from, from + 500), FACT_KINDS)
      assert.ok(!isRefusal(results))
      for (const result of results) assert.equal(result.status, 'new', JSON.stringify(result))
    }
    await catchUp(database, clock)
  }
  return { database, post }
}

const own = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })
const ago = (days: number) => new Date(NOW.getTime() - days * DAY_MS).toISOString()

/** The shop's ids of everybody whom a filter finds, by pages of a few. */
async function keysOf(database: Database, filter: Record<string, unknown>, now = NOW): Promise<string[]> {
  const { rows } = await sql<{ person_id: number; value: string }>`
    select person_id, value from customers.published_people where kind = 'own_id'`.execute(database.db)
  const owned = new Map(rows.map(({ person_id, value }) => [person_id, value]))
  const keys: string[] = []
  let after: string | undefined
  do {
    const asked = peopleFilter.parse({ ...filter, limit: 7, ...(after === undefined ? {} : { after }) })
    const page = await listPeople(database.db, now, asked)
    assert.ok(!isRefusal(page))
    keys.push(...page.people.map(({ person_id, key }) => owned.get(person_id) ?? key))
    after = page.next ?? undefined
    if (after === undefined) assert.equal(page.total, keys.length, JSON.stringify(filter))
  } while (after !== undefined)
  assert.equal(new Set(keys).size, keys.length)
  return keys.sort()
}

test('people are found by name, key, whole phone and the last four digits, and by nothing less', async (t) => {
  const { database, post } = await start(t)
  const person = (key: string, name: string | undefined, phone?: string, email?: string) => ({
    kind: 'person',
    ...(name === undefined ? {} : { name }),
    identities: [
      own(key),
      ...(phone ? [{ kind: 'phone', value: phone }] : []),
      ...(email ? [{ kind: 'email', value: email }] : []),
    ],
  })
  await post(
    person('A1', '王小明', '13800001234'),
    person('A2', '小王', '13900005678', 'Ann@Example.com'),
    person('A3', 'Anna MÜLLER', '13700001234'),
    person('A4', undefined, '13600012340'),
    person('1234', '李四'),
    person('100%', '折扣_券'),
    { kind: 'order', source: 'shop', external_id: 'o1', paid_at: ago(9), customer_id: 'B1', lines: [line(100)] },
  )
  const found = (search: string) => keysOf(database, { search })
  assert.deepEqual(await found('王'), ['A1', 'A2'], 'one character of a name')
  assert.deepEqual(await found('小明'), ['A1'], 'the end of a name')
  assert.deepEqual(await found('明小'), [], 'characters that are no neighbours')
  assert.deepEqual(await found('nNa'), ['A3'], 'the middle of a name, whatever the case')
  assert.deepEqual(await found('ann'), ['A3'], 'a name and not the beginning of an e-mail')
  assert.deepEqual(await found('a m'), ['A3'])
  assert.deepEqual(await found('MÜLL'), ['A3'])
  assert.deepEqual(await found('%'), [], 'a sign of SQL patterns is a sign like any other')
  assert.deepEqual(await found('扣_'), ['100%'])
  assert.deepEqual(await found('100%'), ['100%'], 'a key')
  assert.deepEqual(await found(' A1 '), ['A1'], 'with space around it')
  assert.deepEqual(await found('shop:A1'), ['A1'], 'a key with its source')
  assert.deepEqual(await found('a1'), [], 'keys are as the source has them')
  assert.deepEqual(await found('ann@example.com'), ['A2'])
  for (const phone of ['13800001234', '+8613800001234', '138 0000 1234', '138-0000-1234']) {
    assert.deepEqual(await found(phone), ['A1'], phone)
  }
  assert.deepEqual(await found('1234'), ['1234', 'A1', 'A3'], 'the end of a phone, and who is called that')
  for (const part of ['234', '01234', '1380000', '8000']) assert.deepEqual(await found(part), [], part)
  assert.deepEqual(await keysOf(database, { search: '王', depth: 0 }), ['A1', 'A2'], 'with another filter')
  assert.deepEqual(await keysOf(database, { search: '王', buyers: 'true' }), [])
})

test('a phone that too many share, and that links nobody, still finds each of them', async (t) => {
  const { database, post } = await start(t)
  const keys = ['P1', 'P2', 'P3', 'P4', 'P5']
  await post(
    ...keys.map((key) => ({ kind: 'person', identities: [own(key), { kind: 'phone', value: '13911112222' }] })),
  )
  assert.deepEqual(await keysOf(database, { search: '13911112222' }), keys)
  assert.deepEqual(await keysOf(database, { search: '2222' }), keys)
})

test('search goes by index: nothing of a large brand is read through', async (t) => {
  const { database } = await start(t)
  await database.transaction(async (tx) => {
    await sql`
      insert into customers.identities (kind, namespace, value, recorded_at)
      select 'phone', '', '+86138' || lpad(n::text, 8, '0'), ${NOW} from generate_series(1, 20000) n`.execute(tx)
    await sql`insert into customers.canonical select identity_id, identity_id from customers.identities`.execute(tx)
    await sql`
      insert into customers.claims (claim_id, kind, source, external_id, claimed_at, recorded_at)
      select identity_id, 'person', 'crm', identity_id::text, ${NOW}, ${NOW} from customers.identities`.execute(tx)
    await sql`
      insert into customers.records (person_id, claim_id, identity_id, name, unlinked)
      select identity_id, identity_id, identity_id, chr(19968 + (identity_id % 3000)::int) || chr(19968 + (identity_id % 7001)::int), '{}'
      from customers.identities`.execute(tx)
  })
  await sql`analyze customers.identities, customers.canonical, customers.claims, customers.records`.execute(database.db)
  for (const typed of ['一丁', '1234', '13800001234', '丁']) {
    const { rows } = await sql<{ 'QUERY PLAN': string }>`explain ${searchedPeople(typed, { isMasked: false })}`.execute(
      database.db,
    )
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    assert.doesNotMatch(plan, /Seq Scan on (identities|records|canonical)/, `${typed}\n${plan}`)
  }
})

test('a search that finds more people than are looked at says so, and its pages go on', async (t) => {
  const { database } = await start(t)
  const fill = async (from: number, to: number) => {
    await database.transaction(async (tx) => {
      await sql`
        insert into customers.identities (kind, namespace, value, recorded_at)
        select 'own_id', 'shop', 'W' || n, ${NOW} from generate_series(${from}::int, ${to}::int) n`.execute(tx)
      const mine = sql`(select identity_id from customers.identities where substr(value, 2)::int between ${from} and ${to})`
      await sql`insert into customers.canonical select identity_id, identity_id from ${mine} m`.execute(tx)
      await sql`
        insert into customers.claims (claim_id, kind, source, external_id, claimed_at, recorded_at)
        select identity_id, 'person', 'crm', identity_id::text, ${NOW}, ${NOW} from ${mine} m`.execute(tx)
      await sql`
        insert into customers.records (person_id, claim_id, identity_id, name, unlinked)
        select identity_id, identity_id, identity_id, '王' || identity_id, '{}' from ${mine} m`.execute(tx)
    })
    await rebuild(database, clock)
  }
  const pageOf = async (given: Record<string, unknown>) => {
    const page = await listPeople(database.db, NOW, peopleFilter.parse(given))
    assert.ok(!isRefusal(page))
    return page
  }
  await fill(1, FOUND_MAX)
  const whole = await pageOf({ search: '王' })
  assert.deepEqual([whole.total, whole.is_total_minimum], [FOUND_MAX, false])
  await fill(FOUND_MAX + 1, FOUND_MAX + 3)
  const first = await pageOf({ search: '王', limit: 100 })
  assert.deepEqual([first.total, first.is_total_minimum, first.people.length], [FOUND_MAX, true, 100])
  const second = await pageOf({ search: '王', limit: 100, after: first.next })
  const seen = new Set([...first.people, ...second.people].map(({ person_id }) => person_id))
  assert.equal(seen.size, 200)
  // With another condition the rest may have more of them: it stays the least there are.
  assert.equal((await pageOf({ search: '王', depth: 0 })).is_total_minimum, true)
  // Who is looked for is found, however many there are of the name.
  const last = await pageOf({ search: `王${FOUND_MAX + 3}` })
  assert.deepEqual([last.total, last.is_total_minimum], [1, false])
})

function line(yuan: number) {
  return { item: 'tea', quantity: 1, unit_price: yuan }
}

/** Buyers of all ages and numbers of purchases, half of them connected, and some who never bought. */
function buyers() {
  return Array.from({ length: 60 }, (_, index) => [
    ...Array.from({ length: index % 6 }, (_, order) => ({
      kind: 'order',
      source: 'shop',
      external_id: `o${index}-${order}`,
      customer_id: `K${index}`,
      paid_at: ago(1 + ((index * 17 + order * 61) % 500)),
      lines: [line(50 + index)],
    })),
    ...(index % 2 === 0
      ? [{ kind: 'connection', identity: own(`K${index}`), channel: 'wecom', begun_at: ago(600) }]
      : []),
    ...(index % 6 === 0 ? [{ kind: 'person', identities: [own(`K${index}`)], name: `N${index}` }] : []),
  ]).flat()
}

test('every cell of depth and segment counts exactly the people it opens, and adds up to what depth and RFM say', async (t) => {
  const { database, post } = await start(t)
  await post(...buyers())
  for (const asOf of [undefined, new Date(NOW.getTime() - 100 * DAY_MS)]) {
    const at = asOf ?? NOW
    const matrix = await readSegmentMatrix(database.db, NOW, asOf)
    const rfm = await reportRfm(database.db, {
      asOf: at,
      ties: 'group',
      recencyUnit: undefined,
      occasionUnit: undefined,
    })
    const depth = await reportDepth(database.db, NOW, asOf)
    const sum = (cells: typeof matrix.cells) => cells.reduce((total, { people }) => total + people, 0)
    assert.equal(matrix.people, depth.people)
    for (const { depth: level, people } of depth.depths) {
      assert.equal(sum(matrix.cells.filter((cell) => cell.depth === level)), people, `depth ${level}`)
    }
    for (const { segment, buyers: people } of rfm.segments) {
      assert.equal(sum(matrix.cells.filter((cell) => cell.rfm_segment === segment)), people, segment)
    }
    const whole = asOf === undefined ? {} : { as_of: asOf.toISOString() }
    for (const cell of matrix.cells) {
      const keys = await keysOf(database, { ...whole, depth: cell.depth, rfm_segment: cell.rfm_segment })
      assert.equal(keys.length, cell.people, `${cell.depth} ${cell.rfm_segment}`)
      const isIn = (key: string) =>
        cell.rfm_segment === 'none'
          ? !rfm.people.some((person) => person.key === key)
          : rfm.people.some((person) => person.key === key && person.segment === cell.rfm_segment)
      assert.ok(keys.every(isIn), `${cell.depth} ${cell.rfm_segment}: ${keys}`)
    }
    assert.ok(new Set(matrix.cells.map(({ rfm_segment }) => rfm_segment)).size > 5, 'many segments are met')
  }
})

test('a fan tier lists exactly who is in it, up to the last second', async (t) => {
  const { database, post } = await start(t)
  const types = ['share', 'reply', 'details_left', 'open', 'view', 'like']
  await post(
    ...Array.from({ length: 40 }, (_, index) => [
      { kind: 'person', identities: [own(`F${index}`)] },
      ...Array.from({ length: (index * 7) % 16 }, (_, turn) => ({
        kind: 'interaction',
        identity: own(`F${index}`),
        type: types[(index + turn) % types.length],
        occurred_at: ago(((index * 13 + turn * 5) % 120) / 2),
      })),
    ]).flat(),
  )
  const { rows } = await sql<{ person_id: number; key: string }>`
    select person_id, value as key from customers.published_people`.execute(database.db)
  const instants = [NOW]
  for (const { person_id } of rows) {
    const { tier_lapses_at: at } = await readInteraction(database.db, person_id, NOW)
    if (at) instants.push(new Date(at), new Date(Date.parse(at) - 1))
  }
  let met = 0
  for (const at of instants.slice(0, 9)) {
    const tiers = await Promise.all(
      rows.map(async ({ person_id, key }) => ({ key, tier: (await readInteraction(database.db, person_id, at)).tier })),
    )
    for (const tier of ['passer_by', 'follower', 'active', 'devoted'] as const) {
      const expected = tiers.filter((person) => person.tier === tier).map(({ key }) => key)
      met += Number(expected.length > 0)
      assert.deepEqual(await keysOf(database, { fan_tier: tier }, at), expected.sort(), `${tier} ${at.toISOString()}`)
    }
  }
  assert.ok(met > 20, `${met} tiers with somebody in them`)
})

test('a timeline has every fact once, newest first, whatever the pages, and none of anybody else', async (t) => {
  const { database, post } = await start(t)
  const at = ago(30)
  await post(
    { kind: 'person', identities: [own('T1')], name: 'T' },
    { kind: 'connection', identity: own('T1'), channel: 'wecom', staff: '林可', begun_at: ago(90), ended_at: ago(5) },
    { kind: 'membership', identity: own('T1'), enrolled_at: ago(80), ended_at: ago(-10) },
    { kind: 'order', source: 'shop', external_id: 'o1', customer_id: 'T1', paid_at: at, lines: [line(3), line(4)] },
    {
      kind: 'order',
      source: 'shop',
      external_id: 'o2',
      customer_id: 'T2',
      paid_at: at,
      shared_by: own('T1'),
      lines: [line(5)],
    },
    {
      kind: 'order',
      source: 'shop',
      external_id: 'r1',
      customer_id: 'T1',
      paid_at: ago(20),
      refund_of: 'o1',
      lines: [{ item: 'tea', quantity: -1, unit_price: 3 }],
    },
    // At one instant: the order of entries is one of kinds and numbers, and pages of one still meet each.
    ...['share', 'open', 'view'].map((type) => ({ kind: 'interaction', identity: own('T1'), type, occurred_at: at })),
    { kind: 'review', identity: own('T1'), item: 'tea', rating: 4, occurred_at: ago(10) },
    {
      kind: 'consent',
      identity: own('T1'),
      purpose: 'calls',
      channel: 'phone',
      state: 'withdrawn',
      occurred_at: ago(9),
      evidence: 'call',
    },
    { kind: 'referral_claim', invitee: own('T2'), referrer: own('T1'), occurred_at: ago(31), campaign: 'spring' },
    { kind: 'interaction', identity: own('T2'), type: 'share', occurred_at: ago(1) },
  )
  const idOf = async (key: string) =>
    (
      await sql<{ person_id: number }>`
        select person_id from customers.published_people where value = ${key}`.execute(database.db)
    ).rows[0]?.person_id ?? 0
  const entriesOf = async (key: string, limit: number, asOf?: string) => {
    const entries: TimelinePage['entries'] = []
    let after: string | undefined
    do {
      const query = timelineQuery.parse({ limit, ...(after ? { after } : {}), ...(asOf ? { as_of: asOf } : {}) })
      const page = await readTimeline(database.db, await idOf(key), NOW, query)
      assert.ok(!isRefusal(page))
      entries.push(...page.entries)
      after = page.next ?? undefined
      if (!after) assert.equal(page.total, entries.length)
    } while (after)
    return entries
  }
  const whole = await entriesOf('T1', 200)
  assert.deepEqual(await entriesOf('T1', 1), whole)
  assert.deepEqual(
    whole.map(({ kind }) => kind).sort(),
    [
      'connection',
      'consent',
      'end_of_connection',
      'interaction',
      'interaction',
      'interaction',
      'membership',
      'order',
      'referral',
      'refund',
      'review',
      'spread',
    ],
    'a membership that ends later has not ended',
  )
  const times = whole.map((entry) => Date.parse(entry.at))
  assert.deepEqual(
    times,
    times.toSorted((a, b) => b - a),
  )
  const found = (kind: string) => whole.find((entry) => entry.kind === kind)
  const { fact_id: _id, at: _at, ...order } = found('order') ?? { fact_id: 0, at: '' }
  assert.deepEqual(order, {
    kind: 'order',
    source: 'shop',
    external_id: 'o1',
    what: null,
    note: null,
    items: ['tea', 'tea'],
    state: null,
    rating: null,
    amount_minor: 700,
  })
  assert.equal(found('refund')?.amount_minor, 300)
  assert.deepEqual([found('connection')?.what, found('connection')?.note], ['wecom', '林可'])
  assert.deepEqual(
    [found('consent')?.what, found('consent')?.items, found('consent')?.state],
    ['calls', ['phone'], 'withdrawn'],
  )
  assert.equal(found('referral')?.what, 'spring')
  assert.deepEqual(
    (await entriesOf('T2', 2)).map(({ kind }) => kind),
    ['interaction', 'order', 'referral_claim'],
  )
  assert.deepEqual(
    await entriesOf('T1', 3, ago(25)),
    whole.filter((entry) => Date.parse(entry.at) <= Date.parse(ago(25))),
  )
  const nobody = await readTimeline(database.db, 999_999, NOW, { limit: 5 })
  assert.ok(isRefusal(nobody) && nobody.code === 'no_such_person')
  const lost = await readTimeline(database.db, await idOf('T1'), NOW, { limit: 5, after: 'what' })
  assert.ok(isRefusal(lost) && lost.code === 'bad_cursor')
})
