import { ORDERS } from '../modules/commerce/actions.ts'
import { CONNECTIONS, CONSENTS, MEMBERSHIPS, PEOPLE, REFERRAL_CLAIMS } from '../modules/customers/actions.ts'
import {
  guessFile,
  type ImportCommand,
  type ImportKind,
  importFile,
  loadMapping,
  previewFile,
} from '../modules/intake/actions.ts'
import type { ImportFiles } from '../modules/intake/routes.ts'
import type { ImportReport, Mapping } from '../modules/intake/schema.ts'
import { INTERACTIONS, REVIEWS } from '../modules/interactions/actions.ts'
import { TAGS } from '../modules/tags/actions.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'

type PreviewCommand = Parameters<ImportFiles['preview']>[1]

/** What rows and options are, is each kind's own business. */
function fileKind<Row extends object, Options extends Readonly<Record<string, string | undefined>>>(
  kind: ImportKind<Row, Options>,
) {
  const { fields, mappingsFolder, missingFields, status } = kind
  const take = (database: Database, clock: Clock, command: ImportCommand) => importFile(database, clock, command, kind)
  const preview = (database: Database, clock: Clock, command: PreviewCommand) =>
    previewFile(database, clock, command, kind)
  return { kind: kind.kind, fields, mappingsFolder, missingFields, ...(status ? { status } : {}), take, preview }
}

/** Every kind of file. Where two would explain a file as well, the one that stands first is guessed. */
export const FILE_KINDS = [
  fileKind(ORDERS),
  fileKind(PEOPLE),
  fileKind(CONNECTIONS),
  fileKind(MEMBERSHIPS),
  fileKind(INTERACTIONS),
  fileKind(REVIEWS),
  fileKind(CONSENTS),
  fileKind(REFERRAL_CLAIMS),
  fileKind(TAGS),
]

export const MAPPING_FOLDERS = [...new Set(FILE_KINDS.map(({ mappingsFolder }) => mappingsFolder))]

/** A file of any kind: its mapping says which. */
export async function importAny(
  database: Database,
  clock: Clock,
  command: ImportCommand,
): Promise<ImportReport | Refusal> {
  const mapping = await loadMapping(command.mapping, MAPPING_FOLDERS)
  if (isRefusal(mapping)) return mapping
  return kindOf(mapping)?.take(database, clock, { ...command, mapping }) ?? unknownKind(mapping)
}

function kindOf({ kind }: Mapping) {
  return FILE_KINDS.find((other) => other.kind === kind)
}

function unknownKind({ kind }: Mapping): Refusal {
  return refuse('invalid', 'unknown_kind', `Nothing reads files of the kind ${kind}.`, 'Choose another mapping.')
}

/** The kinds of files, as the pages of the console ask for them. */
export function importFiles(clock: Clock): ImportFiles {
  return {
    kinds: () =>
      Promise.all(
        FILE_KINDS.map(async ({ kind, fields, mappingsFolder }) => {
          const generic = await loadMapping(kind, [mappingsFolder])
          const known = isRefusal(generic) ? null : { columns: generic.columns, values: generic.values }
          return { kind, fields: Object.keys(fields), known }
        }),
      ),
    guess: (path) => guessFile(path, FILE_KINDS),
    preview: async (database, command) =>
      kindOf(command.mapping)?.preview(database, clock, command) ?? unknownKind(command.mapping),
  }
}
