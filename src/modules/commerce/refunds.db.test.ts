import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertBooks, CUSTOMER, rowsOf, sorted } from '../../../test/books.ts'
import { testDatabase } from '../../../test/database.ts'
import {
  beginStory,
  CUSTOMERS,
  check,
  edges,
  feed,
  NOW,
  type Story,
  stories,
  storyFolder,
  tickingClock,
} from '../../../test/histories.ts'
import { assertKeptTotals } from '../../../test/kept-totals.ts'
import {
  type Books,
  brandDay,
  documentsInForce,
  keepBooks,
  netPaidAt,
  occasionsAt,
  type Rules,
  type SalesDocument,
} from '../../../test/oracle.ts'
import type { Database } from '../../platform/db.ts'
import { refreshStanding } from '../relationship/actions.ts'

// What refunds leave of orders, held to the naive loops of test/oracle.ts on random histories.

const RUNS = 40

async function assertRevenue(database: Database, books: Books): Promise<void> {
  const [revenue] = await rowsOf<{ paid: number; refunded: number }>(
    database,
    `select (select coalesce(sum(amount_minor), 0)::bigint from commerce.published_orders) as paid,
      (select coalesce(sum(amount_minor), 0)::bigint from commerce.published_refunds) as refunded`,
  )
  const total = (list: readonly { amount: number }[]) => list.reduce((sum, { amount }) => sum + amount, 0)
  assert.deepEqual(revenue, { paid: total(books.orders), refunded: total(books.refunds) }, 'net revenue')
}

async function assertNetPaid(database: Database, books: Books, rules: Rules): Promise<void> {
  const stored = await rowsOf<{ customer: string; net: number }>(
    database,
    `select ${CUSTOMER} as customer, net_paid_minor as net from relationship.published_standing f`,
  )
  for (const { customer, net } of stored) {
    assert.equal(net, netPaidAt(books, customer, NOW, rules), `net paid of ${customer}`)
  }
  const known = [...books.orders, ...books.refunds]
    .map(({ customer }) => customer)
    .filter((customer) => customer !== '')
  for (const customer of new Set(known)) {
    assert.ok(
      stored.some((row) => row.customer === customer),
      `${customer} has a standing`,
    )
  }
}

async function assertOccasions(database: Database, books: Books, rules: Rules, at: number): Promise<void> {
  const found = await rowsOf<{ customer: string; key: string; at: number; count: number; net: number }>(
    database,
    `select ${CUSTOMER} as customer, coalesce(o.external_id, ((f.occasion_at at time zone $3)::date - date '1970-01-01')::text) as key,
       extract(epoch from f.occasion_at)::float8 * 1000 as at, f.order_count as count, f.net_minor as net
     from relationship.published_occasions f
     left join commerce.published_orders o on o.order_id = f.order_id and $2
     where f.from_at <= $1 and f.to_at > $1`,
    [new Date(at), rules.occasionUnit === 'order', rules.zone],
  )
  const expected = CUSTOMERS.flatMap((customer) =>
    occasionsAt(books, customer, at, rules).map((occasion) => ({
      customer,
      key: occasion.key,
      at: occasion.at,
      count: occasion.orders.length,
      net: occasion.net,
    })),
  )
  assert.deepEqual(sorted(found), sorted(expected), `occasions as of ${new Date(at).toISOString()}`)
}

test('orders, refunds, allocations, net paid and occasions are what the rules say', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const arbitrary = stories({ connectedBy: ['none', 'shop_account'], corrections: 'any' })
  await check(t, arbitrary, RUNS, async (story) => {
    const clock = tickingClock()
    await beginStory(database, story.rules)
    for (const index of story.files.keys()) await feed(database, clock, folder, story, index)
    await refreshStanding(database, clock)

    const books = keepBooks(documentsInForce(story.files, story.rules))
    await assertBooks(database, books)
    await assertKeptTotals(database, 'the story')
    await assertRevenue(database, books)
    await assertNetPaid(database, books, story.rules)
    for (const at of edges(story.rules).filter((_, index) => index % 5 === 0)) {
      await assertOccasions(database, books, story.rules, at)
    }
    await assertOccasions(database, books, story.rules, NOW)
  })
})

