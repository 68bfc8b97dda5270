import { type RawBuilder, sql } from 'kysely'
import type { Sql } from '../../platform/db.ts'
import type { PeopleScope } from '../../platform/roles.ts'
import { ofScope } from '../customers/actions.ts'
import { numberAssignments } from '../intake/actions.ts'
import { isHeld, lapseOf } from './queries.ts'

/*
 * Giving and taking, in temporary tables of one transaction, dropped by `dropEdited` so that the next edit of the same
 * transaction may make them again:
 *
 *   edited           person_id, outcome: changed | unchanged | kept_by_rule
 *   new_assignments  person_id, assignment_id
 *   tag_changes      person_id: who has to be told of
 */

/** Select body of people by number. */
export function namedBody(personIds: readonly number[]): RawBuilder<unknown> {
  return sql`select unnest(${personIds}::bigint[]) as person_id`
}

/** People of a select body who exist and are in scope, each once: `asked_people`; one more than the limit at most. */
export async function createAsked(
  tx: Sql,
  people: RawBuilder<unknown>,
  { scope, limit }: { readonly scope: PeopleScope; readonly limit: number },
): Promise<number> {
  // Who exists is named by the smallest of their identities.
  await sql`
    create temp table asked_people on commit drop as
    select distinct p.person_id from (${ofScope(people, scope)}) p
    join customers.published_canonical c on c.identity_id = p.person_id and c.person_id = p.person_id limit ${limit + 1}`.execute(
    tx,
  )
  await sql`analyze asked_people`.execute(tx)
  const { rows } = await sql<{ asked: number }>`select count(*) as asked from asked_people`.execute(tx)
  return rows[0]?.asked ?? 0
}

/** The first of these numbers that is nobody of `asked_people`. */
export async function selectUnknown(tx: Sql, personIds: readonly number[]): Promise<number | undefined> {
  const { rows } = await sql<{ person_id: number }>`
    select n.person_id from unnest(${personIds}::bigint[]) with ordinality n (person_id, place)
    where not exists (select from asked_people a where a.person_id = n.person_id) order by place limit 1`.execute(tx)
  return rows[0]?.person_id
}

export interface EditStart {
  readonly tagId: number
  readonly editId: number
  readonly by: string
  readonly now: Date
}

