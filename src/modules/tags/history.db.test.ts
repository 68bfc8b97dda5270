import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { importAny } from '../../bin/file-kinds.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal, type Refusal } from '../../platform/refusal.ts'
import { mergePeople, withdrawClaim } from '../customers/actions.ts'
import { storeFacts, undoImport } from '../intake/actions.ts'
import {
  applyRuleTag,
  changeTag,
  createGroup,
  createTag,
  editTags,
  followIdentities,
  readPersonTags,
  undoTagEdit,
} from './actions.ts'

// Whatever is done to tags, in any order: who has which, with what strength and until when, at any instant, what the
// history says, and which five are the main ones, is what docs/definitions.md says. The oracle is written from there.

const DAY = 86_400_000
const START = Date.parse('2026-03-01T04:00:00Z')
const WHO = ['a', 'b', 'c', 'd'] as const

interface Kind {
  readonly name: string
  readonly group: string | null
  life: number | null
  half: number | null
}
const KINDS: readonly Kind[] = [
  { name: 't0', group: 'g1', life: null, half: null },
  { name: 't1', group: 'g1', life: 10, half: null },
  { name: 't2', group: 'g1', life: null, half: null },
  { name: 't3', group: 'g2', life: null, half: 5 },
  { name: 't4', group: 'g2', life: null, half: null },
  { name: 't5', group: null, life: null, half: null },
  { name: 't6', group: null, life: null, half: null },
  { name: 't7', group: 'g3', life: null, half: null },
]
const RULED = 7
const FADING = [1, 3]

interface Row {
  readonly node: number
  readonly tag: number
  readonly source: 'manual' | 'rule' | 'import'
  readonly strength: number
  readonly given: number
  readonly ends: number | null
  readonly edit: number | null
  readonly fact: string | null
  removed: number | null
  removedEdit: number | null
}

interface Said {
  readonly node: number
  readonly tag: number
  readonly strength: number
  readonly given: number
  readonly ends: number | null
}

interface Version {
  readonly said: Said
  readonly file: number
  readonly turn: number
}

/** The definitions, over plain lists. */
class Oracle {
  rows: Row[] = []
  readonly kinds = KINDS.map((kind) => ({ ...kind }))
  readonly nodes: readonly number[]
  merges: { claim: number; nodes: readonly number[] }[] = []
  /** Versions of each fact that no undo took back; the first is in force. */
  readonly facts = new Map<string, Version[]>()
  turn = 0

  constructor(nodes: readonly number[]) {
    this.nodes = nodes
  }

  personOf(node: number): number {
    const reached = new Set([node])
    for (let size = 0; size < reached.size; ) {
      size = reached.size
      for (const { nodes } of this.merges)
        if (nodes.some((one) => reached.has(one))) for (const one of nodes) reached.add(one)
    }
    return Math.min(...reached)
  }

  people(): number[] {
    return [...new Set(this.nodes.map((node) => this.personOf(node)))]
  }

  lapses(row: Row): number | null {
    const kind = this.kinds[row.tag]
    if (kind?.life) return row.given + kind.life * DAY
    if (kind?.half) return row.given + kind.half * DAY * Math.max(0, Math.log2(row.strength / 0.1))
    return null
  }

  until(row: Row): number {
    return Math.min(...[this.lapses(row), row.ends, row.removed].map((at) => at ?? Number.POSITIVE_INFINITY))
  }

  isHeld(row: Row, at: number): boolean {
    return row.given <= at && at < this.until(row)
  }

  held(person: number, tag: number, at: number): Row[] {
    return this.rows.filter((row) => row.tag === tag && this.personOf(row.node) === person && this.isHeld(row, at))
  }

  give(edit: number, tag: number, people: readonly number[], strength: number, now: number): number {
    const fades = Boolean(this.kinds[tag]?.life ?? this.kinds[tag]?.half)
    let changed = 0
    for (const person of people) {
      const manual = this.held(person, tag, now).filter(({ source }) => source === 'manual')
      if (manual.some((row) => row.strength === strength && (!fades || row.given === now))) continue
      changed += 1
      for (const row of manual) Object.assign(row, { removed: now, removedEdit: edit })
      this.rows.push({ ...{ node: person, tag, source: 'manual', strength, given: now }, ...NEVER, edit })
    }
    return changed
  }

