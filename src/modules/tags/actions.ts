import { fileURLToPath } from 'node:url'
import type { RawBuilder } from 'kysely'
import type { Actor } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database, Sql } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { FULL_VIEW, type View } from '../../platform/roles.ts'
import { recordAudit } from '../audit/actions.ts'
import { isInScope, isPerson, type PersonalKind, personalFactKind, personalFileKind } from '../customers/actions.ts'
import { claimMoves, insertPending, lockIntake, type PersonRows, selectPersonRows } from '../intake/actions.ts'
import * as editQueries from './edit-queries.ts'
import * as factQueries from './fact-queries.ts'
import { selectHeld, selectRecords } from './person-queries.ts'
import * as queries from './queries.ts'
import {
  EDIT_PEOPLE_MAX,
  type EditAnswer,
  GROUPS_MAX,
  type GroupAnswer,
  type PersonTags,
  TAGS_MAX,
  type TagAnswer,
  type TagChange,
  type TagCommand,
  type TagEdits,
  type TagFact,
  type TagList,
  type TagRemoval,
  tagFact,
  type UndoAnswer,
} from './schema.ts'

const kind: PersonalKind<TagFact> = {
  name: 'tag',
  fact: tagFact,
  occurredField: 'occurred_at',
  remove: factQueries.removeTagFacts,
  insert: factQueries.insertTagFacts,
}
export const TAG_FACTS = personalFactKind(kind)
export const TAGS = personalFileKind(kind, {
  kind: 'tags',
  mappingsFolder: fileURLToPath(new URL('./mappings', import.meta.url)),
  people: { identity: '' },
  fields: {
    tag: { about: 'what they are marked with', reads: 'text' },
    group: { about: 'the group of a tag that nobody knows yet', reads: 'text' },
    strength: { about: 'over 0, up to 1; else 1', reads: 'number' },
    occurred_at: { about: 'since when', reads: 'time' },
    removed_at: { about: 'until when', reads: 'time' },
  },
  needs: [['tag'], ['occurred_at']],
})

const MOVES_MAX = 20_000

/** Tags follow their identity when claims made one person of two, or two of one. */
export async function followIdentities(database: Database, clock: Clock): Promise<number> {
  let followed = 0
  for (let claimed = MOVES_MAX; claimed === MOVES_MAX; followed += claimed) {
    claimed = await database.transaction(async (tx) => {
      const count = await claimMoves(tx, 'tags', MOVES_MAX)
      if (count > 0) {
        await factQueries.followMoves(tx)
        await insertPending(tx, clock.now())
      }
      return count
    })
  }
  return followed
}

/** Who is erased loses their tags: see `Eraser` of customers. */
export const eraseTags = factQueries.eraseTags

/** All that is kept of a person here, as it stands. */
export function exportTags(db: Sql, personId: number): Promise<PersonRows> {
  return selectPersonRows(db, 'tags', ['assignments'], personId)
}

/** Select body of the person_id of who has a tag at an instant, for queries of modules above. */
export const taggedPeople = queries.taggedBody

/** All groups and tags, with how many of the people in view have each at an instant. */
export async function listTags(db: Sql, at: Date, { scope }: View = FULL_VIEW): Promise<TagList> {
  const groups = await queries.selectGroups(db)
  const tags = await queries.selectTags(db, at, scope)
  return {
    as_of: at.toISOString(),
    groups,
    tags: tags.map(({ people, ...tag }) => ({ ...answered(tag), people })),
  }
}

function answered(tag: queries.TagRow): TagAnswer {
  return { ...tag, archived_at: tag.archived_at?.toISOString() ?? null }
}

export async function readTag(db: Sql, tagId: number): Promise<TagAnswer | Refusal> {
  const found = await queries.selectTag(db, tagId)
  return found ? answered(found) : noSuchTag(tagId)
}

/** The tag of a name, in whatever case. */
export async function findTag(db: Sql, name: string): Promise<TagAnswer | Refusal> {
  const found = await queries.selectTagByName(db, name.trim())
  return found
    ? answered(found)
    : refuse('missing', 'no_such_tag', `No tag is called "${name}".`, 'See the names with ./perennial tags.')
}

