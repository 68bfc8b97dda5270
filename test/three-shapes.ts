// `node with-node.mjs test/three-shapes.ts [--orders 3000]`: proves that it makes no difference by which way facts come.
//
// The same year of a shop comes in as files, by API and by webhook, each of them twice, under the same source and ids,
// while server and import are killed (kill -9) in the middle. Then everything stored is compared with one clean import
// into another data folder. Equal: exit 0. Not equal: it says where, and exits 1. Needs no set-up and leaves nothing behind.

import { createHmac } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { FactResult, ImportReport } from '../src/modules/intake/schema.ts'
import { systemClock } from '../src/platform/clock.ts'
import { differencesOf, pendingWork, readBrandState, urlOfBrand } from './brand-state.ts'
import { type Home, makeHome, type Server } from './product.ts'
import { withClient } from './server.ts'
import { makeShopYear, ORDERS_MAPPING, PEOPLE_MAPPING, SHOP, type ShopFact, type ShopYear } from './shop-year.ts'

const FACTS_OF_A_REQUEST = 200
const RETRIES_MAX = 100
const RETRY_MS = 100
const KILLED_AFTER_MS = 30
const SETTLED_MS_MAX = 60_000
const IMPORT_TRIES_MAX = 10

export interface ThreeShapes {
  /** Where the folder that got everything three ways differs from the clean one, and what was not as it should be on the way. */
  readonly differences: readonly string[]
  /** What the comparison says once the clean folder has one order more: never nothing, or it compares nothing. */
  readonly withOneMore: readonly string[]
  /** Servers and imports that were killed. */
  readonly killed: number
}

/** @param say takes what happens, a sentence at a time. */
export async function runThreeShapes(orderCount: number, say: (sentence: string) => void): Promise<ThreeShapes> {
  const year = makeShopYear(orderCount, systemClock.now())
  const { orders, refunds, people } = year.counts
  say(`A year of ${orders} orders, ${refunds} refunds, ${people} people, ${year.connections.length} connections`)
  const shop = await openShop()
  let clean: Shop | undefined
  try {
    const odd = await bringThreeWays(shop, year, say)
    clean = await openShop()
    await bringOnce(clean, year)
    say('The clean folder has the files, and the connections by API')
    const [mixed, once] = [await stateOf(shop), await stateOf(clean)]
    const differences = [...odd, ...wrongFigures(mixed, year), ...differencesOf(mixed, once, NAMES)]
    await clean.post([{ ...(year.facts.find(({ kind }) => kind === 'order') as ShopFact), external_id: 'O-extra' }])
    return { differences, withOneMore: differencesOf(mixed, await stateOf(clean), NAMES), killed: shop.killed }
  } finally {
    await clean?.home.remove()
    await shop.home.remove()
  }
}

const NAMES = ['three ways', 'one clean import'] as const

interface Shop {
  readonly home: Home
  readonly databaseUrl: string
  killed: number
  /** By key. */
  post(facts: readonly ShopFact[]): Promise<readonly FactResult[]>
  /** By webhook; a delivery has an id of its own. */
  deliver(id: string, facts: readonly ShopFact[]): Promise<Delivered>
  /** By the command line. @param isKilled kills the first try somewhere in the middle. */
  import(path: string, mapping: string, isKilled: boolean): Promise<ImportReport>
  /** Kills the server while `request` is under way, starts it again, and has the answer that the sender got in the end. */
  killedDuring<T>(request: () => Promise<T>): Promise<T>
}

interface Delivered {
  readonly status: 'stored' | 'known'
  readonly results: readonly FactResult[]
}

