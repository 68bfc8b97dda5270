import { MODULES, type ModuleDeclaration } from '../src/modules/dependencies.ts'
import { type Finding, type Import, isTest, lineOf, type Source } from './tidy-source.ts'

/** What of a module others may import, and what the composition in src/bin may take besides. */
const PUBLIC_FILES = ['schema.ts', 'actions.ts']
const COMPOSED_FILES = [...PUBLIC_FILES, 'routes.ts', 'jobs.ts']

/** Platform files that rules.ts may import: functions of their arguments, themselves held to the rule. */
const PURE_PLATFORM = ['refusal', 'money', 'fields'].map((name) => `src/platform/${name}.ts`)
const PURE_PACKAGES = ['zod', 'temporal-polyfill', 'libphonenumber-js/max']

/**
 * Files of a module that are none of schema, rules, queries, actions, routes, jobs, each with the reason why it
 * stands. A name that begins with `queries` may hold SQL.
 */
export const FURTHER_FILES: Readonly<Record<string, string>> = {
  'src/modules/value/numeric.ts': 'special functions that no kept package has: mathematics alone',
  'src/modules/value/optimise.ts': 'maximum likelihood for every model: mathematics alone',
  'src/modules/value/histories.ts': 'what every model of occasions is fitted to, equal people together',
  'src/modules/value/nbd.ts': 'one model with its formulas; rules.ts chooses between them',
  'src/modules/value/bg-nbd.ts': 'one model with its formulas; rules.ts chooses between them',
  'src/modules/value/pareto-nbd.ts': 'one model with its formulas; rules.ts chooses between them',
  'src/modules/value/gamma-gamma.ts': 'one model with its formulas; rules.ts chooses between them',
  'src/modules/value/sbg.ts': 'one model with its formulas, for contracts',
  'src/modules/value/purchases.ts': 'a plain list of payments as histories, for files that are in no brand',
  'src/modules/value/plain-table.ts':
    'a plain table from its payments to its values; rules.ts is what the brand uses too',
  'src/modules/value/rhythm.ts': 'whether somebody keeps their own rhythm; rules.ts is about what they are worth',
  'src/modules/value/lever.ts': 'what is missing for somebody to come back; rules.ts is about what they are worth',
  'src/modules/value/reading.ts': 'values as they are asked for, one answer for each question; runs.ts makes them',
  'src/modules/value/runs.ts': 'when a brand is valued and what is followed between; actions.ts asks for values',
  'src/modules/value/making.ts': 'one run from the facts to the values, as of now or of a past day; runs.ts says when',
  'src/modules/value/past.ts': 'values as of a past day, and what came since; runs.ts is about those of now',
  'src/modules/value/propagation.ts':
    'which referrals count and how value is split over them; rules.ts is about occasions',
  'src/modules/intake/access.ts': 'who may send facts: keys and signed webhooks; actions.ts is about files',
  'src/modules/intake/access-routes.ts': 'keys and webhooks for the pages of settings; routes.ts is what facts come by',
  'src/modules/intake/import-routes.ts': 'files through the console; routes.ts is what facts come by',
  'src/modules/intake/uploads.ts':
    'files that came by the console, on disk until they are imported: no SQL and no verb',
  'src/modules/intake/facts.ts': 'facts by API; with the files of actions.ts it would be too long to read',
  'src/modules/intake/gathering.ts': 'which requests are stored by one transaction; facts.ts stores them',
  'src/modules/intake/import-files.ts': 'a file from its rows to its report; actions.ts finds out how it is to be read',
  'src/modules/intake/runs.ts':
    'what an import has read so far, on disk, so that a killed one goes on: no SQL and no verb',
  'src/modules/intake/undo.ts': 'taking an import back; with the files of actions.ts it would be too long to read',
  'src/modules/intake/rejects.ts': 'the files of rows that were not stored: written, and rid of who is erased',
  'src/modules/relationship/migration.ts': 'who moved between two instants; actions.ts is about standing at one',
  'src/modules/segments/definition.ts':
    'a definition read, checked and made whole, by the table of clauses, which holds SQL',
  'src/modules/segments/continuation.ts': 'members in the transaction of standing; jobs.ts is what works on its own',
  'src/modules/segments/explanation.ts': 'why one person is in or out, and until when; actions.ts is about everybody',
  'src/modules/intake/erasure.ts': 'who was erased, asked at every intake, by files and by API',
  'src/modules/customers/erasure.ts': 'erasing a person: one order of steps over all modules that keep facts by person',
  'src/modules/intake/row-rules.ts':
    'what a mapping does to rows of any kind, over the rows of a file; rules.ts guesses',
  'src/modules/intake/mapping-files.ts': 'mappings as files, and which one a file needs; actions.ts takes files in',
  'src/modules/customers/fact-kinds.ts': 'the facts about one person that customers keeps, each by API and by file',
  'src/modules/customers/personal-files.ts': 'files of all facts about one person, for every module that has some',
  'src/modules/customers/personal-facts.ts': 'what all facts about one person share, for every module that has some',
}