  take(edit: number, tag: number, people: readonly number[], now: number): number {
    let changed = 0
    for (const person of people) {
      const others = this.held(person, tag, now).filter(({ source }) => source !== 'rule')
      if (others.length > 0) changed += 1
      for (const row of others) Object.assign(row, { removed: now, removedEdit: edit })
    }
    return changed
  }

  undo(edit: number, tag: number): { restored: number; left_alone: number } {
    const touched = this.rows.filter((row) => row.edit === edit || row.removedEdit === edit)
    const people = [...new Set(touched.map(({ node }) => this.personOf(node)))]
    const isLater = (person: number) =>
      this.rows.some(
        (row) =>
          row.tag === tag && this.personOf(row.node) === person && Math.max(row.edit ?? 0, row.removedEdit ?? 0) > edit,
      )
    const alone = people.filter(isLater)
    const isUndone = (row: Row) => !alone.includes(this.personOf(row.node))
    this.rows = this.rows.filter((row) => row.edit !== edit || !isUndone(row))
    for (const row of this.rows) {
      if (row.removedEdit === edit && isUndone(row)) Object.assign(row, { removed: null, removedEdit: null })
    }
    return { restored: people.length - alone.length, left_alone: alone.length }
  }

  rule(peopleIn: readonly number[], peopleOut: readonly number[], now: number): void {
    const byRule = (person: number) => this.held(person, RULED, now).filter(({ source }) => source === 'rule')
    for (const person of peopleOut) {
      if (!peopleIn.includes(person)) for (const row of byRule(person)) row.removed = now
    }
    for (const person of peopleIn) {
      if (byRule(person).length > 0) continue
      this.rows.push({ ...{ node: person, tag: RULED, source: 'rule', strength: 1, given: now }, ...NEVER })
    }
  }

  /** The row of a fact says something else, or nothing any more; what was taken by hand stays taken where it still fits. */
  private write(fact: string, said: Said | undefined): void {
    const old = this.rows.find((row) => row.fact === fact)
    this.rows = this.rows.filter((row) => row !== old)
    if (!said) return
    const isKept =
      old && old.removed !== null && old.node === said.node && old.tag === said.tag && old.removed >= said.given
    const removal = isKept ? { removed: old.removed, removedEdit: old.removedEdit } : {}
    this.rows.push({ ...NEVER, ...said, source: 'import', fact, ...removal })
  }

  file(file: number, given: readonly { fact: string; said: Said }[]): void {
    this.turn += 1
    // Of rows with the same id in one file the last one counts.
    for (const [fact, said] of new Map(given.map((one) => [one.fact, one.said]))) {
      const versions = this.facts.get(fact) ?? []
      if (versions.some((version) => JSON.stringify(version.said) === JSON.stringify(said))) continue
      this.facts.set(fact, [{ said, file, turn: this.turn }, ...versions])
      this.write(fact, said)
    }
  }

  undoFile(file: number): void {
    for (const [fact, versions] of this.facts) {
      const left = versions.filter((version) => version.file !== file)
      this.facts.set(fact, left)
      if (left[0] !== versions[0]) this.write(fact, left[0]?.said)
    }
  }

  strength(row: Row, at: number): number {
    const half = this.kinds[row.tag]?.half
    return row.strength * (half ? 2 ** (-(at - row.given) / (half * DAY)) : 1)
  }

