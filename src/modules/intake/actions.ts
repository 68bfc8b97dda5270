import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { csvLine, writeTo } from '../../platform/csv.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { type Mapping, mapping, REJECT_TEXTS, type RejectReason } from './schema.ts'

export {
  admitArriving,
  claimPending,
  countPending,
  deletePending,
  insertImport,
  insertPending,
  insertSuperseded,
  lockIntake,
  nextImportId,
  numberConnections,
  upsertInbox,
} from './queries.ts'

/**
 * A mapping by its name (shipped ones, in `folder`) or by the path of a YAML file.
 * What is wrong in it is said with the place: `columns.order_id: …`.
 */
export async function loadMapping(nameOrPath: string, folder: string): Promise<Mapping | Refusal> {
  const isFile = /[./\\]/.test(nameOrPath)
  const path = isFile ? nameOrPath : join(folder, `${nameOrPath}.yaml`)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    const shipped = (await readdir(folder)).map((name) => name.replace(/\.yaml$/, '')).join(', ')
    return refuse(
      'missing',
      'unknown_mapping',
      `There is no mapping "${nameOrPath}".`,
      `Use one of: ${shipped}, or the path of a YAML file.`,
    )
  }
  let content: unknown
  try {
    content = parse(text)
  } catch (error) {
    return refuse(
      'invalid',
      'bad_mapping',
      `${path} is not YAML: ${(error as Error).message}`,
      'Mend it; mappings/orders.yaml is an example.',
    )
  }
  const parsed = mapping.safeParse(content)
  if (parsed.success) return parsed.data
  const [first] = parsed.error.issues
  return refuse(
    'invalid',
    'bad_mapping',
    `${path}: ${first?.path.join('.') || 'the file'}: ${first?.message}`,
    'Mend it; mappings/orders.yaml is an example.',
  )
}

/** The CSV of rows that were not stored: the row as it came, then its line and reason; it can be mended and fed again. */
export interface RejectsFile {
  readonly path: string
  readonly counts: Partial<Record<RejectReason, number>>
  add(line: number, reason: RejectReason, fields: readonly string[]): Promise<void>
  /** Closes it; a file without rows is removed. @returns its path when there are rows. */
  close(): Promise<string | null>
  /** Closes and removes it. */
  discard(): Promise<void>
}

const LINE_COLUMN = 'reject_line'
const REASON_COLUMN = 'reject_reason'

/** Opened at the first rejected row. Columns that an earlier rejects file added are not added twice. */
export function openRejects(path: string, header: readonly string[]): RejectsFile {
  const kept = header
    .map((_, index) => index)
    .filter((index) => header[index] !== LINE_COLUMN && header[index] !== REASON_COLUMN)
  const counts: Partial<Record<RejectReason, number>> = {}
  let stream: WriteStream | undefined
  let failure: Error | undefined

  async function open(): Promise<WriteStream> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const opened = createWriteStream(path, { mode: 0o600 })
    opened.on('error', (error) => {
      failure = error
    })
    await writeTo(opened, csvLine([...kept.map((index) => header[index] ?? ''), LINE_COLUMN, REASON_COLUMN]))
    return opened
  }

  async function end(): Promise<void> {
    const open = stream
    if (open)
      await new Promise<void>((resolve, reject) =>
        open.end((error?: Error | null) => (error ? reject(error) : resolve())),
      )
    if (failure) throw failure
  }

  return {
    path,
    counts,
    add: async (line, reason, fields) => {
      stream ??= await open()
      counts[reason] = (counts[reason] ?? 0) + 1
      const extra = reason === 'column_count' ? fields.slice(header.length) : []
      await writeTo(
        stream,
        csvLine([
          ...kept.map((index) => fields[index] ?? ''),
          String(line),
          `${reason}: the row ${REJECT_TEXTS[reason]}`,
          ...extra,
        ]),
      )
    },
    close: async () => {
      await end()
      return stream ? path : null
    },
    discard: async () => {
      await end()
      await rm(path, { force: true })
    },
  }
}
