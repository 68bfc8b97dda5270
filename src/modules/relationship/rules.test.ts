import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareKeys, interactionAt, scoreRfm, segmentOf, valueGroupOf } from './rules.ts'
import { FAN_TIERS, RFM_SEGMENTS, RFM_VALUE_GROUPS } from './schema.ts'

type Transaction = Parameters<typeof scoreRfm>[0][number]
type RfmOptions = Parameters<typeof scoreRfm>[1]

const DAY_MS = 86_400_000
const AS_OF = Date.parse('2025-11-20T12:00:00Z')
const RUNS = 300

const transaction: fc.Arbitrary<Transaction> = fc.record({
  customer: fc.constantFrom('1', '2', '9', '10', '007', 'a', 'B', 'b', '长', 'a1', 'a10', 'a2'),
  // Whole and half days, so that calendar days and 24-hour periods part.
  at: fc.nat({ max: 60 }).map((halves) => AS_OF - halves * (DAY_MS / 2)),
  amount: fc.constantFrom(0, 0.1, 0.7, 1, 12.35, 99.99, 1000),
})
const transactions = fc.array(transaction, { maxLength: 60 })
const options: fc.Arbitrary<RfmOptions> = fc.record({
  asOf: fc.constant(AS_OF),
  ties: fc.constantFrom('group', 'first'),
  recencyUnit: fc.constantFrom('day', '24h'),
  occasionUnit: fc.constantFrom('day', 'order'),
})
const grouped = options.map((given): RfmOptions => ({ ...given, ties: 'group' }))

const scored = (list: readonly Transaction[], given: RfmOptions) => scoreRfm(list, given).customers
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b)

test('every customer is scored once, from 1 to 5, with a segment and a value group', () => {
  fc.assert(
    fc.property(transactions, options, (list, given) => {
      const customers = scored(list, given)
      assert.deepEqual(
        customers.map(({ customer }) => customer).sort(),
        [...new Set(list.map((t) => t.customer))].sort(),
      )
      for (const { r, f, m, segment, value_group } of customers) {
        for (const score of [r, f, m]) assert.ok(Number.isInteger(score) && score >= 1 && score <= 5)
        assert.equal(segment, segmentOf(r, f))
        assert.ok(RFM_VALUE_GROUPS.some(({ group }) => group === value_group))
      }
    }),
    { numRuns: RUNS },
  )
})

test('the order of the rows does not matter', () => {
  const shuffled = transactions.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  )
  fc.assert(
    fc.property(shuffled, options, ([list, other], given) => {
      assert.deepEqual(scoreRfm(other, given), scoreRfm(list, given))
    }),
    { numRuns: RUNS },
  )
})

test('the better never scores lower, and equals score equally', () => {
  fc.assert(
    fc.property(transactions, grouped, (list, given) => {
      const customers = scored(list, given)
      for (const a of customers) {
        for (const b of customers) {
          if (a.recency_days <= b.recency_days) assert.ok(a.r >= b.r)
          if (a.frequency >= b.frequency) assert.ok(a.f >= b.f)
          if (a.monetary >= b.monetary) assert.ok(a.m >= b.m)
        }
      }
    }),
    { numRuns: RUNS },
  )
})

test('a cut is the first value that its share of customers reaches', () => {
  fc.assert(
    fc.property(transactions, grouped, (list, given) => {
      const { cuts, customers } = scoreRfm(list, given)
      if (customers.length === 0) return
      const columns = [
        [cuts.recency_days, customers.map((c) => c.recency_days)],
        [cuts.frequency, customers.map((c) => c.frequency)],
        [cuts.monetary, customers.map((c) => c.monetary)],
      ] as const
      for (const [cut, values] of columns) {
        assert.deepEqual(cut, sorted(cut))
        cut.forEach((value, index) => {
          // Fifths of whole numbers, so that no share is a rounded one.
          const fifths = (index + 1) * values.length
          assert.ok(values.includes(value))
          assert.ok(5 * values.filter((other) => other <= value).length >= fifths)
          assert.ok(5 * values.filter((other) => other < value).length < fifths)
        })
      }
    }),
    { numRuns: RUNS },
  )
})

test('ties first: F has five parts of equal size, later keys in the higher one', () => {
  fc.assert(
    fc.property(transactions, options, (list, given) => {
      const customers = scored(list, { ...given, ties: 'first' })
      const sizes = [1, 2, 3, 4, 5].map((f) => customers.filter((customer) => customer.f === f).length)
      if (customers.length >= 5) assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join(' '))
      for (const a of customers) {
        for (const b of customers) {
          if (a.frequency === b.frequency && compareKeys(a.customer, b.customer) < 0) assert.ok(a.f <= b.f)
          if (a.frequency < b.frequency) assert.ok(a.f <= b.f)
        }
      }
    }),
    { numRuns: RUNS },
  )
})

