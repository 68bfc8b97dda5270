import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type Actor, actorOf } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { isKeyOf, mergePeople, readMergeReview, splitIdentity, withdrawClaim } from './actions.ts'
import {
  decided,
  type ErasureAnswer,
  eraseCommand,
  erasureAnswer,
  mergeCommand,
  mergeReview,
  splitCommand,
} from './schema.ts'

export interface CustomersDeps {
  readonly clock: Clock
  /** The brand that the console shows. */
  readonly brandOf: (request: FastifyRequest) => Promise<{ database: Database }>
  /** Works off whom a decision moved: the next question is answered by the new people. */
  readonly catchUp: (database: Database) => Promise<unknown>
  /** Erases a person in every module, and in the files beside the database. */
  readonly erase: (database: Database, command: { personId: number; by: Actor }) => Promise<ErasureAnswer | Refusal>
}

const personParams = z.object({ person_id: z.coerce.number().int().positive() })

export function registerCustomersRoutes(app: FastifyInstance, deps: CustomersDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const { clock, brandOf } = deps
  const merges = { permission: 'people:merge' } as const

  async function settled(
    database: Database,
    answer: { claim_id: number } | Refusal,
  ): Promise<{ claim_id: number } | Refusal> {
    if (!isRefusal(answer)) await deps.catchUp(database)
    return answer
  }

  routes.get(
    '/api/v1/merge-review',
    { config: merges, schema: { operationId: 'mergeReview', response: { 200: mergeReview } } },
    async (request) => readMergeReview((await brandOf(request)).database),
  )

  routes.post(
    '/api/v1/merges',
    { config: merges, schema: { operationId: 'mergePeople', body: mergeCommand, response: { 200: decided } } },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const command = { personIds: request.body.person_ids, by: actorOf(request) }
      return reply.answer(await settled(database, await mergePeople(database, clock, command)))
    },
  )

  routes.post(
    '/api/v1/splits',
    { config: merges, schema: { operationId: 'splitIdentity', body: splitCommand, response: { 200: decided } } },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const command = { identityId: request.body.identity_id, by: actorOf(request) }
      return reply.answer(await settled(database, await splitIdentity(database, clock, command)))
    },
  )

  routes.post(
    '/api/v1/claims/:claim_id/withdraw',
    {
      config: merges,
      schema: {
        operationId: 'withdrawClaim',
        params: z.object({ claim_id: z.coerce.number().int().positive() }),
        response: { 200: decided },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      return reply.answer(
        await settled(database, await withdrawClaim(database, clock, request.params.claim_id, actorOf(request))),
      )
    },
  )

  routes.post(
    '/api/v1/people/:person_id/erase',
    {
      config: { permission: 'people:erase' },
      schema: {
        operationId: 'erasePerson',
        params: personParams,
        body: eraseCommand,
        response: { 200: erasureAnswer },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const personId = request.params.person_id
      if (!(await isKeyOf(database.db, personId, request.body.key))) {
        return reply.answer(
          refuse(
            'conflict',
            'wrong_key',
            `"${request.body.key}" is not a key of person ${personId}. Nobody was erased.`,
            'Type the key as the page shows it.',
          ),
        )
      }
      return reply.answer(await deps.erase(database, { personId, by: actorOf(request) }))
    },
  )
}
