import { useTranslation } from 'react-i18next'
import type { Brief } from '../../api/queries.ts'
import { opens, type SinceFigure } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Figure } from '../../ui/Figure.tsx'

/** What the last 24 hours changed; revenue opens those who ordered. */
export function SinceYesterday({ brief }: { brief: Brief }) {
  const { t } = useTranslation()
  const { count, amount, currency } = useBrandFormat()
  const since = brief.since_yesterday
  const changes: { name: string; figure: SinceFigure; moved: number; value: string; isMoney?: boolean }[] = [
    { name: t('since.orders'), figure: 'ordered', moved: since.orders_recorded, value: count(since.orders_recorded) },
    {
      name: t('since.refunds'),
      figure: 'refunded',
      moved: since.refunds_recorded,
      value: count(since.refunds_recorded),
    },
    {
      name: t('since.revenue', { currency }),
      figure: 'ordered',
      moved: since.net_revenue_recorded_minor,
      value: amount(since.net_revenue_recorded_minor),
      isMoney: true,
    },
    {
      name: t('since.deepened'),
      figure: 'deepened',
      moved: since.people_deepened,
      value: count(since.people_deepened),
    },
    { name: t('since.lapsed'), figure: 'lapsed', moved: since.people_lapsed, value: count(since.people_lapsed) },
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
              <dd className={change.moved === 0 ? 'faint' : undefined}>
                {change.moved === 0 ? (
                  change.value
                ) : (
                  <Figure
                    opened={opens.since(change.figure)}
                    label={`${change.name} ${change.value}`}
                    className={change.isMoney ? 'figure value' : 'figure'}
                  >
                    {change.value}
                  </Figure>
                )}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}
