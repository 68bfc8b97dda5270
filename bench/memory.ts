import { readdirSync, readFileSync } from 'node:fs'

export interface MemoryPeaks {
  /** Highest resident set of this Node process, MB of 10^6 bytes. */
  readonly nodeMb: number
  /** Highest sum over PostgreSQL's processes, shared pages divided among those that share them; undefined off Linux. */
  readonly postgresMb: number | undefined
  /** Highest sum of both at one moment. */
  readonly bothMb: number | undefined
}

const SAMPLE_MS = 200

/** Samples memory while `work` runs. PostgreSQL's processes are the postmaster and its children, workers included. */
export async function withMemory<T>(
  postmaster: number,
  work: () => Promise<T>,
): Promise<{ result: T; memory: MemoryPeaks }> {
  let nodeMb = 0
  let postgresMb: number | undefined
  let bothMb: number | undefined
  const sample = () => {
    const node = process.memoryUsage.rss() / 1e6
    nodeMb = Math.max(nodeMb, node)
    if (process.platform !== 'linux') return
    const postgres = familyOf(postmaster).reduce((sum, pid) => sum + proportionalMb(pid), 0)
    postgresMb = Math.max(postgresMb ?? 0, postgres)
    bothMb = Math.max(bothMb ?? 0, node + postgres)
  }
  const timer = setInterval(sample, SAMPLE_MS)
  try {
    const result = await work()
    sample()
    return { result, memory: { nodeMb, postgresMb, bothMb } }
  } finally {
    clearInterval(timer)
  }
}

function familyOf(postmaster: number): number[] {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
  return pids.filter((pid) => pid === postmaster || parentOf(pid) === postmaster)
}

function parentOf(pid: number): number {
  return Number(/\) \S (\d+)/.exec(textOf(`/proc/${pid}/stat`))?.[1])
}

function proportionalMb(pid: number): number {
  const kibibytes = Number(/^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0)
  return (kibibytes * 1024) / 1e6
}

/** Empty when the process has ended meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
