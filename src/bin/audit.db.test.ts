import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TestConsole, testConsole } from '../../test/console.ts'
import { cookieOf } from '../../test/http.ts'
import { PASSWORD, signIn, type TestUser, userOf } from '../../test/roles.ts'
import type { AuditRow } from '../modules/audit/schema.ts'
import { mergePeople, splitIdentity, withdrawClaim } from '../modules/customers/actions.ts'
import { atTerminal } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { isRefusal } from '../platform/refusal.ts'

const clock: Clock = { now: () => new Date('2026-06-01T00:00:00Z') }
const PHONE = '+8613812345678'
const NAME = 'Ottilie Unmistakable'
const EMAIL = 'ottilie@example.com'
const SECRET_WORDS = [PHONE, '13812345678', NAME, 'Ottilie', EMAIL, PASSWORD]

interface Sent {
  readonly path: string
  readonly method?: string
  readonly body?: unknown
  /** Sent as they are. */
  readonly bytes?: string
  readonly headers?: Record<string, string>
  readonly cookie?: string
}

interface Hands {
  readonly desk: TestConsole
  readonly owner: TestUser
  /** An account that may be changed. */
  readonly other: TestUser
  ask(sent: Sent): Promise<Record<string, unknown>>
}

const order = {
  kind: 'order',
  source: 'shop',
  external_id: 'A-1',
  customer_id: 'lin',
  paid_at: '2026-05-01T00:00:00Z',
  lines: [{ item: 'tea', unit_price: 10 }],
}

async function invitationToken({ ask }: Hands): Promise<string> {
  const made = await ask({ path: '/api/v1/invitations', body: { name: NAME, email: EMAIL, role: 'lead' } })
  return new URL(String(made.url)).hash.slice(1)
}

async function keyFor({ ask }: Hands, ...scopes: string[]) {
  return ask({ path: '/api/v1/api-keys', body: { name: 'till', scopes } })
}

/** Whom the recipes below decide about: lin and wu, by node and person as they are now. */
async function known({ desk }: Hands) {
  const people = ['lin', 'wu'].map((key) => ({ ...order, external_id: `A-${key}`, customer_id: key }))
  await desk.post(...people)
  const { rows } = await desk.database.pool.query<{ identity_id: number; person_id: number; value: string }>(
    `select identity_id, person_id, value from customers.published_people where value in ('lin', 'wu') order by value`,
  )
  const [lin, wu] = rows
  assert.ok(lin && wu)
  return { lin, wu }
}

async function merged(hands: Hands) {
  const { lin, wu } = await known(hands)
  return hands.ask({ path: '/api/v1/merges', body: { person_ids: [lin.person_id, wu.person_id] } })
}

const ORDERS_FILE = 'order_id,customer_id,paid_at,item,amount\n1,meng,2026-05-01,tea,10\n2,qi,never,tea,10\n'
const ORDERS_MAPPING = {
  name: 'orders',
  kind: 'orders',
  source: 'files',
  columns: { order_id: ['order_id'], customer_id: ['customer_id'], paid_at: ['paid_at'], amount: ['amount'] },
}

async function uploaded({ ask }: Hands): Promise<string> {
  const bytes = Buffer.byteLength(ORDERS_FILE)
  const { upload_id } = await ask({ path: '/api/v1/uploads', body: { file_name: `${NAME}.csv`, bytes } })
  return String(upload_id)
}

async function filled(hands: Hands): Promise<string> {
  const id = await uploaded(hands)
  await hands.ask(part(id))
  return id
}

const part = (id: string) => ({ path: `/api/v1/uploads/${id}/content?from=0`, method: 'PUT', bytes: ORDERS_FILE })

const wish = (dryRun: boolean) => ({ mapping: ORDERS_MAPPING, source: 'files', dry_run: dryRun })

