import { useInfiniteQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type ListedPerson, type PeopleFilter, peopleQuery } from '../../api/queries.ts'
import type { Opened } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { PeopleTable } from './PeopleTable.tsx'

interface PeopleListProps {
  title: string
  /** Who is in it, in words. */
  rule: string
  filter: PeopleFilter
  asOf: string | undefined
  openedBy: (person: ListedPerson) => Opened
}

export function PeopleList({ title, rule, filter, asOf, openedBy }: PeopleListProps) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery(
    peopleQuery(filter, asOf),
  )
  const pages = data?.pages.map((page) => page.people).filter((people) => people.length > 0) ?? []
  const total = data?.pages.at(-1)?.total ?? 0
  const shown = pages.reduce((sum, people) => sum + people.length, 0)

  return (
    <div className="pane-body">
      <p className="list-rule">
        {data && <strong className="list-total">{t('list.total', { people: count(total), count: total })}</strong>}
        <span>{rule}</span>
      </p>
      {!data && !error && (
        <div role="status" aria-label={t('list.loading')}>
          <SkeletonRows lines={[46, 40, 52, 38, 44, 49, 41, 47]} />
        </div>
      )}
      {data && shown === 0 && <p className="soft">{t('list.empty')}</p>}
      {shown > 0 && (
        <PeopleTable label={title} pages={pages} showsDepth={filter.depth === undefined} openedBy={openedBy} />
      )}
      {error && (
        <ProblemPanel
          title={t('problem.list')}
          error={error}
          kept={t('problem.kept')}
          onRetry={() => void (data ? fetchNextPage() : refetch())}
          retrying={isFetching}
        />
      )}
      {shown > 0 && (
        <p className="list-more">
          <span className="soft">{t('list.shown', { shown: count(shown), total: count(total) })}</span>
          {hasNextPage && !error && (
            <Button onClick={() => void fetchNextPage()} loading={isFetchingNextPage}>
              {t('list.more')}
            </Button>
          )}
        </p>
      )}
    </div>
  )
}
