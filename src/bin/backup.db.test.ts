import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { importClub } from '../../demo/make.ts'
import { type Contents, readContents } from '../../test/contents.ts'
import { type TestInstallation, testInstallation } from '../../test/database.ts'
import { scratchFolder } from '../../test/scratch.ts'
import { root } from '../../test/server.ts'
import { readBrief } from '../modules/analytics/actions.ts'
import { erasePerson, findPerson } from '../modules/customers/actions.ts'
import { storeFacts } from '../modules/intake/actions.ts'
import { rebuild, refreshStanding } from '../modules/relationship/actions.ts'
import { changeSegment, createSegment, refreshSegments, setRule } from '../modules/segments/actions.ts'
import { createTag, listTags } from '../modules/tags/actions.ts'
import { atTerminal } from '../platform/audit.ts'
import { backUp } from '../platform/backup.ts'
import { createBackup } from '../platform/backup-archive.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { type Brand, type Installation, openInstallation } from '../platform/installation.ts'
import { isRefusal } from '../platform/refusal.ts'
import { findLeftOver, removeLeftOver, restoreBackup } from '../platform/restore.ts'
import { catchUp } from './catch-up.ts'
import { ERASERS } from './erasers.ts'
import { FACT_KINDS } from './routes.ts'

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const settle = (database: Database) => catchUp(database, clock)
const nothing = async () => {}
const at = '2026-03-05T10:00:00Z'
const own = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })

/** Words that nobody but Lin has. */
const NAMES = ['lin-7731', '13902738164', 'Lin Xiaoyu']
const LIN = [
  {
    kind: 'person',
    external_id: 'p1',
    name: 'Lin Xiaoyu',
    identities: [own('lin-7731'), { kind: 'phone', value: '13902738164' }],
  },
  { kind: 'order', external_id: 'o1', customer_id: 'lin-7731', paid_at: at, lines: [{ item: 'W1', amount: 100 }] },
  { kind: 'interaction', external_id: 'i1', identity: own('lin-7731'), type: 'share', occurred_at: at },
]
const WU = [
  { kind: 'order', external_id: 'o2', customer_id: 'wu-2', paid_at: at, lines: [{ item: 'W1', amount: 70 }] },
  { kind: 'interaction', external_id: 'i2', identity: own('wu-2'), type: 'cart', occurred_at: '2025-11-05T10:00:00Z' },
]

async function post(database: Database, facts: readonly object[]): Promise<string[]> {
  const sent = facts.map((fact) => ({ source: 'shop', ...fact }))
  const results = await storeFacts(database, clock, sent, FACT_KINDS)
  if (isRefusal(results)) throw new Error(results.message)
  return results.map(({ status, error }) => error?.code ?? status)
}

function accepted<T>(answer: T): Exclude<T, { refused: true }> {
  if (isRefusal(answer)) throw new Error(`${answer.code}: ${answer.message}`)
  return answer as Exclude<T, { refused: true }>
}

const BUYERS = { orders: { count: { at_least: 1 }, window: { last_days: 365 } } }