export async function nextEditId(tx: Sql): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    select nextval(pg_get_serial_sequence('tags.edits', 'edit_id')) as id`.execute(tx)
  return rows[0]?.id ?? 0
}

/**
 * Everybody of `asked_people` has the tag by hand, at this strength, from now on. Who has it just so stays; a tag that fades is
 * given anew.
 */
export async function giveTag(tx: Sql, { tagId, editId, by, now }: EditStart, strength: number): Promise<void> {
  const at = sql`${now}::timestamptz`
  await sql`
    create temp table edited on commit drop as
    select p.person_id, case when exists (
      select from tags.assignments a join tags.tags t using (tag_id)
      where a.person_id = p.person_id and a.tag_id = ${tagId} and a.source = 'manual' and ${isHeld(at)}
        and a.strength = ${strength}::double precision and (a.given_at = ${at} or coalesce(t.life_days, t.half_life_days) is null)
    ) then 'unchanged' else 'changed' end as outcome
    from asked_people p`.execute(tx)
  await takeRows(tx, { tagId, editId, by, now }, sql`a.source = 'manual'`)
  await sql`
    create temp table new_assignments on commit drop as
    select person_id, null::bigint as assignment_id from edited where outcome = 'changed' order by person_id`.execute(
    tx,
  )
  await insertAssignments(tx, { tagId, strength, by, editId, now })
}

/** Nobody of `asked_people` has the tag any more, but for those whom its rule gave it. */
export async function takeTag(tx: Sql, edit: EditStart): Promise<void> {
  const held = (source: RawBuilder<unknown>) => sql`exists (
    select from tags.assignments a
    where a.person_id = p.person_id and a.tag_id = ${edit.tagId} and ${source} and ${isHeld(sql`${edit.now}::timestamptz`)})`
  await sql`
    create temp table edited on commit drop as
    select p.person_id, case when ${held(sql`a.source <> 'rule'`)} then 'changed'
      when ${held(sql`a.source = 'rule'`)} then 'kept_by_rule' else 'unchanged' end as outcome
    from asked_people p`.execute(tx)
  await takeRows(tx, edit, sql`a.source <> 'rule'`)
}

async function takeRows(tx: Sql, { tagId, editId, by, now }: EditStart, which: RawBuilder<unknown>): Promise<void> {
  await sql`
    update tags.assignments a set removed_at = ${now}, removed_by = ${by}, removed_edit_id = ${editId}
    from edited e
    where e.outcome = 'changed' and a.person_id = e.person_id and a.tag_id = ${tagId} and ${which}
      and ${isHeld(sql`${now}::timestamptz`)}`.execute(tx)
}

async function insertAssignments(
  tx: Sql,
  given: {
    tagId: number
    strength: number
    by: string
    editId: number
    now: Date
  },
): Promise<void> {
  await numberAssignments(tx)
  const { tagId, strength, by, editId, now } = given
  await sql`
    insert into tags.assignments (person_id, assignment_id, identity_id, tag_id, source, strength, given_at, given_by, edit_id, lapses_at,
      recorded_at)
    select n.person_id, n.assignment_id, n.person_id, t.tag_id, 'manual', ${strength}, ${now}, ${by}, ${editId},
      ${lapseOf(sql`${strength}::double precision`, sql`${now}::timestamptz`)}, ${now}
    from new_assignments n, tags.tags t where t.tag_id = ${tagId} order by n.person_id`.execute(tx)
}

export interface Outcomes {
  readonly asked: number
  readonly changed: number
  readonly unchanged: number
  readonly kept_by_rule: number
}

/** What became of `edited`, and who changed: `tag_changes`. */
export async function settleEdited(tx: Sql): Promise<Outcomes> {
  await sql`
    create temp table tag_changes on commit drop as select person_id from edited where outcome = 'changed'`.execute(tx)
  const { rows } = await sql<Outcomes>`
    select count(*) as asked, count(*) filter (where outcome = 'changed') as changed,
      count(*) filter (where outcome = 'unchanged') as unchanged,
      count(*) filter (where outcome = 'kept_by_rule') as kept_by_rule from edited`.execute(tx)
  return rows[0] ?? { asked: 0, changed: 0, unchanged: 0, kept_by_rule: 0 }
}

export async function dropEdited(tx: Sql): Promise<void> {
  await sql`drop table if exists asked_people, edited, new_assignments, tag_changes`.execute(tx)
}

export interface EditRow {
  readonly edit_id: number
  readonly tag_id: number
  readonly verb: 'give' | 'take'
  readonly people: number
  readonly done_at: Date
  readonly done_by: string
  readonly done_by_id: string | null
  readonly undone_at: Date | null
}

export async function insertEdit(
  tx: Sql,
  edit: EditStart & { verb: 'give' | 'take'; people: number; byId: string | null },
): Promise<void> {
  await sql`
    insert into tags.edits (edit_id, tag_id, verb, people, done_at, done_by, done_by_id) overriding system value
    values (${edit.editId}, ${edit.tagId}, ${edit.verb}, ${edit.people}, ${edit.now}, ${edit.by}, ${edit.byId})`.execute(
    tx,
  )
}

export async function selectEdit(db: Sql, editId: number): Promise<EditRow | undefined> {
  const { rows } = await sql<EditRow>`
    select edit_id, tag_id, verb, people, done_at, done_by, done_by_id, undone_at from tags.edits where edit_id = ${editId}`.execute(
    db,
  )
  return rows[0]
}

/** The latest edits; of one account where `byId` says whose. */
export async function selectEdits(
  db: Sql,
  limit: number,
  byId: string | undefined,
): Promise<(EditRow & { tag: string })[]> {
  const { rows } = await sql<EditRow & { tag: string }>`
    select e.edit_id, e.tag_id, t.name as tag, e.verb, e.people, e.done_at, e.done_by, e.done_by_id, e.undone_at
    from tags.edits e join tags.tags t using (tag_id)
    where ${byId ?? null}::text is null or e.done_by_id = ${byId ?? null}
    order by e.edit_id desc limit ${limit}`.execute(db)
  return rows
}

/**
 * Takes an edit back: what it gave was never given, what it took was never taken, of everybody whose tag no later edit changed.
 * Edits of a tag have numbers in the order in which they were done.
 */
export async function undoEdit(tx: Sql, { edit_id: editId, tag_id: tagId }: EditRow): Promise<void> {
  await sql`
    create temp table edited on commit drop as
    select p.person_id, case when exists (
      select from tags.assignments a where a.person_id = p.person_id and a.tag_id = ${tagId}
        and greatest(a.edit_id, a.removed_edit_id) > ${editId}
    ) then 'unchanged' else 'changed' end as outcome
    from (
      select person_id from tags.assignments where edit_id = ${editId}
      union select person_id from tags.assignments where removed_edit_id = ${editId}
    ) p`.execute(tx)
  await sql`
    delete from tags.assignments a using edited e
    where e.outcome = 'changed' and a.person_id = e.person_id and a.edit_id = ${editId}`.execute(tx)
  await sql`
    update tags.assignments a set removed_at = null, removed_by = null, removed_edit_id = null
    from edited e where e.outcome = 'changed' and a.person_id = e.person_id and a.removed_edit_id = ${editId}`.execute(
    tx,
  )
}

export async function updateUndone(tx: Sql, editId: number, by: string, now: Date): Promise<void> {
  await sql`update tags.edits set undone_at = ${now}, undone_by = ${by} where edit_id = ${editId}`.execute(tx)
}

/** What a rule says of people: select bodies (person_id, at, cause, fact_id), since when and by what each is in, or out. */
export interface RulePeople {
  readonly peopleIn: RawBuilder<unknown>
  readonly peopleOut: RawBuilder<unknown>
}

/**
 * Whom a rule gives its tag: everybody of `peopleIn` has it by the rule, nobody else of `peopleOut`; who is in both has it.
 * Rows are written for who differs. Who changed: `tag_changes`, with at, cause and fact_id.
 */
export async function applyRule(
  tx: Sql,
  tagId: number,
  { peopleIn, peopleOut }: RulePeople,
  now: Date,
): Promise<{ given: number; taken: number }> {
  const said = sql`person_id, at, cause, fact_id`
  const has = (personId: RawBuilder<unknown>) => sql`exists (
    select from tags.assignments a
    where a.person_id = ${personId} and a.tag_id = ${tagId} and a.source = 'rule' and ${isHeld(sql`${now}::timestamptz`)})`
  // Both bodies are read before anything is written: they may rest on tags themselves.
  await sql`
    create temp table rule_in on commit drop as
    select distinct on (person_id) ${said} from (${peopleIn}) p order by person_id, at`.execute(tx)
  await sql`
    create temp table rule_out on commit drop as
    select distinct on (person_id) ${said} from (${peopleOut}) p
    where not exists (select from rule_in i where i.person_id = p.person_id) order by person_id, at`.execute(tx)
  await sql`
    create temp table new_assignments on commit drop as
    select i.*, null::bigint as assignment_id
    from rule_in i join customers.published_canonical c on c.identity_id = i.person_id and c.person_id = i.person_id
    where not ${has(sql`i.person_id`)} order by i.person_id`.execute(tx)
  await numberAssignments(tx)
  await sql`
    insert into tags.assignments (person_id, assignment_id, identity_id, tag_id, source, strength, given_at, given_cause, given_fact_id,
      recorded_at)
    select person_id, assignment_id, person_id, ${tagId}, 'rule', 1, at, cause, fact_id, ${now} from new_assignments
    order by person_id`.execute(tx)
  await sql`create temp table tag_changes on commit drop as select ${said} from new_assignments`.execute(tx)
  const given = await sql<{ given: number }>`select count(*) as given from new_assignments`.execute(tx)
  // Nobody loses it before they had it: what time did may be followed after the rule was set.
  const taken = await sql<{ taken: number }>`
    with gone as (
      update tags.assignments a
      set removed_at = greatest(a.given_at, o.at), removed_cause = o.cause, removed_fact_id = o.fact_id
      from rule_out o
      where a.person_id = o.person_id and a.tag_id = ${tagId} and a.source = 'rule' and ${isHeld(sql`${now}::timestamptz`)}
      returning a.person_id, o.at, o.cause, o.fact_id
    ), told as (
      insert into tag_changes select distinct ${said} from gone returning person_id
    )
    select count(*) as taken from told`.execute(tx)
  await sql`drop table rule_in, rule_out`.execute(tx)
  return { given: given.rows[0]?.given ?? 0, taken: taken.rows[0]?.taken ?? 0 }
}
