import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { sql } from 'kysely'
import { testConsole } from '../../../test/console.ts'
import { userOf } from '../../../test/roles.ts'
import { atTerminal } from '../../platform/audit.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { applyRuleTag, editTags, setTagRule, undoTagEdit } from './actions.ts'
import { namedBody } from './edit-queries.ts'
import type { EditAnswer, PersonTags, TagAnswer, TagList } from './schema.ts'

const DAY = 86_400_000
const START = Date.parse('2026-06-01T00:00:00Z')
const who = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })
const connection = (key: string, staff: string) => ({
  ...{ kind: 'connection', external_id: `c-${key}`, identity: who(key), channel: 'wecom', staff },
  begun_at: '2026-01-01T00:00:00Z',
})
const tagged = (id: string, key: string, tag: string, more: object = {}) => ({
  ...{ kind: 'tag', external_id: id, identity: who(key), tag, occurred_at: '2026-05-01T00:00:00Z' },
  ...more,
})

async function start(t: TestContext) {
  let now = START
  const clock = { now: () => new Date(now) }
  const desk = await testConsole(t, clock)
  await desk.post(connection('a', 'lin'), connection('b', 'lin'), connection('c', 'wu'))
  const owner = (await userOf(desk.http, 'owner')).cookie
  const { rows } = await desk.database.pool.query<{ value: string; person_id: number }>(
    'select value, person_id from customers.published_people',
  )
  const idOf = (key: string) => rows.find(({ value }) => value === key)?.person_id ?? 0
  const send = async (method: string, path: string, body?: unknown, cookie = owner) => {
    const response = await desk.http.send(`/api/v1${path}`, { method, cookie, ...(body === undefined ? {} : { body }) })
    const answer = (await response.json()) as { error?: { code: string; message: string } }
    return { status: response.status, code: answer.error?.code, answer: answer as unknown }
  }
  const ok = async <Answer>(method: string, path: string, body?: unknown, cookie = owner): Promise<Answer> => {
    const sent = await send(method, path, body, cookie)
    assert.equal(sent.status, 200, `${method} ${path}: ${JSON.stringify(sent.answer)}`)
    return sent.answer as Answer
  }
  const makeTag = (body: object) => ok<TagAnswer>('POST', '/tags', body)
  const tagsOf = async (key: string, cookie = owner) =>
    (await ok<PersonTags>('GET', `/people/${idOf(key)}/tags`, undefined, cookie)).tags
  const wait = (days: number) => {
    now += days * DAY
  }
  return { ...desk, clock, owner, idOf, send, ok, makeTag, tagsOf, wait }
}

