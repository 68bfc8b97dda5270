import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import manifest from '../package.json' with { type: 'json' }
import { type Brief, brief } from '../src/modules/analytics/schema.ts'
import { inspectCluster } from '../src/platform/embedded-postgres.ts'
import { cookieOf } from './http.ts'
import { type Home, makeHome, startProduct } from './product.ts'
import { root } from './server.ts'

const STOP_MS_MAX = 10_000

test('a start says two lines, serves an empty brand to who opens the link, and keeps its data folder for itself', async (t) => {
  const home = await makeHome(t)
  const server = await home.start(['--empty'])
  assert.match(
    server.lines.join('\n'),
    /^Perennial is ready at (http:\/\/127\.0\.0\.1:\d+)\nSign in once with \1\/sign-in\/[\w-]{22} \(valid 60 minutes\)$/,
  )

  const health = await (await fetch(`${server.url}/healthz`)).json()
  assert.deepEqual(health, {
    status: 'ok',
    version: manifest.version,
    database: { major: 18, embedded: true },
    brand: 'main',
    freshness: { pending_people: 0, oldest_pending_seconds: null },
  })

  const cookie = await signIn(server.signInUrl)
  const answer = await readBrief(server.url, cookie)
  assert.deepEqual(answer.brand, {
    key: 'main',
    name: 'My brand',
    is_demo: false,
    zone: 'Asia/Shanghai',
    currency: 'CNY',
    period_days: 365,
  })
  assert.deepEqual([answer.people, answer.orders, answer.net_revenue_minor, answer.last_import], [0, 0, 0, null])
  const page = await fetch(server.url, { headers: { accept: 'text/html' } })
  assert.match(await page.text(), /<div id="root">/)

  const second = await home.startToEnd()
  assert.equal(second.code, 1)
  assert.equal(second.stdout, '')
  assert.match(second.stderr, /^A Perennial server already runs on .+ \(process \d+\)\. Use that one, .+\n$/)
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200, 'the first one goes on')
})

test('SIGTERM ends it with 0 and its PostgreSQL with it; a later start is fast and makes nothing anew', async (t) => {
  const home = await makeHome(t)
  const [firstSeconds, first] = await timed(() => home.start(['--empty']))
  const { state, pid } = await cluster(home)
  assert.equal(state, 'running')

  const [stopSeconds, code] = await timed(() => first.signal('SIGTERM'))
  assert.equal(code, 0)
  assert.ok(stopSeconds * 1000 < STOP_MS_MAX, `${stopSeconds} s`)
  assert.equal((await cluster(home)).state, 'stopped')
  assert.equal(await isAlive(pid), false, 'no PostgreSQL is left behind')

  // Without --empty: a data folder that has a brand gets no demo brand.
  const [laterSeconds, later] = await timed(() => home.start())
  const health = (await (await fetch(`${later.url}/healthz`)).json()) as { brand: string }
  assert.equal(health.brand, 'main')
  t.diagnostic(`first start ${firstSeconds} s, stop ${stopSeconds} s, later start ${laterSeconds} s`)
})

test('a server that was killed leaves PostgreSQL running, and the next start takes it over', async (t) => {
  const home = await makeHome(t)
  await home.start(['--empty'])
  const before = await cluster(home)
  const pid = /\(process (\d+)\)/.exec((await home.startToEnd()).stderr)?.[1]
  process.kill(Number(pid), 'SIGKILL')

  const server = await home.start()
  const after = await cluster(home)
  assert.deepEqual([after.state, after.pid, after.port], ['running', before.pid, before.port])
  assert.equal(await server.signal('SIGTERM'), 0)
  assert.equal((await cluster(home)).state, 'stopped', 'the last one out stops it')
})

test('the first real import makes its own brand, and the running console switches to it', async (t) => {
  const product = await startProduct(t, { demo: 'new' })
  const cookie = await signIn(product.signInUrl)
  const demo = await readBrief(product.url, cookie)
  assert.deepEqual([demo.brand.key, demo.brand.is_demo], ['demo', true])
  assert.ok(demo.people >= 1000 && demo.buyers > 500 && demo.net_revenue_minor > 0)

  const orders = join(product.home, 'orders.csv')
  await writeFile(orders, 'order_id,customer_id,paid_at,item,amount\nA1,C1,2026-01-05 10:00,tea,88.00\n')
  const imported = await product.cli('import', orders)
  assert.equal(imported.code, 0, imported.stderr)
  assert.match(imported.stdout, /Imported into My brand \(main\)/)

  const own = await readBrief(product.url, cookie)
  assert.deepEqual([own.brand.key, own.brand.is_demo], ['main', false])
  assert.deepEqual([own.people, own.orders, own.net_revenue_minor], [1, 1, 8800])
  const session = await fetch(`${product.url}/api/v1/session`, { headers: { cookie } })
  assert.equal(((await session.json()) as { brand: { key: string } }).brand.key, 'main')
})

test('what cannot be started says so in a sentence: an unknown flag, a wrong port', async (t) => {
  const home = await makeHome(t)
  const flag = await home.startToEnd(['--emtpy'])
  assert.equal(flag.code, 2)
  assert.match(flag.stderr, /--emtpy/)
  const people = await home.startToEnd(['--people', '20'])
  assert.equal(people.code, 2)
  assert.match(people.stderr, /^--people takes a number from 200 to 1000000, not "20"\.\n/)
  const port = await home.startToEnd([], { PORT: 'http' })
  assert.equal(port.code, 1)
  assert.match(port.stderr, /^PORT is "http"; it takes a whole number/)
  const help = await home.startToEnd(['--help'])
  assert.equal(help.code, 0)
  assert.match(help.stdout, /--empty/)
  assert.equal((await cluster(home)).state, 'absent', 'none of these made anything')
})

function cluster(home: Home) {
  return inspectCluster({ home: home.folder, root })
}

/** A zombie that nobody collects (a container's pid 1) has ended. */
async function isAlive(pid: number | undefined): Promise<boolean> {
  assert.ok(pid)
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return !/\) Z /.test(status)
}

/** Opens the one-time link and returns the cookie header of the session. */
async function signIn(link: string | undefined): Promise<string> {
  assert.ok(link, 'a sign-in link')
  const opened = await fetch(link, { redirect: 'manual' })
  assert.equal(opened.status, 303)
  return cookieOf(opened)
}

async function readBrief(url: string, cookie: string): Promise<Brief> {
  const response = await fetch(`${url}/api/v1/brief`, { headers: { cookie } })
  assert.equal(response.status, 200)
  return brief.parse(await response.json())
}

async function timed<T>(work: () => Promise<T>): Promise<[seconds: number, result: T]> {
  const begun = performance.now()
  const result = await work()
  return [Math.round((performance.now() - begun) / 100) / 10, result]
}
