import { randomUUID } from 'node:crypto'
import { open, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file that is there whole or not at all, and as it was before until then. */
export async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const staging = `${path}.${randomUUID()}`
  await writeFile(staging, text, { mode, flag: 'wx', flush: true })
  await renameForGood(staging, path)
}

/** A rename that a power cut does not undo, so that what is built on it is not lost with it. */
export async function renameForGood(from: string, to: string): Promise<void> {
  await rename(from, to)
  const folder = await open(dirname(to))
  await folder.sync().finally(() => folder.close())
}