/** Work that goes on when the answer is there. */
async function untilDone({ ask }: Hands): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const { uploads } = (await ask({ path: '/api/v1/uploads', method: 'GET' })) as {
      uploads: { task: { progress: object | null } | null }[]
    }
    const { imports } = (await ask({ path: '/api/v1/imports', method: 'GET' })) as {
      imports: { is_undoing: boolean }[]
    }
    if (uploads.every(({ task }) => !task?.progress) && imports.every((one) => !one.is_undoing)) return
    await sleep(25)
  }
  assert.fail('The import has not ended')
}

const MEMBERS = { membership: {} }

async function tagFor({ ask }: Hands, name: string): Promise<number> {
  const { tag_id } = await ask({ path: '/api/v1/tags', body: { name } })
  return Number(tag_id)
}

async function editOf(hands: Hands, name: string) {
  const { lin, wu } = await known(hands)
  return { verb: 'give', tag_id: await tagFor(hands, name), person_ids: [lin.person_id, wu.person_id] }
}

async function ruleOf(hands: Hands, name: string) {
  const { segment_id } = await hands.ask({ path: '/api/v1/segments', body: { name, definition: MEMBERS } })
  return { path: `/api/v1/tags/${await tagFor(hands, name)}/rule`, body: { segment_id } }
}

/**
 * Every route that changes something or hands people out: how it is called so that it does, and what the log then says;
 * nothing where `operation` is null.
 */
