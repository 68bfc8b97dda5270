import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Scope } from './queries.ts'

/** Where the facts are read that standing rests on. */
export interface Facts {
  readonly occasions: RawBuilder<unknown>
  readonly interactions: RawBuilder<unknown>
  readonly connections: RawBuilder<unknown>
  readonly allocations: RawBuilder<unknown>
  /** Whose they are: those of the people concerned and nobody else's have been laid out in temporary tables. */
  readonly of: 'everybody' | 'claimed'
}

export const EVERYBODYS: Facts = {
  occasions: sql`relationship.occasions`,
  interactions: sql`interactions.published_interactions`,
  connections: sql`customers.published_connections`,
  allocations: sql`commerce.published_allocations`,
  of: 'everybody',
}

/** Facts of one kind of the people of `scope`, for a from clause: it ends in a where, to which `and` may be added. */
export function factsOf(scope: Scope, kind: Exclude<keyof Facts, 'of'>, facts: Facts): RawBuilder<unknown> {
  return facts.of === 'everybody' ? sql`${facts[kind]} where person_id ${scope}` : sql`${facts[kind]} where true`
}

/**
 * The people of `scope`: (person_id). Of the claimed somebody may be nobody any more, and has no fact then; to find that in the map of
 * identities cost as much as their figures.
 */
export function peopleOf(scope: Scope, facts: Facts): RawBuilder<unknown> {
  return facts.of === 'everybody'
    ? sql`select distinct person_id from customers.published_canonical where person_id ${scope}`
    : sql`select person_id from claimed_people`
}

/**
 * The end of a lateral subquery that looks facts up for each person or document. Of few people each is looked up; of everybody the
 * planner may join.
 */
export function lookUp(facts: Facts): RawBuilder<unknown> {
  return facts.of === 'everybody' ? sql`` : sql`offset 0`
}

/**
 * Lays out what several statements read of `claimed_people`: each page is found once, and the planner knows how much there is. It has
 * no statistics of a view that is a union, expected a match for every allocation there is, and read all of them, three times. Their
 * occasions are made by the caller, into `true_occasions`.
 */
export async function layOutFacts(tx: Sql, now: Date): Promise<Facts> {
  const facts: Facts = {
    occasions: sql`true_occasions`,
    interactions: sql`true_acts`,
    connections: sql`true_connections`,
    allocations: sql`true_allocations`,
    of: 'claimed',
  }
  await sql`
    create temp table ${facts.allocations} on commit drop as
    select a.* from claimed_people c
    cross join lateral (select * from ${EVERYBODYS.allocations} a where a.person_id = c.person_id offset 0) a`.execute(
    tx,
  )
  await sql`
    create temp table ${facts.connections} on commit drop as
    select person_id, connection_id, begun_at, ended_at
    from ${EVERYBODYS.connections} join claimed_people using (person_id) where begun_at <= ${now}`.execute(tx)
  await sql`create temp table ${facts.interactions} on commit drop as ${actsBody('claimed_people', now)}`.execute(tx)
  // Statistics of a tenth of the usual number of rows: those of 55,000 occasions took 4 ms in place of 25.
  await sql`set local default_statistics_target = 10`.execute(tx)
  await sql`analyze ${facts.interactions}`.execute(tx)
  return facts
}

/** Interactions of the people of a table, laid out in another: facts of whom nothing else is asked. */
export async function layOutActs(tx: Sql, people: 'acted', now: Date): Promise<Facts> {
  const facts: Facts = { ...EVERYBODYS, interactions: sql`true_acts`, of: 'claimed' }
  await sql`create temp table ${facts.interactions} on commit drop as ${actsBody(people, now)}`.execute(tx)
  await sql`analyze ${facts.interactions} (person_id)`.execute(tx)
  return facts
}

/**
 * Interactions of the people of a table up to `now`. Of an array each month is gone through once, in its order. Joined, the planner read
 * all months from end to end, of 200,000 people with three interactions each 0.35 s for 3,300 of them, and more with every year; looked up
 * person by person, in thirteen months each, they took twice as long.
 */
function actsBody(people: 'claimed_people' | 'acted', now: Date): RawBuilder<unknown> {
  return sql`
    select person_id, type, occurred_at, interaction_id from ${EVERYBODYS.interactions} i
    where person_id = any(array(select person_id from ${sql.ref(people)})) and occurred_at <= ${now}`
}

export async function dropFacts(tx: Sql, facts: Facts): Promise<void> {
  await sql`drop table ${facts.occasions}, ${facts.interactions}, ${facts.connections}, ${facts.allocations}`.execute(
    tx,
  )
}
