import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Page, Route } from 'playwright-core'
import { type Product, startProduct } from '../product.ts'
import { scratchFolder } from '../scratch.ts'
import { launchBrowser } from './browser.ts'
import { inspect } from './console.ts'
import { type OpenedPage, openPage } from './page.ts'

// The way of somebody who has read the README and nothing else: the printed link, who lapses and why, an order file as shops
// export it, and one's own figures; then a second brand, in English on a phone. The figures are worked out here from the file's rows.

const DAY_MS = 86_400_000

/** Orders as a Chinese shop exports them: titles above the header, some nobody paid, some closed or given back. */
interface Sold {
  readonly id: string
  readonly customer: string
  readonly state: string
  readonly daysAgo: number
  readonly amounts: readonly number[]
}

const SOLD: readonly Sold[] = Array.from({ length: 60 }, (_, place) => ({
  id: `E${5000 + place}`,
  customer: `买家${place % 25}`,
  state: ['交易成功', '已发货', '交易成功', '退款成功', '待付款', '已取消'][place % 6] ?? '',
  // The first customers' orders are nearly a year old: they lapse within the week.
  daysAgo: place % 25 < 5 ? 361 + (place % 3) : 20 + place,
  amounts: place % 4 === 0 ? [1299, 45.5] : [168 + place],
}))

const isPaid = ({ state }: Sold) => state === '交易成功' || state === '已发货'
const hasTime = ({ state }: Sold) => state !== '待付款' && state !== '已取消'

const EXPECTED = {
  orders: SOLD.filter(isPaid).length,
  revenueMinor: SOLD.filter(isPaid).reduce((sum, { amounts }) => sum + amounts.reduce((a, b) => a + b, 0) * 100, 0),
  people: new Set(SOLD.filter(hasTime).map(({ customer }) => customer)).size,
  rejected: SOLD.filter((sold) => !hasTime(sold)).reduce((sum, { amounts }) => sum + amounts.length, 0),
}

function shopExport(now: number): string {
  const money = (amount: number) => `￥${amount.toLocaleString('en-US', { minimumFractionDigits: 2 })}`
  const paidAt = (daysAgo: number) => {
    const at = new Date(now - daysAgo * DAY_MS + 8 * 3_600_000).toISOString()
    return at.slice(0, 19).replace('T', ' ')
  }
  const rows = SOLD.flatMap((sold) =>
    sold.amounts.map((amount, line) => {
      const paid = hasTime(sold) ? paidAt(sold.daysAgo) : ''
      return `${sold.id},${sold.state},${paid},${sold.customer},"红酒，${line}号",1,"${money(amount)}","${money(amount)}"`
    }),
  )
  const header = '订单号,订单状态,付款时间,买家编号,商品名称,商品数量,商品单价,商品实付金额'
  return ['某某酒窖订单导出', '导出人：店长,门店：徐汇店', header, ...rows].join('\r\n')
}

/** As Excel on a Chinese Windows saves it. The decoder's own table, read backwards. */
function gb18030(text: string): Buffer {
  const decoder = new TextDecoder('gb18030')
  const bytesOf = new Map<string, number[]>()
  for (let first = 0x81; first <= 0xfe; first += 1) {
    for (let second = 0x40; second <= 0xfe; second += 1) {
      if (second !== 0x7f) bytesOf.set(decoder.decode(Uint8Array.of(first, second)), [first, second])
    }
  }
  return Buffer.from([...text].flatMap((letter) => bytesOf.get(letter) ?? [letter.charCodeAt(0)]))
}

let browser: Browser
let folder: string
before(async () => {
  browser = await launchBrowser()
  folder = await mkdtemp(join(scratchFolder(), 'perennial-newcomer-'))
})
after(async () => {
  await browser?.close()
  await rm(folder, { recursive: true, force: true })
})

interface Brief {
  readonly people: number
  readonly orders: number
  readonly net_revenue_minor: number
  readonly lapsing_7_days: number
}

async function briefOf(product: Product, brand: string): Promise<Brief> {
  const said = await product.cli('brief', '--brand', brand, '--json')
  assert.equal(said.code, 0, said.stderr)
  return JSON.parse(said.stdout)
}

