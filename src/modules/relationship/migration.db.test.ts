import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { testDatabase } from '../../../test/database.ts'
import { depthChanges, type History, standingAt } from '../../../test/depth-oracle.ts'
import {
  beginStory,
  CUSTOMERS,
  check,
  edges,
  feed,
  NOW,
  type Story,
  storyFolder,
  tickingClock,
} from '../../../test/histories.ts'
import { testHttp } from '../../../test/http.ts'
import { send, tales } from '../../../test/personal-histories.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal, type Refusal } from '../../platform/refusal.ts'
import { importOrders } from '../commerce/actions.ts'
import { readPersonMigration, refreshLapsed, refreshStanding, reportDepth, reportMigration } from './actions.ts'
import { listFlow, reportNetDeepening } from './migration.ts'
import { registerRelationshipRoutes } from './routes.ts'
import { CAUSE_KINDS, type CauseKind, type FlowPage, flowPage, migrationReport } from './schema.ts'

const RUNS = 16
/** One whose histories have moves of most kinds; another can be too tame. */
const SEED = 215
const DAY_MS = 86_400_000

const told = fc.record({
  tale: tales,
  /** Two instants: around a change, around one whose cause is rare, or apart: edges of the period, and near changes. */
  looks: fc.tuple(
    ...(['rare', 'rare', 'change', 'apart', 'apart'] as const).map((kind) =>
      fc.record({ kind: fc.constant(kind), a: fc.nat(1000), b: fc.nat(1000) }),
    ),
  ),
})

type Told = typeof told extends fc.Arbitrary<infer T> ? T : never

/** The same by naive loops: who is known, where they were and are, and what decided it. */
function expectedOf({ story, history, from, to }: { story: Story; history: History; from: number; to: number }) {
  const { rules } = story
  const facts = [
    ...[...history.orders, ...history.refunds, ...history.acts, ...history.reviews],
    ...history.connections.map(({ customer, begun }) => ({ customer, at: begun })),
    ...history.memberships.map(({ customer, enrolled }) => ({ customer, at: enrolled })),
  ]
  const isKnown = (customer: string) => facts.some((fact) => fact.customer === customer && fact.at <= to)
  const people = CUSTOMERS.filter(isKnown).map((customer) => {
    const after = standingAt(history, customer, to, rules)
    const before = standingAt(history, customer, from, rules)
    const between = depthChanges(history, customer, to, rules).filter(({ at }) => at > from)
    const way = Math.sign(after.depth - before.depth)
    const decided = between.findLast((change) => Math.sign(change.to - change.from) === way)
    return { customer, from: before.depth, to: after.depth, netPaid: after.netPaid, between, decidedAt: decided?.at }
  })
  const flows: Record<string, number> = {}
  for (const person of people) flows[`${person.from} ${person.to}`] = (flows[`${person.from} ${person.to}`] ?? 0) + 1
  const value = (depth: number) => {
    const there = people.filter((person) => person.to === depth)
    if (there.length === 0) return depth === 0 ? 0 : null
    return there.reduce((sum, person) => sum + person.netPaid, 0) / there.length
  }
  let byValue = 0
  let unvalued = 0
  for (const person of people.filter((one) => one.from !== one.to)) {
    const [before, after] = [value(person.from), value(person.to)]
    if (before === null || after === null) unvalued += 1
    else byValue += after - before
  }
  return { people, flows, byValue, unvalued, value }
}

function wallClockOf(instant: string, zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(
    new Date(instant),
  )
}

function answered<T>(answer: T | Refusal): T {
  assert.ok(!isRefusal(answer), JSON.stringify(answer))
  return answer as T
}

async function everyone(
  database: Database,
  span: { from: Date; to: Date; now: Date },
  flow: {
    fromDepth?: number
    toDepth?: number
    moved?: 'up' | 'down' | 'any' | 'all'
    cause?: CauseKind
    limit: number
  },
): Promise<FlowPage['people']> {
  const people: FlowPage['people'] = []
  let after: string | undefined
  do {
    const page: FlowPage = answered(await listFlow(database, span, { ...flow, after }))
    assert.ok(page.people.length > 0 || page.total === 0, 'no page is empty')
    people.push(...page.people)
    after = page.next ?? undefined
    if (!after) assert.equal(page.total, people.length)
  } while (after)
  return people
}

