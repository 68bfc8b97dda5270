import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { type ListedPerson, type PeopleFilter, peopleQuery } from '../../api/queries.ts'
import type { Opened } from '../../paths.ts'
import { PagedList } from './PagedList.tsx'
import { PeopleTable } from './PeopleTable.tsx'

interface PeopleListProps {
  title: string
  /** Who is in it, in words. */
  rule: string
  filter: PeopleFilter
  asOf: string | undefined
  empty?: ReactNode
  openedBy: (person: ListedPerson) => Opened
}

export function PeopleList({ title, rule, filter, asOf, empty, openedBy }: PeopleListProps) {
  const query = useInfiniteQuery(peopleQuery(filter, asOf))
  const pages = query.data?.pages.map((page) => page.people).filter((people) => people.length > 0) ?? []
  return (
    <PagedList
      query={query}
      rule={rule}
      total={query.data?.pages.at(-1)?.total ?? 0}
      isMinimum={query.data?.pages.at(-1)?.is_total_minimum ?? false}
      shown={pages.reduce((sum, people) => sum + people.length, 0)}
      empty={empty}
    >
      <PeopleTable label={title} pages={pages} showsDepth={filter.depth === undefined} openedBy={openedBy} />
    </PagedList>
  )
}
