import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/** A file that was imported before. `columns` is null of imports from before columns were kept. */
export interface EarlierFile {
  readonly file_name: string
  readonly columns: readonly string[] | null
}

/** The newest files of a source, each name and header once; far more than a shop has kinds of exports. */
const EARLIER_MAX = 200

export async function selectEarlierFiles(tx: Sql, source: string): Promise<EarlierFile[]> {
  const { rows } = await sql<EarlierFile>`
    select file_name, columns from intake.imports where source = ${source}
    group by file_name, columns order by max(import_id) desc limit ${EARLIER_MAX}`.execute(tx)
  return rows
}

export async function updateImportColumns(tx: Sql, importId: number, columns: readonly string[]): Promise<void> {
  await sql`update intake.imports set columns = ${columns}::text[] where import_id = ${importId}`.execute(tx)
}
