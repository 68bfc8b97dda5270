// Cleans up after a test process, however it ended: `node test/watchdog.ts FOLDER`.
//
// Exit handlers do not run after SIGKILL, and the test framework leaves at Ctrl-C without waiting for anybody's
// asynchronous clean-up. The kernel, though, always closes the pipe that the test process holds to this one's stdin.

import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const STOP_TIMEOUT_MS = 10_000
const POLL_MS = 50

const folder = process.argv[2]
if (!folder) throw new Error('usage: node test/watchdog.ts FOLDER')
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.stdin.resume()
process.stdin.on('end', async () => {
  for (const pidFile of await pidFiles(folder)) await stopServer(pidFile)
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
})

async function pidFiles(under: string): Promise<string[]> {
  const files = await readdir(under, { recursive: true }).catch(() => [])
  return files.filter((file) => file.endsWith('postmaster.pid')).map((file) => join(under, file))
}

/**
 * Immediate shutdown: what the server could lose is removed right after. It is over when the server has removed its
 * pid file; its process may stay in the table as a zombie where nobody collects orphans (a container's pid 1).
 */
async function stopServer(pidFile: string): Promise<void> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0])
  if (pid <= 1) return
  for (let waited = 0; waited < STOP_TIMEOUT_MS && existsSync(pidFile); waited += POLL_MS) {
    try {
      process.kill(pid, waited === 0 ? 'SIGQUIT' : 0)
    } catch {
      return
    }
    await sleep(POLL_MS)
  }
}
