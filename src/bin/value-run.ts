import { readSettings } from '../modules/brand/actions.ts'
import { DEFAULT_CURRENCY, type Settings } from '../modules/brand/schema.ts'
import { nothingWatched, valueAsOf, valueEverybody } from '../modules/value/actions.ts'
import { type CameSince, FALLBACK_REASONS, type RunReport } from '../modules/value/schema.ts'
import { formatMinor } from '../platform/money.ts'
import { isRefusal } from '../platform/refusal.ts'
import { AS_OF, type Command, instants, minuteIn, withBrand } from './command.ts'

/** What the server does by itself each night. */
export const valueRun: Command = {
  name: 'value-run',
  summary:
    'Values everybody now, or as of a past day: expected margin of 12 months, value brought by referral. The server does it each night.',
  positionals: [],
  flags: { 'as-of': { ...AS_OF, help: `${AS_OF.help}; values of now stay as they are` } },
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const { now, asOf } = await instants(database, input)
      const report = asOf ? await valueAsOf(database, asOf, now) : await valueEverybody(database, now)
      if (!report) return nothingWatched()
      if (isRefusal(report)) return report
      return { json: report, text: textOf(report, await readSettings(database.db)) }
    }),
}

function textOf(report: RunReport, { currency, zone }: Settings): string {
  const money = (minor: number) => formatMinor(minor, currency ?? DEFAULT_CURRENCY)
  const why = report.reason ? ` (${FALLBACK_REASONS[report.reason]})` : ''
  const then = report.as_of === null ? '' : `, as of ${minuteIn(zone, report.as_of)}`
  return (
    `${report.people.toLocaleString('en-US')} people valued by ${report.model}${why}${then}\n` +
    `customer equity ${money(report.customer_equity_minor)}, between ${money(report.customer_equity_low_minor)} and ` +
    `${money(report.customer_equity_high_minor)} with probability 0.8, of ${report.reachable_people.toLocaleString('en-US')} people with a live connection\n` +
    `${report.people_in_trees.toLocaleString('en-US')} people in referral claims\n` +
    (report.came_since ? cameText(report.came_since, zone, money) : '')
  )
}

function cameText(since: CameSince, zone: string, money: (minor: number) => string): string {
  const { low_minor: low, high_minor: high } = since
  const between = low === null || high === null ? '' : `, between ${money(low)} and ${money(high)}`
  return (
    `came since, in ${since.days.toFixed(1)} days until ${minuteIn(zone, since.until)}: ${money(since.came_minor)}; ` +
    `expected ${money(since.expected_minor)}${between}, not discounted\n`
  )
}
