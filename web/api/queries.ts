import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import type { paths } from '../../generated/openapi.ts'
import { defined } from '../paths.ts'
import { api } from './client.ts'
import { answered } from './errors.ts'

export type Body<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { 'application/json': infer Answer } } } }
}
  ? Answer
  : never

export type Session = Body<'/api/v1/session'>
export type Brief = Body<'/api/v1/brief'>
export type PeoplePage = Body<'/api/v1/people'>
export type ListedPerson = PeoplePage['people'][number]
export type Person = Body<'/api/v1/people/{person_id}'>
export type BrandInfo = Body<'/api/v1/brand'>
type MigrationAnswer = Body<'/api/v1/depth/migration'>
export type MigrationReport = Extract<MigrationAnswer, { flows: unknown }>
export type MovedPage = Extract<MigrationAnswer, { total: unknown }>
export type MovedPerson = MovedPage['people'][number]
export type NetDeepening = Body<'/api/v1/depth/net-deepening'>
export type Timeline = Body<'/api/v1/people/{person_id}/timeline'>
export type TimelineEntry = Timeline['entries'][number]
export type MergeReview = Body<'/api/v1/merge-review'>
export type SegmentMatrix = Body<'/api/v1/depth/segments'>
export type TagList = Body<'/api/v1/tags'>
export type Tag = TagList['tags'][number]
export type PersonTags = Body<'/api/v1/people/{person_id}/tags'>

/** The filter of a list, in the API's own words; the same ones stand in the URL. */
export type PeopleFilter = Omit<
  NonNullable<paths['/api/v1/people']['get']['parameters']['query']>,
  'as_of' | 'after' | 'limit'
>

/** Two instants. */
export interface Span {
  from: string
  to: string
}

/** Which people of a migration, in the API's own words. */
export type MovedFilter = Pick<
  NonNullable<paths['/api/v1/depth/migration']['get']['parameters']['query']>,
  'from_depth' | 'to_depth' | 'moved' | 'cause'
>

const PAGE_ROWS = 50

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/session', { signal })),
  staleTime: 5 * 60_000,
})

/** Zone, currency and the server's clock: what every page but Today needs of the brand. */
export const brandQuery = queryOptions({
  queryKey: ['brand'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/brand', { signal })),
  staleTime: 30_000,
})

/** What a link invites to; its token goes in a header, because addresses are logged. */
export const invitationQuery = (token: string) =>
  queryOptions({
    queryKey: ['invitation', token],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/invitation', { params: { header: { 'x-invitation-token': token } }, signal })),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  })

export const briefQuery = (asOf: string | undefined) =>
  queryOptions({
    queryKey: ['brief', asOf ?? 'now'],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/brief', { params: { query: defined({ as_of: asOf }) }, signal })),
    // A question about the past has one answer only as long as no late fact arrives; so it is asked again too.
    staleTime: 30_000,
  })

export const peopleQuery = (filter: PeopleFilter, asOf: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ['people', filter, asOf ?? 'now'],
    queryFn: ({ pageParam, signal }) =>
      answered(
        api.GET('/api/v1/people', {
          params: { query: defined({ ...filter, as_of: asOf, after: pageParam, limit: PAGE_ROWS }) },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: PeoplePage) => page.next ?? undefined,
    staleTime: 30_000,
  })

export const personQuery = (personId: number, asOf: string | undefined) =>
  queryOptions({
    queryKey: ['person', personId, asOf ?? 'now'],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/api/v1/people/{person_id}', {
          params: { path: { person_id: personId }, query: defined({ as_of: asOf }) },
          signal,
        }),
      ),
    staleTime: 30_000,
  })

export const migrationQuery = (span: Span) =>
  queryOptions({
    queryKey: ['migration', span.from, span.to],
    queryFn: async ({ signal }): Promise<MigrationReport> => {
      const answer = await answered(api.GET('/api/v1/depth/migration', { params: { query: span }, signal }))
      if ('flows' in answer) return answer
      throw new TypeError('A migration without a filter came back as a list')
    },
    // Between two instants of the past only a late fact changes it.
    staleTime: 60_000,
  })

export const movedQuery = (span: Span, filter: MovedFilter) =>
  infiniteQueryOptions({
    queryKey: ['moved', span.from, span.to, filter],
    queryFn: async ({ pageParam, signal }): Promise<MovedPage> => {
      const answer = await answered(
        api.GET('/api/v1/depth/migration', {
          params: { query: { ...span, ...defined({ ...filter, after: pageParam }), limit: PAGE_ROWS } },
          signal,
        }),
      )
      if ('total' in answer) return answer
      throw new TypeError('A list of who moved came back as figures')
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: MovedPage) => page.next ?? undefined,
    staleTime: 60_000,
  })

export const netDeepeningQuery = (months: number) =>
  queryOptions({
    queryKey: ['net-deepening', months],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/depth/net-deepening', { params: { query: { months } }, signal })),
    staleTime: 60_000,
  })

export const timelineQuery = (personId: number) =>
  infiniteQueryOptions({
    queryKey: ['timeline', personId],
    queryFn: ({ pageParam, signal }) =>
      answered(
        api.GET('/api/v1/people/{person_id}/timeline', {
          params: { path: { person_id: personId }, query: defined({ after: pageParam, limit: PAGE_ROWS }) },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Timeline) => page.next ?? undefined,
    staleTime: 30_000,
  })

export const depthChangesQuery = (personId: number) =>
  queryOptions({
    queryKey: ['depth-changes', personId],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/api/v1/people/{person_id}/depth-changes', { params: { path: { person_id: personId } }, signal }),
      ),
    staleTime: 30_000,
  })

/** All that is kept of one person: asked when somebody wants it, and not kept longer than that. */
export const exportQuery = (personId: number) =>
  queryOptions({
    queryKey: ['export', personId],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/people/{person_id}/export', { params: { path: { person_id: personId } }, signal })),
    gcTime: 0,
  })

/** How much an erasure is about; nothing of the person is handed out for it. */
export const erasureQuery = (personId: number) =>
  queryOptions({
    queryKey: ['erasure', personId],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/people/{person_id}/erasure', { params: { path: { person_id: personId } }, signal })),
    gcTime: 0,
  })

export const mergeReviewQuery = queryOptions({
  queryKey: ['merge-review'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/merge-review', { signal })),
  staleTime: 30_000,
})

export const segmentMatrixQuery = queryOptions({
  queryKey: ['segment-matrix'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/depth/segments', { signal })),
  staleTime: 30_000,
})

/** All groups and tags, with how many people have each now. */
export const tagsQuery = queryOptions({
  queryKey: ['tags'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/tags', { signal })),
  staleTime: 30_000,
})

export const personTagsQuery = (personId: number, asOf: string | undefined) =>
  queryOptions({
    queryKey: ['person-tags', personId, asOf ?? 'now'],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/api/v1/people/{person_id}/tags', {
          params: { path: { person_id: personId }, query: defined({ as_of: asOf }) },
          signal,
        }),
      ),
    staleTime: 30_000,
  })
