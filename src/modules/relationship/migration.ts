import type { Database, Sql } from '../../platform/db.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { readSettings } from '../brand/actions.ts'
import { DEFAULT_CURRENCY } from '../brand/schema.ts'
import { isInScope, isPerson } from '../customers/actions.ts'
import * as queries from './migration-queries.ts'
import {
  type CauseKind,
  type ChangeCause,
  DEPTHS,
  type FlowPage,
  type MigrationQuery,
  type MigrationReport,
  type NetDeepening,
  type PersonMigration,
} from './schema.ts'

/**
 * Who moved between the depths from one instant to another (docs/definitions.md §1.6), by all that is known at `now`.
 * Refuses a span that ends before it begins, or after `now`.
 */
export async function reportMigration(database: Database, span: queries.Span): Promise<MigrationReport | Refusal> {
  const refused = refuseSpan(span)
  if (refused) return refused
  return afterOthers(database, () =>
    database.transaction(async (tx) => {
      await queries.readOneMoment(tx)
      const settings = await readSettings(tx)
      const moment = await queries.exportMoment(tx)
      const beside = <T>(read: (other: Sql) => Promise<T>) =>
        database.transaction(async (other) => {
          await queries.readSameMoment(other, moment)
          return read(other)
        })
      const reading = [
        queries
          .selectFlows(tx, span, settings)
          .then(async (flows) => ({ flows, unknown: await queries.countUnknownAt(tx, span, settings) })),
        beside((other) => queries.selectDepthsAt(other, span, settings)),
      ] as const
      await Promise.allSettled(reading)
      const [{ flows, unknown }, depthsAt] = await Promise.all(reading)
      return compose(span, settings.currency ?? DEFAULT_CURRENCY, flows, depthsAt, unknown)
    }),
  )
}

const running = new WeakMap<Database, Promise<unknown>>()

/**
 * One migration at a time for each brand: it reads on two connections at once, on all cores, and two that each held one and waited for
 * another could take a small pool to themselves for ever.
 */
function afterOthers<T>(database: Database, work: () => Promise<T>): Promise<T> {
  const mine = (running.get(database) ?? Promise.resolve()).then(work, work)
  running.set(
    database,
    mine.catch(() => undefined),
  )
  return mine
}

function compose(
  { from, to }: queries.Span,
  currency: string,
  moves: readonly queries.FlowRow[],
  depthsAt: readonly queries.DepthRow[],
  unknown: number,
): MigrationReport {
  const peopleOf = (fromDepth: number, toDepth: number) =>
    total(moves.filter((move) => move.from_depth === fromDepth && move.to_depth === toDepth))
  const depths = DEPTHS.map(({ depth, key }) => {
    const row = depthsAt.find((other) => other.depth === depth)
    const peopleTo = (row?.people ?? 0) - (depth === 0 ? unknown : 0)
    return { depth, key, peopleTo, value: meanPaid(depth, peopleTo, row?.net_paid_minor ?? 0) }
  })
  const flows = depths.flatMap(({ depth: fromDepth }) =>
    depths.map(({ depth: toDepth, peopleTo }) => {
      const stayed = peopleTo - total(moves.filter((move) => move.to_depth === toDepth))
      const people = fromDepth === toDepth ? stayed : peopleOf(fromDepth, toDepth)
      return { from_depth: fromDepth, to_depth: toDepth, people }
    }),
  )
  const isUp = (flow: { from_depth: number; to_depth: number }) => flow.to_depth > flow.from_depth
  const isDown = (flow: { from_depth: number; to_depth: number }) => flow.to_depth < flow.from_depth
  const [ups, downs] = [total(moves.filter(isUp)), total(moves.filter(isDown))]
  const gain = (move: queries.FlowRow) => {
    const [before, after] = [depths[move.from_depth]?.value, depths[move.to_depth]?.value]
    return before === null || after === null ? undefined : (after ?? 0) - (before ?? 0)
  }
  return {
    from: from.toISOString(),
    to: to.toISOString(),
    currency,
    people: depths.reduce((sum, { peopleTo }) => sum + peopleTo, 0),
    depths: depths.map(({ depth, key, peopleTo, value }) => ({
      depth,
      key,
      people_from: total(flows.filter((flow) => flow.from_depth === depth)),
      people_to: peopleTo,
      value_minor: value === null || peopleTo === 0 ? null : Math.round(value),
    })),
    flows: flows.filter(({ people }) => people > 0),
    ups,
    downs,
    net_deepening: ups - downs,
    net_deepening_value_minor: Math.round(moves.reduce((sum, move) => sum + move.people * (gain(move) ?? 0), 0)),
    unvalued: total(moves.filter((move) => gain(move) === undefined)),
    causes: [...new Set(moves.map(({ cause }) => cause))].toSorted().map((kind) => {
      const caused = moves.filter(({ cause }) => cause === kind)
      return { kind, ups: total(caused.filter(isUp)), downs: total(caused.filter(isDown)) }
    }),
  }
}

function total(rows: readonly { people: number }[]): number {
  return rows.reduce((sum, { people }) => sum + people, 0)
}

