import '../value/value.css'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { type AtRiskPerson, atRiskQuery } from '../../api/value-queries.ts'
import { opens } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { useMay } from '../../ui/session.ts'

/** Who is late or at risk by their own rhythm and worth most: whom to look after first. Nothing as long as nobody is. */
export function AtRisk() {
  const { t } = useTranslation()
  const { currency } = useBrandFormat()
  const mayRead = useMay('people:read')
  const { data } = useQuery({ ...atRiskQuery, enabled: mayRead })
  if (!mayRead || !data || data.people.length === 0) return null
  return (
    <section aria-labelledby="at-risk-title">
      <h2 id="at-risk-title">
        {t('at_risk.title')}
        <span className="aside">{t('at_risk.aside')}</span>
      </h2>
      <table className="people people-valued" aria-labelledby="at-risk-title">
        <thead>
          <tr>
            <th scope="col">{t('people.key')}</th>
            <th scope="col">{t('value.rhythm_title')}</th>
            <th scope="col" className="number">
              {t('at_risk.days')}
            </th>
            <th scope="col" className="number">
              {t('value.own_column', { currency })}
            </th>
          </tr>
        </thead>
        <tbody>
          {data.people.map((person) => (
            <Row key={person.person_id} person={person} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function Row({ person }: { person: AtRiskPerson }) {
  const { t } = useTranslation()
  const { amount, count } = useBrandFormat()
  return (
    <tr>
      <th scope="row" className="people-key" title={person.key}>
        <Figure opened={opens.person(person.person_id)} className="people-link">
          {person.name ?? person.key}
        </Figure>
        <span className="people-source">{person.name === null ? person.source : person.key}</span>
      </th>
      <td>{t(`value.rhythm_${person.state}`)}</td>
      <td className="number">
        <span className="narrow-label">{t('at_risk.days')}</span>
        {count(person.days_since)}
      </td>
      <td className="number value">
        <span className="narrow-label">{t('value.own')}</span>
        {amount(person.own_minor)}
      </td>
    </tr>
  )
}
