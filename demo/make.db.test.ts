import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { reportDepth, reportMigration } from '../src/modules/relationship/actions.ts'
import { readValueMatrix, valueEverybody } from '../src/modules/value/actions.ts'
import type { Database } from '../src/platform/db.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { testDatabase } from '../test/database.ts'
import { scratchFolder } from '../test/scratch.ts'
import { calendarOf, DAY_MS } from './calendar.ts'
import { FILE_NAMES, writeClub } from './files.ts'
import { importClub } from './make.ts'

const NOW = new Date('2026-11-22T06:00:00Z')
const before = (days: number) => new Date(NOW.getTime() - days * DAY_MS)

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-demo-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function clubIn(t: TestContext, people: number): Promise<Database> {
  const { database } = await testDatabase(t)
  const reports = await importClub(database, { people, now: NOW, home: await folderFor(t) })
  assert.ok(!isRefusal(reports), JSON.stringify(reports))
  assert.deepEqual(reports.map(({ file_name }) => file_name).sort(), FILE_NAMES.map((name) => `${name}.csv`).sort())
  for (const report of reports) {
    assert.ok(report.rows_stored > 0, report.file_name)
    assert.deepEqual([report.file_name, report.rejected_by_reason, report.rows_merged], [report.file_name, {}, 0])
  }
  return database
}

async function rowsOf(database: Database, sql: string, ...values: unknown[]): Promise<Record<string, unknown>[]> {
  return (await database.pool.query(sql, values)).rows
}

test('the demo brand has people at every depth, who move, lapse, and were told of in every kind of fact', async (t) => {
  const database = await clubIn(t, 800)
  const { depths } = await reportDepth(database.db, NOW, undefined)
  for (const { depth, people } of depths) assert.ok(people >= 20, `${people} people at depth ${depth}`)
  const lapsing = await rowsOf(
    database,
    `select depth, count(*)::int as people from relationship.published_standing
     where lapses_at <= $1 group by depth order by depth`,
    before(-30),
  )
  assert.deepEqual(
    lapsing.map(({ depth }) => depth),
    [2, 3, 4, 5],
    'somebody of each lapses within a month',
  )

  const moved = await reportMigration(database, { from: before(30), to: NOW, now: NOW })
  assert.ok(!isRefusal(moved))
  assert.ok(moved.ups > 20 && moved.downs > 20, `${moved.ups} up, ${moved.downs} down`)
  const causes = moved.causes.map(({ kind }) => kind)
  for (const kind of ['connection', 'end_of_connection', 'interaction', 'order', 'refund', 'time'] as const) {
    assert.ok(causes.includes(kind), `a move by ${kind}, not only by ${causes}`)
  }

  const types = await rowsOf(
    database,
    'select type, count(*)::int as rows from interactions.published_interactions group by 1',
  )
  assert.equal(types.length, 13, 'every type of interaction')
  const [facts] = await rowsOf(
    database,
    `select (select count(distinct staff)::int from customers.connections where staff <> '') as staff,
       (select count(distinct channel)::int from customers.connections) as channels,
       (select count(*)::int from customers.connections where ended_at is not null) as ended,
       (select count(*)::int from customers.memberships where ended_at < $1) as run_out,
       (select count(*)::int from customers.records where unlinked ? 'phone') as masked,
       (select count(*)::int from commerce.orders where person_id = 0) as anonymous_orders,
       (select count(*)::int from commerce.refunds where of_external_id is not null) as named_refunds,
       (select count(*)::int from commerce.refunds where of_external_id is null) as other_refunds,
       (select count(*)::int from commerce.published_spreads) as spreads,
       (select count(*)::int from interactions.reviews where rating < 3) as bad_reviews,
       (select count(*)::int from customers.consents where state = 'withdrawn') as withdrawn,
       (select count(*)::int from tags.published_tags where lapses_at < $1) as tags_ended,
       (select count(*)::int from tags.published_tags where lapses_at > $1) as tags_fading,
       (select count(*)::int from (
         select from tags.published_tags where lapses_at is null group by person_id having count(*) > 2) p) as tagged_often,
       (select count(*)::int from customers.published_people where person_id <> identity_id) as merged`,
    NOW,
  )
  assert.ok(Number(facts?.staff) >= 8 && Number(facts?.channels) >= 5, JSON.stringify(facts))
  for (const [name, count] of Object.entries(facts ?? {})) assert.ok(Number(count) > 0, name)
})

test('some of the demo brand buy little, again and again, and have brought many', async (t) => {
  const database = await clubIn(t, 800)
  await valueEverybody(database, NOW)
  const { cells } = await readValueMatrix(database.db)
  const cell = cells.find(
    ({ depth, transaction, propagation }) => depth === 4 && transaction === 1 && propagation === 3,
  )
  assert.ok((cell?.people ?? 0) > 0, JSON.stringify(cells))
  assert.ok((cell?.allocated_minor ?? 0) > 2 * (cell?.own_minor ?? 0), 'most of what is theirs comes from others')
})

test('the same people and now make the same brand, whoever is imported first', async (t) => {
  const standing = async (database: Database) =>
    rowsOf(
      database,
      `select p.kind, p.value, s.depth, s.since, s.lapses_at, s.occasions, s.net_paid_minor
       from relationship.published_standing s join customers.published_people p on p.identity_id = s.person_id order by 1, 2`,
    )
  assert.deepEqual(await standing(await clubIn(t, 200)), await standing(await clubIn(t, 200)))
})

test('its files are the same for the same seed, and end before now in any season', async (t) => {
  const folder = await folderFor(t)
  const written = async (people: number, now: Date, seed?: number) => {
    const paths = await writeClub(folder, { people, now, ...(seed === undefined ? {} : { seed }) })
    return Promise.all(FILE_NAMES.map((name) => readFile(paths[name], 'utf8')))
  }
  const hashOf = (texts: readonly string[]) => createHash('sha256').update(texts.join('\0')).digest('hex')
  const first = hashOf(await written(400, NOW))
  assert.equal(first, hashOf(await written(400, NOW)))
  assert.notEqual(first, hashOf(await written(400, NOW, 1)))
  for (let month = 0; month < 24; month += 3) {
    const now = new Date(NOW.getTime() + month * 31 * DAY_MS)
    const { midAutumns, springFestivals, sales, adviserLeft } = calendarOf(now)
    assert.deepEqual(
      [midAutumns.length, springFestivals.length, sales.length].map((days) => days >= 1),
      [true, true, true],
    )
    assert.ok(adviserLeft < now.getTime())
    const texts = await written(200, now)
    // The last column of memberships is when they run out, which may lie ahead.
    for (const text of texts.map((one) => one.replace(/^(V.*),[^,]*$/gm, '$1'))) {
      for (const [instant] of text.matchAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g))
        assert.ok(Date.parse(instant) <= now.getTime(), instant)
    }
  }
})

test('festivals fall where the lunar calendar has them', () => {
  const { midAutumns, springFestivals } = calendarOf(NOW)
  const days = (list: readonly number[]) => list.map((at) => new Date(at + 8 * 3_600_000).toISOString().slice(0, 10))
  assert.deepEqual(days(midAutumns), ['2025-10-06', '2026-09-25'])
  assert.deepEqual(days(springFestivals), ['2025-01-29', '2026-02-17'])
})
