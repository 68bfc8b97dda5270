import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { peoplePage, person, timelinePage } from '../../src/modules/analytics/schema.ts'
import { startProduct } from '../product.ts'
import { launchBrowser } from './browser.ts'
import { inspect, sendFacts, signedInPage } from './console.ts'
import { THEMES } from './page.ts'

const DAY_MS = 86_400_000
const LONG = '上海静安区南京西路旗舰店企业团购联系人欧阳震华先生的助理'

let browser: Browser
before(async () => {
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
})

const ago = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString()
const own = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })

/** Sixty people of all depths but one, a regular with a long history, and a phone that four accounts share. */
function facts(): object[] {
  const people = Array.from({ length: 60 }, (_, index) => ({
    kind: 'person',
    source: 'crm',
    external_id: `p${index}`,
    name: index === 7 ? LONG : `客人${index}`,
    identities: [own(`K${index}`), { kind: 'phone', value: `1380000${String(1000 + index)}` }],
  }))
  const connections = Array.from({ length: 40 }, (_, index) => ({
    kind: 'connection',
    source: 'wecom',
    external_id: `c${index}`,
    identity: own(`K${index}`),
    channel: 'wecom',
    staff: '陈一舟',
    begun_at: ago(200),
    ...(index % 10 === 9 ? { ended_at: ago(5) } : {}),
  }))
  const orders = Array.from({ length: 45 }, (_, index) => ({
    kind: 'order',
    source: 'shop',
    external_id: `o${index}`,
    customer_id: `K${index % 30}`,
    paid_at: ago(10 + index * 8),
    lines: [{ item: 'tea', quantity: 1, unit_price: 100 + index }],
  }))
  const interactions = Array.from({ length: 70 }, (_, index) => ({
    kind: 'interaction',
    source: 'wecom',
    external_id: `i${index}`,
    identity: own('K7'),
    type: index % 2 === 0 ? 'share' : 'reply',
    content: '周五品鉴会',
    occurred_at: ago(1 + index / 3),
  }))
  const shared = ['A', 'B', 'C', 'D'].map((key) => ({
    kind: 'person',
    source: 'pos',
    external_id: `s${key}`,
    name: `门店${key}`,
    identities: [own(`POS-${key}`), { kind: 'phone', value: '13911112222' }],
  }))
  return [
    ...people,
    ...connections,
    ...orders,
    ...interactions,
    ...shared,
    { kind: 'membership', source: 'mini', external_id: 'm1', identity: own('K7'), enrolled_at: ago(150) },
    {
      kind: 'review',
      source: 'shop',
      external_id: 'v1',
      identity: own('K7'),
      item: 'tea',
      rating: 5,
      occurred_at: ago(3),
    },
    {
      kind: 'consent',
      source: 'form',
      external_id: 'x1',
      identity: own('K7'),
      purpose: 'marketing',
      state: 'granted',
      occurred_at: ago(149),
    },
  ]
}

const total = (page: Page, people: number) =>
  page.locator('.people-page').getByText(`${people}人`, { exact: true }).waitFor()
const rows = (page: Page) => page.locator('.people-page').getByRole('rowheader')
const dialog = (page: Page, name: RegExp) => page.getByRole('dialog', { name })