test('ties change F and nothing else', () => {
  fc.assert(
    fc.property(transactions, options, (list, given) => {
      const without = (ties: RfmOptions['ties']) =>
        scored(list, { ...given, ties }).map(({ f, segment, ...rest }) => rest)
      assert.deepEqual(without('first'), without('group'))
    }),
    { numRuns: RUNS },
  )
})

test('an occasion is a day or a row, and money is the same by either', () => {
  fc.assert(
    fc.property(transactions, options, (list, given) => {
      const byDay = scored(list, { ...given, occasionUnit: 'day' })
      const byRow = scored(list, { ...given, occasionUnit: 'order' })
      byRow.forEach((customer, index) => {
        const own = list.filter((t) => t.customer === customer.customer)
        assert.equal(customer.frequency, own.length)
        assert.equal(byDay[index]?.frequency, new Set(own.map((t) => new Date(t.at).toISOString().slice(0, 10))).size)
        assert.equal(byDay[index]?.monetary, customer.monetary)
        assert.equal(customer.monetary, own.reduce((sum, t) => sum + Math.round(t.amount * 100), 0) / 100)
      })
    }),
    { numRuns: RUNS },
  )
})

test('calendar days are 24-hour periods or one more; a day later all are one older, with the same scores', () => {
  fc.assert(
    fc.property(transactions, options, (list, given) => {
      const days = scored(list, { ...given, recencyUnit: 'day' })
      const periods = scored(list, { ...given, recencyUnit: '24h' })
      days.forEach((customer, index) => {
        const extra = customer.recency_days - (periods[index]?.recency_days ?? Number.NaN)
        assert.ok(extra === 0 || extra === 1)
      })
      const today = scored(list, given)
      const tomorrow = scored(list, { ...given, asOf: given.asOf + DAY_MS })
      assert.deepEqual(
        tomorrow,
        today.map((customer) => ({ ...customer, recency_days: customer.recency_days + 1 })),
      )
    }),
    { numRuns: RUNS },
  )
})

test('midnight parts the days, to the millisecond', () => {
  const midnight = Date.parse('2025-11-20T00:00:00Z')
  const recency = (at: number, asOf: number, recencyUnit: RfmOptions['recencyUnit']) =>
    scored([{ customer: 'a', at, amount: 1 }], { asOf, ties: 'group', recencyUnit, occasionUnit: 'day' })[0]
      ?.recency_days
  assert.equal(recency(midnight - 1, midnight, 'day'), 1)
  assert.equal(recency(midnight - 1, midnight, '24h'), 0)
  assert.equal(recency(midnight, midnight + DAY_MS - 1, 'day'), 0)
  assert.equal(recency(midnight, midnight + DAY_MS, 'day'), 1)
  assert.equal(recency(midnight, midnight + DAY_MS, '24h'), 1)
  assert.equal(recency(midnight + 1, midnight + DAY_MS, '24h'), 0)
})

test('the last occasion is the first payment of the last day', () => {
  const day = Date.parse('2025-11-10T00:00:00Z')
  const list = [9, 15].map((hour) => ({ customer: 'a', at: day + hour * 3_600_000, amount: 1 }))
  const asOf = day + DAY_MS + 12 * 3_600_000
  const recency = (occasionUnit: RfmOptions['occasionUnit']) =>
    scored(list, { asOf, ties: 'group', recencyUnit: '24h', occasionUnit })[0]?.recency_days
  assert.equal(recency('day'), 1)
  assert.equal(recency('order'), 0)
})

test('nobody is scored when there is nobody', () => {
  const given: RfmOptions = { asOf: AS_OF, ties: 'group', recencyUnit: 'day', occasionUnit: 'day' }
  assert.deepEqual(scored([], given), [])
})

test('the ten segments cover each of the 25 cells of R × F exactly once', () => {
  assert.equal(RFM_SEGMENTS.length, 10)
  assert.equal(new Set(RFM_SEGMENTS.map(({ segment }) => segment)).size, 10)
  for (const r of [1, 2, 3, 4, 5]) {
    for (const f of [1, 2, 3, 4, 5]) {
      const holding = RFM_SEGMENTS.filter(
        (entry) => (entry.r as readonly number[]).includes(r) && (entry.f as readonly number[]).includes(f),
      )
      assert.deepEqual(
        holding.map(({ segment }) => segment),
        [segmentOf(r, f)],
        `R ${r} F ${f}`,
      )
    }
  }
  for (const [r, f] of [
    [0, 1],
    [6, 1],
    [1, 0],
    [1, 6],
    [1.5, 1],
  ] as const)
    assert.throws(() => segmentOf(r, f), RangeError)
})

