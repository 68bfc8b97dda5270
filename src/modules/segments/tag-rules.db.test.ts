import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { mergePeople, withdrawClaim } from '../customers/actions.ts'
import type { TagAnswer, TagRecord } from '../tags/schema.ts'

// Tags that segments give and take, by the API: as facts come, as time passes, as people are merged; and what is refused.

const START = Date.parse('2026-03-01T04:00:00Z')
const DAY_MS = 86_400_000

const order = (key: string, id: string, at: number) => ({
  kind: 'order',
  external_id: id,
  customer_id: key,
  paid_at: new Date(at).toISOString(),
  lines: [{ item: 'tea', unit_price: 10 }],
})
const LATELY = { orders: { count: { at_least: 1 }, window: { last_days: 30 } } }
const asks = (tag: string, sources?: string[]) => ({ tag: { any_of: [tag], ...(sources ? { sources } : {}) } })

async function start(t: TestContext) {
  const clock: Clock & { at: number } = { at: START, now: () => new Date(clock.at) }
  const desk = await testConsole(t, clock)
  await desk.post(order('a', 'A1', START - 29 * DAY_MS), order('b', 'B1', START - 50 * DAY_MS))
  const { cookie } = await userOf(desk.http, 'owner')
  const send = async (method: string, path: string, body?: object) => {
    const response = await desk.http.send(`/api/v1${path}`, { cookie, method, ...(body ? { body } : {}) })
    return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
  }
  const ok = async <T>(method: string, path: string, body?: object) => {
    const { status, answer } = await send(method, path, body)
    assert.equal(status, 200, JSON.stringify(answer))
    return answer as T
  }
  const refused = async (method: string, path: string, body?: object) => {
    const { answer } = await send(method, path, body)
    const { code, message } = answer.error as { code: string; message: string }
    return { code, message }
  }
  const make = async (name: string, definition: object) =>
    (await ok<{ segment_id: number }>('POST', '/segments', { name, definition })).segment_id
  const makeTag = async (name: string) => (await ok<TagAnswer>('POST', '/tags', { name })).tag_id
  const idOf = async (key: string) => {
    const { rows } = await desk.database.pool.query<{ person_id: number }>(
      `select person_id from customers.published_people where value = $1`,
      [key],
    )
    return rows[0]?.person_id ?? 0
  }
  /** Who has a tag now, by key. */
  const holders = async (tag: string) => {
    const { rows } = await desk.database.pool.query<{ key: string }>(
      `select distinct p.value as key from tags.published_tags t join customers.published_people p using (person_id)
       where t.tag = $1 and t.given_at <= $2 and coalesce(t.lapses_at > $2, true) order by 1`,
      [tag, clock.now()],
    )
    return rows.map(({ key }) => key)
  }
  const historyOf = async (key: string) =>
    (await ok<{ history: TagRecord[] }>('GET', `/people/${await idOf(key)}/tags`)).history.map((record) => [
      record.given_at,
      record.given_cause,
      record.removed_at,
      record.removed_cause,
    ])
  return { desk, clock, ok, refused, make, makeTag, idOf, holders, historyOf }
}

test('who enters a segment has its tag from that instant, who leaves loses it, and each says why', async (t) => {
  const { desk, clock, ok, make, makeTag, holders, historyOf } = await start(t)
  const lately = await make('lately', LATELY)
  const fresh = await makeTag('fresh')
  const set = await ok<TagAnswer>('PUT', `/tags/${fresh}/rule`, { segment_id: lately })
  assert.deepEqual([set.rule_segment, set.rule_segment_id], ['lately', lately])
  assert.deepEqual(await holders('fresh'), ['a'])

  clock.at = START + 3600_000
  await desk.post(order('b', 'B2', clock.at - 1000))
  assert.deepEqual(await holders('fresh'), ['a', 'b'])
  // The first order of a leaves the window a day after the start; looked at hours later.
  clock.at = START + 2 * DAY_MS
  await catchUp(desk.database, clock)
  assert.deepEqual(await holders('fresh'), ['b'])
  const at = (ms: number) => new Date(ms).toISOString()
  assert.deepEqual(await historyOf('a'), [[at(START), 'rule', at(START + DAY_MS), 'time']])
  assert.deepEqual(await historyOf('b'), [[at(START + 3600_000), 'fact', null, null]])
  const { rows } = await desk.database.pool.query(
    `select i.external_id from tags.assignments a join intake.published_inbox i on i.fact_id = a.given_fact_id`,
  )
  assert.deepEqual(rows, [{ external_id: 'B2' }])
  assert.equal((await desk.database.pool.query('select from intake.pending_people')).rowCount, 0)

  await ok('PATCH', `/segments/${lately}`, { definition: { not: LATELY }, name: 'not lately' })
  assert.deepEqual(await holders('fresh'), ['a'])
  assert.deepEqual((await historyOf('b'))[0]?.slice(2), [at(clock.at), 'definition'])
  const { tags } = await ok<{ tags: TagAnswer[] }>('GET', '/tags')
  assert.equal(tags.find(({ tag_id }) => tag_id === fresh)?.rule_segment, 'not lately')
  clock.at += 1000
  await ok('DELETE', `/tags/${fresh}/rule`)
  assert.deepEqual(await holders('fresh'), [])
})

