import fc from 'fast-check'
import { NOW } from './histories.ts'

/** Random definitions of every kind of clause, over the words that random histories have. */

const DAY_MS = 86_400_000
export const WINDOW_DAYS = [1, 7, 30, 60, 90, 365]

const bounds = (values: readonly number[]) =>
  fc
    .tuple(fc.constantFrom(...values), fc.constantFrom(...values), fc.constantFrom('least', 'most', 'both'))
    .map(([one, other, ends]) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)]
      if (ends === 'both') return { at_least: low, at_most: high }
      return ends === 'least' ? { at_least: low } : { at_most: high }
    })

const window = fc.oneof(
  fc.constantFrom(...WINDOW_DAYS).map((last_days) => ({ last_days })),
  fc
    .constantFrom(
      ...['today', 'yesterday', 'this_week', 'last_week', 'this_month', 'last_month'],
      ...['this_quarter', 'last_quarter', 'this_year', 'last_year'],
    )
    .map((calendar) => ({ calendar })),
  fc.constantFrom<object>(
    { from: '2025-11-01' },
    { from: '2025-10-01', to: '2025-11-01' },
    { to: '2025-11-20' },
    { from: new Date(NOW - 90 * DAY_MS).toISOString(), to: new Date(NOW - 30 * DAY_MS).toISOString() },
  ),
)
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 })
const some = (...values: string[]) => fc.subarray(values, { minLength: 1 })

const days = bounds([0, 1, 7, 29, 30, 60, 90, 365])
const counts = { count: bounds([0, 0, 1, 2, 3]), days_since_last: days, days_since_first: days }
const orNet = { ...counts, net_minor: bounds([0, 99, 100, 200, 350, 6000]) }

/** One measure of several. */
function measure(of: Readonly<Record<string, fc.Arbitrary<object>>>): fc.Arbitrary<object> {
  return fc.oneof(...Object.entries(of).map(([name, range]) => range.map((given) => ({ [name]: given }))))
}
const orders = fc
  .tuple(
    measure(orNet),
    fc.record({
      window: maybe(window),
      items: maybe(some('x', 'y', 'z')),
      categories: maybe(some('leaf', 'cup')),
      sources: maybe(some('shop', 'till')),
    }),
  )
  .map(([measured, rest]) => ({ orders: { ...measured, ...rest } }))
const interactions = fc
  .tuple(
    measure(counts),
    fc.record({
      window: maybe(window),
      types: maybe(some('view', 'share', 'reply', 'open')),
      items: maybe(some('x', 'y')),
    }),
  )
  .map(([measured, rest]) => ({ interactions: { ...measured, ...rest } }))
const scoreList = fc.subarray([1, 2, 3, 4, 5], { minLength: 1 })
const rfm = fc.oneof(
  scoreList.map((r) => ({ rfm: { r } })),
  fc.record({ f: scoreList, m: scoreList }).map((both) => ({ rfm: both })),
  some('champions', 'loyal_customers', 'new_customers', 'at_risk', 'hibernating', 'promising', 'cant_lose').map(
    (segment) => ({ rfm: { segment } }),
  ),
  some('key_value', 'key_keep', 'general_win_back', 'general_develop', 'key_win_back').map((value_group) => ({
    rfm: { value_group },
  })),
  days.map((recency_days) => ({ rfm: { recency_days } })),
  fc.record({ frequency: bounds([1, 2, 3]), monetary_minor: bounds([0, 100, 350]) }).map((both) => ({ rfm: both })),
)
const depth = fc.oneof(
  fc.subarray([0, 1, 2, 3, 4, 5], { minLength: 1 }).map((is) => ({ depth: { is } })),
  fc
    .record({ since_days: days, is: maybe(fc.subarray([1, 2, 3, 4], { minLength: 1 })) })
    .map((both) => ({ depth: both })),
  fc.constantFrom(1, 30, 90, 365).map((lapses_within_days) => ({ depth: { lapses_within_days } })),
  fc.boolean().map((lost) => ({ depth: { lost } })),
)
const fan = fc.oneof(
  some('passer_by', 'follower', 'active', 'devoted').map((tier) => ({ fan: { tier } })),
  fc
    .constantFrom({ at_least: 5 }, { at_least: 10 }, { below: 8 }, { at_least: 1, below: 20 })
    .map((score) => ({ fan: { score } })),
)
const connection = fc
  .record({
    staff: maybe(some('lin', 'wu')),
    groups: maybe(some('g1', 'g2')),
    channels: maybe(some('wecom', 'shop')),
    state: maybe(fc.constantFrom('live', 'ever')),
    begun: maybe(window),
  })
  .map((clause) => ({ connection: clause }))
const membership = fc
  .record({ sources: maybe(some('crm')), state: maybe(fc.constantFrom('in_force', 'ever')), enrolled: maybe(window) })
  .map((clause) => ({ membership: clause }))
const consent = fc
  .record({
    purpose: fc.constantFrom('marketing', 'calls'),
    channel: maybe(fc.constantFrom('sms', 'wecom', 'mail')),
    state: fc.constantFrom('granted', 'withdrawn', 'none'),
  })
  .map((clause) => ({ consent: clause }))
const tag = fc
  .record({
    any_of: some('x', 'y'),
    sources: maybe(fc.subarray(['manual', 'import'], { minLength: 1 })),
    state: maybe(fc.constantFrom('has', 'ever')),
    given: maybe(window),
  })
  .map((clause) => ({ tag: clause }))
const attribute = fc.constantFrom<object>(
  { attribute: { has: 'name' } },
  { attribute: { has: 'phone' } },
  { attribute: { has: 'own_id', namespace: 'till' } },
  { attribute: { name_contains: 'B' } },
)
const minors = bounds([0, 0, 100, 350, 351, 6000])
const thirds = fc.subarray([1, 2, 3], { minLength: 1 })
const value = fc.oneof(
  measure({ expected_minor: minors, own_minor: minors, allocated_minor: minors, influenced_minor: minors }).map(
    (measured) => ({ value: measured }),
  ),
  fc.record({ p_alive_percent: bounds([0, 20, 50, 90, 100]) }).map((measured) => ({ value: measured })),
  fc.record({ transaction: thirds, propagation: maybe(thirds) }).map((cell) => ({ value: cell })),
)
const rhythm = some('in_rhythm', 'late', 'at_risk', 'lapsed').map((state) => ({ rhythm: { state } }))

const clause = fc.oneof(
  { weight: 5, arbitrary: orders },
  { weight: 3, arbitrary: interactions },
  { weight: 3, arbitrary: rfm },
  { weight: 3, arbitrary: depth },
  { weight: 2, arbitrary: fan },
  { weight: 2, arbitrary: connection },
  { weight: 2, arbitrary: membership },
  { weight: 2, arbitrary: consent },
  { weight: 2, arbitrary: tag },
  { weight: 2, arbitrary: value },
  { weight: 4, arbitrary: rhythm },
  { weight: 1, arbitrary: attribute },
)

/** JSON, as it would come: what is left out is not there. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

export const definitions: fc.Arbitrary<unknown> = fc
  .letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 3, arbitrary: clause },
      { weight: 1, arbitrary: fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((all) => ({ all })) },
      { weight: 1, arbitrary: fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((any) => ({ any })) },
      { weight: 1, arbitrary: tie('node').map((not) => ({ not })) },
    ),
  }))
  .node.map(plain)
