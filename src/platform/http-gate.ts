import fastifyRateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { notSignedIn, type SignedIn } from './accounts.ts'
import type { Auth } from './auth.ts'
import { type Config, readPublicOrigin } from './config.ts'
import type { Database } from './db.ts'
import { refuseWith } from './http-refusal.ts'
import type { Brand } from './installation.ts'
import { type Refusal, refuse } from './refusal.ts'
import {
  FULL_VIEW,
  isAboutPeople,
  isMaskedRole,
  may,
  PERMISSIONS,
  type Permission,
  type View,
  viewOfRole,
} from './roles.ts'

/**
 * Who may call a route. Every route names the `permission` that a person who is signed in needs (roles.ts), or one of
 * these policies; a route that names neither ends the start with an error.
 *
 * - `public`: anybody.
 * - `api_key`: a program with a key of the route's `scope`.
 * - `signature`: whoever can sign the body; the handler checks that, and refuses with `bad_signature`.
 *
 * With a `scope` beside its permission a route takes keys of that scope too. No cookie is read of a request that comes by
 * key or signature, so it needs no Origin.
 */
export type Policy = 'public' | 'api_key' | 'signature'

declare module 'fastify' {
  interface FastifyContextConfig {
    policy?: Policy
    permission?: Permission
    /** What a key has to be allowed: `facts:write`. */
    scope?: string
    /** A question whose words are a body: it changes nothing, whatever its method. */
    reads?: true
    /** The field of the query by which people are searched for; such requests of a session are counted. */
    search?: string
  }
  interface FastifyInstance {
    /** Every route as it was registered, HEAD too: for whoever proves something about all of them. */
    readonly declaredRoutes: RouteDeclaration[]
  }
  interface FastifyRequest {
    /** Set on routes with a permission, unless a key was used. */
    user: SignedIn | undefined
    /** Whether the handler has asked `viewOf` what of people it may show. */
    hasView: boolean
    /** Set on routes with a scope: the key's brand, or the current one for a person who is signed in. */
    brand: OpenBrand | undefined
    /** Set where a key was used. */
    keyId: string | undefined
    /** What it is called. */
    keyName: string | undefined
  }
  interface FastifyReply {
    /**
     * What an action decided, as the handler's return value: `return reply.answer(await doIt(…))`. A value leaves as it
     * is; a Refusal leaves as `{ error }` with the status of its kind.
     */
    answer<Value>(decided: Value | Refusal): Exclude<Value, Refusal>
  }
}

export interface RouteDeclaration {
  readonly method: string
  readonly url: string
  readonly config: {
    readonly policy?: Policy
    readonly permission?: Permission
    readonly scope?: string
    readonly reads?: true
  }
}

/** A brand and its database. */
export interface OpenBrand {
  readonly brand: Brand
  readonly database: Database
}

/** The header by which a request names its brand; without it the current one is meant. */
export const BRAND_HEADER = 'x-brand'

/**
 * The brand that a request is about, and its database; without a request the current one. Asked anew each time, because the first
 * import switches it.
 */
export type BrandOf = (request?: FastifyRequest) => Promise<OpenBrand>

/** Who a key belongs to. */
export interface KeyHolder extends OpenBrand {
  /** One of all brands: requests are counted by it. */
  readonly keyId: string
  readonly keyName?: string
  readonly scopes: readonly string[]
}

/** The keys of programs, whoever keeps them. */
export interface Keys {
  /** By the key as it was sent; undefined when there is none such, or it was revoked. */
  find(key: string): Promise<KeyHolder | undefined>
}

/** How often programs may call, in memory, per minute. */
export interface Rates {
  /** Requests of one key. */
  readonly requestsPerKey: number
  /** Wrong keys and signatures of one address. */
  readonly wrongPerAddress: number
  /** Searches for people of one session. Whoever types slowly asks after each character; whoever copies the list asks more. */
  readonly searchesPerSession?: number
}

const SEARCHES_PER_SESSION = 120
export const RATES: Rates = { requestsPerKey: 600, wrongPerAddress: 20, searchesPerSession: SEARCHES_PER_SESSION }
const RATE_WINDOW_MS = 60_000

