import type { Database, Sql } from '../../platform/db.ts'
import { personalFactKind } from '../customers/actions.ts'
import { claimMoves, insertPending, type PersonRows, selectPersonRows } from '../intake/actions.ts'
import * as queries from './queries.ts'
import { type InteractionFact, interactionFact, type ReviewFact, reviewFact } from './schema.ts'

export const INTERACTION_FACTS = personalFactKind<InteractionFact>({
  name: 'interaction',
  fact: interactionFact,
  occurredField: 'occurred_at',
  remove: queries.removeInteractions,
  insert: async (tx, source, now) => {
    await queries.createMonths(tx)
    await queries.insertInteractions(tx, source, now)
  },
})

export const REVIEW_FACTS = personalFactKind<ReviewFact>({
  name: 'review',
  fact: reviewFact,
  occurredField: 'occurred_at',
  remove: queries.removeReviews,
  insert: queries.insertReviews,
})

const MOVES_MAX = 20_000

/** Interactions and reviews follow their identity when claims made one person of two, or two of one. */
export async function followIdentities(database: Database): Promise<number> {
  let followed = 0
  for (let claimed = MOVES_MAX; claimed === MOVES_MAX; followed += claimed) {
    claimed = await database.transaction(async (tx) => {
      const count = await claimMoves(tx, 'interactions', MOVES_MAX)
      if (count > 0) {
        await queries.followMoves(tx)
        await insertPending(tx)
      }
      return count
    })
  }
  return followed
}

/** What who is erased did and said becomes nobody's: see `Eraser` of customers. */
export const eraseInteractions = queries.eraseInteractions

/** All that is kept of a person here, as it stands. */
export function exportInteractions(db: Sql, personId: number): Promise<PersonRows> {
  return selectPersonRows(db, 'interactions', ['interactions', 'reviews'], personId)
}
