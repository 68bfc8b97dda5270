import { type Books, netPaidAt, occasionsAt, type Rules } from './oracle.ts'

/**
 * What the rules say of a person's relation, by loops that anyone can check: the yardstick for the depth of relationship, on
 * the books of oracle.ts. It shares nothing with the product on purpose; docs/definitions.md §1 is its only source.
 */

const DAY_MS = 86_400_000

export interface Connection {
  readonly customer: string
  readonly begun: number
  readonly ended: number | null
}

/** Enrolled as a member, by a membership or (`isRecord`) by a record that tells of it. */
export interface Membership {
  readonly customer: string
  readonly enrolled: number
  readonly ended: number | null
  readonly isRecord: boolean
}

/** Something somebody did short of buying. */
export interface Act {
  readonly customer: string
  readonly at: number
  readonly type: string
}

export interface Review {
  readonly customer: string
  readonly at: number
  readonly item: string
  readonly rating: number | null
  readonly isRecommended: boolean | null
}

export interface History extends Books {
  readonly connections: readonly Connection[]
  readonly memberships: readonly Membership[]
  readonly acts: readonly Act[]
  readonly reviews: readonly Review[]
}

const isLive = (connection: Connection, at: number) =>
  connection.begun <= at && (connection.ended === null || connection.ended > at)

const SECOND_MS = 1000
const FOREVER = 1e15
const MONTH_MS = 30 * DAY_MS
const WEIGHTS: Readonly<Record<string, number>> = {
  details_left: 10,
  share: 8,
  reply: 5,
  quiz: 4,
  check_in: 3,
  like: 3,
  comment: 3,
  click: 2,
  open: 0.5,
}
const PRODUCT_TYPES = ['view', 'cart', 'question', 'coupon']
const INTERESTED_FROM = 10

const isLiveMembership = ({ enrolled, ended }: Membership, at: number, known: number) =>
  enrolled <= Math.min(at, known) && (ended === null || ended > at)

/** Weights that halve every 30 days. */
function decayed(acts: readonly Act[], at: number): number {
  return acts.reduce((sum, act) => sum + (WEIGHTS[act.type] ?? 0) * 2 ** ((act.at - at) / MONTH_MS), 0)
}

function scoringActs(history: History, customer: string, until: number): Act[] {
  return history.acts.filter((act) => act.customer === customer && act.at <= until && WEIGHTS[act.type] !== undefined)
}

/** Whether the score reaches `threshold`: read in whole seconds from the last act on; a double may miss it by a trillionth. */
export function scores(history: History, customer: string, at: number, known: number, threshold: number): boolean {
  const acts = scoringActs(history, customer, Math.min(at, known))
  const last = Math.max(...acts.map((act) => act.at))
  return acts.length > 0 && decayed(acts, at - ((at - last) % SECOND_MS)) * (1 + 2e-13) >= threshold
}

/** The second in which the score falls below `threshold`, were there no act after each of those that raised it: by halving. */
export function crossings(history: History, customer: string, until: number, threshold: number): number[] {
  const acts = scoringActs(history, customer, until)
  return [...new Set(acts.map((act) => act.at))].flatMap((begun) => {
    const holdsAfter = (seconds: number) => scores(history, customer, begun + seconds * SECOND_MS, begun, threshold)
    if (!holdsAfter(0)) return []
    let [holds, fails] = [0, 1]
    while (holdsAfter(fails)) [holds, fails] = [fails, 2 * fails]
    while (fails - holds > 1) {
      const middle = Math.floor((holds + fails) / 2)
      if (holdsAfter(middle)) holds = middle
      else fails = middle
    }
    return [begun + fails * SECOND_MS]
  })
}

/** Reviews that make an advocate at `at`: positive, of something bought before that still counts. */
function spreadsAt(history: History, customer: string, at: number, known: number, rules: Rules): Review[] {
  const counting = occasionsAt(history, customer, Math.min(at, known), rules).flatMap(({ orders }) => orders)
  return history.reviews.filter(
    (review) =>
      review.customer === customer &&
      review.at <= Math.min(at, known) &&
      ((review.rating ?? 0) >= 4 || review.isRecommended === true) &&
      (rules.spreadWindow === 'ever' || review.at > at - rules.periodDays * DAY_MS) &&
      history.orders.some(
        (order) =>
          counting.includes(order.id) && order.at <= review.at && order.lines.some((line) => line.item === review.item),
      ),
  )
}

