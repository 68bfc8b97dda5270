import type pg from 'pg'
import { checkEmail, checkName } from './accounts.ts'
import type { Database } from './db.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { GIVES, type Role } from './roles.ts'

/*
 * Accounts as those who manage them see them. Small code of our own, because better-auth's plugin for it (admin) keeps a
 * second table of who may do what, knows no last owner, no staff and no end, and bans without telling why.
 */

/** Who changes an account: somebody by their role, or the terminal of the server, which may all. */
export interface Giver {
  readonly userId: string | null
  readonly role: Role
}

export const TERMINAL: Giver = { userId: null, role: 'owner' }

/** What an account is given. */
export interface Grant {
  readonly role: Role
  readonly staffId: string | null
  readonly endsAt: Date | null
}

export interface User extends Grant {
  readonly userId: string
  readonly name: string
  readonly email: string
  readonly createdAt: Date
  readonly disabledAt: Date | null
  readonly sessions: number
}

/** What is named is changed. */
export interface UserChange {
  readonly role?: Role | undefined
  readonly staffId?: string | null | undefined
  readonly endsAt?: Date | null | undefined
  readonly isDisabled?: boolean | undefined
}

/** A browser that is signed in. */
export interface UserSession {
  readonly sessionId: string
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly address: string | null
  readonly userAgent: string | null
}

const USERS_MAX = 1000
const SESSIONS_MAX = 200
const STAFF_ID_CHARACTERS_MAX = 120

const COLUMNS = `users.id as "userId", users.name, users.email, users.role, users.staff_id as "staffId", users.ends_at as "endsAt",
  users.created_at as "createdAt", users.disabled_at as "disabledAt",
  (select count(*) from auth.sessions where sessions.user_id = users.id and sessions.expires_at > $1) as sessions`

/** Everybody who has or had an account, those who are closed last. */
export async function listUsers(control: Database, now: Date): Promise<User[]> {
  const { rows } = await control.pool.query<User>(
    `select ${COLUMNS} from auth.users order by disabled_at is not null, created_at, id limit ${USERS_MAX}`,
    [now],
  )
  return rows
}

export async function findUserByEmail(control: Database, email: string, now: Date): Promise<User | Refusal> {
  const { rows } = await control.pool.query<User>(`select ${COLUMNS} from auth.users where email = $2`, [
    now,
    email.trim().toLowerCase(),
  ])
  return rows[0] ?? refuse('missing', 'no_such_user', `No account has the address ${email}.`, 'See: ./perennial users')
}

/**
 * Changes role, staff id or end of an account, closes or opens it. Closing ends its sessions at once.
 * Refuses no_such_user, role_not_yours, last_owner, staff_id_needed, end_needed, end_is_past.
 * @returns the account as it is now, and the names of what changed.
 */
export async function changeUser(
  control: Database,
  by: Giver,
  userId: string,
  change: UserChange,
  now: Date,
): Promise<{ user: User; fields: string[] } | Refusal> {
  return control.transaction(async (_tx, client) => {
    // Every owner is locked, in one order: of two who demote each other the later one finds the other one gone.
    const { rows } = await client.query<User>(
      `select ${COLUMNS} from auth.users where id = $2 or role = 'owner' order by id for update`,
      [now, userId],
    )
    const user = rows.find((row) => row.userId === userId)
    if (!user) return noSuchUser()
    const isOpenNext = change.isDisabled === undefined ? user.disabledAt === null : !change.isDisabled
    const grant = checkGrant(by, merged(user, change), now, isOpenNext)
    if (isRefusal(grant)) return grant
    const mine = mayGive(by, user.role)
    if (isRefusal(mine)) return mine
    const otherOwners = rows.filter((row) => row.userId !== userId && row.role === 'owner' && row.disabledAt === null)
    const isOwner = user.role === 'owner' && user.disabledAt === null
    if (isOwner && otherOwners.length === 0 && (grant.role !== 'owner' || !isOpenNext)) return lastOwner()
    const disabledAt = isOpenNext ? null : (user.disabledAt ?? now)
    await client.query(
      'update auth.users set role = $2, staff_id = $3, ends_at = $4, disabled_at = $5, updated_at = $6 where id = $1',
      [userId, grant.role, grant.staffId, grant.endsAt, disabledAt, now],
    )
    if (!isOpenNext) await deleteSessions(client, userId)
    const fields = [
      ...(grant.role === user.role ? [] : ['role']),
      ...(grant.staffId === user.staffId ? [] : ['staff_id']),
      ...(grant.endsAt?.getTime() === user.endsAt?.getTime() ? [] : ['ends_at']),
      ...(isOpenNext === (user.disabledAt === null) ? [] : ['is_disabled']),
    ]
    return { user: { ...user, ...grant, disabledAt, sessions: isOpenNext ? user.sessions : 0 }, fields }
  })
}

