// `node with-node.mjs bench/freshness.ts [--rate 200] [--batch 10] [--seconds 20]`: how long after a fact was stored its person stands by
// it, at so many facts a second, on a PostgreSQL of this run's own. Prints one line of JSON and ends by itself; exits 1 over the goal.
//
// Facts come as the routes take them, in requests of so many, and standing is brought up to date beside them as in the
// server. Each is the first order of somebody new, and is looked for every few milliseconds on a connection of its own.

import { cpus, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { FACT_KINDS } from '../src/bin/routes.ts'
import { createSettling } from '../src/bin/settling.ts'
import { storeFacts } from '../src/modules/intake/actions.ts'
import { systemClock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { withInstallation } from './cluster.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '200' },
    batch: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '20' },
  },
})
const BATCH = Math.min(1000, Math.max(1, Number(values.batch)))
const BATCHES_PER_SECOND = Math.max(1, Math.round(Number(values.rate) / BATCH))
const BATCHES = Math.min(120, Number(values.seconds)) * BATCHES_PER_SECOND
/** Not counted: plans, caches and the first pages of every table. */
const WARM_UP_MS = 3000
const WARM_UP_BATCHES = (WARM_UP_MS / 1000) * BATCHES_PER_SECOND
const LOOK_EVERY_MS = 10
const LAG_MS_GOAL = 1000
const LAG_MS_MAX = 30_000

const facts = (batch: number) =>
  Array.from({ length: BATCH }, (_, index) => ({
    kind: 'order',
    source: 'bench',
    external_id: `order-${batch * BATCH + index}`,
    customer_id: `customer-${batch * BATCH + index}`,
    paid_at: new Date(1_700_000_000_000 + batch * 1000).toISOString(),
    lines: [{ item: 'tea', quantity: 1, unit_price: '12.50' }],
  }))

async function measure(database: Database): Promise<{ lags: number[]; seconds: number }> {
  const settling = createSettling(systemClock, { log: console.error })
  const storedAt = new Map<string, number>()
  const lags: number[] = []
  const began = performance.now()
  let isSending = true

  async function send(batch: number): Promise<void> {
    await sleep(Math.max(0, (batch * 1000) / BATCHES_PER_SECOND - (performance.now() - began)))
    const given = facts(batch)
    const results = await storeFacts(database, systemClock, given, FACT_KINDS)
    if (isRefusal(results) || results.some(({ status }) => status !== 'new')) throw new Error('A fact was not stored')
    for (const { customer_id } of given) storedAt.set(customer_id, performance.now())
    settling.settle(database)
  }

  async function look(): Promise<void> {
    while (isSending || storedAt.size > 0) {
      const { rows } = await database.pool.query<{ value: string }>(
        `select p.value from customers.published_people p join relationship.published_standing s using (person_id)
         where p.kind = 'own_id' and p.namespace = 'bench' and p.value = any ($1) and s.occasions > 0`,
        [[...storedAt.keys()]],
      )
      const seen = performance.now()
      for (const { value } of rows) {
        const stored = storedAt.get(value) ?? seen
        if (stored - began > WARM_UP_MS) lags.push(seen - stored)
        storedAt.delete(value)
      }
      const [oldest] = storedAt.values()
      if (oldest !== undefined && seen - oldest > LAG_MS_MAX)
        throw new Error(`Somebody waits for over ${LAG_MS_MAX} ms`)
      await sleep(LOOK_EVERY_MS)
    }
  }

  try {
    const looking = look()
    await Promise.all(Array.from({ length: WARM_UP_BATCHES + BATCHES }, (_, batch) => send(batch)))
    const seconds = (performance.now() - began - WARM_UP_MS) / 1000
    isSending = false
    await looking
    return { lags: lags.sort((a, b) => a - b), seconds }
  } finally {
    await settling.stop()
  }
}

await withInstallation(async (installation) => {
  const made = await installation.createBrand({ key: 'fresh', name: 'fresh', isDemo: false }, systemClock.now())
  if (isRefusal(made)) throw new Error(made.message)
  const { lags, seconds } = await measure(await installation.openBrand(made))
  const at = (share: number) => Math.round(lags[Math.floor((lags.length - 1) * share)] ?? Number.NaN)
  const figures = {
    work: 'from a stored fact to its standing',
    facts: lags.length,
    batch: BATCH,
    facts_per_second: Math.round(lags.length / seconds),
    lag_ms: { p50: at(0.5), p95: at(0.95), max: at(1) },
    p95_goal_ms: LAG_MS_GOAL,
    cores: cpus().length,
    load_average: loadavg()[0]?.toFixed(1),
  }
  console.log(JSON.stringify(figures))
  process.exitCode = figures.lag_ms.p95 > LAG_MS_GOAL ? 1 : 0
})
