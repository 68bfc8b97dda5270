import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { LINK_MINUTES } from './accounts.ts'
import { type Audit, actorOf } from './audit.ts'
import type { Auth } from './auth.ts'
import type { Clock } from './clock.ts'
import type { Database } from './db.ts'
import { callerOf } from './http-accounts.ts'
import {
  acceptInvitation,
  type Invitation,
  invitationPath,
  invite,
  listInvitations,
  readInvitation,
  revokeInvitation,
} from './invitations.ts'
import { isRefusal, type Refusal } from './refusal.ts'
import { ROLES } from './roles.ts'
import {
  addressOf,
  changeUser,
  endSession,
  endSessions,
  type Giver,
  listSessions,
  listUsers,
  type User,
  type UserSession,
} from './users.ts'

export interface UserParts {
  readonly auth: Auth
  readonly clock: Clock
  /** The database of accounts. */
  readonly control: Database
  readonly audit: Audit
}

const wireUser = z.object({
  user_id: z.string(),
  name: z.string(),
  email: z.string(),
  role: z.enum(ROLES),
  staff_id: z.string().nullable(),
  ends_at: z.iso.datetime().nullable(),
  created_at: z.iso.datetime(),
  /** When the account was closed; null: it is open. */
  disabled_at: z.iso.datetime().nullable(),
  /** Browsers that are signed in. */
  sessions: z.number().int(),
})

const wireInvitation = z.object({
  invitation_id: z.number().int(),
  name: z.string(),
  email: z.string(),
  role: z.enum(ROLES),
  staff_id: z.string().nullable(),
  ends_at: z.iso.datetime().nullable(),
  /** The account that invited; null: the terminal of the server. */
  invited_by: z.string().nullable(),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  accepted_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
})

const wireSession = z.object({
  session_id: z.string(),
  is_current: z.boolean(),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  address: z.string().nullable(),
  user_agent: z.string().nullable(),
})

const grant = {
  role: z.enum(ROLES),
  staff_id: z.string().max(1000).nullable(),
  ends_at: z.iso.datetime({ offset: true }).nullable(),
}
const invitationBody = z
  .object({
    name: z.string().max(1000),
    email: z.string().max(320),
    role: grant.role,
    staff_id: grant.staff_id.default(null),
    ends_at: grant.ends_at.default(null),
  })
  .strict()
const userChange = z
  .object({
    role: grant.role.optional(),
    staff_id: grant.staff_id.optional(),
    ends_at: grant.ends_at.optional(),
    /** true closes the account and ends its sessions; false opens it again. */
    is_disabled: z.boolean().optional(),
  })
  .strict()
const userParams = z.object({ user_id: z.uuid() })
const invitationToken = z.string().min(1).max(100)