  /** The tags of a person, main ones first. */
  card(person: number, at: number): { tag: string; strength: number; lapses: number; isMain: boolean }[] {
    const tags = this.kinds.flatMap((kind, tag) => {
      const rows = this.held(person, tag, at)
      if (rows.length === 0) return []
      return {
        tag: kind.name,
        group: kind.group ?? kind.name,
        strength: Math.max(...rows.map((row) => this.strength(row, at))),
        rarity: this.people().filter((other) => this.held(other, tag, at).length > 0).length,
        given: Math.max(...rows.map((row) => row.given)),
        lapses: Math.max(...rows.map((row) => this.until(row))),
      }
    })
    type Ranked = (typeof tags)[number]
    const before = (one: Ranked, other: Ranked) =>
      other.strength - one.strength ||
      one.rarity - other.rarity ||
      other.given - one.given ||
      (one.tag < other.tag ? -1 : 1)
    const leads = (one: Ranked) =>
      tags.every((other) => other === one || other.group !== one.group || before(one, other) < 0)
    const sorted = tags.toSorted((one, other) => Number(leads(other)) - Number(leads(one)) || before(one, other))
    return sorted.map(({ tag, strength, lapses }, place) => ({ tag, strength, lapses, isMain: place < 5 }))
  }

  history(person: number, at: number) {
    return this.rows.filter((row) => this.personOf(row.node) === person && row.given <= at)
  }
}
const NEVER = { ends: null, edit: null, fact: null, removed: null, removedEdit: null }

const some = fc.subarray([0, 1, 2, 3], { minLength: 1 })
const tag = fc.nat({ max: KINDS.length - 1 })
const strength = fc.constantFrom(1, 1, 1, 0.5, 0.25, 0.05)
/** A row of a file: who and which tag by their places, times in days. */
interface Line {
  fact: string
  who: number
  tag: number
  strength: number
  ago: number
  lasted: number | null
}
const line = fc.record<Line>({
  fact: fc.constantFrom('f1', 'f2', 'f3', 'f4'),
  who: fc.nat({ max: 3 }),
  tag,
  strength,
  ago: fc.constantFrom(0, 1, 3, 9, 12),
  lasted: fc.constantFrom(null, null, 0, 2, 30),
})
const act = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('give' as const), tag, some, strength }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), tag, some }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('undo' as const), which: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('file' as const), lines: fc.array(line, { minLength: 1, maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('undoFile' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rule' as const), some, others: some }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('merge' as const), one: fc.nat({ max: 3 }), other: fc.nat({ max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unmerge' as const), which: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('life' as const), which: fc.nat(), days: fc.constantFrom(null, 2, 6, 20) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), days: fc.constantFrom(0.5, 1, 5, 5, 10) }) },
)
type Act = typeof act extends fc.Arbitrary<infer Value> ? Value : never

/** What is done, to the product and to the oracle alike. */
class Play {
  now = START
  readonly edits: { id: number; tag: number; isUndone: boolean }[] = []
  readonly files: { id: number; isUndone: boolean }[] = []
  readonly clock = { now: () => new Date(this.now) }
  readonly database: Database
  readonly oracle: Oracle
  readonly tagIds: readonly number[]
  readonly folder: string

  constructor(database: Database, oracle: Oracle, tagIds: readonly number[], folder: string) {
    this.database = database
    this.oracle = oracle
    this.tagIds = tagIds
    this.folder = folder
  }

  private peopleOf(places: readonly number[]): number[] {
    return [...new Set(places.map((place) => this.oracle.personOf(this.oracle.nodes[place] ?? 0)))]
  }

  async edit(verb: 'give' | 'take', tag: number, places: readonly number[], strength: number): Promise<void> {
    const people = this.peopleOf(places)
    const command = { verb, tagId: this.tagIds[tag] ?? 0, people, strength, by: atTerminal('lead') }
    const answer = await editTags(this.database, this.clock, command)
    if (isRefusal(answer)) {
      assert.equal(answer.code, 'kept_by_rule')
      assert.deepEqual([verb, people.length, tag], ['take', 1, RULED])
      assert.equal(this.oracle.take(0, tag, people, this.now), 0)
      return
    }
    const changed =
      verb === 'give'
        ? this.oracle.give(answer.edit_id, tag, people, strength, this.now)
        : this.oracle.take(answer.edit_id, tag, people, this.now)
    assert.equal(answer.changed, changed)
    assert.equal(answer.asked, people.length)
    assert.equal(answer.asked, answer.changed + answer.unchanged + answer.kept_by_rule)
    this.edits.push({ id: answer.edit_id, tag, isUndone: false })
  }

