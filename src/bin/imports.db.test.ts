import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TestConsole, testConsole } from '../../test/console.ts'
import { type TestUser, userOf } from '../../test/roles.ts'
import { PART_BYTES_MAX, UPLOAD_BYTES_MAX, type Upload, type UploadGuess } from '../modules/intake/schema.ts'
import type { Clock } from '../platform/clock.ts'
import type { Role } from '../platform/roles.ts'

// A file through the console: brought in parts, looked at, tried, imported, taken back.

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }

const FILE = `order_id,customer_id,paid_at,item,quantity,unit_price
1001,C7,2026-05-03 10:20,tea,2,68.00
1001,C7,2026-05-03 10:20,cup,1,45.50
1002,C8,2026-05-04 09:00,tea,1,68.00
1002,C8,2026-05-04 09:00,cup,1,45.50
1003,C9,never,tea,1,68.00
`
const PHONES = `member_id,phone,name
C7,13912345678,Lin
C8,13812345678,Wei
`

interface Answer {
  readonly status: number
  readonly text: string
  readonly wire: Record<string, unknown> & { error?: { code: string; message: string; remedy: string } }
}

interface Desk extends TestConsole {
  ask(path: string, options?: { method?: string; body?: unknown; bytes?: Buffer; as?: TestUser }): Promise<Answer>
  /** Brings a whole file. @returns its id. */
  bring(content: string, name?: string, as?: TestUser): Promise<string>
  /** Waits until the task has ended. */
  ended(id: string): Promise<NonNullable<Upload['task']>>
  user(role: Role): Promise<TestUser>
}

async function start(t: TestContext): Promise<Desk> {
  const desk = await testConsole(t, clock)
  const owner = await userOf(desk.http, 'owner')
  const ask: Desk['ask'] = async (path, { as = owner, ...options } = {}) => {
    const response = await desk.http.send(path, { ...options, cookie: as.cookie })
    const text = await response.text()
    return { status: response.status, text, wire: text.startsWith('{') ? JSON.parse(text) : {} }
  }
  const bring: Desk['bring'] = async (content, name = 'orders.csv', as = owner) => {
    const bytes = Buffer.from(content)
    const made = await ask('/api/v1/uploads', { body: { file_name: name, bytes: bytes.length }, as })
    assert.equal(made.status, 200, made.text)
    const id = String(made.wire.upload_id)
    // In two parts, as a large file comes.
    const half = Math.floor(bytes.length / 2)
    for (const [from, part] of [
      [0, bytes.subarray(0, half)],
      [half, bytes.subarray(half)],
    ] as const) {
      const sent = await ask(`/api/v1/uploads/${id}/content?from=${from}`, { method: 'PUT', bytes: part, as })
      assert.deepEqual([sent.status, sent.wire.bytes_received], [200, from + part.length])
    }
    return id
  }
  const ended: Desk['ended'] = async (id) => {
    for (let tries = 0; tries < 400; tries += 1) {
      const { wire } = await ask(`/api/v1/uploads/${id}`)
      const { task } = wire as unknown as Upload
      if (task && task.state !== 'waiting' && task.state !== 'running' && !task.progress) return task
      await sleep(25)
    }
    throw new Error('The task has not ended')
  }
  return { ...desk, ask, bring, ended, user: (role) => userOf(desk.http, role) }
}

async function countIn(desk: Desk, table: string): Promise<number> {
  const { rows } = await desk.database.pool.query<{ n: number }>(`select count(*)::int as n from ${table}`)
  return rows[0]?.n ?? -1
}

