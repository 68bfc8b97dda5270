import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { getMigrations } from 'better-auth/db/migration'
import { testDatabase } from '../../test/database.ts'
import { cookieOf, type TestHttp, testHttp } from '../../test/http.ts'
import { scratchFolder } from '../../test/scratch.ts'
import { createAuth } from './auth.ts'
import { betterAuthOptions } from './auth-options.ts'
import { systemClock } from './clock.ts'
import { ConfigError } from './config.ts'
import type { Database } from './db.ts'
import { PERMISSIONS, ROLES } from './roles.ts'

const OWNER = { name: '林', email: 'lin@example.com', password: 'evergreen and 长青' }

async function pathOfNewLink({ auth }: TestHttp): Promise<string> {
  return new URL(await auth.makeSignInLink()).pathname
}

async function count(database: Database, table: string): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>(`select count(*) as n from auth.${table}`)
  return rows[0]?.n ?? 0
}

async function errorCode(response: Response): Promise<string> {
  const body = (await response.json()) as { error?: { code?: string } }
  return body.error?.code ?? 'no error in the body'
}

async function session(http: TestHttp, cookie: string): Promise<{ signed_in: boolean; user?: object }> {
  return (await (await http.send('/api/v1/session', { cookie })).json()) as { signed_in: boolean; user?: object }
}

/** An owner who has signed in by link and set e-mail and password. */
async function ownerWithPassword(http: TestHttp): Promise<string> {
  const cookie = await http.signInByLink()
  const saved = await http.send('/api/v1/account', { cookie, body: OWNER })
  assert.equal(saved.status, 200)
  return cookie
}

test('the migration is what better-auth would make', async (t) => {
  const { database } = await testDatabase(t, 'installation')
  const options = betterAuthOptions(database, {
    secret: 'x'.repeat(43),
    publicOrigin: undefined,
    clock: systemClock,
    log: (level, sentence) => assert.fail(`${level}: ${sentence}`),
  })
  const ours = await getMigrations(options)
  assert.deepEqual(ours.toBeCreated, [])
  assert.deepEqual(ours.toBeAdded, [])
  assert.deepEqual(ours.toBeAddedIndexes, [])
  assert.deepEqual(ours.schemaProblems, [])

  const describe = async () => {
    const { rows } = await database.pool.query(
      `select table_name, column_name, data_type, is_nullable from information_schema.columns
       where table_schema = 'auth' and table_name <> 'invitations' order by table_name, column_name`,
    )
    return rows
  }
  const handWritten = await describe()
  await database.pool.query('alter schema auth rename to auth_by_hand')
  await (await getMigrations(options)).runMigrations()
  assert.deepEqual(handWritten, await describe())
})

test('a link signs the owner in once, and makes the account on first use', async (t) => {
  const http = await testHttp(t)
  const link = await http.auth.makeSignInLink()
  assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/sign-in\/[\w-]{22}$/)
  assert.ok(link.startsWith(http.baseUrl))
  assert.equal(await count(http.database, 'users'), 0)

  const first = await http.send(new URL(link).pathname)
  assert.equal(first.status, 303)
  assert.equal(first.headers.get('location'), '/')
  const setCookie = first.headers.getSetCookie().join()
  assert.match(setCookie, /HttpOnly/i)
  assert.match(setCookie, /SameSite=Lax/i)
  assert.doesNotMatch(setCookie, /Secure/i)
  const { user, ...opened } = await session(http, cookieOf(first))
  assert.deepEqual(opened, {
    signed_in: true,
    permissions: Object.keys(PERMISSIONS),
    gives: ROLES,
    sees: { people: 'everyone', is_masked: false },
    brand: { key: 'main', name: 'Main', is_demo: false },
    brands: [{ key: 'main', name: 'Main', is_demo: false }],
  })
  const { user_id: _, ...owner } = user as Record<string, unknown>
  assert.deepEqual(owner, {
    name: 'Owner',
    email: 'owner@perennial.invalid',
    role: 'owner',
    has_password: false,
    may_set_password: true,
    staff_id: null,
    ends_at: null,
  })

  const second = await http.send(new URL(link).pathname)
  assert.equal(second.status, 404)
  assert.deepEqual(second.headers.getSetCookie(), [])
  assert.match(await second.text(), /perennial sign-in/)
  const again = await http.send(new URL(link).pathname, { cookie: cookieOf(first) })
  assert.equal(again.status, 303, 'reloaded in the browser that is signed in')
  assert.equal(await count(http.database, 'sessions'), 1)
  assert.equal(await count(http.database, 'users'), 1)
})

