import fc from 'fast-check'
import type { History } from './depth-oracle.ts'
import { NOW, ownCuts } from './histories.ts'
import { type Books, documentsInForce, keepBooks, type Rules, type SalesDocument } from './oracle.ts'
import { definitions, WINDOW_DAYS } from './segment-definitions.ts'
import type { World, Worth } from './segment-world.ts'

/**
 * Random small brands and definitions for segments: few people, few words and few instants, so that what can coincide does. Much
 * lies exactly on the edge of a window, of a day, of a month.
 */

const DAY_MS = 86_400_000
const SECOND_MS = 1000
export const PEOPLE = ['a', 'b', 'c', 'd']

/** Midnight where the brand is, by trying hours. */
function midnights(zone: string): number[] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' })
  // Of today, of the first of this month and the last, of the quarter, of the year, of a Monday, of a day the clock changes.
  return ['11-20', '11-19', '11-17', '11-01', '10-31', '10-01', '09-30', '07-01', '01-01', '11-02', '03-09'].flatMap(
    (day) =>
      Array.from({ length: 40 }, (_, index) => Date.parse(`2025-${day}T00:00:00Z`) + (index - 20) * 3_600_000).filter(
        (at) => format.format(at) === `2025-${day} 00:00:00`,
      ),
  )
}

export function instantsFor(zone: string): number[] {
  const ago = [0, 1, 2, ...WINDOW_DAYS, 29, 31, 59, 61, 91, 364, 366].map((days) => NOW - days * DAY_MS)
  const all = [...ago, ...midnights(zone)].flatMap((at) => [at - SECOND_MS, at, at + SECOND_MS])
  return [...new Set(all)].filter((at) => at <= NOW).sort((a, b) => a - b)
}

const said = fc.record({
  kind: fc.constantFrom(
    ...(['order', 'order', 'order', 'order', 'refund', 'till_order'] as const),
    ...([
      'connection',
      'connection',
      'membership',
      'enrolment',
      'interaction',
      'interaction',
      'interaction',
      'consent',
      'tag',
    ] as const),
  ),
  customer: fc.constantFrom(...PEOPLE),
  instant: fc.nat({ max: 10_000 }),
  length: fc.option(fc.constantFrom(0, 1, 30, 60, 400)),
  item: fc.constantFrom('x', 'y'),
  second: fc.constantFrom('x', 'y', null, null),
  price: fc.constantFrom(0, 1000, 1000, 2500, 60_000),
  staff: fc.constantFrom('lin', 'wu'),
  group: fc.constantFrom(null, 'g1', 'g2'),
  channel: fc.constantFrom('wecom', 'shop'),
  type: fc.constantFrom('view', 'cart', 'share', 'reply', 'details_left', 'open'),
  state: fc.constantFrom('granted', 'granted', 'withdrawn'),
  purpose: fc.constantFrom('marketing', 'calls'),
  about: fc.constantFrom('', 'sms', 'wecom'),
  refunds: fc.nat({ max: 30 }),
  isSecond: fc.boolean(),
})
export type Said = typeof said extends fc.Arbitrary<infer T> ? T : never

const minor = fc.constantFrom(0, 100, 350, 351, 6000)
const third = fc.constantFrom(1, 2, 3)
const worth: fc.Arbitrary<Worth> = fc.record({
  expected: minor,
  own: minor,
  alive: fc.constantFrom(null, 0, 0.2, 0.5, 0.9, 1),
  allocated: minor,
  influenced: minor,
  transaction: third,
  propagation: third,
  turns: fc.option(
    fc
      .tuple(...[1, 1, 1].map(() => fc.constantFrom(1, 2, 3, 8, 9, 31, 32, 61, 62, 91, 366)))
      .map((turns) => turns.sort((a, b) => a - b)),
    { freq: 4 },
  ),
})
/** Of some of those who are known from the beginning, by a run; undefined: there was none. */
const values: fc.Arbitrary<World['values']> = fc
  .option(fc.dictionary(fc.constantFrom('a', 'b', 'c'), worth, { noNullPrototype: true }), { nil: undefined, freq: 4 })
  .map((given) => given && new Map(Object.entries(given)))

export interface Tale {
  readonly rules: Rules
  readonly first: readonly Said[]
  readonly second: readonly Said[]
  readonly definitions: readonly unknown[]
  /** What a first run says, and a later one. */
  readonly values: readonly [World['values'], World['values']]
  readonly looks: readonly number[]
  /** Thresholds that the brand sets in the end. */
  readonly laterCuts: NonNullable<Rules['rfmCuts']>
}

