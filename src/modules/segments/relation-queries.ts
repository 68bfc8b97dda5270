import { type RawBuilder, sql } from 'kysely'
import { z } from 'zod'
import { CONSENT_PURPOSES, IDENTITY_KINDS } from '../customers/schema.ts'
import { TAG_SOURCES } from '../tags/schema.ts'
import { type ClauseKind, type Compiled, earliest, type Ground, hoursOf } from './ground-queries.ts'
import { spanOf } from './rules.ts'
import { type TimeWindow, texts, timeWindow } from './schema.ts'

/* Clauses over who somebody is to us: what records hold, connections, tags, memberships, consents (docs/definitions.md §12.3). */

const identityKinds = Object.keys(IDENTITY_KINDS) as [keyof typeof IDENTITY_KINDS, ...(keyof typeof IDENTITY_KINDS)[]]

const attributeClause = z
  .strictObject({
    /** A record or fact tells it: a name, or an identity of that kind. */
    has: z.enum(['name', ...identityKinds]).optional(),
    /** Of the identity: the corp, app or source it belongs to. */
    namespace: z.string().min(1).max(60).optional(),
    name_contains: z.string().trim().min(1).max(200).optional(),
  })
  .refine((clause) => (clause.has === undefined) !== (clause.name_contains === undefined), 'needs has or name_contains')
  .refine(({ has, namespace }) => namespace === undefined || (has !== undefined && has !== 'name'), {
    error: 'is of an identity: name its kind in has',
    path: ['namespace'],
  })

/** Not dated: who somebody is, is what is known now, whatever instant is asked about. */
export const ATTRIBUTE: ClauseKind<typeof attributeClause> = {
  schema: attributeClause,
  facts: 'any',
  isPersonal: ({ name_contains: name }) => name !== undefined,
  compile: ({ has, namespace, name_contains: name }, { scope }, alias) => {
    const records = sql`
      select person_id, max(claim_id) as fact_id from customers.published_records
      where person_id ${scope} and name is not null
        ${name === undefined ? sql`` : sql`and strpos(lower(name), lower(${name}::text)) > 0`} group by person_id`
    const identities = sql`
      select person_id, null::bigint as fact_id from customers.published_people
      where person_id ${scope} and kind = ${has ?? ''}::text
        ${namespace === undefined ? sql`` : sql`and namespace = ${namespace}::text`} group by person_id`
    const holds = sql`(${alias}.person_id is not null)`
    return {
      body: has === undefined || has === 'name' ? records : identities,
      holds,
      until: sql`'infinity'::timestamptz`,
      observed: sql`jsonb_build_object('found', ${holds})`,
      factId: sql`${alias}.fact_id`,
    }
  },
}

const connectionClause = z.strictObject({
  staff: texts.optional(),
  groups: texts.optional(),
  channels: texts.optional(),
  sources: texts.optional(),
  /** Live now, or at any time up to now. */
  state: z.enum(['live', 'ever']).default('live'),
  /** When it began. */
  begun: timeWindow.optional(),
})

const amongValues = (column: string, values: readonly string[] | undefined) =>
  values === undefined ? sql`` : sql`and ${sql.ref(column)} = any(${values}::text[])`

export const CONNECTION: ClauseKind<typeof connectionClause> = {
  schema: connectionClause,
  // An order makes its customer connected, where the shop's account is a connection.
  facts: ['connection', 'order'],
  compile: ({ staff, groups, channels, sources, state, begun }, ground, alias) =>
    held(
      sql`
        select person_id, connection_id as fact_id, begun_at, ended_at from customers.published_connections
        where person_id ${ground.scope} ${amongValues('staff', staff)} ${amongValues('group_id', groups)} ${amongValues('channel', channels)} ${amongValues('source', sources)}`,
      { state, begun },
      ground,
      alias,
    ),
}

const tagClause = z.strictObject({
  /** Names of tags; one of them is enough. */
  any_of: texts,
  sources: z.array(z.enum(TAG_SOURCES)).min(1).optional(),
  /** On them now, or given at any time up to now. */
  state: z.enum(['has', 'ever']).default('has'),
  /** When it was given. */
  given: timeWindow.optional(),
})

export const TAG: ClauseKind<typeof tagClause> = {
  schema: tagClause,
  facts: ['tag'],
  ruleTags: ({ any_of: names, sources }) => (sources && !sources.includes('rule') ? [] : names),
  compile: ({ any_of: names, sources, state, given }, ground, alias) =>
    held(
      sql`
        select person_id, null::bigint as fact_id, given_at as begun_at, lapses_at as ended_at from tags.published_tags
        where person_id ${ground.scope} and lower(tag) = any(${names.map((name) => name.toLowerCase())}::text[])
          ${amongValues('source', sources)}`,
      { state: state === 'ever' ? 'ever' : 'live', begun: given },
      ground,
      alias,
    ),
}

