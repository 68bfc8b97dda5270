import { fileURLToPath } from 'node:url'
import type { RawBuilder } from 'kysely'
import { type Actor, atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isPersonal } from '../../platform/masking.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { FULL_VIEW, type View } from '../../platform/roles.ts'
import { recordAudit } from '../audit/actions.ts'
import { readSettings } from '../brand/actions.ts'
import { DEFAULT_CURRENCY } from '../brand/schema.ts'
import {
  admitArriving,
  type FileStaging,
  factKind,
  type ImportCommand,
  type ImportKind,
  importFile,
  insertMoves,
  insertPending,
  keepBodies,
  lockIntake,
  nextFactId,
  settleVersions,
} from '../intake/actions.ts'
import type { ImportReport } from '../intake/schema.ts'
import { hasAgedClaims, renewClaims, resolveRegion, takeAgedClaims } from './graph-queries.ts'
import { readOptions } from './personal-files.ts'
import * as queries from './queries.ts'
import { factRecord, identitiesIn, keysOf, mapRecord, normaliseIdentity, phoneCut } from './rules.ts'
import {
  type Identity,
  type MergeReview,
  PEOPLE_FIELDS,
  type PeopleOptions,
  type PersonFact,
  personFact,
  type StagedRecord,
} from './schema.ts'
import { NOBODY, searchedBody, searchedByOwnId } from './search-queries.ts'

export { type Eraser, erasePerson, exportCustomer, namesAny, reapplyErasures } from './erasure.ts'
export {
  CONNECTION_FACTS,
  CONNECTIONS,
  CONSENT_FACTS,
  CONSENTS,
  MEMBERSHIP_FACTS,
  MEMBERSHIPS,
  REFERRAL_CLAIM_FACTS,
  REFERRAL_CLAIMS,
} from './fact-kinds.ts'
export { factIdentity, type PersonalFact, type PersonalKind, personalFactKind } from './personal-facts.ts'
export { type PersonalFile, personalFileKind } from './personal-files.ts'
export { connect, identify } from './queries.ts'
export { inScope, isInScope, isPerson, ofScope, shareOutPeople } from './scope-queries.ts'

/** Imports people from a file: each row claims that its identities are one person; who is one person follows from all claims. */
export function importPeople(
  database: Database,
  clock: Clock,
  command: ImportCommand,
): Promise<ImportReport | Refusal> {
  return importFile(database, clock, command, PEOPLE)
}

export const PEOPLE: ImportKind<StagedRecord, PeopleOptions> = {
  kind: 'people',
  mappingsFolder: fileURLToPath(new URL('./mappings', import.meta.url)),
  fields: PEOPLE_FIELDS,
  missingFields: (columns) => {
    const identities = ['own_id', 'unionid', 'external_userid', 'openid', 'phone', 'email']
    return identities.some((field) => (columns[field] ?? -1) >= 0) ? [] : ['own_id']
  },
  readOptions,
  openReader: async (_db, start) => ({
    basis: '',
    map: (line, fields) => mapRecord(line, fields, start),
    identitiesOf: ({ identities }) => identities,
    identitiesIn: identitiesIn(start),
    unitOf: () => undefined,
    encode: queries.recordText,
  }),
  begin: (tx, { mapping, now }) => openStaging(tx, mapping.source, mapping.zone, now),
}

async function openStaging(
  tx: Sql,
  source: string,
  zone: string | undefined,
  now: Date,
): Promise<FileStaging<StagedRecord>> {
  await queries.createRecordStaging(tx)
  let ofTheFuture: readonly number[] = []
  let isLarge = false
  return {
    copy: (client, records) => queries.copyRecords(client, records.map(queries.recordText).join('')),
    copyEncoded: (client, text) => {
      isLarge = true
      return queries.copyRecords(client, text)
    },
    identitiesOf: ({ identities }) => identities,
    // A record is one row: there is no rest of it to refuse.
    addBadUnits: async () => {},
    badRows: () => ofTheFuture.map((line) => ({ line, reason: 'future_time' })),
    apply: async (tx, importId) => {
      const settings = await readSettings(tx)
      ofTheFuture = await queries.resolveRecords(tx, zone ?? settings.zone, now)
      const { hasVersions } = await admitArriving(tx, source, 'person', importId, now)
      await writeRecords(tx, source, now, { hasVersions, isLarge })
      if (hasVersions) await settleVersions(tx, importId, now)
    },
    counts: async (tx) => ({
      ...(await queries.selectRecordCounts(tx)),
      orders: 0,
      refunds: 0,
      unmatched_refunds: 0,
      unmatched_refunds_minor: 0,
      currency: (await readSettings(tx)).currency ?? DEFAULT_CURRENCY,
    }),
  }
}

