import type { RawBuilder } from 'kysely'
import type { z } from 'zod'
import type { Actor } from '../../platform/audit.ts'
import { lockAgainstBackup } from '../../platform/backup-database.ts'
import type { Clock } from '../../platform/clock.ts'
import { atOneMoment, type Database, type Sql } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { FULL_VIEW, type View } from '../../platform/roles.ts'
import { recordAudit } from '../audit/actions.ts'
import { readSettings } from '../brand/actions.ts'
import { isInScope } from '../customers/actions.ts'
import { lockIntake, type PersonRows, selectPersonRows } from '../intake/actions.ts'
import { cutsAt, standingAt } from '../relationship/actions.ts'
import { readTag, renameTagRules, setTagRule } from '../tags/actions.ts'
import type { TagAnswer } from '../tags/schema.ts'
import { isPersonal, type ResolvedNode, readDefinition, referencesOf, resolve, usesCuts } from './definition.ts'
import { explainPerson } from './explanation.ts'
import type { Ground } from './ground-queries.ts'
import { applyRule, evaluateNew, lockWithRules, readNodes, refuseLoop } from './jobs.ts'
import * as members from './member-queries.ts'
import * as queries from './queries.ts'
import { estimate, samplePeople } from './rules.ts'
import type {
  CountMethod,
  Definition,
  Explanation,
  Segment,
  SegmentCount,
  SegmentUse,
  Stay,
  segmentChange,
  segmentCommand,
  segmentList,
  segmentSizes,
  segmentVersions,
} from './schema.ts'
import * as stored from './segment-queries.ts'

export { CONTINUATION } from './continuation.ts'
export { readNextDue, refreshSegments } from './jobs.ts'
export { eraseMembers } from './member-queries.ts'

const PEOPLE_COUNTED_WHOLE_MAX = 50_000
const STAYS_MAX = 200
const DAY_MS = 86_400_000

/** All segments of the brand. */
export async function listSegments(
  db: Sql,
  now: Date,
  { scope }: View = FULL_VIEW,
): Promise<z.infer<typeof segmentList>> {
  const rows = await stored.selectSegments(db)
  const figures = await figuresOf(db, now)
  return { segments: rows.map((row) => listed(row, figures, scope)) }
}

async function figuresOf(db: Sql, now: Date): Promise<stored.ListFigures[]> {
  const { zone } = await readSettings(db)
  return stored.selectListFigures(db, { at: new Date(now.getTime() - 7 * DAY_MS), zone })
}

function listed(row: stored.SegmentRow, figures: readonly stored.ListFigures[], scope: View['scope']) {
  const { size_before: before = null, used_by: usedBy = [] } =
    figures.find((one) => one.segment_id === row.segment_id) ?? {}
  return {
    segment_id: row.segment_id,
    name: row.name,
    version: row.version,
    // It counts everybody.
    size: scope === 'everyone' ? row.size : null,
    size_7_days_ago: scope === 'everyone' ? before : null,
    evaluated_at: row.evaluated_at?.toISOString() ?? null,
    used_by: usedBy,
  }
}

export async function readSegment(
  db: Sql,
  segmentId: number,
  now: Date,
  { scope, isMasked }: View = FULL_VIEW,
): Promise<Segment | Refusal> {
  const rows = await stored.selectSegments(db)
  const row = rows.find((other) => other.segment_id === segmentId)
  if (!row) return noSuchSegment(segmentId)
  const node = readNodes(rows).get(segmentId)
  return {
    ...listed(row, await figuresOf(db, now), scope),
    definition: row.definition,
    made_at: row.made_at.toISOString(),
    made_by: isMasked ? '' : row.made_by,
    refers_to: node ? referencesOf(node) : [],
  }
}

export async function listVersions(db: Sql, segmentId: number): Promise<z.infer<typeof segmentVersions> | Refusal> {
  const rows = await stored.selectVersions(db, segmentId)
  if (rows.length === 0) return noSuchSegment(segmentId)
  return { versions: rows.map((row) => ({ ...row, made_at: row.made_at.toISOString() })) }
}

