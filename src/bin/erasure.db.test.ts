import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { testDatabase } from '../../test/database.ts'
import { scratchFolder } from '../../test/scratch.ts'
import { importOrders } from '../modules/commerce/actions.ts'
import { erasePerson, findPerson, importPeople, namesAny } from '../modules/customers/actions.ts'
import { eraseRejects, storeFacts } from '../modules/intake/actions.ts'
import { atTerminal } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { isRefusal } from '../platform/refusal.ts'
import { catchUp } from './catch-up.ts'
import { ERASERS } from './erasers.ts'
import { exportPerson } from './export.ts'
import { FACT_KINDS } from './routes.ts'

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const own = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })
const at = '2026-03-05T10:00:00Z'

/** Words that nobody but Lin has, in every place where a person can be named. */
const NAMES = ['lin-7731', '13902738164', 'lin@example.com', 'Lin Xiaoyu', 'union-lin', '139****0000']

const LIN = [
  {
    kind: 'person',
    external_id: 'phone::+8613902738164',
    name: 'Lin Xiaoyu',
    identities: [
      own('lin-7731'),
      { kind: 'phone', value: '13902738164' },
      { kind: 'email', value: 'lin@example.com' },
      { kind: 'unionid', value: 'union-lin' },
      { kind: 'phone', value: '139****0000' },
    ],
  },
  { kind: 'order', external_id: 'o1', customer_id: 'lin-7731', paid_at: at, lines: [{ item: 'W1', amount: 100 }] },
  { kind: 'order', external_id: 'o2', customer_id: 'lin-7731', paid_at: at, lines: [{ item: 'W2', amount: 50 }] },
  {
    kind: 'order',
    external_id: 'r1',
    customer_id: 'lin-7731',
    paid_at: '2026-03-06T10:00:00Z',
    refund_of: 'o2',
    lines: [{ item: 'W2', quantity: -1, amount: -20 }],
  },
  { kind: 'connection', external_id: 'lin-7731@ann', identity: own('lin-7731'), channel: 'wecom', begun_at: at },
  { kind: 'membership', external_id: 'm1', identity: own('lin-7731'), enrolled_at: at },
  { kind: 'interaction', external_id: 'i1', identity: own('lin-7731'), type: 'view', occurred_at: at },
  {
    kind: 'review',
    external_id: 'v1',
    identity: { kind: 'email', value: 'lin@example.com' },
    rating: 5,
    occurred_at: at,
  },
  { kind: 'tag', external_id: 't1', identity: own('lin-7731'), tag: 'collector', occurred_at: at },
]
const LIN_AND_OTHERS = [
  {
    kind: 'consent',
    external_id: 'c1',
    identity: own('lin-7731'),
    purpose: 'marketing',
    state: 'granted',
    occurred_at: at,
  },
  { kind: 'referral_claim', external_id: 'f1', invitee: own('lin-7731'), referrer: own('wu-2'), occurred_at: at },
  { kind: 'referral_claim', external_id: 'f2', invitee: own('wu-3'), referrer: own('lin-7731'), occurred_at: at },
]
const OTHERS = [
  { kind: 'order', external_id: 'o9', customer_id: 'wu-1', paid_at: at, lines: [{ item: 'W1', amount: 70 }] },
  { kind: 'interaction', external_id: 'i9', identity: own('wu-1'), type: 'cart', occurred_at: at },
  { kind: 'tag', external_id: 't9', identity: own('wu-1'), tag: 'collector', occurred_at: at },
]

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-erasure-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return { database, folder, post: poster(database) }
}

function poster(database: Database) {
  return async (facts: readonly object[]) => {
    const sent = facts.map((fact) => ({ source: 'shop', ...fact }))
    const results = await storeFacts(database, clock, sent, FACT_KINDS)
    if (isRefusal(results)) throw new Error(results.message)
    return results.map(({ status, error }) => error?.code ?? status)
  }
}

async function erase(database: Database, key: string) {
  const personId = await findPerson(database.db, key)
  assert.ok(!isRefusal(personId), key)
  const erased = await erasePerson(database, clock, { personId, by: atTerminal('lead'), erasers: ERASERS })
  assert.ok(!isRefusal(erased))
  await catchUp(database, clock)
  return { personId, ...erased }
}

