import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { actorOf } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { may, type Role, SCOPE_NEEDS } from '../../platform/roles.ts'
import type { Vault } from '../../platform/secrets.ts'
import { createApiKey, createWebhook, listApiKeys, listWebhooks, revokeApiKey, revokeWebhook } from './access.ts'
import { API_SCOPES, type ApiScope, apiKey, newApiKey, newWebhook, webhookSource } from './schema.ts'

export interface AccessDeps {
  readonly clock: Clock
  /** The brand that the console shows. */
  readonly brandOf: (
    request: FastifyRequest,
  ) => Promise<{ readonly brand: { readonly key: string; readonly isDemo: boolean }; readonly database: Database }>
  readonly vault: Vault
}

const id = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER)

/** Keys of programs and sources that push, for the pages of settings: what the command line does, over HTTP. */
export function registerAccessRoutes(app: FastifyInstance, { clock, brandOf, vault }: AccessDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const keys = { permission: 'api_keys:manage' } as const
  const webhooks = { permission: 'webhooks:manage' } as const

  routes.get(
    '/api/v1/api-keys',
    { config: keys, schema: { operationId: 'apiKeys', response: { 200: z.object({ api_keys: z.array(apiKey) }) } } },
    async (request) => ({ api_keys: await listApiKeys((await brandOf(request)).database.db) }),
  )

  routes.post(
    '/api/v1/api-keys',
    {
      config: keys,
      schema: {
        operationId: 'createApiKey',
        description: 'The key is in the answer and is not shown again.',
        body: z.object({ name: z.string().max(1000), scopes: z.array(z.enum(API_SCOPES)).min(1).max(10) }).strict(),
        response: { 200: newApiKey },
      },
    },
    async (request, reply) => {
      const { brand, database } = await brandOf(request)
      const refused = request.user && refuseScopes(request.user.role, request.body.scopes)
      if (refused) return reply.answer(refused)
      return reply.answer(
        await database.transaction((tx) => createApiKey(tx, brand.key, request.body, clock.now(), actorOf(request))),
      )
    },
  )

  routes.delete(
    '/api/v1/api-keys/:key_id',
    {
      config: keys,
      schema: { operationId: 'revokeApiKey', params: z.object({ key_id: id }), response: { 200: apiKey } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const { key_id: keyId } = request.params
      return reply.answer(await database.transaction((tx) => revokeApiKey(tx, keyId, clock.now(), actorOf(request))))
    },
  )

  routes.get(
    '/api/v1/webhook-sources',
    {
      config: webhooks,
      schema: {
        operationId: 'webhookSources',
        response: { 200: z.object({ webhook_sources: z.array(webhookSource) }) },
      },
    },
    async (request) => ({ webhook_sources: await listWebhooks((await brandOf(request)).database.db) }),
  )

  routes.post(
    '/api/v1/webhook-sources',
    {
      config: webhooks,
      schema: {
        operationId: 'createWebhookSource',
        description: 'The secret is in the answer and is not shown again. Deliveries go to `path` of this server.',
        body: z.object({ source: z.string().max(1000) }).strict(),
        response: { 200: newWebhook.extend({ path: z.string() }) },
      },
    },
    async (request, reply) => {
      const { brand, database } = await brandOf(request)
      const made = await database.transaction((tx) =>
        createWebhook(tx, vault, request.body.source, clock.now(), actorOf(request)),
      )
      if (isRefusal(made)) return reply.answer(made)
      return { ...made, path: `/api/v1/webhooks/${encodeURIComponent(made.source)}?brand=${brand.key}` }
    },
  )

  routes.delete(
    '/api/v1/webhook-sources/:webhook_id',
    {
      config: webhooks,
      schema: {
        operationId: 'revokeWebhookSource',
        params: z.object({ webhook_id: id }),
        response: { 200: webhookSource.pick({ webhook_id: true, source: true }) },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const { webhook_id: webhookId } = request.params
      return reply.answer(
        await database.transaction((tx) => revokeWebhook(tx, webhookId, clock.now(), actorOf(request))),
      )
    },
  )
}

/** A key may not do more than who makes it: an integrator, who sees no people, makes none that reads them. */
function refuseScopes(role: Role, scopes: readonly ApiScope[]): Refusal | undefined {
  const beyond = scopes.find((scope) => {
    const needed = SCOPE_NEEDS[scope]
    return !needed || !may(role, needed)
  })
  if (!beyond) return undefined
  return refuse(
    'forbidden',
    'scope_not_yours',
    `The role ${role} may not make a key that may ${beyond}.`,
    'Ask an owner to make it.',
  )
}