const figure = (page: Page, name: RegExp) =>
  page
    .getByRole('region', { name: /关键数字|Key figures/ })
    .getByRole('row')
    .filter({ has: page.getByRole('rowheader', { name }) })
    .getByRole('link')

const amountText = (minor: number) => (minor / 100).toLocaleString('en-US', { minimumFractionDigits: 2 })

/** Answers the page's first question about the file with what it was before its last part came. */
async function answerLate(page: Page): Promise<void> {
  const [asked, sent] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const path = '**/api/v1/uploads/*'
  const late = async (route: Route) => {
    if (route.request().method() !== 'GET') return route.fallback()
    const answer = await route.fetch()
    await page.unroute(path, late)
    asked.resolve()
    await sent.promise
    await route.fulfill({ response: answer }).catch(() => {})
  }
  await page.route(path, late)
  await page.route('**/content?*', async (route) => {
    await asked.promise
    await route.fulfill({ response: await route.fetch() })
    setTimeout(sent.resolve, 300)
  })
}

test('from the printed link to one’s own figures', async (t) => {
  const product = await startProduct(t, { demo: true })
  const opened: OpenedPage = await openPage(browser, product.url, 'wide', 'light')
  t.after(() => opened.context.close())
  const { page } = opened

  await t.test('the link signs in, and Today leads to who lapses and why', async () => {
    await page.goto(product.signInUrl)
    await page.getByRole('heading', { level: 1, name: '今日' }).waitFor()
    const { lapsing_7_days: lapsing } = await briefOf(product, 'demo')
    await page.getByRole('link', { name: `${lapsing}人会在7天内变浅` }).click()
    const beside = page.getByRole('dialog')
    await beside.getByText(`${lapsing}人`, { exact: true }).waitFor()
    await beside.getByRole('row').nth(1).getByRole('link').click()
    const why = beside.getByRole('region', { name: '到期' }).or(beside.locator('section', { hasText: '到期' }))
    await why
      .getByText(/不再算数|靠兴趣撑着/)
      .first()
      .waitFor()
    await inspect(opened, 'newcomer-why-wide-light')
    await page.keyboard.press('Escape')
  })

  await t.test('an export of a shop is read, with its customers and the states of its orders', async () => {
    const path = join(folder, '订单导出20261120.csv')
    await writeFile(path, gb18030(shopExport(Date.now())))
    await answerLate(page)
    await page.getByRole('navigation', { name: '主导航' }).getByRole('link', { name: '导入' }).click()
    await page.getByText('你的文件会进你自己的品牌').waitFor()
    await page.locator('input[type=file]').setInputFiles(path)
    await page.getByText('列名在第3行').waitFor()
    await page.getByText('请核对“哪些订单算数”').waitFor()
    assert.equal(await page.getByLabel('客户编号: 取自哪一列').inputValue(), '买家编号')
    const states = page.getByRole('list', { name: '哪些订单算数' })
    const stateOf = (word: string) => states.getByLabel(word)
    assert.deepEqual(await Promise.all(['已发货', '退款成功', '待付款'].map((word) => stateOf(word).inputValue())), [
      'paid',
      'given_back',
      'unpaid',
    ])
    await page.getByLabel('客户编号: 取自哪一列').selectOption('')
    await page.getByText('客户、关系和提醒里一个人也不会有').waitFor()
    // Until the rows have been read this way the earlier ones stand there, faint.
    await page.locator('.preview[aria-busy="false"]').waitFor()
    await inspect(opened, 'newcomer-map-wide-light')
    await page.getByLabel('客户编号: 取自哪一列').selectOption('买家编号')
    await page.getByLabel('有客户编号的买家算联系得上吗').selectOption('shop_account')
    await page.getByLabel('品牌的名字').fill('南岸酒窖')
    await page
      .getByRole('region', { name: '前20行会读成这样' })
      .getByRole('cell', { name: '买家1', exact: true })
      .first()
      .waitFor()
  })

  await t.test('tried and imported it is a brand of its own', async () => {
    await page.getByRole('button', { name: '试导入' }).click()
    await page.getByRole('heading', { name: '试导入的结果' }).waitFor()
    const rejected = page.locator('.result-figure', { hasText: '拒收' }).getByRole('definition')
    assert.equal(await rejected.innerText(), String(EXPECTED.rejected))
    await page.getByRole('cell', { name: '按规则不收，比如还没付款', exact: true }).waitFor()
    await inspect(opened, 'newcomer-tried-wide-light')
    await page.getByRole('button', { name: '就这样导入' }).click()
    await page.getByRole('heading', { name: '导入完成' }).waitFor()
    assert.equal(await page.locator(':focus').innerText(), '导入完成', 'the focus of the button that is gone')
    await page.getByRole('link', { name: '看今日' }).click()
    await page.locator('.today-brand', { hasText: '南岸酒窖' }).waitFor()
  })

  await t.test('Today, People and Relationship show its figures, as the command line does', async () => {
    const brief = await briefOf(product, 'main')
    const { orders, revenueMinor, people } = EXPECTED
    assert.deepEqual([brief.orders, brief.net_revenue_minor, brief.people], [orders, revenueMinor, people])
    assert.equal(await figure(page, /^净收入/).innerText(), amountText(revenueMinor))
    assert.equal(await figure(page, /^订单/).innerText(), String(orders))
    await inspect(opened, 'newcomer-today-wide-light')
    await page.getByRole('link', { name: `${brief.lapsing_7_days}人会在7天内变浅` }).click()
    const beside = page.getByRole('dialog')
    await beside.getByText(`${brief.lapsing_7_days}人`, { exact: true }).waitFor()
    await beside.getByRole('row').nth(1).getByRole('link').click()
    await beside.getByText('到那时满365天，不再算数').waitFor()
    await page.goto('/people')
    await page.getByText(`${people}人`, { exact: true }).waitFor()
    await page.goto('/relationship')
    await page.getByText(`共${people}人`).waitFor()
  })

  await t.test('a second brand in another currency, in English on a phone', async (t) => {
    const phone = await openPage(browser, product.url, 'narrow', 'dark', await opened.context.storageState(), 'en-GB')
    t.after(() => phone.context.close())
    const narrow = phone.page
    await narrow.addInitScript("localStorage.removeItem('perennial.language')")
    const path = join(folder, 'orders.csv')
    const rows = ['1,C1,2026-03-01,Apron,24.50', '2,C2,2026-04-01,Board,60.00', '3,C1,2026-05-01,Salt,18.00']
    await writeFile(path, `Order Number,Customer,Order Date,Product,Amount\n${rows.join('\n')}\n`)
    await narrow.goto('/import')
    await narrow.getByRole('button', { name: 'Choose a file' }).waitFor()
    await narrow.locator('input[type=file]').setInputFiles(path)
    await narrow.getByLabel('Where it goes').selectOption('new')
    await narrow.getByRole('button', { name: 'Import', exact: true }).click()
    assert.equal(await narrow.getByLabel('Name of the brand').getAttribute('aria-invalid'), 'true', 'it needs a name')
    await narrow.getByLabel('Name of the brand').fill('南岸酒窖')
    await narrow.getByRole('combobox', { name: /^Currency/ }).selectOption('GBP')
    await narrow.getByRole('button', { name: 'Import', exact: true }).click()
    await narrow.getByRole('alert').getByText('There is a brand of this name.').waitFor()
    await inspect(phone, 'newcomer-brand-narrow-dark')
    await narrow.getByLabel('Name of the brand').fill('Hearth')
    await narrow.getByRole('button', { name: 'Import', exact: true }).click()
    await narrow.getByRole('link', { name: 'Today of Hearth' }).click()
    await narrow.locator('.today-brand', { hasText: 'Hearth' }).waitFor()
    assert.equal(await figure(narrow, /^Net revenue \(GBP\)/).innerText(), '102.50')
    assert.equal((await briefOf(product, 'brand_2')).net_revenue_minor, 10_250)
    await inspect(phone, 'newcomer-today-narrow-dark')
  })
})
