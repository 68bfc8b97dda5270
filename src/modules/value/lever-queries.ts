import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { Fact, Signals } from './lever.ts'

/** What somebody does of their own accord; a reply is an adviser's note, and product facts are asked for by themselves. */
const REACTIONS = ['open', 'click', 'like', 'comment', 'share', 'check_in', 'quiz', 'details_left']
/** A review of at most this is a bad one. */
const BAD_RATING_MAX = 2

interface SignalRow extends Omit<Signals, 'refund' | 'question' | 'cart' | 'bad_review' | 'last_reaction' | 'reply'> {
  readonly facts: Readonly<
    Record<'refund' | 'question' | 'cart' | 'bad_review' | 'last_reaction' | 'reply', Told | null>
  >
}
type Told = { readonly fact_id: number; readonly at: string }

/** What may have kept somebody from coming back, by all that happened up to `now`; undefined for who never bought. */
export async function selectSignals(db: Sql, personId: number, now: Date): Promise<Signals | undefined> {
  const until = sql`${now}::timestamptz`
  const days = (count: number) => sql`${until} - make_interval(hours => ${24 * count})`
  const told = (id: string, at: string, from: RawBuilder<unknown>) => sql`
    (select jsonb_build_object('fact_id', ${sql.ref(id)}, 'at', ${sql.ref(at)}) from ${from}
     order by ${sql.ref(at)} desc, ${sql.ref(id)} desc limit 1)`
  const acts = (types: readonly string[], where: RawBuilder<unknown>) =>
    told('interaction_id', 'occurred_at', sql`mine where type = any(${[...types]}::text[]) and ${where}`)
  const counted = (from: RawBuilder<unknown>, to: RawBuilder<unknown>) => sql`
    (select count(*) from mine where type = any(${REACTIONS}::text[]) and occurred_at > ${from} and occurred_at <= ${to})`
  const { rows } = await sql<SignalRow>`
    with mine as materialized (
      select interaction_id, type, occurred_at from interactions.published_interactions
      where person_id = ${personId} and occurred_at <= ${until} and occurred_at > ${days(730)}
    ), bought as materialized (
      select occasion_at from relationship.published_occasions
      where person_id = ${personId} and from_at <= ${until} and to_at > ${until} and occasion_at <= ${until}
    ), last as (select max(occasion_at) as at from bought)
    select last.at as last_occasion_at,
      jsonb_build_object(
        'refund', ${told('refund_id', 'refunded_at', sql`commerce.published_refunds where person_id = ${personId} and refunded_at > last.at and refunded_at <= ${until}`)},
        'question', ${acts(
          ['question'],
          sql`occurred_at > last.at and not exists (select from mine r where r.type = 'reply' and r.occurred_at >= mine.occurred_at)`,
        )},
        'cart', ${acts(['cart'], sql`occurred_at > last.at`)},
        'bad_review', (
          select jsonb_build_object('fact_id', review_id, 'at', reviewed_at) from (
            select review_id, reviewed_at, rating from interactions.published_reviews
            where person_id = ${personId} and reviewed_at > last.at and reviewed_at <= ${until} order by reviewed_at desc, review_id desc limit 1
          ) r where rating <= ${BAD_RATING_MAX}),
        'last_reaction', ${acts(REACTIONS, sql`true`)},
        'reply', ${acts(['reply'], sql`true`)}
      ) as facts,
      ${counted(days(60), until)} as reactions, ${counted(days(240), days(60))} as reactions_before,
      (select count(*) from bought where occasion_at > ${days(730)}) as occasions,
      (select count(*) from bought b where occasion_at > ${days(730)} and exists (
         select from mine where type = 'coupon' and occurred_at <= b.occasion_at
           and occurred_at > b.occasion_at - interval '168 hours')) as with_coupon,
      exists (
        select from customers.published_memberships m where m.person_id = ${personId} and m.enrolled_at <= ${until}
          and (m.ended_at is null or m.ended_at > ${until})
        union all
        select from customers.published_records r where r.person_id = ${personId} and r.enrolled_at <= ${until}) as is_member
    from last where last.at is not null`.execute(db)
  const [row] = rows
  if (!row) return undefined
  const { facts, ...counts } = row
  const fact = (one: Told | null): Fact | null => one && { fact_id: one.fact_id, at: new Date(one.at) }
  return {
    ...counts,
    refund: fact(facts.refund),
    question: fact(facts.question),
    cart: fact(facts.cart),
    bad_review: fact(facts.bad_review),
    last_reaction: fact(facts.last_reaction),
    reply: fact(facts.reply),
  }
}