  async undo(which: number): Promise<void> {
    const edit = this.edits[which % this.edits.length]
    if (!edit) return
    const answer = await undoTagEdit(this.database, this.clock, { editId: edit.id, by: atTerminal('lead') })
    if (edit.isUndone) {
      assert.ok(isRefusal(answer) && answer.code === 'already_undone')
      return
    }
    const { edit_id, ...counts } = done(answer)
    assert.equal(edit_id, edit.id)
    assert.deepEqual(counts, this.oracle.undo(edit.id, edit.tag))
    edit.isUndone = true
  }

  async file(lines: readonly Line[]): Promise<void> {
    const given = lines.map(({ fact, who, tag, strength, ago, lasted }) => {
      const occurred = this.now - ago * DAY
      const said = {
        node: this.oracle.nodes[who] ?? 0,
        tag,
        strength,
        given: occurred,
        ends: lasted === null ? null : occurred + lasted * DAY,
      }
      return { fact, who, said }
    })
    const path = join(this.folder, 'tags.csv')
    const time = (at: number | null) => (at === null ? '' : new Date(at).toISOString())
    const rows = given.map(({ fact, who, said }) =>
      [fact, WHO[who], KINDS[said.tag]?.name, said.strength, time(said.given), time(said.ends)].join(','),
    )
    await writeFile(path, `external_id,own_id,tag,strength,occurred_at,removed_at\n${rows.join('\n')}\n`)
    const folders = { rejectsFolder: join(this.folder, 'rejects'), runsFolder: join(this.folder, 'runs') }
    const report = await importAny(this.database, this.clock, {
      ...{ path, mapping: 'tags', options: { own_id_source: 'shop' }, dryRun: false, ...folders },
    })
    const { import_id: id, rows_rejected } = done(report)
    assert.equal(rows_rejected, 0)
    this.files.push({ id: id ?? 0, isUndone: false })
    this.oracle.file(id ?? 0, given)
  }

  async undoFile(which: number): Promise<void> {
    const file = this.files[which % this.files.length]
    if (!file || file.isUndone) return
    done(await undoImport(this.database, this.clock, { importId: file.id, by: atTerminal('lead'), kinds: FACT_KINDS }))
    this.oracle.undoFile(file.id)
    file.isUndone = true
  }

  async rule(some: readonly number[], others: readonly number[]): Promise<void> {
    await followIdentities(this.database, this.clock)
    const [peopleIn, peopleOut] = [this.peopleOf(some), this.peopleOf(others)]
    await this.database.transaction(async (tx) => {
      const tagId = this.tagIds[RULED] ?? 0
      const now = this.clock.now()
      const said = { peopleIn: saidBody(peopleIn, now), peopleOut: saidBody(peopleOut, now) }
      done(await applyRuleTag(tx, tagId, said, now))
      // The same again writes nothing, in the same transaction too.
      const again = await applyRuleTag(tx, tagId, said, now)
      assert.deepEqual(again, { given: 0, taken: 0 })
    })
    this.oracle.rule(peopleIn, peopleOut, this.now)
  }

  async merge(places: readonly number[]): Promise<void> {
    const personIds = this.peopleOf(places)
    if (personIds.length < 2) return
    const { claim_id: claim } = done(
      await mergePeople(this.database, this.clock, { personIds, by: atTerminal('lead') }),
    )
    this.oracle.merges.push({ claim, nodes: personIds })
  }

  async unmerge(which: number): Promise<void> {
    const merge = this.oracle.merges[which % this.oracle.merges.length]
    if (!merge) return
    done(await withdrawClaim(this.database, this.clock, merge.claim))
    this.oracle.merges = this.oracle.merges.filter((other) => other !== merge)
  }