/** The log of changes with the kind of each cause as the tables of facts tell it. */
const KINDS_BY_FACTS = `
  with told as (
    select d.*, to_depth > from_depth as is_up,
      exists (select from commerce.published_orders o
        where o.person_id = d.person_id and o.order_id = cause_fact_id and o.paid_at = changed_at) as is_order,
      exists (select from commerce.published_allocations a
        where a.person_id = d.person_id and a.refund_id = cause_fact_id and a.refunded_at = changed_at) as is_refund,
      (select begun_at = changed_at from customers.published_connections c
        where c.person_id = d.person_id and c.connection_id = cause_fact_id) as is_begin,
      (select spread_id = cause_fact_id from commerce.published_spreads s
        where s.person_id = d.person_id and cause_fact_id in (spread_id, voided_id)) as is_spread,
      (select kind from intake.published_inbox i where i.fact_id = cause_fact_id) as inbox_kind
    from relationship.published_depth_changes d
  )
  select *, case
    when cause_fact_id is null then 'time'
    when is_order and (is_up or not is_refund) then 'order'
    when is_refund then 'refund'
    when is_begin then 'connection'
    when not is_begin then 'end_of_connection'
    when is_spread then 'spread'
    when not is_spread then 'spread_voided'
    else inbox_kind end as kind
  from told`

