import type { z } from 'zod'
import type { Sql } from '../../platform/db.ts'
import { readSettings } from '../brand/actions.ts'
import { DEFAULT_CURRENCY } from '../brand/schema.ts'
import { admitArriving, correctInbox, factKind, insertPending, type Staging } from '../intake/actions.ts'
import type { MappedRow } from '../intake/schema.ts'
import * as queries from './fact-queries.ts'
import { identify } from './queries.ts'
import { normaliseIdentity } from './rules.ts'
import { IDENTITY_KINDS, type Identity, type StagedFact } from './schema.ts'

/** A fact about one person that is one row: a connection, a membership, an interaction, a review. */
export interface PersonalFact {
  readonly source: string
  readonly external_id: string
  readonly identity: Identity
}

/** What a module brings: its schema, and how new and corrected facts are written. */
export interface PersonalKind<Fact extends PersonalFact> {
  /** As it stands in the inbox. */
  readonly name: 'connection' | 'membership' | 'interaction' | 'review'
  readonly fact: z.ZodType<Fact>
  /** When it happened: a fact of the future is refused. */
  occurredAt(fact: Fact): string
  /**
   * Writes `personal_facts (fact_id, status, external_id, identity_id, person_id, body jsonb)` of the transaction: rows of
   * corrected facts replace what was written for them. Adds people of replaced rows to `changed_people (person_id)`.
   */
  write(tx: Sql, source: string, now: Date): Promise<void>
}

/** The kind as the API takes it; a person that nobody knew becomes known by the fact. */
export function personalFactKind<Fact extends PersonalFact>(kind: PersonalKind<Fact>) {
  return factKind<Fact, StagedFact>({
    fact: kind.fact,
    toRows: (fact, line) => [toRow(kind, fact, line)],
    begin: (tx, source, now) => openStaging(tx, kind, source, now),
  })
}

function toRow<Fact extends PersonalFact>(kind: PersonalKind<Fact>, fact: Fact, line: number): MappedRow<StagedFact> {
  const { source, external_id, identity: given, ...body } = fact
  const namespace = IDENTITY_KINDS[given.kind].needsNamespace ? given.namespace || source : ''
  const identity = normaliseIdentity({ ...given, namespace })
  if (!identity) return { ok: false, reason: 'missing_identity', unit: external_id }
  return { ok: true, row: { line, external_id, occurred_at: kind.occurredAt(fact), identity, body } }
}

async function openStaging<Fact extends PersonalFact>(
  tx: Sql,
  kind: PersonalKind<Fact>,
  source: string,
  now: Date,
): Promise<Staging<StagedFact>> {
  await queries.createFactStaging(tx)
  return {
    copy: queries.copyFacts,
    // A fact is one row: there is no rest of it to refuse.
    addBadUnits: async () => {},
    badRows: queries.selectBadFacts,
    apply: async (tx, importId) => {
      await queries.resolveFacts(tx, now)
      await admitArriving(tx, source, kind.name, importId, now)
      await identify(tx, now)
      await correctInbox(tx, importId, now)
      await queries.createPersonalFacts(tx)
      await kind.write(tx, source, now)
      await insertPending(tx)
    },
    counts: async (tx) => ({
      ...(await queries.selectFactCounts(tx)),
      orders: 0,
      refunds: 0,
      unmatched_refunds: 0,
      unmatched_refunds_minor: 0,
      currency: (await readSettings(tx)).currency ?? DEFAULT_CURRENCY,
    }),
  }
}
