import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { cookieOf, type TestHttp, testHttp } from '../../test/http.ts'
import { PASSWORD, signIn, userOf } from '../../test/roles.ts'
import type { AuditEntry } from './audit.ts'
import { systemClock } from './clock.ts'
import { ROLES, type Role } from './roles.ts'

type Wire = Record<string, unknown> & { error?: { code: string; kind: string } }

const HOUR_MS = 3_600_000
const MEI = { name: 'Mei', email: 'mei@example.com' }
const FAR = '2099-01-01T00:00:00Z'

async function start(t: TestContext) {
  let shift = 0
  const log: AuditEntry[] = []
  const clock = { now: () => new Date(systemClock.now().getTime() + shift) }
  const http = await testHttp(t, { clock, audit: async (entry) => void log.push(entry) })
  const ask = async (method: string, path: string, cookie: string | undefined, body?: object) => {
    const response = await http.send(path, { method, ...(cookie ? { cookie } : {}), ...(body ? { body } : {}) })
    const wire = (await response.json()) as Wire
    return { status: response.status, code: wire.error?.code, wire, response }
  }
  const invite = async (cookie: string, wanted: object) => {
    const made = await ask('POST', '/api/v1/invitations', cookie, wanted)
    assert.equal(made.status, 200, JSON.stringify(made.wire))
    return { id: Number(made.wire.invitation_id), token: new URL(String(made.wire.url)).hash.slice(1), wire: made.wire }
  }
  const accept = (token: string, more: object = {}) =>
    ask('POST', '/api/v1/invitations/accept', undefined, { token, name: 'Mei', password: PASSWORD, ...more })
  const setShift = (ms: number) => {
    shift = ms
  }
  return { http, log, ask, invite, accept, setShift }
}

/** What a role needs beside its name. */
function grantOf(role: Role): object {
  return {
    role,
    ...(role === 'adviser' ? { staff_id: 'lin' } : {}),
    ...(role === 'outside_operator' ? { ends_at: FAR } : {}),
  }
}

async function count(http: TestHttp, table: string): Promise<number> {
  const { rows } = await http.database.pool.query<{ n: number }>(`select count(*) as n from auth.${table}`)
  return rows[0]?.n ?? 0
}

test('an invitation lets one in, once, with the role and the password of who accepts', async (t) => {
  const { http, ask, invite, accept } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { id, token, wire } = await invite(owner, { ...MEI, role: 'adviser', staff_id: ' wu ' })
  assert.match(token, /^[\w-]{22}$/)
  assert.equal(new URL(String(wire.url)).pathname, '/accept-invitation')
  const hours = (Date.parse(String(wire.expires_at)) - Date.parse(String(wire.created_at))) / HOUR_MS
  assert.equal(hours, 72)
  const { rows } = await http.database.pool.query('select * from auth.invitations')
  assert.ok(!JSON.stringify(rows).includes(token), 'stored as a hash')
  const listed = await ask('GET', '/api/v1/invitations', owner)
  assert.ok(!JSON.stringify(listed.wire).includes(token), 'shown once')

  const shown = await http.send('/api/v1/invitation', { headers: { 'x-invitation-token': token } })
  const { expires_at: _, ...who } = (await shown.json()) as Wire
  assert.deepEqual(who, { ...MEI, role: 'adviser', ends_at: null })

  assert.deepEqual((await accept(token, { password: 'short' })).code, 'weak_password')
  const accepted = await accept(token, { name: ' 梅 ' })
  assert.deepEqual(accepted.wire, { email: MEI.email, signed_in: true })
  const session = await ask('GET', '/api/v1/session', cookieOf(accepted.response))
  const user = session.wire.user as Wire
  assert.deepEqual([user.name, user.email, user.role, user.staff_id], ['梅', MEI.email, 'adviser', 'wu'])
  assert.deepEqual(session.wire.sees, { people: 'own', is_masked: false })
  await signIn(http, MEI.email)

  const again = await accept(token)
  assert.deepEqual([again.status, again.code], [404, 'invitation_used_or_expired'])
  assert.equal((await ask('DELETE', `/api/v1/invitations/${id}`, owner)).code, 'no_such_invitation')
  assert.equal((await ask('POST', '/api/v1/invitations', owner, { ...MEI, role: 'lead' })).code, 'email_taken')
  assert.ok(!http.log.join().includes(token))
})

