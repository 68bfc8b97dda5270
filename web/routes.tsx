import { createRootRoute, createRoute, createRouter, Link, lazyRouteComponent, Outlet } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { briefQuery, sessionQuery } from './api/queries.ts'
import { Shell } from './pages/shell/Shell.tsx'
import { readTodaySearch } from './paths.ts'
import { queryClient } from './query-client.ts'

/** The map of the console. A page that is not built is neither here nor in the rail. */

const rootRoute = createRootRoute({ component: Outlet, notFoundComponent: NotFound })

const shellRoute = createRoute({ getParentRoute: () => rootRoute, id: 'shell', component: Shell })

const todayRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/',
  validateSearch: readTodaySearch,
  loaderDeps: ({ search }) => ({ asOf: search.as_of }),
  // Asked for while the page's code is still loading; the page shows the answer or the error.
  loader: ({ deps }) => {
    void queryClient.prefetchQuery(sessionQuery)
    void queryClient.prefetchQuery(briefQuery(deps.asOf))
  },
  component: lazyRouteComponent(() => import('./pages/today/route.tsx'), 'TodayRoute'),
})

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/sign-in',
  validateSearch: (raw: Record<string, unknown>): { from?: string } =>
    typeof raw.from === 'string' ? { from: raw.from } : {},
  component: lazyRouteComponent(() => import('./pages/sign-in/route.tsx'), 'SignInRoute'),
})

const acceptRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/accept-invitation',
  component: lazyRouteComponent(() => import('./pages/sign-in/route.tsx'), 'AcceptInvitationRoute'),
})

export const router = createRouter({
  routeTree: rootRoute.addChildren([shellRoute.addChildren([todayRoute]), signInRoute, acceptRoute]),
  defaultPreload: false,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}

function NotFound() {
  const { t } = useTranslation()
  return (
    <main className="alone">
      <div className="alone-box">
        <h1>{t('notfound.title')}</h1>
        <p>{t('notfound.text')}</p>
        <p>
          <Link to="/" search={{}}>
            {t('notfound.home')}
          </Link>
        </p>
      </div>
    </main>
  )
}
