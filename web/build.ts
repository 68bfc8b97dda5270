import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'

/**
 * Builds the console when it has to be built.
 *
 *   node with-node.mjs web/build.ts            build if missing or stale
 *
 * `dist/.stamp` holds a hash over everything the build is made of. Two builders at once each work in a folder of
 * their own beside `dist` and put it in place by renaming, so a reader sees an old console or a new one, never half.
 */

const STAMP = '.stamp'
/** Folders a build was interrupted in; nothing takes that long. */
const LEFTOVER_AGE_MS = 60 * 60 * 1000
const BUILD_MS_MAX = 5 * 60 * 1000

/**
 * @param root the checkout.
 * @returns folder of the built console (`web/dist`); under 50 ms when it is fresh already.
 * @throws Error whose sentence says what to do, when it cannot be built.
 */
export async function ensureConsole(root: string): Promise<string> {
  const dist = join(root, 'web', 'dist')
  const stamp = stampOf(root)
  if (readStamp(dist) === stamp) return dist

  const building = await makeFolderBeside(root, dist)
  try {
    await build(root, building)
    await writeFile(join(building, STAMP), stamp)
    // mkdtemp makes it for this account alone; the server may run under another.
    await chmod(building, 0o755)
    await putInPlace(building, dist, stamp)
  } finally {
    await rm(building, { recursive: true, force: true })
  }
  await removeLeftovers(join(root, 'web'))
  return dist
}

/** sha256 over names and bytes of all that goes into the console, in a fixed order. */
function stampOf(root: string): string {
  const hash = createHash('sha256')
  const add = (path: string) => {
    const bytes = readFileSync(path)
    hash.update(`${relative(root, path)}\n${bytes.length}\n`).update(bytes)
  }
  for (const path of sources(join(root, 'web'))) add(path)
  for (const path of ['generated/openapi.ts', 'package-lock.json']) {
    if (existsSync(join(root, path))) add(join(root, path))
  }
  return hash.digest('hex')
}

function sources(folder: string): string[] {
  const byName = (a: Dirent, b: Dirent) => (a.name < b.name ? -1 : 1)
  return readdirSync(folder, { withFileTypes: true })
    .sort(byName)
    .flatMap((entry) => {
      if (/^dist(-|$)/.test(entry.name) || entry.name.endsWith('.test.ts')) return []
      return entry.isDirectory() ? sources(join(folder, entry.name)) : [join(folder, entry.name)]
    })
}

function readStamp(dist: string): string | undefined {
  try {
    return readFileSync(join(dist, STAMP), 'utf8')
  } catch {
    return undefined
  }
}

async function makeFolderBeside(root: string, dist: string): Promise<string> {
  try {
    const folder = await mkdtemp(`${dist}-`)
    // Should this process be killed, what it leaves does not show up in git.
    await writeFile(join(folder, '.gitignore'), '*\n')
    return folder
  } catch (cause) {
    throw new Error(
      `The console in ${dist} is ${existsSync(dist) ? 'older than its sources' : 'not built'}, and this account may ` +
        `not write to ${join(root, 'web')}. Run "npm run build" in ${root} as the account that owns it, then start again.`,
      { cause },
    )
  }
}

/** In a process of its own: vite sets NODE_ENV and keeps memory, and the caller is a server. */
async function build(root: string, into: string): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', import.meta.filename, '--into', into],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: BUILD_MS_MAX,
    },
  )
  const said: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk))
  const code = await new Promise<number | null>((done, fail) => {
    child.on('error', fail)
    child.on('close', done)
  })
  if (code !== 0) {
    throw new Error(
      `The console could not be built (vite ended with ${code ?? 'a signal'}). Run "npm ci" in ${root} and try again. ` +
        `It said:\n${Buffer.concat(said).toString('utf8').trim()}`,
    )
  }
}

async function putInPlace(building: string, dist: string, stamp: string): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    // Another builder of the same sources was first: its console is as good as ours.
    if (readStamp(dist) === stamp) return
    const old = `${building}-old`
    await rename(dist, old).catch(ignoreCode('ENOENT'))
    try {
      await rename(building, dist)
      return
    } catch (error) {
      if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'EEXIST')) throw error
    } finally {
      await rm(old, { recursive: true, force: true })
    }
  }
  throw new Error(`${dist} is being replaced over and over by other builds. End them, then run "npm run build" once.`)
}

async function removeLeftovers(web: string): Promise<void> {
  for (const name of await readdir(web)) {
    if (!name.startsWith('dist-')) continue
    const path = join(web, name)
    const made = await stat(path).then(
      (found) => found.mtimeMs,
      () => Number.POSITIVE_INFINITY,
    )
    if (Date.now() - made > LEFTOVER_AGE_MS) await rm(path, { recursive: true, force: true })
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function ignoreCode(code: string): (error: unknown) => void {
  return (error) => {
    if (!hasCode(error, code)) throw error
  }
}

async function viteBuild(into: string): Promise<void> {
  process.env.NODE_ENV = 'production'
  const [vite, { default: config }] = await Promise.all([import('vite'), import('./vite.config.ts')])
  // emptyOutDir off: the folder was made for this build and holds its .gitignore.
  await vite.build({ ...config, build: { ...config.build, outDir: into, emptyOutDir: false } })
}

if (import.meta.main) {
  const [flag, into] = process.argv.slice(2)
  if (flag === '--into' && into) {
    await viteBuild(into)
  } else {
    const begun = performance.now()
    const dist = await ensureConsole(resolve(import.meta.dirname, '..'))
    console.log(`Console in ${dist} (${Math.round(performance.now() - begun)} ms)`)
  }
}
