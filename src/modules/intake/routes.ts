import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type Actor, actorOf } from '../../platform/audit.ts'
import type { Database } from '../../platform/db.ts'
import { brandOfRequest } from '../../platform/http-gate.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { checkDelivery, keepReceipt } from './access.ts'
import { type AccessDeps, registerAccessRoutes } from './access-routes.ts'
import { type FactKinds, storeFacts } from './facts.ts'
import { type ImportDeps, registerImportRoutes } from './import-routes.ts'
import { deliveryAnswer, deliveryBody, type FactResult, factsAnswer, type factsRequest } from './schema.ts'

export type { ImportDeps, ImportFiles } from './import-routes.ts'

export interface IntakeDeps extends AccessDeps, ImportDeps {
  /** What may come in, by the `kind` that a fact says. */
  readonly kinds: FactKinds
  /** The brand of that key, or the current one; undefined when there is none such. */
  readonly brandNamed: (brandKey: string | undefined) => Promise<{ readonly database: Database } | undefined>
  /** Has everybody concerned brought up to date, soon; does not wait for it. */
  readonly settle: (database: Database) => void
  /** Told of each fact what became of it; by a kind that there is, or `unknown`. */
  readonly count?: (kind: string, status: FactResult['status']) => void
}

/** 1,000 orders with a few lines are about 500 kB; refused with 413 above this. */
const BODY_BYTES_MAX = 5 * 1024 * 1024

export function registerIntakeRoutes(app: FastifyInstance, deps: IntakeDeps): void {
  const { clock, kinds, settle } = deps
  registerAccessRoutes(app, deps)
  registerImportRoutes(app, deps)

  function kindOf(fact: unknown): string {
    const kind = (fact as { kind?: unknown } | null)?.kind
    return typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kind : 'unknown'
  }

  async function store(database: Database, facts: readonly unknown[], by: Actor): Promise<FactResult[] | Refusal> {
    try {
      const results = await storeFacts(database, clock, facts, kinds, by)
      for (const [place, { status }] of isRefusal(results) ? [] : results.entries()) {
        deps.count?.(kindOf(facts[place]), status)
      }
      return results
    } finally {
      // After a failure too: some of the request may be stored.
      settle(database)
    }
  }

  // A scope of its own, because only here bytes that are no UTF-8 are refused: read as text, each of them would be stored
  // as U+FFFD, and what the name was would be lost.
  app.register(async (scope) => {
    const parseJson = scope.getDefaultJsonParser('error', 'error')
    scope.removeContentTypeParser('application/json')
    scope.addContentTypeParser(
      'application/json',
      { parseAs: 'buffer' },
      async (request: FastifyRequest, body: Buffer) => {
        if (!isUtf8(body)) throw notUtf8()
        return new Promise((resolve, reject) => {
          parseJson(request, body.toString('utf8'), (error, parsed) => (error ? reject(error) : resolve(parsed)))
        })
      },
    )
    scope.withTypeProvider<ZodTypeProvider>().post(
      '/api/v1/facts',
      {
        bodyLimit: BODY_BYTES_MAX,
        config: { policy: 'api_key', scope: 'facts:write' },
        schema: { operationId: 'sendFacts', body: describedRequest(kinds), response: { 200: factsAnswer } },
      },
      async (request, reply) => {
        const results = await store(brandOfRequest(request).database, request.body.facts, actorOf(request))
        return reply.answer(isRefusal(results) ? results : { results })
      },
    )
  })

  // A scope of its own, because only here the body stays the bytes that were signed.
  app.register(async (scope) => {
    scope.removeContentTypeParser('application/json')
    scope.addContentTypeParser(
      'application/json',
      { parseAs: 'buffer' },
      async (_: FastifyRequest, body: Buffer) => body,
    )
    scope.withTypeProvider<ZodTypeProvider>().post(
      '/api/v1/webhooks/:source',
      {
        bodyLimit: BODY_BYTES_MAX,
        config: { policy: 'signature' },
        schema: {
          operationId: 'deliverWebhook',
          description: 'Standard Webhooks; the body is { "type": "facts", "facts": [ … ] }.',
          params: z.object({ source: z.string() }),
          querystring: z.object({ brand: z.string().max(31).optional() }),
          response: { 200: deliveryAnswer },
        },
      },
      async (request, reply) => {
        const { source } = request.params
        return reply.answer(await deliver(source, request.query.brand, request))
      },
    )
  })

  async function deliver(
    source: string,
    brandKey: string | undefined,
    request: FastifyRequest,
  ): Promise<z.infer<typeof deliveryAnswer> | Refusal> {
    const found = await deps.brandNamed(brandKey)
    if (!found)
      return refuse('missing', 'no_such_brand', 'There is no such brand.', 'Check the address of the webhook.')
    const { database } = found
    const now = clock.now()
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const id = headerOf(request, 'webhook-id')
    const [timestamp, signatures] = [headerOf(request, 'webhook-timestamp'), headerOf(request, 'webhook-signature')]
    const checked = await checkDelivery(database.db, deps.vault, source, { id, timestamp, signatures, body }, now)
    if (isRefusal(checked)) return checked
    if (checked === 'known') return { status: 'known', results: [] }
    const parsed = parseDelivery(body)
    if (isRefusal(parsed)) return parsed
    // The secret is one source's, so it cannot speak for another.
    const results = await store(
      database,
      parsed.facts.filter((fact) => sourceOf(fact) === source),
      { kind: 'webhook', id: source, name: source },
    )
    if (isRefusal(results)) return results
    await keepReceipt(database, source, id, now)
    let next = 0
    const merged = parsed.facts.map((fact) => {
      if (sourceOf(fact) !== source) return otherSource(fact, source)
      next += 1
      return results[next - 1] ?? otherSource(fact, source)
    })
    return { status: 'stored', results: merged }
  }
}