test('of two who open a link at once, one is let in', async (t) => {
  const http = await testHttp(t)
  const path = await pathOfNewLink(http)
  const answers = await Promise.all([http.send(path), http.send(path), http.send(path)])
  assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 404, 404])
  assert.equal(await count(http.database, 'sessions'), 1)
})

test('a link is void after an hour, and HEAD does not use it up', async (t) => {
  const http = await testHttp(t)
  const path = await pathOfNewLink(http)
  const { rows } = await http.database.pool.query<{ minutes: string }>(
    'select extract(epoch from expires_at - created_at) / 60 as minutes from auth.verifications',
  )
  assert.equal(Math.round(Number(rows[0]?.minutes)), 60)
  assert.notEqual((await http.send(path, { method: 'HEAD' })).status, 303)
  await http.database.pool.query(`update auth.verifications set expires_at = expires_at - interval '61 minutes'`)
  const late = await http.send(path)
  assert.equal(late.status, 404)
  assert.deepEqual(late.headers.getSetCookie(), [])
  assert.equal(await count(http.database, 'users'), 0)
})

test('a token stands neither in the database nor in a log', async (t) => {
  const http = await testHttp(t)
  const path = await pathOfNewLink(http)
  const token = path.split('/').at(-1) ?? ''
  const { rows } = await http.database.pool.query('select * from auth.verifications')
  assert.equal(rows.length, 1)
  assert.ok(!JSON.stringify(rows).includes(token))
  await http.send(path)
  await http.send(path)
  // The worst case: the database breaks while the link is being opened.
  const unlucky = await pathOfNewLink(http)
  await http.database.pool.query('alter table auth.verifications rename to gone')
  const failed = await http.send(unlucky)
  assert.equal(failed.status, 500)
  const logged = http.log.join('\n')
  assert.match(logged, /"route":"\/sign-in\/:token"/)
  assert.ok(!logged.includes(token))
  assert.ok(!logged.includes(unlucky.split('/').at(-1) ?? ''))
})

test("nobody can sign up, at our door or at better-auth's own", async (t) => {
  const http = await testHttp(t)
  const body = { name: 'Eve', email: 'eve@example.com', password: 'long enough, really' }
  const ours = await http.send('/api/auth/sign-up/email', { body })
  assert.equal(ours.status, 404)
  const theirs = await http.auth.handler(
    new Request('http://127.0.0.1/api/auth/sign-up/email', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'http://127.0.0.1' },
      body: JSON.stringify(body),
    }),
  )
  assert.equal(theirs.status, 400)
  for (const path of ['/api/auth/sign-in/magic-link', '/api/auth/request-password-reset', '/api/auth/update-user']) {
    assert.equal((await http.send(path, { body })).status, 404, path)
  }
  assert.equal(await count(http.database, 'users'), 0)
})

test("a link to an address that is nobody's any more makes no second owner", async (t) => {
  const http = await testHttp(t)
  const cookie = await http.signInByLink()
  const old = await pathOfNewLink(http)
  await http.database.pool.query(`update auth.users set email = 'lin@example.com'`)
  assert.equal((await http.send(old)).status, 404)
  assert.equal(await count(http.database, 'users'), 1)
  assert.ok((await session(http, cookie)).signed_in)
})

