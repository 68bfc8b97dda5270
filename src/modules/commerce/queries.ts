import { type RawBuilder, sql } from 'kysely'
import type { PoolClient } from 'pg'
import { copyIn, copyText } from '../../platform/copy.ts'
import type { Sql } from '../../platform/db.ts'
import { ADMITTED_COLUMNS, createDisplaced, versionRank } from '../intake/actions.ts'
import type { StagedLine } from './schema.ts'

/*
 * One import is one transaction over temporary tables, so a crash or a refusal at any point leaves nothing behind:
 *
 *   staged     rows as mapped            bad_documents  orders that lost a row before staging, if any
 *   lines      rows that count
 *   documents  one row a sales document  arriving       the same, as intake sees them (id, hash, status)
 */

export async function createStaging(tx: Sql): Promise<void> {
  // One import at a time sorts and hashes a whole file; the server's default is for many small queries.
  await sql`set local work_mem = '128MB'`.execute(tx)
  await sql`
    create temp table staged (
      line bigint, document_id text, customer text, local_at timestamp, instant_at timestamptz, item text,
      item_name text, category text, line_id text, quantity numeric, unit_price numeric, amount numeric, refund_of text,
      is_cancel boolean, version text, shared_by text, order_total numeric, order_refunded numeric, is_refunded boolean
    ) on commit drop`.execute(tx)
}

/** A line as COPY takes it. Measured three times as fast as `unnest` of arrays for rows this wide. */
export function lineText(row: StagedLine): string {
  return (
    `${row.line}\t${copyText(row.documentId)}\t${copyText(row.customer)}\t${row.localTime ?? '\\N'}\t${row.instant ?? '\\N'}\t` +
    `${copyText(row.item)}\t${copyText(row.itemName)}\t${copyText(row.category)}\t${copyText(row.lineId)}\t${row.quantity}\t${row.unitPrice ?? '\\N'}\t` +
    `${row.amount ?? '\\N'}\t${copyText(row.refundOf)}\t${row.isCancel ? 't' : 'f'}\t${row.version ?? '\\N'}\t` +
    `${copyText(row.sharedBy && JSON.stringify(row.sharedBy))}\t` +
    `${row.orderTotal ?? '\\N'}\t${row.orderRefunded ?? '\\N'}\t${row.isRefunded ? 't' : 'f'}\n`
  )
}

export function copyStaged(client: PoolClient, text: string | AsyncIterable<Buffer>): Promise<void> {
  return copyIn(client, 'copy staged from stdin', text)
}

export async function insertBadDocuments(tx: Sql, documentIds: readonly string[]): Promise<void> {
  await sql`create temp table if not exists bad_documents (document_id text) on commit drop`.execute(tx)
  await sql`insert into bad_documents select unnest(${documentIds}::text[])`.execute(tx)
}

/**
 * From so many staged rows on, temporary tables get statistics and indexes. Below it these cost more than the worse plan:
 * of a batch of 1,000 facts they took a tenth of the time.
 */
export const LARGE_FROM_ROWS = 5000

/** Which of what follows there is anything to do for. */
export interface BatchShape {
  /** So many rows that statistics and indexes pay. */
  readonly isLarge: boolean
}

export interface LineRules extends BatchShape {
  readonly zone: string
  readonly exponent: number
  readonly now: Date
  readonly mergeDuplicates: boolean
  /** There are `bad_documents`. */
  readonly hasBadDocuments: boolean
}

/** A row that only the whole set can refuse. */
export interface BadRow {
  readonly line: number
  readonly reason: string
}

/**
 * Staged rows -> lines and documents. A line's amount is rounded once, half away from zero. Returns and cancels carry what
 * was given back as a positive amount.
 *
 * @returns the rows that only the whole set can refuse; few, or the file is not what the mapping says.
 */
