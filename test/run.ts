// `npm test` [-- FILTER…], `npm run test:long` [-- FILTER…]: every test file whose path contains one of the filters.
//
// All files run on the packaged PostgreSQL; those that prove our SQL run again on PostgreSQL 15, the oldest we
// promise, where it is installed. Files ending in .long.test.ts run with --long only.
//
// The framework's own command line is not enough: it cannot start a server first, nor run a part again elsewhere.

import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { DEMO_ENV, makeDemo } from './product.ts'
import { HISTORIES_ENV, root, SERVER_ENV, startTestServer, type TestServer } from './server.ts'

const FOLDERS = '{src,demo,sandbox,test,tools,web}'
/** Files at a time: the machines we promise have two cores. */
const CONCURRENCY = 2
const FILE_TIMEOUT_MS = 5 * 60_000
const LONG_FILE_TIMEOUT_MS = 45 * 60_000
/** `--long` runs each property on this many times as many random histories. */
const LONG_HISTORIES = 10

/**
 * Where a statement that PostgreSQL 15 does not know would do harm: migrations, and each module that writes, by the tests that
 * meet most of its statements. `--long` runs all of them.
 */
const SHORT_SET_ON_15 = [
  /^src\/platform\/migrate.*\.db\.test\.ts$/,
  /^src\/modules\/intake\/(beside|facts|pending|versions)\.db\.test\.ts$/,
  /^src\/modules\/commerce\/(import|refunds|spreads|versions)\.db\.test\.ts$/,
  /^src\/modules\/tags\/routes\.db\.test\.ts$/,
  /^src\/modules\/customers\/people\.db\.test\.ts$/,
  /^src\/modules\/relationship\/(advocate|depth|lapse|migration|people|rfm)\.db\.test\.ts$/,
  /^src\/modules\/analytics\/.*\.db\.test\.ts$/,
  /^src\/modules\/segments\/(segments|tag-rules)\.db\.test\.ts$/,
  /^tools\/gen\/schema\.db\.test\.ts$/,
  /^test\/upgrade.*\.db\.test\.ts$/,
]
const PACKAGED_15 = '/usr/lib/postgresql/15/bin'

interface Counts {
  passed: number
  failed: number
  skipped: number
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort())

/** The longest come first, so that none of them is left over for one core at the end. */
const isBegunFirst = (file: string) => file.endsWith('.e2e.test.ts')

const args = process.argv.slice(2)
const long = args.includes('--long')
const filters = args.filter((argument) => argument !== '--long').map((filter) => filter.replace(/^\.\//, ''))
const files = globSync(`${FOLDERS}/**/*.test.ts`, { cwd: root, exclude: (name) => name.endsWith('node_modules') })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => long || !file.endsWith('.long.test.ts'))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort()
  .sort((one, other) => Number(isBegunFirst(other)) - Number(isBegunFirst(one)))

const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
/** What each file took, for whoever wants the suite to stay fast. */
const seconds = new Map<string, number>()
const SLOWEST_SHOWN = 12
try {
  if (files.length === 0) console.log(`No test file matches ${filters.join(' ') || 'at all'}.`)
  else await runAll()
} catch (error) {
  if (!interrupted.signal.aborted) {
    console.error(error)
    counts.failed += 1
  }
}
if (interrupted.signal.aborted) {
  console.log('Interrupted.')
  process.exit(130)
}
const slowest = [...seconds].sort(([, one], [, other]) => other - one).slice(0, SLOWEST_SHOWN)
if (seconds.size > 0) for (const [file, took] of slowest) console.log(`${took.toFixed(0).padStart(5)} s  ${file}`)
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0)

async function runAll(): Promise<void> {
  process.env[HISTORIES_ENV] = String(long ? LONG_HISTORIES : 1)
  const demo = files.some((file) => file.startsWith('test/e2e/')) ? await makeDemo() : undefined
  if (demo) process.env[DEMO_ENV] = demo.folder
  try {
    await runOn('the packaged PostgreSQL', undefined, files)
  } finally {
    await demo?.remove()
  }
  const on15 = files.filter((file) =>
    long ? file.endsWith('.db.test.ts') : SHORT_SET_ON_15.some((pattern) => pattern.test(file)),
  )
  if (on15.length === 0 || interrupted.signal.aborted) return
  // Statements have to be known there, which the histories of the usual seed prove.
  process.env[HISTORIES_ENV] = 'chosen'
  const pgBin = process.env.PG_BIN || PACKAGED_15
  if (existsSync(join(pgBin, 'postgres'))) await runOn(pgBin, pgBin, on15)
  else
    console.log(
      `NOT RUN on PostgreSQL 15: no server in ${pgBin} (install Debian's postgresql-15, or name it by PG_BIN).`,
    )
}

async function runOn(where: string, pgBin: string | undefined, chosen: string[]): Promise<void> {
  const server = await startTestServer(pgBin ? { pgBin } : {})
  try {
    console.log(`\nPostgreSQL ${server.version} (${where}), ${chosen.length} test files`)
    await runFiles(server, chosen)
  } finally {
    await server.stop()
  }
}

async function runFiles(server: TestServer, chosen: string[]): Promise<void> {
  process.env[SERVER_ENV] = server.url
  const stream = run({
    files: chosen.map((file) => join(root, file)),
    cwd: root,
    concurrency: CONCURRENCY,
    timeout: long ? LONG_FILE_TIMEOUT_MS : FILE_TIMEOUT_MS,
    signal: interrupted.signal,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  stream.on('test:summary', (summary) => {
    // One summary for each file and, without a file, one for the whole run.
    if (summary.file !== undefined) {
      const file = summary.file.slice(root.length + 1)
      seconds.set(file, (seconds.get(file) ?? 0) + summary.duration_ms / 1000)
      return
    }
    const { tests, passed, skipped, todo } = summary.counts
    const failed = tests - passed - skipped - todo
    counts.passed += passed
    counts.skipped += skipped + todo
    // A suite whose own hook fails is no test and would be counted nowhere.
    counts.failed += failed === 0 && !summary.success ? 1 : failed
  })
  const report = stream.compose(new spec())
  report.pipe(process.stdout, { end: false })
  await finished(report)
}
