import { useTranslation } from 'react-i18next'
import type { Brief } from '../../api/queries.ts'
import { opens } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { PeopleTable } from '../people/PeopleTable.tsx'

export function LapsesNext({ brief }: { brief: Brief }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const spans = [
    { days: 7, people: brief.lapsing_7_days },
    { days: 30, people: brief.lapsing_30_days },
  ]
  return (
    <section aria-labelledby="lapses-title">
      <h2 id="lapses-title">
        {t('lapses.title')}
        <span className="aside lapses-spans">
          {spans.map(({ days, people }) => {
            const words = t('lapses.within', { days, people: count(people) })
            if (people === 0) return <span key={days}>{words}</span>
            return (
              <Figure key={days} opened={opens.lapsing(days)}>
                {words}
              </Figure>
            )
          })}
        </span>
      </h2>
      {brief.lapses_next.length === 0 ? (
        <p className="soft">{t('lapses.none')}</p>
      ) : (
        <PeopleTable
          label={t('lapses.title')}
          pages={[brief.lapses_next]}
          openedBy={(person) => opens.person(person.person_id)}
        />
      )}
    </section>
  )
}