  async life(which: number, days: number | null): Promise<void> {
    const place = FADING[which % FADING.length] ?? 1
    const kind = this.oracle.kinds[place]
    const tagId = this.tagIds[place] ?? 0
    const isHalf = place === 3
    const change = isHalf ? { half_life_days: days } : { life_days: days }
    done(await changeTag(this.database, tagId, change, atTerminal('lead'), this.clock.now()))
    if (kind) Object.assign(kind, isHalf ? { half: days } : { life: days })
  }

  async step(next: Act): Promise<void> {
    // Nothing but a file and its correction is told apart within a millisecond.
    this.now += 1000
    if (next.do === 'give') await this.edit('give', next.tag, next.some, next.strength)
    else if (next.do === 'take') await this.edit('take', next.tag, next.some, 1)
    else if (next.do === 'undo') await this.undo(next.which)
    else if (next.do === 'file') await this.file(next.lines)
    else if (next.do === 'undoFile') await this.undoFile(next.which)
    else if (next.do === 'rule') await this.rule(next.some, next.others)
    else if (next.do === 'merge') await this.merge([next.one, next.other])
    else if (next.do === 'unmerge') await this.unmerge(next.which)
    else if (next.do === 'life') await this.life(next.which, next.days)
    else this.now += next.days * DAY
  }

  async compare(at: number): Promise<void> {
    for (const person of this.oracle.people()) {
      const seen = done(await readPersonTags(this.database.db, person, new Date(at)))
      const wanted = this.oracle.card(person, at)
      const said = `person ${person} at ${new Date(at).toISOString()}`
      assert.deepEqual(
        seen.tags.map(({ tag, is_main }) => [tag, is_main]),
        wanted.map(({ tag, isMain }) => [tag, isMain]),
        said,
      )
      seen.tags.forEach((held, place) => {
        const { strength = 0, lapses = 0 } = wanted[place] ?? {}
        assert.ok(Math.abs(held.strength - strength) < 1e-9, `${said}: ${held.tag} ${held.strength} ${strength}`)
        if (held.lapses_at === null) assert.equal(lapses, Number.POSITIVE_INFINITY, said)
        else assert.ok(Math.abs(Date.parse(held.lapses_at) - lapses) <= 1, `${said}: ${held.lapses_at}`)
      })
      const records = seen.history.map((row) =>
        [row.tag, row.source, row.strength, row.given_at, row.ends_at, row.removed_at].join(' '),
      )
      const time = (instant: number | null) => (instant === null ? '' : new Date(instant).toISOString())
      const expected = this.oracle
        .history(person, at)
        .map((row) =>
          [KINDS[row.tag]?.name, row.source, row.strength, time(row.given), time(row.ends), time(row.removed)].join(
            ' ',
          ),
        )
      assert.deepEqual(records.toSorted(), expected.toSorted(), said)
    }
  }
}

function saidBody(people: readonly number[], at: Date) {
  return sql`
    select unnest(${people}::bigint[]) as person_id, ${at}::timestamptz as at, 'fact' as cause, null::bigint as fact_id`
}

function done<T>(answer: T | Refusal): T {
  if (isRefusal(answer)) throw new Error(`${answer.code}: ${answer.message}`)
  return answer
}

async function open(t: TestContext, folder: string): Promise<Play> {
  const { database } = await testDatabase(t)
  const clock = { now: () => new Date(START - 100 * DAY) }
  const people = WHO.map((value) => ({
    ...{ kind: 'person', source: 'shop', external_id: value },
    identities: [{ kind: 'own_id', namespace: 'shop', value }],
  }))
  done(await storeFacts(database, clock, people, FACT_KINDS))
  const { rows } = await database.pool.query<{ identity_id: number }>(
    'select identity_id from customers.identities order by value',
  )
  const by = atTerminal('lead')
  const groups = new Map<string, number>()
  const tagIds: number[] = []
  for (const { name, group, life, half } of KINDS) {
    if (group && !groups.has(group))
      groups.set(group, done(await createGroup(database, group, by, clock.now())).group_id)
    const wanted = { name, group_id: group ? groups.get(group) : null, life_days: life, half_life_days: half }
    tagIds.push(done(await createTag(database, wanted, by, clock.now())).tag_id)
  }
  return new Play(database, new Oracle(rows.map((row) => row.identity_id)), tagIds, folder)
}

