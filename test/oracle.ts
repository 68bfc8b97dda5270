/**
 * What the rules say of a small history, by loops that anyone can check: the yardstick that the SQL of commerce and
 * of purchase occasions is held to; depth-oracle.ts goes on from here. It shares nothing with the product on purpose;
 * docs/definitions.md §0 and 1.1 are its only source.
 */

const DAY_MS = 86_400_000

/** A row of an order file. Prices in thousandths, so that no sum is ever inexact. */
export interface Line {
  readonly item: string
  readonly quantity: number
  readonly priceMilli: number
}

/** A sales document as one file has it: an order, a refund, or both. */
export interface SalesDocument {
  /** Begins with C: a cancellation. */
  readonly id: string
  /** Empty: nobody. */
  readonly customer: string
  readonly at: number
  readonly lines: readonly Line[]
  /** The order that all its lines give back. */
  readonly refundOf: string | null
  /** Who shared what was bought; absent: nobody. */
  readonly sharedBy?: string | undefined
  /** The source's rank of this version; absent: it says none. */
  readonly version?: number | undefined
}

export interface Rules {
  readonly zone: string
  readonly periodDays: number
  readonly occasionUnit: 'day' | 'order'
  readonly memberByPurchase: boolean
  /** For how long a spread counts; absent: in the period. */
  readonly spreadWindow?: 'period' | 'ever' | undefined
  /** Scores from which the second, third and highest fan tier hold; absent: 5, 20 and 60. */
  readonly fanTierScores?: readonly number[] | undefined
  /** Thresholds of the brand's own, four each; absent: at fifths of the buyers. */
  readonly rfmCuts?: { readonly [of in 'r' | 'f' | 'm']?: readonly number[] | undefined } | undefined
  /** Equal rows of a document are one. */
  readonly mergeDuplicates: boolean
}

interface OrderLine {
  readonly item: string
  readonly amount: number
  /** What can still be refunded of it. */
  left: number
}

interface Order {
  readonly id: string
  readonly customer: string
  readonly at: number
  readonly amount: number
  readonly lines: readonly OrderLine[]
}

interface Refund {
  readonly id: string
  readonly customer: string
  readonly at: number
  readonly of: string | null
  readonly amount: number
  readonly lines: readonly { readonly item: string; readonly amount: number }[]
}

export interface Allocation {
  readonly refund: string
  readonly refundLine: number
  readonly order: string
  readonly orderLine: number
  readonly at: number
  readonly amount: number
}

/** What is known when every file has come in. */
export interface Books {
  readonly orders: readonly Order[]
  readonly refunds: readonly Refund[]
  readonly allocations: readonly Allocation[]
}

/** A line is rounded once, half away from zero: 1.005 -> 101. */
function minorOf({ quantity, priceMilli }: Line): number {
  const tenths = quantity * priceMilli
  return (Math.sign(tenths) * Math.round(Math.abs(tenths) / 10)) | 0
}

/** The same lines in another order are the same body. */
function bodyOf(document: SalesDocument): string {
  const lines = document.lines.map((line) => JSON.stringify([line.item, line.quantity, line.priceMilli])).sort()
  return JSON.stringify([document.customer, document.at, document.refundOf, document.sharedBy ?? null, lines])
}

function withoutRepeats(document: SalesDocument): SalesDocument {
  const seen = new Set<string>()
  const lines = document.lines.filter((line) => {
    const text = JSON.stringify([line.item, line.quantity, line.priceMilli])
    const isNew = !seen.has(text)
    seen.add(text)
    return isNew
  })
  return { ...document, lines }
}

/** What happens to a brand's documents, in turn: a file comes in, or the import of an earlier one is undone. */
export type Event = { readonly file: readonly SalesDocument[] } | { readonly undo: number }

interface Version {
  readonly event: number
  readonly body: string
  readonly rank: number | undefined
  readonly document: SalesDocument
}

/**
 * The version of each document that is in force: the source's highest rank, without one the latest receipt, which never
 * outranks a version that has one. A body that is there with this rank or a higher one says nothing. Undoing takes away
 * what the import had brought.
 */
export function versionsInForce(events: readonly Event[], rules: Pick<Rules, 'mergeDuplicates'>): SalesDocument[] {
  const versions = new Map<string, Version[]>()
  events.forEach((event, number) => {
    if ('undo' in event) {
      for (const [id, known] of versions) {
        versions.set(
          id,
          known.filter((version) => version.event !== event.undo),
        )
      }
      return
    }
    for (const given of event.file) {
      const document = rules.mergeDuplicates ? withoutRepeats(given) : given
      const [body, rank] = [bodyOf(document), document.version]
      const known = versions.get(document.id) ?? []
      const isSaid = (version: Version) =>
        version.body === body && (rank === undefined || (version.rank !== undefined && version.rank >= rank))
      if (!known.some(isSaid)) versions.set(document.id, [...known, { event: number, body, rank, document }])
    }
  })
  return [...versions.values()].flatMap((known) => {
    const ranked = known.toSorted((a, b) => (a.rank ?? -1) - (b.rank ?? -1) || a.event - b.event)
    return ranked.at(-1)?.document ?? []
  })
}

export function documentsInForce(files: readonly (readonly SalesDocument[])[], rules: Rules): SalesDocument[] {
  return versionsInForce(
    files.map((file) => ({ file })),
    rules,
  )
}

const isReturn = (document: SalesDocument, line: Line) =>
  document.id.startsWith('C') || document.refundOf !== null || line.quantity < 0