const RECIPES: Record<string, { operation: string | null; fields?: string[]; call: (hands: Hands) => Promise<Sent> }> =
  {
    'POST /api/v1/segments': {
      operation: 'segment_create',
      fields: ['name', 'definition'],
      call: async () => ({ path: '/api/v1/segments', body: { name: 'members', definition: MEMBERS } }),
    },
    'PATCH /api/v1/segments/:segment_id': {
      operation: 'segment_change',
      fields: ['definition'],
      call: async ({ ask }) => {
        const { segment_id: id } = await ask({ path: '/api/v1/segments', body: { name: 'a', definition: MEMBERS } })
        return { path: `/api/v1/segments/${id}`, method: 'PATCH', body: { definition: { not: MEMBERS } } }
      },
    },
    'DELETE /api/v1/segments/:segment_id': {
      operation: 'segment_delete',
      call: async ({ ask }) => {
        const { segment_id: id } = await ask({ path: '/api/v1/segments', body: { name: 'b', definition: MEMBERS } })
        return { path: `/api/v1/segments/${id}`, method: 'DELETE' }
      },
    },
    'POST /api/v1/tag-groups': {
      operation: 'tag_group_create',
      fields: ['name'],
      call: async () => ({ path: '/api/v1/tag-groups', body: { name: `Of ${NAME}` } }),
    },
    'PATCH /api/v1/tag-groups/:group_id': {
      operation: 'tag_group_change',
      fields: ['name'],
      call: async ({ ask }) => {
        const { group_id } = await ask({ path: '/api/v1/tag-groups', body: { name: 'Old' } })
        return { path: `/api/v1/tag-groups/${group_id}`, method: 'PATCH', body: { name: `With ${NAME}` } }
      },
    },
    'DELETE /api/v1/tag-groups/:group_id': {
      operation: 'tag_group_delete',
      call: async ({ ask }) => {
        const { group_id } = await ask({ path: '/api/v1/tag-groups', body: { name: 'Gone' } })
        return { path: `/api/v1/tag-groups/${group_id}`, method: 'DELETE' }
      },
    },
    'POST /api/v1/tags': {
      operation: 'tag_create',
      fields: ['name', 'description'],
      call: async () => ({ path: '/api/v1/tags', body: { name: 'VIP', description: `As ${NAME} said` } }),
    },
    'PATCH /api/v1/tags/:tag_id': {
      operation: 'tag_change',
      fields: ['name'],
      call: async (hands) => ({
        path: `/api/v1/tags/${await tagFor(hands, 'before')}`,
        method: 'PATCH',
        body: { name: `After ${NAME}` },
      }),
    },
    'DELETE /api/v1/tags/:tag_id': {
      operation: 'tag_delete',
      call: async (hands) => ({ path: `/api/v1/tags/${await tagFor(hands, 'short-lived')}`, method: 'DELETE' }),
    },
    'PUT /api/v1/tags/:tag_id/rule': {
      operation: 'tag_rule_set',
      call: async (hands) => ({ ...(await ruleOf(hands, 'ruled')), method: 'PUT' }),
    },
    'DELETE /api/v1/tags/:tag_id/rule': {
      operation: 'tag_rule_remove',
      call: async (hands) => {
        const { path } = await ruleOf(hands, 'no longer ruled')
        return { path, method: 'DELETE' }
      },
    },
    'POST /api/v1/people/:person_id/tags': {
      operation: 'tag_give',
      fields: ['tag', 'strength'],
      call: async (hands) => {
        const { lin } = await known(hands)
        return { path: `/api/v1/people/${lin.person_id}/tags`, body: { tag_id: await tagFor(hands, 'given') } }
      },
    },
    'DELETE /api/v1/people/:person_id/tags/:tag_id': {
      operation: 'tag_take',
      fields: ['tag'],
      call: async (hands) => {
        const { lin } = await known(hands)
        return { path: `/api/v1/people/${lin.person_id}/tags/${await tagFor(hands, 'taken')}`, method: 'DELETE' }
      },
    },
    'POST /api/v1/tag-edits': {
      operation: 'tag_give',
      fields: ['tag', 'strength'],
      call: async (hands) => ({ path: '/api/v1/tag-edits', body: await editOf(hands, 'of two') }),
    },
    'POST /api/v1/tag-edits/:edit_id/undo': {
      operation: 'tag_undo',
      call: async (hands) => {
        const { edit_id } = await hands.ask({ path: '/api/v1/tag-edits', body: await editOf(hands, 'undone') })
        return { path: `/api/v1/tag-edits/${edit_id}/undo`, body: {} }
      },
    },
    'POST /api/auth/sign-in/email': {
      operation: 'sign_in_by_password',
      call: async ({ other }) => ({
        path: '/api/auth/sign-in/email',
        body: { email: other.email, password: PASSWORD },
      }),
    },
    'GET /sign-in/:token': {
      operation: 'sign_in_by_link',
      call: async ({ desk, owner }) => ({
        path: new URL(await desk.http.auth.makeSignInLink(owner.email)).pathname,
        method: 'GET',
      }),
    },
    'POST /api/auth/sign-out': {
      operation: 'sign_out',
      call: async ({ desk, other }) => ({
        path: '/api/auth/sign-out',
        body: {},
        cookie: await signIn(desk.http, other.email),
      }),
    },
    'POST /api/v1/account': {
      operation: 'account_change',
      fields: ['name', 'email', 'password'],
      call: async ({ desk, owner }) => {
        const opened = await desk.http.send(new URL(await desk.http.auth.makeSignInLink(owner.email)).pathname)
        return {
          path: '/api/v1/account',
          body: { name: NAME, email: owner.email, password: PASSWORD },
          cookie: cookieOf(opened),
        }
      },
    },
    'PATCH /api/v1/users/:user_id': {
      operation: 'user_change',
      fields: ['role', 'staff_id'],
      call: async ({ other }) => ({
        path: `/api/v1/users/${other.userId}`,
        method: 'PATCH',
        body: { role: 'adviser', staff_id: 'lin' },
      }),
    },
    'POST /api/v1/users/:user_id/link': {
      operation: 'sign_in_link_create',
      call: async ({ other }) => ({ path: `/api/v1/users/${other.userId}/link`, body: {} }),
    },
    'DELETE /api/v1/users/:user_id/sessions': {
      operation: 'sessions_end',
      call: async ({ other }) => ({ path: `/api/v1/users/${other.userId}/sessions`, method: 'DELETE' }),
    },
    'DELETE /api/v1/sessions/:session_id': {
      operation: 'session_end',
      call: async ({ desk, owner, ask }) => {
        await signIn(desk.http, owner.email)
        const { sessions } = (await ask({ path: '/api/v1/sessions', method: 'GET' })) as {
          sessions: { session_id: string; is_current: boolean }[]
        }
        const spare = sessions.find(({ is_current }) => !is_current)
        return { path: `/api/v1/sessions/${spare?.session_id}`, method: 'DELETE' }
      },
    },
    'POST /api/v1/invitations': {
      operation: 'invitation_create',
      fields: ['name', 'email', 'role', 'staff_id'],
      call: async () => ({
        path: '/api/v1/invitations',
        body: { name: NAME, email: EMAIL, role: 'adviser', staff_id: 'lin' },
      }),
    },
    'DELETE /api/v1/invitations/:invitation_id': {
      operation: 'invitation_revoke',
      call: async ({ ask }) => {
        const made = await ask({ path: '/api/v1/invitations', body: { name: NAME, email: EMAIL, role: 'lead' } })
        return { path: `/api/v1/invitations/${made.invitation_id}`, method: 'DELETE' }
      },
    },
    'POST /api/v1/invitations/accept': {
      operation: 'invitation_accept',
      fields: ['name', 'password'],
      call: async (hands) => ({
        path: '/api/v1/invitations/accept',
        // Whose the name is stands in the log as who did it, and nowhere else.
        body: { token: await invitationToken(hands), name: 'Newcomer', password: PASSWORD },
      }),
    },
    'POST /api/v1/facts': {
      operation: 'facts_store',
      call: async (hands) => ({
        path: '/api/v1/facts',
        body: { facts: [order, { ...order, external_id: 'A-2', customer_id: PHONE }] },
        headers: { authorization: `Bearer ${(await keyFor(hands, 'facts:write')).key}` },
      }),
    },
    'POST /api/v1/webhooks/:source': {
      operation: 'facts_store',
      call: async ({ ask }) => {
        const { secret } = await ask({ path: '/api/v1/webhook-sources', body: { source: 'till' } })
        const body = { type: 'facts', facts: [{ ...order, source: 'till', customer_id: PHONE }] }
        const at = String(clock.now().getTime() / 1000)
        const signature = createHmac('sha256', Buffer.from(String(secret).replace('whsec_', ''), 'base64'))
          .update(`d1.${at}.${JSON.stringify(body)}`)
          .digest('base64')
        const headers = { 'webhook-id': 'd1', 'webhook-timestamp': at, 'webhook-signature': `v1,${signature}` }
        return { path: '/api/v1/webhooks/till', body, headers }
      },
    },
    'POST /api/v1/api-keys': {
      operation: 'api_key_create',
      fields: ['name', 'scopes'],
      call: async () => ({ path: '/api/v1/api-keys', body: { name: 'till', scopes: ['facts:write'] } }),
    },
    'DELETE /api/v1/api-keys/:key_id': {
      operation: 'api_key_revoke',
      call: async (hands) => ({
        path: `/api/v1/api-keys/${(await keyFor(hands, 'people:read')).key_id}`,
        method: 'DELETE',
      }),
    },
    'POST /api/v1/webhook-sources': {
      operation: 'webhook_create',
      fields: ['source'],
      call: async () => ({ path: '/api/v1/webhook-sources', body: { source: 'till' } }),
    },
    'DELETE /api/v1/webhook-sources/:webhook_id': {
      operation: 'webhook_revoke',
      call: async ({ ask }) => {
        const made = await ask({ path: '/api/v1/webhook-sources', body: { source: 'till' } })
        return { path: `/api/v1/webhook-sources/${made.webhook_id}`, method: 'DELETE' }
      },
    },
    'POST /api/v1/value/runs': {
      operation: 'value_run',
      call: async ({ desk }) => {
        await desk.post({ ...order, customer_id: 'lin', paid_at: '2026-05-01T00:00:00Z' })
        return { path: '/api/v1/value/runs', method: 'POST' }
      },
    },
    'PATCH /api/v1/settings': {
      operation: 'settings_change',
      fields: ['period_days'],
      call: async () => ({
        path: '/api/v1/settings',
        method: 'PATCH',
        body: { period_days: 180, occasion_unit: 'day' },
      }),
    },
    'GET /api/v1/people/:person_id/export': {
      operation: 'person_export',
      call: async ({ desk, ask }) => {
        await desk.post({ ...order, customer_id: 'lin' })
        const { people } = (await ask({ path: '/api/v1/people', method: 'GET' })) as { people: { person_id: number }[] }
        return { path: `/api/v1/people/${people[0]?.person_id}/export`, method: 'GET' }
      },
    },
    'POST /api/v1/uploads': {
      operation: 'upload_create',
      call: async () => ({ path: '/api/v1/uploads', body: { file_name: `${NAME}.csv`, bytes: 3 } }),
    },
    // Its parts belong to the upload that was noted when it was announced.
    'PUT /api/v1/uploads/:upload_id/content': {
      operation: null,
      call: async (hands) => part(await uploaded(hands)),
    },
    'POST /api/v1/uploads/:upload_id/preview': {
      operation: null,
      call: async (hands) => ({
        path: `/api/v1/uploads/${await filled(hands)}/preview`,
        body: { mapping: ORDERS_MAPPING },
      }),
    },
    'POST /api/v1/uploads/:upload_id/import': {
      operation: 'import',
      call: async (hands) => ({ path: `/api/v1/uploads/${await filled(hands)}/import`, body: wish(false) }),
    },
    'POST /api/v1/imports/:import_id/undo': {
      operation: 'import_undo',
      call: async ({ ask }) => {
        const { imports } = (await ask({ path: '/api/v1/imports', method: 'GET' })) as {
          imports: { import_id: number }[]
        }
        return { path: `/api/v1/imports/${imports[0]?.import_id}/undo`, body: {} }
      },
    },
    'POST /api/v1/uploads/:upload_id/cancel': {
      operation: 'import_cancel',
      call: async (hands) => {
        const id = await filled(hands)
        // It waits for a lock until then.
        const blocker = await hands.desk.database.pool.connect()
        await blocker.query('begin; lock table intake.imports in share mode')
        await hands.ask({ path: `/api/v1/uploads/${id}/import`, body: wish(false) })
        void sleep(300).then(async () => {
          await blocker.query('rollback')
          blocker.release()
        })
        return { path: `/api/v1/uploads/${id}/cancel`, body: {} }
      },
    },
    'DELETE /api/v1/uploads/:upload_id': {
      operation: 'upload_remove',
      call: async (hands) => ({ path: `/api/v1/uploads/${await uploaded(hands)}`, method: 'DELETE' }),
    },
    'GET /api/v1/uploads/:upload_id/rejects': {
      operation: 'rejects_export',
      call: async (hands) => {
        const id = await filled(hands)
        await hands.ask({ path: `/api/v1/uploads/${id}/import`, body: wish(true) })
        await untilDone(hands)
        return { path: `/api/v1/uploads/${id}/rejects`, method: 'GET' }
      },
    },
    'GET /api/v1/imports/:import_id/rejects': {
      operation: 'rejects_export',
      call: async ({ ask }) => {
        const { imports } = (await ask({ path: '/api/v1/imports', method: 'GET' })) as {
          imports: { import_id: number; has_rejects: boolean }[]
        }
        const found = imports.find(({ has_rejects }) => has_rejects)
        return { path: `/api/v1/imports/${found?.import_id}/rejects`, method: 'GET' }
      },
    },
    'POST /api/v1/merges': {
      operation: 'people_merge',
      call: async (hands) => {
        const { lin, wu } = await known(hands)
        return { path: '/api/v1/merges', body: { person_ids: [lin.person_id, wu.person_id] } }
      },
    },
    'POST /api/v1/claims/:claim_id/withdraw': {
      operation: 'claim_withdraw',
      call: async (hands) => {
        const { decisions } = (await hands.ask({ path: '/api/v1/merge-review', method: 'GET' })) as {
          decisions: { claim_id: number }[]
        }
        return { path: `/api/v1/claims/${decisions[0]?.claim_id}/withdraw`, body: {} }
      },
    },
    'POST /api/v1/splits': {
      operation: 'identity_split',
      call: async (hands) => {
        await merged(hands)
        return { path: '/api/v1/splits', body: { identity_id: (await known(hands)).wu.identity_id } }
      },
    },
    'POST /api/v1/people/:person_id/erase': {
      operation: 'person_erase',
      call: async (hands) => {
        const { wu } = await known(hands)
        return { path: `/api/v1/people/${wu.person_id}/erase`, body: { key: 'wu' } }
      },
    },
  }

