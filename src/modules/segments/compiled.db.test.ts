import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { beginStory, check, NOW, settingsOf } from '../../../test/histories.ts'
import { instantsFor, RECORDS, type Told, tales, tell } from '../../../test/segment-histories.ts'
import { type Cuts, cutsAt, holds } from '../../../test/segment-oracle.ts'
import type { World } from '../../../test/segment-world.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { changeSettings } from '../brand/actions.ts'
import { storeFacts } from '../intake/actions.ts'
import { createTag } from '../tags/actions.ts'
import { createSegment, explainDefinition, peopleOfDefinition, setRule } from './actions.ts'
import { selectNextDue } from './member-queries.ts'

// Compiled definitions, and members kept by difference, held to the loops of test/segment-oracle.ts on random brands.

const RUNS = 24
const SECOND_MS = 1000

/** A clock that stands where it is put. */
function standingClock(at: number): Clock & { at: number } {
  const clock = { at, now: () => new Date(clock.at) }
  return clock
}

async function send(database: Database, clock: Clock, facts: readonly object[]): Promise<void> {
  if (facts.length === 0) return
  const results = await storeFacts(database, clock, facts, FACT_KINDS)
  if (isRefusal(results)) throw new Error(results.message)
  for (const { status, error } of results) assert.equal(status, 'new', error?.message)
}

async function customersOf(database: Database, people: ReturnType<typeof sql>): Promise<string[]> {
  const { rows } = await sql<{ customer: string }>`
    select distinct value as customer from customers.published_people
    where person_id in (${people}) and namespace = 'shop' order by 1`.execute(database.db)
  return rows.map(({ customer }) => customer)
}

/** As a run leaves them: who has not bought since has the very instants at which their rhythm turns. */
async function writeValues(database: Database, { world }: Told, at: number): Promise<void> {
  await database.pool.query('delete from value.settled')
  if (!world.values) return
  await database.pool.query(
    `insert into value.fits (fitted_at, unit, model_asked, model, occasions, spend_model, spend, discount_rate_per_year, people,
       repeaters, reachable_people, expected_minor, expected_low_minor, expected_high_minor, calibration)
     values ($1, 'day', 'nbd', 'nbd', '{}', 'shrunk-mean', '{}', 0, 0, 0, 0, 0, 0, 0, '[]')`,
    [new Date(at)],
  )
  for (const [customer, worth] of world.values) {
    await database.pool.query(
      `insert into value.settled
       select p.person_id, $2, $3, $4, $5, $6, $7, $8, s.last_occasion_at, $9,
         (select array_agg(((s.last_occasion_at at time zone $10)::date + d)::timestamp at time zone $10 order by d) from unnest($9::int[]) d)
       from customers.published_people p left join relationship.published_standing s using (person_id)
       where namespace = 'shop' and value = $1`,
      [
        customer,
        worth.expected,
        worth.own,
        worth.alive,
        worth.allocated,
        worth.influenced,
        worth.transaction,
        worth.propagation,
        worth.turns,
        world.rules.zone,
      ],
    )
  }
}

function expected(world: World, definition: unknown, at: number, cuts: Cuts | undefined): string[] {
  return world.customersAt(at).filter((customer) => holds(world, definition, customer, at, cuts ?? cutsAt(world, at)))
}

async function assertCompiled(database: Database, { world }: Told, definition: unknown, now: number, asOf?: number) {
  const at = asOf ?? now
  const asked = { now: new Date(now), asOf: asOf === undefined ? undefined : new Date(asOf) }
  const people = await peopleOfDefinition(database.db, definition as Record<string, unknown>, {
    ...asked,
    method: 'exact',
  })
  if (isRefusal(people)) throw new Error(people.message)
  const cuts = asOf === undefined || asOf >= now ? cutsAt(world, NOW) : undefined
  assert.deepEqual(
    await customersOf(database, people as ReturnType<typeof sql>),
    expected(world, definition, at, cuts),
    `${JSON.stringify(definition)} as of ${new Date(at).toISOString()}`,
  )
}

