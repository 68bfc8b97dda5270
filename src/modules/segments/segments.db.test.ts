import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import { root } from '../../../test/server.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { migrate } from '../../platform/migrate.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { storeFacts } from '../intake/actions.ts'
import { refreshStanding } from '../relationship/actions.ts'
import {
  countSegment,
  deleteSegment,
  explainMember,
  holdSegment,
  peopleOfDefinition,
  readNextDue,
  refreshSegments,
  releaseSegment,
} from './actions.ts'

// Segments by the API: made, kept current as facts come and time passes, refused, explained.

const START = Date.parse('2026-03-01T04:00:00Z')
const DAY_MS = 86_400_000
const BY = atTerminal()

const order = (key: string, id: string, daysAgo: number, price = 10) => ({
  kind: 'order',
  external_id: id,
  customer_id: key,
  paid_at: new Date(START - daysAgo * DAY_MS).toISOString(),
  lines: [{ item: 'tea', unit_price: price }],
})
const connection = (key: string, staff: string) => ({
  kind: 'connection',
  external_id: `c-${key}`,
  identity: { kind: 'own_id', namespace: 'shop', value: key },
  channel: 'wecom',
  staff,
  begun_at: '2025-01-01T00:00:00Z',
})
/** Bought, and not for 30 days. */
const QUIET = {
  all: [
    { orders: { count: { at_least: 1 } } },
    { not: { orders: { count: { at_least: 1 }, window: { last_days: 30 } } } },
  ],
}

/** Whatever the address answers: each test reads what it asked for. */
type Answer = Record<string, unknown>

async function start(t: TestContext) {
  const clock: Clock & { at: number } = { at: START, now: () => new Date(clock.at) }
  const desk = await testConsole(t, clock)
  await desk.post(order('a', 'A1', 40), order('b', 'B1', 10), order('c', 'C1', 50), order('c', 'C2', 29))
  await desk.post(connection('a', 'lin'), connection('b', 'wu'))
  const { cookie: owner } = await userOf(desk.http, 'owner')
  const ask = async (
    path: string,
    { cookie = owner, ...options }: { cookie?: string; method?: string; body?: object } = {},
  ) => {
    const method = options.method ?? (options.body ? 'POST' : 'GET')
    const response = await desk.http.send(path, { cookie, method, ...(options.body ? { body: options.body } : {}) })
    return { status: response.status, answer: (await response.json()) as Answer }
  }
  const make = async (name: string, definition: object): Promise<number> => {
    const { status, answer } = await ask('/api/v1/segments', { body: { name, definition } })
    assert.equal(status, 200, JSON.stringify(answer))
    return answer.segment_id as number
  }
  const membersOf = async (id: number, query = '', cookie = owner) => {
    const { answer } = await ask(`/api/v1/segments/${id}/members${query}`, { cookie })
    return (answer.people as { key: string }[]).map(({ key }) => key).sort()
  }
  return { desk, clock, ask, make, membersOf }
}

