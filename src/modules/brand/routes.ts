import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { actorOf } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { changeSettings, readSettingsAnswer } from './actions.ts'
import { settingsAnswer, settingsChange } from './schema.ts'

export interface BrandDeps {
  readonly clock: Clock
  /** The brand that the console shows. */
  readonly brandOf: (request: FastifyRequest) => Promise<{ database: Database }>
  /** Has what is due for the database done, soon; does not wait for it. */
  readonly settle: (database: Database) => void
}

export function registerBrandRoutes(app: FastifyInstance, { clock, brandOf, settle }: BrandDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()

  routes.get(
    '/api/v1/settings',
    {
      config: { permission: 'settings:read' },
      schema: { operationId: 'settings', response: { 200: settingsAnswer } },
    },
    async (request) => readSettingsAnswer((await brandOf(request)).database.db),
  )

  routes.patch(
    '/api/v1/settings',
    {
      config: { permission: 'settings:change' },
      schema: { operationId: 'changeSettings', body: settingsChange, response: { 200: settingsAnswer } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const changed = await changeSettings(database, request.body, actorOf(request), clock.now())
      settle(database)
      return reply.answer(changed)
    },
  )
}