export async function resolveDocuments(tx: Sql, rules: LineRules): Promise<readonly BadRow[]> {
  const scale = 10 ** rules.exponent
  if (rules.isLarge) await sql`analyze staged`.execute(tx)
  await sql`
    create temp table lines on commit drop as
    select line, document_id, customer, coalesce(instant_at, local_at at time zone ${rules.zone}) as paid_at,
      item, item_name, category, line_id, quantity, coalesce(unit_price, trim_scale(round(amount / nullif(quantity, 0), 6)), 0) as unit_price,
      is_cancel or quantity < 0 or refund_of is not null as is_return,
      case when is_cancel or quantity < 0 or refund_of is not null
        then round(abs(coalesce(amount, quantity * unit_price)) * ${scale})
        else round(coalesce(amount, quantity * unit_price) * ${scale}) end::bigint as amount_minor,
      refund_of, ${versionRank(sql`version`, rules.zone)} as version, shared_by
    from ${
      rules.mergeDuplicates
        ? sql`(select distinct on (document_id, customer, local_at, instant_at, item, item_name, category, line_id, quantity, unit_price, amount, refund_of, shared_by) *
            from staged
            order by document_id, customer, local_at, instant_at, item, item_name, category, line_id, quantity, unit_price, amount, refund_of, shared_by, line) s`
        : sql`staged`
    }`.execute(tx)
  await sql`
    create temp table documents on commit drop as
    select document_id, max(customer) as customer, min(paid_at) as paid_at, max(refund_of) as refund_of,
      max(shared_by) as shared_by, count(*) as line_count,
      count(*) filter (where not is_return) as order_lines,
      count(*) filter (where is_return) as refund_lines,
      coalesce(sum(amount_minor) filter (where not is_return), 0)::bigint as order_minor,
      coalesce(sum(amount_minor) filter (where is_return), 0)::bigint as refund_minor,
      case
        when max(paid_at) > ${rules.now} then 'future_time'
        when min(customer) <> max(customer) then 'conflicting_customer'
        when min(refund_of) <> max(refund_of) then 'conflicting_refund_of'
        when min(shared_by) <> max(shared_by) then 'conflicting_shared_by'
        when sum(amount_minor) filter (where not is_return) < 0
          and max(amount_minor) filter (where not is_return) > 0 then 'mixed_refund'
      end as reason
    from lines
    group by document_id`.execute(tx)
  const { rows } = await sql<{ refused: boolean; negative: boolean }>`
    select exists (select from documents where reason is not null) as refused,
      exists (select from documents where order_minor < 0) as negative`.execute(tx)
  const badRows = rules.hasBadDocuments || rows[0]?.refused ? await refuseDocuments(tx, rules) : []
  if (rows[0]?.negative) await turnNegative(tx)
  if (!rules.isLarge) return badRows
  await sql`create unique index on documents (document_id)`.execute(tx)
  await sql`analyze lines`.execute(tx)
  await sql`analyze documents`.execute(tx)
  return badRows
}

/** Documents with a reason against them, or that lost a row before, go. @returns their rows. */
async function refuseDocuments(tx: Sql, { now, hasBadDocuments }: LineRules): Promise<readonly BadRow[]> {
  const isBad = (documentId: RawBuilder<unknown>) =>
    hasBadDocuments ? sql`${documentId} in (select document_id from bad_documents)` : sql`false`
  const { rows } = await sql<BadRow>`
    select s.line, case when d.document_id is null or (d.reason = 'future_time' and l.paid_at <= ${now})
      then 'order_has_bad_row' else d.reason end as reason
    from staged s
    left join documents d on d.document_id = s.document_id and d.reason is not null
    left join lines l on l.line = s.line and d.reason = 'future_time'
    where d.document_id is not null or ${isBad(sql`s.document_id`)}`.execute(tx)
  await sql`
    delete from lines using documents d
    where lines.document_id = d.document_id and (d.reason is not null or ${isBad(sql`d.document_id`)})`.execute(tx)
  await sql`delete from documents d where d.reason is not null or ${isBad(sql`d.document_id`)}`.execute(tx)
  return rows
}

/** A document without a return whose total is negative (a bad debt written off) is a refund under another sign. */
async function turnNegative(tx: Sql): Promise<void> {
  await sql`
    update lines l set is_return = true, amount_minor = -l.amount_minor
    from documents d
    where d.document_id = l.document_id and d.order_minor < 0 and not l.is_return`.execute(tx)
  await sql`
    update documents
    set refund_minor = refund_minor - order_minor, refund_lines = line_count, order_minor = 0, order_lines = 0
    where order_minor < 0`.execute(tx)
}

/**
 * `arriving`: the documents with the hash of their bodies. The body is the multiset of mapped lines: sorted, so that
 * another order of rows is the same body; with their text, so that another text is another body.
 */
