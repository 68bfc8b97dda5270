import { useTranslation } from 'react-i18next'
import type { Brief } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'

/** Two figures have nobody behind them. Opening some other list would be a lie, so they open their reason. */

export function AnonymousExplained({ brief }: { brief: Brief }) {
  const { t } = useTranslation()
  const { count, money, share } = useBrandFormat()
  return (
    <div className="pane-body prose">
      <p>
        {t('list.anonymous_lead', {
          orders: count(brief.anonymous_orders),
          share: share(brief.anonymous_orders, brief.orders),
        })}
      </p>
      <p>
        {t('list.anonymous_money', {
          money: money(brief.anonymous_net_revenue_minor),
          share: share(brief.anonymous_net_revenue_minor, brief.net_revenue_minor),
        })}
      </p>
      <p>{t('list.anonymous_rule')}</p>
      <p>{t('list.anonymous_todo')}</p>
    </div>
  )
}

export function UnmatchedExplained({ brief }: { brief: Brief }) {
  const { t } = useTranslation()
  const { count, money } = useBrandFormat()
  return (
    <div className="pane-body prose">
      <p>
        {t('list.unmatched_lead', {
          refunds: count(brief.unmatched_refunds),
          money: money(brief.unmatched_refunds_minor),
        })}
      </p>
      <p>{t('list.unmatched_rule')}</p>
      <p>{t('list.unmatched_todo')}</p>
    </div>
  )
}
