import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import { lookUp } from '../intake/actions.ts'

/** Accounts that one phone or e-mail may join; more is a shop's own number or a shared one. */
const ACCOUNTS_MAX = 3
/** Rounds of label spreading; each at least halves what is left of a chain, so this is beyond any real data. */
const ROUNDS_MAX = 200

/*
 * Components of the identity graph (domain.md §0): a pure function of the set of claims and the instant, whatever their
 * order. Of the instant because the phone of a claim links for a limited time (`phoneCut`).
 *
 *   1. account     firm identities that claims put together (also by way of others)
 *   2. touch       which accounts a phone or e-mail is claimed with; a claim of nothing else (a lead) joins its values
 *                  and counts as no account
 *   3. a value that touches more than one unionid or more than three accounts links nobody
 *   4. where the values left would together join more than that, none of them links
 *   5. what is then connected is one person, named by its smallest identity
 *
 * Rejected: linking value by value in some order until it no longer fits. It leaves more links, but which ones depends
 * on the order, and a reviewer could not be told why.
 *
 * Everything runs on `region`: the nodes that a change can reach, closed over every claim, cut or not.
 */

/** From so many nodes on, temporary tables get statistics and indexes; of 2,000 these took 25 of 200 ms. */
const LARGE_FROM_NODES = 20_000

/**
 * From the caller's `changed_nodes (identity_id)`: recomputes their region and leaves `resolved (identity_id, person_id)`.
 * Phones of claims up to `phoneCut` have lapsed (rules.ts); not those of a merge by hand, which stands until it is taken back.
 */
export async function resolveRegion(tx: Sql, phoneCut: Date): Promise<void> {
  const size = await growRegion(tx)
  const isLarge = size >= LARGE_FROM_NODES
  await sql`
    create temp table links on commit drop as
    select l.claim_id, r.identity_id, r.kind, c.kind as claim_kind, c.withdrawn_at, c.phone_lapsed,
      c.kind = 'person' and c.claimed_at <= ${phoneCut} as is_aged
    from region r
    cross join lateral (
      select claim_id from customers.claim_identities where identity_id = r.identity_id ${lookUp(size)}
    ) l
    cross join lateral (
      select kind, claimed_at, withdrawn_at, phone_lapsed from customers.claims where claim_id = l.claim_id ${lookUp(size)}
    ) c`.execute(tx)
  await sql`
    create temp table edges on commit drop as
    select claim_id, identity_id, claim_kind = 'merge' or kind not in ('phone', 'email') as is_firm
    from links l
    where claim_kind <> 'split' and withdrawn_at is null and not (kind = 'phone' and is_aged) and not exists (
      select from customers.cut_links k join customers.claims s on s.claim_id = k.split_claim_id and s.withdrawn_at is null
      where k.claim_id = l.claim_id and k.identity_id = l.identity_id)`.execute(tx)
  if (isLarge) {
    await sql`create index on edges (claim_id)`.execute(tx)
    await sql`create index on edges (identity_id)`.execute(tx)
    await sql`analyze edges`.execute(tx)
  }
  await labelAccounts(tx, isLarge)
  await touchValues(tx, isLarge)
  await withdrawValues(tx, isLarge)
  await namePeople(tx, isLarge)
  await markLapsed(tx)
}

/** What the sweep looks for is what has changed since. */
async function markLapsed(tx: Sql): Promise<void> {
  await sql`
    update customers.claims c set phone_lapsed = n.is_aged
    from (select distinct claim_id, is_aged from links where claim_kind = 'person' and phone_lapsed <> is_aged) n
    where c.claim_id = n.claim_id`.execute(tx)
}

