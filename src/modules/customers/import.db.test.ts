import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { atTerminal } from '../../platform/audit.ts'
import { systemClock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { followIdentities, importOrders } from '../commerce/actions.ts'
import { refreshStanding } from '../relationship/actions.ts'
import {
  findIdentity,
  findPerson,
  importPeople,
  listWithdrawn,
  mergePeople,
  splitIdentity,
  withdrawClaim,
} from './actions.ts'

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-people-'))
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
      runsFolder: join(folder, 'imports'),
    }
    const report = await (kind === 'people' ? importPeople : importOrders)(database, systemClock, command)
    if (isRefusal(report)) throw new Error(report.message)
    await followIdentities(database, systemClock)
    await refreshStanding(database, systemClock)
    return report
  }
  return { database, feed }
}

async function standing(database: Database) {
  const { rows } = await sql<{ keys: string[]; occasions: number; net: number }>`
    select array_agg(p.value order by p.value) as keys, s.occasions, s.net_paid_minor as net
    from relationship.published_standing s join customers.published_people p using (person_id)
    group by s.person_id, s.occasions, s.net_paid_minor order by keys`.execute(database.db)
  return rows
}

const ORDERS = [
  'order_id,customer_id,paid_at,item,amount',
  '1,a,2026-01-05,w,10',
  '2,b,2026-02-05,w,20',
  '3,b,2026-02-05,w,5',
]
const SHOP = { own_id_source: 'orders' }

test('orders follow when a phone makes one person of two customers, before or after them', async (t) => {
  const people = ['own_id,phone', 'a,13800001111', 'b,138 0000 1111']
  const expected = [{ keys: ['+8613800001111', 'a', 'b'], occasions: 2, net: 3500 }]
  const before = await start(t)
  await before.feed('people', people, SHOP)
  await before.feed('orders', ORDERS)
  assert.deepEqual(await standing(before.database), expected)
  const after = await start(t)
  await after.feed('orders', ORDERS)
  await after.feed('people', people, SHOP)
  assert.deepEqual(await standing(after.database), expected)
})

test('a correction of the record takes the merge back, with later orders where they belong', async (t) => {
  const { database, feed } = await start(t)
  await feed('orders', ORDERS)
  await feed('people', ['record_id,own_id,phone', 'r1,a,13800001111', 'r2,b,13800001111'], SHOP)
  await feed('orders', ['order_id,customer_id,paid_at,item,amount', '4,a,2026-03-01,w,7'])
  await feed('people', ['record_id,own_id,phone', 'r2,b,13900002222'], SHOP)
  assert.deepEqual(await standing(database), [
    { keys: ['+8613800001111', 'a'], occasions: 2, net: 1700 },
    { keys: ['+8613900002222', 'b'], occasions: 1, net: 2500 },
  ])
})

test('who will only be enrolled in the future is rejected; the record comes in when it has happened', async (t) => {
  const { database, feed } = await start(t)
  const report = await feed('people', ['record_id,own_id,enrolled_at', 'r1,a,2999-01-01T00:00:00Z', 'r2,b,2024-01-01'])
  assert.deepEqual(report.rejected_by_reason, { future_time: 1 })
  assert.deepEqual([report.rows_in, report.rows_stored, report.rows_merged], [2, 1, 0])
  const { rows } = await sql<{ value: string }>`
    select value from customers.published_records join customers.published_people using (person_id)`.execute(
    database.db,
  )
  assert.deepEqual(rows, [{ value: 'b' }])
})

test('masked, virtual and placeholder numbers link nobody and are kept', async (t) => {
  const { database, feed } = await start(t)
  const report = await feed('people', [
    'own_id,phone',
    'a,138****1111',
    'b,138****1111',
    'c,00000000000',
    'd,00000000000',
    'e,13800001111转2',
    ',无',
  ])
  assert.equal(report.people, 5)
  assert.deepEqual(report.rejected_by_reason, { missing_identity: 1 })
  const { rows } = await sql<{
    unlinked: unknown
  }>`select unlinked from customers.records order by claim_id limit 1`.execute(database.db)
  assert.deepEqual(rows, [{ unlinked: { phone: '138****1111' } }])
})

