import {
  discountPerUnit,
  fitContracts,
  NOTHING_WATCHED,
  renewalsOf,
  span,
  spanOfDays,
  valueContracts,
  valuePayments,
} from '../modules/value/actions.ts'
import { FALLBACK_REASONS, type Span, UNITS, type Unit } from '../modules/value/schema.ts'
import { readNumber } from '../platform/fields.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'
import { type Answer, type Command, type CommandInput, choice, EXIT, table, text, UsageError } from './command.ts'
import {
  type PaymentColumns,
  type PaymentRows,
  readColumns,
  readPaymentColumns,
  readPayments,
  wallClock,
} from './plain-tables.ts'

const MODELS = ['bg-nbd', 'pareto-nbd', 'gamma-gamma', 'sbg'] as const
const DAY_MS = 86_400_000
const MONTH_DAYS = 365 / 12
/** A hundred years of months. Each step is worked out for each history: 23,000 of them took minutes. */
const STEPS_MAX = 1200

/** Lifetime value of a plain table, no database: for analysts, by the same models. */
export const clvCommand: Command = {
  name: 'clv',
  summary: 'Lifetime value from a plain table with the columns customer, date, amount; no database.',
  positionals: ['FILE'],
  flags: {
    model: { type: 'string', value: MODELS.join('|'), help: 'what is fitted (required)' },
    unit: { type: 'string', value: 'day|week', help: 'what times are counted in (required)' },
    until: { type: 'string', value: 'DATE', help: 'the last day that the model sees (required but for survivors)' },
    horizon: { type: 'string', value: 'N', help: 'how far to look ahead: in units, or as 365d or 52w (required)' },
    'margin-rate': { type: 'string', value: 'R', help: 'margin by amount paid (default: 1)' },
    discount: { type: 'string', value: 'R', help: 'discount rate: 0.1 is 10 % (default: 0)' },
    per: { type: 'string', value: 'step|year', help: 'what the discount rate is for (default: year)' },
    'step-length': {
      type: 'string',
      value: 'L',
      help: 'a step, or a contract period: in units, or as 30d (default: a month; sbg: 1)',
    },
    columns: {
      type: 'string',
      value: 'LIST',
      help: 'what the table calls them: customer=buyer,date=day,amount=total, or some of these',
    },
    survivors: { type: 'string', value: 'COLUMN', help: 'sbg of a table of survivors by period: its column' },
  },
  usesBrand: false,
  run: (input) => {
    const options = readOptions(input)
    const path = input.positionals[0] ?? ''
    return options.survivors ? valueSurvivors(path, options, options.survivors) : valueFile(path, options)
  },
}

interface Options {
  readonly model: (typeof MODELS)[number]
  readonly unit: Unit
  readonly until: string | undefined
  readonly horizon: Span<Unit>
  readonly step: Span<Unit>
  readonly marginRate: number
  readonly discount: number
  readonly per: 'step' | 'year'
  readonly columns: PaymentColumns
  readonly survivors: string | undefined
}

function readOptions({ values }: CommandInput): Options {
  const model = choice('model', values.model, MODELS)
  const unit = choice('unit', values.unit, UNITS)
  if (!model) throw new UsageError(`clv needs --model: ${MODELS.join(', ')}.`)
  if (!unit) throw new UsageError('clv needs --unit: day or week.')
  const survivors = text(values.survivors)
  if (survivors && model !== 'sbg') throw new UsageError('--survivors is for --model sbg.')
  const until = text(values.until)
  if (!until && !survivors) throw new UsageError('clv needs --until, e.g. --until 1997-09-30.')
  const per = choice('per', values.per, ['step', 'year']) ?? 'year'
  const length = text(values['step-length'])
  const discount = rate('discount', text(values.discount), 0)
  if (discount > 0 && text(values.per) === 'step' && length === undefined && model !== 'sbg')
    throw new UsageError('--per step needs --step-length: how long is a step?')
  const usual = model === 'sbg' ? span(unit, 1) : spanOfDays(unit, MONTH_DAYS)
  const horizon = lengthOf('horizon', text(values.horizon), unit) ?? missingHorizon()
  const step = lengthOf('step-length', length, unit) ?? usual
  const steps = Math.ceil(horizon / step)
  if (steps > STEPS_MAX && (discount > 0 || model === 'sbg')) {
    throw new UsageError(
      `--horizon ${text(values.horizon)} has ${steps.toLocaleString('en-US')} steps, ${STEPS_MAX.toLocaleString('en-US')} at most: ` +
        'shorten it, or give a longer --step-length.',
    )
  }
  return {
    model,
    unit,
    until,
    horizon,
    step,
    marginRate: rate('margin-rate', text(values['margin-rate']), 1),
    discount,
    per,
    columns: columnsIn(text(values.columns)),
    survivors,
  }
}