/** Whether time has passed the limit for any claim since its region was resolved, or a longer limit has brought it back. */
export async function hasAgedClaims(db: Sql, phoneCut: Date): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (select from customers.claims where kind = 'person' and not phone_lapsed and claimed_at <= ${phoneCut})
      or exists (select from customers.claims where kind = 'person' and phone_lapsed and claimed_at > ${phoneCut}) as found`.execute(
    db,
  )
  return rows[0]?.found === true
}

/**
 * Takes up to `limit` such claims of either sort, and leaves their phones as `changed_nodes`. Claims without a phone are among
 * them, once in their life: leaving them out would cost each import another look at every link.
 */
export async function takeAgedClaims(tx: Sql, phoneCut: Date, limit: number): Promise<number> {
  await sql`
    create temp table aged on commit drop as
    (select claim_id from customers.claims where kind = 'person' and not phone_lapsed and claimed_at <= ${phoneCut}
      order by claimed_at limit ${limit})
    union all
    (select claim_id from customers.claims where kind = 'person' and phone_lapsed and claimed_at > ${phoneCut}
      order by claimed_at desc limit ${limit})`.execute(tx)
  await sql`
    create temp table changed_nodes on commit drop as
    select distinct l.identity_id
    from aged join customers.claim_identities l using (claim_id) join customers.identities i using (identity_id)
    where i.kind = 'phone'`.execute(tx)
  const { numAffectedRows } = await sql`
    update customers.claims c set phone_lapsed = not c.phone_lapsed from aged a where a.claim_id = c.claim_id`.execute(
    tx,
  )
  return Number(numAffectedRows ?? 0)
}

/**
 * Known records of `arriving` that their source has seen later than was known: their claims are as young as that. Where a
 * phone had lapsed, `changed_nodes` gets what the claim names. A body from before a correction renews nothing: it does not
 * put the same together.
 */
export async function renewClaims(tx: Sql): Promise<void> {
  await sql`
    create temp table renewed on commit drop as
    select a.external_id, a.fact_id as claim_id, a.claimed_at, c.phone_lapsed
    from arriving a join customers.claims c on c.claim_id = a.fact_id
    where a.status = 'known' and a.claimed_at > c.claimed_at`.execute(tx)
  await sql`analyze renewed`.execute(tx)
  await sql`
    delete from renewed r using (
      select r.claim_id, l.identity_id from renewed r join customers.claim_identities l using (claim_id)
      except
      select r.claim_id, i.identity_id
      from renewed r
      join arriving_links l using (external_id)
      join arriving_identities i on i.kind = l.kind and i.namespace = l.namespace and i.value = l.value
    ) other
    where other.claim_id = r.claim_id`.execute(tx)
  await sql`
    update customers.claims c set claimed_at = r.claimed_at, first_claimed_at = coalesce(c.first_claimed_at, c.claimed_at)
    from renewed r where r.claim_id = c.claim_id`.execute(tx)
  await sql`
    insert into changed_nodes
    select l.identity_id from renewed r join customers.claim_identities l using (claim_id) where r.phone_lapsed`.execute(
    tx,
  )
}

/** `region (identity_id, kind)`. @returns how many they are. */
async function growRegion(tx: Sql): Promise<number> {
  await sql`create temp table reached (identity_id bigint primary key, round int) on commit drop`.execute(tx)
  const { numAffectedRows } = await sql`
    insert into reached select identity_id, 0 from changed_nodes on conflict do nothing`.execute(tx)
  let size = Number(numAffectedRows ?? 0)
  await untilStill(async (round) => {
    const { numAffectedRows } = await sql`
      insert into reached
      select distinct far.identity_id, ${round}::int
      from reached r
      cross join lateral (
        select claim_id from customers.claim_identities where identity_id = r.identity_id ${lookUp(size)}
      ) near
      cross join lateral (
        select identity_id from customers.claim_identities where claim_id = near.claim_id ${lookUp(size)}
      ) far
      where r.round = ${round - 1}
      on conflict do nothing`.execute(tx)
    size += Number(numAffectedRows ?? 0)
    return numAffectedRows
  })
  await sql`
    create temp table region on commit drop as
    select r.identity_id, i.kind
    from reached r
    cross join lateral (select kind from customers.identities where identity_id = r.identity_id ${lookUp(size)}) i`.execute(
    tx,
  )
  await sql`analyze region`.execute(tx)
  return size
}

/** Firm identities take the smallest label that a claim of theirs has, until nothing changes. */
async function labelAccounts(tx: Sql, isLarge: boolean): Promise<void> {
  await sql`
    create temp table account on commit drop as
    select distinct identity_id, identity_id as label from edges where is_firm
    union
    select identity_id, identity_id from region where kind not in ('phone', 'email')`.execute(tx)
  if (isLarge) {
    await sql`create unique index on account (identity_id)`.execute(tx)
    await sql`analyze account`.execute(tx)
  }
  await untilStill(async () => {
    const { numAffectedRows } = await sql`
      update account a set label = m.label
      from (
        select e.identity_id, min(c.label) as label
        from edges e
        join (select e.claim_id, min(a.label) as label from edges e join account a using (identity_id)
          where e.is_firm group by e.claim_id) c using (claim_id)
        where e.is_firm group by e.identity_id
      ) m
      where m.identity_id = a.identity_id and m.label < a.label`.execute(tx)
    return numAffectedRows
  })
}

/** `touch`: value × account; a claim with no firm identity is labelled by its negative id. */
async function touchValues(tx: Sql, isLarge: boolean): Promise<void> {
  await sql`
    create temp table touch on commit drop as
    select distinct v.identity_id, coalesce(f.label, -v.claim_id) as label
    from (select e.* from edges e join region i using (identity_id)
      where i.kind in ('phone', 'email') and not e.is_firm) v
    left join (select distinct e.claim_id, a.label from edges e join account a using (identity_id) where e.is_firm) f
      using (claim_id)
    union
    -- A phone that a merge by hand names belongs to that account firmly.
    select a.identity_id, a.label from account a join region i using (identity_id)
    where i.kind in ('phone', 'email')`.execute(tx)
  if (isLarge) {
    await sql`create index on touch (identity_id)`.execute(tx)
    await sql`create index on touch (label)`.execute(tx)
    await sql`analyze touch`.execute(tx)
  }
  await sql`
    create temp table account_unionids on commit drop as
    select a.label, a.identity_id as unionid from account a join region i using (identity_id) where i.kind = 'unionid'`.execute(
    tx,
  )
}

/** `withdrawn`: values that link nobody, and what they would have joined. */
async function withdrawValues(tx: Sql, isLarge: boolean): Promise<void> {
  await sql`
    create temp table withdrawn on commit drop as
    select t.identity_id, count(distinct u.unionid)::int as unionids, count(distinct t.label) filter (where t.label > 0)::int as accounts
    from touch t left join account_unionids u using (label)
    group by t.identity_id
    having count(distinct u.unionid) > 1 or count(distinct t.label) filter (where t.label > 0) > ${ACCOUNTS_MAX}`.execute(
    tx,
  )
  await joinAccounts(tx, isLarge)
  await sql`
    insert into withdrawn
    select t.identity_id, b.unionids, b.accounts
    from (
      select j.person_label, count(distinct u.unionid)::int as unionids,
        count(distinct j.label) filter (where j.label > 0)::int as accounts
      from joined j left join account_unionids u using (label)
      group by j.person_label
      having count(distinct u.unionid) > 1 or count(distinct j.label) filter (where j.label > 0) > ${ACCOUNTS_MAX}
    ) b
    join joined j using (person_label)
    join touch t using (label)
    join (select identity_id from touch group by identity_id having count(*) > 1) shared using (identity_id)
    where not exists (select from withdrawn w where w.identity_id = t.identity_id)
    group by t.identity_id, b.unionids, b.accounts`.execute(tx)
  await sql`drop table joined`.execute(tx)
  await joinAccounts(tx, isLarge)
}

/** `joined`: accounts with the smallest label among those that values still in force connect. */
async function joinAccounts(tx: Sql, isLarge: boolean): Promise<void> {
  await sql`
    create temp table joined on commit drop as
    select distinct label, label as person_label from (select label from account union select label from touch) l`.execute(
    tx,
  )
  if (isLarge) {
    await sql`create unique index on joined (label)`.execute(tx)
    await sql`analyze joined`.execute(tx)
  }
  await untilStill(async () => {
    const { numAffectedRows } = await sql`
      update joined j set person_label = m.person_label
      from (
        select t.label, min(v.person_label) as person_label
        from touch t
        join (select t.identity_id, min(j.person_label) as person_label from touch t join joined j using (label)
          where not exists (select from withdrawn w where w.identity_id = t.identity_id)
          group by t.identity_id) v using (identity_id)
        group by t.label
      ) m
      where m.label = j.label and m.person_label < j.person_label`.execute(tx)
    return numAffectedRows
  })
}

/** `resolved`: every node of the region with its person, the smallest identity among those that are one. */
async function namePeople(tx: Sql, isLarge: boolean): Promise<void> {
  await sql`
    create temp table resolved on commit drop as
    with member as (
      select a.identity_id, j.person_label from account a join joined j using (label)
      union
      select t.identity_id, j.person_label from touch t join joined j using (label)
      where not exists (select from withdrawn w where w.identity_id = t.identity_id)
        and not exists (select from account a where a.identity_id = t.identity_id)
    ), named as (
      select identity_id, min(identity_id) over (partition by person_label) as person_id from member
    )
    select r.identity_id, coalesce(n.person_id, r.identity_id) as person_id
    from region r left join named n using (identity_id)`.execute(tx)
  if (!isLarge) return
  await sql`create unique index on resolved (identity_id)`.execute(tx)
  await sql`analyze resolved`.execute(tx)
}

async function untilStill(step: (round: number) => Promise<bigint | undefined>): Promise<void> {
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    if (!(await step(round))) return
  }
  throw new Error(`The identity graph did not settle in ${ROUNDS_MAX} rounds`)
}
