import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { startProduct } from '../product.ts'
import { launchBrowser } from './browser.ts'
import { inspect, sendFacts, signedInPage } from './console.ts'
import { type OpenedPage, openPage } from './page.ts'

// What each role finds in the console: pages, tabs and buttons that would be refused are not there.

const PASSWORD = 'evergreen and 长青'
const NAMES = { own: '林小满', other: '吴大海' }

const who = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })
const FACTS = Object.values(NAMES).flatMap((name, place) => {
  const key = place === 0 ? 'own' : 'other'
  return [
    {
      kind: 'person',
      source: 'shop',
      external_id: key,
      name,
      identities: [who(key), { kind: 'phone', value: `1380000555${place}` }],
    },
    {
      kind: 'connection',
      source: 'shop',
      external_id: `c-${key}`,
      identity: who(key),
      channel: 'wecom',
      staff: place === 0 ? 'lin' : 'wu',
      begun_at: '2026-01-01T00:00:00Z',
    },
    {
      kind: 'order',
      source: 'shop',
      external_id: `o-${key}`,
      customer_id: key,
      paid_at: '2026-02-01T00:00:00Z',
      lines: [{ item: 'tea', unit_price: 10 }],
    },
  ]
})

let browser: Browser
before(async () => {
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
})

const places = (page: Page) => page.getByRole('navigation', { name: '主导航' }).getByRole('link').allInnerTexts()

test('each role finds in the console what it may do, and nothing that would be refused', async (t) => {
  const product = await startProduct(t, {})
  await sendFacts(product, FACTS)
  const owner = await signedInPage(t, browser, product)
  const known = async () => (await owner.page.request.get('/api/v1/people')).json()
  for (
    let tries = 0;
    tries < 50 && (await known()).people.every((row: { depth: number }) => row.depth === 0);
    tries++
  ) {
    await owner.page.waitForTimeout(100)
  }
  const { people } = (await known()) as { people: { key: string; person_id: number }[] }
  const idOf = (key: string) => people.find((row) => row.key === key)?.person_id

  const enter = async (role: string, ...more: string[]): Promise<OpenedPage> => {
    const said = await product.cli('user-invite', role, `${role}@example.com`, '--role', role, ...more, '--json')
    assert.equal(said.code, 0, said.stderr)
    const opened = await openPage(browser, product.url, 'wide', 'light')
    t.after(() => opened.context.close())
    await opened.page.goto(JSON.parse(said.stdout).url)
    await opened.page.getByLabel('密码').fill(PASSWORD)
    await opened.page.getByRole('button', { name: '设好密码，进入' }).click()
    await opened.page.locator('.rail-name').getByText(role).waitFor()
    return opened
  }

  await t.test('an owner has the merge review, and on a page of a person the export and the erasure', async () => {
    const { page } = owner
    await page.goto('/people')
    await page.getByRole('link', { name: '合并核对' }).waitFor()
    await page.goto(`/people/${idOf('own')}`)
    for (const name of ['导出全部（JSON）', '删除这个人', '拆出']) {
      await page.getByRole('button', { name }).first().waitFor()
    }
    assert.equal(await page.getByText('只含你自己的客户').count(), 0)
  })

  await t.test('an adviser sees their own people, and no button that would be refused', async () => {
    const opened = await enter('adviser', '--staff', 'lin')
    const { page } = opened
    await page.getByText('只含你自己的客户').waitFor()
    assert.deepEqual(await places(page), ['今日', '客户', '关系', '设置'])
    await inspect(opened, 'adviser-today-wide-light')
    await page.goto('/people')
    await page.getByText(NAMES.own).waitFor()
    assert.equal(await page.getByText(NAMES.other).count(), 0)
    assert.equal(await page.getByRole('link', { name: '合并核对' }).count(), 0)
    await page.goto(`/people/${idOf('own')}`)
    await page.getByText('+8613800005550').waitFor()
    await page.getByRole('region', { name: /^发生过的事/ }).waitFor()
    for (const name of ['导出全部（JSON）', '删除这个人', '拆出']) {
      assert.equal(await page.getByRole('button', { name }).count(), 0, name)
    }
    await page.goto('/relationship')
    await page.getByRole('heading', { level: 1, name: '关系' }).waitFor()
    assert.deepEqual(opened.complaints, [])
    await page.goto(`/people/${idOf('other')}`)
    await page.getByRole('alert').getByText('没有这位客户').waitFor()
    await page.goto('/import')
    await page.getByText('文件由所有者、运营负责人或负责对接的人导入。').waitFor()
    assert.equal(await page.getByRole('button', { name: '选择文件' }).count(), 0)
    await page.goto('/people/review')
    await page.getByRole('alert').getByText('你的角色不能做这件事').waitFor()
  })

  await t.test('an analyst sees everyone, masked', async () => {
    const opened = await enter('analyst')
    const { page } = opened
    await page.goto('/people')
    await page.getByText('个人信息已打码').waitFor()
    await page.getByText('林**').waitFor()
    assert.equal(await page.getByText(NAMES.own).count(), 0)
    await page.goto(`/people/${idOf('own')}`)
    await page.getByText('138****5550').waitFor()
    assert.equal(await page.getByRole('button', { name: '导出全部（JSON）' }).count(), 0)
    await inspect(opened, 'analyst-person-wide-light')
  })

  await t.test('an integrator lands on a page that says what the account is for', async () => {
    const opened = await enter('integrator')
    const { page } = opened
    await page.getByRole('heading', { level: 1, name: '这个账号用来对接程序' }).waitFor()
    assert.deepEqual(await places(page), ['导入', '设置'])
    assert.equal(await page.getByRole('alert').count(), 0)
    const refused: string[] = []
    page.on('response', (response) => response.status() >= 400 && refused.push(response.url()))
    for (const path of ['/', '/people', '/relationship']) {
      await page.goto(path)
      await page.getByRole('heading', { level: 1, name: '这个账号用来对接程序' }).waitFor()
    }
    await page.getByRole('link', { name: '给程序的密钥' }).click()
    await page.getByRole('button', { name: '新建密钥' }).click()
    assert.equal(await page.getByLabel('读客户（people:read）').isDisabled(), true)
    await page.goto('/import')
    await page.getByText('还没有导入过文件。').waitFor()
    assert.deepEqual(refused, [], 'nothing is asked that is refused')
  })
})
