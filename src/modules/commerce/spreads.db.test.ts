import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { rowsOf, sorted } from '../../../test/books.ts'
import { testDatabase } from '../../../test/database.ts'
import {
  beginStory,
  CUSTOMERS,
  check,
  content,
  documentOf,
  edges,
  feed,
  storyFolder,
  tickingClock,
} from '../../../test/histories.ts'
import {
  type Books,
  type Event,
  keepBooks,
  type Rules,
  type SalesDocument,
  versionsInForce,
} from '../../../test/oracle.ts'
import { ERASERS } from '../../bin/erasers.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { erasePerson, mergePeople, splitIdentity, withdrawClaim } from '../customers/actions.ts'
import { storeFacts, undoImport } from '../intake/actions.ts'
import { refreshStanding } from '../relationship/actions.ts'
import { followIdentities, ORDER_FACTS } from './actions.ts'

const RUNS = 40
const RULES: Rules = {
  zone: 'Asia/Shanghai',
  periodDays: 30,
  occasionUnit: 'day',
  memberByPurchase: true,
  mergeDuplicates: false,
}
const INSTANTS = edges(RULES)
const DOCUMENTS = 5

/** One thing at one price, so that it is often given back whole, by name or not. */
const PLAIN = [{ item: 'x', quantity: 1, priceMilli: 1000 }]
const drawn = fc
  .record({
    given: content,
    isPlain: fc.constantFrom(true, true, true, false),
    customer: fc.constantFrom('a', 'b', 'c'),
  })
  .map(({ given, isPlain, customer }) => ({
    ...given,
    refundOf: given.refundOf % DOCUMENTS,
    ...(isPlain ? { customer, lines: PLAIN, returned: PLAIN, isRepeated: false, discount: 'none' as const } : {}),
  }))

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      documents: fc.array(
        fc.record({
          id: fc.nat({ max: DOCUMENTS - 1 }),
          given: drawn,
          sharedBy: fc.constantFrom(undefined, 'a', 'b', 'b', 'd'),
          version: fc.constantFrom(undefined, undefined, undefined, 1, 2),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ undo: fc.nat({ max: 5 }) }) },
  { weight: 3, arbitrary: fc.record({ merge: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 })) }) },
  { weight: 1, arbitrary: fc.record({ split: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ withdraw: fc.nat({ max: 9 }) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Customers, and one who shares and never buys. */
const NAMES = [...CUSTOMERS, 'd']

interface Spread {
  readonly sharer: number
  readonly order: string
  readonly at: number
  readonly voidedAt: number | null
}

/** An order counts for its sharer while it is not refunded in full, and when somebody who is known, and somebody else, bought. */
function expectedOf(documents: readonly SalesDocument[], books: Books, personOf: Map<string, number>): Spread[] {
  return books.orders.flatMap((order) => {
    const { sharedBy } = documents.find(({ id }) => id === order.id) ?? {}
    const sharer = sharedBy === undefined ? undefined : personOf.get(sharedBy)
    if (sharer === undefined || order.customer === '' || personOf.get(order.customer) === sharer) return []
    let voidedAt: number | null = null
    let refunded = 0
    for (const { at, amount } of books.allocations
      .filter((allocation) => allocation.order === order.id)
      .toSorted((a, b) => a.at - b.at)) {
      refunded += amount
      if (refunded >= order.amount) voidedAt ??= Math.max(at, order.at)
    }
    return [{ sharer, order: order.id, at: order.at, voidedAt }]
  })
}

async function peopleByName(database: Database): Promise<Map<string, number>> {
  const rows = await rowsOf<{ value: string; person_id: number }>(
    database,
    'select value, person_id from customers.published_people',
  )
  return new Map(rows.map((row) => [row.value, row.person_id]))
}

interface StoredSpread extends Spread {
  readonly spread_id: number
  readonly voided_id: number | null
}

const stored = (database: Database) =>
  rowsOf<StoredSpread>(
    database,
    `select s.person_id as sharer, o.external_id as order, extract(epoch from s.spread_at)::float8 * 1000 as at,
       extract(epoch from s.voided_at)::float8 * 1000 as "voidedAt", s.spread_id, s.voided_id
     from commerce.published_spreads s join commerce.published_orders o using (order_id)`,
  )

/** One step, or nothing when it names what is not there. @returns what the rules have to know of it. */
async function take(
  database: Database,
  clock: Clock,
  folder: string,
  given: Step,
  imports: number[],
): Promise<Event | undefined> {
  if ('documents' in given) {
    const file = new Map(
      given.documents.map(({ id, given: said, sharedBy, version }) => {
        const document = documentOf(`o${id}`, said, INSTANTS)
        return [id, { ...document, sharedBy, version } satisfies SalesDocument] as const
      }),
    )
    const event = { file: [...file.values()] }
    imports.push(await feed(database, clock, folder, { rules: RULES, connectedBy: 'none', files: [event.file] }, 0))
    return event
  }
  if ('undo' in given) {
    const importId = imports[given.undo]
    if (importId === undefined) return undefined
    const undone = await undoImport(database, clock, {
      importId,
      by: atTerminal('lead'),
      kinds: { order: ORDER_FACTS },
    })
    return isRefusal(undone) ? undefined : { undo: given.undo }
  }
  const people = await peopleByName(database)
  if ('merge' in given) {
    const personIds = given.merge.flatMap((name) => people.get(NAMES[name] ?? '') ?? [])
    await mergePeople(database, clock, { personIds, by: atTerminal('lead') })
  } else if ('split' in given) {
    const [row] = await rowsOf<{ identity_id: number }>(
      database,
      'select identity_id from customers.published_people where value = $1',
      [NAMES[given.split]],
    )
    if (row) await splitIdentity(database, clock, { identityId: row.identity_id, by: atTerminal('lead') })
  } else {
    const claims = await rowsOf<{ claim_id: number }>(
      database,
      'select claim_id from customers.claims order by claim_id',
    )
    await withdrawClaim(database, clock, claims[given.withdraw]?.claim_id ?? 0)
  }
  return undefined
}

test('spreads are what the loops say, after orders, corrections, refunds, undo, merges and splits', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const met = { spreads: 0, voided: 0, own: 0 }
  await check(t, fc.array(step, { minLength: 4, maxLength: 12 }), RUNS, async (steps) => {
    const clock = tickingClock()
    await beginStory(database, RULES)
    const events: Event[] = []
    const imports: number[] = []
    const files: number[] = []
    let before: StoredSpread[] = []
    for (const given of steps) {
      const event = await take(database, clock, folder, given, imports)
      if (event && 'file' in event) files.push(events.push(event) - 1)
      else if (event) events.push({ undo: files[event.undo] ?? -1 })
      await followIdentities(database, clock)
      const documents = versionsInForce(events, RULES)
      const people = await peopleByName(database)
      const expected = expectedOf(documents, keepBooks(documents), people)
      const now = await stored(database)
      assert.deepEqual(sorted(now.map(({ spread_id, voided_id, ...row }) => row)), sorted(expected))
      const numbers = now.flatMap((row) => [row.spread_id, ...(row.voided_id === null ? [] : [row.voided_id])])
      assert.equal(new Set(numbers).size, numbers.length, 'a number for each')
      for (const row of now) {
        assert.equal(row.voided_id === null, row.voidedAt === null)
        const known = before.find((other) => other.order === row.order && other.sharer === row.sharer)
        if (known && !('undo' in given)) assert.equal(row.spread_id, known.spread_id, 'it keeps its number')
      }
      const pending = await rowsOf<{ person_id: number }>(database, 'select person_id from intake.pending_people')
      const waiting = new Set(pending.map(({ person_id }) => person_id))
      const seen = (rows: readonly StoredSpread[], person: number) =>
        JSON.stringify(sorted(rows.filter(({ sharer }) => sharer === person)))
      for (const person of new Set([...now, ...before].map(({ sharer }) => sharer))) {
        if (seen(now, person) !== seen(before, person))
          assert.ok(waiting.has(person), `${person} is to be computed anew`)
      }
      met.spreads += now.length
      met.voided += now.filter(({ voidedAt }) => voidedAt !== null).length
      met.own += documents.filter(
        ({ customer, sharedBy }) => sharedBy !== undefined && people.get(customer) === people.get(sharedBy),
      ).length
      await refreshStanding(database, clock)
      before = now
    }
  })
  assert.ok(met.spreads > 75 && met.voided > 25 && met.own > 50, JSON.stringify(met))
})

test('a version that came too late comes into force with its sharer when the one above is undone', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await storyFolder(t)
  const clock = tickingClock()
  await beginStory(database, RULES)
  const version = (sharedBy: string, rank: number): SalesDocument => ({
    id: 'o1',
    customer: 'a',
    at: INSTANTS[0] ?? 0,
    lines: PLAIN,
    refundOf: null,
    sharedBy,
    version: rank,
  })
  const files = [[version('b', 2)], [version('c', 1)]]
  const latest = await feed(database, clock, folder, { rules: RULES, connectedBy: 'none', files }, 0)
  await feed(database, clock, folder, { rules: RULES, connectedBy: 'none', files }, 1)
  const sharers = async () => (await stored(database)).map(({ sharer }) => sharer)
  assert.deepEqual(await sharers(), [await personNamed(database, 'b')])
  const undone = await undoImport(database, clock, {
    importId: latest,
    by: atTerminal('lead'),
    kinds: { order: ORDER_FACTS },
  })
  assert.ok(!isRefusal(undone))
  assert.deepEqual(await sharers(), [await personNamed(database, 'c')])
})

const order = (id: string, customer: string | undefined, more: object = {}) => ({
  kind: 'order',
  source: 'shop',
  external_id: id,
  ...(customer === undefined ? {} : { customer_id: customer }),
  paid_at: '2025-11-01T10:00:00Z',
  lines: [{ item: 'tea', amount: '20.00' }],
  ...more,
})

async function send(database: Database, clock: Clock, ...facts: object[]): Promise<(string | undefined)[]> {
  const results = await storeFacts(database, clock, facts, { order: ORDER_FACTS })
  assert.ok(!isRefusal(results))
  return results.map((result) => (result.status === 'refused' ? result.error?.code : result.status))
}

const personNamed = async (database: Database, value: string) =>
  (
    await rowsOf<{ person_id: number }>(database, 'select person_id from customers.published_people where value = $1', [
      value,
    ])
  )[0]?.person_id ?? 0

test('by API a sharer is any identity; who cannot be one is refused', async (t) => {
  const { database } = await testDatabase(t)
  const clock = tickingClock()
  const byPhone = { shared_by: { kind: 'phone', value: '139 0273 8164' } }
  assert.deepEqual(await send(database, clock, order('1', 'C1', byPhone)), ['new'])
  assert.deepEqual(await send(database, clock, order('1', 'C1', byPhone)), ['known'], 'the same again')
  const masked = { shared_by: { kind: 'phone', value: '138****8000' } }
  assert.deepEqual(await send(database, clock, order('2', 'C1', masked)), ['missing_identity'])
  const [spread] = await stored(database)
  assert.equal(spread?.sharer, await personNamed(database, '+8613902738164'))
  // Another sharer is a correction, and none is one too.
  const byId = { shared_by: { kind: 'own_id', value: 'C9' } }
  assert.deepEqual(await send(database, clock, order('1', 'C1', byId)), ['corrected'])
  const [corrected] = await stored(database)
  assert.deepEqual([corrected?.sharer, corrected?.spread_id], [await personNamed(database, 'C9'), spread?.spread_id])
  assert.deepEqual(await send(database, clock, order('1', 'C1')), ['corrected'])
  assert.deepEqual(await stored(database), [])
  // Nobody knows who bought: it may have been the sharer.
  assert.deepEqual(await send(database, clock, order('3', undefined, byId)), ['new'])
  assert.deepEqual(await stored(database), [])
})

test('an erased buyer leaves the share, an erased sharer leaves nothing of it', async (t) => {
  const { database } = await testDatabase(t)
  const clock = tickingClock()
  const byId = { shared_by: { kind: 'own_id', value: 'C9' } }
  await send(database, clock, order('1', 'C1', byId), order('2', 'C2', byId))
  const erase = async (value: string) => {
    const personId = await personNamed(database, value)
    assert.ok(!isRefusal(await erasePerson(database, clock, { personId, by: atTerminal('lead'), erasers: ERASERS })))
  }
  await erase('C1')
  assert.equal((await stored(database)).length, 2, 'somebody else bought')
  // A late refund of what is nobody's order now still ends the share.
  assert.deepEqual(
    await send(database, clock, {
      ...order('R1', undefined, { refund_of: '1', paid_at: '2025-11-05T10:00:00Z' }),
      lines: [{ item: 'tea', quantity: -1, amount: '-20.00' }],
    }),
    ['new'],
  )
  const voided = (await stored(database)).find((row) => row.order === '1')
  assert.equal(voided?.voidedAt, Date.parse('2025-11-05T10:00:00Z'))
  await erase('C9')
  assert.deepEqual(await stored(database), [])
  const left = await rowsOf(database, 'select person_id, identity_id from commerce.spreads')
  assert.deepEqual(left, [
    { person_id: 0, identity_id: null },
    { person_id: 0, identity_id: null },
  ])
  assert.deepEqual(await send(database, clock, order('4', 'C2', byId)), ['erased'], 'it names somebody who was erased')
})
