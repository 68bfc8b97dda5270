import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { listPeople, readBrief, readPersonByKey } from '../analytics/actions.ts'
import { importOrders } from '../commerce/actions.ts'
import { importPeople } from '../customers/actions.ts'
import { storeFacts } from '../intake/actions.ts'
import { rebuild, reportDepth } from './actions.ts'

// A person exists when some fact is kept under it: who is counted, listed and stored, and who is not.

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const PHONE = '+8613800001111'

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-nobody-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  let files = 0
  const feed = async (kind: 'people' | 'orders', lines: readonly string[], options: Record<string, string> = {}) => {
    files += 1
    const path = join(folder, `${files}.csv`)
    await writeFile(path, `${lines.join('\n')}\n`)
    const command = {
      path,
      mapping: kind,
      options,
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'runs'),
    }
    const report = await (kind === 'people' ? importPeople : importOrders)(database, clock, command)
    if (isRefusal(report)) throw new Error(report.message)
    await catchUp(database, clock)
    return report
  }
  const post = async (...facts: object[]) => {
    const sent = facts.map((fact) => ({ source: 'crm', ...fact }))
    const results = await storeFacts(database, clock, sent, FACT_KINDS)
    if (isRefusal(results)) throw new Error(results.message)
    await catchUp(database, clock)
    return results.map(({ status, error }) => error?.code ?? status)
  }
  const stored = async () =>
    (
      await sql<{ keys: string[] }>`
        select array_agg(p.value order by p.value) as keys
        from relationship.published_standing s join customers.published_people p using (person_id)
        group by s.person_id order by keys`.execute(database.db)
    ).rows.map(({ keys }) => keys)
  /** Stored rows, the list and the brief say the same, and a rebuild makes the same. */
  const people = async () => {
    const found = await stored()
    const page = await listPeople(database.db, clock.now(), { limit: 50 })
    assert.ok(!isRefusal(page))
    const whole = await listPeople(database.db, clock.now(), { limit: found.length })
    assert.ok(!isRefusal(whole) && whole.next === null, 'a full page may be the last')
    const brief = await readBrief(database.db, { key: 'main', name: 'Main', isDemo: false }, clock.now(), undefined)
    assert.deepEqual([page.total, page.people.length, brief.people], [found.length, found.length, found.length])
    await rebuild(database, clock)
    assert.deepEqual(await stored(), found)
    return found
  }
  return { database, feed, post, people }
}

const who = (kind: string, value: string, namespace = 'shop') => ({ kind, namespace, value })

test('a phone that links nobody is no person, whichever file brought it first', async (t) => {
  const { database, feed, post, people } = await start(t)
  const four = ['a', 'b', 'c', 'd'].map((id) => `${id},13800001111`)
  const report = await feed('people', ['own_id,phone', ...four])
  assert.equal(report.people, 4)
  assert.deepEqual(await people(), [['a'], ['b'], ['c'], ['d']])
  // The phone is older than this id, and still not what the record stands by.
  assert.equal((await feed('people', ['own_id,phone', 'e,13800001111'])).people, 1)
  assert.deepEqual(await people(), [['a'], ['b'], ['c'], ['d'], ['e']])
  const nobody = await readPersonByKey(database.db, PHONE, clock.now())
  assert.ok(isRefusal(nobody) && nobody.kind === 'missing')

  const view = { kind: 'interaction', external_id: 'i1', type: 'view', occurred_at: '2026-05-01T00:00:00Z' }
  assert.deepEqual(await post({ ...view, identity: { kind: 'phone', value: '138 0000 1111' } }), ['new'])
  assert.deepEqual(await people(), [[PHONE], ['a'], ['b'], ['c'], ['d'], ['e']])
  assert.ok(!isRefusal(await readPersonByKey(database.db, PHONE, clock.now())))
  // Said of somebody else, it makes nobody of the phone again.
  assert.deepEqual(await post({ ...view, identity: who('own_id', 'a', 'people') }), ['corrected'])
  assert.deepEqual(await people(), [['a'], ['b'], ['c'], ['d'], ['e']])
})