test('the cells of the segments are those of the published table', () => {
  const published = {
    champions: ['54', '55'],
    loyal_customers: ['34', '35', '44', '45'],
    potential_loyalists: ['42', '43', '52', '53'],
    new_customers: ['51'],
    promising: ['41'],
    need_attention: ['33'],
    about_to_sleep: ['31', '32'],
    at_risk: ['13', '14', '23', '24'],
    cant_lose: ['15', '25'],
    hibernating: ['11', '12', '21', '22'],
  }
  for (const [segment, cells] of Object.entries(published)) {
    for (const cell of cells) assert.equal(segmentOf(Number(cell[0]), Number(cell[1])), segment, cell)
  }
})

test('the eight value groups are the eight answers to: is R, F, M better than the mean?', () => {
  const groups = [true, false].flatMap((r) =>
    [true, false].flatMap((f) => [true, false].map((m) => [r, f, m, valueGroupOf(r, f, m)] as const)),
  )
  assert.equal(new Set(groups.map(([, , , group]) => group)).size, 8)
  assert.equal(RFM_VALUE_GROUPS.length, 8)
  for (const [r, f, m, group] of groups) {
    const entry = RFM_VALUE_GROUPS.find((other) => other.group === group)
    assert.deepEqual([entry?.r, entry?.f, entry?.m], [r, f, m])
    // 重要 is money, 价值 · 发展 · 保持 · 挽留 are recency and frequency.
    const what = r ? (f ? '价值' : '发展') : f ? '保持' : '挽留'
    assert.equal(entry?.zh, `${m ? '重要' : '一般'}${what}`)
  }
})

test('keys have one order: numbers by value, then text by code point', () => {
  const key = fc.oneof(fc.nat().map(String), fc.constantFrom('007', '7', '07', 'a', 'B', 'é', '长'), fc.string())
  fc.assert(
    fc.property(fc.array(key, { maxLength: 12 }), (keys) => {
      const once = [...keys].sort(compareKeys)
      assert.deepEqual([...keys].reverse().sort(compareKeys), once)
      for (const a of keys)
        for (const b of keys) assert.ok(Math.sign(compareKeys(a, b)) + Math.sign(compareKeys(b, a)) === 0)
    }),
    { numRuns: RUNS },
  )
  assert.deepEqual(['b', '10', 'B', '9', 'a', '007', '7'].sort(compareKeys), ['007', '7', '9', '10', 'B', 'a', 'b'])
})

const SCORES = [5, 20, 60]

test('a fan tier holds to the last whole second in which the score does', () => {
  const at = new Date('2026-01-01T00:00:00Z')
  const after = (seconds: number) => new Date(at.getTime() + seconds * 1000)
  const month = 30 * 86_400
  const tierAfter = (score: number, seconds: number) => interactionAt({ at, score }, after(seconds), SCORES).tier
  assert.deepEqual(interactionAt(undefined, at, SCORES), {
    score: 0,
    tier: 'passer_by',
    tier_lapses_at: null,
    tier_lapses_to: null,
  })
  // Twice a threshold is worth 30 days: at that very second the score still is the threshold.
  assert.deepEqual(interactionAt({ at, score: 120 }, at, SCORES), {
    score: 120,
    tier: 'devoted',
    tier_lapses_at: after(month + 1).toISOString(),
    tier_lapses_to: 'active',
  })
  assert.deepEqual([tierAfter(120, month), tierAfter(120, month + 1)], ['devoted', 'active'])
  assert.equal(interactionAt({ at, score: 6 }, at, [1, 6, 6.01]).tier, 'active', 'by the thresholds of the brand')
  assert.deepEqual([tierAfter(5, 0), tierAfter(5, 1), tierAfter(4.99, 0)], ['follower', 'passer_by', 'passer_by'])
  fc.assert(
    fc.property(fc.double({ min: 0.5, max: 5000, noNaN: true }), fc.nat({ max: 400 * 86_400 }), (score, seconds) => {
      const answer = interactionAt({ at, score }, after(seconds), SCORES)
      const left = score * 2 ** (-seconds / month)
      const reached = SCORES.filter((from) => left * (1 + 1e-12) >= from).length
      assert.equal(answer.tier, FAN_TIERS[reached]?.tier)
      if (answer.tier_lapses_at === null) return assert.equal(answer.tier, 'passer_by')
      const then = new Date(answer.tier_lapses_at)
      assert.equal(interactionAt({ at, score }, then, SCORES).tier, answer.tier_lapses_to)
      assert.equal(interactionAt({ at, score }, new Date(then.getTime() - 1), SCORES).tier, answer.tier)
    }),
    { numRuns: RUNS },
  )
})