test('an order takes its customer out within the cycle that brings standing up to date, and time brings them back', async (t) => {
  const { desk, clock, ask, make, membersOf } = await start(t)
  const id = await make('quiet', QUIET)
  assert.deepEqual(await membersOf(id), ['a'])

  // Time alone: the second order of c leaves the window at its very instant.
  const due = await readNextDue(desk.database.db)
  assert.equal(due?.getTime(), START + DAY_MS, 'c')
  clock.at = START + DAY_MS - 1
  await catchUp(desk.database, clock)
  assert.deepEqual(await membersOf(id), ['a'])
  clock.at = START + DAY_MS
  await catchUp(desk.database, clock)
  assert.deepEqual(await membersOf(id), ['a', 'c'])

  clock.at = START + 2 * DAY_MS
  await desk.post({ ...order('a', 'A2', 0), paid_at: new Date(clock.at - 1000).toISOString() })
  assert.deepEqual(await membersOf(id), ['c'])
  assert.deepEqual(
    await membersOf(id, `?as_of=${new Date(START + DAY_MS).toISOString()}`),
    ['a', 'c'],
    'as it was written',
  )

  const { rows } = await desk.database.pool.query(
    `select p.value as key, m.in_at, m.in_cause, m.out_at <> 'infinity' as is_over, m.out_cause, i.external_id as out_fact
     from segments.stays m join customers.published_people p using (person_id)
     left join intake.published_inbox i on i.fact_id = m.out_fact_id order by key`,
  )
  assert.deepEqual(rows, [
    { key: 'a', in_at: new Date(START), in_cause: 'definition', is_over: true, out_cause: 'fact', out_fact: 'A2' },
    { key: 'c', in_at: new Date(START + DAY_MS), in_cause: 'time', is_over: false, out_cause: null, out_fact: null },
  ])
  const { answer: sizes } = await ask(`/api/v1/segments/${id}/sizes`)
  assert.deepEqual(sizes.sizes, [
    { day: '2026-03-01', size: 1 },
    { day: '2026-03-02', size: 2 },
    { day: '2026-03-03', size: 1 },
  ])
  const person =
    rows.length &&
    (await desk.database.pool.query("select person_id from customers.published_people where value = 'a'")).rows[0]
  const { answer: stays } = await ask(`/api/v1/people/${person.person_id}/segments`)
  assert.deepEqual(
    (stays.stays as object[]).map((stay) => ({ ...stay, out_fact_id: 0 })),
    [
      {
        segment_id: id,
        name: 'quiet',
        in_at: new Date(START).toISOString(),
        out_at: new Date(clock.at).toISOString(),
        in_cause: 'definition',
        in_fact_id: null,
        out_cause: 'fact',
        out_fact_id: 0,
      },
    ],
  )
})

test('stays that ended 36 months ago go by whole months, and later ones stay', async (t) => {
  const { desk, clock, make } = await start(t)
  await make('quiet', QUIET)
  const leave = async (key: string, id: string, months: number) => {
    clock.at = new Date(START + DAY_MS).setUTCMonth(2 + months)
    await catchUp(desk.database, clock)
    await desk.post({ ...order(key, id, 0), paid_at: new Date(clock.at - 1000).toISOString() })
    const { rows } = await desk.database.pool.query<{ month: string }>(
      `select to_char(out_at at time zone 'UTC', 'YYYY-MM') as month from segments.stays where out_at <> 'infinity' order by out_at`,
    )
    return rows.map(({ month }) => month)
  }
  assert.deepEqual(await leave('a', 'A2', 0), ['2026-03'])
  assert.deepEqual(await leave('b', 'B2', 1), ['2026-03', '2026-04'])
  assert.deepEqual(await leave('c', 'C3', 36), ['2026-03', '2026-04', '2029-03'])
  assert.deepEqual(await leave('c', 'C4', 38), ['2029-03', '2029-05'])
})

/** Who is in and who is due in two tables for each segment, as up to migration 30. */
async function asBeforeVerdicts({ pool }: Database): Promise<void> {
  await pool.query(`
    drop view segments.published_members, segments.stays;
    alter table segments.past_stays rename to members;
    alter table segments.members rename constraint past_stays_pkey to members_pkey;
    alter table segments.members rename constraint past_stays_check to members_check;
    alter index segments.past_stays_by_segment rename to members_by_segment;
    create table segments.members_now partition of segments.members for values from ('infinity') to (maxvalue) partition by list (segment_id);
    create table segments.members_now_all partition of segments.members_now default;
    create table segments.due (person_id bigint, segment_id bigint, due_at timestamptz not null, primary key (person_id, segment_id));
    insert into segments.members (person_id, segment_id, in_at, out_at, in_cause, in_fact_id)
      select person_id, segment_id, in_at, 'infinity', in_cause, in_fact_id from segments.verdicts where in_at is not null;
    insert into segments.due select person_id, segment_id, due_at from segments.verdicts where due_at is not null;
    drop table segments.verdicts;
    create view segments.published_members as select person_id, segment_id, in_at, out_at from segments.members;
    delete from platform.migrations where set_name = 'brand' and number = 31`)
  const { rows } = await pool.query<{ name: string }>(
    `select relname as name from pg_class where relname like 'past_stays\\_2%' and relkind = 'r'`,
  )
  for (const { name } of rows) {
    await pool.query(`alter table segments.${name} rename to ${name.replace('past_stays', 'members')}`)
  }
}

