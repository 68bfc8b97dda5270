import { sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import { versionRank } from '../intake/actions.ts'

/** Of rows of a file with one id the highest version is what it says, else the last: the others go. @returns how many went. */
export async function mergeRepeatedFacts(tx: Sql): Promise<number> {
  await sql`analyze staged_facts`.execute(tx)
  const { numAffectedRows } = await sql`
    delete from staged_facts f using (
      select line, row_number() over (partition by external_id
        order by ${versionRank(sql`version`, 'UTC')} desc nulls last, line desc) as place from staged_facts
    ) r
    where r.line = f.line and r.place > 1`.execute(tx)
  return Number(numAffectedRows ?? 0)
}

/** After ids were filled in: a plan made for empty tables would loop over every row of a large file. */
export async function analyzeArriving(tx: Sql): Promise<void> {
  for (const table of ['arriving', 'arriving_identities'] as const) await sql`analyze ${sql.ref(table)}`.execute(tx)
}
