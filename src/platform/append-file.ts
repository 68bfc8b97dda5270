import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** A file that grows at its end, through one buffer. */
export interface AppendFile {
  readonly path: string
  /** Its length with all that was appended so far, written or not. */
  readonly bytes: number
  /** A promise only when the buffer had to be written, so that a loop over rows waits for few of them. */
  append(text: string): Promise<void> | undefined
  /** When it resolves, all that was appended is on disk and stays there through a power cut. */
  sync(): Promise<void>
  /** Writes what is left, and closes it. */
  close(): Promise<void>
  /** Closes it without writing what is left. */
  abandon(): Promise<void>
}

/** UTF-8 takes at most so many bytes for a unit of a JavaScript text. */
const BYTES_PER_UNIT_MAX = 3

/**
 * Opens it at `bytes`, cutting off what stands behind; 0 makes it anew, for its owner alone.
 *
 * @throws the file system's errors, here and from every call: ENOSPC when the disk is full.
 */
export async function openAppendFile(path: string, bytes: number, bufferBytes: number): Promise<AppendFile> {
  const flags = constants.O_WRONLY | (bytes === 0 ? constants.O_CREAT | constants.O_TRUNC : 0)
  const file = await open(path, flags, 0o600)
  if (bytes > 0) await file.truncate(bytes).catch((error) => file.close().then(() => Promise.reject(error)))
  const buffer = Buffer.allocUnsafeSlow(bufferBytes)
  let [written, held] = [bytes, 0]

  async function flush(): Promise<void> {
    const length = held
    held = 0
    await writeAll(file, buffer.subarray(0, length), written)
    written += length
  }

  async function flushAnd(text: string): Promise<void> {
    await flush()
    if (text.length * BYTES_PER_UNIT_MAX <= bufferBytes) {
      held = buffer.write(text)
      return
    }
    const whole = Buffer.from(text)
    await writeAll(file, whole, written)
    written += whole.length
  }

  return {
    path,
    get bytes() {
      return written + held
    },
    append: (text) => {
      if (held + text.length * BYTES_PER_UNIT_MAX > bufferBytes) return flushAnd(text)
      held += buffer.write(text, held)
      return undefined
    },
    sync: async () => {
      await flush()
      await file.datasync()
    },
    close: async () => {
      await flush().finally(() => file.close())
    },
    abandon: () => file.close(),
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