test('a file is guessed, looked at and tried without anything being stored, and then imported', async (t) => {
  const desk = await start(t)
  const id = await desk.bring(FILE)
  const { wire } = await desk.ask(`/api/v1/uploads/${id}/guess`)
  const { guess, columns, is_source_known, target, sources } = wire as unknown as UploadGuess
  assert.ok(guess)
  assert.equal(guess.is_sure, true)
  assert.equal(guess.mapping.kind, 'orders')
  assert.deepEqual(
    guess.columns.map(({ field, column }) => [field, column]),
    [
      ['order_id', 'order_id'],
      ['customer_id', 'customer_id'],
      ['paid_at', 'paid_at'],
      ['item', 'item'],
      ['quantity', 'quantity'],
      ['unit_price', 'unit_price'],
    ],
  )
  assert.deepEqual(columns[1], { name: 'customer_id', samples: ['C7', 'C8', 'C9'], words: ['C7', 'C8', 'C9'] })
  assert.deepEqual(
    [is_source_known, target, sources],
    [true, { name: 'Main', is_new: false, demo_name: null, currency: null }, []],
  )

  const { mapping } = guess
  const preview = await desk.ask(`/api/v1/uploads/${id}/preview`, { body: { mapping } })
  const { rows } = preview.wire as {
    rows: { line: number; cells: Record<string, string> | null; reason: string | null }[]
  }
  assert.deepEqual(
    rows.map(({ line, reason }) => [line, reason]),
    [
      [2, null],
      [3, null],
      [4, null],
      [5, null],
      [6, 'bad_time'],
    ],
  )
  assert.deepEqual(
    [rows[0]?.cells?.document_id, rows[0]?.cells?.customer, rows[0]?.cells?.unit_price],
    ['1001', 'C7', '68.00'],
  )
  // Another column for a field, and the rows are read otherwise; without one it says what is missing.
  const swapped = { ...mapping, columns: { ...mapping.columns, customer_id: ['item'] } }
  const other = await desk.ask(`/api/v1/uploads/${id}/preview`, { body: { mapping: swapped } })
  assert.equal((other.wire as typeof preview.wire & { rows: typeof rows }).rows[0]?.cells?.customer, 'tea')
  const { paid_at: _, ...lacking } = mapping.columns
  const less = await desk.ask(`/api/v1/uploads/${id}/preview`, { body: { mapping: { ...mapping, columns: lacking } } })
  assert.deepEqual(less.wire, { missing: ['paid_at'], rows: [] })

  await desk.ask(`/api/v1/uploads/${id}/import`, { body: { mapping, dry_run: true } })
  const tried = await desk.ended(id)
  assert.equal(tried.state, 'done')
  assert.deepEqual(
    [tried.report?.rows_in, tried.report?.rows_stored, tried.report?.rows_rejected, tried.report?.orders],
    [5, 4, 1, 2],
  )
  assert.deepEqual(tried.report?.rejected_by_reason, { bad_time: 1 })
  assert.equal(await countIn(desk, 'intake.inbox'), 0)
  assert.equal(await countIn(desk, 'intake.imports'), 0)

  await desk.ask(`/api/v1/uploads/${id}/import`, { body: { mapping, dry_run: false } })
  const done = await desk.ended(id)
  assert.deepEqual([done.state, done.brand, done.report?.orders, done.report?.people], ['done', 'main', 2, 2])
  assert.equal(await countIn(desk, 'commerce.orders'), 2)
  assert.equal(await countIn(desk, 'relationship.standing'), 2, 'and everybody concerned is up to date')
  const after = (await desk.ask(`/api/v1/uploads/${id}`)).wire as unknown as Upload
  assert.deepEqual([after.has_content, after.has_rejects], [false, true])
  assert.deepEqual(await readdir(join(desk.home, 'uploads', id)), ['upload.json'])
})

test('two files that wait for brands of their own get one each, and a name that is taken is refused', async (t) => {
  const desk = await start(t)
  const { guess } = (await desk.ask(`/api/v1/uploads/${await desk.bring(FILE)}/guess`)).wire as unknown as UploadGuess
  const mapping = guess?.mapping
  const ask = async (name: string, isDryRun = false) => {
    const id = await desk.bring(FILE)
    const body = { mapping, new_brand: name, dry_run: isDryRun }
    return { id, answer: await desk.ask(`/api/v1/uploads/${id}/import`, { body }) }
  }
  const tried = await ask('试试', true)
  assert.deepEqual([(await desk.ended(tried.id)).state, (await desk.ended(tried.id)).brand], ['done', null])
  // Both wait: neither may go into the brand that the other one makes.
  const [south, north] = [await ask('南店'), await ask('北店')]
  assert.deepEqual(
    [(await desk.ended(south.id)).into_brand, (await desk.ended(north.id)).into_brand],
    ['brand_2', 'brand_3'],
  )
  const { answer } = await ask('Main')
  assert.deepEqual([answer.status, answer.wire.error?.code], [409, 'brand_name_taken'])
})

