import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { stringify } from 'yaml'
import { testDatabase } from '../../test/database.ts'
import { scratchFolder } from '../../test/scratch.ts'
import { storeFacts, undoImport } from '../modules/intake/actions.ts'
import type { Mapping } from '../modules/intake/schema.ts'
import { atTerminal } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { isRefusal } from '../platform/refusal.ts'
import { importAny } from './file-kinds.ts'
import { FACT_KINDS } from './routes.ts'

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-kinds-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  let files = 0
  const feed = async (mapping: string | object, lines: readonly string[], options: Record<string, string> = {}) => {
    files += 1
    const path = join(folder, `${files}.csv`)
    await writeFile(path, `${lines.join('\n')}\n`)
    const yaml = join(folder, `${files}.yaml`)
    if (typeof mapping === 'object') await writeFile(yaml, stringify(mapping))
    const named = typeof mapping === 'string' ? mapping : yaml
    const command = {
      path,
      mapping: named,
      options,
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'runs'),
    }
    const report = await importAny(database, clock, command)
    if (isRefusal(report)) throw new Error(`${report.code}: ${report.message}`)
    assert.equal(report.rows_in, report.rows_stored + report.rows_merged + report.rows_rejected)
    return report
  }
  const read = async (table: string, columns: string) =>
    (
      await sql<Record<string, unknown>>`
        select ${sql.raw(columns)} from ${sql.raw(table)} t left join customers.published_people p using (person_id)
        order by 1, 2, 3`.execute(database.db)
    ).rows.map((row) =>
      Object.values(row).map((value) => (value instanceof Date ? value.toISOString().replace('.000', '') : value)),
    )
  return { database, feed, read }
}

test('a file of each kind is stored as the API would store its rows', async (t) => {
  const { feed, read } = await start(t)
  const shop = { own_id_source: 'shop' }
  await feed(
    'connections',
    [
      '会员编号,渠道,跟进人,群ID,添加时间,删除时间',
      'u1,企业微信,lin,,2026-03-05 10:00,',
      'u2,公众号,,g-7,2026/3/6,2026年4月1日 08:30',
    ],
    shop,
  )
  assert.deepEqual(
    await read('customers.connections', 'value, namespace, t.source, channel, staff, group_id, begun_at, ended_at'),
    [
      ['u1', 'shop', 'connections', 'wecom', 'lin', null, '2026-03-05T02:00:00Z', null],
      ['u2', 'shop', 'connections', 'official_account', null, 'g-7', '2026-03-05T16:00:00Z', '2026-04-01T00:30:00Z'],
    ],
  )
  await feed('memberships', [
    'phone,enrolled_at,expires_at',
    '138 0000 1111,2026-03-05,2027-03-05',
    '138****2222,2026-03-05,',
  ])
  assert.deepEqual(await read('customers.memberships', 'value, enrolled_at, ended_at'), [
    ['+8613800001111', '2026-03-04T16:00:00Z', '2027-03-04T16:00:00Z'],
  ])
  await feed(
    'interactions',
    [
      'own_id,phone,行为,商品编码,时间',
      'u1,13800001111,收藏,s1,2026-03-05 10:00',
      ',13800001111,view,s2,2026-03-05 10:01',
    ],
    shop,
  )
  assert.deepEqual(await read('interactions.interactions', 'value, type, item, content, occurred_at'), [
    ['+8613800001111', 'view', 's2', null, '2026-03-05T02:01:00Z'],
    ['u1', 'like', 's1', null, '2026-03-05T02:00:00Z'],
  ])
  await feed(
    'reviews',
    [
      'own_id,item,rating,是否推荐,评价时间',
      'u1,s1,"4,5",,2026-03-05',
      'u2,s1,差评,否,2026-03-05',
      'u3,s1,,yes,2026-03-05',
    ],
    shop,
  )
  assert.deepEqual(await read('interactions.reviews', 'value, rating, is_recommended'), [
    ['u1', '4.5', null],
    ['u2', '1', false],
    ['u3', null, true],
  ])
  await feed(
    'consents',
    ['own_id,用途,渠道,状态,操作时间,表单', 'u1,营销,短信,已退订,2026-03-05,t 7', 'u1,HEALTH,,Opt-in,2026-03-05,'],
    shop,
  )
  assert.deepEqual(await read('customers.consents', 'purpose, channel, state, evidence, value'), [
    ['health', '', 'granted', null, 'u1'],
    ['marketing', 'sms', 'withdrawn', 't 7', 'u1'],
  ])
  const claims = await feed(
    'referral_claims',
    ['推荐人编号,被推荐人手机号,推荐时间,活动', 'u1,13900002222,2026-03-05,春', 'u1,,2026-03-05,春'],
    { own_id_source: 'shop' },
  )
  assert.deepEqual(claims.rejected_by_reason, { missing_identity: 1 })
  assert.deepEqual(await read('customers.referral_claims', 'value, campaign, claimed_at'), [
    ['+8613900002222', '春', '2026-03-04T16:00:00Z'],
  ])
  const tags = await feed(
    'tags',
    [
      '会员编号,标签,分组,强度,打标时间,移除时间',
      'u1,送礼,场景,0.5,2026-03-05,',
      'u2, 送礼 ,别处,,2026-03-05 10:00,2026-04-05 10:00',
      'u1,VIP,,1,2026-03-05,',
      'u2,vip,,,2026-03-05,2026-03-04',
      'u2,vip,,1.5,2026-03-05,',
      'u2,vip,,much,2026-03-05,',
      'u2,,,,2026-03-05,',
      ',vip,,,2026-03-05,',
      'u2,vip,,,2027-03-05,',
    ],
    shop,
  )
  assert.deepEqual(tags.rejected_by_reason, {
    ended_before_begun: 1,
    bad_value: 1,
    bad_number: 1,
    missing_field: 1,
    missing_identity: 1,
    future_time: 1,
  })
  assert.deepEqual(await read('tags.published_tags', 'value, tag, t.source, strength, given_at, lapses_at'), [
    ['u1', 'VIP', 'import', 1, '2026-03-04T16:00:00Z', null],
    ['u1', '送礼', 'import', 0.5, '2026-03-04T16:00:00Z', null],
    ['u2', '送礼', 'import', 1, '2026-03-05T02:00:00Z', '2026-04-05T02:00:00Z'],
  ])
})

