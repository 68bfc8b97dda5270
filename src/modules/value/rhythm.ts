import { type FittedOccasions, RHYTHMS, type Rhythm, type Unit } from './schema.ts'

/** Shares of a person's own gaps that are shorter than what has passed, from which on they are late and at risk, and have lapsed. */
export const RHYTHM_SHARES = { late: 0.7, at_risk: 0.9, lapsed: 0.99 } as const

export interface Gaps {
  readonly x: number
  /** From the first occasion to the last. */
  readonly last: number
}

/**
 * The share of a person's own gaps that are shorter than the time since their last occasion. Gaps are exponential with a rate that is
 * Gamma(r + x, α + t_x) after what was seen: so many gaps, shrunk to everybody's. P(gap ≤ g) = 1 − ((α + t_x)/(α + t_x + g))^(r + x).
 *
 * @param since and `last` in the unit of the model.
 */
export function shareShorter<U extends Unit>(
  { estimate }: FittedOccasions<U>,
  { x, last }: Gaps,
  since: number,
): number {
  const { r, alpha } = estimate.parameters
  return -Math.expm1(-(r + x) * Math.log1p(since / (alpha + last)))
}

/**
 * Whole units since the last occasion from which on somebody is late, at risk and lapsed: the first that are more than that share of
 * their gaps, and lapsed at the latest when the period has passed.
 */
export function turnsOf<U extends Unit>(
  { estimate }: FittedOccasions<U>,
  { x, last }: Gaps,
  period: number,
): [late: number, atRisk: number, lapsed: number] {
  const { r, alpha } = estimate.parameters
  const [shape, scale] = [r + x, alpha + last]
  const from = (share: number) => Math.min(period + 1, Math.floor(scale * Math.expm1(-Math.log1p(-share) / shape)) + 1)
  return [from(RHYTHM_SHARES.late), from(RHYTHM_SHARES.at_risk), from(RHYTHM_SHARES.lapsed)]
}

/** @param turns as `turnsOf` gives them. */
export function rhythmAt(turns: readonly number[], since: number): Rhythm {
  return RHYTHMS[turns.filter((turn) => since >= turn).length] ?? 'lapsed'
}