function columnsIn(list: string | undefined): PaymentColumns {
  const columns = list === undefined ? {} : readPaymentColumns(list)
  if (!columns) throw new UsageError(`--columns ${list} names no columns: write customer=buyer,date=day,amount=total.`)
  return columns
}

function missingHorizon(): never {
  throw new UsageError('clv needs --horizon, e.g. --horizon 52 (in the unit) or 365d.')
}

function rate(flag: string, given: string | undefined, usual: number): number {
  if (given === undefined) return usual
  const value = Number(readNumber(given) ?? Number.NaN)
  if (!(value >= 0 && value <= 10)) throw new UsageError(`--${flag} ${given} is no rate: write 0.1 for 10 %.`)
  return value
}

/** `39` is so many of the unit, `273d` and `39w` so many days or weeks, whatever the unit. */
function lengthOf(flag: string, given: string | undefined, unit: Unit): Span<Unit> | undefined {
  if (given === undefined) return undefined
  const [, number, letter] = /^(\d+(?:\.\d+)?)([dw]?)$/.exec(given.trim()) ?? []
  const value = Number(number)
  if (!(value > 0 && value <= 1e6))
    throw new UsageError(`--${flag} ${given} is no length of time above 0, up to 1,000,000: write 39, 39w or 273d.`)
  if (!letter) return span(unit, value)
  return spanOfDays(unit, letter === 'w' ? value * 7 : value)
}

/** The rate of a step, and the continuous one of a unit. */
function discounts({ unit, discount, per, step }: Options): { ratePerStep: number; delta: number } {
  const delta = discountPerUnit(unit, discount, per === 'year' ? 'year' : { step })
  return { ratePerStep: Math.expm1(delta * step), delta }
}

