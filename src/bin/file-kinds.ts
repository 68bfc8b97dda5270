import { ORDERS } from '../modules/commerce/actions.ts'
import { CONNECTIONS, CONSENTS, MEMBERSHIPS, PEOPLE, REFERRAL_CLAIMS } from '../modules/customers/actions.ts'
import { type ImportCommand, type ImportKind, importFile, loadMapping } from '../modules/intake/actions.ts'
import type { ImportReport } from '../modules/intake/schema.ts'
import { INTERACTIONS, REVIEWS } from '../modules/interactions/actions.ts'
import { TAGS } from '../modules/tags/actions.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'

/** What rows and options are, is each kind's own business. */
function fileKind<Row extends object, Options extends Readonly<Record<string, string | undefined>>>(
  kind: ImportKind<Row, Options>,
) {
  const { fields, mappingsFolder, missingFields } = kind
  const take = (database: Database, clock: Clock, command: ImportCommand) => importFile(database, clock, command, kind)
  return { kind: kind.kind, fields, mappingsFolder, missingFields, take }
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
  const found = FILE_KINDS.find(({ kind }) => kind === mapping.kind)
  if (found) return found.take(database, clock, { ...command, mapping })
  return refuse(
    'invalid',
    'unknown_kind',
    `Nothing reads files of the kind ${mapping.kind}.`,
    'Choose another mapping.',
  )
}
