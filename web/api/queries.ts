import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import type { paths } from '../../generated/openapi.ts'
import { api } from './client.ts'
import { answered } from './errors.ts'

type Body<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { 'application/json': infer Answer } } } }
}
  ? Answer
  : never

export type Session = Body<'/api/v1/session'>
export type Brief = Body<'/api/v1/brief'>
export type PeoplePage = Body<'/api/v1/people'>
export type ListedPerson = PeoplePage['people'][number]
export type Person = Body<'/api/v1/people/{person_id}'>

/** The filter of a list, in the API's own words; the same ones stand in the URL. */
export interface PeopleFilter {
  depth?: number
  lapsing_days?: number
  buyers?: 'true' | 'false'
  since_yesterday?: 'deepened' | 'lapsed' | 'ordered' | 'refunded'
}

const PAGE_ROWS = 50

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/session', { signal })),
  staleTime: 5 * 60_000,
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
    queryFn: ({ signal }) => answered(api.GET('/api/v1/brief', { params: { query: query({ as_of: asOf }) }, signal })),
    // A question about the past has one answer only as long as no late fact arrives; so it is asked again too.
    staleTime: 30_000,
  })

export const peopleQuery = (filter: PeopleFilter, asOf: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ['people', filter, asOf ?? 'now'],
    queryFn: ({ pageParam, signal }) =>
      answered(
        api.GET('/api/v1/people', {
          params: { query: query({ ...filter, as_of: asOf, after: pageParam, limit: PAGE_ROWS }) },
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
          params: { path: { person_id: personId }, query: query({ as_of: asOf }) },
          signal,
        }),
      ),
    staleTime: 30_000,
  })

type Defined<Given> = { [Name in keyof Given]?: Exclude<Given[Name], undefined> }

/** Leaves out what is not asked: an `as_of=undefined` in the address would be a refusal. */
function query<Given extends object>(given: Given): Defined<Given> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Defined<Given>
}
