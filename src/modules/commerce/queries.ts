import { sql } from 'kysely'
import type { PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Sql } from '../../platform/db.ts'
import type { StagedLine } from './schema.ts'

/*
 * One import is one transaction over temporary tables, so a crash or a refusal at any point leaves nothing behind:
 *
 *   staged     rows as mapped            bad_documents  orders that lost a row before staging
 *   lines      rows that count           bad_rows       rows that the set rules refuse, by line
 *   documents  one row a sales document  arriving       the same, as intake sees them (id, hash, status)
 */

export async function createStaging(tx: Sql): Promise<void> {
  // One import at a time sorts and hashes a whole file; the server's default is for many small queries.
  await sql`set local work_mem = '128MB'`.execute(tx)
  await sql`
    create temp table staged (
      line bigint, document_id text, customer text, local_at timestamp, instant_at timestamptz, item text,
      item_name text, line_id text, quantity numeric, unit_price numeric, amount numeric, refund_of text,
      is_cancel boolean
    ) on commit drop`.execute(tx)
  await sql`create temp table bad_documents (document_id text primary key) on commit drop`.execute(tx)
}

/** COPY, one call a batch: measured three times as fast as `unnest` of arrays for rows this wide. */
export async function copyStaged(client: PoolClient, lines: readonly StagedLine[]): Promise<void> {
  const stream = client.query(copyFrom('copy staged from stdin'))
  let text = ''
  for (const row of lines) {
    text += `${row.line}\t${copyText(row.documentId)}\t${copyText(row.customer)}\t${row.localTime ?? '\\N'}\t${row.instant ?? '\\N'}\t`
    text += `${copyText(row.item)}\t${copyText(row.itemName)}\t${copyText(row.lineId)}\t${row.quantity}\t${row.unitPrice ?? '\\N'}\t`
    text += `${row.amount ?? '\\N'}\t${copyText(row.refundOf)}\t${row.isCancel ? 't' : 'f'}\n`
  }
  await new Promise<void>((resolve, reject) => {
    stream.on('finish', resolve)
    stream.on('error', reject)
    stream.end(text)
  })
}

const COPY_ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function copyText(text: string | null): string {
  return text === null ? '\\N' : text.replace(/[\\\t\n\r]/g, (character) => COPY_ESCAPES[character] ?? character)
}

export async function insertBadDocuments(tx: Sql, documentIds: readonly string[]): Promise<void> {
  await sql`insert into bad_documents select unnest(${documentIds}::text[]) on conflict do nothing`.execute(tx)
}

export interface LineRules {
  readonly zone: string
  readonly exponent: number
  readonly now: Date
  readonly mergeDuplicates: boolean
}

/**
 * Staged rows -> lines and documents, and the rows that only the whole set can refuse. A line's amount is rounded
 * once, half away from zero. Returns and cancels carry what was given back as a positive amount.
 */