test('of two who accept at once one gets the account', async (t) => {
  const { http, invite, accept } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { token } = await invite(owner, { ...MEI, role: 'lead' })
  const answers = await Promise.all([accept(token), accept(token), accept(token)])
  assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  for (const { code } of answers)
    assert.ok(['invitation_used_or_expired', 'email_taken', undefined].includes(code), code)
  assert.equal(await count(http, 'users'), 2)
})

test('a link is void when it is old, taken back, replaced, or its giver may give it no longer', async (t) => {
  const { http, ask, invite, accept, setShift } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { cookie: lead, userId: leadId } = await userOf(http, 'lead')
  const isVoid = async (token: string, why: string) => {
    assert.equal((await accept(token)).code, 'invitation_used_or_expired', why)
    const shown = await http.send('/api/v1/invitation', { headers: { 'x-invitation-token': token } })
    assert.equal(shown.status, 404, why)
  }
  const old = await invite(owner, { ...MEI, role: 'analyst' })
  setShift(72 * HOUR_MS + 1000)
  await isVoid(old.token, 'after 72 hours')
  setShift(0)
  const replacing = await invite(owner, { ...MEI, role: 'analyst' })
  await isVoid(old.token, 'replaced by another one for the same address')
  assert.equal((await ask('DELETE', `/api/v1/invitations/${replacing.id}`, owner)).status, 200)
  await isVoid(replacing.token, 'taken back')
  const operator = await invite(owner, {
    ...MEI,
    role: 'outside_operator',
    ends_at: new Date(systemClock.now().getTime() + HOUR_MS).toISOString(),
  })
  setShift(2 * HOUR_MS)
  await isVoid(operator.token, 'the end of the account has come')
  setShift(0)
  const byLead = await invite(lead, { ...MEI, role: 'analyst' })
  await ask('PATCH', `/api/v1/users/${leadId}`, owner, { role: 'integrator' })
  await isVoid(byLead.token, 'who invited may not any more')
  await ask('PATCH', `/api/v1/users/${leadId}`, owner, { role: 'lead', is_disabled: true })
  await isVoid(byLead.token, 'the account of who invited is closed')
  await ask('PATCH', `/api/v1/users/${leadId}`, owner, { is_disabled: false })
  assert.equal((await accept(byLead.token)).status, 200)
})

test('guessing at links ends after twenty wrong ones a minute', async (t) => {
  const { http, accept, invite } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { token } = await invite(owner, { ...MEI, role: 'lead' })
  const codes: (string | undefined)[] = []
  for (let guess = 0; guess < 23; guess += 1) codes.push((await accept(`guess-${guess}`)).code)
  assert.deepEqual(new Set(codes.slice(0, 20)), new Set(['invitation_used_or_expired']))
  assert.deepEqual(new Set(codes.slice(20)), new Set(['too_many_requests']))
  const shown = await http.send('/api/v1/invitation', { headers: { 'x-invitation-token': 'guess' } })
  assert.equal(shown.status, 429, 'looking counts too')
  assert.equal((await accept(token)).status, 200, 'who has the right one is let in all the same')
})

