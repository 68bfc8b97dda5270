import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { importOrders } from '../commerce/actions.ts'
import { reportDepth } from '../relationship/actions.ts'
import { importPeople, listWithdrawn, mergePeople, refreshAgedPhones } from './actions.ts'

const at = (instant: string): Clock => ({ now: () => new Date(instant) })
/** 1,095 days of 24 hours after SEEN. */
const SEEN = '2023-03-01T08:00:00Z'
const LAPSE = '2026-02-28T08:00:00Z'
const BEFORE = '2026-02-28T07:59:59.999Z'
const LATER = '2026-05-01T00:00:00Z'
const SHOP = { own_id_source: 'orders' }
const PHONE = '+8613800001111'

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-phones-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  let files = 0
  const feed = async (now: string, kind: 'people' | 'orders', lines: readonly string[]) => {
    files += 1
    const path = join(folder, `${files}.csv`)
    await writeFile(path, `${lines.join('\n')}\n`)
    const options: Record<string, string> = kind === 'people' ? SHOP : {}
    const command = {
      path,
      mapping: kind,
      options,
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'runs'),
    }
    const report = await (kind === 'people' ? importPeople : importOrders)(database, at(now), command)
    if (isRefusal(report)) throw new Error(report.message)
    return report
  }
  /** People with their occasions, once everything that facts and time left to do is done. */
  const people = async (now: string) => {
    await catchUp(database, at(now))
    const { rows } = await sql<{ keys: string[]; occasions: number }>`
      select array_agg(p.value order by p.value) as keys, s.occasions
      from relationship.published_standing s join customers.published_people p using (person_id)
      group by s.person_id, s.occasions order by keys`.execute(database.db)
    return rows.map(({ keys, occasions }) => [...keys, occasions])
  }
  return { database, feed, people }
}

const ORDERS = ['order_id,customer_id,paid_at,item,amount', '1,a,2025-12-05,w,10', '2,b,2026-02-05,w,20']
const record = (id: string, seenAt: string, more = '') => `${id},13800001111,${seenAt}${more}`
const HEADER = 'own_id,phone,seen_at'

test('a phone links until its limit, to the millisecond, and facts follow when time alone parts people', async (t) => {
  const { database, feed, people } = await start(t)
  await feed(BEFORE, 'orders', ORDERS)
  await feed(BEFORE, 'people', [HEADER, record('a', SEEN), record('b', SEEN)])
  assert.deepEqual(await people(BEFORE), [[PHONE, 'a', 'b', 2]])
  assert.equal(await refreshAgedPhones(database, at(BEFORE)), 0)
  assert.deepEqual(await people(LAPSE), [
    ['a', 1],
    ['b', 1],
  ])
  assert.equal(await refreshAgedPhones(database, at(LATER)), 0, 'it is done once')
})

test('one of two is enough to part them; the younger claim keeps the phone', async (t) => {
  const { feed, people } = await start(t)
  await feed(BEFORE, 'orders', ORDERS)
  await feed(BEFORE, 'people', [HEADER, record('a', SEEN), record('b', '2025-01-01')])
  assert.deepEqual(await people(LATER), [
    [PHONE, 'b', 1],
    ['a', 1],
  ])
})

test('what had lapsed before it came links nobody, and counts for nothing where a phone is shared', async (t) => {
  const { database, feed, people } = await start(t)
  const old = ['c', 'd', 'e'].map((id) => record(id, SEEN))
  await feed(LATER, 'people', [HEADER, record('a', '2026-01-01'), record('b', '2026-01-01'), ...old])
  assert.deepEqual(await people(LATER), [
    [PHONE, 'a', 'b', 0],
    ['c', 0],
    ['d', 0],
    ['e', 0],
  ])
  assert.deepEqual(await listWithdrawn(database), [])
})

