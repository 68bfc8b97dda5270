import type { FittedOccasions, Rhythm, Unit } from './schema.ts'

/** Shares of a person's own gaps that are shorter than what has passed, from which on they are late and at risk, and have lapsed. */
export const RHYTHM_SHARES = { late: 0.7, at_risk: 0.9, lapsed: 0.99 } as const

/**
 * Time since the last occasion against the person's own gaps between occasions. Gaps are exponential with a rate that is Gamma(r + x,
 * α + t_x) after what was seen: so many gaps, shrunk to everybody's. P(gap ≤ g) = 1 − ((α + t_x)/(α + t_x + g))^(r + x).
 *
 * @param since, last and period in the unit of the model.
 */
export function rhythmOf<U extends Unit>(
  { estimate }: FittedOccasions<U>,
  {
    x,
    last,
    since,
    period,
  }: { readonly x: number; readonly last: number; readonly since: number; readonly period: number },
): { readonly state: Rhythm; readonly shareShorter: number; readonly lateAfter: number } {
  const { r, alpha } = estimate.parameters
  const [shape, scale] = [r + x, alpha + last]
  const shareShorter = -Math.expm1(-shape * Math.log1p(since / scale))
  const state: Rhythm =
    shareShorter > RHYTHM_SHARES.lapsed || since > period
      ? 'lapsed'
      : shareShorter > RHYTHM_SHARES.at_risk
        ? 'at_risk'
        : shareShorter > RHYTHM_SHARES.late
          ? 'late'
          : 'in_rhythm'
  const lateAfter = scale * Math.expm1(-Math.log1p(-RHYTHM_SHARES.late) / shape)
  return { state, shareShorter, lateAfter: Math.min(lateAfter, period) }
}
