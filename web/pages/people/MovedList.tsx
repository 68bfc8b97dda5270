import { useInfiniteQuery } from '@tanstack/react-query'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { type MovedFilter, type MovedPerson, movedQuery, type Span } from '../../api/queries.ts'
import { type Cause, defined, type Opened } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthMark } from '../../ui/Depth.tsx'
import { When } from '../../ui/When.tsx'
import { PagedList } from './PagedList.tsx'
import { PeoplePages } from './PeoplePages.tsx'

interface MovedListProps {
  title: string
  span: Span
  search: Opened
  openedBy: (personId: number) => Opened
}

/** The people of a migration: each with the change that decided it, and the fact that caused the change. */
export function MovedList({ title, span, search, openedBy }: MovedListProps) {
  const { t } = useTranslation()
  const { instant } = useBrandFormat()
  const { from_depth, to_depth, moved, cause } = search
  const filter: MovedFilter = defined({ from_depth, to_depth, moved, cause })
  const query = useInfiniteQuery(movedQuery(span, filter))
  const pages = query.data?.pages.map((page) => page.people).filter((people) => people.length > 0) ?? []
  return (
    <PagedList
      query={query}
      rule={t('moved.rule', { from: instant(span.from), to: instant(span.to) })}
      total={query.data?.pages.at(-1)?.total ?? 0}
      shown={pages.reduce((sum, people) => sum + people.length, 0)}
    >
      <PeoplePages
        label={title}
        className="people-moved"
        pages={pages}
        openedBy={(person) => openedBy(person.person_id)}
        head={
          <>
            <th scope="col">{t('person.change')}</th>
            <th scope="col">{t('moved.at')}</th>
            <th scope="col">{t('person.cause')}</th>
          </>
        }
        cells={(person) => <MovedCells person={person} />}
      />
    </PagedList>
  )
}

function MovedCells({ person }: { person: MovedPerson }) {
  const { t } = useTranslation()
  return (
    <>
      <td className="people-change">
        {person.from_depth === person.to_depth ? (
          <span className="faint">{t('moved.stayed')}</span>
        ) : (
          <span className="change">
            {person.from_depth} <span aria-hidden="true">→</span> {person.to_depth}{' '}
            <DepthMark depth={person.to_depth} />
          </span>
        )}
      </td>
      <td className="people-when">{person.changed_at !== null && <When at={person.changed_at} />}</td>
      <td className="people-cause">
        {person.cause !== null && (
          <>
            {causeName(t, person.cause.kind)} <span className="id faint">{person.cause.external_id}</span>
          </>
        )}
      </td>
    </>
  )
}

/** What moved somebody, in words. */
export function causeName(t: TFunction, kind: Cause): string {
  return t(`cause.${kind}`)
}
