import type pg from 'pg'
import { readConfig } from '../src/platform/config.ts'
import { openInstallation } from '../src/platform/installation.ts'
import { isRefusal } from '../src/platform/refusal.ts'
import type { Home } from './product.ts'

/** All that is stored of a brand, under the sources' own ids: numbers that the database gives are in none of it. */
export type BrandState = Readonly<Record<string, readonly string[]>>

/** A person by the first of their identities: person ids are given in the order of arrival. */
const WHO = `
  with who as (
    select person_id, min(kind || ':' || namespace || ':' || value collate "C") as who
    from customers.published_people group by person_id
  ), node as (
    select identity_id, kind || ':' || namespace || ':' || value as node from customers.identities
  ), fact as (
    select fact_id, kind as fact_kind, source as fact_source, external_id as fact from intake.inbox
  )`

/**
 * One select for each thing. Lines of a document have no order of their own by API, so they are compared as a multiset;
 * when something was recorded is not compared.
 */
const PARTS: Readonly<Record<string, string>> = {
  inbox: `select kind, source, external_id, encode(body_hash, 'hex') as hash from intake.inbox`,
  replaced: `select fact_kind, fact_source, fact, encode(s.body_hash, 'hex') as hash from intake.versions s join fact using (fact_id)`,
  orders: `select source, external_id, who, node, paid_at, amount_minor, line_count
    from commerce.orders left join who using (person_id) left join node using (identity_id)`,
  order_lines: `select source, external_id, item, item_name, category, trim_scale(quantity) as quantity, trim_scale(unit_price) as unit_price, l.amount_minor
    from commerce.order_lines l join commerce.orders using (person_id, order_id)`,
  refunds: `select source, external_id, who, node, refunded_at, of_external_id, amount_minor
    from commerce.refunds left join who using (person_id) left join node using (identity_id)`,
  refund_lines: `select source, external_id, item, item_name, category, trim_scale(quantity) as quantity, trim_scale(unit_price) as unit_price, l.amount_minor
    from commerce.refund_lines l join commerce.refunds using (person_id, refund_id)`,
  allocations: `select r.source, r.external_id as refund, o.external_id as of_order, a.refunded_at, sum(a.amount_minor) as amount_minor
    from commerce.refund_allocations a join commerce.refunds r using (refund_id) join commerce.orders o using (order_id)
    group by 1, 2, 3, 4`,
  people: `select who, array_agg(node order by node collate "C") as identities
    from customers.canonical join who using (person_id) join node using (identity_id) group by who`,
  records: `select fact_source, fact, who, name, enrolled_at, unlinked
    from customers.records join who using (person_id) join fact on fact_id = claim_id`,
  withdrawn: `select node from customers.withdrawn_values join node using (identity_id)`,
  connections: `select source, who, node, channel, staff, group_id, begun_at, ended_at
    from customers.connections join who using (person_id) join node using (identity_id)`,
  memberships: `select source, who, node, enrolled_at, ended_at
    from customers.memberships join who using (person_id) join node using (identity_id)`,
  interactions: `select source, who, node, type, item, content, occurred_at
    from interactions.interactions join who using (person_id) join node using (identity_id)`,
  reviews: `select source, who, node, item, rating, is_recommended, reviewed_at
    from interactions.reviews join who using (person_id) join node using (identity_id)`,
  tags: `select origin, who, node, name, strength, given_at, ends_at
    from tags.assignments join tags.tags using (tag_id) join who using (person_id) join node using (identity_id)`,
  occasions: `select who, from_at, to_at, occasion_at, order_count, net_minor
    from relationship.occasions join who using (person_id)`,
  standing: `select who, depth, since, lapses_at, lapses_to, depth_if_connected, last_occasion_at, occasions, net_paid_minor
    from relationship.standing join who using (person_id)`,
  depth_changes: `select who, changed_at, from_depth, to_depth
    from relationship.published_depth_changes join who using (person_id)`,
  members: `select name, who from segments.verdicts join segments.segments using (segment_id) join who using (person_id) where in_at is not null`,
  segments: `select name, size from segments.segments`,
  // Also what belongs to a person who is no longer there, and is in none of the above for that.
  row_counts: `select (select count(*) from commerce.orders) as orders, (select count(*) from commerce.refunds) as refunds,
    (select count(*) from customers.records) as records, (select count(*) from customers.connections) as connections,
    (select count(*) from interactions.interactions) as interactions, (select count(*) from relationship.standing) as standing`,
}

export async function readBrandState(client: pg.Client | pg.Pool): Promise<BrandState> {
  const state: Record<string, readonly string[]> = {}
  for (const [part, select] of Object.entries(PARTS)) {
    const { rows } = await client.query<{ row: string }>(
      `${WHO} select to_jsonb(t)::text as row from (${select}) t order by to_jsonb(t)::text collate "C"`,
    )
    state[part] = rows.map(({ row }) => row)
  }
  return state
}

const SHOWN_MAX = 3

/** Where two states differ, in sentences; none when they are equal. A row that is there twice is not one that is there once. */
export function differencesOf(left: BrandState, right: BrandState, names: readonly [string, string]): string[] {
  return Object.keys(PARTS).flatMap((part) => {
    const [inLeft, inRight] = [left[part] ?? [], right[part] ?? []]
    return [...said(part, names[0], surplusOf(inLeft, inRight)), ...said(part, names[1], surplusOf(inRight, inLeft))]
  })
}

function surplusOf(rows: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>()
  for (const row of others) left.set(row, (left.get(row) ?? 0) + 1)
  return rows.filter((row) => {
    const count = left.get(row) ?? 0
    left.set(row, count - 1)
    return count <= 0
  })
}

function said(part: string, where: string, rows: readonly string[]): string[] {
  if (rows.length === 0) return []
  return [`${part}: ${rows.length} only in ${where}, e.g. ${rows.slice(0, SHOWN_MAX).join(' ')}`]
}

/** How much is left to be worked off. */
export async function pendingWork(client: pg.Client | pg.Pool): Promise<number> {
  const { rows } = await client.query(
    `select (select count(*) from intake.pending_people) + (select count(*) from intake.pending_moves) as pending`,
  )
  return Number(rows[0].pending)
}

/** Where the current brand's database is; the same after every start. */
export async function urlOfBrand(home: Pick<Home, 'folder'>): Promise<string> {
  const installation = await openInstallation(readConfig({ PERENNIAL_HOME: home.folder }), 'command')
  if (isRefusal(installation)) throw new Error(installation.message)
  try {
    const brand = await installation.currentBrand()
    if (!brand || !installation.cluster) throw new Error('There is no brand in an embedded PostgreSQL')
    return installation.cluster.databaseUrl(brand.databaseName)
  } finally {
    await installation.close()
  }
}