/** What `arriving` says of `records` comes into force, and what it replaces goes. */
async function writeRecords(
  tx: Sql,
  source: string,
  now: Date,
  { hasVersions, isLarge }: { readonly hasVersions: boolean; readonly isLarge: boolean },
): Promise<void> {
  await queries.identify(tx, now, queries.LINKED, { isLarge })
  if (hasVersions) {
    await queries.fillDisplaced(tx)
    await keepBodies(tx)
  }
  await queries.writeClaims(tx, 'person', source, now)
  await renewClaims(tx)
  await resolvePeople(tx, now)
  await queries.writeRecords(tx)
  await queries.createChangedPeople(tx)
  await insertPending(tx, now)
}

/** `changed_nodes` -> who is one person now; modules that keep facts by person are told which identities moved. */
async function resolvePeople(tx: Sql, now: Date): Promise<void> {
  const { phone_claim_days } = await readSettings(tx)
  await resolveRegion(tx, phoneCut(now, phone_claim_days))
  await queries.writeCanonical(tx, now)
  await insertMoves(tx)
}

/** Claims looked at in one transaction, beside which nothing else can come in. */
const AGED_MAX = 5000

/**
 * Works out anew who is one person where phones have lapsed by time alone (docs/definitions.md 0.5), or link again by a
 * longer limit; facts follow as they do after a claim. Where nothing is due, nothing is read beyond an index.
 *
 * @returns how many claims had aged.
 */
export async function refreshAgedPhones(database: Database, clock: Clock): Promise<number> {
  const cutAt = async (db: Sql, now: Date) => phoneCut(now, (await readSettings(db)).phone_claim_days)
  if (!(await hasAgedClaims(database.db, await cutAt(database.db, clock.now())))) return 0
  let refreshed = 0
  for (let taken = AGED_MAX; taken >= AGED_MAX; refreshed += taken) {
    taken = await database.transaction(async (tx) => {
      await lockIntake(tx)
      const now = clock.now()
      const count = await takeAgedClaims(tx, await cutAt(tx, now), AGED_MAX)
      if (count === 0) return 0
      await resolvePeople(tx, now)
      await queries.createMovedPeople(tx)
      await insertPending(tx, now)
      return count
    })
  }
  return refreshed
}

/** Records of people by API. */
export const PERSON_FACTS = factKind<PersonFact, StagedRecord>({
  fact: personFact,
  toRows: (fact, line) => [factRecord(fact, line)],
  begin: (tx, source, now) => openStaging(tx, source, undefined, now),
  restore: async (tx, source, now) => {
    await queries.restoreRecords(tx)
    await writeRecords(tx, source, now, { hasVersions: true, isLarge: true })
  },
})

const REVIEW_MAX = 200

/** Values that link nobody for now, for a human to decide. */
export function listWithdrawn(database: Database): Promise<queries.WithdrawnValue[]> {
  return queries.selectWithdrawn(database.db, REVIEW_MAX)
}

function sayWhich(found: readonly Identity[]): string {
  return `Say which: ${keysOf(found).join(', ')}.`
}

/** What waits for somebody to decide, and what somebody decided that can be taken back. */
export async function readMergeReview(database: Database): Promise<MergeReview> {
  const values = await listWithdrawn(database)
  const decisions = await queries.selectHandDecisions(database.db, REVIEW_MAX)
  return {
    values: values.map((value) => ({ ...value, withdrawn_at: value.withdrawn_at.toISOString() })),
    decisions: decisions.map((decision) => ({ ...decision, decided_at: decision.decided_at.toISOString() })),
  }
}

/** The identity that a key names (`12347`, or `online-retail:12347` where two sources use the same key). */
export async function findIdentity(database: Database, key: string): Promise<number | Refusal> {
  const found = await queries.selectIdentitiesByKey(database.db, key, FULL_VIEW)
  const [only, other] = found
  if (!only)
    return refuse(
      'missing',
      'no_such_identity',
      `No identity is "${key}".`,
      "Use an identity's value as the source has it.",
    )
  if (!other) return only.identity_id
  return refuse('conflict', 'ambiguous_key', `"${key}" names ${found.length} identities.`, sayWhich(found))
}

/**
 * Two or more people are one, says somebody who knows: a claim like any other, in force until it is taken back.
 * @returns the claim's id, for taking it back.
 */
