import './relationship.css'
import { useQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type SegmentMatrix, segmentMatrixQuery } from '../../api/queries.ts'
import { type Opened, opens, RFM_SEGMENTS, type RfmSegment } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { csvText, download } from '../../ui/csv.ts'
import { DepthName, depthNameKey } from '../../ui/Depth.tsx'
import { Figure } from '../../ui/Figure.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { PageHeader, WithBrand } from '../../ui/WithBrand.tsx'
import { PeopleDrawer } from '../people/PeopleDrawer.tsx'
import { RelationshipTabs } from './RelationshipTabs.tsx'

/** How deep against how valuable, as of now: each cell opens exactly its people. */
export function Segments({ search }: { search: Opened }) {
  const { t } = useTranslation()
  return (
    <WithBrand title={t('relationship.title')}>
      {(brand) => (
        <>
          <article className="relationship">
            <PageHeader brand={brand} title={t('relationship.title')} />
            <RelationshipTabs />
            <Matrix />
          </article>
          <PeopleDrawer search={search} />
        </>
      )}
    </WithBrand>
  )
}

function Matrix() {
  const { t } = useTranslation()
  const { instant } = useBrandFormat()
  const { data, error, isFetching, refetch } = useQuery(segmentMatrixQuery)
  if (error && !data) {
    return (
      <ProblemPanel
        title={t('problem.page')}
        error={error}
        kept={t('problem.kept')}
        onRetry={() => void refetch()}
        retrying={isFetching}
      />
    )
  }
  if (!data) {
    return (
      <div role="status" aria-label={t('app.loading')}>
        <SkeletonRows lines={[90, 88, 92, 86, 84, 89]} />
      </div>
    )
  }
  return (
    <section aria-labelledby="segments-title">
      <div className="chart-head">
        <h2 id="segments-title">
          {t('segments.title')} <span className="aside">{t('today.as_of', { at: instant(data.as_of) })}</span>
        </h2>
        <CsvButton matrix={data} />
      </div>
      {data.people === 0 ? <p className="soft">{t('list.empty')}</p> : <MatrixTable matrix={data} />}
      <p className="note">{t('segments.note')}</p>
    </section>
  )
}

function CsvButton({ matrix }: { matrix: SegmentMatrix }) {
  const { t } = useTranslation()
  const { day } = useBrandFormat()
  const rows = matrix.cells.map((cell) => [
    cell.depth,
    t(depthNameKey(cell.depth)),
    t(`segment.${cell.rfm_segment}`),
    cell.people,
  ])
  const header = [t('depth.level'), t('csv.depth_name'), t('person.segment'), t('depth.people')]
  return (
    <Button
      type="text"
      size="small"
      onClick={() =>
        download(`depth-segments-${day(matrix.as_of)}.csv`, csvText([header, ...rows]), 'text/csv;charset=utf-8')
      }
    >
      {t('chart.csv')}
    </Button>
  )
}

const DEPTHS = [5, 4, 3, 2, 1, 0] as const

function MatrixTable({ matrix }: { matrix: SegmentMatrix }) {
  const { t } = useTranslation()
  const peopleAt = (depth: number | undefined, segment: RfmSegment | undefined) =>
    matrix.cells
      .filter((cell) => (depth ?? cell.depth) === cell.depth && (segment ?? cell.rfm_segment) === cell.rfm_segment)
      .reduce((sum, cell) => sum + cell.people, 0)
  const largest = Math.max(1, ...matrix.cells.map((cell) => cell.people))
  const columns = [...RFM_SEGMENTS, undefined]
  return (
    <div className="wide-table">
      <table className="matrix segment-matrix">
        <thead>
          <tr>
            <th scope="col">{t('segments.corner')}</th>
            {columns.map((segment) => (
              <th key={segment ?? 'all'} scope="col" className="number">
                {segment === undefined ? t('migration.all') : t(`segment.${segment}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...DEPTHS, undefined].map((depth) => (
            <tr key={depth ?? 'all'} className={depth === undefined ? 'matrix-total' : undefined}>
              <th scope="row">{depth === undefined ? t('migration.all') : <DepthName depth={depth} />}</th>
              {columns.map((segment) => (
                <MatrixCell
                  key={segment ?? 'all'}
                  depth={depth}
                  segment={segment}
                  people={peopleAt(depth, segment)}
                  largest={largest}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface MatrixCellProps {
  /** Undefined: all of them. */
  depth: number | undefined
  segment: RfmSegment | undefined
  people: number
  largest: number
}

/** The most people a tint stands for: text on it keeps its contrast. */
const TINT_MAX_PERCENT = 30

function MatrixCell({ depth, segment, people, largest }: MatrixCellProps) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const isTotal = depth === undefined || segment === undefined
  const names = [
    depth === undefined ? t('migration.all') : `${depth} ${t(depthNameKey(depth))}`,
    segment === undefined ? t('migration.all') : t(`segment.${segment}`),
  ]
  // By area, as an eye reads it: a cell of a quarter of the people is half as strong.
  const tint = isTotal ? 0 : Math.round(Math.sqrt(people / largest) * TINT_MAX_PERCENT)
  return (
    <td
      className="number"
      style={tint > 0 ? { background: `color-mix(in srgb, var(--value) ${tint}%, transparent)` } : undefined}
    >
      {people === 0 ? (
        <span className="faint">0</span>
      ) : (
        <Figure
          opened={
            isTotal && depth === undefined && segment === undefined ? opens.people : opens.standing(depth, segment)
          }
          label={t('figures.open', { name: names.join(' · '), value: count(people) })}
        >
          {count(people)}
        </Figure>
      )}
    </td>
  )
}
