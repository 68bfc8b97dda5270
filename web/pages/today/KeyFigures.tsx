import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Brief } from '../../api/queries.ts'
import { type Opened, opens } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { EquityRow } from './EquityRow.tsx'

interface Row {
  id: string
  name: string
  meaning: string
  value: string
  /** Undefined when the figure counts nobody: there is nothing to open. */
  opened: Opened | undefined
  /** The two figures without people behind them open their explanation instead. */
  explains?: boolean
  isMoney?: boolean
}

interface KeyFiguresProps {
  brief: Brief
  /** As of another instant than now: what is expected is known as of the last valuation alone. */
  isPast: boolean
}

export function KeyFigures({ brief, isPast }: KeyFiguresProps) {
  const { t } = useTranslation()
  const { count, amount, money, share, currency } = useBrandFormat()
  const buyers = brief.buyers > 0 ? opens.buyers : undefined

  const rows: Row[] = [
    {
      id: 'people',
      name: t('figures.people'),
      meaning: t('figures.people_meaning'),
      value: count(brief.people),
      opened: brief.people > 0 ? opens.people : undefined,
    },
    {
      id: 'buyers',
      name: t('figures.buyers'),
      meaning: t('figures.buyers_meaning', { share: share(brief.buyers, brief.people) }),
      value: count(brief.buyers),
      opened: buyers,
    },
    {
      id: 'orders',
      name: t('figures.orders'),
      meaning: t('figures.orders_meaning'),
      value: count(brief.orders),
      opened: buyers,
    },
    {
      id: 'revenue',
      name: t('figures.revenue', { currency }),
      meaning: t('figures.revenue_meaning'),
      value: amount(brief.net_revenue_minor),
      opened: buyers,
      isMoney: true,
    },
    {
      id: 'anonymous',
      name: t('figures.anonymous'),
      meaning:
        brief.anonymous_orders === 0
          ? t('figures.anonymous_none')
          : t('figures.anonymous_meaning', {
              orders: count(brief.anonymous_orders),
              money: money(brief.anonymous_net_revenue_minor),
            }),
      value: share(brief.anonymous_orders, brief.orders),
      opened: brief.anonymous_orders > 0 ? opens.anonymous : undefined,
      explains: true,
    },
    {
      id: 'unmatched',
      name: t('figures.unmatched'),
      meaning:
        brief.unmatched_refunds === 0
          ? t('figures.unmatched_none')
          : t('figures.unmatched_meaning', { money: money(brief.unmatched_refunds_minor) }),
      value: count(brief.unmatched_refunds),
      opened: brief.unmatched_refunds > 0 ? opens.unmatched : undefined,
      explains: true,
    },
  ]

  return (
    <section aria-labelledby="figures-title">
      <h2 id="figures-title">{t('figures.title')}</h2>
      <table className="figures">
        <thead className="visually-hidden">
          <tr>
            <th scope="col">{t('figures.name')}</th>
            <th scope="col">{t('figures.value')}</th>
          </tr>
        </thead>
        <tbody>
          {!isPast && <EquityRow />}
          {rows.map((row) => (
            <tr key={row.id}>
              <th scope="row">
                <span className="figures-name">{row.name}</span>
                <span className="figures-meaning">{row.meaning}</span>
              </th>
              <td className={row.isMoney ? 'number value' : 'number'}>
                <Value row={row}>{row.value}</Value>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

function Value({ row, children }: { row: Row; children: ReactNode }) {
  const { t } = useTranslation()
  if (!row.opened) return <span>{children}</span>
  const label = t(row.explains ? 'figures.explain' : 'figures.open', { name: row.name, value: row.value })
  return (
    <Figure opened={row.opened} label={label}>
      {children}
    </Figure>
  )
}