/** Mean net paid; null where nobody is. Who is not known has paid nothing, so depth 0 always has a value. */
function meanPaid(depth: number, people: number, netPaidMinor: number): number | null {
  if (people > 0) return netPaidMinor / people
  return depth === 0 ? 0 : null
}

/** Which of the people of a migration; see `migrationQuery`. */
interface Flow {
  readonly fromDepth?: number | undefined
  readonly toDepth?: number | undefined
  readonly moved?: queries.FlowQuery['moved']
  readonly cause?: CauseKind | undefined
}

/** One page of the people of a flow, or of whatever else of a migration is asked for, with the fact that decided each. */
export async function listFlow(
  database: Database,
  span: queries.Span,
  flow: Flow & Pick<MigrationQuery, 'after' | 'limit'>,
): Promise<FlowPage | Refusal> {
  const refused = refuseSpan(span)
  if (refused) return refused
  const after = flow.after === undefined ? undefined : readPlace(flow.after)
  if (flow.after !== undefined && !after) {
    return refuse('invalid', 'bad_cursor', '`after` is not the `next` of a page.', 'Begin again without it.')
  }
  const settings = await readSettings(database.db)
  const { total: found, rows } = await queries.selectMoved(database.db, span, settings, {
    fromDepth: flow.fromDepth,
    toDepth: flow.toDepth,
    moved: flow.moved,
    cause: flow.cause,
    after,
    // One more than the page has: a full page may be the last.
    limit: flow.limit + 1,
  })
  const page = rows.slice(0, flow.limit)
  const last = rows.length > flow.limit ? page.at(-1) : undefined
  return {
    total: found,
    people: page.map((row) => ({
      person_id: row.person_id,
      key: row.key,
      key_kind: row.key_kind,
      source: row.source_of_key,
      name: row.name,
      from_depth: row.from_depth,
      to_depth: row.to_depth,
      changed_at: row.changed_at?.toISOString() ?? null,
      cause: row.changed_at ? causeOf({ ...row, changed_at: row.changed_at }) : null,
    })),
    next: last ? Buffer.from(`${last.person_id} ${last.sort}`).toString('base64url') : null,
  }
}

/** Net deepening of so many calendar months, the running one last. */
export async function reportNetDeepening(
  database: Database,
  asked: Pick<queries.Span, 'now' | 'scope'>,
  months: number,
): Promise<NetDeepening> {
  const settings = await readSettings(database.db)
  const rows = await queries.selectNetDeepening(database.db, months, asked, settings)
  return {
    months: rows.map(({ from, to, ups, downs }) => ({
      from: from.toISOString(),
      to: to.toISOString(),
      ups,
      downs,
      net_deepening: ups - downs,
    })),
  }
}

/** One person's changes between two instants, each with the fact that caused it. */
export async function readPersonMigration(
  database: Database,
  personId: number,
  span: queries.Span,
): Promise<PersonMigration | Refusal> {
  const refused = refuseSpan(span)
  if (refused) return refused
  if (!(await isInScope(database.db, personId, span.scope ?? 'everyone')) || !(await isPerson(database.db, personId))) {
    return refuse('missing', 'no_such_person', `There is no person ${personId}.`, 'Look the person up by key.')
  }
  const settings = await readSettings(database.db)
  const changes = await queries.selectChanges(database.db, personId, span, settings)
  const fromDepth =
    changes[0]?.from_depth ?? (await queries.selectDepthOf(database.db, personId, span.from, span.now, settings))
  return {
    person_id: personId,
    from: span.from.toISOString(),
    to: span.to.toISOString(),
    from_depth: fromDepth,
    to_depth: changes.at(-1)?.to_depth ?? fromDepth,
    changes: changes.map((row) => ({
      changed_at: row.changed_at.toISOString(),
      from_depth: row.from_depth,
      to_depth: row.to_depth,
      cause: causeOf(row),
    })),
  }
}

function causeOf(
  row: Pick<queries.CausedRow, 'changed_at' | 'cause_fact_id' | 'kind' | 'source' | 'external_id' | 'at'>,
): ChangeCause {
  return {
    kind: row.kind,
    fact_id: row.cause_fact_id,
    source: row.source,
    external_id: row.external_id,
    at: (row.at ?? row.changed_at).toISOString(),
  }
}

function refuseSpan({ from, to, now }: queries.Span): Refusal | undefined {
  if (to > now) {
    return refuse('invalid', 'future_time', `${to.toISOString()} is in the future.`, 'End the span now or earlier.')
  }
  if (from > to) {
    return refuse(
      'invalid',
      'span_ends_first',
      `The span ends at ${to.toISOString()}, before it begins at ${from.toISOString()}.`,
      'Name the earlier instant first.',
    )
  }
  return undefined
}

function readPlace(text: string): { sort: number; personId: number } | undefined {
  const match = /^(\d{1,15}) (-?\d{1,18})$/.exec(Buffer.from(text, 'base64url').toString())
  return match ? { personId: Number(match[1]), sort: Number(match[2]) } : undefined
}
