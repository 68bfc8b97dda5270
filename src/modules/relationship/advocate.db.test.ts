import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { catchUp } from '../../bin/catch-up.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { readPersonByKey } from '../analytics/actions.ts'
import { importOrders } from '../commerce/actions.ts'
import { storeFacts } from '../intake/actions.ts'
import { refreshLapsed } from './actions.ts'

// The worked examples of docs/definitions.md 1.5: interest, membership, a review that makes an advocate, and who is lost.

const clockAt = (instant: string) => ({ now: () => new Date(instant) })

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-advocate-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const buy = async (at: string, ...rows: readonly string[]) => {
    const path = join(folder, 'orders.csv')
    await writeFile(path, `order_id,customer_id,paid_at,item,amount,refund_of,shared_by\n${rows.join('\n')}\n`)
    const command = {
      path,
      mapping: 'orders',
      options: {},
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'runs'),
    }
    const report = await importOrders(database, clockAt(at), command)
    assert.ok(!isRefusal(report))
    await catchUp(database, clockAt(at))
  }
  const post = async (at: string, ...facts: object[]) => {
    const identity = { kind: 'own_id', namespace: 'orders', value: 'D' }
    const sent = facts.map((fact, index) => ({ source: 'crm', external_id: `${at} ${index}`, identity, ...fact }))
    const results = await storeFacts(database, clockAt(at), sent, FACT_KINDS)
    assert.ok(!isRefusal(results))
    for (const { status } of results) assert.ok(status === 'new' || status === 'corrected', status)
    await catchUp(database, clockAt(at))
  }
  const look = async (at: string) => {
    const person = await readPersonByKey(database.db, 'D', new Date(at))
    assert.ok(!isRefusal(person))
    const { depth, since, lapses_at, lapses_to, next_step, depth_if_connected, is_lost, interaction } = person
    const evidence = person.evidence.map(({ kind, external_id }) => `${kind} ${external_id}`).sort()
    return { depth, since, lapses_at, lapses_to, next_step, depth_if_connected, is_lost, interaction, evidence }
  }
  const changes = async () =>
    (
      await database.pool.query<{ from_depth: number; to_depth: number; changed_at: Date; by_time: boolean }>(
        `select from_depth, to_depth, changed_at, cause_fact_id is null as by_time
         from relationship.published_depth_changes order by changed_at`,
      )
    ).rows.map((row) => [row.from_depth, row.to_depth, row.changed_at.toISOString().slice(0, 19), row.by_time])
  return { database, buy, post, look, changes }
}

test('interest comes with an interaction and goes by time, to the second', async (t) => {
  const { database, post, look, changes } = await start(t)
  await post(
    '2026-03-05T10:00:00Z',
    { kind: 'connection', channel: 'wecom', begun_at: '2026-03-01T10:00:00Z', external_id: 'c' },
    { kind: 'interaction', type: 'share', occurred_at: '2026-03-02T10:00:00Z', external_id: 's1' },
    { kind: 'interaction', type: 'share', occurred_at: '2026-03-02T10:00:00Z', external_id: 's2' },
    { kind: 'interaction', type: 'view', item: 'tea', occurred_at: '2026-03-05T10:00:00Z', external_id: 'v' },
  )
  // 16 points; 30 d × log2(16 / 10) = 1,757,562.4 seconds later they are 10.
  const interested = await look('2026-03-05T10:00:00Z')
  assert.deepEqual(
    [interested.depth, interested.since, interested.lapses_at, interested.lapses_to, interested.next_step],
    [2, '2026-03-05T10:00:00.000Z', '2026-03-22T18:12:43.000Z', 1, 'purchase'],
  )
  assert.deepEqual(interested.evidence, ['connection wecom', 'interaction s2', 'interaction v'])
  assert.deepEqual(
    [interested.interaction.tier, interested.interaction.tier_lapses_to, interested.interaction.score],
    ['follower', 'passer_by', 14.93],
  )
  assert.equal((await look('2026-03-22T18:12:42.999Z')).depth, 2)
  const faded = await look('2026-03-22T18:12:43Z')
  assert.deepEqual([faded.depth, faded.since, faded.next_step], [1, '2026-03-22T18:12:43.000Z', 'enrol'])
  assert.equal(await refreshLapsed(database, clockAt('2026-03-22T18:12:42Z')), 0)
  assert.equal(await refreshLapsed(database, clockAt('2026-03-22T18:12:43Z')), 1)
  assert.equal(await refreshLapsed(database, clockAt('2026-04-22T18:12:43Z')), 0, 'an idle month writes nothing')
  assert.deepEqual(await changes(), [
    [0, 1, '2026-03-01T10:00:00', false],
    [1, 2, '2026-03-05T10:00:00', false],
    [2, 1, '2026-03-22T18:12:43', true],
  ])
})