/** An explanation says the same, and the instant at which it turns by time alone is the instant at which it does. */
async function assertExplained(database: Database, { world }: Told, definition: unknown, now: number) {
  const cuts = cutsAt(world, NOW)
  const { rows } = await sql<{ person_id: number; customer: string }>`
    select person_id, value as customer from customers.published_people where namespace = 'shop'`.execute(database.db)
  for (const { person_id: personId, customer } of rows) {
    const asked = { now: new Date(now) }
    const why = await explainDefinition(database.db, definition as Record<string, unknown>, personId, asked)
    if (isRefusal(why)) throw new Error(why.message)
    const place = `${customer} ${JSON.stringify(definition)} at ${new Date(now).toISOString()}: ${JSON.stringify(why)}`
    const holdsAt = (at: number) => holds(world, definition, customer, at, cuts)
    assert.equal(why.holds, holdsAt(now), place)
    // Nor does it turn sooner: an hour after midnights and noons of the next days.
    for (const hours of [5, 17, 29, 53, 8 * 24 + 5, 15 * 24 + 5]) {
      const then = now + hours * 3_600_000
      if (why.flips_at !== null && Date.parse(why.flips_at) <= then) break
      assert.equal(holdsAt(then), why.holds, `${place}: turned within ${hours} hours`)
    }
    if (why.flips_at === null) continue
    const flip = Date.parse(why.flips_at)
    assert.equal(holdsAt(flip), !why.holds, `${place}: turned`)
    assert.equal(holdsAt(flip - 1), why.holds, `${place}: not before`)
  }
}

test('compiled definitions hold for whom the oracle says, now, in the past, and until when', async (t) => {
  const { database } = await testDatabase(t)
  await check(t, tales, RUNS, async (tale) => {
    await beginStory(database, tale.rules)
    const clock = standingClock(NOW)
    const [run] = tale.values
    const told = tell([...tale.first, ...tale.second], tale.rules, new Map(), run)
    await send(database, clock, [...RECORDS, ...told.facts])
    await catchUp(database, clock)
    await writeValues(database, told, NOW)
    const instants = instantsFor(tale.rules.zone)
    const looks = tale.looks.map((look) => instants[look % instants.length] ?? NOW).filter((at) => at < NOW)
    for (const definition of tale.definitions) {
      await assertCompiled(database, told, definition, NOW)
      for (const look of looks) await assertCompiled(database, told, definition, NOW, look)
      await assertExplained(database, told, definition, NOW)
    }
  })
})

/**
 * A tag that the first segment gives, and a segment that asks for it: by the oracle's own words it asks for the first segment, because
 * who has the tag is who is in it.
 */
async function giveTag(database: Database, clock: Clock, segments: Map<number, unknown>): Promise<number> {
  const made = async <T extends object>(work: Promise<T>) => {
    const answer = await work
    if (isRefusal(answer)) throw new Error(answer.message)
    return answer as Exclude<T, { code: string }>
  }
  const [first] = segments.keys()
  const [last] = [...segments.values()].reverse()
  if (first === undefined) throw new Error('There is no segment')
  const tag = await made(createTag(database, { name: 'Ruled' }, atTerminal(), clock.now()))
  await made(setRule(database, clock, { tagId: tag.tag_id, segmentId: first, by: atTerminal() }))
  const asking = { any: [{ all: [{ tag: { any_of: ['ruled'] } }, { not: last }] }, { tag: { any_of: ['none'] } }] }
  const name = 'asks for it'
  const segment = await made(
    createSegment(database, clock, { name, definition: asking as Record<string, unknown> }, atTerminal()),
  )
  segments.set(segment.segment_id, { all: [{ segment: first }, { not: last }] })
  return first
}

/** Who has the tag by its rule, at each instant since it was set, is who was in the segment. */
async function assertRuled(database: Database, segmentId: number, setAt: number) {
  const since = new Date(setAt)
  const { rows: stays } = await sql`
    select person_id, greatest(in_at, ${since}::timestamptz) as from_at, nullif(out_at, 'infinity') as to_at,
      case when in_at <= ${since}::timestamptz then 'rule' else in_cause end as given, out_cause as removed,
      case when in_at <= ${since}::timestamptz then null else in_fact_id end as given_fact, out_fact_id as removed_fact
    from segments.stays where segment_id = ${segmentId} and out_at > ${since}::timestamptz order by 1, 2`.execute(
    database.db,
  )
  const { rows: tags } = await sql`
    select person_id, given_at as from_at, removed_at as to_at, given_cause as given, removed_cause as removed,
      given_fact_id as given_fact, removed_fact_id as removed_fact
    from tags.assignments where source = 'rule' and given_at is distinct from removed_at order by 1, 2`.execute(
    database.db,
  )
  assert.deepEqual(tags, stays, 'by the rule, and in the segment')
}

