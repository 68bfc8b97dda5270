import type { Clock } from '../../platform/clock.ts'
import { orUndone, type Sql } from '../../platform/db.ts'
import { makePending, type Share } from '../intake/actions.ts'
import { type Continuation, type Continuing, isSubscribedToStanding } from '../relationship/actions.ts'
import { clausesOf } from './definition.ts'
import { askedFor, evaluateLooks, readEvaluables, readPresent, SUBSCRIBER, WHOLE_FROM_PEOPLE } from './jobs.ts'
import * as looks from './look-queries.ts'
import * as members from './member-queries.ts'
import { selectRules } from './rule-queries.ts'

/** Of all segments; more of them standing does not wait for. */
const CONTINUED_CLAUSES_MAX = 50

/**
 * Members of people whose facts changed, in the transaction that brings their standing up to date: 10,000 facts among a million people took
 * a quarter less than by way of the list of who is pending, 1.05 s and 1.39 s in turn. That list it is where there is much to ask, where a
 * definition is being written, where segments give tags, and where something fails: standing waits for none of these.
 */
export const CONTINUATION: Continuation = {
  subscriber: SUBSCRIBER,
  peopleMax: WHOLE_FROM_PEOPLE,
  begin: (tx, clock, share) => orUndone(tx, () => beginContinuing(tx, clock, share)),
}

async function beginContinuing(tx: Sql, clock: Clock, share: Share | undefined): Promise<Continuing | undefined> {
  if (!(await isSubscribedToStanding(tx, SUBSCRIBER)) || !(await members.tryLockSegments(tx, share))) return undefined
  const segments = await readEvaluables(tx)
  const clauses = segments.reduce((count, { node }) => count + clausesOf(node).length, 0)
  if (clauses === 0 || clauses > CONTINUED_CLAUSES_MAX) return undefined
  if ((await selectRules(tx)).length > 0) return undefined
  const present = await readPresent(tx, clock, segments)
  const { now } = present
  // Two shares would wait for each other to make it.
  if (share && !(await members.hasMonth(tx, now))) return undefined
  await looks.createLooks(tx)
  const asked = await askedFor(tx, segments, present)
  return {
    take: (people) => looks.lookAtChanged(tx, people, asked, now),
    finish: async (standing) => {
      // What time did comes first, and is told from what a fact did.
      const due = await members.selectNextDue(tx)
      if (due && due <= now) await makePending(tx, SUBSCRIBER, await looks.takeDueLooks(tx, now), now)
      await looks.analyzeLooks(tx)
      // Whatever fails, the run for those who are pending says so.
      const changed = await orUndone(tx, () => evaluateLooks(tx, segments, present, standing))
      if (changed === undefined) await makePending(tx, SUBSCRIBER, looks.LOOKED_PEOPLE, now)
    },
  }
}
