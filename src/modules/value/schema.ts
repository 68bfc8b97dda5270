import { z } from 'zod'

/** A unit of time. Spans of different units are different types: a week can't be taken for a day, nor a month for a week. */
export const UNITS = ['day', 'week'] as const
export type Unit = (typeof UNITS)[number]

declare const unitOf: unique symbol
/** A length of time in the unit U, fractions allowed. */
export type Span<U extends Unit> = number & { readonly [unitOf]: U }

/** Days of a unit, and units of a year: the year of a weekly model has 52 weeks, as its literature counts. */
export const UNIT_DAYS = { day: 1, week: 7 } as const satisfies Record<Unit, number>
export const UNIT_YEAR = { day: 365, week: 52 } as const satisfies Record<Unit, number>

/** What a model of occasions knows of a person: repeat occasions, when the last was, how long they have been watched. */
export interface History<U extends Unit> {
  /** Occasions after the first. */
  readonly x: number
  /** From the first occasion to the last; 0 without a repeat. */
  readonly tX: Span<U>
  /** From the first occasion to the end of what was watched. */
  readonly T: Span<U>
}

export const OCCASION_MODELS = ['bg-nbd', 'pareto-nbd', 'nbd', 'historic-rate'] as const
export type OccasionModel = (typeof OCCASION_MODELS)[number]
export const SPEND_MODELS = ['gamma-gamma', 'shrunk-mean'] as const
export type SpendModel = (typeof SPEND_MODELS)[number]

export interface OccasionParameters {
  'bg-nbd': { readonly r: number; readonly alpha: number; readonly a: number; readonly b: number }
  'pareto-nbd': { readonly r: number; readonly alpha: number; readonly s: number; readonly beta: number }
  nbd: { readonly r: number; readonly alpha: number }
  'historic-rate': { readonly r: number; readonly alpha: number }
}
export interface SpendParameters {
  'gamma-gamma': { readonly p: number; readonly q: number; readonly v: number }
  'shrunk-mean': { readonly mean: number; readonly weight: number }
}

/** Parameters with what the data say of them. Times are in the unit U of the histories. */
export interface Estimate<Parameters> {
  readonly parameters: Parameters
  readonly logLikelihood: number | null
  /** By parameter; null where the data do not tell it. */
  readonly standardErrors: Readonly<Record<string, number | null>>
  /** Of the logarithms of the parameters, row by row, in their order; null where the data do not tell them. */
  readonly covariance: readonly number[] | null
  readonly isConverged: boolean
}

export type FittedOccasions<U extends Unit> = {
  [Model in OccasionModel]: {
    readonly model: Model
    readonly unit: U
    readonly estimate: Estimate<OccasionParameters[Model]>
  }
}[OccasionModel]

export type FittedSpend = {
  [Model in SpendModel]: { readonly model: Model; readonly estimate: Estimate<SpendParameters[Model]> }
}[SpendModel]

/** Why another model is used than the one asked for. */
export const FALLBACK_REASONS = {
  few_repeaters: 'fewer than 100 people with a repeat occasion',
  not_converged: 'the likelihood has no maximum that could be found',
  dropout_unidentified: 'dropout is not identified: its likelihood is less than 1.92 above that of the NBD',
  spend_constant: 'everybody spends the same',
  spend_mean_infinite: 'q is 1 or less: the mean of spending would be infinite',
  spend_correlated: 'mean spend and the number of repeat occasions are correlated by more than 0.3',
} as const
export type FallbackReason = keyof typeof FALLBACK_REASONS

/** Mean spend of the repeat occasions of people, alike ones together. */
export interface SpendGroup {
  readonly x: number
  readonly meanSpend: number
  readonly people: number
}

/** How a discounted sum is made: margin of each step, discounted at the step's end. */
export interface Discounting<U extends Unit> {
  readonly horizon: Span<U>
  readonly step: Span<U>
  readonly ratePerStep: number
  readonly marginRate: number
}

/** This many repeat occasions and more are one row of a calibration. */
export const CALIBRATION_MOST = 7

/** People with so many repeat occasions (7: and more), over the days that the model was not shown: occasions of each, on average. */
export const calibrationRow = z.object({
  frequency: z.number().int().min(0).max(CALIBRATION_MOST),
  people: z.number().int(),
  days: z.number().int(),
  actual: z.number(),
  expected: z.number(),
})
export type CalibrationRow = z.infer<typeof calibrationRow>

const reason = z.enum(Object.keys(FALLBACK_REASONS) as [FallbackReason, ...FallbackReason[]]).nullable()

/**
 * What came after a past day in so many days, a year at most, against what was to be expected in them. Neither is discounted, and
 * both are of people with a live connection then.
 */
export const cameSince = z.object({
  until: z.iso.datetime(),
  days: z.number(),
  came_minor: z.number().int(),
  expected_minor: z.number().int(),
  /** With probability 0.8 what comes lies between them; null for somebody who sees only some of the people. */
  low_minor: z.number().int().nullable(),
  high_minor: z.number().int().nullable(),
})
export type CameSince = z.infer<typeof cameSince>

