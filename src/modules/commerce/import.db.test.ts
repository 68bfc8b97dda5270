import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import { testDatabase } from '../../../test/database.ts'
import { crashRounds } from '../../../test/import-crash.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal, type Refusal } from '../../platform/refusal.ts'
import type { ImportCommand } from '../intake/actions.ts'
import type { ImportReport } from '../intake/schema.ts'
import { importOrders } from './actions.ts'

const NOW = new Date('2025-11-20T04:00:00Z')
const clock: Clock = { now: () => NOW }
const HEADER = 'order_id,customer_id,paid_at,item,item_name,quantity,unit_price,currency'

interface Bench {
  readonly database: Database
  readonly folder: string
  /** Imports this text (or these bytes) as a file of that name. */
  run(
    content: string | Buffer,
    command?: Partial<ImportCommand> & { readonly fileName?: string },
  ): Promise<ImportReport | Refusal>
}

async function bench(t: TestContext): Promise<Bench> {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-import-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return {
    database,
    folder,
    run: async (content, { fileName = 'orders.csv', ...command } = {}) => {
      const path = join(folder, fileName)
      await writeFile(path, content)
      const report = await importOrders(database, clock, {
        path,
        mapping: 'orders',
        options: {},
        dryRun: false,
        rejectsFolder: join(folder, 'rejects'),
        runsFolder: join(folder, 'imports'),
        ...command,
      })
      if (!isRefusal(report)) assertAddsUp(report)
      return report
    },
  }
}

function assertAddsUp(report: ImportReport): void {
  const rejected = Object.values(report.rejected_by_reason).reduce((sum, count) => sum + count, 0)
  assert.equal(report.rows_rejected, rejected)
  assert.equal(report.rows_in, report.rows_stored + report.rows_merged + report.rows_rejected)
  assert.ok(report.rows_stored >= 0 && report.rows_merged >= 0)
}

function accepted(report: ImportReport | Refusal): ImportReport {
  if (isRefusal(report)) assert.fail(`refused: ${report.message}`)
  return report
}

function refused(report: ImportReport | Refusal, code: string): Refusal {
  if (!isRefusal(report)) assert.fail(`was not refused: ${JSON.stringify(report)}`)
  assert.equal(report.code, code)
  assert.notEqual(report.remedy, '')
  return report
}

const row = (fields: readonly (string | number)[]) => fields.join(',')
const csv = (...rows: readonly string[]) => `${[HEADER, ...rows].join('\n')}\n`
/** A row of a file that has nothing wrong. */
function line(
  order: string,
  changed: Partial<Record<'customer' | 'at' | 'item' | 'name' | 'quantity' | 'price' | 'currency', string>> = {},
) {
  const {
    customer = 'a',
    at = '2025-11-01 10:00:00',
    item = 'x',
    name = 'Tea',
    quantity = '1',
    price = '10.00',
    currency = 'CNY',
  } = changed
  return row([order, customer, at, item, name, quantity, price, currency])
}

interface RejectedRow {
  readonly order_id: string
  readonly reject_line: string
  readonly reject_reason: string
}

async function rejectsOf(report: ImportReport): Promise<RejectedRow[]> {
  assert.ok(report.rejects_file, 'there is a rejects file')
  const text = await readFile(report.rejects_file, 'utf8')
  return parse(text, { columns: true, relax_column_count: true }) as RejectedRow[]
}

/** Rows of every table, so that nothing can hide. */
async function tableCounts(database: Database): Promise<Record<string, number>> {
  const { rows } = await database.pool.query<{ name: string }>(
    `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
     where schemaname in ('brand', 'intake', 'customers', 'commerce', 'relationship') order by 1`,
  )
  const counts: Record<string, number> = {}
  for (const { name } of rows) {
    const { rows: counted } = await database.pool.query<{ n: number }>(`select count(*) as n from ${name}`)
    counts[name] = counted[0]?.n ?? -1
  }
  return counts
}