/** The tags of one person as of an instant, and what they were given before. */
export async function readPersonTags(
  db: Sql,
  personId: number,
  at: Date,
  { scope }: View = FULL_VIEW,
): Promise<PersonTags | Refusal> {
  if (!(await isInScope(db, personId, scope)) || !(await isPerson(db, personId))) return noSuchPerson(personId)
  const held = await selectHeld(db, personId, at)
  const records = await selectRecords(db, personId, at, HISTORY_MAX)
  return {
    person_id: personId,
    as_of: at.toISOString(),
    tags: held.map((row) => ({
      ...row,
      given_at: row.given_at.toISOString(),
      lapses_at: row.lapses_at?.toISOString() ?? null,
    })),
    history: records.map((row) => ({
      ...row,
      given_at: row.given_at.toISOString(),
      lapses_at: row.lapses_at?.toISOString() ?? null,
      ends_at: row.ends_at?.toISOString() ?? null,
      removed_at: row.removed_at?.toISOString() ?? null,
    })),
  }
}
const HISTORY_MAX = 200

/** One write about groups or tags and its row in the audit log, in one transaction; what was refused leaves nothing. */
function managed<T extends object>(
  database: Database,
  entry: { operation: string; by: Actor; now: Date; fields: readonly string[] },
  subjectsOf: (done: T) => Record<string, number>,
  write: (tx: Sql) => Promise<T | Refusal>,
): Promise<T | Refusal> {
  const { operation, by, now, fields } = entry
  return database.transaction(async (tx) => {
    const done = await write(tx)
    if (!isRefusal(done)) await recordAudit(tx, { actor: by, operation, subjects: subjectsOf(done), fields }, now)
    return done
  })
}

const ofGroup = ({ group_id }: GroupAnswer) => ({ group_id })
const ofTag = ({ tag_id }: { readonly tag_id: number }) => ({ tag_id })

export function createGroup(database: Database, name: string, by: Actor, now: Date): Promise<GroupAnswer | Refusal> {
  return managed(database, { operation: 'tag_group_create', by, now, fields: ['name'] }, ofGroup, async (tx) => {
    if ((await queries.selectCounts(tx)).groups >= GROUPS_MAX) return tooMany('groups', GROUPS_MAX)
    const groupId = await queries.insertGroup(tx, name)
    return groupId === undefined ? nameTaken('group', name) : { group_id: groupId, name }
  })
}

export function renameGroup(
  database: Database,
  groupId: number,
  name: string,
  by: Actor,
  now: Date,
): Promise<GroupAnswer | Refusal> {
  return managed(database, { operation: 'tag_group_change', by, now, fields: ['name'] }, ofGroup, async (tx) => {
    const { isFound, isTaken } = await queries.renameGroup(tx, groupId, name)
    if (!isFound) return noSuchGroup(groupId)
    return isTaken ? nameTaken('group', name) : { group_id: groupId, name }
  })
}

/** A group goes when it has no tags left, archived ones neither. */
export function deleteGroup(
  database: Database,
  groupId: number,
  by: Actor,
  now: Date,
): Promise<{ group_id: number } | Refusal> {
  const subjectsOf = ({ group_id }: { group_id: number }) => ({ group_id })
  return managed(database, { operation: 'tag_group_delete', by, now, fields: [] }, subjectsOf, async (tx) => {
    const tags = await queries.countGroupTags(tx, groupId)
    if (tags === undefined) return noSuchGroup(groupId)
    if (tags > 0) {
      const remedy = 'Put its tags into other groups first.'
      return refuse('conflict', 'group_in_use', `The group has ${tags} tags.`, remedy)
    }
    await queries.deleteGroup(tx, groupId)
    return { group_id: groupId }
  })
}

export function createTag(database: Database, wanted: TagCommand, by: Actor, now: Date): Promise<TagAnswer | Refusal> {
  const fields = Object.keys(wanted)
  return managed(database, { operation: 'tag_create', by, now, fields }, ofTag, async (tx) => {
    if ((await queries.selectCounts(tx)).tags >= TAGS_MAX) return tooMany('tags', TAGS_MAX)
    const unfit = await checkTag(tx, wanted, undefined)
    if (unfit) return unfit
    const tagId = await queries.insertTag(tx, wanted, now)
    const made = tagId === undefined ? undefined : await queries.selectTag(tx, tagId)
    return made ? answered(made) : nameTaken('tag', wanted.name)
  })
}

