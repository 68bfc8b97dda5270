import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { peoplePage } from '../../src/modules/analytics/schema.ts'
import { personTags, tagList } from '../../src/modules/tags/schema.ts'
import { startProduct } from '../product.ts'
import { launchBrowser } from './browser.ts'
import { inspect, signedInPage } from './console.ts'
import { THEMES } from './page.ts'

let browser: Browser
before(async () => {
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
})

const LONG = '每逢中秋春节前两周下单并要求门店代写贺卡、开具专用发票的老客户'

const section = (page: Page) => page.getByRole('region', { name: '标签', exact: true })
const all = (page: Page) => section(page).getByRole('table', { name: '全部标签' })
const main = (page: Page) => section(page).getByRole('list', { name: '主要标签' }).getByRole('listitem')
const dialog = (page: Page, name: string) => page.getByRole('dialog', { name })

test('Tags of the demo brand', async (t) => {
  const product = await startProduct(t, { demo: true })
  const { page: asker } = await signedInPage(t, browser, product)
  const api = async (path: string) => (await asker.request.get(path)).json()
  const list = async () => tagList.parse(await api('/api/v1/tags'))
  const tagOf = async (name: string) => {
    const found = (await list()).tags.find((tag) => tag.name === name)
    assert.ok(found, name)
    return found
  }
  const peopleOf = async (name: string) =>
    peoplePage.parse(await api(`/api/v1/people?limit=200&tag=${(await tagOf(name)).tag_id}`))
  const tagsOf = async (personId: number) => personTags.parse(await api(`/api/v1/people/${personId}/tags`))
  await asker.goto('/people/tags')

  await t.test('the page says how many have each tag, and opens exactly those', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/people')
    await page.getByRole('navigation', { name: '客户' }).getByRole('link', { name: '标签' }).click()
    await page.getByRole('heading', { name: /^场景/ }).waitFor()
    const tag = await tagOf('送礼')
    assert.ok(tag.people > 0)
    const row = page.getByRole('table', { name: '场景' }).getByRole('row', { name: /送礼/ })
    await row.getByRole('link', { name: String(tag.people), exact: true }).click()
    await page.waitForURL((url) => url.searchParams.get('tag') === String(tag.tag_id))
    await page.locator('.people-page').getByText(`${tag.people}人`, { exact: true }).waitFor()
    assert.equal((await peopleOf('送礼')).total, tag.people)
    const choice = page.getByRole('combobox', { name: '标签', exact: true })
    assert.equal(await choice.inputValue(), String(tag.tag_id))
    const other = await tagOf('藏家')
    await choice.selectOption({ label: '藏家' })
    await page.locator('.people-page').getByText(`${other.people}人`, { exact: true }).waitFor()
  })

  await t.test('groups and tags are made, renamed, archived and taken out again, each refusal in words', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    await page.goto('/people/tags')
    await page.getByRole('button', { name: '新建分组' }).click()
    await dialog(page, '新建分组').getByLabel('名称').fill('服务偏好')
    await dialog(page, '新建分组').getByRole('button', { name: '保存' }).click()
    await page.getByRole('heading', { name: /^服务偏好/ }).waitFor()

    await page.getByRole('button', { name: '新建标签' }).click()
    const making = dialog(page, '新建标签')
    await making.getByLabel('名称').fill('送礼')
    await making.getByRole('button', { name: '保存' }).click()
    await making.getByRole('alert').getByText('这个名字已经有了。').waitFor()
    await making.getByLabel('名称').fill(LONG.slice(0, 60))
    await making.getByLabel('分组').selectOption({ label: '服务偏好' })
    await making.getByLabel('说明').fill('先问贺卡抬头')
    await making.getByLabel('时效').selectOption({ label: '逐渐变弱（半衰期）' })
    await making.getByRole('textbox', { name: '天数' }).fill('0')
    assert.ok(await making.getByRole('button', { name: '保存' }).isDisabled())
    await making.getByRole('textbox', { name: '天数' }).fill('60')
    await making.getByRole('button', { name: '保存' }).click()
    const row = page.getByRole('table', { name: '服务偏好' }).getByRole('row', { name: new RegExp(LONG.slice(0, 10)) })
    await row.getByText('强度每60天减半，低于10%失效').waitFor()
    assert.equal((await tagOf(LONG.slice(0, 60))).half_life_days, 60)

    await page.getByRole('button', { name: `修改标签${LONG.slice(0, 60)}` }).click()
    const changing = page.getByRole('dialog', { name: /^修改标签/ })
    await changing.getByLabel('名称').fill('贺卡')
    await changing.getByRole('button', { name: '保存' }).click()
    await page.getByRole('button', { name: '修改标签贺卡' }).waitFor()

    // One that people have: archived, with their number; it can come back.
    const gift = await tagOf('企业采购')
    await page.getByRole('button', { name: '拿掉企业采购', exact: true }).click()
    await dialog(page, '拿掉标签“企业采购”？').getByText(`已有的${gift.people}人保留`).waitFor()
    await dialog(page, '拿掉标签“企业采购”？').getByRole('button', { name: '拿掉' }).click()
    await page.getByText(/^已归档的标签/).click()
    await page.getByRole('button', { name: '把企业采购取出归档' }).click()
    await page.getByRole('button', { name: '拿掉企业采购', exact: true }).waitFor()
    assert.equal((await tagOf('企业采购')).people, gift.people)

    // One that nobody ever had goes, and then its group.
    await page.getByRole('button', { name: '拿掉贺卡', exact: true }).click()
    await dialog(page, '拿掉标签“贺卡”？').getByRole('button', { name: '拿掉' }).click()
    await page.getByRole('button', { name: '删除分组服务偏好' }).click()
    await page.getByRole('heading', { name: /^服务偏好/ }).waitFor({ state: 'detached' })
    const { groups } = await list()
    assert.ok(!groups.some(({ name }) => name === '服务偏好'))
  })

  await t.test(
    'a segment gives a tag: chosen in the form, refused where it asks for the tag itself, taken off again',
    async () => {
      const { page } = await signedInPage(t, browser, product)
      const make = async (name: string, definition: object) => {
        const made = await page.request.post('/api/v1/segments', {
          data: { name, definition },
          headers: { origin: product.url },
        })
        assert.equal(made.status(), 200, await made.text())
        return (await made.json()) as { segment_id: number; size: number }
      }
      const often = await make('常买的人', { orders: { count: { at_least: 2 } } })
      await make('自己问自己', { tag: { any_of: ['常客'] } })
      await page.goto('/people/tags')
      await page.getByRole('button', { name: '新建标签' }).click()
      const making = dialog(page, '新建标签')
      await making.getByLabel('名称').fill('常客')
      await making.getByLabel('由谁打').selectOption({ label: '自己问自己' })
      await making.getByLabel('时效').waitFor({ state: 'hidden' })
      await making.getByRole('button', { name: '保存' }).click()
      await making
        .getByRole('alert')
        .getByText(/会自己决定自己/)
        .waitFor()
      await making.getByLabel('由谁打').selectOption({ label: '常买的人' })
      await making.getByRole('button', { name: '保存' }).click()
      const row = page.getByRole('row', { name: /^常客/ })
      await row.getByRole('link', { name: '由人群“常买的人”自动打上和取下' }).click()
      await page.getByRole('heading', { name: '常买的人' }).waitFor()
      await page.getByRole('link', { name: '标签“常客”' }).waitFor()
      assert.ok(often.size > 0)
      assert.equal((await tagOf('常客')).people, often.size)
      const [somebody] = (await peopleOf('常客')).people
      assert.ok(somebody)
      await page.goto(`/people/${somebody.person_id}`)
      await all(page).getByRole('row', { name: /^常客/ }).getByText('由规则管理').waitFor()
      await page.getByText(/^标签历史/).click()
      await page.getByText('规则，规则设置或取消').first().waitFor()

      await page.goto('/people/tags')
      await page.getByRole('button', { name: '修改标签常客' }).click()
      const changing = dialog(page, '修改标签常客')
      await changing.getByLabel('由谁打').selectOption({ label: '手工或导入' })
      await changing.getByRole('button', { name: '保存' }).click()
      await changing.waitFor({ state: 'detached' })
      assert.deepEqual([(await tagOf('常客')).people, (await tagOf('常客')).rule_segment], [0, null])
    },
  )

  await t.test('on the page of a person a tag is given and taken by hand, and each can be undone', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    const { people } = await peopleOf('送礼')
    const personId = people[0]?.person_id ?? 0
    await page.goto(`/people/${personId}`)
    await all(page).getByRole('row', { name: /送礼/ }).waitFor()
    const names = async () => (await tagsOf(personId)).tags.map(({ tag }) => tag).sort()
    const before = await names()
    assert.ok(!before.includes('藏家'))

    const giving = section(page).getByRole('form', { name: '打标签' })
    await giving.getByLabel('选择标签').selectOption({ label: '身份 · 藏家' })
    await giving.getByLabel('强度').selectOption('50')
    await giving.getByRole('button', { name: '打上' }).click()
    await page.getByText('已打上“藏家”。').waitFor()
    const row = all(page).getByRole('row', { name: /藏家/ })
    await row.getByText('50%', { exact: true }).waitFor()
    await row.getByText('手工').waitFor()
    await main(page).filter({ hasText: '藏家' }).waitFor()
    await page.getByRole('button', { name: '撤销' }).click()
    await row.waitFor({ state: 'detached' })
    assert.deepEqual(await names(), before)

    await page.getByRole('button', { name: '取下送礼' }).click()
    await page.getByText('已取下“送礼”。').waitFor()
    await all(page).getByRole('row', { name: /送礼/ }).waitFor({ state: 'detached' })
    assert.ok(!(await names()).includes('送礼'))
    await section(page)
      .getByText(/^标签历史/)
      .click()
    await section(page)
      .getByRole('table', { name: /^标签历史/ })
      .getByText(/取下$/)
      .first()
      .waitFor()
    await page.getByRole('button', { name: '撤销' }).first().click()
    await all(page).getByRole('row', { name: /送礼/ }).waitFor()
    assert.deepEqual(await names(), before)
  })

  await t.test('the five main tags stand beside the list too', async (t) => {
    const { page } = await signedInPage(t, browser, product)
    const { people } = await peopleOf('藏家')
    const [person] = people
    await page.goto(`/people?person=${person?.person_id}`)
    const wanted = (await tagsOf(person?.person_id ?? 0)).tags.filter(({ is_main }) => is_main).map(({ tag }) => tag)
    const shown = page.getByRole('list', { name: '主要标签' }).getByRole('listitem')
    await shown.first().waitFor()
    const texts = (await shown.allInnerTexts()).map((text) => text.replace(/\s*\d+%$/, ''))
    assert.deepEqual(texts, wanted)
  })

  await t.test('looks right and reads well: wide and narrow, light and dark', async (t) => {
    const { people } = await peopleOf('价格敏感')
    const personId = people[0]?.person_id
    for (const size of ['wide', 'narrow'] as const) {
      for (const theme of THEMES) {
        const opened = await signedInPage(t, browser, product, size, theme)
        const { page } = opened
        await page.goto('/people/tags')
        await page.getByRole('heading', { name: /^场景/ }).waitFor()
        await inspect(opened, `tags-${size}-${theme}`)
        await page.getByRole('button', { name: '修改标签价格敏感' }).click()
        await page.getByRole('dialog', { name: '修改标签价格敏感' }).getByRole('textbox', { name: '天数' }).waitFor()
        await inspect(opened, `tag-dialog-${size}-${theme}`)
        await page.goto(`/people/${personId}`)
        await all(page).waitFor()
        await page.getByRole('table', { name: '深度变化' }).waitFor()
        await section(page)
          .getByText(/^标签历史/)
          .click()
        await section(page).scrollIntoViewIfNeeded()
        await inspect(opened, `person-tags-${size}-${theme}`)
      }
    }
  })
})