/**
 * The request as it is checked, with what a fact of each kind is for readers of the OpenAPI document. Each fact is judged by
 * itself, so that one that is wrong does not refuse the others: what the server holds the whole request to is less.
 */
function describedRequest(kinds: FactKinds): typeof factsRequest {
  const oneOf = Object.entries(kinds).map(([title, { fact }]) => {
    const { $schema: _, ...schema } = z.toJSONSchema(fact, { io: 'input' })
    return { title, ...schema }
  })
  return z.object({ facts: z.array(z.unknown().meta({ oneOf })) }).strict()
}

function headerOf(request: FastifyRequest, name: string): string {
  const value = request.headers[name]
  return typeof value === 'string' ? value : ''
}

function parseDelivery(body: Buffer): z.infer<typeof deliveryBody> | Refusal {
  if (!isUtf8(body)) return notUtf8()
  let content: unknown
  try {
    content = JSON.parse(body.toString('utf8'))
  } catch {
    return refuse('invalid', 'invalid_request', 'The body is no JSON.', 'Correct it and send it again.')
  }
  const parsed = deliveryBody.safeParse(content)
  if (parsed.success) return parsed.data
  const [first] = parsed.error.issues
  const message = `${first?.path.join('.') || 'body'}: ${first?.message}`
  return refuse('invalid', 'invalid_request', message, 'Send { "type": "facts", "facts": [ … ] }.')
}

function notUtf8(): Refusal {
  const remedy = 'Send JSON in UTF-8.'
  return refuse('invalid', 'invalid_request', 'The body has bytes that are no UTF-8.', remedy)
}

function sourceOf(fact: unknown): unknown {
  return (fact as { source?: unknown } | null)?.source
}

function otherSource(fact: unknown, source: string): FactResult {
  const id = (fact as { external_id?: unknown } | null)?.external_id
  const message = `source: a webhook of "${source}" brings facts of that source.`
  return {
    external_id: typeof id === 'string' ? id : null,
    status: 'refused',
    error: { code: 'other_source', message },
  }
}