test('migration between any two instants is what the loops count, and its lists and causes add up', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  let moved = 0
  let stories = 0
  const kinds = new Set<string>()
  const property = async ({ tale: { story, told: said, history }, looks }: Told) => {
    const clock = tickingClock()
    stories += 1
    await beginStory(database, story.rules)
    await send(database, clock, said.early)
    for (const index of story.files.keys()) await feed(database, clock, folder, story, index)
    await send(database, clock, said.late)
    await refreshStanding(database, clock)
    const { rows: logged } = await database.pool.query(KINDS_BY_FACTS)
    for (const change of logged) assert.equal(CAUSE_KINDS[change.cause_kind], change.kind, JSON.stringify(change))
    // What time alone will do lies after the last fact: the questions are asked long after it, and nobody has worked it off.
    const now = NOW + (story.rules.periodDays + 1) * DAY_MS
    const changes = CUSTOMERS.flatMap((customer) => depthChanges(history, customer, now, story.rules))
    const moments = changes.map(({ at }) => at)
    const few = [
      ...[...history.refunds, ...history.reviews].map(({ at }) => at),
      ...history.memberships.map(({ enrolled }) => enrolled),
    ].filter((at) => moments.includes(at))
    const drawn = [...edges(story.rules), now, ...moments.flatMap((at) => [at - 1, at, at + 1])]
    const pairOf = ({ kind, a, b }: (typeof looks)[number]): [number, number] => {
      const near = kind === 'rare' && few.length > 0 ? few : moments
      const at = near[a % near.length]
      if (kind !== 'apart' && at !== undefined) return [at - 1, at]
      return [drawn[a % drawn.length] ?? NOW, drawn[b % drawn.length] ?? NOW]
    }
    const keys = new Map(
      (await database.pool.query(`select value, person_id from customers.published_people`)).rows.map(
        (row: { value: string; person_id: number }) => [row.value, row.person_id],
      ),
    )
    for (const [index, look] of looks.entries()) {
      const pair = pairOf(look)
      const [from, to] = [Math.min(...pair), Math.max(...pair)]
      // Pages of one, so that a place between two people is met.
      const limit = index === 0 ? 1 : 100
      const span = { from: new Date(from), to: new Date(to), now: new Date(now) }
      const expected = expectedOf({ story, history, from, to })
      const report = answered(await reportMigration(database, span))
      const place = `${span.from.toISOString()} to ${span.to.toISOString()}`
      assert.deepEqual(
        Object.fromEntries(report.flows.map((flow) => [`${flow.from_depth} ${flow.to_depth}`, flow.people])),
        expected.flows,
        place,
      )
      const ups = expected.people.filter((person) => person.to > person.from).length
      const downs = expected.people.filter((person) => person.to < person.from).length
      assert.deepEqual([report.ups, report.downs, report.net_deepening], [ups, downs, ups - downs], place)
      assert.ok(Math.abs(report.net_deepening_value_minor - expected.byValue) <= 0.5 + 1e-6, place)
      assert.equal(report.unvalued, expected.unvalued, place)
      for (const { depth, value_minor: value } of report.depths) {
        const there = expected.people.some((person) => person.to === depth) ? expected.value(depth) : null
        assert.equal(value, there === null ? null : Math.round(there), `${place}: value of ${depth}`)
      }
      const standing = await reportDepth(database.db, span.now, span.to)
      assert.deepEqual(
        report.depths.map(({ people_to }) => people_to),
        standing.depths.map(({ people }) => people),
        `${place}: the people at the end are those as of then`,
      )
      if (index === 0) assert.deepEqual(report, answered(await reportMigration(database, span)), place)

      const byKind = new Map<string, { kind: string; ups: number; downs: number }>()
      for (const flow of report.flows) {
        const people = await everyone(database, span, { fromDepth: flow.from_depth, toDepth: flow.to_depth, limit })
        const expectedPeople = expected.people.filter(
          (person) => person.from === flow.from_depth && person.to === flow.to_depth,
        )
        assert.deepEqual(
          people.map(({ key, changed_at }) => `${key} ${changed_at ? Date.parse(changed_at) : undefined}`).sort(),
          expectedPeople
            .map((person) => `${person.customer} ${person.from === person.to ? undefined : person.decidedAt}`)
            .sort(),
          place,
        )
        for (const { cause } of people) {
          if (!cause) continue
          moved += 1
          kinds.add(cause.kind)
          const known = byKind.get(cause.kind) ?? { kind: cause.kind, ups: 0, downs: 0 }
          const isUp = flow.to_depth > flow.from_depth
          byKind.set(cause.kind, { ...known, ups: known.ups + Number(isUp), downs: known.downs + Number(!isUp) })
        }
      }
      // Each person's own fact, looked up one by one, against the kinds of the set form.
      assert.deepEqual(
        report.causes,
        [...byKind.values()].sort((x, y) => (x.kind < y.kind ? -1 : 1)),
        place,
      )
      // Every other figure of the report opens its people too. One look of a story, another in the next: it is two dozen questions,
      // each of which PostgreSQL plans for 50 ms.
      if (index === stories % looks.length) {
        const counted = async (flow: Omit<Parameters<typeof everyone>[2], 'limit'>, pageLimit = 100) =>
          (await everyone(database, span, { ...flow, limit: pageLimit })).map(
            ({ key, from_depth, to_depth }) => `${key} ${from_depth} ${to_depth}`,
          )
        const told = (people: typeof expected.people) =>
          people.map((person) => `${person.customer} ${person.from} ${person.to}`).sort()
        const isUp = (person: { from: number; to: number }) => person.to > person.from
        const isMoved = (person: { from: number; to: number }) => person.to !== person.from
        assert.deepEqual((await counted({ moved: 'all' }, 1)).sort(), told(expected.people), place)
        assert.deepEqual((await counted({ moved: 'any' })).sort(), told(expected.people.filter(isMoved)), place)
        assert.deepEqual((await counted({ moved: 'up' })).sort(), told(expected.people.filter(isUp)), place)
        for (const { depth, people_from, people_to } of report.depths) {
          const [began, ended] = [await counted({ fromDepth: depth }), await counted({ toDepth: depth })]
          assert.deepEqual(began.sort(), told(expected.people.filter((person) => person.from === depth)), place)
          assert.deepEqual(ended.sort(), told(expected.people.filter((person) => person.to === depth)), place)
          assert.deepEqual([began.length, ended.length], [people_from, people_to], place)
        }
        for (const { kind, ups: deeper, downs: shallower } of report.causes) {
          const people = [await counted({ moved: 'up', cause: kind }), await counted({ moved: 'down', cause: kind })]
          assert.deepEqual(
            people.map(({ length }) => length),
            [deeper, shallower],
            `${place}: ${kind}`,
          )
        }
      }
      for (const person of expected.people) {
        const own = answered(await readPersonMigration(database, keys.get(person.customer) ?? 0, span))
        assert.deepEqual(
          own.changes.map((change) => ({
            at: Date.parse(change.changed_at),
            from: change.from_depth,
            to: change.to_depth,
          })),
          person.between,
          place,
        )
        assert.deepEqual([own.from_depth, own.to_depth], [person.from, person.to], place)
        for (const { cause, changed_at } of own.changes) {
          assert.equal(cause.at, changed_at)
          assert.equal(cause.kind === 'time', cause.fact_id === null)
          const named = [...history.orders, ...history.refunds].filter((fact) => fact.id === cause.external_id)
          if (cause.kind === 'order' || cause.kind === 'refund') {
            assert.ok(
              named.some((fact) => fact.at === Date.parse(changed_at)),
              `${place}: ${cause.external_id}`,
            )
          }
        }
      }
    }
    // Months of the zone, end to end, each what the migration of it says.
    const { months } = await reportNetDeepening(database, { now: new Date(now) }, 14)
    assert.equal(months.length, 14)
    assert.equal(months.at(-1)?.to, new Date(now).toISOString())
    const begins = Date.parse(months[0]?.from ?? '')
    const steps = changes
      .filter(({ at }) => at > begins && at <= now)
      .reduce((sum, { from, to }) => sum + Math.sign(to - from), 0)
    if (steps !== 0)
      assert.ok(
        months.some(({ ups, downs }) => ups + downs > 0),
        'months in which somebody moved',
      )
    for (const [place, month] of months.entries()) {
      if (place > 0) assert.equal(month.from, months[place - 1]?.to)
      assert.match(wallClockOf(month.from, story.rules.zone), /-01 00:00:00$/)
      // A month in which nobody moves is asked about once.
      if (month.ups + month.downs === 0 && place > 0) continue
      const span = { from: new Date(month.from), to: new Date(month.to), now: new Date(now) }
      const { ups, downs, net_deepening } = answered(await reportMigration(database, span))
      assert.deepEqual([month.ups, month.downs, month.net_deepening], [ups, downs, net_deepening], month.from)
    }
    await refreshLapsed(database, { now: () => new Date(now) })
    const span = { from: new Date(NOW - 400 * DAY_MS), to: new Date(now), now: new Date(now) }
    const expected = expectedOf({ story, history, from: span.from.getTime(), to: now })
    const report = answered(await reportMigration(database, span))
    assert.deepEqual(
      Object.fromEntries(report.flows.map((flow) => [`${flow.from_depth} ${flow.to_depth}`, flow.people])),
      expected.flows,
      'the same when the lapses are stored',
    )
  }
  await check(t, told, RUNS, property, SEED)
  // Else the stories have become so tame that nothing is shown.
  assert.ok(moved > 40, `${moved} people moved`)
  for (const kind of ['order', 'refund', 'time', 'connection']) {
    assert.ok(kinds.has(kind), `a move by ${kind}, not only by ${[...kinds]}`)
  }
  assert.ok(kinds.size >= 7, `moves by ${[...kinds]}`)
})