test('an upgrade keeps who is and was in a segment and when they are due', async (t) => {
  const { desk, clock, make, membersOf } = await start(t)
  const id = await make('quiet', QUIET)
  await make('never', { orders: { count: { at_least: 9 } } })
  clock.at = START + 2 * DAY_MS
  await desk.post({ ...order('a', 'A2', 0), paid_at: new Date(clock.at - 1000).toISOString() })
  const kept = async () => {
    const { rows: stays } = await desk.database.pool.query(
      'select * from segments.stays order by segment_id, person_id, in_at',
    )
    const { rows: verdicts } = await desk.database.pool.query(
      'select * from segments.verdicts order by segment_id, person_id',
    )
    return { stays, verdicts }
  }
  const before = await kept()
  assert.deepEqual([before.stays.length, before.verdicts.length], [2, 3])
  await asBeforeVerdicts(desk.database)
  await migrate(desk.database, root, 'brand')
  assert.deepEqual(await kept(), before)
  // The next stay of the month goes where the others are.
  await desk.post({ ...order('c', 'C3', 0), paid_at: new Date(clock.at - 1000).toISOString() })
  assert.deepEqual([await membersOf(id), (await kept()).stays.length], [[], 2])
})

test('whoever waits for standing is left for the next run, and nothing is lost on the way', async (t) => {
  const { desk, clock, make, membersOf } = await start(t)
  const id = await make('buyers', { depth: { is: [3, 4] } })
  assert.deepEqual(await membersOf(id), ['a', 'b'])
  const fact = { ...connection('c', 'lin'), source: 'shop' }
  assert.ok(!isRefusal(await storeFacts(desk.database, clock, [fact], FACT_KINDS)))
  // Before standing has followed: c would be judged by what they were.
  await refreshSegments(desk.database, clock)
  const { rows } = await desk.database.pool.query('select distinct subscriber from intake.pending_people order by 1')
  assert.deepEqual(rows, [{ subscriber: 'relationship' }])
  await catchUp(desk.database, clock)
  assert.deepEqual(await membersOf(id), ['a', 'b', 'c'])
  assert.equal((await desk.database.pool.query('select from intake.pending_people')).rowCount, 0)
})

test('a fact asks only the segments that it can change', async (t) => {
  const { desk, make } = await start(t)
  const bought = await make('bought', { orders: { count: { at_least: 1 } } })
  const not = await make('nothing done', { not: { interactions: { count: { at_least: 1 } } } })
  const consent = { kind: 'consent', external_id: 'k', identity: { kind: 'own_id', value: 'a' }, purpose: 'marketing' }
  const { rows: before } = await desk.database.pool.query('select segment_id, size from segments.segments order by 1')
  await desk.post({ ...consent, state: 'granted', occurred_at: new Date(START).toISOString() })
  // Somebody new, by a fact that no clause is about: in whatever holds for everybody of whom nothing else is known.
  await desk.post({
    ...consent,
    external_id: 'k2',
    identity: { kind: 'own_id', value: 'new' },
    state: 'granted',
    occurred_at: new Date(START).toISOString(),
  })
  const { rows } = await desk.database.pool.query('select segment_id, size from segments.segments order by 1')
  assert.deepEqual(before, [
    { segment_id: bought, size: 3 },
    { segment_id: not, size: 3 },
  ])
  assert.deepEqual(rows, [
    { segment_id: bought, size: 3 },
    { segment_id: not, size: 4 },
  ])
})