export function keepBooks(documents: readonly SalesDocument[]): Books {
  const orders: Order[] = []
  const refunds: Refund[] = []
  for (const document of documents) {
    const { id, customer, at } = document
    const bought = document.lines
      .filter((line) => !isReturn(document, line))
      .map((line) => [line.item, minorOf(line)] as const)
    const given = document.lines.filter((line) => isReturn(document, line))
    const amount = bought.reduce((sum, [, minor]) => sum + minor, 0)
    // A discount line lowers what the last lines can give back: no more is refunded of an order than was paid.
    let paid = amount
    const lines = bought.map(([item, minor]) => {
      const left = Math.min(Math.max(minor, 0), paid)
      paid -= left
      return { item, amount: minor, left }
    })
    if (lines.length > 0) orders.push({ id, customer, at, amount, lines })
    if (given.length > 0) {
      const back = given.map((line) => ({ item: line.item, amount: Math.abs(minorOf(line)) }))
      const total = back.reduce((sum, line) => sum + line.amount, 0)
      refunds.push({ id, customer, at, of: document.refundOf, amount: total, lines: back })
    }
  }
  refunds.sort((a, b) => a.at - b.at || compare(a.id, b.id))
  orders.sort((a, b) => a.at - b.at || compare(a.id, b.id))
  return { orders, refunds, allocations: allocate(orders, refunds) }
}

/** Refunds that name an order come first and take its lines in turn; the others take the newest earlier lines. */
function allocate(orders: readonly Order[], refunds: readonly Refund[]): Allocation[] {
  const allocations: Allocation[] = []
  const take = (refund: Refund, refundLine: number, order: Order, orderLine: number, wanted: number): number => {
    const line = order.lines[orderLine]
    const amount = Math.min(wanted, line?.left ?? 0)
    if (!line || amount === 0) return wanted
    line.left -= amount
    allocations.push({
      refund: refund.id,
      refundLine: refundLine + 1,
      order: order.id,
      orderLine: orderLine + 1,
      at: refund.at,
      amount,
    })
    return wanted - amount
  }
  for (const refund of refunds) {
    const order = orders.find((other) => other.id === refund.of)
    if (!order) continue
    refund.lines.forEach((given, refundLine) => {
      let wanted = given.amount
      order.lines.forEach((_, orderLine) => {
        wanted = take(refund, refundLine, order, orderLine, wanted)
      })
    })
  }
  for (const refund of refunds) {
    if (refund.of !== null || refund.customer === '') continue
    refund.lines.forEach((given, refundLine) => {
      let wanted = given.amount
      for (const order of [...orders].reverse()) {
        if (order.customer !== refund.customer || order.at > refund.at) continue
        for (let orderLine = order.lines.length - 1; orderLine >= 0; orderLine -= 1) {
          if (order.lines[orderLine]?.item === given.item) wanted = take(refund, refundLine, order, orderLine, wanted)
        }
      }
    })
  }
  return allocations
}

export function unmatchedOf(books: Books, refund: Refund): number {
  const matched = books.allocations.filter((allocation) => allocation.refund === refund.id)
  return refund.amount - matched.reduce((sum, allocation) => sum + allocation.amount, 0)
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

const calendars = new Map<string, Intl.DateTimeFormat>()

/** The calendar day of an instant where the brand is, as days since 1970-01-01. */
export function brandDay(at: number, zone: string): number {
  // Making a format costs a hundred times what using it does.
  const calendar = calendars.get(zone) ?? new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' })
  calendars.set(zone, calendar)
  return Date.parse(`${calendar.format(at)}T00:00:00Z`) / DAY_MS
}

export interface Occasion {
  /** The brand's day, or the order's id. */
  readonly key: string
  /** First payment among the orders that count. */
  readonly at: number
  readonly orders: readonly string[]
  readonly net: number
}

/** A customer's purchase occasions as of an instant, earliest first. */
export function occasionsAt(books: Books, customer: string, at: number, rules: Rules): Occasion[] {
  const occasions = new Map<string, Occasion>()
  for (const order of books.orders) {
    if (order.customer !== customer || customer === '' || order.at > at) continue
    const refunded = books.allocations
      .filter((allocation) => allocation.order === order.id && allocation.at <= at)
      .reduce((sum, allocation) => sum + allocation.amount, 0)
    // Refunded in full it counts for nothing; what never cost anything is cancelled by a refund that names it.
    if (refunded > 0 && refunded >= order.amount) continue
    if (order.amount === 0 && books.refunds.some((refund) => refund.of === order.id && refund.at <= at)) continue
    const key = rules.occasionUnit === 'order' ? order.id : String(brandDay(order.at, rules.zone))
    const known = occasions.get(key)
    occasions.set(key, {
      key,
      at: Math.min(known?.at ?? order.at, order.at),
      orders: [...(known?.orders ?? []), order.id],
      net: (known?.net ?? 0) + order.amount - refunded,
    })
  }
  return [...occasions.values()].sort((a, b) => a.at - b.at)
}

/** Paid less refunded, what found nothing to reduce included. */
export function netPaidAt(books: Books, customer: string, at: number, rules: Rules): number {
  const paid = occasionsAt(books, customer, at, rules).reduce((sum, occasion) => sum + occasion.net, 0)
  const unmatched = books.refunds
    .filter((refund) => refund.customer === customer && refund.at <= at)
    .reduce((sum, refund) => sum + unmatchedOf(books, refund), 0)
  return paid - unmatched
}
