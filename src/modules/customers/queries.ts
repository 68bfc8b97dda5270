import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'

/**
 * Fills identity_id and person_id of the caller's `arriving_customers (value text, identity_id bigint, person_id bigint)`
 * and makes the nodes that are new. A new node is a person of its own until a claim links it.
 */
export async function identifyOwnIds(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    insert into customers.identities (kind, namespace, value, recorded_at)
    select 'own_id', ${source}, value, ${now} from arriving_customers order by value collate "C"
    on conflict do nothing`.execute(tx)
  await sql`
    insert into customers.canonical (identity_id, person_id)
    select i.identity_id, i.identity_id
    from arriving_customers a
    join customers.identities i on i.kind = 'own_id' and i.namespace = ${source} and i.value = a.value
    on conflict do nothing`.execute(tx)
  await sql`
    update arriving_customers a
    set identity_id = i.identity_id, person_id = c.person_id
    from customers.identities i join customers.canonical c using (identity_id)
    where i.kind = 'own_id' and i.namespace = ${source} and i.value = a.value`.execute(tx)
}

/**
 * Brings the relations of `arriving_connections (identity_id, person_id, begun_at, fact_id)` on one channel to what
 * their facts now say: a relation that is there keeps its id and moves its beginning, either way; one without a
 * beginning has lost the last fact it rested on and goes; a new one is made when asked for.
 */
export async function connect(tx: Sql, source: string, channel: string, now: Date, makesNew: boolean): Promise<void> {
  await sql`
    update customers.connections c
    set begun_at = a.begun_at
    from arriving_connections a
    where c.identity_id = a.identity_id and c.person_id = a.person_id and c.source = ${source} and c.channel = ${channel}
      and a.begun_at <> c.begun_at`.execute(tx)
  await sql`
    delete from customers.connections c using arriving_connections a
    where c.identity_id = a.identity_id and c.person_id = a.person_id and c.source = ${source} and c.channel = ${channel}
      and a.begun_at is null`.execute(tx)
  if (!makesNew) return
  await sql`
    insert into customers.connections (person_id, connection_id, identity_id, source, channel, begun_at, recorded_at)
    select a.person_id, a.fact_id, a.identity_id, ${source}, ${channel}, a.begun_at, ${now}
    from (select * from arriving_connections where begun_at is not null order by identity_id) a
    where not exists (select from customers.connections c
      where c.person_id = a.person_id and c.identity_id = a.identity_id and c.channel = ${channel})`.execute(tx)
}
