// `node with-node.mjs bench/ingest.ts [--kinds order,interaction,mix] [--facts 300000] [--batch 1000] [--connections 4]
// [--refunds 0]`: how many facts a second are stored for good when they come over HTTP, into a server and a PostgreSQL of this
// run's own. Prints one line of JSON for each kind and ends by itself.
//
//   order         orders of 1 to 3 lines
//   interaction   one thing that somebody did
//   mix           of 20 requests 16 with interactions, 3 with orders, 1 with records of people: each comes from a system of
//                 its own, and they send at once
//   blend         the same, but mixed within each request
//
// The server runs as it does for a user (fsync on, standing brought up to date meanwhile); the sender shares the machine
// with it, so its bodies are made before the clock starts. `cpu_ms_per_1000` is what the processor did for 1,000 facts, by
// process: on a machine that others use it says more than the seconds.

import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
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
    kinds: { type: 'string', default: 'order,interaction,mix' },
    facts: { type: 'string', default: '300000' },
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

type Kind = 'order' | 'interaction' | 'person'
type Work = Exclude<Kind, 'person'> | 'mix' | 'blend'

/** Which kind the nth of 20 is. */
const IN_TWENTY = (n: number): Kind =>
  n % 20 === 7 ? 'person' : n % 20 === 3 || n % 20 === 10 || n % 20 === 17 ? 'order' : 'interaction'

function kindOf(work: Work, batch: number, number: number): Kind {
  if (work === 'mix') return IN_TWENTY(batch)
  return work === 'blend' ? IN_TWENTY(number) : work
}

function factOf(kind: Kind, number: number): object {
  const customer = `customer-${(number * 7919) % CUSTOMERS}`
  const at = new Date(1_700_000_000_000 + number * 1000).toISOString()
  const head = { kind, source: 'bench', external_id: `${kind}-${number}` }
  if (kind === 'interaction') {
    const identity = { kind: 'own_id', value: customer }
    return { ...head, identity, type: 'view', item: `item-${number % 500}`, occurred_at: at }
  }
  if (kind === 'person') {
    const phone = `+861380${String((number * 7919) % CUSTOMERS).padStart(7, '0')}`
    const identities = [
      { kind: 'own_id', value: customer },
      { kind: 'phone', value: phone },
    ]
    return { ...head, identities, name: `Customer ${number}` }
  }
  const isRefund = number > 2000 && number % 100 < REFUNDS_PERCENT
  return {
    ...head,
    customer_id: customer,
    paid_at: at,
    ...(isRefund ? { refund_of: `order-${number - 1999}` } : {}),
    lines: Array.from({ length: 1 + (number % 3) }, (_, line) => ({
      item: `item-${(number + line) % 500}`,
      quantity: 1 + (line % 2),
      unit_price: `${10 + (number % 90)}.50`,
    })),
  }
}

function bodyOf(work: Work, batch: number): string {
  const facts = Array.from({ length: BATCH }, (_, index) => {
    const number = batch * BATCH + index
    return factOf(kindOf(work, batch, number), number)
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

/** Milliseconds of the processor that a process and its children took, e.g. PostgreSQL's. */
function cpuMs(pid: number): number {
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && statOf(name)?.[1] === String(pid))
  return [String(pid), ...children].reduce((sum, name) => {
    const stat = statOf(name)
    // Of processes that ended the parent keeps the sum.
    const ticks = stat
      ? Number(stat[11]) + Number(stat[12]) + (name === String(pid) ? Number(stat[13]) + Number(stat[14]) : 0)
      : 0
    return sum + ticks * 10
  }, 0)
}

function statOf(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** PostgreSQL's first process, by its command line in /proc; undefined where there is none to see. */
function postmasterOf(home: string): number | undefined {
  const name = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      return words[0]?.endsWith('postgres') && words.some((word) => word.startsWith(home))
    } catch {
      return false
    }
  })
  return name ? Number(name) : undefined
}

async function measure(work: Work): Promise<void> {
  const batches = Math.ceil(FACTS / BATCH)
  const bodies = Array.from({ length: batches + WARM_UP_BATCHES }, (_, batch) => bodyOf(work, batch))
  const home = await mkdtemp(join(tmpdir(), 'perennial-bench-'))
  // As root PostgreSQL runs under another account, which has to pass through this folder (mkdtemp makes it 0700).
  await chmod(home, 0o755)
  const env = { ...process.env, PERENNIAL_HOME: home, PORT: '0', DATABASE_URL: '' }
  // Not by with-node.mjs: the figures are of this process and not of a parent.
  // With the options that with-node.mjs gave to this run too.
  const server = spawn(process.execPath, [...process.execArgv, 'src/bin/server.ts', '--empty'], {
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
    const postmaster = postmasterOf(home)
    const spent = () =>
      [cpuMs(server.pid ?? 0), postmaster ? cpuMs(postmaster) : 0, process.cpuUsage().user / 1000] as const
    const before = spent()
    const begun = performance.now()
    const took = await sendAll(url, key, bodies.slice(WARM_UP_BATCHES))
    const seconds = (performance.now() - begun) / 1000
    const [node, postgres, sender] = spent().map((ms, index) =>
      Math.round((ms - (before[index] ?? 0)) / batches / (BATCH / 1000)),
    )
    const facts = batches * BATCH
    const at = (share: number) => Math.round(took[Math.floor(took.length * share)] ?? 0)
    console.log(
      JSON.stringify({
        kind: work,
        facts,
        batch: BATCH,
        connections: CONNECTIONS,
        refunds_percent: REFUNDS_PERCENT,
        seconds: Number(seconds.toFixed(2)),
        facts_per_second: Math.round(facts / seconds),
        request_ms: { p50: at(0.5), p95: at(0.95), max: Math.round(took.at(-1) ?? 0) },
        cpu_ms_per_1000: { node, postgres, sender },
        cores: cpus().length,
        load_average: loadavg()[0]?.toFixed(1),
      }),
    )
  } finally {
    clearTimeout(limit)
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

for (const work of (values.kinds ?? '').split(',')) await measure(work as Work)
agent.destroy()
