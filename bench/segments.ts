// `node bench/segments.ts [--people 10000,100000]`: segments over people with three orders and three interactions each, made inside
// PostgreSQL with the product's own settings. Prints a table and ends by itself.

import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { FACT_KINDS } from '../src/bin/routes.ts'
import { storeFacts } from '../src/modules/intake/actions.ts'
import { rebuild, refreshLapsed, refreshStanding } from '../src/modules/relationship/actions.ts'
import {
  CONTINUATION,
  countSegment,
  createSegment,
  deleteSegment,
  refreshSegments,
} from '../src/modules/segments/actions.ts'
import { atTerminal } from '../src/platform/audit.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Database, Sql } from '../src/platform/db.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { withInstallation } from './cluster.ts'
import { fillOrders } from './fill.ts'
import { BENCH_NOW } from './orders.ts'
import { type Line, machineFacts, printReport } from './report.ts'
import { untilNobodyAnalyses, untilReadsAreTold } from './rows.ts'

const { values } = parseArgs({ options: { people: { type: 'string', default: '10000,100000' } } })
const ORDERS_PER_PERSON = 3
const INTERACTIONS_PER_PERSON = 3
const FACTS = 10_000
const FACTS_A_REQUEST = 1000
/** The first and three after it, which is in how many of 10,000 people everybody has bought once. */
const BATCHES = 4
const CUTS_KEPT_MS = 3600 * 1000
const IDLE_CYCLES = 20
/** In the zone of the brand, and the last before the instant of the figures. */
const YEAR_ENDS_AT = Date.parse('2025-12-31T16:00:00Z')
const TYPED = 5

/** What a shop would ask. */
const DEFINITIONS: Readonly<Record<string, Record<string, unknown>>> = {
  'bought lately, deep': {
    all: [{ orders: { count: { at_least: 1 }, window: { last_days: 90 } } }, { depth: { is: [3, 4, 5] } }],
  },
  'used to buy': {
    all: [{ orders: { count: { at_least: 2 } } }, { orders: { count: { at_most: 0 }, window: { last_days: 180 } } }],
  },
  'worth winning back': { rfm: { r: [1, 2], m: [4, 5] } },
  'looks and does not buy': {
    all: [
      { interactions: { count: { at_least: 2 }, types: ['view', 'cart'], window: { last_days: 60 } } },
      { not: { orders: { count: { at_least: 1 }, window: { last_days: 60 } } } },
    ],
  },
  'close, or about to lapse': {
    all: [
      { any: [{ fan: { tier: ['active', 'devoted'] } }, { depth: { lapses_within_days: 30 } }] },
      { connection: { channels: ['shop_account'] } },
      { not: { consent: { purpose: 'marketing', state: 'withdrawn' } } },
    ],
  },
}

/** By the number of a row `n`, each `salt` a draw of its own: by remainders all three of a person were of one type at a million people. */
const drawn = (salt: number) => sql.raw(`((hashint8extended(n, ${salt}) >> 11) & 9007199254740991)`)

/** Interactions of the last year, by month, in the order in which they would have come. */
async function fillInteractions(tx: Sql, people: number): Promise<void> {
  const months = Array.from({ length: 13 }, (_, index) => {
    const now = new Date(BENCH_NOW)
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 12 + index, 1))
  })
  for (const month of months) {
    const next = new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 1))
    const name = `interactions_${month.toISOString().slice(0, 7).replace('-', '_')}`
    await sql`
      create table interactions.${sql.ref(name)} partition of interactions.interactions
      for values from (${sql.lit(month.toISOString())}) to (${sql.lit(next.toISOString())})`.execute(tx)
  }
  await sql`
    insert into interactions.interactions (person_id, occurred_at, interaction_id, identity_id, source, type, item, recorded_at)
    select person_id, ${BENCH_NOW}::timestamptz - make_interval(secs => 1 + ${drawn(22)} % (360 * 86400)), nextval('intake.fact_id'), person_id,
      'bench', (array['view', 'cart', 'share', 'reply', 'click'])[1 + ${drawn(23)} % 5], 'SKU' || n % 500, ${BENCH_NOW}
    from (select n, 1 + ${drawn(21)} % ${people}::bigint as person_id from generate_series(1, ${people * INTERACTIONS_PER_PERSON}::bigint) n) i
    order by person_id`.execute(tx)
}