export async function createArriving(tx: Sql, { isLarge }: BatchShape): Promise<void> {
  await sql`
    create temp table arriving on commit drop as
    select document_id as external_id, sha256(convert_to(string_agg(body, E'\n' order by body collate "C"), 'UTF8')) as body_hash,
      max(version) as version, ${ADMITTED_COLUMNS}
    from (
      select document_id, version, concat(
        customer, E'\x1f', extract(epoch from paid_at), E'\x1f', item, E'\x1f', item_name, E'\x1f', line_id, E'\x1f',
        trim_scale(quantity), E'\x1f', trim_scale(unit_price), E'\x1f', amount_minor, E'\x1f', is_return, E'\x1f', refund_of,
        E'\x1f' || shared_by, E'\x1e' || category) as body
      from lines
    ) b
    group by document_id order by document_id collate "C"`.execute(tx)
  if (!isLarge) return
  await sql`create unique index on arriving (external_id)`.execute(tx)
  await sql`analyze arriving`.execute(tx)
}

/** Whom documents name, for `identify`. */
export function buyersOf(source: string): RawBuilder<unknown> {
  return sql`select 'own_id' as kind, ${source}::text as namespace, customer as value from documents where customer is not null`
}

/**
 * `superseding`: what is in force of the documents that are replaced or go, and `displaced`: every body that is in force
 * no longer, or never was.
 */
export async function createSuperseding(tx: Sql, { isLarge }: BatchShape): Promise<void> {
  if (isLarge) {
    // Ids and status were filled in since the statistics were taken, which still say "none": from here on every join
    // with them would loop row by row (49 s against 3 s for a million documents).
    await sql`analyze arriving`.execute(tx)
    await sql`analyze arriving_identities`.execute(tx)
  }
  await sql`
    create temp table superseding on commit drop as
    with replaced as (select fact_id from arriving where replaces),
    line as (
      select o.order_id as fact_id, o.person_id, o.identity_id, o.paid_at as at, null as refund_of, false as is_return, l.line_no, l.item,
        l.item_name, l.category, l.quantity, l.unit_price, l.amount_minor
      from commerce.orders o join commerce.order_lines l using (person_id, order_id)
      where o.order_id in (select fact_id from replaced)
      union all
      select r.refund_id, r.person_id, r.identity_id, r.refunded_at, r.of_external_id, true, l.line_no, l.item,
        l.item_name, l.category, l.quantity, l.unit_price, l.amount_minor
      from commerce.refunds r join commerce.refund_lines l using (person_id, refund_id)
      where r.refund_id in (select fact_id from replaced)
    )
    select fact_id, max(person_id) as person_id, max(identity_id) as identity_id, max(refund_of) as refund_of,
      jsonb_agg(to_jsonb(line) - 'fact_id' - 'person_id' order by is_return, line_no) as body
    from line group by fact_id`.execute(tx)
}

/** Keeps in `displaced` the bodies of `superseding`, and of documents that came too late to count. */
export async function fillDisplaced(tx: Sql): Promise<void> {
  await createDisplaced(tx)
  await sql`
    insert into displaced
    select s.fact_id, a.replaced_hash, array_remove(array[s.identity_id], null), s.body
    from superseding s join arriving a using (fact_id)
    union all
    select a.fact_id, a.body_hash, array_remove(array_agg(distinct c.identity_id), null), jsonb_agg(jsonb_build_object(
      'identity_id', c.identity_id, 'at', d.paid_at, 'refund_of', d.refund_of, 'is_return', l.is_return, 'line_no', l.line,
      'item', l.item, 'item_name', l.item_name, 'category', l.category, 'quantity', l.quantity, 'unit_price', l.unit_price,
      'amount_minor', l.amount_minor))
    from arriving a
    join documents d on d.document_id = a.external_id
    join lines l using (document_id)
    left join arriving_identities c on c.value = d.customer
    where a.status = 'stale' group by a.fact_id, a.body_hash`.execute(tx)
}

