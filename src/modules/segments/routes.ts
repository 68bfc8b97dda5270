import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { actorOf } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { viewOf } from '../../platform/http-gate.ts'
import { ruleCommand, tagAnswer } from '../tags/schema.ts'
import {
  changeSegment,
  countSegment,
  createSegment,
  deleteSegment,
  explainDefinition,
  explainMember,
  listSegments,
  listStays,
  listVersions,
  readSegment,
  readSizes,
  setRule,
} from './actions.ts'
import {
  countCommand,
  explainCommand,
  explanation,
  segment,
  segmentChange,
  segmentCommand,
  segmentCount,
  segmentList,
  segmentSizes,
  segmentVersions,
  sizesQuery,
  stays,
} from './schema.ts'

export interface SegmentsDeps {
  readonly clock: Clock
  /** The brand that the console shows. */
  readonly brandOf: (request: FastifyRequest) => Promise<{ database: Database }>
}

const id = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER)
const segmentParams = z.object({ segment_id: id })
const tagParams = z.object({ tag_id: id })
const asOfQuery = z.object({ as_of: z.iso.datetime({ offset: true }).optional() })

export function registerSegmentsRoutes(app: FastifyInstance, { clock, brandOf }: SegmentsDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const instant = (text: string | undefined) => (text ? new Date(text) : undefined)

  routes.get(
    '/api/v1/segments',
    {
      config: { permission: 'segments:read' },
      schema: { operationId: 'segments', response: { 200: segmentList } },
    },
    async (request) => {
      const now = clock.now()
      return listSegments((await brandOf(request)).database.db, now, viewOf(request, now))
    },
  )

  routes.post(
    '/api/v1/segments',
    {
      config: { permission: 'segments:write' },
      schema: { operationId: 'createSegment', body: segmentCommand, response: { 200: segment } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const view = viewOf(request, clock.now())
      return reply.answer(await createSegment(database, clock, request.body, actorOf(request), view))
    },
  )

  routes.get(
    '/api/v1/segments/:segment_id',
    {
      config: { permission: 'segments:read' },
      schema: { operationId: 'segment', params: segmentParams, response: { 200: segment } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      return reply.answer(await readSegment(database.db, request.params.segment_id, now, viewOf(request, now)))
    },
  )

  routes.patch(
    '/api/v1/segments/:segment_id',
    {
      config: { permission: 'segments:write' },
      schema: {
        operationId: 'changeSegment',
        params: segmentParams,
        body: segmentChange,
        response: { 200: segment },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const view = viewOf(request, clock.now())
      const { segment_id: segmentId } = request.params
      return reply.answer(await changeSegment(database, clock, segmentId, request.body, actorOf(request), view))
    },
  )

  routes.delete(
    '/api/v1/segments/:segment_id',
    {
      config: { permission: 'segments:write' },
      schema: {
        operationId: 'deleteSegment',
        params: segmentParams,
        response: { 200: z.object({ segment_id: z.number().int() }) },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      viewOf(request, clock.now())
      return reply.answer(await deleteSegment(database, clock, request.params.segment_id, actorOf(request)))
    },
  )

  routes.get(
    '/api/v1/segments/:segment_id/versions',
    {
      config: { permission: 'segments:read' },
      schema: { operationId: 'segmentVersions', params: segmentParams, response: { 200: segmentVersions } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      viewOf(request, clock.now())
      return reply.answer(await listVersions(database.db, request.params.segment_id))
    },
  )

  routes.get(
    '/api/v1/segments/:segment_id/sizes',
    {
      config: { permission: 'segments:read' },
      schema: {
        operationId: 'segmentSizes',
        params: segmentParams,
        querystring: sizesQuery,
        response: { 200: segmentSizes },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const asked = { now, days: request.query.days, view: viewOf(request, now) }
      return reply.answer(await readSizes(database.db, request.params.segment_id, asked))
    },
  )

  routes.get(
    '/api/v1/segments/:segment_id/people/:person_id',
    {
      config: { permission: 'segments:read' },
      schema: {
        operationId: 'explainMember',
        params: z.object({ segment_id: id, person_id: id }),
        querystring: asOfQuery,
        response: { 200: explanation },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const { segment_id: segmentId, person_id: personId } = request.params
      const asked = { now, asOf: instant(request.query.as_of), view: viewOf(request, now) }
      return reply.answer(await explainMember(database.db, segmentId, personId, asked))
    },
  )

  routes.get(
    '/api/v1/people/:person_id/segments',
    {
      config: { permission: 'segments:read' },
      schema: { operationId: 'segmentsOfPerson', params: z.object({ person_id: id }), response: { 200: stays } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      return reply.answer(await listStays(database.db, request.params.person_id, viewOf(request, clock.now())))
    },
  )

  routes.post(
    '/api/v1/segments/count',
    {
      config: { permission: 'segments:read', reads: true },
      schema: { operationId: 'countSegment', body: countCommand, response: { 200: segmentCount } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const { definition, method, as_of: asOf } = request.body
      const asked = { now, asOf: instant(asOf), method, view: viewOf(request, now) }
      return reply.answer(await countSegment(database.db, definition, asked))
    },
  )

  routes.post(
    '/api/v1/segments/people/:person_id',
    {
      config: { permission: 'segments:read', reads: true },
      schema: {
        operationId: 'explainDefinition',
        params: z.object({ person_id: id }),
        body: explainCommand,
        response: { 200: explanation },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const asked = { now, asOf: instant(request.body.as_of), view: viewOf(request, now) }
      return reply.answer(
        await explainDefinition(database.db, request.body.definition, request.params.person_id, asked),
      )
    },
  )

  routes.put(
    '/api/v1/tags/:tag_id/rule',
    {
      config: { permission: 'tags:manage' },
      schema: { operationId: 'setTagRule', params: tagParams, body: ruleCommand, response: { 200: tagAnswer } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const { tag_id: tagId } = request.params
      const rule = { tagId, segmentId: request.body.segment_id, by: actorOf(request) }
      return reply.answer(await setRule(database, clock, rule))
    },
  )

  routes.delete(
    '/api/v1/tags/:tag_id/rule',
    {
      config: { permission: 'tags:manage' },
      schema: { operationId: 'removeTagRule', params: tagParams, response: { 200: tagAnswer } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const rule = { tagId: request.params.tag_id, segmentId: null, by: actorOf(request) }
      return reply.answer(await setRule(database, clock, rule))
    },
  )
}
