import { useTranslation } from 'react-i18next'
import type { Brief } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'

/** What the last 24 hours changed. The API has no list for these counts yet, so they open nothing. */
export function SinceYesterday({ brief }: { brief: Brief }) {
  const { t } = useTranslation()
  const { count, amount, currency } = useBrandFormat()
  const since = brief.since_yesterday
  const changes = [
    { name: t('since.orders'), moved: since.orders_recorded, value: count(since.orders_recorded) },
    { name: t('since.refunds'), moved: since.refunds_recorded, value: count(since.refunds_recorded) },
    {
      name: t('since.revenue', { currency }),
      moved: since.net_revenue_recorded_minor,
      value: amount(since.net_revenue_recorded_minor),
      isMoney: true,
    },
    { name: t('since.deepened'), moved: since.people_deepened, value: count(since.people_deepened) },
    { name: t('since.lapsed'), moved: since.people_lapsed, value: count(since.people_lapsed) },
  ]
  const isQuiet = changes.every((change) => change.moved === 0)

  return (
    <section aria-labelledby="since-title">
      <h2 id="since-title">
        {t('since.title')} <span className="aside">{t('since.basis')}</span>
      </h2>
      {isQuiet ? (
        <p className="soft">{t('since.quiet')}</p>
      ) : (
        <dl className="since">
          {changes.map((change) => (
            <div key={change.name}>
              <dt>{change.name}</dt>
              <dd className={change.isMoney ? 'value' : change.moved === 0 ? 'faint' : undefined}>{change.value}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}