test('rejected rows are handed out as they came, and are taken when they are fed again', async (t) => {
  const desk = await start(t)
  const id = await desk.bring(FILE, '订单.csv')
  const { guess } = (await desk.ask(`/api/v1/uploads/${id}/guess`)).wire as unknown as UploadGuess
  await desk.ask(`/api/v1/uploads/${id}/import`, { body: { mapping: guess?.mapping, dry_run: false } })
  await desk.ended(id)
  const { imports } = (await desk.ask('/api/v1/imports')).wire as {
    imports: { import_id: number; has_rejects: boolean }[]
  }
  assert.equal(imports[0]?.has_rejects, true)
  const byUpload = await desk.ask(`/api/v1/uploads/${id}/rejects`)
  const byImport = await desk.ask(`/api/v1/imports/${imports[0]?.import_id}/rejects`)
  assert.equal(byUpload.text, byImport.text)
  assert.match(byUpload.text, /^\uFEFF?order_id,.*reject_line,reject_reason\r?\n1003,C9,never,tea,1,68.00,6,bad_time/)
  const again = await desk.bring(byUpload.text.replace('never', '2026-05-05'), '订单-rejects.csv')
  const answer = (await desk.ask(`/api/v1/uploads/${again}/guess`)).wire as unknown as UploadGuess
  assert.equal(answer.is_source_known, true)
  await desk.ask(`/api/v1/uploads/${again}/import`, { body: { mapping: answer.guess?.mapping, dry_run: false } })
  const mended = await desk.ended(again)
  assert.deepEqual([mended.report?.rows_in, mended.report?.rows_stored], [1, 1])
  assert.equal(await countIn(desk, 'commerce.orders'), 3)
})

test('an import is taken back, after it was said what that does', async (t) => {
  const desk = await start(t)
  const wish = { dry_run: false, source: 'shop' }
  const first = await desk.bring(FILE)
  const { guess } = (await desk.ask(`/api/v1/uploads/${first}/guess`)).wire as unknown as UploadGuess
  const mapping = guess?.mapping
  await desk.ask(`/api/v1/uploads/${first}/import`, { body: { ...wish, mapping } })
  await desk.ended(first)
  // Corrects one order and brings one.
  const second = await desk.bring(FILE.replaceAll('C8,2026-05-04', 'C8,2026-05-06').replace('never', '2026-05-07'))
  await desk.ask(`/api/v1/uploads/${second}/import`, { body: { ...wish, mapping } })
  await desk.ended(second)
  assert.equal(await countIn(desk, 'commerce.orders'), 3)
  const listed = async () =>
    (await desk.ask('/api/v1/imports')).wire as {
      imports: { import_id: number; undone_at: string | null; undone_by: string | null; is_undoing: boolean }[]
    }
  const importId = (await listed()).imports[0]?.import_id
  const expected = await desk.ask(`/api/v1/imports/${importId}/undo`)
  assert.deepEqual(expected.wire, { import_id: importId, facts_retracted: 1, facts_restored: 1 })
  assert.equal(await countIn(desk, 'commerce.orders'), 3, 'asking takes nothing back')
  const undone = await desk.ask(`/api/v1/imports/${importId}/undo`, { body: {} })
  assert.deepEqual(undone.wire, expected.wire)
  for (let tries = 0; tries < 200 && (await listed()).imports[0]?.is_undoing; tries += 1) await sleep(25)
  const [one] = (await listed()).imports
  assert.deepEqual([one?.undone_by, one?.is_undoing], ['owner', false])
  assert.ok(one?.undone_at)
  assert.equal(await countIn(desk, 'commerce.orders'), 2)
  const again = await desk.ask(`/api/v1/imports/${importId}/undo`, { body: {} })
  assert.deepEqual([again.status, again.wire.error?.code], [409, 'already_undone'])
  assert.equal((await desk.ask('/api/v1/imports/999/undo', { body: {} })).wire.error?.code, 'no_such_import')
})

