// `node with-node.mjs bench/backup.ts [--people 10000,100000]`: time, size and memory of a backup, and of its restore into an empty
// installation, for brands filled by fill.ts. Writes bench/last-backup.json; exits 1 when the memory of Node is over its limit.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { catchUp } from '../src/bin/catch-up.ts'
import { rebuild } from '../src/modules/relationship/actions.ts'
import { backUp } from '../src/platform/backup.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { Installation } from '../src/platform/installation.ts'
import { isRefusal, type Refusal } from '../src/platform/refusal.ts'
import { restoreBackup } from '../src/platform/restore.ts'
import { withHome } from './cluster.ts'
import { fillOrders, fillPeople } from './fill.ts'
import { type MemoryPeaks, withMemory } from './memory.ts'
import { BENCH_NOW } from './orders.ts'
import type { Line } from './report.ts'
import { benchSizes } from './sizes.ts'

const ORDERS_PER_PERSON = 10
/** Parts of 8 MB are what both hold at a time, however many people there are. */
const NODE_MB_MAX = 300
const YEAR_MS = 365 * 86_400_000
const clock: Clock = { now: () => BENCH_NOW }

const lines = await benchSizes({
  usage: 'node with-node.mjs bench/backup.ts [--people N,N…]',
  sizes: '10000,100000',
  name: 'backup',
  measure: benchSize,
})
process.exitCode = lines.some(({ value, limit }) => limit !== undefined && value > limit) ? 1 : 0

async function benchSize(installation: Installation, people: number, lines: Line[]): Promise<void> {
  const key = `people_${people}`
  const brand = accepted(await installation.createBrand({ key, name: key, isDemo: false }, BENCH_NOW))
  const database = await installation.openBrand(brand)
  await database.transaction(async (tx) => {
    await fillOrders(tx, { people, ordersPerPerson: ORDERS_PER_PERSON })
    await fillPeople(tx, people)
  })
  await rebuild(database, clock)
  await catchUp(database, clock, YEAR_MS)
  await database.pool.query('vacuum analyze')
  const { rows } = await database.pool.query<{ bytes: number }>('select pg_database_size(current_database()) as bytes')
  const add = (line: Omit<Line, 'people'>) => {
    lines.push({ ...line, people })
    console.log(`${people} people: ${line.work}: ${line.value.toPrecision(4)} ${line.unit}`)
  }
  add({ work: 'database', unit: 'MB', value: (rows[0]?.bytes ?? 0) / 1e6 })

  const path = join(installation.config.home, `${key}.tar`)
  const made = await measured(async () => accepted(await backUp(installation, path, { program: '0', now: BENCH_NOW })))
  const stored = rowsOf(made.result.databases)
  add({ work: 'backup', unit: 's', value: made.seconds, rows: stored })
  add({ work: 'backup, file', unit: 'MB', value: made.result.bytes / 1e6 })
  addMemory(add, 'backup', made.memory)

  await withHome(async (config) => {
    const command = { path, isReplacing: false, isKeyLost: false }
    const restored = await measured(async () =>
      accepted(await restoreBackup(config, command, (filled) => catchUp(filled, clock, YEAR_MS))),
    )
    if (rowsOf(restored.result.databases) !== stored) throw new Error('The restore has other rows than the backup')
    add({ work: 'restore, start of PostgreSQL included', unit: 's', value: restored.seconds, rows: stored })
    addMemory(add, 'restore', restored.memory)
  })
  await rm(path)
  await installation.dropBrand(key)
}

function rowsOf(databases: readonly { readonly tables: readonly { readonly rows: number }[] }[]): number {
  return databases.flatMap(({ tables }) => tables).reduce((sum, { rows }) => sum + rows, 0)
}

function addMemory(add: (line: Omit<Line, 'people'>) => void, work: string, { nodeMb }: MemoryPeaks): void {
  add({ work: `${work}, Node peak`, unit: 'MB', value: nodeMb, limit: NODE_MB_MAX })
}

/** Seconds of `work`, and the memory of Node; PostgreSQL's is left out, because a restore starts its own. */
async function measured<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number; memory: MemoryPeaks }> {
  const began = performance.now()
  const { result, memory } = await withMemory(process.pid, work)
  return { result, seconds: (performance.now() - began) / 1000, memory }
}

function accepted<T>(answer: T | Refusal): T {
  if (isRefusal(answer)) throw new Error(`${answer.message} ${answer.remedy}`)
  return answer
}
