import { acceptEdges, fractionOf, propagate } from '../modules/value/actions.ts'
import { readNumber } from '../platform/fields.ts'
import { isRefusal, type Refusal } from '../platform/refusal.ts'
import { type Answer, type Command, EXIT, table, text, UsageError } from './command.ts'
import { type Rejected, readColumns, wallClock } from './plain-tables.ts'

/** Values are split in hundredths, or finer where the file writes them finer. */
const DECIMALS_MIN = 2

/** Value brought by referral, from two plain tables, no database: for analysts, by the same rules. */
export const propagateCommand: Command = {
  name: 'propagate',
  summary: 'Propagation value from who brought whom (referrer, invitee, at) and values (person, value); no database.',
  positionals: ['EDGES', 'VALUES'],
  flags: { beta: { type: 'string', value: 'B', help: 'the share passed up at each step (default: 0.2)' } },
  usesBrand: false,
  run: async ({ values, positionals }) => {
    const beta = text(values.beta) ?? '0.2'
    if (!/^(0?\.\d{1,9}|[01](\.0{1,9})?)$/.test(beta))
      throw new UsageError(`--beta ${beta} is no share between 0 and 1.`)
    const [edgesPath = '', valuesPath = ''] = positionals
    const edges = await readEdges(edgesPath)
    if (isRefusal(edges)) return edges
    const own = await readValues(valuesPath)
    return isRefusal(own) ? own : answer(beta, edges, own)
  },
}

interface Edge {
  readonly line: number
  readonly referrer: string
  readonly invitee: string
  readonly at: number | undefined
}

async function readEdges(path: string): Promise<{ edges: Edge[]; rejected: Rejected[] } | Refusal> {
  const edges: Edge[] = []
  const rejected: Rejected[] = []
  const read = await readColumns(
    path,
    { referrer: ['referrer'], invitee: ['invitee'], at: ['at'] },
    ({ referrer, invitee, at }, line) => {
      const time = at === '' ? undefined : wallClock(at)
      if (!referrer) rejected.push({ line, reason: 'missing_referrer' })
      else if (!invitee) rejected.push({ line, reason: 'missing_invitee' })
      else if (at !== '' && time === undefined) rejected.push({ line, reason: 'bad_time' })
      else edges.push({ line, referrer, invitee, at: time })
    },
    (column) => column === 'at',
  )
  return isRefusal(read) ? read : { edges, rejected }
}

interface Values {
  /** In the smallest unit: 10^-decimals. */
  readonly own: Map<string, bigint>
  readonly decimals: number
  readonly rejected: Rejected[]
}

async function readValues(path: string): Promise<Values | Refusal> {
  const rows: { person: string; value: string }[] = []
  const rejected: Rejected[] = []
  let decimals = DECIMALS_MIN
  const read = await readColumns(path, { person: ['person'], value: ['value'] }, ({ person, value }, line) => {
    const number = readNumber(value)
    if (!person) rejected.push({ line, reason: 'missing_person' })
    else if (number === undefined) rejected.push({ line, reason: 'bad_number' })
    else {
      rows.push({ person, value: number })
      decimals = Math.max(decimals, number.split('.')[1]?.length ?? 0)
    }
  })
  if (isRefusal(read)) return read
  const own = new Map<string, bigint>()
  for (const { person, value } of rows) own.set(person, (own.get(person) ?? 0n) + scaled(value, decimals))
  return { own, decimals, rejected }
}

/** A decimal as a whole number of 10^-decimals. */
function scaled(value: string, decimals: number): bigint {
  const [whole = '', part = ''] = value.split('.')
  return BigInt(whole.replace('+', '') + part.padEnd(decimals, '0'))
}

function answer(
  beta: string,
  { edges, rejected: badEdges }: { edges: Edge[]; rejected: Rejected[] },
  { own, decimals, rejected: badValues }: Values,
): Answer {
  const { accepted, refused } = acceptEdges(edges)
  const referrerOf = new Map([...accepted].map(([invitee, index]) => [invitee, edges[index]?.referrer ?? ''] as const))
  const people = propagate(own, referrerOf, fractionOf(beta))
  // Of edges that were refused too: they are people that somebody named.
  const known = new Set(people.map(({ person }) => person))
  for (const { referrer, invitee } of edges) {
    for (const person of [referrer, invitee]) {
      if (known.has(person)) continue
      known.add(person)
      people.push({ person, own: 0n, allocated: 0n, influenced: 0n, depth: 0 })
    }
  }
  const money = (value: bigint) => Number(value) / 10 ** decimals
  const sum = (pick: (person: (typeof people)[number]) => bigint) => people.reduce((all, one) => all + pick(one), 0n)
  const rejected = [
    ...badEdges.map((row) => ({ file: 'edges', ...row })),
    ...badValues.map((row) => ({ file: 'values', ...row })),
  ]
  const json = {
    beta: Number(beta),
    decimals,
    rows_rejected: rejected.length,
    rejected,
    edges_used: accepted.size,
    edges_refused: refused.map(({ index, reason }) => ({
      line: edges[index]?.line ?? 0,
      referrer: edges[index]?.referrer ?? '',
      invitee: edges[index]?.invitee ?? '',
      reason,
    })),
    total_own: money(sum(({ own: value }) => value)),
    total_allocated: money(sum(({ allocated }) => allocated)),
    people: people.map(({ person, own: value, allocated, influenced, depth }) => ({
      person,
      own: money(value),
      allocated: money(allocated),
      influenced: money(influenced),
      depth,
    })),
  }
  const reasons = ['self', 'later_claim', 'cycle'].map((reason) => [
    `refused: ${reason}`,
    refused.filter((edge) => edge.reason === reason).length,
  ])
  const best = [...json.people].sort((a, b) => b.influenced - a.influenced).slice(0, 20)
  const amount = (value: number) => value.toFixed(DECIMALS_MIN)
  return {
    json,
    text: [
      table(['edges', ''], [['used', accepted.size], ...(reasons as [string, number][])]),
      `\nown ${amount(json.total_own)}, allocated ${amount(json.total_allocated)}\n\n`,
      table(
        ['most influence', 'depth', 'own', 'allocated', 'influenced'],
        best.map((one) => [
          one.person,
          String(one.depth),
          amount(one.own),
          amount(one.allocated),
          amount(one.influenced),
        ]),
      ),
      ...rejected.map(({ file, line, reason }) => `${file} line ${line}: ${reason}\n`),
    ].join(''),
    exit: rejected.length > 0 ? EXIT.doneWithRejects : EXIT.done,
  }
}
