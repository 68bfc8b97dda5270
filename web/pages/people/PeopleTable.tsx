import { useTranslation } from 'react-i18next'
import type { ListedPerson } from '../../api/queries.ts'
import type { Opened } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthName, depthNameKey } from '../../ui/Depth.tsx'
import { When } from '../../ui/When.tsx'
import { PeoplePages } from './PeoplePages.tsx'

interface PeopleTableProps {
  label: string
  pages: readonly (readonly ListedPerson[])[]
  /** Off where every row has the same depth: a column that says one thing takes the room of the names. */
  showsDepth?: boolean
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
    <PeoplePages
      label={label}
      className={showsDepth ? undefined : 'people-one-depth'}
      pages={pages}
      openedBy={openedBy}
      head={
        <>
          {showsDepth && <th scope="col">{t('people.depth')}</th>}
          <th scope="col">{t('lapses.at')}</th>
          <th scope="col">{t('people.last')}</th>
          <th scope="col" className="number">
            {t('people.paid', { currency })}
          </th>
        </>
      }
      cells={(person) => <PersonCells person={person} showsDepth={showsDepth} />}
    />
  )
}

function PersonCells({ person, showsDepth }: { person: ListedPerson; showsDepth: boolean }) {
  const { t } = useTranslation()
  const { amount, currency } = useBrandFormat()
  return (
    <>
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
    </>
  )
}