/** What the gate asks. */
export interface GateParts {
  readonly config: Pick<Config, 'publicUrl'>
  readonly auth: Auth
  readonly brandOf: BrandOf
  readonly keys: Keys
}

/** HTTP 421: the right server for the connection, the wrong one for the name. */
const MISDIRECTED = 421

const SECURITY_HEADERS = {
  'content-security-policy': [
    `default-src 'self'`,
    `script-src 'self'`,
    // antd writes its styles into the page.
    `style-src 'self' 'unsafe-inline'`,
    `img-src 'self' data:`,
    `connect-src 'self'`,
    `frame-ancestors 'none'`,
    `base-uri 'none'`,
    `object-src 'none'`,
    `form-action 'self'`,
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

/** Each counts a request and, from one too many on, refuses it and says when to come again (`retry-after`, seconds). */
interface Counters {
  /** A request that came by a key. */
  countKeyed(request: FastifyRequest, reply: FastifyReply): Promise<Refusal | undefined>
  /** A wrong key or signature, by the address it came from. Right ones of the same address go on. */
  countWrong(request: FastifyRequest, reply: FastifyReply): Promise<Refusal | undefined>
  /** A search for people, by the session that asks. */
  countSearch(request: FastifyRequest, reply: FastifyReply): Promise<Refusal | undefined>
}

export async function countRequests(app: FastifyInstance, rates: Rates): Promise<Counters> {
  await app.register(fastifyRateLimit, { global: false })
  const counter = (max: number, keyGenerator: (request: FastifyRequest) => string) => {
    const count = app.createRateLimit({ max, timeWindow: RATE_WINDOW_MS, keyGenerator })
    return async (request: FastifyRequest, reply: FastifyReply) => {
      const counted = await count(request)
      if (counted.isAllowed || !counted.isExceeded) return undefined
      reply.header('retry-after', counted.ttlInSeconds)
      const message = `More than ${max} in a minute.`
      return refuse('over_limit', 'too_many_requests', message, `Send again in ${counted.ttlInSeconds} s.`)
    }
  }
  return {
    countKeyed: counter(rates.requestsPerKey, (request) => request.keyId ?? request.ip),
    countWrong: counter(rates.wrongPerAddress, (request) => request.ip),
    countSearch: counter(
      rates.searchesPerSession ?? SEARCHES_PER_SESSION,
      (request) => `search ${request.user?.sessionId ?? request.ip}`,
    ),
  }
}

/** The one place that decides whether a request may go on: by host, by key, by origin, by the permission of its route. */
export function gate({ auth, config, keys, brandOf }: GateParts, counters: Counters) {
  const publicOrigin = readPublicOrigin(config)
  const hosts = new Set(['127.0.0.1', 'localhost', '[::1]'])
  if (publicOrigin) hosts.add(new URL(publicOrigin).hostname)

  /** @returns why a program may not go on. */
  async function enterByKey(
    request: FastifyRequest,
    reply: FastifyReply,
    key: string | undefined,
    scope: string,
  ): Promise<Refusal | undefined> {
    const holder = key === undefined ? undefined : await keys.find(key)
    if (!holder) return (await counters.countWrong(request, reply)) ?? badKey()
    request.keyId = holder.keyId
    request.keyName = holder.keyName
    request.brand = holder
    const tooMany = await counters.countKeyed(request, reply)
    return tooMany ?? (holder.scopes.includes(scope) ? undefined : missingScope(scope))
  }

  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    reply.headers(SECURITY_HEADERS).header('x-request-id', request.id)
    if (pathOf(request).startsWith('/api/')) reply.header('cache-control', 'no-store')

    // A foreign page can point its own name at 127.0.0.1 (DNS rebinding); the name still stands in the header.
    // Any port will do: behind `ssh -L 9000:127.0.0.1:8700` the browser names another one than we listen on.
    const host = URL.parse(`http://${request.headers.host}`)?.hostname
    if (!host || !hosts.has(host)) return refuseWith(reply, unknownHost(), MISDIRECTED)
    const { policy, permission, scope, search } = request.routeOptions.config
    if (policy === 'signature') return undefined
    if (scope && (policy === 'api_key' || request.headers.authorization !== undefined)) {
      const refusal = await enterByKey(request, reply, bearerOf(request), scope)
      return refusal && refuseWith(reply, refusal)
    }
    if (changesState(request) && !comesFromOurPages(request, auth.trustedOrigins())) {
      return refuseWith(reply, foreignOrigin())
    }
    if (!permission) return undefined
    const user = await auth.sessionOf(headersOf(request))
    if (!user) return refuseWith(reply, notSignedIn())
    request.user = user
    if (!may(user.role, permission)) return refuseWith(reply, notAllowed(user, permission))
    if (search !== undefined && (request.query as Record<string, unknown>)[search] !== undefined) {
      const tooMany = await counters.countSearch(request, reply)
      if (tooMany) return refuseWith(reply, tooMany)
    }
    if (scope) request.brand = await brandOf(request)
    return undefined
  }
}

/** The brand that a request on a route with a scope is about. */
export function brandOfRequest(request: FastifyRequest): OpenBrand {
  if (!request.brand) throw new Error(`${request.routeOptions.url} declares no scope, so nothing chose its brand`)
  return request.brand
}

/**
 * What the asker sees of people, for the actions. A handler behind a permission about people has to ask: what it answers to
 * somebody who does not see everything is held back otherwise (`checkView`).
 */
export function viewOf(request: FastifyRequest, now: Date): View {
  request.hasView = true
  if (request.keyId !== undefined) return FULL_VIEW
  if (!request.user) throw new Error(`${request.routeOptions.url} has no permission, so nobody is known to ask`)
  return viewOfRole(request.user, now)
}

/** @throws Error when an answer about people was made for somebody with less than the full view, without asking for it. */
export function checkView(request: FastifyRequest, reply: FastifyReply): void {
  const { permission, policy } = request.routeOptions.config
  if (!request.user || !permission || policy || request.hasView || reply.statusCode >= 400) return
  const mayBeLess = request.user.role === 'adviser' || isMaskedFor(request)
  if (mayBeLess && isAboutPeople(permission)) {
    throw new Error(`${request.routeOptions.url} answers about people and never asked viewOf`)
  }
}

/** Whether personal values in the answer have to be masked; of one's own account one sees all. */
export function isMaskedFor({ user, routeOptions }: FastifyRequest): boolean {
  if (!user || routeOptions.config.permission === 'account:own') return false
  return isMaskedRole(user.role)
}

function bearerOf(request: FastifyRequest): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1]
}

