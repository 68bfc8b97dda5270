import { randomBytes } from 'node:crypto'
import { checkAccount, hashPassword, isOpen, refusingTakenEmail, writePassword } from './accounts.ts'
import type { Database } from './db.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { GIVES, type Role } from './roles.ts'
import { sha256 } from './secrets.ts'
import { checkGrant, checkPerson, type Giver, type Grant } from './users.ts'

/*
 * One-time links by which everybody but the first owner gets an account. Code of our own: better-auth's invitations
 * (organization) keep the id that opens one as it is, belong to organisations that there are none of here, and their
 * accounts sign up, which is shut.
 */

export const INVITATION_HOURS = 72

export interface InvitationWanted extends Grant {
  readonly name: string
  readonly email: string
}

export interface Invitation extends InvitationWanted {
  readonly invitationId: number
  /** Null: the terminal of the server. */
  readonly invitedBy: string | null
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly acceptedAt: Date | null
  readonly revokedAt: Date | null
}

/** After the #, which browsers keep to themselves: neither a log nor a preview of the link sees the token. */
export function invitationPath(token: string): string {
  return `/accept-invitation#${token}`
}

const INVITATIONS_MAX = 500
const COLUMNS = `invitation_id as "invitationId", invitations.name, invitations.email, invitations.role,
  invitations.staff_id as "staffId", invitations.ends_at as "endsAt", invited_by as "invitedBy",
  invitations.created_at as "createdAt", expires_at as "expiresAt", accepted_at as "acceptedAt", revoked_at as "revokedAt"`

/**
 * Invites somebody. The token of the link is in the answer and nowhere else: the database has its hash. An earlier
 * invitation of the same address is void.
 *
 * Refuses bad_name, bad_email, email_taken and like `checkGrant`.
 */
export async function invite(
  control: Database,
  by: Giver,
  wanted: InvitationWanted,
  now: Date,
): Promise<{ invitation: Invitation; token: string } | Refusal> {
  const person = checkPerson(wanted)
  if (isRefusal(person)) return person
  const grant = checkGrant(by, wanted, now)
  if (isRefusal(grant)) return grant
  const token = randomBytes(16).toString('base64url')
  const expiresAt = new Date(now.getTime() + INVITATION_HOURS * 3_600_000)
  return control.transaction(async (_tx, client) => {
    const { rowCount: isTaken } = await client.query('select from auth.users where email = $1', [person.email])
    if (isTaken) {
      const remedy = 'See who it is: GET /api/v1/users, or ./perennial users'
      return refuse('conflict', 'email_taken', `${person.email} belongs to another account.`, remedy)
    }
    await client.query(
      'update auth.invitations set revoked_at = $2 where email = $1 and accepted_at is null and revoked_at is null',
      [person.email, now],
    )
    const { rows } = await client.query<Invitation>(
      `insert into auth.invitations (token_hash, name, email, role, staff_id, ends_at, invited_by, created_at, expires_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ${COLUMNS}`,
      [sha256(token), person.name, person.email, grant.role, grant.staffId, grant.endsAt, by.userId, now, expiresAt],
    )
    const [invitation] = rows
    if (!invitation) throw new Error('An invitation was stored and did not come back')
    return { invitation, token }
  })
}

/** The latest first: open ones, and those that were accepted, revoked or ran out. */
export async function listInvitations(control: Database): Promise<Invitation[]> {
  const { rows } = await control.pool.query<Invitation>(
    `select ${COLUMNS} from auth.invitations order by invitation_id desc limit ${INVITATIONS_MAX}`,
  )
  return rows
}

/** From now on the link opens nothing. Revoking twice is revoking once. */
export async function revokeInvitation(
  control: Database,
  by: Giver,
  invitationId: number,
  now: Date,
): Promise<Invitation | Refusal> {
  const { rows } = await control.pool.query<Invitation>(
    `update auth.invitations set revoked_at = coalesce(revoked_at, $2)
     where invitation_id = $1 and accepted_at is null and role = any($3) returning ${COLUMNS}`,
    [invitationId, now, GIVES[by.role]],
  )
  if (rows[0]) return rows[0]
  return refuse(
    'missing',
    'no_such_invitation',
    `No invitation ${invitationId} of yours is open.`,
    'An account that came of one is closed by PATCH /api/v1/users/…',
  )
}

/** Void too when who invited may not any more: their account is closed, or their role gives this one no longer. */
const OPEN = `token_hash = $1 and accepted_at is null and revoked_at is null and expires_at > $2
  and (invitations.ends_at is null or invitations.ends_at > $2)`

interface OpenInvitation extends Invitation {
  readonly giver: Role | null
}

function isStillGiven({ role, invitedBy, giver }: OpenInvitation): boolean {
  return invitedBy === null || (giver !== null && GIVES[giver].includes(role))
}

const OPEN_INVITATION = `select ${COLUMNS}, users.role as giver
  from auth.invitations left join auth.users on users.id = invitations.invited_by and ${isOpen('$2')} where ${OPEN}`

/** What the link's page shows before anybody accepts. Refuses invitation_used_or_expired. */
export async function readInvitation(control: Database, token: string, now: Date): Promise<Invitation | Refusal> {
  const { rows } = await control.pool.query<OpenInvitation>(OPEN_INVITATION, [sha256(token), now])
  return rows[0] && isStillGiven(rows[0]) ? rows[0] : voidInvitation()
}

/**
 * Makes the account, once. Refuses invitation_used_or_expired, bad_name, weak_password and email_taken.
 * @returns whose account it is; signing in with the password opens the session.
 */
export async function acceptInvitation(
  control: Database,
  token: string,
  wanted: { name: string; password: string },
  now: Date,
): Promise<{ userId: string; name: string; email: string; invitationId: number } | Refusal> {
  // Before the password is hashed: a guesser must not make the server work.
  const found = await readInvitation(control, token, now)
  if (isRefusal(found)) return found
  const account = checkAccount({ ...wanted, email: found.email })
  if (isRefusal(account)) return account
  const password = await hashPassword(account.password)
  return refusingTakenEmail(account.email, () =>
    control.transaction(async (_tx, client) => {
      const { rows } = await client.query<OpenInvitation>(`${OPEN_INVITATION} for update of invitations`, [
        sha256(token),
        now,
      ])
      const [invitation] = rows
      if (!invitation || !isStillGiven(invitation)) return voidInvitation()
      const { invitationId, role, staffId, endsAt } = invitation
      await client.query('update auth.invitations set accepted_at = $2 where invitation_id = $1', [invitationId, now])
      // Verified: whoever has the link was given it by somebody who knows them.
      const { rows: users } = await client.query<{ id: string }>(
        `insert into auth.users (name, email, email_verified, role, staff_id, ends_at, created_at, updated_at)
         values ($1, $2, true, $3, $4, $5, $6, $6) returning id`,
        [account.name, account.email, role, staffId, endsAt, now],
      )
      const userId = users[0]?.id ?? ''
      await writePassword(client, userId, password, now)
      return { userId, name: account.name, email: account.email, invitationId }
    }),
  )
}

function voidInvitation(): Refusal {
  return refuse(
    'missing',
    'invitation_used_or_expired',
    `This invitation was used or taken back, or is older than ${INVITATION_HOURS} hours.`,
    'Ask who invited you for a new one.',
  )
}
