import { useTranslation } from 'react-i18next'
import { opens, type Way } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Figure } from '../../ui/Figure.tsx'
import type { Month } from './Months.tsx'

export function MonthTable({ months, nameOf }: { months: readonly Month[]; nameOf: (month: Month) => string }) {
  const { t } = useTranslation()
  const { count, signed } = useBrandFormat()
  const cells = (month: Month): { way: Way; name: string; people: number; value: string }[] => [
    { way: 'up', name: t('migration.ups'), people: month.ups, value: count(month.ups) },
    { way: 'down', name: t('migration.downs'), people: month.downs, value: count(month.downs) },
    { way: 'any', name: t('migration.net'), people: month.ups + month.downs, value: signed(month.net_deepening) },
  ]
  return (
    <table className="plain months" aria-label={t('months.title')}>
      <thead>
        <tr>
          <th scope="col">{t('months.month')}</th>
          {[t('migration.ups'), t('migration.downs'), t('migration.net')].map((name) => (
            <th key={name} scope="col" className="number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {months.toReversed().map((month) => (
          <tr key={month.from}>
            <th scope="row">{nameOf(month)}</th>
            {cells(month).map(({ way, name, people, value }) => (
              <td key={way} className="number">
                {people === 0 ? (
                  <span className="faint">{value}</span>
                ) : (
                  <Figure
                    opened={opens.moved(way)}
                    span={month}
                    label={t('figures.open', { name: `${nameOf(month)} ${name}`, value })}
                  >
                    {value}
                  </Figure>
                )}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
