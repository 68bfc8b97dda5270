import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { TimelineKind } from './schema.ts'

/** A fact about a person, as the database has it; what a column means for which kind says `timelineEntry`. */
export interface TimelineRow {
  /** Microseconds since 1970 of `at`: JavaScript's own times lose the last three digits. */
  readonly at_us: number
  readonly at: Date
  readonly kind: TimelineKind
  readonly fact_id: number
  readonly source: string | null
  readonly external_id: string | null
  readonly what: string | null
  readonly note: string | null
  readonly items: string[]
  readonly state: string | null
  readonly rating: number | null
  readonly amount_minor: number | null
}

/** The place of an entry: newest first, and at one instant by kind and number. */
export interface TimelinePlace {
  readonly atUs: number
  readonly kind: string
  readonly factId: number
}

/** Items of an order that are named; the rest is a number on the order's own page. */
const ITEMS_MAX = 3

/** Everything that is kept of what a person did and what was done with them, one row each. */
function entriesBody(personId: number): RawBuilder<unknown> {
  const columns = (
    kind: string,
    at: RawBuilder<unknown>,
    id: RawBuilder<unknown>,
    rest: Partial<Record<'source' | 'external_id' | 'what' | 'note' | 'item' | 'state', RawBuilder<unknown>>> & {
      rating?: RawBuilder<unknown>
      amount?: RawBuilder<unknown>
    },
  ) => {
    const text = (name: 'source' | 'external_id' | 'what' | 'note' | 'item' | 'state') =>
      sql`${rest[name] ?? sql`null`}::text as ${sql.ref(name)}`
    return sql`select ${at} as at, ${kind}::text as kind, ${id} as fact_id, ${text('source')}, ${text('external_id')}, ${text('what')},
      ${text('note')}, ${text('item')}, ${text('state')}, ${rest.rating ?? sql`null`}::float8 as rating, ${rest.amount ?? sql`null`}::bigint as amount_minor`
  }
  const source = sql`source`
  const whose = sql`where person_id = ${personId}`
  return sql`
    ${columns('order', sql`paid_at`, sql`order_id`, { source, external_id: sql`external_id`, amount: sql`amount_minor` })}
    from commerce.published_orders ${whose}
    union all
    ${columns('refund', sql`refunded_at`, sql`refund_id`, { source, external_id: sql`external_id`, amount: sql`amount_minor` })}
    from commerce.published_refunds ${whose}
    union all
    ${columns('spread', sql`spread_at`, sql`spread_id`, { state: sql`case when voided_at is not null then 'voided' end` })}
    from commerce.published_spreads ${whose}
    union all
    ${columns('interaction', sql`occurred_at`, sql`interaction_id`, { source, what: sql`type`, note: sql`content`, item: sql`item` })}
    from interactions.published_interactions ${whose}
    union all
    ${columns('review', sql`reviewed_at`, sql`review_id`, { source, item: sql`item`, rating: sql`rating`, state: sql`case when is_recommended then 'recommended' end` })}
    from interactions.published_reviews ${whose}
    union all
    ${columns('membership', sql`enrolled_at`, sql`membership_id`, { source })} from customers.published_memberships ${whose}
    union all
    ${columns('end_of_membership', sql`ended_at`, sql`membership_id`, { source })}
    from customers.published_memberships ${whose} and ended_at is not null
    union all
    ${columns('connection', sql`begun_at`, sql`connection_id`, { source, what: sql`channel`, note: sql`coalesce(staff, group_id)` })}
    from customers.published_connections ${whose}
    union all
    ${columns('end_of_connection', sql`ended_at`, sql`connection_id`, { source, what: sql`channel`, note: sql`coalesce(staff, group_id)` })}
    from customers.published_connections ${whose} and ended_at is not null
    union all
    ${columns('consent', sql`occurred_at`, sql`consent_id`, { source, what: sql`purpose`, item: sql`nullif(channel, '')`, note: sql`evidence`, state: sql`state` })}
    from customers.published_consent_statements ${whose}
    union all
    ${columns('referral_claim', sql`claimed_at`, sql`claim_id`, { what: sql`campaign`, note: sql`content` })}
    from customers.published_referral_claims where invitee_person_id = ${personId}
    union all
    ${columns('referral', sql`claimed_at`, sql`claim_id`, { what: sql`campaign`, note: sql`content` })}
    from customers.published_referral_claims where referrer_person_id = ${personId}`
}

/** One page of a person's facts up to an instant, newest first, and how many there are. */
export async function selectTimeline(
  db: Sql,
  personId: number,
  query: { readonly at: Date; readonly after: TimelinePlace | undefined; readonly limit: number },
): Promise<{ total: number; rows: TimelineRow[] }> {
  const { after } = query
  const isAfter = after
    ? sql`(at_us, kind collate "C", fact_id) < (${after.atUs}::bigint, ${after.kind}::text collate "C", ${after.factId}::bigint)`
    : sql`true`
  const { rows } = await sql<TimelineRow & { total: number }>`
    with entry as materialized (
      select *, (date_part('epoch', at) * 1000000)::bigint as at_us from (${entriesBody(personId)}) e where at <= ${query.at}
    )
    select t.total, p.at_us, p.at, p.kind, p.fact_id, coalesce(p.source, i.source) as source, coalesce(p.external_id, i.external_id) as external_id,
      p.what, p.note, coalesce(l.items, case when p.item is null then '{}' else array[p.item] end) as items, p.state, p.rating, p.amount_minor
    from (select count(*) as total from entry) t
    left join (
      select * from entry where ${isAfter} order by at_us desc, kind collate "C" desc, fact_id desc limit ${query.limit}
    ) p on true
    left join lateral (
      select source, external_id from intake.published_inbox b
      where p.external_id is null and b.fact_id = p.fact_id limit 1
    ) i on true
    left join lateral (
      select array_agg(item order by line_no) as items
      from (
        select item, line_no from commerce.published_order_lines o
        where p.kind = 'order' and o.person_id = ${personId} and o.order_id = p.fact_id order by line_no limit ${ITEMS_MAX}
      ) first_lines
    ) l on true
    order by p.at_us desc, p.kind collate "C" desc, p.fact_id desc`.execute(db)
  const [first] = rows
  return {
    total: first?.total ?? 0,
    rows: rows.filter((row) => row.fact_id !== null).map(({ total: _total, ...row }) => row),
  }
}