/** `lines` and `documents` as they were when the bodies came in that `arriving` brings back into force. */
export async function restoreDocuments(tx: Sql): Promise<void> {
  await sql`
    create temp table lines on commit drop as
    select row_number() over (order by a.fact_id, x.is_return, x.line_no) as line, a.external_id as document_id, p.value as customer,
      x.at as paid_at, x.item, x.item_name, x.category, x.quantity, x.unit_price, x.is_return, x.amount_minor, x.refund_of,
      (select jsonb_build_array(kind, namespace, value)::text from customers.published_people s where s.identity_id = x.shared_by) as shared_by
    from arriving a
    join intake.published_bodies b using (fact_id, body_hash)
    cross join lateral jsonb_to_recordset(b.body) x(identity_id bigint, at timestamptz, refund_of text, is_return boolean,
      line_no bigint, item text, item_name text, category text, quantity numeric, unit_price numeric, amount_minor bigint, shared_by bigint)
    left join customers.published_people p using (identity_id)
    where a.is_applied`.execute(tx)
  await sql`
    create temp table documents on commit drop as
    select document_id, max(customer) as customer, min(paid_at) as paid_at, max(refund_of) as refund_of,
      max(shared_by) as shared_by, count(*) filter (where not is_return) as order_lines, count(*) filter (where is_return) as refund_lines,
      coalesce(sum(amount_minor) filter (where not is_return), 0)::bigint as order_minor,
      coalesce(sum(amount_minor) filter (where is_return), 0)::bigint as refund_minor
    from lines group by document_id`.execute(tx)
}

export async function deleteCorrected(tx: Sql): Promise<void> {
  for (const table of ['order_lines', 'orders'] as const) {
    await sql`delete from commerce.${sql.ref(table)} t using superseding s
      where t.person_id = s.person_id and t.order_id = s.fact_id`.execute(tx)
  }
  for (const table of ['refund_lines', 'refunds'] as const) {
    await sql`delete from commerce.${sql.ref(table)} t using superseding s
      where t.person_id = s.person_id and t.refund_id = s.fact_id`.execute(tx)
  }
}

