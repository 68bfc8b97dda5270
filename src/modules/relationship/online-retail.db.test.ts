import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { createGunzip } from 'node:zlib'
import { needData } from '../../../test/data.ts'
import { testDatabase } from '../../../test/database.ts'
import { type Books, keepBooks, occasionsAt, type Rules, type SalesDocument } from '../../../test/oracle.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { systemClock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { importOrders } from '../commerce/actions.ts'
import { listFlow, refreshStanding, reportMigration } from './actions.ts'

// Who moved in a real shop, UCI 352 "Online Retail", against loops over its raw rows.

const FILE = 'online_retail_2010_2011/online_retail.csv.gz'
const DAY_MS = 86_400_000
const RULES: Rules = {
  zone: 'Asia/Shanghai',
  periodDays: 365,
  occasionUnit: 'day',
  memberByPurchase: true,
  mergeDuplicates: false,
}
const instant = (day: string) => Date.parse(`${day}T00:00:00+08:00`)

/** Invoice number, stock code, description (quoted where it has a comma), quantity, time, price, customer, country. */
const ROW = /^([^,]+),([^,]+),("(?:[^"]|"")*"|[^,]*),(-?\d+),([-\d]+ [:\d]+),([-.\d]+),([^,]*),/

/** The customers' books, each kept apart: refunds that name no order reduce what the same customer bought. */
async function booksOf(path: string): Promise<Map<string, Books>> {
  const documents = new Map<string, SalesDocument & { lines: SalesDocument['lines'][number][] }>()
  const lines = createInterface({
    input: createReadStream(path).pipe(createGunzip()),
    crlfDelay: Number.POSITIVE_INFINITY,
  })
  for await (const line of lines) {
    const [, id = '', item = '', , quantity, time = '', price, given = ''] = ROW.exec(line) ?? []
    const customer = given.replace(/\.0$/, '')
    if (customer === '') continue
    const at = Date.parse(`${time.replace(' ', 'T')}+08:00`)
    const known = documents.get(id) ?? { id, customer, at, lines: [], refundOf: null }
    known.lines.push({ item, quantity: Number(quantity), priceMilli: Math.round(Number(price) * 1000) })
    documents.set(id, { ...known, at: Math.min(known.at, at) })
  }
  const byCustomer = Map.groupBy(documents.values(), ({ customer }) => customer)
  return new Map([...byCustomer].map(([customer, own]) => [customer, keepBooks(own)]))
}

/** Connected from the first order on, and a member by it: never 1, and without a review never 5. */
function depthAt(books: Books, customer: string, at: number): number {
  if (!books.orders.some((order) => order.at <= at)) return 0
  const occasions = occasionsAt(books, customer, at, RULES)
  const inPeriod = occasions.filter((occasion) => occasion.at > at - RULES.periodDays * DAY_MS).length
  if (occasions.length === 0) return 1
  return inPeriod >= 2 ? 4 : inPeriod === 1 ? 3 : 2
}

test('Online Retail: who moved between two days is what loops over the raw rows count', async (t) => {
  const path = needData(t, FILE)
  if (!path) return
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-retail-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const { database } = await testDatabase(t)
  const report = await importOrders(database, systemClock, {
    path,
    mapping: 'online-retail',
    options: { connected_by: 'shop_account' },
    dryRun: false,
    rejectsFolder: folder,
    runsFolder: join(folder, 'imports'),
  })
  assert.ok(!isRefusal(report), JSON.stringify(report))
  await refreshStanding(database, systemClock)
  const books = await booksOf(path)
  assert.equal(books.size, 4372)

  // A season of growth, the cliff behind the data's end, and the day on which the two meet.
  const spans = [
    ['2011-06-01', '2011-12-10'],
    ['2011-12-10', '2012-06-01'],
    ['2011-11-24', '2011-12-10'],
  ] as const
  for (const days of spans) {
    await t.test(days.join(' to '), async () => {
      const [from, to] = days.map(instant) as [number, number]
      const flows: Record<string, number> = {}
      const movers: Record<string, string[]> = {}
      let [ups, downs] = [0, 0]
      for (const [customer, own] of books) {
        if (![...own.orders, ...own.refunds].some(({ at }) => at <= to)) continue
        const [before, after] = [depthAt(own, customer, from), depthAt(own, customer, to)]
        const flow = `${before} ${after}`
        flows[flow] = (flows[flow] ?? 0) + 1
        movers[flow] = [...(movers[flow] ?? []), customer]
        if (after > before) ups += 1
        if (after < before) downs += 1
      }
      const span = { from: new Date(from), to: new Date(to), now: systemClock.now() }
      const answer = await reportMigration(database, span)
      assert.ok(!isRefusal(answer))
      assert.deepEqual(
        Object.fromEntries(answer.flows.map((flow) => [`${flow.from_depth} ${flow.to_depth}`, flow.people])),
        flows,
      )
      assert.deepEqual([answer.ups, answer.downs, answer.net_deepening], [ups, downs, ups - downs])
      assert.ok(ups + downs > 100, `${ups} up, ${downs} down`)
      t.diagnostic(`${days.join(' to ')}: ${ups} up, ${downs} down; ${JSON.stringify(answer.causes)}`)

      const [largest = ''] = Object.keys(movers).filter((flow) => flow[0] !== flow[2])
      const listed = await listFlow(database, span, {
        fromDepth: Number(largest[0]),
        toDepth: Number(largest[2]),
        limit: 5000,
      })
      assert.ok(!isRefusal(listed))
      assert.deepEqual(listed.people.map(({ key }) => key).sort(), movers[largest]?.sort())
    })
  }
})
