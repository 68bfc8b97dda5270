import { sql } from 'kysely'
import type { Sql } from '../src/platform/db.ts'
import { BENCH_NOW, type OrderFile, SHAPE } from './orders.ts'

/*
 * What an import of orders.ts leaves in a brand's tables, made inside PostgreSQL: for a size at which the import takes
 * longer than everything that is measured after it. The same spread of orders, days, lines and refunds, rows in the
 * order in which the import writes them, the same keys and indexes; not the same rows.
 */

/** In [0, 1), by the number of a row; each `salt` is a draw of its own. */
const draw = (of: string, salt: number) =>
  sql.raw(`((hashint8extended(${of}, ${salt}) >> 11) & 9007199254740991) / 2::float8 ^ 53`)

export async function fillOrders(tx: Sql, { people, ordersPerPerson }: Pick<OrderFile, 'people' | 'ordersPerPerson'>) {
  const orders = people * ordersPerPerson
  const day = (at: string) => sql.raw(`to_char(${at} at time zone 'Asia/Shanghai', 'YYYYMMDD')`)
  await sql`
    create temp table lines on commit drop as
    select 1 + floor(${draw('n', 1)} * ${people})::bigint as person_id, n as order_id, line_no, paid_at,
      1 + floor(${draw('n * 2 + line_no', 3)} * ${SHAPE.items}::int)::int as item,
      1 + floor(${draw('n * 2 + line_no', 4)} * 3)::int as quantity,
      990 + floor(${draw('n * 2 + line_no', 5)} * 28911)::bigint as price_minor,
      case when ${draw('n', 6)} < ${SHAPE.refundShare} then 1 + floor(${draw('n', 7)} * 4)::int end as refund_kind
    from (
      select n, ${BENCH_NOW}::timestamptz - make_interval(secs => ${SHAPE.seconds})
        + make_interval(secs => floor((n - 1 + ${draw('n', 2)}) / ${orders} * ${SHAPE.seconds})) as paid_at
      from generate_series(1, ${orders}::bigint) n
    ) o
    cross join lateral generate_series(1, case when ${draw('n', 8)} < ${SHAPE.secondLineShare} then 2 else 1 end) line_no
    order by 1, 2, 3`.execute(tx)
  await sql`
    create temp table refunded on commit drop as
    select l.*, ${orders} + dense_rank() over (order by order_id) as refund_id,
      least(paid_at + make_interval(days => 1 + floor(${draw('order_id', 9)} * 30)::int), ${BENCH_NOW}) as refunded_at
    from lines l where refund_kind <= 2 or (refund_kind > 2 and line_no = 1) order by person_id, order_id, line_no`.execute(
    tx,
  )
  await sql`analyze lines`.execute(tx)

  await sql`update brand.settings set currency = 'CNY'`.execute(tx)
  await sql`
    insert into intake.imports (file_name, mapping_name, source, options, started_at, finished_at, rows_in, rows_stored, rows_merged, rows_rejected)
    select 'orders.csv', 'orders', 'orders', '{}', ${BENCH_NOW}, ${BENCH_NOW}, n, n, 0, 0
    from (select (select count(*) from lines) + (select count(*) from refunded) as n) c`.execute(tx)
  await sql`
    insert into customers.identities (identity_id, kind, namespace, value, recorded_at) overriding system value
    select n, 'own_id', 'orders', 'C' || n, ${BENCH_NOW} from generate_series(1, ${people}::bigint) n`.execute(tx)
  await sql`select setval(pg_get_serial_sequence('customers.identities', 'identity_id'), ${people})`.execute(tx)
  await sql`insert into customers.canonical select identity_id, identity_id from customers.identities`.execute(tx)
  await sql`
    insert into commerce.orders (person_id, order_id, identity_id, source, external_id, paid_at, amount_minor, line_count, recorded_at)
    select person_id, order_id, person_id, 'orders', ${day('paid_at')} || lpad((order_id - 1)::text, 8, '0'), paid_at,
      sum(quantity * price_minor), count(*), ${BENCH_NOW}
    from lines group by person_id, order_id, paid_at order by person_id, order_id`.execute(tx)
  await sql`
    insert into commerce.order_lines (person_id, order_id, line_no, item, item_name, quantity, unit_price, amount_minor)
    select person_id, order_id, line_no, 'SKU' || item, '商品 ' || item, quantity, round(price_minor / 100.0, 2), quantity * price_minor
    from lines order by person_id, order_id, line_no`.execute(tx)
  await sql`
    insert into commerce.refunds (person_id, refund_id, identity_id, source, external_id, refunded_at, of_external_id, amount_minor, recorded_at)
    select person_id, refund_id, person_id, 'orders', 'R' || document, refunded_at,
      case when refund_kind <= 3 then document end, amount_minor, ${BENCH_NOW}
    from (
      select person_id, refund_id, refunded_at, refund_kind, sum(quantity * price_minor) as amount_minor,
        ${day('paid_at')} || lpad((order_id - 1)::text, 8, '0') as document
      from refunded group by person_id, order_id, refund_id, paid_at, refunded_at, refund_kind
    ) r order by person_id, refund_id`.execute(tx)
  await sql`
    insert into commerce.refund_lines (person_id, refund_id, line_no, item, item_name, quantity, unit_price, amount_minor)
    select person_id, refund_id, line_no, 'SKU' || item, '商品 ' || item, -quantity, round(price_minor / 100.0, 2), quantity * price_minor
    from refunded order by person_id, refund_id, line_no`.execute(tx)
  await sql`
    insert into commerce.refund_allocations
    select person_id, refund_id, line_no, order_id, line_no, refunded_at, quantity * price_minor
    from refunded order by person_id, refund_id, line_no`.execute(tx)
  await sql`
    insert into customers.connections (person_id, connection_id, identity_id, source, channel, begun_at, recorded_at)
    select person_id, (select max(refund_id) from refunded) + row_number() over (order by person_id), person_id, 'orders', 'shop_account',
      min(paid_at), ${BENCH_NOW}
    from lines group by person_id order by person_id`.execute(tx)
  await sql`
    insert into intake.inbox (source, kind, external_id, fact_id, body_hash, import_id, recorded_at)
    select 'orders', 'order', external_id, fact_id, sha256(external_id::bytea), (select max(import_id) from intake.imports), ${BENCH_NOW}
    from (
      select external_id, order_id as fact_id from commerce.orders union all select external_id, refund_id from commerce.refunds
    ) documents order by fact_id`.execute(tx)
  await sql`select setval('intake.fact_id', (select max(connection_id) from customers.connections))`.execute(tx)
}

