import {
  createRootRoute,
  createRoute,
  createRouter,
  Link,
  lazyRouteComponent,
  Outlet,
  retainSearchParams,
} from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { importsQuery, uploadsQuery } from './api/import-queries.ts'
import { brandIn, PAGE_BRAND } from './api/page-brand.ts'
import {
  brandQuery,
  briefQuery,
  mergeReviewQuery,
  personQuery,
  personTagsQuery,
  type Session,
  segmentMatrixQuery,
  sessionQuery,
  tagsQuery,
  timelineQuery,
} from './api/queries.ts'
import { segmentQuery, segmentsQuery } from './api/segment-queries.ts'
import { equityQuery, personWorthQuery, valueMatrixQuery } from './api/value-queries.ts'
import { readBuilderSearch, readSegmentSearch } from './pages/segments/search.ts'
import { PageProblem } from './pages/shell/PageProblem.tsx'
import { Shell } from './pages/shell/Shell.tsx'
import {
  defined,
  readAuditSearch,
  readOpened,
  readPeopleSearch,
  readRelationshipSearch,
  readTodaySearch,
  readValueSearch,
} from './paths.ts'
import { queryClient } from './query-client.ts'

type Permission = NonNullable<Session['permissions']>[number]

/**
 * Asked for while the page's code is still loading, by accounts that may: who may not would be refused, and sees another
 * page. The page shows the answer or the error.
 */
async function prefetchFor(permission: Permission, prefetch: () => unknown): Promise<void> {
  const session = await queryClient.fetchQuery(sessionQuery).catch(() => undefined)
  if (session?.permissions?.includes(permission)) prefetch()
}

/** The map of the console. A page that is not built is neither here nor in the rail. */

const rootRoute = createRootRoute({
  // Which brand: in every address, whatever else it says; without it the current one.
  validateSearch: (raw: Record<string, unknown>): { brand?: string } => defined({ brand: brandIn(raw) }),
  search: { middlewares: [retainSearchParams(['brand'])] },
  beforeLoad: ({ search, location }) => {
    if (search.brand === PAGE_BRAND) return undefined
    window.location.assign(location.href)
    // The page that comes reads anew; nothing more of this one.
    return new Promise<never>(() => {})
  },
  component: Outlet,
  notFoundComponent: NotFound,
})

const shellRoute = createRoute({ getParentRoute: () => rootRoute, id: 'shell', component: Shell })

const todayRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/',
  validateSearch: readTodaySearch,
  loaderDeps: ({ search }) => ({ asOf: search.as_of }),
  loader: ({ deps }) => {
    void prefetchFor('brief:read', () => queryClient.prefetchQuery(briefQuery(deps.asOf)))
    void prefetchFor('people:read', () => queryClient.prefetchQuery(equityQuery()))
  },
  component: lazyRouteComponent(() => import('./pages/today/route.tsx'), 'TodayRoute'),
})

const peopleRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/people',
  validateSearch: readPeopleSearch,
  loader: () => {
    void queryClient.prefetchQuery(brandQuery)
  },
  component: lazyRouteComponent(() => import('./pages/people/route.tsx'), 'PeopleRoute'),
})

const reviewRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/people/review',
  loader: () => {
    void queryClient.prefetchQuery(brandQuery)
    void prefetchFor('people:merge', () => queryClient.prefetchQuery(mergeReviewQuery))
  },
  component: lazyRouteComponent(() => import('./pages/people/route.tsx'), 'ReviewRoute'),
})

const tagsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/people/tags',
  loader: () => {
    void queryClient.prefetchQuery(brandQuery)
    void queryClient.prefetchQuery(tagsQuery)
  },
  component: lazyRouteComponent(() => import('./pages/people/route.tsx'), 'TagsRoute'),
})

const personRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/people/$person_id',
  params: {
    parse: ({ person_id }) => ({ person_id: Number(person_id) }),
    stringify: ({ person_id }) => ({ person_id: String(person_id) }),
  },
  loader: ({ params }) => {
    void queryClient.prefetchQuery(brandQuery)
    void prefetchFor('people:read', () => {
      void queryClient.prefetchQuery(personQuery(params.person_id, undefined))
      void queryClient.prefetchQuery(personTagsQuery(params.person_id, undefined))
      void queryClient.prefetchQuery(personWorthQuery(params.person_id))
      void queryClient.prefetchInfiniteQuery(timelineQuery(params.person_id))
    })
  },
  component: lazyRouteComponent(() => import('./pages/people/route.tsx'), 'PersonRoute'),
})

const segmentListRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/people/segments',
  loader: () => {
    void queryClient.prefetchQuery(brandQuery)
    void queryClient.prefetchQuery(segmentsQuery)
  },
  component: lazyRouteComponent(() => import('./pages/segments/route.tsx'), 'SegmentListRoute'),
})

const newSegmentRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/people/segments/new',
  validateSearch: readBuilderSearch,
  loader: () => {
    void queryClient.prefetchQuery(brandQuery)
    void queryClient.prefetchQuery(segmentsQuery)
  },
  component: lazyRouteComponent(() => import('./pages/segments/route.tsx'), 'NewSegmentRoute'),
})

