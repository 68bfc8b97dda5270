import type { Database, Sql } from '../../platform/db.ts'
import { selectErasedMarks, selectLastErasure } from './erasure-queries.ts'

/** Whom a row names, in the form in which identities are compared. */
export interface NamedIdentity {
  readonly kind: string
  readonly namespace: string
  readonly value: string
}

/** Knows who was erased, as of when it was opened. */
export interface ErasureGuard {
  /** The last erasure that it knows of; 0: there was none. */
  readonly last: number
  /** How many of the rows name nobody who was erased: true at the same place. */
  areAllowed(rows: readonly (readonly NamedIdentity[])[]): Promise<boolean[]>
  /** @throws ErasedMeanwhile when somebody was erased since; call it while the intake's lock is held. */
  confirm(tx: Sql): Promise<void>
}

/** Somebody was erased while facts were being read that may name them: nothing was stored, and they are to be read again. */
export class ErasedMeanwhile extends Error {}

/** Marks of a database by the last erasure that they include: a thousand requests a second ask for the same. */
const known = new WeakMap<Database, { last: number; marks: Promise<Set<string>> }>()

/** The text of which an identity's mark is made. */
export function markText({ kind, namespace, value }: NamedIdentity): string {
  return [kind, namespace, value].join('\x1f')
}

export async function openGuard(database: Database): Promise<ErasureGuard> {
  const last = await selectLastErasure(database.db)
  const marks = await marksOf(database, last)
  return {
    last,
    areAllowed: async (rows) => {
      if (marks.size === 0) return rows.map(() => true)
      const found = await database.tombstones.marksOf(rows.flat().map(markText))
      let at = 0
      return rows.map((identities) => {
        const own = found.slice(at, at + identities.length)
        at += identities.length
        return !own.some((mark) => marks.has(mark))
      })
    },
    confirm: async (tx) => {
      if ((await selectLastErasure(tx)) !== last) throw new ErasedMeanwhile('Somebody was erased meanwhile')
    },
  }
}

function marksOf(database: Database, last: number): Promise<Set<string>> {
  const cached = known.get(database)
  if (cached?.last === last) return cached.marks
  // The log too: a database that was restored from a backup may not have it yet.
  const marks = Promise.all([selectErasedMarks(database.db), database.tombstones.read()]).then(
    ([stored, logged]) => new Set([...stored, ...logged]),
  )
  known.set(database, { last, marks })
  marks.catch(() => known.delete(database))
  return marks
}
