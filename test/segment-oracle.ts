import { interactionByRules, scores, standingAt } from './depth-oracle.ts'
import { brandDay } from './oracle.ts'
import type { World } from './segment-world.ts'

/**
 * Whom a segment's definition holds for, by loops that anyone can check: the yardstick for the compiled SQL of segments. It shares
 * nothing with the product on purpose; docs/definitions.md §3 is its only source.
 */

const DAY_MS = 86_400_000

/** Cuts at 20, 40, 60 and 80 % of the buyers, or those that the brand has set, and their means. */
export interface Cuts {
  readonly r: readonly number[]
  readonly f: readonly number[]
  readonly m: readonly number[]
  readonly means: { readonly r: number; readonly f: number; readonly m: number }
}

interface Values {
  readonly r: number
  readonly f: number
  readonly m: number
}

/** Of a buyer: brand days since the last occasion, occasions, net paid. */
function valuesOf(world: World, customer: string, at: number): Values | undefined {
  const { lastOccasionAt, occasions, netPaid } = standingAt(world.history, customer, at, world.rules)
  if (lastOccasionAt === null) return undefined
  const { zone } = world.rules
  return { r: brandDay(at, zone) - brandDay(lastOccasionAt, zone), f: occasions, m: netPaid }
}

export function cutsAt(world: World, at: number): Cuts | undefined {
  const buyers = world.customersAt(at).flatMap((customer) => valuesOf(world, customer, at) ?? [])
  if (buyers.length === 0) return undefined
  const cut = (pick: (values: Values) => number) => {
    const sorted = buyers.map(pick).sort((a, b) => a - b)
    // In whole numbers: the first of which five times its place is at least the share of all.
    return [1, 2, 3, 4].map((share) => sorted.find((_, index) => 5 * (index + 1) >= share * sorted.length) ?? 0)
  }
  const mean = (pick: (values: Values) => number) => buyers.reduce((sum, one) => sum + pick(one), 0) / buyers.length
  const [r, f, m] = [(one: Values) => one.r, (one: Values) => one.f, (one: Values) => one.m]
  const own = world.rules.rfmCuts
  return {
    r: own?.r ?? cut(r),
    f: own?.f ?? cut(f),
    m: own?.m ?? cut(m),
    means: { r: mean(r), f: mean(f), m: mean(m) },
  }
}

interface Range {
  readonly at_least?: number
  readonly at_most?: number
}
const inRange = (value: number, range: Range) =>
  (range.at_least === undefined || value >= range.at_least) && (range.at_most === undefined || value <= range.at_most)
/** Whole times of 24 hours. */
const daysBetween = (from: number, to: number) => Math.floor((to - from) / DAY_MS)

interface Window {
  readonly last_days?: number
  readonly calendar?: string
  readonly from?: string
  readonly to?: string
}

/** By local dates alone: where an instant lies in the calendar is a matter of its own date and of today's. */
function inWindow(at: number, window: Window | undefined, now: number, zone: string): boolean {
  if (!window) return true
  if (window.last_days !== undefined) return at > now - window.last_days * DAY_MS
  if (window.calendar !== undefined) {
    const [which, unit] =
      window.calendar === 'today'
        ? ['this', 'day']
        : window.calendar === 'yesterday'
          ? ['last', 'day']
          : window.calendar.split('_')
    const [own, present] = [numberOf(unit ?? '', at, zone), numberOf(unit ?? '', now, zone)]
    return own === (which === 'this' ? present : present - 1)
  }
  const isBefore = (edge: string) =>
    edge.includes('T') ? at < Date.parse(edge) : brandDay(at, zone) < Date.parse(`${edge}T00:00:00Z`) / DAY_MS
  return (window.from === undefined || !isBefore(window.from)) && (window.to === undefined || isBefore(window.to))
}

/** Days, weeks from Monday, months, quarters and years, each counted on. */
function numberOf(unit: string, at: number, zone: string): number {
  const day = brandDay(at, zone)
  const date = new Date(day * DAY_MS)
  const months = date.getUTCFullYear() * 12 + date.getUTCMonth()
  switch (unit) {
    case 'day':
      return day
    case 'week':
      return Math.floor((day + 3) / 7)
    case 'month':
      return months
    case 'quarter':
      return Math.floor(months / 3)
    default:
      return date.getUTCFullYear()
  }
}

interface Measured {
  readonly count?: Range
  readonly net_minor?: Range
  readonly days_since_last?: Range
  readonly days_since_first?: Range
}

