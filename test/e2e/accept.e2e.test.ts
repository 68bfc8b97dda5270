import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { startProduct } from '../product.ts'
import { launchBrowser } from './browser.ts'
import { type OpenedPage, openPage, overflowPx, photograph, type Size, seriousFaults, type Theme } from './page.ts'

const PASSWORD = 'evergreen and 长青'
const MARKUP = '<img src=x onerror=alert(1)>'

let browser: Browser
before(async () => {
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
})

async function inspect({ page, complaints }: OpenedPage, name: string): Promise<void> {
  await photograph(page, name)
  assert.deepEqual(await seriousFaults(page), [], name)
  assert.equal(await overflowPx(page), 0, `${name} scrolls sideways`)
  assert.deepEqual(complaints, [], name)
}

test('an invitation opens a page where somebody chooses a password and is in, once', async (t) => {
  const product = await startProduct(t)
  const open = async (path: string, size: Size = 'wide', theme: Theme = 'light') => {
    const opened = await openPage(browser, product.url, size, theme)
    t.after(() => opened.context.close())
    await opened.page.goto(path)
    return opened
  }
  const said = await product.cli('user-invite', MARKUP, 'mei@example.com', '--role', 'analyst', '--json')
  assert.equal(said.code, 0, said.stderr)
  const { url } = JSON.parse(said.stdout) as { url: string }

  for (const [size, theme] of [
    ['narrow', 'dark'],
    ['wide', 'light'],
  ] as const) {
    const looked = await open(url, size, theme)
    await looked.page.getByText('你将用mei@example.com登录，角色是分析员。').waitFor()
    await inspect(looked, `accept-${size}-${theme}`)
  }

  const opened = await open(url)
  const { page } = opened
  // Markup in a name is text, in the field and, signed in, in the rail: no dialog opens and nothing is loaded for it.
  page.on('dialog', () => assert.fail('markup in a name was run'))
  await page.getByRole('button', { name: '设好密码，进入' }).waitFor()
  assert.equal(await page.getByLabel('称呼').inputValue(), MARKUP)
  await page.getByLabel('密码').fill('short')
  await page.getByRole('button', { name: '设好密码，进入' }).click()
  await page.getByText('密码至少要10个字符').waitFor()
  await page.getByLabel('密码').fill(PASSWORD)
  await page.getByRole('button', { name: '设好密码，进入' }).click()
  await page.getByRole('heading', { level: 1, name: '今日' }).waitFor()
  assert.equal(new URL(page.url()).hash, '')
  assert.equal(await page.locator('.rail-name').innerText(), MARKUP)
  assert.deepEqual(opened.complaints, [])

  const again = await open(url)
  await again.page.getByRole('alert').getByText('这个邀请已经用过').waitFor()
  await inspect(again, 'accept-used-wide-light')
  await again.page.getByRole('link', { name: '已经有账号了，去登录' }).click()
  await again.page.getByRole('heading', { name: '登录' }).waitFor()
  await again.page.getByLabel('邮箱').fill('mei@example.com')
  await again.page.getByLabel('密码', { exact: true }).fill(PASSWORD)
  await again.page.getByRole('button', { name: '登录' }).click()
  await again.page.getByRole('heading', { level: 1, name: '今日' }).waitFor()
})
