import assert from 'node:assert/strict'
import { appendFile, chmod, cp, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ensureConsole } from './build.ts'

const root = resolve(import.meta.dirname, '..')
/** A fresh console costs a server's start nearly nothing; the limit promised is 50. */
const FRESH_MS_MAX = 50
const NOBODY = 65_534

/** The console's sources in a checkout of their own, so that what this test builds is nobody else's. */
async function checkout(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-console-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await cp(join(root, 'web'), join(folder, 'web'), {
    recursive: true,
    filter: (source) => !/[\\/]web[\\/]dist/.test(source),
  })
  await cp(join(root, 'generated'), join(folder, 'generated'), { recursive: true })
  await cp(join(root, 'package-lock.json'), join(folder, 'package-lock.json'))
  await cp(join(root, 'package.json'), join(folder, 'package.json'))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

async function buildOf(folder: string) {
  // The file of that checkout, as its own postinstall would run it.
  const module: { ensureConsole: typeof ensureConsole } = await import(join(folder, 'web/build.ts'))
  return module.ensureConsole
}

const leftovers = async (folder: string) =>
  (await readdir(join(folder, 'web'))).filter((name) => name.startsWith('dist-'))

test('two builders at once make one whole console, and the next start costs nothing', async (t) => {
  const folder = await checkout(t)
  const ensure = await buildOf(folder)
  const [first, second] = await Promise.all([ensure(folder), ensure(folder)])
  assert.equal(first, join(folder, 'web/dist'))
  assert.equal(second, first)
  assert.deepEqual(await leftovers(folder), [])

  const page = await readFile(join(first, 'index.html'), 'utf8')
  const assets = [...page.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, path]) => path ?? '')
  assert.ok(assets.some((path) => path.endsWith('.js')) && assets.some((path) => path.endsWith('.css')))
  for (const path of assets) assert.ok((await stat(join(first, path))).size > 0, path)
  // The policy of the server is script-src 'self'.
  assert.doesNotMatch(page, /<script(?![^>]*\ssrc=)[^>]*>/)

  const times: number[] = []
  for (let run = 0; run < 5; run += 1) {
    const began = performance.now()
    await ensure(folder)
    times.push(performance.now() - began)
  }
  assert.ok(Math.min(...times) < FRESH_MS_MAX, `${times.map(Math.round).join(', ')} ms`)
})

test('a changed source is built again; where that may not be written, it says what to do', async (t) => {
  const folder = await checkout(t)
  const ensure = await buildOf(folder)
  const dist = await ensure(folder)
  const stamp = await readFile(join(dist, '.stamp'), 'utf8')
  await appendFile(join(folder, 'web/ui/base.css'), '\n/* changed */\n')
  await ensure(folder)
  assert.notEqual(await readFile(join(dist, '.stamp'), 'utf8'), stamp)

  await appendFile(join(folder, 'web/ui/base.css'), '\n/* changed again */\n')
  await rm(dist, { recursive: true })
  await chmod(folder, 0o755)
  await chmod(join(folder, 'web'), 0o555)
  // Nothing is forbidden to root, so root becomes somebody else for a moment.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    await assert.rejects(ensure(folder), /may not write to .*Run "npm run build"/)
  } finally {
    if (isRoot) process.seteuid?.(0)
    await chmod(join(folder, 'web'), 0o755)
  }
})

test('no chunk that a page loads is larger than it may be', async () => {
  const assets = join(await ensureConsole(root), 'assets')
  for (const name of await readdir(assets)) {
    const kilobytes = gzipSync(await readFile(join(assets, name))).length / 1000
    assert.ok(kilobytes <= 250, `${name} has ${Math.round(kilobytes)} kB gzip; at most 250`)
  }
})
