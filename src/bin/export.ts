import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { readPerson } from '../modules/analytics/actions.ts'
import { recordAudit } from '../modules/audit/actions.ts'
import { exportOrders } from '../modules/commerce/actions.ts'
import { exportCustomer } from '../modules/customers/actions.ts'
import type { PersonRows } from '../modules/intake/actions.ts'
import { exportInteractions } from '../modules/interactions/actions.ts'
import { exportStanding } from '../modules/relationship/actions.ts'
import { exportMember } from '../modules/segments/actions.ts'
import { exportTags } from '../modules/tags/actions.ts'
import { exportValues } from '../modules/value/actions.ts'
import { type Actor, actorOf } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import type { Database, Sql } from '../platform/db.ts'
import { viewOf } from '../platform/http-gate.ts'
import { isRefusal } from '../platform/refusal.ts'

const EXPORTERS: Readonly<Record<string, (db: Sql, personId: number) => Promise<PersonRows>>> = {
  customers: exportCustomer,
  tags: exportTags,
  interactions: exportInteractions,
  commerce: exportOrders,
  relationship: exportStanding,
  segments: exportMember,
  value: exportValues,
}

/** All that the database has of a person, by module and table. */
export async function exportPerson(db: Sql, personId: number): Promise<Record<string, PersonRows>> {
  const found: Record<string, PersonRows> = {}
  for (const [module, read] of Object.entries(EXPORTERS)) found[module] = await read(db, personId)
  return found
}

/** The same for whoever asked, with a row in the audit log that they were given it. */
export async function handOutPerson(database: Database, personId: number, by: Actor, now: Date) {
  return database.transaction(async (tx) => {
    const found = await exportPerson(tx, personId)
    await recordAudit(tx, { actor: by, operation: 'person_export', subjects: { person_id: personId } }, now)
    return { person_id: personId, ...found }
  })
}

/** How much an erasure is about: what names the person and goes, and what stays as nobody's. */
const erasureScale = z.object({
  person_id: z.number().int(),
  identities: z.number().int(),
  records: z.number().int(),
  consents: z.number().int(),
  tags: z.number().int(),
  orders: z.number().int(),
  refunds: z.number().int(),
  interactions: z.number().int(),
  connections: z.number().int(),
})

async function scaleOf(db: Sql, personId: number): Promise<z.infer<typeof erasureScale>> {
  const found = await exportPerson(db, personId)
  const count = (module: string, ...tables: string[]) =>
    tables.reduce((sum, table) => sum + (found[module]?.[table]?.length ?? 0), 0)
  return {
    person_id: personId,
    identities: count('customers', 'identities'),
    records: count('customers', 'records'),
    consents: count('customers', 'consents'),
    tags: count('tags', 'assignments'),
    orders: count('commerce', 'orders'),
    refunds: count('commerce', 'refunds'),
    interactions: count('interactions', 'interactions', 'reviews'),
    connections: count('customers', 'connections', 'memberships'),
  }
}

export interface ExportDeps {
  readonly clock: Clock
  /** The brand that the console shows. */
  readonly brandOf: (request: FastifyRequest) => Promise<{ database: Database }>
}

export function registerExportRoutes(app: FastifyInstance, { clock, brandOf }: ExportDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const personParams = z.object({ person_id: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) })

  routes.get(
    '/api/v1/people/:person_id/erasure',
    {
      config: { permission: 'people:erase' },
      schema: {
        operationId: 'erasureScale',
        description: 'How many rows of each kind an erasure of the person is about. Nothing of them is handed out.',
        params: personParams,
        response: { 200: erasureScale },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const { person_id: personId } = request.params
      const now = clock.now()
      const known = await readPerson(database.db, personId, now, undefined, viewOf(request, now))
      return reply.answer(isRefusal(known) ? known : await scaleOf(database.db, personId))
    },
  )

  routes.get(
    '/api/v1/people/:person_id/export',
    {
      config: { permission: 'people:export' },
      // HEAD would write that somebody was handed out to nobody.
      exposeHeadRoute: false,
      schema: {
        operationId: 'exportPerson',
        description: 'All that is kept of one person, for when they ask. It is noted who took it.',
        params: personParams,
        response: { 200: z.looseObject({ person_id: z.number().int() }) },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const { person_id: personId } = request.params
      const now = clock.now()
      const known = await readPerson(database.db, personId, now, undefined, viewOf(request, now))
      if (isRefusal(known)) return reply.answer(known)
      reply.header('content-disposition', `attachment; filename="person-${personId}.json"`)
      return handOutPerson(database, personId, actorOf(request), now)
    },
  )
}
