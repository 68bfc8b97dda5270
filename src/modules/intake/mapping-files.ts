import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { TableError, type TableFile } from '../../platform/table.ts'
import { openTable } from '../../platform/table-file.ts'
import { type GuessKind, guessMapping, type MappingGuess } from './rules.ts'
import { type Mapping, mapping, type UploadGuess } from './schema.ts'

/**
 * A mapping by its name (shipped ones, in `folders`) or by the path of a YAML file.
 * What is wrong in it is said with the place: `columns.order_id: …`.
 */
export async function loadMapping(
  nameOrPath: string | Mapping,
  folders: readonly string[],
): Promise<Mapping | Refusal> {
  if (typeof nameOrPath !== 'string') return nameOrPath
  const isPath = /[./\\]/.test(nameOrPath)
  const paths = isPath ? [nameOrPath] : folders.map((folder) => join(folder, `${nameOrPath}.yaml`))
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => undefined)))
  const path = paths[texts.findIndex((text) => text !== undefined)] ?? nameOrPath
  const text = texts.find((found) => found !== undefined)
  if (text === undefined) {
    const shipped = (await Promise.all([...new Set(folders)].map((folder) => readdir(folder)))).flat().sort()
    return refuse(
      'missing',
      'unknown_mapping',
      `There is no mapping "${nameOrPath}".`,
      `Use one of: ${shipped.map((name) => name.replace(/\.yaml$/, '')).join(', ')}, or the path of a YAML file.`,
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

/** Rows that a mapping is guessed by. */
const GUESS_ROWS = 200

/**
 * The mapping that a file most likely needs, of the kinds given.
 * @returns undefined when nothing in it is recognised; a refusal when it cannot be read.
 */
export async function guessFile(
  path: string,
  kinds: readonly Pick<
    GuessKind & { mappingsFolder: string },
    'kind' | 'fields' | 'missingFields' | 'status' | 'mappingsFolder'
  >[],
): Promise<MappingGuess | undefined | Refusal> {
  const known: GuessKind[] = []
  for (const { mappingsFolder, ...kind } of kinds) {
    const names = (await readdir(mappingsFolder)).sort()
    const loaded = await Promise.all(names.map((name) => loadMapping(join(mappingsFolder, name), [])))
    // A folder may hold mappings of several kinds.
    const shipped = loaded.filter((mapping) => !isRefusal(mapping)).filter((mapping) => mapping.kind === kind.kind)
    known.push({ ...kind, shipped })
  }
  const file = await openFile(path)
  if (isRefusal(file)) return file
  try {
    for await (const batch of file.batches) {
      const rows = batch.slice(0, GUESS_ROWS).map(({ fields }) => fields)
      return guessMapping(file.header, rows, known)
    }
    return guessMapping(file.header, [], known)
  } catch (error) {
    if (error instanceof TableError) return unreadable(path, error.message)
    throw error
  } finally {
    file.close()
  }
}

/** Values of a column that are shown beside its name, and how many it may have to be shown whole: the words of a status. */
const [SAMPLES, WORDS_MAX, WORD_CHARACTERS_MAX] = [3, 20, 40]
/** Words are looked for in so many rows: an order that was closed may be the five hundredth. */
const WORD_ROWS = 5000

/** What stands in a file: its columns by name, with the first values that they have. */
export async function describeFile(path: string): Promise<Pick<UploadGuess, 'columns' | 'header_line'> | Refusal> {
  const table = await openFile(path)
  if (isRefusal(table)) return table
  const found = table.header.map(() => new Set<string>())
  let rows = 0
  try {
    for await (const batch of table.batches) {
      for (const { fields } of batch) {
        for (const [place, values] of found.entries()) {
          const value = (fields[place] ?? '').trim().slice(0, 60)
          if (value !== '' && values.size <= WORDS_MAX) values.add(value)
        }
      }
      rows += batch.length
      if (rows >= WORD_ROWS) break
    }
  } catch (error) {
    if (error instanceof TableError) return unreadable(path, error.message)
    throw error
  } finally {
    table.close()
  }
  const areWords = (values: readonly string[]) =>
    values.length <= WORDS_MAX && values.every((value) => value.length <= WORD_CHARACTERS_MAX)
  const columns = table.header.map((name, place) => {
    const values = [...(found[place] ?? [])]
    return { name, samples: values.slice(0, SAMPLES), words: areWords(values) ? values : [] }
  })
  return { columns, header_line: table.headerLine }
}

/** The table of a file that a user named, or why it cannot be read. */
export async function openFile(path: string): Promise<TableFile | Refusal> {
  try {
    return await openTable(path)
  } catch (error) {
    if (error instanceof TableError) return unreadable(path, error.message)
    const { code } = error as { code?: string }
    if (code === 'ENOENT') return refuse('missing', 'no_such_file', `There is no file ${path}.`, 'Check the path.')
    if (code === 'EACCES') {
      return refuse('forbidden', 'unreadable_file', `${path} may not be read.`, 'Check its permissions.')
    }
    if (code === 'EISDIR') return refuse('invalid', 'is_folder', `${path} is a folder.`, 'Name a file.')
    throw error
  }
}

export function unreadable(path: string, message: string): Refusal {
  const remedy = 'Then import it again: CSV, JSON lines (each also gzipped) and XLSX are read.'
  return refuse('invalid', 'unreadable_table', `${path}: ${message}`, remedy)
}