test('groups and tags are made, changed, archived while anybody has or had them, and deleted', async (t) => {
  const { ok, send, makeTag, idOf, tagsOf } = await start(t)
  const group = await ok<{ group_id: number }>('POST', '/tag-groups', { name: ' 场景 ' })
  assert.deepEqual(group, { group_id: group.group_id, name: '场景' })
  const gift = await makeTag({ name: '送礼', group_id: group.group_id, description: 'buys for others' })
  assert.deepEqual([gift.group, gift.description, gift.archived_at], ['场景', 'buys for others', null])

  const refusals = [
    ['POST', '/tags', { name: '送礼' }, 409, 'name_taken'],
    ['POST', '/tags', { name: 'x', group_id: 99 }, 404, 'no_such_group'],
    ['POST', '/tags', { name: 'x', life_days: 3, half_life_days: 3 }, 400, 'two_lives'],
    ['POST', '/tags', { name: ' ' }, 400, 'invalid_request'],
    ['POST', '/tags', { name: 'a\nb' }, 400, 'invalid_request'],
    ['POST', '/tags', { name: 'x', life_days: 0 }, 400, 'invalid_request'],
    ['POST', '/tags', { name: 'x', colour: 'red' }, 400, 'invalid_request'],
    ['POST', '/tag-groups', { name: '场景' }, 409, 'name_taken'],
    ['PATCH', '/tag-groups/99', { name: 'x' }, 404, 'no_such_group'],
    ['PATCH', '/tags/99', { name: 'x' }, 404, 'no_such_tag'],
    ['DELETE', '/tags/99', undefined, 404, 'no_such_tag'],
    ['DELETE', '/tag-groups/99', undefined, 404, 'no_such_group'],
    ['DELETE', `/tag-groups/${group.group_id}`, undefined, 409, 'group_in_use'],
    ['POST', `/people/${idOf('a')}/tags`, { tag_id: 99 }, 404, 'no_such_tag'],
    ['POST', `/people/${idOf('a')}/tags`, { tag_id: gift.tag_id, strength: 0 }, 400, 'invalid_request'],
    ['POST', `/people/${idOf('a')}/tags`, { tag_id: gift.tag_id, strength: 1.1 }, 400, 'invalid_request'],
    ['POST', '/people/99999/tags', { tag_id: gift.tag_id }, 404, 'no_such_person'],
    ['GET', '/people/99999/tags', undefined, 404, 'no_such_person'],
    ['POST', '/tag-edits', { verb: 'give', tag_id: gift.tag_id, person_ids: [] }, 400, 'invalid_request'],
    ['POST', '/tag-edits', { verb: 'give', tag_id: gift.tag_id, person_ids: [idOf('a'), 77] }, 404, 'no_such_person'],
    ['POST', '/tag-edits/99/undo', {}, 404, 'no_such_edit'],
  ] as const
  for (const [method, path, body, status, code] of refusals) {
    const sent = await send(method, path, body)
    assert.deepEqual([sent.status, sent.code], [status, code], `${method} ${path} ${JSON.stringify(body)}`)
  }
  assert.deepEqual(await tagsOf('a'), [], 'a refused edit gave nobody anything')

  const slip = await makeTag({ name: 'slip' })
  assert.deepEqual(await ok('DELETE', `/tags/${slip.tag_id}`), { tag_id: slip.tag_id, is_deleted: true, people: 0 })
  await ok('POST', `/people/${idOf('a')}/tags`, { tag_id: gift.tag_id })
  assert.deepEqual(await ok('DELETE', `/tags/${gift.tag_id}`), { tag_id: gift.tag_id, is_deleted: false, people: 1 })
  const archived = await send('POST', `/people/${idOf('b')}/tags`, { tag_id: gift.tag_id })
  assert.deepEqual([archived.status, archived.code], [409, 'tag_archived'])
  const [held] = await tagsOf('a')
  assert.deepEqual([held?.tag, held?.is_archived, held?.is_main], ['送礼', true, false])
  await ok('PATCH', `/tags/${gift.tag_id}`, { is_archived: false, name: '礼品' })
  const { tags } = await ok<TagList>('GET', '/tags')
  assert.deepEqual(
    tags.map(({ name, people, archived_at }) => [name, people, archived_at]),
    [['礼品', 1, null]],
  )
})

test('a tag fades to the instant that is told, and a new half-life counts for all who have it', async (t) => {
  const { ok, makeTag, idOf, tagsOf, wait } = await start(t)
  const hot = await makeTag({ name: 'hot', half_life_days: 10 })
  await ok('POST', `/people/${idOf('a')}/tags`, { tag_id: hot.tag_id, strength: 0.8 })
  // 10 d × log2(0.8 ÷ 0.1) = 30 d.
  const [held] = await tagsOf('a')
  assert.equal(held?.lapses_at, new Date(START + 30 * DAY).toISOString())
  wait(10)
  assert.ok(Math.abs(((await tagsOf('a'))[0]?.strength ?? 0) - 0.4) < 1e-6)
  wait(20 - 1 / DAY)
  assert.equal((await tagsOf('a')).length, 1, 'a millisecond before')
  wait(1 / DAY)
  assert.deepEqual(await tagsOf('a'), [])
  await ok('PATCH', `/tags/${hot.tag_id}`, { half_life_days: 20 })
  assert.equal((await tagsOf('a'))[0]?.lapses_at, new Date(START + 60 * DAY).toISOString())
  await ok('PATCH', `/tags/${hot.tag_id}`, { half_life_days: null, life_days: 31 })
  assert.equal((await tagsOf('a'))[0]?.lapses_at, new Date(START + 31 * DAY).toISOString())
  const peopleAt = async (at: number) =>
    (await ok<TagList>('GET', `/tags?as_of=${new Date(at).toISOString()}`)).tags.map(({ people }) => people)
  const [before, then] = [await peopleAt(START - 1), await peopleAt(START)]
  assert.deepEqual([before, then, await peopleAt(START + 31 * DAY)], [[0], [1], [0]])
})

