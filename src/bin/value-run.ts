import { readSettings } from '../modules/brand/actions.ts'
import { DEFAULT_CURRENCY } from '../modules/brand/schema.ts'
import { nothingWatched, valueEverybody } from '../modules/value/actions.ts'
import { FALLBACK_REASONS } from '../modules/value/schema.ts'
import { systemClock } from '../platform/clock.ts'
import { formatMinor } from '../platform/money.ts'
import { type Command, withBrand } from './command.ts'

/** What the server does by itself each night. */
export const valueRun: Command = {
  name: 'value-run',
  summary:
    'Values everybody now: expected margin of 12 months, value brought by referral. The server does it each night.',
  positionals: [],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const report = await valueEverybody(database, systemClock.now())
      if (!report) {
        return nothingWatched()
      }
      const { currency } = await readSettings(database.db)
      const money = (minor: number) => formatMinor(minor, currency ?? DEFAULT_CURRENCY)
      const why = report.reason ? ` (${FALLBACK_REASONS[report.reason]})` : ''
      return {
        json: report,
        text:
          `${report.people.toLocaleString('en-US')} people valued by ${report.model}${why}\n` +
          `customer equity ${money(report.customer_equity_minor)}, between ${money(report.customer_equity_low_minor)} and ` +
          `${money(report.customer_equity_high_minor)} with probability 0.8, of ${report.reachable_people.toLocaleString('en-US')} people with a live connection\n` +
          `${report.people_in_trees.toLocaleString('en-US')} people in referral claims\n`,
      }
    }),
}
