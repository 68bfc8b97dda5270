import './today.css'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type Brief, briefQuery } from '../../api/queries.ts'
import type { TodaySearch } from '../../paths.ts'
import { BrandFormatProvider, useBrandFormat } from '../../ui/brand-format.tsx'
import { instant, longDay } from '../../ui/format.ts'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { useLanguage } from '../../ui/preferences.ts'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { useMay, useSees } from '../../ui/session.ts'
import { ViewTags } from '../../ui/ViewTags.tsx'
import { PeopleDrawer } from '../people/PeopleDrawer.tsx'
import { AtRisk } from './AtRisk.tsx'
import { Depths } from './Depths.tsx'
import { FirstThings } from './FirstThings.tsx'
import { isEmpty } from './first.ts'
import { KeyFigures } from './KeyFigures.tsx'
import { LapsesNext } from './LapsesNext.tsx'
import { SinceYesterday } from './SinceYesterday.tsx'

export function Today({ search }: { search: TodaySearch }) {
  const { t } = useTranslation()
  const { data: brief, error, isFetching, refetch, dataUpdatedAt } = useQuery(briefQuery(search.as_of))
  const retry = () => void refetch()
  const isOwn = useSees()?.people === 'own'

  if (!brief) {
    return (
      <article className="today" aria-busy={!error}>
        <h1>{t('today.title')}</h1>
        {error ? (
          <ProblemPanel
            title={t('problem.today')}
            error={error}
            kept={t('problem.kept')}
            onRetry={retry}
            retrying={isFetching}
          />
        ) : (
          <TodaySkeleton />
        )}
      </article>
    )
  }

  return (
    <BrandFormatProvider brand={brief.brand} asOf={brief.as_of}>
      <article className="today">
        <TodayHeader brief={brief} isPast={search.as_of !== undefined} />
        {error && (
          <ProblemPanel
            title={t('problem.refresh')}
            error={error}
            kept={t('problem.kept_shown', { at: instant(new Date(dataUpdatedAt).toISOString(), brief.brand.zone) })}
            onRetry={retry}
            retrying={isFetching}
          />
        )}
        {isEmpty(brief) ? (
          isOwn ? (
            <p className="nobody">{t('view.own_none')}</p>
          ) : (
            <NoData />
          )
        ) : (
          <TodayBody brief={brief} isPast={search.as_of !== undefined} />
        )}
      </article>
      <PeopleDrawer brief={brief} search={search} asOf={search.as_of} />
    </BrandFormatProvider>
  )
}

function TodayHeader({ brief, isPast }: { brief: Brief; isPast: boolean }) {
  const { t } = useTranslation()
  const language = useLanguage()
  const { brand, as_of } = brief
  return (
    <header className="today-header">
      <div className="today-title">
        <h1>{t('today.title')}</h1>
        <p className="today-day">{longDay(as_of, brand.zone, language)}</p>
        <Button type="text" className="today-print" onClick={() => window.print()}>
          {t('today.print')}
        </Button>
      </div>
      <p className="today-facts">
        <strong className="today-brand">{brand.name}</strong>
        {brand.is_demo && <span className="tag">{t('today.demo')}</span>}
        <ViewTags />
        <span>
          <time dateTime={as_of}>{t('today.as_of', { at: instant(as_of, brand.zone) })}</time>
        </span>
        <span>{t('today.zone', { zone: brand.zone })}</span>
        <span>{t('today.period', { days: brand.period_days })}</span>
      </p>
      {isPast && (
        <p className="today-past" role="status">
          {t('today.past', { at: instant(as_of, brand.zone) })}{' '}
          <Link to="/" search={{}}>
            {t('today.back_to_now')}
          </Link>
        </p>
      )}
    </header>
  )
}

function TodayBody({ brief, isPast }: { brief: Brief; isPast: boolean }) {
  // An import brought everybody's rows: it is no figure of one's own customers.
  const isOwn = useSees()?.people === 'own'
  return (
    <>
      <div className="today-columns">
        <KeyFigures brief={brief} isPast={isPast} />
        <FirstThings brief={brief} />
      </div>
      {!isPast && <AtRisk />}
      <SinceYesterday brief={brief} />
      <Depths brief={brief} />
      <LapsesNext brief={brief} />
      {!isOwn && <LastImport brief={brief} />}
    </>
  )
}

function NoData() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const mayImport = useMay('imports:manage')
  return (
    <section className="no-data" aria-labelledby="empty-title">
      <h2 id="empty-title">{t('empty.title')}</h2>
      <p>{t(mayImport ? 'empty.text' : 'empty.other')}</p>
      {mayImport && (
        <p>
          <Button type="primary" onClick={() => void navigate({ to: '/import' })}>
            {t('empty.button')}
          </Button>
        </p>
      )}
      <p className="soft">{t('empty.after')}</p>
    </section>
  )
}

function LastImport({ brief }: { brief: Brief }) {
  const { t } = useTranslation()
  const { count, when } = useBrandFormat()
  const last = brief.last_import
  return (
    <footer className="last-import">
      <h2>{t('import.title')}</h2>
      {last === null ? (
        <p>{t('import.none')}</p>
      ) : (
        <p>
          {t('import.text', {
            file: last.file_name,
            at: when(last.finished_at),
            rows_in: count(last.rows_in),
            stored: count(last.rows_stored),
            merged: count(last.rows_merged),
            rejected: count(last.rows_rejected),
          })}
        </p>
      )}
    </footer>
  )
}

function TodaySkeleton() {
  const { t } = useTranslation()
  return (
    <div role="status" aria-label={t('app.loading')}>
      <div className="today-columns">
        <SkeletonRows lines={[34, 52, 44, 40, 61, 57]} />
        <SkeletonRows lines={[70, 82, 38, 42, 46]} />
      </div>
      <SkeletonRows lines={[100, 30, 26, 33, 28, 31]} />
      <SkeletonRows lines={[55, 53, 58, 51]} />
    </div>
  )
}