function lastProductAct(history: History, customer: string, at: number, known: number): number | undefined {
  const acts = history.acts.filter(
    (act) =>
      act.customer === customer &&
      PRODUCT_TYPES.includes(act.type) &&
      act.at > at - MONTH_MS &&
      act.at <= Math.min(at, known),
  )
  return acts.length > 0 ? Math.max(...acts.map((act) => act.at)) : undefined
}

function isInterested(history: History, customer: string, at: number, known: number): boolean {
  const product = lastProductAct(history, customer, at, known)
  return product !== undefined && scores(history, customer, at, known, INTERESTED_FROM)
}

/** Depth at `at` by the facts up to `known` (docs/definitions.md §1). */
function depthAt(history: History, customer: string, at: number, known: number, rules: Rules): number {
  const occasions = occasionsAt(history, customer, Math.min(at, known), rules)
  const periodBegin = at - rules.periodDays * DAY_MS
  const inPeriod = occasions.filter((occasion) => occasion.at > periodBegin && occasion.at <= at).length
  const connected = history.connections.some(
    (connection) => connection.customer === customer && isLive(connection, Math.min(at, known)),
  )
  const isEnrolled = history.memberships.some(
    (membership) => membership.customer === customer && isLiveMembership(membership, at, known),
  )
  const isMember = isEnrolled || (rules.memberByPurchase && occasions.length > 0)
  if (!connected) return 0
  if (isMember && inPeriod >= 2) return spreadsAt(history, customer, at, known, rules).length > 0 ? 5 : 4
  if (isMember && inPeriod === 1) return 3
  const isInterested = () =>
    scores(history, customer, at, known, INTERESTED_FROM) && lastProductAct(history, customer, at, known) !== undefined
  if (inPeriod === 0 && (isMember || occasions.length > 0 || isInterested())) return 2
  return 1
}

export interface DepthChange {
  readonly at: number
  readonly from: number
  readonly to: number
}

/** Instants at which time takes something away: the end of a period, of a membership, of interest, of a product fact. */
export function timedEnds(history: History, customer: string, known: number, rules: Rules): number[] {
  const own = <T extends { readonly customer: string }>(facts: readonly T[]) =>
    facts.filter((fact) => fact.customer === customer)
  const inPeriod = [...own(history.orders), ...own(history.reviews)].map((fact) => fact.at)
  return [
    ...inPeriod.map((at) => at + rules.periodDays * DAY_MS),
    ...own(history.memberships).flatMap(({ ended }) => ended ?? []),
    ...own(history.acts).map((act) => act.at + MONTH_MS),
    ...crossings(history, customer, known, INTERESTED_FROM),
  ]
}

/** Every instant at which something may have changed for a customer: facts, and what time takes away. */
function instantsOf(history: History, customer: string, known: number, rules: Rules): number[] {
  const own = <T extends { readonly customer: string }>(facts: readonly T[]) =>
    facts.filter((fact) => fact.customer === customer)
  const orders = new Set(own(history.orders).map((order) => order.id))
  const refunded = [
    ...history.allocations.filter((allocation) => orders.has(allocation.order)),
    ...history.refunds.filter((refund) => orders.has(refund.of ?? '')),
  ].map(({ at }) => at)
  const connected = own(history.connections).flatMap(({ begun, ended }) => (ended === null ? [begun] : [begun, ended]))
  const happened = [...own(history.orders), ...own(history.acts), ...own(history.reviews)].map((fact) => fact.at)
  const enrolled = own(history.memberships).map((membership) => membership.enrolled)
  const ends = timedEnds(history, customer, known, rules)
  return [...new Set([...happened, ...refunded, ...connected, ...enrolled, ...ends])].sort((a, b) => a - b)
}

export function depthChanges(history: History, customer: string, now: number, rules: Rules): DepthChange[] {
  const changes: DepthChange[] = []
  let from = 0
  for (const at of instantsOf(history, customer, now, rules)) {
    if (at > now) break
    const to = depthAt(history, customer, at, at, rules)
    if (to !== from) changes.push({ at, from, to })
    from = to
  }
  return changes
}

export interface Standing {
  readonly depth: number
  readonly since: number | null
  readonly lapsesAt: number | null
  readonly lapsesTo: number | null
  readonly depthIfConnected: number
  readonly lastOccasionAt: number | null
  readonly occasions: number
  readonly netPaid: number
  /** What decides, in its order; orders by the occasions that they are the first payment of. */
  readonly evidence: readonly { readonly kind: string; readonly at: number }[]
}