test('the owner sets e-mail and password and signs in with them', async (t) => {
  const http = await testHttp(t)
  assert.equal(await http.auth.ownerHasPassword(), false)
  const cookie = await http.signInByLink()
  const elsewhere = await http.signInByLink()
  const openLink = await pathOfNewLink(http)
  const saved = await http.send('/api/v1/account', { cookie, body: { ...OWNER, email: ' Lin@Example.com ' } })
  const { name, email, has_password } = (await saved.json()) as Record<string, unknown>
  assert.deepEqual([name, email, has_password], ['林', 'lin@example.com', true])
  assert.equal(await http.auth.ownerHasPassword(), true)
  const { rows } = await http.database.pool.query<{ password: string }>('select password from auth.accounts')
  assert.match(rows[0]?.password ?? '', /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)

  assert.ok((await session(http, cookie)).signed_in, 'this browser stays signed in')
  assert.ok(!(await session(http, elsewhere)).signed_in, 'every other one does not')
  assert.equal((await http.send(openLink)).status, 404, 'links made before are void')

  const signedIn = await http.send('/api/auth/sign-in/email', {
    body: { email: OWNER.email, password: OWNER.password },
  })
  assert.equal(signedIn.status, 200)
  assert.deepEqual(await signedIn.json(), { signed_in: true })
  assert.ok((await session(http, cookieOf(signedIn))).signed_in)

  // better-auth wipes the password of an account whose address is unproven when a link is opened; ours must stay.
  await http.signInByLink()
  assert.equal(await http.auth.ownerHasPassword(), true)
})

test('a session opened with the password cannot replace it; one opened by link can, once', async (t) => {
  const http = await testHttp(t)
  const first = await ownerWithPassword(http)
  const other = { ...OWNER, password: 'another evergreen' }
  assert.equal(await errorCode(await http.send('/api/v1/account', { cookie: first, body: other })), 'link_needed')
  const byPassword = cookieOf(await http.send('/api/auth/sign-in/email', { body: OWNER }))
  assert.equal(await errorCode(await http.send('/api/v1/account', { cookie: byPassword, body: other })), 'link_needed')
  const byLink = await http.signInByLink()
  assert.equal((await http.send('/api/v1/account', { cookie: byLink, body: other })).status, 200)
  assert.equal((await http.send('/api/auth/sign-in/email', { body: OWNER })).status, 401)
  assert.equal((await http.send('/api/auth/sign-in/email', { body: other })).status, 200)
})

test('an account is refused with the reason', async (t) => {
  const http = await testHttp(t)
  const cookie = await http.signInByLink()
  await http.database.pool.query(
    `insert into auth.users (name, email, email_verified, role) values ('Mei', 'mei@example.com', true, 'owner')`,
  )
  const cases = [
    [{ ...OWNER, name: '  ' }, 400, 'bad_name'],
    [{ ...OWNER, email: 'lin@' }, 400, 'bad_email'],
    [{ ...OWNER, password: '123456789' }, 400, 'weak_password'],
    [{ ...OWNER, password: 'x'.repeat(129) }, 400, 'weak_password'],
    [{ ...OWNER, email: 'MEI@example.com' }, 409, 'email_taken'],
    [{ name: 'x' }, 400, 'invalid_request'],
  ] as const
  for (const [body, status, code] of cases) {
    const refused = await http.send('/api/v1/account', { cookie, body })
    assert.deepEqual([refused.status, await errorCode(refused)], [status, code])
  }
  assert.equal(await http.auth.ownerHasPassword(), false)
  assert.equal(await errorCode(await http.send('/api/v1/account', { body: OWNER })), 'not_signed_in')
})

