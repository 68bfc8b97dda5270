import { join } from 'node:path'
import type { Actor } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { recordAudit } from '../audit/actions.ts'
import type { FactKinds } from './facts.ts'
import { lockIntake } from './queries.ts'
import { isThere, noRejects, rejectsNameOf } from './rejects.ts'
import type { ImportListing, UndoReport } from './schema.ts'
import {
  createRetracting,
  lockImport,
  retractVersions,
  type StoredImport,
  selectImport,
  selectImports,
  selectKindsInForce,
  selectRetractable,
  selectRetracted,
  settleRetraction,
  updateUndone,
} from './version-queries.ts'

const IMPORTS_MAX = 200

/** The latest imports of files, newest first. */
export async function listImports(database: Database): Promise<ImportListing[]> {
  const rows = await selectImports(database.db, IMPORTS_MAX)
  return rows.map(({ started_at: _, finished_at, undone_at, ...row }) => ({
    ...row,
    finished_at: finished_at.toISOString(),
    undone_at: undone_at?.toISOString() ?? null,
  }))
}

/** Of the latest imports those whose rejected rows lie in that folder. */
export async function findRejects(db: Sql, folder: string): Promise<Set<number>> {
  const rows = await selectImports(db, IMPORTS_MAX)
  const found = await Promise.all(
    rows.map(async (row) =>
      row.rows_rejected > 0 && (await isThere(rejectsPath(folder, row))) ? [row.import_id] : [],
    ),
  )
  return new Set(found.flat())
}

/** The path of the file of an import's rejected rows. */
export async function findRejectsOf(db: Sql, folder: string, importId: number): Promise<string | Refusal> {
  const found = await selectImport(db, importId)
  if (!found) return noSuchImport(importId)
  const path = rejectsPath(folder, found)
  if (await isThere(path)) return path
  return noRejects()
}

function rejectsPath(folder: string, { file_name, started_at }: StoredImport): string {
  return join(folder, rejectsNameOf(file_name, started_at))
}

/** What `undoImport` would do now: how many facts would go, and how many would come back to an earlier version. */
export async function previewUndo(db: Sql, importId: number): Promise<UndoReport | Refusal> {
  const found = await selectImport(db, importId)
  const refusal = found ? undoable(importId, found.undone_at) : noSuchImport(importId)
  return refusal ?? { import_id: importId, ...(await selectRetractable(db, importId)) }
}

/**
 * Takes back what an import of a file brought: its versions count no more, and those before them are in force again. What
 * a later import replaced stays as that one left it, and what an earlier one had brought already is not touched.
 *
 * @returns how many facts went and how many came back to an earlier version; a refusal when there is no such import, or
 *   it was undone before.
 */
export async function undoImport(
  database: Database,
  clock: Clock,
  command: { importId: number; by: Actor; kinds: FactKinds },
): Promise<UndoReport | Refusal> {
  const { importId, by, kinds } = command
  return database.transaction(async (tx) => {
    await lockIntake(tx)
    const now = clock.now()
    const found = await lockImport(tx, importId)
    const checked = found ? undoable(importId, found.undone_at) : noSuchImport(importId)
    if (isRefusal(checked)) return checked
    await retractVersions(tx, importId, now)
    const [group, ...others] = await selectKindsInForce(tx, importId)
    if (others.length > 0) throw new Error(`Import ${importId} brought facts of several kinds or sources`)
    if (group) {
      const kind = kinds[group.kind]
      if (!kind) throw new Error(`Nobody undoes facts of the kind ${group.kind}`)
      await createRetracting(tx, importId)
      await kind.restore(tx, group.source, now)
      await settleRetraction(tx, now)
    }
    await updateUndone(tx, importId, by.name, now)
    const subjects = { import_id: importId }
    await recordAudit(tx, { actor: by, operation: 'import_undo', subjects }, now)
    const counts = group ? await selectRetracted(tx) : { facts_retracted: 0, facts_restored: 0 }
    return { import_id: importId, ...counts }
  })
}

function undoable(importId: number, undoneAt: Date | null): Refusal | undefined {
  if (!undoneAt) return undefined
  return refuse(
    'conflict',
    'already_undone',
    `Import ${importId} was undone at ${undoneAt.toISOString()}.`,
    'Import the file again if it should count.',
  )
}

function noSuchImport(importId: number): Refusal {
  return refuse(
    'missing',
    'no_such_import',
    `There is no import ${importId}.`,
    'Take a number from the list of imports.',
  )
}
