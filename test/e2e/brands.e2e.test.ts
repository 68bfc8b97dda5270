import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { startProduct } from '../product.ts'
import { launchBrowser } from './browser.ts'
import { inspect, signedInPage } from './console.ts'

// Two brands in one installation, the demo and one's own with three people. Which one is shown stands in the address.

const OWN = 'flowers_of_the_south_bank_2026'

let browser: Browser
before(async () => {
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
})

const brandOf = (page: Page) => new URL(page.url()).searchParams.get('brand')
const switcher = (page: Page) => page.locator('summary', { hasText: '品牌：' })
const choice = (page: Page, name: string) => page.getByRole('list', { name: '换一个品牌' }).getByRole('link', { name })
const heading = (page: Page) => page.locator('.page-brand, .today-brand')

test('an account switches between brands by address, and nothing of one is shown with the other', async (t) => {
  const product = await startProduct(t, { demo: true })
  const opened = await signedInPage(t, browser, product)
  const { page } = opened
  /** Of every question that the page asks, by the brand that it is asked of. */
  const asked: { brand: string | undefined; path: string; isAsked: boolean }[] = []
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url())
    if (pathname.startsWith('/api/v1/'))
      asked.push({ brand: request.headers()['x-brand'], path: pathname, isAsked: searchParams.has('brand') })
  })
  await page.goto('/people')
  await heading(page).waitFor()
  const demo = await heading(page).innerText()
  assert.equal(await switcher(page).count(), 0, 'one brand needs no switch')

  const file = join(product.home, 'own.csv')
  const rows = ['lin', 'mei', 'wu'].map((customer, index) => `${index},${customer},2026-0${1 + index}-01,tea,1,10`)
  await writeFile(file, `order_id,customer_id,paid_at,item,quantity,unit_price\n${rows.join('\n')}\n`)
  const made = await product.cli('import', file, '--brand', OWN)
  assert.equal(made.code, 0, made.stderr)

  await t.test('the first own brand is shown without a name in the address; the demo by the keyboard', async () => {
    await page.goto('/people')
    await heading(page).getByText(OWN).waitFor()
    await page.getByRole('row', { name: /lin/ }).waitFor()
    await switcher(page).focus()
    await page.keyboard.press('Enter')
    await choice(page, OWN).waitFor()
    assert.equal(await choice(page, OWN).getAttribute('aria-current'), 'true')
    await inspect(opened, 'brands-open-wide-light')
    await page.keyboard.press('Escape')
    await choice(page, OWN).waitFor({ state: 'hidden' })
    assert.equal(await page.locator('summary:focus').count(), 1, 'the focus stays where it was')
    await page.keyboard.press('Enter')
    await choice(page, demo).focus()
    asked.length = 0
    await page.keyboard.press('Enter')
    await heading(page).getByText(demo).waitFor()
    assert.deepEqual([new URL(page.url()).pathname, brandOf(page)], ['/people', 'demo'])
    await page.getByRole('row').nth(5).waitFor()
    assert.equal(await page.getByRole('row', { name: /lin/ }).count(), 0)
    await page.getByText('以任何方式认识的人：订单、连接或导入。').waitFor()
    assert.equal(await page.getByRole('link', { name: '清除条件' }).count(), 0, 'the brand is no filter of the list')
  })

  await t.test('every page of it asks for it, and links keep it', async () => {
    for (const place of ['关系', '导入', '设置', '今日', '客户']) {
      await page.getByRole('navigation', { name: '主导航' }).getByRole('link', { name: place }).click()
      await page.waitForLoadState('networkidle')
      assert.equal(brandOf(page), 'demo', place)
    }
    await page.getByRole('row').nth(1).getByRole('link').first().click()
    await page.waitForURL(/person|\/people\/\d+/)
    assert.equal(brandOf(page), 'demo')
    await page.waitForLoadState('networkidle')
    assert.ok(asked.length > 10)
    assert.deepEqual(
      asked.filter(({ brand, isAsked }) => brand !== 'demo' || isAsked),
      [],
    )
  })

  await t.test('back goes to the page of the brand before, with what is its own', async () => {
    await page.goto(`/people?brand=${OWN}`)
    await heading(page).getByText(OWN).waitFor()
    await switcher(page).click()
    await choice(page, demo).click()
    await heading(page).getByText(demo).waitFor()
    await page.goBack()
    await heading(page).getByText(OWN).waitFor()
    await page.getByRole('row', { name: /lin/ }).waitFor()
    assert.equal(await page.getByRole('row').count(), 4, 'the header and three people')
    await page.goForward()
    await heading(page).getByText(demo).waitFor()
    await page.getByRole('row').nth(5).waitFor()
  })

  await t.test('what is changed is changed in the brand that is shown', async () => {
    await page.goto('/settings?brand=demo')
    const form = page.getByRole('form', { name: '品牌的规则' })
    await form.getByLabel('周期（天）').fill('200')
    await form.getByRole('button', { name: '保存' }).click()
    await form.getByRole('region', { name: '保存以后' }).waitFor({ state: 'detached' })
    const periodOf = async (brand: string) => {
      const answer = await page.request.get('/api/v1/settings', { headers: { 'x-brand': brand } })
      return (await answer.json()).period_days
    }
    assert.deepEqual([await periodOf('demo'), await periodOf(OWN)], [200, 365])
  })

  await t.test('a brand that there is not is said so, with those that there are', async (t) => {
    const narrow = await signedInPage(t, browser, product, 'narrow', 'dark')
    await narrow.page.goto('/?brand=nowhere')
    await narrow.page.getByRole('heading', { name: '没有“nowhere”这个品牌' }).waitFor()
    const answer = await narrow.page.request.get('/api/v1/brand', { headers: { 'x-brand': 'nowhere' } })
    assert.deepEqual([answer.status(), (await answer.json()).error.code], [404, 'unknown_brand'])
    await photographed(narrow, 'brands-unknown-narrow-dark')
    await choice(narrow.page, OWN).click()
    await heading(narrow.page).getByText(OWN).waitFor()
    await switcher(narrow.page).click()
    await choice(narrow.page, demo).waitFor()
    await photographed(narrow, 'brands-open-narrow-dark')
    await choice(narrow.page, demo).click()
    await heading(narrow.page).getByText(demo).waitFor()
    assert.equal(brandOf(narrow.page), 'demo')
  })
})

/** As `inspect`, after what was refused on purpose. */
async function photographed(opened: Parameters<typeof inspect>[0], name: string): Promise<void> {
  opened.complaints.length = 0
  await inspect(opened, name)
}
