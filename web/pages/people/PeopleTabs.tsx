import { useTranslation } from 'react-i18next'
import { PageTabs } from '../../ui/PageTabs.tsx'
import { useMay } from '../../ui/session.ts'

export function PeopleTabs() {
  const { t } = useTranslation()
  const mayMerge = useMay('people:merge')
  const maySegments = useMay('segments:read')
  return (
    <PageTabs
      label={t('people.title')}
      tabs={[
        { to: '/people', name: t('people.tab_list') },
        { to: '/people/tags', name: t('people.tab_tags') },
        ...(maySegments ? [{ to: '/people/segments', name: t('nav.tab_segments') } as const] : []),
        ...(mayMerge ? [{ to: '/people/review', name: t('people.tab_review') } as const] : []),
      ]}
    />
  )
}