async function valueFile(path: string, options: Options): Promise<Answer | Refusal> {
  const untilMs = wallClock(options.until ?? '')
  if (untilMs === undefined) throw new UsageError(`--until ${options.until} is no date: write 1997-09-30.`)
  const read = await readPayments(path, Number.POSITIVE_INFINITY, options.columns)
  if (isRefusal(read)) return read
  const until = Math.floor(untilMs / DAY_MS)
  const payments = read.payments.map(({ customer, at, amount }) => ({ customer, day: Math.floor(at / DAY_MS), amount }))
  const { ratePerStep, delta } = discounts(options)
  const { unit, horizon, step, marginRate } = options
  const plain = { unit, until, delta, discounting: { horizon, step, ratePerStep, marginRate } }
  const head = {
    ...headOf(options),
    rows_in: read.rowsIn,
    rows_after_until: payments.filter(({ day }) => day > until).length,
    rows_rejected: read.rejected.length,
    rejected: read.rejected,
  }
  if (options.model === 'sbg') {
    if (payments.every(({ day, amount }) => day > until || amount < 0)) return nothing(path, options)
    const { estimate, reason, calibration, customers } = valueContracts(payments, plain)
    return answer(read, {
      ...head,
      ...contractsOf(estimate, reason),
      people: customers.length,
      repeaters: customers.filter(({ x }) => x > 0).length,
      calibration,
      customers: customers.map(customerOf),
      total: totalOf(customers),
    })
  }
  const found = valuePayments(options.model === 'pareto-nbd' ? 'pareto-nbd' : 'bg-nbd', payments, plain)
  if (found === NOTHING_WATCHED) return nothing(path, options)
  const { occasions, spend, calibration, ofNew } = found
  const isSpendOnly = options.model === 'gamma-gamma'
  const main = isSpendOnly ? spend : occasions
  return answer(read, {
    ...head,
    people: found.customers.length,
    repeaters: found.histories.repeaters,
    model: main.fitted.model,
    ...reasonOf(main.reason),
    parameters: main.fitted.estimate.parameters,
    log_likelihood: main.fitted.estimate.logLikelihood,
    standard_errors: main.fitted.estimate.standardErrors,
    tried: main.tried.map(({ model, estimate }) => ({
      model,
      parameters: estimate.parameters,
      log_likelihood: estimate.logLikelihood,
      is_converged: estimate.isConverged,
    })),
    spend: {
      model: spend.fitted.model,
      ...reasonOf(spend.reason),
      people: found.spendPeople,
      correlation: found.correlation,
      parameters: spend.fitted.estimate.parameters,
      log_likelihood: spend.fitted.estimate.logLikelihood,
      standard_errors: spend.fitted.estimate.standardErrors,
    },
    calibration_split: isSpendOnly ? null : (calibration?.split ?? null),
    calibration_from: isSpendOnly || !calibration ? null : dayText(calibration.fromDay + 1),
    calibration_to: isSpendOnly || !calibration ? null : dayText(calibration.toDay),
    calibration: isSpendOnly ? [] : (calibration?.rows ?? []),
    tracking: isSpendOnly ? [] : found.tracking.map(({ at, actual, expected }) => ({ week: at, actual, expected })),
    new_customer: isSpendOnly
      ? null
      : { expected_purchases: ofNew.expected, probabilities: ofNew.probabilities ?? null },
    total: isSpendOnly ? null : found.total,
    customers: found.customers.map((customer) =>
      isSpendOnly ? { ...customerOf(customer), ...UNTOLD_BY_SPEND } : customerOf(customer),
    ),
  })
}

/** A model of spend does not say when somebody buys. */
const UNTOLD_BY_SPEND = {
  p_alive: null,
  expected_purchases: null,
  dert: null,
  clv: null,
  clv_low: null,
  clv_high: null,
}

function headOf(options: Options) {
  const { ratePerStep, delta } = discounts(options)
  return {
    model_asked: options.model,
    unit: options.unit,
    until: options.until ?? null,
    horizon: options.horizon,
    step_length: options.step,
    margin_rate: options.marginRate,
    discount_per_step: ratePerStep,
    discount_per_unit: delta,
  }
}

type Contracts = ReturnType<typeof valueContracts>

function contractsOf(estimate: Contracts['estimate'], reason: Contracts['reason']) {
  return {
    model: reason ? 'historic-rate' : 'sbg',
    ...reasonOf(reason),
    parameters: estimate.parameters,
    log_likelihood: estimate.logLikelihood,
    standard_errors: estimate.standardErrors,
  }
}

function totalOf(customers: Contracts['customers']) {
  return { clv: customers.reduce((sum, { clv }) => sum + clv, 0) }
}

function reasonOf(reason: keyof typeof FALLBACK_REASONS | undefined) {
  return { fallback: reason ?? null, fallback_reason: reason ? FALLBACK_REASONS[reason] : null }
}

function customerOf(customer: Contracts['customers'][number]) {
  return {
    customer: customer.purchases.customer,
    x: customer.x,
    t_x: customer.tX,
    T: customer.T,
    mean_spend: customer.x > 0 ? customer.purchases.repeatSpend : 0,
    p_alive: customer.alive,
    expected_purchases: customer.expectedOccasions,
    expected_spend: customer.expectedSpend,
    dert: customer.residual,
    clv: customer.clv,
    clv_low: customer.low,
    clv_high: customer.high,
  }
}

