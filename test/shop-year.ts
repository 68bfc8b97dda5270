/** A year of one shop, told in the shapes that come in: rows of files and facts of the API, under the same ids. */
export interface ShopYear {
  /** Order lines and refunds, as a mapping of the kind orders reads them. */
  readonly ordersCsv: string
  readonly peopleCsv: string
  /** Orders, refunds and people as facts: the same as in the files, in the order in which they happened. */
  readonly facts: readonly ShopFact[]
  /** No file has these. */
  readonly connections: readonly ShopFact[]
  readonly counts: { readonly orders: number; readonly refunds: number; readonly people: number }
  /** Paid less given back. */
  readonly netMinor: number
}

export interface ShopFact {
  readonly kind: string
  readonly source: string
  readonly external_id: string
  readonly [field: string]: unknown
}

export const SHOP = 'shop'

/** What the files need to be read under the shop's name. */
export const ORDERS_MAPPING = `name: shop-orders
kind: orders
source: ${SHOP}
columns:
  order_id: [order_id]
  customer_id: [customer_id]
  paid_at: [paid_at]
  item: [item]
  item_name: [item_name]
  category: [category]
  quantity: [quantity]
  unit_price: [unit_price]
  refund_of: [refund_of]
options:
  connected_by: shop_account
`
export const PEOPLE_MAPPING = `name: shop-people
kind: people
source: ${SHOP}
columns:
  record_id: [record_id]
  own_id: [customer_id]
  phone: [phone]
  email: [email]
  name: [name]
  enrolled_at: [enrolled_at]
  seen_at: [seen_at]
`

const DAY_MS = 24 * 3600 * 1000
/** The year ends before today and begins after today a year ago: nobody lapses while it is compared. */
const [DAYS, ENDS_DAYS_AGO, REFUND_AFTER_MS] = [340, 15, 10 * DAY_MS]
/** One in three has none. */
const categoryOf = (item: number) => ['茶', '', 'Ware, "fine"'][item % 3] ?? ''
const ITEMS = ['绿茶', 'Oolong, 100 g', 'Cup "blue"', '=1+1', '<b>Pot</b>', "O'Brien blend", 'Tin; small']
const CHINA_MS = 8 * 3600 * 1000

/** @param now what the year is counted back from. */
export function makeShopYear(orderCount: number, now: Date): ShopYear {
  const customers = Math.max(3, Math.floor(orderCount / 5))
  const end = Math.floor(now.getTime() / DAY_MS) * DAY_MS - ENDS_DAYS_AGO * DAY_MS
  const step = Math.floor((DAYS * DAY_MS - REFUND_AFTER_MS) / orderCount)
  const begin = end - DAYS * DAY_MS
  const facts: { at: number; fact: ShopFact }[] = []
  const orderRows: string[] = []
  const peopleRows: string[] = []
  let [refunds, netMinor] = [0, 0]

  const tell = (id: string, customer: string, at: number, refundOf: string, lines: readonly Line[]) => {
    for (const { item, quantity, cents } of lines) {
      const name = ITEMS[item] ?? ''
      orderRows.push(
        csvRow([
          id,
          customer,
          chinaTime(at),
          `item-${item}`,
          name,
          categoryOf(item),
          String(quantity),
          decimal(cents),
          refundOf,
        ]),
      )
    }
    facts.push({
      at,
      fact: {
        kind: 'order',
        source: SHOP,
        external_id: id,
        ...(customer ? { customer_id: customer } : {}),
        ...(refundOf ? { refund_of: refundOf } : {}),
        // The same instant as in the file, written in another way; so are the prices.
        paid_at: new Date(at).toISOString(),
        lines: lines.map(({ item, quantity, cents }) => ({
          item: `item-${item}`,
          item_name: ITEMS[item] ?? '',
          ...(categoryOf(item) === '' ? {} : { category: categoryOf(item) }),
          quantity,
          unit_price: cents / 100,
        })),
      },
    })
  }

  for (let number = 0; number < orderCount; number += 1) {
    const at = begin + number * step
    // Every 25th bought without saying who they are; the others come back as often as the numbers fall.
    const customer = number % 25 === 24 ? '' : `C-${(number * 7919 + (number % 13) * 31) % customers}`
    const lines = Array.from({ length: 1 + (number % 3) }, (_, line) => ({
      item: (number + line) % ITEMS.length,
      quantity: 1 + ((number + line) % 2),
      cents: 990 + ((number * 37 + line * 11) % 9000),
    }))
    tell(`O-${number}`, customer, at, '', lines)
    for (const { quantity, cents } of lines) netMinor += quantity * cents
    const [first] = lines
    if (number % 12 !== 5 || !first) continue
    tell(`R-${number}`, customer, at + REFUND_AFTER_MS, `O-${number}`, [{ ...first, quantity: 1 }])
    refunds += 1
    netMinor -= first.cents
  }

  const connections: ShopFact[] = []
  for (let number = 0; number < customers; number += 1) {
    const id = `C-${number}`
    // Every tenth opened a second account, with the phone of the first.
    const phone = `1390000${String(1000 + (number % 10 === 1 ? number - 1 : number))}`
    const email = number % 4 === 0 ? `buyer.${number}@example.com` : ''
    const name = ['林', '王芳', 'Zoë', '=SUM(A1)', 'Li, Wei'][number % 5] ?? ''
    const [enrolled, seen] = [begin + number * step, end - number * 1000]
    peopleRows.push(csvRow([`P-${number}`, id, spaced(phone), email, name, chinaTime(enrolled), chinaTime(seen)]))
    facts.push({
      at: enrolled,
      fact: {
        kind: 'person',
        source: SHOP,
        external_id: `P-${number}`,
        identities: [
          { kind: 'own_id', value: id },
          { kind: 'phone', value: `+86${phone}` },
          ...(email ? [{ kind: 'email', value: email }] : []),
        ],
        name,
        enrolled_at: new Date(enrolled).toISOString(),
        seen_at: new Date(seen).toISOString(),
      },
    })
    if (number % 3 > 0) continue
    connections.push({
      kind: 'connection',
      source: SHOP,
      external_id: `wecom-${id}`,
      identity: { kind: 'own_id', value: id },
      channel: 'wecom',
      staff: `adviser-${number % 4}`,
      ...(number % 3 === 0 ? { group_id: `group-${number % 2}` } : {}),
      begun_at: new Date(enrolled + DAY_MS).toISOString(),
      ...(number % 9 === 0 ? { ended_at: new Date(enrolled + 5 * DAY_MS).toISOString() } : {}),
    })
  }
  const ordersHeader = 'order_id,customer_id,paid_at,item,item_name,category,quantity,unit_price,refund_of\n'
  const peopleHeader = 'record_id,customer_id,phone,email,name,enrolled_at,seen_at\n'
  return {
    ordersCsv: ordersHeader + orderRows.join(''),
    peopleCsv: peopleHeader + peopleRows.join(''),
    facts: facts.sort((a, b) => a.at - b.at).map(({ fact }) => fact),
    connections,
    counts: { orders: orderCount, refunds, people: customers },
    netMinor,
  }
}

interface Line {
  readonly item: number
  readonly quantity: number
  readonly cents: number
}

const csvRow = (fields: readonly string[]) => `${fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(',')}\n`
const decimal = (cents: number) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`
const spaced = (phone: string) => `${phone.slice(0, 3)} ${phone.slice(3, 7)} ${phone.slice(7)}`
const chinaTime = (at: number) => `${new Date(at + CHINA_MS).toISOString().slice(0, 19).replace('T', ' ')}+08:00`
