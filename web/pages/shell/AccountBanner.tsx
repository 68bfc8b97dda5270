import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Session } from '../../api/queries.ts'

/** Somebody who came by a link may set a password now, and only now: says so, and where. */
export function AccountBanner({ user }: { user: NonNullable<Session['user']> }) {
  const { t } = useTranslation()
  return (
    <aside className="banner" aria-label={t('account.title')}>
      <p>{user.has_password ? t('account.banner_lost') : t('account.banner')}</p>
      <Link to="/settings/account" className="banner-link">
        {user.has_password ? t('account.open_lost') : t('account.open')}
      </Link>
    </aside>
  )
}
