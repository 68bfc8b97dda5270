import type { Actor } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { type Refusal, refuse } from '../../platform/refusal.ts'
import { randomSecret } from '../../platform/secrets.ts'
import { recordAudit } from '../audit/actions.ts'
import { readSettings } from '../brand/actions.ts'
import {
  createErasedTables,
  eraseVersions,
  insertErasure,
  insertMoves,
  insertPending,
  insertUnfollowed,
  lockIntake,
  markText,
  type PersonRows,
  selectEarlierVersions,
  selectErasedMarks,
  selectPersonRows,
} from '../intake/actions.ts'
import * as queries from './erasure-queries.ts'
import { resolveRegion } from './graph-queries.ts'
import { writeCanonical } from './queries.ts'
import { normaliseIdentity, phoneCut } from './rules.ts'
import type { ErasureReport, Identity, IdentityKind } from './schema.ts'

/**
 * What a module that keeps facts by person does in an erasure's transaction: rows of `erased_identities (identity_id,
 * person_id)` become nobody's (person_id 0, no identity) or go, and `erased_facts (fact_id, is_kept)` gets each of them;
 * `is_kept` says that the same fact may come again without a person.
 */
export type Eraser = (tx: Sql) => Promise<void>

/**
 * Erases a person (docs/definitions.md §0): what names them goes everywhere, what they did stays in the totals as nobody's,
 * and a mark of each identity, that cannot be read back, keeps them out at every intake. There is no way back.
 *
 * @param erasers of every other module that keeps facts by person.
 * @returns how much it was, and what they were called: for files outside the database, and for nothing else.
 */
export async function erasePerson(
  database: Database,
  clock: Clock,
  command: { personId: number; by: Actor; erasers: readonly Eraser[] },
): Promise<{ report: ErasureReport; identities: readonly Identity[] } | Refusal> {
  return database.transaction(async (tx) => {
    await lockIntake(tx)
    await createErasedTables(tx)
    const identities = await queries.insertErasedPerson(tx, command.personId)
    if (identities.length === 0) {
      return refuse('missing', 'no_such_person', 'There is no such person.', 'They may have been erased before.')
    }
    const now = clock.now()
    const { by, erasers } = command
    const report = await erase(tx, database, now, identities, { by: by.name, erasers })
    const subjects = { erasure_id: report.erasure_id }
    await recordAudit(tx, { actor: by, operation: 'person_erase', subjects }, now)
    return { report, identities }
  })
}

const IDENTITIES_A_PAGE = 20_000

/**
 * Erases again who is back from the dead: after a backup was restored the log of erasures, which lies outside the database,
 * names identities that the database knows. Costs two small reads when there is nobody.
 *
 * @returns how many identities were erased.
 */
export async function reapplyErasures(database: Database, clock: Clock, erasers: readonly Eraser[]): Promise<number> {
  const [known, logged] = [new Set(await selectErasedMarks(database.db)), await database.tombstones.read()]
  // The other way round on a new machine: of a backup that was restored there the log has nothing, and an older one may follow.
  await database.tombstones.append([...known].filter((mark) => !logged.has(mark)))
  const missing = [...logged].filter((mark) => !known.has(mark))
  if (missing.length === 0) return 0
  const wanted = new Set(missing)
  const found: number[] = []
  for (let after = 0; ; ) {
    const page = await queries.selectIdentities(database.db, after, IDENTITIES_A_PAGE)
    const marks = await database.tombstones.marksOf(page.map(markText))
    page.forEach((row, index) => {
      if (wanted.has(marks[index] ?? '')) found.push(row.identity_id)
    })
    if (page.length < IDENTITIES_A_PAGE) break
    after = page.at(-1)?.identity_id ?? 0
  }
  await database.transaction(async (tx) => {
    await lockIntake(tx)
    await createErasedTables(tx)
    const identities = await queries.insertErasedIdentities(tx, found)
    await erase(tx, database, clock.now(), identities, { by: null, erasers, marks: missing })
  })
  return found.length
}

async function erase(
  tx: Sql,
  database: Database,
  now: Date,
  identities: readonly Identity[],
  { by, erasers, marks: given }: { by: string | null; erasers: readonly Eraser[]; marks?: readonly string[] },
): Promise<ErasureReport> {
  const marks = given ?? (await database.tombstones.marksOf(identities.map(markText)))
  await insertUnfollowed(tx)
  for (const eraser of erasers) await eraser(tx)
  await queries.createBereaved(tx)
  await queries.eraseCustomers(tx)
  const { phone_claim_days } = await readSettings(tx)
  await resolveRegion(tx, phoneCut(now, phone_claim_days))
  await writeCanonical(tx, now)
  await insertMoves(tx)
  await eraseVersions(tx, randomSecret())
  const { erasure_id, facts } = await insertErasure(tx, { marks, by, now })
  await queries.createErasedPeople(tx)
  await insertPending(tx, now)
  // Before the commit: what the log has and the database has not is erased at the next start; the other way round, a
  // restored backup would bring them back.
  if (!given) await database.tombstones.append(marks)
  return { erasure_id, identities: identities.length, facts }
}

/** All that is kept of a person here and in earlier versions of facts, as it stands. */
export async function exportCustomer(db: Sql, personId: number): Promise<PersonRows> {
  const graph = await queries.selectPersonGraph(db, personId)
  const identityIds = graph.identities.map(({ identity_id }) => identity_id)
  return {
    ...graph,
    ...(await selectPersonRows(
      db,
      'customers',
      ['records', 'connections', 'memberships', 'consents', 'referral_claims'],
      personId,
    )),
    earlier_versions: await selectEarlierVersions(db, identityIds),
  }
}

const LONG_VALUE = 6

/** Whether a text in some file may be one of these identities, however it is written there. */
export function namesAny(text: string, identities: readonly Identity[]): boolean {
  const trimmed = text.trim()
  if (!trimmed) return false
  return identities.some(({ kind, namespace, value }) => {
    if (trimmed === value) return true
    // A mapping may strip a prefix: the file still has it.
    if (value.length >= LONG_VALUE && trimmed.endsWith(value)) return true
    return normaliseIdentity({ kind: kind as IdentityKind, namespace, value: trimmed })?.value === value
  })
}
