import { createCipheriv, createDecipheriv, createHash, randomBytes, randomInt } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const SECRET_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Letters and digits by chance, each worth 5.95 bits. */
export function randomBase62(characters: number): string {
  return Array.from({ length: characters }, () => BASE62[randomInt(BASE62.length)]).join('')
}

/** Lower-case letters by chance, each worth 4.7 bits: for names of files, whatever the file system makes of upper case. */
export function randomLetters(characters: number): string {
  return Array.from({ length: characters }, () => BASE62[26 + randomInt(26)]).join('')
}

/** 256 bits by chance. */
export function randomSecret(): Buffer {
  return randomBytes(SECRET_BYTES)
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/**
 * The secret of a file in `folder` (0600), as base64url of 32 bytes. Made on first use; two processes may start at the
 * same moment: `link` lets the first one win, whole.
 * @throws Error when it can be neither read nor made.
 */
export async function readOrMakeSecret(folder: string, name: string): Promise<string> {
  const path = join(folder, name)
  const known = await readIfThere(path)
  if (known) return known
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = join(folder, `${name}.${process.pid}.${randomBytes(4).toString('hex')}`)
  await writeFile(draft, randomSecret().toString('base64url'), { mode: 0o600, flag: 'wx' })
  try {
    await link(draft, path)
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  return readFile(path, 'utf8')
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined
    throw error
  }
}

/** Keeps what has to be read again out of the database's sight: AES-256-GCM under a key of this installation. */
export interface Vault {
  /** `context` says what it is for; it is not stored, and opening it for something else fails. */
  seal(plain: Buffer, context: string): Promise<Buffer>
  /** @throws Error when the bytes, the context or the key are others than at sealing. */
  open(sealed: Buffer, context: string): Promise<Buffer>
}

/** The key lies in `<home>/secrets/<name>` and is made at the first sealing. */
export function openVault(home: string, name: string): Vault {
  let key: Promise<Buffer> | undefined
  const keyOf = () => {
    key ??= readOrMakeSecret(join(home, 'secrets'), name).then((text) => Buffer.from(text, 'base64url'))
    key.catch(() => {
      key = undefined
    })
    return key
  }
  return {
    seal: async (plain, context) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', await keyOf(), nonce).setAAD(Buffer.from(context))
      const hidden = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), hidden])
    },
    open: async (sealed, context) => {
      const nonce = sealed.subarray(0, NONCE_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', await keyOf(), nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
    },
  }
}
