import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { startProduct } from '../product.ts'
import { scratchFolder } from '../scratch.ts'
import { launchBrowser } from './browser.ts'
import { inspect, signedInPage } from './console.ts'

// A file through the console, from the demo brand on: chosen, looked at, tried, imported, taken back. What the pages say
// is compared with what the command line says of the same file.

const LONG = '上海静安区南京西路旗舰店企业团购专用典藏礼盒（双支装，附证书与手提袋）'

const ORDERS = [
  '订单编号,客户编号,付款时间,商品名称,实付金额,备注',
  ...Array.from({ length: 40 }, (_, place) => {
    const [id, customer] = [1000 + place, `C${place % 9}`]
    const paid = place === 30 ? '待补' : `2026-0${(place % 9) + 1}-11 10:20`
    return `${id},${customer},${paid},${place === 3 ? LONG : `酒款${place % 4}`},${(place * 7.5 + 68).toFixed(2)},`
  }),
].join('\n')

let browser: Browser
let folder: string
before(async () => {
  browser = await launchBrowser()
  folder = await mkdtemp(join(scratchFolder(), 'perennial-imports-'))
})
after(async () => {
  await browser?.close()
  await rm(folder, { recursive: true, force: true })
})

async function saved(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

async function choose(page: Page, path: string): Promise<void> {
  await page.goto('/import')
  await page.getByRole('button', { name: '选择文件' }).waitFor()
  await page.locator('input[type=file]').setInputFiles(path)
}

/** Figures of a page that stand beside their names. */
async function figures(page: Page, names: Record<string, string>): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const [key, name] of Object.entries(names)) {
    const text = await page.locator('.result-figure', { hasText: name }).first().getByRole('definition').innerText()
    found[key] = Number(text.replaceAll(',', ''))
  }
  return found
}

const FIGURES = {
  rows_in: '文件里的行',
  rows_stored: '入库',
  rows_merged: '合并',
  rows_rejected: '拒收',
  people: '涉及的客户',
  orders: '订单',
  documents_new: '新的',
  documents_corrected: '更正的',
  documents_known: '以前就有的',
}

function picked(report: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.keys(FIGURES).map((key) => [key, report[key]]))
}

