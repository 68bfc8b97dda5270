import type { History } from './depth-oracle.ts'
import type { Books, Rules } from './oracle.ts'

/* What a random brand's people have done, as the oracle of segments reads it. */

interface Sourced {
  readonly customer: string
  readonly at: number
  readonly source: string
}

/** All that is known of a brand's people; `history` and `books` for what relationship makes of it. */
export interface World {
  readonly rules: Rules
  readonly books: Books
  readonly history: History
  /** Of orders by id. */
  readonly sources: ReadonlyMap<string, string>
  /** Of items; one without has none. */
  readonly categories: ReadonlyMap<string, string>
  readonly acts: readonly (Sourced & { readonly type: string; readonly item: string | null })[]
  readonly connections: readonly (Sourced & {
    readonly ended: number | null
    readonly staff: string
    readonly group: string | null
    readonly channel: string
  })[]
  readonly memberships: readonly (Sourced & { readonly ended: number | null; readonly isRecord: boolean })[]
  readonly tags: readonly {
    readonly customer: string
    readonly at: number
    readonly ended: number | null
    readonly name: string
    readonly source: string
  }[]
  readonly consents: readonly {
    readonly customer: string
    readonly at: number
    readonly purpose: string
    readonly channel: string
    readonly state: string
  }[]
  readonly records: readonly {
    readonly customer: string
    readonly name: string | null
    readonly identities: readonly { readonly kind: string; readonly namespace: string }[]
  }[]
  /** By the last run; undefined: there was none. */
  readonly values: ReadonlyMap<string, Worth> | undefined
  /** Every customer of whom something is known by then. */
  readonly customersAt: (at: number) => readonly string[]
  readonly segments: ReadonlyMap<number, unknown>
}

/** What a run says of somebody. */
export interface Worth {
  readonly expected: number
  readonly own: number
  readonly alive: number | null
  readonly allocated: number
  readonly influenced: number
  readonly transaction: number
  readonly propagation: number
  /** Days since the last occasion from which on they are late, at risk and lapsed; null: was never scored. */
  readonly turns: readonly number[] | null
}