test('what people do is handed on as what it may change: depth, fan tier, or neither', async (t) => {
  const { desk, clock, make, membersOf } = await start(t)
  const follower = await make('follower', { fan: { tier: ['follower', 'active', 'devoted'] } })
  await make('deep', { depth: { is: [3, 4] } })
  const act = (key: string, type: string, more: object = {}) => {
    const identity = { kind: 'own_id', namespace: 'shop', value: key }
    const occurred_at = new Date(clock.at).toISOString()
    return { kind: 'interaction', source: 'shop', external_id: `i-${key}`, identity, type, occurred_at, ...more }
  }
  const handedOn = async (...facts: object[]) => {
    clock.at += DAY_MS
    const results = await storeFacts(desk.database, clock, facts, FACT_KINDS)
    assert.ok(!isRefusal(results) && results.every(({ status }) => status !== 'refused'), JSON.stringify(results))
    await refreshStanding(desk.database, clock)
    const { rows } = await desk.database.pool.query<{ value: string; kinds: string[] }>(
      `select value, array_agg(fact_kind order by fact_kind) as kinds from intake.pending_people
       join customers.published_people using (person_id) where subscriber = 'segments' and kind = 'own_id' group by 1 order by 1`,
    )
    await catchUp(desk.database, clock)
    return Object.fromEntries(rows.map(({ value, kinds }) => [value, kinds.join(' ')]))
  }
  // Who bought and is connected: a; a stranger may become a member by it.
  assert.deepEqual(await handedOn(act('a', 'view')), { a: 'unweighted_interaction' })
  assert.deepEqual(await handedOn(act('a', 'open', { external_id: 'i-2' })), { a: 'interaction' })
  assert.deepEqual(await handedOn(act('a', 'share', { external_id: 'i-3' }), act('stranger', 'view')), {
    a: 'fan interaction',
    stranger: 'depth fan unweighted_interaction',
  })
  assert.deepEqual(await membersOf(follower), ['a'])
  const then = new Date(clock.at).toISOString()
  assert.deepEqual(await handedOn(act('a', 'view', { external_id: 'i-3', occurred_at: then })), {
    a: 'fan interaction unweighted_interaction',
  })
  assert.deepEqual(await membersOf(follower), [])
})

test('what is used is not deleted, a name is given once, and a change is followed by whoever refers to it', async (t) => {
  const { desk, clock, ask, make, membersOf } = await start(t)
  const quiet = await make('quiet', QUIET)
  const mine = await make('quiet of lin', { all: [{ segment: quiet }, { connection: { staff: ['lin'] } }] })
  assert.deepEqual(await membersOf(mine), ['a'])
  const refused = await ask(`/api/v1/segments/${quiet}`, { method: 'DELETE' })
  assert.deepEqual([refused.status, (refused.answer.error as { code: string }).code], [409, 'segment_in_use'])
  assert.match((refused.answer.error as { message: string }).message, /segment "quiet of lin"/)
  assert.equal((await ask('/api/v1/segments', { body: { name: 'quiet', definition: QUIET } })).status, 409)
  const self = await ask(`/api/v1/segments/${quiet}`, {
    method: 'PATCH',
    body: { definition: { not: { segment: mine } } },
  })
  assert.equal(self.status, 400)
  assert.match((self.answer.error as { message: string }).message, /would contain itself, by way of/)

  const change = { definition: { orders: { count: { at_least: 1 } } }, name: 'buyers' }
  const { answer: changed } = await ask(`/api/v1/segments/${quiet}`, { method: 'PATCH', body: change })
  assert.deepEqual([changed.version, changed.size, changed.name], [2, 3, 'buyers'])
  assert.deepEqual(await membersOf(quiet), ['a', 'b', 'c'])
  assert.deepEqual(await membersOf(mine), ['a'])
  const { answer: versions } = await ask(`/api/v1/segments/${quiet}/versions`)
  assert.deepEqual(
    (versions.versions as { version: number }[]).map(({ version }) => version),
    [2, 1],
  )

  assert.equal((await ask(`/api/v1/segments/${mine}`, { method: 'DELETE' })).status, 200)
  const use = { user_kind: 'journey', user_id: 4, user_name: 'Win back' }
  assert.equal(await desk.database.transaction((tx) => holdSegment(tx, quiet, use)), undefined)
  const held = await deleteSegment(desk.database, clock, quiet, BY)
  assert.ok(isRefusal(held) && held.message.includes('journey "Win back" (4)'), JSON.stringify(held))
  await desk.database.transaction((tx) => releaseSegment(tx, quiet, use))
  assert.ok(!isRefusal(await deleteSegment(desk.database, clock, quiet, BY)))
  const { rows } = await desk.database.pool.query(
    'select (select count(*) from segments.stays) as members, (select count(*) from segments.verdicts) as verdicts, (select count(*) from segments.sizes) as sizes',
  )
  assert.deepEqual(rows, [{ members: 0, verdicts: 0, sizes: 0 }])
})