/** A segment with people in it who are due one day, and a tag that it gives. */
async function giveTag(database: Database): Promise<{ segmentId: number; tagId: number }> {
  const by = atTerminal('lead')
  const segment = accepted(await createSegment(database, clock, { name: 'buyers', definition: BUYERS }, by))
  const tag = accepted(await createTag(database, { name: 'buys' }, by, clock.now()))
  accepted(await setRule(database, clock, { tagId: tag.tag_id, segmentId: segment.segment_id, by }))
  return { segmentId: segment.segment_id, tagId: tag.tag_id }
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-backup-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function makeBrand(installation: Installation, facts: readonly object[], key = 'main'): Promise<Database> {
  const brand = accepted(await installation.createBrand({ key, name: `Brand ${key}`, isDemo: false }, clock.now()))
  if (key === 'main') await installation.makeCurrent(key)
  const database = await installation.openBrand(brand)
  await post(database, facts)
  await catchUp(database, clock)
  return database
}

async function firstBrand(installation: Installation): Promise<Brand> {
  const [brand] = await installation.brands()
  assert.ok(brand)
  return brand
}

async function backupOf(installation: Installation, path: string): Promise<string> {
  return accepted(await backUp(installation, path, { program: '0.0.0', now: clock.now() })).path
}

function restore(to: TestInstallation, path: string, command: { isReplacing?: boolean; isKeyLost?: boolean } = {}) {
  return restoreBackup(to.config, { path, isReplacing: false, isKeyLost: false, ...command }, settle)
}

async function contentsOf(where: TestInstallation, key = 'main'): Promise<Contents | undefined> {
  const installation = await where.open()
  const brand = (await installation.brands()).find((known) => known.key === key)
  const contents = brand && (await readContents(await installation.openBrand(brand)))
  await installation.close()
  return contents
}

/** Where in the whole database any of these words stands. */
async function places(database: Database): Promise<string[]> {
  const found: string[] = []
  const { rows } = await database.pool.query<{ name: string }>(
    `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  )
  for (const { name } of rows) {
    for (const word of NAMES) {
      const { rowCount } = await database.pool.query(`select from ${name} t where strpos(t::text, $1) > 0 limit 1`, [
        word,
      ])
      if (rowCount) found.push(`${name}: ${word}`)
    }
  }
  return found
}

test('a backup restored elsewhere is the same in every table, row for row', async (t) => {
  const [from, to] = [await testInstallation(t), await testInstallation(t)]
  const source = await from.open()
  const club = accepted(await source.createBrand({ key: 'club', name: '醇时', isDemo: true }, clock.now()))
  accepted(await importClub(await source.openBrand(club), { people: 200, now: clock.now(), home: from.config.home }))
  await catchUp(await source.openBrand(club), clock)
  const { segmentId, tagId } = await giveTag(await source.openBrand(club))
  await makeBrand(source, [...LIN, ...WU])
  await source.control.pool.query(
    `insert into auth.users (name, email, email_verified, role) values ('Mei', 'mei@example.com', true, 'owner')`,
  )
  await source.control.pool.query(
    `insert into auth.sessions (user_id, token, expires_at, opened_by_link, updated_at)
     select id, 'token', now(), false, now() from auth.users`,
  )
  const path = await backupOf(source, await folderOf(t))
  assert.match(path, /\/perennial-2026-06-01T000000000Z\.tar$/, 'named by the time in a folder')
  assert.equal((await stat(path)).mode & 0o777, 0o600)

  accepted(await restoreBackup(to.config, { path, isReplacing: false, isKeyLost: false }, nothing))
  const target = await to.open()
  assert.deepEqual(
    (await target.brands()).map(({ key, name, isDemo, isCurrent }) => [key, name, isDemo, isCurrent]),
    [
      ['main', 'Brand main', false, true],
      ['club', '醇时', true, false],
    ],
  )
  for (const key of ['main', 'club']) {
    const [was, is] = [source, target].map(async (installation) => {
      const brand = (await installation.brands()).find((known) => known.key === key)
      assert.ok(brand)
      return readContents(await installation.openBrand(brand))
    })
    const expected = await was
    assert.deepEqual(await is, expected, key)
    const rowsOf = (table: string) => Number.parseInt(expected?.[table] ?? '0', 10)
    for (const table of ['commerce.orders', 'interactions.interactions', 'relationship.standing']) {
      assert.ok(key === 'main' || rowsOf(table) > 0, `${table} has rows to compare`)
    }
    assert.ok(Object.keys(expected ?? {}).some((name) => name.startsWith('partition interactions.')))
  }
  const [control, restored] = [await readContents(source.control), await readContents(target.control)]
  assert.match(restored['auth.sessions'] ?? '', /^0 /, 'nobody is signed in')
  assert.deepEqual({ ...restored, 'auth.sessions': '' }, { ...control, 'auth.sessions': '' })
  assert.deepEqual(await post(await target.openBrand(await firstBrand(target)), WU), ['known', 'known'])
  // What lies in tables of a segment's own goes on there.
  const restoredClub = (await target.brands()).find(({ key }) => key === 'club')
  assert.ok(restoredClub)
  const there = await target.openBrand(restoredClub)
  const change = { definition: { not: BUYERS } }
  const { size } = accepted(await changeSegment(there, clock, segmentId, change, atTerminal('lead')))
  const { people } = (await listTags(there.db, clock.now())).tags.find((tag) => tag.tag_id === tagId) ?? {}
  assert.ok(size !== null && size > 0)
  assert.equal(people, size)
})

test('who was erased after the backup stays erased, and no import brings them back', async (t) => {
  const here = await testInstallation(t)
  const path = join(await folderOf(t), 'before.tar')
  const before = await here.open()
  const database = await makeBrand(before, [...LIN, ...WU])
  await backupOf(before, path)
  assert.notDeepEqual(await places(database), [], 'the test looks in the right places')
  const personId = accepted(await findPerson(database.db, 'lin-7731'))
  accepted(await erasePerson(database, clock, { personId, by: atTerminal('lead'), erasers: ERASERS }))
  await before.close()
  const file = await readFile(path)
  for (const secret of ['erasure-key', 'webhook-key', 'auth-secret']) {
    const text = await readFile(join(here.config.home, 'secrets', secret)).catch(() => undefined)
    assert.ok(text === undefined || !file.includes(text), `${secret} is not in the backup`)
  }

  const refusal = await restore(here, path)
  assert.equal(isRefusal(refusal) && refusal.code, 'not_empty')
  accepted(await restore(here, path, { isReplacing: true }))
  const after = await here.open()
  const restored = await after.openBrand(await firstBrand(after))
  assert.deepEqual(await places(restored), [])
  assert.deepEqual(await post(restored, LIN), ['erased', 'erased', 'erased'])
  assert.deepEqual(await post(restored, WU), ['known', 'known'])
  const { rows } = await restored.pool.query('select sum(amount_minor) as paid from commerce.orders')
  assert.equal(Number(rows[0].paid), 17_000, 'what she paid stays in the totals')
  // The list of brands is as it was, and so are the names of the databases.
  assert.equal((await after.brands())[0]?.databaseName, `${after.controlName}_main`)
  await after.close()

  // What was erased before the backup is known by its key alone.
  const [later, elsewhere] = [join(await folderOf(t), 'later.tar'), await testInstallation(t)]
  const again = await here.open()
  await backupOf(again, later)
  await again.close()
  const without = await restore(elsewhere, later)
  assert.equal(isRefusal(without) && without.code, 'other_erasure_key')
  await mkdir(join(elsewhere.config.home, 'secrets'))
  await copyFile(join(here.config.home, 'secrets/erasure-key'), join(elsewhere.config.home, 'secrets/erasure-key'))
  accepted(await restore(elsewhere, later))
  const moved = await elsewhere.open()
  const there = await moved.openBrand(await firstBrand(moved))
  assert.deepEqual(await post(there, LIN), ['erased', 'erased', 'erased'])
  // And an older backup restored there brings nobody back, though their log was left behind.
  await moved.close()
  accepted(await restore(elsewhere, path, { isReplacing: true }))
  const oldest = await elsewhere.open()
  assert.deepEqual(await places(await oldest.openBrand(await firstBrand(oldest))), [])
})

test('what is no whole backup of this version changes nothing', async (t) => {
  const here = await testInstallation(t)
  const folder = await folderOf(t)
  const source = await here.open()
  await makeBrand(source, [...LIN, ...WU])
  const path = await backupOf(source, join(folder, 'whole.tar'))
  const twice = await backUp(source, path, { program: '0.0.0', now: clock.now() })
  assert.equal(isRefusal(twice) && twice.code, 'file_exists')
  await source.close()
  const before = await contentsOf(here)
  const whole = await readFile(path)
  const told = async (name: string, bytes: Buffer) => {
    const file = join(folder, name)
    await writeFile(file, bytes)
    const refusal = await restore(here, file, { isReplacing: true })
    return isRefusal(refusal) ? refusal.code : 'restored'
  }
  const changed = (place: number) => {
    const bytes = Buffer.from(whole)
    bytes[place] = (bytes[place] ?? 0) ^ 0x55
    return bytes
  }
  // Within a part, the manifest and its hash: the end of the archive is a kilobyte of nothing, and what stands between files too.
  const manifestAt = whole.indexOf('manifest.json')
  const partAt = whole.indexOf('commerce.orders.00001.gz')
  for (const place of [
    512 + 20,
    partAt + 520,
    partAt + 540,
    manifestAt + 700,
    manifestAt + 2000,
    whole.lastIndexOf('manifest.sha256') + 520,
  ]) {
    assert.equal(await told('changed.tar', changed(place)), 'damaged_backup', `byte ${place} of ${whole.length}`)
  }
  for (const share of [0.2, 0.5, 0.9]) {
    const cut = whole.subarray(0, Math.floor(whole.length * share))
    assert.equal(await told('short.tar', cut), 'damaged_backup', `the first ${share}`)
  }
  assert.equal(await told('orders.csv', Buffer.from('order_id,customer_id\n1,2\n')), 'not_a_backup')
  assert.equal(await told('empty.tar', Buffer.alloc(0)), 'not_a_backup')
  const absent = await restore(here, join(folder, 'absent.tar'), { isReplacing: true })
  assert.equal(isRefusal(absent) && absent.code, 'no_such_file')

  for (const [name, migration, code] of [
    ['newer.tar', { number: 9999, name: '9999_later.sql', sha256: 'a'.repeat(64) }, 'newer_backup'],
    ['other.tar', { number: 1, name: '0001_path.sql', sha256: 'a'.repeat(64) }, 'other_migrations'],
  ] as const) {
    const backup = await createBackup(join(folder, name), { program: '9.9.9', takenAt: clock.now() })
    const empty = { brand_name: 'Main', tables: [], partitions: [], sequences: [] }
    await backup.finish({
      erasure_key_mark: null,
      left_out: [],
      databases: [{ brand: 'main', migrations: [migration], ...empty }],
    })
    const refusal = await restore(here, join(folder, name), { isReplacing: true })
    assert.equal(isRefusal(refusal) && refusal.code, code)
  }
  const running = await here.open()
  await running.openBrand(await firstBrand(running)).then(({ pool }) => pool.query('select 1'))
  const used = await restore(here, path, { isReplacing: true })
  assert.equal(isRefusal(used) && used.code, 'in_use')
  await running.close()
  assert.deepEqual(await contentsOf(here), before)
  accepted(await restore(here, path, { isReplacing: true }))
  assert.deepEqual(await contentsOf(here), before)
})

test('a backup of an older version is restored and brought up to this one', async (t) => {
  const here = await testInstallation(t)
  const folder = await folderOf(t)
  // A checkout that had the migrations up to 0015.
  for (const set of ['brand', 'installation']) {
    await mkdir(join(folder, 'migrations', set), { recursive: true })
    for (const name of await readdir(join(root, 'migrations', set))) {
      if (name < '0016') await copyFile(join(root, 'migrations', set, name), join(folder, 'migrations', set, name))
    }
  }
  const older = accepted(await openInstallation({ ...here.config, root: folder }, 'command'))
  const brand = accepted(await older.createBrand({ key: 'main', name: 'Main', isDemo: false }, clock.now()))
  const { pool } = await older.openBrand(brand)
  await pool.query(`
    update brand.settings set currency = 'CNY';
    insert into customers.identities (identity_id, kind, namespace, value, recorded_at) overriding system value
      values (7, 'own_id', 'shop', 'wu-2', '2026-03-06');
    insert into customers.canonical values (7, 7);
    insert into commerce.orders values (7, 5, 7, 'shop', 'o2', '2026-03-05', 7000, 1, '2026-03-06');
    insert into commerce.order_lines values (7, 5, 1, 'W1', null, 1, 70, 7000);
    insert into intake.inbox (source, kind, external_id, fact_id, body_hash, import_id, recorded_at)
      values ('shop', 'order', 'o2', 5, '', 0, '2026-03-06');
    insert into intake.pending_people values ('relationship', 7);
    select setval('intake.fact_id', 5)`)
  const path = await backupOf(older, join(folder, 'older.tar'))
  await older.close()

  accepted(await restore(here, path, { isReplacing: true }))
  const installation = await here.open()
  const { db } = await installation.openBrand(await firstBrand(installation))
  const { brand: shown, people, net_revenue_minor: revenue } = await readBrief(db, brand, clock.now(), undefined)
  assert.deepEqual([shown.currency, people, revenue], ['CNY', 1, 7000])
})

test('others go on while a backup is made: facts of a new month, their standing and segments; a rebuild and another definition wait without a lock', async (t) => {
  const here = await testInstallation(t)
  const database = await makeBrand(await here.open(), [...LIN, ...WU])
  const definition = { orders: { count: { at_least: 1 } } }
  const segment = await createSegment(database, clock, { name: 'buyers', definition }, atTerminal())
  assert.ok(!isRefusal(segment), JSON.stringify(segment))
  const window = { from: '2024-02-05', to: '2024-02-06' }
  const earlier: Clock = { now: () => new Date(clock.now().getTime() - 1000) }
  const idle = { name: 'idle', definition: { not: { interactions: { count: { at_least: 1 }, window } } } }
  assert.ok(!isRefusal(await createSegment(database, earlier, idle, atTerminal())))
  const reader = await database.pool.connect()
  // What a backup holds for as long as it takes.
  await reader.query(`select pg_advisory_lock_shared(hashtext('perennial backup'))`)
  await reader.query('begin isolation level repeatable read read only')
  for (const table of [
    'interactions.interactions',
    'relationship.standing',
    'relationship.eventful_occasions',
    'commerce.orders',
    'segments.stays',
  ]) {
    await reader.query(`select from ${table} limit 1`)
  }
  try {
    const further = { ...WU[1], external_id: 'i3', occurred_at: '2024-02-05T10:00:00Z' }
    assert.deepEqual(await within(post(database, [further])), ['new'])
    assert.equal(await within(refreshStanding(database, clock)), 1)
    // The first stay of a month that ends.
    assert.equal(await within(refreshSegments(database, clock)), 1)
    const rebuilt = rebuild(database, clock)
    const other = { definition: { not: definition } }
    const changed = changeSegment(database, clock, segment.segment_id, other, atTerminal())
    await sleep(200)
    const peopleOf = (table: string) =>
      within(database.pool.query(`select from ${table}`).then(({ rowCount }) => rowCount))
    assert.equal(await peopleOf('relationship.standing'), 2)
    // The instant of the backup and the table of another definition would be a segment of nobody.
    const before = await peopleOf('segments.stays')
    const { rowCount: dumped } = await reader.query('select from segments.stays')
    assert.deepEqual([segment.size, before, dumped], [2, 4, 4])
    assert.ok(!isRefusal(await within(createSegment(database, clock, { name: 'more', definition }, atTerminal()))))
    await reader.query('commit')
    await reader.query(`select pg_advisory_unlock_shared(hashtext('perennial backup'))`)
    await within(rebuilt)
    const after = await within(changed)
    assert.ok(!isRefusal(after))
    assert.deepEqual([after.version, after.size], [2, 0])
  } finally {
    reader.release(true)
  }
})

async function within<T>(work: Promise<T>): Promise<T> {
  const late = sleep(10_000, undefined, { ref: false }).then(() => assert.fail('it waits for the backup'))
  return Promise.race([work, late])
}

const ROUNDS = 5

test('a restore that is killed leaves what was there, or is done', async (t) => {
  const here = await testInstallation(t)
  const path = join(await folderOf(t), 'old.tar')
  const source = await here.open()
  const database = await makeBrand(source, WU)
  await backupOf(source, path)
  const old = await readContents(database)
  await post(database, LIN)
  await catchUp(database, clock)
  const present = await readContents(database)
  assert.notDeepEqual(present, old)
  await source.close()

  const restoring = () =>
    spawn(process.execPath, ['src/bin/cli.ts', 'restore', path, '--replace'], {
      cwd: root,
      env: { ...process.env, PERENNIAL_HOME: here.config.home, DATABASE_URL: here.config.databaseUrl ?? '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  const begun = performance.now()
  let done = 0
  for (let round = 1; round <= ROUNDS; round++) {
    const child = restoring()
    const ended = once(child, 'exit')
    // From before the first look into the database to after the last one, as it takes here.
    await Promise.race([sleep(300 + round * 250), ended])
    child.kill('SIGKILL')
    await ended
    await sleep(200)
    const found = await contentsOf(here)
    const isOld = JSON.stringify(found) === JSON.stringify(old)
    if (isOld) done += 1
    else assert.deepEqual(found, present, `round ${round}, ${performance.now() - begun} ms`)
  }
  t.diagnostic(`${done} of ${ROUNDS} were done before they were killed`)
  const child = restoring()
  const [code] = await once(child, 'exit')
  assert.equal(code, 0, child.stderr?.read()?.toString())
  assert.deepEqual(await contentsOf(here), old)
  const left = await (await here.open()).control.pool.query(
    `select datname from pg_database where datname like current_database() || '%\\_\\_%'`,
  )
  assert.deepEqual(left.rows, [], 'nothing is left over')
})

test('doctor names the databases that a killed restore has left, and removes those that nobody works in', async (t) => {
  const here = await testInstallation(t)
  const source = await here.open()
  await makeBrand(source, WU)
  const { controlName } = source
  const brand = `${controlName}_main`
  for (const name of [`${controlName}__new`, `${brand}__old`, `${brand}__new`, `${controlName}_elsewhere__old`]) {
    await source.control.pool.query(`create database "${name}"`)
  }
  const client = new pg.Client({ connectionString: source.urlOf(`${brand}__new`) })
  await client.connect()
  // The test's end drops it under this connection.
  client.on('error', () => {})
  const found = await findLeftOver(source)
  assert.deepEqual(
    found.map(({ name, isUsed }) => [name, isUsed]),
    [
      [`${controlName}__new`, false],
      [`${brand}__new`, true],
      [`${brand}__old`, false],
    ],
    'what others on the same server have is not ours',
  )
  assert.ok(found.every(({ bytes }) => bytes > 1e6))
  assert.deepEqual(await removeLeftOver(source), [`${controlName}__new`, `${brand}__old`])
  await client.end()
  assert.deepEqual(await removeLeftOver(source), [`${brand}__new`])
  assert.deepEqual(await findLeftOver(source), [])
  assert.equal((await source.brands()).length, 1)
})

test('a backup that fails midway leaves no file', async (t) => {
  const here = await testInstallation(t)
  const folder = await folderOf(t)
  const source = await here.open()
  const database = await makeBrand(source, WU)
  const { rows } = await database.pool.query<{ pid: number }>('select pg_backend_pid() as pid')
  assert.ok(rows[0])
  const ending = setInterval(() => {
    source.control.pool
      .query(
        `select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy%commerce%' and pid <> pg_backend_pid()`,
      )
      .catch(() => {})
  }, 1)
  // Locked, so that the copy of it is met.
  const holder = await database.pool.connect()
  await holder.query('begin; lock table commerce.order_lines in access exclusive mode')
  await assert.rejects(() => backUp(source, folder, { program: '0', now: clock.now() }))
  clearInterval(ending)
  holder.release(true)
  assert.deepEqual(await readdir(folder), [])

  await writeFile(join(folder, 'file'), '')
  const refusal = await backUp(source, join(folder, 'file', 'y.tar'), { program: '0', now: clock.now() })
  assert.equal(isRefusal(refusal) && refusal.code, 'folder_not_writable')
})
