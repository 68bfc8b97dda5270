import type { z } from 'zod'
import type { Actor } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { recordAudit } from '../audit/actions.ts'
import type { Staging } from './actions.ts'
import { ErasedMeanwhile, openGuard } from './erasure.ts'
import { type FactHead, storeTogether } from './gathering.ts'
import { nextImportId, preferIndexes, selectArriving } from './queries.ts'
import { FACTS_MAX, type FactResult, type MappedRow, REJECT_TEXTS, type RejectReason } from './schema.ts'

/** How one kind of fact comes in by API: the same staging and the same set statements as its files. */
export interface FactKind<Fact extends FactHead, Row> {
  readonly fact: z.ZodType<Fact>
  /** `currency` is what the facts are in; undefined where they name none. */
  begin(tx: Sql, source: string, now: Date, currency: string | undefined): Promise<Staging<Row> | Refusal>
  /** The rows of a fact; `line` is carried by each of them, so that a refusal finds its fact. */
  toRows(fact: Fact, line: number): readonly MappedRow<Row>[]
  /**
   * Undoes an import: of `arriving` (version-queries.ts), what `replaces` goes, and what `is_applied` comes into force with
   * its body of `intake.published_bodies`.
   */
  restore(tx: Sql, source: string, now: Date): Promise<void>
}

/** Kinds by the name that a fact says (`kind`); what is inside one is nobody else's business. */
export type FactKinds = Readonly<Record<string, AnyFactKind>>
type AnyFactKind = {
  readonly fact: z.ZodType
  parse(fact: unknown): { ok: true; fact: FactHead } | { ok: false; message: string }
  store(
    database: Database,
    clock: Clock,
    facts: readonly Numbered[],
    by: Actor | undefined,
  ): Promise<Map<number, FactResult>>
  restore(tx: Sql, source: string, now: Date): Promise<void>
}

interface Numbered {
  readonly index: number
  readonly fact: FactHead
}

export function factKind<Fact extends FactHead, Row>(kind: FactKind<Fact, Row>): AnyFactKind {
  return {
    fact: kind.fact,
    parse: (fact) => {
      const parsed = kind.fact.safeParse(fact)
      if (parsed.success) return { ok: true, fact: parsed.data }
      const [first] = parsed.error.issues
      return { ok: false, message: `${first?.path.join('.') || 'the fact'}: ${first?.message}` }
    },
    // Every fact of the group came out of this kind's own parse.
    store: (database, clock, facts, by) =>
      storeApart(database, clock, kind, facts as readonly { index: number; fact: Fact }[], by),
    restore: kind.restore,
  }
}

/**
 * Stores facts of any kinds, each whole or not at all, and says of each what became of it. The same facts again
 * change nothing. Facts of one kind, source and currency are one transaction, with its row in the audit log where somebody
 * sent them; those of the same sender that wait meanwhile go with them.
 */
export async function storeFacts(
  database: Database,
  clock: Clock,
  facts: readonly unknown[],
  kinds: FactKinds,
  by?: Actor,
): Promise<FactResult[] | Refusal> {
  if (facts.length > FACTS_MAX) {
    return refuse(
      'invalid',
      'too_many_facts',
      `${facts.length} facts in one request.`,
      `Send at most ${FACTS_MAX} at a time.`,
    )
  }
  const results = new Map<number, FactResult>()
  const groups = new Map<string, { kind: AnyFactKind; ids: Set<string>; facts: Numbered[] }>()
  facts.forEach((given, index) => {
    const name = (given as { kind?: unknown } | null)?.kind
    const kind = typeof name === 'string' && Object.hasOwn(kinds, name) ? kinds[name] : undefined
    const parsed = kind?.parse(given)
    if (!kind || !parsed?.ok) {
      const message = parsed && !parsed.ok ? parsed.message : `kind: one of ${Object.keys(kinds).join(', ')}`
      results.set(index, refused(idOf(given), 'invalid', message))
      return
    }
    const { fact } = parsed
    if (hasUnstorableText(fact)) {
      results.set(index, refused(idOf(given), 'invalid', 'A text has a NUL character or half a surrogate pair.'))
      return
    }
    // The same id twice in a request is a fact and its correction: one after the other, in two transactions.
    for (let turn = 0; ; turn += 1) {
      const key = JSON.stringify([turn, name, fact.currency, fact.source])
      const group = groups.get(key) ?? { kind, ids: new Set<string>(), facts: [] }
      if (group.ids.has(fact.external_id)) continue
      group.ids.add(fact.external_id)
      group.facts.push({ index, fact })
      groups.set(key, group)
      return
    }
  })
  const sender = JSON.stringify(by ?? null)
  for (const [key, { kind, facts: grouped }] of groups) {
    const given = grouped.map(({ fact }) => fact)
    const stored = await storeTogether(database, `${key} ${sender}`, given, async (together) => {
      const numbered = together.map((fact, index) => ({ index, fact }))
      const results = await kind.store(database, clock, numbered, by)
      return numbered.map(
        ({ index, fact }) => results.get(index) ?? refused(fact.external_id, 'failed', 'It was not reached.'),
      )
    })
    grouped.forEach(({ index }, place) => {
      const result = stored[place]
      if (result) results.set(index, result)
    })
  }
  return facts.map((given, index) => results.get(index) ?? refused(idOf(given), 'failed', 'It was not reached.'))
}