test('a file is looked at, tried, imported into one’s own brand and taken back', async (t) => {
  const product = await startProduct(t, { demo: true })
  const path = await saved('orders.csv', ORDERS)
  const opened = await signedInPage(t, browser, product)
  const { page } = opened

  await t.test('the columns are guessed, and another choice changes the preview', async () => {
    await choose(page, path)
    await page.getByText('按列名和前200行的内容判断，把握很大。').waitFor()
    const preview = page.getByRole('region', { name: '前20行会读成这样' })
    await preview.getByRole('cell', { name: 'C1', exact: true }).first().waitFor()
    await inspect(opened, 'import-map-wide-light')
    const customer = page.getByLabel('客户编号: 取自哪一列')
    await customer.selectOption('备注')
    await preview.getByRole('columnheader', { name: '客户编号' }).waitFor({ state: 'detached' })
    await customer.selectOption('商品名称')
    await preview.getByRole('cell', { name: LONG }).first().waitFor()
    await page.getByLabel('付款或退款时间: 取自哪一列').selectOption('')
    await page.getByRole('alert').getByText('还缺：付款或退款时间').waitFor()
    assert.equal(await page.getByRole('button', { name: '导入', exact: true }).isDisabled(), true)
    await page.getByLabel('付款或退款时间: 取自哪一列').selectOption('付款时间')
    await customer.selectOption('客户编号')
    await preview.getByRole('cell', { name: 'C1', exact: true }).first().waitFor()
    const narrow = await signedInPage(t, browser, product, 'narrow', 'dark')
    await narrow.page.goto(new URL(page.url()).pathname)
    await narrow.page.getByRole('region', { name: '前20行会读成这样' }).waitFor()
    await inspect(narrow, 'import-map-narrow-dark')
  })

  await t.test('a try says what the command line says, and stores nothing', async () => {
    await page.getByRole('button', { name: '试导入' }).click()
    await page.getByRole('heading', { name: '试导入的结果' }).waitFor()
    const said = await product.cli('import', path, '--dry-run', '--json')
    assert.equal(said.code, 3, said.stderr)
    const report = JSON.parse(said.stdout) as Record<string, unknown>
    assert.deepEqual(await figures(page, FIGURES), picked(report))
    assert.deepEqual([report.rows_rejected, report.orders], [1, 39])
    await page.getByRole('cell', { name: '时间读不出来' }).waitFor()
    await inspect(opened, 'import-tried-wide-light')
    const rejects = await page.request.get(
      (await page.getByRole('link', { name: '下载拒收的行（CSV）' }).getAttribute('href')) ?? '',
    )
    assert.match(await rejects.text(), /reject_reason\r?\n1030,C3,待补,.*bad_time/)
  })

  await t.test('it can be left and come back to; imported, the console shows one’s own brand', async () => {
    await page.getByRole('link', { name: '返回导入' }).click()
    await page.getByText('醇时葡萄酒会').waitFor()
    await page.getByText('试导入过，还没正式导入').waitFor()
    await inspect(opened, 'import-home-wide-light')
    await page.getByRole('link', { name: 'orders.csv' }).click()
    await page.getByRole('button', { name: '就这样导入' }).click()
    await page.getByRole('heading', { name: '导入完成' }).waitFor()
    const listed = JSON.parse((await product.cli('imports', '--json')).stdout) as { imports: Record<string, number>[] }
    const { rows_in, rows_stored, rows_merged, rows_rejected } = await figures(page, FIGURES)
    const [one] = listed.imports
    assert.deepEqual(
      { rows_in, rows_stored, rows_merged, rows_rejected },
      {
        rows_in: one?.rows_in,
        rows_stored: one?.rows_stored,
        rows_merged: one?.rows_merged,
        rows_rejected: one?.rows_rejected,
      },
    )
    await inspect(opened, 'import-done-wide-light')
    await page.getByRole('link', { name: '看客户' }).click()
    await page.getByText('9人', { exact: true }).waitFor()
    const shown = page.getByRole('main')
    await shown.getByText('我的品牌').waitFor()
    assert.equal(await shown.getByText('演示数据').count(), 0)
  })

  await t.test('a file of another shop is asked about before it corrects what is there', async () => {
    const other = ORDERS.replace('商品名称', '商品编码').replaceAll(LONG, 'tea')
    await choose(page, await saved('二店导出.csv', other))
    await page.getByText('看不出这个文件是哪家店的').waitFor()
    await page.getByRole('button', { name: '导入', exact: true }).click()
    await page.getByRole('alert').getByText('请说明来源').waitFor()
    await inspect(opened, 'import-source-wide-light')
    await page.getByLabel('来源（哪家店或哪个系统）').fill('二店')
    await page.getByRole('button', { name: '导入', exact: true }).click()
    await page.getByRole('heading', { name: '导入完成' }).waitFor()
    assert.equal((await figures(page, { orders: '订单' })).orders, 39)
  })

  await t.test('an import is taken back after it was said what that does', async () => {
    await page.getByRole('link', { name: '再导入一个文件' }).click()
    await page.getByRole('button', { name: '撤销二店导出.csv的导入' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('39条事实只有它带来过').waitFor()
    await inspect(opened, 'import-undo-wide-light')
    await dialog.getByRole('button', { name: '撤销这次导入' }).click()
    await page.getByText(/^Owner于.*撤销$/).waitFor()
    const brief = JSON.parse((await product.cli('brief', '--json')).stdout) as { orders: number }
    assert.equal(brief.orders, 39)
    const narrow = await signedInPage(t, browser, product, 'narrow', 'light')
    await narrow.page.goto('/import')
    await narrow.page.getByRole('button', { name: '撤销orders.csv的导入' }).waitFor()
    await inspect(narrow, 'import-home-narrow-light')
  })

  await t.test('an import that is under way is stopped: nothing of it is stored, and the file stays', async () => {
    const before = (await product.cli('brief', '--json')).stdout
    const many = Array.from(
      { length: 60_000 },
      (_, place) => `${5000 + place},L${place % 900},2026-05-11 10:20,酒,68.00`,
    )
    await choose(page, await saved('大促.csv', `订单编号,客户编号,付款时间,商品名称,实付金额\n${many.join('\n')}\n`))
    await page.getByLabel('来源（哪家店或哪个系统）').fill('大促店')
    await page.getByRole('button', { name: '导入', exact: true }).click()
    await page.getByRole('button', { name: '停下' }).click()
    const asking = page.getByRole('dialog')
    await asking.getByText('一条也不会留下').waitFor()
    await inspect(opened, 'import-stop-wide-light')
    await asking.getByRole('button', { name: '停下' }).click()
    await page.getByRole('heading', { name: '已经停下' }).waitFor()
    await inspect(opened, 'import-stopped-wide-light')
    const orders = (text: string) => (JSON.parse(text) as { orders: number }).orders
    assert.equal(orders((await product.cli('brief', '--json')).stdout), orders(before))
    await page.getByRole('link', { name: '返回导入' }).click()
    await page.getByText('停下了，什么都没有入库').waitFor()
    await page.getByRole('link', { name: '大促.csv' }).click()
    await page.getByRole('button', { name: '丢弃' }).click()
    await page.getByRole('dialog').getByRole('button', { name: '丢弃' }).click()
    await page.getByRole('heading', { level: 1, name: '导入' }).waitFor()
  })

  await t.test('what is no table is refused in words, and thrown away', async () => {
    await choose(page, await saved('报表.pdf', '%PDF-1.7'))
    await page.getByRole('alert').getByText('这个文件读不了').waitFor()
    await inspect(opened, 'import-refused-wide-light')
    await page.getByRole('button', { name: '丢弃' }).click()
    await page.getByRole('dialog').getByRole('button', { name: '丢弃' }).click()
    await page.getByRole('heading', { level: 1, name: '导入' }).waitFor()
    assert.equal(await page.getByText('报表.pdf', { exact: true }).count(), 0)
  })
})
