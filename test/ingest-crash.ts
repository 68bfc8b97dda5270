import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { catchUp } from '../src/bin/catch-up.ts'
import { FACT_KINDS } from '../src/bin/routes.ts'
import { importOrders } from '../src/modules/commerce/actions.ts'
import { storeFacts } from '../src/modules/intake/actions.ts'
import { createSegment } from '../src/modules/segments/actions.ts'
import { atTerminal } from '../src/platform/audit.ts'
import { systemClock } from '../src/platform/clock.ts'
import { type Database, openDatabase } from '../src/platform/db.ts'
import { inspectCluster } from '../src/platform/embedded-postgres.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { differencesOf, pendingWork, readBrandState, urlOfBrand } from './brand-state.ts'
import { testDatabase } from './database.ts'
import { batchOf, expectedOf, hasCorrection, type Plan, type PlannedFact } from './ingest-plan.ts'
import { type Attempt, createSender, type Sender } from './ingest-sender.ts'
import { type Home, type Killable, makeHome, type Server } from './product.ts'
import { root, withClient } from './server.ts'

const SENDERS = 3
const DAYS_BACK = 90
/** A kill comes at a random instant of so many milliseconds after the senders are answered again. */
const KILL_WITHIN_MS = 500
const BACK_MS_MAX = 60_000
const SETTLED_MS_MAX = 60_000
const FILE_ORDERS = 400
/** Of a hundred rounds, so many have to cut a request in two. */
const INSIDE_PERCENT_MIN = 60

/** What is killed in each round, in turn. Without the app PostgreSQL is brought back by it; with it, by the next start. */
const TARGETS = ['app', 'postmaster', 'app', 'all of PostgreSQL', 'both'] as const
type Target = (typeof TARGETS)[number]

/**
 * Senders post facts of every kind over HTTP to the product as users start it, and files are imported, while app and
 * PostgreSQL are killed (SIGKILL) at random instants, so many times. After each kill nothing that was acknowledged is
 * lost, nothing is there twice and nothing is half there; in the end everything is as if there had been no kill, and members of
 * segments, which followed all the while, are those of segments that are made then.
 */
export async function ingestCrashRounds(t: TestContext, rounds: number): Promise<void> {
  const product = await startProduct(t)
  await withDatabase(product, makeSegments)
  const traffic = startTraffic(t, product)
  const { home } = product
  let inside = 0
  let filesKilled = 0
  const files: string[] = []
  for (let round = 0; round < rounds; round += 1) {
    const target = TARGETS[round % TARGETS.length] ?? 'app'
    await traffic.untilAnswered()
    const importing = target === 'all of PostgreSQL' ? await beginImport(home, files) : undefined
    const instant = Math.random() * (importing ? 2.5 : 1) * KILL_WITHIN_MS
    await sleep(instant)
    const cut = traffic.openAttempts()
    importing?.kill()
    await kill(target, product)
    if (target === 'app') await checkStored(product.databaseUrl, traffic, files)
    const begun = performance.now()
    if (target === 'app' || target === 'both') product.server = await home.start([], { PORT: product.port })
    await traffic.untilAnswered()
    await untilConnected(product.databaseUrl)
    const backMs = performance.now() - begun
    assert.equal(product.server.hasEnded, false, 'the server is there, also when PostgreSQL was killed under it')
    if (importing && (await importing.ended).code === -1) filesKilled += 1
    await checkStored(product.databaseUrl, traffic, files)
    const broken = cut.filter((attempt) => attempt.outcome === 'broken').length
    if (broken > 0) inside += 1
    t.diagnostic(
      `round ${round + 1}: killed ${target} ${Math.round(instant)} ms after an answer, ${cut.length} requests open, ` +
        `${broken} of them cut off; answers again after ${(backMs / 1000).toFixed(1)} s`,
    )
  }
  await traffic.stop()
  t.diagnostic(
    `${inside} of ${rounds} kills inside a batch, ${filesKilled} of ${files.length} file imports killed; ` +
      `${traffic.batches()} batches, ${traffic.givenUp.length} given up; of those cut off, sent again: ${traffic.cutOff()}`,
  )
  assert.ok(inside * 100 >= rounds * INSIDE_PERCENT_MIN, `only ${inside} of ${rounds} kills were inside a batch`)
  await checkStored(product.databaseUrl, traffic, files)
  await sendAgain(product, traffic, files)
  await compare(t, product, traffic, files)
}

