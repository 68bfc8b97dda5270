import '../people/people.css'
import '../people/person-page.css'
import './segments.css'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { FOLLOW_MS, membersQuery, type Segment, segmentQuery } from '../../api/segment-queries.ts'
import { defined } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { BackIcon } from '../../ui/icons.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { useMay } from '../../ui/session.ts'
import { ViewTags } from '../../ui/ViewTags.tsx'
import { WithBrand } from '../../ui/WithBrand.tsx'
import { PagedList } from '../people/PagedList.tsx'
import { PeopleDrawer } from '../people/PeopleDrawer.tsx'
import { PeopleTable } from '../people/PeopleTable.tsx'
import { DeleteDialog, RenameDialog } from './SegmentDialogs.tsx'
import { SegmentHistory } from './SegmentHistory.tsx'
import type { SegmentSearch } from './search.ts'
import { UseName } from './UseName.tsx'
import { WhyIn } from './WhyIn.tsx'
import { useSegmentNames, useWords } from './words.ts'

interface SegmentPageProps {
  segmentId: number
  search: SegmentSearch
}

/** One segment: what it asks for, who is in it at this moment, and how that came about. */
export function SegmentPage({ segmentId, search }: SegmentPageProps) {
  const { t } = useTranslation()
  return (
    <WithBrand title={t('segment_page.loading')}>{() => <Loaded segmentId={segmentId} search={search} />}</WithBrand>
  )
}

function Loaded({ segmentId, search }: SegmentPageProps) {
  const { t } = useTranslation()
  const {
    data: segment,
    error,
    isFetching,
    refetch,
  } = useQuery({
    ...segmentQuery(segmentId),
    refetchInterval: FOLLOW_MS,
  })
  useFollowed(segment)
  const words = useWords(useSegmentNames())
  if (!segment) {
    return (
      <article aria-busy={!error}>
        <BackToList />
        <h1>{t('segment_page.loading')}</h1>
        {error ? (
          <ProblemPanel
            title={t('problem.segments')}
            error={error}
            kept={t('problem.kept')}
            onRetry={() => void refetch()}
            retrying={isFetching}
          />
        ) : (
          <div role="status" aria-label={t('app.loading')}>
            <SkeletonRows lines={[30, 62, 48, 44]} />
          </div>
        )}
      </article>
    )
  }
  return (
    <>
      <article className="people-page segment-page">
        <BackToList />
        <Head segment={segment} />
        <section aria-labelledby="definition-title">
          <h2 id="definition-title" className="visually-hidden">
            {t('segment_page.definition')}
          </h2>
          <p className="definition-sentence">{words.sentence(segment.definition)}</p>
        </section>
        <SegmentTabs segmentId={segmentId} tab={search.tab} />
        {search.tab === 'history' ? (
          <SegmentHistory segment={segment} isTable={search.table === true} words={words} />
        ) : (
          <Members segment={segment} />
        )}
      </article>
      <PeopleDrawer
        search={defined({ person: search.person })}
        lead={(personId) => <WhyIn segment={segment} personId={personId} words={words} />}
      />
    </>
  )
}

/** Another size: who is in it is asked again, and after that why. */
function useFollowed(segment: Segment | undefined) {
  const client = useQueryClient()
  const { segment_id: segmentId, size, version } = segment ?? {}
  useEffect(() => {
    if (segmentId === undefined || size === undefined || version === undefined) return
    void client
      .refetchQueries({ queryKey: ['segment-members', segmentId] })
      .then(() => client.refetchQueries({ queryKey: ['segment-why', segmentId] }))
  }, [client, segmentId, size, version])
}

function BackToList() {
  const { t } = useTranslation()
  return (
    <p className="back">
      <Link to="/people/segments">
        <BackIcon />
        {t('nav.tab_segments')}
      </Link>
    </p>
  )
}

function Head({ segment }: { segment: Segment }) {
  const { t } = useTranslation()
  const { count, signed, day } = useBrandFormat()
  const navigate = useNavigate()
  const mayWrite = useMay('segments:write')
  const [asked, setAsked] = useState<'rename' | 'delete'>()
  const { size, size_7_days_ago: before, made_by: by, used_by: uses } = segment
  const made = { at: day(segment.made_at) }
  return (
    <header className="page-header segment-head">
      <h1 className="person-name">{segment.name}</h1>
      {mayWrite && (
        <p className="segment-actions">
          <Button
            onClick={() =>
              void navigate({
                to: '/people/segments/$segment_id/edit',
                params: { segment_id: segment.segment_id },
                search: {},
              })
            }
          >
            {t('segment_page.edit')}
          </Button>
          <Button onClick={() => setAsked('rename')}>{t('segment_page.rename')}</Button>
          <Button danger onClick={() => setAsked('delete')}>
            {t('segment_page.delete')}
          </Button>
        </p>
      )}
      <p className="page-facts">
        {size !== null && (
          <strong className="segment-people">{t('segment_page.people', { people: count(size), count: size })}</strong>
        )}
        {size !== null && before !== null && <span>{t('segment_page.change', { change: signed(size - before) })}</span>}
        <span>
          {t('segment_page.version', { version: segment.version })}
          {t('sentence.comma')}
          {by === '' ? t('segment_page.made_at', made) : t('segment_page.made', { ...made, by })}
        </span>
        {uses.length > 0 && (
          <span>
            {t('segment_list.used_by')}{' '}
            {uses.map((use, index) => (
              <span key={`${use.user_kind} ${use.user_id}`}>
                {index > 0 && t('sentence.list')}
                <UseName use={use} />
              </span>
            ))}
          </span>
        )}
        <ViewTags />
      </p>
      {asked === 'rename' && <RenameDialog segment={segment} onClose={() => setAsked(undefined)} />}
      {asked === 'delete' && <DeleteDialog segment={segment} onClose={() => setAsked(undefined)} />}
    </header>
  )
}

function SegmentTabs({ segmentId, tab }: { segmentId: number; tab: SegmentSearch['tab'] }) {
  const { t } = useTranslation()
  const tabs = [
    { name: t('segment_page.tab_members'), search: {}, isCurrent: tab === undefined },
    { name: t('segment_page.tab_history'), search: { tab: 'history' as const }, isCurrent: tab === 'history' },
  ]
  return (
    <nav className="tabs" aria-label={t('segment_page.loading')}>
      <ul>
        {tabs.map(({ name, search, isCurrent }) => (
          <li key={name}>
            <Link
              to="/people/segments/$segment_id"
              params={{ segment_id: segmentId }}
              search={search}
              aria-current={isCurrent ? 'page' : undefined}
              activeProps={{}}
              activeOptions={{ exact: true, includeSearch: true }}
              resetScroll={false}
            >
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  )
}

/** Who is in it now; the list follows the facts while it is looked at. */
function Members({ segment }: { segment: Segment }) {
  const { t } = useTranslation()
  const query = useInfiniteQuery(membersQuery(segment.segment_id, segment.size !== null))
  const pages = query.data?.pages.map((page) => page.people).filter((people) => people.length > 0) ?? []
  return (
    <PagedList
      query={query}
      rule={t('segment_page.rule')}
      total={query.data?.pages.at(-1)?.total ?? 0}
      shown={pages.reduce((sum, people) => sum + people.length, 0)}
      empty={<p className="soft nobody">{t('segment_page.nobody')}</p>}
    >
      <PeopleTable
        label={t('segment_page.members', { name: segment.name })}
        pages={pages}
        openedBy={({ person_id }) => ({ person: person_id })}
      />
    </PagedList>
  )
}
