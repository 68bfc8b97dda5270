import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { ProblemPanel } from './ProblemPanel.tsx'
import { SkeletonRows } from './Skeleton.tsx'

interface LoadedProps<Answer> {
  query: UseQueryResult<Answer>
  /** Said when it cannot be read. */
  problem: string
  /** Of the rows that come, see `SkeletonRows`. */
  lines?: readonly number[]
  /** What is waited for, where that is not plain. */
  waiting?: string
  children: (answer: Answer) => ReactNode
}

/** What a page or a part of it shows once it has its answer, and before, and instead. */
export function Loaded<Answer>({ query, problem, lines = [44, 52, 38, 47], waiting, children }: LoadedProps<Answer>) {
  const { t } = useTranslation()
  const { data, error, isFetching, refetch } = query
  if (data !== undefined) return children(data)
  return error ? (
    <ProblemPanel
      title={problem}
      error={error}
      kept={t('problem.kept')}
      onRetry={() => void refetch()}
      retrying={isFetching}
    />
  ) : (
    <div role="status" aria-label={waiting ?? t('app.loading')}>
      <SkeletonRows lines={lines} />
    </div>
  )
}
