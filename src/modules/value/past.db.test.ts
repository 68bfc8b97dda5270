import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { chance, exponential, gamma } from '../../../test/chance.ts'
import { testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import { ERASERS } from '../../bin/erasers.ts'
import { atTerminal } from '../../platform/audit.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { erasePerson } from '../customers/actions.ts'
import { valueAsOf } from './past.ts'
import { readEquity, readPersonValue, readReferralTree, readValueMatrix } from './reading.ts'
import { followChanges, valueEverybody } from './runs.ts'
import { equityAnswer, personValue, type RunReport, valueCellPage, valueMatrix } from './schema.ts'

const NOW = new Date('2026-06-01T04:00:00Z')
const DAY_MS = 86_400_000
const before = (days: number) => new Date(NOW.getTime() - days * DAY_MS)
const ago = (days: number) => before(days).toISOString()
const who = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })

interface Fact {
  readonly kind: string
  readonly external_id: string
  readonly [field: string]: unknown
}

const order = (id: string, customer: string, days: number, price: number): Fact => ({
  kind: 'order',
  external_id: id,
  customer_id: customer,
  paid_at: ago(days),
  lines: [{ item: 'tea', unit_price: price }],
})
const refund = (id: string, customer: string, days: number, price: number): Fact => ({
  ...order(`${id}-r`, customer, days, price),
  refund_of: id,
})
const connection = (customer: string, days: number, endedDays?: number): Fact => ({
  kind: 'connection',
  external_id: `c-${customer}`,
  identity: who(customer),
  channel: 'wecom',
  begun_at: ago(days),
  ...(endedDays === undefined ? {} : { ended_at: ago(endedDays) }),
})
const claim = (id: string, invitee: string, referrer: string, days: number): Fact => ({
  kind: 'referral_claim',
  external_id: id,
  invitee: who(invitee),
  referrer: who(referrer),
  occurred_at: ago(days),
})
const join = (id: string, one: string, other: string, days: number): Fact => ({
  kind: 'person',
  external_id: id,
  updated_at: ago(days),
  identities: [who(one), who(other)],
})

interface Bought {
  readonly customer: string
  readonly days: number
  readonly price: number
  readonly refunds: { days: number; price: number }[]
}

/** People who buy, give back, come, go, bring others and turn out to be one, over two years. */
function shop(people: number): { facts: Fact[]; bought: Bought[] } {
  const random = chance(11)
  const facts: Fact[] = []
  const bought: Bought[] = []
  for (let index = 0; index < people; index += 1) {
    const customer = `p${index}`
    const began = 5 + Math.floor(700 * random())
    const rate = gamma(random, 0.9) / 50
    const drop = 0.2 * random()
    const price = 20 + Math.round(80 * random())
    const days = new Set([began])
    for (let day = began - exponential(random) / rate; day > 1 && random() > drop; day -= exponential(random) / rate) {
      days.add(Math.floor(day))
    }
    for (const [number, day] of [...days].entries()) {
      const paid = price + Math.round(30 * random())
      const id = `${customer}-${number}`
      facts.push(order(id, customer, day, paid))
      const refunds: Bought['refunds'] = []
      // Some give all of it back, some a part, weeks later: as of a day between it still counted.
      if (random() < 0.15) {
        const given = { days: Math.max(0.5, day - 40 * random()), price: random() < 0.5 ? paid : Math.ceil(paid / 3) }
        facts.push(refund(id, customer, given.days, given.price))
        refunds.push(given)
      }
      bought.push({ customer, days: day, price: paid, refunds })
    }
    if (random() < 0.7) {
      const connectedDays = Math.min(began, 0.5 + began * random() + 3)
      facts.push(connection(customer, connectedDays, random() < 0.2 ? connectedDays * random() : undefined))
    }
    if (index > 5 && random() < 0.5) {
      const referrer = `p${Math.floor(index * random())}`
      facts.push(claim(`k${index}`, customer, referrer, began + 20 * random() - 3))
      if (random() < 0.2) facts.push(claim(`l${index}`, customer, `p${(index + 1) % people}`, began + 40 * random()))
    }
    if (index > 5 && random() < 0.05) facts.push(join(`j${index}`, customer, `p${index - 1}`, 0.3))
  }
  return { facts, bought }
}

/**
 * The facts that had happened `days` ago. Who is one person is so for the whole past; of whom nothing else had happened is left out,
 * because that they are known would be of now.
 */
