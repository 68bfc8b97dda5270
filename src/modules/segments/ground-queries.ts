import { type RawBuilder, sql } from 'kysely'
import type { z } from 'zod'
import type { Settings } from '../brand/schema.ts'
import type { Cuts } from '../relationship/actions.ts'

/** A where-clause fragment on person_id, e.g. `in (select person_id from looks)`. */
export type Scope = RawBuilder<unknown>

/** Where the people of a scope are few, facts are better looked up for each. */
export interface Few {
  /** The same people as a select body (person_id). */
  readonly people: RawBuilder<unknown>
  /** A table of their standing, as `storedStanding` has it. */
  readonly standing: RawBuilder<unknown>
  /** A table of their orders, as `refundedOrders` has them; undefined where no clause asks for it. */
  readonly orders: RawBuilder<unknown> | undefined
}

/** As of when, of whom, and by what a clause is compiled. */
export interface Ground {
  readonly at: Date
  readonly scope: Scope
  readonly few?: Few
  readonly settings: Settings
  /** By what RFM is scored at `at`; null where no clause asks for it. */
  readonly cuts: Cuts | null
  /** Whether the deciding fact is asked for as well, which costs a sort. */
  readonly isExplaining: boolean
  /** Whether `at` is the present of what standing keeps of everybody, and that may be read in place of the facts. */
  readonly isKept?: boolean
}

/**
 * A clause as SQL. All but `body` are expressions over its columns (by the alias) and over the standing `s` of the person, of which a clause
 * with a body asks for nothing but `last_occasion_at` to tell whether it holds and until when.
 */
export interface Compiled {
  /** Select body with one row for each person whom there is something to say of: (person_id, …). */
  readonly body?: RawBuilder<unknown>
  /** Boolean, never null. */
  readonly holds: RawBuilder<unknown>
  /** Instant at which time alone may change that, never later than it does; `infinity` where it cannot. */
  readonly until: RawBuilder<unknown>
  /** jsonb. */
  readonly observed: RawBuilder<unknown>
  readonly factId: RawBuilder<unknown>
  /**
   * What standing alone says of a clause that has a body: expressions over `s`, `holds` null of whom it does not say. Then the body is left
   * alone where few are asked.
   */
  readonly known?: Pick<Compiled, 'holds' | 'until'>
}

/** Kinds of facts as they are pending. */
export type FactKind =
  | 'order'
  | 'person'
  | 'connection'
  | 'membership'
  | 'interaction'
  /** One that adds nothing to the score. */
  | 'unweighted_interaction'
  | 'review'
  | 'consent'
  | 'tag'
  /** What they did may have changed their depth. */
  | 'depth'
  /** What they did changed when they are at which fan tier. */
  | 'fan'
  /** What somebody is worth, between two runs. */
  | 'value'

export interface ClauseKind<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema
  /** What can change it; `any`: whatever makes somebody known by a further identity. */
  readonly facts: readonly FactKind[] | 'any' | ((clause: z.output<Schema>) => readonly FactKind[])
  /** Whether it rests on scores, which change when the cut table is renewed. */
  readonly usesCuts?: (clause: z.output<Schema>) => boolean
  /** Whether it rests on values, which a run makes anew for everybody. */
  readonly usesValues?: boolean
  /** Whether it asks for the orders of most people, without their source. */
  readonly readsOrders?: (clause: z.output<Schema>) => boolean
  /** Whether it asks for a personal value, which masked roles must not probe for. */
  readonly isPersonal?: (clause: z.output<Schema>) => boolean
  /** Names of the tags that it asks for, where a rule may give them. */
  readonly ruleTags?: (clause: z.output<Schema>) => readonly string[]
  compile(clause: z.output<Schema>, ground: Ground, alias: RawBuilder<unknown>): Compiled
}

/** The least of some instants, `infinity` where there is none of them. */
export function earliest(instants: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return instants.length === 0
    ? sql`'infinity'::timestamptz`
    : sql`coalesce(least(${sql.join(instants)}), 'infinity'::timestamptz)`
}

/** An instant that is still to come; null when it is not. */
export function ahead(instant: RawBuilder<unknown>, { at }: Pick<Ground, 'at'>): RawBuilder<unknown> {
  return sql`case when ${instant} > ${at}::timestamptz then ${instant} end`
}

/** So many times 24 hours. */
export function hoursOf(days: number): RawBuilder<unknown> {
  return sql`make_interval(hours => ${days * 24}::int)`
}
