import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { importOrders } from '../src/modules/commerce/actions.ts'
import { systemClock } from '../src/platform/clock.ts'
import type { Database } from '../src/platform/db.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import { testDatabase } from './database.ts'
import { scratchFolder } from './scratch.ts'

const LINES_PER_ORDER = 3
const WAIT_MS_MAX = 30_000

/** An import as a process of its own, that says on each line what it has done: `reading 2000`, `applying`, `done`. */
const CHILD = `
  import { importOrders } from '${new URL('../src/modules/commerce/actions.ts', import.meta.url)}'
  import { systemClock } from '${new URL('../src/platform/clock.ts', import.meta.url)}'
  import { openDatabase } from '${new URL('../src/platform/db.ts', import.meta.url)}'
  const [url, path, rejectsFolder] = process.argv.slice(1)
  const database = openDatabase(url)
  await importOrders(database, systemClock, {
    path, mapping: 'orders', options: { connected_by: 'shop_account' }, dryRun: false, rejectsFolder, runsFolder: rejectsFolder + '/imports',
    onProgress: (progress) => process.stdout.write(progress.phase + ' ' + progress.rows + '\\n'),
  })
  process.stdout.write('done 0\\n')
  await database.close()
`

/** Orders of three lines by a tenth as many customers, every seventh order a return that names none. */
function bigFile(rowCount: number): string {
  const rows = Array.from({ length: rowCount }, (_, index) => {
    const order = Math.floor(index / LINES_PER_ORDER)
    const day = String((order % 28) + 1).padStart(2, '0')
    const quantity = order % 7 === 6 ? -1 : 1
    return `o${order},c${order % 2000},2025-${order % 2 ? '01' : '02'}-${day},i${index % 50},${quantity},${(index % 97) + 0.5}`
  })
  return `order_id,customer_id,paid_at,item,quantity,unit_price\n${rows.join('\n')}\n`
}

/**
 * Kills an import with SIGKILL so many times, every second round while the file flows in and every other while the
 * rows are applied, at a random instant. After each the database has none of it, and in the end an import is whole.
 */
export async function crashRounds(t: TestContext, rounds: number, rowCount: number): Promise<void> {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-crash-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'big.csv')
  await writeFile(path, bigFile(rowCount))

  const reference = await testDatabase(t)
  const applyingMs = await importHere(reference.database, path, folder, rowCount)
  const { database, url } = await testDatabase(t)
  const empty = await counts(database)

  for (let round = 0, tries = 0; round < rounds; tries += 1) {
    assert.ok(tries < 10 * rounds, 'the import is always faster than the kill')
    const isReading = round % 2 === 0
    const last = await killedImport([url, path, folder], isReading ? Math.random() * rowCount : undefined, applyingMs)
    await othersGone(database)
    const found = await counts(database)
    if (Object.values(found).some((count) => count > 0)) {
      // It had ended before the kill: what it stored has to be whole, and the round begins anew.
      assert.deepEqual(await state(database), await state(reference.database), `after ${last}: whole or nothing`)
      await truncate(database)
      continue
    }
    assert.deepEqual(found, empty)
    t.diagnostic(`killed after ${last}`)
    round += 1
  }
  await importHere(database, path, folder, rowCount)
  assert.deepEqual(await state(database), await state(reference.database))
}

/** @returns how long it took to apply what was read, in milliseconds. */
async function importHere(database: Database, path: string, rejectsFolder: string, rowCount: number): Promise<number> {
  let applyingSince = 0
  const report = await importOrders(database, systemClock, {
    path,
    mapping: 'orders',
    options: { connected_by: 'shop_account' },
    dryRun: false,
    rejectsFolder,
    runsFolder: join(rejectsFolder, 'imports'),
    onProgress: ({ phase }) => {
      if (phase === 'applying') applyingSince = performance.now()
    },
  })
  if (isRefusal(report)) throw new Error(report.message)
  assert.equal(report.rows_stored, rowCount)
  return performance.now() - applyingSince
}

/** @returns what the import last said before it died, or `done 0`. */
async function killedImport(
  args: readonly string[],
  afterRows: number | undefined,
  applyingMs: number,
): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', CHILD, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let last = 'nothing'
  let isDue = false
  for await (const said of createInterface({ input: child.stdout })) {
    last = said
    const [phase, rows] = said.split(' ')
    if (phase === 'reading' && afterRows !== undefined && Number(rows) >= afterRows) child.kill('SIGKILL')
    // Once: it says twenty times how far it is.
    if (phase === 'applying' && afterRows === undefined && !isDue) {
      isDue = true
      void sleep(Math.random() * applyingMs).then(() => child.kill('SIGKILL'))
    }
  }
  await exited
  return last
}

/** A server process notices only at the end of its statement that nobody is there any more. */
export async function othersGone(database: Database): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX
  for (;;) {
    // Sessions of our own pool are idle: one statement runs at a time here.
    const { rows } = await database.pool.query<{ busy: number }>(
      `select count(*) as busy from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
    )
    if (rows[0]?.busy === 0) return
    assert.ok(performance.now() < deadline, 'the killed import still runs in the server')
    await sleep(20)
  }
}

async function tables(database: Database): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
     where schemaname in ('intake', 'customers', 'commerce', 'relationship') and tablename <> 'subscribers' order by 1`,
  )
  return rows.map(({ name }) => name)
}

async function counts(database: Database): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const name of await tables(database)) {
    const { rows } = await database.pool.query<{ n: number }>(`select count(*) as n from ${name}`)
    found[name] = rows[0]?.n ?? -1
  }
  return found
}

async function truncate(database: Database): Promise<void> {
  await database.pool.query(`truncate ${(await tables(database)).join(', ')}`)
}

/** Everything that was stored, by the source's own ids: numbers that a killed import took are not given again. */
export async function state(database: Database): Promise<unknown> {
  const read = async (text: string) => (await database.pool.query(text)).rows
  return {
    counts: await counts(database),
    bodies: await read(
      `select external_id, encode(body_hash, 'hex') as hash from intake.inbox order by external_id collate "C"`,
    ),
    orders: await read(
      `select o.external_id, o.paid_at, o.amount_minor, o.line_count, p.value from commerce.orders o
       join customers.published_people p using (identity_id) order by o.external_id collate "C"`,
    ),
    allocations: await read(
      `select r.external_id as refund, a.refund_line_no, o.external_id, a.order_line_no, a.amount_minor
       from commerce.refund_allocations a join commerce.refunds r using (refund_id) join commerce.orders o using (order_id)
       order by r.external_id collate "C", 2, o.external_id collate "C", 4`,
    ),
    connections: await read(
      `select p.value, c.begun_at from customers.published_connections c
       join customers.published_people p using (identity_id) order by p.value collate "C"`,
    ),
  }
}
