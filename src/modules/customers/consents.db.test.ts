import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { testDatabase } from '../../../test/database.ts'
import { FACT_KINDS } from '../../bin/routes.ts'
import { atTerminal } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { storeFacts } from '../intake/actions.ts'
import { mergePeople, splitIdentity, withdrawClaim } from './actions.ts'

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
  const personOf = async (value: string) => {
    const { rows } = await sql<{ person_id: number }>`
      select person_id from customers.published_people where value = ${value}`.execute(database.db)
    return rows[0]?.person_id ?? 0
  }
  /** As the views are meant to be asked: the channel's own row, else that of all others. */
  const stateAt = async (value: string, purpose: string, channel: string, at: string) => {
    const { rows } = await sql<{ state: string }>`
      select state from customers.published_consents
      where person_id = ${await personOf(value)} and purpose = ${purpose} and channel in (${channel}, '')
        and exists (select from customers.published_consents c where c.person_id = ${await personOf(value)})
        and from_at <= ${at} and (until_at is null or ${at} < until_at)
      order by channel desc limit 1`.execute(database.db)
    return rows[0]?.state ?? 'none'
  }
  return { database, post, personOf, stateAt }
}

const day = (n: number) => new Date(Date.UTC(2026, 0, n)).toISOString()
const consent = (id: string, state: string, at: string, more: object = {}) => ({
  kind: 'consent',
  external_id: id,
  identity: who('a'),
  purpose: 'marketing',
  state,
  occurred_at: at,
  ...more,
})

test('what is in force is the latest statement, for its channel or for all', async (t) => {
  const { post, stateAt } = await start(t)
  const facts = [
    consent('1', 'granted', day(1), { evidence: 'form 3, wording of May' }),
    consent('2', 'withdrawn', day(5), { channel: 'wecom' }),
    consent('3', 'granted', day(3), { purpose: 'health' }),
    consent('4', 'withdrawn', day(8)),
    consent('5', 'granted', day(9), { channel: 'email' }),
  ]
  assert.deepEqual(await post(...facts), ['new', 'new', 'new', 'new', 'new'])
  assert.deepEqual(await post(...facts.toReversed()), ['known', 'known', 'known', 'known', 'known'])
  const at = (channel: string, n: number) => stateAt('a', 'marketing', channel, day(n))
  assert.equal(await stateAt('a', 'marketing', 'wecom', '2025-12-31T00:00:00Z'), 'none')
  assert.deepEqual(
    [await at('wecom', 4), await at('wecom', 5), await at('wecom', 9)],
    ['granted', 'withdrawn', 'withdrawn'],
  )
  assert.deepEqual(
    [await at('email', 5), await at('email', 8), await at('email', 9)],
    ['granted', 'withdrawn', 'granted'],
  )
  assert.deepEqual([await at('sms', 7), await at('sms', 30)], ['granted', 'withdrawn'])
  assert.equal(await stateAt('a', 'health', 'wecom', day(30)), 'granted')
  assert.equal(await stateAt('a', 'calls', 'wecom', day(30)), 'none')
})

test('a corrected statement replaces what it said; a withdrawal at the same instant holds', async (t) => {
  const { post, stateAt } = await start(t)
  await post(consent('1', 'withdrawn', day(2)), consent('2', 'granted', day(2)))
  assert.equal(await stateAt('a', 'marketing', 'sms', day(2)), 'withdrawn')
  assert.deepEqual(await post(consent('1', 'withdrawn', day(2), { purpose: 'calls' })), ['corrected'])
  assert.equal(await stateAt('a', 'marketing', 'sms', day(2)), 'granted')
  assert.equal(await stateAt('a', 'calls', 'sms', day(2)), 'withdrawn')
  assert.deepEqual(
    await post(
      consent('3', 'revoked', day(3)),
      consent('4', 'granted', day(3), { purpose: 'profiling' }),
      consent('5', 'granted', '2026-06-01T00:00:01Z'),
      consent('6', 'granted', day(3), { identity: { kind: 'phone', value: '138****0000' } }),
    ),
    ['invalid', 'invalid', 'future_time', 'missing_identity'],
  )
})