async function assertNothingStored(database: Database): Promise<void> {
  const filled = Object.entries(await tableCounts(database)).filter(([, count]) => count > 0)
  assert.deepEqual(Object.fromEntries(filled), { 'brand.settings': 1, 'intake.subscribers': 5 })
}

async function orderAmounts(database: Database): Promise<Record<string, number>> {
  const { rows } = await database.pool.query<{ external_id: string; amount_minor: number }>(
    'select external_id, amount_minor from commerce.published_orders order by external_id',
  )
  return Object.fromEntries(rows.map((order) => [order.external_id, order.amount_minor]))
}

// Files that cannot be read at all --------------------------------------------------------------------------------

for (const [name, content, said] of [
  ['an empty file', '', /empty/],
  ['a file of blank lines', '\n\n\n', /no header/],
  ['a file that begins a quote and never ends it', `${HEADER}\n"o1,a`, /near line|quote/i],
] as const) {
  test(`${name} is refused with its reason`, async (t) => {
    const { database, run } = await bench(t)
    const { message } = refused(await run(content), 'unreadable_table')
    assert.match(message, said)
    assert.match(message, /orders\.csv/)
    await assertNothingStored(database)
  })
}

test('a header alone is a file without rows', async (t) => {
  const { run } = await bench(t)
  const report = accepted(await run(`${HEADER}\n`))
  assert.deepEqual([report.rows_in, report.orders, report.people, report.rejects_file], [0, 0, 0, null])
})