test('each kind of fact makes a person, and its correction takes them away', async (t) => {
  const { post, people } = await start(t)
  const kinds = [
    { kind: 'person', identities: [who('own_id', 'p')] },
    { kind: 'connection', identity: who('own_id', 'c'), channel: 'wecom', begun_at: '2026-01-01T00:00:00Z' },
    { kind: 'membership', identity: who('own_id', 'm'), enrolled_at: '2026-01-01T00:00:00Z' },
    { kind: 'interaction', identity: who('own_id', 'i'), type: 'view', occurred_at: '2026-01-01T00:00:00Z' },
    { kind: 'review', identity: who('own_id', 'r'), rating: 5, occurred_at: '2026-01-01T00:00:00Z' },
  ].map((fact) => ({ ...fact, external_id: fact.kind }))
  assert.deepEqual(new Set(await post(...kinds)), new Set(['new']))
  assert.deepEqual(await people(), [['c'], ['i'], ['m'], ['p'], ['r']])
  const elsewhere = kinds.map((fact) =>
    'identities' in fact ? { ...fact, identities: [who('own_id', 'x')] } : { ...fact, identity: who('own_id', 'x') },
  )
  assert.deepEqual(new Set(await post(...elsewhere)), new Set(['corrected']))
  assert.deepEqual(await people(), [['x']])
})

test('somebody known by a consent, a referral or a tag alone was known from then on', async (t) => {
  const { post, database } = await start(t)
  const statuses = await post(
    {
      kind: 'consent',
      external_id: 'k',
      identity: who('own_id', 'k'),
      purpose: 'marketing',
      channel: 'sms',
      state: 'granted',
      occurred_at: '2026-01-02T00:00:00Z',
    },
    {
      kind: 'referral_claim',
      external_id: 'f',
      invitee: who('own_id', 'f'),
      referrer: who('own_id', 'g'),
      occurred_at: '2026-01-03T00:00:00Z',
    },
    {
      kind: 'tag',
      external_id: 't',
      identity: who('own_id', 't'),
      tag: 'VIP',
      occurred_at: '2026-01-04T00:00:00Z',
    },
  )
  assert.deepEqual(statuses, ['new', 'new', 'new'])
  const now = new Date('2026-02-01T00:00:00Z')
  const known = async (at: string) => (await reportDepth(database.db, now, new Date(at))).people
  assert.equal(await known('2026-01-01T00:00:00Z'), 0)
  assert.equal(await known('2026-01-02T00:00:00Z'), 1)
  assert.equal(await known('2026-01-03T00:00:00Z'), 3)
  assert.equal(await known('2026-01-04T00:00:00Z'), 4)
})

test('whom a corrected order or record named is nobody, and leaves no occasions behind', async (t) => {
  const { database, feed, people } = await start(t)
  const header = 'order_id,customer_id,paid_at,item,amount'
  await feed('orders', [header, '1,a,2026-01-05,w,10', '2,b,2026-02-05,w,20'], { connected_by: 'shop_account' })
  assert.deepEqual(await people(), [['a'], ['b']])
  await feed('orders', [header, '1,b,2026-01-05,w,10'], { connected_by: 'shop_account' })
  assert.deepEqual(await people(), [['b']])
  const { rows } = await sql`
    select person_id from relationship.occasions union all select person_id from relationship.published_depth_changes
    except all select s.person_id from relationship.published_standing s, generate_series(1, 9)`.execute(database.db)
  assert.deepEqual(rows, [])

  await feed('people', ['record_id,own_id,phone', 'r1,y,13800001111'])
  assert.deepEqual(await people(), [[PHONE, 'y'], ['b']])
  await feed('people', ['record_id,own_id,phone', 'r1,z,13800001111'])
  assert.deepEqual(await people(), [[PHONE, 'z'], ['b']])
})

test('a refund, or an order given back whole, is a fact of somebody', async (t) => {
  const { feed, people } = await start(t)
  const header = 'order_id,customer_id,paid_at,item,quantity,unit_price,refund_of'
  await feed('orders', [header, '1,a,2026-01-05,w,1,10,', 'R1,a,2026-01-05,w,-1,10,1', 'R2,b,2026-02-05,w,-1,10,'])
  assert.deepEqual(await people(), [['a'], ['b']])
})