test('who may give which role: an owner each, a lead three, nobody else any', async (t) => {
  const { http, ask } = await start(t)
  const given: Record<Role, readonly Role[]> = {
    owner: ROLES,
    lead: ['adviser', 'analyst', 'outside_operator'],
    adviser: [],
    analyst: [],
    integrator: [],
    outside_operator: [],
  }
  const targets = new Map<Role, string>()
  for (const role of ROLES)
    targets.set(role, (await userOf(http, role, { email: `target.${role}@example.com` })).userId)
  for (const by of ROLES) {
    const { cookie } = await userOf(http, by)
    for (const role of ROLES) {
      const isGiven = given[by].includes(role)
      const expected = isGiven ? 200 : 403
      const invited = await ask('POST', '/api/v1/invitations', cookie, { ...MEI, ...grantOf(role) })
      assert.equal(invited.status, expected, `${by} invites ${role}`)
      if (!isGiven) assert.ok(['role_not_yours', 'not_allowed'].includes(invited.code ?? ''))
      const target = `/api/v1/users/${targets.get(role)}`
      const closing = await ask('PATCH', target, cookie, { is_disabled: true })
      assert.equal(closing.status, expected, `${by} closes ${role}`)
      if (isGiven) assert.equal((await ask('PATCH', target, cookie, { is_disabled: false })).status, 200)
      assert.equal((await ask('POST', `${target}/link`, cookie, {})).status, expected, `${by} makes a link for ${role}`)
      assert.equal((await ask('DELETE', `${target}/sessions`, cookie)).status, expected, `${by} signs ${role} out`)
      const adviser = `/api/v1/users/${targets.get('adviser')}`
      const raised = await ask('PATCH', adviser, cookie, grantOf(role))
      assert.equal(
        raised.status,
        given[by].includes('adviser') && isGiven ? 200 : 403,
        `${by} makes an adviser ${role}`,
      )
      const { rowCount } = await http.database.pool.query(
        `update auth.users set role = 'adviser', staff_id = 'lin', ends_at = null where id = $1`,
        [targets.get('adviser')],
      )
      assert.equal(rowCount, 1)
    }
  }
})

test('what an account needs goes with its role', async (t) => {
  const { http, ask } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { userId } = await userOf(http, 'adviser')
  const path = `/api/v1/users/${userId}`
  const cases = [
    [{ role: 'outside_operator' }, 'end_needed'],
    [{ role: 'outside_operator', ends_at: '2020-01-01T00:00:00Z' }, 'end_is_past'],
    [{ ends_at: FAR }, 'end_needed'],
    [{ staff_id: null }, 'staff_id_needed'],
    [{ staff_id: '  ' }, 'staff_id_needed'],
    [{ role: 'lead', staff_id: 'lin' }, 'staff_id_needed'],
    [{ role: 'boss' }, 'invalid_request'],
    [{ password: 'x' }, 'invalid_request'],
  ] as const
  for (const [change, code] of cases)
    assert.equal((await ask('PATCH', path, owner, change)).code, code, JSON.stringify(change))
  const nobody = '/api/v1/users/00000000-0000-4000-8000-000000000000'
  assert.equal((await ask('PATCH', nobody, owner, { role: 'lead' })).code, 'no_such_user')
  const changed = await ask('PATCH', path, owner, { role: 'lead' })
  assert.deepEqual([changed.wire.role, changed.wire.staff_id], ['lead', null])
  for (const [wanted, code] of [
    [{ ...MEI, name: ' ', role: 'lead' }, 'bad_name'],
    [{ ...MEI, name: 'M\u001b[31mei', role: 'lead' }, 'bad_name'],
    [{ ...MEI, email: 'mei@', role: 'lead' }, 'bad_email'],
    [{ ...MEI, role: 'adviser' }, 'staff_id_needed'],
    [{ ...MEI, role: 'outside_operator' }, 'end_needed'],
  ] as const) {
    assert.equal((await ask('POST', '/api/v1/invitations', owner, wanted)).code, code)
  }
})