export const tales: fc.Arbitrary<Tale> = fc
  .record({
    zone: fc.constantFrom('Asia/Shanghai', 'America/New_York'),
    periodDays: fc.constantFrom(30, 365),
    all: fc.array(said, { minLength: 1, maxLength: 22 }),
    definitions: fc.array(definitions, { minLength: 3, maxLength: 5 }),
    looks: fc.array(fc.nat({ max: 10_000 }), { minLength: 3, maxLength: 3 }),
    runs: fc.tuple(values, values),
    fanTierScores: fc.constantFrom([5, 20, 60], [3, 10, 16]),
    rfmCuts: fc.option(ownCuts, { nil: undefined }),
    laterCuts: ownCuts,
  })
  .map(({ zone, periodDays, all, definitions: given, looks, runs, fanTierScores, rfmCuts, laterCuts }) => ({
    rules: {
      zone,
      periodDays,
      occasionUnit: 'day',
      memberByPurchase: true,
      spreadWindow: 'period',
      fanTierScores,
      rfmCuts,
      mergeDuplicates: false,
    },
    laterCuts,
    first: all.filter(({ isSecond }) => !isSecond),
    second: all.filter(({ isSecond }) => isSecond),
    definitions: given,
    values: runs,
    looks,
  }))

/** Facts as the API takes them, and the same as the oracle reads them. */
export interface Told {
  readonly facts: readonly object[]
  readonly world: World
}

const text = (at: number) => new Date(at).toISOString()
const identity = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })

/** Who is known from the beginning: all but d, who has no record. A phone ages, so that its record is a later one. */
export const RECORDS: readonly object[] = [
  ...['a', 'b', 'c'].map((customer) => ({
    kind: 'person',
    source: 'crm',
    external_id: `record ${customer}`,
    identities: [identity(customer), { kind: 'own_id', namespace: 'till', value: customer }],
    ...(customer === 'a' ? { name: '王芳' } : {}),
    ...(customer === 'b' ? { name: 'Bo' } : {}),
    seen_at: text(NOW - 800 * DAY_MS),
  })),
  {
    kind: 'person',
    source: 'crm',
    external_id: 'phone of a',
    identities: [identity('a'), { kind: 'phone', value: '+8613812349876' }],
    seen_at: text(NOW - 60 * DAY_MS),
  },
]