/** Accounts, invitations and sessions. */
export function registerUserRoutes(app: FastifyInstance, { auth, clock, control, audit }: UserParts): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const own = { permission: 'account:own' } as const
  const manage = { permission: 'users:manage' } as const

  /** A write to accounts, then its row in the audit log: the two lie in two databases. */
  async function audited<T extends object>(
    request: FastifyRequest,
    done: T | Refusal,
    entry: (done: T) => { operation: string; subjects: Record<string, string | number>; fields?: readonly string[] },
  ): Promise<T | Refusal> {
    if (!isRefusal(done)) await audit({ actor: actorOf(request), ...entry(done) })
    return done
  }

  routes.get(
    '/api/v1/users',
    {
      config: manage,
      schema: { operationId: 'users', response: { 200: z.object({ users: z.array(wireUser) }) } },
    },
    async () => ({ users: (await listUsers(control, clock.now())).map(toWireUser) }),
  )

  routes.patch(
    '/api/v1/users/:user_id',
    {
      config: manage,
      schema: { operationId: 'changeUser', params: userParams, body: userChange, response: { 200: wireUser } },
    },
    async (request, reply) => {
      const { role, staff_id: staffId, ends_at: endsAt, is_disabled: isDisabled } = request.body
      const change = { role, staffId, endsAt: typeof endsAt === 'string' ? new Date(endsAt) : endsAt, isDisabled }
      const changed = await changeUser(control, giverOf(request), request.params.user_id, change, clock.now())
      const done = await audited(request, changed, ({ user, fields }) => ({
        operation: 'user_change',
        subjects: { user_id: user.userId },
        fields,
      }))
      return reply.answer(isRefusal(done) ? done : toWireUser(done.user))
    },
  )

  routes.post(
    '/api/v1/users/:user_id/link',
    {
      config: manage,
      schema: {
        operationId: 'makeSignInLink',
        description:
          'A one-time link for somebody who has lost the password: it signs in, and a new one can be set. Shown once.',
        params: userParams,
        response: { 200: z.object({ url: z.string(), valid_minutes: z.number().int() }) },
      },
    },
    async (request, reply) => {
      const { user_id: userId } = request.params
      const found = await addressOf(control, giverOf(request), userId)
      const made = isRefusal(found)
        ? found
        : { url: await auth.makeSignInLink(found.email), valid_minutes: LINK_MINUTES }
      return reply.answer(
        await audited(request, made, () => ({ operation: 'sign_in_link_create', subjects: { user_id: userId } })),
      )
    },
  )

  routes.get(
    '/api/v1/users/:user_id/sessions',
    {
      config: manage,
      schema: {
        operationId: 'sessionsOfUser',
        params: userParams,
        response: { 200: z.object({ sessions: z.array(wireSession) }) },
      },
    },
    async (request, reply) => {
      const { user_id: userId } = request.params
      const found = await addressOf(control, giverOf(request), userId)
      if (isRefusal(found)) return reply.answer(found)
      const sessions = await listSessions(control, userId, clock.now())
      return { sessions: sessions.map((session) => toWireSession(session, request)) }
    },
  )

  routes.delete(
    '/api/v1/users/:user_id/sessions',
    {
      config: manage,
      schema: {
        operationId: 'endSessionsOfUser',
        params: userParams,
        response: { 200: z.object({ sessions_ended: z.number().int() }) },
      },
    },
    async (request, reply) => {
      const { user_id: userId } = request.params
      const ended = await endSessions(control, giverOf(request), userId)
      return reply.answer(
        await audited(request, ended, () => ({ operation: 'sessions_end', subjects: { user_id: userId } })),
      )
    },
  )

  routes.get(
    '/api/v1/sessions',
    {
      config: own,
      schema: { operationId: 'sessions', response: { 200: z.object({ sessions: z.array(wireSession) }) } },
    },
    async (request) => {
      const sessions = await listSessions(control, giverOf(request).userId ?? '', clock.now())
      return { sessions: sessions.map((session) => toWireSession(session, request)) }
    },
  )

  routes.delete(
    '/api/v1/sessions/:session_id',
    {
      config: own,
      schema: {
        operationId: 'endSession',
        params: z.object({ session_id: z.uuid() }),
        response: { 200: z.object({ session_id: z.string() }) },
      },
    },
    async (request, reply) => {
      const { session_id: sessionId } = request.params
      const ended = await endSession(control, giverOf(request).userId ?? '', sessionId)
      return reply.answer(
        await audited(request, ended, () => ({ operation: 'session_end', subjects: { session_id: sessionId } })),
      )
    },
  )

  routes.get(
    '/api/v1/invitations',
    {
      config: manage,
      schema: { operationId: 'invitations', response: { 200: z.object({ invitations: z.array(wireInvitation) }) } },
    },
    async () => ({ invitations: (await listInvitations(control)).map(toWireInvitation) }),
  )

  routes.post(
    '/api/v1/invitations',
    {
      config: manage,
      schema: {
        operationId: 'invite',
        description: 'The link is in the answer and is not shown again; nothing is sent.',
        body: invitationBody,
        response: { 200: wireInvitation.extend({ url: z.string() }) },
      },
    },
    async (request, reply) => {
      const { name, email, role, staff_id: staffId, ends_at: endsAt } = request.body
      const wanted = { name, email, role, staffId, endsAt: endsAt === null ? null : new Date(endsAt) }
      const made = await invite(control, giverOf(request), wanted, clock.now())
      const done = await audited(request, made, ({ invitation }) => ({
        operation: 'invitation_create',
        subjects: { invitation_id: invitation.invitationId },
        fields: ['name', 'email', 'role', ...(staffId ? ['staff_id'] : []), ...(endsAt ? ['ends_at'] : [])],
      }))
      if (isRefusal(done)) return reply.answer(done)
      return { ...toWireInvitation(done.invitation), url: auth.addressOf(invitationPath(done.token)) }
    },
  )

  routes.delete(
    '/api/v1/invitations/:invitation_id',
    {
      config: manage,
      schema: {
        operationId: 'revokeInvitation',
        params: z.object({ invitation_id: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) }),
        response: { 200: wireInvitation },
      },
    },
    async (request, reply) => {
      const { invitation_id: invitationId } = request.params
      const revoked = await revokeInvitation(control, giverOf(request), invitationId, clock.now())
      const done = await audited(request, revoked, () => ({
        operation: 'invitation_revoke',
        subjects: { invitation_id: invitationId },
      }))
      return reply.answer(isRefusal(done) ? done : toWireInvitation(done))
    },
  )

  routes.get(
    '/api/v1/invitation',
    {
      config: { policy: 'public' },
      schema: {
        operationId: 'invitation',
        description: 'What the page of a link shows. The token comes in a header: addresses are logged and remembered.',
        headers: z.object({ 'x-invitation-token': invitationToken }),
        response: {
          200: z.object({
            name: z.string(),
            email: z.string(),
            role: z.enum(ROLES),
            ends_at: z.iso.datetime().nullable(),
            expires_at: z.iso.datetime(),
          }),
        },
      },
    },
    async (request, reply) => {
      const found = await readInvitation(control, request.headers['x-invitation-token'], clock.now())
      if (isRefusal(found)) return reply.answer(found)
      const { name, email, role, ends_at, expires_at } = toWireInvitation(found)
      return { name, email, role, ends_at, expires_at }
    },
  )

  routes.post(
    '/api/v1/invitations/accept',
    {
      config: { policy: 'public' },
      schema: {
        operationId: 'acceptInvitation',
        body: z.object({ token: invitationToken, name: z.string().max(1000), password: z.string().max(1000) }).strict(),
        response: { 200: z.object({ email: z.string(), signed_in: z.boolean() }) },
      },
    },
    async (request, reply) => {
      const { token, ...wanted } = request.body
      const accepted = await acceptInvitation(control, token, wanted, clock.now())
      if (isRefusal(accepted)) return reply.answer(accepted)
      const { userId, name, email, invitationId } = accepted
      await audit({
        actor: { kind: 'user', id: userId, name },
        operation: 'invitation_accept',
        subjects: { invitation_id: invitationId, user_id: userId },
        fields: ['name', 'password'],
      })
      // By the same door as everybody: a session of its own, whatever cookie the browser brought.
      const opened = await auth.signIn({ email, password: wanted.password }, callerOf(request))
      if (isRefusal(opened)) return { email, signed_in: false }
      reply.header('set-cookie', [...opened.cookies])
      return { email, signed_in: true }
    },
  )
}

