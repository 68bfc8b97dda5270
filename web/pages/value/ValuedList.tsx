import './value.css'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { type CellFilter, type ValuedPerson, valuedPeopleQuery, valueMatrixQuery } from '../../api/value-queries.ts'
import type { Opened } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { PagedList } from '../people/PagedList.tsx'

interface ValuedListProps {
  title: string
  cell: CellFilter
  asOf: string | undefined
  openedBy: (personId: number) => Opened
}

/** The people of one cell of the matrix, with what put them there. */
export function ValuedList({ title, cell, asOf, openedBy }: ValuedListProps) {
  const { t } = useTranslation()
  const { currency } = useBrandFormat()
  const query = useInfiniteQuery(valuedPeopleQuery(cell, asOf))
  const matrix = useQuery(valueMatrixQuery(asOf)).data
  const pages = query.data?.pages.map((page) => page.people).filter((people) => people.length > 0) ?? []
  const shown = pages.reduce((sum, people) => sum + people.length, 0)
  const counted = matrix?.cells.find(
    ({ depth, transaction, propagation }) =>
      depth === cell.depth && transaction === cell.transaction && propagation === cell.propagation,
  )
  return (
    <PagedList
      query={query}
      rule={t(asOf === undefined ? 'value.cell_rule' : 'value.cell_rule_then')}
      total={counted?.people ?? shown}
      shown={shown}
    >
      <table className="people people-valued" aria-label={title}>
        <thead>
          <tr>
            <th scope="col">{t('people.key')}</th>
            <th scope="col" className="number">
              {t('value.own_column', { currency })}
            </th>
            <th scope="col" className="number">
              {t('value.allocated_column', { currency })}
            </th>
            <th scope="col" className="number">
              {t('value.influenced_column', { currency })}
            </th>
          </tr>
        </thead>
        {pages.map((people) => (
          <tbody key={people[0]?.person_id ?? 'none'}>
            {people.map((person) => (
              <ValuedRow key={person.person_id} person={person} opened={openedBy(person.person_id)} />
            ))}
          </tbody>
        ))}
      </table>
    </PagedList>
  )
}

function ValuedRow({ person, opened }: { person: ValuedPerson; opened: Opened }) {
  const { t } = useTranslation()
  const { amount } = useBrandFormat()
  return (
    <tr>
      <th scope="row" className="people-key" title={person.key}>
        <Figure opened={opened} className="people-link">
          {person.name ?? person.key}
        </Figure>
        <span className="people-source">{person.name === null ? person.source : person.key}</span>
      </th>
      <td className="number value">
        <span className="narrow-label">{t('value.own')}</span>
        {amount(person.own_minor)}
      </td>
      <td className="number value">
        <span className="narrow-label">{t('value.allocated')}</span>
        {amount(person.allocated_minor)}
      </td>
      <td className="number value">
        <span className="narrow-label">{t('value.influenced')}</span>
        {amount(person.influenced_minor)}
      </td>
    </tr>
  )
}
