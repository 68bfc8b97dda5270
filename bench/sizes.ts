import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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
 * A bench over several sizes of brand, `--people N,N…`, the smallest first, in an installation of its own: prints a table, and keeps it
 * in a file.
 *
 * @returns what was measured; the caller decides whether that is a failure.
 */
export async function benchSizes({ usage, sizes, name, before, measure }: Bench): Promise<Line[]> {
  const people = readSizes(process.argv.slice(2), sizes)
  if (!people) {
    console.error(`usage: ${usage}, each at least 1000`)
    process.exit(2)
  }
  const lines: Line[] = []
  await withInstallation(async (installation) => {
    const machine = await machineFacts(installation.control)
    await before?.(installation)
    for (const size of people) await measure(installation, size, lines)
    printReport(machine, lines)
    const path = join(import.meta.dirname, `last-${name}.json`)
    await writeFile(path, `${JSON.stringify({ machine, lines }, undefined, 2)}\n`)
  })
  return lines
}

function readSizes(args: readonly string[], sizes: string): number[] | undefined {
  const [flag, list = sizes, ...rest] = args
  const read = list.split(',').map(Number)
  const isRight = (flag === undefined || flag === '--people') && rest.length === 0
  const isPossible = read.every((size) => Number.isInteger(size) && size >= 1000)
  return isRight && isPossible ? read.sort((a, b) => a - b) : undefined
}
