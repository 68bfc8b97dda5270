import { type RawBuilder, sql } from 'kysely'
import type { Identity } from './schema.ts'

export interface Searched {
  /** As typed, without the space around it; not empty. */
  readonly text: string
  /** The phone or e-mail that it is. */
  readonly soft: readonly Identity[]
  /** The last digits of a phone that it is. */
  readonly phoneEnd: string | undefined
}

/** Who has it as an own id, or as the longer name of one: (person_id); all that finds anybody where values are masked. */
export function searchedByOwnId(text: string): RawBuilder<unknown> {
  return sql`${keyedBody(text)} and i.kind = 'own_id'`
}

/** Who has an identity of this value, or of the longer names of `keysOf` (rules.ts). */
function keyedBody(text: string): RawBuilder<unknown> {
  const parts = text.split(':')
  const values = parts.map((_, index) => parts.slice(index).join(':'))
  return sql`
    select c.person_id from customers.identities i join customers.canonical c using (identity_id)
    where i.value = any(${values}::text[])
      and (i.value = ${text} or coalesce(nullif(i.namespace, ''), i.kind) || ':' || i.value = ${text}
        or i.kind || ':' || i.namespace || ':' || i.value = ${text})`
}

/** Nobody: (person_id). */
export const NOBODY = sql`select null::bigint as person_id where false`

/** Who is known by it: (person_id), by index each way. */
export function searchedBody({ text, soft, phoneEnd }: Searched): RawBuilder<unknown> {
  const isSoft = soft.map(({ kind, value }) => sql`i.kind = ${kind} and i.value = ${value}`)
  const isEnd = phoneEnd === undefined ? [] : [sql`i.kind = 'phone' and right(i.value, 4) = ${phoneEnd}`]
  const ways = [...isSoft, ...isEnd].map(
    (is) => sql`
    union all
    select c.person_id from customers.identities i join customers.canonical c using (identity_id) where ${is}
    union all
    ${claimersBody(is)}`,
  )
  return sql`
    ${keyedBody(text)}
    ${sql.join(ways, sql` `)}
    union all
    select r.person_id from customers.records r
    where r.name is not null and position(lower(${text}) in lower(r.name)) > 0
      and string_to_array(lower(r.name), null) @> string_to_array(lower(${text}), null)`
}

/** A phone or e-mail that links nobody, because too many share it, is still what each of them is known by. */
function claimersBody(is: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select c.person_id
    from customers.withdrawn_values w join customers.identities i using (identity_id)
    join customers.claim_identities l using (identity_id) join customers.claims k using (claim_id)
    join customers.claim_identities o on o.claim_id = l.claim_id and o.identity_id <> l.identity_id
    join customers.canonical c on c.identity_id = o.identity_id
    where k.withdrawn_at is null and ${is}`
}
