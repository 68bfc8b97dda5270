import { readSettings } from '../modules/brand/actions.ts'
import { findPerson } from '../modules/customers/actions.ts'
import { readPersonMigration, reportDepth, reportMigration } from '../modules/relationship/actions.ts'
import { DEPTHS, type MigrationReport, type PersonMigration } from '../modules/relationship/schema.ts'
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
    person: { type: 'string', value: 'KEY', help: 'with --from: the changes of one person, each with its fact' },
  },
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const { from, to, person, 'as-of': asOf } = input.values
      if (from !== undefined) {
        if (asOf !== undefined) throw new UsageError('depth takes --from and --to, or --as-of.')
        return migration(database, input)
      }
      if (to !== undefined || person !== undefined) throw new UsageError('depth takes --to and --person with --from.')
      return depths(database, input)
    }),
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
  const key = text(values.person)
  if (key === undefined) {
    const answer = await reportMigration(database, span)
    return isRefusal(answer) ? answer : { json: answer, text: migrationText(answer) }
  }
  const personId = await findPerson(database.db, key)
  if (isRefusal(personId)) return personId
  const answer = await readPersonMigration(database, personId, span)
  return isRefusal(answer) ? answer : { json: answer, text: personText(answer, key, zone) }
}

const nameOf = (depth: number) => `${depth} ${DEPTHS[depth]?.zh ?? ''} ${DEPTHS[depth]?.key ?? ''}`

function migrationText(answer: MigrationReport): string {
  const { currency, net_deepening: net } = answer
  const people = (from: number, to: number) =>
    answer.flows.find((flow) => flow.from_depth === from && flow.to_depth === to)?.people ?? 0
  const signed = (value: number, shown: string) => (value > 0 ? `+${shown}` : shown)
  const count = (value: number) => value.toLocaleString('en-US')
  const value = answer.net_deepening_value_minor
  return [
    `${count(answer.people)} people known at ${answer.to}; from ${answer.from} (down) to then (across)\n\n`,
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
  ].join('')
}

function personText(answer: PersonMigration, key: string, zone: string): string {
  return [
    `${key}: from ${nameOf(answer.from_depth)} to ${nameOf(answer.to_depth)}\n`,
    answer.changes.length > 0
      ? `\n${table(
          ['changed', 'from', 'to', 'cause', 'source', 'id'],
          answer.changes.map(({ changed_at, from_depth, to_depth, cause }) => [
            dayIn(zone, changed_at),
            String(from_depth),
            String(to_depth),
            cause.kind,
            cause.source ?? '',
            cause.external_id ?? '',
          ]),
        )}`
      : '',
  ].join('')
}
