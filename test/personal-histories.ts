import assert from 'node:assert/strict'
import fc from 'fast-check'
import { CONNECTION_FACTS, MEMBERSHIP_FACTS, PERSON_FACTS } from '../src/modules/customers/actions.ts'
import { storeFacts } from '../src/modules/intake/actions.ts'
import { INTERACTION_FACTS, REVIEW_FACTS } from '../src/modules/interactions/actions.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { type Act, type Connection, type History, type Membership, type Review, timedEnds } from './depth-oracle.ts'
import { CUSTOMERS, edges, NOW, type Story, stories } from './histories.ts'
import { type Books, documentsInForce, keepBooks, type Rules, type SalesDocument } from './oracle.ts'

/**
 * What people do and are beside what they buy, for the histories of histories.ts: relations, memberships, records,
 * interactions and reviews, sent by the API, some of them first in another version.
 */

const DAY_MS = 86_400_000
const SECOND_MS = 1000
const KINDS = {
  person: PERSON_FACTS,
  connection: CONNECTION_FACTS,
  membership: MEMBERSHIP_FACTS,
  interaction: INTERACTION_FACTS,
  review: REVIEW_FACTS,
}

interface PersonalFact {
  readonly id: string
  readonly kind: keyof typeof KINDS
  readonly customer: string
  readonly at: number
  readonly ended: number | null
  readonly type: string
  readonly item: string
  readonly rating: number | null
  readonly isRecommended: boolean | null
}

/** What is sent before the files, what after; the later one counts where both have a fact. */
interface Told {
  readonly early: readonly PersonalFact[]
  readonly late: readonly PersonalFact[]
}

const says = fc.record({
  kind: fc.constantFrom(
    'connection',
    'connection',
    'membership',
    'person',
    'review',
    'review',
    ...Array(6).fill('interaction'),
  ),
  customer: fc.constantFrom('a', 'a', 'b', 'b', 'c'),
  edge: fc.nat({ max: 1000 }),
  /** In place of an edge: exactly when time takes something away from what was said before. */
  snap: fc.option(fc.nat({ max: 1000 }), { freq: 3 }),
  length: fc.option(fc.nat({ max: 12 })),
  endsAhead: fc.constantFrom(0, 0, 1, 40),
  type: fc.constantFrom('details_left', 'details_left', 'share', 'click', 'open', 'like', 'view', 'cart', 'question'),
  item: fc.constantFrom('x', 'x', 'y', 'z'),
  rating: fc.constantFrom(null, 3.9, 4, 5),
  isRecommended: fc.constantFrom(null, false, true),
})
type Says = typeof says extends fc.Arbitrary<infer T> ? T : never

const sayings = fc.array(fc.record({ first: fc.option(says, { freq: 3 }), last: says, isLate: fc.boolean() }), {
  maxLength: 12,
})
type Sayings = typeof sayings extends fc.Arbitrary<infer T> ? T : never

/** The edges of the period and of the 30 days in which interest fades. */
function personalEdges(rules: Rules): number[] {
  const faded = [1, 15, 29, 30, 31, 60].flatMap((days) =>
    [-SECOND_MS, 0, SECOND_MS].map((shift) => NOW - days * DAY_MS + shift),
  )
  return [...edges(rules), ...faded].sort((a, b) => a - b)
}

