import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { needData } from '../../../test/data.ts'
import { acceptEdges, fractionOf, LEVELS_MAX, propagate, type ReferralEdge, splitValue } from './propagation.ts'

const BETA = fractionOf('0.2')

function valuesOf(edges: readonly ReferralEdge[], own: ReadonlyMap<string, bigint>, beta = BETA) {
  const { accepted, refused } = acceptEdges(edges)
  const referrerOf = new Map([...accepted].map(([invitee, index]) => [invitee, edges[index]?.referrer ?? ''] as const))
  return { people: propagate(own, referrerOf, beta), referrerOf, refused }
}
const edge = (referrer: string, invitee: string, at?: number): ReferralEdge => ({ referrer, invitee, at })
const sum = (values: readonly bigint[]) => values.reduce((all, value) => all + value, 0n)

test('a value is split over the chain: what is passed on at each step is β of what arrives', () => {
  assert.deepEqual(splitValue(10_000n, 0, BETA), [10_000n])
  assert.deepEqual(splitValue(10_000n, 1, BETA), [8000n, 2000n])
  assert.deepEqual(splitValue(10_000n, 2, BETA), [8000n, 1600n, 400n])
  assert.deepEqual(splitValue(10_000n, 5, BETA), [8001n, 1600n, 320n, 64n, 12n, 3n])
  assert.deepEqual(splitValue(-10_000n, 2, BETA), [-8000n, -1600n, -400n])
  // 1 fen and −1 fen: nobody above is owed a whole one.
  assert.deepEqual(splitValue(1n, 1, BETA), [1n, 0n])
  assert.deepEqual(splitValue(-1n, 1, BETA), [-1n, 0n])
  assert.deepEqual(splitValue(7n, 2, fractionOf('0')), [7n, 0n, 0n])
  assert.deepEqual(splitValue(7n, 2, fractionOf('1')), [0n, 0n, 7n])
})

test('the first claim wins, in time order; a claim without a time comes after those with one', () => {
  const edges = [edge('a', 'x'), edge('b', 'x', 20), edge('c', 'x', 10), edge('d', 'x', 10), edge('x', 'x', 1)]
  const { referrerOf, refused } = valuesOf(edges, new Map())
  assert.deepEqual([...referrerOf], [['x', 'c']])
  assert.deepEqual(refused, [
    { index: 0, reason: 'later_claim' },
    { index: 1, reason: 'later_claim' },
    { index: 3, reason: 'later_claim' },
    { index: 4, reason: 'self' },
  ])
})

test('the edge that would close a ring is refused, whichever comes last', () => {
  const ring = [edge('a', 'b', 1), edge('b', 'c', 2), edge('c', 'a', 3)]
  assert.deepEqual(valuesOf(ring, new Map()).refused, [{ index: 2, reason: 'cycle' }])
  const late = [edge('a', 'b', 9), edge('b', 'c', 2), edge('c', 'a', 3)]
  assert.deepEqual(valuesOf(late, new Map()).refused, [{ index: 0, reason: 'cycle' }])
})

test('own, allocated and influenced of a small tree, by hand', () => {
  const edges = [edge('a', 'b', 1), edge('b', 'c', 2), edge('b', 'd', 3)]
  const own = new Map([
    ['a', 1000n],
    ['b', 500n],
    ['c', 10_000n],
    ['d', -100n],
    ['e', 7n],
  ])
  const { people } = valuesOf(edges, own)
  const shown = people.map(({ person, allocated, influenced, depth }) => [person, allocated, influenced, depth])
  assert.deepEqual(shown, [
    ['a', 1000n + 100n + 400n - 4n, 10_400n, 0],
    ['b', 400n + 1600n - 16n, 9900n, 1],
    ['c', 8000n, 0n, 2],
    ['d', -80n, 0n, 2],
    ['e', 7n, 0n, 0],
  ])
})

const names = fc.constantFrom(...'abcdefghijklmn')
const anyEdges = fc.array(
  fc.record({ referrer: names, invitee: names, at: fc.option(fc.nat({ max: 5 }), { nil: undefined }) }),
  { maxLength: 40 },
)
const anyValues = fc
  .array(fc.tuple(names, fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n })))
  .map((list) => new Map(list))
const anyBeta = fc.integer({ min: 0, max: 1000 }).map((share) => fractionOf((share / 1000).toFixed(3)))

test('value is moved, never made, on any graph; nobody gains by who brought them', () => {
  fc.assert(
    fc.property(anyEdges, anyValues, anyBeta, (edges, own, beta) => {
      const { people, referrerOf, refused } = valuesOf(edges, own, beta)
      assert.equal(sum(people.map(({ allocated }) => allocated)), sum([...own.values()]))
      assert.equal(referrerOf.size + refused.length, edges.length)
      const byName = new Map(people.map((person) => [person.person, person]))
      // An oracle of definitions: walks up from everybody.
      for (const { person, influenced, depth } of people) {
        const chainOf = (name: string): string[] => {
          const chain: string[] = []
          for (let at = referrerOf.get(name); at !== undefined; at = referrerOf.get(at)) {
            assert.ok(!chain.includes(at) && at !== name, 'a ring')
            chain.push(at)
          }
          return chain
        }
        assert.equal(depth, chainOf(person).length)
        const below = [...byName.keys()].filter((other) => chainOf(other).includes(person))
        assert.equal(influenced, sum(below.map((other) => own.get(other) ?? 0n)))
      }
    }),
    { numRuns: 300 },
  )
})

