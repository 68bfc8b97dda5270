import type { Sql } from '../../platform/db.ts'
import { readSettings } from '../brand/actions.ts'
import { cutsAt, standingOf } from '../relationship/actions.ts'
import { type ClauseNode, clausesOf, type ResolvedNode, usesCuts } from './definition.ts'
import type { Ground } from './ground-queries.ts'
import * as queries from './queries.ts'
import { together, type Verdict } from './rules.ts'
import type { Explanation } from './schema.ts'

/** How many instants are looked at to find when time alone changes the answer; the next one of them is given up. */
const STEPS_MAX = 60

/** @returns undefined when there is no such person then. */
export async function explainPerson(
  db: Sql,
  node: ResolvedNode,
  personId: number,
  at: Date,
): Promise<Explanation | undefined> {
  // Of the facts up to `at`; what time does to them is asked of the same cut table.
  const cuts = usesCuts(node) ? await cutsAt(db, at) : null
  const settings = await readSettings(db)
  const look = (then: Date) => {
    const ground: Ground = { at: then, scope: queries.onePerson(personId), settings, cuts, isExplaining: true }
    return queries.selectObserved(
      db,
      node,
      ground,
      queries.computedStanding(standingOf(personId, then, settings), ground),
    )
  }
  const seen = await look(at)
  if (!seen) return undefined
  const whole = verdictOf(node, seen.verdictOf)
  let flipsAt: Date | null = null
  let next = whole.until
  for (let step = 0; next !== null && step < STEPS_MAX; step += 1) {
    const then = await look(next)
    const verdict: Verdict = then ? verdictOf(node, then.verdictOf) : { holds: false, until: null }
    if (verdict.holds !== whole.holds) {
      flipsAt = next
      break
    }
    next = verdict.until !== null && verdict.until > next ? verdict.until : null
  }
  const observed = clausesOf(node).map((clause) => seen.verdictOf(clause))
  const facts = await queries.selectFacts(
    db,
    observed.flatMap(({ fact_id: id }) => (id === null ? [] : [id])),
  )
  const explainNode = (one: ResolvedNode, nesting: number): Explanation['nodes'] => {
    const verdict = verdictOf(one, seen.verdictOf)
    if (one.op !== 'clause') {
      const kind = one.segmentId === undefined ? one.op : 'segment'
      const wanted = one.segmentId ?? null
      const head = { path: one.path, nesting, kind, holds: verdict.holds, wanted, observed: null, fact: null }
      return [head, ...one.of.flatMap((child) => explainNode(child, nesting + 1))]
    }
    const row = seen.verdictOf(one)
    const fact = facts.find(({ fact_id: id }) => id === row.fact_id)
    return [
      {
        path: one.path,
        nesting,
        kind: one.kind,
        holds: row.holds,
        wanted: one.clause,
        observed: row.observed,
        fact:
          row.fact_id === null
            ? null
            : {
                fact_id: row.fact_id,
                kind: fact?.kind ?? null,
                source: fact?.source ?? null,
                external_id: fact?.external_id ?? null,
              },
      },
    ]
  }
  return {
    person_id: personId,
    as_of: at.toISOString(),
    holds: whole.holds,
    flips_at: flipsAt?.toISOString() ?? null,
    nodes: explainNode(node, 0),
  }
}

function verdictOf(node: ResolvedNode, rowOf: (clause: ClauseNode) => queries.ObservedRow): Verdict {
  if (node.op === 'clause') {
    const { holds, until } = rowOf(node)
    return { holds, until: until instanceof Date ? until : null }
  }
  const verdicts = node.of.map((child) => verdictOf(child, rowOf))
  if (node.op === 'not') return { holds: !verdicts[0]?.holds, until: verdicts[0]?.until ?? null }
  return together(node.op, verdicts)
}
