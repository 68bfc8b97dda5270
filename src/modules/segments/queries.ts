import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { PeopleScope } from '../../platform/roles.ts'
import { inScope, shareOutPeople } from '../customers/actions.ts'
import { clauseKind } from './clause-queries.ts'
import type { ClauseNode, ResolvedNode } from './definition.ts'
import type { Compiled, Ground, Scope } from './ground-queries.ts'
import { both, either } from './standing-queries.ts'

export const EVERYONE: Scope = sql`> 0`

/**
 * From so many people on they are shared out; below, shares cost more to plan than they save: the 200 clauses that a definition may have
 * take 11 s to plan in six shares and 1.4 s whole; the eleven of five segments saved 4.9 s for a million people.
 */
const SHARED_OUT_FROM_PEOPLE = 100_000
/** Of three processes on two cores each has two; with four shares the last one ran alone, and took an eighth longer. */
const SHARES_OF_PEOPLE = 6

/**
 * Everybody as scopes to be worked out side by side (`union all`), for the caller's transaction: what is counted of each person is on one
 * core, so many are shared out. Five segments of a million people took 14.6 s, and 9.7 s by four shares.
 */
export async function scopesOfEverybody(tx: Sql): Promise<Scope[]> {
  // One row for each of a million people in a hash: in the memory that is set else, they go to disk.
  await sql`set local work_mem = '64MB'`.execute(tx)
  const { last, shares } = await shareOutPeople(tx, SHARES_OF_PEOPLE)
  return last < SHARED_OUT_FROM_PEOPLE ? [EVERYONE] : shares
}

export function onePerson(personId: number): Scope {
  return sql`= ${personId}::bigint`
}

/** Standing as it is kept of the people of a scope, or of few. */
export function storedStanding({ at, scope, few }: Ground): RawBuilder<unknown> {
  if (few) return sql`select * from ${few.standing} where person_id in (${few.people})`
  return asItStands(sql`relationship.published_standing where person_id ${scope}`, at)
}

/** Standing as it is kept, a from clause, of which a depth whose time is up shows what it lapsed to. */
export function asItStands(kept: RawBuilder<unknown>, at: Date): RawBuilder<unknown> {
  const lapsed = sql`coalesce(lapses_at <= ${at}::timestamptz, false)`
  return sql`
    select person_id, case when ${lapsed} then lapses_to else depth end as depth,
      case when ${lapsed} then lapses_at else since end as since, case when ${lapsed} then null else lapses_at end as lapses_at,
      ${lapsed} as is_lapsed, evidence, depth_if_connected, last_occasion_at, occasions, net_paid_minor
    from ${kept}`
}

/** Standing that was worked out for the instant itself. */
export function computedStanding(standing: RawBuilder<unknown>, { scope }: Ground): RawBuilder<unknown> {
  return sql`
    select person_id, depth, since, lapses_at, false as is_lapsed, evidence, depth_if_connected, last_occasion_at, occasions,
      net_paid_minor
    from (${standing}) present where person_id ${scope}`
}

/** A person of whom nothing is known. */
const NOBODY = sql`
  select -1::bigint as person_id, 0::smallint as depth, null::timestamptz as since, null::timestamptz as lapses_at,
    false as is_lapsed, '{}'::bigint[] as evidence, 0::smallint as depth_if_connected, null::timestamptz as last_occasion_at,
    0 as occasions, 0::bigint as net_paid_minor`

export interface Placed {
  readonly holds: RawBuilder<unknown>
  readonly until: RawBuilder<unknown>
}

export interface CompiledClause {
  readonly clause: ClauseNode
  readonly compiled: Compiled
  readonly alias: RawBuilder<unknown>
  readonly index: number
}

/** The clauses of a definition, equal ones once, each with its alias and its two columns; and what they are together. */
export function compileClauses(node: ResolvedNode, ground: Ground) {
  const byText = new Map<string, CompiledClause>()
  const compiledOf = (clause: ClauseNode) => {
    const text = JSON.stringify([clause.kind, clause.clause])
    const known = byText.get(text)
    if (known) return known
    const index = byText.size
    const alias = sql.ref(`c${index}`)
    const made = { clause, compiled: compileClause(clause, ground, alias), alias, index }
    byText.set(text, made)
    return made
  }
  const wholeOf = (placed: (clause: CompiledClause) => Placed) => {
    const place = (one: ResolvedNode): Placed =>
      one.op === 'clause' ? placed(compiledOf(one)) : placeGroup(one.op, one.of.map(place))
    return place(node)
  }
  const whole = wholeOf(({ index }) => ({ holds: sql.ref(`h${index}`), until: sql.ref(`u${index}`) }))
  return { whole, all: [...byText.values()], compiledOf, wholeOf }
}

