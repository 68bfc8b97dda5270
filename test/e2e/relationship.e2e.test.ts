import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { segmentMatrix } from '../../src/modules/analytics/schema.ts'
import { type MigrationReport, migrationReport, netDeepening } from '../../src/modules/relationship/schema.ts'
import * as format from '../../web/ui/format.ts'
import { startProduct } from '../product.ts'
import { launchBrowser } from './browser.ts'
import { inspect, signedInPage } from './console.ts'
import { THEMES } from './page.ts'

const count = (value: number) => format.count(value, 'zh-CN')
const DAY_MS = 86_400_000

let browser: Browser
before(async () => {
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
})

const drawer = (page: Page) => page.getByRole('dialog')
const region = (page: Page, name: string) => page.getByRole('region', { name })

/** Opens the people behind a figure and reads the list to its end: as many as the figure says. */
async function opensExactly(page: Page, figure: Locator, people: number, search: RegExp): Promise<void> {
  await figure.click()
  await drawer(page)
    .getByText(`${count(people)}人`, { exact: true })
    .waitFor()
  assert.match(new URL(page.url()).search, search)
  const rows = drawer(page).getByRole('rowheader')
  await rows.first().waitFor()
  if (people <= 120) {
    const more = drawer(page).getByRole('button', { name: /再看/ })
    while ((await more.count()) > 0) {
      const shown = await rows.count()
      await more.click()
      await rows.nth(shown).waitFor()
    }
    assert.equal(await rows.count(), people, String(search))
  }
  await page.keyboard.press('Escape')
  await drawer(page).waitFor({ state: 'detached' })
}

