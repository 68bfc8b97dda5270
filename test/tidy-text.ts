import { type Files, type Finding, isCode, isTest, lineOf, type Source } from './tidy-source.ts'

const LINES_MAX = 500

/** These files name what they look for. */
const isTidy = (file: string) => /^test\/tidy[^/]*\.ts$/.test(file)

/** One rule over the text of the files that `where` chooses. */
function textRule(rule: string, where: (file: string) => boolean, pattern: RegExp, message: string) {
  return (files: Files): Finding[] =>
    [...files]
      .filter(([file]) => where(file) && !isTidy(file))
      .flatMap(([file, text]) =>
        [...text.matchAll(pattern)].map((match) => ({
          rule,
          file,
          line: lineOf(text, match.index),
          message: `"${match[0].trim()}": ${message}`,
        })),
      )
}

export const leftovers = textRule('leftover', () => true, /\b(TODO|FIXME|XXX)\b/g, 'do it, or say it in the backlog')
export const suppressions = textRule(
  'suppression',
  (file) => isCode(file) || file.endsWith('.mjs') || file.endsWith('.js'),
  /biome-ignore|@ts-(ignore|expect-error|nocheck)|\bas any\b|eslint-disable/g,
  'mend the cause',
)
export const focusedTests = textRule(
  'focused-test',
  isTest,
  /\b(test|it|describe|suite)\.(only|skip|todo)\(|\bonly: true\b/g,
  'every test runs; one that lacks a file skips itself with a reason (needData)',
)
export const rawMarkup = textRule(
  'raw-markup',
  (file) => file.startsWith('web/') && isCode(file),
  /\b(dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|srcdoc)\b|\bdocument\.write\(/g,
  'names of people and items hold whatever somebody typed: let React write them as text',
)
export const machinePaths = textRule(
  'machine-path',
  (file) => file !== '.gitignore',
  /(?<![\w.])\/(work|root|home\/\w+|Users\/\w+)\/|registry\.(npmjs|npmmirror|yarnpkg)\.\w+/g,
  'nobody else has this machine',
)
export const issueNumbers = textRule(
  'issue-number',
  () => true,
  /\bissue #\d+/gi,
  'say what the code is about; history is in git',
)
export const lockHosts = textRule(
  'lock-host',
  (file) => file.endsWith('package-lock.json'),
  /"resolved": "https?:[^"]*"/g,
  'the lock names no host: see .npmrc',
)

export function pinnedVersions(files: Files): Finding[] {
  const manifests = [...files].filter(([file]) => /(^|\/)package\.json$/.test(file))
  return manifests.flatMap(([file, text]) => {
    const manifest: Record<string, Record<string, string> | undefined> = JSON.parse(text)
    const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']
    return kinds
      .flatMap((kind) => Object.entries(manifest[kind] ?? {}))
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => ({
        rule: 'pinned-version',
        file,
        line: lineOf(text, Math.max(0, text.indexOf(`"${name}"`))),
        message: `${name} is "${version}": name one version`,
      }))
  })
}

export function migrationNumbers(files: Files): Finding[] {
  const sets = new Map<string, string[]>()
  for (const file of files.keys()) {
    const set = /^migrations\/([^/]+)\//.exec(file)?.[1]
    if (set) sets.set(set, [...(sets.get(set) ?? []), file])
  }
  return [...sets.values()].flatMap((paths) =>
    paths.sort().flatMap((file, index) => {
      const expected = String(index + 1).padStart(4, '0')
      const isRight = new RegExp(`^migrations/[^/]+/${expected}_[a-z0-9_]+\\.sql$`).test(file)
      return isRight ? [] : [{ rule: 'migration-number', file, line: 1, message: `should be ${expected}_words.sql` }]
    }),
  )
}

/** A drawer takes anything; a file is named after what it holds. */
export function drawerNames(files: Files): Finding[] {
  return [...files.keys()]
    .filter((file) => /(^|\/)(utils?|helpers?|common|misc|shared)(\/|\.[^/]+$)/i.test(file))
    .map((file) => ({ rule: 'drawer-name', file, line: 1, message: 'name it after what it holds' }))
}

export function fileLengths(files: Files): Finding[] {
  return [...files].flatMap(([file, text]) => {
    const lines = text.split('\n').length - 1
    if (!isCode(file) || isTest(file) || lines <= LINES_MAX) return []
    return [{ rule: 'file-length', file, line: lines, message: `${lines} lines; at most ${LINES_MAX}: split it` }]
  })
}

/** Where a member or a name may be used, by who it is that brings the outside in. */
function outsideRule(rule: string, isHome: (file: string) => boolean, pick: (source: Source) => Finding[]) {
  return (sources: readonly Source[]): Finding[] =>
    sources
      .filter(({ file }) => file.startsWith('src/') && !isTest(file) && !isHome(file))
      .flatMap(pick)
      .map((finding) => ({ ...finding, rule }))
}

function spotted(source: Source, spots: readonly { readonly offset: number }[], message: string): Finding[] {
  const { file, text } = source
  return spots.map(({ offset }) => ({ rule: '', file, line: lineOf(text, offset), message }))
}

/** Files that wait for a process, at most so long: that measures a span and asks for no instant. */
const BOUNDED_WAITS = /^src\/platform\/(embedded-postgres[\w-]*|stopping)\.ts$/

export const clock = outsideRule(
  'clock',
  (file) => file === 'src/platform/clock.ts',
  (source) => {
    const banned = ['Date.now', 'Temporal.Now', 'process.hrtime']
    if (!BOUNDED_WAITS.test(source.file)) banned.push('performance.now')
    const asked = source.members.filter(({ path }) => banned.includes(path))
    return spotted(source, [...asked, ...source.emptyDates], 'time enters by src/platform/clock.ts')
  },
)

export const chance = outsideRule(
  'chance',
  (file) => file === 'src/platform/ids.ts',
  (source) => {
    // Secrets and the names of temporary files are the platform's own, and nobody replays them.
    const isPlatform = source.file.startsWith('src/platform/')
    const banned = ['Math.random', ...(isPlatform ? [] : ['crypto.randomUUID', 'crypto.getRandomValues'])]
    const names = isPlatform ? [] : ['randomUUID', 'randomBytes', 'randomInt']
    const asked = [
      ...source.members.filter(({ path }) => banned.includes(path)),
      ...source.calls.filter(({ name }) => names.includes(name)),
    ]
    return spotted(source, asked, 'ids and chance enter by src/platform/ids.ts')
  },
)

export const environment = outsideRule(
  'environment',
  (file) => file === 'src/platform/config.ts',
  (source) => {
    const read = source.members.filter(({ path }) => path === 'process.env')
    const imported = source.imports.filter(({ specifier }) => /^(node:)?process$/.test(specifier))
    return spotted(source, [...read, ...imported], 'the environment enters by src/platform/config.ts')
  },
)
