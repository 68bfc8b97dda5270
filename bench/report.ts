import { availableParallelism, cpus, totalmem } from 'node:os'
import type { Database } from '../src/platform/db.ts'

/** One figure at one size of brand. */
export interface Line {
  readonly people: number
  readonly work: string
  readonly unit: 's' | '/s' | 'MB' | '×' | 'rows' | 'people' | 'pages'
  readonly value: number
  /** Rows that the time was spent on. */
  readonly rows?: number
  readonly limit?: number
  /** A ratio within this run, or a count, says the same on every machine, so its limit is a promise; other limits are goals. */
  readonly isPromise?: boolean
}

export interface Machine {
  readonly date: string
  readonly cores: number
  readonly cpu: string
  readonly memoryGb: number
  readonly node: string
  readonly postgresql: string
  readonly settings: Record<string, string>
}

const SETTINGS = [
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'shared_buffers',
  'work_mem',
  'maintenance_work_mem',
  'effective_cache_size',
  'max_wal_size',
  'wal_compression',
  'max_parallel_workers_per_gather',
  'random_page_cost',
  'jit',
]

export async function machineFacts(database: Database): Promise<Machine> {
  const { rows } = await database.pool.query<{ name: string; value: string }>(
    `select name, current_setting(name) as value from pg_settings where name = any ($1)`,
    [[...SETTINGS, 'server_version']],
  )
  const values = Object.fromEntries(rows.map(({ name, value }) => [name, value]))
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    node: process.version,
    postgresql: values.server_version ?? 'unknown',
    settings: Object.fromEntries(SETTINGS.map((name) => [name, values[name] ?? ''])),
  }
}

export function printReport(machine: Machine, lines: readonly Line[]): void {
  const header = ['work', 'people', 'value', 'per row', 'limit', '']
  const rows = lines.map((line) => [
    line.work,
    String(line.people),
    `${rounded(line.value)} ${line.unit}`,
    line.rows && line.unit === 's' ? `${rounded((line.value / line.rows) * 1e6)} µs of ${line.rows}` : '',
    line.limit === undefined ? '' : `${line.isPromise ? 'limit' : 'goal'} ${line.limit} ${line.unit}`,
    line.limit === undefined ? '' : line.value <= line.limit ? 'pass' : 'over',
  ])
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)))
  console.log()
  for (const row of [header, ...rows]) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  }
  printSlopes(lines)
  const { settings, ...facts } = machine
  console.log(`\n${Object.values(facts).join(' · ')}`)
  console.log(
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  )
}

/** Time grows as people^slope from the smallest to the largest size; above 1 a person costs more in a larger brand. */
function printSlopes(lines: readonly Line[]): void {
  const smallest = Math.min(...lines.map(({ people }) => people))
  const largest = Math.max(...lines.map(({ people }) => people))
  if (smallest === largest) return
  console.log(`\nslope from ${smallest} to ${largest} people (1 is linear)`)
  for (const { work, value, unit } of lines.filter(({ people }) => people === largest)) {
    const first = lines.find((line) => line.people === smallest && line.work === work)
    if (unit !== 's' || !first) continue
    console.log(`${rounded(Math.log(value / first.value) / Math.log(largest / smallest)).padStart(6)}  ${work}`)
  }
}

function rounded(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