async function tablesOf(database: Database): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')
       and not (select relispartition from pg_class where oid = format('%I.%I', schemaname, tablename)::regclass)
     order by 1`,
  )
  return rows.map(({ name }) => name)
}

/** Where in the whole database any of these words stands. */
async function places(database: Database, words: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const table of await tablesOf(database)) {
    for (const word of words) {
      const { rows } = await database.pool.query<{ n: number }>(
        `select count(*) as n from ${table} t where strpos(t::text, $1) > 0`,
        [word],
      )
      if (rows[0]?.n !== 0) found.push(`${table}: ${word}`)
    }
  }
  return found
}

async function totals(database: Database): Promise<unknown> {
  const { rows } = await database.pool.query(
    `select (select sum(amount_minor) from commerce.orders) as paid, (select sum(amount_minor) from commerce.refunds) as refunded,
      (select sum(unmatched_minor) from commerce.published_unmatched) as unmatched,
      (select count(*) from commerce.order_lines) as lines, (select count(*) from interactions.interactions) as interactions,
      (select avg(rating)::text from interactions.reviews) as rating, (select count(*) from customers.connections) as connections,
      (select count(*) from customers.memberships) as memberships`,
  )
  return rows[0]
}

test('nothing in the database names who was erased, the totals stand, and nobody else loses anything', async (t) => {
  const { database, post } = await start(t)
  assert.deepEqual(new Set(await post([...LIN, ...LIN_AND_OTHERS, ...OTHERS])), new Set(['new']))
  // A claim that was hers and is another's now.
  await post([{ ...LIN_AND_OTHERS[2], referrer: own('wu-2') }])
  // Earlier versions name her too: her address before, an order that was somebody else's by mistake, and a stale one.
  await post([{ ...LIN[0], name: 'Lin X. Y.' }])
  await post([LIN[0] ?? {}])
  await post([{ ...OTHERS[0], customer_id: 'lin-7731', lines: [{ item: 'W1', amount: 71 }] }])
  await post([{ ...OTHERS[0], lines: [{ item: 'W1', amount: 72 }], sequence: 9 }])
  await post([{ ...OTHERS[0], customer_id: 'lin-7731', lines: [{ item: 'W1', amount: 73 }], sequence: 8 }])
  await catchUp(database, clock)
  const before = await totals(database)
  const others = await exportPerson(database.db, (await findPerson(database.db, 'wu-1')) as number)
  assert.notDeepEqual(await places(database, NAMES), [], 'the test looks in the right places')

  const { personId, report } = await erase(database, 'lin-7731')
  assert.equal(report.identities, 4)
  assert.deepEqual(await places(database, [...NAMES, 'Lin X. Y.']), [])
  assert.deepEqual(await totals(database), before)
  const { earlier_versions: _, ...kept } = others.customers ?? {}
  const now = await exportPerson(database.db, (await findPerson(database.db, 'wu-1')) as number)
  assert.deepEqual(
    { ...now, customers: { ...now.customers, earlier_versions: undefined } },
    {
      ...others,
      customers: { ...kept, earlier_versions: undefined },
    },
  )
  const left = await exportPerson(database.db, personId)
  for (const table of ['orders', 'refunds']) assert.deepEqual(left.commerce?.[table], [])
  assert.deepEqual(left.relationship?.standing, [])
  assert.equal(isRefusal(await findPerson(database.db, 'lin-7731')), true)
})

test('who was erased is refused at every intake; the same fact without them is not', async (t) => {
  const { database, post, folder } = await start(t)
  await post([...LIN, ...OTHERS])
  await erase(database, 'lin-7731')
  assert.deepEqual(
    await post(LIN),
    LIN.map(() => 'erased'),
  )
  assert.deepEqual(await post(LIN_AND_OTHERS), ['erased', 'erased', 'erased'])
  assert.deepEqual(await post([{ ...LIN[1], customer_id: undefined }]), ['corrected'])
  assert.deepEqual(await post([{ ...LIN[4], identity: { kind: 'phone', value: '+86 139-0273-8164' } }]), ['erased'])
  assert.deepEqual(await post(OTHERS), ['known', 'known', 'known'])

  const path = join(folder, 'file.csv')
  const command = { path, options: {}, dryRun: false, rejectsFolder: folder, runsFolder: join(folder, 'runs') }
  await writeFile(
    path,
    'record_id,phone,name\n1,13902738164,Lin Xiaoyu\n3,,+86 139 0273 8164,Lin Xiaoyu\n2,13902738111,Wu\n',
  )
  const people = await importPeople(database, clock, { ...command, mapping: 'people' })
  assert.ok(!isRefusal(people))
  assert.deepEqual([people.rows_stored, people.rejected_by_reason, people.rejects_file], [1, { erased: 2 }, null])
  await writeFile(
    path,
    'order_id,customer_id,paid_at,item,quantity,unit_price,shared_by\no3,lin-7731,2026-04-01,W1,1,5,\no5,lin-7731,never,W1,1,5,\n' +
      'o6,wu-1,2026-04-01,W1,1,5,\no6,wu-1,2026-04-01,W2,1,5,lin-7731\no4,wu-1,2026-04-01,W1,1,5,\n',
  )
  const shop = `${await readFile(new URL('../modules/commerce/mappings/orders.yaml', import.meta.url), 'utf8')}`
  await writeFile(join(folder, 'shop.yaml'), shop.replace('source: orders', 'source: shop'))
  const orders = await importOrders(database, clock, { ...command, mapping: join(folder, 'shop.yaml') })
  assert.ok(!isRefusal(orders))
  // An order is stored whole or not at all, and what is kept of its other rows names nobody who was erased.
  assert.deepEqual([orders.rows_stored, orders.rejected_by_reason], [1, { erased: 3, order_has_bad_row: 1 }])
  const kept = await readFile(orders.rejects_file ?? '', 'utf8')
  for (const name of NAMES) assert.ok(!kept.includes(name), name)
  assert.deepEqual(await places(database, NAMES), [])
})

test('rows of rejects files that name them go, other rows stay as they are', async (t) => {
  const { database, post, folder } = await start(t)
  await post(LIN)
  const header = 'order_id,customer_id,phone,note,reject_line,reject_reason'
  const kept = 'o5,wu-1,13900000001,"a ""quoted"" note, with a comma",9,bad_time: the row has a time that is none'
  await writeFile(
    join(folder, 'a.csv'),
    `${header}\no4,NASlin-7731,,x,8,bad\n${kept}\no6,,+86 139 0273 8164,x,10,bad\n`,
  )
  await writeFile(join(folder, 'b.csv'), `${header}\no7,,,LIN@example.com,2,bad\n`)
  const { identities } = await erase(database, 'lin-7731')
  assert.equal(await eraseRejects(folder, (field) => namesAny(field, identities)), 3)
  assert.equal(await readFile(join(folder, 'a.csv'), 'utf8'), `${header}\n${kept}\n`)
  assert.deepEqual(await readdir(folder), ['a.csv'])
})

test('a restored backup brings nobody back: the log outside the database erases them again', async (t) => {
  const { database, post } = await start(t)
  await post([...LIN, ...OTHERS])
  await catchUp(database, clock)
  const backup = new Map<string, object[]>()
  for (const name of await tablesOf(database)) {
    if (/^(platform|brand)\./.test(name)) continue
    const { rows } = await database.pool.query<{ row: object }>(`select to_jsonb(t) as row from ${name} t`)
    backup.set(
      name,
      rows.map(({ row }) => row),
    )
  }
  await erase(database, 'lin-7731')

  // The state of before, as a restore of the database alone would leave it.
  const restored = await testDatabase(t)
  // Makes the currency and the months.
  await poster(restored.database)(OTHERS)
  await restored.database.transaction(async (_tx, client) => {
    await client.query('set local session_replication_role = replica')
    await client.query(`truncate ${[...backup.keys()].join(', ')}`)
    for (const [name, rows] of backup) {
      await client.query(
        `insert into ${name} overriding system value select * from jsonb_populate_recordset(null::${name}, $1)`,
        [JSON.stringify(rows)],
      )
    }
    await client.query(`select setval('intake.fact_id', 1000), setval('customers.identities_identity_id_seq', 1000)`)
  })
  const outside = { ...restored.database, tombstones: database.tombstones }
  assert.notDeepEqual(await places(outside, NAMES), [])
  assert.deepEqual(await poster(outside)([LIN[6] ?? {}]), ['erased'], 'even before it is erased again')
  await catchUp(outside, clock)
  assert.deepEqual(await places(outside, NAMES), [])
  assert.deepEqual(await totals(outside), await totals(database))
  assert.deepEqual(await poster(outside)(LIN.slice(0, 2)), ['erased', 'erased'])
})

test('every table that knows a person is exported and erased', async (t) => {
  const { database, post } = await start(t)
  await post([...LIN, ...LIN_AND_OTHERS])
  await catchUp(database, clock)
  const personId = (await findPerson(database.db, 'lin-7731')) as number
  const all = await exportPerson(database.db, personId)
  const { rows } = await database.pool.query<{ schema: string; name: string }>(
    `select c.table_schema as schema, c.table_name as name from information_schema.columns c
     join information_schema.tables using (table_schema, table_name)
     where column_name in ('person_id', 'identity_id') and table_type = 'BASE TABLE'
       and table_name !~ '_[0-9]{4}_[0-9]{2}$|_[ab]$|_now$' group by 1, 2`,
  )
  // Ways and derived maps: a claim's nodes stand in `claims`, the rest is work under way.
  const ways = ['canonical', 'claim_identities', 'cut_links', 'withdrawn_values', 'pending_people', 'pending_moves']
  for (const { schema, name } of rows) {
    if (!ways.includes(name)) assert.ok(all[schema]?.[name], `${schema}.${name} is in the export`)
  }
  assert.equal(all.commerce?.order_lines?.length, 2)
  assert.equal(all.customers?.claims?.length, 1)
  assert.ok(JSON.stringify(all).includes('Lin Xiaoyu'))

  await erase(database, 'lin-7731')
  // The two logs hold numbers of people and nothing that tells who they were.
  const logs = ['depth_changes', 'person_changes']
  for (const [module, tables] of Object.entries(await exportPerson(database.db, personId))) {
    for (const [name, found] of Object.entries(tables)) {
      if (!logs.includes(name)) assert.deepEqual(found, [], `${module}.${name}`)
    }
  }
})