interface Product {
  readonly home: Home
  readonly port: string
  readonly databaseUrl: string
  createSenders(): Sender[]
  server: Server
}

async function startProduct(t: TestContext): Promise<Product> {
  const home = await makeHome(t)
  const server = await home.start(['--empty'])
  const made = await home.cli(['api-key-create', 'senders', '--scope', 'facts:write', '--json'])
  const { key } = JSON.parse(made.stdout) as { key: string }
  const port = new URL(server.url).port
  const createSenders = () => {
    const senders = Array.from({ length: SENDERS }, () => createSender(`http://127.0.0.1:${port}`, key))
    t.after(() => {
      for (const sender of senders) sender.close()
    })
    return senders
  }
  return { home, server, port, createSenders, databaseUrl: await urlOfBrand(home) }
}

/** By standing, by orders, by acts and by words of the source, so that some are told from standing alone and some are not. */
const DEFINITIONS: Readonly<Record<string, Record<string, unknown>>> = {
  deep: { depth: { is: [3, 4, 5] } },
  'bought twice, not one thing': {
    all: [{ orders: { count: { at_least: 2 } } }, { not: { orders: { count: { at_least: 1 }, items: ['w1'] } } }],
  },
  'looked, or never bought': {
    any: [{ interactions: { count: { at_least: 1 } } }, { orders: { count: { at_most: 0 } } }],
  },
  close: { fan: { tier: ['active', 'devoted'] } },
}

async function makeSegments(database: Database): Promise<void> {
  for (const [name, definition] of Object.entries(DEFINITIONS)) {
    const made = await createSegment(database, systemClock, { name, definition }, atTerminal())
    if (isRefusal(made)) throw new Error(made.message)
  }
}

async function withDatabase(product: Product, work: (database: Database) => Promise<void>): Promise<void> {
  const database = openDatabase(product.databaseUrl)
  try {
    await work(database)
  } finally {
    await database.close()
  }
}

/** Somebody who is in a segment twice at one instant. */
const OVERLAPPING = `
  select person_id, segment_id, a.in_at, a.out_at, b.in_at as again_at
  from segments.stays a join segments.stays b using (person_id, segment_id)
  where b.in_at > a.in_at and b.in_at < a.out_at limit 3`

interface Batch {
  readonly sender: number
  readonly n: number
  readonly facts: readonly PlannedFact[]
}

interface Traffic {
  readonly plan: Plan
  readonly givenUp: readonly Batch[]
  /** Facts whose answer has come, `kind source id`. */
  readonly acknowledged: ReadonlySet<string>
  sentBy(sender: number): number
  batches(): number
  openAttempts(): Attempt[]
  /** How much of the batches whose answer did not come was stored: `all 3, none 2, part 1`. */
  cutOff(): string
  /** A sender has had an answer since. */
  untilAnswered(): Promise<void>
  /** Each finishes its batch. */
  stop(): Promise<void>
}

function keyOf({ kind, source, external_id }: PlannedFact): string {
  return `${kind} ${source} ${external_id}`
}