test('a good review of what was bought makes an advocate until its order is refunded; who leaves is lost as what they were', async (t) => {
  const { buy, post, look, changes } = await start(t)
  await post(
    '2026-01-02T00:00:00Z',
    { kind: 'membership', enrolled_at: '2026-01-01T00:00:00Z', ended_at: '2026-02-01T00:00:00Z', external_id: 'm' },
    { kind: 'connection', channel: 'wecom', begun_at: '2026-01-01T00:00:00Z', external_id: 'c' },
  )
  const member = await look('2026-01-02T00:00:00Z')
  assert.deepEqual(
    [member.depth, member.lapses_at, member.lapses_to, member.evidence],
    [2, '2026-02-01T00:00:00.000Z', 1, ['connection wecom', 'membership m']],
  )
  await buy('2026-01-25T00:00:00Z', '1,D,2026-01-10T00:00:00Z,tea,10,,', '2,D,2026-01-20T00:00:00Z,pot,20,,')
  await post(
    '2026-01-26T00:00:00Z',
    { kind: 'review', item: 'cup', rating: 5, occurred_at: '2026-01-24T00:00:00Z' },
    { kind: 'review', item: 'tea', rating: 3, occurred_at: '2026-01-24T00:00:00Z' },
    { kind: 'review', item: 'pot', rating: 5, occurred_at: '2026-01-19T23:59:59Z' },
  )
  assert.equal((await look('2026-01-26T00:00:00Z')).depth, 4, 'not bought, not good, not bought yet')
  await post('2026-01-27T00:00:00Z', {
    kind: 'review',
    item: 'pot',
    is_recommended: true,
    occurred_at: '2026-01-26T12:00:00Z',
    external_id: 'r',
  })
  const advocate = await look('2026-01-27T00:00:00Z')
  assert.deepEqual(
    [advocate.depth, advocate.since, advocate.next_step, advocate.lapses_at, advocate.lapses_to],
    [5, '2026-01-26T12:00:00.000Z', null, '2027-01-10T00:00:00.000Z', 3],
  )
  assert.deepEqual(advocate.evidence, ['connection wecom', 'order 1', 'order 2', 'review r'])
  await post('2026-01-28T00:00:00Z', {
    kind: 'connection',
    channel: 'wecom',
    begun_at: '2026-01-01T00:00:00Z',
    ended_at: '2026-01-27T12:00:00Z',
    external_id: 'c',
  })
  const lost = await look('2026-01-28T00:00:00Z')
  assert.deepEqual(
    [lost.depth, lost.is_lost, lost.depth_if_connected, lost.since, lost.next_step],
    [0, true, 5, '2026-01-27T12:00:00.000Z', 'connect'],
  )
  assert.equal((await look('2029-01-28T00:00:00Z')).depth_if_connected, 5, 'what they were does not fade')
  await buy('2026-01-29T00:00:00Z', '2b,D,2026-01-27T06:00:00Z,pot,-20,2,')
  assert.equal((await look('2026-01-29T00:00:00Z')).depth_if_connected, 3, 'the pot went back before they left')
  assert.deepEqual(await changes(), [
    [0, 2, '2026-01-01T00:00:00', false],
    [2, 3, '2026-01-10T00:00:00', false],
    [3, 4, '2026-01-20T00:00:00', false],
    [4, 5, '2026-01-26T12:00:00', false],
    [5, 3, '2026-01-27T06:00:00', false],
    [3, 0, '2026-01-27T12:00:00', false],
  ])
})

test('a share through which somebody else bought makes an advocate, until that order is refunded in full', async (t) => {
  const { buy, post, look, changes } = await start(t)
  await post('2026-01-02T00:00:00Z', {
    kind: 'connection',
    channel: 'wecom',
    begun_at: '2026-01-01T00:00:00Z',
    external_id: 'c',
  })
  await buy('2026-01-25T00:00:00Z', '1,D,2026-01-10T00:00:00Z,tea,10,,', '2,D,2026-01-20T00:00:00Z,pot,20,,')
  await buy('2026-02-02T00:00:00Z', '3,E,2026-02-01T00:00:00Z,tea,10,,D', '4,D,2026-02-01T12:00:00Z,cup,5,,D')
  const advocate = await look('2026-02-02T00:00:00Z')
  assert.deepEqual(
    [advocate.depth, advocate.since, advocate.evidence],
    [5, '2026-02-01T00:00:00.000Z', ['connection wecom', 'order 2', 'order 4', 'spread 3']],
  )
  await buy('2026-02-05T00:00:00Z', '3b,E,2026-02-04T00:00:00Z,tea,-10,3,')
  assert.equal((await look('2026-02-05T00:00:00Z')).depth, 4)
  assert.deepEqual((await changes()).slice(-2), [
    [4, 5, '2026-02-01T00:00:00', false],
    [5, 4, '2026-02-04T00:00:00', false],
  ])
})