test('any statements, at any instant: the view is the latest of those that concern the channel', async (t) => {
  const { database, post, stateAt } = await start(t)
  const statement = fc.record({
    who: fc.constantFrom('a', 'b'),
    channel: fc.constantFrom('', 'wecom', 'sms'),
    state: fc.constantFrom('granted', 'withdrawn'),
    day: fc.integer({ min: 1, max: 6 }),
  })
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(statement, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: 7 }),
      async (said, at) => {
        await sql`truncate customers.consents`.execute(database.db)
        run += 1
        const facts = said.map((one, index) =>
          consent(`${run}-${index}`, one.state, day(one.day), {
            identity: who(one.who),
            ...(one.channel ? { channel: one.channel } : {}),
          }),
        )
        assert.ok((await post(...facts)).every((status) => status === 'new'))
        for (const name of ['a', 'b']) {
          for (const channel of ['wecom', 'sms', 'email']) {
            const concerned = said.filter(
              (one) => one.who === name && ['', channel].includes(one.channel) && one.day <= at,
            )
            const last = Math.max(...concerned.map((one) => one.day))
            const states = concerned.filter((one) => one.day === last).map((one) => one.state)
            const expected = states.includes('withdrawn') ? 'withdrawn' : (states[0] ?? 'none')
            assert.equal(await stateAt(name, 'marketing', channel, day(at)), expected, `${name} ${channel} ${at}`)
          }
        }
      },
    ),
    { numRuns: 20 },
  )
})

const claim = (id: string, invitee: string, referrer: string, more: object = {}) => ({
  kind: 'referral_claim',
  external_id: id,
  invitee: who(invitee),
  referrer: who(referrer),
  occurred_at: day(2),
  ...more,
})

test('referral claims are kept, all of them, with both people known by them; the same identity twice is refused', async (t) => {
  const { database, post, personOf } = await start(t)
  const facts = [
    claim('1', 'a', 'b', { campaign: 'spring', content: 'poster 7' }),
    claim('2', 'a', 'c', { occurred_at: day(1) }),
    claim('3', 'b', 'a'),
    claim('4', 'd', 'd'),
    {
      ...claim('5', 'e', 'f'),
      invitee: { kind: 'phone', value: '13800001111' },
      referrer: { kind: 'phone', value: '+86 138 0000 1111' },
    },
    { ...claim('6', 'e', 'f'), referrer: { kind: 'phone', value: '00000000' } },
    { ...claim('7', 'e', 'f'), referrer: undefined },
    claim('8', 'e', 'f', { occurred_at: '2027-01-01T00:00:00Z' }),
  ]
  const expected = ['new', 'new', 'new', 'self_referral', 'self_referral', 'missing_identity', 'invalid', 'future_time']
  assert.deepEqual(await post(...facts), expected)
  assert.deepEqual(await post(facts[0] ?? {}, claim('2', 'a', 'g', { occurred_at: day(1) })), ['known', 'corrected'])
  const { rows } = await sql<Record<string, unknown>>`
    select referrer_person_id, invitee_person_id, claimed_at, campaign, content
    from customers.published_referral_claims order by claimed_at, claim_id`.execute(database.db)
  const [a, b, g] = [await personOf('a'), await personOf('b'), await personOf('g')]
  assert.deepEqual(
    rows.map((row) => [row.referrer_person_id, row.invitee_person_id, row.campaign]),
    [
      [g, a, null],
      [b, a, 'spring'],
      [a, b, null],
    ],
  )
})

test('consents and both sides of claims follow their identities when people merge and split', async (t) => {
  const { database, post, personOf, stateAt } = await start(t)
  await post(consent('1', 'granted', day(1)), consent('2', 'withdrawn', day(2), { identity: who('b') }))
  await post(claim('1', 'a', 'c'), claim('2', 'c', 'b'))
  const claims = async () =>
    (
      await sql<{ invitee: number; referrer: number }>`
        select invitee_person_id as invitee, referrer_person_id as referrer
        from customers.published_referral_claims order by claim_id`.execute(database.db)
    ).rows.map(({ invitee, referrer }) => [invitee, referrer])
  const [a, b, c] = [await personOf('a'), await personOf('b'), await personOf('c')]
  const merged = await mergePeople(database, clock, { personIds: [a, b], by: atTerminal('lead') })
  assert.ok('claim_id' in merged)
  const one = await personOf('a')
  assert.equal(await personOf('b'), one)
  assert.deepEqual(await claims(), [
    [one, c],
    [c, one],
  ])
  assert.equal(await stateAt('a', 'marketing', 'sms', day(2)), 'withdrawn')
  const { rows } = await sql<{ identity_id: number }>`
    select identity_id from customers.identities where value = 'b'`.execute(database.db)
  assert.ok(
    'claim_id' in
      (await splitIdentity(database, clock, { identityId: rows[0]?.identity_id ?? 0, by: atTerminal('lead') })),
  )
  assert.deepEqual(await claims(), [
    [a, c],
    [c, b],
  ])
  assert.equal(await stateAt('a', 'marketing', 'sms', day(2)), 'granted')
  assert.equal(await stateAt('b', 'marketing', 'sms', day(2)), 'withdrawn')
  assert.ok('claim_id' in (await withdrawClaim(database, clock, merged.claim_id)))
})
