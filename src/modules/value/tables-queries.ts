import { type RawBuilder, sql } from 'kysely'

/**
 * Where values are kept: those of now, or those as of one past day, in tables of the same shape. Whatever makes or reads values takes
 * them as an argument, so that there is one text for both, and nothing that asks for present values can meet past ones.
 */
export interface ValueTables {
  readonly fits: RawBuilder<unknown>
  readonly people: RawBuilder<unknown>
  readonly edges: RawBuilder<unknown>
  readonly propagation: RawBuilder<unknown>
  readonly settled: RawBuilder<unknown>
  readonly cuts: RawBuilder<unknown>
  /** Everybody with a value or a place in a tree. */
  readonly values: RawBuilder<unknown>
  /** Who stands at which depth. */
  readonly standing: RawBuilder<unknown>
  /** Of a past day: what came of everybody since. */
  readonly came?: RawBuilder<unknown>
}

export const PRESENT: ValueTables = {
  fits: sql`value.fits`,
  people: sql`value.people`,
  edges: sql`value.referral_edges`,
  propagation: sql`value.propagation`,
  settled: sql`value.settled`,
  cuts: sql`value.cuts`,
  values: sql`value.published_values`,
  standing: sql`relationship.published_standing`,
}

export const PAST: ValueTables = {
  fits: sql`value.past_fits`,
  people: sql`value.past_people`,
  edges: sql`value.past_referral_edges`,
  propagation: sql`value.past_propagation`,
  settled: sql`value.past_settled`,
  cuts: sql`value.past_cuts`,
  values: sql`value.past_values`,
  standing: sql`value.past_standing`,
  came: sql`value.past_came`,
}