test('each part is the share of the definition, less than one unit away', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
      fc.integer({ min: 0, max: LEVELS_MAX }),
      fc.integer({ min: 0, max: 100 }),
      (value, levels, percent) => {
        const b = percent / 100
        const parts = splitValue(value, levels, fractionOf(b.toFixed(2)))
        assert.equal(sum(parts), value)
        parts.forEach((part, level) => {
          const share = level === levels ? b ** level : b ** level * (1 - b)
          const error = Math.abs(Number(part) - share * Number(value))
          assert.ok(error <= (level === 0 ? LEVELS_MAX : 1) + 1e-3, `${level}: ${part}, ${share * Number(value)}`)
        })
      },
    ),
  )
})

test('in time order every order of the rows gives the same', () => {
  const dated = fc.uniqueArray(fc.record({ referrer: names, invitee: names, at: fc.nat({ max: 500 }) }), {
    selector: ({ at }) => at,
    maxLength: 30,
  })
  const shuffled = dated.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  )
  fc.assert(
    fc.property(shuffled, ([list, other]) => {
      const pairs = (edges: readonly ReferralEdge[]) => [...valuesOf(edges, new Map()).referrerOf].sort()
      assert.deepEqual(pairs(other), pairs(list))
    }),
  )
})

test('a chain of 200,000 people ends, and so does a star', () => {
  const size = 200_000
  const chain = Array.from({ length: size }, (_, index) => edge(`p${index}`, `p${index + 1}`, index))
  const { people } = valuesOf([...chain, edge(`p${size}`, 'p0', size)], new Map([[`p${size}`, 100n]]))
  assert.equal(people.find(({ person }) => person === 'p0')?.influenced, 100n)
  assert.equal(people.find(({ person }) => person === `p${size}`)?.depth, size)
  // Backwards: the roots are joined last, so that each step has the longest way.
  const backwards = chain.map((given, index) => ({ ...given, at: size - index }))
  assert.equal(valuesOf(backwards, new Map()).refused.length, 0)
  const star = Array.from({ length: size }, (_, index) => edge('hub', `p${index}`, index))
  assert.equal(valuesOf(star, new Map()).referrerOf.size, size)
})

test('real graphs, cyclic as they are, are taken in whole', async (t) => {
  const path = needData(t, 'referral_graphs/beibei_groupbuy_tune.txt')
  if (!path) return
  const folder = path.replace(/[^/]*$/, '')
  const lines = async (name: string) => (await readFile(folder + name, 'utf8')).split('\n').filter(Boolean)
  const graphs: Record<string, ReferralEdge[]> = {
    email: (await lines('email-Eu-core.txt')).map((line) => {
      const [from = '', to = ''] = line.split(/\s+/)
      return edge(from, to)
    }),
    bitcoin: (await lines('soc-sign-bitcoinalpha.csv')).map((line) => {
      const [from = '', to = '', , at] = line.split(',')
      return edge(from, to, Number(at))
    }),
    android: (await lines('android_edges.txt')).map((line) => {
      const [from = '', to = ''] = line.split(/[,\s]+/)
      return edge(from, to)
    }),
    beibei: (await lines('beibei_groupbuy_tune.txt')).flatMap((line) => {
      const [initiator = '', , ...participants] = line.trim().split(/[\s,]+/)
      return participants.map((participant) => edge(initiator, participant))
    }),
    // Who said it before, and when the next did.
    memetracker: (await lines('memetracker_cascade.txt')).flatMap((line) => {
      const said = line
        .trim()
        .split(/\s+/)
        .map((event) => event.split(','))
      return said.slice(1).map(([to = '', at], index) => edge(said[index]?.[0] ?? '', to, Number(at)))
    }),
    // Up to three advisers whom each doctor named, and the month in which the doctor took it up.
    doctors: (await lines('medInnovations.csv')).slice(1).flatMap((line) => {
      const row = line.split(',')
      return row
        .slice(26, 29)
        .flatMap((adviser) => (adviser === 'NA' ? [] : [edge(adviser, row[1] ?? '', Number(row.at(-2)))]))
    }),
  }
  const sizes = Object.fromEntries(Object.entries(graphs).map(([name, edges]) => [name, edges.length]))
  assert.deepEqual(sizes, {
    email: 25_571,
    bitcoin: 24_186,
    android: 48_573,
    beibei: 155_660,
    memetracker: 163_103 - 10_131,
    doctors: 286,
  })
  for (const [name, edges] of Object.entries(graphs)) {
    const everybody = new Set(edges.flatMap(({ referrer, invitee }) => [referrer, invitee]))
    const own = new Map([...everybody].map((person, index) => [person, BigInt((index * 7919) % 100_000) - 2000n]))
    const begun = performance.now()
    const { people, referrerOf, refused } = valuesOf(edges, own)
    const seconds = (performance.now() - begun) / 1000
    t.diagnostic(`${name}: ${referrerOf.size} of ${edges.length} edges, ${seconds.toFixed(2)} s`)
    assert.ok(seconds < 10, `${name} took ${seconds} s`)
    assert.equal(sum(people.map(({ allocated }) => allocated)), sum([...own.values()]))
    assert.equal(referrerOf.size + refused.length, edges.length)
    assert.equal(people.length, everybody.size)
  }
  // 642 of these mails go to their own sender.
  assert.equal(acceptEdges(graphs.email ?? []).refused.filter(({ reason }) => reason === 'self').length, 642)
})
