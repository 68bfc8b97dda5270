// A thread of the server that values a brand's people (valuing.ts): composition only.

import { workerData } from 'node:worker_threads'
import { followChanges, valueEverybody } from '../modules/value/actions.ts'
import { openDatabase } from '../platform/db.ts'
import type { ValueTask } from './valuing.ts'

const { work, url, now } = workerData as ValueTask
const database = openDatabase(url)
try {
  await (work === 'everybody' ? valueEverybody(database, now) : followChanges(database, now))
} finally {
  await database.close()
}
