import { DatabaseSync } from 'node:sqlite'

const SQLITE_BUSY = 5

/**
 * A lock file, not yet locked. The lock is SQLite's lock on an empty file: a lock of the kernel, gone with its holder
 * however that dies. A file with a pid in it was rejected: between judging it stale and removing it another process can do
 * the same. Within a process two locks of one file exclude each other as well.
 *
 * The file must not be opened otherwise while a lock is held: closing it would drop the lock of the whole process.
 */
export function openLock(path: string): DatabaseSync {
  return new DatabaseSync(path, { timeout: 0 })
}

/** @returns whether it is had now; it is held until the lock is closed. */
export function tryLock(lock: DatabaseSync): boolean {
  try {
    // No journal on disk: the lock must be had on a full disk too, by whoever comes to make room.
    lock.exec('pragma journal_mode = memory; begin exclusive')
    return true
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false
    throw error
  }
}