/** Changes a tag; a new life or half-life counts for everybody who was ever given it. */
export function changeTag(
  database: Database,
  tagId: number,
  change: TagChange,
  by: Actor,
  now: Date,
): Promise<TagAnswer | Refusal> {
  const fields = Object.keys(change)
  return managed(database, { operation: 'tag_change', by, now, fields }, ofTag, async (tx) => {
    const before = await queries.lockTag(tx, tagId)
    if (!before) return noSuchTag(tagId)
    const unfit = await checkTag(tx, change, before)
    if (unfit) return unfit
    // Segments ask for tags by name: under another one it could be asked for by the segment that gives it.
    const isOtherName = change.name !== undefined && change.name.toLowerCase() !== before.name.toLowerCase()
    if (before.rule_segment !== null && (isOtherName || change.is_archived)) return hasRule(before)
    await queries.updateTag(tx, tagId, change, now)
    const after = await queries.selectTag(tx, tagId)
    if (!after) throw new Error(`The tag ${tagId} went away while it was locked`)
    const isOtherLife = after.life_days !== before.life_days || after.half_life_days !== before.half_life_days
    if (isOtherLife) await queries.renewLapses(tx, tagId)
    // What rests on tags knows them by name.
    if (isOtherLife || after.name !== before.name) {
      await queries.createEveryHolder(tx, tagId)
      await insertPending(tx, now, { changed: 'tag_changes', kind: 'tag' })
    }
    return answered(after)
  })
}

/** What a tag cannot be: `before` is what it was, where it was anything. */
async function checkTag(tx: Sql, wanted: TagChange, before: queries.TagRow | undefined): Promise<Refusal | undefined> {
  const next = { ...before, ...wanted }
  if (next.life_days && next.half_life_days) {
    const remedy = 'Give a life or a half-life, and null for the other one.'
    return refuse('invalid', 'two_lives', 'life_days and half_life_days: a tag has at most one of them.', remedy)
  }
  if (before?.rule_segment && (next.life_days || next.half_life_days)) return rulesDoNotFade(before.tag_id)
  if (wanted.group_id && (await queries.countGroupTags(tx, wanted.group_id)) === undefined) {
    return noSuchGroup(wanted.group_id)
  }
  if (wanted.name === undefined) return undefined
  const other = await queries.selectTagByName(tx, wanted.name)
  return other && other.tag_id !== before?.tag_id ? nameTaken('tag', wanted.name) : undefined
}

/** A tag that nobody ever had is deleted; any other is archived: nobody is given it any more, and who has it keeps it. */
export function removeTag(database: Database, tagId: number, by: Actor, now: Date): Promise<TagRemoval | Refusal> {
  return managed(database, { operation: 'tag_delete', by, now, fields: [] }, ofTag, async (tx) => {
    // Alone: a fact that names it may come in beside any other change.
    const tag = await queries.lockTag(tx, tagId, 'alone')
    if (!tag) return noSuchTag(tagId)
    if (tag.rule_segment !== null) return hasRule(tag)
    const { people, isUsed } = await queries.selectUse(tx, tagId, now)
    if (isUsed) await queries.updateTag(tx, tagId, { is_archived: true }, now)
    else await queries.deleteTag(tx, tagId)
    return { tag_id: tagId, is_deleted: !isUsed, people }
  })
}

export interface TagEdit {
  readonly verb: 'give' | 'take'
  readonly tagId: number
  /** People by number, or a select body of person_id of whoever a module above means. */
  readonly people: readonly number[] | RawBuilder<unknown>
  /** Over 0, up to 1. */
  readonly strength?: number | undefined
  readonly by: Actor
  readonly view?: View
}

/**
 * Gives a tag to people, or takes it, by hand: one edit, one row of the audit log, taken back whole by `undoTagEdit`.
 *
 * @returns counts of people. Refused when a person that is named does not exist or is out of view, when they are more than
 *   EDIT_PEOPLE_MAX, and for an archived tag that is to be given.
 */
