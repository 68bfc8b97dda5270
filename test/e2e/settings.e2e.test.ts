import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { startProduct } from '../product.ts'
import { launchBrowser } from './browser.ts'
import { inspect, signedInPage } from './console.ts'
import { openPage } from './page.ts'

// Settings by the way of an owner: rules of the brand, people who work there, keys, webhooks, and what was noted of it all.

const PASSWORD = 'evergreen and 长青'
const LONG = '欧阳震华先生的第一助理（华东大区旗舰店代理）'

let browser: Browser
before(async () => {
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
})

test('an owner changes the rules, invites, makes keys, and finds it all in the log', async (t) => {
  const product = await startProduct(t)
  const opened = await signedInPage(t, browser, product)
  const { page } = opened

  await t.test('what a change sets off is said before it is saved', async () => {
    await page.goto('/settings')
    const form = page.getByRole('form', { name: '品牌的规则' })
    await form.getByLabel('周期（天）').fill('0')
    await form.getByText('填1到3660之间的整数').waitFor()
    assert.equal(await form.getByRole('button', { name: '保存' }).isDisabled(), true)
    await form.getByLabel('周期（天）').fill('180')
    await form.getByLabel('离上次购买多久怎么数').selectOption('24h')
    const effect = form.getByRole('region', { name: '保存以后' })
    await effect.getByText(/^周期（天）：所有客户的购买日/).waitFor()
    await effect.getByText('离上次购买多久怎么数：马上生效').waitFor()
    await form.getByLabel('毛利率（%）').fill('101')
    await form.getByText('填0.01到100之间的数').waitFor()
    await form.getByLabel('毛利率（%）').fill('42.5')
    await form.getByLabel('推荐往上分（%）').fill('12.34')
    await effect.getByText('毛利率（%）、推荐往上分（%）：从下一次估值起算').waitFor()
    await inspect(opened, 'settings-brand-wide-light')
    await form.getByRole('button', { name: '保存' }).click()
    await effect.waitFor({ state: 'detached' })
    const kept = (await (await page.request.get('/api/v1/settings')).json()) as Record<string, unknown>
    assert.deepEqual(
      [kept.period_days, kept.recency_unit, kept.margin_rate, kept.referral_share, kept.discount_rate_per_year],
      [180, '24h', 0.425, 0.1234, 0.1],
    )
    await form.getByLabel('毛利率（%）').fill('')
    await form.getByRole('button', { name: '保存' }).click()
    await effect.waitFor({ state: 'detached' })
    assert.equal((await (await page.request.get('/api/v1/settings')).json()).margin_rate, null)
    await form.getByLabel('时区').fill('Nowhere/Land')
    await form.getByRole('button', { name: '保存' }).click()
    await page.getByRole('alert').getByText('没有这个时区。').waitFor()
  })

  await t.test('thresholds of tiers and scores, each above the one before', async () => {
    await page.goto('/settings')
    const form = page.getByRole('form', { name: '品牌的规则' })
    const effect = form.getByRole('region', { name: '保存以后' })
    const tiers = form.getByRole('group', { name: '粉丝等级的互动分' })
    const recency = form.getByRole('group', { name: 'R：离上次购买（天）' })
    const paid = form.getByRole('group', { name: 'M：净付款' })
    await tiers.getByLabel('活跃从').fill('5')
    await tiers.getByText('后一格要比前一格大').waitFor()
    assert.equal(await form.getByRole('button', { name: '保存' }).isDisabled(), true)
    await tiers.getByLabel('活跃从').fill('0')
    await tiers.getByText('每一格填不小于0.01的数，最多2位小数').waitFor()
    await tiers.getByLabel('活跃从').fill('12.5')
    await recency.getByLabel('分界怎么定').selectOption('自己定分界')
    await recency.getByLabel('4分：至多').fill('45')
    await paid.getByLabel('分界怎么定').selectOption('自己定分界')
    await paid.getByLabel('1分：至多').fill('99.5')
    await effect.getByText(/^粉丝等级的互动分、R：离上次购买（天）、M：净付款：所有客户的等级和评分/).waitFor()
    await inspect(opened, 'settings-cuts-wide-light')
    await form.getByRole('button', { name: '保存' }).click()
    await effect.waitFor({ state: 'detached' })
    await form.getByText(/^所有客户都已按这些规则算好：.+（.+）。$/).waitFor()
    const cuts = await (await page.request.get('/api/v1/settings')).json()
    assert.deepEqual(
      [cuts.fan_tier_scores, cuts.rfm_recency_days, cuts.rfm_frequency, cuts.rfm_monetary_minor, cuts.is_rebuilding],
      [[5, 12.5, 60], [30, 45, 90, 180], null, [9950, 30_000, 100_000, 300_000], false],
    )
    const refused = await page.request.patch('/api/v1/settings', {
      headers: { origin: product.url },
      data: { fan_tier_scores: [5, 5, 60] },
    })
    assert.deepEqual([refused.status(), (await refused.json()).error.code], [400, 'cuts_not_ascending'])
    await recency.getByLabel('分界怎么定').selectOption('按买家五等分')
    await form.getByRole('button', { name: '保存' }).click()
    await effect.waitFor({ state: 'detached' })
    assert.equal((await (await page.request.get('/api/v1/settings')).json()).rfm_recency_days, null)
  })

  await t.test(
    'an invitation is a link that is shown once; its account is changed, signed out and closed',
    async () => {
      await page.goto('/settings/users')
      await page.getByRole('button', { name: '邀请成员' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('称呼').fill(LONG)
      await dialog.getByLabel('邮箱').fill('mei@example.com')
      await dialog.getByLabel('角色').selectOption('adviser')
      await dialog.getByRole('button', { name: '生成邀请链接' }).click()
      await dialog.getByText('顾问要有员工编号').waitFor()
      await dialog.getByLabel('员工编号').fill('mei')
      await dialog.getByRole('button', { name: '生成邀请链接' }).click()
      const link = await dialog.locator('code').innerText()
      await dialog.getByRole('button', { name: '知道了' }).click()
      await page.getByRole('button', { name: `收回给${LONG}的邀请` }).waitFor()

      const mei = await openPage(browser, product.url, 'narrow', 'dark')
      t.after(() => mei.context.close())
      await mei.page.goto(link)
      await mei.page.getByLabel('密码').fill(PASSWORD)
      await mei.page.getByRole('button', { name: '设好密码，进入' }).click()
      await mei.page.getByRole('link', { name: '设置' }).click()
      await mei.page.getByText('这些由所有者和运营负责人修改。').waitFor()
      assert.deepEqual(await mei.page.getByRole('navigation', { name: '设置' }).getByRole('link').allInnerTexts(), [
        '品牌',
        '我的账号',
      ])
      assert.equal(await mei.page.getByRole('button', { name: '保存' }).count(), 0)
      await mei.page.getByRole('link', { name: '我的账号' }).click()
      await mei.page.getByText('就是这里').waitFor()
      await mei.page.getByText('--email mei@example.com').waitFor()
      await inspect(mei, 'settings-account-narrow-dark')

      await page.reload()
      await page.getByRole('button', { name: `修改${LONG}` }).click()
      await dialog.getByLabel('角色').selectOption('outside_operator')
      await dialog.getByLabel('用到什么时候').fill('2099-05-01T00:00')
      await dialog.getByRole('button', { name: '保存' }).click()
      await page.getByText('用到2099-05-01').waitFor()
      await inspect(opened, 'settings-users-wide-light')
      await page.getByRole('button', { name: '登录链接' }).click()
      const lost = await dialog.locator('code').innerText()
      await dialog.getByRole('button', { name: '知道了' }).click()

      // By the link of a lost password: a new one can be set, and it counts.
      await mei.context.clearCookies()
      await mei.page.goto(lost)
      await mei.page.getByRole('link', { name: '设新密码' }).click()
      await mei.page.getByLabel('密码（至少10个字符）').fill('another all year')
      await mei.page.getByRole('button', { name: '保存' }).click()
      await mei.page.getByText('--email mei@example.com').waitFor()

      await page.reload()
      await page.getByRole('button', { name: '关闭账号' }).click()
      await dialog.getByRole('button', { name: '关闭账号' }).click()
      await page.getByRole('button', { name: '重新开放' }).waitFor()
      await mei.page.reload()
      await mei.page.getByRole('heading', { name: '登录' }).waitFor()
      assert.deepEqual(mei.complaints, [])
    },
  )

  await t.test('a key and a secret are shown once, and revoked', async () => {
    await page.goto('/settings/keys')
    const dialog = page.getByRole('dialog')
    await page.getByText('还没有密钥。').waitFor()
    await page.getByRole('button', { name: '新建密钥' }).click()
    await dialog.getByLabel('给哪个程序用').fill('收银台')
    await dialog.getByLabel('读客户（people:read）').check()
    await inspect(opened, 'settings-key-wide-light')
    await dialog.getByRole('button', { name: '新建密钥' }).click()
    const key = await dialog.locator('code').innerText()
    const ask = async () => {
      const response = await fetch(`${product.url}/api/v1/persons?key=C1`, {
        headers: { authorization: `Bearer ${key}` },
      })
      return response.status
    }
    assert.equal(await ask(), 404, 'the key opens the door, and nobody is behind it')
    await dialog.getByRole('button', { name: '知道了' }).click()
    assert.equal(await page.getByText(key).count(), 0)
    await page.getByRole('button', { name: '吊销收银台' }).click()
    await dialog.getByRole('button', { name: '吊销' }).click()
    await page.getByRole('button', { name: '吊销收银台' }).waitFor({ state: 'detached' })
    assert.equal(await ask(), 401)

    await page.getByRole('link', { name: 'Webhook' }).click()
    await page.getByRole('button', { name: '新建Webhook' }).click()
    await dialog.getByLabel('来源（哪家店或哪个系统）').fill('shop')
    await dialog.getByRole('button', { name: '新建Webhook' }).click()
    await dialog.getByText(`${product.url}/api/v1/webhooks/shop?brand=main`).waitFor()
    await dialog.getByText(/^whsec_/).waitFor()
    await dialog.getByRole('button', { name: '知道了' }).click()
    await page.getByRole('button', { name: '吊销shop的Webhook' }).waitFor()
  })

  await t.test('the log says who did what, and is filtered by its address', async () => {
    await page.goto('/settings/audit')
    await page.getByRole('cell', { name: '新建Webhook' }).waitFor()
    await inspect(opened, 'settings-audit-wide-light')
    await page.getByRole('combobox').selectOption('settings_change')
    await page.getByRole('cell', { name: '新建Webhook' }).waitFor({ state: 'detached' })
    await page.getByText('涉及周期（天）、离上次购买多久怎么数、毛利率（%）、推荐往上分（%）').waitFor()
    await page.getByText('涉及粉丝等级的互动分、R：离上次购买（天）、M：净付款').waitFor()
    assert.equal(new URL(page.url()).search, '?operation=settings_change')
    await page.goto('/settings/audit?operation=invitation_accept')
    await page.getByRole('link', { name: `只看${LONG}` }).click()
    await page.getByRole('link', { name: '看所有人' }).waitFor()
    const narrow = await signedInPage(t, browser, product, 'narrow', 'dark')
    for (const [path, name] of [
      ['', 'brand'],
      ['/users', 'users'],
      ['/keys', 'keys'],
      ['/audit', 'audit'],
    ] as const) {
      await narrow.page.goto(`/settings${path}`)
      await narrow.page.getByRole('navigation', { name: '设置' }).waitFor()
      await narrow.page.waitForLoadState('networkidle')
      await inspect(narrow, `settings-${name}-narrow-dark`)
    }
    await narrow.page.getByLabel('English').check()
    await narrow.page.getByRole('heading', { level: 2, name: 'Audit log' }).waitFor()
  })
})
