import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { refreshAgedPhones } from './actions.ts'
import { resolveRegion } from './graph-queries.ts'
import { writeCanonical } from './queries.ts'

/** A claim of the test: names of identities; a name's first letter says its kind. */
interface TestClaim {
  readonly kind: 'person' | 'merge'
  readonly names: readonly string[]
  /** When the source last knew it; a fresh one when absent. */
  readonly claimedAt?: number
}

const HOUR_MS = 3_600_000
const LIMIT_DAYS = 7
const START = Date.parse('2026-01-01T00:00:00Z')

const KINDS: Readonly<Record<string, string>> = { u: 'unionid', o: 'own_id', p: 'phone', e: 'email' }
const isSoft = (name: string) => name.startsWith('p') || name.startsWith('e')

/**
 * The definition at an instant: what a source says of a phone holds until seven days after it last knew it, for this test; a
 * merge by hand until it is taken back.
 */
function oracleAt(claims: readonly TestClaim[], now: number): string[][] {
  const holds = (claim: TestClaim, name: string) =>
    claim.kind === 'merge' || !name.startsWith('p') || now < (claim.claimedAt ?? now) + LIMIT_DAYS * 24 * HOUR_MS
  const inForce = claims.map((claim) => ({ ...claim, names: claim.names.filter((name) => holds(claim, name)) }))
  return oracle(inForce, [...new Set(claims.flatMap((claim) => claim.names))])
}

/** The definition without time, one claim and one value at a time, with sets; no helper of the product. */
function oracle(
  claims: readonly TestClaim[],
  names = [...new Set(claims.flatMap((claim) => claim.names))],
): string[][] {
  const isFirmIn = (claim: TestClaim, name: string) => claim.kind === 'merge' || !isSoft(name)
  const accounts = partition(
    names.filter(
      (name) => !isSoft(name) || claims.some((claim) => claim.kind === 'merge' && claim.names.includes(name)),
    ),
    claims.map((claim) => claim.names.filter((name) => isFirmIn(claim, name))),
  )
  const accountOf = (name: string) => accounts.find((account) => account.includes(name))
  const soft = names.filter(isSoft)
  const lead = (index: number) => [`lead ${index}`]
  const leads = claims.map((_, index) => lead(index))
  const touched = new Map<string, string[][]>(
    soft.map((value) => {
      const own = accountOf(value)
      const found = new Set<string[]>(own ? [own] : [])
      claims.forEach((claim, index) => {
        if (claim.kind === 'merge' || !claim.names.includes(value)) return
        const firm = claim.names.filter((name) => isFirmIn(claim, name))
        const account = firm[0] ? accountOf(firm[0]) : leads[index]
        if (account) found.add(account)
      })
      return [value, [...found]]
    }),
  )
  const fits = (groups: readonly string[][]) => {
    const real = groups.filter((group) => !group[0]?.startsWith('lead'))
    const unionids = new Set(real.flat().filter((name) => name.startsWith('u')))
    return unionids.size <= 1 && real.length <= 3
  }
  const alone = soft.filter((value) => fits(touched.get(value) ?? []))
  const joined = (values: readonly string[]) =>
    partition(
      [...accounts, ...leads].map((group) => group[0] ?? ''),
      values.map((value) => (touched.get(value) ?? []).map((group) => group[0] ?? '')),
    )
  const groupOf = new Map([...accounts, ...leads].map((group) => [group[0] ?? '', group]))
  const broken = joined(alone).filter((heads) => !fits(heads.map((head) => groupOf.get(head) ?? [])))
  const linking = alone.filter((value) => {
    const heads = (touched.get(value) ?? []).map((group) => group[0] ?? '')
    return heads.length < 2 || !broken.some((group) => heads.some((head) => group.includes(head)))
  })
  const people = joined(linking).map((heads) => {
    const members = heads.flatMap((head) => (head.startsWith('lead') ? [] : (groupOf.get(head) ?? [])))
    const values = linking.filter((value) => (touched.get(value) ?? []).some((group) => heads.includes(group[0] ?? '')))
    return [...new Set([...members, ...values])]
  })
  const placed = new Set(people.flat())
  const strays = names.filter((name) => !placed.has(name)).map((name) => [name])
  return sorted([...people.filter((person) => person.length > 0), ...strays])
}

/** Union by repeated merging of overlapping groups. */
function partition(items: readonly string[], groups: readonly (readonly string[])[]): string[][] {
  let parts = items.map((item) => [item])
  for (const group of groups) {
    const hit = parts.filter((part) => part.some((item) => group.includes(item)))
    if (hit.length > 1) parts = [...parts.filter((part) => !hit.includes(part)), hit.flat()]
  }
  return parts
}

function sorted(people: readonly (readonly string[])[]): string[][] {
  return people.map((person) => [...person].sort()).sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1))
}

async function addClaim(tx: Sql, id: number, claim: TestClaim): Promise<void> {
  const at = new Date(claim.claimedAt ?? START)
  await sql`insert into customers.claims values (${id}, ${claim.kind}, 'test', ${String(id)}, ${at}, ${at})`.execute(tx)
  for (const name of claim.names) {
    const kind = KINDS[name[0] ?? '']
    await sql`insert into customers.identities (kind, namespace, value, recorded_at) values (${kind}, '', ${name}, ${at})
      on conflict do nothing`.execute(tx)
    await sql`insert into customers.canonical select identity_id, identity_id from customers.identities
      where value = ${name} on conflict do nothing`.execute(tx)
    await sql`insert into customers.claim_identities select ${id}::bigint, identity_id from customers.identities
      where value = ${name} on conflict do nothing`.execute(tx)
  }
}