async function timed<T>(work: () => Promise<T>): Promise<{ seconds: number; answer: T }> {
  const begun = performance.now()
  const answer = await work()
  return { seconds: (performance.now() - begun) / 1000, answer }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0
}

/** A clock that goes on from the instant of the figures. */
function runningClock(): Clock {
  const [start, begun] = [new Date(BENCH_NOW).getTime(), performance.now()]
  return { now: () => new Date(start + 1000 + Math.round(performance.now() - begun)) }
}

async function measure(database: Database, people: number): Promise<Line[]> {
  const clock = runningClock()
  await database.transaction(async (tx) => {
    await fillOrders(tx, { people, ordersPerPerson: ORDERS_PER_PERSON })
    await fillInteractions(tx, people)
  })
  await database.pool.query('vacuum analyze')
  await rebuild(database, clock)
  await database.pool.query('vacuum analyze relationship.standing')
  const lines: Line[] = []
  const add = (work: string, value: number, more: Partial<Line> = {}) =>
    lines.push({ people, work, unit: 's', value, ...more })

  for (const calendar of ['this_month', 'this_year'] as const) {
    const { seconds, people: due } = await turnCalendar(database, calendar)
    add(`all due as ${calendar} ends`, seconds, { rows: due, ...(calendar === 'this_month' ? { limit: 1 } : {}) })
  }

  let five = 0
  for (const [name, definition] of Object.entries(DEFINITIONS)) {
    const { seconds, answer } = await timed(() => createSegment(database, clock, { name, definition }, atTerminal()))
    if (isRefusal(answer)) throw new Error(answer.message)
    five += seconds
    add(`segment "${name}"`, seconds, { rows: answer.size ?? 0 })
  }
  add('five segments made', five, { limit: 15 })

  await database.pool.query('vacuum analyze')
  for (const [name, definition] of Object.entries(DEFINITIONS)) {
    const exact = await timed(() => countSegment(database.db, definition, { now: clock.now(), method: 'exact' }))
    if (isRefusal(exact.answer)) throw new Error(exact.answer.message)
    add(`exact count "${name}"`, exact.seconds, { limit: 5, rows: exact.answer.people })
  }
  const sample = (definition: Record<string, unknown>) =>
    timed(() => countSegment(database.db, definition, { now: clock.now(), method: 'sample' }))
  const [first] = Object.values(DEFINITIONS)
  if (first) add('the sample drawn, and counted', (await sample(first)).seconds)
  for (const [name, definition] of Object.entries(DEFINITIONS)) {
    const took: number[] = []
    for (let round = 0; round < TYPED; round += 1) took.push((await sample(definition)).seconds)
    add(`while typing "${name}"`, medianOf(took), { limit: 0.2 })
  }

  // Of the first, tables that were just made have their pages read and first written; the service that goes on is the ones after it.
  const took: number[] = []
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await sendFacts(database, clock, people, batch)
    const { seconds } = await timed(async () => {
      await refreshStanding(database, clock, CUTS_KEPT_MS, CONTINUATION)
      await refreshLapsed(database, clock)
      await refreshSegments(database, clock)
    })
    took.push(seconds)
  }
  const [begun = 0, ...going] = took
  add(`the first ${FACTS} facts to the members`, begun, { limit: 1 })
  add(`from ${FACTS} facts to the members`, medianOf(going), { limit: 1 })

  // While the clock stands nobody is due.
  const then = clock.now()
  const stopped: Clock = { now: () => then }
  await refreshSegments(database, stopped)
  // As autovacuum does: until then the entry of who is due next has its row looked at too, one in each cycle. It does nothing for rows
  // that are younger than what others look at, so those come first.
  await untilNobodyAnalyses(database)
  await database.pool.query('vacuum segments.verdicts')
  const read = await rowsRead(database, async () => {
    for (let cycle = 0; cycle < IDLE_CYCLES; cycle += 1) await refreshSegments(database, stopped)
  })
  add('rows of people read by idle cycles', read, { unit: 'rows', limit: 0, isPromise: true })
  const idle = await timed(() => refreshSegments(database, stopped))
  add('an idle cycle', idle.seconds)
  return lines
}