/** The worked example of docs/definitions.md §1.6. */
const EXAMPLE = `order_id,customer_id,paid_at,item,quantity,unit_price,refund_of
4001,C1,2024-01-10 10:00,tea,1,100.00,
4002,C2,2024-03-01 10:00,tea,1,60.00,
4003,C2,2024-07-01 10:00,tea,1,40.00,
4004,C3,2024-05-01 10:00,tea,1,80.00,
4005,C3,2024-06-01 10:00,pot,1,90.00,
R4005,C3,2024-08-01 10:00,pot,-1,90.00,4005
4006,C4,2024-09-01 10:00,tea,1,50.00,
4007,C5,2024-02-01 10:00,tea,1,30.00,
`
const [FROM, TO] = ['2024-06-14T16:00:00.000Z', '2025-01-09T16:00:00.000Z']
const clock: Clock = { now: () => new Date('2025-06-01T00:00:00Z') }

async function exampleBrand(t: TestContext, orders = EXAMPLE): Promise<Database> {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-migration-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'orders.csv')
  await writeFile(path, orders)
  const options = { connected_by: 'shop_account' }
  answered(
    await importOrders(database, clock, {
      path,
      mapping: 'orders',
      options,
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'runs'),
    }),
  )
  await refreshStanding(database, clock)
  return database
}