/** Further files that are rules by another name: held to the rule for rules.ts, and rules.ts may import them. */
const PURE_FURTHER = [
  'numeric',
  'optimise',
  'histories',
  'nbd',
  'bg-nbd',
  'pareto-nbd',
  'gamma-gamma',
  'sbg',
  'purchases',
  'plain-table',
  'propagation',
  'rhythm',
  'lever',
].map((name) => `src/modules/value/${name}.ts`)

const declarations: readonly ModuleDeclaration[] = MODULES

export function moduleOf(file: string): string | undefined {
  return /^src\/modules\/([^/]+)\//.exec(file)?.[1]
}

export function knownBy(module: string | undefined): readonly string[] {
  return declarations.find((declaration) => declaration.name === module)?.knows ?? []
}

export const moduleNames: readonly string[] = declarations.map((declaration) => declaration.name)

/** One rule over each import of each file: `object` returns what is wrong with it. */
function importRule(rule: string, object: (source: Source, imported: Import) => string | undefined) {
  return (sources: readonly Source[]): Finding[] =>
    sources.flatMap((source) =>
      source.imports.flatMap((imported) => {
        const message = object(source, imported)
        return message ? [{ rule, file: source.file, line: lineOf(source.text, imported.offset), message }] : []
      }),
    )
}

export const moduleImports = importRule('module-imports', (source, { target = '' }) => {
  const from = moduleOf(source.file)
  const to = moduleOf(target)
  if (isTest(source.file) || !to || from === to) return undefined
  const part = target.slice(`src/modules/${to}/`.length)
  if (source.file.startsWith('src/bin/')) {
    return COMPOSED_FILES.includes(part) ? undefined : `takes ${target}: composition takes ${COMPOSED_FILES.join(', ')}`
  }
  if (!from) return undefined
  if (!knownBy(from).includes(to)) return `${from} may not know ${to} (src/modules/dependencies.ts)`
  return PUBLIC_FILES.includes(part) ? undefined : `${target} is private: take ${PUBLIC_FILES.join(' or ')}`
})

export const platformImports = importRule('platform-imports', (source, { target = '' }) => {
  if (!source.file.startsWith('src/platform/') || isTest(source.file)) return undefined
  return /^src\/(modules|bin)\//.test(target) ? `the platform knows no ${target}` : undefined
})

export const webImports = importRule('web-imports', (source, { target = '' }) => {
  if (!source.file.startsWith('web/') || isTest(source.file)) return undefined
  return target.startsWith('src/') ? `the console is a client: take generated/openapi.ts, not ${target}` : undefined
})

export const demoImports = importRule('demo-imports', (source, { target = '' }) => {
  if (!source.file.startsWith('demo/') || isTest(source.file)) return undefined
  const isPrivate = moduleOf(target) && !PUBLIC_FILES.some((part) => target.endsWith(`/${part}`))
  return isPrivate ? `a demo speaks through the actions a user has, not ${target}` : undefined
})

