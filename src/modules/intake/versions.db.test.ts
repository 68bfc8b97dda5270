import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { testDatabase } from '../../../test/database.ts'
import { scratchFolder } from '../../../test/scratch.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { importPeople, REFERRAL_CLAIMS } from '../customers/actions.ts'
import { importFile, listImports, loadMapping, storeFacts, undoImport } from './actions.ts'

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const who = (value: string) => ({ kind: 'own_id', namespace: 'shop', value })

async function start(t: TestContext) {
  const { database } = await testDatabase(t)
  const post = async (...facts: object[]) => {
    const sent = facts.map((fact) => ({ source: 'crm', ...fact }))
    const results = await storeFacts(database, clock, sent, FACT_KINDS)
    if (isRefusal(results)) throw new Error(results.message)
    return results.map(({ status, error }) => error?.code ?? status)
  }
  const read = async (text: string) => (await database.pool.query(text)).rows
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-versions-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const people = async (rows: string) => {
    const path = join(folder, 'people.csv')
    await writeFile(path, `record_id,own_id,phone,name,updated_at\n${rows}\n`)
    const command = {
      path,
      mapping: 'people',
      options: {},
      dryRun: false,
      rejectsFolder: folder,
      runsFolder: join(folder, 'imports'),
    }
    const report = await importPeople(database, clock, command)
    if (isRefusal(report)) throw new Error(report.message)
    return report
  }
  const undo = (importId: number | null) =>
    undoImport(database, clock, { importId: importId ?? 0, by: atTerminal('lead'), kinds: FACT_KINDS })
  return { database, post, read, people, undo, folder }
}

const VIEW = {
  kind: 'interaction',
  external_id: 'i1',
  identity: who('a'),
  type: 'view',
  item: 'W1',
  occurred_at: '2026-03-05T10:00:00Z',
}

test('the later version of a fact counts, whichever comes first; the same body with a later rank keeps it', async (t) => {
  const { post, read } = await start(t)
  const at = (day: number) => `2026-05-0${day}T00:00:00+08:00`
  assert.deepEqual(await post({ ...VIEW, type: 'cart', updated_at: at(3) }), ['new'])
  assert.deepEqual(await post({ ...VIEW, updated_at: at(2) }), ['stale'])
  assert.deepEqual(await post({ ...VIEW, updated_at: at(2) }), ['known'])
  assert.deepEqual(await post(VIEW), ['known'])
  assert.deepEqual(
    await post({ ...VIEW, type: 'question' }),
    ['stale'],
    'without a rank it is below every one that has',
  )
  // The cart was still so on the fifth: what was said of the fourth comes too late.
  assert.deepEqual(await post({ ...VIEW, type: 'cart', updated_at: at(5) }), ['known'])
  assert.deepEqual(await post({ ...VIEW, type: 'coupon', updated_at: at(4) }), ['stale'])
  assert.deepEqual(
    (await read('select type from interactions.interactions')).map(({ type }) => type),
    ['cart'],
  )
  assert.deepEqual(await post({ ...VIEW, updated_at: at(6) }), ['corrected'], 'back to what it was before')
  assert.deepEqual(
    (await read('select type from interactions.interactions')).map(({ type }) => type),
    ['view'],
  )
})

test('a sequence ranks versions too; a fact that names another person leaves the one before', async (t) => {
  const { post, read } = await start(t)
  assert.deepEqual(await post({ ...VIEW, sequence: 2 }, { ...VIEW, identity: who('b'), sequence: 10 }), [
    'new',
    'corrected',
  ])
  assert.deepEqual(await post({ ...VIEW, identity: who('c'), sequence: 9 }), ['stale'])
  const rows = await read(
    'select p.value from interactions.interactions i join customers.published_people p using (identity_id)',
  )
  assert.deepEqual(rows, [{ value: 'b' }])
})

test('one instant in two zones is one body; identities in another order are one body', async (t) => {
  const { post } = await start(t)
  const person = { kind: 'person', external_id: 'p1', name: 'Lin' }
  const [a, phone] = [who('a'), { kind: 'phone', value: '13912345678' }]
  assert.deepEqual(await post(VIEW, { ...person, identities: [a, phone] }), ['new', 'new'])
  const again = { ...VIEW, occurred_at: '2026-03-05T18:00:00+08:00' }
  assert.deepEqual(await post(again, { ...person, identities: [phone, a, a] }), ['known', 'known'])
})