/** Claims one after another, each with its own recomputation, as they would arrive; each batch at an instant of its own. */
async function people(
  database: Database,
  claims: readonly TestClaim[],
  batches: readonly number[],
  instants: readonly number[] = [],
): Promise<string[][]> {
  let next = 0
  let batchIndex = 0
  for (const size of [...batches, claims.length]) {
    const batch = claims.slice(next, next + size)
    if (batch.length === 0) continue
    await database.transaction(async (tx) => {
      for (const [offset, claim] of batch.entries()) await addClaim(tx, next + offset + 1, claim)
      await sql`create temp table changed_nodes on commit drop as
        select identity_id from customers.claim_identities where claim_id > ${next} and claim_id <= ${next + size}`.execute(
        tx,
      )
      const now = instants[batchIndex % instants.length] ?? START
      await resolveRegion(tx, new Date(now - LIMIT_DAYS * 24 * HOUR_MS))
      await writeCanonical(tx, new Date(now))
    })
    next += size
    batchIndex += 1
  }
  return readPeople(database)
}

async function readPeople(database: Database): Promise<string[][]> {
  const { rows } = await sql<{ names: string[] }>`
    select array_agg(i.value order by i.value) as names
    from customers.canonical c join customers.identities i using (identity_id) group by c.person_id`.execute(
    database.db,
  )
  return sorted(rows.map((row) => row.names))
}

async function wipe(database: Database): Promise<void> {
  await sql`truncate customers.claim_identities, customers.claims, customers.cut_links, customers.withdrawn_values,
    customers.person_changes, customers.canonical, customers.identities cascade`.execute(database.db)
}

const name = fc
  .tuple(fc.constantFrom('u', 'o', 'o', 'o', 'p', 'p', 'e'), fc.integer({ min: 1, max: 5 }))
  .map(([kind, n]) => `${kind}${n}`)
const claim = fc.record({
  kind: fc.constantFrom<'person' | 'merge'>('person', 'person', 'person', 'person', 'merge'),
  names: fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
})

test('people are a function of the claims, whatever their order and batches', async (t) => {
  const { database } = await testDatabase(t)
  await fc.assert(
    fc.asyncProperty(
      fc.array(claim, { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
      async (claims, batches) => {
        await wipe(database)
        const expected = oracle(claims)
        assert.deepEqual(await people(database, claims, batches), expected)
        await wipe(database)
        assert.deepEqual(await people(database, [...claims].reverse(), []), expected)
      },
    ),
    { numRuns: 25 },
  )
})

/** On the edge of the limit of some claim, or a millisecond beside it. */
const instant = fc
  .tuple(fc.integer({ min: 0, max: 16 }), fc.constantFrom(-1, 0, 0, 1))
  .map(([day, offset]) => START + day * 24 * HOUR_MS + offset)
const datedClaim = fc
  .tuple(claim, fc.integer({ min: 0, max: 6 }))
  .map(([one, day]): TestClaim => ({ ...one, claimedAt: START + day * 24 * HOUR_MS }))

test('people are a function of the claims and the instant, wherever the clock came from', async (t) => {
  const { database } = await testDatabase(t)
  await sql`update brand.settings set phone_claim_days = ${LIMIT_DAYS}`.execute(database.db)
  let parted = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(datedClaim, { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
      fc.array(instant, { minLength: 1, maxLength: 5 }),
      fc.array(instant, { minLength: 1, maxLength: 5 }),
      async (claims, batches, arrivals, looks) => {
        await wipe(database)
        await people(database, claims, batches, arrivals)
        for (const now of looks) {
          const clock = { now: () => new Date(now) }
          await refreshAgedPhones(database, clock)
          const expected = oracleAt(claims, now)
          assert.deepEqual(await readPeople(database), expected, `at ${clock.now().toISOString()}`)
          assert.equal(await refreshAgedPhones(database, clock), 0, 'nothing is left to do')
          if (JSON.stringify(expected) !== JSON.stringify(oracle(claims))) parted += 1
        }
      },
    ),
    { numRuns: 60 },
  )
  // 48 on average, and ten fewer or more in most runs.
  assert.ok(parted > 10, `${parted} looks saw other people than without the limit`)
})

test('a phone joins up to three accounts; a fourth withdraws it for all', async (t) => {
  const { database } = await testDatabase(t)
  const share = (n: number): TestClaim => ({ kind: 'person', names: [`o${n}`, 'p1'] })
  assert.deepEqual(await people(database, [share(1), share(2), share(3)], []), [['o1', 'o2', 'o3', 'p1']])
  await wipe(database)
  assert.deepEqual(await people(database, [share(1), share(2), share(3), share(4)], [3]), [
    ['o1'],
    ['o2'],
    ['o3'],
    ['o4'],
    ['p1'],
  ])
  const { rows } = await sql<{ accounts: number }>`select accounts from customers.withdrawn_values`.execute(database.db)
  assert.deepEqual(rows, [{ accounts: 4 }])
})

test('two unionids are never one person by phone', async (t) => {
  const { database } = await testDatabase(t)
  const claims: TestClaim[] = [
    { kind: 'person', names: ['u1', 'o1', 'p1'] },
    { kind: 'person', names: ['u2', 'o2', 'p1'] },
  ]
  assert.deepEqual(await people(database, claims, [1]), [['o1', 'u1'], ['o2', 'u2'], ['p1']])
})

test('one phone on many leads is one person and no suspicion', async (t) => {
  const { database } = await testDatabase(t)
  const claims = [1, 2, 3, 4, 5].map((n): TestClaim => ({ kind: 'person', names: ['p1', `e${n}`] }))
  assert.deepEqual(await people(database, claims, []), [['e1', 'e2', 'e3', 'e4', 'e5', 'p1']])
})
