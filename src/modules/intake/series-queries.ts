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

/** A shop or system that files came from. */
export interface KnownSource {
  readonly source: string
  readonly files: number
  /** The newest one's name. */
  readonly last_file: string
}

const SOURCES_MAX = 100

/** Where imports that stand came from, the latest first. */
export async function listSources(db: Sql): Promise<KnownSource[]> {
  const { rows } = await sql<KnownSource>`
    select source, count(*)::int as files, (array_agg(file_name order by import_id desc))[1] as last_file
    from intake.imports where undone_at is null
    group by source order by max(import_id) desc limit ${SOURCES_MAX}`.execute(db)
  return rows
}