test('an adviser sees the members that are theirs, and no figure of everybody', async (t) => {
  const { desk, ask, make, membersOf } = await start(t)
  const id = await make('buyers', { orders: { count: { at_least: 1 } } })
  const { cookie: lin } = await userOf(desk.http, 'adviser')
  assert.deepEqual(await membersOf(id, '', lin), ['a'])
  const { answer: list } = await ask('/api/v1/segments', { cookie: lin })
  assert.deepEqual(
    (list.segments as { size: null }[]).map(({ size }) => size),
    [null],
  )
  assert.equal((await ask(`/api/v1/segments/${id}/sizes`, { cookie: lin })).status, 403)
  for (const method of ['sample', 'exact']) {
    const body = { definition: { orders: { count: { at_least: 1 } } }, method }
    const { answer } = await ask('/api/v1/segments/count', { cookie: lin, body })
    assert.deepEqual([answer.people, answer.of_people], [1, 1])
  }
  assert.equal((await ask('/api/v1/segments', { cookie: lin, body: { name: 'x', definition: QUIET } })).status, 403)
  const { cookie: analyst } = await userOf(desk.http, 'analyst')
  const body = { name: 'named', definition: { attribute: { name_contains: 'A' } } }
  const probe = await ask('/api/v1/segments', { cookie: analyst, body })
  assert.deepEqual([probe.status, (probe.answer.error as { code: string }).code], [403, 'personal_clause'])
})

test('why: what is asked, what is so, by which fact, and when time alone turns it', async (t) => {
  const { desk, clock, make } = await start(t)
  const id = await make('quiet', QUIET)
  const { rows } = await desk.database.pool.query("select person_id from customers.published_people where value = 'c'")
  const why = await explainMember(desk.database.db, id, rows[0].person_id, { now: clock.now() })
  assert.ok(!isRefusal(why))
  assert.deepEqual([why.holds, why.flips_at], [false, new Date(START + DAY_MS).toISOString()])
  assert.deepEqual(
    why.nodes.map(({ path, holds, observed, fact }) => [path, holds, observed?.count, fact?.external_id]),
    [
      ['$.all', false, undefined, undefined],
      ['$.all[0].orders', true, 2, 'C2'],
      ['$.all[1].not', false, undefined, undefined],
      ['$.all[1].not.orders', true, 1, 'C2'],
    ],
  )
})

test('a definition of two hundred clauses and one with words of SQL are compiled and run', async (t) => {
  const { ask } = await start(t)
  const many = Array.from({ length: 200 }, (_, index) => ({
    orders: { count: { at_least: 1 + (index % 3) }, window: { last_days: 1 + index } },
  }))
  const { status, answer } = await ask('/api/v1/segments/count', { body: { definition: { any: many } } })
  assert.deepEqual([status, answer.people], [200, 3])
  const words = ["'; drop schema segments cascade; --", '") or true --', '$1', 'x\\y']
  for (const word of words) {
    const definition = {
      any: [{ orders: { count: { at_least: 1 }, items: [word] } }, { connection: { staff: [word] } }],
    }
    const { answer: found } = await ask('/api/v1/segments/count', { body: { definition } })
    assert.equal(found.people, 0, word)
  }
})

test('another zone or period is followed once standing has', async (t) => {
  const { desk, clock, ask, make, membersOf } = await start(t)
  const id = await make('buyers', { depth: { is: [3, 4] } })
  assert.deepEqual(await membersOf(id), ['a', 'b'])
  const { status } = await ask('/api/v1/settings', { method: 'PATCH', body: { period_days: 20 } })
  assert.equal(status, 200)
  await catchUp(desk.database, clock)
  assert.deepEqual(await membersOf(id), ['b'])
})