test('bad rows are rejected, each with its reason, and the rest is stored', async (t) => {
  const { feed } = await start(t)
  const memberships = await feed('memberships', [
    'own_id,会员卡号,enrolled_at,ended_at',
    'u1,1,2026-03-05,2027-03-05',
    'u2,2,,',
    'u3,3,2026-13-05,',
    'u4,4,2026-03-05,2026-03-04',
    'u5,5,2026-06-02,',
    ',6,2026-03-05,',
    'u7,7,2026-03-05',
    `u8,${'x'.repeat(201)},2026-03-05,`,
    `${'u'.repeat(201)},9,2026-03-05,`,
    `u10,${'x'.repeat(2001)},2026-03-05,`,
  ])
  assert.deepEqual(memberships.rejected_by_reason, {
    missing_time: 1,
    bad_time: 1,
    ended_before_begun: 1,
    future_time: 1,
    missing_identity: 1,
    column_count: 1,
    id_too_long: 2,
    field_too_long: 1,
  })
  assert.deepEqual([memberships.rows_stored, memberships.documents_new], [1, 1])
  const text = await readFile(memberships.rejects_file ?? '', 'utf8')
  assert.match(text, /u4,4,2026-03-05,2026-03-04,5,ended_before_begun: the row ends before it begins/)
  const others = await feed('reviews', [
    'own_id,rating,时间',
    'u1,6,2026-03-05',
    'u2,great,2026-03-05',
    'u3,,2026-03-05',
  ])
  assert.deepEqual(others.rejected_by_reason, { bad_value: 1, bad_number: 1, missing_field: 1 })
  const interactions = await feed('interactions', [
    'own_id,type,time',
    'u1,dance,2026-03-05',
    'u1,constructor,2026-03-05',
    'u1,Check-In,2026-03-05',
  ])
  assert.deepEqual(interactions.rejected_by_reason, { bad_value: 2 })
  const connections = await feed('connections', [
    'own_id,channel,added_at',
    `u1,${'c'.repeat(61)},2026-03-05`,
    'u1,,2026-03-05',
  ])
  assert.deepEqual(connections.rejected_by_reason, { bad_value: 1, missing_field: 1 })
  const claims = await feed('referral_claims', ['referrer_id,invitee_id,时间', 'u1,u1,2026-03-05', 'u1,u2,2026-03-05'])
  assert.deepEqual(claims.rejected_by_reason, { self_referral: 1 })
})

