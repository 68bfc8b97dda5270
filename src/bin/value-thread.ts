// A thread of the server that values a brand's people (valuing.ts): composition only.

import { workerData } from 'node:worker_threads'
import { followChanges, valueAsOf, valueEverybody } from '../modules/value/actions.ts'
import { openDatabase } from '../platform/db.ts'
import type { ValueTask } from './valuing.ts'

const { work, url, now, asOf } = workerData as ValueTask
const database = openDatabase(url)
try {
  if (work === 'changes') await followChanges(database, now)
  else if (asOf) await valueAsOf(database, asOf, now)
  else await valueEverybody(database, now)
} finally {
  await database.close()
}