function tell(given: Sayings, connected: readonly string[], rules: Rules, books: Books): Told {
  const instants = personalEdges(rules)
  const said: PersonalFact[] = []
  const place = (id: string, one: Says): PersonalFact => {
    const bought = books.orders.filter(({ customer }) => customer === one.customer)
    const order = one.kind === 'review' && one.endsAhead < 40 ? bought[one.edge % bought.length] : undefined
    const ends = timedEnds(historyOf(books, said), one.customer, NOW, rules).filter((at) => at <= NOW)
    // Who is connected late, and not for long, is 0 nearly always.
    const isRelation = one.kind === 'connection'
    const index = one.edge % (isRelation ? Math.ceil(instants.length / 2) : instants.length)
    const at = order?.at ?? ((one.snap !== null && ends[one.snap % ends.length]) || (instants[index] ?? NOW))
    const isOpen = one.length === null || (isRelation && one.endsAhead === 0)
    const end = isOpen ? null : Math.max(at, instants[index + (one.length ?? 0)] ?? NOW)
    const isUnsaid = one.rating === null && one.isRecommended === null
    const ended = one.kind === 'membership' && end !== null ? end + one.endsAhead * DAY_MS : end
    const item = order?.lines[0]?.item ?? one.item
    return { ...one, kind: one.kind as PersonalFact['kind'], id, at, ended, item, rating: isUnsaid ? 5 : one.rating }
  }
  const nothing = { ended: null, item: 'x', rating: null, isRecommended: null }
  const early = connected.flatMap((customer, index): PersonalFact[] => {
    const at = instants[(7 * given.length + index) % instants.length] ?? NOW
    const acts = ['details_left', 'like', 'view'].map((type): PersonalFact => {
      return { ...nothing, id: `${type} ${customer}`, kind: 'interaction', customer, at, type }
    })
    const praised = books.orders.filter((order) => order.customer === customer).slice(-2, -1)
    const reviews = praised.map((order): PersonalFact => {
      const item = order.lines[0]?.item ?? 'x'
      return { ...nothing, id: `review ${customer}`, kind: 'review', customer, at: order.at, type: '', item, rating: 4 }
    })
    const begun = instants[0] ?? NOW
    return [{ ...nothing, id: `c ${customer}`, kind: 'connection', customer, at: begun, type: '' }, ...acts, ...reviews]
  })
  said.push(...early)
  const late: PersonalFact[] = []
  given.forEach(({ first, last, isLate }, index) => {
    const id = `f${index}`
    const final = place(id, last)
    said.push(final)
    // A record is only ever said once: who it names is the matter of other tests.
    if (first && final.kind !== 'person') early.push({ ...place(id, first), kind: final.kind })
    if (isLate || (first && final.kind !== 'person')) late.push(final)
    else early.push(final)
  })
  return { early, late }
}

/** What counts in the end. */
function saidIn({ early, late }: Told): PersonalFact[] {
  return [...early.filter(({ id }) => !late.some((later) => later.id === id)), ...late]
}

function historyOf(books: Books, said: readonly PersonalFact[]): History {
  const of = (...kinds: PersonalFact['kind'][]) => said.filter(({ kind }) => kinds.includes(kind))
  return {
    ...books,
    connections: of('connection').map(({ customer, at, ended }): Connection => ({ customer, begun: at, ended })),
    memberships: of('membership', 'person').map(
      ({ kind, customer, at, ended }): Membership => ({
        customer,
        enrolled: at,
        ended: kind === 'person' ? null : ended,
        isRecord: kind === 'person',
      }),
    ),
    acts: of('interaction').map(({ customer, at, type }): Act => ({ customer, at, type })),
    reviews: of('review').map((review): Review => review),
  }
}

/** The same when `from` turns out to be `into`: orders, refunds and facts are theirs, and what reduced what stays. */
export function joined(history: History, from: string, into: string): History {
  const renamed = <T extends { readonly customer: string }>(facts: readonly T[]): T[] =>
    facts.map((fact) => (fact.customer === from ? { ...fact, customer: into } : fact))
  return {
    allocations: history.allocations,
    orders: renamed(history.orders),
    refunds: renamed(history.refunds),
    connections: renamed(history.connections),
    memberships: renamed(history.memberships),
    acts: renamed(history.acts),
    reviews: renamed(history.reviews),
  }
}

export async function send(database: Database, clock: Clock, said: readonly PersonalFact[]): Promise<void> {
  if (said.length === 0) return
  const results = await storeFacts(database, clock, said.map(asFact), KINDS)
  if (isRefusal(results)) throw new Error(results.message)
  for (const { status, error } of results) {
    assert.ok(status === 'new' || status === 'corrected' || status === 'known', `${status} ${error?.message}`)
  }
}

