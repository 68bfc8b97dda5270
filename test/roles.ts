import assert from 'node:assert/strict'
import { hashPassword, writePassword } from '../src/platform/accounts.ts'
import type { Role } from '../src/platform/roles.ts'
import { cookieOf, type TestHttp } from './http.ts'

export const PASSWORD = 'evergreen and 长青'

export interface TestUser {
  readonly userId: string
  readonly email: string
  /** Its session, as a header. */
  readonly cookie: string
}

export interface UserOptions {
  /** An adviser's; `lin` when left out. */
  readonly staffId?: string
  /** An outside operator's; far ahead when left out. */
  readonly endsAt?: Date
  readonly email?: string
}

/** An account of a role that has a password, and a session of it opened with that password. */
export async function userOf(http: TestHttp, role: Role, options: UserOptions = {}): Promise<TestUser> {
  const email = options.email ?? `${role}@example.com`
  const userId = await http.database.transaction(async (_tx, client) => {
    const { rows } = await client.query<{ id: string }>(
      `insert into auth.users (name, email, email_verified, role, staff_id, ends_at) values ($1, $2, true, $3, $4, $5)
       returning id`,
      [
        role,
        email,
        role,
        role === 'adviser' ? (options.staffId ?? 'lin') : null,
        role === 'outside_operator' ? (options.endsAt ?? new Date('2099-01-01T00:00:00Z')) : null,
      ],
    )
    const id = rows[0]?.id ?? ''
    await writePassword(client, id, await hashPassword(PASSWORD), new Date('2026-01-01T00:00:00Z'))
    return id
  })
  return { userId, email, cookie: await signIn(http, email) }
}

/** Signs in with the password of every test user, whatever was tried before. */
export async function signIn(http: TestHttp, email: string): Promise<string> {
  await http.database.pool.query('delete from auth.rate_limits')
  const response = await http.send('/api/auth/sign-in/email', { body: { email, password: PASSWORD } })
  assert.equal(response.status, 200, await response.clone().text())
  return cookieOf(response)
}