function startTraffic(t: TestContext, product: Product): Traffic {
  const begin = new Date()
  begin.setUTCHours(0, 0, 0, 0)
  begin.setUTCDate(begin.getUTCDate() - DAYS_BACK)
  const plan = { senders: SENDERS, begin }
  const senders = product.createSenders()
  const acknowledged = new Set<string>()
  const givenUp: Batch[] = []
  const sent = senders.map(() => 0)
  const answers = senders.map(() => 0)
  const cut = { all: 0, none: 0, part: 0 }
  let isStopping = false

  async function run(sender: Sender, index: number): Promise<void> {
    for (let n = 0; !isStopping; n += 1) {
      const facts = batchOf(plan, index, n)
      sent[index] = n + 1
      const mayGiveUp = () => !hasCorrection(n) && Math.random() < 0.3
      const done = await sender.send(facts, mayGiveUp)
      if (!done) {
        givenUp.push({ sender: index, n, facts })
        continue
      }
      const statuses = done.results.map((result) => result.status)
      const refused = done.results.find((result) => result.status === 'refused')
      assert.equal(refused, undefined, JSON.stringify(refused))
      assert.equal(statuses.length, facts.length)
      const known = statuses.filter((status) => status === 'known').length
      if (done.broken === 0) assert.equal(known, 0, 'what was sent once is not known')
      else cut[known === statuses.length ? 'all' : known === 0 ? 'none' : 'part'] += 1
      for (const fact of facts) acknowledged.add(keyOf(fact))
      answers[index] = (answers[index] ?? 0) + 1
    }
  }

  const running = Promise.all(senders.map(run))
  let failure: unknown
  running.catch((error) => {
    failure = error
    isStopping = true
  })
  t.after(() => {
    isStopping = true
  })
  return {
    plan,
    acknowledged,
    givenUp,
    sentBy: (sender) => sent[sender] ?? 0,
    batches: () => sent.reduce((sum, count) => sum + count, 0),
    openAttempts: () => senders.flatMap((sender) => [...sender.open].filter((attempt) => attempt.isSent)),
    cutOff: () => `all stored ${cut.all}, none ${cut.none}, part ${cut.part}`,
    untilAnswered: async () => {
      const before = [...answers]
      const deadline = performance.now() + BACK_MS_MAX
      while (answers.every((count, index) => count === before[index])) {
        if (failure) throw failure
        assert.ok(performance.now() < deadline, `no answers ${BACK_MS_MAX / 1000} s after the kill`)
        await sleep(10)
      }
    },
    stop: async () => {
      isStopping = true
      await running
    },
  }
}

/** A file of its own; it may be killed, and is imported again in the end. */
async function beginImport(home: Home, files: string[]): Promise<Killable> {
  const number = files.length
  const path = join(home.folder, `orders-${number}.csv`)
  const rows = Array.from({ length: 2 * FILE_ORDERS }, (_, row) => {
    const order = Math.floor(row / 2)
    const minute = String(order % 60).padStart(2, '0')
    return `f${number}-${order},c-${order % 90},2026-0${1 + (number % 6)}-${10 + (order % 18)} 1${order % 10}:${minute}:00,w${row % 2},1,${5 + (order % 40)}.00`
  })
  await writeFile(path, `order_id,customer_id,paid_at,item,quantity,unit_price\n${rows.join('\n')}\n`)
  files.push(path)
  return home.begin(['import', path, '--mapping', 'orders', '--json'])
}

async function kill(target: Target, product: Product): Promise<void> {
  const { pid, state } = await inspectCluster({ home: product.home.folder, root })
  assert.equal(state, 'running')
  assert.ok(pid)
  const processes = target === 'all of PostgreSQL' ? [...childrenOf(pid), pid] : [pid]
  const gone = target === 'app' || target === 'both' ? product.server.kill() : undefined
  if (target !== 'app') for (const one of processes) killOne(one)
  await gone
}

/** An answer may still come of what was stored before the kill. */
async function untilConnected(url: string): Promise<void> {
  const deadline = performance.now() + BACK_MS_MAX
  for (;;) {
    try {
      return await withClient(url, async () => {})
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(50)
    }
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // A session that has just ended.
    if ((error as { code?: string }).code !== 'ESRCH') throw error
  }
}

