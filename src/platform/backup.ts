import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createBackup, type DumpedDatabase, type Manifest } from './backup-archive.ts'
import { dumpDatabase, LEFT_OUT } from './backup-database.ts'
import type { Installation } from './installation.ts'
import { type Refusal, refuse } from './refusal.ts'
import { readKeyMark } from './tombstones.ts'

export interface Backup {
  readonly path: string
  readonly bytes: number
  readonly databases: Manifest['databases']
}

/**
 * Everything that the databases of an installation hold, into one file, each database as of one instant of its own. What lies in
 * `secrets/` stays out: the key of erasures, who was erased, what signs sessions and opens the secrets of webhooks.
 *
 * @param path of the file, or of a folder that is there: then the file is named by the time.
 * @returns refusals nothing_to_back_up, file_exists, folder_not_writable.
 * @throws Error when the disk is full or a database goes away; nothing of the file is left.
 */
export async function backUp(
  installation: Installation,
  path: string,
  told: { program: string; now: Date },
): Promise<Backup | Refusal> {
  const { config, control } = installation
  const brands = await installation.brands()
  if (brands.length === 0) {
    const message = `There is no brand in ${config.home} yet.`
    return refuse('missing', 'nothing_to_back_up', message, 'Is PERENNIAL_HOME the data folder that you mean?')
  }
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  const file = isFolder ? join(path, `perennial-${told.now.toISOString().replace(/[:.]/g, '')}.tar`) : path
  const backup = await createBackup(file, { program: told.program, takenAt: told.now }).catch((error) =>
    cannotWrite(file, error),
  )
  if ('refused' in backup) return backup
  try {
    const databases: DumpedDatabase[] = [
      {
        brand: null,
        brand_name: null,
        ...(await dumpDatabase(control, config.root, 'installation', 'control', backup)),
      },
    ]
    for (const brand of brands) {
      const database = await installation.openBrand(brand)
      const dumped = await dumpDatabase(database, config.root, 'brand', `brand-${brand.key}`, backup)
      databases.push({ brand: brand.key, brand_name: brand.name, ...dumped })
    }
    const bytes = await backup.finish({
      erasure_key_mark: await readKeyMark(config.home),
      left_out: [...LEFT_OUT],
      databases,
    })
    return { path: file, bytes, databases }
  } catch (error) {
    await backup.abandon()
    throw error
  }
}

/** @throws what is none of the two. */
function cannotWrite(file: string, error: { code?: string }): Refusal {
  if (error.code === 'EEXIST') {
    return refuse('conflict', 'file_exists', `${file} exists.`, 'Name another file, or a folder.')
  }
  if (['EACCES', 'ENOENT', 'EROFS', 'EPERM', 'ENOTDIR'].includes(error.code ?? '')) {
    return refuse(
      'invalid',
      'folder_not_writable',
      `${file} cannot be written.`,
      'Name a folder that this account may write.',
    )
  }
  throw error
}
