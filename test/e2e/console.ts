import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Browser } from 'playwright-core'
import type { Product } from '../product.ts'
import {
  type OpenedPage,
  openPage,
  overflowPx,
  photograph,
  type Size,
  type StorageState,
  seriousFaults,
  type Theme,
} from './page.ts'

/** One session for all pages of a product: the server rightly refuses a dozen sign-ins within a minute. */
const sessions = new WeakMap<Product, StorageState>()

/** A page of somebody who is signed in, closed when the test ends. */
export async function signedInPage(
  t: TestContext,
  browser: Browser,
  product: Product,
  size: Size = 'wide',
  theme: Theme = 'light',
): Promise<OpenedPage> {
  let session = sessions.get(product)
  if (!session) {
    const first = await openPage(browser, product.url, 'wide', 'light')
    await first.page.goto(product.signInUrl)
    await first.page.getByRole('navigation', { name: '主导航' }).waitFor()
    session = await first.context.storageState()
    sessions.set(product, session)
    await first.context.close()
  }
  const opened = await openPage(browser, product.url, size, theme, session)
  t.after(() => opened.context.close())
  return opened
}

/** No complaint of the browser, nothing serious from axe, nothing that scrolls sideways; and a picture. */
export async function inspect(opened: OpenedPage, name: string): Promise<void> {
  await photograph(opened.page, name)
  assert.deepEqual(await seriousFaults(opened.page), [], name)
  assert.equal(await overflowPx(opened.page), 0, `${name} scrolls sideways`)
  assert.deepEqual(opened.complaints, [], name)
}

/** Facts as a system of the brand sends them, with a key of its own; all of them have to be new. */
export async function sendFacts(product: Product, facts: readonly object[]): Promise<void> {
  const made = await product.cli('api-key-create', 'tests', '--scope', 'facts:write', '--json')
  assert.equal(made.code, 0, made.stderr)
  const { key } = JSON.parse(made.stdout)
  for (let from = 0; from < facts.length; from += 500) {
    const response = await fetch(`${product.url}/api/v1/facts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ facts: facts.slice(from, from + 500) }),
    })
    const { results } = (await response.json()) as { results: { status: string }[] }
    for (const result of results) assert.equal(result.status, 'new', JSON.stringify(result))
  }
}