/** A staff id and an end go with their role: another role has neither, so a change of role drops them. */
function merged(user: Grant, change: UserChange): Grant {
  const role = change.role ?? user.role
  const staffId = change.staffId === undefined ? (role === 'adviser' ? user.staffId : null) : change.staffId
  const endsAt = change.endsAt === undefined ? (role === 'outside_operator' ? user.endsAt : null) : change.endsAt
  return { role, staffId, endsAt }
}

/** What may be given by whom; refuses like `changeUser`. */
export function checkGrant(by: Giver, wanted: Grant, now: Date, isOpen = true): Grant | Refusal {
  const refusal = mayGive(by, wanted.role)
  if (refusal) return refusal
  const staffId = wanted.staffId?.trim() || null
  if ((wanted.role === 'adviser') !== (staffId !== null) || (staffId?.length ?? 0) > STAFF_ID_CHARACTERS_MAX) {
    return refuse(
      'invalid',
      'staff_id_needed',
      'An adviser has a staff id, and nobody else has one.',
      `Name the id that connections have for this member of the staff, at most ${STAFF_ID_CHARACTERS_MAX} characters.`,
    )
  }
  if ((wanted.role === 'outside_operator') !== (wanted.endsAt !== null)) {
    const message = 'The account of an outside operator has an end, and nobody else’s has one.'
    return refuse('invalid', 'end_needed', message, 'Say until when.')
  }
  if (isOpen && wanted.endsAt !== null && wanted.endsAt <= now) {
    return refuse('invalid', 'end_is_past', `The end ${wanted.endsAt.toISOString()} is past.`, 'Name a later one.')
  }
  return { role: wanted.role, staffId, endsAt: wanted.endsAt }
}

function mayGive(by: Giver, role: Role): Refusal | undefined {
  if (GIVES[by.role].includes(role)) return undefined
  return refuse(
    'forbidden',
    'role_not_yours',
    `The role ${by.role} may not give or change the role ${role}.`,
    `Ask an owner. Yours to give: ${GIVES[by.role].join(', ') || 'none'}.`,
  )
}

export function checkPerson(wanted: { name: string; email: string }): { name: string; email: string } | Refusal {
  const name = checkName(wanted.name)
  if (isRefusal(name)) return name
  const email = checkEmail(wanted.email)
  return isRefusal(email) ? email : { name, email }
}

function noSuchUser(): Refusal {
  return refuse('missing', 'no_such_user', 'There is no such account.', 'See the list of all: GET /api/v1/users')
}

function lastOwner(): Refusal {
  return refuse(
    'conflict',
    'last_owner',
    'This is the only owner whose account is open.',
    'Make somebody else an owner first.',
  )
}

/** Sessions of an account that have not expired, the latest first. */
export async function listSessions(control: Database, userId: string, now: Date): Promise<UserSession[]> {
  const { rows } = await control.pool.query<UserSession>(
    `select id as "sessionId", created_at as "createdAt", expires_at as "expiresAt", ip_address as address,
       user_agent as "userAgent"
     from auth.sessions where user_id = $1 and expires_at > $2 order by created_at desc, id limit ${SESSIONS_MAX}`,
    [userId, now],
  )
  return rows
}

/** Ends one session of one's own; somebody else's is missing like one that is not there. */
export async function endSession(
  control: Database,
  userId: string,
  sessionId: string,
): Promise<{ session_id: string } | Refusal> {
  const { rowCount } = await control.pool.query('delete from auth.sessions where id = $1 and user_id = $2', [
    sessionId,
    userId,
  ])
  if (rowCount) return { session_id: sessionId }
  return refuse('missing', 'no_such_session', 'There is no such session.', 'It may have ended before.')
}

/** Ends every session of an account, where the role is one's to give. @returns how many. */
export async function endSessions(
  control: Database,
  by: Giver,
  userId: string,
): Promise<{ sessions_ended: number } | Refusal> {
  return control.transaction(async (_tx, client) => {
    const user = await lockUser(client, by, userId)
    return isRefusal(user) ? user : { sessions_ended: await deleteSessions(client, userId) }
  })
}

async function deleteSessions(client: pg.PoolClient, userId: string): Promise<number> {
  const { rowCount } = await client.query('delete from auth.sessions where user_id = $1', [userId])
  return rowCount ?? 0
}

/** The address of an account whose role is one's to give: refuses no_such_user and role_not_yours. */
export async function addressOf(control: Database, by: Giver, userId: string): Promise<{ email: string } | Refusal> {
  return control.transaction((_tx, client) => lockUser(client, by, userId))
}

async function lockUser(client: pg.PoolClient, by: Giver, userId: string): Promise<{ email: string } | Refusal> {
  const { rows } = await client.query<{ email: string; role: Role }>(
    'select email, role from auth.users where id = $1 for update',
    [userId],
  )
  const [user] = rows
  if (!user) return noSuchUser()
  return mayGive(by, user.role) ?? { email: user.email }
}
