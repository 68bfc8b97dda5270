import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import {
  depthChanges,
  type History,
  interactionByRules,
  nextStepOf,
  standingAt as standingByRules,
  timedEnds,
} from '../../../test/depth-oracle.ts'
import {
  beginStory,
  CUSTOMERS,
  check,
  feed,
  NOW,
  settingsOf,
  storyFolder,
  tickingClock,
} from '../../../test/histories.ts'
import { occasionsAt, type Rules } from '../../../test/oracle.ts'
import { joined, send, type Tale, tales } from '../../../test/personal-histories.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { changeSettings, readSettings, readSettingsAnswer } from '../brand/actions.ts'
import { followIdentities as followOrders } from '../commerce/actions.ts'
import { mergePeople } from '../customers/actions.ts'
import { followIdentities as followInteractions } from '../interactions/actions.ts'
import {
  fanTiersAt,
  readInteraction,
  rebuild,
  refreshLapsed,
  refreshStanding,
  standingAt,
  standingOf,
} from './actions.ts'
import { EVERYONE, standingOfFew } from './queries.ts'
import { FAN_TIERS, nextStepAt } from './schema.ts'

// Depth, its dates, its evidence and its history, held to the naive loops of test/depth-oracle.ts on random histories.

const RUNS = 24
const DAY_MS = 86_400_000

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
  readonly kind: string
  readonly document: string
  readonly at: Date
}

/** One row for each kind a fact number is: an exchange is an order and a refund. */
async function readFacts(database: Database): Promise<Fact[]> {
  const { rows } = await database.pool.query<Fact>(
    `select order_id as id, 'order' as kind, external_id as document, paid_at as at from commerce.published_orders
     union all select refund_id, 'refund', external_id, refunded_at from commerce.published_refunds
     union all select connection_id, 'connection', '', begun_at from customers.published_connections
     union all select connection_id, 'end of connection', '', ended_at from customers.published_connections where ended_at is not null
     union all select membership_id, 'membership', '', enrolled_at from customers.published_memberships
     union all select claim_id, 'membership', '', enrolled_at from customers.published_records where enrolled_at is not null
     union all select interaction_id, 'interaction', type, occurred_at from interactions.published_interactions
     union all select review_id, 'review', item, reviewed_at from interactions.published_reviews`,
  )
  return rows
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
  facts: readonly Fact[],
  at: number,
) {
  // Whom only a replaced version of a document names is nobody.
  const known = [
    ...[...history.orders, ...history.refunds, ...history.acts, ...history.reviews],
    ...history.connections.map(({ customer, begun }) => ({ customer, at: begun })),
    ...history.memberships.map(({ customer, enrolled }) => ({ customer, at: enrolled })),
  ]
  const who = known.filter((fact) => fact.at <= at && fact.customer !== '').map(({ customer }) => customer)
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
        depthIfConnected: row.depth_if_connected,
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
        depthIfConnected: expected.depthIfConnected,
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

function assertEvidence(
  row: StandingRow,
  expected: ReturnType<typeof standingByRules>,
  history: History,
  rules: Rules,
  facts: readonly Fact[],
  at: number,
): void {
  const place = `evidence of ${row.customer} as of ${new Date(at).toISOString()}`
  assert.equal(row.evidence.length, expected.evidence.length, place)
  assert.equal(new Set(row.evidence).size, row.evidence.length, place)
  const occasions = occasionsAt(history, row.customer, at, rules)
  expected.evidence.forEach(({ kind, at: when }, index) => {
    const fact = facts.find((known) => known.id === row.evidence[index] && known.kind === kind)
    assert.equal(fact?.at.getTime(), when, `${place}: ${kind}`)
    // Payments of one instant are equally first; but it is one that counts.
    const counts = kind !== 'order' || occasions.some((occasion) => occasion.orders.includes(fact?.document ?? ''))
    assert.ok(counts, `${place}: ${fact?.document} counts`)
  })
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
  facts: readonly Fact[],
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
      const ends = timedEnds(history, customer, at, rules)
      assert.ok(ends.includes(at), `${place}: time alone, so it takes something away then`)
    } else {
      assert.ok(
        facts.some((fact) => fact.id === cause && fact.at.getTime() === at),
        `${place}: a fact of that instant`,
      )
    }
  }
}