export function tell(
  all: readonly Said[],
  rules: Rules,
  segments: ReadonlyMap<number, unknown>,
  runs?: World['values'],
): Told {
  const instants = instantsFor(rules.zone)
  const facts: object[] = []
  const documents: SalesDocument[] = []
  const sources = new Map<string, string>()
  const acts: World['acts'][number][] = []
  const connections: World['connections'][number][] = []
  const memberships: World['memberships'][number][] = []
  const consents: World['consents'][number][] = []
  const tags: World['tags'][number][] = []
  all.forEach((one, index) => {
    const { customer, item } = one
    const at = instants[one.instant % instants.length] ?? NOW
    const id = `${one.kind}-${index}-${one.isSecond}`
    const ended = one.length === null ? null : at + one.length * DAY_MS
    // Only the end of a membership or of a tag may lie ahead.
    const past = ended !== null && ended <= NOW ? ended : null
    switch (one.kind) {
      case 'order':
      case 'till_order': {
        const source = one.kind === 'order' ? 'shop' : 'till'
        if (source === 'till' && customer === 'd') return
        const items = source === 'till' ? ['z'] : [item, ...(one.second === null ? [] : [one.second])]
        const lines = items.map((name) => ({ item: name, quantity: 1, priceMilli: one.price }))
        documents.push({ id, customer, at, lines, refundOf: null })
        sources.set(id, source)
        facts.push({
          kind: 'order',
          source,
          external_id: id,
          customer_id: customer,
          paid_at: text(at),
          lines: lines.map((line) => ({ ...itemOf(line.item), quantity: 1, unit_price: line.priceMilli / 1000 })),
        })
        return
      }
      case 'refund': {
        const named = documents.filter(
          (document) => document.customer === customer && sources.get(document.id) === 'shop',
        )
        const order = one.refunds % 3 === 0 ? undefined : named[one.refunds % Math.max(named.length, 1)]
        const lines = [{ item, quantity: order ? 1 : -1, priceMilli: one.price }]
        documents.push({ id, customer, at, lines, refundOf: order?.id ?? null })
        facts.push({
          kind: 'order',
          source: 'shop',
          external_id: id,
          customer_id: customer,
          paid_at: text(at),
          ...(order ? { refund_of: order.id } : {}),
          lines: lines.map((line) => ({
            ...itemOf(item),
            quantity: line.quantity,
            unit_price: line.priceMilli / 1000,
          })),
        })
        return
      }
      case 'connection': {
        const { staff, group, channel } = one
        connections.push({ customer, at, ended: past, staff, group, channel, source: 'crm' })
        facts.push({
          kind: 'connection',
          source: 'crm',
          external_id: id,
          identity: identity(customer),
          channel,
          staff,
          ...(group === null ? {} : { group_id: group }),
          begun_at: text(at),
          ...(past === null ? {} : { ended_at: text(past) }),
        })
        return
      }
      case 'membership':
        memberships.push({ customer, at, ended, source: 'crm', isRecord: false })
        facts.push({
          kind: 'membership',
          source: 'crm',
          external_id: id,
          identity: identity(customer),
          enrolled_at: text(at),
          ...(ended === null ? {} : { ended_at: text(ended) }),
        })
        return
      case 'enrolment':
        memberships.push({ customer, at, ended: null, source: 'crm', isRecord: true })
        facts.push({
          kind: 'person',
          source: 'crm',
          external_id: id,
          identities: [identity(customer)],
          enrolled_at: text(at),
          seen_at: text(at),
        })
        return
      case 'interaction':
        acts.push({ customer, at, type: one.type, item, source: 'crm' })
        facts.push({
          kind: 'interaction',
          source: 'crm',
          external_id: id,
          identity: identity(customer),
          type: one.type,
          item,
          occurred_at: text(at),
        })
        return
      case 'tag':
        tags.push({ customer, at, ended, name: item, source: 'import' })
        facts.push({
          kind: 'tag',
          source: 'crm',
          external_id: id,
          identity: identity(customer),
          tag: item,
          occurred_at: text(at),
          ...(ended === null ? {} : { removed_at: text(ended) }),
        })
        return
      case 'consent':
        consents.push({ customer, at, purpose: one.purpose, channel: one.about, state: one.state })
        facts.push({
          kind: 'consent',
          source: 'crm',
          external_id: id,
          identity: identity(customer),
          purpose: one.purpose,
          ...(one.about ? { channel: one.about } : {}),
          state: one.state,
          occurred_at: text(at),
        })
    }
  })
  const books = keepBooks(documentsInForce([documents], rules))
  const history = historyOf(books, { acts, connections, memberships })
  const records: World['records'] = [
    {
      customer: 'a',
      name: '王芳',
      identities: [
        { kind: 'own_id', namespace: 'shop' },
        { kind: 'own_id', namespace: 'till' },
        { kind: 'phone', namespace: '' },
      ],
    },
    ...['b', 'c'].map((customer) => ({
      customer,
      name: customer === 'b' ? 'Bo' : null,
      identities: ['shop', 'till'].map((namespace) => ({ kind: 'own_id', namespace })),
    })),
    { customer: 'd', name: null, identities: [{ kind: 'own_id', namespace: 'shop' }] },
  ]
  const dated = [...books.orders, ...books.refunds, ...acts, ...connections, ...memberships, ...consents, ...tags]
  const customersAt = (at: number) =>
    PEOPLE.filter((customer) => customer !== 'd' || dated.some((fact) => fact.customer === 'd' && fact.at <= at))
  return {
    facts,
    world: {
      rules,
      books,
      history,
      sources,
      categories: CATEGORIES,
      acts,
      connections,
      memberships,
      consents,
      tags,
      records,
      customersAt,
      segments,
      values: runs,
    },
  }
}

const CATEGORIES: World['categories'] = new Map([
  ['x', 'leaf'],
  ['z', 'leaf'],
])

function itemOf(item: string): { item: string; category?: string } {
  const category = CATEGORIES.get(item)
  return category === undefined ? { item } : { item, category }
}

function historyOf(
  books: Books,
  { acts, connections, memberships }: Pick<World, 'acts' | 'connections' | 'memberships'>,
): History {
  return {
    ...books,
    acts,
    connections: connections.map(({ customer, at, ended }) => ({ customer, begun: at, ended })),
    memberships: memberships.map(({ customer, at, ended, isRecord }) => ({ customer, enrolled: at, ended, isRecord })),
    reviews: [],
  }
}