test('a file of another shop is asked about before it corrects what is there', async (t) => {
  const desk = await start(t)
  const first = await desk.bring(FILE)
  const { guess } = (await desk.ask(`/api/v1/uploads/${first}/guess`)).wire as unknown as UploadGuess
  await desk.ask(`/api/v1/uploads/${first}/import`, { body: { mapping: guess?.mapping, dry_run: false } })
  await desk.ended(first)
  const stranger = await desk.bring(FILE.replace('item,', '商品名称,'), 'tmall.csv')
  const asked = (await desk.ask(`/api/v1/uploads/${stranger}/guess`)).wire as unknown as UploadGuess
  assert.deepEqual(
    [asked.is_source_known, asked.sources],
    [false, [{ source: 'orders', files: 1, last_file: 'orders.csv' }]],
  )
  await desk.ask(`/api/v1/uploads/${stranger}/import`, { body: { mapping: asked.guess?.mapping, dry_run: false } })
  const refused = await desk.ended(stranger)
  assert.deepEqual([refused.state, refused.problem?.code], ['refused', 'which_source'])
  await desk.ask(`/api/v1/uploads/${stranger}/import`, {
    body: { mapping: asked.guess?.mapping, source: 'tmall', dry_run: false },
  })
  assert.equal((await desk.ended(stranger)).state, 'done')
  assert.equal(await countIn(desk, 'commerce.orders'), 4)
})

test('a name is a text and no path, whatever stands in it', async (t) => {
  const desk = await start(t)
  for (const [given, name] of [
    ['../../../secrets/auth-secret', 'auth-secret'],
    ['..\\..\\boot.ini', 'boot.ini'],
    ['a\u0000b#c.csv', 'a b c.csv'],
    ['x'.repeat(1000), 'x'.repeat(200)],
  ] as const) {
    const made = await desk.ask('/api/v1/uploads', { body: { file_name: given, bytes: 1 } })
    assert.deepEqual([made.status, made.wire.file_name], [200, name])
  }
  for (const given of ['..', '/', '\n', '../']) {
    const made = await desk.ask('/api/v1/uploads', { body: { file_name: given, bytes: 1 } })
    if (given === '..') assert.equal(made.wire.file_name, '..')
    else assert.deepEqual([made.status, made.wire.error?.code], [400, 'bad_file_name'], JSON.stringify(given))
  }
  const folders = await readdir(join(desk.home, 'uploads'))
  assert.ok(
    folders.every((folder) => /^[a-z]{16}$/.test(folder)),
    folders.join(),
  )
  assert.deepEqual((await readdir(desk.home)).sort(), ['uploads'])
  for (const id of ['..%2F..', '%2e%2e', 'upload.json', 'A'.repeat(16)]) {
    for (const path of [`/api/v1/uploads/${id}`, `/api/v1/uploads/${id}/guess`, `/api/v1/uploads/${id}/rejects`]) {
      assert.ok([400, 404].includes((await desk.ask(path)).status), path)
    }
  }
  const id = await desk.bring(FILE)
  const sheet = await desk.ask(`/api/v1/uploads/${id}/guess?sheet=${encodeURIComponent('../../x')}`)
  assert.deepEqual([sheet.status, sheet.wire.error?.code], [400, 'invalid_request'])
})

test('too much, at the wrong place, half a file and no table are refused in words that name no folder', async (t) => {
  const desk = await start(t)
  const large = await desk.ask('/api/v1/uploads', { body: { file_name: 'a.csv', bytes: UPLOAD_BYTES_MAX + 1 } })
  assert.deepEqual([large.status, large.wire.error?.code], [429, 'file_too_large'])
  const made = await desk.ask('/api/v1/uploads', { body: { file_name: 'a.csv', bytes: 10 } })
  const id = String(made.wire.upload_id)
  const put = (from: number, bytes: Buffer) =>
    desk.ask(`/api/v1/uploads/${id}/content?from=${from}`, { method: 'PUT', bytes })
  assert.equal((await put(0, Buffer.alloc(PART_BYTES_MAX + 1))).status, 413)
  assert.equal((await put(0, Buffer.from('12345678901'))).wire.error?.code, 'file_too_large')
  assert.equal((await put(5, Buffer.from('12345'))).wire.error?.code, 'wrong_place')
  assert.equal((await put(0, Buffer.from('order'))).wire.bytes_received, 5)
  assert.equal((await desk.ask(`/api/v1/uploads/${id}/guess`)).wire.error?.code, 'upload_incomplete')
  // The same part twice, as after an answer that was lost, changes nothing.
  assert.equal((await put(0, Buffer.from('order'))).wire.error?.code, 'wrong_place')
  assert.equal((await desk.ask(`/api/v1/uploads/${id}`)).wire.bytes_received, 5)

  for (const [content, code] of [
    ['%PDF-1.7 and more', 'unreadable_table'],
    ['PK\u0003\u0004 no workbook at all', 'unreadable_table'],
    ['', 'unreadable_table'],
  ] as const) {
    const bad = await desk.bring(content, 'bad.csv')
    const guessed = await desk.ask(`/api/v1/uploads/${bad}/guess`)
    assert.equal(guessed.wire.error?.code, code, guessed.text)
    assert.ok(guessed.wire.error?.message.startsWith('bad.csv: '), guessed.text)
    assert.ok(!guessed.text.includes(desk.home), guessed.text)
    const removed = await desk.ask(`/api/v1/uploads/${bad}`, { method: 'DELETE' })
    assert.equal(removed.status, 200)
    assert.equal((await desk.ask(`/api/v1/uploads/${bad}`)).status, 404)
  }
})

