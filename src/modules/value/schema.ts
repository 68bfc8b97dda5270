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
