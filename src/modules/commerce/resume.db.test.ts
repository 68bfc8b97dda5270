import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { testDatabase } from '../../../test/database.ts'
import { othersGone, state } from '../../../test/import-crash.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { type Clock, systemClock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal, type Refusal } from '../../platform/refusal.ts'
import { importPeople } from '../customers/actions.ts'
import type { ImportCommand, ImportProgress } from '../intake/actions.ts'
import type { ImportReport } from '../intake/schema.ts'
import { importOrders } from './actions.ts'

const ROWS = 18_000
const CHECKPOINT_ROWS = 4000
/** Rows come in batches, and a checkpoint stands at the end of one. */
const BATCH_ROWS = 2000
const DAY_MS = 86_400_000

/**
 * Orders of three rows. Some rows are bad by themselves and take their order with them, some only together with others (a second
 * customer), texts have quotes, line ends, tabs and backslashes in them.
 */
function messyFile(rowCount = ROWS): string {
  const rows = Array.from({ length: rowCount }, (_, index) => {
    const order = Math.floor(index / 3)
    const customer = order % 211 === 0 && index % 3 === 2 ? 'someone-else' : `c${order % 900}`
    const day = index % 97 === 0 ? 'yesterday' : `2025-0${1 + (order % 9)}-1${order % 10}`
    const name = index % 5 === 0 ? `"two\r\nlines, ""quoted""\tand \\N"` : '茶'
    return `o${order},${customer},${day},i${index % 50},${name},${order % 7 === 6 ? -1 : 1},${(index % 97) + 0.5}`
  })
  return `order_id,customer_id,paid_at,item,item_name,quantity,unit_price\r\n${rows.join('\r\n')}\r\n`
}

interface Place {
  readonly folder: string
  readonly path: string
  readonly rejects: string
  readonly runs: string
}

async function place(t: TestContext, content: string | Buffer = messyFile(), fileName = 'orders.csv'): Promise<Place> {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-resume-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, fileName)
  await writeFile(path, content)
  return { folder, path, rejects: join(folder, 'rejects'), runs: join(folder, 'imports') }
}

type Attempt = Partial<ImportCommand> & { readonly clock?: Clock }

async function run(
  database: Database,
  { path, rejects, runs }: Place,
  { clock = systemClock, ...command }: Attempt = {},
): Promise<ImportReport | Refusal> {
  return importOrders(database, clock, {
    path,
    mapping: 'orders',
    options: {},
    dryRun: false,
    rejectsFolder: rejects,
    runsFolder: runs,
    checkpointRows: CHECKPOINT_ROWS,
    ...command,
  })
}

function accepted(report: ImportReport | Refusal): ImportReport {
  if (isRefusal(report)) assert.fail(`refused: ${report.message}`)
  assert.equal(report.rows_in, report.rows_stored + report.rows_merged + report.rows_rejected)
  return report
}

function refused(report: ImportReport | Refusal, code: string): void {
  if (!isRefusal(report)) assert.fail(`was not refused: ${JSON.stringify(report)}`)
  assert.equal(report.code, code)
  assert.notEqual(report.remedy, '')
}

/** What a report says of the file, whenever and however often it was begun. */
function saying(report: ImportReport): unknown {
  const { import_id, seconds, rejects_file, resumed_at_row, not_resumed, ...rest } = report
  return rest
}

/** Ends an import in the middle, as a lost disk or connection would, once so many rows are read. */
async function breakOff(database: Database, at: Place, afterRows: number, command: Attempt = {}): Promise<void> {
  const stop = new Error('broken off')
  const onProgress = ({ phase, rows }: ImportProgress) => {
    if (phase === 'reading' && rows >= afterRows) throw stop
  }
  await assert.rejects(run(database, at, { ...command, onProgress }), stop)
}

interface Clean {
  readonly report: ImportReport
  readonly rejects: string
  readonly state: unknown
}

/** By file and command: most tests break off the same import. */
const cleanOnes = new Map<string, Clean>()

/** What an import that nothing interrupts says, gives back and leaves. */
async function clean(t: TestContext, at: Place, command: Partial<ImportCommand> = {}): Promise<Clean> {
  const content = createHash('sha256').update(await readFile(at.path))
  const key = `${basename(at.path)} ${content.digest('hex')} ${JSON.stringify(command)}`
  const known = cleanOnes.get(key)
  if (known) return known
  const { database } = await testDatabase(t)
  const apart = { ...at, rejects: join(at.folder, 'clean-rejects'), runs: join(at.folder, 'clean-imports') }
  const report = accepted(await run(database, apart, command))
  const rejects = report.rejects_file ? await readFile(report.rejects_file, 'utf8') : ''
  const made = { report, rejects, state: await state(database) }
  cleanOnes.set(key, made)
  return made
}

