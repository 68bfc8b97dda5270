import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { viewOf } from '../../platform/http-gate.ts'
import { listFlow, readPersonMigration, reportMigration, reportNetDeepening } from './migration.ts'
import {
  flowPage,
  migrationQuery,
  migrationReport,
  netDeepening,
  netDeepeningQuery,
  personMigration,
} from './schema.ts'

export interface RelationshipDeps {
  readonly clock: Clock
  /** The brand that the console shows. */
  readonly brandOf: (request: FastifyRequest) => Promise<{ database: Database }>
}

export function registerRelationshipRoutes(app: FastifyInstance, { clock, brandOf }: RelationshipDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/api/v1/depth/migration',
    {
      config: { permission: 'people:read' },
      schema: {
        operationId: 'depthMigration',
        querystring: migrationQuery,
        response: { 200: z.union([migrationReport, flowPage]) },
      },
    },
    async (request, reply) => {
      const { from, to, from_depth: fromDepth, to_depth: toDepth, moved, cause, after, limit } = request.query
      const { database } = await brandOf(request)
      const now = clock.now()
      const span = { from: new Date(from), to: to ? new Date(to) : now, now, scope: viewOf(request, now).scope }
      const isList = [fromDepth, toDepth, moved, cause].some((asked) => asked !== undefined)
      return reply.answer(
        isList
          ? await listFlow(database, span, { fromDepth, toDepth, moved, cause, after, limit })
          : await reportMigration(database, span),
      )
    },
  )

  routes.get(
    '/api/v1/people/:person_id/depth-changes',
    {
      config: { permission: 'people:read' },
      schema: {
        operationId: 'depthChanges',
        params: z.object({ person_id: z.coerce.number().int().positive() }),
        response: { 200: personMigration },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const span = { from: new Date(0), to: now, now, scope: viewOf(request, now).scope }
      return reply.answer(await readPersonMigration(database, request.params.person_id, span))
    },
  )

  routes.get(
    '/api/v1/depth/net-deepening',
    {
      config: { permission: 'people:read' },
      schema: { operationId: 'netDeepening', querystring: netDeepeningQuery, response: { 200: netDeepening } },
    },
    async (request) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      return reportNetDeepening(database, { now, scope: viewOf(request, now).scope }, request.query.months)
    },
  )
}
