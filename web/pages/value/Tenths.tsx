import { useTranslation } from 'react-i18next'
import type { Equity } from '../../api/value-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'

/** What scrolls has to take the keyboard, though nothing in it does. */
const SCROLLS = { role: 'group', tabIndex: 0, 'aria-labelledby': 'tenths-title' } as const

/** How many hold how much: tenths of the people by what they are expected to bring. */
export function Tenths({ equity: { distribution, basis, came_since: since } }: { equity: Equity }) {
  const { t } = useTranslation()
  const { amount, count, share, currency } = useBrandFormat()
  const total = distribution.reduce((sum, tenth) => sum + tenth.expected_minor, 0)
  return (
    <section aria-labelledby="tenths-title">
      <h2 id="tenths-title">
        {t('value.tenths')}{' '}
        <span className="aside">{t(basis === 'revenue' ? 'value.tenths_aside_revenue' : 'value.tenths_aside')}</span>
      </h2>
      <div className="wide-table" {...SCROLLS}>
        <table className="plain" aria-labelledby="tenths-title">
          <thead>
            <tr>
              <th scope="col">{t('value.tenth')}</th>
              {(since === null
                ? [t('value.people'), t('value.least', { currency }), t('value.sum', { currency }), t('value.share')]
                : [
                    t('value.people'),
                    t('value.sum', { currency }),
                    t('value.expected_days', { currency, days: count(Math.round(since.days)) }),
                    t('value.came_days', { currency }),
                  ]
              ).map((name) => (
                <th key={name} scope="col" className="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {distribution.map((tenth) => (
              <tr key={tenth.tenth}>
                <th scope="row">{t('value.tenth_name', { tenth: tenth.tenth })}</th>
                <td className="number">{count(tenth.people)}</td>
                {since === null && <td className="number value">{amount(tenth.least_minor)}</td>}
                <td className="number value">{amount(tenth.expected_minor)}</td>
                {since === null ? (
                  <td className="number">{share(tenth.expected_minor, total)}</td>
                ) : (
                  <>
                    <td className="number value">{amount(tenth.expected_since_minor ?? 0)}</td>
                    <td className="number value">{amount(tenth.came_minor ?? 0)}</td>
                  </>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}
