import { useTranslation } from 'react-i18next'
import type { MigrationReport } from '../../api/queries.ts'
import { type Cause, opens, type Way } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { causeName } from '../people/MovedList.tsx'

/** By what people moved: the fact that decided each, or time. */
export function Causes({ report }: { report: MigrationReport }) {
  const { t } = useTranslation()
  const causes = report.causes.toSorted((a, b) => b.ups + b.downs - (a.ups + a.downs))
  return (
    <section aria-labelledby="causes-title">
      <h2 id="causes-title">
        {t('migration.causes')} <span className="aside">{t('migration.causes_aside')}</span>
      </h2>
      {causes.length === 0 ? (
        <p className="soft">{t('migration.causes_none')}</p>
      ) : (
        <table className="plain causes">
          <thead>
            <tr>
              <th scope="col">{t('person.cause')}</th>
              <th scope="col" className="number">
                {t('migration.ups')}
              </th>
              <th scope="col" className="number">
                {t('migration.downs')}
              </th>
            </tr>
          </thead>
          <tbody>
            {causes.map(({ kind, ups, downs }) => (
              <tr key={kind}>
                <th scope="row">{causeName(t, kind)}</th>
                <Moved way="up" cause={kind} people={ups} />
                <Moved way="down" cause={kind} people={downs} />
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function Moved({ way, cause, people }: { way: Way; cause: Cause; people: number }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const name = `${causeName(t, cause)} ${t(way === 'up' ? 'migration.ups' : 'migration.downs')}`
  return (
    <td className="number">
      {people === 0 ? (
        <span className="faint">0</span>
      ) : (
        <Figure opened={opens.moved(way, cause)} label={t('figures.open', { name, value: count(people) })}>
          {count(people)}
        </Figure>
      )}
    </td>
  )
}
