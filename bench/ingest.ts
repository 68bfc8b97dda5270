// `node bench/ingest.ts [--facts 200000] [--batch 1000] [--connections 4] [--refunds 0]`: how many facts a second are stored for good
// when they come over HTTP, into a server and a PostgreSQL of this run's own. Prints one line of JSON and ends by itself.
//
// The server runs as it does for a user (fsync on, standing brought up to date meanwhile); the sender shares the machine
// with it, so its bodies are made before the clock starts.

import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const { values } = parseArgs({
  options: {
    facts: { type: 'string', default: '200000' },
    batch: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '4' },
    refunds: { type: 'string', default: '0' },
  },
})
const FACTS = Math.min(Number(values.facts), 500_000)
const BATCH = Math.min(Number(values.batch), 1000)
const CONNECTIONS = Number(values.connections)
/** Of a hundred facts, so many are refunds that name an earlier order. */
const REFUNDS_PERCENT = Number(values.refunds)
const WARM_UP_BATCHES = 8
const CUSTOMERS = 50_000
const RUN_MS_MAX = 180_000

function bodyOf(batch: number): string {
  const facts = Array.from({ length: BATCH }, (_, index) => {
    const number = batch * BATCH + index
    const isRefund = number > 2000 && number % 100 < REFUNDS_PERCENT
    return {
      kind: 'order',
      source: 'bench',
      external_id: `order-${number}`,
      customer_id: `customer-${(number * 7919) % CUSTOMERS}`,
      paid_at: new Date(1_700_000_000_000 + number * 1000).toISOString(),
      ...(isRefund ? { refund_of: `order-${number - 1999}` } : {}),
      lines: Array.from({ length: 1 + (number % 3) }, (_, line) => ({
        item: `item-${(number + line) % 500}`,
        quantity: 1 + (line % 2),
        unit_price: `${10 + (number % 90)}.50`,
      })),
    }
  })
  return JSON.stringify({ facts })
}

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })

function post(url: string, key: string, body: string): Promise<{ status: number; text: string; ms: number }> {
  const begun = performance.now()
  return new Promise((done, fail) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const sent = request(new URL('/api/v1/facts', url), { method: 'POST', agent, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => done({ status: response.statusCode ?? 0, text, ms: performance.now() - begun }))
    })
    sent.on('error', fail)
    sent.end(body)
  })
}

/** All bodies over so many connections. @returns milliseconds of each request. */
async function sendAll(url: string, key: string, bodies: readonly string[]): Promise<number[]> {
  const took: number[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
        const { status, text, ms } = await post(url, key, body)
        const stored = text.match(/"status":"new"/g)?.length ?? 0
        if (status !== 200 || stored !== BATCH) throw new Error(`${status}, ${stored} stored: ${text.slice(0, 300)}`)
        took.push(ms)
      }
    }),
  )
  return took.sort((a, b) => a - b)
}

async function main(): Promise<void> {
  const batches = Math.ceil(FACTS / BATCH)
  const bodies = Array.from({ length: batches + WARM_UP_BATCHES }, (_, batch) => bodyOf(batch))
  const home = await mkdtemp(join(tmpdir(), 'perennial-bench-'))
  // As root PostgreSQL runs under another account, which has to pass through this folder (mkdtemp makes it 0700).
  await chmod(home, 0o755)
  const env = { ...process.env, PERENNIAL_HOME: home, PORT: '0', DATABASE_URL: '' }
  const server = spawn(process.execPath, ['with-node.mjs', 'src/bin/server.ts', '--empty'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const limit = setTimeout(() => server.kill(), RUN_MS_MAX)
  try {
    const url = await addressOf(server.stdout)
    const cli = (...args: string[]) =>
      spawnSync(join(root, 'perennial'), args, { env, encoding: 'utf8' }).stdout.toString()
    const { key } = JSON.parse(cli('api-key-create', 'bench', '--scope', 'facts:write', '--json')) as { key: string }
    await sendAll(url, key, bodies.slice(0, WARM_UP_BATCHES))
    await sleep(2000)
    const begun = performance.now()
    const took = await sendAll(url, key, bodies.slice(WARM_UP_BATCHES))
    const seconds = (performance.now() - begun) / 1000
    const facts = batches * BATCH
    const at = (share: number) => Math.round(took[Math.floor(took.length * share)] ?? 0)
    console.log(
      JSON.stringify({
        facts,
        batch: BATCH,
        connections: CONNECTIONS,
        refunds_percent: REFUNDS_PERCENT,
        seconds: Number(seconds.toFixed(2)),
        facts_per_second: Math.round(facts / seconds),
        request_ms: { p50: at(0.5), p95: at(0.95), max: Math.round(took.at(-1) ?? 0) },
        cores: cpus().length,
        load_average: loadavg()[0]?.toFixed(1),
      }),
    )
  } finally {
    clearTimeout(limit)
    agent.destroy()
    const ended = new Promise((done) => server.once('exit', done))
    server.kill()
    await ended
    await rm(home, { recursive: true, force: true })
  }
}

async function addressOf(stdout: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface(stdout)) {
    const address = /^Perennial is ready at (\S+)$/.exec(line)?.[1]
    if (address) return address
  }
  throw new Error('The server did not get ready')
}

await main()