test('a tag that one segment gives takes people into another at the same instant, and that one gives its own', async (t) => {
  const { desk, clock, ok, make, makeTag, holders, historyOf } = await start(t)
  const [fresh, warm, cold] = [await makeTag('fresh'), await makeTag('warm'), await makeTag('cold')]
  // Made the wrong way round: what asks for a tag before what gives it.
  const warming = await make('warming', { all: [asks('Fresh'), { orders: { count: { at_least: 1 } } }] })
  const cooling = await make('cooling', { not: asks('warm') })
  await ok('PUT', `/tags/${warm}/rule`, { segment_id: warming })
  await ok('PUT', `/tags/${cold}/rule`, { segment_id: cooling })
  assert.deepEqual([await holders('warm'), await holders('cold')], [[], ['a', 'b']])
  await ok('PUT', `/tags/${fresh}/rule`, { segment_id: await make('lately', LATELY) })
  assert.deepEqual([await holders('fresh'), await holders('warm'), await holders('cold')], [['a'], ['a'], ['b']])

  clock.at = START + 2 * DAY_MS
  await catchUp(desk.database, clock)
  assert.deepEqual([await holders('fresh'), await holders('warm'), await holders('cold')], [[], [], ['a', 'b']])
  const left = new Date(START + DAY_MS).toISOString()
  const begun = new Date(START).toISOString()
  assert.deepEqual((await historyOf('a')).sort(), [
    [begun, 'rule', begun, 'rule'],
    [begun, 'rule', left, 'time'],
    [begun, 'rule', left, 'time'],
    [left, 'time', null, null],
  ])
})

test('a segment that asks for the tag that it gives is refused with the place, also by way of others', async (t) => {
  const { ok, refused, make, makeTag } = await start(t)
  const [gold, silver] = [await makeTag('gold'), await makeTag('silver')]
  const own = await make('own', { any: [LATELY, asks('GOLD')] })
  const self = await refused('PUT', `/tags/${gold}/rule`, { segment_id: own })
  assert.equal(self.code, 'rule_loop')
  assert.match(
    self.message,
    new RegExp(`segment ${own}, which gives "gold", asks for "gold" at \\$\\.any\\[1\\]\\.tag`),
  )
  // By hand alone is another matter.
  const byHand = await make('by hand', { any: [LATELY, asks('gold', ['manual'])] })
  await ok('PUT', `/tags/${gold}/rule`, { segment_id: byHand })

  const golden = await make('golden', asks('gold'))
  const outer = await make('outer', { not: { segment: golden } })
  await ok('PUT', `/tags/${silver}/rule`, { segment_id: outer })
  const change = await refused('PATCH', `/segments/${byHand}`, { definition: { all: [LATELY, asks('silver')] } })
  assert.equal(change.code, 'rule_loop')
  assert.match(
    change.message,
    new RegExp(`segment ${byHand}, which gives "gold", asks for "silver" at \\$\\.all\\[1\\]\\.tag`),
  )
  assert.match(
    change.message,
    new RegExp(`segment ${outer}, which gives "silver", asks for "gold" at segment ${golden}, \\$\\.tag`),
  )
  const kept = await ok<{ version: number }>('GET', `/segments/${byHand}`)
  assert.equal(kept.version, 1, 'taken back whole')

  const inUse = await refused('DELETE', `/segments/${outer}`)
  assert.deepEqual(
    [inUse.code, inUse.message],
    ['segment_in_use', `Segment ${outer} is used by tag "silver" (${silver}).`],
  )
  const { used_by: uses } = await ok<{ used_by: object[] }>('GET', `/segments/${outer}`)
  assert.deepEqual(uses, [{ user_kind: 'tag', user_id: silver, user_name: 'silver' }])
  await ok('DELETE', `/tags/${silver}/rule`)
  await ok('DELETE', `/segments/${outer}`)
  assert.equal((await refused('PUT', `/tags/${silver}/rule`, { segment_id: outer })).code, 'no_such_segment')
  await ok('PATCH', `/tags/${silver}`, { life_days: 3 })
  assert.equal((await refused('PUT', `/tags/${silver}/rule`, { segment_id: golden })).code, 'rule_and_life')
})

test('of people who are merged and parted again each has the tag of the segment that they are in', async (t) => {
  const { desk, clock, ok, make, makeTag, idOf, holders } = await start(t)
  const tag = await makeTag('once')
  await ok('PUT', `/tags/${tag}/rule`, {
    segment_id: await make('once', { orders: { count: { at_least: 1, at_most: 1 } } }),
  })
  assert.deepEqual(await holders('once'), ['a', 'b'])
  const rows = async () => {
    const { rows } = await desk.database.pool.query(
      `select count(*) as held from tags.assignments where source = 'rule' and removed_at is null`,
    )
    return rows[0].held
  }
  clock.at += 1000
  const personIds = [await idOf('a'), await idOf('b')]
  const merged = await mergePeople(desk.database, clock, { personIds, by: atTerminal() })
  assert.ok(!isRefusal(merged))
  await catchUp(desk.database, clock)
  assert.deepEqual([await holders('once'), await rows()], [[], 0], 'together they bought twice')
  clock.at += 1000
  assert.ok(!isRefusal(await withdrawClaim(desk.database, clock, merged.claim_id, atTerminal())))
  await catchUp(desk.database, clock)
  assert.deepEqual([await holders('once'), await rows()], [['a', 'b'], 2])
})