test('an adviser reads, gives, takes and undoes of their own people, and of nobody else', async (t) => {
  const { http, ok, send, makeTag, idOf, tagsOf, owner, post } = await start(t)
  const { cookie: lin } = await userOf(http, 'adviser')
  const { cookie: analyst } = await userOf(http, 'analyst')
  const vip = await makeTag({ name: 'VIP' })
  await post(tagged('1', 'a', 'known by 13812345678'), tagged('2', 'c', 'VIP'))
  const people = async (cookie: string) =>
    (await ok<TagList>('GET', '/tags', undefined, cookie)).tags.map(({ name, people }) => [name, people])
  assert.deepEqual(await people(owner), [
    ['VIP', 1],
    ['known by 13812345678', 1],
  ])
  assert.deepEqual(await people(lin), [
    ['VIP', 0],
    ['known by 13812345678', 1],
  ])
  assert.deepEqual(await people(analyst), [
    ['VIP', 1],
    ['known by 138****5678', 1],
  ])
  const filtered = async (cookie: string) =>
    (await ok<{ total: number }>('GET', `/people?tag=${vip.tag_id}`, undefined, cookie)).total
  assert.deepEqual([await filtered(owner), await filtered(lin), await filtered(analyst)], [1, 0, 1])

  for (const [method, path, body] of [
    ['GET', `/people/${idOf('c')}/tags`, undefined],
    ['POST', `/people/${idOf('c')}/tags`, { tag_id: vip.tag_id }],
    ['DELETE', `/people/${idOf('c')}/tags/${vip.tag_id}`, undefined],
    ['POST', '/tag-edits', { verb: 'take', tag_id: vip.tag_id, person_ids: [idOf('a'), idOf('c')] }],
  ] as const) {
    const sent = await send(method, path, body, lin)
    assert.deepEqual([sent.status, sent.code], [404, 'no_such_person'], `${method} ${path}`)
  }
  assert.equal((await send('POST', '/tags', { name: 'x' }, lin)).status, 403)
  assert.equal((await send('POST', `/people/${idOf('a')}/tags`, { tag_id: vip.tag_id }, analyst)).status, 403)

  const byOwner = await ok<EditAnswer>('POST', `/people/${idOf('a')}/tags`, { tag_id: vip.tag_id })
  const foreign = await send('POST', `/tag-edits/${byOwner.edit_id}/undo`, {}, lin)
  assert.deepEqual([foreign.status, foreign.code], [404, 'no_such_edit'], 'somebody else’s edit')
  const own = await ok<EditAnswer>('POST', `/people/${idOf('b')}/tags`, { tag_id: vip.tag_id }, lin)
  const listed = async (cookie: string) =>
    (await ok<{ edits: { edit_id: number }[] }>('GET', '/tag-edits', undefined, cookie)).edits.map(
      (edit) => edit.edit_id,
    )
  assert.deepEqual(await listed(lin), [own.edit_id])
  assert.deepEqual(await listed(owner), [own.edit_id, byOwner.edit_id])
  assert.equal((await tagsOf('b', lin)).length, 1)
  assert.deepEqual(await ok('POST', `/tag-edits/${own.edit_id}/undo`, {}, lin), {
    ...{ edit_id: own.edit_id, restored: 1, left_alone: 0 },
  })
  assert.deepEqual(await tagsOf('b', lin), [])
})

