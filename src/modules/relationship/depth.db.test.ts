import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
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
import {
  type Connection,
  depthChanges,
  documentsInForce,
  type History,
  keepBooks,
  nextStepOf,
  occasionsAt,
  type Rules,
  standingAt as standingByRules,
} from '../../../test/oracle.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { readSettings } from '../brand/actions.ts'
import { rebuild, refreshStanding, standingAt, standingOf } from './actions.ts'
import { nextStepAt } from './schema.ts'

// Depth, its dates, its evidence and its history, held to the naive loops of test/oracle.ts on random histories.

const RUNS = 60
const DAY_MS = 86_400_000

interface Told {
  readonly story: Story
  /** Relations beside the files: adviser and customer, begun and perhaps ended. */
  readonly planted: readonly Connection[]
  readonly looks: readonly number[]
}

const connections = fc.array(
  fc.record({
    customer: fc.constantFrom(...CUSTOMERS),
    edge: fc.nat({ max: 1000 }),
    length: fc.option(fc.nat({ max: 12 })),
  }),
  { maxLength: 5 },
)

const isNamed = (story: Story, name: string) => story.files.flat().some(({ customer }) => customer === name)

const told: fc.Arbitrary<Told> = fc
  .record({
    story: fc.oneof(
      stories({ connectedBy: ['none'], corrections: 'any' }),
      stories({ connectedBy: ['shop_account'], corrections: 'same time and customer' }),
    ),
    connections,
    looks: fc.array(fc.nat({ max: 1000 }), { minLength: 4, maxLength: 4 }),
  })
  .map(({ story, connections: drawn, looks }) => {
    const instants = edges(story.rules)
    const planted = drawn.map(({ customer, edge, length }) => {
      const at = edge % instants.length
      const ended = length === null ? null : (instants[at + length] ?? NOW)
      return { customer, begun: instants[at] ?? NOW, ended }
    })
    return {
      story,
      // Nobody is known by a relation alone: files make the people.
      planted: story.connectedBy === 'none' ? planted.filter(({ customer }) => isNamed(story, customer)) : [],
      looks: looks.map((look) => instants[look % instants.length] ?? NOW),
    }
  })

/** There is no import of relations yet, so they are written as the module will: a row, and its person pending. */
async function plant(database: Database, planted: readonly Connection[]): Promise<void> {
  for (const { customer, begun, ended } of planted) {
    await database.pool.query(
      `insert into customers.connections (person_id, connection_id, identity_id, source, channel, begun_at, ended_at, recorded_at)
       select person_id, nextval('intake.fact_id'), identity_id, 'orders', 'planted', $2, $3, $2
       from customers.published_people where value = $1`,
      [customer, new Date(begun), ended === null ? null : new Date(ended)],
    )
  }
  await database.pool.query(
    `insert into intake.pending_people (subscriber, person_id)
     select 'relationship', person_id from customers.published_people where value = any ($1) on conflict do nothing`,
    [planted.map(({ customer }) => customer)],
  )
}

/** What the rules know of the story: its books, and who is connected since when. */
function historyOf({ story, planted }: Told): History {
  const books = keepBooks(documentsInForce(story.files, story.rules))
  const byAccount = CUSTOMERS.flatMap((customer) => {
    // A shop account is a live connection from the first order on.
    const [first] = books.orders.filter((order) => order.customer === customer)
    return first ? [{ customer, begun: first.at, ended: null }] : []
  })
  return { ...books, connections: story.connectedBy === 'none' ? planted : byAccount }
}

interface StandingRow {
  readonly customer: string
  readonly person_id: number
  readonly depth: number
  readonly since: Date | null
  readonly lapses_at: Date | null
  readonly lapses_to: number | null
  readonly evidence: number[]
  readonly depth_if_connected: number
  readonly last_occasion_at: Date | null
  readonly occasions: number
  readonly net_paid_minor: number
}

interface Fact {
  readonly id: number
  readonly kind: 'order' | 'refund' | 'connection'
  readonly document: string
  readonly at: Date
}

