import { useInfiniteQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { type TimelineEntry, timelineQuery } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { channelName } from './PersonIdentities.tsx'

/** All that happened with one person, newest first: what they did, and what was agreed and begun. */
export function Timeline({ personId }: { personId: number }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery(
    timelineQuery(personId),
  )
  const entries = data?.pages.flatMap((page) => page.entries) ?? []
  const total = data?.pages.at(-1)?.total ?? 0
  return (
    <section aria-labelledby="timeline-title">
      <h2 id="timeline-title">
        {t('timeline.title')}{' '}
        {data && <span className="aside">{t('timeline.total', { facts: count(total), count: total })}</span>}
      </h2>
      {!data && !error && (
        <div role="status" aria-label={t('list.loading')}>
          <SkeletonRows lines={[52, 48, 60, 44, 56, 50]} />
        </div>
      )}
      {data && entries.length === 0 && <p className="soft">{t('timeline.none')}</p>}
      {entries.length > 0 && (
        <ol className="timeline">
          {entries.map((entry) => (
            <Entry key={`${entry.kind} ${entry.fact_id}`} entry={entry} />
          ))}
        </ol>
      )}
      {error && (
        <ProblemPanel
          title={t('problem.timeline')}
          error={error}
          kept={t('problem.kept')}
          onRetry={() => void (data ? fetchNextPage() : refetch())}
          retrying={isFetching}
        />
      )}
      {entries.length > 0 && (
        <p className="list-more">
          <span className="soft">{t('list.shown', { shown: count(entries.length), total: count(total) })}</span>
          {hasNextPage && !error && (
            <Button onClick={() => void fetchNextPage()} loading={isFetchingNextPage}>
              {t('timeline.more')}
            </Button>
          )}
        </p>
      )}
    </section>
  )
}

function Entry({ entry }: { entry: TimelineEntry }) {
  const { t } = useTranslation()
  const { day, clock, money } = useBrandFormat()
  const { title, detail } = wordsOf(t, entry)
  return (
    <li>
      <time dateTime={entry.at} title={`${day(entry.at)} ${clock(entry.at)}`}>
        {day(entry.at)}
        <span className="faint"> {clock(entry.at)}</span>
      </time>
      <p>
        <span className="timeline-kind">{title}</span> {detail.join(' · ')}
        {entry.source !== null && (
          <span className="timeline-source faint">{[entry.source, entry.external_id].filter(Boolean).join(' ')}</span>
        )}
      </p>
      {entry.amount_minor !== null && (
        <span className="number value">
          {entry.kind === 'refund' ? `−${money(entry.amount_minor)}` : money(entry.amount_minor)}
        </span>
      )}
    </li>
  )
}

const INTERACTIONS = [
  'details_left',
  'share',
  'reply',
  'quiz',
  'check_in',
  'like',
  'comment',
  'click',
  'open',
  'view',
  'cart',
  'question',
  'coupon',
] as const

function wordsOf(t: TFunction, entry: TimelineEntry): { title: string; detail: string[] } {
  const { what, note, items, state, rating } = entry
  const known = (values: readonly (string | null)[]) => values.filter((value) => value !== null)
  switch (entry.kind) {
    case 'interaction': {
      const type = INTERACTIONS.find((name) => name === what)
      return {
        title: type ? t(`interaction.${type}`) : (what ?? t('person.fact_interaction')),
        detail: known([note, ...items]),
      }
    }
    case 'review':
      return {
        title: t('timeline.review'),
        detail: known([
          rating === null ? null : t('timeline.rating', { rating }),
          state === 'recommended' ? t('timeline.recommended') : null,
          ...items,
        ]),
      }
    case 'connection':
    case 'end_of_connection':
      return { title: t(`timeline.${entry.kind}`), detail: known([what && channelName(t, what), note]) }
    case 'consent':
      return {
        title: t(state === 'granted' ? 'timeline.consent_granted' : 'timeline.consent_withdrawn'),
        detail: known([
          what === 'marketing' || what === 'calls' || what === 'health' ? t(`purpose.${what}`) : what,
          items[0] === undefined ? t('timeline.every_channel') : channelName(t, items[0]),
          note,
        ]),
      }
    case 'spread':
      return { title: t('timeline.spread'), detail: state === 'voided' ? [t('timeline.voided')] : [] }
    default:
      return { title: t(`timeline.${entry.kind}`), detail: known([what, note, ...items]) }
  }
}