/**
 * A new segment with everybody who is in it, in one transaction. Refuses a bad definition, a name that is taken, and for masked
 * roles a clause about personal values.
 */
export async function createSegment(
  database: Database,
  clock: Clock,
  command: z.infer<typeof segmentCommand>,
  by: Actor,
  view: View = FULL_VIEW,
): Promise<Segment | Refusal> {
  return write(database, async (tx) => {
    const now = clock.now()
    const read = await readWhole(tx, command.definition, view)
    if (isRefusal(read)) return read
    const segmentId = await stored.insertSegment(tx, command.name)
    if (segmentId === undefined) return nameTaken(command.name)
    await stored.insertVersion(tx, segmentId, { definition: command.definition, by: by.name, now })
    await stored.replaceReferences(tx, { segment_id: segmentId, name: command.name }, read.references)
    await evaluateNew(tx, clock, segmentId)
    const subjects = { segment_id: segmentId }
    await recordAudit(tx, { actor: by, operation: 'segment_create', subjects, fields: ['name', 'definition'] }, now)
    return readSegment(tx, segmentId, now, view)
  })
}

/** Another name, or another definition as its next version; who is in it follows at once, and in those that refer to it. */
export async function changeSegment(
  database: Database,
  clock: Clock,
  segmentId: number,
  change: z.infer<typeof segmentChange>,
  by: Actor,
  view: View = FULL_VIEW,
): Promise<Segment | Refusal> {
  const work = async (tx: Sql) => {
    const now = clock.now()
    const row = (await stored.selectSegments(tx)).find((other) => other.segment_id === segmentId)
    if (!row) return noSuchSegment(segmentId)
    if (change.name !== undefined && !(await stored.renameSegment(tx, segmentId, change.name))) {
      return nameTaken(change.name)
    }
    if (change.definition !== undefined) {
      const read = await readWhole(tx, change.definition, view, segmentId)
      if (isRefusal(read)) return read
      await stored.insertVersion(tx, segmentId, { definition: change.definition, by: by.name, now })
      const named = { segment_id: segmentId, name: change.name ?? row.name }
      await stored.replaceReferences(tx, named, read.references)
      const loop = await refuseLoop(tx)
      if (loop) return loop
      await evaluateNew(tx, clock, segmentId)
    }
    if (change.name !== undefined) await renameTagRules(tx, { segment_id: segmentId, name: change.name })
    const fields = Object.entries(change).flatMap(([name, value]) => (value === undefined ? [] : [name]))
    await recordAudit(tx, { actor: by, operation: 'segment_change', subjects: { segment_id: segmentId }, fields }, now)
    return readSegment(tx, segmentId, now, view)
  }
  return write(database, work, { isReplacing: change.definition !== undefined })
}

/**
 * From now on a segment gives a tag to whoever is in it, and takes it from whoever leaves; null: none does, and nobody has it by a
 * rule any more. Everybody has it who is in, when this returns. Refuses a tag that fades or is archived, and a segment that asks
 * for the tag that it is to give, also by way of others.
 */
export async function setRule(
  database: Database,
  clock: Clock,
  { tagId, segmentId, by }: { tagId: number; segmentId: number | null; by: Actor },
): Promise<TagAnswer | Refusal> {
  return write(database, async (tx) => {
    const now = clock.now()
    const row = (await stored.selectSegments(tx)).find((other) => other.segment_id === segmentId)
    if (segmentId !== null && !row) return noSuchSegment(segmentId)
    // Before any row, and no rule may have been there to say so.
    await lockIntake(tx, 'beside')
    const unfit = await setTagRule(tx, tagId, row ? { segment_id: row.segment_id, name: row.name } : null, now)
    if (unfit) return unfit
    const loop = await refuseLoop(tx)
    if (loop) return loop
    const tag = await readTag(tx, tagId)
    if (isRefusal(tag)) return tag
    await applyRule(tx, clock, { tag_id: tagId, tag: tag.name, segment_id: segmentId })
    const operation = segmentId === null ? 'tag_rule_remove' : 'tag_rule_set'
    const subjects = { tag_id: tagId, ...(segmentId === null ? {} : { segment_id: segmentId }) }
    await recordAudit(tx, { actor: by, operation, subjects }, now)
    return tag
  })
}

