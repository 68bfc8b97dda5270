import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query'
import { Button } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'

interface PagedListProps {
  query: UseInfiniteQueryResult<InfiniteData<unknown>>
  /** Who is in it, in words. */
  rule: string
  total: number
  /** There are more than were looked at. */
  isMinimum?: boolean
  shown: number
  /** Said in place of the table when nobody is in it. */
  empty?: ReactNode
  /** The table, without rows as long as there are none. */
  children: ReactNode
}

/** What every list of people has around its table: how many, which ones, the next page, and what went wrong. */
export function PagedList({ query, rule, total, isMinimum = false, shown, empty, children }: PagedListProps) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = query
  return (
    <div className="pane-body">
      <p className="list-rule">
        {data && (
          <strong className="list-total">
            {t(isMinimum ? 'list.total_least' : 'list.total', { people: count(total), count: total })}
          </strong>
        )}
        <span>{rule}</span>
        {isMinimum && <span>{t('list.least_hint')}</span>}
      </p>
      {!data && !error && (
        <div role="status" aria-label={t('list.loading')}>
          <SkeletonRows lines={[46, 40, 52, 38, 44, 49, 41, 47]} />
        </div>
      )}
      {data && shown === 0 && (empty ?? <p className="soft">{t('list.empty')}</p>)}
      {shown > 0 && children}
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
