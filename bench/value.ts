// `node bench/value.ts [--people 1000000] [--edges 300000] [--rounds 5]`: how long the value models take, on one core, in
// memory, without a database. Prints one line of JSON for each piece of work and ends by itself.
//
//   fit_cdnow        BG/NBD on the public CDNOW sample in weeks (2,357 people), median of the rounds after a first
//   fit_weeks        BG/NBD on simulated people in whole weeks: grouping apart from the fit
//   fit_days         the same people in days
//   fit_regular      people whose gaps are far more regular than exponential ones, so that the likelihood has no maximum: in days
//   score            of each of them: alive, occasions and margin of 12 months in 12 steps, interval
//   propagate        accepting the edges, then allocated and influenced value of everybody

import { existsSync, readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { groupHistories, type HistoryRow } from '../src/modules/value/histories.ts'
import { acceptEdges, fractionOf, propagate } from '../src/modules/value/propagation.ts'
import { aliveShare, fitOccasions, personInterval, span, spanOfDays, valuer } from '../src/modules/value/rules.ts'
import type { FittedSpend } from '../src/modules/value/schema.ts'
import { readConfig } from '../src/platform/config.ts'
import { CDNOW_POPULATION, chance, simulatePerson } from '../test/chance.ts'

const { values } = parseArgs({
  options: {
    people: { type: 'string', default: '1000000' },
    edges: { type: 'string', default: '300000' },
    rounds: { type: 'string', default: '5' },
  },
})
const PEOPLE = Number(values.people)
const EDGES = Number(values.edges)
const ROUNDS = Number(values.rounds)
const WEEKS_MAX = 104

function report(work: string, fields: object): void {
  console.log(JSON.stringify({ work, ...fields }))
}

interface Timed<T> {
  readonly result: T
  readonly ms: number
  /** What the processor did: on a machine that others use it says more than the time. */
  readonly cpu_ms: number
}

function timed<T>(work: () => T): Timed<T> {
  const [begun, before] = [performance.now(), process.cpuUsage()]
  const result = work()
  const { user, system } = process.cpuUsage(before)
  const tenths = (ms: number) => Math.round(ms * 10) / 10
  return { result, ms: tenths(performance.now() - begun), cpu_ms: tenths((user + system) / 1000) }
}

function medianMs(work: () => unknown): { first_ms: number; median_ms: number; median_cpu_ms: number } {
  const all = Array.from({ length: ROUNDS + 1 }, () => timed(work))
  const median = (pick: (one: Timed<unknown>) => number) => {
    const later = all.slice(1).map(pick)
    later.sort((a, b) => a - b)
    return later[Math.floor(later.length / 2)] ?? 0
  }
  return { first_ms: all[0]?.ms ?? 0, median_ms: median(({ ms }) => ms), median_cpu_ms: median(({ cpu_ms }) => cpu_ms) }
}

const SPEND: FittedSpend = {
  model: 'gamma-gamma',
  estimate: {
    parameters: { p: 6.25, q: 3.74, v: 15.44 },
    logLikelihood: null,
    standardErrors: {},
    covariance: null,
    isConverged: true,
  },
}

console.error(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, load ${loadavg()[0]?.toFixed(2)}`)

const summary = join(readConfig().testData, 'cdnow_sample/cdnow_customers_summary_with_transactions.csv')
if (existsSync(summary)) {
  const rows = readFileSync(summary, 'utf8')
    .split('\n')
    .slice(1)
    .filter(Boolean)
    .map((line) => line.split(',').map(Number))
    .map(([, x = 0, tX = 0, T = 0]): HistoryRow => ({ x, tX, T }))
  const grouping = medianMs(() => groupHistories('week', rows))
  const histories = groupHistories('week', rows)
  report('fit_cdnow', {
    people: rows.length,
    groups: histories.weights.length,
    grouping_ms: grouping.median_ms,
    'bg-nbd': medianMs(() => fitOccasions('bg-nbd', histories)),
    'pareto-nbd': medianMs(() => fitOccasions('pareto-nbd', histories)),
  })
} else console.error(`${summary} is not there: fit_cdnow is left out`)

const random = chance(42)
const people = Array.from({ length: PEOPLE }, () =>
  simulatePerson(random, CDNOW_POPULATION, Math.ceil(7 * WEEKS_MAX * random()) / 7, 0),
)
for (const unit of ['week', 'day'] as const) {
  const scale = unit === 'week' ? 1 : 7
  const rows = people.map(({ x, tX, T, spend }) => {
    const whole = Math.ceil(T * scale - 1e-9)
    return { x, tX: x === 0 ? 0 : Math.min(whole, Math.max(1, Math.ceil(tX * scale))), T: whole, spend }
  })
  const grouped = timed(() => groupHistories(unit, rows))
  const fit = timed(() => fitOccasions('bg-nbd', grouped.result))
  report(`fit_${unit}s`, {
    people: PEOPLE,
    groups: grouped.result.weights.length,
    grouping_ms: grouped.ms,
    fit_ms: fit.ms,
    cpu_ms: Math.round(grouped.cpu_ms + fit.cpu_ms),
    total_ms: Math.round(grouped.ms + fit.ms),
    model: fit.result.fitted.model,
    parameters: fit.result.fitted.estimate.parameters,
  })
  if (unit === 'day') {
    const { fitted } = fit.result
    const step = spanOfDays(unit, 365 / 12)
    const score = timed(() => {
      const valued = valuer(fitted, SPEND, { horizon: span(unit, 365), step, ratePerStep: 0.008, marginRate: 0.4 })
      let [alive, margin, high] = [0, 0, 0]
      for (const { x, tX, T, spend } of rows) {
        const history = { x, tX: span(unit, tX), T: span(unit, T) }
        alive += aliveShare(fitted, history)
        const expectation = valued.value(history, spend)
        margin += expectation.margin
        high += personInterval(expectation).high
      }
      return { mean_alive: alive / PEOPLE, mean_margin: margin / PEOPLE, mean_high: high / PEOPLE }
    })
    report('score', { people: PEOPLE, seconds: score.ms / 1000, cpu_seconds: score.cpu_ms / 1000, ...score.result })
  }
}

// Every 30 days, two days sooner or later; one of a hundred stops after each.
const regular = Array.from({ length: PEOPLE }, (): HistoryRow => {
  const T = 60 + Math.floor(WEEKS_MAX * 7 * random())
  let [x, tX] = [0, 0]
  for (let day = 0; random() > 0.01; ) {
    day += 28 + Math.floor(5 * random())
    if (day > T) break
    x += 1
    tX = day
  }
  return { x, tX, T }
})
const regularGrouped = timed(() => groupHistories('day', regular))
const regularFit = timed(() => fitOccasions('bg-nbd', regularGrouped.result))
const regularScore = timed(() => {
  const { fitted } = regularFit.result
  const step = spanOfDays('day', 365 / 12)
  const valued = valuer(fitted, SPEND, { horizon: span('day', 365), step, ratePerStep: 0.008, marginRate: 0.4 })
  return regular.reduce(
    (sum, { x, tX, T }) => sum + valued.value({ x, tX: span('day', tX), T: span('day', T) }, 35).margin,
    0,
  )
})
report('fit_regular', {
  people: PEOPLE,
  groups: regularGrouped.result.weights.length,
  grouping_ms: regularGrouped.ms,
  fit_ms: regularFit.ms,
  score_ms: regularScore.ms,
  cpu_ms: Math.round(regularGrouped.cpu_ms + regularFit.cpu_ms + regularScore.cpu_ms),
  model: regularFit.result.fitted.model,
  reason: regularFit.result.reason ?? null,
  parameters: regularFit.result.fitted.estimate.parameters,
  mean_margin: regularScore.result / PEOPLE,
})

const edges = Array.from({ length: EDGES }, (_, index) => {
  const invitee = 1 + Math.floor(random() * (PEOPLE - 1))
  return { referrer: `p${Math.floor(random() * invitee)}`, invitee: `p${invitee}`, at: index }
})
const own = new Map(people.map(({ spend }, index) => [`p${index}`, BigInt(Math.round(spend * 100))] as const))
const accepting = timed(() => acceptEdges(edges))
const referrerOf = new Map(
  [...accepting.result.accepted].map(([invitee, index]) => [invitee, edges[index]?.referrer ?? ''] as const),
)
const splitting = timed(() => propagate(own, referrerOf, fractionOf('0.2')))
const sum = (list: readonly bigint[]) => list.reduce((all, value) => all + value, 0n)
report('propagate', {
  people: PEOPLE,
  edges: EDGES,
  edges_used: accepting.result.accepted.size,
  accept_ms: accepting.ms,
  split_ms: splitting.ms,
  cpu_ms: Math.round(accepting.cpu_ms + splitting.cpu_ms),
  depth_most: splitting.result.reduce((most, { depth }) => Math.max(most, depth), 0),
  is_conserved: sum(splitting.result.map(({ allocated }) => allocated)) === sum([...own.values()]),
})