/** Refused while anything uses it, by name. */
export async function deleteSegment(
  database: Database,
  clock: Clock,
  segmentId: number,
  by: Actor,
): Promise<{ segment_id: number } | Refusal> {
  const work = async (tx: Sql) => {
    const rows = await stored.selectSegments(tx)
    if (!rows.some((row) => row.segment_id === segmentId)) return noSuchSegment(segmentId)
    const uses = await stored.selectUses(tx, segmentId)
    if (uses.length > 0) {
      const users = uses.map(({ user_kind, user_name, user_id }) => `${user_kind} "${user_name}" (${user_id})`)
      return refuse(
        'conflict',
        'segment_in_use',
        `Segment ${segmentId} is used by ${users.slice(0, 10).join(', ')}${users.length > 10 ? ' and others' : ''}.`,
        'Change or delete those first.',
      )
    }
    await members.deletePeople(tx, segmentId)
    await stored.deleteSegment(tx, segmentId)
    await recordAudit(tx, { actor: by, operation: 'segment_delete', subjects: { segment_id: segmentId } }, clock.now())
    return { segment_id: segmentId }
  }
  return write(database, work, { isReplacing: true })
}

/**
 * Under the lock of evaluation, and taken back whole when it is refused half way. Whoever replaces a table of people, or drops it, waits
 * for a backup first: it would find none of them.
 */
async function write<T>(
  database: Database,
  work: (tx: Sql) => Promise<T | Refusal>,
  { isReplacing = false } = {},
): Promise<T | Refusal> {
  let refusal: Refusal | undefined
  try {
    return await database.transaction(async (tx) => {
      if (isReplacing) await lockAgainstBackup(tx)
      await lockWithRules(tx)
      const done = await work(tx)
      if (!isRefusal(done)) return done
      refusal = done
      throw new Error(done.message)
    })
  } catch (error) {
    if (refusal) return refusal
    throw error
  }
}

/** A module above says that it uses a segment, in its own transaction; refuses one that is not there. */
export async function holdSegment(tx: Sql, segmentId: number, use: SegmentUse): Promise<Refusal | undefined> {
  await members.lockSegments(tx)
  const rows = await stored.selectSegments(tx)
  if (!rows.some((row) => row.segment_id === segmentId)) return noSuchSegment(segmentId)
  await stored.insertUse(tx, segmentId, use)
  return undefined
}

export async function releaseSegment(tx: Sql, segmentId: number, use: Omit<SegmentUse, 'user_name'>): Promise<void> {
  await stored.deleteUse(tx, segmentId, use)
}

/** A definition whole, with what the segments in it say in their place. */
async function readWhole(
  db: Sql,
  definition: Definition,
  { isMasked }: View,
  itself?: number,
): Promise<{ node: ResolvedNode; references: number[] } | Refusal> {
  const read = readDefinition(definition)
  if (isRefusal(read)) return read
  const node = resolve(read, readNodes(await stored.selectSegments(db)), itself)
  if (isRefusal(node)) return node
  if (itself !== undefined) {
    const tooLarge = await refuseTooLarge(db, read, itself)
    if (tooLarge) return tooLarge
  }
  if (isMasked && isPersonal(node)) {
    return refuse(
      'forbidden',
      'personal_clause',
      'A clause asks for a part of a name, which is masked for you.',
      'Leave it out, or ask a lead.',
    )
  }
  return { node, references: referencesOf(read) }
}

/** Segments that refer to a changed one have what it says in them: they too must stay within the limits. */
async function refuseTooLarge(
  db: Sql,
  changed: Exclude<ReturnType<typeof readDefinition>, Refusal>,
  itself: number,
): Promise<Refusal | undefined> {
  const nodes = readNodes(await stored.selectSegments(db)).set(itself, changed)
  for (const [segmentId, node] of nodes) {
    const resolved = resolve(node, nodes, segmentId)
    if (!isRefusal(resolved)) continue
    return { ...resolved, message: `Segment ${segmentId} refers to this one: ${resolved.message}` }
  }
  return undefined
}

