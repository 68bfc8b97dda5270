import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { actorOf } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { viewOf } from '../../platform/http-gate.ts'
import { isRefusal } from '../../platform/refusal.ts'
import { listAtRisk, listValueCell, readEquity, readPersonValue, readReferralTree, readValueMatrix } from './reading.ts'
import { beginValueRun, type ValueRuns } from './runs.ts'
import {
  atRisk,
  atRiskQuery,
  equityAnswer,
  personValue,
  referralTree,
  valueCellPage,
  valueCellQuery,
  valueMatrix,
  valueQuery,
  valueRunCommand,
  valueRunState,
} from './schema.ts'

export interface ValueDeps {
  readonly clock: Clock
  /** The brand that the console shows. */
  readonly brandOf: (request: FastifyRequest) => Promise<{ database: Database }>
  readonly valueRuns: ValueRuns
}

export function registerValueRoutes(app: FastifyInstance, { clock, brandOf, valueRuns }: ValueDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/api/v1/value',
    {
      config: { permission: 'people:read' },
      schema: { operationId: 'customerEquity', querystring: valueQuery, response: { 200: equityAnswer } },
    },
    async (request) => {
      const { database } = await brandOf(request)
      const asOf = instant(request.query.as_of)
      const equity = await readEquity(database.db, viewOf(request, clock.now()), asOf)
      return { ...equity, run: valueRuns.state(database) }
    },
  )

  routes.post(
    '/api/v1/value/runs',
    {
      config: { permission: 'values:run' },
      schema: { operationId: 'beginValueRun', body: valueRunCommand.nullish(), response: { 202: valueRunState } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const begun = await beginValueRun(database, valueRuns, actorOf(request), {
        now: clock.now(),
        asOf: instant(request.body?.as_of),
      })
      if (!isRefusal(begun)) reply.status(202)
      return reply.answer(begun)
    },
  )

  routes.get(
    '/api/v1/value/matrix',
    {
      config: { permission: 'people:read' },
      schema: { operationId: 'valueMatrix', querystring: valueQuery, response: { 200: valueMatrix } },
    },
    async (request) => {
      const { database } = await brandOf(request)
      return readValueMatrix(database.db, viewOf(request, clock.now()), instant(request.query.as_of))
    },
  )

  routes.get(
    '/api/v1/value/people',
    {
      config: { permission: 'people:read' },
      schema: { operationId: 'valueCell', querystring: valueCellQuery, response: { 200: valueCellPage } },
    },
    async (request) => {
      const { database } = await brandOf(request)
      return listValueCell(database.db, request.query, viewOf(request, clock.now()))
    },
  )

  routes.get(
    '/api/v1/value/at-risk',
    {
      config: { permission: 'people:read' },
      schema: { operationId: 'atRisk', querystring: atRiskQuery, response: { 200: atRisk } },
    },
    async (request) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      return listAtRisk(database.db, request.query.limit, now, viewOf(request, now))
    },
  )

  routes.get(
    '/api/v1/people/:person_id/value',
    {
      config: { permission: 'people:read' },
      schema: {
        operationId: 'personValue',
        params: z.object({ person_id: z.coerce.number().int().positive() }),
        querystring: valueQuery,
        response: { 200: personValue },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const asOf = instant(request.query.as_of)
      const { person_id: personId } = request.params
      return reply.answer(await readPersonValue(database.db, personId, now, viewOf(request, now), asOf))
    },
  )

  routes.get(
    '/api/v1/people/:person_id/referral-tree',
    {
      config: { permission: 'people:read' },
      schema: {
        operationId: 'referralTree',
        params: z.object({ person_id: z.coerce.number().int().positive() }),
        querystring: valueQuery,
        response: { 200: referralTree },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const asOf = instant(request.query.as_of)
      const { person_id: personId } = request.params
      return reply.answer(await readReferralTree(database.db, personId, viewOf(request, clock.now()), asOf))
    },
  )
}

function instant(value: string | undefined): Date | undefined {
  return value === undefined ? undefined : new Date(value)
}
