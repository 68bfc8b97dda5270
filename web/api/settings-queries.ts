import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import type { paths } from '../../generated/openapi.ts'
import { type AuditSearch, defined } from '../paths.ts'
import { api } from './client.ts'
import { answered } from './errors.ts'
import type { Body } from './queries.ts'

export type Settings = Body<'/api/v1/settings'>
export type SettingsChange = paths['/api/v1/settings']['patch']['requestBody']['content']['application/json']
export type User = Body<'/api/v1/users'>['users'][number]
export type Role = User['role']
export type Invitation = Body<'/api/v1/invitations'>['invitations'][number]
export type OwnSession = Body<'/api/v1/sessions'>['sessions'][number]
export type ApiKey = Body<'/api/v1/api-keys'>['api_keys'][number]
export type Webhook = Body<'/api/v1/webhook-sources'>['webhook_sources'][number]
export type AuditPage = Body<'/api/v1/audit'>
export type AuditEntry = AuditPage['entries'][number]

/** While everybody is computed anew it is asked so often. */
const WATCH_MS = 1500

export const settingsQuery = queryOptions({
  queryKey: ['settings'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/settings', { signal })),
  refetchInterval: ({ state }) => (state.data?.is_rebuilding ? WATCH_MS : false),
})

export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/users', { signal })),
})

export const invitationsQuery = queryOptions({
  queryKey: ['invitations'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/invitations', { signal })),
})

export const ownSessionsQuery = queryOptions({
  queryKey: ['own-sessions'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/sessions', { signal })),
})

export const apiKeysQuery = queryOptions({
  queryKey: ['api-keys'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/api-keys', { signal })),
})

export const webhooksQuery = queryOptions({
  queryKey: ['webhooks'],
  queryFn: ({ signal }) => answered(api.GET('/api/v1/webhook-sources', { signal })),
})

const PAGE_ROWS = 50

export const auditQuery = (search: AuditSearch) =>
  infiniteQueryOptions({
    queryKey: ['audit', search],
    queryFn: ({ pageParam, signal }) =>
      answered(
        api.GET('/api/v1/audit', {
          params: { query: defined({ ...search, after: pageParam, limit: PAGE_ROWS }) },
          signal,
        }),
      ),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page: AuditPage) => page.next ?? undefined,
  })
