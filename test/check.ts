// `npm run check`: everything a change has to pass, cheapest first; stops at the first step that fails and says what
// to do. `--quick` leaves the tests out.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

interface Step {
  readonly name: string
  /** A script, run under this Node. */
  readonly script: string
  readonly args: readonly string[]
  readonly remedy: string
}

const root = resolve(import.meta.dirname, '..')
const tsc = 'node_modules/typescript/bin/tsc'
const typesRemedy = 'Mend the types; no suppressions.'
const steps: Step[] = [
  {
    name: 'format and lint',
    script: 'node_modules/@biomejs/biome/bin/biome',
    args: ['ci', ...(process.stdout.isTTY ? [] : ['--colors=off'])],
    remedy: 'Run "npm run format"; what it leaves is yours to mend.',
  },
  { name: 'types', script: tsc, args: ['-p', '.'], remedy: typesRemedy },
  { name: 'types of the console', script: tsc, args: ['-p', 'web/tsconfig.json'], remedy: typesRemedy },
  {
    name: 'tidy',
    script: 'test/tidy.test.ts',
    args: ['--test-reporter=dot'],
    remedy: 'Each line names a file and a rule of test/tidy-*.ts.',
  },
  {
    name: 'generated files',
    script: 'tools/gen/run.ts',
    args: ['--check'],
    remedy: 'Run "npm run gen" and commit generated/.',
  },
  { name: 'tests', script: 'test/run.ts', args: [], remedy: 'Run one alone: npm test -- PART-OF-ITS-PATH' },
]

const isQuick = process.argv.includes('--quick')
for (const step of steps) {
  if (isQuick && step.name === 'tests') continue
  if (step.args.includes('web/tsconfig.json') && !existsSync(join(root, 'web/tsconfig.json'))) continue
  const began = performance.now()
  const isTest = step.script.endsWith('.test.ts')
  const args = ['--disable-warning=ExperimentalWarning', ...(isTest ? ['--test', ...step.args] : []), step.script]
  const { status, signal } = spawnSync(process.execPath, isTest ? args : [...args, ...step.args], {
    cwd: root,
    stdio: 'inherit',
  })
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${step.name} ${seconds} s`)
  if (status !== 0) {
    console.log(signal ? `Ended by ${signal}.` : step.remedy)
    process.exit(status ?? 1)
  }
}
