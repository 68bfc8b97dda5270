import './settings.css'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { PageTabs } from '../../ui/PageTabs.tsx'
import { useMay } from '../../ui/session.ts'
import { PageHeader, WithBrand } from '../../ui/WithBrand.tsx'

/** A tab of Settings: what it has in common with the others. */
export function SettingsPage({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  return (
    <WithBrand title={t('settings.title')}>
      {(brand) => (
        <article className="settings">
          <PageHeader brand={brand} title={t('settings.title')} />
          <SettingsTabs />
          {children}
        </article>
      )}
    </WithBrand>
  )
}

/** Those that the account may use. */
function SettingsTabs() {
  const { t } = useTranslation()
  const may = {
    users: useMay('users:manage'),
    keys: useMay('api_keys:manage'),
    webhooks: useMay('webhooks:manage'),
    audit: useMay('audit:read'),
  }
  return (
    <PageTabs
      label={t('settings.title')}
      tabs={[
        { to: '/settings', name: t('settings.tab_brand') },
        ...(may.users ? [{ to: '/settings/users', name: t('settings.tab_users') } as const] : []),
        ...(may.keys ? [{ to: '/settings/keys', name: t('settings.tab_keys') } as const] : []),
        ...(may.webhooks ? [{ to: '/settings/webhooks', name: t('settings.tab_webhooks') } as const] : []),
        ...(may.audit ? [{ to: '/settings/audit', name: t('settings.tab_audit') } as const] : []),
        { to: '/settings/account', name: t('settings.tab_account') },
      ]}
    />
  )
}
