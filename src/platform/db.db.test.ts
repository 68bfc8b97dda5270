import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { testDatabase } from '../../test/database.ts'

test('a connection lost between two statements fails its transaction, and neither the process nor the next one', async (t) => {
  const { database } = await testDatabase(t)
  await database.pool.query('create table public.kept (n int)')
  const lost = database.transaction(async (_, client) => {
    const { rows } = await client.query('insert into kept values (1) returning pg_backend_pid() as pid')
    await database.pool.query('select pg_terminate_backend($1)', [rows[0].pid])
    // Its end arrives while no statement waits for an answer.
    await sleep(200)
    await client.query('insert into kept values (2)')
  })
  await assert.rejects(lost, /terminat|connection/i)
  await database.transaction((_, client) => client.query('insert into kept values (3)'))
  const { rows } = await database.pool.query('select n from kept')
  assert.deepEqual(rows, [{ n: 3 }])
})