test('wrong columns: the message names what is missing, under which names, and what the file has', async (t) => {
  const { database, run } = await bench(t)
  const { message, remedy } = refused(await run('number,buyer,when,sku,qty\n1,a,2025-11-01,x,1\n'), 'wrong_columns')
  assert.match(message, /order_id \(order_id or order_no or 订单号/)
  assert.match(message, /paid_at \(paid_at or order_date/)
  assert.match(message, /unit_price/)
  assert.match(message, /number, buyer, when, sku, qty/)
  assert.match(remedy, /mapping/)
  await assertNothingStored(database)
})

test('a semicolon file is read as the same columns', async (t) => {
  const { run } = await bench(t)
  const report = accepted(await run(csv(line('o1')).replaceAll(',', ';')))
  assert.deepEqual([report.rows_stored, report.orders], [1, 1])
})

for (const [name, field] of [
  ['a field over a megabyte', '长'.repeat(400_000)],
  ['a quoted record over a megabyte', `"${'line\n'.repeat(250_000)}"`],
] as const) {
  test(`${name} ends the import, and nothing is stored`, async (t) => {
    const { database, folder, run } = await bench(t)
    const content = csv(line('o1'), line('o2', { name: field }), line('o3', { quantity: 'many' }))
    const { message } = refused(await run(content), 'unreadable_table')
    assert.match(message, /line|record|size/i)
    await assertNothingStored(database)
    assert.deepEqual(await readdir(join(folder, 'rejects')).catch(() => []), [])
  })
}

test('a gzip that breaks off is refused, and nothing of what could be read is stored', async (t) => {
  const { database, folder, run } = await bench(t)
  // Random prices, so that it does not compress to nothing and whole batches come through before the break.
  const rows = Array.from({ length: 30_000 }, (_, index) =>
    line(`o${index}`, { price: String((index * 7919) % 100_003) }),
  )
  const zipped = gzipSync(csv('o0,a,2025-11-01,x,Tea,much,1,', ...rows))
  for (const share of [0.1, 0.5, 0.95]) {
    const broken = zipped.subarray(0, Math.floor(zipped.length * share))
    const { message } = refused(await run(broken, { fileName: 'orders.csv.gz' }), 'unreadable_table')
    assert.match(message, /orders\.csv\.gz/)
    await assertNothingStored(database)
    assert.deepEqual(await readdir(join(folder, 'rejects')).catch(() => []), [])
  }
  const whole = accepted(await run(zipped, { fileName: 'orders.csv.gz' }))
  assert.equal(whole.documents_new, 29_999)
})

test('no file, a folder, an unknown mapping', async (t) => {
  const { folder, run } = await bench(t)
  refused(await run('', { path: join(folder, 'nowhere.csv') }), 'no_such_file')
  refused(await run('', { path: folder }), 'is_folder')
  const { remedy } = refused(await run(csv(), { mapping: 'nobody' }), 'unknown_mapping')
  assert.match(remedy, /online-retail/)
})

// Rows that cannot be stored --------------------------------------------------------------------------------------

for (const [name, bad, reason] of [
  ['a quantity in words', line('o1', { quantity: 'two' }), 'bad_number'],
  ['a price in per cent', line('o1', { price: '10%' }), 'bad_number'],
  ['a number in scientific notation', line('o1', { price: '1e3' }), 'bad_number'],
  ['no price', line('o1', { price: '' }), 'missing_amount'],
  ['31 February', line('o1', { at: '2025-02-31 10:00:00' }), 'bad_time'],
  ['29 February of a common year', line('o1', { at: '2025-02-29' }), 'bad_time'],
  ['the 25th hour', line('o1', { at: '2025-11-01 25:00:00' }), 'bad_time'],
  ['a date that begins with the day', line('o1', { at: '01/11/2025' }), 'bad_time'],
  ['no time', line('o1', { at: '' }), 'missing_paid_at'],
  ['a time in the future', line('o1', { at: '2025-11-20 12:00:01' }), 'future_time'],
  ['a currency that is not the brand’s', line('o1', { currency: 'USD' }), 'other_currency'],
  ['a field of 2,001 characters', line('o1', { name: 'n'.repeat(2001) }), 'field_too_long'],
  ['a field too few', 'o1,a,2025-11-01,x,Tea,1,10.00', 'column_count'],
  ['a field too many', 'o1,a,2025-11-01,x,Tea, green,1,10.00,CNY', 'column_count'],
  ['a NUL byte', line('o1', { name: 'Tea\0' }), 'nul_byte'],
  ['another customer than the rest of the order', line('o1', { customer: 'b' }), 'conflicting_customer'],
] as const) {
  test(`${name}: ${reason}, and with it the whole order; the others are stored`, async (t) => {
    const { database, run } = await bench(t)
    const report = accepted(await run(csv(line('o1'), bad, line('o1', { item: 'y' }), line('o2'))))
    assert.deepEqual(await orderAmounts(database), { o2: 1000 })
    assert.deepEqual([report.rows_stored, report.rows_rejected, report.people], [1, 3, 1])
    const rejects = await rejectsOf(report)
    assert.deepEqual(rejects.map((reject) => reject.reject_line).sort(), ['2', '3', '4'])
    const reasons = new Map(rejects.map((reject) => [reject.reject_line, reject.reject_reason.split(':')[0]]))
    assert.equal(reasons.get('3'), reason)
    // All rows of a conflict are told the conflict: nobody can say which of them is wrong.
    const rest = reason === 'conflicting_customer' ? reason : 'order_has_bad_row'
    assert.deepEqual([reasons.get('2'), reasons.get('4')], [rest, rest])
  })
}

test('the last instant that is not the future is now', async (t) => {
  const { database, run } = await bench(t)
  const report = accepted(
    await run(csv(line('o1', { at: '2025-11-20 12:00:00' }), line('o2', { at: '2025-11-20T04:00:01Z' }))),
  )
  assert.deepEqual(report.rejected_by_reason, { future_time: 1 })
  assert.deepEqual(await orderAmounts(database), { o1: 1000 })
})

for (const [name, bad, reason] of [
  ['a field too few', 'o9,a,2025-11-01,x,Tea,1,10.00', 'column_count'],
  ['a field too many', 'o9,a,2025-11-01,x,Tea, green,1,10.00,', 'column_count'],
  ['a NUL byte', line('o9', { name: 'Tea\0' }), 'nul_byte'],
  ['no order id', line(''), 'missing_order_id'],
] as const) {
  test(`${name}: ${reason}; every field of the row stands in the rejects file`, async (t) => {
    const { database, run } = await bench(t)
    const report = accepted(await run(csv(line('o1'), bad, line('o2'))))
    assert.deepEqual(await orderAmounts(database), { o1: 1000, o2: 1000 })
    assert.deepEqual(report.rejected_by_reason, { [reason]: 1 })
    const [header, text] = (await readFile(report.rejects_file ?? '', 'utf8')).split('\n')
    assert.equal(header, `${HEADER},reject_line,reject_reason`)
    for (const field of bad.split(',')) assert.ok(text?.includes(field), `${text} has ${field}`)
    assert.match(text ?? '', new RegExp(`,3,"?${reason}: the row `))
  })
}

test('the brand’s own currency in a row is no reason, in either case', async (t) => {
  const { run } = await bench(t)
  assert.equal(
    accepted(await run(csv(line('o1', { currency: 'CNY' }), line('o2', { currency: 'cny' })))).rows_stored,
    2,
  )
})

test('a brand without a currency takes the first that a row names, and then keeps to it', async (t) => {
  const { database, run } = await bench(t)
  const first = accepted(await run(csv(line('o1', { currency: '' }), line('o2', { currency: 'gbp' }))))
  assert.deepEqual([first.currency, first.rows_stored], ['GBP', 2])
  const second = accepted(await run(csv(line('o3'), line('o4', { currency: 'GBP' }))))
  assert.deepEqual(second.rejected_by_reason, { other_currency: 1 })
  assert.deepEqual(Object.keys(await orderAmounts(database)), ['o1', 'o2', 'o4'])
})

test('a discount may bring an order to nothing; one that goes below cannot be told from a refund', async (t) => {
  const { database, run } = await bench(t)
  const report = accepted(
    await run(
      csv(
        line('o1'),
        line('o1', { item: 'discount', price: '-10.00' }),
        line('o2'),
        line('o2', { item: 'discount', price: '-10.01' }),
        line('o3', { item: 'adjustment', price: '-25.00' }),
      ),
    ),
  )
  assert.deepEqual(report.rejected_by_reason, { mixed_refund: 2 })
  assert.deepEqual(await orderAmounts(database), { o1: 0 })
  // Nothing but a negative amount is a refund under another sign.
  assert.deepEqual([report.refunds, report.unmatched_refunds, report.unmatched_refunds_minor], [1, 1, 2500])
})

test('a refund that names two orders is refused: which of them it reduces cannot be guessed', async (t) => {
  const { database, run } = await bench(t)
  const header = 'order_id,customer_id,paid_at,item,quantity,unit_price,refund_of'
  const rows = [
    'o1,a,2025-11-01,x,1,10,',
    'o2,a,2025-11-01,x,1,20,',
    'r,a,2025-11-02,x,-1,10,o1',
    'r,a,2025-11-02,x,-1,20,o2',
  ]
  const report = accepted(await run(`${[header, ...rows].join('\n')}\n`))
  assert.deepEqual(report.rejected_by_reason, { conflicting_refund_of: 2 })
  assert.deepEqual(await orderAmounts(database), { o1: 1000, o2: 2000 })
})

test('a rejects file, mended and fed again, stores the order whole', async (t) => {
  const { database, run } = await bench(t)
  const first = accepted(
    await run(
      csv(
        line('o1', { name: '"Tea, green"' }),
        line('o2', { quantity: 'two', price: '3.50' }),
        line('o1', { item: 'y', price: '2.25' }),
        line('o2', { item: 'y', name: '"a ""quoted"" name\nof two lines"' }),
        line('o3', { customer: 'b' }),
        line('o3', { customer: 'c' }),
      ),
    ),
  )
  assert.deepEqual(await orderAmounts(database), { o1: 1225 })
  assert.deepEqual(first.rejected_by_reason, { bad_number: 1, order_has_bad_row: 1, conflicting_customer: 2 })

  const rejects = await readFile(first.rejects_file ?? '', 'utf8')
  const mended = rejects.replace(',two,', ',2,').replace('o3,c,', 'o3,b,')
  const second = accepted(await run(mended, { fileName: 'mended.csv' }))
  assert.deepEqual([second.rows_in, second.rows_stored, second.rows_rejected], [4, 4, 0])
  assert.deepEqual([second.documents_new, second.documents_corrected], [2, 0])
  assert.deepEqual(await orderAmounts(database), { o1: 1225, o2: 1700, o3: 2000 })
  const { rows } = await database.pool.query(
    `select item_name from commerce.order_lines where item = 'y' order by item_name collate "C" desc`,
  )
  assert.deepEqual(rows, [{ item_name: 'a "quoted" name\nof two lines' }, { item_name: 'Tea' }])
})

test('an order that lost a row with a comma too many is whole again when the row is mended', async (t) => {
  const { database, run } = await bench(t)
  const first = accepted(await run(csv(line('o1'), 'o1,a,2025-11-01 10:00:00,y,Tea, green,1,5.00,CNY', line('o2'))))
  assert.deepEqual(await orderAmounts(database), { o2: 1000 })
  const rejects = await readFile(first.rejects_file ?? '', 'utf8')
  const mended = rejects
    .split('\n')
    .map((text) => (text.includes('green') ? 'o1,a,2025-11-01 10:00:00,y,"Tea, green",1,5.00,CNY,3,' : text))
  accepted(await run(mended.join('\n'), { fileName: 'mended.csv' }))
  assert.deepEqual(await orderAmounts(database), { o1: 1500, o2: 1000 })
})

test('rejects of rejects keep the columns of the first file', async (t) => {
  const { run } = await bench(t)
  const first = accepted(await run(csv(line('o1', { quantity: 'two' }))))
  const again = accepted(await run(await readFile(first.rejects_file ?? '', 'utf8'), { fileName: 'again.csv' }))
  const [header, text] = (await readFile(again.rejects_file ?? '', 'utf8')).split('\n')
  assert.equal(header, `${HEADER},reject_line,reject_reason`)
  assert.equal(text?.split(',').slice(0, 9).join(','), `${line('o1', { quantity: 'two' })},2`)
})

test('the whole file again is a no-op, bad rows included', async (t) => {
  const { database, run } = await bench(t)
  const content = csv(line('o1'), line('o2', { quantity: 'two' }), line('o3'), line('o3', { quantity: '-1' }))
  accepted(await run(content))
  const counts = await tableCounts(database)
  const again = accepted(await run(content))
  assert.deepEqual([again.rows_in, again.rows_stored, again.rows_merged, again.rows_rejected], [4, 0, 3, 1])
  assert.deepEqual(await tableCounts(database), { ...counts, 'intake.imports': 2 })
})

// Text that other programs would run ------------------------------------------------------------------------------

test('formulas, markup and statements in names are stored as they are', async (t) => {
  const { database, run } = await bench(t)
  const names = [
    '=HYPERLINK("http://example.com","click")',
    "+cmd|' /C calc'!A0",
    '@SUM(1+1)',
    '<img src=x onerror=alert(1)>',
    "'; drop table commerce.orders; --",
    '\\N',
    'back\\slash\ttab',
    '{{7*7}} #{7*7} %s',
    '長青 😀 \u202eright to left',
    'NULL',
  ]
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
  const rows = names.map((name, index) =>
    row([`o${index}`, quoted(`${name}#`), '2025-11-01', quoted(name), quoted(name), 1, 1, '']),
  )
  accepted(await run(csv(...rows)))
  const { rows: stored } = await database.pool.query<{ item: string; item_name: string; customer: string }>(
    `select l.item, l.item_name, p.value as customer from commerce.order_lines l
     join commerce.published_orders o using (person_id, order_id)
     join customers.published_people p using (person_id) order by substr(o.external_id, 2)::int`,
  )
  assert.deepEqual(
    stored,
    names.map((name) => ({ item: name, item_name: name, customer: `${name}#` })),
  )
})

test('a formula in a rejected row comes back as it was, so that the file can be fed again', async (t) => {
  const { run } = await bench(t)
  const report = accepted(await run(csv(line('=1+1', { quantity: 'two' }))))
  assert.equal((await rejectsOf(report))[0]?.order_id, '=1+1')
})

test('a path with odd characters', async (t) => {
  const { database, run } = await bench(t)
  const fileName = `订单 "10%" & 'co' $(x) ;\n*.csv`
  const report = accepted(await run(csv(line('o1'), line('o2', { quantity: 'two' })), { fileName }))
  assert.equal(report.file_name, fileName)
  assert.match(report.rejects_file ?? '', /\/rejects\/[\w.-]+\.csv$/)
  assert.equal((await rejectsOf(report)).length, 1)
  assert.deepEqual(await orderAmounts(database), { o1: 1000 })
})

// Mappings, options, currencies, dry runs -------------------------------------------------------------------------

for (const [name, text, code, said] of [
  ['not YAML', 'name: [', 'bad_mapping', /not YAML/],
  ['a list', '- name', 'bad_mapping', /the file/],
  ['without columns', 'name: x\nkind: orders\nsource: x\n', 'bad_mapping', /columns/],
  ['of an unknown kind', 'name: x\nkind: leads\nsource: x\ncolumns: {}\n', 'bad_mapping', /kind/],
  [
    'with a key that nobody reads',
    'name: x\nkind: orders\nsource: x\ncolums: {}\ncolumns: {}\n',
    'bad_mapping',
    /colums/,
  ],
  [
    'with a field that no order has',
    'name: x\nkind: orders\nsource: x\ncolumns: { colour: [c] }\n',
    'unknown_field',
    /colour/,
  ],
] as const) {
  test(`a mapping ${name} is refused at its place`, async (t) => {
    const { database, folder, run } = await bench(t)
    const mapping = join(folder, 'mine.yaml')
    await writeFile(mapping, text)
    assert.match(refused(await run(csv(line('o1')), { mapping }), code).message, said)
    await assertNothingStored(database)
  })
}

for (const [name, options] of [
  ['an unknown option', { colour: 'red' }],
  ['an unknown value', { duplicates: 'maybe' }],
] as const) {
  test(`${name} is refused by name`, async (t) => {
    const { database, run } = await bench(t)
    const { message, remedy } = refused(await run(csv(line('o1')), { options }), 'bad_option')
    assert.match(message, /colour|duplicates/)
    assert.match(remedy, /duplicates=keep\|merge/)
    await assertNothingStored(database)
  })
}

test('a file in another currency than the brand’s is refused whole; the first import settled it', async (t) => {
  const { database, folder, run } = await bench(t)
  accepted(await run(csv(line('o1'))))
  const counts = await tableCounts(database)
  const shipped = await readFile(new URL('./mappings/orders.yaml', import.meta.url), 'utf8')
  const mapping = join(folder, 'dollars.yaml')
  await writeFile(mapping, `${shipped}\ncurrency: USD\n`)
  const { message } = refused(await run(csv(line('o2')), { mapping }), 'other_currency')
  assert.match(message, /USD.*CNY/)
  assert.deepEqual(await tableCounts(database), counts)
})

test('a dry run stores nothing and reports what an import would', async (t) => {
  const { database, run } = await bench(t)
  accepted(await run(csv(line('o1'), line('o2'), line('o2', { item: 'y' }))))
  const content = csv(
    line('o1'),
    line('o2', { price: '11.00' }),
    line('o3', { customer: '' }),
    line('o4', { customer: 'new' }),
    line('o5', { quantity: '-1' }),
    line('o6', { quantity: '-1', item: 'never bought' }),
    line('o7', { at: 'yesterday' }),
  )
  const counts = await tableCounts(database)
  const options = { connected_by: 'shop_account' }
  const dry = accepted(await run(content, { options, dryRun: true }))
  assert.deepEqual(await tableCounts(database), counts)
  assert.equal((await rejectsOf(dry)).length, 1)

  const real = accepted(await run(content, { options }))
  const figures = ({ import_id, dry_run, rejects_file, seconds, sample, ...rest }: ImportReport) => rest
  assert.deepEqual(figures(dry), figures(real))
  assert.deepEqual([dry.import_id, dry.dry_run, dry.sample?.length], [null, true, 6])
  assert.deepEqual([real.documents_new, real.documents_corrected, real.documents_known], [4, 1, 1])
})

test('a dry run of the first import does not settle the currency', async (t) => {
  const { database, run } = await bench(t)
  accepted(await run(csv(line('o1')), { dryRun: true }))
  await assertNothingStored(database)
  const { rows } = await database.pool.query('select currency from brand.settings')
  assert.deepEqual(rows, [{ currency: null }])
})

test('two imports of the same orders at once store them once', async (t) => {
  const { database, run } = await bench(t)
  const content = csv(...Array.from({ length: 500 }, (_, index) => line(`o${index}`)))
  const reports = await Promise.all([1, 2].map((at) => run(content, { fileName: `copy-${at}.csv` }).then(accepted)))
  assert.deepEqual(reports.map((report) => report.documents_new).sort(), [0, 500])
  assert.equal(Object.keys(await orderAmounts(database)).length, 500)
})

test('an import that is killed leaves nothing, and again it is whole', async (t) => {
  await crashRounds(t, 5, 20_000)
})

test('a connection by shop account follows a correction of the order it began with', async (t) => {
  const { database, run } = await bench(t)
  const asked = { options: { connected_by: 'shop_account' } }
  const begun = async () => {
    const { rows } = await database.pool.query<{ value: string; begun_at: Date }>(
      `select p.value, c.begun_at from customers.connections c join customers.published_people p using (identity_id) order by 1`,
    )
    return rows.map(({ value, begun_at }) => [value, begun_at.toISOString().slice(0, 10)])
  }
  accepted(await run(csv('o1,a,2025-01-01 12:00,w,,1,10,', 'o2,a,2025-05-01 12:00,w,,1,10,'), asked))
  assert.deepEqual(await begun(), [['a', '2025-01-01']])
  accepted(await run(csv('o1,a,2025-03-01 12:00,w,,1,10,')))
  assert.deepEqual(await begun(), [['a', '2025-03-01']], 'the order was later than first told')
  accepted(await run(csv('o1,b,2025-03-01 12:00,w,,1,10,'), asked))
  assert.deepEqual(await begun(), [
    ['a', '2025-05-01'],
    ['b', '2025-03-01'],
  ])
  accepted(await run(csv('o2,b,2025-05-01 12:00,w,,1,10,')))
  assert.deepEqual(await begun(), [['b', '2025-03-01']], 'a has no order left to be connected by')
})

for (const [what, reason, fields] of [
  ['an amount beyond any order', 'amount_too_large', 'o1,a,2025-01-01,w,,999999999999999,999999999999999,'],
  ['an order id of 1,990 characters', 'id_too_long', `${'单'.repeat(1990)},a,2025-01-01,w,,1,10,`],
  ['an offset that is none', 'bad_time', 'o1,a,2025-11-01 10:00:00+99:00,w,,1,10,'],
] as const) {
  test(`${what} is rejected`, async (t) => {
    const { run } = await bench(t)
    assert.deepEqual(accepted(await run(csv(fields))).rejected_by_reason, { [reason]: 1 })
  })
}
