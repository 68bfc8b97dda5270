import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { brandOfRequest, viewOf } from '../../platform/http-gate.ts'
import {
  type BrandName,
  listPeople,
  readBrand,
  readBrief,
  readPerson,
  readPersonByKey,
  readSegmentMatrix,
  readTimeline,
} from './actions.ts'
import {
  brandInfo,
  brief,
  knownPerson,
  membersCommand,
  peopleFilter,
  peoplePage,
  person,
  personStanding,
  segmentMatrix,
  timelinePage,
  timelineQuery,
} from './schema.ts'

export interface AnalyticsDeps {
  readonly clock: Clock
  /** The brand that the console shows, and its database. */
  readonly brandOf: (request: FastifyRequest) => Promise<{ brand: BrandName; database: Database }>
}

const asOfQuery = z.object({ as_of: z.iso.datetime({ offset: true }).optional() })

export function registerAnalyticsRoutes(app: FastifyInstance, { clock, brandOf }: AnalyticsDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const instant = (text: string | undefined) => (text ? new Date(text) : undefined)

  routes.get(
    '/api/v1/brief',
    {
      config: { permission: 'brief:read' },
      schema: { operationId: 'brief', querystring: asOfQuery, response: { 200: brief } },
    },
    async (request) => {
      const { brand, database } = await brandOf(request)
      const now = clock.now()
      return readBrief(database.db, brand, now, instant(request.query.as_of), viewOf(request, now))
    },
  )

  routes.get(
    '/api/v1/brand',
    { config: { permission: 'settings:read' }, schema: { operationId: 'brand', response: { 200: brandInfo } } },
    async (request) => {
      const { brand, database } = await brandOf(request)
      return readBrand(database.db, brand, clock.now())
    },
  )

  routes.get(
    '/api/v1/depth/segments',
    {
      config: { permission: 'people:read' },
      schema: { operationId: 'segmentMatrix', querystring: asOfQuery, response: { 200: segmentMatrix } },
    },
    async (request) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      return readSegmentMatrix(database.db, now, instant(request.query.as_of), viewOf(request, now))
    },
  )

  routes.get(
    '/api/v1/people',
    {
      config: { permission: 'people:read', search: 'search' },
      schema: { operationId: 'people', querystring: peopleFilter, response: { 200: peoplePage } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      return reply.answer(await listPeople(database.db, now, request.query, viewOf(request, now)))
    },
  )

  routes.get(
    '/api/v1/segments/:segment_id/members',
    {
      config: { permission: 'segments:read' },
      schema: {
        operationId: 'segmentMembers',
        params: z.object({ segment_id: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) }),
        querystring: peopleFilter.pick({ as_of: true, after: true, limit: true }),
        response: { 200: peoplePage },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const filter = { ...request.query, in_segment: request.params.segment_id }
      return reply.answer(await listPeople(database.db, now, filter, viewOf(request, now)))
    },
  )

  routes.post(
    '/api/v1/segments/members',
    {
      config: { permission: 'segments:read', reads: true },
      schema: { operationId: 'definitionMembers', body: membersCommand, response: { 200: peoplePage } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const { definition, method, ...filter } = request.body
      const written = { definition, method }
      return reply.answer(await listPeople(database.db, now, filter, viewOf(request, now), written))
    },
  )

  routes.get(
    '/api/v1/people/:person_id',
    {
      config: { permission: 'people:read' },
      schema: {
        operationId: 'person',
        params: z.object({ person_id: z.coerce.number().int().positive() }),
        querystring: asOfQuery,
        response: { 200: person },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const { person_id: personId } = request.params
      return reply.answer(
        await readPerson(database.db, personId, now, instant(request.query.as_of), viewOf(request, now)),
      )
    },
  )

  routes.get(
    '/api/v1/people/:person_id/timeline',
    {
      config: { permission: 'people:read' },
      schema: {
        operationId: 'timeline',
        params: z.object({ person_id: z.coerce.number().int().positive() }),
        querystring: timelineQuery,
        response: { 200: timelinePage },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const { person_id: personId } = request.params
      return reply.answer(await readTimeline(database.db, personId, now, request.query, viewOf(request, now)))
    },
  )

  routes.get(
    '/api/v1/persons',
    {
      config: { permission: 'people:read', scope: 'people:read', search: 'key' },
      schema: {
        operationId: 'personByKey',
        querystring: z.object({ key: z.string().min(1).max(300) }),
        response: { 200: knownPerson },
      },
    },
    async (request, reply) => {
      const { database } = brandOfRequest(request)
      const now = clock.now()
      return reply.answer(await readPersonByKey(database.db, request.query.key, now, viewOf(request, now)))
    },
  )

  routes.get(
    '/api/v1/persons/:key/standing',
    {
      config: { permission: 'people:read', scope: 'people:read' },
      schema: {
        operationId: 'standingOfPerson',
        params: z.object({ key: z.string() }),
        response: { 200: personStanding },
      },
    },
    async (request, reply) => {
      const { database } = brandOfRequest(request)
      const now = clock.now()
      return reply.answer(await readPersonByKey(database.db, request.params.key, now, viewOf(request, now)))
    },
  )
}