export function mergePeople(
  database: Database,
  clock: Clock,
  { personIds, by }: { personIds: readonly number[]; by: Actor },
): Promise<{ claim_id: number } | Refusal> {
  return byHand(database, clock, { operation: 'people_merge', by }, async (tx, claimId, now) => {
    const identityIds = await queries.selectNamingIdentities(tx, personIds)
    if (new Set(personIds).size < 2 || identityIds.length < new Set(personIds).size) {
      return refuse('missing', 'no_such_person', 'Not all of these people exist.', 'Name two or more people that do.')
    }
    await queries.insertHandClaim(tx, { claimId, kind: 'merge', identityIds, by: by.name, now })
    return { claim_id: claimId }
  })
}

/** One identity does not belong to the person it was claimed for: it leaves every claim that it is in now. */
export function splitIdentity(
  database: Database,
  clock: Clock,
  { identityId, by }: { identityId: number; by: Actor },
): Promise<{ claim_id: number } | Refusal> {
  return byHand(database, clock, { operation: 'identity_split', by }, async (tx, claimId, now) => {
    if (!(await queries.hasIdentity(tx, identityId))) {
      return refuse(
        'missing',
        'no_such_identity',
        `There is no identity ${identityId}.`,
        "Take one of the person's identities.",
      )
    }
    await queries.insertHandClaim(tx, { claimId, kind: 'split', identityIds: [identityId], by: by.name, now })
    await queries.cutLinks(tx, claimId, identityId)
    return { claim_id: claimId }
  })
}

/** Takes a merge or split by hand back: what was there before is there again, facts that came meanwhile included. */
export function withdrawClaim(
  database: Database,
  clock: Clock,
  claimId: number,
  by: Actor = atTerminal(),
): Promise<{ claim_id: number } | Refusal> {
  return byHand(database, clock, { operation: 'claim_withdraw', by }, async (tx, _next, now) =>
    (await queries.withdrawHandClaim(tx, claimId, now))
      ? { claim_id: claimId }
      : refuse('missing', 'no_such_claim', `No merge or split by hand ${claimId} is in force.`, 'Check its number.'),
  )
}

/** One decision by hand, then everybody it concerns anew; a refusal leaves nothing behind. */
function byHand<T extends { readonly claim_id: number }>(
  database: Database,
  clock: Clock,
  { operation, by }: { operation: string; by: Actor },
  decide: (tx: Sql, claimId: number, now: Date) => Promise<T | Refusal>,
): Promise<T | Refusal> {
  return database.transaction(async (tx) => {
    await lockIntake(tx)
    const now = clock.now()
    const decided = await decide(tx, await nextFactId(tx), now)
    if (isRefusal(decided)) return decided
    await resolvePeople(tx, now)
    await queries.createMovedPeople(tx)
    await insertPending(tx, now)
    const subjects = { claim_id: decided.claim_id }
    await recordAudit(tx, { actor: by, operation, subjects }, now)
    return decided
  })
}

/** Last digits of a phone: what people say at a till. Fewer would be half of the brand. */
const PHONE_END = /^\d{4}$/

/**
 * Who may be meant by what was typed, as a select body of person_id for the queries of modules above: a key as `findPerson`
 * takes it, a whole phone or e-mail however it is written, exactly the last four digits of a phone, a part of a name. Where
 * personal values are masked it is an own id alone. Of everyone: the query it becomes part of has the scope.
 */
export function searchedPeople(typed: string, { isMasked }: Pick<View, 'isMasked'>): RawBuilder<unknown> {
  const text = typed.trim()
  if (isMasked) return isPersonal(text) ? NOBODY : searchedByOwnId(text)
  const soft = (['phone', 'email'] as const).flatMap(
    (kind) => normaliseIdentity({ kind, namespace: '', value: text }) ?? [],
  )
  return searchedBody({ text, soft, phoneEnd: PHONE_END.test(text) ? text : undefined })
}

/** Whether a key is one of this person's, also where somebody else's other source has the same. */
export async function isKeyOf(db: Sql, personId: number, key: string): Promise<boolean> {
  return (await queries.selectIdentitiesByKey(db, key, FULL_VIEW)).some((row) => row.person_id === personId)
}

/**
 * The person that a key names (`12347`, or `online-retail:12347` where two sources use the same key). Whoever is out of
 * view is missing like somebody who is not there; where personal values are masked, nobody is found by one.
 */
export async function findPerson(db: Sql, key: string, view: View = FULL_VIEW): Promise<number | Refusal> {
  const found = view.isMasked && isPersonal(key) ? [] : await queries.selectIdentitiesByKey(db, key, view)
  const people = new Set(found.map((row) => row.person_id))
  const [only] = people
  if (only === undefined) {
    return refuse(
      'missing',
      'no_such_person',
      `Nobody is known as "${key}".`,
      "Use a customer's id as the imported file has it.",
    )
  }
  if (people.size > 1) {
    return refuse('conflict', 'ambiguous_key', `"${key}" names ${people.size} people.`, sayWhich(found))
  }
  return only
}