test('members kept by difference are those of a recount at every instant, as facts come in and the clock goes on', async (t) => {
  const { database } = await testDatabase(t)
  await check(t, tales, RUNS, async (tale) => {
    await beginStory(database, tale.rules)
    const start = NOW - 40 * 86_400_000
    const clock = standingClock(start)
    const instants = instantsFor(tale.rules.zone)
    // Of the first facts those that had happened by then.
    const early = tale.first.filter(({ instant }) => (instants[instant % instants.length] ?? NOW) <= start)
    const late = [...tale.first.filter((one) => !early.includes(one)), ...tale.second]
    const [run, laterRun] = tale.values
    await send(database, clock, [...RECORDS, ...tell(early, tale.rules, new Map()).facts])
    await catchUp(database, clock)
    await writeValues(database, tell(early, tale.rules, new Map(), run), start)
    const segments = new Map<number, unknown>()
    for (const [index, definition] of tale.definitions.entries()) {
      // The second refers to the first.
      const [first] = segments.keys()
      const said = index === 1 && first !== undefined ? { any: [{ segment: first }, definition] } : definition
      const made = await createSegment(
        database,
        clock,
        { name: `s${index}`, definition: said as Record<string, unknown> },
        atTerminal(),
      )
      if (isRefusal(made)) throw new Error(made.message)
      segments.set(made.segment_id, said)
    }
    // Where segments give tags members do not follow with standing, but after it.
    const isRuling = (tale.looks[0] ?? 0) % 2 === 0
    const ruling = isRuling ? await giveTag(database, clock, segments) : undefined
    let told = tell(early, tale.rules, segments, run)
    let cuts = cutsAt(told.world, start)
    await assertMembers(database, told.world, segments, clock.at, cuts)
    for (let step = 0; step < 4; step += 1) clock.at = await goOn(database, clock, told, segments, cuts, NOW)
    clock.at = NOW
    told = tell([...early, ...late], tale.rules, segments, run)
    await send(database, clock, told.facts.slice(tell(early, tale.rules, segments).facts.length))
    await catchUp(database, clock)
    if (late.length > 0 && told.facts.length > tell(early, tale.rules, segments).facts.length)
      cuts = cutsAt(told.world, NOW) ?? cuts
    await assertMembers(database, told.world, segments, clock.at, cuts)
    if (laterRun) {
      told = tell([...early, ...late], tale.rules, segments, laterRun)
      await writeValues(database, told, NOW)
      await catchUp(database, clock)
      await assertMembers(database, told.world, segments, clock.at, cuts)
    }
    // Tiers and thresholds of RFM become others.
    clock.at += SECOND_MS
    const rules = { ...tale.rules, fanTierScores: [2, 6, 11], rfmCuts: tale.laterCuts }
    const changed = await changeSettings(database, settingsOf(rules), atTerminal(), clock.now())
    if (isRefusal(changed)) throw new Error(changed.message)
    await catchUp(database, clock)
    told = tell([...early, ...late], rules, segments, laterRun ?? run)
    if (changed.is_rebuilding) cuts = cutsAt(told.world, clock.at) ?? cuts
    await assertMembers(database, told.world, segments, clock.at, cuts)
    for (let step = 0; step < 5; step += 1)
      clock.at = await goOn(database, clock, told, segments, cuts, Number.POSITIVE_INFINITY)
    await assertSizes(database)
    if (ruling !== undefined) await assertRuled(database, ruling, start)
  })
})

/** The clock goes to just before somebody is next due, and then to it; nothing but time does anything. */
async function goOn(
  database: Database,
  clock: Clock & { at: number },
  { world }: Told,
  segments: ReadonlyMap<number, unknown>,
  cuts: Cuts | undefined,
  end: number,
): Promise<number> {
  const next = (await selectNextDue(database.db))?.getTime()
  if (next === undefined || next >= end) return clock.at
  for (const at of [next - 1, next, next + SECOND_MS]) {
    if (at <= clock.at || at >= end) continue
    clock.at = at
    await catchUp(database, clock)
    await assertMembers(database, world, segments, at, cuts)
  }
  return clock.at
}

async function assertMembers(
  database: Database,
  world: World,
  segments: ReadonlyMap<number, unknown>,
  at: number,
  cuts: Cuts | undefined,
) {
  for (const [segmentId, definition] of segments) {
    const kept = sql`select person_id from segments.published_members where segment_id = ${segmentId} and out_at = 'infinity'`
    assert.deepEqual(
      await customersOf(database, kept),
      expected(world, definition, at, cuts),
      `${JSON.stringify(definition)} at ${new Date(at).toISOString()}`,
    )
  }
}

async function assertSizes(database: Database) {
  const { rows } = await database.pool.query(
    `select segment_id from segments.segments s
     where size <> (select count(*) from segments.stays m where m.segment_id = s.segment_id and out_at = 'infinity')`,
  )
  assert.deepEqual(rows, [], 'sizes')
}
