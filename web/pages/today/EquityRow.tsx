import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { equityQuery } from '../../api/value-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { useMay } from '../../ui/session.ts'

/** What everybody who can be reached is expected to bring, once it was worked out; it leads to how that is known. */
export function EquityRow() {
  const { t } = useTranslation()
  const { count, amount, money, share, currency } = useBrandFormat()
  const mayRead = useMay('people:read')
  const { data: equity } = useQuery({ ...equityQuery(), enabled: mayRead })
  if (!mayRead || equity?.valued_at == null) return null
  const { customer_equity_low_minor: low, customer_equity_high_minor: high } = equity
  const value = amount(equity.customer_equity_minor)
  return (
    <tr>
      <th scope="row">
        <span className="figures-name">{t('value.equity_column', { currency })}</span>
        <span className="figures-meaning">
          {t(equity.basis === 'revenue' ? 'value.equity_meaning_revenue' : 'value.equity_meaning', {
            people: count(equity.reachable_people),
            rate: share(equity.discount_rate_per_year, 1),
          })}
        </span>
        {low !== null && high !== null && (
          <span className="figures-meaning">{t('value.interval', { low: money(low), high: money(high) })}</span>
        )}
      </th>
      <td className="number value">
        <Link
          to="/relationship/value"
          search={{}}
          className="figure"
          aria-label={t('value.equity_open', { name: t('value.equity'), value })}
        >
          {value}
        </Link>
      </td>
    </tr>
  )
}
