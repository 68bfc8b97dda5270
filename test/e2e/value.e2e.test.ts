import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import {
  atRisk,
  equityReport,
  type PersonValue,
  personValue,
  referralTree,
  runReport,
  valueCellPage,
  valueMatrix,
} from '../../src/modules/value/schema.ts'
import * as format from '../../web/ui/format.ts'
import { urlOfBrand } from '../brand-state.ts'
import { startProduct } from '../product.ts'
import { scratchFolder } from '../scratch.ts'
import { withClient } from '../server.ts'
import { launchBrowser } from './browser.ts'
import { inspect, signedInPage } from './console.ts'

const count = (value: number) => format.count(value, 'zh-CN')
const amount = (minor: number, currency: string) => format.amount(minor, currency, 'zh-CN')
const money = (minor: number, currency: string) => format.money(minor, currency, 'zh-CN')

const DEPTH_NAMES = ['未连接', '基础用户', '未购会员', '已购会员', '复购会员', '品牌KOC'] as const
const THIRDS = ['', '低', '中', '高'] as const

let browser: Browser
before(async () => {
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
})

const region = (page: Page, name: string) => page.getByRole('region', { name })
const drawer = (page: Page) => page.getByRole('dialog')

/** The lines of a person's table, and that they make the allocated value to the last fen. */
async function readsWhereFrom(page: Page, value: PersonValue): Promise<void> {
  const worth = region(page, '客户价值')
  const table = worth.getByRole('table', { name: '钱从哪里来' })
  await table.getByRole('row', { name: /^合计/ }).waitFor()
  const said = await table
    .getByRole('row')
    .evaluateAll((rows) =>
      rows.slice(1).map((row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent ?? '')),
    )
  const minor = (text: string | undefined) => Math.round(Number((text ?? '').replaceAll(',', '')) * 100)
  const total = said.pop()
  const sum = said.reduce((sum, line) => sum + minor(line[3]), 0)
  assert.equal(minor(total?.[3]), value.allocated_minor)
  assert.equal(sum, value.allocated_minor, 'the lines make the total')
  assert.deepEqual(
    said[0]?.slice(2).map((text) => minor(text)),
    [value.own_minor, value.kept_minor],
  )
  assert.deepEqual(
    said.slice(1).map((line) => [line[0], minor(line[2]), minor(line[3])]),
    value.brought.map((below) => [below.name ?? below.key, below.own_minor, below.allocated_minor]),
  )
}