function notAllowed({ role }: SignedIn, permission: Permission): Refusal {
  return refuse(
    'forbidden',
    'not_allowed',
    `The role ${role} may not do this: it lacks the permission ${permission}.`,
    `Ask somebody who may: ${PERMISSIONS[permission].join(', ')}.`,
  )
}

function badKey(): Refusal {
  return refuse(
    'forbidden',
    'bad_key',
    'The request brings no key that is valid.',
    'Send the header "Authorization: Bearer pk_…"; ./perennial api-key-create makes one.',
  )
}

function missingScope(scope: string): Refusal {
  return refuse(
    'forbidden',
    'missing_scope',
    `The key may not do this: it lacks the scope ${scope}.`,
    `Make one that has it: ./perennial api-key-create NAME --scope ${scope}`,
  )
}

function unknownHost(): Refusal {
  return refuse(
    'forbidden',
    'unknown_host',
    'This server does not answer under that name.',
    'Open it as 127.0.0.1 or localhost, or set PUBLIC_URL to the address people type.',
  )
}

function foreignOrigin(): Refusal {
  return refuse(
    'forbidden',
    'foreign_origin',
    'The request does not come from a page of this server.',
    'Open the console itself; a program sends the header Origin with the address of this server.',
  )
}

function changesState(request: FastifyRequest): boolean {
  return !['GET', 'HEAD', 'OPTIONS'].includes(request.method)
}

function comesFromOurPages(request: FastifyRequest, trusted: string[]): boolean {
  // The browser writes this header and no page can; it is missing over plain http to a name other than localhost.
  if (request.headers['sec-fetch-site'] === 'same-origin') return true
  return request.headers.origin !== undefined && trusted.includes(request.headers.origin)
}

export function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '/'
}

export function headersOf(request: FastifyRequest): Headers {
  return new Headers(request.headers.cookie ? { cookie: request.headers.cookie } : {})
}