export function compileClause({ kind, clause }: ClauseNode, ground: Ground, alias: RawBuilder<unknown>): Compiled {
  const compiled = clauseKind(kind)?.compile(clause, ground, alias)
  if (!compiled) throw new Error(`There is no clause "${kind}"`)
  return compiled
}

/** The same words as `together` of rules.ts. */
function placeGroup(op: 'all' | 'any' | 'not', parts: readonly Placed[]): Placed {
  const [first] = parts
  if (op === 'not' && first) return { holds: sql`(not ${first.holds})`, until: first.until }
  const holds = (op === 'any' ? either : both)(parts.map((part) => part.holds))
  if (parts.length === 1 && first) return { holds, until: first.until }
  const isDeciding = (condition: RawBuilder<unknown>) => (op === 'any' ? condition : sql`not ${condition}`)
  const deciding = parts.map((part) => sql`case when ${isDeciding(part.holds)} then ${part.until} end`)
  const until = sql`
    (case when ${isDeciding(holds)} then greatest(${sql.join(deciding)}) else least(${sql.join(parts.map((part) => part.until))}) end)`
  return { holds, until }
}

function joins(all: ReturnType<typeof compileClauses>['all']): RawBuilder<unknown> {
  return sql.join(
    all.flatMap(({ compiled: { body }, alias }) =>
      body ? [sql`left join (${body}) ${alias} on ${alias}.person_id = s.person_id`] : [],
    ),
    sql` `,
  )
}

/**
 * Who of the people of a standing is in the segment at `ground.at`, and until when that cannot change by time alone: a select body
 * (person_id, holds, until). The same text for one person, some or all. In brackets throughout and with parameters only, so that
 * nothing in a definition can be read as SQL. Each clause is worked out once for a person and not wherever it is mentioned, behind an
 * offset: scores of a million people took 2.2 s, and so 1.3 s. It is a bigint as it is written, because a 0 has yet to become one when the
 * planner asks whether rows are left out, and then nothing of it is on several cores.
 */
export function evaluationBody(
  node: ResolvedNode,
  ground: Ground,
  standing: RawBuilder<unknown> = storedStanding(ground),
): RawBuilder<unknown> {
  const { whole, all } = compileClauses(node, ground)
  const columns = all.map(
    ({ compiled, index }) =>
      sql`${compiled.holds} as ${sql.ref(`h${index}`)}, ${compiled.until} as ${sql.ref(`u${index}`)}`,
  )
  return sql`
    select person_id, ${whole.holds} as holds, ${whole.until} as until
    from (
      select s.person_id, ${sql.join(columns)}
      from (${standing}) s
      ${joins(all)}
      offset bigint '0'
    ) judged
    offset bigint '0'`
}

const NOBODYS_MAX = 1000
const nobodys = new Map<string, boolean>()

/**
 * Whether it holds for somebody of whom nothing is known: then whoever becomes known by any fact may be in it. Kept for the same words on the
 * same ground, of whatever instant, where time alone never changes it: five segments were 8 ms of each run.
 *
 * @param run the last that valued everybody.
 */
export async function holdsForNobody(
  db: Sql,
  node: ResolvedNode,
  ground: Omit<Ground, 'scope'>,
  run: number | null,
): Promise<boolean> {
  const { settings, cuts } = ground
  const key = JSON.stringify([node, settings, cuts, run])
  const kept = nobodys.get(key)
  if (kept !== undefined) return kept
  const { rows } = await sql<{ holds: boolean; is_lasting: boolean }>`
    select holds, until = 'infinity' as is_lasting
    from (${evaluationBody(node, { ...ground, scope: onePerson(-1) }, NOBODY)}) e`.execute(db)
  const { holds = false, is_lasting: isLasting = false } = rows[0] ?? {}
  if (nobodys.size >= NOBODYS_MAX) nobodys.clear()
  if (isLasting) nobodys.set(key, holds)
  return holds
}

interface Counted {
  readonly holding: number
  readonly people: number
}

/** Of how many people of a standing the definition holds, of those in view: a select body. */
function countBody(
  node: ResolvedNode,
  ground: Ground,
  { standing, view = 'everyone' }: { standing?: RawBuilder<unknown> | undefined; view?: PeopleScope },
): RawBuilder<unknown> {
  const seen = view === 'everyone' ? sql`` : sql`where ${inScope(sql`e.person_id`, view)}`
  return sql`
    select count(*) filter (where holds) as holding, count(*) as people
    from (${evaluationBody(node, ground, standing)}) e ${seen}`
}

export async function countHolding(
  db: Sql,
  node: ResolvedNode,
  ground: Ground,
  given: { standing?: RawBuilder<unknown>; view?: PeopleScope },
): Promise<Counted> {
  const { rows } = await sql<Counted>`${countBody(node, ground, given)}`.execute(db)
  return rows[0] ?? { holding: 0, people: 0 }
}