function childrenOf(parent: number): number[] {
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  return listed.split('\n').flatMap((line) => {
    const [pid, ppid] = line.trim().split(/\s+/).map(Number)
    return ppid === parent && pid ? [pid] : []
  })
}

/** What is stored against what was told: all that was acknowledged, each once, each whole. */
async function checkStored(url: string, traffic: Traffic, files: readonly string[]): Promise<void> {
  const acknowledged = [...traffic.acknowledged]
  await withClient(url, async (client) => {
    await client.query('begin isolation level repeatable read read only')
    const { rows: stored } = await client.query<{ key: string }>(
      `select kind || ' ' || source || ' ' || external_id as key from intake.inbox`,
    )
    const keys = new Set(stored.map(({ key }) => key))
    assert.equal(keys.size, stored.length)
    assert.deepEqual(
      acknowledged.filter((key) => !keys.has(key)),
      [],
      'acknowledged and lost',
    )
    await checkDocuments(client, traffic)
    const { rows: odd } = await client.query(ODD)
    assert.deepEqual(odd, [])
    for (const [number] of files.entries()) {
      const { rows } = await client.query('select count(*) as n from commerce.orders where external_id like $1', [
        `f${number}-%`,
      ])
      assert.ok([0, FILE_ORDERS].includes(Number(rows[0].n)), `${rows[0].n} orders of a file of ${FILE_ORDERS}`)
    }
  })
}

/** Facts that the inbox has and their table has not, or the other way round, or more than once. */
const ODD = `
  with rows as (
    select 'connection' as kind, connection_id as fact_id from customers.connections
    union all select 'membership', membership_id from customers.memberships
    union all select 'interaction', interaction_id from interactions.interactions
    union all select 'review', review_id from interactions.reviews
    union all select 'person', claim_id from customers.claims where kind = 'person'
    union all select 'record', claim_id from customers.records
    union all (select distinct 'claimed', claim_id from customers.claim_identities)
    union all (select 'order', order_id from commerce.orders union select 'order', refund_id from commerce.refunds)
  ), wanted as (
    select kind, fact_id from intake.inbox
    union all select 'record', fact_id from intake.inbox where kind = 'person'
    union all select 'claimed', fact_id from intake.inbox where kind = 'person'
  )
  select coalesce(w.kind, r.kind) as kind, fact_id, count(r.fact_id) as stored
  from wanted w full join (select * from rows) r using (kind, fact_id)
  group by coalesce(w.kind, r.kind), fact_id, w.fact_id having count(r.fact_id) <> 1 or w.fact_id is null`

/** Every order and refund, with its lines and its sum, is one of the bodies that its id was told with. */
async function checkDocuments(client: pg.Client, traffic: Traffic): Promise<void> {
  const { rows } = await client.query<{ key: string; lines: string; amount: string; said: string; counted: string }>(
    `select o.source || ' ' || o.external_id as key, count(l.line_no) as lines, sum(l.amount_minor) as amount,
       o.amount_minor as said, o.line_count as counted
     from commerce.orders o left join commerce.order_lines l using (person_id, order_id) group by o.person_id, o.order_id
     union all
     select r.source || ' ' || r.external_id, count(l.line_no), sum(l.amount_minor), r.amount_minor, count(l.line_no)
     from commerce.refunds r left join commerce.refund_lines l using (person_id, refund_id) group by r.person_id, r.refund_id`,
  )
  const expected = expectedOf(toldFacts(traffic))
  const seen = new Set<string>()
  for (const { key, lines, amount, said, counted } of rows) {
    assert.ok(!seen.has(key), `${key} is stored twice`)
    seen.add(key)
    assert.deepEqual([Number(amount), Number(lines)], [Number(said), Number(counted)], key)
    if (key.startsWith('orders ')) continue
    const bodies = expected.get(key) ?? []
    const isWhole = bodies.some((body) => body.lines === Number(lines) && body.amountMinor === Number(amount))
    assert.ok(isWhole, `${key}: ${lines} lines, ${amount}; told ${JSON.stringify(bodies)}`)
  }
}

