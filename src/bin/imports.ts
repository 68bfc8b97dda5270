import { listImports, undoImport } from '../modules/intake/actions.ts'
import { atTerminal } from '../platform/audit.ts'
import { systemClock } from '../platform/clock.ts'
import { isRefusal } from '../platform/refusal.ts'
import { catchUp } from './catch-up.ts'
import { type Command, table, UsageError, withBrand } from './command.ts'

const imports: Command = {
  name: 'imports',
  summary: 'Files that were imported, the latest first, and which of them were undone.',
  positionals: [],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const listed = await listImports(database)
      const rows = listed.map((one) => [
        one.import_id,
        one.finished_at.slice(0, 16).replace('T', ' '),
        one.file_name,
        one.mapping_name,
        one.rows_stored,
        one.rows_merged,
        one.rows_rejected,
        one.undone_at ? 'undone' : '',
      ])
      const header = ['', 'at (UTC)', 'file', 'mapping', 'stored', 'merged', 'rejected', '']
      const text = listed.length > 0 ? table(header, rows) : 'Nothing was imported yet.\n'
      return { json: { imports: listed }, text }
    }),
}

const undo: Command = {
  name: 'undo',
  summary: 'Take an import back: what it brought counts no more, and what it had replaced is in force again.',
  positionals: ['IMPORT'],
  flags: {},
  usesBrand: true,
  run: (input) => {
    const [given = ''] = input.positionals
    if (!/^\d{1,15}$/.test(given)) throw new UsageError(`undo takes an import's number (imports), not "${given}".`)
    return withBrand(input, async (database) => {
      // With the routes comes the whole server, 35 MB, and an import runs under this same command line.
      const { FACT_KINDS } = await import('./routes.ts')
      const undone = await undoImport(database, systemClock, {
        importId: Number(given),
        by: atTerminal(),
        kinds: FACT_KINDS,
      })
      if (isRefusal(undone)) return undone
      await catchUp(database, systemClock)
      const { facts_retracted, facts_restored } = undone
      const text = `Import ${given} was taken back: ${facts_retracted} facts count no more, ${facts_restored} are as they were before it.\n`
      return { json: undone, text }
    })
  },
}

export const IMPORT_COMMANDS: readonly Command[] = [imports, undo]