test('Relationship with the demo brand', async (t) => {
  const product = await startProduct(t, { demo: true })

  await t.test('shows the migration that API and command line tell, and every figure opens its people', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/relationship')
    await region(page, '净加深').waitFor()
    const named = new URL(page.url()).searchParams
    const [from, to] = [named.get('from') ?? '', named.get('to') ?? '']
    assert.equal(Date.parse(to) - Date.parse(from), 30 * DAY_MS, 'the last 30 days, named in the address')

    const report = migrationReport.parse(
      await (await page.request.get(`/api/v1/depth/migration?from=${from}&to=${to}`)).json(),
    )
    const said = await product.cli('depth', '--from', from, '--to', to, '--json')
    assert.deepEqual(migrationReport.parse(JSON.parse(said.stdout)), report)

    const net = region(page, '净加深')
    const figure = (name: RegExp) => net.getByRole('link', { name })
    assert.equal(await figure(/^净加深/).innerText(), format.signed(report.net_deepening, 'zh-CN'))
    await net.getByText(format.signedMoney(report.net_deepening_value_minor, report.currency, 'zh-CN')).waitFor()
    assert.ok(report.ups > 0 && report.downs > 0, 'the demo moves both ways')
    await opensExactly(page, figure(/^净加深/), report.ups + report.downs, /list=moved&moved=any/)
    await opensExactly(page, figure(/^变深/), report.ups, /list=moved&moved=up/)
    await opensExactly(page, figure(/^变浅/), report.downs, /list=moved&moved=down/)
    for (const { kind, ups, downs } of report.causes) {
      const row = page
        .locator('.causes')
        .getByRole('row')
        .nth(1 + causeRank(report, kind))
      const links = row.getByRole('link')
      assert.deepEqual(await links.allInnerTexts(), [ups, downs].filter((people) => people > 0).map(count), kind)
      await opensExactly(page, links.first(), ups || downs, new RegExp(`cause=${kind}`))
    }

    const flows = region(page, '从哪里到哪里')
    await flows.getByRole('button', { name: '看表格' }).click()
    const table = flows.getByRole('table')
    const cell = (from: string, to: string) => table.getByRole('link', { name: new RegExp(`^${from} → ${to} `) })
    assert.ok(report.flows.some(({ from_depth, to_depth }) => from_depth === to_depth))
    for (const { from_depth, to_depth, people } of report.flows) {
      const link = cell(`${from_depth} \\S+`, `${to_depth} \\S+`)
      assert.equal(await link.innerText(), count(people))
      // One that stays, one up, one down are three ways through the list; the others differ by numbers.
      if ((from_depth + to_depth) % 3 > 0) continue
      await opensExactly(page, link, people, new RegExp(`from_depth=${from_depth}&to_depth=${to_depth}`))
    }
    for (const { depth, people_from, people_to } of report.depths.filter((end) => end.depth % 3 === 0)) {
      if (people_from > 0) await opensExactly(page, cell(`${depth} \\S+`, '合计'), people_from, /list=moved/)
      if (people_to > 0) await opensExactly(page, cell('合计', `${depth} \\S+`), people_to, /list=moved/)
    }
    await opensExactly(page, cell('合计', '合计'), report.people, /list=moved/)

    const downloading = page.waitForEvent('download')
    await flows.getByRole('button', { name: '下载CSV' }).click()
    const path = await (await downloading).path()
    const lines = (await readFile(path, 'utf8')).trim().split('\r\n')
    assert.equal(lines.length, 1 + report.flows.length)
    const first = report.flows[0]
    assert.match(lines[1] ?? '', new RegExp(`^${first?.from_depth},[^,]+,${first?.to_depth},[^,]+,${first?.people}$`))
  })

  await t.test('a person of a list opens in front of it, and back returns', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/relationship')
    await region(page, '净加深').getByRole('link', { name: /^变深/ }).click()
    const row = drawer(page).getByRole('rowheader').first()
    const key = await row.getByRole('link').innerText()
    await row.getByRole('link').click()
    await drawer(page)
      .getByRole('heading', { name: new RegExp(key) })
      .waitFor()
    await drawer(page).getByRole('button', { name: '返回名单' }).click()
    await row.waitFor()
    assert.match(new URL(page.url()).search, /list=moved&moved=up$/)
  })

  await t.test('spans: by a click, by two times, and refused in words', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/relationship')
    await page.getByRole('link', { name: '近90天' }).click()
    await page.waitForURL((url) => lengthOf(url) === 90 * DAY_MS)
    await page.getByRole('link', { name: '近90天' }).and(page.locator('[aria-current]')).waitFor()
    await page.getByRole('link', { name: '上个月' }).click()
    await page.getByRole('link', { name: '上个月' }).and(page.locator('[aria-current]')).waitFor()
    await page.getByLabel('从', { exact: true }).fill('2099-01-01T00:00')
    await page.getByRole('alert').getByText('结束早于开始').waitFor()
    assert.ok(await page.getByRole('button', { name: '查看' }).isDisabled())
    await page.getByLabel('从', { exact: true }).fill('2025-01-01T00:00')
    await page.getByRole('button', { name: '查看' }).click()
    // The brand's clock, eight hours ahead.
    await page.waitForURL((url) => url.searchParams.get('from') === '2024-12-31T16:00:00.000Z')
  })

  await t.test('months: the figures of the API, each opens who moved in it', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/relationship')
    const section = region(page, '每月净加深')
    await section.getByRole('button', { name: '看表格' }).click()
    const { months } = netDeepening.parse(await (await page.request.get('/api/v1/depth/net-deepening')).json())
    const past = months.at(-3)
    assert.ok(past && past.ups > 0)
    const row = section.getByRole('table').getByRole('row').nth(3)
    assert.deepEqual(await row.getByRole('cell').allInnerTexts(), [
      count(past.ups),
      count(past.downs),
      format.signed(past.net_deepening, 'zh-CN'),
    ])
    await opensExactly(page, row.getByRole('link').first(), past.ups, /moved=up/)
    // The month is the span of the page now, and its figures are those of the month.
    assert.equal(await region(page, '净加深').first().getByRole('link', { name: /^变深/ }).innerText(), count(past.ups))
  })

  await t.test('a flow of the picture opens its people', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/relationship')
    const chart = region(page, '从哪里到哪里').getByRole('img').first()
    await chart.locator('path').first().waitFor()
    const box = await chart.boundingBox()
    assert.ok(box)
    // The middle of the bottom: who was unconnected and still is.
    await chart.click({ position: { x: box.width / 2, y: box.height - 20 } })
    await drawer(page).getByRole('heading', { name: '0 未连接 → 0 未连接' }).waitFor()
    assert.match(new URL(page.url()).search, /from_depth=0&to_depth=0/)
  })

  await t.test('each cell of depth and segment opens exactly its people', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/relationship')
    const read = page.waitForResponse((answer) => new URL(answer.url()).pathname === '/api/v1/depth/segments')
    await page.getByRole('link', { name: '深度与价值' }).click()
    const matrix = segmentMatrix.parse(await (await read).json())
    // The page before it has a table too, until this one has come.
    const table = page.getByRole('table').filter({ has: page.locator('[href*="rfm_segment="]') })
    await table.waitFor()
    const links = table.getByRole('link')
    const shown = (await links.allInnerTexts()).map((text) => Number(text.replaceAll(',', '')))
    for (const cell of matrix.cells) assert.ok(shown.includes(cell.people))
    assert.equal(shown.at(-1), matrix.people)
    const rows = table.getByRole('row')
    const someCells = matrix.cells.filter((_, index) => index % 5 === 0)
    for (const { depth, rfm_segment: segment, people } of someCells) {
      const row = rows.nth(1 + (5 - depth))
      const link = row.getByRole('link').and(page.locator(`[href*="rfm_segment=${segment}"]`))
      assert.equal(await link.innerText(), count(people))
      await opensExactly(page, link, people, new RegExp(`list=standing&depth=${depth}&rfm_segment=${segment}`))
    }
  })

  await t.test('the keyboard goes there, and an unread report says what happened', async (t) => {
    const opened = await signedInPage(t, browser, product)
    const { page } = opened
    await page.goto('/')
    await page.getByRole('heading', { level: 1, name: '今日' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('r')
    await page.getByRole('heading', { level: 1, name: '关系' }).waitFor()
    await page.route('**/api/v1/depth/migration*', (route) => route.abort())
    await page.getByRole('link', { name: '近7天' }).click()
    await page.getByRole('alert').getByText('迁移没能算出来').waitFor()
    await inspect(opened, 'relationship-error-wide-light')
    await page.unrouteAll()
    await page.getByRole('button', { name: '重试' }).click()
    await region(page, '从哪里到哪里').waitFor()
  })

  await t.test('a page whose code does not come leaves the rail and the other pages', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/')
    await page.getByText(/^截至/).waitFor()
    await page.route('**/assets/echarts-*', (route) => route.abort())
    await page.getByRole('link', { name: '关系' }).click()
    await page.getByRole('alert').getByText('这一页没能打开').waitFor()
    await page.getByRole('link', { name: '今日' }).click()
    await page.getByText(/^截至/).waitFor()
  })

  await t.test('looks right and reads well: wide and narrow, light and dark', async (t) => {
    for (const size of ['wide', 'narrow'] as const) {
      for (const theme of THEMES) {
        const opened = await signedInPage(t, browser, product, size, theme)
        const { page } = opened
        await page.goto('/relationship')
        await page.locator('.chart svg').nth(1).waitFor()
        await inspect(opened, `relationship-${size}-${theme}`)
        await page.goto('/relationship?table=true&list=moved&moved=up')
        await drawer(page).getByRole('rowheader').first().waitFor()
        await inspect(opened, `relationship-moved-${size}-${theme}`)
        await page.goto('/relationship/segments')
        await page.getByRole('table').waitFor()
        await inspect(opened, `segments-${size}-${theme}`)
      }
    }
  })
})

test('an empty brand says what to do first', async (t) => {
  const product = await startProduct(t, {})
  const opened = await signedInPage(t, browser, product)
  await opened.page.goto('/relationship')
  await opened.page.getByText('这段时间还没有客户').waitFor()
  await opened.page.getByText('近12个月还没有人变深或变浅。').waitFor()
  await inspect(opened, 'relationship-empty-wide-light')
  await opened.page.goto('/people')
  await opened.page.getByText('选上客户编号那一列').waitFor()
  await inspect(opened, 'people-empty-wide-light')
  await opened.page.getByRole('button', { name: '去导入' }).click()
  await opened.page.getByRole('button', { name: '选择文件' }).waitFor()
})

/** Most people first, as the page has them. */
function causeRank(report: MigrationReport, kind: string): number {
  return report.causes.toSorted((a, b) => b.ups + b.downs - (a.ups + a.downs)).findIndex((cause) => cause.kind === kind)
}

function lengthOf(url: URL): number {
  return Date.parse(url.searchParams.get('to') ?? '') - Date.parse(url.searchParams.get('from') ?? '')
}
