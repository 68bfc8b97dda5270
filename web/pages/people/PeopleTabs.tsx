import { useTranslation } from 'react-i18next'
import { PageTabs } from '../../ui/PageTabs.tsx'
import { useMay } from '../../ui/session.ts'

export function PeopleTabs() {
  const { t } = useTranslation()
  const mayMerge = useMay('people:merge')
  // One alone is no choice.
  if (!mayMerge) return null
  return (
    <PageTabs
      label={t('people.title')}
      tabs={[
        { to: '/people', name: t('people.tab_list') },
        { to: '/people/review', name: t('people.tab_review') },
      ]}
    />
  )
}
