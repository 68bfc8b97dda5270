import pLimit, { type LimitFunction } from 'p-limit'
import type { Database } from '../../platform/db.ts'
import { FACTS_MAX, type FactResult } from './schema.ts'

/*
 * Requests that come while others are stored are stored together, in one transaction. It takes 30 ms for one order, 45 for ten and 200 for
 * a thousand: at 200 facts a second, by ten or one by one as webhooks send them, each by itself was more than two cores can do. Those who
 * waited had all connections, and standing came after 6 to 25 s; together, after 0.3 to 0.6 s. Requests of a thousand gain nothing.
 */

/** Half of the connections of a database: the others are for standing, which comes after facts, and for pages. */
const STORING_MAX = 6
/** Of one line: with two, interactions came in by a fifth slower. Of orders one writes, and the others wait for the lock of their source. */
const STORING_OF_LINE_MAX = 4

/** What every fact has. */
export interface FactHead {
  readonly source: string
  readonly external_id: string
  readonly currency?: string | undefined
}

/** One result for each fact, in their order. */
type Store = (facts: readonly FactHead[]) => Promise<readonly FactResult[]>

interface Request {
  readonly facts: readonly FactHead[]
  readonly resolve: (results: readonly FactResult[]) => void
  readonly reject: (error: unknown) => void
}

interface Line {
  readonly limit: LimitFunction
  readonly waiting: Request[]
  /** Ids that are being stored, and by whom. */
  readonly storing: Map<string, Promise<void>>
  /** Requests that came and are not answered. */
  open: number
}

interface Gathering {
  readonly limit: LimitFunction
  readonly lines: Map<string, Line>
}

const gatherings = new WeakMap<Database, Gathering>()

/**
 * Stores the facts of a request, with those of others that wait in the same line: so many as one request may have, none with an id that
 * is among them already, in their order. Who has an id that is being stored waits, and whoever came after: the later of two that say
 * something else of one fact would else be the one that the first replaces.
 *
 * @param name of the line: what facts must have in common to be stored by one transaction.
 */
export function storeTogether(
  database: Database,
  name: string,
  facts: readonly FactHead[],
  store: Store,
): Promise<readonly FactResult[]> {
  const gathering = gatherings.get(database) ?? { limit: pLimit(STORING_MAX), lines: new Map<string, Line>() }
  gatherings.set(database, gathering)
  const line = gathering.lines.get(name) ?? newLine()
  gathering.lines.set(name, line)
  const { promise, resolve, reject } = Promise.withResolvers<readonly FactResult[]>()
  line.open += 1
  line.waiting.push({ facts, resolve, reject })
  void line
    .limit(() => gathering.limit(() => storeNext(line, store)))
    .then(() => {
      line.open -= 1
      if (line.open === 0) gathering.lines.delete(name)
    })
  return promise
}

function newLine(): Line {
  return { limit: pLimit(STORING_OF_LINE_MAX), waiting: [], storing: new Map(), open: 0 }
}

/** The first that wait, unless somebody has taken them along. Never throws: who waits is told. */
async function storeNext({ waiting, storing }: Line, store: Store): Promise<void> {
  for (let before = storingFirst(waiting, storing); before; before = storingFirst(waiting, storing)) await before
  const requests = waiting.splice(0, countTogether(waiting, storing))
  if (requests.length === 0) return
  const done = storeAll(requests, store)
  const ids = requests.flatMap(({ facts }) => facts.map(({ external_id: id }) => id))
  for (const id of ids) storing.set(id, done)
  await done
  for (const id of ids) storing.delete(id)
}

/** Who stores an id of the first that waits. */
function storingFirst([first]: readonly Request[], storing: Line['storing']): Promise<void> | undefined {
  const id = first?.facts.find(({ external_id }) => storing.has(external_id))?.external_id
  return id === undefined ? undefined : storing.get(id)
}

async function storeAll(requests: readonly Request[], store: Store): Promise<void> {
  try {
    const results = await store(requests.flatMap(({ facts }) => facts))
    let from = 0
    for (const { facts, resolve } of requests) {
      resolve(results.slice(from, from + facts.length))
      from += facts.length
    }
  } catch (error) {
    for (const { reject } of requests) reject(error)
  }
}

/** How many of the first requests one transaction can have. */
function countTogether(waiting: readonly Request[], storing: Line['storing']): number {
  const ids = new Set<string>()
  let facts = 0
  for (const [count, request] of waiting.entries()) {
    facts += request.facts.length
    for (const { external_id: id } of request.facts) ids.add(id)
    const isStoring = request.facts.some(({ external_id: id }) => storing.has(id))
    if (count > 0 && (facts > FACTS_MAX || ids.size < facts || isStoring)) return count
  }
  return waiting.length
}