test('Value with the demo brand', async (t) => {
  const product = await startProduct(t, { demo: true })
  const run = await product.cli('value-run', '--json')
  assert.equal(run.code, 0, run.stderr)
  const report = runReport.parse(JSON.parse(run.stdout))
  const { page: asker } = await signedInPage(t, browser, product)
  const api = async (path: string) => (await asker.request.get(path)).json()
  const equity = equityReport.parse(await api('/api/v1/value'))
  const matrix = valueMatrix.parse(await api('/api/v1/value/matrix'))
  const worthOf = async (personId: number) => personValue.parse(await api(`/api/v1/people/${personId}/value`))
  assert.equal(equity.customer_equity_minor, report.customer_equity_minor)
  const { currency } = equity

  await t.test('Today leads with customer equity, and it opens the Value page', async (t) => {
    const opened = await signedInPage(t, browser, product)
    const { page } = opened
    await page.goto('/')
    const first = region(page, '关键数字').getByRole('row', { name: /^客户资产/ })
    await first
      .getByText(
        `实际有80%的可能在${money(report.customer_equity_low_minor, currency)}到${money(report.customer_equity_high_minor, currency)}之间`,
      )
      .waitFor()
    assert.match(
      await region(page, '关键数字').getByRole('rowheader').first().innerText(),
      /^客户资产/,
      'the leading figure',
    )
    await inspect(opened, 'today-equity-wide-light')
    const link = first.getByRole('link')
    assert.equal(await link.innerText(), amount(report.customer_equity_minor, currency))
    await link.click()
    await page.waitForURL('**/relationship/value')
    await region(page, '客户资产').getByText(money(report.customer_equity_minor, currency), { exact: true }).waitFor()
  })

  await t.test('says the model, how well it fits, who holds the value, and what it could not do', async (t) => {
    const opened = await signedInPage(t, browser, product)
    const { page } = opened
    await page.goto('/relationship/value')
    const head = region(page, '客户资产')
    await head.getByText(money(equity.customer_equity_minor, currency), { exact: true }).waitFor()
    await head.getByText('没有设毛利率，这里的“毛利”都是收入。').waitFor()
    const fit = region(page, '估得准不准')
    await fit.getByRole('img', { name: /每人预计和实际/ }).waitFor()
    await fit.getByRole('button', { name: '看表格' }).click()
    await page.waitForURL((url) => url.searchParams.get('table') === 'true')
    const rows = fit.getByRole('table').getByRole('row')
    assert.equal(await rows.count(), 1 + equity.calibration.length)
    for (const [place, row] of equity.calibration.entries()) {
      const cells = await rows
        .nth(1 + place)
        .getByRole('cell')
        .allInnerTexts()
      assert.deepEqual(cells, [count(row.people), row.expected.toFixed(2), row.actual.toFixed(2)])
    }
    await fit.getByRole('button', { name: '看图' }).click()
    const tenths = region(page, '价值集中在多少人身上').getByRole('row')
    assert.equal(await tenths.count(), 1 + equity.distribution.length)
    await region(page, '模型没做到的').getByRole('listitem').first().waitFor()
    await fit.getByRole('img', { name: /每人预计和实际/ }).waitFor()
    await inspect(opened, 'value-wide-light')
    await region(page, '模型没做到的').scrollIntoViewIfNeeded()
    await inspect(opened, 'value-matrix-wide-light')
  })

  await t.test('a run is begun on the page, is seen by others, and its figures come by themselves', async (t) => {
    const opened = await signedInPage(t, browser, product)
    const other = await signedInPage(t, browser, product, 'narrow', 'dark')
    const { page } = opened
    await page.goto('/relationship/value')
    const button = page.getByRole('button', { name: '现在重新估值' })
    await button.waitFor()
    await inspect(opened, 'value-run-wide-light')
    const says = (where: Page) =>
      region(where, '客户资产')
        .getByRole('status')
        .getByText(/^正在给所有客户估值，/)
    await withClient(await urlOfBrand({ folder: product.home }), async (client) => {
      // A run waits for this, so that both pages see it however fast the machine is.
      await client.query('begin')
      await client.query('lock table value.people in share mode')
      const began = page.waitForResponse((answer) => answer.url().endsWith('/api/v1/value/runs'))
      await button.focus()
      await page.keyboard.press('Enter')
      assert.equal((await began).status(), 202)
      await other.page.goto('/relationship/value')
      await says(page).waitFor()
      await says(other.page).waitFor()
      await inspect(other, 'value-running-narrow-dark')
      // Beside it nobody begins another one.
      const twice = await page.request.post('/api/v1/value/runs', { headers: { origin: product.url } })
      assert.equal((await twice.json()).error?.code, 'value_run_running')
      await client.query('rollback')
    })
    await page.getByText('估好了。').waitFor({ timeout: 120_000 })
    await button.waitFor()
    const after = equityReport.parse(await api('/api/v1/value'))
    assert.ok((after.valued_at ?? '') > (equity.valued_at ?? ''), 'a later run')
    const clock = format.instant(after.valued_at ?? '', 'Asia/Shanghai')
    await region(page, '客户资产').getByText(`${clock}估的`).waitFor()
    await other.page.getByRole('button', { name: '现在重新估值' }).waitFor()
    assert.deepEqual(opened.complaints, [])
  })

  await t.test('the first valuation of a brand shows by itself', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    let asked = 0
    await page.route('**/api/v1/value', async (route) => {
      asked += 1
      const response = await route.fetch()
      const body = await response.json()
      // As it is between the first orders and the server's own first run.
      await route.fulfill({ response, json: asked === 1 ? { ...body, valued_at: null } : body })
    })
    await page.goto('/relationship/value')
    await page.getByRole('heading', { name: '还没有估过值' }).waitFor()
    await region(page, '客户资产').waitFor()
    assert.ok(asked > 1)
  })

  await t.test('a cell opens its people, and one of them shows where the money comes from', async (t) => {
    // Who buys little and brings much.
    const [depth, transaction, propagation] = [4, 1, 3] as const
    const cell = matrix.cells.find(
      (one) => one.depth === depth && one.transaction === transaction && one.propagation === propagation,
    )
    assert.ok(cell && cell.people > 0, 'the demo has repeat buyers who buy little and brought others')
    const listed = valueCellPage.parse(
      await api(`/api/v1/value/people?depth=${depth}&transaction=${transaction}&propagation=${propagation}&limit=200`),
    ).people
    assert.equal(listed.length, cell.people)

    const opened = await signedInPage(t, browser, product, 'narrow', 'dark')
    const { page } = opened
    await page.goto('/relationship/value')
    const name = `${depth} ${DEPTH_NAMES[depth]} · 交易价值${THIRDS[transaction]} · 传播价值${THIRDS[propagation]}`
    const figure = page.getByRole('link', { name: new RegExp(`^${name} `) })
    assert.equal(await figure.innerText(), count(cell.people))
    await inspect(opened, 'value-narrow-dark')
    await figure.click()
    await drawer(page)
      .getByText(`${count(cell.people)}人`, { exact: true })
      .waitFor()
    assert.match(
      new URL(page.url()).search,
      new RegExp(`list=valued&depth=${depth}&transaction=${transaction}&propagation=${propagation}`),
    )
    const people = drawer(page).getByRole('rowheader').getByRole('link')
    await people.first().waitFor()
    assert.equal(await people.count(), Math.min(50, cell.people))
    await inspect(opened, 'value-cell-narrow-dark')

    const person = listed[0]
    assert.ok(person)
    const value = await worthOf(person.person_id)
    assert.ok(value.brought.length > 0)
    await people.first().click()
    await readsWhereFrom(page, value)
    await drawer(page).getByText(money(value.own_minor, currency), { exact: true }).first().waitFor()
    await inspect(opened, 'value-person-drawer-narrow-dark')

    // The whole way by what is on the screen: from Today, by customer equity and its interval, to each yuan of one person.
    const wide = await signedInPage(t, browser, product)
    await wide.page.goto('/')
    await region(wide.page, '关键数字')
      .getByRole('row', { name: /^客户资产/ })
      .getByRole('link')
      .click()
    const head = region(wide.page, '客户资产')
    const [low, high] = [equity.customer_equity_low_minor ?? 0, equity.customer_equity_high_minor ?? 0]
    await head.getByText(`实际有80%的可能在${money(low, currency)}到${money(high, currency)}之间`).waitFor()
    await wide.page.getByRole('link', { name: new RegExp(`^${name} `) }).click()
    await drawer(wide.page).getByRole('rowheader').getByRole('link').first().click()
    await readsWhereFrom(wide.page, value)
    await drawer(wide.page).getByRole('link', { name: '打开整页' }).click()
    await wide.page.waitForURL(`**/people/${person.person_id}`)
    // What stood beside the page before says the same while it goes.
    await drawer(wide.page).waitFor({ state: 'hidden' })
    await readsWhereFrom(wide.page, value)
    await region(wide.page, '客户价值').scrollIntoViewIfNeeded()
    await inspect(wide, 'value-person-wide-light')

    const tree = referralTree.parse(await api(`/api/v1/people/${person.person_id}/referral-tree`))
    const worth = region(wide.page, '客户价值')
    await worth.getByText('带来的人，画成一棵树').click()
    await worth.getByText(`${count(tree.nodes.length)}人，近的在前，带来多的在上面。`).waitFor()
    const [first] = tree.nodes
    assert.ok(first)
    await worth
      .getByRole('listitem')
      .getByRole('link', { name: first.name ?? first.key, exact: true })
      .first()
      .waitFor()
    await inspect(wide, 'value-tree-wide-light')
  })

  await t.test('Today names who is at risk and worth most, and their page says what is missing', async (t) => {
    const opened = await signedInPage(t, browser, product)
    const { page } = opened
    const { people } = atRisk.parse(await api('/api/v1/value/at-risk'))
    const [first] = people
    assert.ok(first, 'somebody of the demo is at risk')
    await page.goto('/')
    const named = region(page, '有风险、又最值钱的人').getByRole('rowheader').getByRole('link')
    await named.first().waitFor()
    assert.deepEqual(
      await named.allInnerTexts(),
      people.map((person) => person.name ?? person.key),
    )
    await inspect(opened, 'today-at-risk-wide-light')
    const { lever } = await worthOf(first.person_id)
    assert.ok(lever)
    await page.goto(`/people/${first.person_id}`)
    const missing = region(page, '客户价值').getByRole('list', { name: '缺的是什么' }).getByRole('listitem')
    await missing.first().waitFor()
    assert.equal(await missing.count(), lever.signs.length)
    await region(page, '客户价值').getByRole('heading', { name: '缺的是什么' }).scrollIntoViewIfNeeded()
    await inspect(opened, 'value-lever-wide-light')
  })

  await t.test('a cell of the matrix is a segment, in words', async (t) => {
    const opened = await signedInPage(t, browser, product)
    const { page } = opened
    const definition = { all: [{ depth: { is: [4] } }, { value: { transaction: [1], propagation: [3] } }] }
    await page.goto(`/people/segments/new?definition=${encodeURIComponent(JSON.stringify(definition))}`)
    await page.getByText('交易价值低，传播价值高').first().waitFor()
    const inCell = matrix.cells.find((one) => one.depth === 4 && one.transaction === 1 && one.propagation === 3)
    await page
      .getByText(`${count(inCell?.people ?? 0)}人`, { exact: true })
      .first()
      .waitFor()
    await inspect(opened, 'value-segment-wide-light')
  })

  await t.test('a past day is chosen, worked out, and read to each yuan, beside what came since', async (t) => {
    const opened = await signedInPage(t, browser, product)
    const { page } = opened
    const present = equityReport.parse(await api('/api/v1/value'))
    const past = format.day(
      new Date(Date.parse(present.valued_at ?? '') - 200 * 86_400_000).toISOString(),
      'Asia/Shanghai',
    )
    const asOf = encodeURIComponent(`${past}T00:00:00+08:00`)

    await page.goto('/relationship/value')
    await page.getByLabel('看过去某天的估值').fill(past)
    await page.getByRole('button', { name: '看这一天' }).click()
    await page.waitForURL(`**/relationship/value?as_of=${past}`)
    await page.getByRole('heading', { name: `还没有按${past}估过值` }).waitFor()
    await inspect(opened, 'value-past-none-wide-light')
    await page.getByRole('button', { name: `按${past}估值` }).click()
    const head = region(page, '客户资产')
    await head.waitFor({ timeout: 120_000 })
    const equity = equityReport.parse(await api(`/api/v1/value?as_of=${asOf}`))
    const since = equity.came_since
    assert.ok(since && since.low_minor !== null && since.high_minor !== null)
    await page.getByText(`截至${past}的估值`, { exact: true }).waitFor()
    await head.getByText(money(equity.customer_equity_minor, currency), { exact: true }).waitFor()
    const [low, high] = [since.low_minor, since.high_minor]
    const verdict = since.came_minor < low ? '低于区间' : since.came_minor > high ? '高于区间' : '落在区间里'
    await head.getByText(money(since.came_minor, currency), { exact: true }).waitFor()
    await head
      .getByText(`有80%的可能在${money(low, currency)}到${money(high, currency)}之间。 实际${verdict}。`)
      .waitFor()
    await head
      .getByRole('img', {
        name: `区间${money(low, currency)}到${money(high, currency)}，实际${money(since.came_minor, currency)}`,
      })
      .waitFor()
    await inspect(opened, 'value-past-wide-light')

    const then = valueMatrix.parse(await api(`/api/v1/value/matrix?as_of=${asOf}`))
    const cell = then.cells.find((one) => one.transaction < 3 && one.propagation === 3 && one.depth >= 3)
    assert.ok(cell, 'the demo had people who brought much then')
    const name = `${cell.depth} ${DEPTH_NAMES[cell.depth]} · 交易价值${THIRDS[cell.transaction]} · 传播价值${THIRDS[3]}`
    await page.getByRole('link', { name: new RegExp(`^${name} `) }).click()
    await drawer(page)
      .getByText(`${count(cell.people)}人`, { exact: true })
      .waitFor()
    const which = `depth=${cell.depth}&transaction=${cell.transaction}&propagation=3`
    assert.match(new URL(page.url()).search, new RegExp(`as_of=${past}&list=valued&${which}`))
    const listed = valueCellPage.parse(await api(`/api/v1/value/people?${which}&as_of=${asOf}`)).people
    const person = listed[0]
    assert.ok(person)
    const people = drawer(page).getByRole('rowheader').getByRole('link')
    await people.first().waitFor()
    assert.equal(await people.count(), Math.min(50, cell.people))
    await people.first().click()
    const value = personValue.parse(await api(`/api/v1/people/${person.person_id}/value?as_of=${asOf}`))
    await readsWhereFrom(page, value)
    assert.ok(value.came_since)
    await region(page, '客户价值')
      .getByText(money(value.came_since.came_minor, currency), { exact: true })
      .first()
      .waitFor()
    await inspect(opened, 'value-past-person-wide-light')
    // Whom they brought is read as of the same day.
    const [below] = value.brought
    assert.ok(below)
    await region(page, '客户价值').getByRole('table', { name: '钱从哪里来' }).getByRole('link').first().click()
    await page.waitForURL((url) => url.searchParams.get('person') === String(below.person_id))
    assert.equal(new URL(page.url()).searchParams.get('as_of'), past)
    await region(page, '客户价值').getByText(money(below.own_minor, currency), { exact: true }).first().waitFor()

    const narrow = await signedInPage(t, browser, product, 'narrow', 'dark')
    await narrow.page.goto(`/relationship/value?as_of=${past}`)
    await narrow.page.getByText(`截至${past}的估值`, { exact: true }).waitFor()
    await inspect(narrow, 'value-past-narrow-dark')
    await narrow.page.getByRole('link', { name: '回到现在' }).click()
    await region(narrow.page, '客户资产')
      .getByText(money(present.customer_equity_minor, currency), { exact: true })
      .waitFor()
    await narrow.page.getByRole('link', { name: `看${past}的估值` }).waitFor()
    const { run: _before, kept_as_of: _none, ...before } = { run: null, ...present }
    const { run: _after, kept_as_of: kept, ...after } = { run: null, ...equityReport.parse(await api('/api/v1/value')) }
    assert.deepEqual(after, before, 'values of now are untouched')
    assert.equal(Date.parse(kept ?? ''), Date.parse(`${past}T00:00:00+08:00`))
  })
})

