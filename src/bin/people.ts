import {
  findIdentity,
  findPerson,
  listWithdrawn,
  mergePeople,
  splitIdentity,
  withdrawClaim,
} from '../modules/customers/actions.ts'
import { atTerminal } from '../platform/audit.ts'
import { systemClock } from '../platform/clock.ts'
import type { Database } from '../platform/db.ts'
import { isRefusal, type Refusal } from '../platform/refusal.ts'
import { catchUp } from './catch-up.ts'
import { type Answer, type Command, table, UsageError, withBrand } from './command.ts'

/** Who decided it, as the claim says: somebody at the machine's terminal. */
const BY = atTerminal()

/** Phones and e-mails that link nobody, because they would join what cannot be one person. */
const review: Command = {
  name: 'review',
  summary: 'Phones and e-mails that link nobody because they would join what cannot be one person.',
  positionals: [],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const values = (await listWithdrawn(database)).map((value) => ({
        ...value,
        withdrawn_at: value.withdrawn_at.toISOString(),
      }))
      const rows = values.map((value) => [value.kind, value.value, value.unionids, value.accounts, value.people.length])
      const text =
        values.length > 0 ? table(['', 'value', 'unionids', 'accounts', 'people'], rows) : 'Nothing is up for review.\n'
      return { json: { values }, text }
    }),
}

const merge: Command = {
  name: 'merge',
  summary: 'Two customers are one person: a claim by hand, in force until it is taken back (withdraw).',
  positionals: ['KEY', 'KEY'],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const personIds: number[] = []
      for (const key of input.positionals) {
        const personId = await findPerson(database.db, key)
        if (isRefusal(personId)) return personId
        personIds.push(personId)
      }
      return settled(
        database,
        await mergePeople(database, systemClock, { personIds, by: BY }),
        'They are one person now.',
      )
    }),
}

const split: Command = {
  name: 'split',
  summary: 'An identity does not belong to its person: it leaves every claim that it is in (withdraw takes it back).',
  positionals: ['KEY'],
  flags: {},
  usesBrand: true,
  run: (input) =>
    withBrand(input, async (database) => {
      const identityId = await findIdentity(database, input.positionals[0] ?? '')
      if (isRefusal(identityId)) return identityId
      return settled(
        database,
        await splitIdentity(database, systemClock, { identityId, by: BY }),
        'It stands alone now.',
      )
    }),
}

const withdraw: Command = {
  name: 'withdraw',
  summary: 'Take a merge or split by hand back, by its claim number; what was there before is there again.',
  positionals: ['CLAIM'],
  flags: {},
  usesBrand: true,
  run: async (input) => {
    const claimId = Number(input.positionals[0] || Number.NaN)
    // Before the installation is opened: that may make a folder and start a server, for nothing.
    if (!Number.isSafeInteger(claimId))
      throw new UsageError(`withdraw takes a claim's number, not "${input.positionals[0]}".`)
    return withBrand(input, async (database) =>
      settled(database, await withdrawClaim(database, systemClock, claimId, BY), 'It was taken back.'),
    )
  },
}

/** Whoever moved is worked off at once: the next question is answered by the new people. */
async function settled(
  database: Database,
  decided: { claim_id: number } | Refusal,
  done: string,
): Promise<Answer | Refusal> {
  if (isRefusal(decided)) return decided
  await catchUp(database, systemClock)
  return {
    json: decided,
    text: `${done} Claim ${decided.claim_id}: ./perennial withdraw ${decided.claim_id} takes it back.\n`,
  }
}

export const PEOPLE_COMMANDS: readonly Command[] = [review, merge, split, withdraw]
