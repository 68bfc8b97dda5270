import { readBrief, readPerson } from '../modules/analytics/actions.ts'
import type { Brief, Person } from '../modules/analytics/schema.ts'
import { readSettings } from '../modules/brand/actions.ts'
import { findPerson } from '../modules/customers/actions.ts'
import { readPersonMigration, rebuild, reportDepth, reportRfm } from '../modules/relationship/actions.ts'
import {
  DEPTHS,
  FAN_TIERS,
  type PersonMigration,
  RFM_SEGMENTS,
  type RfmReport,
} from '../modules/relationship/schema.ts'
import { systemClock } from '../platform/clock.ts'
import { formatMinor } from '../platform/money.ts'
import { isRefusal } from '../platform/refusal.ts'
import { ACCESS_COMMANDS } from './api-keys.ts'
import { BACKUP_COMMANDS } from './backup.ts'
import { clvCommand } from './clv.ts'
import {
  AS_OF,
  type Command,
  choice,
  chooseBrand,
  dayIn,
  instants,
  table,
  withBrand,
  withInstallation,
} from './command.ts'
import { demoCommand } from './demo.ts'
import { changesText, depthCommand } from './depth.ts'
import { doctorCommand } from './doctor.ts'
import { ERASURE_COMMANDS } from './erasure.ts'
import { importCommand } from './import.ts'
import { IMPORT_COMMANDS } from './imports.ts'
import { PEOPLE_COMMANDS } from './people.ts'
import { propagateCommand } from './propagate.ts'
import { rfmFile } from './rfm-file.ts'
import { segmentCommand } from './segments.ts'
import { settingsCommand } from './settings.ts'
import { signIn } from './sign-in.ts'
import { TAG_COMMANDS } from './tags.ts'
import { USER_COMMANDS } from './users.ts'
import { valueRun } from './value-run.ts'

const briefCommand: Command = {
  name: 'brief',
  summary: 'People, buyers, revenue, people at each depth, who lapses next: what the Today page shows.',
  positionals: [],
  flags: { 'as-of': AS_OF },
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database, brand) => {
      const { asOf, now } = await instants(database, input)
      const answer = await readBrief(database.db, brand, now, asOf)
      return { json: answer, text: briefText(answer) }
    }),
}

function briefText(answer: Brief): string {
  const { brand } = answer
  const day = (instant: string | null) => (instant ? dayIn(brand.zone, instant) : '')
  return [
    `${brand.name}${brand.is_demo ? ' (demo)' : ''}, as of ${new Date(answer.as_of).toLocaleString('sv-SE', { timeZone: brand.zone })} ${brand.zone}\n\n`,
    table(
      ['', brand.currency],
      [
        ['people', answer.people],
        ['buyers', answer.buyers],
        ['orders', answer.orders],
        ['  of them anonymous', answer.anonymous_orders],
        ['net revenue', `${formatMinor(answer.net_revenue_minor, brand.currency)}`],
        ['  of it anonymous', formatMinor(answer.anonymous_net_revenue_minor, brand.currency)],
        ['unmatched refunds', answer.unmatched_refunds],
        ['  taken off revenue', formatMinor(answer.unmatched_refunds_minor, brand.currency)],
      ],
    ),
    '\n',
    table(
      ['depth', '', 'people'],
      answer.depths.map(({ depth, key, people }) => [String(depth), `${DEPTHS[depth]?.zh ?? ''} ${key}`, people]),
    ),
    `\n${answer.lapsing_7_days.toLocaleString('en-US')} lapse within 7 days, ${answer.lapsing_30_days.toLocaleString('en-US')} within 30.\n`,
    answer.lapses_next.length > 0
      ? `\n${table(
          ['lapses next', 'on', 'depth', 'falls to', 'net paid'],
          answer.lapses_next.map((person) => [
            person.key,
            day(person.lapses_at),
            String(person.depth),
            String(person.lapses_to ?? ''),
            formatMinor(person.net_paid_minor, brand.currency),
          ]),
        )}`
      : '',
  ].join('')
}

const personCommand: Command = {
  name: 'person',
  summary: "One person with the facts behind: KEY is the customer's id in the source (or source:id).",
  positionals: ['KEY'],
  flags: { 'as-of': AS_OF },
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const { asOf, now } = await instants(database, input)
      const { zone } = await readSettings(database.db)
      const personId = await findPerson(database.db, input.positionals[0] ?? '')
      if (isRefusal(personId)) return personId
      const answer = await readPerson(database.db, personId, now, asOf)
      if (isRefusal(answer)) return answer
      const history = await readPersonMigration(database, personId, {
        from: BEGINNING,
        to: asOf && asOf < now ? asOf : now,
        now,
      })
      if (isRefusal(history)) return history
      return { json: answer, text: personText(answer, history, zone) }
    }),
}

/** Before anything that happened to anybody. */
const BEGINNING = new Date(0)

