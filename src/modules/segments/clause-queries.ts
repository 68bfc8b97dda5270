import { INTERACTIONS, ORDERS } from './event-queries.ts'
import type { ClauseKind } from './ground-queries.ts'
import { ATTRIBUTE, CONNECTION, CONSENT, MEMBERSHIP, TAG } from './relation-queries.ts'
import { DEPTH, FAN, RFM } from './standing-queries.ts'
import { RHYTHM, VALUE } from './value-queries.ts'

/**
 * Every kind of clause, by the word that a definition has for it. A new one is one entry: its schema, which facts can change it, and
 * its SQL with what was observed; docs/definitions.md §12.3 says what it means. `segment` is none of them: what it refers to stands in
 * its place before anything is compiled (definition.ts).
 */
export const CLAUSES = {
  attribute: ATTRIBUTE,
  depth: DEPTH,
  rfm: RFM,
  fan: FAN,
  orders: ORDERS,
  interactions: INTERACTIONS,
  connection: CONNECTION,
  membership: MEMBERSHIP,
  consent: CONSENT,
  tag: TAG,
  value: VALUE,
  rhythm: RHYTHM,
} satisfies Record<string, ClauseKind>

export function clauseKind(name: string): ClauseKind | undefined {
  return Object.hasOwn(CLAUSES, name) ? (CLAUSES as unknown as Record<string, ClauseKind>)[name] : undefined
}
