import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PASSWORD_CHARACTERS_MAX, type SignedIn } from './accounts.ts'
import { type Actor, type Audit, actorOf } from './audit.ts'
import type { Auth, Caller, Cookies } from './auth.ts'
import { type BrandOf, headersOf } from './http-gate.ts'
import { statusOf } from './http-refusal.ts'
import type { Brand } from './installation.ts'
import { isRefusal, type Refusal } from './refusal.ts'
import { GIVES, isMaskedRole, PERMISSIONS, type Permission, permissionsOf, ROLES } from './roles.ts'

export interface AccountParts {
  readonly auth: Auth
  readonly audit: Audit
  readonly brandOf: BrandOf
  /** Those that people work with, the current one first. */
  readonly brands: () => Promise<readonly Brand[]>
}

const wireUser = z.object({
  user_id: z.string(),
  name: z.string(),
  email: z.string(),
  role: z.enum(ROLES),
  has_password: z.boolean(),
  /** There is none yet, or this browser signed in by a link: then `POST /api/v1/account` takes a new one. */
  may_set_password: z.boolean(),
  /** Whose people an adviser sees; null for every other role. */
  staff_id: z.string().nullable(),
  /** When the account of an outside operator ends. */
  ends_at: z.iso.datetime().nullable(),
})

const wireBrand = z.object({ key: z.string(), name: z.string(), is_demo: z.boolean() })

const wireSession = z.object({
  signed_in: z.boolean(),
  user: wireUser.optional(),
  /** What the role may do: a page whose permission is not among them is not shown. */
  permissions: z.array(z.enum(Object.keys(PERMISSIONS) as [Permission, ...Permission[]])).optional(),
  /** Which roles the account may give to others and take away. */
  gives: z.array(z.enum(ROLES)).optional(),
  /** What of people the answers have: everyone or the adviser's own, and whether personal values are masked. */
  sees: z.object({ people: z.enum(['everyone', 'own']), is_masked: z.boolean() }).optional(),
  /** The current one: whose pages are shown to a request that names none. */
  brand: wireBrand.optional(),
  /** All that the account may name. */
  brands: z.array(wireBrand).optional(),
})