/** Files and folders of unfinished imports. */
async function left(at: Place): Promise<string[]> {
  return (await readdir(at.runs)).filter((name) => name !== 'lock')
}

async function assertLikeClean(t: TestContext, database: Database, at: Place, report: ImportReport) {
  const wanted = await clean(t, at)
  assert.deepEqual(saying(report), saying(wanted.report))
  assert.deepEqual(await state(database), wanted.state)
  assert.equal(report.rejects_file ? await readFile(report.rejects_file, 'utf8') : '', wanted.rejects)
  assert.deepEqual(await left(at), [])
  assert.ok((await readdir(at.rejects).catch(() => [])).length <= 1, 'no other rejects file is left')
}

/** An import as a process of its own, that says on each line how far it is. */
const CHILD = `
  import { importOrders } from '${new URL('./actions.ts', import.meta.url)}'
  import { systemClock } from '${new URL('../../platform/clock.ts', import.meta.url)}'
  import { openDatabase } from '${new URL('../../platform/db.ts', import.meta.url)}'
  const [url, path, rejectsFolder, runsFolder, checkpointRows] = process.argv.slice(1)
  const database = openDatabase(url)
  const report = await importOrders(database, systemClock, {
    path, mapping: 'orders', options: {}, dryRun: false, rejectsFolder, runsFolder, checkpointRows: Number(checkpointRows),
    onProgress: ({ phase, rows }) => process.stdout.write(phase + ' ' + rows + '\\n'),
  })
  process.stdout.write('report ' + JSON.stringify(report) + '\\n')
  await database.close()
`

interface Said {
  readonly phase: string
  readonly rows: number
  readonly line: string
}

