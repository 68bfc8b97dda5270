import { QueryCache, QueryClient } from '@tanstack/react-query'
import { isProblem } from './api/errors.ts'
import { sessionQuery } from './api/queries.ts'

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      // The session ended while the page was open: the shell leads to the sign-in page and back.
      if (isProblem(error) && error.status === 401) {
        queryClient.setQueryData(sessionQuery.queryKey, { signed_in: false })
      }
    },
  }),
  defaultOptions: {
    queries: {
      // One more try for what may pass by itself; a refusal stays one however often it is asked.
      retry: (failures, error) => failures < 1 && (!isProblem(error) || error.status === 0 || error.status >= 500),
      retryDelay: 400,
      // The server is on this machine or network: the browser's idea of "online" says nothing about it.
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
})