/** Everything told so far, in order. */
function* toldFacts(traffic: Traffic): Generator<PlannedFact> {
  for (const { facts } of toldBatches(traffic)) yield* facts
}

function* toldBatches(traffic: Traffic): Generator<Batch> {
  const senders = Array.from({ length: SENDERS }, (_, sender) => sender)
  const last = Math.max(...senders.map((sender) => traffic.sentBy(sender)))
  for (let n = 0; n < last; n += 1) {
    for (const sender of senders) {
      if (n < traffic.sentBy(sender)) yield { sender, n, facts: batchOf(traffic.plan, sender, n) }
    }
  }
}

/** Every batch and file once more: what was acknowledged is known, and after that everything is. */
async function sendAgain(product: Product, traffic: Traffic, files: readonly string[]): Promise<void> {
  const senders = product.createSenders()
  const wasGivenUp = new Set(traffic.givenUp.map(({ sender, n }) => `${sender} ${n}`))
  const again = async (only: (batch: Batch) => boolean, mayBeNew: (batch: Batch) => boolean) => {
    const batches = [...toldBatches(traffic)].filter(only)
    const bySender = senders.map((sender, index) => ({ sender, own: batches.filter((one) => one.sender === index) }))
    await Promise.all(
      bySender.map(async ({ sender, own }) => {
        for (const batch of own) {
          const done = await sender.send(batch.facts)
          const other = done?.results.find(({ status }) => status !== 'known')
          if (!mayBeNew(batch)) assert.equal(other, undefined, JSON.stringify(other))
        }
      }),
    )
  }
  const isGivenUp = ({ sender, n }: Batch) => wasGivenUp.has(`${sender} ${n}`)
  await again(() => true, isGivenUp)
  await again(isGivenUp, () => false)
  for (const path of files) {
    const whole = await product.home.cli(['import', path, '--mapping', 'orders', '--json'])
    assert.equal(whole.code, 0, whole.stderr)
    const report = JSON.parse(whole.stdout) as { documents_new: number; documents_known: number }
    assert.ok([report.documents_new, report.documents_known].includes(FILE_ORDERS), whole.stdout)
  }
}

/** The same facts once, in order, into a database that nobody kills. */
async function compare(t: TestContext, product: Product, traffic: Traffic, files: readonly string[]): Promise<void> {
  const { database } = await testDatabase(t)
  for (const { facts } of toldBatches(traffic)) {
    const results = await storeFacts(database, systemClock, facts, FACT_KINDS)
    assert.ok(!isRefusal(results) && results.every(({ status }) => status === 'new' || status === 'corrected'))
  }
  for (const path of files) {
    const command = {
      path,
      mapping: 'orders',
      options: {},
      dryRun: false,
      rejectsFolder: product.home.folder,
      runsFolder: join(product.home.folder, 'runs'),
    }
    assert.ok(!isRefusal(await importOrders(database, systemClock, command)))
  }
  await catchUp(database, systemClock)
  await makeSegments(database)
  const expected = await readBrandState(database.pool)
  const found = await withClient(product.databaseUrl, async (client) => {
    const deadline = performance.now() + SETTLED_MS_MAX
    while ((await pendingWork(client)) > 0) {
      assert.ok(performance.now() < deadline, 'the server does not work off what is pending')
      await sleep(50)
    }
    assert.deepEqual((await client.query(OVERLAPPING)).rows, [])
    return await readBrandState(client)
  })
  assert.deepEqual(differencesOf(found, expected, ['the product', 'a database without kills']), [])
  const count = (part: string) => (found[part] ?? []).length
  t.diagnostic(
    `equal: ${count('members')} members of segments, ${count('inbox')} facts, ${count('orders')} orders, ${count('refunds')} refunds, ` +
      `${count('allocations')} allocations, ${count('people')} people, ${count('interactions')} interactions`,
  )
}