/** @returns all that the import said until it ended or was killed. */
async function childImport(
  url: string,
  { path, rejects, runs }: Place,
  watch: (said: Said, child: ChildProcess) => void,
): Promise<Said[]> {
  const args = [url, path, rejects, runs, String(CHECKPOINT_ROWS)]
  const child = spawn(process.execPath, ['--input-type=module', '--eval', CHILD, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const all: Said[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    const [phase = '', rows] = line.split(' ')
    const said = { phase, rows: Number(rows), line }
    all.push(said)
    watch(said, child)
  }
  await exited
  return all
}

function reportOf(said: readonly Said[]): ImportReport | undefined {
  const last = said.at(-1)
  return last?.phase === 'report' ? (JSON.parse(last.line.slice('report '.length)) as ImportReport) : undefined
}

test('an import that is killed while it reads goes on where it stopped, and ends like one that was not', async (t) => {
  const at = await place(t)
  const { database, url } = await testDatabase(t)
  const first = Math.floor(Math.random() * 6000)
  let report: ImportReport | undefined
  let read = 0
  for (let kill = first, rounds = 0; !report; kill += 3000 + Math.floor(Math.random() * 5000), rounds += 1) {
    assert.ok(rounds < 20)
    const said = await childImport(url, at, ({ phase, rows }, child) => {
      if (phase === 'reading' && rows >= kill && kill < ROWS) child.kill('SIGKILL')
    })
    const resumed = said.find(({ phase }) => phase === 'resuming')?.rows ?? 0
    t.diagnostic(`killed at ${kill}: resumed at ${resumed}, said ${said.at(-1)?.line.slice(0, 40)}`)
    assert.ok(read - resumed < CHECKPOINT_ROWS + BATCH_ROWS, `${read} rows were read, it went on at ${resumed}`)
    const begun = said.find(({ phase }) => phase === 'reading')
    if (begun) assert.ok(begun.rows > resumed && begun.rows <= resumed + BATCH_ROWS)
    read = Math.max(read, ...said.filter(({ phase }) => phase === 'reading').map(({ rows }) => rows))
    report = reportOf(said)
    if (report) assert.equal(report.resumed_at_row, resumed > 0 ? resumed + 1 : null)
  }
  assert.equal(report.rows_in, ROWS)
  await assertLikeClean(t, database, at, report)
})

test('an import that is killed while it stores does not read again', async (t) => {
  const at = await place(t)
  const { database, url } = await testDatabase(t)
  const empty = await state(database)
  for (const delayMs of [0, 100]) {
    const said = await childImport(url, at, ({ phase, rows }, child) => {
      if (phase === 'applying' && rows === 0) void sleep(delayMs).then(() => child.kill('SIGKILL'))
    })
    assert.equal(reportOf(said), undefined, 'it was over before the kill')
    await othersGone(database)
    assert.deepEqual(await state(database), empty, 'nothing is stored')
  }
  const phases = new Set<string>()
  const report = accepted(await run(database, at, { onProgress: ({ phase }) => phases.add(phase) }))
  assert.deepEqual([...phases], ['resuming', 'applying'])
  assert.equal(report.resumed_at_row, ROWS + 1)
  await assertLikeClean(t, database, at, report)
})

test('an import that is killed after it was stored stores nothing twice, and says that all is known', async (t) => {
  const at = await place(t)
  const { database } = await testDatabase(t)
  const copy = join(at.folder, 'as-it-was')
  const first = accepted(
    await run(database, at, {
      onProgress: ({ phase, rows }) => {
        if (phase === 'applying' && rows === 0) cpSync(at.runs, copy, { recursive: true })
      },
    }),
  )
  const stored = await state(database)
  await rm(at.runs, { recursive: true })
  cpSync(copy, at.runs, { recursive: true })

  const second = accepted(await run(database, at))
  assert.equal(second.resumed_at_row, ROWS + 1)
  assert.deepEqual(
    [second.documents_new, second.documents_known, second.rows_stored, second.rows_merged],
    [0, first.documents_new, 0, first.rows_stored],
  )
  assert.equal(second.rejects_file, first.rejects_file)
  const { counts, ...facts } = (await state(database)) as Record<string, unknown>
  const { counts: before, ...wanted } = stored as Record<string, unknown>
  assert.deepEqual(facts, wanted)
  assert.deepEqual(counts, { ...(before as Record<string, number>), 'intake.imports': 2 }, 'but that it was run twice')
})

const FORMS: readonly (readonly [what: string, name: string, content: () => string | Buffer])[] = [
  ['with a byte order mark', 'orders.csv', () => `\ufeff${messyFile()}`],
  ['with a line that names the separator', 'orders.csv', () => `sep=,\r\n${messyFile()}`],
  ['in UTF-16', 'orders.csv', () => Buffer.from(`\ufeff${messyFile()}`, 'utf16le')],
  ['that is gzipped', 'orders.csv.gz', () => gzipSync(messyFile())],
  [
    'of JSON lines',
    'orders.jsonl',
    () =>
      Array.from({ length: ROWS }, (_, index) =>
        JSON.stringify({
          order_id: `o${Math.floor(index / 3)}`,
          customer_id: `c${index % 700}`,
          paid_at: index % 97 === 0 ? 'never' : '2025-03-04',
          unit_price: index / 4,
        }),
      ).join('\n'),
  ],
]
for (const [what, name, content] of FORMS) {
  test(`a file ${what} is gone on with`, async (t) => {
    const at = await place(t, content(), name)
    const { database } = await testDatabase(t)
    await breakOff(database, at, 9000)
    await breakOff(database, at, 15_000)
    const report = accepted(await run(database, at))
    assert.ok(Number(report.resumed_at_row) > 9000, `${report.resumed_at_row}`)
    await assertLikeClean(t, database, at, report)
  })
}

test('a people file is gone on with', async (t) => {
  const rows = Array.from({ length: 9000 }, (_, index) => `p${index},1380000${1000 + index},"N\\\n${index}"`)
  const at = await place(t, `own_id,phone,name\n${rows.join('\n')}\n`, 'members.csv')
  const { database } = await testDatabase(t)
  const command = { path: at.path, mapping: 'people', options: {}, dryRun: false, rejectsFolder: at.rejects }
  const whole = { ...command, runsFolder: at.runs, checkpointRows: CHECKPOINT_ROWS }
  const onProgress = ({ phase, rows }: ImportProgress) => {
    if (phase === 'reading' && rows >= 6000) throw new Error('broken off')
  }
  await assert.rejects(importPeople(database, systemClock, { ...whole, onProgress }), /broken off/)
  const report = accepted(await importPeople(database, systemClock, whole))
  assert.deepEqual([report.resumed_at_row, report.rows_stored, report.people], [4001, 9000, 9000])
  const { rows: names } = await database.pool.query<{ name: string }>(
    `select name from customers.records order by length(name), name limit 1`,
  )
  assert.equal(names[0]?.name, 'N\\\n0')
})

test('what has changed meanwhile begins anew, and says why', async (t) => {
  const { database } = await testDatabase(t)
  const cases: readonly (readonly [why: string, change: (at: Place) => Promise<Attempt>])[] = [
    [
      'file_changed',
      async ({ path }) => {
        await appendFile(path, 'o999999,c1,2025-01-01,i1,x,1,5\r\n')
        return {}
      },
    ],
    ['options_changed', async () => ({ options: { duplicates: 'merge' } })],
    [
      'mapping_changed',
      async () => ({
        mapping: {
          name: 'other',
          kind: 'orders',
          source: 'other',
          date_order: 'ymd',
          columns: { order_id: ['order_id'], paid_at: ['paid_at'], unit_price: ['unit_price'] },
          options: {},
        },
      }),
    ],
    [
      'bad_checkpoint',
      async (at) => {
        const path = join(at.runs, (await left(at))[0] ?? '', 'checkpoint')
        await writeFile(path, (await readFile(path, 'utf8')).slice(0, -40))
        return {}
      },
    ],
    [
      'rows_missing',
      async (at) => {
        await writeFile(join(at.runs, (await left(at))[0] ?? '', 'rows'), 'torn')
        return {}
      },
    ],
    [
      'no_checkpoint',
      async (at) => {
        await rm(join(at.runs, (await left(at))[0] ?? '', 'checkpoint'))
        return {}
      },
    ],
  ]
  for (const [why, change] of cases) {
    const at = await place(t)
    await breakOff(database, at, 13_000)
    const how = await change(at)
    const said: ImportProgress[] = []
    const report = accepted(await run(database, at, { ...how, onProgress: (progress) => said.push(progress) }))
    assert.equal(report.not_resumed, why)
    assert.equal(report.resumed_at_row, null)
    assert.deepEqual(said[0], { phase: 'restarting', rows: 0, reason: why })
    assert.ok(said.some(({ phase, rows }) => phase === 'reading' && rows === BATCH_ROWS))
    const wanted = await clean(t, at, how)
    assert.equal(report.rejects_file ? await readFile(report.rejects_file, 'utf8') : '', wanted.rejects, why)
    assert.deepEqual(await left(at), [], why)
    assert.deepEqual((await readdir(at.rejects)).length, 1, why)
  }
})

test('what was written after the last checkpoint is cut off', async (t) => {
  const at = await place(t)
  const { database } = await testDatabase(t)
  await breakOff(database, at, 13_000)
  const folder = join(at.runs, (await left(at))[0] ?? '')
  const [rejects = ''] = await readdir(at.rejects)
  // More than what is still to come, which would else just write over it.
  const torn = 'half a line of what came af'.repeat(50_000)
  for (const path of [join(folder, 'rows'), join(folder, 'units'), join(at.rejects, rejects)])
    await appendFile(path, torn)
  const report = accepted(await run(database, at))
  assert.equal(report.resumed_at_row, 12_001)
  await assertLikeClean(t, database, at, report)
})

test('a file is imported once at a time, and another beside it', async (t) => {
  const at = await place(t, messyFile(6000))
  const other = { ...at, path: join(at.folder, 'other.csv') }
  await writeFile(other.path, messyFile(6000))
  const { database } = await testDatabase(t)
  const [one, two, beside] = await Promise.all([run(database, at), run(database, at), run(database, other)])
  const [done, not] = isRefusal(one) ? [two, one] : [one, two]
  accepted(done as ImportReport)
  refused(not as Refusal, 'import_running')
  accepted(beside as ImportReport)
  assert.deepEqual(await left(at), [])
})

test('a live import in another process is refused to, a killed one is not', async (t) => {
  const at = await place(t)
  const { database, url } = await testDatabase(t)
  let asked: Promise<ImportReport | Refusal> | undefined
  await childImport(url, at, ({ phase, rows }, child) => {
    if (phase !== 'reading' || rows < 6000 || asked) return
    child.kill('SIGSTOP')
    asked = run(database, at).finally(() => child.kill('SIGKILL'))
  })
  assert.ok(asked)
  refused(await asked, 'import_running')
  assert.ok(Number(accepted(await run(database, at)).resumed_at_row) > 1)
})

test('a dry run leaves nothing, and an unfinished import alone', async (t) => {
  const at = await place(t)
  const { database } = await testDatabase(t)
  await breakOff(database, at, 13_000)
  const [unfinished] = await left(at)
  const tried = accepted(await run(database, at, { dryRun: true, clock: { now: () => new Date(Date.now() + 1000) } }))
  assert.deepEqual([tried.resumed_at_row, tried.rows_in, tried.sample?.length], [null, ROWS, 20])
  assert.deepEqual(await left(at), [unfinished])
  // One that died holds no lock and is nobody's to go on with.
  await mkdir(join(at.runs, 'dry-0-1'))
  await writeFile(join(at.runs, 'dry-0-1', 'rows'), 'somebody')
  assert.equal(accepted(await run(database, at)).resumed_at_row, 12_001)
  assert.deepEqual(await left(at), [])
})

test('unfinished imports are removed after seven days', async (t) => {
  const at = await place(t)
  const other = { ...at, path: join(at.folder, 'other.csv') }
  await writeFile(other.path, messyFile(3))
  const { database } = await testDatabase(t)
  await breakOff(database, at, 13_000)
  const [unfinished = ''] = await left(at)
  const rows = join(at.runs, unfinished, 'rows')
  const daysAgo = (days: number) => new Date(Date.now() - days * DAY_MS)
  await utimes(rows, daysAgo(6.9), daysAgo(6.9))
  accepted(await run(database, other))
  assert.deepEqual(await left(at), [unfinished])
  assert.equal((await readdir(at.rejects)).length, 2)
  await utimes(rows, daysAgo(7.1), daysAgo(7.1))
  accepted(await run(database, other))
  assert.deepEqual(await left(at), [])
  assert.equal((await readdir(at.rejects)).length, 2, 'its rejects file goes with it; the other two stay')
})

test('what is read is for the owner alone', async (t) => {
  const at = await place(t)
  const { database } = await testDatabase(t)
  await breakOff(database, at, 13_000)
  const folder = join(at.runs, (await left(at))[0] ?? '')
  for (const path of [at.runs, folder]) assert.equal((await stat(path)).mode & 0o777, 0o700, path)
  for (const name of ['rows', 'units', 'rejects', 'checkpoint']) {
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name)
  }
})

test('a full disk and a folder that cannot be written are refused, with what to do', async (t) => {
  const at = await place(t)
  const { database } = await testDatabase(t)
  const clock = { now: () => new Date('2025-11-20T04:00:00Z') }
  const rejects = join(at.rejects, '2025-11-20T040000.000Z-orders.csv')
  await mkdir(at.rejects)
  await symlink('/dev/full', rejects)
  refused(await run(database, at, { clock }), 'disk_full')
  await rm(rejects)
  accepted(await run(database, at, { clock }))

  await writeFile(join(at.folder, 'a-file'), '')
  refused(await run(database, { ...at, runs: join(at.folder, 'a-file') }), 'folder_not_writable')
  refused(await run(database, { ...at, rejects: join(at.folder, 'a-file', 'in-it') }), 'folder_not_writable')
})

test('cancelled wherever it stands, an import leaves nothing in the brand and nothing on disk', async (t) => {
  const { database } = await testDatabase(t)
  const at = await place(t)
  const points = [
    ['reading', BATCH_ROWS],
    ['reading', ROWS],
    ['applying', 0],
    ['applying', 1],
  ] as const
  for (const [phase, rows] of points) {
    const cancelling = new AbortController()
    const onProgress = (said: ImportProgress) => {
      if (said.phase === phase && said.rows >= rows) cancelling.abort()
    }
    const refused = await run(database, at, { cancelling: cancelling.signal, onProgress })
    assert.ok(isRefusal(refused), `${phase} ${rows}`)
    assert.equal(refused.code, 'import_cancelled')
    assert.deepEqual(await readdir(at.rejects), [], `${phase} ${rows}`)
    assert.deepEqual(
      (await readdir(at.runs)).filter((name) => name !== 'lock'),
      [],
      `${phase} ${rows}`,
    )
    const { rows: stored } = await database.pool.query('select from intake.inbox union all select from intake.imports')
    assert.equal(stored.length, 0, `${phase} ${rows}`)
  }
  // A signal that is not used changes nothing, and nobody is asked to end what comes after it.
  const cancelling = new AbortController()
  const report = accepted(await run(database, at, { cancelling: cancelling.signal }))
  cancelling.abort()
  assert.deepEqual([report.resumed_at_row, report.rows_in], [null, ROWS])
})