function measures(clause: Measured, facts: readonly { at: number; net: number }[], now: number): boolean {
  const times = facts.map(({ at }) => at)
  if (clause.count) return inRange(facts.length, clause.count)
  if (clause.net_minor)
    return inRange(
      facts.reduce((sum, { net }) => sum + net, 0),
      clause.net_minor,
    )
  if (facts.length === 0) return false
  if (clause.days_since_last) return inRange(daysBetween(Math.max(...times), now), clause.days_since_last)
  return inRange(daysBetween(Math.min(...times), now), clause.days_since_first ?? {})
}

type Clause = Measured & {
  readonly window?: Window
  readonly items?: readonly string[]
  readonly categories?: readonly string[]
  readonly sources?: readonly string[]
  readonly types?: readonly string[]
}

function holdsOrders(world: World, clause: Clause, customer: string, now: number): boolean {
  const facts = world.books.orders.flatMap((order) => {
    if (order.customer !== customer || order.at > now) return []
    if (!inWindow(order.at, clause.window, now, world.rules.zone)) return []
    if (clause.sources && !clause.sources.includes(world.sources.get(order.id) ?? '')) return []
    const taken = world.books.allocations.filter((allocation) => allocation.order === order.id && allocation.at <= now)
    const refunded = taken.reduce((sum, { amount }) => sum + amount, 0)
    if (refunded > 0 && refunded >= order.amount) return []
    if (order.amount === 0 && world.books.refunds.some((refund) => refund.of === order.id && refund.at <= now))
      return []
    if (!clause.items && !clause.categories) return [{ at: order.at, net: order.amount - refunded }]
    const left = order.lines.flatMap((line, index) => {
      if (clause.items && !clause.items.includes(line.item)) return []
      if (clause.categories && !clause.categories.includes(world.categories.get(line.item) ?? '')) return []
      const back = taken.filter(({ orderLine }) => orderLine === index + 1).reduce((sum, { amount }) => sum + amount, 0)
      return back > 0 && back >= line.amount ? [] : [line.amount - back]
    })
    return left.length === 0 ? [] : [{ at: order.at, net: left.reduce((sum, one) => sum + one, 0) }]
  })
  return measures(clause, facts, now)
}

function holdsInteractions(world: World, clause: Clause, customer: string, now: number): boolean {
  const facts = world.acts
    .filter(
      (act) =>
        act.customer === customer &&
        act.at <= now &&
        inWindow(act.at, clause.window, now, world.rules.zone) &&
        (!clause.types || clause.types.includes(act.type)) &&
        (!clause.items || clause.items.includes(act.item ?? '')) &&
        (!clause.sources || clause.sources.includes(act.source)),
    )
    .map(({ at }) => ({ at, net: 0 }))
  return measures(clause, facts, now)
}

const SEGMENTS: Readonly<Record<string, readonly [readonly number[], readonly number[]]>> = {
  champions: [[5], [4, 5]],
  loyal_customers: [
    [3, 4],
    [4, 5],
  ],
  potential_loyalists: [
    [4, 5],
    [2, 3],
  ],
  new_customers: [[5], [1]],
  promising: [[4], [1]],
  need_attention: [[3], [3]],
  about_to_sleep: [[3], [1, 2]],
  at_risk: [
    [1, 2],
    [3, 4],
  ],
  cant_lose: [[1, 2], [5]],
  hibernating: [
    [1, 2],
    [1, 2],
  ],
}
const GROUPS = ['key_value', 'key_develop', 'key_keep', 'key_win_back']

interface Rfm {
  readonly r?: readonly number[]
  readonly f?: readonly number[]
  readonly m?: readonly number[]
  readonly segment?: readonly string[]
  readonly value_group?: readonly string[]
  readonly recency_days?: Range
  readonly frequency?: Range
  readonly monetary_minor?: Range
}