interface Asked {
  readonly now: Date
  readonly asOf?: Date | undefined
  readonly view?: View
}

/** Where a definition is compiled for as of an instant: what is kept for the present, worked out anew for the past. */
async function groundFor(db: Sql, node: ResolvedNode, { now, asOf }: Asked): Promise<Ground> {
  const at = asOf ?? now
  const cuts = usesCuts(node) ? await cutsAt(db, at) : null
  const settings = await readSettings(db)
  return { at, scope: queries.EVERYONE, settings, cuts, isExplaining: false, isKept: asOf === undefined }
}

function standingFor(ground: Ground, { now, asOf }: Asked): RawBuilder<unknown> {
  if (asOf === undefined) return queries.storedStanding(ground)
  return queries.computedStanding(standingAt(now, asOf, ground.settings), ground)
}

/** How many people a definition holds for, of those in view. Who is sampled is drawn anew every minute. */
export async function countSegment(
  db: Sql,
  definition: Definition,
  asked: Asked & { readonly method: CountMethod },
): Promise<SegmentCount | Refusal> {
  const { asOf, view = FULL_VIEW } = asked
  const read = await readWhole(db, definition, view)
  if (isRefusal(read)) return read
  const ground = await groundFor(db, read.node, asked)
  const { at } = ground
  const sampled = await sampledFor(db, read.node, ground, asked)
  if (sampled) {
    const found = await queries.countHolding(db, read.node, sampled.ground, {})
    const guess = estimate(found.holding, found.people, sampled.people)
    return { as_of: at.toISOString(), method: 'sample', ...guess, of_people: sampled.people, sampled: found.people }
  }
  const { holding, people } = asOf
    ? await queries.countHolding(db, read.node, ground, { standing: standingFor(ground, asked), view: view.scope })
    : await atOneMoment(db, (tx) => queries.countEverybody(tx, read.node, ground, view.scope))
  const exactly = { people: holding, low: holding, high: holding }
  return { as_of: at.toISOString(), method: 'exact', ...exactly, of_people: people, sampled: people }
}

/**
 * The ground of a sample in place of everybody, and how many everybody is; undefined where everybody is asked: of few people, of the past,
 * and for whom some of the people are out of view.
 */
async function sampledFor(
  db: Sql,
  node: ResolvedNode,
  ground: Ground,
  { now, asOf, method, view = FULL_VIEW }: Asked & { readonly method: CountMethod },
): Promise<{ ground: Ground; people: number } | undefined> {
  if (method === 'exact' || asOf || view.scope !== 'everyone') return undefined
  const { people, sample } = await sampleOf(db, now)
  if (people <= PEOPLE_COUNTED_WHOLE_MAX) return undefined
  const asks = samplePeople(queries.countReads(node, ground))
  return { ground: { ...ground, scope: queries.anyOf(sample.slice(0, asks)) }, people }
}

const SAMPLE_KEPT_MS = 60_000
const samples = new WeakMap<Sql, { drawnAt: Date; drawn: Awaited<ReturnType<typeof queries.drawSample>> }>()

/** To draw it takes as long as to ask it, and somebody who types asks every second. */
async function sampleOf(db: Sql, now: Date) {
  const kept = samples.get(db)
  if (kept && Math.abs(now.getTime() - kept.drawnAt.getTime()) < SAMPLE_KEPT_MS) return kept.drawn
  const drawn = await queries.drawSample(db, samplePeople(0))
  samples.set(db, { drawnAt: now, drawn })
  return drawn
}

