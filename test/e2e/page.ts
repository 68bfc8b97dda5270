import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import axe, { type AxeResults } from 'axe-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'

/** What every browser test needs of a page: a size, a theme, a look at it, and axe's opinion. */

export const SIZES = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } } as const
export type Size = keyof typeof SIZES
export const THEMES = ['light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

/** Everything is on this machine; what takes longer has failed. */
const WAIT_MS_MAX = 10_000

const SCREENSHOTS = join(import.meta.dirname, '__screenshots__')

export interface OpenedPage {
  page: Page
  context: BrowserContext
  /** What the browser complained of: errors in scripts, and everything the content policy refused. */
  complaints: string[]
}

export type StorageState = Awaited<ReturnType<BrowserContext['storageState']>>

/** @param session cookies of somebody who signed in before; a stranger when left out. `locale`: what the browser speaks. */
export async function openPage(
  browser: Browser,
  url: string,
  size: Size,
  theme: Theme,
  session?: StorageState,
  locale = 'zh-CN',
): Promise<OpenedPage> {
  const context = await browser.newContext({
    ...(session ? { storageState: session } : {}),
    baseURL: url,
    viewport: SIZES[size],
    locale,
    colorScheme: theme,
    // Also proves that the console honours the wish; and nothing is photographed half way.
    reducedMotion: 'reduce',
    serviceWorkers: 'block',
  })
  context.setDefaultTimeout(WAIT_MS_MAX)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // A refused request is logged too; tests that make one look at the page instead.
    const isRequest = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !isRequest) complaints.push(message.text())
  })
  return { page, context, complaints }
}

/** Saved for people to look at; nothing is compared pixel by pixel. */
export async function photograph(page: Page, name: string): Promise<void> {
  await mkdir(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), animations: 'disabled' })
}

/** What axe finds serious or critical on the page as it stands, one line each. */
export async function seriousFaults(page: Page): Promise<string[]> {
  // By the debugger and not by a script tag: the content policy forbids the latter, and rightly.
  await page.evaluate(axe.source)
  const results = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as AxeResults
  return results.violations
    .filter((violation) => violation.impact === 'serious' || violation.impact === 'critical')
    .map(
      (violation) => `${violation.id}: ${violation.help} at ${violation.nodes.map((node) => node.target).join(', ')}`,
    )
}

/** Pixels by which the page is wider than the screen; 0 when nothing scrolls sideways. */
export async function overflowPx(page: Page): Promise<number> {
  const widest = await page.evaluate(
    'Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll(".pane")].map((e) => e.scrollWidth))',
  )
  return Math.max(0, Number(widest) - (page.viewportSize()?.width ?? 0))
}