test('the last owner can be neither closed nor demoted, nor can two demote each other', async (t) => {
  const { http, ask } = await start(t)
  const { cookie: one, userId: first } = await userOf(http, 'owner')
  for (const change of [{ role: 'lead' }, { is_disabled: true }]) {
    const refused = await ask('PATCH', `/api/v1/users/${first}`, one, change)
    assert.deepEqual([refused.status, refused.code], [409, 'last_owner'])
  }
  for (let round = 0; round < 5; round += 1) {
    const { cookie: two, userId: second } = await userOf(http, 'owner', { email: `second${round}@example.com` })
    const change = round % 2 === 0 ? { role: 'lead' } : { is_disabled: true }
    const answers = await Promise.all([
      ask('PATCH', `/api/v1/users/${second}`, one, change),
      ask('PATCH', `/api/v1/users/${first}`, two, change),
    ])
    const { rows } = await http.database.pool.query<{ id: string }>(
      `select id from auth.users where role = 'owner' and disabled_at is null`,
    )
    assert.equal(rows.length, 1, JSON.stringify(answers.map(({ status, code }) => [status, code])))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    await http.database.pool.query(`update auth.users set role = 'owner', disabled_at = null where id = $1`, [first])
    await http.database.pool.query(`update auth.users set role = 'lead' where id = $1`, [second])
    const { rowCount: stillIn } = await http.database.pool.query('select from auth.sessions where user_id = $1', [
      first,
    ])
    if (!stillIn) break
  }
})

test('closing an account ends its sessions at once, and says so to the right password only', async (t) => {
  const { http, ask } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { cookie: adviser, userId, email } = await userOf(http, 'adviser')
  const closed = await ask('PATCH', `/api/v1/users/${userId}`, owner, { is_disabled: true })
  assert.deepEqual([closed.wire.sessions, typeof closed.wire.disabled_at], [0, 'string'])
  assert.equal((await ask('GET', '/api/v1/sessions', adviser)).status, 401)
  assert.deepEqual((await ask('GET', '/api/v1/session', adviser)).wire, { signed_in: false })
  const right = await ask('POST', '/api/auth/sign-in/email', undefined, { email, password: PASSWORD })
  assert.deepEqual([right.status, right.code], [403, 'account_closed'])
  const wrong = await ask('POST', '/api/auth/sign-in/email', undefined, { email, password: 'wrong, all wrong' })
  assert.deepEqual([wrong.status, wrong.code], [401, 'wrong_email_or_password'])
  const link = await ask('POST', `/api/v1/users/${userId}/link`, owner, {})
  const opened = await http.send(new URL(String(link.wire.url)).pathname)
  assert.deepEqual(opened.headers.getSetCookie(), [], 'nor does a link let them in')
  await ask('PATCH', `/api/v1/users/${userId}`, owner, { is_disabled: false })
  assert.equal((await ask('GET', '/api/v1/sessions', await signIn(http, email))).status, 200)
  assert.equal((await ask('GET', '/api/v1/sessions', adviser)).status, 401, 'the old session stays ended')
})

test('after the end of an outside operator nothing works, until it is moved', async (t) => {
  const { http, ask, setShift } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const endsAt = new Date(systemClock.now().getTime() + HOUR_MS)
  const { cookie, userId, email } = await userOf(http, 'outside_operator', { endsAt })
  assert.equal((await ask('GET', '/api/v1/sessions', cookie)).status, 200)
  setShift(HOUR_MS + 1000)
  for (const { method, url, config } of http.app.declaredRoutes) {
    if (!config.permission) continue
    const { status } = await http.send(url.replace(/:\w+/g, '1'), { method, cookie })
    assert.equal(status, 401, `${method} ${url}`)
  }
  const late = await ask('POST', '/api/auth/sign-in/email', undefined, { email, password: PASSWORD })
  assert.equal(late.code, 'account_closed')
  assert.equal((await ask('PATCH', `/api/v1/users/${userId}`, owner, { ends_at: FAR })).status, 200)
  assert.equal((await ask('GET', '/api/v1/sessions', cookie)).status, 200)
})

test('a role counts from the next request on, in sessions that are open', async (t) => {
  const { http, ask } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { cookie: lead, userId } = await userOf(http, 'lead')
  assert.equal((await ask('GET', '/api/v1/users', lead)).status, 200)
  await ask('PATCH', `/api/v1/users/${userId}`, owner, { role: 'analyst' })
  assert.equal((await ask('GET', '/api/v1/users', lead)).code, 'not_allowed')
})

