import '../people/people.css'
import './segments.css'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type ListedSegment, segmentsQuery } from '../../api/segment-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { useMay } from '../../ui/session.ts'
import { When } from '../../ui/When.tsx'
import { PageHeader, WithBrand } from '../../ui/WithBrand.tsx'
import { PeopleTabs } from '../people/PeopleTabs.tsx'
import { UseName } from './UseName.tsx'

/** Every segment with its size, how that changed, and what uses it. */
export function SegmentList() {
  const { t } = useTranslation()
  return (
    <WithBrand title={t('people.title')}>
      {(brand) => (
        <article className="people-page segments-page">
          <PageHeader brand={brand} title={t('people.title')} />
          <PeopleTabs />
          <Body />
        </article>
      )}
    </WithBrand>
  )
}

const LIST_FRESH_MS = 5_000

function Body() {
  const { t } = useTranslation()
  const mayWrite = useMay('segments:write')
  const query = useQuery({ ...segmentsQuery, refetchInterval: LIST_FRESH_MS })
  return (
    <Loaded query={query} problem={t('problem.segments')} lines={[34, 42, 38, 46]}>
      {({ segments }) =>
        segments.length === 0 ? (
          <section className="nobody" aria-labelledby="segments-none">
            <h2 id="segments-none">{t('segment_list.none_title')}</h2>
            <p>{t('segment_list.lead')}</p>
            <p className="soft">{t(mayWrite ? 'segment_list.none' : 'segment_list.none_read')}</p>
            {mayWrite && <NewButton />}
          </section>
        ) : (
          <section aria-label={t('nav.tab_segments')}>
            <div className="segments-head">
              <p className="soft">{t('segment_list.lead')}</p>
              {mayWrite && <NewButton />}
            </div>
            <SegmentTable segments={segments} />
          </section>
        )
      }
    </Loaded>
  )
}

function NewButton() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  return (
    <Button type="primary" onClick={() => void navigate({ to: '/people/segments/new', search: {} })}>
      {t('segment_list.new')}
    </Button>
  )
}

function SegmentTable({ segments }: { segments: readonly ListedSegment[] }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  return (
    <table className="plain segment-table" aria-label={t('nav.tab_segments')}>
      <thead>
        <tr>
          <th scope="col">{t('segment_list.name')}</th>
          <th scope="col" className="number">
            {t('segment_list.size')}
          </th>
          <th scope="col" className="number">
            {t('segment_list.change')}
          </th>
          <th scope="col" className="segment-uses">
            {t('segment_list.used_by')}
          </th>
          <th scope="col" className="number">
            {t('segment_list.evaluated')}
          </th>
        </tr>
      </thead>
      <tbody>
        {segments.map((segment) => (
          <tr key={segment.segment_id}>
            <th scope="row" className="segment-name">
              <Link to="/people/segments/$segment_id" params={{ segment_id: segment.segment_id }} search={{}}>
                {segment.name}
              </Link>
            </th>
            <td className="number segment-size">
              {segment.size === null ? (
                <span className="faint" title={t('segment_list.own')}>
                  –
                </span>
              ) : (
                <Link
                  to="/people/segments/$segment_id"
                  params={{ segment_id: segment.segment_id }}
                  search={{}}
                  className="figure"
                  aria-label={t('figures.open', { name: segment.name, value: count(segment.size) })}
                >
                  {count(segment.size)}
                </Link>
              )}
            </td>
            <td className="number segment-change">
              <span className="narrow-label">{t('segment_list.change')}</span>
              <Change segment={segment} />
            </td>
            <td className="segment-uses">
              <span className="narrow-label">{t('segment_list.used_by')}</span>
              {segment.used_by.length === 0 ? (
                <span className="faint">{t('segment_list.not_used')}</span>
              ) : (
                segment.used_by.map((use, index) => (
                  <span key={`${use.user_kind} ${use.user_id}`}>
                    {index > 0 && t('sentence.list')}
                    <UseName use={use} />
                  </span>
                ))
              )}
            </td>
            <td className="number segment-evaluated">
              {segment.evaluated_at === null ? (
                <span className="faint">{t('segment_list.due')}</span>
              ) : (
                <When at={segment.evaluated_at} />
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Change({ segment: { size, size_7_days_ago: before } }: { segment: ListedSegment }) {
  const { t } = useTranslation()
  const { signed } = useBrandFormat()
  if (size === null) return <span className="faint">–</span>
  if (before === null) return <span className="faint">{t('segment_list.new_since')}</span>
  return <>{signed(size - before)}</>
}
