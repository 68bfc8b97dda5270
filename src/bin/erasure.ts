import { join } from 'node:path'
import { erasePerson, findPerson, namesAny } from '../modules/customers/actions.ts'
import type { ErasureAnswer } from '../modules/customers/schema.ts'
import { eraseRejects, releaseUploads, removeRuns } from '../modules/intake/actions.ts'
import { type Actor, atTerminal } from '../platform/audit.ts'
import { type Clock, systemClock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../platform/refusal.ts'
import { catchUp } from './catch-up.ts'
import { type Command, withBrand } from './command.ts'
import { ERASERS } from './erasers.ts'
import { handOutPerson } from './export.ts'
import { REJECTS_FOLDER, RUNS_FOLDER, UPLOADS_FOLDER } from './import-into.ts'

/** Who did it: somebody at the machine's terminal. */
const BY = atTerminal()

/** Erases a person in the database and in the files beside it, and works off what that leaves to do. */
export async function eraseEverywhere(
  database: Database,
  clock: Clock,
  home: string,
  command: { readonly personId: number; readonly by: Actor },
): Promise<ErasureAnswer | Refusal> {
  const erased = await erasePerson(database, clock, { ...command, erasers: ERASERS })
  if (isRefusal(erased)) return erased
  const rejects = await eraseRejects(join(home, REJECTS_FOLDER), (field) => namesAny(field, erased.identities))
  await removeRuns(join(home, RUNS_FOLDER))
  await releaseUploads(join(home, UPLOADS_FOLDER))
  await catchUp(database, clock)
  return { ...erased.report, rejected_rows: rejects }
}

const exportCommand: Command = {
  name: 'export',
  summary: 'All that is kept of one person, as JSON: for when they ask.',
  positionals: ['KEY'],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const personId = await findPerson(database.db, input.positionals[0] ?? '')
      if (isRefusal(personId)) return personId
      const json = await handOutPerson(database, personId, BY, systemClock.now())
      return { json, text: `${JSON.stringify(json, undefined, 2)}\n` }
    }),
}

const eraseCommand: Command = {
  name: 'erase',
  summary: 'Erase one person for good: what names them goes, what they did stays in the totals as nobody’s.',
  positionals: ['KEY'],
  flags: { yes: { type: 'boolean', help: 'do it; there is no way back' } },
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const key = input.positionals[0] ?? ''
      const personId = await findPerson(database.db, key)
      if (isRefusal(personId)) return personId
      if (input.values.yes !== true) {
        return refuse(
          'invalid',
          'not_confirmed',
          `"${key}" would be erased for good, with everything that names them.`,
          `Look at it with ./perennial export ${key}, then say --yes.`,
        )
      }
      const erased = await eraseEverywhere(database, systemClock, input.config.home, { personId, by: BY })
      if (isRefusal(erased)) return erased
      const { erasure_id, identities, facts, rejected_rows } = erased
      const text = `Erased (${erasure_id}): ${identities} identities, ${facts} facts, ${rejected_rows} rejected rows of files. None of these identities is taken in again.\n`
      return { json: erased, text }
    }),
}

export const ERASURE_COMMANDS: readonly Command[] = [exportCommand, eraseCommand]
