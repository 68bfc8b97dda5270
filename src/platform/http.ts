import { randomUUID } from 'node:crypto'
import fastifyStatic from '@fastify/static'
import swagger from '@fastify/swagger'
import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import type { Registry } from 'prom-client'
import { z } from 'zod'
import { type AccountParts, registerAccountRoutes } from './http-accounts.ts'
import { checkView, countRequests, type GateParts, gate, isMaskedFor, pathOf, RATES, type Rates } from './http-gate.ts'
import { errorBody, refuseWith, statusOf, toErrorBody } from './http-refusal.ts'
import { registerUserRoutes, type UserParts } from './http-users.ts'
import { maskAnswer } from './masking.ts'
import { createDurations } from './metrics.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { isPermission } from './roles.ts'

export interface Health {
  readonly database: { readonly major: number; readonly embedded: boolean }
  /** Key of the current brand. */
  readonly brand: string | null
  /** How far its standing lags behind its facts. */
  readonly freshness: { readonly pending_people: number; readonly oldest_pending_seconds: number | null } | null
}

export interface HttpParts extends GateParts, UserParts, Pick<AccountParts, 'brands'> {
  /** Of this program. */
  readonly version: string
  /** The built console: index.html, and hashed files in assets/. */
  readonly consoleFolder: string
  /** 600 requests of a key and 20 wrong keys of an address when left out. */
  readonly rates?: Rates
  /** Throws when something that every request needs does not answer. */
  readonly health: () => Promise<Health>
  /** Figures of this server, with those of its requests: served at /metrics to keys with the scope `metrics:read`. */
  readonly metrics?: Registry
  /** Where log lines (JSON) go; standard error when left out. */
  readonly logTo?: { write(line: string): void }
}

/** What routes are registered on: `registerXRoutes(app: Http, deps)`. */
export type Http = Awaited<ReturnType<typeof createHttp>>

const BODY_BYTES_MAX = 1024 * 1024
const PATH_PARAMETER_CHARACTERS_MAX = 200
const REQUEST_TIMEOUT_MS = 30_000
const HEALTH_TIMEOUT_MS = 5_000
/** What somebody hears who guesses at a secret: counted by address. */
const WRONG_CALLER_CODES: readonly string[] = ['bad_signature', 'invitation_used_or_expired']
/** Findings named in one answer to a request that does not fit its schema. */
const FINDINGS_MAX = 5

/**
 * API, sign-in and console in one server; module routes are registered on the result, then it is made to listen.
 *
 * Every request passes one gate (`onRequest`): host, origin, policy. Every error leaves by one handler.
 * @throws ConfigError when PUBLIC_URL is no address.
 */
export async function createHttp(parts: HttpParts) {
  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { maxParamLength: PATH_PARAMETER_CHARACTERS_MAX },
    genReqId: () => randomUUID(),
    // Fastify's own lines quote the address, and an address may be a sign-in link.
    logController: new LogController({ disableRequestLogging: true }),
    logger: {
      level: 'warn',
      stream: parts.logTo ?? process.stderr,
      serializers: { req: nameOfRoute, err: describeError },
    },
    frameworkErrors: (error, request, reply) => answerError(error, request, reply),
    // With PUBLIC_URL a proxy on this machine says who called; without it nobody may.
    trustProxy: parts.config.publicUrl ? 'loopback' : false,
  }).withTypeProvider<ZodTypeProvider>()

  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  // Bodies are JSON: a form on a foreign page can send text/plain, and nothing here needs it.
  app.removeContentTypeParser('text/plain')
  app.decorate('declaredRoutes', [])
  app.decorateRequest('user', undefined)
  app.decorateRequest('hasView', false)
  app.decorateRequest('brand', undefined)
  app.decorateRequest('keyId', undefined)
  app.decorateRequest('keyName', undefined)
  // To the compiler only: a handler promises what its schema says, and preSerialization below knows a Refusal when it
  // sees one.
  app.decorateReply('answer', <Value>(decided: Value | Refusal) => decided as Exclude<Value, Refusal>)

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Perennial', version: parts.version },
      components: { securitySchemes: { api_key: { type: 'http', scheme: 'bearer', description: 'pk_…' } } },
    },
    transform: jsonSchemaTransform,
  })
  // Before the rule below: its one route serves files and knows no policy.
  await app.register(fastifyStatic, {
    root: parts.consoleFolder,
    cacheControl: false,
    dotfiles: 'ignore',
    setHeaders: (reply, path) => reply.header('cache-control', cachingOf(path)),
  })

  app.addHook('onRoute', (route) => {
    const { policy, permission, scope } = route.config ?? {}
    const name = `${route.method} ${route.url}`
    if (!policy === !permission) {
      throw new Error(`${name} declares no permission, or a policy beside it: add config: { permission: … } to it`)
    }
    if (permission && !isPermission(permission)) throw new Error(`${name} needs ${permission}, which roles.ts lacks`)
    if (policy === 'api_key' && !scope) {
      throw new Error(`${name} takes keys and declares no scope: add config: { scope: … } to it`)
    }
    for (const method of [route.method].flat()) {
      app.declaredRoutes.push({ method, url: route.url, config: route.config ?? {} })
    }
    if (scope && route.schema) route.schema.security ??= [{ api_key: [] }]
    const responses = route.schema?.response as Record<string, unknown> | undefined
    if (responses) responses['4xx'] ??= errorBody
  })
  const counters = await countRequests(app, parts.rates ?? RATES)
  app.addHook('onRequest', gate(parts, counters))
  app.addHook('preSerialization', async (request, reply, payload) => {
    const answer = isRefusal(payload) ? await refusalBody(request, reply, payload) : payload
    checkView(request, reply)
    return isMaskedFor(request) ? maskAnswer(answer) : answer
  })
  async function refusalBody(request: FastifyRequest, reply: FastifyReply, given: Refusal) {
    const isWrongCaller = WRONG_CALLER_CODES.includes(given.code)
    const refusal = (isWrongCaller && (await counters.countWrong(request, reply))) || given
    reply.code(statusOf(refusal))
    return toErrorBody(refusal)
  }
  app.setErrorHandler(answerError)
  app.setNotFoundHandler((request, reply) => {
    const isNavigation = request.method === 'GET' && request.headers.accept?.includes('text/html')
    // The console finds its own page by the address; a missing page of the API or a missing file stays missing.
    if (isNavigation && !/^\/(api|assets)(\/|$)/.test(pathOf(request))) return reply.code(200).sendFile('index.html')
    return refuseWith(reply, refuse('missing', 'no_such_address', 'There is nothing at this address.', 'Check it.'))
  })

  app.get(
    '/healthz',
    { config: { policy: 'public' }, schema: { response: { 200: wireHealth, 503: wireUnhealthy } } },
    async (_request, reply) => {
      try {
        const health = await within(parts.health(), HEALTH_TIMEOUT_MS)
        return { status: 'ok' as const, version: parts.version, ...health }
      } catch (error) {
        reply.code(503)
        return { status: 'unavailable' as const, version: parts.version, problem: problemOf(error) }
      }
    },
  )
  if (parts.metrics) registerMetrics(app, parts.metrics)
  registerAccountRoutes(app, parts)
  registerUserRoutes(app, parts)
  return app
}

