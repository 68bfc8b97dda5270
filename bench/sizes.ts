import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Installation } from '../src/platform/installation.ts'
import { withInstallation } from './cluster.ts'
import { type Line, machineFacts, printReport } from './report.ts'

export interface Bench {
  /** What a wrong call is answered with. */
  readonly usage: string
  /** Sizes of brand when none are named. */
  readonly sizes: string
  /** `last-<name>.json` takes what was measured. */
  readonly name: string
  readonly before?: (installation: Installation) => Promise<void>
  readonly measure: (installation: Installation, people: number, lines: Line[]) => Promise<void>
}

/**
 * A bench over several sizes of brand, `--people N,N…`, the smallest first, in an installation of its own, or in one that `--home`
 * keeps: prints a table, and keeps it in a file.
 *
 * @returns what was measured; the caller decides whether that is a failure.
 */
export async function benchSizes({ usage, sizes, name, before, measure }: Bench): Promise<Line[]> {
  const asked = readArguments(process.argv.slice(2), sizes)
  if (!asked) {
    console.error(`usage: ${usage} [--home FOLDER], each at least 1000`)
    process.exit(2)
  }
  const lines: Line[] = []
  await withInstallation(async (installation) => {
    const machine = await machineFacts(installation.control)
    await before?.(installation)
    for (const size of asked.people) await measure(installation, size, lines)
    printReport(machine, lines)
    const path = join(import.meta.dirname, `last-${name}.json`)
    await writeFile(path, `${JSON.stringify({ machine, lines }, undefined, 2)}\n`)
  }, asked.home)
  return lines
}

function readArguments(args: string[], sizes: string): { people: number[]; home: string | undefined } | undefined {
  const { values } = parseArgs({ args, options: { people: { type: 'string' }, home: { type: 'string' } } })
  const people = (values.people ?? sizes).split(',').map(Number)
  const isPossible = people.every((size) => Number.isInteger(size) && size >= 1000)
  return isPossible ? { people: people.sort((a, b) => a - b), home: values.home } : undefined
}
