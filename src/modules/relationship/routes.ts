import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { viewOf } from '../../platform/http-gate.ts'
import { listFlow, reportMigration } from './migration.ts'
import { flowPage, migrationQuery, migrationReport } from './schema.ts'

export interface RelationshipDeps {
  readonly clock: Clock
  /** The brand that the console shows. */
  readonly brandOf: () => Promise<{ database: Database }>
}

export function registerRelationshipRoutes(app: FastifyInstance, { clock, brandOf }: RelationshipDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
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
      const { from, to, from_depth: fromDepth, to_depth: toDepth, after, limit } = request.query
      const { database } = await brandOf()
      const now = clock.now()
      const span = { from: new Date(from), to: to ? new Date(to) : now, now, scope: viewOf(request, now).scope }
      return reply.answer(
        fromDepth === undefined || toDepth === undefined
          ? await reportMigration(database, span)
          : await listFlow(database, span, { fromDepth, toDepth, after, limit }),
      )
    },
  )
}