test('sessions are listed and ended: one of my own, all of somebody whose role is mine to give', async (t) => {
  const { http, ask } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { cookie: here, userId, email } = await userOf(http, 'adviser')
  const there = await signIn(http, email)
  type Listed = { session_id: string; is_current: boolean }[]
  const mine = (await ask('GET', '/api/v1/sessions', here)).wire.sessions as Listed
  assert.deepEqual(mine.map(({ is_current }) => is_current).sort(), [false, true])
  const other = mine.find(({ is_current }) => !is_current)?.session_id
  const theirs = await ask('DELETE', `/api/v1/sessions/${other}`, owner)
  assert.deepEqual([theirs.status, theirs.code], [404, 'no_such_session'], "somebody else's is missing")
  assert.equal((await ask('DELETE', `/api/v1/sessions/${other}`, here)).status, 200)
  assert.equal((await ask('GET', '/api/v1/sessions', there)).status, 401)
  const third = await signIn(http, email)
  const seen = (await ask('GET', `/api/v1/users/${userId}/sessions`, owner)).wire.sessions as Listed
  assert.deepEqual([seen.length, seen.some(({ is_current }) => is_current)], [2, false])
  assert.deepEqual((await ask('DELETE', `/api/v1/users/${userId}/sessions`, owner)).wire, { sessions_ended: 2 })
  for (const cookie of [here, third]) assert.equal((await ask('GET', '/api/v1/sessions', cookie)).status, 401)
  assert.equal((await ask('GET', '/api/v1/sessions', owner)).status, 200)
})

test('who lost the password gets a link, once, and sets a new one', async (t) => {
  const { http, ask } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { userId, email } = await userOf(http, 'analyst')
  const { wire } = await ask('POST', `/api/v1/users/${userId}/link`, owner, {})
  const opened = await http.send(new URL(String(wire.url)).pathname)
  const cookie = cookieOf(opened)
  const saved = await ask('POST', '/api/v1/account', cookie, { name: 'Ana', email, password: 'a new evergreen' })
  assert.deepEqual([saved.status, saved.wire.role], [200, 'analyst'])
  assert.equal((await http.send(new URL(String(wire.url)).pathname)).status, 404)
})

test('accepting opens a session of its own: a planted cookie stays worthless, a foreign page is refused', async (t) => {
  const { http, ask, invite } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const { token } = await invite(owner, { ...MEI, role: 'lead' })
  const planted = `${owner.split('=')[0]}=${'a'.repeat(32)}.${'b'.repeat(43)}%3D`
  const body = { token, name: 'Mei', password: PASSWORD }
  const foreign = await http.send('/api/v1/invitations/accept', { body, headers: { origin: 'https://evil.example' } })
  assert.equal(foreign.status, 403)
  for (const cookie of [planted]) {
    const accepted = await http.send('/api/v1/invitations/accept', { body, cookie })
    assert.equal(accepted.status, 200)
    const session = cookieOf(accepted)
    assert.notEqual(session, cookie)
    assert.match(accepted.headers.getSetCookie().join(), /HttpOnly/i)
    assert.equal((await ask('GET', '/api/v1/sessions', cookie)).status, 401)
    assert.equal((await ask('GET', '/api/v1/sessions', session)).status, 200)
  }
})

test('markup in a name stays text: answers are JSON that no browser takes for a page', async (t) => {
  const { http, invite, ask } = await start(t)
  const { cookie: owner } = await userOf(http, 'owner')
  const name = `<script>alert(1)</script><img src=x onerror=alert(1)>"'&`
  const { token } = await invite(owner, { ...MEI, name, role: 'lead' })
  await ask('POST', '/api/v1/invitations/accept', undefined, { token, name, password: PASSWORD })
  const cookie = await signIn(http, MEI.email)
  for (const [path, asker] of [
    ['/api/v1/users', owner],
    ['/api/v1/invitations', owner],
    ['/api/v1/session', cookie],
  ] as const) {
    const response = await http.send(path, { cookie: asker, headers: { accept: 'text/html' } })
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/, path)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff', path)
    assert.match(response.headers.get('content-security-policy') ?? '', /script-src 'self'(;|$)/, path)
    assert.ok(JSON.stringify(await response.json()).includes(JSON.stringify(name).slice(1, -1)), 'as it was typed')
  }
})
