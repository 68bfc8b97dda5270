import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { importOrders } from '../commerce/actions.ts'
import { refreshLapsed, refreshStanding, reportDepth } from './actions.ts'

const at = (instant: string): Clock => ({ now: () => new Date(instant) })
const LAPSE = '2026-01-05T10:00:00.000Z'

test('a lapse is served at its instant, stored when it is worked off, and logged as the work of time', async (t) => {
  const { database } = await testDatabase(t)
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-lapse-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'orders.csv')
  await writeFile(
    path,
    'order_id,customer_id,paid_at,item,amount\n1,a,2025-01-05T10:00:00Z,w,10\n2,b,2025-12-01T10:00:00Z,w,10\n',
  )
  const before = at('2026-01-05T09:59:59Z')
  const options = { connected_by: 'shop_account' }
  const report = await importOrders(database, before, {
    path,
    mapping: 'orders',
    options,
    dryRun: false,
    rejectsFolder: folder,
    runsFolder: join(folder, 'imports'),
  })
  assert.ok(!isRefusal(report))
  await refreshStanding(database, before)
  const people = async (clock: Clock, asOf?: Date) =>
    (await reportDepth(database.db, clock.now(), asOf)).depths
      .filter((row) => row.people > 0)
      .map((row) => [row.depth, row.people])

  assert.deepEqual(await people(before), [[3, 2]])
  assert.equal(await refreshLapsed(database, before), 0, 'nothing is due a second before')
  const then = at(LAPSE)
  assert.deepEqual(await people(then), [
    [2, 1],
    [3, 1],
  ])
  assert.equal(await refreshLapsed(database, then), 1)
  assert.equal(await refreshLapsed(database, then), 0, 'it is stored once')
  const { rows } = await sql<{ changed_at: Date; to_depth: number; cause_fact_id: number | null }>`
    select changed_at, to_depth, cause_fact_id from relationship.published_depth_changes order by changed_at desc limit 1`.execute(
    database.db,
  )
  assert.deepEqual(rows, [{ changed_at: new Date(LAPSE), to_depth: 2, cause_fact_id: null }])
  assert.deepEqual(await people(then, new Date('2025-06-01T00:00:00Z')), [[3, 1]], 'b was not known in June')
})
