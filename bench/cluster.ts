import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Config, readConfig } from '../src/platform/config.ts'
import { type Installation, openInstallation } from '../src/platform/installation.ts'
import { isRefusal } from '../src/platform/refusal.ts'

const root = resolve(import.meta.dirname, '..')

/**
 * A fresh data folder, given to `work` and removed after it. The test suite's watchdog removes it, with the PostgreSQL in it, when
 * this process is killed.
 *
 * @param kept a folder that stays, for the next run to find what is in it.
 */
export async function withHome<T>(work: (config: Config) => Promise<T>, kept?: string): Promise<T> {
  if (kept !== undefined) return work({ ...readConfig(), home: resolve(kept), databaseUrl: undefined })
  const home = await mkdtemp(join(tmpdir(), 'perennial-bench-'))
  // As root the server runs under another account, which has to pass through this folder (mkdtemp makes it 0700).
  await chmod(home, 0o755)
  const watchdog = spawn(process.execPath, [join(root, 'test/watchdog.ts'), home], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const isGone = once(watchdog, 'exit')
  try {
    return await work({ ...readConfig(), home, databaseUrl: undefined })
  } finally {
    await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    watchdog.stdin.end()
    await isGone
  }
}

/** An installation in a fresh data folder, or in a kept one, with the settings it has in production. */
export async function withInstallation<T>(work: (installation: Installation) => Promise<T>, kept?: string): Promise<T> {
  return withHome(async (config) => {
    const installation = await openInstallation(config, 'command')
    if (isRefusal(installation)) throw new Error(`${installation.message} ${installation.remedy}`)
    try {
      return await work(installation)
    } finally {
      await installation.close()
    }
  }, kept)
}