test('undo of a people file takes its claims back: who was one person is two again, earlier records return', async (t) => {
  const { post, people, undo, read } = await start(t)
  await post({ ...VIEW, identity: { ...who('a'), namespace: 'people' } })
  const first = await people('r1,a,13900000001,Lin,2026-01-01\nr2,b,13900000002,Wu,2026-01-01')
  const names = async () => (await read('select name from customers.records order by name')).map(({ name }) => name)
  const before = await read('select identity_id, person_id from customers.canonical order by 1')
  const second = await people('r1,a,13900000002,Lin Xia,2026-02-01\nr3,c,13900000002,He,2026-02-01')
  assert.deepEqual([second.documents_new, second.documents_corrected], [1, 1])
  assert.equal(new Set((await read('select person_id from customers.records')).map((row) => row.person_id)).size, 1)
  const undone = await undo(second.import_id)
  assert.deepEqual(undone, { import_id: second.import_id, facts_retracted: 1, facts_restored: 1 })
  assert.deepEqual(await names(), ['Lin', 'Wu'])
  const after = await read('select identity_id, person_id from customers.canonical order by 1')
  assert.deepEqual(after.slice(0, before.length), before)

  const again = await people('r1,a,13900000002,Lin Xia,2026-02-01\nr3,c,13900000002,He,2026-02-01')
  assert.deepEqual([again.documents_new, again.documents_corrected], [1, 1])
  assert.deepEqual(await names(), ['He', 'Lin Xia', 'Wu'])
  await undo(first.import_id)
  await undo(again.import_id)
  assert.deepEqual(await names(), [])
  assert.deepEqual(await read('select from customers.claims'), [])
})

test('an import is undone once, and only one that there is; the list says so', async (t) => {
  const { database, people, undo } = await start(t)
  const report = await people('r1,a,,Lin,')
  assert.equal(isRefusal(await undo(report.import_id)), false)
  const [twice, none] = [await undo(report.import_id), await undo(999)]
  assert.deepEqual(
    [twice, none].map((refusal) => isRefusal(refusal) && refusal.code),
    ['already_undone', 'no_such_import'],
  )
  const [listed] = await listImports(database)
  assert.deepEqual([listed?.import_id, listed?.undone_by], [report.import_id, 'lead'])
})

test('a row whose version is no version is refused', async (t) => {
  const { people, post } = await start(t)
  assert.deepEqual((await people('r1,a,,Lin,yesterday')).rejected_by_reason, { bad_version: 1 })
  assert.deepEqual(await post({ ...VIEW, sequence: -1 }, { ...VIEW, updated_at: 'yesterday' }), ['invalid', 'invalid'])
})

test('a referral claim goes back to whom it named before, on both sides', async (t) => {
  const { database, post, read, folder, undo } = await start(t)
  const claim = { kind: 'referral_claim', external_id: 'f1', invitee: who('a'), occurred_at: VIEW.occurred_at }
  await post({ ...claim, referrer: who('b'), campaign: 'spring', sequence: 1 })
  const path = join(folder, 'claims.csv')
  await writeFile(
    path,
    'external_id,invitee_own_id,referrer_own_id,occurred_at,sequence\nf1,a,c,2026-03-05T10:00:00Z,2\n',
  )
  const command = {
    path,
    mapping: { ...(await crmClaims()), source: 'crm' },
    options: { own_id_source: 'shop' },
    dryRun: false,
    rejectsFolder: folder,
    runsFolder: join(folder, 'runs'),
  }
  const report = await importFile(database, clock, command, REFERRAL_CLAIMS)
  if (isRefusal(report)) throw new Error(report.message)
  assert.equal(report.documents_corrected, 1)
  const claims = () =>
    read(`select p.value as referrer, r.campaign from customers.referral_claims r
      join customers.published_people p on p.identity_id = r.referrer_identity_id`)
  assert.deepEqual(await claims(), [{ referrer: 'c', campaign: null }])
  assert.deepEqual(await post({ ...claim, referrer: who('d'), sequence: 1 }), ['stale'])
  assert.equal(isRefusal(await undo(report.import_id)), false)
  assert.deepEqual(await claims(), [{ referrer: 'd', campaign: null }], 'of equal ranks the later receipt')
})

async function crmClaims() {
  const mapping = await loadMapping('referral_claims', [REFERRAL_CLAIMS.mappingsFolder])
  if (isRefusal(mapping)) throw new Error(mapping.message)
  return mapping
}
