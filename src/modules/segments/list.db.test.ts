import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import { catchUp } from '../../bin/catch-up.ts'
import type { Clock } from '../../platform/clock.ts'
import { explanation, segment, segmentList } from './schema.ts'

// What the list of segments says beside their sizes, and how an explanation of one that refers to another is nested.

/** 12:00 in the brand's zone, Asia/Shanghai. */
const START = Date.parse('2026-03-01T04:00:00Z')
const HOUR_MS = 3_600_000

const order = (key: string, at: number) => ({
  kind: 'order',
  external_id: `${key} ${at}`,
  customer_id: key,
  paid_at: new Date(at).toISOString(),
  lines: [{ item: 'tea', unit_price: 10 }],
})

test('a segment is compared with the end of the day seven days ago, and names what uses it', async (t) => {
  const clock: Clock & { at: number } = { at: START, now: () => new Date(clock.at) }
  const desk = await testConsole(t, clock)
  const { cookie } = await userOf(desk.http, 'owner')
  const { cookie: adviser } = await userOf(desk.http, 'adviser')
  const send = async (path: string, body?: object, as = cookie): Promise<unknown> => {
    const response = await desk.http.send(path, {
      cookie: as,
      method: body ? 'POST' : 'GET',
      ...(body ? { body } : {}),
    })
    assert.equal(response.status, 200, await response.clone().text())
    return response.json()
  }
  const list = async (as = cookie) => segmentList.parse(await send('/api/v1/segments', undefined, as)).segments

  await desk.post(order('a', START - 48 * HOUR_MS), order('b', START - 24 * HOUR_MS))
  const bought = segment.parse(
    await send('/api/v1/segments', { name: 'bought', definition: { orders: { count: { at_least: 1 } } } }),
  )
  assert.deepEqual([bought.size, bought.size_7_days_ago, bought.used_by], [2, null, []])
  const twice = { all: [{ segment: bought.segment_id }, { orders: { count: { at_least: 2 } } }] }
  const user = segment.parse(await send('/api/v1/segments', { name: 'twice', definition: twice }))

  // Later on its first day there are three; the day after four.
  clock.at = START + 10 * HOUR_MS
  await desk.post(order('c', clock.at - 1))
  clock.at = START + 24 * HOUR_MS
  await desk.post(order('d', clock.at - 1))
  // 6 days and 11 hours after the first day ended: seven days before is that day.
  clock.at = START + 7 * 24 * HOUR_MS
  await catchUp(desk.database, clock)
  const [first, second] = await list()
  assert.deepEqual([first?.size, first?.size_7_days_ago], [4, 3])
  assert.deepEqual(first?.used_by, [{ user_kind: 'segment', user_id: user.segment_id, user_name: 'twice' }])
  assert.deepEqual([second?.size, second?.size_7_days_ago, second?.used_by], [0, 0, []])
  const [own] = await list(adviser)
  assert.deepEqual([own?.size, own?.size_7_days_ago], [null, null])

  const { people } = (await send('/api/v1/people?limit=1')) as { people: { person_id: number }[] }
  const path = `/api/v1/segments/${user.segment_id}/people/${people[0]?.person_id}`
  const { nodes } = explanation.parse(await send(path))
  assert.deepEqual(
    nodes.map(({ kind, nesting, wanted }) => [kind, nesting, kind === 'segment' ? wanted : null]),
    [
      ['all', 0, null],
      ['segment', 1, bought.segment_id],
      ['orders', 2, null],
      ['orders', 1, null],
    ],
  )
})