function giverOf({ user }: FastifyRequest): Giver {
  if (!user) throw new Error('A route with a permission has a user')
  return { userId: user.userId, role: user.role }
}

/** A user as the API and the command line tell of one. */
export function toWireUser(user: User): z.infer<typeof wireUser> {
  return {
    user_id: user.userId,
    name: user.name,
    email: user.email,
    role: user.role,
    staff_id: user.staffId,
    ends_at: user.endsAt?.toISOString() ?? null,
    created_at: user.createdAt.toISOString(),
    disabled_at: user.disabledAt?.toISOString() ?? null,
    sessions: user.sessions,
  }
}

function toWireInvitation(invitation: Invitation): z.infer<typeof wireInvitation> {
  return {
    invitation_id: invitation.invitationId,
    name: invitation.name,
    email: invitation.email,
    role: invitation.role,
    staff_id: invitation.staffId,
    ends_at: invitation.endsAt?.toISOString() ?? null,
    invited_by: invitation.invitedBy,
    created_at: invitation.createdAt.toISOString(),
    expires_at: invitation.expiresAt.toISOString(),
    accepted_at: invitation.acceptedAt?.toISOString() ?? null,
    revoked_at: invitation.revokedAt?.toISOString() ?? null,
  }
}

function toWireSession(session: UserSession, { user }: FastifyRequest): z.infer<typeof wireSession> {
  return {
    session_id: session.sessionId,
    is_current: session.sessionId === user?.sessionId,
    created_at: session.createdAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
    address: session.address,
    user_agent: session.userAgent,
  }
}