function personText(answer: Person, history: PersonMigration, zone: string): string {
  const day = (instant: string | null) => (instant ? dayIn(zone, instant) : 'never')
  const named = (depth: number) => `${depth} ${DEPTHS[depth]?.zh ?? ''} ${DEPTHS[depth]?.key ?? ''}`
  const lapse = answer.lapses_at ? `, lapses ${day(answer.lapses_at)} to ${named(answer.lapses_to ?? 0)}` : ''
  const lost = answer.is_lost ? ` (lost: was ${named(answer.depth_if_connected)})` : ''
  const { interaction } = answer
  const tierNamed = (tier: string | null) => `${FAN_TIERS.find((known) => known.tier === tier)?.zh} ${tier}`
  const tierLapse = interaction.tier_lapses_at
    ? `, lapses ${day(interaction.tier_lapses_at)} to ${tierNamed(interaction.tier_lapses_to)}`
    : ''
  return [
    `${answer.key} (${answer.source})\n`,
    `depth ${named(answer.depth)}${lost}${answer.since ? ` since ${day(answer.since)}` : ''}${lapse}\n`,
    `next step: ${answer.next_step ?? 'none, the deepest'}\n`,
    `${answer.occasions} occasions, net paid ${formatMinor(answer.net_paid_minor, answer.currency)} ${answer.currency}, last ${day(answer.last_occasion_at)}\n`,
    `interaction score ${interaction.score.toFixed(2)}, fan tier ${tierNamed(interaction.tier)}${tierLapse}\n`,
    answer.rfm ? `RFM ${answer.rfm.r}${answer.rfm.f}${answer.rfm.m} ${answer.rfm.segment}\n` : '',
    `\n${table(
      ['evidence', 'id', 'on'],
      answer.evidence.map((fact) => [fact.kind, fact.external_id, day(fact.occurred_at)]),
    )}`,
    `\n${changesText(history.changes.toReversed(), zone)}`,
  ].join('')
}

const rfmCommand: Command = {
  name: 'rfm',
  summary: 'Recency, frequency, monetary value of every buyer: cuts, the ten segments, the eight value groups.',
  positionals: [],
  flags: {
    'as-of': AS_OF,
    ties: {
      type: 'string',
      value: 'group|first',
      help: 'equal frequencies get equal scores, or are ranked by key (default: group)',
    },
    recency: {
      type: 'string',
      value: 'day|24h',
      help: "calendar days or floor of 24-hour periods (default: the brand's)",
    },
    occasion: {
      type: 'string',
      value: 'day|order',
      help: "what frequency counts: purchase days or orders (default: the brand's)",
    },
  },
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const { asOf, now } = await instants(database, input)
      const answer = await reportRfm(database.db, {
        asOf: asOf ?? now,
        ties: choice('ties', input.values.ties, ['group', 'first']) ?? 'group',
        recencyUnit: choice('recency', input.values.recency, ['day', '24h']),
        occasionUnit: choice('occasion', input.values.occasion, ['day', 'order']),
      })
      return { json: answer, text: rfmText(answer) }
    }),
}

function rfmText(answer: RfmReport): string {
  const money = (minor: number | null) => (minor === null ? '' : formatMinor(minor, answer.currency))
  const { cuts } = answer
  return [
    `${answer.buyers.toLocaleString('en-US')} buyers as of ${answer.as_of}; cuts ${cuts.origin === 'in_force' ? `in force since ${cuts.in_force_from}` : 'computed from the facts up to then'}\n`,
    `R ${cuts.recency_days.join(' ')}   F ${cuts.frequency.join(' ')}   M ${cuts.monetary_minor.map(money).join(' ')}\n\n`,
    table(
      ['segment', 'buyers', 'mean recency', 'mean frequency', `mean ${answer.currency}`],
      answer.segments.map((row) => [
        `${RFM_SEGMENTS.find((entry) => entry.segment === row.segment)?.zh ?? ''} ${row.segment}`,
        row.buyers,
        row.mean_recency_days?.toFixed(1) ?? '',
        row.mean_frequency?.toFixed(2) ?? '',
        money(row.mean_monetary_minor),
      ]),
    ),
    `\n${table(
      ['value group', 'buyers'],
      answer.value_groups.map((row) => [row.group, row.buyers]),
    )}`,
  ].join('')
}

const useCommand: Command = {
  name: 'use',
  summary: 'Make a brand the current one: what the console shows and commands take when none is named.',
  positionals: ['BRAND'],
  flags: {},
  usesBrand: false,
  run: ({ config, positionals }) =>
    withInstallation(config, async (installation) => {
      const brand = await chooseBrand(installation, positionals[0])
      if (isRefusal(brand)) return brand
      await installation.makeCurrent(brand.key)
      return {
        json: { brand: brand.key, name: brand.name },
        text: `${brand.name} (${brand.key}) is the current brand.\n`,
      }
    }),
}

const rebuildCommand: Command = {
  name: 'rebuild',
  summary: "Compute everyone's occasions, depth and RFM cuts from the facts again, beside the old ones, then swap.",
  positionals: [],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const begun = systemClock.now()
      await rebuild(database, systemClock)
      const ended = systemClock.now()
      const { people } = await reportDepth(database.db, ended, undefined)
      const seconds = (ended.getTime() - begun.getTime()) / 1000
      return {
        json: { people, seconds },
        text: `${people.toLocaleString('en-US')} people rebuilt in ${seconds.toFixed(1)} s.\n`,
      }
    }),
}

export const COMMANDS: readonly Command[] = [
  importCommand,
  ...IMPORT_COMMANDS,
  briefCommand,
  personCommand,
  depthCommand,
  rfmCommand,
  rfmFile,
  clvCommand,
  propagateCommand,
  segmentCommand,
  valueRun,
  settingsCommand,
  ...PEOPLE_COMMANDS,
  ...TAG_COMMANDS,
  ...ERASURE_COMMANDS,
  ...ACCESS_COMMANDS,
  ...USER_COMMANDS,
  useCommand,
  demoCommand,
  rebuildCommand,
  ...BACKUP_COMMANDS,
  doctorCommand,
  signIn,
]