const segmentParams = {
  parse: ({ segment_id }: { segment_id: string }) => ({ segment_id: Number(segment_id) }),
  stringify: ({ segment_id }: { segment_id: number }) => ({ segment_id: String(segment_id) }),
}

const segmentRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/people/segments/$segment_id',
  params: segmentParams,
  validateSearch: readSegmentSearch,
  loader: ({ params }) => {
    void queryClient.prefetchQuery(brandQuery)
    void queryClient.prefetchQuery(segmentQuery(params.segment_id))
  },
  component: lazyRouteComponent(() => import('./pages/segments/route.tsx'), 'SegmentRoute'),
})

const editSegmentRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/people/segments/$segment_id/edit',
  params: segmentParams,
  validateSearch: readBuilderSearch,
  loader: ({ params }) => {
    void queryClient.prefetchQuery(brandQuery)
    void queryClient.prefetchQuery(segmentQuery(params.segment_id))
  },
  component: lazyRouteComponent(() => import('./pages/segments/route.tsx'), 'EditSegmentRoute'),
})

const relationshipRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/relationship',
  validateSearch: readRelationshipSearch,
  loader: () => {
    void queryClient.prefetchQuery(brandQuery)
  },
  component: lazyRouteComponent(() => import('./pages/relationship/route.tsx'), 'MigrationRoute'),
})

const segmentsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/relationship/segments',
  validateSearch: readOpened,
  loader: () => {
    void queryClient.prefetchQuery(brandQuery)
    void prefetchFor('people:read', () => queryClient.prefetchQuery(segmentMatrixQuery))
  },
  component: lazyRouteComponent(() => import('./pages/relationship/route.tsx'), 'SegmentsRoute'),
})

const valueRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/relationship/value',
  validateSearch: readValueSearch,
  loaderDeps: ({ search }) => ({ isPast: search.as_of !== undefined }),
  loader: ({ deps }) => {
    void queryClient.prefetchQuery(brandQuery)
    // Which instant a day begins at is known with the brand's zone.
    if (deps.isPast) return
    void prefetchFor('people:read', () => {
      void queryClient.prefetchQuery(equityQuery())
      void queryClient.prefetchQuery(valueMatrixQuery())
    })
  },
  component: lazyRouteComponent(() => import('./pages/value/route.tsx'), 'ValueRoute'),
})

const importRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/import',
  loader: () => {
    void queryClient.prefetchQuery(brandQuery)
    void prefetchFor('imports:manage', () => {
      void queryClient.prefetchQuery(uploadsQuery)
      void queryClient.prefetchQuery(importsQuery)
    })
  },
  component: lazyRouteComponent(() => import('./pages/imports/route.tsx'), 'ImportsRoute'),
})

const uploadRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/import/$upload_id',
  loader: () => {
    void queryClient.prefetchQuery(brandQuery)
  },
  component: lazyRouteComponent(() => import('./pages/imports/route.tsx'), 'UploadRoute'),
})

/** The tabs of Settings; each asks for what it shows when it is opened. */
const settingsRoutes = [
  createRoute({
    getParentRoute: () => shellRoute,
    path: '/settings',
    component: lazyRouteComponent(() => import('./pages/settings/route.tsx'), 'BrandRoute'),
  }),
  createRoute({
    getParentRoute: () => shellRoute,
    path: '/settings/users',
    component: lazyRouteComponent(() => import('./pages/settings/route.tsx'), 'UsersRoute'),
  }),
  createRoute({
    getParentRoute: () => shellRoute,
    path: '/settings/keys',
    component: lazyRouteComponent(() => import('./pages/settings/route.tsx'), 'KeysRoute'),
  }),
  createRoute({
    getParentRoute: () => shellRoute,
    path: '/settings/webhooks',
    component: lazyRouteComponent(() => import('./pages/settings/route.tsx'), 'WebhooksRoute'),
  }),
  createRoute({
    getParentRoute: () => shellRoute,
    path: '/settings/audit',
    validateSearch: readAuditSearch,
    component: lazyRouteComponent(() => import('./pages/settings/route.tsx'), 'AuditRoute'),
  }),
  createRoute({
    getParentRoute: () => shellRoute,
    path: '/settings/account',
    component: lazyRouteComponent(() => import('./pages/settings/route.tsx'), 'AccountRoute'),
  }),
] as const

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
  routeTree: rootRoute.addChildren([
    shellRoute.addChildren([
      todayRoute,
      peopleRoute,
      reviewRoute,
      tagsRoute,
      segmentListRoute,
      newSegmentRoute,
      segmentRoute,
      editSegmentRoute,
      personRoute,
      relationshipRoute,
      segmentsRoute,
      valueRoute,
      importRoute,
      uploadRoute,
      ...settingsRoutes,
    ]),
    signInRoute,
    acceptRoute,
  ]),
  // The rail stays, and so does every page that works.
  defaultErrorComponent: PageProblem,
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
