import { useTranslation } from 'react-i18next'
import { PageTabs } from '../../ui/PageTabs.tsx'

export function RelationshipTabs() {
  const { t } = useTranslation()
  return (
    <PageTabs
      label={t('nav.relationship')}
      tabs={[
        { to: '/relationship', name: t('relationship.tab_migration') },
        { to: '/relationship/segments', name: t('relationship.tab_segments') },
        { to: '/relationship/value', name: t('value.tab') },
      ]}
    />
  )
}