/** The calendar goes on, and with it everybody who bought in the stretch that ends is due at one instant. */
async function turnCalendar(
  database: Database,
  calendar: 'this_month' | 'this_year',
): Promise<{ seconds: number; people: number }> {
  const at = (instant: number): Clock => ({ now: () => new Date(instant) })
  const definition = { orders: { count: { at_least: 1 }, window: { calendar } } }
  const made = await createSegment(database, at(YEAR_ENDS_AT - 1000), { name: calendar, definition }, atTerminal())
  if (isRefusal(made)) throw new Error(made.message)
  const { seconds, answer: people } = await timed(() => refreshSegments(database, at(YEAR_ENDS_AT)))
  const deleted = await deleteSegment(database, at(YEAR_ENDS_AT), made.segment_id, atTerminal())
  if (isRefusal(deleted)) throw new Error(deleted.message)
  if (people !== made.size) throw new Error(`${people} of ${made.size} people left with ${calendar}`)
  return { seconds, people }
}

/**
 * Two of three about something done, one an order, of as many people as there are facts; in each batch of others, as far as there are
 * others, and while there are any who have not bought on that day yet.
 */
async function sendFacts(database: Database, clock: Clock, people: number, batch: number): Promise<void> {
  for (let begin = 0; begin < FACTS; begin += FACTS_A_REQUEST) {
    const at = clock.now().toISOString()
    const facts = Array.from({ length: FACTS_A_REQUEST }, (_, index) => {
      const number = batch * FACTS + begin + index
      const customer = `C${1 + ((number * 7919) % people)}`
      const head = { source: 'orders', external_id: `fresh-${number}` }
      // Ten thousand is one more than a multiple of three: the next batch has its orders of others.
      if (number % 3 !== 0) {
        const identity = { kind: 'own_id', namespace: 'orders', value: customer }
        return { ...head, kind: 'interaction', identity, type: 'view', item: 'SKU1', occurred_at: at }
      }
      const lines = [{ item: 'SKU1', quantity: 1, unit_price: '19.00' }]
      return { ...head, kind: 'order', customer_id: customer, paid_at: at, lines }
    })
    const results = await storeFacts(database, clock, facts, FACT_KINDS)
    if (isRefusal(results)) throw new Error(results.message)
    const bad = results.find(({ status }) => status !== 'new')
    if (bad) throw new Error(`${bad.external_id}: ${bad.status} ${bad.error?.message}`)
  }
}

/** Rows of facts, standing, verdicts and past stays that `work` read, as PostgreSQL counts them; where there are any, says of what. */
async function rowsRead(database: Database, work: () => Promise<unknown>): Promise<number> {
  const count = async () => {
    await untilReadsAreTold(database)
    const { rows } = await database.pool.query<{ relname: string; read: number }>(
      `select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) as read from pg_stat_user_tables
       where schemaname in ('customers', 'commerce', 'interactions', 'relationship') and relname <> 'rfm_cuts'
         or schemaname = 'segments' and (relname like 'verdicts%' or relname like 'past_stays%')
         or schemaname = 'intake' and relname = 'pending_people'`,
    )
    return new Map(rows.map(({ relname, read }) => [relname, read]))
  }
  const before = await count()
  await work()
  let total = 0
  for (const [table, read] of await count()) {
    const more = read - (before.get(table) ?? 0)
    if (more > 0) console.error(`${more} rows read of ${table}`)
    total += more
  }
  return total
}

const lines: Line[] = []
await withInstallation(async (installation) => {
  let machine: Awaited<ReturnType<typeof machineFacts>> | undefined
  for (const people of (values.people ?? '').split(',').map(Number)) {
    const made = await installation.createBrand(
      { key: `bench_${people}`, name: 'Bench', isDemo: false },
      new Date(BENCH_NOW),
    )
    if (isRefusal(made)) throw new Error(made.message)
    const database = await installation.openBrand(made)
    machine ??= await machineFacts(database)
    lines.push(...(await measure(database, people)))
  }
  if (machine) printReport(machine, lines)
})
