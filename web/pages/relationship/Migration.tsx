import './relationship.css'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { type BrandInfo, type MigrationReport, migrationQuery, type Span } from '../../api/queries.ts'
import type { RelationshipSearch } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { PageHeader, WithBrand } from '../../ui/WithBrand.tsx'
import { PeopleDrawer } from '../people/PeopleDrawer.tsx'
import { Causes } from './Causes.tsx'
import { Flows } from './Flows.tsx'
import { Months } from './Months.tsx'
import { NetDeepening } from './NetDeepening.tsx'
import { RelationshipTabs } from './RelationshipTabs.tsx'
import { SpanPicker } from './SpanPicker.tsx'
import { spanOf } from './span.ts'

/** Who moved between two instants (M2): how many, from where to where, by what, and month after month. */
export function Migration({ search }: { search: RelationshipSearch }) {
  const { t } = useTranslation()
  return (
    <WithBrand title={t('relationship.title')}>{(brand) => <MigrationPage brand={brand} search={search} />}</WithBrand>
  )
}

function MigrationPage({ brand, search }: { brand: BrandInfo; search: RelationshipSearch }) {
  const { t } = useTranslation()
  const span = useSpan(brand, search)
  return (
    <>
      <article className="relationship">
        <PageHeader brand={brand} title={t('relationship.title')}>
          <span>{t('today.zone', { zone: brand.zone })}</span>
          <span>{t('today.period', { days: brand.period_days })}</span>
        </PageHeader>
        <RelationshipTabs />
        {span && <SpanPicker span={span} brand={brand} />}
        {span && <Report span={span} isTable={search.table === true} />}
        <Months />
      </article>
      <PeopleDrawer search={search} span={span} />
    </>
  )
}

/**
 * The span that the address names. Without one it is the last 30 days, and the address is given its two instants: a link
 * that is sent shows what its sender saw, and a list has as many people as the figure that opened it.
 */
function useSpan(brand: BrandInfo, { from, to }: RelationshipSearch): Span | undefined {
  const navigate = useNavigate()
  const isNamed = from !== undefined && to !== undefined
  useEffect(() => {
    if (isNamed) return
    const end = to ?? brand.now
    const chosen = { ...spanOf('days_30', end, brand.zone), ...(from === undefined ? {} : { from }) }
    void navigate({
      to: '.',
      search: (now: Record<string, unknown>) => ({ ...now, ...chosen }),
      replace: true,
      resetScroll: false,
    })
  }, [isNamed, from, to, brand.now, brand.zone, navigate])
  return isNamed ? { from, to } : undefined
}

function Report({ span, isTable }: { span: Span; isTable: boolean }) {
  const { t } = useTranslation()
  // While another span is read the one before stays, paler: the page does not jump.
  const { data, error, isFetching, isPlaceholderData, refetch } = useQuery({
    ...migrationQuery(span),
    placeholderData: keepPreviousData,
  })
  if (error) {
    return (
      <ProblemPanel
        title={t('problem.migration')}
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
        <SkeletonRows lines={[40, 34, 47]} />
        <SkeletonRows lines={[90, 72, 84, 66, 78]} />
      </div>
    )
  }
  return (
    <div className={isPlaceholderData ? 'stale' : undefined} aria-busy={isPlaceholderData}>
      {data.people === 0 ? <Nobody report={data} /> : <Moved report={data} span={span} isTable={isTable} />}
    </div>
  )
}

function Nobody({ report }: { report: MigrationReport }) {
  const { t } = useTranslation()
  const { instant } = useBrandFormat()
  return (
    <section className="no-data" aria-labelledby="nobody-title">
      <h2 id="nobody-title">{t('migration.nobody_title')}</h2>
      <p>{t('migration.nobody_text', { at: instant(report.to) })}</p>
    </section>
  )
}

function Moved({ report, span, isTable }: { report: MigrationReport; span: Span; isTable: boolean }) {
  return (
    <>
      <NetDeepening report={report} span={span} />
      <Flows report={report} isTable={isTable} />
      <Causes report={report} />
    </>
  )
}
