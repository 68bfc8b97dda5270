import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type NetDeepening, netDeepeningQuery } from '../../api/queries.ts'
import { opens, type Way } from '../../paths.ts'
import { useBeside } from '../../ui/beside.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { ChartFrame } from '../../ui/ChartFrame.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { MonthChart } from './MonthChart.tsx'
import { MonthTable } from './MonthTable.tsx'

const MONTHS = 12

export type Month = NetDeepening['months'][number]

/** Net deepening over time. Picking a month makes it the span of the page and opens who moved in it. */
export function Months() {
  const { t } = useTranslation()
  const { day } = useBrandFormat()
  const navigate = useNavigate()
  const beside = useBeside()
  const [isTable, setTable] = useState(false)
  const { data, error, isFetching, refetch } = useQuery(netDeepeningQuery(MONTHS))
  const months = data?.months ?? []
  const isStill = months.every(({ ups, downs }) => ups === 0 && downs === 0)
  const nameOf = (month: Month) => day(month.from).slice(0, 7)
  const pick = (month: Month, way: Way) =>
    void navigate({
      to: '.',
      search: (now: Record<string, unknown>) => ({
        ...beside(opens.moved(way))(now),
        from: month.from,
        to: month.to,
      }),
      resetScroll: false,
    })
  return (
    <ChartFrame
      id="months-title"
      title={t('months.title')}
      aside={t('months.aside')}
      isTable={isTable}
      onTable={setTable}
      csv={{
        name: 'net-deepening',
        rows: [
          [t('months.month'), t('migration.ups'), t('migration.downs'), t('migration.net')],
          ...months.map((month) => [nameOf(month), month.ups, month.downs, month.net_deepening]),
        ],
      }}
    >
      {error ? (
        <ProblemPanel
          title={t('problem.migration')}
          error={error}
          kept={t('problem.kept')}
          onRetry={() => void refetch()}
          retrying={isFetching}
        />
      ) : !data ? (
        <div role="status" aria-label={t('app.loading')}>
          <SkeletonRows lines={[88, 92, 80, 84]} />
        </div>
      ) : isStill ? (
        <p className="soft">{t('months.still')}</p>
      ) : isTable ? (
        <MonthTable months={months} nameOf={nameOf} />
      ) : (
        <MonthChart months={months} nameOf={nameOf} onPick={pick} />
      )}
    </ChartFrame>
  )
}
