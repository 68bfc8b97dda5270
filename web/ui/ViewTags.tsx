import { useTranslation } from 'react-i18next'
import { useSees } from './session.ts'

/** Beside the brand: that figures and lists are of one's own customers alone, or that values are masked. */
export function ViewTags() {
  const { t } = useTranslation()
  const sees = useSees()
  return (
    <>
      {sees?.people === 'own' && <span className="tag">{t('view.own')}</span>}
      {sees?.is_masked && <span className="tag">{t('view.masked')}</span>}
    </>
  )
}
