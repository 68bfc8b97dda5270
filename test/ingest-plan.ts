/**
 * What senders tell: batch `n` of sender `c` is always the same, so that it can be sent again, told to a second database,
 * and compared with what was stored. Amounts are whole minor units here, written as decimals.
 */
export interface Plan {
  readonly senders: number
  /** Instant of the first fact; all others follow within weeks, and every fact has an instant of its own. */
  readonly begin: Date
}

export interface PlannedFact {
  readonly kind: string
  readonly source: string
  readonly external_id: string
  readonly [field: string]: unknown
}

/** What an order or refund has to look like when it is stored. */
export interface Expected {
  readonly lines: number
  readonly amountMinor: number
}

const CUSTOMERS = 240
const ITEMS = 25
const SLOTS = 64
const SECONDS_APART = 20
/** A correction comes so many batches after what it corrects. */
export const CORRECTED_AFTER = 3
const ORDERS = 12

export function batchOf(plan: Plan, sender: number, n: number): PlannedFact[] {
  const slot = (index: number) => (n * plan.senders + sender) * SLOTS + index
  const at = (index: number) => instantOf(plan, slot(index))
  const facts: PlannedFact[] = []
  for (let index = 0; index < ORDERS; index += 1) facts.push(orderOf(plan, sender, n, index, 1))
  if (n >= CORRECTED_AFTER && hasCorrection(n - CORRECTED_AFTER)) {
    facts.push(orderOf(plan, sender, n - CORRECTED_AFTER, 0, 2))
  }
  // Refunds of what another sender tells, before or after them.
  const other = (sender + 1) % plan.senders
  for (let index = 1; index <= 3 && n > 0; index += 1) {
    const order = orderOf(plan, other, n - 1, index, 1)
    const [line] = order.lines as { item: string; unit_price: string }[]
    facts.push({
      ...order,
      external_id: `back-${sender}-${n}-${index}`,
      paid_at: at(20 + index),
      refund_of: order.external_id,
      lines: [{ item: line?.item, quantity: 1, amount: line?.unit_price }],
    })
  }
  const returned = orderOf(plan, sender, n, 4, 1)
  facts.push({
    ...returned,
    external_id: `return-${sender}-${n}`,
    paid_at: at(24),
    lines: [{ item: 'item-0', quantity: -1, unit_price: '3.00' }],
  })
  // Each kind is a transaction of its own: a few in each batch, so that a batch is soon answered and can be stored in part.
  if (n % 3 === 0) for (let index = 30; index < 34; index += 1) facts.push(personOf(plan, sender, n, index))
  if (n % 3 === 1) {
    for (let index = 40; index < 44; index += 1) {
      facts.push({
        ...headOf('connection', sender, n, index),
        ...someone(slot(index)),
        channel: 'wecom',
        begun_at: at(index),
      })
    }
    for (const [index, type] of ['open', 'reply', 'view', 'share', 'quiz'].entries()) {
      facts.push({
        ...headOf('interaction', sender, n, index),
        ...someone(slot(45 + index)),
        type,
        occurred_at: at(45 + index),
      })
    }
  }
  if (n % 3 === 2) {
    facts.push({ ...headOf('membership', sender, n, 0), ...someone(slot(52)), enrolled_at: at(52) })
    facts.push({
      ...headOf('review', sender, n, 0),
      ...someone(slot(53)),
      item: 'item-1',
      rating: 5,
      occurred_at: at(53),
    })
  }
  return facts
}

/** An order of batch n is corrected later: that batch must not be given up, or the correction would come first. */
export const hasCorrection = (n: number) => n % 2 === 0

/** Every body that this id is told with; what is stored has to be one of them, whole. */
export function expectedOf(facts: Iterable<PlannedFact>): Map<string, Expected[]> {
  const expected = new Map<string, Expected[]>()
  for (const fact of facts) {
    if (fact.kind !== 'order') continue
    const lines = fact.lines as { quantity: number; unit_price?: string; amount?: string }[]
    const cents = (text: string | undefined) => Number((text ?? '').replace('.', ''))
    const amountMinor = lines.reduce(
      (sum, line) => sum + (line.amount ? cents(line.amount) : Math.abs(line.quantity) * cents(line.unit_price)),
      0,
    )
    const key = `${fact.source} ${fact.external_id}`
    expected.set(key, [...(expected.get(key) ?? []), { lines: lines.length, amountMinor }])
  }
  return expected
}

function orderOf(plan: Plan, sender: number, n: number, index: number, version: number): PlannedFact {
  const slot = (n * plan.senders + sender) * SLOTS + index
  const source = n % 3 === 0 && index % 4 === 3 ? 'till' : 'shop'
  const isAnonymous = index === ORDERS - 1
  return {
    kind: 'order',
    source,
    external_id: `order-${sender}-${n}-${index}`,
    ...(isAnonymous ? {} : { customer_id: `c-${mix(slot) % CUSTOMERS}` }),
    paid_at: instantOf(plan, slot),
    lines: Array.from({ length: 1 + (mix(slot + 1) % 3) }, (_, line) => ({
      item: `item-${(mix(slot) + line) % ITEMS}`,
      quantity: 1 + (mix(slot + line) % 3),
      unit_price: `${10 + (mix(slot + line) % 90)}.${String(10 * version + line)}`,
    })),
  }
}

/** Some say that a customer of the shop and one of the till are one; some share a phone with their neighbour. */
function personOf(plan: Plan, sender: number, n: number, index: number): PlannedFact {
  const slot = (n * plan.senders + sender) * SLOTS + index
  const customer = mix(slot) % CUSTOMERS
  const isShared = customer % 10 < 2
  const phone = `1380000${String(1000 + (isShared ? Math.floor(customer / 2) * 2 : customer))}`
  return {
    ...headOf('person', sender, n, index),
    identities: [
      { kind: 'own_id', value: `c-${customer}` },
      ...(customer % 3 === 0 ? [{ kind: 'own_id', namespace: 'till', value: `c-${customer}` }] : []),
      { kind: 'phone', value: phone },
    ],
    name: `客户 ${customer}`,
    seen_at: instantOf(plan, slot),
  }
}

function headOf(kind: string, sender: number, n: number, index: number) {
  return { kind, source: 'shop', external_id: `${kind}-${sender}-${n}-${index}` }
}

function someone(slot: number) {
  return { identity: { kind: 'own_id', value: `c-${mix(slot) % CUSTOMERS}` } }
}

function instantOf(plan: Plan, slot: number): string {
  return new Date(plan.begin.getTime() + slot * SECONDS_APART * 1000).toISOString()
}

/** A number that looks like chance and is the same every time. */
function mix(value: number): number {
  let mixed = Math.imul(value + 0x9e3779b9, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
