import { test } from 'node:test'
import { crashRounds } from '../../../test/import-crash.ts'

test('an import that is killed at fifty random instants leaves nothing, and again it is whole', async (t) => {
  await crashRounds(t, 50, 60_000)
})