/** Whom a definition holds for, of everybody or of the sample of a count, as a select body (person_id), for lists of modules above. */
export async function peopleOfDefinition(
  db: Sql,
  definition: Definition,
  asked: Asked & { readonly method: CountMethod },
): Promise<RawBuilder<unknown> | Refusal> {
  const read = await readWhole(db, definition, asked.view ?? FULL_VIEW)
  if (isRefusal(read)) return read
  const everybody = await groundFor(db, read.node, asked)
  const { ground } = (await sampledFor(db, read.node, everybody, asked)) ?? { ground: everybody }
  return queries.holdingPeople(read.node, ground, standingFor(ground, asked))
}

/** Members of a segment as a select body (person_id); as of a past instant by what was written then. */
export async function peopleOfSegment(
  db: Sql,
  segmentId: number,
  asOf: Date | undefined,
): Promise<RawBuilder<unknown> | Refusal> {
  const rows = await stored.selectSegments(db)
  if (!rows.some((row) => row.segment_id === segmentId)) return noSuchSegment(segmentId)
  return members.membersAt(segmentId, asOf)
}

/** Why a definition holds for a person or does not, clause by clause, and when time alone changes that. */
export async function explainDefinition(
  db: Sql,
  definition: Definition,
  personId: number,
  asked: Asked,
): Promise<Explanation | Refusal> {
  const { view = FULL_VIEW } = asked
  if (!(await isInScope(db, personId, view.scope))) return noSuchPerson(personId)
  const read = await readWhole(db, definition, view)
  if (isRefusal(read)) return read
  const explained = await explainPerson(db, read.node, personId, asked.asOf ?? asked.now)
  return explained ?? noSuchPerson(personId)
}

export async function explainMember(
  db: Sql,
  segmentId: number,
  personId: number,
  asked: Asked,
): Promise<Explanation | Refusal> {
  const row = (await stored.selectSegments(db)).find((other) => other.segment_id === segmentId)
  if (!row) return noSuchSegment(segmentId)
  // Whoever may ask about the segment may ask about its members: what it says was allowed to whom made it.
  const view = { scope: asked.view?.scope ?? 'everyone', isMasked: false } as const
  return explainDefinition(db, row.definition, personId, { ...asked, view })
}

/** Sizes of the last so many days. Of the whole brand: refuses who sees only some of the people. */
export async function readSizes(
  db: Sql,
  segmentId: number,
  { now, days, view = FULL_VIEW }: { now: Date; days: number; view?: View },
): Promise<z.infer<typeof segmentSizes> | Refusal> {
  const rows = await stored.selectSegments(db)
  if (!rows.some((row) => row.segment_id === segmentId)) return noSuchSegment(segmentId)
  if (view.scope !== 'everyone') {
    return refuse('forbidden', 'whole_brand', 'Sizes count people of everybody.', 'Ask for the members that are yours.')
  }
  const from = new Date(now.getTime() - days * DAY_MS).toISOString().slice(0, 10)
  return { sizes: await stored.selectSizes(db, segmentId, from) }
}

/** In which segments a person is and was, the latest first. */
export async function listStays(
  db: Sql,
  personId: number,
  { scope }: View = FULL_VIEW,
): Promise<{ stays: Stay[] } | Refusal> {
  if (!(await isInScope(db, personId, scope))) return noSuchPerson(personId)
  const rows = await members.selectStays(db, personId, STAYS_MAX)
  return {
    stays: rows.map((row) => ({
      ...row,
      in_at: row.in_at.toISOString(),
      out_at: row.out_at instanceof Date ? row.out_at.toISOString() : null,
    })),
  }
}

/** All that is kept of a person here, as it stands. */
export function exportMember(db: Sql, personId: number): Promise<PersonRows> {
  return selectPersonRows(db, 'segments', ['verdicts', 'past_stays'], personId)
}

function noSuchSegment(segmentId: number): Refusal {
  return refuse('missing', 'no_such_segment', `There is no segment ${segmentId}.`, 'GET /api/v1/segments lists them.')
}

function noSuchPerson(personId: number): Refusal {
  return refuse('missing', 'no_such_person', `There is no person ${personId}.`, 'Look the person up by key.')
}

function nameTaken(name: string): Refusal {
  return refuse('conflict', 'segment_name_taken', `There is a segment "${name}" already.`, 'Choose another name.')
}