test('rows without an id are known by what they say; with one, the last row of it is what it says', async (t) => {
  const { feed, read } = await start(t)
  const lines = [
    'own_id,type,item,time',
    'u1,view,s1,2026-03-05 10:00',
    'u1,view,s1,2026/3/5 10:00',
    'u1,view,s2,2026-03-05 10:00',
  ]
  const first = await feed('interactions', lines)
  assert.deepEqual([first.rows_stored, first.rows_merged, first.documents_new], [2, 1, 2])
  const wider = [
    'time,own_id,item,type,city',
    ...lines.slice(2).map((line) => `${line.split(',')[3]},u1,${line.split(',')[2]},view,x`),
  ]
  const again = await feed('interactions', wider)
  assert.deepEqual([again.rows_stored, again.rows_merged, again.documents_known], [0, 2, 2])
  // Changed content is another fact; with an id it is a correction.
  const changed = await feed('interactions', ['own_id,type,item,time', 'u1,cart,s2,2026-03-05 10:00'])
  assert.deepEqual(
    [changed.documents_new, (await read('interactions.interactions', 'value, type, item')).length],
    [1, 3],
  )
  const named = [
    'event_id,own_id,type,item,time',
    'e1,u2,view,s1,2026-03-05',
    'e1,u2,cart,s1,2026-03-05',
    'e2,u2,view,s1,2026-03-05',
  ]
  const ids = await feed('interactions', named)
  assert.deepEqual([ids.rows_stored, ids.rows_merged, ids.documents_new], [2, 1, 2])
  const told = (await read('interactions.interactions', 'value, type, item')).filter(([value]) => value === 'u2')
  assert.deepEqual(
    told.map(([, type]) => type),
    ['cart', 'view'],
  )
  const corrected = await feed('interactions', ['event_id,own_id,type,item,time', 'e1,u3,share,s1,2026-03-05'])
  assert.equal(corrected.documents_corrected, 1)
  const rows = await read('interactions.interactions', 'value, type, item')
  assert.deepEqual(
    rows.filter(([value]) => value !== 'u1'),
    [
      ['u2', 'view', 's1'],
      ['u3', 'share', 's1'],
    ],
  )
})

test('another group is another version of a connection, and undoing its file brings back the one before', async (t) => {
  const { database, feed, read } = await start(t)
  const groups = () => read('customers.connections', 'value, channel, group_id')
  const told = (group: string) => ['id,own_id,channel,chat_id,added_at', `c1,u1,wecom,${group},2026-03-05`]
  await feed('connections', told('g-1'))
  const later = await feed('connections', told('g-2'))
  assert.equal(later.documents_corrected, 1)
  assert.deepEqual(await groups(), [['u1', 'wecom', 'g-2']])
  const undone = await undoImport(database, clock, {
    importId: later.import_id ?? 0,
    by: atTerminal('lead'),
    kinds: FACT_KINDS,
  })
  assert.ok(!isRefusal(undone))
  assert.deepEqual(await groups(), [['u1', 'wecom', 'g-1']])
})

test('words, defaults and prefixes of a mapping; what it says wrongly is refused', async (t) => {
  const { database, feed, read } = await start(t)
  const mapping = {
    name: 'favourites',
    kind: 'interactions',
    source: 'mini-shop',
    zone: 'Europe/Berlin',
    columns: { openid: ['用户'], item: ['商品'], occurred_at: ['收藏时间'] },
    strip_prefix: { item: 'SKU-' },
    values: { item: { old: 'new' } },
    defaults: { type: 'like', item: 'unknown' },
  }
  const lines = ['用户,商品,收藏时间', 'o1,SKU-old,2026-03-05 10:00', 'o2,,2026-03-05 10:00']
  await feed(mapping, lines, { app: 'app-7' })
  assert.deepEqual(await read('interactions.interactions', 'value, namespace, type, item, occurred_at'), [
    ['o1', 'app-7', 'like', 'new', '2026-03-05T09:00:00Z'],
    ['o2', 'app-7', 'like', 'unknown', '2026-03-05T09:00:00Z'],
  ])
  await assert.rejects(feed({ ...mapping, zone: 'Europe/Atlantis' }, lines), /bad_zone/)
  await assert.rejects(feed({ ...mapping, defaults: {} }, lines), /wrong_columns.*type/s)
  await assert.rejects(feed({ ...mapping, values: { kind: { a: 'b' } } }, lines), /unknown_field.*kind/s)
  await assert.rejects(feed({ ...mapping, kind: 'visits' }, lines), /bad_mapping/)
  await assert.rejects(feed('no-such-mapping', lines), /unknown_mapping/)
  const { rows } = await sql<{ imports: number }>`select count(*) as imports from intake.imports`.execute(database.db)
  assert.deepEqual(rows, [{ imports: 1 }])
})