/** Signing in and out, and one's own account. */
export function registerAccountRoutes(app: FastifyInstance, { auth, audit, brandOf, brands }: AccountParts): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()

  async function noteSignIn({ cookies }: Cookies, by: 'link' | 'password'): Promise<void> {
    const cookie = cookies.map((one) => one.split(';', 1)[0]).join('; ')
    const user = await auth.sessionOf(new Headers({ cookie }))
    if (!user) return
    await audit({
      actor: actorOfUser(user),
      operation: `sign_in_by_${by}`,
      subjects: { session_id: user.sessionId },
    })
  }

  // HEAD would use the link up as well: some programs send it before they open a link.
  routes.get(
    '/sign-in/:token',
    {
      config: { policy: 'public' },
      exposeHeadRoute: false,
      schema: { hide: true, params: z.object({ token: z.string() }) },
    },
    async (request, reply) => {
      const opened = await auth.openLink(request.params.token, callerOf(request))
      reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer')
      if (!isRefusal(opened)) await noteSignIn(opened, 'link')
      if (!isRefusal(opened)) return reply.header('set-cookie', [...opened.cookies]).redirect('/', 303)
      // Opened a second time in the browser that it signed in: there is nothing to complain about.
      if (await auth.sessionOf(headersOf(request))) return reply.redirect('/', 303)
      return reply.code(statusOf(opened)).type('text/html; charset=utf-8').send(voidLinkPage(opened))
    },
  )

  routes.post(
    '/api/auth/sign-in/email',
    {
      config: { policy: 'public' },
      schema: {
        body: z.object({ email: z.string().max(320), password: z.string().max(PASSWORD_CHARACTERS_MAX) }),
        response: { 200: z.object({ signed_in: z.literal(true) }) },
      },
    },
    async (request, reply) => {
      const opened = await auth.signIn(request.body, callerOf(request))
      if (isRefusal(opened)) return reply.answer(opened)
      await noteSignIn(opened, 'password')
      reply.header('set-cookie', [...opened.cookies])
      return { signed_in: true as const }
    },
  )

  routes.post(
    '/api/auth/sign-out',
    { config: { policy: 'public' }, schema: { response: { 200: z.object({ signed_in: z.literal(false) }) } } },
    async (request, reply) => {
      const user = await auth.sessionOf(headersOf(request))
      const { cookies } = await auth.signOut(callerOf(request))
      if (user)
        await audit({ actor: actorOfUser(user), operation: 'sign_out', subjects: { session_id: user.sessionId } })
      reply.header('set-cookie', [...cookies])
      return { signed_in: false as const }
    },
  )

  routes.get(
    '/api/v1/session',
    { config: { policy: 'public' }, schema: { response: { 200: wireSession } } },
    async (request) => {
      const user = await auth.sessionOf(headersOf(request))
      // Who is not signed in does not learn whose installation this is.
      if (!user) return { signed_in: false }
      // Of whatever brand the request is: a name that is wrong must not shut somebody out of all.
      const { brand } = await brandOf()
      return {
        signed_in: true,
        user: toWireUser(user),
        permissions: permissionsOf(user.role),
        gives: [...GIVES[user.role]],
        sees: {
          people: user.role === 'adviser' ? ('own' as const) : ('everyone' as const),
          is_masked: isMaskedRole(user.role),
        },
        brand: toWireBrand(brand),
        brands: (await brands()).map(toWireBrand),
      }
    },
  )

  routes.post(
    '/api/v1/account',
    {
      config: { permission: 'account:own' },
      schema: {
        body: z.object({ name: z.string().max(1000), email: z.string().max(320), password: z.string().max(1000) }),
        response: { 200: wireUser },
      },
    },
    async (request, reply) => {
      const saved = await auth.setAccount(headersOf(request), request.body)
      if (isRefusal(saved)) return reply.answer(saved)
      const fields = ['name', 'email', 'password']
      await audit({ actor: actorOf(request), operation: 'account_change', subjects: { user_id: saved.userId }, fields })
      return toWireUser(saved)
    },
  )
}

function actorOfUser({ userId, name }: SignedIn): Actor {
  return { kind: 'user', id: userId, name }
}

function toWireUser(user: SignedIn): z.infer<typeof wireUser> {
  return {
    user_id: user.userId,
    name: user.name,
    email: user.email,
    role: user.role,
    has_password: user.hasPassword,
    may_set_password: !user.hasPassword || user.openedByLink,
    staff_id: user.staffId,
    ends_at: user.endsAt?.toISOString() ?? null,
  }
}

export function callerOf(request: FastifyRequest): Caller {
  return {
    address: request.ip,
    userAgent: request.headers['user-agent']?.slice(0, 500),
    cookie: request.headers.cookie,
  }
}

/** In both languages: nobody is signed in, so nobody has chosen one. */
function voidLinkPage(refusal: Refusal): string {
  const zh =
    refusal.code === 'too_many_attempts'
      ? '尝试次数太多，请一分钟后再试。'
      : '这个登录链接已经用过，或者已经过期。请在服务器上运行 <code>./perennial sign-in</code> 生成新的链接。'
  return `<!doctype html>
<html lang="zh-CN">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>长青 Perennial</title></head>
<body style="font: 16px/1.6 system-ui; max-width: 34em; margin: 15vh auto; padding: 0 1em">
<p>${zh}</p>
<p lang="en">${refusal.message} ${refusal.remedy}</p>
<p><a href="/">/</a></p>
</body>
</html>
`
}

function toWireBrand({ key, name, isDemo }: Brand): z.infer<typeof wireBrand> {
  return { key, name, is_demo: isDemo }
}
