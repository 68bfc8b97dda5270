import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import type { Clock } from '../../platform/clock.ts'
import { valueEverybody } from './runs.ts'
import { atRisk, type PersonValue, personValue } from './schema.ts'

const NOW = new Date('2026-06-01T04:00:00Z')
const clock: Clock = { now: () => NOW }
const ago = (days: number) => new Date(NOW.getTime() - days * 86_400_000).toISOString()
const who = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })

let number = 0
const fact = (kind: string, fields: object) => {
  number += 1
  return { kind, external_id: `${kind}-${number}`, ...fields }
}
const order = (customer: string, days: number, id = `o-${customer}-${days}`) => ({
  kind: 'order',
  external_id: id,
  customer_id: customer,
  paid_at: ago(days),
  lines: [{ item: 'tea', unit_price: 50 }],
})
const act = (customer: string, type: string, days: number) =>
  fact('interaction', { identity: who(customer), type, item: 'tea', occurred_at: ago(days) })
const review = (customer: string, rating: number, days: number) =>
  fact('review', { identity: who(customer), item: 'tea', rating, occurred_at: ago(days) })
const member = (customer: string, days: number, ended?: number) =>
  fact('membership', {
    identity: who(customer),
    enrolled_at: ago(days),
    ...(ended === undefined ? {} : { ended_at: ago(ended) }),
  })

/** Every ten days from so long ago on: 100 days without an order are far more than anybody's gaps. */
const bought = (customer: string, until = 100) =>
  [160, 150, 140, 130, 120, 110, until].map((days) => order(customer, days))

/** Each person's facts beside their orders, the lever, and its own signs. */
const CASES: Readonly<
  Record<string, readonly [facts: readonly object[], lever: string | null, signs: readonly string[]]>
> = {
  still_here: [[...bought('still_here', 100), order('still_here', 1), act('still_here', 'cart', 0.5)], null, []],
  returned: [
    [
      ...bought('returned'),
      { ...order('returned', 95, 'back'), refund_of: 'o-returned-100' },
      review('returned', 1, 90),
    ],
    'obstacle',
    ['returned'],
  ],
  unanswered: [
    [...bought('unanswered'), act('unanswered', 'reply', 60), act('unanswered', 'question', 50)],
    'obstacle',
    ['question_open'],
  ],
  answered: [
    [...bought('answered'), member('answered', 150), act('answered', 'question', 60), act('answered', 'reply', 50)],
    'trigger',
    ['day_passed', 'last_word'],
  ],
  basket: [
    [...bought('basket'), act('basket', 'cart', 20), act('basket', 'question', 30)],
    'obstacle',
    ['question_open', 'cart_left'],
  ],
  bought_basket: [[...bought('bought_basket'), act('bought_basket', 'cart', 100.5)], 'ability', ['not_enrolled']],
  cross: [[...bought('cross'), review('cross', 5, 99), review('cross', 2, 98)], 'motivation', ['bad_review']],
  content: [
    [...bought('content'), member('content', 150), review('content', 1, 99), review('content', 3, 98)],
    'trigger',
    ['day_passed'],
  ],
  silent: [
    [...bought('silent'), ...[200, 150, 61].map((days) => act('silent', 'click', days))],
    'motivation',
    ['stopped_reacting'],
  ],
  reacting: [
    [
      ...bought('reacting'),
      member('reacting', 150),
      ...[200, 150, 61, 59].map((days) => act('reacting', 'click', days)),
    ],
    'trigger',
    ['day_passed'],
  ],
  coupons: [
    [...bought('coupons'), ...[150.5, 141, 133, 126, 100.1].map((days) => act('coupons', 'coupon', days))],
    'motivation',
    ['waits_for_coupons'],
  ],
  run_out: [[...bought('run_out'), member('run_out', 150, 40)], 'ability', ['not_enrolled']],
}

test('what is missing is told with the facts that speak for it, the obstacle first', async (t) => {
  const desk = await testConsole(t, clock)
  await desk.post(...Object.values(CASES).flatMap(([facts]) => facts))
  const connected = Object.keys(CASES).filter((key) => key !== 'basket')
  await desk.post(
    ...connected.map((key) => fact('connection', { identity: who(key), channel: 'wecom', begun_at: ago(170) })),
  )
  await valueEverybody(desk.database, NOW)
  const { cookie } = await userOf(desk.http, 'owner')
  const { rows } = await desk.database.pool.query<{ person_id: number; key: string }>(
    'select person_id, value as key from customers.published_people',
  )
  const all: (PersonValue & { key: string })[] = []
  for (const [key, [, lever, signs]] of Object.entries(CASES)) {
    const id = rows.find((row) => row.key === key)?.person_id
    const response = await desk.http.send(`/api/v1/people/${id}/value`, { cookie })
    assert.equal(response.status, 200, key)
    const found = personValue.parse(await response.json())
    all.push({ ...found, key })
    assert.equal(found.lever?.lever ?? null, lever, `${key}: ${JSON.stringify([found.rhythm, found.lever])}`)
    const own = found.lever?.signs.filter((sign) => sign.lever === lever) ?? []
    assert.deepEqual(
      own.map(({ sign }) => sign),
      signs,
      key,
    )
    for (const { sign, at, fact_id } of own) {
      const isOfFact = !['not_enrolled', 'waits_for_coupons', 'day_passed'].includes(sign)
      assert.equal(fact_id !== null, isOfFact, `${key} ${sign}`)
      assert.equal(at !== null, isOfFact || sign === 'day_passed', `${key} ${sign}`)
    }
    if (key === 'coupons') assert.deepEqual([own[0]?.count, own[0]?.of], [5, 7])
    if (key === 'silent') assert.deepEqual([own[0]?.count, own[0]?.at], [3, ago(61)])
    if (lever !== null)
      assert.ok(
        found.lever?.signs.some(({ sign }) => sign === 'day_passed'),
        key,
      )
  }

  // By what their pages say: late or at risk, and connected; the most valuable first.
  const expected = all
    .filter(({ key, rhythm }) => key !== 'basket' && /^(late|at_risk)$/.test(rhythm?.state ?? ''))
    .sort((one, other) => other.own_minor - one.own_minor || one.person_id - other.person_id)
    .map((one) => [one.key, one.rhythm?.state, one.rhythm?.days_since, one.own_minor, one.expected_minor])
  assert.ok(expected.length > 2, JSON.stringify(all.map(({ key, rhythm }) => [key, rhythm])))
  const listed = atRisk.parse(await (await desk.http.send('/api/v1/value/at-risk?limit=50', { cookie })).json())
  assert.deepEqual(
    listed.people.map((one) => [one.key, one.state, one.days_since, one.own_minor, one.expected_minor]),
    expected,
  )
})
