import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { actorOf } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Database } from '../../platform/db.ts'
import { viewOf } from '../../platform/http-gate.ts'
import { isRefusal } from '../../platform/refusal.ts'
import {
  changeTag,
  createGroup,
  createTag,
  deleteGroup,
  editTags,
  listTagEdits,
  listTags,
  readPersonTags,
  removeTag,
  renameGroup,
  type TagEdit,
  undoTagEdit,
} from './actions.ts'
import {
  editAnswer,
  editCommand,
  giveCommand,
  groupAnswer,
  groupCommand,
  personTags,
  tagAnswer,
  tagChange,
  tagCommand,
  tagEdits,
  tagList,
  tagRemoval,
  undoAnswer,
} from './schema.ts'

export interface TagsDeps {
  readonly clock: Clock
  /** The brand that the console shows. */
  readonly brandOf: (request: FastifyRequest) => Promise<{ database: Database }>
  /** Has what is due for the database done, soon; does not wait for it. */
  readonly settle: (database: Database) => void
}

const id = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER)
const asOfQuery = z.object({ as_of: z.iso.datetime({ offset: true }).optional() })
const instantOf = (text: string | undefined) => (text ? new Date(text) : undefined)
const reads = { permission: 'people:read' } as const
const writes = { permission: 'tags:write' } as const
const manages = { permission: 'tags:manage' } as const

export function registerTagsRoutes(app: FastifyInstance, { clock, brandOf, settle }: TagsDeps): void {
  const routes = app.withTypeProvider<ZodTypeProvider>()

  /** Who sees but some people undoes but their own edits. */
  const ownOnly = (request: FastifyRequest) => viewOf(request, clock.now()).scope !== 'everyone'

  async function edit(request: FastifyRequest, command: Omit<TagEdit, 'by' | 'view'>) {
    const { database } = await brandOf(request)
    const view = viewOf(request, clock.now())
    const edited = await editTags(database, clock, { ...command, by: actorOf(request), view })
    if (!isRefusal(edited)) settle(database)
    return edited
  }

  routes.get(
    '/api/v1/tags',
    { config: reads, schema: { operationId: 'tags', querystring: asOfQuery, response: { 200: tagList } } },
    async (request) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      return listTags(database.db, instantOf(request.query.as_of) ?? now, viewOf(request, now))
    },
  )

  routes.get(
    '/api/v1/people/:person_id/tags',
    {
      config: reads,
      schema: {
        operationId: 'personTags',
        params: z.object({ person_id: id }),
        querystring: asOfQuery,
        response: { 200: personTags },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const now = clock.now()
      const at = instantOf(request.query.as_of) ?? now
      return reply.answer(await readPersonTags(database.db, request.params.person_id, at, viewOf(request, now)))
    },
  )

  routes.post(
    '/api/v1/people/:person_id/tags',
    {
      config: writes,
      schema: {
        operationId: 'giveTag',
        params: z.object({ person_id: id }),
        body: giveCommand,
        response: { 200: editAnswer },
      },
    },
    async (request, reply) => {
      const { tag_id: tagId, strength } = request.body
      const people = [request.params.person_id]
      return reply.answer(await edit(request, { verb: 'give', tagId, people, strength }))
    },
  )

  routes.delete(
    '/api/v1/people/:person_id/tags/:tag_id',
    {
      config: writes,
      schema: {
        operationId: 'takeTag',
        params: z.object({ person_id: id, tag_id: id }),
        response: { 200: editAnswer },
      },
    },
    async (request, reply) => {
      const { person_id: personId, tag_id: tagId } = request.params
      return reply.answer(await edit(request, { verb: 'take', tagId, people: [personId] }))
    },
  )

  routes.get(
    '/api/v1/tag-edits',
    { config: writes, schema: { operationId: 'tagEdits', response: { 200: tagEdits } } },
    async (request) => {
      const { database } = await brandOf(request)
      return listTagEdits(database.db, ownOnly(request) ? (actorOf(request).id ?? '') : undefined)
    },
  )

  routes.post(
    '/api/v1/tag-edits',
    { config: writes, schema: { operationId: 'editTags', body: editCommand, response: { 200: editAnswer } } },
    async (request, reply) => {
      const { verb, tag_id: tagId, person_ids: people, strength } = request.body
      return reply.answer(await edit(request, { verb, tagId, people, strength }))
    },
  )

  routes.post(
    '/api/v1/tag-edits/:edit_id/undo',
    {
      config: writes,
      schema: { operationId: 'undoTagEdit', params: z.object({ edit_id: id }), response: { 200: undoAnswer } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const command = { editId: request.params.edit_id, by: actorOf(request), ownOnly: ownOnly(request) }
      const undone = await undoTagEdit(database, clock, command)
      if (!isRefusal(undone)) settle(database)
      return reply.answer(undone)
    },
  )

  routes.post(
    '/api/v1/tag-groups',
    { config: manages, schema: { operationId: 'createTagGroup', body: groupCommand, response: { 200: groupAnswer } } },
    async (request, reply) => {
      const { database } = await brandOf(request)
      return reply.answer(await createGroup(database, request.body.name, actorOf(request), clock.now()))
    },
  )

  routes.patch(
    '/api/v1/tag-groups/:group_id',
    {
      config: manages,
      schema: {
        operationId: 'renameTagGroup',
        params: z.object({ group_id: id }),
        body: groupCommand,
        response: { 200: groupAnswer },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const { group_id: groupId } = request.params
      return reply.answer(await renameGroup(database, groupId, request.body.name, actorOf(request), clock.now()))
    },
  )

  routes.delete(
    '/api/v1/tag-groups/:group_id',
    {
      config: manages,
      schema: {
        operationId: 'deleteTagGroup',
        params: z.object({ group_id: id }),
        response: { 200: z.object({ group_id: z.number().int() }) },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      return reply.answer(await deleteGroup(database, request.params.group_id, actorOf(request), clock.now()))
    },
  )

  routes.post(
    '/api/v1/tags',
    { config: manages, schema: { operationId: 'createTag', body: tagCommand, response: { 200: tagAnswer } } },
    async (request, reply) => {
      const { database } = await brandOf(request)
      return reply.answer(await createTag(database, request.body, actorOf(request), clock.now()))
    },
  )

  routes.patch(
    '/api/v1/tags/:tag_id',
    {
      config: manages,
      schema: {
        operationId: 'changeTag',
        params: z.object({ tag_id: id }),
        body: tagChange,
        response: { 200: tagAnswer },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      const { tag_id: tagId } = request.params
      const changed = await changeTag(database, tagId, request.body, actorOf(request), clock.now())
      if (!isRefusal(changed)) settle(database)
      return reply.answer(changed)
    },
  )

  routes.delete(
    '/api/v1/tags/:tag_id',
    {
      config: manages,
      schema: { operationId: 'removeTag', params: z.object({ tag_id: id }), response: { 200: tagRemoval } },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      return reply.answer(await removeTag(database, request.params.tag_id, actorOf(request), clock.now()))
    },
  )
}
