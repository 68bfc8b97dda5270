import { createReadStream } from 'node:fs'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { actorOf } from '../../platform/audit.ts'
import type { Database } from '../../platform/db.ts'
import { isRefusal, type Refusal, refuse } from '../../platform/refusal.ts'
import { isMaskedRole } from '../../platform/roles.ts'
import { recordAudit } from '../audit/actions.ts'
import type { AccessDeps } from './access-routes.ts'
import {
  findRejects,
  findRejectsOf,
  type ImportCommand,
  listImports,
  listSources,
  type MappingGuess,
  mayJoin,
  previewUndo,
  SURE,
  type Uploads,
} from './actions.ts'
import type { ImportWork } from './jobs.ts'
import { describeFile } from './mapping-files.ts'
import { noRejects } from './rejects.ts'
import {
  type ImportPreview,
  importPreview,
  importsAnswer,
  importWish,
  type Mapping,
  PART_BYTES_MAX,
  type Upload,
  type UploadGuess,
  type UploadRecord,
  undoReport,
  upload,
  uploadGuess,
} from './schema.ts'
import { noSuchUpload } from './uploads.ts'

/** What files may be, as far as pages ask. */
export interface ImportFiles {
  readonly kinds: () => Promise<UploadGuess['kinds']>
  readonly guess: (path: string) => Promise<MappingGuess | undefined | Refusal>
  readonly preview: (
    database: Database,
    command: Pick<ImportCommand, 'path' | 'options' | 'source'> & { readonly mapping: Mapping },
  ) => Promise<ImportPreview | Refusal>
}

/** Into which brand a file goes: the demo, or the one of one's own that is named, or else one's own. */
interface ImportGoal {
  readonly isIntoDemo: boolean
  readonly brandKey: string | undefined
  /** Name of a brand that is yet to be made. */
  readonly newBrand?: string | undefined
}

export interface ImportDeps extends Pick<AccessDeps, 'clock' | 'brandOf'> {
  readonly uploads: Uploads
  readonly work: ImportWork
  readonly files: ImportFiles
  /** Where a file would go: the database to look at it against, and how that brand is called. */
  readonly targetOf: (goal: ImportGoal) => Promise<({ database: Database } & UploadGuess['target']) | Refusal>
  /** A key for a brand of this name. */
  readonly newBrandKey: (name: string) => Promise<string | Refusal>
  readonly rejectsFolder: string
}

const uploadParams = z.object({ upload_id: z.string().regex(/^[a-z]{16}$/) })
const importParams = z.object({ import_id: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) })
/** For Excel, which takes a file without it for one in the system's old encoding. */
const BYTE_ORDER_MARK = '\uFEFF'