export const importExtension = importRule('import-extension', (_source, { specifier, target }) =>
  target && !/\.(ts|tsx|css|json|svg|mjs|js)$/.test(specifier) ? `"${specifier}" needs its extension` : undefined,
)

export const barrel = (sources: readonly Source[]): Finding[] =>
  importRule('barrel', (source, imported) => {
    if (!imported.isReExport) return undefined
    const isIndex = /(^|\/)index\.tsx?$/.test(source.file)
    return imported.isStar || isIndex ? 'names things where they do not stand: import them from their file' : undefined
  })(sources)

export function defaultExport(sources: readonly Source[]): Finding[] {
  return sources
    .filter(({ file }) => /^(src|demo|test|tools)\//.test(file))
    .flatMap(({ file, text, defaultExports }) =>
      defaultExports.map(({ offset }) => ({
        rule: 'default-export',
        file,
        line: lineOf(text, offset),
        message: 'has no name to search for: export it by name',
      })),
    )
}

/** rules.ts and what it may import decide from their arguments alone. */
export function pureRules(sources: readonly Source[]): Finding[] {
  const impure = importRule('pure-rules', (source, { specifier, target }) => {
    if (!isPure(source.file)) return undefined
    const allowed = target
      ? PURE_PLATFORM.includes(target) || PURE_FURTHER.includes(target) || /\/(rules|schema)\.ts$/.test(target)
      : PURE_PACKAGES.includes(specifier)
    return allowed ? undefined : `a rule decides from its arguments and may not import ${specifier}`
  })
  const touching = sources
    .filter(({ file }) => isPure(file))
    .flatMap(({ file, text, members }) =>
      members
        .filter(({ path }) => path.startsWith('process.'))
        .map(({ offset, path }) => ({
          rule: 'pure-rules',
          file,
          line: lineOf(text, offset),
          message: `a rule decides from its arguments and may not ask ${path}`,
        })),
    )
  return [...impure(sources), ...touching]
}

function isPure(file: string): boolean {
  return /^src\/modules\/[^/]+\/rules\.ts$/.test(file) || PURE_PLATFORM.includes(file) || PURE_FURTHER.includes(file)
}

export function moduleFiles(files: readonly string[]): Finding[] {
  return files.flatMap((file) => {
    const module = moduleOf(file)
    if (!module) return []
    const finding = (message: string) => [{ rule: 'module-files', file, line: 1, message }]
    if (!moduleNames.includes(module)) return finding(`${module} is not in src/modules/dependencies.ts`)
    const name = file.slice(`src/modules/${module}/`.length)
    const isKnown =
      /^(schema|rules|([a-z]+-)?queries|actions|routes|jobs)\.ts$/.test(name) ||
      /^[^/]+\.test\.ts$/.test(name) ||
      /^mappings\/[^/]+\.yaml$/.test(name) ||
      FURTHER_FILES[file] !== undefined
    return isKnown ? [] : finding('is none of the files a module has; see FURTHER_FILES in test/tidy-imports.ts')
  })
}

/** Files of src that nothing composes, tests or builds. */
export function deadFiles(sources: readonly Source[]): Finding[] {
  const byFile = new Map(sources.map((source) => [source.file, source]))
  const isRoot = (file: string) => !file.startsWith('src/') || file.startsWith('src/bin/') || isTest(file)
  const reached = new Set<string>()
  const due = [...byFile.keys()].filter(isRoot)
  for (let file = due.pop(); file !== undefined; file = due.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    for (const { target } of byFile.get(file)?.imports ?? []) if (target) due.push(target)
  }
  return [...byFile.keys()]
    .filter((file) => !reached.has(file))
    .map((file) => ({ rule: 'dead-file', file, line: 1, message: 'nothing imports it' }))
}
