import './shell.css'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useRouter, useRouterState } from '@tanstack/react-router'
import { Button } from 'antd'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type Session, sessionQuery } from '../../api/queries.ts'
import {
  BrandMark,
  ImportIcon,
  PeopleIcon,
  RelationshipIcon,
  SettingsIcon,
  SignOutIcon,
  TodayIcon,
} from '../../ui/icons.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { AccountBanner } from './AccountBanner.tsx'
import { BrandSwitch, shownBrand, UnknownBrand } from './BrandSwitch.tsx'
import { useGoKeys } from './keys.ts'
import { NoPeople } from './NoPeople.tsx'
import { LanguageSwitch, ThemeSwitch } from './Switches.tsx'

/** Rail and page. Asks who is there; without an answer nobody sees a page. */
export function Shell() {
  const { t } = useTranslation()
  const { data: session, error, isFetching, refetch } = useQuery(sessionQuery)
  useGoKeys()

  // Of the page that is shown: the address is ahead of it while the next one is on its way.
  const path = useRouterState({ select: ({ matches }) => matches.at(-1)?.pathname ?? '/' })
  const router = useRouter()
  const isSignedOut = session?.signed_in === false
  useEffect(() => {
    if (!isSignedOut) return
    // Read once, here: the address changes under us on the way to the sign-in page.
    const from = router.history.location.href
    void router.navigate({ to: '/sign-in', search: from === '/' ? {} : { from }, replace: true })
  }, [isSignedOut, router])

  if (isSignedOut) return null
  return (
    <div className="shell">
      <a className="skip" href="#page">
        {t('app.skip')}
      </a>
      <Rail session={session} />
      <main id="page" className="page" tabIndex={-1}>
        {session?.user?.may_set_password && path !== '/settings/account' && <AccountBanner user={session.user} />}
        {error && !session ? (
          <ProblemPanel
            title={t('problem.session')}
            error={error}
            kept={t('problem.kept')}
            onRetry={() => void refetch()}
            retrying={isFetching}
          />
        ) : !session ? (
          // A page that asked before it is known who is there would be refused to some.
          <SkeletonRows lines={[34, 52, 44, 40]} />
        ) : session.brands && !shownBrand(session) ? (
          <UnknownBrand brands={session.brands} />
        ) : seesNobody(session) && isAboutPeople(path) ? (
          <NoPeople />
        ) : (
          <Outlet />
        )}
      </main>
    </div>
  )
}

/** Whether the account is known to be for something else than people. */
function seesNobody(session: Session | undefined): boolean {
  const { permissions } = session ?? {}
  return permissions !== undefined && !permissions.includes('brief:read') && !permissions.includes('people:read')
}

function isAboutPeople(path: string): boolean {
  return path === '/' || /^\/(people|relationship)(\/|$)/.test(path)
}

function Rail({ session }: { session: Session | undefined }) {
  const { t } = useTranslation()
  const places = [
    { to: '/', needs: 'brief:read', name: t('nav.today'), keys: t('nav.today_key'), icon: <TodayIcon /> },
    { to: '/people', needs: 'people:read', name: t('nav.people'), keys: t('nav.people_key'), icon: <PeopleIcon /> },
    {
      to: '/relationship',
      needs: 'people:read',
      name: t('nav.relationship'),
      keys: t('nav.relationship_key'),
      icon: <RelationshipIcon />,
    },
    { to: '/import', needs: 'imports:manage', name: t('nav.import'), keys: t('nav.import_key'), icon: <ImportIcon /> },
    {
      to: '/settings',
      needs: 'account:own',
      name: t('nav.settings'),
      keys: t('nav.settings_key'),
      icon: <SettingsIcon />,
    },
  ] as const
  // Until it is known who is there the rail has all its places: they move nobody, and nearly everybody has them.
  const open = places.filter(({ needs }) => session?.permissions?.includes(needs) ?? true)
  const userName = session?.user?.name
  const { brands = [] } = session ?? {}
  const shown = session && shownBrand(session)
  return (
    <header className="rail">
      <div className="rail-top">
        <p className="rail-brand">
          <BrandMark />
          <span>{t('app.name')}</span>
        </p>
        {shown && brands.length > 1 && <BrandSwitch brands={brands} shown={shown} />}
      </div>
      <nav aria-label={t('nav.label')}>
        <ul>
          {open.map(({ to, name, keys, icon }) => (
            <li key={to}>
              <Link
                to={to}
                search={{}}
                className="rail-link"
                activeProps={{ 'aria-current': 'page' }}
                activeOptions={{ exact: to === '/', includeSearch: false }}
                title={keys}
              >
                {icon}
                {name}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div className="rail-foot">
        <LanguageSwitch />
        <ThemeSwitch />
        {userName !== undefined && <SignOut userName={userName} />}
      </div>
    </header>
  )
}

function SignOut({ userName }: { userName: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const signOut = async () => {
    await answered(api.POST('/api/auth/sign-out'))
    // Nothing that was read may be left for the next person at this screen.
    client.clear()
    client.setQueryData(sessionQuery.queryKey, { signed_in: false })
    await navigate({ to: '/sign-in', search: {}, replace: true })
  }
  return (
    <div className="rail-user">
      <span className="rail-name" title={userName}>
        {userName}
      </span>
      <Button type="text" size="small" icon={<SignOutIcon />} onClick={() => void signOut()}>
        {t('foot.sign_out')}
      </Button>
    </div>
  )
}