test('the same people again are known; counts add up', async (t) => {
  const { feed } = await start(t)
  const lines = ['own_id,unionid,name', 'a,u1,张三', 'b,u1,', 'b,u2,李四']
  const first = await feed('people', lines)
  assert.deepEqual([first.rows_in, first.rows_stored, first.rows_merged, first.people], [3, 2, 1, 2])
  const again = await feed('people', lines)
  assert.deepEqual([again.rows_stored, again.rows_merged, again.documents_known], [0, 3, 2])
})

test('a merge by hand joins orders, and taking it back gives each their own, later ones included', async (t) => {
  const { database, feed } = await start(t)
  await feed('orders', ORDERS)
  const before = await standing(database)
  const personIds = await peopleIds(database)
  const merge = await mergePeople(database, systemClock, { personIds, by: atTerminal('lead') })
  assert.ok('claim_id' in merge)
  await followIdentities(database, systemClock)
  await refreshStanding(database, systemClock)
  assert.deepEqual(await standing(database), [{ keys: ['a', 'b'], occasions: 2, net: 3500 }])
  await feed('orders', ['order_id,customer_id,paid_at,item,amount', '4,b,2026-03-01,w,7'])
  assert.deepEqual(await standing(database), [{ keys: ['a', 'b'], occasions: 3, net: 4200 }])
  assert.ok('claim_id' in (await withdrawClaim(database, systemClock, merge.claim_id)))
  await followIdentities(database, systemClock)
  await refreshStanding(database, systemClock)
  const [first] = before
  assert.deepEqual(await standing(database), [first, { keys: ['b'], occasions: 2, net: 3200 }])
  assert.ok('refused' in (await withdrawClaim(database, systemClock, merge.claim_id)))
})

test('a split takes one identity out, and taking it back puts it in again', async (t) => {
  const { database, feed } = await start(t)
  await feed('people', ['record_id,own_id,unionid', '1,a,u1', '2,b,u1'], SHOP)
  const whole = await readPeople(database)
  const { rows } = await sql<{
    identity_id: number
  }>`select identity_id from customers.identities where value = 'b'`.execute(database.db)
  const split = await splitIdentity(database, systemClock, {
    identityId: rows[0]?.identity_id ?? 0,
    by: atTerminal('lead'),
  })
  assert.ok('claim_id' in split)
  assert.deepEqual(await readPeople(database), [['a', 'u1'], ['b']])
  await withdrawClaim(database, systemClock, split.claim_id)
  assert.deepEqual(await readPeople(database), whole)
})

test('a phone shared by too many is up for review with the people it would have joined', async (t) => {
  const { database, feed } = await start(t)
  await feed('people', ['own_id,phone', ...['a', 'b', 'c', 'd'].map((id) => `${id},13800001111`)])
  const [value] = await listWithdrawn(database)
  assert.deepEqual([value?.value, value?.accounts, value?.people.length], ['+8613800001111', 4, 4])
})

test('where a key names several, each is named by a key that names it alone', async (t) => {
  const { database, feed } = await start(t)
  await feed('people', ['own_id,phone,openid', '+8613800001111,13800001111,+8613800001111'], { app: 'people' })
  await feed('people', ['own_id', '+8613800001111'], SHOP)
  const key = '+8613800001111'
  for (const find of [() => findIdentity(database, key), () => findPerson(database.db, key)]) {
    const found = await find()
    assert.ok(isRefusal(found) && found.code === 'ambiguous_key')
    const keys = found.remedy.replace(/^Say which: (.*)\.$/, '$1').split(', ')
    assert.equal(keys.length, 4)
    const ids = await Promise.all(keys.map((one) => findIdentity(database, one)))
    assert.ok(
      ids.every((id) => typeof id === 'number'),
      keys.join(' '),
    )
    assert.equal(new Set(ids).size, 4, keys.join(' '))
    const people = await Promise.all(keys.map((one) => findPerson(database.db, one)))
    assert.equal(new Set(people).size, 2, 'three of one record, and the customer of the orders')
  }
})

async function peopleIds(database: Database): Promise<number[]> {
  const { rows } = await sql<{
    person_id: number
  }>`select distinct person_id from customers.canonical order by 1`.execute(database.db)
  return rows.map((row) => row.person_id)
}

async function readPeople(database: Database): Promise<string[][]> {
  const { rows } = await sql<{ names: string[] }>`
    select array_agg(i.value order by i.value) as names from customers.canonical join customers.identities i using (identity_id)
    group by person_id order by names`.execute(database.db)
  return rows.map((row) => row.names)
}