test('the worked example, and the API says the same', async (t) => {
  const database = await exampleBrand(t)
  const span = { from: new Date(FROM), to: new Date(TO), now: clock.now() }
  const report = answered(await reportMigration(database, span))
  assert.deepEqual(report, {
    from: FROM,
    to: TO,
    currency: 'CNY',
    people: 5,
    depths: [
      { depth: 0, key: 'unconnected', people_from: 1, people_to: 0, value_minor: null },
      { depth: 1, key: 'connected', people_from: 0, people_to: 0, value_minor: null },
      { depth: 2, key: 'member', people_from: 0, people_to: 1, value_minor: 10000 },
      { depth: 3, key: 'buyer', people_from: 3, people_to: 3, value_minor: 5333 },
      { depth: 4, key: 'repeat_buyer', people_from: 1, people_to: 1, value_minor: 10000 },
      { depth: 5, key: 'advocate', people_from: 0, people_to: 0, value_minor: null },
    ],
    flows: [
      { from_depth: 0, to_depth: 3, people: 1 },
      { from_depth: 3, to_depth: 2, people: 1 },
      { from_depth: 3, to_depth: 3, people: 1 },
      { from_depth: 3, to_depth: 4, people: 1 },
      { from_depth: 4, to_depth: 3, people: 1 },
    ],
    ups: 2,
    downs: 2,
    net_deepening: 0,
    net_deepening_value_minor: 10000,
    unvalued: 0,
    causes: [
      { kind: 'connection', ups: 1, downs: 0 },
      { kind: 'order', ups: 1, downs: 0 },
      { kind: 'refund', ups: 0, downs: 1 },
      { kind: 'time', ups: 0, downs: 1 },
    ],
  })

  const http = await testHttp(t, {
    routes: (app) => registerRelationshipRoutes(app, { clock, brandOf: async () => ({ database }) }),
  })
  const cookie = await http.signInByLink()
  const path = `/api/v1/depth/migration?from=${FROM}&to=${TO}`
  assert.equal((await http.send(path)).status, 401)
  const said = await (await http.send(path, { cookie })).json()
  assert.deepEqual(migrationReport.parse(said), report)

  const flow = await (await http.send(`${path}&from_depth=4&to_depth=3`, { cookie })).json()
  const {
    people: [moved],
    ...rest
  } = flowPage.parse(flow)
  assert.deepEqual(rest, { total: 1, next: null })
  assert.deepEqual([moved?.key, moved?.from_depth, moved?.to_depth], ['C3', 4, 3])
  const { fact_id: _number, ...cause } = moved?.cause ?? { fact_id: null }
  const at = '2024-08-01T02:00:00.000Z'
  assert.deepEqual(cause, { kind: 'refund', source: 'orders', external_id: 'R4005', at })
  assert.equal(moved?.changed_at, at)
  const left = flowPage.parse(await (await http.send(`${path}&from_depth=3`, { cookie })).json())
  assert.deepEqual(left.people.map(({ key }) => key).sort(), ['C1', 'C2', 'C5'], 'who was at 3, wherever they are')
  const byTime = flowPage.parse(await (await http.send(`${path}&cause=time&moved=down`, { cookie })).json())
  assert.deepEqual(
    byTime.people.map(({ key, to_depth }) => [key, to_depth]),
    [['C1', 2]],
  )
  assert.equal((await http.send(`${path}&cause=;drop`, { cookie })).status, 400)
})

test('a document that sells and gives back at one instant is an order to who deepens, a refund to who does not', async (t) => {
  const database = await exampleBrand(
    t,
    `order_id,customer_id,paid_at,item,quantity,unit_price,refund_of
5001,D,2024-01-01 10:00,tea,2,30.00,
5002,D,2024-06-01 10:00,pot,1,90.00,
5002,D,2024-06-01 10:00,tea,-1,30.00,5001
5003,E,2024-01-01 10:00,tea,1,30.00,
5004,E,2024-06-01 10:00,pot,1,90.00,
5005,E,2024-12-31 10:00,cup,1,20.00,
5005,E,2024-12-31 10:00,pot,-1,90.00,5004
`,
  )
  const { rows } = await database.pool.query(KINDS_BY_FACTS)
  const told = rows.map(({ from_depth: from, to_depth: to, cause_kind: kind }) => [from, to, CAUSE_KINDS[kind]])
  assert.deepEqual(told.sort(), [
    [0, 3, 'connection'],
    [0, 3, 'connection'],
    [3, 4, 'order'],
    [3, 4, 'order'],
    [4, 3, 'refund'],
    [4, 3, 'time'],
  ])
  for (const change of rows) assert.equal(CAUSE_KINDS[change.cause_kind], change.kind)
  assert.equal(rows.filter((change) => change.is_order && change.is_refund).length, 2)
})

test('a span that ends in the future, or before it begins, is refused', async (t) => {
  const database = await exampleBrand(t)
  const now = clock.now()
  const later = new Date(now.getTime() + 1)
  const codeOf = async (from: Date, to: Date) => {
    const answer = await reportMigration(database, { from, to, now })
    return isRefusal(answer) ? answer.code : undefined
  }
  assert.equal(await codeOf(now, later), 'future_time')
  assert.equal(await codeOf(now, new Date(now.getTime() - 1)), 'span_ends_first')
  assert.equal(await codeOf(now, now), undefined, 'nobody moves in no time')
})
