/**
 * Figures of the running server as Prometheus reads them (text format 0.0.4). Written here because six families of counters
 * need sixty lines, and a library brings a registry for the whole process beside ours.
 *
 * No label may hold what names a person, and none what a caller can make up: each value is a time series for ever.
 */
export interface Metrics {
  /** Only ever grows; the name ends in _total. */
  counter(name: string, help: string): (labels: Labels, count?: number) => void
  /** Seconds, in buckets; the name ends in _seconds. */
  histogram(name: string, help: string): (labels: Labels, seconds: number) => void
  /** Asked each time the figures are read. */
  gauge(name: string, help: string, read: () => Promise<readonly Sample[]>): void
  render(): Promise<string>
}

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** Upper bounds in seconds; a refresh of standing is to end within one. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** From so many label sets on a family takes no new ones: a mistake must not fill the memory. */
const LABEL_SETS_MAX = 1000

interface Spent {
  readonly labels: Labels
  readonly within: number[]
  sum: number
  count: number
}

export function createMetrics(): Metrics {
  const families: { readonly name: string; readonly head: string; lines(): Promise<readonly string[]> }[] = []
  const head = (name: string, help: string, type: string) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}`

  return {
    counter: (name, help) => {
      const samples = new Map<string, { labels: Labels; value: number }>()
      const lines = async () => [...samples.values()].map(({ labels, value }) => lineOf(name, labels, value))
      families.push({ name, head: head(name, help, 'counter'), lines })
      return (labels, count = 1) => {
        const sample = entryOf(samples, labels, () => ({ labels, value: 0 }))
        if (sample) sample.value += count
      }
    },
    histogram: (name, help) => {
      const spent = new Map<string, Spent>()
      const lines = async () => [...spent.values()].flatMap((one) => linesOf(name, one))
      families.push({ name, head: head(name, help, 'histogram'), lines })
      return (labels, seconds) => {
        const one = entryOf(spent, labels, () => ({ labels, within: BUCKETS.map(() => 0), sum: 0, count: 0 }))
        if (!one) return
        one.sum += seconds
        one.count += 1
        BUCKETS.forEach((bound, place) => {
          if (seconds <= bound) one.within[place] = (one.within[place] ?? 0) + 1
        })
      }
    },
    gauge: (name, help, read) => {
      const lines = async () => (await read()).map(({ labels, value }) => lineOf(name, labels, value))
      families.push({ name, head: head(name, help, 'gauge'), lines })
    },
    render: async () => {
      const parts = await Promise.all(families.map(async (family) => [family.head, ...(await family.lines())]))
      return `${parts.flat().join('\n')}\n`
    },
  }
}

function entryOf<Entry>(known: Map<string, Entry>, labels: Labels, make: () => Entry): Entry | undefined {
  const key = JSON.stringify(Object.entries(labels).sort())
  const found = known.get(key)
  if (found || known.size >= LABEL_SETS_MAX) return found
  const made = make()
  known.set(key, made)
  return made
}

function linesOf(name: string, { labels, within, sum, count }: Spent): string[] {
  const buckets = BUCKETS.map((bound, place) =>
    lineOf(`${name}_bucket`, { ...labels, le: String(bound) }, within[place] ?? 0),
  )
  return [
    ...buckets,
    lineOf(`${name}_bucket`, { ...labels, le: '+Inf' }, count),
    lineOf(`${name}_sum`, labels, sum),
    lineOf(`${name}_count`, labels, count),
  ]
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

function lineOf(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(
    ([label, text]) => `${label}="${text.replace(/[\\"\n]/g, (character) => ESCAPES[character] ?? character)}"`,
  )
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`
}