test('an integrator has files of their own, masked, and nobody’s rejected rows but theirs', async (t) => {
  const desk = await start(t)
  const integrator = await desk.user('integrator')
  const theirs = await desk.bring(PHONES, 'people.csv')
  const own = await desk.bring(PHONES, 'people.csv', integrator)
  const { uploads } = (await desk.ask('/api/v1/uploads', { as: integrator })).wire as { uploads: Upload[] }
  assert.deepEqual(
    uploads.map(({ upload_id }) => upload_id),
    [own],
  )
  for (const path of ['', '/guess', '/rejects']) {
    assert.equal((await desk.ask(`/api/v1/uploads/${theirs}${path}`, { as: integrator })).status, 404, path)
  }
  const guessed = await desk.ask(`/api/v1/uploads/${own}/guess`, { as: integrator })
  assert.match(guessed.text, /139\*\*\*\*5678/)
  const { guess } = guessed.wire as unknown as UploadGuess
  const shown = await desk.ask(`/api/v1/uploads/${own}/preview`, { body: { mapping: guess?.mapping }, as: integrator })
  assert.match(shown.text, /139\*\*\*\*5678/)
  assert.doesNotMatch(guessed.text + shown.text, /13912345678|13812345678/)
  // What they were shown masked is a mapping all the same.
  await desk.ask(`/api/v1/uploads/${own}/import`, { body: { mapping: guess?.mapping, dry_run: false }, as: integrator })
  assert.equal((await desk.ended(own)).report?.people, 2)
})

/** The orders of a brand that nobody can write to, as while another import is being stored. */
async function holdOrders(t: TestContext, desk: Desk): Promise<() => Promise<void>> {
  const blocker = await desk.database.pool.connect()
  let isHeld = true
  const release = async () => {
    if (!isHeld) return
    isHeld = false
    await blocker.query('rollback')
    blocker.release()
  }
  t.after(release)
  await blocker.query('begin; lock table commerce.orders in share mode')
  return release
}

async function untilPhase(desk: Desk, id: string, phase: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    const { task } = (await desk.ask(`/api/v1/uploads/${id}`)).wire as unknown as Upload
    if (task?.progress?.phase === phase) return
    await sleep(10)
  }
  assert.fail(`It has never been ${phase}`)
}

test('an import is cancelled while it is being stored: nothing of it is there, and the same file goes in later', async (t) => {
  const desk = await start(t)
  const id = await desk.bring(FILE)
  const { guess } = (await desk.ask(`/api/v1/uploads/${id}/guess`)).wire as unknown as UploadGuess
  const wish = { mapping: guess?.mapping, dry_run: false }
  const none = await desk.ask(`/api/v1/uploads/${id}/cancel`, { body: {} })
  assert.deepEqual([none.status, none.wire.error?.code], [409, 'not_importing'])

  const release = await holdOrders(t, desk)
  await desk.ask(`/api/v1/uploads/${id}/import`, { body: wish })
  await untilPhase(desk, id, 'storing')
  const asked = await desk.ask(`/api/v1/uploads/${id}/cancel`, { body: {} })
  assert.equal(asked.status, 200, asked.text)
  // The lock is held yet: the statement that waits for it was ended.
  const cancelled = await desk.ended(id)
  assert.deepEqual([cancelled.state, cancelled.report, cancelled.problem], ['cancelled', null, null])
  await release()
  for (const table of ['intake.imports', 'intake.inbox', 'commerce.orders', 'intake.pending_people']) {
    assert.equal(await countIn(desk, table), 0, table)
  }
  assert.deepEqual(await readdir(join(desk.home, 'rejects')), [], 'nor are its rejected rows')
  const runs = await readdir(join(desk.home, 'imports'))
  assert.deepEqual(
    runs.filter((name) => name !== 'lock'),
    [],
    'nor what it had read',
  )
  const left = (await desk.ask(`/api/v1/uploads/${id}`)).wire as unknown as Upload
  assert.deepEqual([left.has_content, left.has_rejects], [true, false])
  const again = await desk.ask(`/api/v1/uploads/${id}/cancel`, { body: {} })
  assert.equal(again.wire.error?.code, 'not_importing')

  await desk.ask(`/api/v1/uploads/${id}/import`, { body: wish })
  const done = await desk.ended(id)
  assert.deepEqual([done.state, done.report?.orders, done.report?.resumed_at_row], ['done', 2, null])
})