function cut(facts: readonly Fact[], days: number): Fact[] {
  const at = ago(days)
  const timeOf = (fact: Fact) => String(fact.paid_at ?? fact.begun_at ?? fact.occurred_at)
  const happened = facts.filter((fact) => fact.kind !== 'person' && timeOf(fact) <= at)
  const nameOf = (identity: unknown) => (identity as { value?: string } | undefined)?.value
  const known = new Set(
    happened.flatMap((fact) => [fact.customer_id, ...[fact.identity, fact.invitee, fact.referrer].map(nameOf)]),
  )
  const joins = facts.filter(
    ({ kind, identities }) => kind === 'person' && (identities as unknown[]).some((one) => known.has(nameOf(one))),
  )
  return [
    ...happened.map(({ ended_at: ended, ...fact }) =>
      ended === undefined || String(ended) > at ? (fact as Fact) : ({ ...fact, ended_at: ended } as Fact),
    ),
    ...joins.map((fact) => ({ ...fact, updated_at: at })),
  ]
}

async function brand(t: TestContext, now: Date, facts: readonly Fact[]) {
  const desk = await testConsole(t, { now: () => now })
  for (let from = 0; from < facts.length; from += 400) await desk.post(...facts.slice(from, from + 400))
  const rows = async (text: string) => (await desk.database.pool.query(text)).rows as Record<string, unknown>[]
  return { ...desk, rows }
}
type Brand = Awaited<ReturnType<typeof brand>>

const KEY = (id: string) => `(select min(value) from customers.published_people k where k.person_id = ${id})`

/** All that a run has made, people by what the shop calls them; `past_` in front for those of a past day. */
async function made({ rows }: Brand, prefix: '' | 'past_', standing: string) {
  return {
    fits: await rows(
      `select fitted_at, unit, model, reason, occasions, spend_model, spend_reason, spend, margin_rate, people, repeaters, reachable_people,
        expected_minor, expected_low_minor, expected_high_minor, calibration from value.${prefix}fits`,
    ),
    people: await rows(
      `select ${KEY('p.person_id')} as key, valued_at, repeats, last_days, watched_days, mean_spend_minor, p_alive, expected_occasions,
        expected_minor, expected_low_minor, expected_high_minor, realised_minor, net_paid_minor, last_occasion_at, last_day, turns_days
      from value.${prefix}people p order by 1`,
    ),
    places: await rows(
      `select ${KEY('g.person_id')} as key, tree_depth, allocated_minor, influenced_minor from value.${prefix}propagation g order by 1`,
    ),
    edges: await rows(
      `select ${KEY('e.person_id')} as key, ${KEY('e.referrer_person_id')} as referrer, claimed_at, set_aside, refusal
      from value.${prefix}referral_edges e order by 1, 2, 3`,
    ),
    settled: await rows(
      `select ${KEY('s.person_id')} as key, expected_minor, own_minor, p_alive, allocated_minor, influenced_minor, transaction, propagation,
        last_occasion_at, turns_days, turns_at from value.${prefix}settled s order by 1`,
    ),
    cuts: await rows(`select * from value.${prefix}cuts`),
    depths: await rows(`select ${KEY('s.person_id')} as key, depth from ${standing} s where person_id > 0 order by 1`),
  }
}

