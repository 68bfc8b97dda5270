import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { createGunzip } from 'node:zlib'
import { needData } from '../../../test/data.ts'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { systemClock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import type { ImportReport } from '../intake/schema.ts'
import { refreshStanding, reportRfm } from '../relationship/actions.ts'
import { importOrders } from './actions.ts'

// UCI 352 "Online Retail", and what others published of it. Their figures differ by what they left out first, so each
// test name says the options of the mapping that give it. Every option set is imported once: an import takes ~10 s.

const FILE = 'online_retail_2010_2011/online_retail.csv.gz'
const PER_CUSTOMER = 'online_retail_2010_2011/published_rfm_per_customer_4338.csv'
/** Naive times of the file are read in the brand's zone, so instants of the questions are too. */
const ZONE = 'Asia/Shanghai'
const instant = (local: string) => new Date(`${local}+08:00`)

type Options = Readonly<Record<string, string>>
const nameOf = (options: Options) =>
  Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ') || 'default options'

interface Imported {
  readonly database: Database
  readonly report: ImportReport
}

async function importFile(t: TestContext, database: Database, path: string, options: Options): Promise<ImportReport> {
  const rejectsFolder = await temporaryFolder(t)
  const report = await importOrders(database, systemClock, {
    path,
    mapping: 'online-retail',
    options,
    dryRun: false,
    rejectsFolder,
    runsFolder: join(rejectsFolder, 'imports'),
  })
  if (isRefusal(report)) throw new Error(`${report.message} ${report.remedy}`)
  assert.equal(report.rows_in, report.rows_stored + report.rows_merged + report.rows_rejected)
  return report
}

async function importInto(t: TestContext, path: string, options: Options): Promise<Imported> {
  const { database } = await testDatabase(t)
  const report = await importFile(t, database, path, options)
  await refreshStanding(database, systemClock)
  return { database, report }
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-retail-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function rowsOf<T extends object>(database: Database, text: string): Promise<T[]> {
  const { rows } = await database.pool.query<T>(text)
  return rows
}

/** The one figure that a query answers; sums of numerics arrive as text. */
async function figure(database: Database, text: string): Promise<number> {
  const [row] = await rowsOf<Record<string, unknown>>(database, text)
  return Number(Object.values(row ?? {})[0])
}

function assertClose(actual: number, expected: number, tolerance: number, message?: string): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${message ?? ''} ${actual} is not ${expected} ± ${tolerance}`)
}

/** A published figure, the query that answers it, and how far rounding may move it (exact where none is given). */
type Figure = readonly [name: string, expected: number, text: string, tolerance?: number]

async function assertFigures(
  t: TestContext,
  database: Database,
  options: Options,
  figures: readonly Figure[],
): Promise<void> {
  for (const [name, expected, text, tolerance = 0] of figures) {
    await t.test(`${name} = ${expected} [${nameOf(options)}]`, async () => {
      assertClose(await figure(database, text), expected, tolerance)
    })
  }
}

/** The values at shares of a list, interpolated between neighbours as most statistics packages do by default. */
function interpolated(values: readonly number[], shares: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b)
  return shares.map((share) => {
    const at = share * (sorted.length - 1)
    const below = sorted[Math.floor(at)] ?? Number.NaN
    const above = sorted[Math.ceil(at)] ?? Number.NaN
    return below + (above - below) * (at - Math.floor(at))
  })
}
const QUINTILES = [0.2, 0.4, 0.6, 0.8]

/** Lines of an order and of a refund as the file had them; a person 0 is nobody. */
const LINES = `(
  select person_id, order_id as document, item, item_name, quantity, unit_price from commerce.order_lines
  union all
  select person_id, refund_id, item, item_name, quantity, unit_price from commerce.refund_lines
) line`
const DOCUMENTS = `(
  select person_id, external_id, paid_at as at from commerce.published_orders
  union all
  select person_id, external_id, refunded_at from commerce.published_refunds
) document`
const LOCAL_TIME = `to_char(%s at time zone '${ZONE}', 'YYYYMMDDHH24MI')::bigint`
const localTime = (expression: string) => LOCAL_TIME.replace('%s', expression)

/** How many people of the month in which they were first seen came back in each later month. */
async function cohorts(database: Database, activity: string): Promise<number[][]> {
  const found = await rowsOf<{ cohort: string; month: string; people: number }>(
    database,
    `with active as (
       select distinct person_id, to_char(at at time zone '${ZONE}', 'YYYY-MM') as month from ${activity} where person_id > 0
     ), first as (select person_id, min(month) as cohort from active group by person_id)
     select cohort, month, count(*) as people from active join first using (person_id) group by cohort, month order by cohort, month`,
  )
  const names = [...new Set(found.map((row) => row.cohort))]
  return names.map((name) => found.filter((row) => row.cohort === name).map((row) => row.people))
}
const DECEMBER_2010 = 0

/** Header and rows of the file as text; no field of it has a line break. */
async function* fileLines(path: string): AsyncGenerator<string> {
  yield* createInterface({ input: createReadStream(path).pipe(createGunzip()), crlfDelay: Number.POSITIVE_INFINITY })
}
async function allLines(path: string): Promise<string[]> {
  const lines: string[] = []
  for await (const line of fileLines(path)) lines.push(line)
  return lines
}
const invoiceOf = (line: string) => line.slice(0, line.indexOf(','))

/** A file of the invoices that have a line without a positive price, whole. */
async function invoicesWithUnpriced(path: string): Promise<string> {
  const [header, ...rows] = await allLines(path)
  // Quantity, a time with colons, then the price: a description cannot look so.
  const isUnpriced = (row: string) => Number(/,-?\d+,[-\d]+ [:\d]+,([-.\d]+),/.exec(row)?.[1]) <= 0
  const invoices = new Set(rows.filter(isUnpriced).map(invoiceOf))
  return `${[header, ...rows.filter((row) => invoices.has(invoiceOf(row)))].join('\n')}\n`
}

/** The ten segments as published: buyers, mean recency, frequency and monetary. */
const SEGMENTS: Readonly<Record<string, readonly [number, number, number, number]>> = {
  about_to_sleep: [352, 53.3125, 1.161932, 471.994375],
  at_risk: [593, 153.785835, 2.878583, 1084.535297],
  cant_lose: [63, 132.968254, 8.380952, 2796.155873],
  champions: [633, 6.361769, 12.417062, 6857.935482],
  hibernating: [1071, 217.605042, 1.101774, 488.643307],
  loyal_customers: [819, 33.608059, 6.479853, 2864.247791],
  need_attention: [187, 52.427807, 2.326203, 897.627861],
  new_customers: [42, 7.428571, 1, 388.212857],
  potential_loyalists: [484, 17.39876, 2.010331, 1041.222004],
  promising: [95, 23.421053, 1, 290.913158],
}

async function assertSegments(t: TestContext, database: Database, options: Options): Promise<void> {
  const rfm = await reportRfm(database.db, {
    asOf: instant('2011-12-11T00:00'),
    ties: 'first',
    recencyUnit: '24h',
    occasionUnit: 'order',
  })
  assert.equal(rfm.buyers, 4339)
  assert.equal(rfm.segments.length, Object.keys(SEGMENTS).length)
  for (const [segment, expected] of Object.entries(SEGMENTS)) {
    const [buyers, recency, frequency, monetary] = expected
    const name = `or1.rfm.segments ${segment} = ${expected.join(', ')} [${nameOf(options)}; ties first, 24h, order]`
    await t.test(name, () => {
      const found = rfm.segments.find((row) => row.segment === segment)
      assert.equal(found?.buyers, buyers)
      assertClose(found?.mean_recency_days ?? Number.NaN, recency, 1e-5)
      assertClose(found?.mean_frequency ?? Number.NaN, frequency, 1e-5)
      assertClose((found?.mean_monetary_minor ?? Number.NaN) / 100, monetary, 0.01)
    })
  }
}

test('Online Retail as it is', async (t) => {
  const path = needData(t, FILE)
  if (!path) return
  const options = {}
  const { database, report } = await importInto(t, path, options)
  const name = (figures: string) => `${figures} [${nameOf(options)}]`

  await t.test(name('or1.raw: 541909 rows, all stored; 4372 customers'), () => {
    assert.equal(report.rows_in, 541_909)
    assert.equal(report.rows_stored, 541_909)
    assert.equal(report.people, 4372)
    assert.deepEqual(report.rejected_by_reason, {})
    assert.equal(report.rejects_file, null)
  })
  await assertFigures(t, database, options, [
    ['or1.raw rows', 541_909, `select count(*) from ${LINES}`],
    ['or1.raw customers', 4372, 'select count(distinct person_id) from customers.published_people'],
    ['or1.raw invoices', 25_900, `select count(distinct external_id) from ${DOCUMENTS}`],
    ['or1.raw missing_customer rows', 135_080, `select count(*) from ${LINES} where person_id = 0`],
    ['or1.raw missing_description', 1454, `select count(*) from ${LINES} where item_name is null`],
    ['or1.raw stockcodes', 4070, `select count(distinct item) from ${LINES}`],
    [
      'or1.raw cancel_lines',
      9288,
      `select count(*) from commerce.refund_lines join commerce.published_refunds using (person_id, refund_id)
       where external_id like 'C%'`,
    ],
    ['or1.raw cancel_invoices', 3836, `select count(*) from commerce.published_refunds where external_id like 'C%'`],
    [
      'or1.raw cancel_invoices that became orders',
      0,
      `select count(*) from commerce.published_orders where external_id like 'C%'`,
    ],
    ['or1.raw qty_le0', 10_624, `select count(*) from ${LINES} where quantity <= 0`],
    ['or1.raw price_le0', 2517, `select count(*) from ${LINES} where unit_price <= 0`],
    ['or1.raw sum_qty', 5_176_450, `select sum(quantity) from ${LINES}`],
    ['or1.raw gross of the lines', 9_747_747.934, `select sum(quantity * unit_price) from ${LINES}`],
    [
      'or1.raw gross as net revenue, lines rounded once',
      9_747_747.934,
      `select ((select sum(amount_minor) from commerce.published_orders)
        - (select sum(amount_minor) from commerce.published_refunds)) / 100.0`,
      0.01,
    ],
    ['or1.raw first', 201_012_010_826, `select ${localTime('min(at)')} from ${DOCUMENTS}`],
    ['or1.raw last', 201_112_091_250, `select ${localTime('max(at)')} from ${DOCUMENTS}`],
  ])
  await t.test(name('or1.cohort with_returns_dec2010'), async () => {
    const rows = await cohorts(database, DOCUMENTS)
    assert.deepEqual(rows[DECEMBER_2010], [948, 362, 317, 367, 341, 376, 360, 336, 336, 374, 354, 474, 260])
  })
  await t.test(
    name('customer 16446: 80,995 units bought and cancelled 12 minutes later count for nothing'),
    async () => {
      const [person] = await rowsOf<{ occasions: number; net_paid_minor: number }>(
        database,
        `select s.occasions, s.net_paid_minor from relationship.published_standing s
       join customers.published_people p using (person_id) where p.value = '16446'`,
      )
      assert.deepEqual(person, { occasions: 1, net_paid_minor: 290 })
    },
  )
  await t.test(name('customer 12346: 77,183.60 bought and cancelled, true net 0'), async () => {
    const [person] = await rowsOf<{ occasions: number; net_paid_minor: number }>(
      database,
      `select s.occasions, s.net_paid_minor from relationship.published_standing s
       join customers.published_people p using (person_id) where p.value = '12346'`,
    )
    assert.deepEqual(person, { occasions: 0, net_paid_minor: 0 })
  })
})

test('Online Retail without cancels and unpriced lines', async (t) => {
  const path = needData(t, FILE)
  if (!path) return
  const options = { cancels: 'drop', zero_price: 'drop' }
  const { database, report } = await importInto(t, path, options)
  const name = (figures: string) => `${figures} [${nameOf(options)}]`

  await t.test(name('or1.raw: cancel_lines 9288 and price_le0 2517 as rejected rows'), () => {
    assert.deepEqual(report.rejected_by_reason, { cancel_dropped: 9288, zero_price_dropped: 2517 })
    assert.equal(report.rows_merged, 0)
  })
  const orders = 'commerce.published_orders where person_id > 0'
  const onePerson = `(select person_id, count(*) as orders, sum(amount_minor) as paid_minor from ${orders} group by person_id) person`
  // Days between purchase days: two orders of a day are one occasion and no gap. As they look now: a day with two
  // orders has a row for each stretch of its history.
  const gaps = `(
    select person_id, day - lag(day) over (partition by person_id order by day) as days
    from (
      select person_id, (occasion_at at time zone (select zone from brand.settings))::date as day
      from relationship.published_occasions where to_at = 'infinity'
    ) occasion
  ) gap`
  await assertFigures(t, database, options, [
    ['or1.clean rows', 397_884, `select count(*) from ${LINES} where person_id > 0`],
    ['or1.clean customers', 4338, `select count(distinct person_id) from ${orders}`],
    ['or1.clean orders', 18_532, `select count(*) from ${orders}`],
    ['or1.clean revenue', 8_911_407.9, `select sum(amount_minor) / 100.0 from ${orders}`, 0.01],
    ['or1.kpis one_order', 1493, `select count(*) from ${onePerson} where orders = 1`],
    ['or1.kpis repeat_rate', 0.655832, `select avg((orders > 1)::int) from ${onePerson}`, 1e-6],
    ['or1.kpis aov', 480.866, `select avg(amount_minor) / 100 from ${orders}`, 0.001],
    ['or1.kpis winback_gaps_gt90', 1753, `select count(*) from ${gaps} where days > 90`],
    ['or1.kpis winback_customers_gt90', 1506, `select count(distinct person_id) from ${gaps} where days > 90`],
    ['or1.kpis median_gap_days', 28, `select percentile_cont(0.5) within group (order by days) from ${gaps}`],
    [
      'or1.kpis top20pct_revenue_share',
      0.746171,
      `select sum(paid_minor) filter (where place <= ceil(0.2 * people)) / sum(paid_minor) from (
         select paid_minor, row_number() over (order by paid_minor desc) as place, count(*) over () as people from ${onePerson}
       ) placed`,
      1e-6,
    ],
  ])
  await t.test(name('or1.kpis top5'), async () => {
    const found = await rowsOf<{ customer: string; paid: string }>(
      database,
      `select p.value as customer, (s.net_paid_minor / 100.0)::numeric(12, 2)::text as paid from relationship.published_standing s
       join customers.published_people p using (person_id) order by s.net_paid_minor desc limit 5`,
    )
    assert.deepEqual(
      found.map(({ customer, paid }) => [customer, paid]),
      [
        ['14646', '280206.02'],
        ['18102', '259657.30'],
        ['17450', '194550.79'],
        ['16446', '168472.50'],
        ['14911', '143825.06'],
      ],
    )
  })
  await t.test(name('or1.kpis monthly_revenue, 13 months'), async () => {
    const found = await rowsOf<{ month: string; revenue: string }>(
      database,
      `select to_char(paid_at at time zone '${ZONE}', 'YYYY-MM') as month, sum(amount_minor) / 100.0 as revenue
       from ${orders} group by 1 order by 1`,
    )
    const expected = [
      ['2010-12', 572_713.89],
      ['2011-01', 569_445.04],
      ['2011-02', 447_137.35],
      ['2011-03', 595_500.76],
      ['2011-04', 469_200.36],
      ['2011-05', 678_594.56],
      ['2011-06', 661_213.69],
      ['2011-07', 600_091.01],
      ['2011-08', 645_343.9],
      ['2011-09', 952_838.38],
      ['2011-10', 1_039_318.79],
      ['2011-11', 1_161_817.38],
      ['2011-12', 518_192.79],
    ] as const
    assert.equal(found.length, expected.length)
    for (const [index, [month, revenue]] of expected.entries()) {
      assert.equal(found[index]?.month, month)
      assertClose(Number(found[index]?.revenue), revenue, 0.01, month)
    }
  })
  const rfm = await reportRfm(database.db, {
    asOf: instant('2011-12-10T00:00'),
    ties: 'group',
    recencyUnit: 'day',
    occasionUnit: 'order',
  })
  await t.test(name('or1.kpis recency_gt_90 1449, recency_gt_180 858: calendar days to 2011-12-09'), async () => {
    const silent = async (days: number) =>
      figure(
        database,
        `select count(*) from relationship.published_standing
         where date '2011-12-09' - (last_occasion_at at time zone '${ZONE}')::date > ${days}`,
      )
    assert.equal(await silent(90), 1449)
    assert.equal(await silent(180), 858)
  })
  await t.test(name('or1.kpis recency_q, freq_q, mon_q: calendar days to 2011-12-10, orders; interpolated'), () => {
    assert.equal(rfm.buyers, 4338)
    const near = (values: number[], expected: number[]) =>
      interpolated(values, QUINTILES).forEach((value, index) => {
        assertClose(value, expected[index] ?? Number.NaN, 0.01)
      })
    near(
      rfm.people.map((person) => person.recency_days),
      [13.8, 33, 72, 180],
    )
    near(
      rfm.people.map((person) => person.frequency),
      [1, 2, 3, 6],
    )
    near(
      rfm.people.map((person) => person.monetary_minor / 100),
      [250.194, 490.096, 942.276, 2058.426],
    )
  })
  await t.test(name('the same quintiles as cuts: the first value that reaches the share, never between two'), () => {
    assert.deepEqual(rfm.cuts.recency_days, [13, 33, 72, 180])
    assert.deepEqual(rfm.cuts.frequency, [1, 2, 3, 6])
  })
  await t.test(name('or1.cohort dec2010, sizes'), async () => {
    const rows = await cohorts(database, '(select person_id, paid_at as at from commerce.published_orders) paid')
    assert.deepEqual(rows[DECEMBER_2010], [885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445, 235])
    const sizes = [885, 417, 380, 452, 300, 284, 242, 188, 169, 299, 358, 323, 41]
    assert.deepEqual(
      rows.map((row) => row[0]),
      sizes,
    )
  })
  // Unpriced lines belong to this figure. Only the invoices that have one are fed again: their new bodies correct the
  // stored ones, and a whole import is spared.
  const keeping = { cancels: 'drop', zero_price: 'keep' }
  const file = join(await temporaryFolder(t), 'unpriced.csv')
  await writeFile(file, await invoicesWithUnpriced(path))
  const corrected = await importFile(t, database, file, keeping)
  await refreshStanding(database, systemClock)
  await t.test(
    `or1.rfm.segments: 4339 buyers after invoices with unpriced lines are corrected [${nameOf(keeping)}]`,
    async () => {
      assert.ok(corrected.documents_corrected > 0)
      assert.equal(corrected.documents_known, 0)
      assert.equal(await figure(database, `select count(*) from ${LINES}`), 541_909 - 9288)
    },
  )
  await assertSegments(t, database, keeping)
})

test('Online Retail without cancels, unpriced lines and repeated rows', async (t) => {
  const path = needData(t, FILE)
  const publishedPath = needData(t, PER_CUSTOMER)
  if (!path || !publishedPath) return
  const options = { cancels: 'drop', zero_price: 'drop', duplicates: 'merge' }
  const { database } = await importInto(t, path, options)
  const name = (figures: string) => `${figures} [${nameOf(options)}]`

  await assertFigures(t, database, options, [
    ['or1.clean dedup_rows', 392_692, `select count(*) from ${LINES} where person_id > 0`],
    ['or1.clean dedup_revenue', 8_887_208.894, `select sum(quantity * unit_price) from ${LINES} where person_id > 0`],
    [
      'or1.clean dedup_revenue, lines rounded once',
      8_887_208.894,
      'select sum(amount_minor) / 100.0 from commerce.published_orders where person_id > 0',
      0.01,
    ],
  ])
  const rfm = await reportRfm(database.db, {
    asOf: instant('2011-12-10T12:50'),
    ties: 'group',
    recencyUnit: '24h',
    occasionUnit: 'order',
  })
  await t.test(
    name('or1.rfm.percustomer: recency, frequency, monetary of 4338 customers; 24-hour periods'),
    async () => {
      const [header, ...lines] = (await readFile(publishedPath, 'utf8')).trim().split(/\r?\n/)
      assert.ok(header?.startsWith('customer_id,recency,frequency,monetary,'))
      const published = new Map(lines.map((line) => [line.split(',')[0] ?? '', line.split(',').map(Number)]))
      assert.equal(published.size, 4338)
      assert.equal(rfm.people.length, 4338)
      for (const person of rfm.people) {
        const [, recency, frequency, monetary = Number.NaN] = published.get(person.key) ?? []
        assert.deepEqual([person.recency_days, person.frequency], [recency, frequency], person.key)
        assertClose(person.monetary_minor / 100, monetary, 0.011, person.key)
      }
    },
  )
  await t.test(name('or1.rfm.percustomer quintiles, max_recency 374, max_frequency 209'), () => {
    const near = (values: number[], expected: number[]) =>
      interpolated(values, QUINTILES).forEach((value, index) => {
        assertClose(value, expected[index] ?? Number.NaN, 0.011)
      })
    const recencies = rfm.people.map((person) => person.recency_days)
    const frequencies = rfm.people.map((person) => person.frequency)
    near(recencies, [13.4, 33, 72, 179])
    near(frequencies, [1, 2, 3, 6])
    near(
      rfm.people.map((person) => person.monetary_minor / 100),
      [249.344, 487.412, 933.348, 2055.05],
    )
    assert.equal(Math.max(...recencies), 374)
    assert.equal(Math.max(...frequencies), 209)
  })
})

test('or1.raw exact_duplicates = 5268 [duplicates=merge], of the rows that have a twin', async (t) => {
  const path = needData(t, FILE)
  if (!path) return
  // The other rows cannot merge, and the whole file would take another ten seconds.
  const [header, ...rows] = await allLines(path)
  const counts = new Map<string, number>()
  for (const row of rows) counts.set(row, (counts.get(row) ?? 0) + 1)
  const repeated = rows.filter((row) => (counts.get(row) ?? 0) > 1)
  const file = join(await temporaryFolder(t), 'repeated.csv')
  await writeFile(file, `${[header, ...repeated].join('\n')}\n`)
  const { database } = await testDatabase(t)
  const report = await importFile(t, database, file, { duplicates: 'merge' })
  assert.equal(report.rows_in, repeated.length)
  assert.equal(report.rows_merged, 5268)
  assert.equal(report.rows_rejected, 0)
  assert.equal(await figure(database, `select count(*) from ${LINES}`), new Set(repeated).size)
})

test('Online Retail II: the other header and its dates give the same orders and bodies; again is a no-op', async (t) => {
  const path = needData(t, FILE)
  if (!path) return
  const first: string[] = []
  for await (const line of fileLines(path)) {
    if (first.length > 20_000 && invoiceOf(line) !== invoiceOf(first.at(-1) ?? '')) break
    first.push(line)
  }
  const second = first.map((line, index) =>
    index === 0
      ? 'Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country'
      : // As the spreadsheet writes it: 12/1/2010 8:26.
        line.replace(/,(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):00,/, (_, year, month, day, hour, minute) => {
          const [m, d, h] = [month, day, hour].map(Number)
          return `,${m}/${d}/${year} ${h}:${minute},`
        }),
  )
  const folder = await temporaryFolder(t)
  const files = [join(folder, 'first.csv'), join(folder, 'second.csv')] as const
  await writeFile(files[0], `${first.join('\n')}\n`)
  await writeFile(files[1], `\uFEFF${second.join('\r\n')}\r\n`)

  const states: unknown[] = []
  for (const file of files) {
    const { database } = await testDatabase(t)
    const report = await importFile(t, database, file, {})
    assert.equal(report.rows_stored, first.length - 1)
    const state = async () => ({
      bodies: await rowsOf(
        database,
        `select external_id, encode(body_hash, 'hex') as body_hash from intake.inbox order by external_id collate "C"`,
      ),
      orders: await rowsOf(
        database,
        `select o.external_id, o.paid_at, o.amount_minor, o.line_count, p.value as customer
         from commerce.orders o left join customers.published_people p using (identity_id) order by o.external_id collate "C"`,
      ),
      refunds: await rowsOf(
        database,
        `select r.external_id, r.refunded_at, r.amount_minor, p.value as customer
         from commerce.refunds r left join customers.published_people p using (identity_id) order by r.external_id collate "C"`,
      ),
      allocations: await rowsOf(database, 'select * from commerce.refund_allocations order by 1, 2, 3, 4, 5'),
    })
    const stored = await state()
    states.push(stored)

    const again = await importFile(t, database, file, {})
    assert.equal(again.rows_merged, again.rows_in)
    assert.deepEqual([again.documents_new, again.documents_corrected], [0, 0])
    assert.equal(again.documents_known, report.documents_new)
    assert.deepEqual(await state(), stored)
  }
  assert.deepEqual(states[0], states[1])
})
