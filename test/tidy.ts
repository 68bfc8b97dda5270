import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as imports from './tidy-imports.ts'
import { type Files, type Finding, isCode, parseSource, type Source } from './tidy-source.ts'
import * as sql from './tidy-sql.ts'
import * as text from './tidy-text.ts'

/** Every rule of the house that a program can check, as functions of a checkout's text. */
export function tidy(files: Files): Finding[] {
  const sources = parseAll(files)
  return [
    ...imports.moduleImports(sources),
    ...imports.platformImports(sources),
    ...imports.webImports(sources),
    ...imports.demoImports(sources),
    ...imports.importExtension(sources),
    ...imports.barrel(sources),
    ...imports.defaultExport(sources),
    ...imports.pureRules(sources),
    ...imports.moduleFiles([...files.keys()]),
    ...imports.deadFiles(sources),
    ...sql.sqlBounds(sources, files),
    ...sql.sqlHome(sources),
    ...sql.sqlClock(sources, files),
    ...text.leftovers(files),
    ...text.suppressions(files),
    ...text.focusedTests(files),
    ...text.rawMarkup(files),
    ...text.machinePaths(files),
    ...text.issueNumbers(files),
    ...text.lockHosts(files),
    ...text.pinnedVersions(files),
    ...text.migrationNumbers(files),
    ...text.drawerNames(files),
    ...text.fileLengths(files),
    ...text.clock(sources),
    ...text.chance(sources),
    ...text.environment(sources),
  ]
}

export function parseAll(files: Files): Source[] {
  return [...files].filter(([file]) => isCode(file)).map(([file, content]) => parseSource(file, content))
}

const IGNORED = ['node_modules', '.git', 'data', 'web/dist', 'test/e2e/__screenshots__']
const TEXT = /\.(ts|tsx|js|mjs|json|sql|md|ya?ml|css|html|svg|sh)$|(^|\/)(perennial|\.npmrc|\.gitignore|run)$/
const FILE_BYTES_MAX = 2 * 1024 * 1024

/** The text files of a checkout, without what .gitignore leaves out. */
export async function readTree(root: string, folder = ''): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    const path = folder ? `${folder}/${entry.name}` : entry.name
    if (IGNORED.includes(path) || entry.name === 'node_modules') continue
    if (entry.isDirectory()) for (const [file, content] of await readTree(root, path)) files.set(file, content)
    if (!entry.isFile() || !TEXT.test(path)) continue
    const content = await readFile(join(root, path), 'utf8')
    if (content.length <= FILE_BYTES_MAX) files.set(path, content)
  }
  return files
}