test('guessing ends after five attempts a minute, whatever address the guesser claims', async (t) => {
  const http = await testHttp(t)
  await ownerWithPassword(http)
  const codes: string[] = []
  for (let attempt = 0; attempt < 7; attempt += 1) {
    const body = { email: OWNER.email, password: `guess number ${attempt}` }
    const address = `203.0.113.${attempt}`
    const headers = { 'x-forwarded-for': address, 'x-perennial-client-address': address }
    codes.push(await errorCode(await http.send('/api/auth/sign-in/email', { body, headers })))
  }
  assert.deepEqual(codes, [...Array(5).fill('wrong_email_or_password'), ...Array(2).fill('too_many_attempts')])
  const right = await http.send('/api/auth/sign-in/email', { body: OWNER })
  assert.equal(right.status, 429, 'the right password does not get through either')
  assert.match(JSON.stringify(await right.json()), /Try again in \d+ s/)
  assert.ok(!http.log.join().includes('guess number'))
})

test('an unknown e-mail is answered like a wrong password', async (t) => {
  const http = await testHttp(t)
  await ownerWithPassword(http)
  const answer = async (email: string) => {
    const response = await http.send('/api/auth/sign-in/email', { body: { email, password: 'wrong, all wrong' } })
    return [response.status, await response.json()]
  }
  assert.deepEqual(await answer('nobody@example.com'), await answer(OWNER.email))
})

test('signing in gives a new session: a cookie planted before stays worthless', async (t) => {
  const http = await testHttp(t)
  const victim = await ownerWithPassword(http)
  const signedIn = await http.send('/api/auth/sign-in/email', { cookie: victim, body: OWNER })
  assert.notEqual(cookieOf(signedIn), victim)
  const planted = `${victim.split('=')[0]}=${'a'.repeat(32)}.${'b'.repeat(43)}%3D`
  const withPlanted = await http.send('/api/auth/sign-in/email', { cookie: planted, body: OWNER })
  assert.equal(withPlanted.status, 200)
  assert.notEqual(cookieOf(withPlanted), planted)
  assert.ok(!(await session(http, planted)).signed_in)
  const byLink = await http.send(await pathOfNewLink(http), { cookie: planted })
  assert.notEqual(cookieOf(byLink), planted)
  assert.ok(!(await session(http, planted)).signed_in)
})

test('signing out ends the session on the server', async (t) => {
  const http = await testHttp(t)
  const cookie = await http.signInByLink()
  assert.equal((await http.send('/api/auth/sign-out', { cookie, body: {} })).status, 200)
  assert.ok(!(await session(http, cookie)).signed_in)
  assert.equal(await count(http.database, 'sessions'), 0)
})

test('behind https the cookie is secure and the link is the public one', async (t) => {
  const http = await testHttp(t, { publicUrl: 'https://crm.example.com/' })
  const link = new URL(await http.auth.makeSignInLink())
  assert.equal(link.origin, 'https://crm.example.com')
  const opened = await http.send(link.pathname)
  assert.match(opened.headers.getSetCookie().join(), /^__Secure-perennial\.session_token=.*; Secure/i)
  assert.ok((await session(http, cookieOf(opened))).signed_in)
})

test('the secret is made once, for the owner of the folder only', async (t) => {
  const { database } = await testDatabase(t, 'installation')
  const home = await temporaryFolder(t)
  const make = () =>
    createAuth(
      { control: database, config: { home, publicUrl: undefined } },
      { baseUrl: 'http://127.0.0.1:8700', clock: systemClock },
    )
  await Promise.all([make(), make(), make()])
  const path = join(home, 'secrets', 'auth-secret')
  const secret = await readFile(path, 'utf8')
  assert.equal(Buffer.from(secret, 'base64url').length, 32)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  await make()
  assert.equal(await readFile(path, 'utf8'), secret)
})

test('a PUBLIC_URL that is no address is refused in words', async (t) => {
  const { database } = await testDatabase(t, 'installation')
  const home = await temporaryFolder(t)
  await assert.rejects(
    createAuth(
      { control: database, config: { home, publicUrl: 'crm.example.com' } },
      { baseUrl: 'http://127.0.0.1:8700', clock: systemClock },
    ),
    (error: Error) => error instanceof ConfigError && /PUBLIC_URL is "crm\.example\.com"/.test(error.message),
  )
})

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(scratchFolder(), 'perennial-auth-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}
