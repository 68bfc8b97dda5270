import { existsSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'

/** Where Linux keeps files in memory. */
const MEMORY = '/dev/shm'
/** A test server and the products beside it grow to half of it; a container that is given 64 MB there uses the disk. */
const FREE_BYTES_MIN = 2 * 1024 ** 3

/**
 * For folders of a test that nobody has to find after the machine went down: in memory where there is room, else the temp
 * folder. An import makes sure some ten times that the disk has what it read, and PostgreSQL makes files for each of its
 * forty temporary tables: on a disk that is a third of what such a test takes. Programs are not started from here.
 */
export function scratchFolder(): string {
  if (!existsSync(MEMORY)) return tmpdir()
  const { bavail, bsize } = statfsSync(MEMORY)
  return bavail * bsize >= FREE_BYTES_MIN ? MEMORY : tmpdir()
}
