import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { isProblem } from '../../api/errors.ts'
import {
  type Segment,
  type SegmentSize,
  SIZE_DAYS,
  segmentSizesQuery,
  segmentVersionsQuery,
} from '../../api/segment-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Chart, type ChartOption } from '../../ui/Chart.tsx'
import { ChartFrame } from '../../ui/ChartFrame.tsx'
import { chartPalette } from '../../ui/chart-theme.ts'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { useIsDark } from '../../ui/preferences.ts'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { sizeByDay } from './days.ts'
import { UseName } from './UseName.tsx'
import type { Words } from './words.ts'

interface SegmentHistoryProps {
  segment: Segment
  isTable: boolean
  words: Words
}

/** How its size went, what it asked for before, and what uses it. */
export function SegmentHistory({ segment, isTable, words }: SegmentHistoryProps) {
  return (
    <div className="segment-history">
      <Sizes segment={segment} isTable={isTable} />
      <Versions segment={segment} words={words} />
      <Uses segment={segment} />
    </div>
  )
}

const HEIGHT_PX = 180

function Sizes({ segment, isTable }: { segment: Segment; isTable: boolean }) {
  const { t } = useTranslation()
  const { day, asOf } = useBrandFormat()
  const navigate = useNavigate()
  const { data, error, isFetching, refetch } = useQuery({
    ...segmentSizesQuery(segment.segment_id),
    // Of the whole brand: who sees but their own customers is not asked for it.
    enabled: segment.size !== null,
  })
  const days = useMemo(() => sizeByDay(data?.sizes ?? [], day(asOf), SIZE_DAYS), [data, day, asOf])
  return (
    <ChartFrame
      id="sizes-title"
      title={t('segment_page.sizes')}
      aside={t('segment_page.sizes_aside')}
      isTable={isTable}
      onTable={(table) =>
        void navigate({
          to: '.',
          search: (now: Record<string, unknown>) => {
            const { table: _table, ...rest } = now
            return table ? { ...rest, table: true } : rest
          },
          replace: true,
          resetScroll: false,
        })
      }
      csv={{
        name: `segment-${segment.segment_id}-sizes`,
        rows: [[t('segment_page.day'), t('segment_page.size')], ...days.map((one) => [one.day, one.size])],
      }}
    >
      {segment.size === null ? (
        <p className="soft">{t('segment_page.sizes_own')}</p>
      ) : error ? (
        <ProblemPanel
          title={t('problem.segments')}
          error={error}
          kept={isProblem(error) && error.status === 403 ? t('segment_page.sizes_own') : t('problem.kept')}
          onRetry={() => void refetch()}
          retrying={isFetching}
        />
      ) : !data ? (
        <div role="status" aria-label={t('app.loading')}>
          <SkeletonRows lines={[88, 92, 80]} />
        </div>
      ) : days.length === 0 ? (
        <p className="soft">{t('segment_page.sizes_none')}</p>
      ) : isTable ? (
        <SizeTable sizes={data.sizes} />
      ) : (
        <SizeChart days={days} />
      )}
    </ChartFrame>
  )
}

function SizeTable({ sizes }: { sizes: readonly SegmentSize[] }) {
  const { t } = useTranslation()
  const { count, signed } = useBrandFormat()
  return (
    <table className="plain sizes-table" aria-label={t('segment_page.sizes')}>
      <thead>
        <tr>
          <th scope="col">{t('segment_page.day')}</th>
          <th scope="col" className="number">
            {t('segment_page.size')}
          </th>
          <th scope="col" className="number">
            {t('segment_page.size_change')}
          </th>
        </tr>
      </thead>
      <tbody>
        {sizes
          .map((one, index) => ({ ...one, before: sizes[index - 1]?.size }))
          .toReversed()
          .map(({ day, size, before }) => (
            <tr key={day}>
              <th scope="row">{day}</th>
              <td className="number">{count(size)}</td>
              <td className="number">
                {before === undefined ? <span className="faint">–</span> : signed(size - before)}
              </td>
            </tr>
          ))}
      </tbody>
    </table>
  )
}

