import { fileURLToPath } from 'node:url'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { type PersonalKind, personalFactKind, personalFileKind } from '../customers/actions.ts'
import { claimMoves, insertPending, type PersonRows, selectPersonRows } from '../intake/actions.ts'
import * as queries from './queries.ts'
import { INTERACTION_TYPES, type InteractionFact, interactionFact, type ReviewFact, reviewFact } from './schema.ts'

const MAPPINGS_FOLDER = fileURLToPath(new URL('./mappings', import.meta.url))

const interactions: PersonalKind<InteractionFact> = {
  name: 'interaction',
  fact: interactionFact,
  occurredField: 'occurred_at',
  remove: async (tx) => {
    // A month locks the table against everybody: asked for after rows of it were removed, two writers would block each other.
    await queries.createMonths(tx)
    await queries.removeInteractions(tx)
  },
  insert: async (tx, source, now) => {
    await queries.createMonths(tx)
    await queries.insertInteractions(tx, source, now)
  },
  pendingKind: queries.PENDING_KIND,
}
export const INTERACTION_FACTS = personalFactKind(interactions)
export const INTERACTIONS = personalFileKind(interactions, {
  kind: 'interactions',
  mappingsFolder: MAPPINGS_FOLDER,
  people: { identity: '' },
  fields: {
    type: { about: `what they did: ${Object.keys(INTERACTION_TYPES).join(', ')}`, reads: 'word' },
    item: { about: 'the product it was about', reads: 'text' },
    content: { about: 'the content it was about', reads: 'text' },
    occurred_at: { about: 'when', reads: 'time' },
  },
  needs: [['type'], ['occurred_at']],
})

const reviews: PersonalKind<ReviewFact> = {
  name: 'review',
  fact: reviewFact,
  occurredField: 'occurred_at',
  remove: queries.removeReviews,
  insert: queries.insertReviews,
}
export const REVIEW_FACTS = personalFactKind(reviews)
export const REVIEWS = personalFileKind(reviews, {
  kind: 'reviews',
  mappingsFolder: MAPPINGS_FOLDER,
  people: { identity: '' },
  fields: {
    item: { about: 'the product', reads: 'text' },
    rating: { about: '1 to 5', reads: 'number' },
    is_recommended: { about: 'whether they would recommend it', reads: 'yes_no' },
    occurred_at: { about: 'when', reads: 'time' },
  },
  needs: [['rating', 'is_recommended'], ['occurred_at']],
})

const MOVES_MAX = 20_000

/** Interactions and reviews follow their identity when claims made one person of two, or two of one. */
export async function followIdentities(database: Database, clock: Clock): Promise<number> {
  let followed = 0
  for (let claimed = MOVES_MAX; claimed === MOVES_MAX; followed += claimed) {
    claimed = await database.transaction(async (tx) => {
      const count = await claimMoves(tx, 'interactions', MOVES_MAX)
      if (count > 0) {
        await queries.followMoves(tx)
        await insertPending(tx, clock.now())
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