const membershipClause = z.strictObject({
  /** Only memberships of these; what a record tells of is of none. */
  sources: texts.optional(),
  state: z.enum(['in_force', 'ever']).default('in_force'),
  /** When they enrolled. */
  enrolled: timeWindow.optional(),
})

export const MEMBERSHIP: ClauseKind<typeof membershipClause> = {
  schema: membershipClause,
  facts: ['membership', 'person'],
  compile: ({ sources, state, enrolled }, ground, alias) => {
    const ofRecords = sql`
      union all
      select person_id, claim_id, enrolled_at, null from customers.published_records
      where person_id ${ground.scope} and enrolled_at is not null`
    return held(
      sql`
        select person_id, membership_id as fact_id, enrolled_at as begun_at, ended_at from customers.published_memberships
        where person_id ${ground.scope} ${amongValues('source', sources)} ${sources ? sql`` : ofRecords}`,
      { state: state === 'ever' ? 'ever' : 'live', begun: enrolled },
      ground,
      alias,
    )
  },
}

/**
 * Whether one of `rows` (person_id, fact_id, begun_at, ended_at) began in the window and holds still. Each counts up to an instant,
 * its end or its leaving the window, and the clause up to the last of those.
 */
function held(
  rows: RawBuilder<unknown>,
  { state, begun }: { readonly state: 'live' | 'ever'; readonly begun: TimeWindow | undefined },
  ground: Ground,
  alias: RawBuilder<unknown>,
): Compiled {
  const { at, settings, isExplaining } = ground
  const { from, isFromIn, to, slidingDays, shiftsAt } = spanOf(begun, at, settings.zone)
  const begins =
    from && (isFromIn ? sql`and begun_at >= ${from}::timestamptz` : sql`and begun_at > ${from}::timestamptz`)
  const end = state === 'live' ? sql`coalesce(ended_at, 'infinity'::timestamptz)` : sql`'infinity'::timestamptz`
  const counted = slidingDays === null ? end : sql`least(${end}, begun_at + ${hoursOf(slidingDays)})`
  const inside = to ? sql`filter (where begun_at < ${to}::timestamptz)` : sql``
  const body = sql`
    select person_id, max(held_until) ${inside} as held_until, min(begun_at) ${inside} as begun_at
      ${isExplaining ? sql`, (array_agg(fact_id order by held_until desc, fact_id) ${inside})[1] as fact_id` : sql``}
    from (
      select person_id, fact_id, begun_at, ${counted} as held_until from (${rows}) r
      where begun_at <= ${at}::timestamptz ${begins ?? sql``}
    ) h where held_until > ${at}::timestamptz group by person_id`
  const holds = sql`(${alias}.held_until is not null)`
  return {
    body,
    holds,
    until: earliest([
      sql`${alias}.held_until`,
      ...(shiftsAt ? [sql`case when ${alias}.person_id is not null then ${shiftsAt}::timestamptz end`] : []),
    ]),
    observed: sql`jsonb_build_object('found', ${holds}, 'at', ${alias}.begun_at)`,
    factId: sql`${alias}.fact_id`,
  }
}

const consentClause = z.strictObject({
  purpose: z.enum(CONSENT_PURPOSES),
  /** Left out: what was said of every channel. */
  channel: z.string().min(1).max(60).optional(),
  state: z.enum(['granted', 'withdrawn', 'none']),
})

/** The latest statement about the channel or about all of them; at one instant a withdrawal comes last. */
export const CONSENT: ClauseKind<typeof consentClause> = {
  schema: consentClause,
  facts: ['consent'],
  compile: ({ purpose, channel, state }, { at, scope }, alias) => ({
    body: sql`
      select distinct on (person_id) person_id, state, consent_id, occurred_at from customers.published_consent_statements
      where person_id ${scope} and purpose = ${purpose}::text and channel = any(${['', ...(channel ? [channel] : [])]}::text[])
        and occurred_at <= ${at}::timestamptz
      order by person_id, occurred_at desc, (state = 'withdrawn') desc, consent_id desc`,
    holds: sql`(coalesce(${alias}.state, 'none') = ${state}::text)`,
    until: sql`'infinity'::timestamptz`,
    observed: sql`jsonb_build_object('state', coalesce(${alias}.state, 'none'), 'at', ${alias}.occurred_at)`,
    factId: sql`${alias}.consent_id`,
  }),
}