function SizeChart({ days }: { days: readonly SegmentSize[] }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const isDark = useIsDark()
  const optionFor = useCallback((): ChartOption => {
    const palette = chartPalette(isDark)
    const last = days.length - 1
    return {
      grid: { left: 52, right: 56, top: 18, bottom: 28 },
      tooltip: {
        trigger: 'axis',
        renderMode: 'richText',
        formatter: (shown) => {
          const one = days[(Array.isArray(shown) ? shown[0] : shown)?.dataIndex ?? -1]
          return one ? `${one.day}  ${count(one.size)}` : ''
        },
      },
      xAxis: {
        type: 'category',
        data: days.map(({ day }) => day),
        boundaryGap: days.length === 1,
        axisLabel: { formatter: (day: string) => day.slice(5), hideOverlap: true },
      },
      yAxis: {
        type: 'value',
        min: 0,
        minInterval: 1,
        splitNumber: 3,
        axisLabel: { formatter: (value: number) => count(value) },
      },
      series: [
        {
          type: 'line',
          // A size holds up to the day on which it changes: it does not slide there.
          step: 'end',
          data: days.map(({ size }, index) => ({
            value: size,
            symbol: index === last ? 'circle' : 'none',
            label: { show: index === last },
          })),
          symbolSize: 7,
          showAllSymbol: true,
          label: {
            position: 'right',
            color: palette.ink,
            formatter: ({ dataIndex }) => count(days[dataIndex]?.size ?? 0),
          },
          lineStyle: { color: palette.accent, width: 2 },
          itemStyle: { color: palette.accent },
          areaStyle: { color: palette.accent, opacity: 0.08 },
        },
      ],
    }
  }, [days, isDark, count])
  return (
    <Chart
      label={t('segment_page.sizes_chart', { from: count(days[0]?.size ?? 0), to: count(days.at(-1)?.size ?? 0) })}
      heightPx={HEIGHT_PX}
      optionFor={optionFor}
    />
  )
}

function Versions({ segment, words }: { segment: Segment; words: Words }) {
  const { t } = useTranslation()
  const { instant } = useBrandFormat()
  const { data, error, isFetching, refetch } = useQuery(segmentVersionsQuery(segment.segment_id))
  return (
    <section aria-labelledby="versions-title">
      <h2 id="versions-title">{t('segment_page.versions')}</h2>
      {error && !data ? (
        <ProblemPanel
          title={t('problem.segments')}
          error={error}
          kept={t('problem.kept')}
          onRetry={() => void refetch()}
          retrying={isFetching}
        />
      ) : !data ? (
        <div role="status" aria-label={t('app.loading')}>
          <SkeletonRows lines={[60, 52]} />
        </div>
      ) : (
        <ol className="versions">
          {data.versions.map((one) => (
            <li key={one.version}>
              <p className="version-head">
                <strong>{t('segment_page.version', { version: one.version })}</strong>
                {one.version === segment.version && <span className="tag">{t('segment_page.in_force')}</span>}
                <span className="soft">
                  {instant(one.made_at)} {segment.made_by === '' ? '' : one.made_by}
                </span>
              </p>
              <p>{words.sentence(one.definition)}</p>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

function Uses({ segment }: { segment: Segment }) {
  const { t } = useTranslation()
  return (
    <section aria-labelledby="uses-title">
      <h2 id="uses-title">{t('segment_page.uses')}</h2>
      {segment.used_by.length === 0 ? (
        <p className="soft">{t('segment_page.uses_none')}</p>
      ) : (
        <>
          <ul className="uses">
            {segment.used_by.map((use) => (
              <li key={`${use.user_kind} ${use.user_id}`}>
                <UseName use={use} />
              </li>
            ))}
          </ul>
          <p className="note">{t('segment_page.uses_some')}</p>
        </>
      )}
    </section>
  )
}