async function readFacts(database: Database): Promise<Map<string, Fact>> {
  const { rows } = await database.pool.query<Fact>(
    `select order_id as id, 'order' as kind, external_id as document, paid_at as at from commerce.published_orders
     union all select refund_id, 'refund', external_id, refunded_at from commerce.published_refunds
     union all select connection_id, 'connection', '', begun_at from customers.published_connections
     union all select connection_id, 'end of connection', '', ended_at from customers.published_connections where ended_at is not null`,
  )
  return new Map(rows.map((fact) => [`${fact.kind} ${fact.id}`, fact]))
}

async function served(database: Database, now: Date, asOf: Date | undefined): Promise<StandingRow[]> {
  const settings = await readSettings(database.db)
  const { rows } = await sql<StandingRow>`
    select p.value as customer, s.* from (${standingAt(now, asOf, settings)}) s
    join customers.published_people p using (person_id)`.execute(database.db)
  return rows
}

function assertStanding(
  history: History,
  rules: Rules,
  rows: readonly StandingRow[],
  facts: Map<string, Fact>,
  at: number,
  isStored: boolean,
) {
  // Whom only a replaced version of a document names is nobody.
  const who = [...history.orders, ...history.refunds, ...history.connections].flatMap((fact) =>
    ('begun' in fact ? fact.begun : fact.at) <= at && fact.customer !== '' ? [fact.customer] : [],
  )
  assert.deepEqual(rows.map(({ customer }) => customer).sort(), [...new Set(who)].sort(), 'people')
  for (const row of rows) {
    const expected = standingByRules(history, row.customer, at, rules)
    const place = `${row.customer} as of ${new Date(at).toISOString()}`
    assert.deepEqual(
      {
        depth: row.depth,
        since: row.since?.getTime() ?? null,
        lapsesAt: row.lapses_at?.getTime() ?? null,
        lapsesTo: row.lapses_to,
        // A stored row keeps what it was when it was written: people with no connection have no date to lapse on.
        depthIfConnected: isStored ? null : row.depth_if_connected,
        lastOccasionAt: row.last_occasion_at?.getTime() ?? null,
        occasions: row.occasions,
        netPaid: row.net_paid_minor,
        nextStep: nextStepAt(row.depth),
      },
      {
        depth: expected.depth,
        since: expected.since,
        lapsesAt: expected.lapsesAt,
        lapsesTo: expected.lapsesTo,
        depthIfConnected: isStored ? null : expected.depthIfConnected,
        lastOccasionAt: expected.lastOccasionAt,
        occasions: expected.occasions,
        netPaid: expected.netPaid,
        nextStep: nextStepOf(expected.depth),
      },
      place,
    )
    assert.ok(row.lapses_at === null || row.lapses_at.getTime() > at, `${place}: a lapsed depth is never served`)
    assertEvidence(row, expected, history, rules, facts, at)
  }
}

/** A person looked up has the standing that they have among all. */
async function assertAlone(database: Database, rows: readonly StandingRow[], at: number): Promise<void> {
  const [row] = rows
  if (!row) return
  const settings = await readSettings(database.db)
  const { customer, ...expected } = row
  const alone = await sql`${standingOf(row.person_id, new Date(at), settings)}`.execute(database.db)
  assert.deepEqual(alone.rows, [expected], `${customer} alone`)
}

/** The connection that decides, then the first payment of each deciding occasion, newest first. */
function assertEvidence(
  row: StandingRow,
  expected: ReturnType<typeof standingByRules>,
  history: History,
  rules: Rules,
  facts: Map<string, Fact>,
  at: number,
): void {
  const place = `evidence of ${row.customer} as of ${new Date(at).toISOString()}`
  const [connection, ...orders] = row.evidence
  assert.equal(facts.get(`connection ${connection}`)?.at.getTime() ?? null, expected.connectedBy, place)
  assert.equal(orders.length, expected.depth === 0 ? 0 : expected.decidedBy.length, place)
  const occasions = occasionsAt(history, row.customer, at, rules)
  orders.forEach((order, index) => {
    const fact = facts.get(`order ${order}`)
    assert.equal(fact?.at.getTime(), expected.decidedBy[index]?.at, place)
    // Payments of one instant are equally first; but it is one that counts.
    const counts = occasions.some((occasion) => occasion.orders.includes(fact?.document ?? ''))
    assert.ok(counts, `${place}: ${fact?.document} counts`)
  })
  assert.equal(new Set(orders).size, orders.length, place)
}

