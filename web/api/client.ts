import createClient from 'openapi-fetch'
import type { paths } from '../../generated/openapi.ts'
import { PAGE_BRAND } from './page-brand.ts'

/** A request that has not answered by then is reported, with its retry button, instead of spinning for ever. */
const ANSWER_MS_MAX = 20_000

export const api = createClient<paths>({
  baseUrl: window.location.origin,
  ...(PAGE_BRAND === undefined ? {} : { headers: { 'x-brand': PAGE_BRAND } }),
  fetch: (request) => {
    const limit = AbortSignal.timeout(ANSWER_MS_MAX)
    return fetch(request, { signal: AbortSignal.any([request.signal, limit]) })
  },
})
