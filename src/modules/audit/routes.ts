import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Database } from '../../platform/db.ts'
import { listAudit } from './actions.ts'
import { auditPage, auditQuery } from './schema.ts'

export interface AuditDeps {
  /** The brand that the console shows. */
  readonly brandOf: (request: FastifyRequest) => Promise<{ database: Database }>
}

export function registerAuditRoutes(app: FastifyInstance, { brandOf }: AuditDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/api/v1/audit',
    {
      config: { permission: 'audit:read' },
      schema: { operationId: 'audit', querystring: auditQuery, response: { 200: auditPage } },
    },
    async (request) => {
      const { database } = await brandOf(request)
      return listAudit(database.db, request.query)
    },
  )
}