/** Every table but those of past days, as it stands. */
async function untouched({ rows }: Brand) {
  const tables = await rows(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')
       and table_name not like 'past\\_%' order by 1`,
  )
  const states = tables.map(async ({ name }) => {
    const [state] = await rows(`select md5(string_agg(x::text, ';' order by x::text)) as digest from ${name} x`)
    return [name, state?.digest]
  })
  return Promise.all(states)
}

/** The same but for the last digits: sums come out by the order of their terms, and the search for a maximum ends by them. */
function alike(actual: unknown, expected: unknown, what: string): void {
  if (typeof actual === 'number' && typeof expected === 'number') {
    const off = Math.abs(actual - expected)
    const allowed = /_minor$/.test(what) ? 2 : 0
    assert.ok(off <= Math.max(allowed, 1e-5 * Math.abs(expected)), `${what}: ${actual}, ${expected}`)
  } else if (expected !== null && typeof expected === 'object' && !(expected instanceof Date)) {
    assert.deepEqual(Object.keys(actual ?? {}), Object.keys(expected), what)
    for (const [key, value] of Object.entries(expected)) {
      alike((actual as Record<string, unknown>)[key], value, `${what}.${key}`)
    }
  } else assert.deepEqual(actual, expected, what)
}

const reportOf = (report: RunReport | object | undefined): RunReport => {
  assert.ok(report && !isRefusal(report), JSON.stringify(report))
  return report as RunReport
}

test('values as of a past day are those of a brand whose history ends there, and those of now stay', async (t) => {
  const { facts, bought } = shop(700)
  const full = await brand(t, NOW, facts)
  await full.database.pool.query('update brand.settings set margin_rate = 0.4')
  reportOf(await valueEverybody(full.database, NOW))
  const kept = await untouched(full)
  // A year is known of what came since the first, and not discounted it is what is expected; of the others a part.
  for (const [days, discount] of [
    [400, 0],
    [250, 0.1],
    [100.37, 0.1],
  ] as const) {
    const at = before(days)
    const then = await brand(t, at, cut(facts, days))
    for (const { database } of [full, then]) {
      await database.pool.query('update brand.settings set margin_rate = 0.4, discount_rate_per_year = $1', [discount])
    }
    const expected = reportOf(await valueEverybody(then.database, at))
    const report = reportOf(await valueAsOf(full.database, at, NOW))
    const { fit_id: _one, as_of: asOf, came_since: since, ...figures } = report
    const { fit_id: _other, as_of: _now, came_since: _none, ...figuresThen } = expected
    alike(figures, figuresThen, 'report')
    assert.equal(asOf, at.toISOString())
    const [past, cutOff] = [
      await made(full, 'past_', 'value.past_standing'),
      await made(then, '', 'relationship.published_standing'),
    ]
    for (const part of Object.keys(past) as (keyof typeof past)[]) {
      alike(past[part], cutOff[part], `${part} as of ${asOf}`)
    }
    assert.ok(past.edges.some(({ refusal }) => refusal === null) && past.edges.some(({ refusal }) => refusal !== null))
    assert.notEqual(report.model, 'historic-rate')
    assert.ok(past.settled.some(({ propagation }) => propagation === 3))

    // What came since, from the facts as they were sent: of whom somebody had a live connection with then.
    const reachable = new Set(
      (
        await full.rows(
          `select value from customers.published_people join value.past_standing using (person_id) where depth >= 1`,
        )
      ).map(({ value }) => value),
    )
    const counts = bought.filter(({ refunds, price }) => refunds.every((given) => given.price < price))
    const lastDays = Math.max(days - 365, Math.min(...counts.map((one) => one.days)))
    const came = counts
      .filter((one) => one.days < days && one.days >= lastDays && reachable.has(one.customer))
      .reduce((sum, { price, refunds }) => sum + price - refunds.reduce((back, given) => back + given.price, 0), 0)
    assert.ok(since)
    assert.equal(since.until, ago(lastDays))
    assert.ok(Math.abs(since.days - (days - lastDays)) < 1e-6)
    // Rounded to the fen person by person.
    assert.ok(Math.abs(since.came_minor - 40 * came) < 0.5 * reachable.size, `${since.came_minor}, ${40 * came}`)
    assert.ok(since.came_minor > 0 && since.expected_minor > 0)
    const [low, high] = [since.low_minor ?? 0, since.high_minor ?? 0]
    assert.ok(low < since.expected_minor && since.expected_minor < high)
    if (discount === 0) {
      assert.deepEqual(
        [since.expected_minor, low, high],
        [report.customer_equity_minor, report.customer_equity_low_minor, report.customer_equity_high_minor],
      )
    } else assert.ok(since.expected_minor < report.customer_equity_minor)
  }
  await full.database.pool.query('update brand.settings set discount_rate_per_year = 0.1')
  assert.deepEqual(await untouched(full), kept, 'nothing else changed')
  assert.equal((await full.rows('select from value.past_fits')).length, 1, 'one past day is kept')
})

// a brought b, b brought c; c came later, e is gone.
const FEW: Fact[] = [
  connection('a', 300),
  connection('b', 200),
  connection('c', 60),
  connection('e', 290, 150),
  claim('1', 'b', 'a', 201),
  claim('2', 'c', 'b', 61),
  order('a-1', 'a', 250, 80),
  order('a-2', 'a', 150, 80),
  order('a-3', 'a', 50, 80),
  order('b-1', 'b', 190, 100),
  order('c-1', 'c', 59, 1000),
  order('e-1', 'e', 280, 30),
  order('e-2', 'e', 270, 30),
]

test('a past day is refused where it has not come, and where nobody had bought before it; what was kept stays', async (t) => {
  const { database } = await brand(t, NOW, FEW)
  const refused = async (at: Date) => {
    const answer = await valueAsOf(database, at, NOW)
    return isRefusal(answer) ? [answer.kind, answer.code, answer.message] : undefined
  }
  reportOf(await valueAsOf(database, before(100), NOW))
  assert.deepEqual((await refused(NOW))?.slice(0, 2), ['invalid', 'as_of_in_future'])
  const [kind, code, message] = (await refused(before(280))) ?? []
  assert.deepEqual([kind, code], ['conflict', 'before_first_order'])
  assert.match(message ?? '', /the first order is of 2025-08-25 12:00/, 'by the clock of the brand')
  assert.equal((await readEquity(database.db)).kept_as_of, ago(100))
  reportOf(await valueAsOf(database, before(278), NOW))

  const empty = await brand(t, NOW, [])
  const none = await valueAsOf(empty.database, before(100), NOW)
  assert.ok(isRefusal(none))
  assert.deepEqual([none.code, none.remedy], ['before_first_order', 'Import orders first.'])
})

test('what is asked as of the day is of the day; of another day nothing is said, and whoever is erased or merged is in none', async (t) => {
  const { database, rows, post } = await brand(t, NOW, FEW)
  reportOf(await valueEverybody(database, NOW))
  const at = before(100)
  reportOf(await valueAsOf(database, at, NOW))
  const idOf = async (key: string) =>
    Number((await rows(`select person_id from customers.published_people where value = '${key}'`))[0]?.person_id)
  const ids = { a: await idOf('a'), b: await idOf('b'), c: await idOf('c') }

  const [present, past, other] = [
    await readEquity(database.db),
    await readEquity(database.db, undefined, at),
    await readEquity(database.db, undefined, before(99)),
  ]
  assert.deepEqual([present.valued_at, present.worked_out_at, present.came_since], [NOW.toISOString(), null, null])
  assert.deepEqual([past.valued_at, past.worked_out_at, past.kept_as_of], [ago(100), NOW.toISOString(), ago(100)])
  assert.deepEqual([present.people, past.people, past.reachable_people], [4, 3, 2], 'c had not come, e was gone')
  assert.deepEqual([other.valued_at, other.people, other.distribution, other.kept_as_of], [null, 0, [], ago(100)])
  assert.equal(past.came_since?.came_minor, 8000, 'a bought once more; c was not there')
  const tenths = past.distribution.reduce((sum, { came_minor: came }) => sum + (came ?? 0), 0)
  assert.deepEqual([tenths, present.distribution[0]?.came_minor], [8000, null])

  const worth = async (id: number, asOf?: Date) => {
    const value = await readPersonValue(database.db, id, NOW, undefined, asOf)
    assert.ok(!isRefusal(value))
    return value
  }
  const [a, b, c] = [await worth(ids.a, at), await worth(ids.b, at), await worth(ids.c, at)]
  assert.deepEqual([a.repeats, a.watched_days, a.realised_minor, a.rhythm?.days_since], [1, 150, 16_000, 50])
  assert.deepEqual([a.came_since?.came_minor, a.came_since?.until], [8000, ago(50)])
  assert.deepEqual([a.brought.map(({ person_id: id }) => id), (await worth(ids.a)).brought.length], [[ids.b], 2])
  assert.equal(a.influenced_minor, b.own_minor)
  assert.deepEqual([c.valued_at, c.next_valued_at, c.own_minor, c.chain], [null, null, 0, []], 'had not come yet')
  assert.deepEqual([(await worth(ids.a, before(99))).valued_at, (await worth(ids.a, before(99))).brought], [null, []])
  const tree = async (asOf?: Date) => {
    const found = await readReferralTree(database.db, ids.a, undefined, asOf)
    return isRefusal(found) ? undefined : found.nodes.map((node) => node.person_id)
  }
  assert.deepEqual([await tree(), await tree(at), await tree(before(99))], [[ids.b, ids.c], [ids.b], []])
  const matrix = await readValueMatrix(database.db, undefined, at)
  assert.deepEqual([matrix.claims, matrix.referrals], [1, 1])
  assert.equal(
    matrix.cells.reduce((sum, { people }) => sum + people, 0),
    3,
  )

  await post(join('j', 'a', 'e', 0.2))
  assert.ok((await followChanges(database, NOW)) > 0)
  const nobody = await rows(
    `select person_id from (select person_id from value.past_people union all select person_id from value.past_standing) v
     where not exists (select from customers.published_people p where p.person_id = v.person_id)`,
  )
  assert.deepEqual(nobody, [], 'whoever became somebody else is in no list')
  const erased = await erasePerson(
    database,
    { now: () => NOW },
    { personId: ids.b, by: atTerminal('owner'), erasers: ERASERS },
  )
  assert.ok(!isRefusal(erased))
  const left = await rows(
    `select person_id from value.past_people where person_id = ${ids.b}
     union all select person_id from value.past_standing where person_id = ${ids.b}
     union all select person_id from value.past_came where person_id = ${ids.b}
     union all select person_id from value.past_settled where person_id = ${ids.b}
     union all select person_id from value.past_propagation where person_id = ${ids.b}
     union all select person_id from value.past_referral_edges where ${ids.b} in (person_id, referrer_person_id)`,
  )
  assert.deepEqual(left, [])
})

test('by API a past day is begun by who may, and read by who sees people: an adviser their own, without an interval', async (t) => {
  const desk = await brand(t, NOW, [])
  const mine = (fact: Fact) =>
    fact.kind === 'connection' ? { ...fact, staff: fact.external_id === 'c-a' ? 'lin' : 'wu' } : fact
  await desk.post(...FEW.map(mine))
  const { cookie: owner } = await userOf(desk.http, 'owner')
  const { cookie: adviser } = await userOf(desk.http, 'adviser')
  const send = (path: string, cookie = owner) => desk.http.send(path, { cookie })
  const begin = async (asOf: string, cookie = owner) => {
    const response = await desk.http.send('/api/v1/value/runs', { cookie, body: { as_of: asOf } })
    const wire = (await response.json()) as { error?: { code: string }; as_of?: string }
    return [response.status, wire.error?.code ?? wire.as_of]
  }
  assert.deepEqual(await begin(ago(100), adviser), [403, 'not_allowed'])
  assert.deepEqual(await begin(ago(-1)), [400, 'as_of_in_future'])
  assert.deepEqual(await begin(ago(290)), [409, 'before_first_order'])
  assert.deepEqual(await begin('last year'), [400, 'invalid_request'])
  // The same instant by another clock.
  assert.deepEqual(await begin('2026-02-21T12:00:00+08:00'), [202, ago(100)])
  const equityOf = async (cookie = owner, asOf = ago(100)) =>
    equityAnswer.parse(await (await send(`/api/v1/value?as_of=${encodeURIComponent(asOf)}`, cookie)).json())
  while ((await equityOf()).run.running_since !== null) await sleep(20)
  const equity = await equityOf(owner, '2026-02-21T12:00:00+08:00')
  assert.deepEqual([equity.valued_at, equity.run.failed_at, equity.people], [ago(100), null, 3])

  const { rows: audited } = await desk.database.pool.query(
    "select operation, subjects from audit.entries where operation like 'value_run%'",
  )
  assert.deepEqual(audited, [{ operation: 'value_run_past', subjects: { as_of: '2026-02-21 12:00' } }])
  // The command line says the same.
  const report = reportOf(await valueAsOf(desk.database, before(100), NOW))
  const again = await equityOf()
  assert.deepEqual(
    [again.customer_equity_minor, again.customer_equity_low_minor, again.customer_equity_high_minor, again.came_since],
    [
      report.customer_equity_minor,
      report.customer_equity_low_minor,
      report.customer_equity_high_minor,
      report.came_since,
    ],
  )
  assert.deepEqual({ ...again, run: null, worked_out_at: null }, { ...equity, run: null, worked_out_at: null })

  const matrix = valueMatrix.parse(await (await send(`/api/v1/value/matrix?as_of=${ago(100)}`)).json())
  for (const { depth, transaction, propagation, people } of matrix.cells) {
    const cell = `depth=${depth}&transaction=${transaction}&propagation=${propagation}&as_of=${ago(100)}`
    const page = valueCellPage.parse(await (await send(`/api/v1/value/people?${cell}`)).json())
    assert.equal(page.people.length, people, cell)
    for (const { person_id: id, own_minor: own } of page.people) {
      const value = personValue.parse(await (await send(`/api/v1/people/${id}/value?as_of=${ago(100)}`)).json())
      assert.equal(value.own_minor, own)
      const parts = value.brought.reduce((sum, below) => sum + below.allocated_minor, value.kept_minor)
      assert.equal(parts, value.allocated_minor, 'each yuan comes from somewhere')
    }
  }
  const own = await equityOf(adviser)
  assert.deepEqual([own.people, own.customer_equity_low_minor], [1, null])
  assert.deepEqual([own.came_since?.came_minor, own.came_since?.low_minor], [8000, null])
})
