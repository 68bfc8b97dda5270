import './people-table.css'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Opened } from '../../paths.ts'
import { Figure } from '../../ui/Figure.tsx'

interface Known {
  person_id: number
  name: string | null
  key: string
  source: string
}

interface PeoplePagesProps<Person extends Known> {
  label: string
  /** Beside `people`; it says which columns there are and how they fold on a narrow screen. */
  className?: string | undefined
  /** In pages: rows of a page that is out of sight are not laid out, so a long list stays light. */
  pages: readonly (readonly Person[])[]
  /** The columns after the first, which says who it is. */
  head: ReactNode
  cells: (person: Person) => ReactNode
  /** What a row opens: the person, beside the list it is in. */
  openedBy: (person: Person) => Opened
}

/** People as rows, whatever a list says of them. */
export function PeoplePages<Person extends Known>(props: PeoplePagesProps<Person>) {
  const { label, className, pages, head, cells, openedBy } = props
  const { t } = useTranslation()
  return (
    <table className={className ? `people ${className}` : 'people'} aria-label={label}>
      <thead>
        <tr>
          <th scope="col">{t('people.key')}</th>
          {head}
        </tr>
      </thead>
      {pages.map((people) => (
        <tbody key={people[0]?.person_id ?? 'none'}>
          {people.map((person) => (
            <tr key={person.person_id}>
              <th scope="row" className="people-key" title={person.key}>
                <Figure opened={openedBy(person)} className="people-link">
                  {person.name ?? person.key}
                </Figure>
                <span className="people-source" title={t('people.source', { source: person.source })}>
                  {person.name === null ? person.source : person.key}
                </span>
              </th>
              {cells(person)}
            </tr>
          ))}
        </tbody>
      ))}
    </table>
  )
}