/** Files through the console: brought, looked at, imported, and taken back. */
export function registerImportRoutes(app: FastifyInstance, deps: ImportDeps): void {
  const { clock, brandOf, uploads, work, files, targetOf, newBrandKey, rejectsFolder } = deps
  const routes = app.withTypeProvider<ZodTypeProvider>()
  const manage = { permission: 'imports:manage' } as const

  /** Who sees no personal values sees files of their own only, whose values they had before. */
  async function ownUpload(request: FastifyRequest, uploadId: string): Promise<UploadRecord | Refusal> {
    const record = await uploads.read(uploadId)
    if (isRefusal(record)) return record
    return maySee(request, record) ? record : noSuchUpload()
  }

  async function toWire({ by, asker: _, rejects, task, ...record }: UploadRecord): Promise<Upload> {
    const bytes = await uploads.received(record.upload_id)
    const progress = work.progressOf(record.upload_id) ?? null
    return {
      ...record,
      bytes_received: bytes ?? record.bytes,
      uploaded_by: by.name,
      has_content: bytes !== undefined,
      has_rejects: rejects !== null,
      task: task && { ...task, progress },
    }
  }

  routes.get(
    '/api/v1/uploads',
    {
      config: manage,
      schema: {
        operationId: 'uploads',
        description: 'Files that were brought by the console and are not done with, the latest first.',
        response: { 200: z.object({ uploads: z.array(upload) }) },
      },
    },
    async (request) => {
      const seen = (await uploads.list()).filter((record) => maySee(request, record))
      return { uploads: await Promise.all(seen.map(toWire)) }
    },
  )

  routes.post(
    '/api/v1/uploads',
    {
      config: manage,
      schema: {
        operationId: 'createUpload',
        description: 'Announces a file; its parts follow.',
        body: z.object({ file_name: z.string().min(1).max(1000), bytes: z.number().int().nonnegative() }).strict(),
        response: { 200: upload },
      },
    },
    async (request, reply) => {
      await uploads.sweep()
      const { file_name: fileName, bytes } = request.body
      const made = await uploads.create({ fileName, bytes }, accountOf(request))
      if (isRefusal(made)) return reply.answer(made)
      const subjects = { upload_id: made.upload_id }
      const entry = { actor: actorOf(request), operation: 'upload_create', subjects }
      await recordAudit((await brandOf(request)).database.db, entry, clock.now())
      return toWire(made)
    },
  )

  // A scope of its own, because only here a body is bytes.
  app.register(async (scope) => {
    scope.addContentTypeParser(
      'application/octet-stream',
      { parseAs: 'buffer' },
      async (_: FastifyRequest, body: Buffer) => body,
    )
    scope.withTypeProvider<ZodTypeProvider>().put(
      '/api/v1/uploads/:upload_id/content',
      {
        bodyLimit: PART_BYTES_MAX,
        config: manage,
        schema: {
          operationId: 'appendUpload',
          description: `The next part of the file, at most ${PART_BYTES_MAX} bytes (application/octet-stream). A part for another place is refused with what is here: go on from there.`,
          params: uploadParams,
          querystring: z.object({ from: z.coerce.number().int().nonnegative() }),
          response: { 200: z.object({ bytes_received: z.number().int() }) },
        },
      },
      async (request, reply) => {
        const record = await ownUpload(request, request.params.upload_id)
        if (isRefusal(record)) return reply.answer(record)
        const part: unknown = request.body
        if (!Buffer.isBuffer(part)) {
          const remedy = 'Send the bytes as application/octet-stream.'
          return reply.answer(refuse('invalid', 'invalid_request', 'The body is no part of a file.', remedy))
        }
        const received = await uploads.append(record.upload_id, request.query.from, part)
        return reply.answer(isRefusal(received) ? received : { bytes_received: received })
      },
    )
  })

  routes.get(
    '/api/v1/uploads/:upload_id',
    { config: manage, schema: { operationId: 'upload', params: uploadParams, response: { 200: upload } } },
    async (request, reply) => {
      const record = await ownUpload(request, request.params.upload_id)
      return reply.answer(isRefusal(record) ? record : await toWire(record))
    },
  )

  routes.delete(
    '/api/v1/uploads/:upload_id',
    {
      config: manage,
      schema: {
        operationId: 'removeUpload',
        params: uploadParams,
        response: { 200: z.object({ upload_id: z.string() }) },
      },
    },
    async (request, reply) => {
      const record = await ownUpload(request, request.params.upload_id)
      if (isRefusal(record)) return reply.answer(record)
      const { upload_id } = record
      const refusal = await work.remove(record)
      if (refusal) return reply.answer(refusal)
      const entry = { actor: actorOf(request), operation: 'upload_remove', subjects: { upload_id } }
      await recordAudit((await brandOf(request)).database.db, entry, clock.now())
      return { upload_id }
    },
  )

  routes.get(
    '/api/v1/uploads/:upload_id/guess',
    {
      config: manage,
      schema: {
        operationId: 'guessUpload',
        description: 'What the file seems to be, column by column.',
        params: uploadParams,
        querystring: z.object({ sheet: importWish.shape.sheet }),
        response: { 200: uploadGuess },
      },
    },
    async (request, reply) => reply.answer(await guess(request, request.params.upload_id, request.query.sheet)),
  )

  /** The brand that is looked at, where it is one's own: files go there. */
  async function ownBrandOf(request: FastifyRequest): Promise<string | undefined> {
    const { brand } = await brandOf(request)
    return brand.isDemo ? undefined : brand.key
  }

  async function guess(
    request: FastifyRequest,
    uploadId: string,
    sheet: string | undefined,
  ): Promise<UploadGuess | Refusal> {
    const record = await ownUpload(request, uploadId)
    if (isRefusal(record)) return record
    const path = await uploads.contentOf(record, sheet)
    if (isRefusal(path)) return path
    const said = await describeFile(path)
    const guessed = isRefusal(said) ? said : await files.guess(path)
    if (isRefusal(said) || isRefusal(guessed)) return named(guessed as Refusal, path, record)
    const target = await targetOf({ isIntoDemo: false, brandKey: await ownBrandOf(request) })
    if (isRefusal(target)) return target
    const { database, ...brand } = target
    const header = said.columns.map(({ name }) => name)
    const source = guessed?.mapping.source ?? ''
    return {
      ...said,
      guess: guessed
        ? {
            ...guessed,
            is_sure: guessed.confidence >= SURE,
            columns: guessed.columns.map((column) => ({ ...column, evidence: [...column.evidence] })),
          }
        : null,
      kinds: await files.kinds(),
      sources: await listSources(database.db),
      is_source_known: await mayJoin(database.db, source, record.file_name, header),
      target: brand,
    }
  }

  routes.post(
    '/api/v1/uploads/:upload_id/preview',
    {
      config: manage,
      schema: {
        operationId: 'previewUpload',
        description: 'The first rows as this mapping reads them; nothing is stored.',
        params: uploadParams,
        body: importWish,
        response: { 200: importPreview },
      },
    },
    async (request, reply) => {
      const record = await ownUpload(request, request.params.upload_id)
      if (isRefusal(record)) return reply.answer(record)
      const { mapping, source, sheet, options, into_demo: isIntoDemo, new_brand: newBrand } = request.body
      const path = await uploads.contentOf(record, sheet)
      const brandKey = await ownBrandOf(request)
      const target = isRefusal(path) ? path : await targetOf({ isIntoDemo, brandKey, newBrand })
      if (isRefusal(path) || isRefusal(target)) return reply.answer(isRefusal(path) ? path : (target as Refusal))
      const command = { path, mapping, options, ...(source === undefined ? {} : { source }) }
      const shown = await files.preview(target.database, command)
      return reply.answer(isRefusal(shown) ? named(shown, path, record) : shown)
    },
  )

  routes.post(
    '/api/v1/uploads/:upload_id/import',
    {
      config: manage,
      schema: {
        operationId: 'importUpload',
        description: 'Has the file imported, or tried: the answer comes at once, `task` says how far it is.',
        params: uploadParams,
        body: importWish.extend({ dry_run: z.boolean() }).strict(),
        response: { 200: upload },
      },
    },
    async (request, reply) => {
      const record = await ownUpload(request, request.params.upload_id)
      if (isRefusal(record)) return reply.answer(record)
      const { dry_run: isDryRun, ...wish } = request.body
      const { new_brand: name } = wish
      const brandKey = name === undefined ? await ownBrandOf(request) : await newBrandKey(name)
      if (isRefusal(brandKey)) return reply.answer(brandKey)
      const kind = isDryRun ? 'dry_run' : 'import'
      const begun = await work.begin(
        record.upload_id,
        kind,
        { ...wish, ...(brandKey === undefined ? {} : { into_brand: brandKey }) },
        accountOf(request),
      )
      return reply.answer(isRefusal(begun) ? begun : await toWire(begun))
    },
  )

  routes.post(
    '/api/v1/uploads/:upload_id/cancel',
    {
      config: manage,
      schema: {
        operationId: 'cancelUpload',
        description:
          'Ends what is being done with the file: nothing of it is stored, and the file stays. `task` says when it is over. What is stored already is taken back by undo.',
        params: uploadParams,
        response: { 200: upload },
      },
    },
    async (request, reply) => {
      const record = await ownUpload(request, request.params.upload_id)
      if (isRefusal(record)) return reply.answer(record)
      const { upload_id } = record
      const refusal = await work.cancel(upload_id)
      if (refusal) return reply.answer(refusal)
      const entry = { actor: actorOf(request), operation: 'import_cancel', subjects: { upload_id } }
      await recordAudit((await brandOf(request)).database.db, entry, clock.now())
      const now = await uploads.read(upload_id)
      return reply.answer(isRefusal(now) ? now : await toWire(now))
    },
  )

  routes.get(
    '/api/v1/uploads/:upload_id/rejects',
    {
      config: manage,
      exposeHeadRoute: false,
      schema: {
        operationId: 'rejectsOfUpload',
        description:
          'The rows that were not taken, as they came, with line and reason (CSV). It is noted who took them.',
        params: uploadParams,
      },
    },
    async (request, reply) => {
      const record = await ownUpload(request, request.params.upload_id)
      if (isRefusal(record)) return reply.send(record)
      if (record.rejects === null) return reply.send(noRejects())
      return handOut(request, reply, join(rejectsFolder, basename(record.rejects)), record.file_name)
    },
  )

  routes.get(
    '/api/v1/imports',
    {
      config: manage,
      schema: {
        operationId: 'imports',
        description: 'The latest 200 files that were imported into the brand, by whatever way, newest first.',
        response: { 200: importsAnswer },
      },
    },
    async (request) => {
      const { database } = await brandOf(request)
      const rejects = isMasked(request) ? new Set() : await findRejects(database.db, rejectsFolder)
      const listed = await listImports(database)
      return {
        imports: listed.map((one) => {
          const { isUndoing, problem } = work.undoOf(database, one.import_id)
          const undo = { is_undoing: isUndoing, undo_problem: problem }
          return { ...one, has_rejects: rejects.has(one.import_id), ...undo }
        }),
      }
    },
  )

  routes.get(
    '/api/v1/imports/:import_id/rejects',
    {
      config: manage,
      exposeHeadRoute: false,
      schema: {
        operationId: 'rejectsOfImport',
        description: 'Like those of an upload, for whoever sees personal values.',
        params: importParams,
      },
    },
    async (request, reply) => {
      if (isMasked(request)) return reply.send(noRejects())
      const path = await findRejectsOf((await brandOf(request)).database.db, rejectsFolder, request.params.import_id)
      if (isRefusal(path)) return reply.send(path)
      return handOut(request, reply, path, `import-${request.params.import_id}`)
    },
  )

  routes.get(
    '/api/v1/imports/:import_id/undo',
    {
      config: manage,
      schema: {
        operationId: 'previewUndo',
        description: 'What taking this import back would do now.',
        params: importParams,
        response: { 200: undoReport },
      },
    },
    async (request, reply) =>
      reply.answer(await previewUndo((await brandOf(request)).database.db, request.params.import_id)),
  )

  routes.post(
    '/api/v1/imports/:import_id/undo',
    {
      config: manage,
      schema: {
        operationId: 'undoImport',
        description:
          'Has the import taken back: the answer says what will happen and comes at once, the list says when.',
        params: importParams,
        response: { 200: undoReport },
      },
    },
    async (request, reply) => {
      const { database } = await brandOf(request)
      return reply.answer(await work.beginUndo(database, request.params.import_id, actorOf(request)))
    },
  )

  /** Rows with customers in them, so it is noted who was given them. */
  async function handOut(
    request: FastifyRequest,
    reply: FastifyReply,
    path: string,
    name: string,
  ): Promise<FastifyReply> {
    const subjects = request.params as Record<string, string | number>
    const entry = { actor: actorOf(request), operation: 'rejects_export', subjects }
    await recordAudit((await brandOf(request)).database.db, entry, clock.now())
    const bare = name.replace(/(\.(csv|jsonl?|xlsx|gz|txt))+$/i, '')
    const fileName = `${bare}-rejects.csv`
    const plain = fileName.replace(/[^\w.-]/g, '_')
    const disposition = `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(fileName)}`
    reply.header('content-disposition', disposition).type('text/csv; charset=utf-8')
    return reply.send(Readable.from(marked(path)))
  }
}

async function* marked(path: string): AsyncGenerator<Buffer> {
  yield Buffer.from(BYTE_ORDER_MARK)
  yield* createReadStream(path)
}

function accountOf({ user }: FastifyRequest): UploadRecord['by'] {
  if (!user) throw new Error('A route with a permission has a user')
  return { kind: 'user', id: user.userId, name: user.name }
}

function isMasked({ user }: FastifyRequest): boolean {
  return !user || isMaskedRole(user.role)
}

function maySee(request: FastifyRequest, { by }: UploadRecord): boolean {
  return !isMasked(request) || by.id === request.user?.userId
}

/** Where a file lies on the server says nothing to who uploaded it: it gets the name that it came with. */
function named(refusal: Refusal, path: string, { file_name }: UploadRecord): Refusal {
  const said = (text: string) => text.replaceAll(path, file_name)
  return { ...refusal, message: said(refusal.message), remedy: said(refusal.remedy) }
}