test('what a rule gives is not taken by hand; an edit says what became of everybody', async (t) => {
  const { database, clock, ok, send, makeTag, idOf, tagsOf } = await start(t)
  const regular = await makeTag({ name: 'regular' })
  const ids = ['a', 'b', 'c'].map(idOf)
  await database.transaction(async (tx) => {
    assert.equal(await setTagRule(tx, regular.tag_id, { segment_id: 1, name: 'Buys often' }, clock.now()), undefined)
    const said = (people: readonly number[]) =>
      sql`select *, ${clock.now()}::timestamptz as at, 'fact' as cause, 7::bigint as fact_id from (${namedBody(people)}) p`
    const people = { peopleIn: said([idOf('a'), 99_999]), peopleOut: said(ids) }
    const answer = await applyRuleTag(tx, regular.tag_id, people, clock.now())
    assert.deepEqual(answer, { given: 1, taken: 0 }, 'nobody is not given anything')
    const { rows } = await sql<{ person_id: number }>`select person_id, cause, fact_id from tag_changes`.execute(tx)
    assert.deepEqual(rows, [{ person_id: idOf('a'), cause: 'fact', fact_id: 7 }], 'who changed, and nobody else')
  })
  const [byRule] = await tagsOf('a')
  assert.deepEqual([byRule?.sources, byRule?.is_by_rule_alone], [['rule'], true])
  const refused = await send('DELETE', `/people/${idOf('a')}/tags/${regular.tag_id}`)
  assert.deepEqual([refused.status, refused.code], [409, 'kept_by_rule'])
  assert.match(JSON.stringify(refused.answer), /Buys often/)
  const fading = await send('PATCH', `/tags/${regular.tag_id}`, { life_days: 3 })
  assert.deepEqual([fading.status, fading.code], [409, 'rule_and_life'])

  await ok('POST', `/people/${idOf('b')}/tags`, { tag_id: regular.tag_id })
  const edit = await ok<EditAnswer>('POST', '/tag-edits', { verb: 'take', tag_id: regular.tag_id, person_ids: ids })
  assert.deepEqual([edit.asked, edit.changed, edit.unchanged, edit.kept_by_rule], [3, 1, 1, 1])
  await ok('POST', `/people/${idOf('b')}/tags`, { tag_id: regular.tag_id, strength: 0.5 })
  assert.deepEqual(await ok('POST', `/tag-edits/${edit.edit_id}/undo`, {}), {
    ...{ edit_id: edit.edit_id, restored: 0, left_alone: 1 },
  })
  const twice = await send('POST', `/tag-edits/${edit.edit_id}/undo`, {})
  assert.deepEqual([twice.status, twice.code], [409, 'already_undone'])

  for (const change of [{ name: 'faithful' }, { is_archived: true }]) {
    const kept = await send('PATCH', `/tags/${regular.tag_id}`, change)
    assert.deepEqual([kept.status, kept.code], [409, 'tag_has_rule'])
  }
  assert.equal((await send('DELETE', `/tags/${regular.tag_id}`)).code, 'tag_has_rule')
  await ok('DELETE', `/tags/${regular.tag_id}/rule`)
  assert.deepEqual(await tagsOf('a'), [], 'without its rule nobody has it by the rule')
})

test('a whole filter is one edit, as many as it is allowed to be', async (t) => {
  const { database, clock, makeTag } = await start(t)
  const many = await makeTag({ name: 'many' })
  await database.pool.query(`
    with made as (
      insert into customers.identities (kind, namespace, value, recorded_at)
      select 'own_id', 'bulk', n::text, '2026-01-01' from generate_series(1, 100001) n returning identity_id
    ) insert into customers.canonical (identity_id, person_id) select identity_id, identity_id from made`)
  const { rows } = await database.pool.query<{ ids: number[] }>(
    `select array_agg(person_id) as ids from customers.published_people where namespace = 'bulk'`,
  )
  const ids = rows[0]?.ids ?? []
  const command = { verb: 'give', tagId: many.tag_id, by: atTerminal('lead') } as const
  const tooMany = await editTags(database, clock, { ...command, people: namedBody(ids) })
  assert.ok(isRefusal(tooMany) && tooMany.code === 'too_many_people')
  const edit = await editTags(database, clock, { ...command, people: namedBody(ids.slice(1)) })
  assert.ok(!isRefusal(edit))
  assert.equal(edit.changed, 100_000)
  const { rows: entries } = await database.pool.query<{ operation: string; subjects: object }>(
    `select operation, subjects from audit.entries where operation = 'tag_give'`,
  )
  const subjects = { edit_id: edit.edit_id, tag_id: many.tag_id, people: 100_000 }
  assert.deepEqual(entries, [{ operation: 'tag_give', subjects }])
  const undone = await undoTagEdit(database, clock, { editId: edit.edit_id, by: atTerminal('lead') })
  assert.deepEqual(undone, { edit_id: edit.edit_id, restored: 100_000, left_alone: 0 })
})