async function openShop(): Promise<Shop> {
  const home = await makeHome()
  let server: Server = await home.start(['--empty'])
  const { port } = new URL(server.url)
  const ask = async <T>(...args: string[]) =>
    JSON.parse((await home.cli([...args, '--json'], { PORT: port })).stdout) as T
  const { key } = await ask<{ key: string }>('api-key-create', 'three shapes', '--scope', 'facts:write')
  const webhook = await ask<{ secret: string; url: string }>('webhook-create', SHOP)
  const secret = Buffer.from(webhook.secret.slice('whsec_'.length), 'base64')

  const shop: Shop = {
    home,
    databaseUrl: await urlOfBrand(home),
    killed: 0,
    post: async (facts) => {
      const headers = () => ({ authorization: `Bearer ${key}` })
      const answer = await send<{ results: FactResult[] }>(
        `${server.url}/api/v1/facts`,
        JSON.stringify({ facts }),
        headers,
      )
      return answer.results
    },
    deliver: async (id, facts) => {
      const body = JSON.stringify({ type: 'facts', facts })
      return send<Delivered>(webhook.url, body, () => {
        const timestamp = String(Math.floor(systemClock.now().getTime() / 1000))
        const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
        return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
      })
    },
    import: async (path, mapping, isKilled) => {
      const args = ['import', path, '--mapping', mapping, '--json']
      // A random instant is not always the middle: an import that was faster has done its work, and is begun again.
      for (let tries = 0, took = 1000; isKilled && tries < IMPORT_TRIES_MAX; tries += 1) {
        const begun = performance.now()
        const running = home.begin(args)
        await Promise.race([sleep(took * (0.5 + Math.random() / 2)), running.ended])
        running.kill()
        if ((await running.ended).code === -1) {
          shop.killed += 1
          break
        }
        took = performance.now() - begun
      }
      const done = await home.cli(args)
      if (done.code !== 0)
        throw new Error(`The import of ${path} ended with ${done.code}: ${done.stdout}${done.stderr}`)
      return JSON.parse(done.stdout) as ImportReport
    },
    killedDuring: async (request) => {
      const answered = request()
      await Promise.race([sleep(Math.random() * KILLED_AFTER_MS), answered])
      await server.kill()
      shop.killed += 1
      server = await home.start([], { PORT: port })
      return answered
    },
  }
  return shop
}

/** Sends until an answer comes, the same body again, as the guide tells senders to. @throws Error when it is refused. */
async function send<T>(url: string, body: string, headers: () => Record<string, string>): Promise<T> {
  for (let tries = 0; tries < RETRIES_MAX; tries += 1) {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers() },
        body,
      })
      const text = await response.text()
      if (response.status === 200) return JSON.parse(text) as T
      if (response.status < 500) throw new SenderRefused(`${response.status}: ${text.slice(0, 300)}`)
    } catch (error) {
      if (error instanceof SenderRefused) throw error
    }
    await sleep(RETRY_MS)
  }
  throw new Error(`${url} does not answer`)
}

class SenderRefused extends Error {}

/** Everything by API, by webhook and by file, and once more by each. @returns what was not as it should be. */
async function bringThreeWays(shop: Shop, year: ShopYear, say: (sentence: string) => void): Promise<string[]> {
  const odd: string[] = []
  // No file brings the connections, so they come first.
  const all = [...year.connections, ...year.facts]
  const share = (from: number, to: number) =>
    batches(all.slice(Math.floor(from * all.length), Math.floor(to * all.length)))
  const told = new Tally()

  const first = share(0, 0.4)
  for (const [index, facts] of first.entries()) {
    const post = () => shop.post(facts)
    told.count('API', await (index === Math.floor(first.length / 2) ? shop.killedDuring(post) : post()))
  }
  say(`By API, the first 40 %: ${told.text('API')}; the server was killed in the middle`)

  const second = share(0.3, 0.7)
  for (const [index, facts] of second.entries()) {
    const deliver = () => shop.deliver(`delivery-${index}`, facts)
    const { results } = await (index === Math.floor(second.length / 2) ? shop.killedDuring(deliver) : deliver())
    told.count('webhook', results)
  }
  say(`By webhook, 40 % from the middle: ${told.text('webhook')}; the server was killed in the middle`)

  const [orders, people] = [join(shop.home.folder, 'orders.csv'), join(shop.home.folder, 'people.csv')]
  const files = await writeFiles(shop.home, year)
  for (const turn of ['file', 'file again'] as const) {
    for (const [path, mapping, isKilled] of [
      [orders, files.ordersMapping, turn === 'file'],
      [people, files.peopleMapping, false],
    ] as const) {
      const { documents_new, documents_corrected, documents_known, rows_rejected } = await shop.import(
        path,
        mapping,
        isKilled,
      )
      told.add(turn, {
        new: documents_new,
        corrected: documents_corrected,
        known: documents_known,
        refused: rows_rejected,
      })
    }
    say(`By ${turn}, everything: ${told.text(turn)}${turn === 'file' ? '; the import was killed in the middle' : ''}`)
  }

  for (const [index, facts] of batches(all).entries()) {
    told.count('API again', await shop.post(facts))
    told.count('webhook again', (await shop.deliver(`second-${index}`, facts)).results)
    const replayed = await shop.deliver(`second-${index}`, facts)
    if (replayed.status !== 'known' || replayed.results.length > 0)
      odd.push(`The delivery second-${index} was stored twice`)
  }
  say(`By API again: ${told.text('API again')}; by webhook again: ${told.text('webhook again')}`)
  return [
    ...odd,
    ...told.oddOf(['API', 'webhook', 'file'], ['new', 'known']),
    ...told.oddOf(['file again', 'API again', 'webhook again'], ['known']),
  ]
}