const DAY_MS = 86_400_000
const SHOP: Rules = {
  zone: 'Asia/Shanghai',
  periodDays: 365,
  occasionUnit: 'day',
  memberByPurchase: true,
  mergeDuplicates: false,
}

function bought(id: string, customer: string, daysAgo: number, price: number): SalesDocument {
  const lines = [{ item: 'x', quantity: 1, priceMilli: price * 1000 }]
  return { id, customer, at: NOW - daysAgo * DAY_MS, lines, refundOf: null }
}
const gaveBack = (document: SalesDocument, refundOf: string | null): SalesDocument => ({
  ...document,
  lines: document.lines.map((line) => ({ ...line, quantity: -line.quantity })),
  refundOf,
})

/** Found by the property above, kept by name: standing is refreshed after each file. */
const CASES: readonly { readonly name: string; readonly files: readonly (readonly SalesDocument[])[] }[] = [
  {
    name: 'two refunds of an order, one by nobody, never give back more than was paid, whatever is bought later',
    files: [
      [bought('o1', 'a', 9, 10), gaveBack(bought('o2', '', 8, 6), 'o1'), gaveBack(bought('o3', 'a', 7, 6), 'o1')],
      [bought('o4', 'a', 1, 3)],
    ],
  },
  {
    name: 'a refund that is corrected to name another order gives the first one back',
    files: [
      [bought('o1', 'a', 9, 10), bought('o2', 'b', 9, 10), gaveBack(bought('o3', 'c', 8, 10), 'o1')],
      [gaveBack(bought('o3', 'c', 8, 10), 'o2')],
    ],
  },
  {
    name: 'what a corrected refund gives back can be taken by a return of the same customer',
    files: [
      [bought('o1', 'a', 9, 10), gaveBack(bought('o2', '', 8, 10), 'o1'), gaveBack(bought('o3', 'a', 7, 10), null)],
      [bought('o2', '', 8, 10)],
    ],
  },
  {
    name: 'when the order arrives that somebody else refunded, their unmatched refund is matched',
    files: [[gaveBack(bought('o1', 'c', 8, 10), 'o2')], [bought('o2', 'a', 9, 10)]],
  },
  {
    name: 'orders of one instant are taken by their own ids, the first file first',
    files: [[bought('o1', 'a', 9, 4)], [bought('o2', 'a', 9, 5), gaveBack(bought('o3', 'a', 8, 6), null)]],
  },
  {
    name: 'orders of one instant are taken by their own ids, the first file last',
    files: [[bought('o2', 'a', 9, 5), gaveBack(bought('o3', 'a', 8, 6), null)], [bought('o1', 'a', 9, 4)]],
  },
]

test('refunds that once went wrong', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  for (const { name, files } of CASES) {
    await t.test(name, async () => {
      const story: Story = { rules: SHOP, connectedBy: 'none', files }
      const clock = tickingClock()
      await beginStory(database, SHOP)
      for (const index of files.keys()) {
        await feed(database, clock, folder, story, index)
        await refreshStanding(database, clock)
      }
      const books = keepBooks(documentsInForce(files, SHOP))
      await assertBooks(database, books)
      await assertNetPaid(database, books, SHOP)
    })
  }
})

test('the brand day of the yardstick begins at midnight of the zone', () => {
  assert.equal(brandDay(Date.parse('2025-11-20T15:59:59Z'), 'Asia/Shanghai'), 20_412)
  assert.equal(brandDay(Date.parse('2025-11-20T16:00:00Z'), 'Asia/Shanghai'), 20_413)
})