test('whatever is given, taken, told, merged and undone, everybody has at every instant the tags that the definitions say', async (t) => {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-tags-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 4, maxLength: 24 }), async (acts) => {
      const play = await open(t, folder)
      const instants: number[] = []
      for (const next of acts) {
        await play.step(next)
        instants.push(play.now)
      }
      await followIdentities(play.database, play.clock)
      for (const at of [
        play.now,
        play.now + 7 * DAY,
        instants[0] ?? 0,
        instants[Math.floor(instants.length / 2)] ?? 0,
      ]) {
        await play.compare(at)
      }
    }),
    { numRuns: 15, endOnFailure: true },
  )
})

/** Few facts, tags and people, so that corrections meet what was taken by hand. */
const told: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('file' as const),
      lines: fc.array(
        fc.record<Line>({
          ...{ fact: fc.constantFrom('f1', 'f1', 'f2'), who: fc.constantFrom(0, 0, 1), tag: fc.constantFrom(0, 0, 4) },
          ...{ strength: fc.constantFrom(1, 0.5), ago: fc.constantFrom(0, 3), lasted: fc.constantFrom(null, 30) },
        }),
        { minLength: 1, maxLength: 2 },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(0, 0, 4).map((tag): Act => ({ do: 'take', tag, some: [0, 1] })),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('undo' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('undoFile' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), days: fc.constantFrom(1, 5) }) },
)

const LINE: Line = { fact: 'f1', who: 0, tag: 0, strength: 1, ago: 3, lasted: null }
const said = (line: Line): Act => ({ do: 'file', lines: [line] })
const FIRST = said(LINE)
const TAKEN: Act = { do: 'take', tag: 0, some: [0, 1] }
/** The same but stronger; from after it was taken; of somebody else; another tag. */
const CORRECTED: readonly Line[] = [
  { ...LINE, strength: 0.5 },
  { ...LINE, ago: 0 },
  { ...LINE, who: 1 },
  { ...LINE, tag: 4 },
]

test('what was taken by hand of what a source told stays taken through corrections that say the same', async (t) => {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-tags-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await fc.assert(
    fc.asyncProperty(fc.array(told, { minLength: 6, maxLength: 16 }), async (acts) => {
      const play = await open(t, folder)
      for (const next of acts) await play.step(next)
      await play.compare(play.now)
    }),
    { numRuns: 10, endOnFailure: true, examples: CORRECTED.map((line): [Act[]] => [[FIRST, TAKEN, said(line)]]) },
  )
})

test('the card of a person has the five tags that the definitions choose, in their order', async (t) => {
  const play = await open(t, '')
  const { database, oracle, tagIds } = play
  const given = fc.record({
    ...{ who: fc.nat({ max: 3 }), tag, strength: fc.constantFrom(1, 1, 0.5), ago: fc.constantFrom(0, 2, 5) },
    source: fc.constantFrom('manual' as const, 'import' as const),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(given, { minLength: 8, maxLength: 30 }), async (drawn) => {
      oracle.rows = drawn.map(({ who, tag, strength, ago, source }) => ({
        ...{ ...NEVER, tag, strength, source },
        ...{ node: oracle.nodes[who] ?? 0, given: START - ago * DAY },
      }))
      const values = oracle.rows.map((row, index) => {
        const lapses = oracle.lapses(row)
        const end = lapses === null ? 'null' : `to_timestamp(${lapses / 1000})`
        return `(${row.node}, ${index}, ${row.node}, ${tagIds[row.tag]}, '${row.source}', ${row.strength}, to_timestamp(${row.given / 1000}), ${end}, now())`
      })
      await database.pool.query(`truncate tags.assignments`)
      await database.pool.query(
        `insert into tags.assignments (person_id, assignment_id, identity_id, tag_id, source, strength, given_at, lapses_at, recorded_at)
         values ${values.join(', ')}`,
      )
      await play.compare(START)
    }),
    { numRuns: 60, endOnFailure: true },
  )
})