/** What a run of the values has done. */
export const runReport = z.object({
  fit_id: z.number().int(),
  valued_at: z.iso.datetime(),
  people: z.number().int(),
  model: z.enum(OCCASION_MODELS),
  reason,
  spend_model: z.enum(SPEND_MODELS),
  spend_reason: reason,
  reachable_people: z.number().int(),
  /** Expected margin of the next 12 months of everybody with a live connection. */
  customer_equity_minor: z.number().int(),
  customer_equity_low_minor: z.number().int(),
  customer_equity_high_minor: z.number().int(),
  drift: z.number().nullable(),
  people_in_trees: z.number().int(),
  /** The past instant that was asked for; null: as of now. */
  as_of: z.iso.datetime().nullable(),
  /** Null: as of now, or not a day is known of what came since. */
  came_since: cameSince.nullable(),
})
export type RunReport = z.infer<typeof runReport>

const money = z.number().int()
const id = z.number().int()

/** Customer equity: what everybody with a live connection is expected to bring in 12 months; and how that is known. */
export const equityReport = z.object({
  /** Null: no run has valued anybody yet, or none as of that day; then all figures are null or empty. */
  valued_at: z.iso.datetime().nullable(),
  /** Of a past day: when its values were worked out, by all that was known then. */
  worked_out_at: z.iso.datetime().nullable(),
  came_since: cameSince.nullable(),
  /** The past day of which values are kept, whatever is asked; null: none. */
  kept_as_of: z.iso.datetime().nullable(),
  /** The latest of the people in view, as the run saw it. */
  last_purchase_at: z.iso.datetime().nullable(),
  currency: z.string(),
  /** Revenue as long as the brand has no margin rate. */
  basis: z.enum(['margin', 'revenue']),
  discount_rate_per_year: z.number(),
  people: z.number().int(),
  reachable_people: z.number().int(),
  customer_equity_minor: money,
  /** With probability 0.8 what comes in lies between them; null for somebody who sees only some of the people. */
  customer_equity_low_minor: money.nullable(),
  customer_equity_high_minor: money.nullable(),
  unit: z.enum(UNITS).nullable(),
  model_asked: z.enum(OCCASION_MODELS).nullable(),
  model: z.enum(OCCASION_MODELS).nullable(),
  reason,
  parameters: z.record(z.string(), z.number()),
  standard_errors: z.record(z.string(), z.number().nullable()),
  log_likelihood: z.number().nullable(),
  spend_model: z.enum(SPEND_MODELS).nullable(),
  spend_reason: reason,
  drift: z.number().nullable(),
  calibration: z.array(calibrationRow),
  /** Tenths of the people in view by expected margin, the highest first. */
  distribution: z.array(
    z.object({
      tenth: z.number().int(),
      people: z.number().int(),
      least_minor: money,
      expected_minor: money,
      /** Of a past day: what came of them since, and what was to be expected in that time. */
      came_minor: money.nullable(),
      expected_since_minor: money.nullable(),
    }),
  ),
})
export type EquityReport = z.infer<typeof equityReport>

/** Whether the server values everybody just now. */
export const valueRunState = z.object({
  /** Since when; null: it does not. */
  running_since: z.iso.datetime().nullable(),
  /** When the last run failed; null: it did not. What was before it stands. */
  failed_at: z.iso.datetime().nullable(),
  /** The past instant of the run that is under way, or failed; null: as of now. */
  as_of: z.iso.datetime().nullable(),
})
export type ValueRunState = z.infer<typeof valueRunState>

const asOf = z.iso.datetime({ offset: true }).optional()

/** Values as of a past instant, of which they have been worked out; without it those of now. */
export const valueQuery = z.object({ as_of: asOf })
export const valueRunCommand = z.strictObject({ as_of: asOf })

/** What GET /api/v1/value answers. */
export const equityAnswer = equityReport.extend({ run: valueRunState })

export const RHYTHMS = ['in_rhythm', 'late', 'at_risk', 'lapsed'] as const
export type Rhythm = (typeof RHYTHMS)[number]

/** What is missing where somebody does not act; an obstacle is none of the three, and no message helps against it. */
export const LEVERS = ['obstacle', 'motivation', 'ability', 'trigger'] as const
export type Lever = (typeof LEVERS)[number]

const sign = z.object({
  /** What it speaks for. */
  lever: z.enum(LEVERS),
  sign: z.enum([
    'returned',
    'question_open',
    'cart_left',
    'bad_review',
    'stopped_reacting',
    'waits_for_coupons',
    'not_enrolled',
    'day_passed',
    'last_word',
  ]),
  at: z.iso.datetime().nullable(),
  fact_id: z.number().int().nullable(),
  /** Reactions in the half year before they stopped; occasions with a coupon. */
  count: z.number().int().nullable(),
  /** Out of so many. */
  of: z.number().int().nullable(),
})
export type Sign = z.infer<typeof sign>