interface ChangeRow {
  readonly customer: string
  readonly at: number
  readonly from: number
  readonly to: number
  readonly cause: number | null
}

async function readChanges(database: Database, until: number): Promise<ChangeRow[]> {
  const { rows } = await database.pool.query<ChangeRow>(
    `select p.value as customer, extract(epoch from changed_at)::float8 * 1000 as at, from_depth as from, to_depth as to,
       cause_fact_id as cause
     from relationship.published_depth_changes join customers.published_people p using (person_id)
     where changed_at <= $1 order by p.value, changed_at`,
    [new Date(until)],
  )
  return rows
}

function assertChanges(
  history: History,
  rules: Rules,
  rows: readonly ChangeRow[],
  facts: Map<string, Fact>,
  until: number,
) {
  assert.deepEqual(
    rows.map(({ customer, at, from, to }) => ({ customer, at, from, to })),
    CUSTOMERS.flatMap((customer) =>
      depthChanges(history, customer, until, rules).map((change) => ({ customer, ...change })),
    ),
    'the log of changes is the history of depth',
  )
  for (const { customer, at, cause } of rows) {
    const place = `cause of the change of ${customer} at ${new Date(at).toISOString()}`
    if (cause === null) {
      const paid = history.orders.filter((order) => order.customer === customer).map((order) => order.at)
      assert.ok(paid.includes(at - rules.periodDays * DAY_MS), `${place}: time alone, so an occasion left the period`)
    } else {
      const kinds = ['order', 'refund', 'connection', 'end of connection'].map((kind) => facts.get(`${kind} ${cause}`))
      assert.ok(
        kinds.some((fact) => fact?.at.getTime() === at),
        `${place}: a fact of that instant`,
      )
    }
  }
}

type Rows = Record<string, unknown>[]

/** The derived tables as they stand. Standing that has lapsed by then is left out: rows wait for no clock. */
async function readTables(database: Database, now: Date): Promise<{ occasions: Rows; standing: Rows; changes: Rows }> {
  const read = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows as Rows
  return {
    occasions: await read('select * from relationship.occasions order by person_id, occasion_key, from_at'),
    standing: await read(
      'select * from relationship.standing where lapses_at is null or lapses_at > $1 order by person_id',
      [now],
    ),
    changes: await read(
      `select person_id, changed_at, from_depth, to_depth, cause_fact_id from relationship.published_depth_changes
       where changed_at <= $1 order by person_id, changed_at`,
      [new Date(NOW)],
    ),
  }
}

async function live(database: Database, clock: Clock, folder: string, { story, planted }: Told): Promise<void> {
  await beginStory(database, story.rules)
  for (const index of story.files.keys()) {
    await feed(database, clock, folder, story, index)
    await refreshStanding(database, clock)
  }
  await plant(database, planted)
  await refreshStanding(database, clock)
}

test('depth now, later and as of past instants, its log, and what a rebuild makes of it', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  await check(t, told, RUNS, async (tale) => {
    const { rules } = tale.story
    const clock = tickingClock()
    await live(database, clock, folder, tale)
    const history = historyOf(tale)
    const facts = await readFacts(database)

    const now = clock.now()
    assertStanding(history, rules, await served(database, now, undefined), facts, now.getTime(), true)
    // Time passes and nobody writes: rows that lapsed since are answered anew.
    for (const days of [rules.periodDays / 2, 3 * rules.periodDays]) {
      const later = new Date(now.getTime() + days * DAY_MS)
      assertStanding(history, rules, await served(database, later, undefined), facts, later.getTime(), true)
    }
    for (const past of [NOW, ...tale.looks]) {
      const rows = await served(database, now, new Date(past))
      assertStanding(history, rules, rows, facts, past, false)
      await assertAlone(database, rows, past)
    }
    assertChanges(history, rules, await readChanges(database, NOW), facts, NOW)

    // What grew file by file is what a rebuild makes, row for row.
    const grown = await readTables(database, now)
    await rebuild(database, { now: () => now })
    assert.deepEqual(await readTables(database, now), grown)
    const changes = await readChanges(database, now.getTime())
    assertChanges(history, rules, changes, facts, now.getTime())
  })
})