type Rows = Record<string, unknown>[]

/** The derived tables as they stand. Standing that has lapsed by then is left out: rows wait for no clock. */
async function readTables(database: Database, now: Date): Promise<Record<string, Rows>> {
  const read = async (text: string, values: unknown[] = []) => (await database.pool.query(text, values)).rows as Rows
  return {
    occasions: await read('select * from relationship.occasions order by person_id, from_at, occasion_at, order_id'),
    eventful: await read('select * from relationship.eventful_occasions order by person_id, occasion_key, from_at'),
    eventful_orders: await read('select * from relationship.eventful_orders order by person_id, order_id'),
    standing: await read(
      'select * from relationship.standing where lapses_at is null or lapses_at > $1 order by person_id',
      [now],
    ),
    tiers: await read('select * from relationship.fan_tiers order by person_id'),
    changes: await read(
      `select person_id, changed_at, from_depth, to_depth, cause_fact_id from relationship.published_depth_changes
       where changed_at <= $1 order by person_id, changed_at`,
      [new Date(NOW)],
    ),
  }
}

/** Rules that differ in all that can be changed once something has come in: naive times were read in the zone. */
function otherRules(rules: Rules): Rules {
  return {
    ...rules,
    periodDays: rules.periodDays === 30 ? 365 : 30,
    occasionUnit: rules.occasionUnit === 'day' ? 'order' : 'day',
    memberByPurchase: !rules.memberByPurchase,
    spreadWindow: rules.spreadWindow === 'ever' ? 'period' : 'ever',
    fanTierScores: [8, 9, 10],
  }
}

/** Its first file comes in by other rules, which are changed then to those of the story. */
async function live(database: Database, clock: Clock, folder: string, { story, told }: Tale): Promise<void> {
  await beginStory(database, otherRules(story.rules))
  await send(database, clock, told.early)
  await refreshStanding(database, clock)
  for (const index of story.files.keys()) {
    await feed(database, clock, folder, story, index)
    await refreshStanding(database, clock)
    if (index > 0) continue
    const changed = await changeSettings(database, settingsOf(story.rules), atTerminal('test'), clock.now())
    assert.ok('is_rebuilding' in changed && changed.is_rebuilding)
    await refreshStanding(database, clock)
    assert.equal((await readSettingsAnswer(database.db)).is_rebuilding, false)
  }
  await send(database, clock, told.late)
  await refreshStanding(database, clock)
}

/** Whom no further fact is about may take either form: they say the same. */
async function assertForms(database: Database, rows: readonly StandingRow[], at: number): Promise<void> {
  const settings = await readSettings(database.db)
  const byRuns = await sql<StandingRow>`${standingOfFew(EVERYONE, new Date(at), settings)}`.execute(database.db)
  for (const { customer, ...row } of rows) {
    const other = byRuns.rows.find(({ person_id }) => person_id === row.person_id)
    assert.deepEqual(other, row, `${customer} by runs as of ${new Date(at).toISOString()}`)
  }
}

/** b turns out to be a: facts follow, and who is concerned is computed anew. */
async function join(database: Database, clock: Clock): Promise<boolean> {
  const { rows } = await database.pool.query<{ person_id: number }>(
    `select person_id from customers.published_people where value in ('a', 'b')`,
  )
  if (rows.length < 2) return false
  const merged = await mergePeople(database, clock, {
    personIds: rows.map((row) => row.person_id),
    by: atTerminal('test'),
  })
  assert.ok('claim_id' in merged)
  await followOrders(database, clock)
  await followInteractions(database, clock)
  await refreshStanding(database, clock)
  return true
}

const MET = [
  '0',
  '0 lost',
  '1',
  '2 by interaction',
  '2 by membership',
  '2 by order',
  '3 by order',
  '4 by order',
  '5 by order',
]

/** The depth, and which fact makes the member. */
function wayOf(row: StandingRow, facts: readonly Fact[]): string {
  if (row.depth < 2) return row.depth_if_connected > row.depth ? `${row.depth} lost` : String(row.depth)
  const second = facts.find(({ id, kind }) => id === row.evidence[1] && kind !== 'refund')
  return `${row.depth} by ${second?.kind}`
}

