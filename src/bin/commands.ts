import { join } from 'node:path'
import { findPerson, readBrief, readPerson } from '../modules/analytics/actions.ts'
import type { Brief, Person } from '../modules/analytics/schema.ts'
import { readSettings } from '../modules/brand/actions.ts'
import { type ImportProgress, importOrders } from '../modules/commerce/actions.ts'
import type { ImportReport } from '../modules/intake/schema.ts'
import { rebuild, refreshStanding, reportDepth, reportRfm } from '../modules/relationship/actions.ts'
import { DEPTHS, RFM_SEGMENTS, type RfmReport } from '../modules/relationship/schema.ts'
import { systemClock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import type { Database } from '../platform/db.ts'
import { inspectCluster } from '../platform/embedded-postgres.ts'
import type { Brand, Installation } from '../platform/installation.ts'
import { formatMinor } from '../platform/money.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'
import {
  type Command,
  type CommandInput,
  choice,
  chooseBrand,
  EXIT,
  readInstant,
  table,
  text,
  UsageError,
  withBrand,
  withInstallation,
} from './command.ts'
import { rfmFile } from './rfm-file.ts'
import { signIn } from './sign-in.ts'

const AS_OF = {
  type: 'string',
  value: 'TIME',
  help: 'as of this time: 2011-12-10 (its beginning), 2011-12-10T12:50, or with Z or +08:00',
} as const

const importCommand: Command = {
  name: 'import',
  summary: 'Import an order file (CSV or CSV.GZ). The first real import makes your own brand and switches to it.',
  positionals: ['FILE'],
  flags: {
    mapping: {
      type: 'string',
      value: 'NAME|FILE',
      help: 'how columns become orders: orders, online-retail, or a YAML file (default: orders)',
    },
    option: {
      type: 'string',
      multiple: true,
      value: 'KEY=VALUE',
      help: 'duplicates=keep|merge, cancels=reduce|drop, zero_price=keep|drop, connected_by=none|shop_account',
    },
    'dry-run': { type: 'boolean', help: 'do everything and store nothing; rejected rows are listed all the same' },
    'into-demo': { type: 'boolean', help: 'mix the file into the demo brand on purpose' },
  },
  usesBrand: true,
  run: (input) =>
    withInstallation(input.config, async (installation) => {
      const options = readOptions(input.values.option)
      const target = await importTarget(installation, input)
      if (isRefusal(target)) return target
      const { brand, scratch } = target
      const database = await installation.openBrand(brand)
      try {
        const report = await importOrders(database, systemClock, {
          path: input.positionals[0] ?? '',
          mapping: text(input.values.mapping) ?? 'orders',
          options,
          dryRun: input.values['dry-run'] === true,
          rejectsFolder: join(input.config.home, 'rejects'),
          onProgress: progressLine(),
        })
        if (isRefusal(report)) {
          if (target.made) await installation.dropBrand(brand.key)
          return report
        }
        if (!report.dry_run) {
          await refreshStanding(database, systemClock)
          // The first real import takes the console over from the demo; later ones leave the choice to people.
          const current = await installation.currentBrand()
          if (!brand.isDemo && (!current || current.isDemo)) await installation.makeCurrent(brand.key)
        }
        const exit = report.rows_rejected > 0 ? EXIT.doneWithRejects : EXIT.done
        return {
          json: { ...report, brand: scratch ? null : brand.key },
          text: importText(report, brand, scratch),
          exit,
        }
      } finally {
        if (scratch) await installation.dropBrand(brand.key)
      }
    }),
}

interface ImportTarget {
  readonly brand: Brand
  /** Made for this import: taken away again when the import is refused. */
  readonly made: boolean
  /** Made for a dry run: taken away again in any case. */
  readonly scratch: boolean
}

const OWN_BRAND = { key: 'main', name: 'My brand', isDemo: false } as const

/** Where a file goes: the brand named, the demo when asked for, else the brand's own database, made on first import. */
async function importTarget(installation: Installation, { values }: CommandInput): Promise<ImportTarget | Refusal> {
  const brands = await installation.brands()
  const existing = (brand: Brand): ImportTarget => ({ brand, made: false, scratch: false })
  if (values['into-demo']) {
    const demo = brands.find((brand) => brand.isDemo)
    return demo
      ? existing(demo)
      : refuse('missing', 'no_demo', 'There is no demo brand.', 'Run npm start once, or leave --into-demo out.')
  }
  const key = text(values.brand)
  const own = key
    ? brands.find((brand) => brand.key === key)
    : (brands.find((brand) => brand.isCurrent && !brand.isDemo) ?? brands.find((brand) => !brand.isDemo))
  if (own?.isDemo)
    return refuse(
      'conflict',
      'is_demo',
      `The brand "${own.key}" is the demo.`,
      'Use --into-demo to mix real orders into it on purpose.',
    )
  if (own) return existing(own)
  const scratch = values['dry-run'] === true
  const wanted = scratch
    ? { key: `dry_run_${process.pid}`, name: 'Dry run', isDemo: false }
    : key
      ? { key, name: key, isDemo: false }
      : OWN_BRAND
  const brand = await installation.createBrand(wanted, systemClock.now())
  return isRefusal(brand) ? brand : { brand, made: true, scratch }
}

function readOptions(given: CommandInput['values'][string]): Record<string, string> {
  const list = Array.isArray(given) ? given.map(String) : []
  return Object.fromEntries(
    list.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageError(`--option takes KEY=VALUE, not "${pair}".`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

/** One line on a terminal, rewritten in place; nothing where nobody watches. */
function progressLine(): (progress: ImportProgress) => void {
  if (!process.stderr.isTTY) return () => {}
  let shown = 0
  return (progress) => {
    if (progress.phase === 'applying') {
      process.stderr.write(`\r\x1b[K${progress.rows.toLocaleString('en-US')} rows read, storing…\n`)
      return
    }
    if (progress.rows - shown < 20_000) return
    shown = progress.rows
    const percent = Math.floor((100 * progress.bytesRead) / Math.max(progress.bytesTotal, 1))
    process.stderr.write(`\r\x1b[K${progress.rows.toLocaleString('en-US')} rows read (${percent} %)`)
  }
}

function importText(report: ImportReport, brand: Brand, scratch: boolean): string {
  const reasons = Object.entries(report.rejected_by_reason).map(
    ([reason, count]) => `    ${reason}: ${count.toLocaleString('en-US')}\n`,
  )
  return [
    report.dry_run
      ? 'Dry run: nothing was stored.\n'
      : `Imported into ${brand.name} (${brand.key}) in ${report.seconds.toFixed(1)} s.\n`,
    table(
      ['', 'rows'],
      [
        ['in the file', report.rows_in],
        ['stored', report.rows_stored],
        ['merged (said nothing new)', report.rows_merged],
        ['rejected', report.rows_rejected],
      ],
    ),
    ...reasons,
    report.rejects_file ? `  every rejected row with its reason: ${report.rejects_file}\n` : '',
    `${report.people.toLocaleString('en-US')} people, ${report.orders.toLocaleString('en-US')} orders, ${report.refunds.toLocaleString('en-US')} refunds; `,
    `${report.unmatched_refunds.toLocaleString('en-US')} refunds found no earlier line for ${formatMinor(report.unmatched_refunds_minor, report.currency)} ${report.currency}.\n`,
    scratch ? '' : `Next: ./perennial brief\n`,
  ].join('')
}

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

async function instants(database: Database, { values }: CommandInput): Promise<{ asOf: Date | undefined; now: Date }> {
  const { zone } = await readSettings(database.db)
  return { asOf: readInstant('as-of', text(values['as-of']), zone), now: systemClock.now() }
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

function dayIn(zone: string, instant: string): string {
  return new Date(instant).toLocaleDateString('sv-SE', { timeZone: zone })
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
      return isRefusal(answer) ? answer : { json: answer, text: personText(answer, zone) }
    }),
}

function personText(answer: Person, zone: string): string {
  const day = (instant: string | null) => (instant ? dayIn(zone, instant) : 'never')
  const named = (depth: number) => `${depth} ${DEPTHS[depth]?.zh ?? ''} ${DEPTHS[depth]?.key ?? ''}`
  const lapse = answer.lapses_at ? `, lapses ${day(answer.lapses_at)} to ${named(answer.lapses_to ?? 0)}` : ''
  const lost = answer.is_lost ? ` (lost: was ${named(answer.depth_if_connected)})` : ''
  return [
    `${answer.key} (${answer.source})\n`,
    `depth ${named(answer.depth)}${lost}${answer.since ? ` since ${day(answer.since)}` : ''}${lapse}\n`,
    `next step: ${answer.next_step ?? 'none, the deepest'}\n`,
    `${answer.occasions} occasions, net paid ${formatMinor(answer.net_paid_minor, answer.currency)} ${answer.currency}, last ${day(answer.last_occasion_at)}\n`,
    answer.rfm ? `RFM ${answer.rfm.r}${answer.rfm.f}${answer.rfm.m} ${answer.rfm.segment}\n` : '',
    `\n${table(
      ['evidence', 'id', 'on'],
      answer.evidence.map((fact) => [fact.kind, fact.external_id, day(fact.occurred_at)]),
    )}`,
    `\n${table(
      ['changed', 'from', 'to', 'cause'],
      answer.changes.map((change) => [
        day(change.changed_at),
        String(change.from_depth),
        String(change.to_depth),
        change.cause_fact_id === null ? 'time' : `fact ${change.cause_fact_id}`,
      ]),
    )}`,
  ].join('')
}

const depthCommand: Command = {
  name: 'depth',
  summary: 'People at each relationship depth as of a time.',
  positionals: [],
  flags: { 'as-of': AS_OF },
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const { asOf, now } = await instants(database, input)
      const { zone } = await readSettings(database.db)
      const answer = await reportDepth(database.db, now, asOf)
      const rows = answer.depths.map((row) => [
        `${row.depth} ${DEPTHS[row.depth]?.zh ?? ''} ${row.key}`,
        row.people,
        row.lapsing,
        row.first_lapses_at ? dayIn(zone, row.first_lapses_at) : '',
      ])
      return { json: answer, text: table(['depth', 'people', 'dated', 'first lapses'], rows) }
    }),
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

const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Where the data lies, whether PostgreSQL runs, which brands there are, what is left over.',
  positionals: [],
  flags: {},
  usesBrand: false,
  run: async ({ config }) => {
    const server = config.databaseUrl
      ? null
      : await inspectCluster({ home: config.home, pgBin: config.pgBin, root: config.root })
    const found = await findBrands(config, server?.state)
    const answer = {
      home: config.home,
      node: process.versions.node,
      database: server
        ? {
            kind: 'embedded',
            state: server.state,
            location: server.location,
            major: server.major ?? null,
            port: server.port ?? null,
            settings: server.settings,
          }
        : {
            kind: 'external',
            state: found.problem ? 'unreachable' : 'running',
            location: null,
            major: null,
            port: null,
            settings: {},
          },
      brands: found.brands,
      problems: found.problem ? [found.problem] : [],
      orphans: server?.orphans ?? [],
    }
    const lines = [
      `data folder  ${answer.home}`,
      `node         ${answer.node}`,
      `database     ${answer.database.kind}, ${answer.database.state}${answer.database.major ? `, PostgreSQL ${answer.database.major}` : ''}${answer.database.port ? `, port ${answer.database.port}` : ''}`,
      ...(answer.database.location ? [`cluster      ${answer.database.location}`] : []),
      ...answer.brands.map(
        (brand) => `brand        ${brand.key}${brand.is_current ? ' (current)' : ''}: ${brand.name}`,
      ),
      ...answer.orphans.map(
        (orphan) => `left over    ${orphan}: its data folder is gone; delete it when you do not need it`,
      ),
      ...answer.problems.map((problem) => `problem      ${problem}`),
    ]
    return { json: answer, text: `${lines.join('\n')}\n`, exit: answer.problems.length > 0 ? EXIT.failed : EXIT.done }
  },
}

async function findBrands(config: Config, state: string | undefined) {
  // A cluster that was never made has no brands, and asking must not make it.
  if (state === 'absent') return { brands: [], problem: undefined }
  const found = await withInstallation(config, async (installation) =>
    (await installation.brands()).map((brand) => ({
      key: brand.key,
      name: brand.name,
      is_demo: brand.isDemo,
      is_current: brand.isCurrent,
    })),
  ).catch((error: Error) => refuse('missing', 'unreachable', error.message, ''))
  return isRefusal(found)
    ? { brands: [], problem: `${found.message} ${found.remedy}`.trim() }
    : { brands: found, problem: undefined }
}

export const COMMANDS: readonly Command[] = [
  importCommand,
  briefCommand,
  personCommand,
  depthCommand,
  rfmCommand,
  rfmFile,
  useCommand,
  rebuildCommand,
  doctorCommand,
  signIn,
]
