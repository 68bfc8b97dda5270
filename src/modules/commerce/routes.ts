import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Clock } from '../../platform/clock.ts'
import { brandOfRequest, viewOf } from '../../platform/http-gate.ts'
import { listOrders } from './actions.ts'
import { ordersPage, ordersQuery } from './schema.ts'

export interface CommerceDeps {
  readonly clock: Clock
}

export function registerCommerceRoutes(app: FastifyInstance, { clock }: CommerceDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/api/v1/persons/:key/orders',
    {
      config: { permission: 'people:read', scope: 'people:read' },
      schema: {
        operationId: 'ordersOfPerson',
        params: z.object({ key: z.string() }),
        querystring: ordersQuery,
        response: { 200: ordersPage },
      },
    },
    async (request, reply) => {
      const { database } = brandOfRequest(request)
      return reply.answer(
        await listOrders(database.db, request.params.key, request.query, viewOf(request, clock.now())),
      )
    },
  )
}
