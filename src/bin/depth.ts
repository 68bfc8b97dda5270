import { readSettings } from '../modules/brand/actions.ts'
import { findPerson } from '../modules/customers/actions.ts'
import { listFlow, readPersonMigration, reportDepth, reportMigration } from '../modules/relationship/actions.ts'
import {
  type ChangeCause,
  DEPTHS,
  type FlowPage,
  type MigrationReport,
  type PersonMigration,
} from '../modules/relationship/schema.ts'
import { systemClock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { formatMinor } from '../platform/money.ts'
import { isRefusal, type Refusal } from '../platform/refusal.ts'
import {
  type Answer,
  AS_OF,
  type Command,
  type CommandInput,
  dayIn,
  instants,
  minuteIn,
  readInstant,
  table,
  text,
  UsageError,
  withBrand,
} from './command.ts'

export const depthCommand: Command = {
  name: 'depth',
  summary: 'People at each relationship depth as of a time; with --from, who moved between two.',
  positionals: [],
  flags: {
    'as-of': AS_OF,
    from: { type: 'string', value: 'TIME', help: 'who moved between the depths from this time on' },
    to: { type: 'string', value: 'TIME', help: 'with --from: until this time (default: now)' },
    flow: {
      type: 'string',
      value: 'A:B',
      help: 'with --from: the people who went from depth A to B, the latest first',
    },
    after: { type: 'string', value: 'PLACE', help: 'with --flow: the next people, as its answer says' },
    person: { type: 'string', value: 'KEY', help: 'with --from: the changes of one person, each with its fact' },
  },
  usesBrand: true,
  run: async (input) => {
    // Before the installation is opened: that may make a folder and start a server, for nothing.
    refuseMixed(input)
    return withBrand(input, (database) =>
      input.values.from === undefined ? depths(database, input) : migration(database, input),
    )
  },
}

/** @throws UsageError for flags that do not go together, and a flow that is none. */
function refuseMixed({ values }: CommandInput): void {
  const { from, to, person, flow, after, 'as-of': asOf } = values
  if (from !== undefined && asOf !== undefined) throw new UsageError('depth takes --from and --to, or --as-of.')
  if (from === undefined && [to, person, flow].some((value) => value !== undefined))
    throw new UsageError('depth takes --to, --flow and --person with --from.')
  if (flow !== undefined && person !== undefined) throw new UsageError('depth takes --flow or --person.')
  if (after !== undefined && flow === undefined) throw new UsageError('depth takes --after with --flow.')
  if (flow !== undefined) readFlow(text(flow) ?? '')
}

async function depths(database: Database, input: CommandInput): Promise<Answer> {
  const { asOf, now } = await instants(database, input)
  const { zone } = await readSettings(database.db)
  const answer = await reportDepth(database.db, now, asOf)
  const rows = answer.depths.map((row) => [
    nameOf(row.depth),
    row.people,
    row.lapsing,
    row.first_lapses_at ? dayIn(zone, row.first_lapses_at) : '',
  ])
  return { json: answer, text: table(['depth', 'people', 'dated', 'first lapses'], rows) }
}

async function migration(database: Database, { values }: CommandInput): Promise<Answer | Refusal> {
  const { zone } = await readSettings(database.db)
  const now = systemClock.now()
  const from = readInstant('from', text(values.from), zone) ?? now
  const span = { from, to: readInstant('to', text(values.to), zone) ?? now, now }
  const flow = text(values.flow)
  if (flow !== undefined) {
    const [fromDepth, toDepth] = readFlow(flow)
    const answer = await listFlow(database, span, { fromDepth, toDepth, after: text(values.after), limit: FLOW_PAGE })
    return isRefusal(answer) ? answer : { json: answer, text: flowText(answer, zone) }
  }
  const key = text(values.person)
  if (key === undefined) {
    const answer = await reportMigration(database, span)
    return isRefusal(answer) ? answer : { json: answer, text: migrationText(answer, zone) }
  }
  const personId = await findPerson(database.db, key)
  if (isRefusal(personId)) return personId
  const answer = await readPersonMigration(database, personId, span)
  return isRefusal(answer) ? answer : { json: answer, text: personText(answer, key, zone) }
}

const FLOW_PAGE = 50

/** @throws UsageError when it is no two depths. */
function readFlow(flow: string): [from: number, to: number] {
  const [, from, to] = /^([0-5]):([0-5])$/.exec(flow) ?? []
  if (from === undefined || to === undefined) throw new UsageError(`--flow takes two depths like 3:4, not "${flow}".`)
  return [Number(from), Number(to)]
}

const nameOf = (depth: number) => `${depth} ${DEPTHS[depth]?.zh ?? ''} ${DEPTHS[depth]?.key ?? ''}`

function migrationText(answer: MigrationReport, zone: string): string {
  const { currency, net_deepening: net } = answer
  const people = (from: number, to: number) =>
    answer.flows.find((flow) => flow.from_depth === from && flow.to_depth === to)?.people ?? 0
  const signed = (value: number, shown: string) => (value > 0 ? `+${shown}` : shown)
  const count = (value: number) => value.toLocaleString('en-US')
  const value = answer.net_deepening_value_minor
  return [
    `${minuteIn(zone, answer.from)} (down) to ${minuteIn(zone, answer.to)} (across) ${zone}, ${count(answer.people)} people known then\n\n`,
    table(
      ['from \\ to', ...DEPTHS.map(({ depth }) => String(depth)), 'all'],
      [
        ...answer.depths.map((row) => [
          nameOf(row.depth),
          ...DEPTHS.map(({ depth }) => people(row.depth, depth)),
          row.people_from,
        ]),
        ['all', ...answer.depths.map((row) => row.people_to), answer.people],
        [
          `mean net paid ${currency}`,
          ...answer.depths.map((row) => (row.value_minor === null ? '' : formatMinor(row.value_minor, currency))),
          '',
        ],
      ],
    ),
    `\n${count(answer.ups)} deeper, ${count(answer.downs)} less deep: net deepening ${signed(net, count(net))}`,
    `, by value ${signed(value, formatMinor(value, currency))} ${currency}`,
    answer.unvalued > 0 ? ` (${count(answer.unvalued)} to or from a depth without a value left out)` : '',
    '\n',
    answer.causes.length > 0
      ? `\n${table(
          ['decided by', 'ups', 'downs'],
          answer.causes.map((cause) => [cause.kind, cause.ups, cause.downs]),
        )}`
      : '',
    answer.ups + answer.downs > 0 ? '\nWho they are: --flow 3:4, one of them: --person KEY\n' : '',
  ].join('')
}

function flowText(answer: FlowPage, zone: string): string {
  return [
    `${answer.total.toLocaleString('en-US')} people\n`,
    answer.people.length > 0
      ? `\n${table(
          ['person', 'source', 'moved', ...CAUSE_HEADERS],
          answer.people.map(({ key, source, changed_at, cause }) => [
            key,
            source,
            changed_at ? dayIn(zone, changed_at) : 'stayed',
            ...causeCells(cause),
          ]),
        )}`
      : '',
    answer.next ? `\nMore: --after ${answer.next}\n` : '',
  ].join('')
}

const CAUSE_HEADERS = ['cause', 'of source', 'id']

function causeCells(cause: ChangeCause | null): string[] {
  return [cause?.kind ?? '', cause?.source ?? '', cause?.external_id ?? '']
}

/** A person's changes, each with the fact that caused it. */
export function changesText(changes: PersonMigration['changes'], zone: string): string {
  return table(
    ['changed', 'from', 'to', ...CAUSE_HEADERS],
    changes.map(({ changed_at, from_depth, to_depth, cause }) => [
      dayIn(zone, changed_at),
      String(from_depth),
      String(to_depth),
      ...causeCells(cause),
    ]),
  )
}

function personText(answer: PersonMigration, key: string, zone: string): string {
  return [
    `${key}: from ${nameOf(answer.from_depth)} to ${nameOf(answer.to_depth)}\n`,
    answer.changes.length > 0 ? `\n${changesText(answer.changes, zone)}` : 'No change in between.\n',
  ].join('')
}