test('the same record seen later is as young as that, and joins again what had lapsed', async (t) => {
  const { database, feed, people } = await start(t)
  await feed(BEFORE, 'orders', ORDERS)
  await feed(BEFORE, 'people', [HEADER, record('a', SEEN), record('b', SEEN)])
  const renewed = await feed(BEFORE, 'people', [HEADER, record('a', '2026-02-01')])
  assert.deepEqual([renewed.documents_known, renewed.documents_corrected], [1, 0])
  assert.deepEqual(await people(LATER), [
    [PHONE, 'a', 1],
    ['b', 1],
  ])
  // An old export once more takes nothing back, and one of today brings the other record with it.
  await feed(LATER, 'people', [HEADER, record('a', SEEN), record('b', SEEN)])
  assert.deepEqual((await people(LATER)).length, 2)
  const again = await feed(LATER, 'people', ['own_id,phone', 'b,13800001111'])
  assert.deepEqual([again.documents_known, again.rows_merged], [1, 1])
  assert.deepEqual(await people(LATER), [[PHONE, 'a', 'b', 2]])
  const { rows } = await sql<{ claimed_at: Date }>`
    select claimed_at from customers.claims order by claim_id`.execute(database.db)
  assert.deepEqual(
    rows.map((row) => row.claimed_at.toISOString()),
    ['2026-01-31T16:00:00.000Z', '2026-05-01T00:00:00.000Z'],
  )
})

test('a correction begins anew: with the time it says', async (t) => {
  const { feed, people } = await start(t)
  const header = 'record_id,own_id,phone,name,seen_at'
  await feed(LATER, 'people', [header, 'r1,a,13800001111,A,2026-01-01', 'r2,b,13800001111,B,2026-01-01'])
  assert.deepEqual(await people(LATER), [[PHONE, 'a', 'b', 0]])
  await feed(LATER, 'people', [header, 'r2,b,13800001111,Bo,2020-01-01'])
  assert.deepEqual(await people(LATER), [
    [PHONE, 'a', 0],
    ['b', 0],
  ])
})

test('e-mails, firm identities and merges by hand have no age', async (t) => {
  const { database, feed, people } = await start(t)
  const mail = 'own_id,email,seen_at'
  await feed(BEFORE, 'people', [mail, `a,x@y.cn,${SEEN}`, `b,x@y.cn,${SEEN}`])
  await feed(BEFORE, 'people', ['record_id,own_id,unionid,seen_at', `r1,c,u1,${SEEN}`, `r2,d,u1,${SEEN}`])
  await feed(BEFORE, 'people', ['record_id,phone,seen_at', `l1,13900002222,${SEEN}`, `l2,13900003333,${SEEN}`])
  const { rows } = await sql<{ person_id: number }>`
    select person_id from customers.published_people where kind = 'phone'`.execute(database.db)
  const merged = await mergePeople(database, at(BEFORE), {
    personIds: rows.map((row) => row.person_id),
    by: atTerminal('lead'),
  })
  assert.ok('claim_id' in merged)
  const whole = [
    ['+8613900002222', '+8613900003333', 0],
    ['a', 'b', 'x@y.cn', 0],
    ['c', 'd', 'u1', 0],
  ]
  assert.deepEqual(await people(BEFORE), whole)
  assert.deepEqual(await people('2036-01-01T00:00:00Z'), whole)
})

test('another limit holds from the next look on, either way, and a clock that goes back finds what was', async (t) => {
  const { database, feed, people } = await start(t)
  await feed(BEFORE, 'people', [HEADER, record('a', SEEN), record('b', SEEN)])
  const one = [[PHONE, 'a', 'b', 0]]
  const two = [
    ['a', 0],
    ['b', 0],
  ]
  const limit = (days: number) => sql`update brand.settings set phone_claim_days = ${days}`.execute(database.db)
  assert.deepEqual(await people(LATER), two)
  assert.deepEqual(await people(BEFORE), one)
  assert.deepEqual(await people(LAPSE), two)
  await limit(2000)
  assert.deepEqual(await people(LAPSE), one)
  await limit(30)
  assert.deepEqual(await people(BEFORE), two)
})

test('a record renewed is still known as of when it first was', async (t) => {
  const { database, feed, people } = await start(t)
  await feed(BEFORE, 'people', [HEADER, record('a', SEEN)])
  await feed(BEFORE, 'people', [HEADER, record('a', '2026-02-01')])
  await people(BEFORE)
  const known = async (asOf: string) => (await reportDepth(database.db, new Date(BEFORE), new Date(asOf))).people
  assert.deepEqual([await known('2023-02-28T00:00:00Z'), await known('2024-01-01T00:00:00Z')], [0, 1])
})
