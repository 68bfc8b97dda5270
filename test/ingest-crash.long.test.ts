import { test } from 'node:test'
import { ingestCrashRounds } from './ingest-crash.ts'

test('facts that flow in while app and PostgreSQL are killed fifty times are stored once, whole, and none is lost', async (t) => {
  await ingestCrashRounds(t, 50)
})