test('a history that ended years ago is looked at as of its last day, and nobody was referred', async (t) => {
  const lines = Array.from({ length: 60 }, (_, index) => index).flatMap((index) =>
    [1 + (index % 9), 10 + (index % 17)]
      .slice(0, 1 + (index % 2))
      .map(
        (day, number) =>
          `${index}-${number},c${index},2011-11-${String(day).padStart(2, '0')} 10:00,tea,1,${20 + index}`,
      ),
  )
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-old-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const ordersFile = join(folder, 'orders.csv')
  await writeFile(ordersFile, ['order_id,customer_id,paid_at,item,quantity,unit_price', ...lines].join('\n'))
  const product = await startProduct(t, { ordersFile })
  const run = await product.cli('value-run')
  assert.equal(run.code, 0, run.stderr)
  const opened = await signedInPage(t, browser, product)
  const { page } = opened
  await page.goto('/relationship/value')
  await page.getByText('最后一次购买在2011-11-26').waitFor()
  await inspect(opened, 'value-silent-wide-light')
  await page.getByRole('link', { name: '看2011-11-27的估值' }).click()
  await page.waitForURL('**/relationship/value?as_of=2011-11-27')
  const begin = page.getByRole('button', { name: '按2011-11-27估值' })
  await begin.waitFor()
  // What the command line works out is what the page shows.
  const worked = await product.cli('value-run', '--as-of', '2011-11-27', '--json')
  assert.equal(worked.code, 0, worked.stderr)
  const report = runReport.parse(JSON.parse(worked.stdout))
  await page.reload()
  await region(page, '客户资产').getByText(money(report.customer_equity_minor, 'CNY'), { exact: true }).waitFor()
  await region(page, '客户资产').getByText('那天以后还没有满一天的订单').waitFor()
  await page.getByText('还没有人被推荐过，所以人人的传播价值都是0').waitFor()
  await inspect(opened, 'value-past-old-wide-light')
  const refused = await product.cli('value-run', '--as-of', '2011-11-01')
  assert.notEqual(refused.code, 0)
  assert.match(refused.stderr, /Nobody had bought before the day of 2011-11-01: the first order is of 2011-11-01 10:00/)
})
