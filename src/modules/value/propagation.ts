/** Who is said to have brought whom, and when; `at` in milliseconds, undefined where nobody knows. */
export interface ReferralEdge {
  readonly referrer: string
  readonly invitee: string
  readonly at: number | undefined
}

export const EDGE_REFUSALS = ['self', 'later_claim', 'cycle'] as const
export type EdgeRefusal = (typeof EDGE_REFUSALS)[number]

export interface Acceptance {
  /** Invitee → index of the edge that counts: at most one referrer each, and no way round. */
  readonly accepted: ReadonlyMap<string, number>
  readonly refused: readonly { readonly index: number; readonly reason: EdgeRefusal }[]
}

/**
 * Which edges count. They are taken in time order; equal times in the order given, and edges without a time after all that have
 * one, as the weaker evidence. Refused, the first that holds: `self`; `later_claim`, the invitee has a referrer already; `cycle`,
 * the referrer descends from the invitee.
 *
 * What is accepted so far is a forest, and an invitee without a referrer is the root of its tree: so an edge closes a cycle
 * exactly when the referrer's root is the invitee. Roots are kept with their paths halved: about linear in all edges.
 */
export function acceptEdges(edges: readonly ReferralEdge[]): Acceptance {
  const order = edges.map((_, index) => index)
  const times = Float64Array.from(edges, ({ at }) => at ?? Number.POSITIVE_INFINITY)
  const timeOf = (index: number) => times[index] as number
  order.sort((a, b) => (timeOf(a) === timeOf(b) ? a - b : timeOf(a) < timeOf(b) ? -1 : 1))
  // People as numbers: a name is looked up twice for each edge, and not again on the way to the root.
  const numbers = new Map<string, number>()
  const numberOf = (person: string) => {
    const known = numbers.get(person)
    if (known !== undefined) return known
    numbers.set(person, numbers.size)
    return numbers.size - 1
  }
  const referrers = Int32Array.from(edges, ({ referrer }) => numberOf(referrer))
  const invitees = Int32Array.from(edges, ({ invitee }) => numberOf(invitee))
  const edgeOf = new Int32Array(numbers.size).fill(-1)
  const above = new Int32Array(numbers.size).fill(-1)
  const rootOf = (person: number) => {
    let at = person
    for (let parent = above[at] as number; parent >= 0; parent = above[at] as number) {
      const next = above[parent] as number
      if (next >= 0) above[at] = next
      at = next >= 0 ? next : parent
    }
    return at
  }
  const refused: { index: number; reason: EdgeRefusal }[] = []
  const accepted = new Map<string, number>()
  for (const index of order) {
    const [referrer, invitee] = [referrers[index] as number, invitees[index] as number]
    if (referrer === invitee) refused.push({ index, reason: 'self' })
    else if ((edgeOf[invitee] as number) >= 0) refused.push({ index, reason: 'later_claim' })
    else if (rootOf(referrer) === invitee) refused.push({ index, reason: 'cycle' })
    else {
      edgeOf[invitee] = index
      above[invitee] = referrer
      accepted.set(edges[index]?.invitee ?? '', index)
    }
  }
  refused.sort((a, b) => a.index - b.index)
  return { accepted, refused }
}

/** So far up the chain a value is shared. */
export const LEVELS_MAX = 5

/** A share as a whole fraction: 0.2 is 2/10. */
export interface Fraction {
  readonly above: bigint
  readonly below: bigint
}

/** A decimal as a fraction, exactly. */
export function fractionOf(decimal: string): Fraction {
  const [whole = '0', part = ''] = decimal.split('.')
  return { above: BigInt(whole + part), below: 10n ** BigInt(part.length) }
}

/**
 * How a value is split over a chain of so many people above its owner (at most 5), the owner first: β^i·(1 − β) to the i-th
 * above, β^k to the last. The shares of those above are rounded towards 0 in the smallest unit of money and the owner keeps what
 * is left over, so that the parts are the whole exactly and nobody gets more than their share from another.
 */
export function splitValue(value: bigint, levels: number, beta: Fraction): bigint[] {
  return splitterOf(beta)(value, levels)
}

function splitterOf({ above, below }: Fraction): (value: bigint, levels: number) => bigint[] {
  const fractions = Array.from({ length: LEVELS_MAX + 1 }, (_, levels) =>
    Array.from({ length: levels }, (_, index) => {
      const level = BigInt(index + 1)
      return index + 1 === levels
        ? { above: above ** level, below: below ** level }
        : { above: above ** level * (below - above), below: below ** (level + 1n) }
    }),
  )
  return (value, levels) => {
    const shares = (fractions[levels] ?? []).map((fraction) => (value * fraction.above) / fraction.below)
    return [shares.reduce((left, share) => left - share, value), ...shares]
  }
}

export interface PersonValue {
  readonly person: string
  readonly own: bigint
  readonly allocated: bigint
  /** Σ own of all who descend from the person: for recognition, never summed. */
  readonly influenced: bigint
  /** Edges up to the root. */
  readonly depth: number
}

/**
 * Allocated and influenced value of everybody in `own` or in an accepted edge; a person without a value has 0. Works through
 * lists, root first, so that no chain is too long.
 */
export function propagate(
  own: ReadonlyMap<string, bigint>,
  referrerOf: ReadonlyMap<string, string>,
  beta: Fraction,
): PersonValue[] {
  const people = new Map<string, number>()
  const names: string[] = []
  const add = (person: string) => {
    if (people.has(person)) return
    people.set(person, names.push(person) - 1)
  }
  for (const person of own.keys()) add(person)
  for (const [invitee, referrer] of referrerOf) {
    add(referrer)
    add(invitee)
  }
  const parents = Int32Array.from(names, (name) => {
    const referrer = referrerOf.get(name)
    return referrer === undefined ? -1 : (people.get(referrer) ?? -1)
  })
  const { order, depths } = rootFirst(parents)
  const values = names.map((name) => own.get(name) ?? 0n)
  const allocated = values.map(() => 0n)
  const influenced = values.map(() => 0n)
  for (const index of order.toReversed()) {
    const parent = parents[index] as number
    if (parent < 0) continue
    influenced[parent] = (influenced[parent] ?? 0n) + (influenced[index] ?? 0n) + (values[index] ?? 0n)
  }
  const split = splitterOf(beta)
  values.forEach((value, index) => {
    const levels = Math.min(LEVELS_MAX, depths[index] as number)
    let at = index
    for (const share of value === 0n ? [] : split(value, levels)) {
      allocated[at] = (allocated[at] ?? 0n) + share
      at = parents[at] as number
    }
  })
  return names.map((person, index) => ({
    person,
    own: values[index] ?? 0n,
    allocated: allocated[index] ?? 0n,
    influenced: influenced[index] ?? 0n,
    depth: depths[index] as number,
  }))
}

/** Everybody after the person above them, and how far from the root. */
function rootFirst(parents: Int32Array): { order: number[]; depths: Int32Array } {
  const depths = new Int32Array(parents.length).fill(-1)
  const order: number[] = []
  for (let index = 0; index < parents.length; index += 1) {
    const chain: number[] = []
    let at = index
    while (at >= 0 && depths[at] === -1) {
      chain.push(at)
      at = parents[at] as number
    }
    let depth = at >= 0 ? (depths[at] as number) : -1
    for (const member of chain.toReversed()) {
      depth += 1
      depths[member] = depth
      order.push(member)
    }
  }
  return { order, depths }
}