function holdsRfm(world: World, clause: Rfm, customer: string, now: number, cuts: Cuts | undefined): boolean {
  const values = valuesOf(world, customer, now)
  if (!values || !cuts) return false
  const below = (list: readonly number[], value: number) => list.filter((cut) => cut < value).length
  const [r, f, m] = [5 - below(cuts.r, values.r), 1 + below(cuts.f, values.f), 1 + below(cuts.m, values.m)]
  const better = [values.r < cuts.means.r, values.f > cuts.means.f]
  const group = `${values.m > cuts.means.m ? 'key' : 'general'}_${better[0] ? (better[1] ? 'value' : 'develop') : better[1] ? 'keep' : 'win_back'}`
  if (!group.startsWith('general') && !GROUPS.includes(group)) throw new Error(group)
  return (
    (!clause.r || clause.r.includes(r)) &&
    (!clause.f || clause.f.includes(f)) &&
    (!clause.m || clause.m.includes(m)) &&
    (!clause.segment ||
      clause.segment.some((name) => SEGMENTS[name]?.[0].includes(r) && SEGMENTS[name]?.[1].includes(f))) &&
    (!clause.value_group || clause.value_group.includes(group)) &&
    (!clause.recency_days || inRange(values.r, clause.recency_days)) &&
    (!clause.frequency || inRange(values.f, clause.frequency)) &&
    (!clause.monetary_minor || inRange(values.m, clause.monetary_minor))
  )
}

interface Depth {
  readonly is?: readonly number[]
  readonly since_days?: Range
  readonly lapses_within_days?: number
  readonly lost?: boolean
}

function holdsDepth(world: World, clause: Depth, customer: string, now: number): boolean {
  const { depth, since, lapsesAt, depthIfConnected } = standingAt(world.history, customer, now, world.rules)
  return (
    (!clause.is || clause.is.includes(depth)) &&
    (!clause.since_days || (since !== null && inRange(daysBetween(since, now), clause.since_days))) &&
    (clause.lapses_within_days === undefined ||
      (lapsesAt !== null && lapsesAt <= now + clause.lapses_within_days * DAY_MS)) &&
    (clause.lost === undefined || clause.lost === (depth === 0 && depthIfConnected > 0))
  )
}

const TIERS = ['passer_by', 'follower', 'active', 'devoted']

function holdsFan(world: World, clause: FanClause, customer: string, now: number): boolean {
  const reaches = (threshold: number) => scores(world.history, customer, now, now, threshold)
  const { at_least: least, below } = clause.score ?? {}
  return (
    (!clause.tier ||
      clause.tier.includes(TIERS[interactionByRules(world.history, customer, now, world.rules).tier] ?? '')) &&
    (least === undefined || reaches(least)) &&
    (below === undefined || !reaches(below))
  )
}
interface FanClause {
  readonly tier?: readonly string[]
  readonly score?: { readonly at_least?: number; readonly below?: number }
}

interface Valued {
  readonly expected_minor?: Range
  readonly own_minor?: Range
  readonly p_alive_percent?: Range
  readonly allocated_minor?: Range
  readonly influenced_minor?: Range
  readonly transaction?: readonly number[]
  readonly propagation?: readonly number[]
}

function holdsValue(world: World, clause: Valued, customer: string): boolean {
  if (!world.values) return false
  const worth = world.values.get(customer)
  const { expected_minor: expected, own_minor: own, p_alive_percent: percent } = clause
  return (
    (!expected || inRange(worth?.expected ?? 0, expected)) &&
    (!own || inRange(worth?.own ?? 0, own)) &&
    (!percent || (worth?.alive != null && inRange(worth.alive * 100, percent))) &&
    (!clause.allocated_minor || inRange(worth?.allocated ?? 0, clause.allocated_minor)) &&
    (!clause.influenced_minor || inRange(worth?.influenced ?? 0, clause.influenced_minor)) &&
    (!clause.transaction || clause.transaction.includes(worth?.transaction ?? 1)) &&
    (!clause.propagation || clause.propagation.includes(worth?.propagation ?? 1))
  )
}

const STATES = ['in_rhythm', 'late', 'at_risk', 'lapsed']

function holdsRhythm(
  world: World,
  clause: { readonly state: readonly string[] },
  customer: string,
  now: number,
): boolean {
  const turns = world.values?.get(customer)?.turns
  const { lastOccasionAt } = standingAt(world.history, customer, now, world.rules)
  if (!turns || lastOccasionAt === null) return false
  const days = brandDay(now, world.rules.zone) - brandDay(lastOccasionAt, world.rules.zone)
  return clause.state.includes(STATES[turns.filter((turn) => days >= turn).length] ?? '')
}

interface Related {
  readonly staff?: readonly string[]
  readonly groups?: readonly string[]
  readonly channels?: readonly string[]
  readonly sources?: readonly string[]
  readonly state?: string
  readonly begun?: Window
  readonly enrolled?: Window
}

