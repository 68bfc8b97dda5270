import { compareKeys, scoreRfm } from '../modules/relationship/actions.ts'
import { RFM_SEGMENTS, RFM_VALUE_GROUPS, type ScoredCustomer } from '../modules/relationship/schema.ts'
import { type Answer, type Command, choice, EXIT, table, text, UsageError } from './command.ts'
import { type PaymentRows, readPayments, wallClock } from './plain-tables.ts'

/** RFM of a plain file, no database: for analysts, by the same rules. */
export const rfmFile: Command = {
  name: 'rfm-file',
  summary: 'RFM of a plain table with the columns customer, date, amount; no database.',
  positionals: ['FILE'],
  flags: {
    'as-of': {
      type: 'string',
      value: 'TIME',
      help: "the day recency is counted to, in the file's own time (required)",
    },
    ties: {
      type: 'string',
      value: 'group|first',
      help: 'equal frequencies get equal scores, or are ranked by customer (default: group)',
    },
    recency: { type: 'string', value: 'day|24h', help: 'calendar days or floor of 24-hour periods (default: day)' },
    occasion: {
      type: 'string',
      value: 'day|order',
      help: 'what frequency counts: purchase days or rows (default: day)',
    },
  },
  usesBrand: false,
  run: async ({ values, positionals }) => {
    const asOfText = text(values['as-of'])
    if (!asOfText) throw new UsageError('rfm-file needs --as-of, e.g. --as-of 2011-12-10.')
    const asOf = wallClock(asOfText)
    if (asOf === undefined)
      throw new UsageError(`--as-of ${asOfText} is no time: write 2011-12-10 or 2011-12-10T12:50.`)
    const options = {
      asOf,
      ties: choice('ties', values.ties, ['group', 'first']) ?? 'group',
      recencyUnit: choice('recency', values.recency, ['day', '24h']) ?? 'day',
      occasionUnit: choice('occasion', values.occasion, ['day', 'order']) ?? 'day',
    } as const
    const read = await readPayments(positionals[0] ?? '', asOf)
    if ('refused' in read) return read
    const { cuts, customers } = scoreRfm(read.payments, options)
    return answer(asOfText, options, read, cuts, customers)
  },
}

function answer(
  asOf: string,
  options: { ties: string; recencyUnit: string; occasionUnit: string },
  read: PaymentRows,
  cuts: Record<string, number[]>,
  customers: ScoredCustomer[],
): Answer {
  const mean = (list: number[]) => (list.length > 0 ? list.reduce((sum, value) => sum + value, 0) / list.length : null)
  const segments = RFM_SEGMENTS.map(({ segment }) => {
    const members = customers.filter((customer) => customer.segment === segment)
    return {
      segment,
      buyers: members.length,
      mean_recency_days: mean(members.map((member) => member.recency_days)),
      mean_frequency: mean(members.map((member) => member.frequency)),
      mean_monetary: mean(members.map((member) => member.monetary)),
    }
  })
  const json = {
    as_of: asOf,
    ties: options.ties,
    recency_unit: options.recencyUnit,
    occasion_unit: options.occasionUnit,
    rows_in: read.rowsIn,
    rows_after_as_of: read.later,
    rows_rejected: read.rejected.length,
    rejected: read.rejected,
    buyers: customers.length,
    cuts,
    segments,
    value_groups: RFM_VALUE_GROUPS.map(({ group }) => ({
      group,
      buyers: customers.filter((customer) => customer.value_group === group).length,
    })),
    customers: [...customers].sort((a, b) => compareKeys(a.customer, b.customer)),
  }
  const rows = segments.map((row) => [
    row.segment,
    row.buyers,
    row.mean_recency_days?.toFixed(1) ?? '',
    row.mean_frequency?.toFixed(2) ?? '',
    row.mean_monetary?.toFixed(2) ?? '',
  ])
  const body = table(['segment', 'buyers', 'mean recency', 'mean frequency', 'mean amount'], rows)
  const rejects = read.rejected.map(({ line, reason }) => `line ${line}: ${reason}\n`).join('')
  return {
    json,
    text: `${customers.length.toLocaleString('en-US')} buyers as of ${asOf}\n\n${body}${rejects}`,
    exit: read.rejected.length > 0 ? EXIT.doneWithRejects : EXIT.done,
  }
}