/** One cohort's survivors, period by period, the first row all who began. */
async function valueSurvivors(path: string, options: Options, column: string): Promise<Answer | Refusal> {
  const survivors: number[] = []
  const rejected: { line: number; reason: string }[] = []
  const rowsIn = await readColumns(path, { survivors: [column] }, (row, line) => {
    const count = Number(readNumber(row.survivors) ?? Number.NaN)
    const isRight = Number.isInteger(count) && count >= 0 && count <= (survivors.at(-1) ?? Number.POSITIVE_INFINITY)
    if (isRight) survivors.push(count)
    else rejected.push({ line, reason: 'bad_number' })
  })
  if (isRefusal(rowsIn)) return rowsIn
  if (rejected.length > 0 || survivors.length < 2) {
    return refuse(
      'invalid',
      'no_survivors',
      `${path}: ${rejected[0] ? `line ${rejected[0].line} is no number of survivors, or more than the one before.` : 'it has no second period.'}`,
      'Survivors are whole numbers that never rise, from the first period on.',
    )
  }
  const { estimate, reason, calibration } = fitContracts(renewalsOf(survivors))
  const read = { rowsIn, payments: [], rejected, later: 0 }
  return answer(read, {
    ...headOf(options),
    rows_in: rowsIn,
    rows_after_until: 0,
    rows_rejected: 0,
    rejected,
    ...contractsOf(estimate, reason),
    people: survivors[0] ?? 0,
    repeaters: survivors[1] ?? 0,
    calibration,
    customers: [],
    total: { clv: 0 },
  })
}

function nothing(path: string, options: Options): Refusal {
  return refuse(
    'invalid',
    NOTHING_WATCHED,
    `${path}: nobody bought before ${options.until}, so there is no time in which they could have come again.`,
    'Give a later --until, or a table with earlier payments.',
  )
}

function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

interface Said extends Readonly<Record<string, unknown>> {
  readonly model: string
  readonly model_asked: string
  readonly unit: Unit
  readonly people: number
  readonly repeaters: number
  readonly fallback_reason: string | null
  readonly parameters: Readonly<Record<string, number>> | object
  readonly standard_errors: Readonly<Record<string, number | null>>
  readonly log_likelihood: number | null
  readonly calibration: readonly object[]
}

function answer(read: PaymentRows, json: Said): Answer {
  const { parameters, standard_errors: errors } = json
  const rejects = read.rejected.map(({ line, reason }) => `line ${line}: ${reason}\n`).join('')
  const calibration = json.calibration as readonly Record<string, number>[]
  return {
    json,
    text: [
      `${json.people.toLocaleString('en-US')} people, ${json.repeaters.toLocaleString('en-US')} bought again; ${json.model} in ${json.unit}s`,
      json.fallback_reason ? ` in place of ${json.model_asked}: ${json.fallback_reason}\n\n` : '\n\n',
      table(
        ['parameter', 'estimate', 'standard error'],
        Object.entries(parameters).map(([name, value]) => [
          name,
          (value as number).toPrecision(5),
          errors[name]?.toPrecision(3) ?? '',
        ]),
      ),
      json.log_likelihood === null ? '' : `log-likelihood ${json.log_likelihood.toFixed(3)}\n`,
      calibration.length > 0
        ? `\n${table(
            [calibration[0]?.period === undefined ? 'repeat occasions' : 'period', 'people', 'actual', 'expected'],
            calibration.map((row) => [
              String(row.period ?? row.frequency),
              row.people ?? 0,
              (row.actual ?? 0).toFixed(3),
              (row.expected ?? 0).toFixed(3),
            ]),
          )}`
        : '',
      rejects,
    ].join(''),
    exit: read.rejected.length > 0 ? EXIT.doneWithRejects : EXIT.done,
  }
}