export async function editTags(database: Database, clock: Clock, edit: TagEdit): Promise<EditAnswer | Refusal> {
  const { verb, tagId, people, by } = edit
  const view = edit.view ?? FULL_VIEW
  // Of a merge of a moment ago: what still stands under the former person would be missed.
  await followIdentities(database, clock)
  return database.transaction(async (tx) => {
    // Who is one person stands still meanwhile.
    await lockIntake(tx, 'beside')
    const tag = await queries.lockTag(tx, tagId)
    const now = clock.now()
    if (!tag) return noSuchTag(tagId)
    if (verb === 'give' && tag.archived_at) return archived(tag)
    const body = isNamed(people) ? editQueries.namedBody(people) : people
    const asked = await editQueries.createAsked(tx, body, { scope: view.scope, limit: EDIT_PEOPLE_MAX })
    if (asked > EDIT_PEOPLE_MAX) {
      const message = `An edit changes at most ${EDIT_PEOPLE_MAX} people.`
      return refuse('over_limit', 'too_many_people', message, 'Narrow the people down, and edit in several turns.')
    }
    const unknown = isNamed(people) ? await editQueries.selectUnknown(tx, people) : undefined
    if (unknown !== undefined) return noSuchPerson(unknown)
    const editId = await editQueries.nextEditId(tx)
    const start = { tagId, editId, by: by.name, now }
    if (verb === 'give') await editQueries.giveTag(tx, start, edit.strength ?? 1)
    else await editQueries.takeTag(tx, start)
    const outcomes = await editQueries.settleEdited(tx)
    if (asked === 1 && outcomes.kept_by_rule === 1) return keptByRule(tag)
    await editQueries.insertEdit(tx, { ...start, verb, people: outcomes.changed, byId: by.id })
    await insertPending(tx, now, { changed: 'tag_changes', kind: 'tag' })
    const subjects = { edit_id: editId, tag_id: tagId, people: outcomes.changed }
    const fields = verb === 'give' ? ['tag', 'strength'] : ['tag']
    await recordAudit(tx, { actor: by, operation: `tag_${verb}`, subjects, fields }, now)
    await editQueries.dropEdited(tx)
    return { edit_id: editId, tag_id: tagId, verb, ...outcomes }
  })
}

function isNamed(people: TagEdit['people']): people is readonly number[] {
  return Array.isArray(people)
}

/**
 * Takes an edit back. Whose tag somebody changed by hand after it stays as it is, and is counted.
 *
 * @param ownOnly another account's edit is missing like one that is not there.
 */
export async function undoTagEdit(
  database: Database,
  clock: Clock,
  { editId, by, ownOnly }: { editId: number; by: Actor; ownOnly?: boolean },
): Promise<UndoAnswer | Refusal> {
  await followIdentities(database, clock)
  return database.transaction(async (tx) => {
    await lockIntake(tx, 'beside')
    const found = await editQueries.selectEdit(tx, editId)
    if (!found || (ownOnly && found.done_by_id !== by.id)) {
      return refuse('missing', 'no_such_edit', `There is no edit ${editId} of tags.`, 'Take a number from its answer.')
    }
    await queries.lockTag(tx, found.tag_id)
    const now = clock.now()
    // Somebody else may have undone it before the lock was had.
    const edit = (await editQueries.selectEdit(tx, editId)) ?? found
    if (edit.undone_at) {
      const message = `Edit ${editId} was undone at ${edit.undone_at.toISOString()}.`
      return refuse('conflict', 'already_undone', message, 'Give or take the tag again if it should count.')
    }
    await editQueries.undoEdit(tx, edit)
    const { changed: restored, unchanged: leftAlone } = await editQueries.settleEdited(tx)
    await editQueries.updateUndone(tx, editId, by.name, now)
    await insertPending(tx, now, { changed: 'tag_changes', kind: 'tag' })
    const subjects = { edit_id: editId, tag_id: edit.tag_id, people: restored }
    await recordAudit(tx, { actor: by, operation: 'tag_undo', subjects }, now)
    await editQueries.dropEdited(tx)
    return { edit_id: editId, restored, left_alone: leftAlone }
  })
}

const EDITS_MAX = 50