test('People of a brand', async (t) => {
  const product = await startProduct(t, {})
  await sendFacts(product, facts())
  const everyone = 64
  const { page: asker } = await signedInPage(t, browser, product)
  const api = async (path: string) => (await asker.request.get(path)).json()
  /** Facts are settled within a second of coming in. */
  await asker.goto('/people')
  await assert.doesNotReject(async () => {
    for (let tries = 0; tries < 50; tries += 1) {
      const listed = peoplePage.parse(await api('/api/v1/people?depth=4&limit=1'))
      if (listed.total > 0) return
      await asker.waitForTimeout(100)
    }
    throw new Error('Nobody stands at depth 4')
  })
  const idOf = async (key: string) => {
    const { people } = peoplePage.parse(await api(`/api/v1/people?search=${key}`))
    return people[0]?.person_id ?? 0
  }

  await t.test('filters stand in the address, and list as many as the API says', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/people')
    await total(page, everyone)
    assert.equal(await rows(page).count(), 50)
    await page.getByRole('button', { name: '再看50人' }).click()
    await rows(page)
      .nth(everyone - 1)
      .waitFor()
    for (const [label, option, query] of [
      ['深度', '4 复购会员', 'depth=4'],
      ['分群', '没买过', 'rfm_segment=none'],
      ['粉丝等级', '铁粉', 'fan_tier=devoted'],
      ['多久内变浅', '90天内', 'lapsing_days=90'],
      ['是否买过', '买过', 'buyers=true'],
    ] as const) {
      await page.getByRole('combobox', { name: label, exact: true }).selectOption(option)
      await page.waitForURL((url) => url.search === `?${query}`)
      const said = peoplePage.parse(await api(`/api/v1/people?${query}`))
      await total(page, said.total)
      assert.ok(said.total > 0 && said.total < everyone, query)
      await page.getByRole('link', { name: '清除条件' }).click()
      await total(page, everyone)
    }
    await page.goto('/people?depth=4&buyers=true')
    const both = peoplePage.parse(await api('/api/v1/people?depth=4&buyers=true'))
    await total(page, both.total)
    assert.equal(await page.getByRole('combobox', { name: '深度', exact: true }).inputValue(), '4')
  })

  await t.test('the key / searches from anywhere: a name, a number, the end of a phone', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/')
    await page.getByText(/^截至/).waitFor()
    await page.keyboard.press('/')
    const field = page.getByRole('searchbox', { name: '搜索客户' })
    await field.and(page.locator(':focus')).waitFor()
    await page.keyboard.type('震华')
    await total(page, 1)
    await rows(page).getByText(LONG).waitFor()
    for (const [typed, key] of [
      ['K12', '客人12'],
      ['1033', '客人33'],
      ['138 0000 1005', '客人5'],
    ] as const) {
      await field.fill(typed)
      await total(page, 1)
      await rows(page).getByText(key, { exact: true }).waitFor()
    }
    assert.match(decodeURIComponent(new URL(page.url()).search), /138 0000 1005|138\+0000\+1005/)
    await field.fill('没有这个人')
    await page.getByText('没有找到“没有这个人”').waitFor()
    await field.fill('2222')
    await total(page, 4)
  })

  await t.test('a person is whole on one page, with all that happened', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/people?search=K7')
    await rows(page).getByRole('link').click()
    await page.getByRole('dialog').getByRole('link', { name: '打开整页' }).click()
    await page.getByRole('heading', { level: 1, name: LONG }).waitFor()
    const personId = Number(new URL(page.url()).pathname.split('/').at(-1))
    const said = person.parse(await api(`/api/v1/people/${personId}`))
    assert.equal(said.depth, 5)
    await page.getByRole('heading', { name: '为什么是5' }).waitFor()
    await page.getByText(`互动分${said.interaction.score}：铁粉`).waitFor()
    await page.getByText('陈一舟').first().waitFor()
    await page.getByText('+8613800001007').waitFor()
    await page.getByText('crm，自').first().waitFor()
    const changes = page.getByRole('table', { name: '深度变化' }).getByRole('row')
    await changes.nth(said.changes.length).waitFor()
    assert.equal(await changes.count(), 1 + said.changes.length)

    const section = page.getByRole('region', { name: /^发生过的事/ })
    const facts = timelinePage.parse(await api(`/api/v1/people/${personId}/timeline?limit=200`))
    await section.getByText(`共${facts.total}条`).waitFor()
    assert.equal(await section.getByRole('listitem').count(), 50)
    await section.getByRole('button', { name: '再看50条' }).click()
    await section
      .getByRole('listitem')
      .nth(facts.total - 1)
      .waitFor()
    assert.equal(await section.getByRole('listitem').count(), facts.total)
    for (const words of ['评价 5分', '入会', '建立连接 企业微信', '同意 营销信息', '购买 tea', '分享 周五品鉴会']) {
      await section.getByText(words).first().waitFor()
    }
  })

  await t.test('the export is what the command line exports', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto(`/people/${await idOf('K7')}`)
    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: '导出全部（JSON）' }).click()
    const exported: unknown = JSON.parse(await readFile(await (await downloading).path(), 'utf8'))
    const said = await product.cli('export', 'K7', '--json')
    assert.deepEqual(exported, JSON.parse(said.stdout))
  })

  await t.test('a shared phone: merged, taken back, kept apart, taken back', async (t) => {
    const opened = await signedInPage(t, browser, product)
    const { page } = opened
    await page.goto('/people')
    await page.getByRole('link', { name: '合并核对' }).click()
    const review = page.getByRole('region', { name: /^待核对/ })
    await review.getByText('+8613911112222').first().waitFor()
    await review.getByRole('checkbox', { name: '门店A' }).check()
    assert.ok(await page.getByRole('button', { name: '选两人以上再合并' }).isDisabled())
    await review.getByRole('checkbox', { name: '门店B' }).check()
    await review.getByRole('button', { name: '合并选中的2人' }).click()
    const merging = dialog(page, /合并2人/)
    await merging.getByText('门店A、门店B会成为一个人').waitFor()
    await inspect(opened, 'merge-dialog-wide-light')
    await merging.getByRole('button', { name: '合并', exact: true }).click()
    await page.getByText('已合并。').waitFor()
    // As the words said: it touches three accounts now, so it links again, and the others join too.
    await review.getByText('没有要核对的值').waitFor()
    assert.equal(await idOf('POS-A'), await idOf('POS-D'))

    const made = page.getByRole('table', { name: '已做的决定' })
    await made.getByRole('button', { name: '撤销' }).click()
    await dialog(page, /撤销这个决定/)
      .getByRole('button', { name: '撤销' })
      .click()
    await review.getByText('+8613911112222').first().waitFor()
    assert.notEqual(await idOf('POS-A'), await idOf('POS-B'))
    const values = await product.cli('review', '--json')
    assert.equal(JSON.parse(values.stdout).values.length, 1)

    await review.getByRole('button', { name: '不是同一个人' }).click()
    await dialog(page, /保持分开/)
      .getByRole('button', { name: '保持分开' })
      .click()
    await review.getByText('没有要核对的值').waitFor()
    assert.notEqual(await idOf('POS-A'), await idOf('POS-B'))
    await made.getByRole('button', { name: '撤销' }).click()
    await dialog(page, /撤销这个决定/)
      .getByRole('button', { name: '撤销' })
      .click()
    await review.getByText('+8613911112222').first().waitFor()
  })

  await t.test('looks right and reads well: wide and narrow, light and dark', async (t) => {
    const personId = await idOf('K7')
    for (const size of ['wide', 'narrow'] as const) {
      for (const theme of THEMES) {
        const opened = await signedInPage(t, browser, product, size, theme)
        const { page } = opened
        await page.goto('/people')
        await rows(page).first().waitFor()
        await inspect(opened, `people-${size}-${theme}`)
        await page.goto(`/people/${personId}`)
        await page
          .getByRole('region', { name: /^发生过的事/ })
          .getByRole('listitem')
          .first()
          .waitFor()
        await page.getByRole('table', { name: '深度变化' }).waitFor()
        await inspect(opened, `person-page-${size}-${theme}`)
        await page.goto('/people/review')
        await page.getByRole('checkbox').first().waitFor()
        await inspect(opened, `merge-review-${size}-${theme}`)
      }
    }
  })

  await t.test('erasing says what it does, asks for the key, and leaves nobody to find', async (t) => {
    const opened = await signedInPage(t, browser, product)
    const { page } = opened
    const personId = await idOf('K7')
    await page.goto(`/people/${personId}`)
    await page.getByRole('button', { name: '删除这个人' }).click()
    const asking = dialog(page, /^删除/)
    await asking.getByText('2个身份、1份资料、1条同意、0条标签记录').waitFor()
    await asking.getByText('2笔订单').waitFor()
    const erase = asking.getByRole('button', { name: '永久删除' })
    await asking.getByRole('textbox').fill('K8')
    assert.ok(await erase.isDisabled())
    await inspect(opened, 'erase-dialog-wide-light')
    await asking.getByRole('textbox').fill(await asking.locator('code').innerText())
    await erase.click()
    await page.getByText(/^已删除：2个身份/).waitFor()
    await page.waitForURL((url) => url.pathname === '/people')
    await total(page, everyone - 1)
    assert.equal(await idOf('K7'), 0)
    assert.equal((await page.request.get(`/api/v1/people/${personId}`)).status(), 404)
    await page.goto(`/people/${personId}`)
    await page.getByRole('alert').getByText('没有这位客户').waitFor()
  })
})