/** The interaction score and the fan tier, and when time alone changes the tier. */
async function assertInteractions(
  database: Database,
  history: History,
  rules: Rules,
  rows: readonly StandingRow[],
  { at, now }: { at: number; now: Date | undefined },
): Promise<void> {
  const settings = await readSettings(database.db)
  const tiers = now ? fanTiersAt(now, undefined, settings) : fanTiersAt(new Date(NOW), new Date(at), settings)
  const kept = await sql<{ person_id: number; fan_tier: string }>`${tiers}`.execute(database.db)
  for (const row of rows) {
    const place = `${row.customer} as of ${new Date(at).toISOString()}`
    const answer = await readInteraction(database.db, row.person_id, new Date(at))
    const expected = interactionByRules(history, row.customer, at, rules)
    assert.ok(Math.abs(answer.score - expected.score) < 0.006, `${place}: ${answer.score}, ${expected.score}`)
    assert.equal(answer.tier, FAN_TIERS[expected.tier]?.tier, place)
    const listed = kept.rows.find(({ person_id }) => person_id === row.person_id)?.fan_tier
    assert.equal(listed ?? 'passer_by', answer.tier, `${place}: as it is listed`)
    assert.equal(answer.tier_lapses_at && Date.parse(answer.tier_lapses_at), expected.lapsesAt, place)
  }
}

test('depth now, later and as of past instants, its log, and what a rebuild makes of it', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const met = new Set<string>()
  await check(t, tales, RUNS, async (tale) => {
    const { rules } = tale.story
    const clock = tickingClock()
    await live(database, clock, folder, tale)
    const isJoined = tale.isJoined && (await join(database, clock))
    const history = isJoined ? joined(tale.history, 'b', 'a') : tale.history
    const facts = await readFacts(database)
    const look = async (now: Date, asOf: Date | undefined) => {
      const rows = (await served(database, now, asOf)).filter(({ customer }) => !isJoined || customer !== 'b')
      for (const row of rows) met.add(wayOf(row, facts))
      return rows
    }
    const changesUntil = async (until: number) =>
      (await readChanges(database, until)).filter(({ customer }) => !isJoined || customer !== 'b')

    const now = clock.now()
    const present = await look(now, undefined)
    assertStanding(history, rules, present, facts, now.getTime())
    await assertInteractions(database, history, rules, present, { at: now.getTime(), now })
    // Time passes and nobody writes: rows that lapsed since are answered anew.
    for (const days of [rules.periodDays / 2, 3 * rules.periodDays]) {
      const later = new Date(now.getTime() + days * DAY_MS)
      assertStanding(history, rules, await look(later, undefined), facts, later.getTime())
    }
    for (const past of [NOW, ...tale.looks]) {
      const rows = await look(now, new Date(past))
      assertStanding(history, rules, rows, facts, past)
      await assertAlone(database, rows, past)
      await assertInteractions(database, history, rules, rows, { at: past, now: undefined })
      await assertForms(database, rows, past)
    }
    assertChanges(history, rules, await changesUntil(NOW), facts, NOW)

    // What grew file by file is what a rebuild makes, row for row.
    const grown = await readTables(database, now)
    await rebuild(database, { now: () => now })
    assert.deepEqual(await readTables(database, now), grown)
    assertChanges(history, rules, await changesUntil(now.getTime()), facts, now.getTime())

    // What time takes away is found by its date, stored once, and is what a rebuild would make then.
    const later = new Date(now.getTime() + tale.daysLater * DAY_MS)
    await refreshLapsed(database, { now: () => later })
    assert.equal(await refreshLapsed(database, { now: () => later }), 0, 'nothing is left to lapse')
    assertStanding(history, rules, await look(later, undefined), facts, later.getTime())
    assertChanges(history, rules, await changesUntil(later.getTime()), facts, later.getTime())
    const stored = await readTables(database, later)
    await rebuild(database, { now: () => later })
    assert.deepEqual(await readTables(database, later), stored)
  })
  assert.deepEqual(
    MET.filter((way) => !met.has(way)),
    [],
    'the histories come to every depth, by every way',
  )
})
