import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { defined } from '../paths.ts'
import { api } from './client.ts'
import { answered } from './errors.ts'
import type { Body } from './queries.ts'

export type Equity = Body<'/api/v1/value'>
export type CalibrationRow = Equity['calibration'][number]
export type ValueMatrix = Body<'/api/v1/value/matrix'>
export type ValueCell = ValueMatrix['cells'][number]
export type ValuedPage = Body<'/api/v1/value/people'>
export type ValuedPerson = ValuedPage['people'][number]
export type PersonWorth = Body<'/api/v1/people/{person_id}/value'>

export type AtRiskPerson = Body<'/api/v1/value/at-risk'>['people'][number]

export type ReferralTree = Body<'/api/v1/people/{person_id}/referral-tree'>

/** One cell of the matrix, in the API's own words. */
export type CellFilter = Pick<ValueCell, 'depth' | 'transaction' | 'propagation'>

const PAGE_ROWS = 50
/** Values change by a nightly run; what somebody brought, within minutes. */
const STALE_MS = 60_000
/** While everybody is valued it is asked so often. */
const WATCH_MS = 1500
/** Of a brand that has just had its first orders the server begins by itself, within a minute. */
const FIRST_MS = 5000

/** Of values as of the past instant `asOf`, or of now. All that begins with it is read again when a run begins. */
export const EQUITY_KEY = ['value'] as const

export const equityQuery = (asOf?: string) =>
  queryOptions({
    queryKey: [...EQUITY_KEY, asOf],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/value', { params: { query: defined({ as_of: asOf }) }, signal })),
    staleTime: STALE_MS,
    refetchInterval: ({ state: { data } }) => {
      if (!data) return false
      if (data.run.running_since !== null) return WATCH_MS
      return data.valued_at === null && asOf === undefined ? FIRST_MS : false
    },
  })

export const atRiskQuery = queryOptions({
  queryKey: ['at-risk'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/value/at-risk', { signal })),
  staleTime: STALE_MS,
})

export const valueMatrixQuery = (asOf?: string) =>
  queryOptions({
    queryKey: ['value-matrix', asOf],
    queryFn: ({ signal }) =>
      answered(api.GET('/api/v1/value/matrix', { params: { query: defined({ as_of: asOf }) }, signal })),
    staleTime: STALE_MS,
  })

export const valuedPeopleQuery = (cell: CellFilter, asOf?: string) =>
  infiniteQueryOptions({
    queryKey: ['value-people', cell, asOf],
    queryFn: ({ pageParam, signal }) =>
      answered(
        api.GET('/api/v1/value/people', {
          params: { query: defined({ ...cell, as_of: asOf, after: pageParam, limit: PAGE_ROWS }) as CellFilter },
          signal,
        }),
      ),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page: ValuedPage) => page.next ?? undefined,
    staleTime: STALE_MS,
  })

export const personWorthQuery = (personId: number, asOf?: string) =>
  queryOptions({
    queryKey: ['person-value', personId, asOf],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/api/v1/people/{person_id}/value', {
          params: { path: { person_id: personId }, query: defined({ as_of: asOf }) },
          signal,
        }),
      ),
    staleTime: STALE_MS,
  })

export const referralTreeQuery = (personId: number, asOf?: string) =>
  queryOptions({
    queryKey: ['referral-tree', personId, asOf],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/api/v1/people/{person_id}/referral-tree', {
          params: { path: { person_id: personId }, query: defined({ as_of: asOf }) },
          signal,
        }),
      ),
    staleTime: STALE_MS,
  })