function asFact({ id, kind, customer, at, ended, type, item, rating, isRecommended }: PersonalFact): object {
  const head = { kind, source: 'crm', external_id: id }
  const identity = { kind: 'own_id', namespace: 'orders', value: customer }
  const text = (instant: number) => new Date(instant).toISOString()
  const end = ended === null ? {} : { ended_at: text(ended) }
  switch (kind) {
    case 'connection':
      return { ...head, identity, channel: 'wecom', begun_at: text(at), ...end }
    case 'membership':
      return { ...head, identity, enrolled_at: text(at), ...end }
    case 'person':
      return { ...head, identities: [identity], enrolled_at: text(at), seen_at: text(at) }
    case 'interaction':
      return { ...head, identity, type, item, occurred_at: text(at) }
    case 'review':
      return {
        ...head,
        identity,
        item,
        ...(rating === null ? {} : { rating }),
        ...(isRecommended === null ? {} : { is_recommended: isRecommended }),
        occurred_at: text(at),
      }
  }
}

/** A story with what people did beside it, and how it is looked at. */
export interface Tale {
  readonly story: Story
  readonly told: Told
  readonly history: History
  readonly looks: readonly number[]
  /** How many days later somebody looks who stores what has lapsed. */
  readonly daysLater: number
  /** b turns out to be a in the end. */
  readonly isJoined: boolean
}

/** Days before NOW on which a buys: chance alone rarely makes two days of one period, and an advocate of them. */
const regulars = fc.array(
  fc.record({
    share: fc.constantFrom(0, 0.2, 0.5, 0.9, 1, 1.5),
    item: fc.constantFrom('x', 'y'),
    isRefunded: fc.nat({ max: 4 }),
  }),
  { minLength: 2, maxLength: 4 },
)

function withRegulars(story: Story, bought: readonly { share: number; item: string; isRefunded: number }[]): Story {
  const documents = bought.flatMap(({ share, item, isRefunded }, index): SalesDocument[] => {
    const at = NOW - share * story.rules.periodDays * DAY_MS
    const order = {
      id: `r${index}`,
      customer: 'a',
      at,
      lines: [{ item, quantity: 1, priceMilli: 2500 }],
      refundOf: null,
    }
    const back = { ...order, id: `b${index}`, at: Math.min(NOW, at + 2 * DAY_MS), refundOf: order.id }
    return isRefunded === 0 ? [order, back] : [order]
  })
  return documents.length === 0 ? story : { ...story, files: [documents, ...story.files] }
}

export const tales: fc.Arbitrary<Tale> = fc
  .record({
    plain: fc.oneof(
      stories({ connectedBy: ['none'], corrections: 'any' }),
      stories({ connectedBy: ['shop_account'], corrections: 'same time and customer' }),
    ),
    regulars: fc.option(regulars),
    connected: fc.subarray(CUSTOMERS),
    sayings,
    looks: fc.array(fc.nat({ max: 1000 }), { minLength: 4, maxLength: 4 }),
    daysLater: fc.constantFrom(1, 29, 30, 31, 365),
    isJoined: fc.constantFrom(true, false, false),
  })
  .map(({ plain, regulars: bought, connected, sayings: given, looks, daysLater, isJoined }) => {
    const story = withRegulars(plain, bought ?? [])
    const books = keepBooks(documentsInForce(story.files, story.rules))
    const told = tell(given, connected, story.rules, books)
    const history = withAccounts(historyOf(books, saidIn(told)), story)
    const ends = CUSTOMERS.flatMap((customer) => timedEnds(history, customer, NOW, story.rules))
    const said = saidIn(told).map(({ at }) => at)
    const near = [...ends, ...ends.map((at) => at - 1000), ...said].filter((at) => at <= NOW)
    const instants = [...personalEdges(story.rules), ...near, ...near]
    return {
      story,
      told,
      history,
      looks: looks.map((look) => instants[look % instants.length] ?? NOW),
      daysLater,
      isJoined,
    }
  })

/** A shop account is a live connection from the first order on. */
function withAccounts(history: History, story: Story): History {
  if (story.connectedBy === 'none') return history
  const accounts = CUSTOMERS.flatMap((customer) => {
    const [first] = history.orders.filter((order) => order.customer === customer)
    return first ? [{ customer, begun: first.at, ended: null }] : []
  })
  return { ...history, connections: [...accounts, ...history.connections] }
}
