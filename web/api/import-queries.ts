import { queryOptions } from '@tanstack/react-query'
import type { paths } from '../../generated/openapi.ts'
import { defined } from '../paths.ts'
import { api } from './client.ts'
import { answered } from './errors.ts'
import type { Body } from './queries.ts'

export type Uploads = Body<'/api/v1/uploads'>
export type Upload = Uploads['uploads'][number]
export type ImportTask = NonNullable<Upload['task']>
export type ImportReport = NonNullable<ImportTask['report']>
export type UploadGuess = Body<'/api/v1/uploads/{upload_id}/guess'>
export type ImportKindName = UploadGuess['kinds'][number]['kind']
export type ImportListing = Body<'/api/v1/imports'>['imports'][number]

type PreviewCall = paths['/api/v1/uploads/{upload_id}/preview']['post']
/** How a file is to be read. */
export type ImportWish = PreviewCall['requestBody']['content']['application/json']
export type Mapping = ImportWish['mapping']
export type ImportPreview = PreviewCall['responses'][200]['content']['application/json']
export type PreviewCell = NonNullable<ImportPreview['rows'][number]['cells']>[string]

/** While something goes on it is asked so often. */
const WATCH_MS = 700

/** Something is being done with it. */
export function isBusy({ task }: Upload): boolean {
  return task?.state === 'waiting' || task?.state === 'running' || Boolean(task?.progress)
}

export const uploadsQuery = queryOptions({
  queryKey: ['uploads'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/uploads', { signal })),
  refetchInterval: ({ state }) => (state.data?.uploads.some(isBusy) ? WATCH_MS : false),
})

export const uploadQuery = (uploadId: string) =>
  queryOptions({
    queryKey: ['upload', uploadId],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/uploads/{upload_id}', { params: { path: { upload_id: uploadId } }, signal })),
    refetchInterval: ({ state }) => (state.data && isBusy(state.data) ? WATCH_MS : false),
  })

export const guessQuery = (uploadId: string, sheet: string | undefined) =>
  queryOptions({
    queryKey: ['guess', uploadId, sheet ?? ''],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/api/v1/uploads/{upload_id}/guess', {
          params: { path: { upload_id: uploadId }, query: defined({ sheet }) },
          signal,
        }),
      ),
    retry: false,
    // The file does not change, but a form that is being filled in must not begin anew.
    staleTime: Number.POSITIVE_INFINITY,
  })

export const previewQuery = (uploadId: string, wish: ImportWish) =>
  queryOptions({
    queryKey: ['preview', uploadId, wish],
    queryFn: ({ signal }) =>
      answered(
        api.POST('/api/v1/uploads/{upload_id}/preview', {
          params: { path: { upload_id: uploadId } },
          body: wish,
          signal,
        }),
      ),
    retry: false,
    // What was shown stays until the next answer: a table that blinks cannot be compared.
    placeholderData: (before) => before,
    staleTime: 60_000,
  })

export const importsQuery = queryOptions({
  queryKey: ['imports'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/imports', { signal })),
  refetchInterval: ({ state }) => (state.data?.imports.some(({ is_undoing }) => is_undoing) ? WATCH_MS : false),
})

export const undoQuery = (importId: number) =>
  queryOptions({
    queryKey: ['undo', importId],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/imports/{import_id}/undo', { params: { path: { import_id: importId } }, signal })),
    gcTime: 0,
  })