test('of files that wait for their turn one is cancelled at once, and may wait again', async (t) => {
  const desk = await start(t)
  const [first, second] = [await desk.bring(FILE), await desk.bring(FILE, 'later.csv')]
  const { guess } = (await desk.ask(`/api/v1/uploads/${first}/guess`)).wire as unknown as UploadGuess
  const wish = { mapping: guess?.mapping, source: 'shop', dry_run: false }
  const release = await holdOrders(t, desk)
  await desk.ask(`/api/v1/uploads/${first}/import`, { body: wish })
  await desk.ask(`/api/v1/uploads/${second}/import`, { body: wish })
  const cancelled = await desk.ask(`/api/v1/uploads/${second}/cancel`, { body: {} })
  assert.equal((cancelled.wire as unknown as Upload).task?.state, 'cancelled')
  assert.equal((cancelled.wire as unknown as Upload).task?.progress, null)
  await desk.ask(`/api/v1/uploads/${second}/import`, { body: { ...wish, dry_run: true } })
  await release()
  assert.equal((await desk.ended(first)).state, 'done')
  const tried = await desk.ended(second)
  assert.deepEqual([tried.state, tried.kind, tried.report?.documents_known], ['done', 'dry_run', 2])
})

test('who is cancelling somebody else’s file has to see it', async (t) => {
  const desk = await start(t)
  const integrator = await desk.user('integrator')
  const id = await desk.bring(FILE)
  const { guess } = (await desk.ask(`/api/v1/uploads/${id}/guess`)).wire as unknown as UploadGuess
  const release = await holdOrders(t, desk)
  await desk.ask(`/api/v1/uploads/${id}/import`, { body: { mapping: guess?.mapping, dry_run: false } })
  const refused = await desk.ask(`/api/v1/uploads/${id}/cancel`, { body: {}, as: integrator })
  assert.deepEqual([refused.status, refused.wire.error?.code], [404, 'no_such_upload'])
  await release()
  assert.equal((await desk.ended(id)).state, 'done')
})

test('what the last process left is taken up again', async (t) => {
  const desk = await start(t)
  const id = await desk.bring(FILE)
  const { guess } = (await desk.ask(`/api/v1/uploads/${id}/guess`)).wire as unknown as UploadGuess
  await desk.importing.stop()
  await desk.ask(`/api/v1/uploads/${id}/import`, { body: { mapping: guess?.mapping, dry_run: false } })
  await sleep(100)
  assert.equal(await countIn(desk, 'intake.imports'), 0, 'a server that is stopping begins nothing')
  const next = desk.reopenImports()
  await next.resume()
  for (let tries = 0; tries < 200 && (await countIn(desk, 'intake.imports')) === 0; tries += 1) await sleep(25)
  assert.equal(await countIn(desk, 'commerce.orders'), 2)
})

test('of somebody who is erased nothing stays in files that wait', async (t) => {
  const desk = await start(t)
  const waiting = await desk.bring(PHONES, 'people.csv')
  await desk.post({
    kind: 'order',
    external_id: 'A-1',
    customer_id: 'C7',
    paid_at: '2026-05-01T00:00:00Z',
    lines: [{ item: 'tea', unit_price: 10 }],
  })
  const { people } = (await desk.ask('/api/v1/people')).wire as { people: { person_id: number }[] }
  const erased = await desk.ask(`/api/v1/people/${people[0]?.person_id}/erase`, { body: { key: 'C7' } })
  assert.equal(erased.status, 200, erased.text)
  const left = (await desk.ask(`/api/v1/uploads/${waiting}`)).wire as unknown as Upload
  assert.equal(left.has_content, false)
  assert.equal((await desk.ask(`/api/v1/uploads/${waiting}/guess`)).wire.error?.code, 'upload_gone')
})