const wireHealth = z.object({
  status: z.literal('ok'),
  version: z.string(),
  database: z.object({ major: z.number().int(), embedded: z.boolean() }),
  brand: z.string().nullable(),
  freshness: z.object({ pending_people: z.number().int(), oldest_pending_seconds: z.number().nullable() }).nullable(),
})
const wireUnhealthy = z.object({ status: z.literal('unavailable'), version: z.string(), problem: z.string() })

function registerMetrics(app: Pick<Http, 'get' | 'addHook'>, metrics: Registry): void {
  const name = 'perennial_http_request_duration_seconds'
  const spent = createDurations(metrics, name, 'Requests by route and status.', ['method', 'route', 'status'])
  app.addHook('onResponse', async (request, reply) => {
    // The route, not the address: that may be a sign-in link, and anybody can make up new ones.
    const route = request.routeOptions.url ?? 'none'
    spent.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000)
  })
  // Not for anybody: how much a shop sells can be read off its requests.
  app.get(
    '/metrics',
    { config: { policy: 'api_key', scope: 'metrics:read' }, schema: { hide: true } },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()),
  )
}

/** What is thrown, and what Fastify itself refuses (a body too long, no JSON). */
function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (isRefusal(error)) return refuseWith(reply, error)
  if (hasZodFastifySchemaValidationErrors(error)) {
    const found = error.validation.map(({ instancePath, message }) => `${instancePath.slice(1) || 'body'}: ${message}`)
    const message = found.slice(0, FINDINGS_MAX).join('; ')
    return refuseWith(reply, refuse('invalid', 'invalid_request', message, 'Correct these and send it again.'))
  }
  if (isFastifyRefusal(error)) {
    const kind = error.statusCode === 413 ? 'over_limit' : 'invalid'
    const code = error.code.toLowerCase().replace(/^fst_(err_)?/, '')
    return refuseWith(reply, refuse(kind, code, error.message, 'Correct it and send it again.'), error.statusCode)
  }
  // Neither address nor headers nor body: they may carry a link, a cookie, a password.
  request.log.error({ err: error, req: request }, 'request failed')
  const body: z.infer<typeof errorBody> = {
    error: {
      code: 'internal_error',
      kind: 'failure',
      message: `The server failed at this request (${request.id}).`,
      remedy: 'Try again; the log of the server has the reason under this number.',
    },
  }
  return reply.code(500).send(body)
}

/** Only Fastify's own: any other error may bring a statusCode too, with a message that is nobody's business. */
function isFastifyRefusal(error: unknown): error is FastifyError & { statusCode: number } {
  const { code, statusCode } = (error ?? {}) as Partial<FastifyError>
  return code?.startsWith('FST_') === true && statusCode !== undefined && statusCode >= 400 && statusCode < 500
}

function nameOfRoute(request: FastifyRequest): { method: string; route: string | undefined } {
  return { method: request.method, route: request.routeOptions?.url }
}

/** Named fields only: PostgreSQL's errors carry the row (`detail`), better-auth's the request. */
function describeError(error: FastifyError): { type: string; message: string; stack: string; code: string } {
  const cause = error.cause instanceof Error ? ` (cause: ${error.cause.message})` : ''
  return { type: error.name, message: error.message + cause, stack: error.stack ?? '', code: error.code }
}

/** Vite puts a hash of the content into the names in assets/: what changes gets another name. */
function cachingOf(path: string): string {
  return /[\\/]assets[\\/]/.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache'
}

async function within<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** For anybody's eyes: no sentence of the database, which may quote what is in it. */
function problemOf(error: unknown): string {
  const code = (error as { code?: unknown })?.code
  return `The database does not answer${typeof code === 'string' ? ` (${code})` : ''}.`
}