export async function resolveDocuments(tx: Sql, rules: LineRules): Promise<void> {
  const scale = 10 ** rules.exponent
  await sql`analyze staged`.execute(tx)
  await sql`
    create temp table lines on commit drop as
    select line, document_id, customer, coalesce(instant_at, local_at at time zone ${rules.zone}) as paid_at,
      item, item_name, line_id, quantity, coalesce(unit_price, trim_scale(round(amount / nullif(quantity, 0), 6)), 0) as unit_price,
      is_cancel or quantity < 0 or refund_of is not null as is_return,
      case when is_cancel or quantity < 0 or refund_of is not null
        then round(abs(coalesce(amount, quantity * unit_price)) * ${scale})
        else round(coalesce(amount, quantity * unit_price) * ${scale}) end::bigint as amount_minor,
      refund_of
    from ${
      rules.mergeDuplicates
        ? sql`(select distinct on (document_id, customer, local_at, instant_at, item, item_name, line_id, quantity, unit_price, amount, refund_of) *
            from staged
            order by document_id, customer, local_at, instant_at, item, item_name, line_id, quantity, unit_price, amount, refund_of, line) s`
        : sql`staged`
    }`.execute(tx)
  await sql`
    create temp table documents on commit drop as
    select document_id, max(customer) as customer, min(paid_at) as paid_at, max(refund_of) as refund_of,
      count(*) as line_count,
      count(*) filter (where not is_return) as order_lines,
      count(*) filter (where is_return) as refund_lines,
      coalesce(sum(amount_minor) filter (where not is_return), 0)::bigint as order_minor,
      coalesce(sum(amount_minor) filter (where is_return), 0)::bigint as refund_minor,
      case
        when max(paid_at) > ${rules.now} then 'future_time'
        when min(customer) <> max(customer) then 'conflicting_customer'
        when min(refund_of) <> max(refund_of) then 'conflicting_refund_of'
        when sum(amount_minor) filter (where not is_return) < 0
          and max(amount_minor) filter (where not is_return) > 0 then 'mixed_refund'
      end as reason
    from lines
    group by document_id`.execute(tx)
  await sql`
    create temp table bad_rows on commit drop as
    select s.line, case when d.document_id is null or (d.reason = 'future_time' and l.paid_at <= ${rules.now})
      then 'order_has_bad_row' else d.reason end as reason
    from staged s
    left join documents d on d.document_id = s.document_id and d.reason is not null
    left join lines l on l.line = s.line and d.reason = 'future_time'
    where d.document_id is not null or s.document_id in (select document_id from bad_documents)`.execute(tx)
  await sql`
    delete from lines using documents d
    where lines.document_id = d.document_id
      and (d.reason is not null or d.document_id in (select document_id from bad_documents))`.execute(tx)
  await sql`
    delete from documents d
    where d.reason is not null or d.document_id in (select document_id from bad_documents)`.execute(tx)
  // A document without a return whose total is negative (a bad debt written off) is a refund under another sign.
  await sql`
    update lines l set is_return = true, amount_minor = -l.amount_minor
    from documents d
    where d.document_id = l.document_id and d.order_minor < 0 and not l.is_return`.execute(tx)
  await sql`
    update documents
    set refund_minor = refund_minor - order_minor, refund_lines = line_count, order_minor = 0, order_lines = 0
    where order_minor < 0`.execute(tx)
  await sql`create unique index on documents (document_id)`.execute(tx)
  await sql`analyze lines`.execute(tx)
  await sql`analyze documents`.execute(tx)
}

/** The rows the set refused, by line; few, or the file is not what the mapping says. */
export async function selectBadRows(tx: Sql): Promise<{ line: number; reason: string }[]> {
  const { rows } = await sql<{ line: number; reason: string }>`select line, reason from bad_rows`.execute(tx)
  return rows
}

/**
 * `arriving`: the documents with the hash of their bodies. The body is the multiset of mapped lines: sorted, so that
 * another order of rows is the same body; with their text, so that another text is another body.
 */
export async function createArriving(tx: Sql): Promise<void> {
  await sql`
    create temp table arriving on commit drop as
    select document_id as external_id, sha256(convert_to(string_agg(body, E'\n' order by body collate "C"), 'UTF8')) as body_hash,
      null::bigint as fact_id, null::text as status
    from (
      select document_id, concat(
        customer, E'\x1f', extract(epoch from paid_at), E'\x1f', item, E'\x1f', item_name, E'\x1f', line_id, E'\x1f',
        trim_scale(quantity), E'\x1f', trim_scale(unit_price), E'\x1f', amount_minor, E'\x1f', is_return, E'\x1f', refund_of) as body
      from lines
    ) b
    group by document_id`.execute(tx)
  await sql`create unique index on arriving (external_id)`.execute(tx)
  await sql`analyze arriving`.execute(tx)
}

