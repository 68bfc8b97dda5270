// `node with-node.mjs bench/value-day.ts [--people 100000]`: the values of a brand over a day, in an embedded PostgreSQL of this run's
// own with production settings: a run of everybody, and what following the facts costs when none came, one, and 10,000. Writes
// bench/last-value-day.json; exits 1 when following reads what did not change.

import { sql } from 'kysely'
import { FACT_KINDS } from '../src/bin/routes.ts'
import { storeFacts } from '../src/modules/intake/actions.ts'
import { rebuild, refreshStanding } from '../src/modules/relationship/actions.ts'
import { followChanges, valueEverybody } from '../src/modules/value/actions.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Database, Sql } from '../src/platform/db.ts'
import type { Installation } from '../src/platform/installation.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { fillOrders } from './fill.ts'
import { BENCH_NOW } from './orders.ts'
import type { Line } from './report.ts'
import { pagesRead } from './rows.ts'
import { benchSizes } from './sizes.ts'

const ORDERS_PER_PERSON = 3
/** Of people, who were brought by somebody. */
const BROUGHT_SHARE = 0.3
const FACTS = 10_000
const FACTS_A_REQUEST = 1000
const CUTS_KEPT_MS = 3600 * 1000
const IDLE_PAGES_MAX = 200
/** After the fill, so that facts are of later. */
const NOW = new Date(BENCH_NOW.getTime() + 3600 * 1000)
const CLOCK: Clock = { now: () => NOW }

const lines = await benchSizes({
  usage: 'node with-node.mjs bench/value-day.ts [--people N,N…]',
  sizes: '100000',
  name: 'value-day',
  measure: measureSize,
})
process.exitCode = lines.some(({ value, limit, isPromise }) => isPromise && limit !== undefined && value > limit)
  ? 1
  : 0

async function measureSize(installation: Installation, people: number, lines: Line[]): Promise<void> {
  const key = `people_${people}`
  const brand = await installation.createBrand({ key, name: key, isDemo: false }, BENCH_NOW)
  if (isRefusal(brand)) throw new Error(brand.message)
  const database = await installation.openBrand(brand)
  await database.transaction(async (tx) => {
    await fillOrders(tx, { people, ordersPerPerson: ORDERS_PER_PERSON })
    await fillClaims(tx, people)
  })
  await database.pool.query('vacuum analyze')
  await rebuild(database, CLOCK)
  await database.pool.query('vacuum analyze')
  const add = (work: string, value: number, more: Partial<Line> = {}) =>
    lines.push({ people, work, unit: 's', value, ...more })

  const run = await timed(() => valueEverybody(database, NOW))
  add('a run of everybody', run.seconds, { rows: run.answer?.people_in_trees ?? 0 })
  await database.pool.query('vacuum analyze')
  let idle = await timed(() => followChanges(database, NOW))
  const pages = await pagesRead(database, async () => {
    idle = await timed(() => followChanges(database, NOW))
  })
  add('following no facts', idle.seconds, { rows: idle.answer })
  add('pages read by it', pages, { unit: 'pages', limit: IDLE_PAGES_MAX, isPromise: true })
  for (const count of [1, FACTS]) {
    await sendOrders(database, people, count)
    await refreshStanding(database, CLOCK, CUTS_KEPT_MS)
    const followed = await timed(() => followChanges(database, NOW))
    add(`following ${count.toLocaleString('en-US')} orders`, followed.seconds, { rows: followed.answer })
  }
}

/** Somebody known brought a later one, minutes before the first connection. */
async function fillClaims(tx: Sql, people: number): Promise<void> {
  await sql`
    insert into customers.referral_claims (person_id, claim_id, identity_id, referrer_person_id, referrer_identity_id, source, claimed_at,
      recorded_at)
    select person_id, nextval('intake.fact_id'), person_id, referrer, referrer, 'bench', begun_at - interval '5 minutes', ${BENCH_NOW}
    from (
      select person_id, begun_at, 1 + ((person_id * 7919) % ${people}::bigint) as referrer
      from customers.connections where person_id % 10 < ${Math.round(10 * BROUGHT_SHARE)}
    ) c where referrer <> person_id`.execute(tx)
}

async function sendOrders(database: Database, people: number, count: number): Promise<void> {
  for (let from = 0; from < count; from += FACTS_A_REQUEST) {
    const facts = Array.from({ length: Math.min(FACTS_A_REQUEST, count - from) }, (_, index) => ({
      source: 'orders',
      kind: 'order',
      external_id: `later-${count}-${from + index}`,
      customer_id: `C${1 + (((from + index) * 104_729) % people)}`,
      paid_at: BENCH_NOW.toISOString(),
      lines: [{ item: 'SKU1', unit_price: 59 }],
    }))
    const stored = await storeFacts(database, CLOCK, facts, FACT_KINDS)
    if (isRefusal(stored)) throw new Error(stored.message)
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ seconds: number; answer: T }> {
  const begun = performance.now()
  const answer = await work()
  return { seconds: (performance.now() - begun) / 1000, answer }
}