test('thousands of people at once, worked off on two connections and evaluated by shares, are where a recount has them', async (t) => {
  const { desk, clock, ask, make } = await start(t)
  const send = async (wave: number, from: number, to: number) => {
    for (let begin = from; begin < to; begin += 1000) {
      const facts = Array.from({ length: Math.min(1000, to - begin) }, (_, index) => ({
        ...order(`p${begin + index}`, `W${wave}-${begin + index}`, (begin + index) % 60),
        source: 'shop',
      }))
      assert.ok(!isRefusal(await storeFacts(desk.database, clock, facts, FACT_KINDS)))
    }
    await catchUp(desk.database, clock)
  }
  await send(1, 0, 1500)
  // By the highest number of a person they are many: who comes from here on is in the last share.
  await desk.database.pool.query(`select setval(pg_get_serial_sequence('customers.identities', 'identity_id'), 120000)`)
  await send(1, 1500, 2500)
  const definitions: Record<string, Record<string, unknown>> = {
    quiet: QUIET,
    twice: { orders: { count: { at_least: 2 } } },
    late: { rfm: { recency_days: { at_most: 60 } } },
    'this year': { orders: { count: { at_least: 1 }, window: { calendar: 'this_year' } } },
  }
  const ids = new Map<string, number>()
  for (const [name, definition] of Object.entries(definitions)) ids.set(name, await make(name, definition))
  // From another month on: what began and ended in it goes to a table of its own.
  clock.at = START + 40 * DAY_MS
  await catchUp(desk.database, clock)
  await send(2, 1000, 4000)
  const compare = async () => {
    const { rows } = await desk.database.pool.query<{ name: string; size: number; kept: number[] }>(
      `select s.name, s.size, array_agg(m.person_id order by m.person_id) filter (where m.person_id is not null) as kept
       from segments.segments s left join segments.stays m on m.segment_id = s.segment_id and m.out_at = 'infinity'
       group by s.segment_id order by s.name`,
    )
    for (const { name, size, kept } of rows) {
      const definition = definitions[name] ?? {}
      const people = await peopleOfDefinition(desk.database.db, definition, { now: clock.now(), method: 'exact' })
      assert.ok(!isRefusal(people))
      const { rows: counted } = await sql<{
        person_id: number
      }>`select person_id from (${people}) p order by 1`.execute(desk.database.db)
      assert.deepEqual(
        kept,
        counted.map(({ person_id }) => person_id),
        name,
      )
      assert.equal(size, kept.length, name)
      const count = await countSegment(desk.database.db, definition, { now: clock.now(), method: 'exact' })
      assert.ok(!isRefusal(count))
      assert.equal(count.people, kept.length, name)
      assert.ok(size > 500, `${name}: ${size}`)
    }
  }
  await compare()
  // Who is in already is told from what is kept, share by share.
  definitions.twice = { orders: { count: { at_most: 1 } } }
  const body = { definition: definitions.twice }
  assert.equal((await ask(`/api/v1/segments/${ids.get('twice')}`, { method: 'PATCH', body })).status, 200)
  await compare()
  assert.equal((await desk.database.pool.query('select from intake.pending_people')).rowCount, 0)

  // With a new year all are due who bought in the old one. Nothing ran then, and they left at its very instant all the same, in a month that
  // is over.
  const yearId = ids.get('this year')
  const { rows: bought } = await desk.database.pool.query<{ size: number }>(
    'select size from segments.segments where segment_id = $1',
    [yearId],
  )
  clock.at = Date.parse('2027-01-04T04:00:00Z')
  await catchUp(desk.database, clock)
  const { rows: left } = await desk.database.pool.query(
    'select out_at, out_cause, count(*) as size from segments.past_stays where segment_id = $1 group by 1, 2',
    [yearId],
  )
  assert.deepEqual(left, [{ out_at: new Date('2026-12-31T16:00:00Z'), out_cause: 'time', size: bought[0]?.size }])
  assert.ok((bought[0]?.size ?? 0) > 2000)
  assert.equal(
    (await desk.database.pool.query('select from segments.verdicts where due_at < $1', [clock.now()])).rowCount,
    0,
  )
})