/**
 * One transaction, unless PostgreSQL cannot take a value of some fact (a number or a date beyond its range): then halves,
 * until that fact is alone and refused. The others must not suffer for it.
 */
async function storeApart<Fact extends FactHead, Row>(
  database: Database,
  clock: Clock,
  kind: FactKind<Fact, Row>,
  facts: readonly { index: number; fact: Fact }[],
  by: Actor | undefined,
): Promise<Map<number, FactResult>> {
  try {
    return await storeGroup(database, clock, kind, facts, by)
  } catch (error) {
    if (error instanceof ErasedMeanwhile) return storeApart(database, clock, kind, facts, by)
    if (!isDataException(error)) throw error
    const [first] = facts
    if (facts.length === 1 && first) {
      const message = 'It has a number or a time that cannot be stored.'
      return new Map([[first.index, refused(first.fact.external_id, 'out_of_range', message)]])
    }
    const half = Math.ceil(facts.length / 2)
    const left = await storeApart(database, clock, kind, facts.slice(0, half), by)
    return new Map([...left, ...(await storeApart(database, clock, kind, facts.slice(half), by))])
  }
}

/** SQLSTATE class 22. */
function isDataException(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && code.length === 5 && code.startsWith('22')
}

async function storeGroup<Fact extends FactHead, Row>(
  database: Database,
  clock: Clock,
  kind: FactKind<Fact, Row>,
  facts: readonly { index: number; fact: Fact }[],
  by: Actor | undefined,
): Promise<Map<number, FactResult>> {
  const now = clock.now()
  const { source, currency } = facts[0]?.fact ?? { source: '', currency: undefined }
  const guard = await openGuard(database)
  return database.transaction(async (tx, client) => {
    await preferIndexes(tx)
    const staging = await kind.begin(tx, source, now, currency)
    if (isRefusal(staging))
      return new Map(facts.map(({ index, fact }) => [index, refused(fact.external_id, staging.code, staging.message)]))
    const reasons = new Map<number, RejectReason>()
    const rowsOf = facts.map(({ index, fact }) => goodRows(kind.toRows(fact, index), index, reasons))
    const areAllowed = await guard.areAllowed(rowsOf.map((rows) => rows.flatMap(staging.identitiesOf)))
    facts.forEach(({ index }, place) => {
      if (!areAllowed[place]) reasons.set(index, 'erased')
    })
    const rows = rowsOf.filter((_, place) => areAllowed[place]).flat()
    if (rows.length > 0) await staging.copy(client, rows)
    const importId = await nextImportId(tx)
    await staging.apply(tx, importId)
    await guard.confirm(tx)
    for (const { line, reason } of staging.badRows()) {
      // Which of an order's lines it was does not matter to the sender: the fact is refused whole, for the first cause.
      if (reason !== 'order_has_bad_row') reasons.set(line, reason as RejectReason)
    }
    const statuses = new Map((await selectArriving(tx)).map((row) => [row.external_id, row.status]))
    const written = [...statuses.values()].filter((status) => status !== 'known').length
    if (by && written > 0) {
      const subjects = { source, import_id: importId, facts: written }
      await recordAudit(tx, { actor: by, operation: 'facts_store', subjects }, now)
    }
    return new Map(
      facts.map(({ index, fact }) => {
        const reason = reasons.get(index)
        if (reason) return [index, refused(fact.external_id, reason, `It ${REJECT_TEXTS[reason]}.`)]
        const status = statuses.get(fact.external_id)
        if (status) return [index, { external_id: fact.external_id, status }]
        return [index, refused(fact.external_id, 'failed', 'It came back neither stored nor refused.')]
      }),
    )
  })
}

/** All rows of a fact, or none when one cannot be stored. */
function goodRows<Row>(mapped: readonly MappedRow<Row>[], index: number, reasons: Map<number, RejectReason>): Row[] {
  const rows: Row[] = []
  for (const row of mapped) {
    if (row.ok) rows.push(row.row)
    else reasons.set(index, row.reason)
  }
  return reasons.has(index) ? [] : rows
}

function refused(externalId: string | null, code: string, message: string): FactResult {
  return { external_id: externalId, status: 'refused', error: { code, message } }
}

function idOf(given: unknown): string | null {
  const id = (given as { external_id?: unknown } | null)?.external_id
  return typeof id === 'string' ? id : null
}

/** What JSON can say and PostgreSQL cannot keep: a NUL, or half of a character beyond the basic plane. */
function hasUnstorableText(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed()
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).some(hasUnstorableText)
}
