import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { paths } from '../../generated/openapi.ts'
import { defined } from '../paths.ts'
import { api } from './client.ts'
import { answered } from './errors.ts'
import type { PeoplePage } from './queries.ts'

type Body<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { 'application/json': infer Answer } } } }
}
  ? Answer
  : never

export type ListedSegment = Body<'/api/v1/segments'>['segments'][number]
export type Segment = Body<'/api/v1/segments/{segment_id}'>
export type SegmentUse = ListedSegment['used_by'][number]
export type SegmentVersion = Body<'/api/v1/segments/{segment_id}/versions'>['versions'][number]
export type SegmentSize = Body<'/api/v1/segments/{segment_id}/sizes'>['sizes'][number]
export type Explanation = Body<'/api/v1/segments/{segment_id}/people/{person_id}'>
export type Stay = Body<'/api/v1/people/{person_id}/segments'>['stays'][number]

/**
 * How often an open page asks for a segment's size, which is one row; its members are asked for anew when that has changed. With
 * 0.2 to 0.5 s for the server to work off an order, who leaves is gone from the screen within a second. A hidden page does not ask.
 */
export const FOLLOW_MS = 200
/** As many may come as go: then the size says nothing, and the members are asked for all the same. */
const MEMBERS_MS = 5_000
/** Who sees but their own customers is told no size. */
const OWN_MEMBERS_MS = 1_000

const PAGE_ROWS = 50
/** They are there to be looked at, not worked through. */
const HOLDING_ROWS = 20
export const SIZE_DAYS = 90

export const segmentsQuery = queryOptions({
  queryKey: ['segments'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/segments', { signal })),
  staleTime: 5_000,
})

export const segmentQuery = (segmentId: number) =>
  queryOptions({
    queryKey: ['segment', segmentId],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/segments/{segment_id}', { params: { path: { segment_id: segmentId } }, signal })),
  })

export const membersQuery = (segmentId: number, hasSize: boolean) =>
  infiniteQueryOptions({
    queryKey: ['segment-members', segmentId],
    queryFn: ({ pageParam, signal }) =>
      answered(
        api.GET('/api/v1/segments/{segment_id}/members', {
          params: { path: { segment_id: segmentId }, query: defined({ after: pageParam, limit: PAGE_ROWS }) },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: PeoplePage) => page.next ?? undefined,
    refetchInterval: hasSize ? MEMBERS_MS : OWN_MEMBERS_MS,
  })

export const segmentVersionsQuery = (segmentId: number) =>
  queryOptions({
    queryKey: ['segment-versions', segmentId],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/api/v1/segments/{segment_id}/versions', { params: { path: { segment_id: segmentId } }, signal }),
      ),
  })

export const segmentSizesQuery = (segmentId: number) =>
  queryOptions({
    queryKey: ['segment-sizes', segmentId],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/api/v1/segments/{segment_id}/sizes', {
          params: { path: { segment_id: segmentId }, query: { days: SIZE_DAYS } },
          signal,
        }),
      ),
  })

export const whyQuery = (segmentId: number, personId: number) =>
  queryOptions({
    queryKey: ['segment-why', segmentId, personId],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/api/v1/segments/{segment_id}/people/{person_id}', {
          params: { path: { segment_id: segmentId, person_id: personId } },
          signal,
        }),
      ),
    refetchInterval: MEMBERS_MS,
  })

type Written = Readonly<Record<string, unknown>>

/** Whom a definition holds for that is no segment yet: of those whom its count sampled, or of everybody. */
export const holdingQuery = (definition: Written, method: 'sample' | 'exact') =>
  infiniteQueryOptions({
    queryKey: ['segment-holding', method, definition],
    queryFn: ({ pageParam, signal }) =>
      answered(
        api.POST('/api/v1/segments/members', {
          body: { definition, method, limit: HOLDING_ROWS, ...defined({ after: pageParam }) },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: PeoplePage) => page.next ?? undefined,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    gcTime: 60_000,
  })

/** Why such a definition holds for a person or does not. */
export const whyHoldsQuery = (definition: Written, personId: number) =>
  queryOptions({
    queryKey: ['segment-why-holds', definition, personId],
    queryFn: ({ signal }) =>
      answered(
        api.POST('/api/v1/segments/people/{person_id}', {
          params: { path: { person_id: personId } },
          body: { definition },
          signal,
        }),
      ),
    staleTime: 10_000,
    gcTime: 60_000,
  })

export const staysQuery = (personId: number) =>
  queryOptions({
    queryKey: ['segments-of-person', personId],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/people/{person_id}/segments', { params: { path: { person_id: personId } }, signal })),
    staleTime: 5_000,
  })

/** Another definition is another question: the one before is aborted, and its answer stays until there is a new one. */
export const countQuery = (definition: Written, method: 'sample' | 'exact') =>
  queryOptions({
    queryKey: ['segment-count', method, definition],
    queryFn: ({ signal }) => answered(api.POST('/api/v1/segments/count', { body: { definition, method }, signal })),
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    gcTime: 60_000,
  })
