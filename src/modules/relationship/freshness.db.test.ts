import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDatabase } from '../../../test/database.ts'
import { systemClock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { ORDER_FACTS } from '../commerce/actions.ts'
import { storeFacts } from '../intake/actions.ts'
import { readFreshness, refreshStanding } from './actions.ts'

test('who waits is counted, the first of them with how long, until standing has followed', async (t) => {
  const { database } = await testDatabase(t)
  const fresh = () => readFreshness(database.db, systemClock.now())
  assert.deepEqual(await fresh(), { pending_people: 0, oldest_pending_seconds: null })
  const send = async (id: string, customer: string) => {
    const fact = {
      kind: 'order',
      source: 'shop',
      external_id: id,
      customer_id: customer,
      paid_at: '2025-11-01T10:00:00Z',
      lines: [{ amount: '1.00' }],
    }
    assert.ok(!isRefusal(await storeFacts(database, systemClock, [fact], { order: ORDER_FACTS })))
  }
  await send('1', 'a')
  await database.pool.query("update intake.pending_people set pending_since = pending_since - interval '90 seconds'")
  await send('2', 'b')
  await send('3', 'a')
  const { pending_people, oldest_pending_seconds: seconds } = await fresh()
  assert.equal(pending_people, 2, 'a waits once')
  assert.ok(seconds !== null && seconds >= 90 && seconds < 150, `${seconds}: a further fact does not make a wait anew`)
  await refreshStanding(database, systemClock)
  assert.deepEqual(await fresh(), { pending_people: 0, oldest_pending_seconds: null })
})