/** The latest edits; `ownOf` an account's own. */
export async function listTagEdits(db: Sql, ownOf?: string): Promise<TagEdits> {
  const rows = await editQueries.selectEdits(db, EDITS_MAX, ownOf)
  return {
    edits: rows.map(({ edit_id, tag_id, tag, verb, people, done_at, done_by, undone_at }) => ({
      ...{ edit_id, tag_id, tag, verb, people, done_by },
      done_at: done_at.toISOString(),
      undone_at: undone_at?.toISOString() ?? null,
    })),
  }
}

/**
 * Which segment gives and takes a tag from now on; null: none, and whoever has it by the rule has it no more. Refused for tags that
 * fade, because a rule holds for as long as it holds, and for archived ones.
 */
export async function setTagRule(
  tx: Sql,
  tagId: number,
  segment: queries.RuleSegment | null,
  now: Date,
): Promise<Refusal | undefined> {
  const tag = await queries.lockTag(tx, tagId)
  if (!tag) return noSuchTag(tagId)
  if (segment !== null && tag.archived_at) return archived(tag)
  if (segment !== null && (tag.life_days || tag.half_life_days)) return rulesDoNotFade(tagId)
  await queries.writeRule(tx, tagId, segment, now)
  return undefined
}

/** A segment is called otherwise: its rules say so. */
export const renameTagRules = queries.renameRules

/**
 * What a rule says of people, in the caller's transaction: everybody of `peopleIn` has the tag by the rule, nobody of `peopleOut`
 * who is not in the first; of anybody else nothing is said. Both are select bodies (person_id, at, cause, fact_id). Only differences
 * are written. May be called for many tags in one transaction, after `followIdentities` where people were merged since. Nobody
 * becomes pending: standing does not rest on tags, and whatever is told by the caller, by `tag_changes (person_id, at, cause, fact_id)`,
 * which stands until the next call.
 *
 * @returns how many people were given it and how many lost it; a refusal when there is no such tag, or it is archived.
 */
export async function applyRuleTag(
  tx: Sql,
  tagId: number,
  people: editQueries.RulePeople,
  now: Date,
): Promise<{ given: number; taken: number } | Refusal> {
  await lockIntake(tx, 'beside')
  const tag = await queries.lockTag(tx, tagId)
  if (!tag) return noSuchTag(tagId)
  if (tag.archived_at) return archived(tag)
  await editQueries.dropEdited(tx)
  return editQueries.applyRule(tx, tagId, people, now)
}

function noSuchPerson(personId: number): Refusal {
  return refuse('missing', 'no_such_person', `There is no person ${personId}.`, 'Look the person up by key.')
}

function noSuchTag(tagId: number): Refusal {
  return refuse('missing', 'no_such_tag', `There is no tag ${tagId}.`, 'Take a number from the list of tags.')
}

function noSuchGroup(groupId: number): Refusal {
  return refuse('missing', 'no_such_group', `There is no group ${groupId}.`, 'Take a number from the list of groups.')
}

function nameTaken(what: 'tag' | 'group', name: string): Refusal {
  return refuse('conflict', 'name_taken', `There is a ${what} "${name}" already.`, 'Take another name, or that one.')
}

function tooMany(what: string, most: number): Refusal {
  return refuse('over_limit', 'too_many', `There are ${most} ${what}, which is the most.`, 'Delete what nobody has.')
}

function archived({ name }: queries.TagRow): Refusal {
  return refuse('conflict', 'tag_archived', `The tag "${name}" is archived.`, 'Take it out of the archive first.')
}

function keptByRule({ name, rule_segment: segment }: queries.TagRow): Refusal {
  const message = `The tag "${name}" is given by its rule${segment ? `, the segment ${segment}` : ''}.`
  return refuse('conflict', 'kept_by_rule', message, 'Change the rule: taken by hand it would come back.')
}

function hasRule({ name, rule_segment: segment }: queries.TagRow): Refusal {
  const message = `The segment "${segment}" gives the tag "${name}": it keeps its name and is not archived.`
  return refuse('conflict', 'tag_has_rule', message, 'Take its rule off first.')
}

function rulesDoNotFade(tagId: number): Refusal {
  const message = `The tag ${tagId} cannot have both a rule and a life or half-life.`
  return refuse('conflict', 'rule_and_life', message, 'A rule gives and takes its tag by itself: leave the life out.')
}