test('any interactions: by file in any pieces and by API they are the same facts', async (t) => {
  const { database, feed, read } = await start(t)
  const one = fc.record({
    id: fc.integer({ min: 1, max: 12 }),
    who: fc.constantFrom('u1', 'u2', 'u3'),
    type: fc.constantFrom('view', 'cart', 'share'),
    item: fc.constantFrom('', 's1', '茶,杯', '"x"'),
    minute: fc.integer({ min: 0, max: 200_000 }),
  })
  const unique = fc.uniqueArray(one, { minLength: 1, maxLength: 12, selector: ({ id }) => id })
  let run = 0
  await fc.assert(
    fc.asyncProperty(unique, fc.integer({ min: 0, max: 12 }), async (facts, cut) => {
      run += 1
      const source = `s${run}`
      const local = (minute: number) => new Date(Date.UTC(2026, 0, 1) + minute * 60_000).toISOString().slice(0, 16)
      const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
      const lines = facts.map(
        ({ id, who, type, item, minute }) => `${id},${who},${type},${quoted(item)},${local(minute).replace('T', ' ')}`,
      )
      const mapping: Mapping = {
        name: 'x',
        kind: 'interactions',
        source,
        date_order: 'ymd',
        columns: { external_id: ['id'], own_id: ['who'], type: ['type'], item: ['item'], occurred_at: ['at'] },
        options: {},
      }
      for (const piece of [lines.slice(0, cut), lines.slice(cut)]) {
        if (piece.length > 0) await feed(mapping, ['id,who,type,item,at', ...piece])
      }
      const sent = facts.map(({ id, who, type, item, minute }) => ({
        kind: 'interaction',
        source: `${source}-api`,
        external_id: String(id),
        identity: { kind: 'own_id', value: who },
        type,
        ...(item ? { item } : {}),
        occurred_at: `${local(minute)}:00+08:00`,
      }))
      const results = await storeFacts(database, clock, sent, FACT_KINDS)
      assert.ok(!isRefusal(results) && results.every(({ status }) => status === 'new'))
      const stored = await read('interactions.interactions', 't.source, value, type, item, occurred_at')
      const of = (name: string) =>
        stored
          .filter(([found]) => found === name)
          .map((row) => JSON.stringify(row.slice(1)))
          .sort()
      assert.deepEqual(of(source), of(`${source}-api`))
      assert.equal(of(source).length, facts.length)
    }),
    { numRuns: 15 },
  )
})

test('a guessed file goes to the source of its kind only when it is of a series that is there', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-series-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const give = async (name: string, lines: readonly string[], more: { source?: string; isGuessed?: boolean }) => {
    const path = join(folder, name)
    await writeFile(path, lines.join('\n'))
    const command = {
      path,
      mapping: 'orders',
      options: {},
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'runs'),
      ...more,
    }
    const report = await importAny(database, clock, command)
    return isRefusal(report) ? report.code : report
  }
  const guessed = { isGuessed: true }
  const header = 'order_id,customer_id,paid_at,amount'
  const shop = (id: number) => [header, `${id},a,2026-03-05,10.00`, `${id + 1},a,yesterday,10.00`]
  const first = await give('orders-2026-08.csv', shop(1), guessed)
  assert.ok(typeof first === 'object')
  assert.ok(typeof (await give('orders-2026-09 (1).csv', shop(10), guessed)) === 'object')
  assert.equal(await give('tmall.csv', shop(1), guessed), 'which_source')
  assert.equal(await give('orders-2026-10.csv', [`${header},item`, '1,b,2026-03-05,99.00,x'], guessed), 'which_source')
  // Its own rejects, mended; a name once told; a source of its own.
  const rejects = (await readFile(first.rejects_file ?? '', 'utf8'))
    .replace('yesterday', '2026-03-06')
    .trim()
    .split('\n')
  assert.ok(typeof (await give('2026-11-01T000000.000Z-orders-2026-08.csv', rejects, guessed)) === 'object')
  assert.ok(typeof (await give('shop.csv', shop(20), { source: 'orders' })) === 'object')
  assert.ok(typeof (await give('shop-2.csv', shop(30), guessed)) === 'object')
  const other = await give('tmall.csv', shop(1), { source: 'tmall' })
  assert.ok(typeof other === 'object')
  assert.deepEqual([other.source, other.documents_new, other.documents_corrected], ['tmall', 1, 0])
  assert.ok(
    typeof (await give('tmall.csv', shop(1), {})) === 'object',
    'a mapping that was named says where it is from',
  )
})