/** Decided at a terminal too, where nobody is signed in: here it has to be who is. */
const ABOUT_WHO_IS_WHO = [
  ...['people_merge', 'claim_withdraw', 'identity_split', 'person_erase'],
  ...['import', 'import_undo', 'rejects_export'],
]

test('every route that changes something, and every export of people, writes one row of who did what', async (t) => {
  const desk = await testConsole(t, clock)
  const owner = await userOf(desk.http, 'owner')
  const other = await userOf(desk.http, 'analyst')
  let session = owner.cookie
  const ask = async ({ path, method, body, bytes, headers, cookie }: Sent) => {
    const response = await desk.http.send(path, {
      ...(method ? { method } : {}),
      ...(body === undefined ? {} : { body }),
      ...(bytes === undefined ? {} : { bytes: Buffer.from(bytes) }),
      ...(headers ? { headers } : {}),
      cookie: cookie ?? session,
    })
    const text = await response.text()
    assert.ok(response.status < 400, `${method ?? 'POST'} ${path} -> ${response.status} ${text}`)
    return (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, unknown>
  }
  const hands = { desk, owner, other, ask }
  const changing = desk.http.app.declaredRoutes
    .filter(
      ({ method, url, config }) =>
        (!['GET', 'HEAD', 'OPTIONS'].includes(method) && !config.reads) ||
        (method === 'GET' &&
          (url === '/sign-in/:token' || url.endsWith('/rejects') || config.permission === 'people:export')),
    )
    .map(({ method, url }) => `${method} ${url}`)
  assert.deepEqual(
    changing.toSorted(),
    Object.keys(RECIPES).toSorted(),
    'a route without a recipe here, or the other way round',
  )
  const { rows: none } = await desk.database.pool.query('select from audit.entries where actor_kind <> $1', ['user'])
  assert.equal(none.length, 0)
  for (const [route, { operation, fields, call }] of Object.entries(RECIPES)) {
    // Some of them end it.
    session = await signIn(desk.http, owner.email)
    const sent = await call(hands)
    const before = await lastEntry(desk)
    await ask(sent)
    // Some of it goes on when the answer is there, and some of it ends the session that it came by.
    if (sent.path.startsWith('/api/v1/uploads') || sent.path.startsWith('/api/v1/imports')) await untilDone(hands)
    const { rows } = await desk.database.pool.query<AuditRow & { actor_kind: string; actor_id: string }>(
      'select * from audit.entries where entry_id > $1 order by entry_id',
      [before],
    )
    assert.deepEqual(
      rows.map((row) => row.operation),
      operation === null ? [] : [operation],
      route,
    )
    assert.deepEqual(rows[0]?.fields ?? [], fields ?? [], route)
    if (ABOUT_WHO_IS_WHO.includes(operation ?? '')) {
      assert.deepEqual([rows[0]?.actor_kind, rows[0]?.actor_id], ['user', owner.userId], route)
    }
    for (const value of SECRET_WORDS) {
      const said = JSON.stringify({ ...rows[0], actor_name: '' })
      assert.ok(!said.includes(value), `${route}: ${said}`)
    }
    // Ends what the next ones would run into.
    await desk.http.database.pool.query('delete from auth.rate_limits')
    await desk.http.database.pool.query('update auth.invitations set revoked_at = created_at where accepted_at is null')
  }
})

async function lastEntry(desk: TestConsole): Promise<number> {
  const { rows } = await desk.database.pool.query<{ last: number }>(
    'select coalesce(max(entry_id), 0) as last from audit.entries',
  )
  return rows[0]?.last ?? 0
}

test('what is refused, known before, or failed leaves no row', async (t) => {
  const desk = await testConsole(t, clock)
  const { cookie } = await userOf(desk.http, 'owner')
  const made = (await (
    await desk.http.send('/api/v1/api-keys', { cookie, body: { name: 'till', scopes: ['facts:write'] } })
  ).json()) as {
    key: string
  }
  const headers = { authorization: `Bearer ${made.key}` }
  await desk.http.send('/api/v1/facts', { headers, body: { facts: [order] } })
  const before = await lastEntry(desk)
  await desk.http.send('/api/v1/facts', { headers, body: { facts: [order, { kind: 'order' }] } })
  await desk.http.send('/api/v1/api-keys', { cookie, body: { name: ' ', scopes: ['facts:write'] } })
  await desk.http.send('/api/v1/settings', { cookie, method: 'PATCH', body: { zone: 'Nowhere/Land' } })
  await desk.http.send('/api/auth/sign-in/email', {
    body: { email: 'owner@example.com', password: 'wrong, all wrong' },
  })
  assert.equal(await lastEntry(desk), before)
  // The row goes with the write: without it the key is not made either.
  await desk.database.pool.query('alter table audit.entries rename to gone')
  const failed = await desk.http.send('/api/v1/api-keys', { cookie, body: { name: 'lost', scopes: ['facts:write'] } })
  assert.equal(failed.status, 500)
  const { rowCount } = await desk.database.pool.query(`select from intake.api_keys where name = 'lost'`)
  assert.equal(rowCount, 0)
})

test('decisions by hand at the terminal are noted in their own transaction', async (t) => {
  const desk = await testConsole(t, clock)
  await desk.post(order, { ...order, external_id: 'A-2', customer_id: 'wu' })
  const { rows } = await desk.database.pool.query<{ identity_id: number; person_id: number }>(
    'select identity_id, person_id from customers.canonical order by identity_id',
  )
  const merged = await mergePeople(desk.database, clock, {
    personIds: rows.map((row) => row.person_id),
    by: atTerminal(),
  })
  assert.ok(!isRefusal(merged))
  assert.ok(
    !isRefusal(await splitIdentity(desk.database, clock, { identityId: rows[0]?.identity_id ?? 0, by: atTerminal() })),
  )
  assert.ok(!isRefusal(await withdrawClaim(desk.database, clock, merged.claim_id)))
  assert.ok(isRefusal(await withdrawClaim(desk.database, clock, merged.claim_id)))
  const { rows: entries } = await desk.database.pool.query<{
    operation: string
    actor_kind: string
    actor_name: string
  }>('select operation, actor_kind, actor_name from audit.entries order by entry_id')
  assert.deepEqual(
    entries.map(({ operation }) => operation),
    ['people_merge', 'identity_split', 'claim_withdraw'],
  )
  assert.deepEqual(
    new Set(entries.map((row) => `${row.actor_kind} ${row.actor_name}`)),
    new Set(['command_line command line']),
  )
})

test('the log is read page by page, the latest first, by actor and by operation', async (t) => {
  const desk = await testConsole(t, clock)
  const { cookie, userId } = await userOf(desk.http, 'owner')
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await desk.http.send('/api/v1/api-keys', { cookie, body: { name, scopes: ['facts:write'] } })
  }
  const read = async (query: string) => {
    const response = await desk.http.send(`/api/v1/audit?${query}`, { cookie })
    return (await response.json()) as { entries: AuditRow[]; next: number | null }
  }
  const seen: AuditRow[] = []
  for (let after = ''; ; ) {
    const page = await read(`limit=2&operation=api_key_create${after}`)
    seen.push(...page.entries)
    if (page.next === null) break
    after = `&after=${page.next}`
  }
  assert.equal(seen.length, 5)
  assert.deepEqual(
    seen.map(({ entry_id }) => entry_id),
    seen.map(({ entry_id }) => entry_id).toSorted((a, b) => b - a),
  )
  assert.deepEqual(seen[0]?.actor, { kind: 'user', id: userId, name: 'owner' })
  assert.deepEqual(Object.keys(seen[0]?.subjects ?? {}), ['key_id'])
  assert.deepEqual((await read('actor_id=nobody')).entries, [])
  assert.equal((await read(`actor_id=${userId}`)).entries.length, 6, 'and the sign-in')
})