const FAMILY_NAMES = '王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧'
const GIVEN_NAMES = '伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建文宇浩轩梓涵欣怡诗雨佳'
const INTERACTIONS_PER_PERSON = 3
const INTERACTION_DAYS = 120
const FILLED_TYPES = ['view', 'click', 'like', 'comment', 'share', 'reply']

/**
 * A record with a name and a phone for each person of fillOrders, and what they did lately: for the pages that search, and that
 * tell fan tiers apart.
 */
export async function fillPeople(tx: Sql, people: number): Promise<void> {
  const part = (text: string, salt: number) =>
    sql`substr(${text}, 1 + floor(${draw('n', salt)} * ${text.length}::int)::int, 1)`
  await sql`
    insert into customers.identities (identity_id, kind, namespace, value, recorded_at) overriding system value
    select ${people} + n, 'phone', '', '+86138' || lpad(n::text, 8, '0'), ${BENCH_NOW} from generate_series(1, ${people}::bigint) n`.execute(
    tx,
  )
  await sql`select setval(pg_get_serial_sequence('customers.identities', 'identity_id'), ${2 * people})`.execute(tx)
  await sql`
    insert into customers.canonical select ${people} + n, n from generate_series(1, ${people}::bigint) n`.execute(tx)
  await sql`
    create temp table told on commit drop as
    select n, (select last_value from intake.fact_id) + n as claim_id from generate_series(1, ${people}::bigint) n`.execute(
    tx,
  )
  await sql`
    insert into customers.claims (claim_id, kind, source, external_id, claimed_at, recorded_at)
    select claim_id, 'person', 'orders', 'C' || n, ${BENCH_NOW}, ${BENCH_NOW} from told`.execute(tx)
  await sql`
    insert into customers.claim_identities
    select claim_id, n from told union all select claim_id, ${people} + n from told`.execute(tx)
  await sql`
    insert into customers.records (person_id, claim_id, identity_id, name, unlinked)
    select n, claim_id, n, ${part(FAMILY_NAMES, 31)} || ${part(GIVEN_NAMES, 32)} || ${part(GIVEN_NAMES, 33)}, '[]' from told`.execute(
    tx,
  )
  await sql`
    do $$ begin
      for month in 0..${sql.raw(String(Math.ceil(INTERACTION_DAYS / 28)))} loop
        execute format('create table interactions.%I partition of interactions.interactions for values from (%L) to (%L)',
          'interactions_' || to_char(date_trunc('month', timestamptz '${sql.raw(BENCH_NOW.toISOString())}') - month * interval '1 month', 'YYYY_MM'),
          date_trunc('month', timestamptz '${sql.raw(BENCH_NOW.toISOString())}') - month * interval '1 month',
          date_trunc('month', timestamptz '${sql.raw(BENCH_NOW.toISOString())}') - (month - 1) * interval '1 month');
      end loop;
    end $$`.execute(tx)
  await sql`
    insert into interactions.interactions (person_id, occurred_at, interaction_id, identity_id, source, type, item, recorded_at)
    select person_id, occurred_at, (select max(claim_id) from told) + n, person_id, 'app', type, 'SKU' || n % ${SHAPE.items}::int, ${BENCH_NOW}
    from (
      select n, 1 + floor(${draw('n', 41)} * ${people})::bigint as person_id,
        ${BENCH_NOW}::timestamptz - make_interval(secs => ${draw('n', 42)} * ${INTERACTION_DAYS * 86_400}::int) as occurred_at,
        (${FILLED_TYPES}::text[])[1 + floor(${draw('n', 43)} * ${FILLED_TYPES.length}::int)::int] as type
      from generate_series(1, ${people * INTERACTIONS_PER_PERSON}::bigint) n
    ) acts order by person_id, occurred_at`.execute(tx)
  await sql`select setval('intake.fact_id', (select max(interaction_id) from interactions.interactions))`.execute(tx)
}