async function bringOnce(shop: Shop, year: ShopYear): Promise<void> {
  const files = await writeFiles(shop.home, year)
  await shop.import(files.orders, files.ordersMapping, false)
  await shop.import(files.people, files.peopleMapping, false)
  for (const facts of batches(year.connections)) await shop.post(facts)
}

async function writeFiles(home: Home, year: ShopYear) {
  const at = (name: string) => join(home.folder, name)
  const files = {
    orders: at('orders.csv'),
    people: at('people.csv'),
    ordersMapping: at('orders.yaml'),
    peopleMapping: at('people.yaml'),
  }
  await writeFile(files.orders, year.ordersCsv)
  await writeFile(files.people, year.peopleCsv)
  await writeFile(files.ordersMapping, ORDERS_MAPPING)
  await writeFile(files.peopleMapping, PEOPLE_MAPPING)
  return files
}

function batches(facts: readonly ShopFact[]): (readonly ShopFact[])[] {
  const count = Math.ceil(facts.length / FACTS_OF_A_REQUEST)
  return Array.from({ length: count }, (_, index) =>
    facts.slice(index * FACTS_OF_A_REQUEST, (index + 1) * FACTS_OF_A_REQUEST),
  )
}

type Status = FactResult['status']

/** What became of the facts of each way. */
class Tally {
  readonly #counts = new Map<string, Record<Status, number>>()
  readonly #examples = new Map<string, string>()

  count(way: string, results: readonly FactResult[]): void {
    for (const result of results) {
      this.add(way, { [result.status]: 1 })
      this.#examples.set(`${way} ${result.status}`, JSON.stringify(result))
    }
  }

  add(way: string, more: Partial<Record<Status, number>>): void {
    const counts = this.#counts.get(way) ?? { new: 0, corrected: 0, known: 0, stale: 0, refused: 0 }
    this.#counts.set(way, counts)
    for (const status of Object.keys(counts) as Status[]) counts[status] += more[status] ?? 0
  }

  text(way: string): string {
    const counts = Object.entries(this.#counts.get(way) ?? {}).filter(([, count]) => count > 0)
    return counts.map(([status, count]) => `${count} ${status}`).join(', ')
  }

  /** Facts that became something else than they should have. */
  oddOf(ways: readonly string[], allowed: readonly Status[]): string[] {
    return ways.flatMap((way) =>
      (Object.entries(this.#counts.get(way) ?? {}) as [Status, number][])
        .filter(([status, count]) => count > 0 && !allowed.includes(status))
        .map(
          ([status, count]) => `By ${way}: ${count} ${status}, e.g. ${this.#examples.get(`${way} ${status}`) ?? ''}`,
        ),
    )
  }
}

async function stateOf(shop: Shop) {
  return withClient(shop.databaseUrl, async (client) => {
    const deadline = performance.now() + SETTLED_MS_MAX
    while ((await pendingWork(client)) > 0) {
      if (performance.now() > deadline) throw new Error('The server does not work off what is pending')
      await sleep(50)
    }
    return readBrandState(client)
  })
}

/** What is stored against what the year was made of: two folders could be wrong in the same way. */
function wrongFigures(state: Awaited<ReturnType<typeof stateOf>>, year: ShopYear): string[] {
  const sumOf = (part: string) =>
    (state[part] ?? []).reduce((sum, row) => sum + (JSON.parse(row) as { amount_minor: number }).amount_minor, 0)
  const figures = [
    ['orders', (state.orders ?? []).length, year.counts.orders],
    ['refunds', (state.refunds ?? []).length, year.counts.refunds],
    ['records of people', (state.records ?? []).length, year.counts.people],
    ['net revenue', sumOf('orders') - sumOf('refunds'), year.netMinor],
  ] as const
  return figures.flatMap(([what, stored, told]) => (stored === told ? [] : [`${what}: ${stored} stored, ${told} told`]))
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { orders: { type: 'string', default: '3000' } } })
  const { differences, withOneMore, killed } = await runThreeShapes(Number(values.orders), (said) => console.log(said))
  console.log(
    `${killed} kills. One order more in the clean folder is noticed: ${withOneMore.length > 0 ? 'yes' : 'NO'}`,
  )
  for (const difference of differences) console.log(`DIFFERENT ${difference}`)
  const isEqual = differences.length === 0 && withOneMore.length > 0
  console.log(isEqual ? 'Equal: state, counts and people are those of one clean import.' : 'Not equal.')
  process.exitCode = isEqual ? 0 : 1
}