/** Whether any document gives something back. */
export async function hasReturns(tx: Sql): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (select from documents where refund_lines > 0) as found`.execute(tx)
  return rows[0]?.found === true
}

/** The new and corrected documents, as orders and refunds with their lines. */
export async function insertDocuments(
  tx: Sql,
  source: string,
  now: Date,
  { isLarge, hasReturns }: BatchShape & { readonly hasReturns: boolean },
): Promise<void> {
  await sql`
    create temp table admitted on commit drop as
    select a.fact_id, d.document_id, d.paid_at, d.refund_of, d.order_lines, d.refund_lines, d.order_minor, d.refund_minor,
      coalesce(c.person_id, 0) as person_id, c.identity_id
    from arriving a
    join documents d on d.document_id = a.external_id
    left join arriving_identities c on c.value = d.customer
    where a.is_applied`.execute(tx)
  if (isLarge) {
    await sql`create unique index on admitted (document_id)`.execute(tx)
    await sql`analyze admitted`.execute(tx)
  }
  await sql`
    insert into commerce.orders (person_id, order_id, identity_id, source, external_id, paid_at, amount_minor, line_count, recorded_at)
    select person_id, fact_id, identity_id, ${source}, document_id, paid_at, order_minor, order_lines, ${now}
    from admitted where order_lines > 0 order by person_id, fact_id`.execute(tx)
  await sql`
    insert into commerce.order_lines (person_id, order_id, line_no, item, item_name, category, quantity, unit_price, amount_minor)
    select a.person_id, a.fact_id, row_number() over (partition by a.fact_id order by l.line), l.item, l.item_name, l.category, l.quantity,
      l.unit_price, l.amount_minor
    from lines l join admitted a using (document_id)
    where not l.is_return order by a.person_id, a.fact_id`.execute(tx)
  if (!hasReturns) return
  await sql`
    insert into commerce.refunds (person_id, refund_id, identity_id, source, external_id, refunded_at, of_external_id, amount_minor, recorded_at)
    select person_id, fact_id, identity_id, ${source}, document_id, paid_at, refund_of, refund_minor, ${now}
    from admitted where refund_lines > 0 order by person_id, fact_id`.execute(tx)
  await sql`
    insert into commerce.refund_lines (person_id, refund_id, line_no, item, item_name, category, quantity, unit_price, amount_minor)
    select a.person_id, a.fact_id, row_number() over (partition by a.fact_id order by l.line), l.item, l.item_name, l.category, l.quantity,
      l.unit_price, l.amount_minor
    from lines l join admitted a using (document_id)
    where l.is_return order by a.person_id, a.fact_id`.execute(tx)
}

/** Which document is whose: (person_id, fact_id). */
export const ADMITTED_FACTS = sql`select person_id, fact_id from admitted`

/**
 * People whose standing this import may change: `changed_people (person_id, changed_from)`, one row for each way. `changed_from` is the
 * payment of an order that came; null: something else may have changed.
 */
export async function createChangedPeople(tx: Sql): Promise<void> {
  await sql`
    create temp table changed_people on commit drop as
    select person_id, case when refund_lines = 0 then paid_at end as changed_from from admitted
    union all select person_id, null from superseding
    union all select person_id, null from touched_orders
    union all select person_id, null from touched_refunds`.execute(tx)
}

/**
 * Customers with a shop account are connected from their first order on: `arriving_connections`, with no beginning for
 * who has no order left. Whom a correction concerns is in it even when the file did not ask for connections. By identity:
 * after a merge its earlier orders stand under another person until they have followed.
 */
export async function createArrivingConnections(tx: Sql, source: string, isAsked: boolean): Promise<void> {
  await sql`
    create temp table arriving_connections on commit drop as
    select c.identity_id, c.person_id, o.begun_at, null::bigint as fact_id
    from (
      select identity_id, person_id from arriving_identities where ${isAsked}
      union select s.identity_id, p.person_id from superseding s join customers.published_people p using (identity_id)
    ) c
    left join (
      select identity_id, min(paid_at) as begun_at from commerce.orders
      where source = ${source} and identity_id in (select identity_id from arriving_identities union select identity_id from superseding)
      group by identity_id
    ) o using (identity_id)`.execute(tx)
  await sql`
    insert into changed_people
    select person_id from arriving_connections a
    where not exists (
      select from customers.published_connections c
      where c.person_id = a.person_id and c.identity_id = a.identity_id and c.source = ${source} and c.channel = 'shop_account'
        and c.begun_at = a.begun_at)`.execute(tx)
}

export interface DocumentCounts {
  readonly rows_repeated: number
  readonly rows_known: number
  readonly people: number
  readonly orders: number
  readonly refunds: number
  readonly documents_new: number
  readonly documents_corrected: number
  readonly documents_known: number
  readonly documents_stale: number
  readonly unmatched_refunds: number
  readonly unmatched_refunds_minor: number
}

export async function selectCounts(tx: Sql, rowsBad: number): Promise<DocumentCounts> {
  const { rows } = await sql<DocumentCounts>`
    select
      (select count(*) from staged) - ${rowsBad}::int - (select count(*) from lines) as rows_repeated,
      (select coalesce(sum(d.line_count), 0)::bigint from documents d join arriving a on a.external_id = d.document_id
        where a.status = 'known') as rows_known,
      (select count(distinct person_id) from arriving_identities) as people,
      (select count(*) from documents where order_lines > 0) as orders,
      (select count(*) from documents where refund_lines > 0) as refunds,
      (select count(*) from arriving where status in ('new', 'returned')) as documents_new,
      (select count(*) from arriving where status = 'corrected') as documents_corrected,
      (select count(*) from arriving where status = 'known') as documents_known,
      (select count(*) from arriving where status = 'stale') as documents_stale,
      u.unmatched_refunds, u.unmatched_refunds_minor
    from (
      select count(*) as unmatched_refunds, coalesce(sum(unmatched_minor), 0)::bigint as unmatched_refunds_minor
      from arriving a join commerce.published_unmatched m on m.refund_id = a.fact_id
    ) u`.execute(tx)
  const [row] = rows
  if (!row) throw new Error('The counts of an import came back empty')
  return row
}

/** Orders and refunds of `claimed_moves` follow their identity to its person now; `changed_people` are both ends. */
export async function followMoves(tx: Sql): Promise<void> {
  await sql`
    create temp table moves on commit drop as
    select m.identity_id, m.person_id as from_person_id, p.person_id as to_person_id
    from claimed_moves m join customers.published_people p using (identity_id) where p.person_id <> m.person_id`.execute(
    tx,
  )
  await sql`
    create temp table moved_documents on commit drop as
    select o.order_id as fact_id, m.from_person_id, m.to_person_id
    from moves m join commerce.orders o on o.person_id = m.from_person_id and o.identity_id = m.identity_id
    union
    select r.refund_id, m.from_person_id, m.to_person_id
    from moves m join commerce.refunds r on r.person_id = m.from_person_id and r.identity_id = m.identity_id`.execute(
    tx,
  )
  await sql`analyze moved_documents`.execute(tx)
  for (const table of ['orders', 'order_lines', 'refund_allocations'] as const) {
    await sql`update commerce.${sql.ref(table)} t set person_id = d.to_person_id from moved_documents d
      where t.person_id = d.from_person_id and t.order_id = d.fact_id`.execute(tx)
  }
  for (const table of ['refunds', 'refund_lines'] as const) {
    await sql`update commerce.${sql.ref(table)} t set person_id = d.to_person_id from moved_documents d
      where t.person_id = d.from_person_id and t.refund_id = d.fact_id`.execute(tx)
  }
  await sql`
    create temp table changed_people on commit drop as
    select from_person_id as person_id from moves union select to_person_id from moves`.execute(tx)
}

/** Orders and refunds of `erased_identities` become nobody's; what refunds took of them stays as it was. */
export async function eraseOrders(tx: Sql): Promise<void> {
  await sql`
    create temp table erased_documents on commit drop as
    select o.person_id, o.order_id as fact_id from commerce.orders o join erased_identities e using (person_id, identity_id)
    union
    select r.person_id, r.refund_id from commerce.refunds r join erased_identities e using (person_id, identity_id)`.execute(
    tx,
  )
  for (const table of ['order_lines', 'refund_allocations'] as const) {
    await sql`update commerce.${sql.ref(table)} t set person_id = 0 from erased_documents d
      where t.person_id = d.person_id and t.order_id = d.fact_id`.execute(tx)
  }
  await sql`update commerce.refund_lines t set person_id = 0 from erased_documents d
    where t.person_id = d.person_id and t.refund_id = d.fact_id`.execute(tx)
  await sql`update commerce.orders t set person_id = 0, identity_id = null from erased_documents d
    where t.person_id = d.person_id and t.order_id = d.fact_id`.execute(tx)
  await sql`update commerce.refunds t set person_id = 0, identity_id = null from erased_documents d
    where t.person_id = d.person_id and t.refund_id = d.fact_id`.execute(tx)
  await sql`insert into erased_facts select fact_id, true from erased_documents`.execute(tx)
}

export interface OrderRow {
  readonly order_id: number
  /** To the microsecond: two orders of one millisecond must not share a place in the keyset. */
  readonly paid_at_text: string
  readonly source: string
  readonly external_id: string
  readonly paid_at: Date
  readonly amount_minor: number
  readonly refunded_minor: number
  readonly lines: {
    item: string
    item_name: string | null
    category: string | null
    quantity: string
    amount_minor: number
  }[]
}

/** One person's orders, newest first, from after a place on. */
export async function selectOrders(
  db: Sql,
  personId: number,
  page: { after: { paidAt: string; orderId: number } | undefined; limit: number },
): Promise<OrderRow[]> {
  const { after } = page
  const { rows } = await sql<OrderRow>`
    select o.order_id, o.paid_at::text as paid_at_text, o.source, o.external_id, o.paid_at, o.amount_minor,
      (select coalesce(sum(a.amount_minor), 0)::bigint from commerce.refund_allocations a
        where a.person_id = o.person_id and a.order_id = o.order_id) as refunded_minor,
      (select coalesce(jsonb_agg(jsonb_build_object('item', l.item, 'item_name', l.item_name, 'category', l.category,
          'quantity', trim_scale(l.quantity)::text, 'amount_minor', l.amount_minor) order by l.line_no), '[]')
        from commerce.order_lines l where l.person_id = o.person_id and l.order_id = o.order_id) as lines
    from (
      select * from commerce.orders
      where person_id = ${personId} and ${after ? sql`(paid_at, order_id) < (${after.paidAt}::timestamptz, ${after.orderId}::bigint)` : sql`true`}
      order by paid_at desc, order_id desc limit ${page.limit}
    ) o
    order by o.paid_at desc, o.order_id desc`.execute(db)
  return rows
}
