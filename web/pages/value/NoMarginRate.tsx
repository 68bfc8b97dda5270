import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { useMay } from '../../ui/session.ts'

/** Without a margin rate every figure of value is revenue, and says so. */
export function NoMarginRate() {
  const { t } = useTranslation()
  const mayAct = useMay('settings:change')
  return (
    <p className="soft">
      {t('value.basis_revenue')}{' '}
      {mayAct && (
        <Link to="/settings" className="figure">
          {t('value.set_rate')}
        </Link>
      )}
    </p>
  )
}
