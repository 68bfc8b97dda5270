import './people-table.css'
import { useTranslation } from 'react-i18next'
import type { ListedPerson } from '../../api/queries.ts'
import type { Opened } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthName, depthNameKey } from '../../ui/Depth.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { When } from '../../ui/When.tsx'

interface PeopleTableProps {
  label: string
  /** In pages: rows of a page that is out of sight are not laid out, so a long list stays light. */
  pages: readonly (readonly ListedPerson[])[]
  /** Off where every row has the same depth: a column that says one thing takes the room of the names. */
  showsDepth?: boolean
  /** What a row opens: the person, beside the list it is in. */
  openedBy: (person: ListedPerson) => Opened
}

/**
 * People as rows: who, how deep, when and to what they lapse, last purchase, money. On a narrow screen the same
 * cells fold into three lines (people-table.css), so there is one table and not two.
 */
export function PeopleTable({ label, pages, showsDepth = true, openedBy }: PeopleTableProps) {
  const { t } = useTranslation()
  const { currency } = useBrandFormat()
  return (
    <table className={showsDepth ? 'people' : 'people people-one-depth'} aria-label={label}>
      <thead>
        <tr>
          <th scope="col">{t('people.key')}</th>
          {showsDepth && <th scope="col">{t('people.depth')}</th>}
          <th scope="col">{t('lapses.at')}</th>
          <th scope="col">{t('people.last')}</th>
          <th scope="col" className="number">
            {t('people.paid', { currency })}
          </th>
        </tr>
      </thead>
      {pages.map((people) => (
        <tbody key={people[0]?.person_id ?? 'none'}>
          {people.map((person) => (
            <PersonRow key={person.person_id} person={person} showsDepth={showsDepth} opened={openedBy(person)} />
          ))}
        </tbody>
      ))}
    </table>
  )
}

interface PersonRowProps {
  person: ListedPerson
  showsDepth: boolean
  opened: Opened
}

function PersonRow({ person, showsDepth, opened }: PersonRowProps) {
  const { t } = useTranslation()
  const { amount, currency } = useBrandFormat()
  return (
    <tr>
      <th scope="row" className="people-key" title={person.key}>
        <Figure opened={opened} className="people-link">
          {person.name ?? person.key}
        </Figure>
        <span className="people-source" title={t('people.source', { source: person.source })}>
          {person.name === null ? person.source : person.key}
        </span>
      </th>
      {showsDepth && (
        <td className="people-depth">
          <DepthName depth={person.depth} />
        </td>
      )}
      <td className="people-lapse">
        {person.lapses_at === null ? (
          <span className="faint">{t('people.no_lapse')}</span>
        ) : (
          <>
            <span className="narrow-label">{t('lapses.at')}</span>
            <When at={person.lapses_at} />
            {person.lapses_to !== null && (
              <span className="people-lapse-to">
                {' → '}
                {person.lapses_to}
                <span className="people-lapse-name"> {t(depthNameKey(person.lapses_to))}</span>
              </span>
            )}
          </>
        )}
      </td>
      <td className="people-last">
        {person.last_occasion_at === null ? (
          <span className="faint">{t('people.never')}</span>
        ) : (
          <>
            <span className="narrow-label">{t('people.last')}</span>
            <When at={person.last_occasion_at} />
          </>
        )}
      </td>
      <td className="people-paid number value">
        {amount(person.net_paid_minor)}
        <span className="narrow-unit"> {currency}</span>
      </td>
    </tr>
  )
}
