import { type RawBuilder, sql } from 'kysely'
import type { z } from 'zod'
import type { Sql } from '../../platform/db.ts'
import { readSettings } from '../brand/actions.ts'
import { DEFAULT_CURRENCY } from '../brand/schema.ts'
import {
  admitArriving,
  type FileStaging,
  factKind,
  insertPending,
  keepBodies,
  settleVersions,
} from '../intake/actions.ts'
import { type MappedRow, type RejectReason, versionOf } from '../intake/schema.ts'
import * as queries from './fact-queries.ts'
import { identify } from './queries.ts'
import { analyzeArriving, mergeRepeatedFacts } from './repeat-queries.ts'
import { normaliseIdentity } from './rules.ts'
import { IDENTITY_KINDS, type Identity, type StagedFact } from './schema.ts'

/** A fact about one person that is one row: a connection, a review, what they allow. */
export interface PersonalFact {
  readonly source: string
  readonly external_id: string
  readonly updated_at?: string | undefined
  readonly sequence?: number | undefined
  readonly identity: Identity
}

/** What a module brings: its schema, and how new and corrected facts are written. */
export interface PersonalKind<Fact extends PersonalFact> {
  /** As it stands in the inbox. */
  readonly name: 'connection' | 'membership' | 'interaction' | 'review' | 'consent' | 'referral_claim' | 'tag'
  readonly fact: z.ZodType<Fact>
  /** The field that says when it happened: a fact of the future is refused. */
  readonly occurredField: keyof Fact & string
  /** Another person whom the fact names: `body.second`, in the form in which identities are compared. */
  second?(fact: Fact): Identity
  /**
   * Removes the rows of `replaced_facts (fact_id)` and leaves what they said in `removed_facts (fact_id, person_id, identity_id,
   * occurred_at, body jsonb)`, so that `insert` of the same would write the same row.
   */
  remove(tx: Sql): Promise<void>
  /** Writes `personal_facts (fact_id, identity_id, person_id, occurred_at, body jsonb)`. */
  insert(tx: Sql, source: string, now: Date): Promise<void>
  /** As what kind a fact is handed on, by its `body`, where it tells apart what others rest on; its name where absent. */
  readonly pendingKind?: RawBuilder<unknown>
}

/** The kind as the API takes it; a person that nobody knew becomes known by the fact. */
export function personalFactKind<Fact extends PersonalFact>(kind: PersonalKind<Fact>) {
  return factKind<Fact, StagedFact>({
    fact: kind.fact,
    toRows: (fact, line) => [toRow(kind, fact, line)],
    begin: (tx, source, now) => openPersonalStaging(tx, kind, source, now, { isFile: false }),
    restore: async (tx, source, now) => {
      await queries.restoreFacts(tx)
      await writeFacts(tx, kind, source, now, true)
    },
  })
}

/** The fact as it is staged; its identities in the form in which they are compared. */
export function toRow<Fact extends PersonalFact>(
  kind: PersonalKind<Fact>,
  fact: Fact,
  line: number,
): MappedRow<StagedFact> {
  const { source, external_id } = fact
  const reject = (reason: RejectReason): MappedRow<StagedFact> => ({ ok: false, reason, unit: external_id })
  const identity = factIdentity(source, fact.identity)
  const second = kind.second && factIdentity(source, kind.second(fact))
  if (!identity || (kind.second && !second)) return reject('missing_identity')
  if (second && isSame(identity, second)) return reject('self_referral')
  // Another zone for the same instant is the same body.
  const entries = Object.entries(fact).filter(([name]) => !HEAD_FIELDS.has(name))
  const times = entries.map(([name, value]) => [name, name.endsWith('_at') ? instantOf(String(value)) : value] as const)
  const { [kind.occurredField]: occurredAt, ...said } = Object.fromEntries(times)
  const body = second ? { ...said, second } : said
  return {
    ok: true,
    row: { line, external_id, occurred_at: String(occurredAt), identity, body, version: versionOf(fact) },
  }
}

/** An identity as a fact of a source names it; undefined when its value can be none. */
export function factIdentity(source: string, given: Identity): Identity | undefined {
  const namespace = IDENTITY_KINDS[given.kind].needsNamespace ? given.namespace || source : ''
  return normaliseIdentity({ ...given, namespace })
}

/** What every fact says beside its body. */
const HEAD_FIELDS = new Set(['kind', 'source', 'external_id', 'identity', 'referrer', 'updated_at', 'sequence'])

function isSame(one: Identity, other: Identity): boolean {
  return one.kind === other.kind && one.namespace === other.namespace && one.value === other.value
}

function instantOf(text: string): string {
  return new Date(text).toISOString()
}

/** Whom a fact names, for the question whether they were erased. */
export function identitiesOf({ identity, body }: StagedFact): Identity[] {
  const { second } = body as { readonly second?: Identity }
  return second ? [identity, second] : [identity]
}

export async function openPersonalStaging<Fact extends PersonalFact>(
  tx: Sql,
  kind: PersonalKind<Fact>,
  source: string,
  now: Date,
  { isFile }: { readonly isFile: boolean },
): Promise<FileStaging<StagedFact>> {
  await queries.createFactStaging(tx)
  let rowsRepeated = 0
  let ofTheFuture: readonly number[] = []
  return {
    copy: (client, facts) => queries.copyFacts(client, facts.map(queries.factText).join('')),
    copyEncoded: queries.copyFacts,
    identitiesOf,
    // A fact is one row: there is no rest of it to refuse.
    addBadUnits: async () => {},
    badRows: () => ofTheFuture.map((line) => ({ line, reason: 'future_time' })),
    apply: async (tx, importId) => {
      if (isFile) rowsRepeated = await mergeRepeatedFacts(tx)
      ofTheFuture = await queries.resolveFacts(tx, now)
      const { hasVersions } = await admitArriving(tx, source, kind.name, importId, now)
      const named = queries.namedBy({ second: kind.second !== undefined })
      await identify(tx, now, named, { isLarge: isFile })
      if (isFile) await analyzeArriving(tx)
      await queries.createPersonalFacts(tx)
      await writeFacts(tx, kind, source, now, hasVersions)
      if (hasVersions) await settleVersions(tx, importId, now)
    },
    counts: async (tx) => ({
      ...(await queries.selectFactCounts(tx)),
      rows_repeated: rowsRepeated,
      orders: 0,
      refunds: 0,
      unmatched_refunds: 0,
      unmatched_refunds_minor: 0,
      currency: (await readSettings(tx)).currency ?? DEFAULT_CURRENCY,
    }),
  }
}

/** `personal_facts` come into force, and what `arriving` replaces goes. */
async function writeFacts<Fact extends PersonalFact>(
  tx: Sql,
  kind: PersonalKind<Fact>,
  source: string,
  now: Date,
  hasVersions: boolean,
): Promise<void> {
  const pendingKind = kind.pendingKind ?? sql.lit(kind.name)
  await queries.createChangedPeople(tx, pendingKind)
  if (hasVersions) {
    await queries.createReplacedFacts(tx)
    await kind.remove(tx)
    await queries.fillDisplaced(tx, pendingKind)
    await keepBodies(tx)
  }
  await kind.insert(tx, source, now)
  await insertPending(tx, now, { facts: queries.PERSONAL_FACTS, isKinded: true, isDated: true })
}