function holdsConnection(world: World, clause: Related, customer: string, now: number): boolean {
  return world.connections.some(
    ({ customer: own, at, ended, staff, group, channel, source }) =>
      own === customer &&
      at <= now &&
      (clause.state === 'ever' || ended === null || ended > now) &&
      inWindow(at, clause.begun, now, world.rules.zone) &&
      (!clause.staff || clause.staff.includes(staff)) &&
      (!clause.groups || clause.groups.includes(group ?? '')) &&
      (!clause.channels || clause.channels.includes(channel)) &&
      (!clause.sources || clause.sources.includes(source)),
  )
}

function holdsMembership(world: World, clause: Related, customer: string, now: number): boolean {
  return world.memberships.some(
    ({ customer: own, at, ended, source, isRecord }) =>
      own === customer &&
      at <= now &&
      (clause.state === 'ever' || ended === null || ended > now) &&
      inWindow(at, clause.enrolled, now, world.rules.zone) &&
      (!clause.sources || (!isRecord && clause.sources.includes(source))),
  )
}

interface Tagged {
  readonly any_of: readonly string[]
  readonly sources?: readonly string[]
  readonly state?: string
  readonly given?: Related['begun']
}

function holdsTag(world: World, clause: Tagged, customer: string, now: number): boolean {
  return world.tags.some(
    ({ customer: own, at, ended, name, source }) =>
      own === customer &&
      at <= now &&
      (clause.state === 'ever' || ended === null || ended > now) &&
      inWindow(at, clause.given, now, world.rules.zone) &&
      clause.any_of.includes(name) &&
      (!clause.sources || clause.sources.includes(source)),
  )
}

interface ConsentClause {
  readonly purpose: string
  readonly channel?: string
  readonly state: string
}

function holdsConsent(world: World, clause: ConsentClause, customer: string, now: number): boolean {
  const said = world.consents.filter(
    (statement) =>
      statement.customer === customer &&
      statement.at <= now &&
      statement.purpose === clause.purpose &&
      (statement.channel === '' || statement.channel === clause.channel),
  )
  const latest = Math.max(...said.map(({ at }) => at))
  const last = said.filter(({ at }) => at === latest)
  const state = last.some((one) => one.state === 'withdrawn') ? 'withdrawn' : (last[0]?.state ?? 'none')
  return state === clause.state
}

interface Attribute {
  readonly has?: string
  readonly namespace?: string
  readonly name_contains?: string
}

function holdsAttribute(world: World, clause: Attribute, customer: string): boolean {
  const own = world.records.filter((record) => record.customer === customer)
  const { name_contains: part } = clause
  if (part !== undefined) return own.some(({ name }) => name?.toLowerCase().includes(part.toLowerCase()))
  if (clause.has === 'name') return own.some(({ name }) => name !== null)
  return own.some(({ identities }) =>
    identities.some(
      ({ kind, namespace }) =>
        kind === clause.has && (clause.namespace === undefined || namespace === clause.namespace),
    ),
  )
}

/** Whether a definition holds for a customer of whom something is known at `now`. */
export function holds(
  world: World,
  definition: unknown,
  customer: string,
  now: number,
  cuts: Cuts | undefined,
): boolean {
  const [[word, content] = ['', undefined]] = Object.entries(definition as Record<string, unknown>)
  const inner = (one: unknown) => holds(world, one, customer, now, cuts)
  switch (word) {
    case 'all':
      return (content as unknown[]).every(inner)
    case 'any':
      return (content as unknown[]).some(inner)
    case 'not':
      return !inner(content)
    case 'segment':
      return inner(world.segments.get(content as number))
    case 'orders':
      return holdsOrders(world, content as Clause, customer, now)
    case 'interactions':
      return holdsInteractions(world, content as Clause, customer, now)
    case 'rfm':
      return holdsRfm(world, content as Rfm, customer, now, cuts)
    case 'depth':
      return holdsDepth(world, content as Depth, customer, now)
    case 'fan':
      return holdsFan(world, content as FanClause, customer, now)
    case 'connection':
      return holdsConnection(world, content as Related, customer, now)
    case 'membership':
      return holdsMembership(world, content as Related, customer, now)
    case 'tag':
      return holdsTag(world, content as Tagged, customer, now)
    case 'consent':
      return holdsConsent(world, content as ConsentClause, customer, now)
    case 'value':
      return holdsValue(world, content as Valued, customer)
    case 'rhythm':
      return holdsRhythm(world, content as { readonly state: readonly string[] }, customer, now)
    case 'attribute':
      return holdsAttribute(world, content as Attribute, customer)
    default:
      throw new Error(`There is no "${word}"`)
  }
}