export function standingAt(history: History, customer: string, now: number, rules: Rules): Standing {
  const occasions = occasionsAt(history, customer, now, rules)
  const depth = depthAt(history, customer, now, now, rules)
  const lapse = instantsOf(history, customer, now, rules)
    .filter((at) => at > now)
    .map((at) => ({ at, to: depthAt(history, customer, at, now, rules) }))
    .find(({ to }) => to !== depth)
  const connections = history.connections
    .filter((connection) => connection.customer === customer && connection.begun <= now)
    .sort((a, b) => Number(isLive(b, now)) - Number(isLive(a, now)) || a.begun - b.begun)
  return {
    depth,
    since: depthChanges(history, customer, now, rules).at(-1)?.at ?? null,
    lapsesAt: lapse?.at ?? null,
    lapsesTo: lapse?.to ?? null,
    depthIfConnected: depth > 0 ? depth : lostDepth(history, customer, now, rules),
    lastOccasionAt: occasions.at(-1)?.at ?? null,
    occasions: occasions.length,
    netPaid: netPaidAt(history, customer, now, rules),
    evidence: [
      ...connections.slice(0, 1).map(({ begun }) => ({ kind: 'connection', at: begun })),
      ...(depth >= 2 ? decidingFacts(history, customer, now, depth, rules) : []),
    ],
  }
}

/** What they were when the last connection ended: just before, because ends and what else happened then come together. */
function lostDepth(history: History, customer: string, now: number, rules: Rules): number {
  const ends = history.connections
    .filter(({ customer: own, begun, ended }) => own === customer && ended !== null && ended > begun && ended <= now)
    .map(({ ended }) => ended ?? 0)
  const before = Math.max(...ends) - 1
  return ends.length > 0 ? depthAt(history, customer, before, before, rules) : 0
}

/** Of several ways to be a member the one that holds longest: by purchase for ever, else enrolled, else interested. */
function decidingFacts(history: History, customer: string, now: number, depth: number, rules: Rules) {
  const occasions = occasionsAt(history, customer, now, rules)
  const [enrolled] = history.memberships
    .filter((membership) => membership.customer === customer && isLiveMembership(membership, now, now))
    .sort((a, b) => (b.ended ?? FOREVER) - (a.ended ?? FOREVER) || a.enrolled - b.enrolled)
  const interestedUntil = isInterested(history, customer, now, now)
    ? timedEnds(history, customer, now, rules)
        .filter((at) => at > now && !isInterested(history, customer, at, now))
        .sort((a, b) => a - b)[0]
    : undefined
  const isEnrolledDeciding =
    enrolled !== undefined &&
    (depth === 2
      ? occasions.length === 0 && (enrolled.ended ?? FOREVER) >= (interestedUntil ?? now)
      : !rules.memberByPurchase)
  const interest = [
    scoringActs(history, customer, now).map(({ at }) => at),
    [lastProductAct(history, customer, now, now)],
  ]
  return [
    ...(isEnrolledDeciding ? [{ kind: 'membership', at: enrolled.enrolled }] : []),
    ...occasions
      .slice(depth >= 4 ? -2 : -1)
      .reverse()
      .map(({ at }) => ({ kind: 'order', at })),
    ...(occasions.length === 0 && !isEnrolledDeciding
      ? interest.map((at) => ({ kind: 'interaction', at: Math.max(...at.map((one) => one ?? Number.NaN)) }))
      : []),
    ...(depth === 5
      ? [{ kind: 'review', at: Math.max(...spreadsAt(history, customer, now, now, rules).map(({ at }) => at)) }]
      : []),
  ]
}

const TIER_SCORES = [5, 20, 60]

/** The score, the number of the fan tier from 0, and the first instant at which time alone takes it. */
export function interactionByRules(
  history: History,
  customer: string,
  at: number,
  { fanTierScores = TIER_SCORES }: Pick<Rules, 'fanTierScores'>,
): { score: number; tier: number; lapsesAt: number | null } {
  const tier = fanTierScores.filter((threshold) => scores(history, customer, at, at, threshold)).length
  const from = fanTierScores[tier - 1] ?? 0
  const ends = tier === 0 ? [] : crossings(history, customer, at, from).filter((end) => end > at)
  return {
    score: decayed(scoringActs(history, customer, at), at),
    tier,
    lapsesAt: ends.length > 0 ? Math.max(...ends) : null,
  }
}

/** The one missing fact that would deepen a relationship. */
export function nextStepOf(depth: number): string | null {
  return { 0: 'connect', 1: 'enrol', 2: 'purchase', 3: 'repurchase', 4: 'spread' }[depth] ?? null
}