/** The same of everybody as they stand, in the caller's transaction. */
export async function countEverybody(
  tx: Sql,
  node: ResolvedNode,
  ground: Omit<Ground, 'scope'>,
  view: PeopleScope,
): Promise<Counted> {
  const counts = (await scopesOfEverybody(tx)).map((scope) => sql`(${countBody(node, { ...ground, scope }, { view })})`)
  const { rows } = await sql<Counted>`
    select sum(holding)::bigint as holding, sum(people)::bigint as people from (${sql.join(counts, sql` union all `)}) c`.execute(
    tx,
  )
  return rows[0] ?? { holding: 0, people: 0 }
}

/** Of whom it holds: a select body (person_id). */
export function holdingPeople(node: ResolvedNode, ground: Ground, standing: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`select person_id from (${evaluationBody(node, ground, standing)}) e where holds`
}

/** How many clauses of a definition read tables of their own: what they cost grows with the people who are asked. */
export function countReads(node: ResolvedNode, ground: Ground): number {
  return compileClauses(node, ground).all.filter(({ compiled }) => compiled.body !== undefined).length
}

const HASH_SHARES = 8192
/** More than are wanted, so that chance leaves enough. */
const SHARES_MARGIN = 1.1

/** So many of the people by a hash of their number, or all if they are fewer, and how many people there are. The first so many of the
 * sample are a sample too. */
export async function drawSample(db: Sql, wanted: number): Promise<{ people: number; sample: number[] }> {
  const standing = sql`relationship.published_standing`
  const counted = await sql<{ people: number }>`select count(*) as people from ${standing}`.execute(db)
  const people = counted.rows[0]?.people ?? 0
  const shares = Math.ceil((HASH_SHARES * SHARES_MARGIN * wanted) / Math.max(people, 1))
  const hash = sql`hashint8extended(person_id, 16)`
  const { rows } = await sql<{ sample: number[] | null }>`
    select (array_agg(person_id order by ${hash}) filter (where (${hash} & ${HASH_SHARES - 1}::bigint) < ${shares}::bigint))[1:${wanted}::int] as sample
    from ${standing}`.execute(db)
  return { people, sample: rows[0]?.sample ?? [] }
}

export function anyOf(people: readonly number[]): Scope {
  return sql`= any(${people}::bigint[])`
}

/** The first whole millisecond that is not before it: an instant here has no finer part, and must not come too early. */
function toMilliseconds(instant: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`date_trunc('milliseconds', ${instant} + interval '999 microseconds')`
}

export interface ObservedRow {
  readonly holds: boolean
  readonly until: Date | number
  readonly observed: Record<string, unknown>
  readonly fact_id: number | null
}

/** What is so of one person, clause by clause in the order given; undefined when they are nobody then. */
export async function selectObserved(
  db: Sql,
  node: ResolvedNode,
  ground: Ground,
  standing: RawBuilder<unknown>,
): Promise<{ verdictOf: (clause: ClauseNode) => ObservedRow } | undefined> {
  const { all, compiledOf } = compileClauses(node, ground)
  const columns = all.map(
    ({ compiled, index }) => sql`jsonb_build_object('observed', ${compiled.observed}) as ${sql.ref(`o${index}`)},
      ${compiled.holds} as ${sql.ref(`h${index}`)}, ${toMilliseconds(compiled.until)} as ${sql.ref(`u${index}`)}, ${compiled.factId} as ${sql.ref(`f${index}`)}`,
  )
  const { rows } = await sql<Record<string, unknown>>`
    select ${sql.join(columns)}
    from (${standing}) s
    ${joins(all)}`.execute(db)
  const [row] = rows
  if (!row) return undefined
  return {
    verdictOf: (clause) => {
      const { index } = compiledOf(clause)
      return {
        holds: row[`h${index}`] as boolean,
        until: row[`u${index}`] as Date | number,
        observed: (row[`o${index}`] as { observed: Record<string, unknown> }).observed,
        fact_id: row[`f${index}`] as number | null,
      }
    },
  }
}

/** The last run that valued everybody; null: none has. */
export async function selectLastRun(db: Sql): Promise<number | null> {
  const { rows } = await sql<{ fit_id: number | null }>`select max(fit_id) as fit_id from value.published_runs`.execute(
    db,
  )
  return rows[0]?.fit_id ?? null
}

export interface FactRow {
  readonly fact_id: number
  readonly kind: string
  readonly source: string
  readonly external_id: string
}

/** What the sources call some facts. */
export async function selectFacts(db: Sql, factIds: readonly number[]): Promise<FactRow[]> {
  const { rows } = await sql<FactRow>`
    select fact_id, kind, source, external_id from intake.published_inbox where fact_id = any(${factIds}::bigint[])`.execute(
    db,
  )
  return rows
}
