import { columnsOf, readNumber, readTime } from '../platform/fields.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'
import { TableError } from '../platform/table.ts'
import { openTable } from '../platform/table-file.ts'

// Plain tables, for the commands that need no brand: columns by their names, no mapping.

export interface Rejected {
  readonly line: number
  readonly reason: string
}

export interface PaymentRows {
  readonly rowsIn: number
  readonly payments: { readonly customer: string; readonly at: number; readonly amount: number }[]
  readonly rejected: Rejected[]
  /** Rows after the instant asked for: left out. */
  readonly later: number
}

/**
 * Customer, date and amount of every row up to an instant of the file's own clock; all rows without one.
 *
 * @param called what the table calls some of the columns.
 */
export async function readPayments(
  path: string,
  asOf = Number.POSITIVE_INFINITY,
  called: PaymentColumns = {},
): Promise<PaymentRows | Refusal> {
  const payments: PaymentRows['payments'] = []
  const rejected: Rejected[] = []
  let later = 0
  const rowsIn = await readColumns(path, { ...PAYMENT_COLUMNS, ...called }, ({ customer, date, amount }, line) => {
    const at = wallClock(date)
    const sum = readNumber(amount)
    if (!customer) rejected.push({ line, reason: 'missing_customer' })
    else if (at === undefined) rejected.push({ line, reason: 'bad_time' })
    else if (sum === undefined) rejected.push({ line, reason: 'bad_number' })
    else if (at > asOf) later += 1
    else payments.push({ customer, at, amount: Number(sum) })
  })
  return isRefusal(rowsIn) ? rowsIn : { rowsIn, payments, rejected, later }
}
const PAYMENT_COLUMNS = { customer: ['customer', 'customer_id'], date: ['date'], amount: ['amount'] } as const
export type PaymentColumns = Readonly<Partial<Record<keyof typeof PAYMENT_COLUMNS, readonly string[]>>>

/** `customer=buyer,amount=total` as columns; undefined where it is no such list. */
export function readPaymentColumns(list: string): PaymentColumns | undefined {
  const pairs = list.split(',').map((pair) => pair.split('=').map((part) => part.trim()))
  const isRight = ([name, column, ...rest]: string[]) =>
    name !== undefined && Object.hasOwn(PAYMENT_COLUMNS, name) && Boolean(column) && rest.length === 0
  if (!pairs.every(isRight) || new Set(pairs.map(([name]) => name)).size < pairs.length) return undefined
  return Object.fromEntries(pairs.map(([name = '', column = '']) => [name, [column]]))
}

/**
 * Every row of a table, by the columns named: what is in them without space around, '' in a column that need not be there and is
 * not. A refusal where the file cannot be read or a column is missing.
 *
 * @param columns the names a column may have; `isOptional` says which may be absent.
 * @returns the number of rows.
 */
export async function readColumns<Column extends string>(
  path: string,
  columns: Readonly<Record<Column, readonly string[]>>,
  take: (row: Record<Column, string>, line: number) => void,
  isOptional: (column: Column) => boolean = () => false,
): Promise<number | Refusal> {
  const names = Object.keys(columns) as Column[]
  const wanted = names.filter((name) => !isOptional(name)).map((name) => columns[name][0] ?? name)
  try {
    const file = await openTable(path)
    const found = columnsOf(file.header, columns)
    const missing = names.filter((name) => (found[name] ?? -1) < 0 && !isOptional(name))
    if (missing.length > 0) {
      file.close()
      const absent = missing.map((name) => columns[name][0] ?? name).join(', ')
      return refuse('invalid', 'wrong_columns', `${path} has no column ${absent}.`, `It needs ${wanted.join(', ')}.`)
    }
    let rowsIn = 0
    for await (const batch of file.batches) {
      for (const { line, fields } of batch) {
        rowsIn += 1
        const row = names.map((name) => [name, fields[found[name] ?? -1]?.trim() ?? ''] as const)
        take(Object.fromEntries(row) as Record<Column, string>, line)
      }
    }
    return rowsIn
  } catch (error) {
    const { code } = error as { code?: string }
    if (!(error instanceof TableError) && !code) throw error
    const reason = error instanceof TableError ? error.message : `it cannot be read (${code}).`
    const remedy = `Give a table with the columns ${wanted.join(', ')}.`
    return refuse('invalid', 'unreadable_table', `${path}: ${reason}`, remedy)
  }
}

/** Wall-clock milliseconds: a plain file has no zone, and days are counted as it writes them. */
export function wallClock(content: string): number | undefined {
  const time = readTime(content, 'ymd')
  if (!time) return undefined
  return Date.parse('instant' in time ? time.instant.replace(' ', 'T') : `${time.local.replace(' ', 'T')}Z`)
}