export async function createArrivingCustomers(tx: Sql): Promise<void> {
  await sql`
    create temp table arriving_customers on commit drop as
    select distinct customer as value, null::bigint as identity_id, null::bigint as person_id
    from documents where customer is not null`.execute(tx)
  await sql`create unique index on arriving_customers (value)`.execute(tx)
  await sql`analyze arriving_customers`.execute(tx)
}

/** Bodies that corrections are about to replace, for the record; then their rows go. */
export async function createSuperseding(tx: Sql): Promise<void> {
  // Ids and status were filled in since the statistics were taken, which still say "none": from here on every join
  // with them would loop row by row (49 s against 3 s for a million documents).
  await sql`analyze arriving`.execute(tx)
  await sql`analyze arriving_customers`.execute(tx)
  await sql`
    create temp table superseding on commit drop as
    with corrected as (select fact_id from arriving where status = 'corrected'),
    line as (
      select o.order_id as fact_id, o.person_id, o.identity_id, o.paid_at as at, null as refund_of, false as is_return, l.line_no, l.item,
        l.item_name, l.quantity, l.unit_price, l.amount_minor
      from commerce.orders o join commerce.order_lines l using (person_id, order_id)
      where o.order_id in (select fact_id from corrected)
      union all
      select r.refund_id, r.person_id, r.identity_id, r.refunded_at, r.of_external_id, true, l.line_no, l.item,
        l.item_name, l.quantity, l.unit_price, l.amount_minor
      from commerce.refunds r join commerce.refund_lines l using (person_id, refund_id)
      where r.refund_id in (select fact_id from corrected)
    )
    select fact_id, max(person_id) as person_id, max(identity_id) as identity_id, max(refund_of) as refund_of, jsonb_agg(to_jsonb(line) order by is_return, line_no) as body
    from line group by fact_id`.execute(tx)
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

/** The new and corrected documents, as orders and refunds with their lines. */
export async function insertDocuments(tx: Sql, source: string, now: Date): Promise<void> {
  await sql`
    create temp table admitted on commit drop as
    select a.fact_id, d.document_id, d.paid_at, d.refund_of, d.order_lines, d.refund_lines, d.order_minor, d.refund_minor,
      coalesce(c.person_id, 0) as person_id, c.identity_id
    from arriving a
    join documents d on d.document_id = a.external_id
    left join arriving_customers c on c.value = d.customer
    where a.status <> 'known'`.execute(tx)
  await sql`create unique index on admitted (document_id)`.execute(tx)
  await sql`analyze admitted`.execute(tx)
  await sql`
    insert into commerce.orders (person_id, order_id, identity_id, source, external_id, paid_at, amount_minor, line_count, recorded_at)
    select person_id, fact_id, identity_id, ${source}, document_id, paid_at, order_minor, order_lines, ${now}
    from admitted where order_lines > 0 order by person_id, fact_id`.execute(tx)
  await sql`
    insert into commerce.order_lines (person_id, order_id, line_no, item, item_name, quantity, unit_price, amount_minor)
    select a.person_id, a.fact_id, row_number() over (partition by a.fact_id order by l.line), l.item, l.item_name, l.quantity,
      l.unit_price, l.amount_minor
    from lines l join admitted a using (document_id)
    where not l.is_return order by a.person_id, a.fact_id`.execute(tx)
  await sql`
    insert into commerce.refunds (person_id, refund_id, identity_id, source, external_id, refunded_at, of_external_id, amount_minor, recorded_at)
    select person_id, fact_id, identity_id, ${source}, document_id, paid_at, refund_of, refund_minor, ${now}
    from admitted where refund_lines > 0 order by person_id, fact_id`.execute(tx)
  await sql`
    insert into commerce.refund_lines (person_id, refund_id, line_no, item, item_name, quantity, unit_price, amount_minor)
    select a.person_id, a.fact_id, row_number() over (partition by a.fact_id order by l.line), l.item, l.item_name, l.quantity,
      l.unit_price, l.amount_minor
    from lines l join admitted a using (document_id)
    where l.is_return order by a.person_id, a.fact_id`.execute(tx)
}

/**
 * Which line each refund reduces, recomputed whole for every named order and every source customer that this import
 * touched (domain.md §0). First the refunds that name an order, then the others against what is left.
 *
 * What an order can still give depends on all refunds that name it, whoever they came from; and a refund that a
 * correction turned to another order gives the first one back. So orders are touched by name, in both versions.
 */
export async function reallocateRefunds(tx: Sql, source: string): Promise<void> {
  await sql`
    create temp table touched_names on commit drop as
    select document_id as external_id from admitted
    union select refund_of from admitted where refund_of is not null
    union select refund_of from superseding where refund_of is not null`.execute(tx)
  await sql`
    create temp table touched_orders on commit drop as
    select o.person_id, o.order_id, o.identity_id
    from touched_names n
    join intake.published_inbox i on i.source = ${source} and i.kind = 'order' and i.external_id = n.external_id
    join commerce.orders o on o.order_id = i.fact_id`.execute(tx)
  await sql`
    create temp table touched_refunds on commit drop as
    select r.person_id, r.refund_id, r.identity_id, r.external_id, r.of_external_id, r.refunded_at
    from commerce.refunds r
    where r.refund_id in (select fact_id from admitted)
      or (r.source = ${source} and r.of_external_id in (select external_id from touched_names))
      or (r.of_external_id is null and r.identity_id in (
        select identity_id from admitted where identity_id is not null
        union select identity_id from superseding where identity_id is not null
        union select identity_id from touched_orders where identity_id is not null
      ))`.execute(tx)
  await sql`analyze touched_refunds`.execute(tx)
  await sql`
    delete from commerce.refund_allocations a
    where a.refund_id in (select refund_id from touched_refunds)
      or a.refund_id in (select fact_id from superseding) or a.order_id in (select fact_id from superseding)`.execute(
    tx,
  )
  await allocateNamed(tx, source)
  await allocateByItem(tx)
}

/**
 * What can be refunded of each line: its share of the order's total when lines are laid end to end. A discount line
 * (negative amount) lowers the total, so the last lines' share is cut: the shares add up to what was paid.
 */
const LINE_SHARES = sql`
  select person_id, order_id, identity_id, external_id, paid_at, line_no, item,
    least(upto - greatest(amount_minor, 0), total) as from_minor, least(upto, total) as to_minor
  from (
    select l.person_id, l.order_id, o.identity_id, o.external_id, o.paid_at, l.line_no, l.item, l.amount_minor,
      sum(greatest(l.amount_minor, 0)) over (partition by l.person_id, l.order_id order by l.line_no)::bigint as upto,
      o.amount_minor as total
    from concerned_orders o join commerce.order_lines l using (person_id, order_id)
  ) x`

/** Refunds of an order and its lines are both laid end to end; where they overlap, the refund reduces the line. */
async function allocateNamed(tx: Sql, source: string): Promise<void> {
  await sql`
    create temp table concerned_orders on commit drop as
    select distinct o.person_id, o.order_id, o.amount_minor, o.external_id, o.identity_id, o.paid_at
    from touched_refunds t
    join intake.published_inbox i on i.source = ${source} and i.kind = 'order' and i.external_id = t.of_external_id
    join commerce.orders o on o.order_id = i.fact_id`.execute(tx)
  await sql`
    insert into commerce.refund_allocations (person_id, refund_id, refund_line_no, order_id, order_line_no, refunded_at, amount_minor)
    with refund_line as (
      select o.person_id, o.order_id, r.refund_id, l.line_no, r.refunded_at, l.amount_minor,
        sum(l.amount_minor) over (partition by o.order_id order by r.refunded_at, r.external_id collate "C", l.line_no)::bigint as upto
      from concerned_orders o
      join touched_refunds r on r.of_external_id = o.external_id
      join commerce.refund_lines l on l.person_id = r.person_id and l.refund_id = r.refund_id
    ), order_line as (${LINE_SHARES})
    select o.person_id, r.refund_id, r.line_no, o.order_id, o.line_no, r.refunded_at,
      least(r.upto, o.to_minor) - greatest(r.upto - r.amount_minor, o.from_minor)
    from refund_line r join order_line o on o.person_id = r.person_id and o.order_id = r.order_id
    where least(r.upto, o.to_minor) > greatest(r.upto - r.amount_minor, o.from_minor)`.execute(tx)
  await sql`drop table concerned_orders`.execute(tx)
}

/**
 * Refunds that name no order reduce, per source customer and item, the newest earlier lines in turn: last in, first
 * out. As a set: walk through purchases (+) and refunds (−) in time, reflected at zero. A purchase then covers the
 * heights between the level before it and the level after it, a refund uncovers heights the same way, and at any one
 * height purchases and refunds alternate: each refund meets the purchase just before it, which is the newest. What a
 * refund would take below zero is unmatched. What happened at one instant is taken in the order of the source's own ids
 * (files with dates only have many such), so that it does not matter which file came first.
 *
 * Rejected: a loop in PL/pgSQL with a stack (one statement a row), and a recursive query (one level a row).
 *
 * The moves stand in a table of their own, because the planner has to know how many they are: as one statement it took
 * (customer, item) for nearly unique and looped over all pairs, for minutes from a million rows on.
 */
async function allocateByItem(tx: Sql): Promise<void> {
  await sql`
    create temp table moves on commit drop as
    select r.identity_id, l.item, r.refunded_at as at, 1 as turn, r.external_id collate "C" as document_id, r.refund_id as fact_id, l.line_no, r.person_id, -l.amount_minor as delta
    from touched_refunds r join commerce.refund_lines l using (person_id, refund_id)
    where r.of_external_id is null and r.identity_id is not null and l.amount_minor > 0`.execute(tx)
  await sql`analyze moves`.execute(tx)
  await sql`
    create temp table concerned_orders on commit drop as
    select o.person_id, o.order_id, o.amount_minor, o.external_id, o.identity_id, o.paid_at
    from commerce.orders o
    where o.identity_id in (select identity_id from moves) and o.person_id in (select person_id from moves)`.execute(tx)
  await sql`analyze concerned_orders`.execute(tx)
  await sql`
    insert into moves
    select s.identity_id, s.item, s.paid_at, 0, s.external_id, s.order_id, s.line_no, s.person_id,
      s.to_minor - s.from_minor - coalesce(a.amount_minor, 0)
    from (${LINE_SHARES}) s
    left join (
      select person_id, order_id, order_line_no, sum(amount_minor)::bigint as amount_minor
      from commerce.refund_allocations where order_id in (select order_id from concerned_orders) group by 1, 2, 3
    ) a on a.person_id = s.person_id and a.order_id = s.order_id and a.order_line_no = s.line_no
    where (s.identity_id, s.item) in (select identity_id, item from moves)
      and s.to_minor - s.from_minor > coalesce(a.amount_minor, 0)`.execute(tx)
  await sql`analyze moves`.execute(tx)
  await sql`
    insert into commerce.refund_allocations (person_id, refund_id, refund_line_no, order_id, order_line_no, refunded_at, amount_minor)
    with walked as (
      select *, min(level) over w as lowest
      from (select *, sum(delta) over (partition by identity_id, item order by at, turn, document_id, line_no) as level from moves) m
      window w as (partition by identity_id, item order by at, turn, document_id, line_no)
    ), reflected as (
      select *, level - least(lowest, 0) as after,
        lag(level - least(lowest, 0), 1, 0::numeric) over (partition by identity_id, item order by at, turn, document_id, line_no) as before
      from walked
    ), height as (
      select identity_id, item, after as low, lead(after) over (partition by identity_id, item order by after) as high
      from (select distinct identity_id, item, after from reflected union select distinct identity_id, item, 0::numeric from reflected) b
    ), crossing as (
      select r.turn, r.person_id, r.fact_id, r.line_no, r.at, h.high - h.low as amount_minor,
        lag(r.fact_id) over w as met_fact_id, lag(r.line_no) over w as met_line_no
      from reflected r
      join height h on h.identity_id = r.identity_id and h.item = r.item
        and h.low >= least(r.before, r.after) and h.high <= greatest(r.before, r.after)
      window w as (partition by r.identity_id, r.item, h.low order by r.at, r.turn, r.document_id, r.line_no)
    )
    select person_id, fact_id, line_no, met_fact_id, met_line_no, at, sum(amount_minor)::bigint
    from crossing where turn = 1
    group by person_id, fact_id, line_no, met_fact_id, met_line_no, at`.execute(tx)
}

/** People whose standing this import may change: `changed_people`. */
export async function createChangedPeople(tx: Sql): Promise<void> {
  await sql`
    create temp table changed_people on commit drop as
    select person_id from admitted
    union select person_id from superseding
    union select person_id from touched_orders
    union select person_id from touched_refunds`.execute(tx)
}

/**
 * Customers with a shop account are connected from their first order on: `arriving_connections`, with no beginning for
 * who has no order left. Whom a correction concerns is in it even when the file did not ask for connections.
 */
export async function createArrivingConnections(tx: Sql, source: string, isAsked: boolean): Promise<void> {
  await sql`
    create temp table arriving_connections on commit drop as
    select c.identity_id, c.person_id, o.begun_at, null::bigint as fact_id
    from (
      select identity_id, person_id from arriving_customers where ${isAsked}
      union select identity_id, person_id from superseding where identity_id is not null
    ) c
    left join (
      select person_id, identity_id, min(paid_at) as begun_at from commerce.orders
      where source = ${source} and person_id in (select person_id from arriving_customers union select person_id from superseding)
      group by person_id, identity_id
    ) o using (person_id, identity_id)`.execute(tx)
  await sql`insert into changed_people select person_id from arriving_connections`.execute(tx)
}

export interface DocumentCounts {
  readonly rows_staged: number
  readonly rows_bad: number
  readonly rows_repeated: number
  readonly rows_known: number
  readonly people: number
  readonly orders: number
  readonly refunds: number
  readonly documents_new: number
  readonly documents_corrected: number
  readonly documents_known: number
  readonly unmatched_refunds: number
  readonly unmatched_refunds_minor: number
}

export async function selectCounts(tx: Sql): Promise<DocumentCounts> {
  const { rows } = await sql<DocumentCounts>`
    select
      (select count(*) from staged) as rows_staged,
      (select count(*) from bad_rows) as rows_bad,
      (select count(*) from staged) - (select count(*) from bad_rows) - (select count(*) from lines) as rows_repeated,
      (select coalesce(sum(d.line_count), 0)::bigint from documents d join arriving a on a.external_id = d.document_id
        where a.status = 'known') as rows_known,
      (select count(distinct person_id) from arriving_customers) as people,
      (select count(*) from documents where order_lines > 0) as orders,
      (select count(*) from documents where refund_lines > 0) as refunds,
      (select count(*) from arriving where status = 'new') as documents_new,
      (select count(*) from arriving where status = 'corrected') as documents_corrected,
      (select count(*) from arriving where status = 'known') as documents_known,
      u.unmatched_refunds, u.unmatched_refunds_minor
    from (
      select count(*) as unmatched_refunds, coalesce(sum(unmatched_minor), 0)::bigint as unmatched_refunds_minor
      from arriving a join commerce.published_unmatched m on m.refund_id = a.fact_id
    ) u`.execute(tx)
  const [row] = rows
  if (!row) throw new Error('The counts of an import came back empty')
  return row
}