/** The missing lever with all signs that there are; those of the lever itself come first. */
export const missingLever = z.object({ lever: z.enum(LEVERS), signs: z.array(sign) })
export type MissingLever = z.infer<typeof missingLever>

const named = {
  person_id: id,
  key: z.string(),
  key_kind: z.string(),
  source: z.string(),
  name: z.string().nullable(),
}

/** What one person is worth, and why. */
export const personValue = z.object({
  person_id: id,
  /** Null: no run has valued them yet; then only what came in is known, and what they brought. */
  valued_at: z.iso.datetime().nullable(),
  /** From when on the run that values them is due; null for whoever is valued, or has not bought. */
  next_valued_at: z.iso.datetime().nullable(),
  currency: z.string(),
  basis: z.enum(['margin', 'revenue']),
  model: z.enum(OCCASION_MODELS).nullable(),
  reason,
  spend_model: z.enum(SPEND_MODELS).nullable(),
  spend_reason: reason,
  repeats: z.number().int(),
  /** Days from the first occasion to the last, and to the run. */
  last_days: z.number().int(),
  watched_days: z.number().int(),
  mean_spend_minor: z.number(),
  p_alive: z.number().nullable(),
  expected_occasions: z.number(),
  expected_minor: money,
  expected_low_minor: money,
  expected_high_minor: money,
  realised_minor: money,
  own_minor: money,
  /** Of their own value, what is not passed up; the rest of allocated value comes from those they brought. */
  kept_minor: money,
  allocated_minor: money,
  influenced_minor: money,
  /** Of a past day: what came of this person since. */
  came_since: cameSince.nullable(),
  /** Days since the last occasion, the share of this person's own gaps that are shorter, and what that is called. */
  rhythm: z
    .object({
      state: z.enum(RHYTHMS),
      days_since: z.number().int(),
      share_shorter: z.number(),
      late_after_days: z.number().int(),
    })
    .nullable(),
  /** Null in rhythm, and where there is no rhythm. */
  lever: missingLever.nullable(),
  /** Who brought them, and who brought those, up to the root; of people that may be seen. */
  chain: z.array(z.object({ ...named, levels: z.number().int() })),
  /** What of allocated and influenced value comes from whom: the 100 of whom most comes, of people that may be seen. */
  brought: z.array(z.object({ ...named, levels: z.number().int(), own_minor: money, allocated_minor: money })),
})
export type PersonValue = z.infer<typeof personValue>

const third = z.coerce.number().int().min(1).max(3)
const depth = z.coerce.number().int().min(0).max(5)

/** People of each depth by transaction value and propagation value. */
export const valueMatrix = z.object({
  in_force_from: z.iso.datetime().nullable(),
  own_cuts_minor: z.array(money),
  influenced_cuts_minor: z.array(money),
  /** Referral claims up to then, and how many of them count: without one nobody has propagation value. */
  claims: z.number().int(),
  referrals: z.number().int(),
  cells: z.array(
    z.object({
      depth,
      transaction: third,
      propagation: third,
      people: z.number().int(),
      own_minor: money,
      allocated_minor: money,
    }),
  ),
})
export type ValueMatrix = z.infer<typeof valueMatrix>

export const valueCellQuery = z.object({
  depth,
  transaction: third,
  propagation: third,
  as_of: asOf,
  /** The last person of the page before. */
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
export type ValueCellQuery = z.infer<typeof valueCellQuery>

/** The people of one cell, by id. */
export const valueCellPage = z.object({
  people: z.array(
    z.object({
      ...named,
      own_minor: money,
      allocated_minor: money,
      influenced_minor: money,
      p_alive: z.number().nullable(),
    }),
  ),
  /** To be given as `after`; null: these were the last. */
  next: id.nullable(),
})
export type ValueCellPage = z.infer<typeof valueCellPage>

export const atRiskQuery = z.object({ limit: z.coerce.number().int().min(1).max(50).default(5) })

/** Who can be reached and is late or at risk now, the most valuable first. */
export const atRisk = z.object({
  /** Null: no run has valued anybody yet. */
  valued_at: z.iso.datetime().nullable(),
  people: z.array(
    z.object({
      ...named,
      state: z.enum(RHYTHMS),
      days_since: z.number().int(),
      own_minor: money,
      expected_minor: money,
      p_alive: z.number().nullable(),
    }),
  ),
})
export type AtRisk = z.infer<typeof atRisk>

/** Those whom a person brought, and whom those brought: nearest first, 500 at most, of people that may be seen. */
export const referralTree = z.object({
  person_id: id,
  nodes: z.array(
    z.object({
      ...named,
      /** Who brought them: the person, or another node, or somebody who may not be seen. */
      referrer_person_id: id,
      levels: z.number().int(),
      own_minor: money,
      influenced_minor: money,
    }),
  ),
  /** There are more than are listed. */
  is_cut: z.boolean(),
})
export type ReferralTree = z.infer<typeof referralTree>
