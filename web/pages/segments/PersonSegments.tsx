import './segments.css'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { type Stay, staysQuery } from '../../api/segment-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { useMay } from '../../ui/session.ts'

const EARLIER_SHOWN_MAX = 5

/** In which segments a person is, since when, and by what they came in; each leads to the reason. */
export function PersonSegments({ personId }: { personId: number }) {
  const { t } = useTranslation()
  const mayRead = useMay('segments:read')
  const { data, error, isFetching, refetch } = useQuery({ ...staysQuery(personId), enabled: mayRead })
  if (!mayRead) return null
  const now = data?.stays.filter((stay) => stay.out_at === null) ?? []
  const earlier = data?.stays.filter((stay) => stay.out_at !== null) ?? []
  return (
    <section aria-labelledby="person-segments-title">
      <h2 id="person-segments-title">{t('person_segments.title')}</h2>
      {error && !data ? (
        <ProblemPanel
          title={t('problem.segments')}
          error={error}
          kept={t('problem.kept')}
          onRetry={() => void refetch()}
          retrying={isFetching}
        />
      ) : !data ? (
        <div role="status" aria-label={t('list.loading')}>
          <SkeletonRows lines={[52, 44]} />
        </div>
      ) : (
        <>
          {now.length === 0 ? (
            <p className="soft">{t('person_segments.none')}</p>
          ) : (
            <ul className="person-segments">
              {now.map((stay) => (
                <StayRow key={`${stay.segment_id} ${stay.in_at}`} stay={stay} personId={personId} />
              ))}
            </ul>
          )}
          {earlier.length > 0 && (
            <>
              <h3 className="soft">{t('person_segments.earlier')}</h3>
              <ul className="person-segments">
                {earlier.slice(0, EARLIER_SHOWN_MAX).map((stay) => (
                  <StayRow key={`${stay.segment_id} ${stay.in_at}`} stay={stay} personId={personId} />
                ))}
              </ul>
            </>
          )}
        </>
      )}
    </section>
  )
}

function StayRow({ stay, personId }: { stay: Stay; personId: number }) {
  const { t } = useTranslation()
  const { day } = useBrandFormat()
  const { in_at: from, out_at: to } = stay
  return (
    <li>
      <Link
        to="/people/segments/$segment_id"
        params={{ segment_id: stay.segment_id }}
        search={{ person: personId }}
        title={t('person_segments.why')}
      >
        {stay.name}
      </Link>
      <span className="soft">
        {to === null
          ? `${t('person_segments.since', { at: day(from) })}${t('sentence.comma')}${causeText(t, stay.in_cause)}`
          : `${t('person_segments.span', { from: day(from), to: day(to) })}${t('sentence.comma')}${causeText(t, stay.out_cause)}`}
      </span>
    </li>
  )
}

const CAUSES = ['fact', 'time', 'definition', 'cuts', 'value', 'settings'] as const

function causeText(t: TFunction, cause: string | null): string {
  const known = CAUSES.find((name) => name === cause)
  return known ? t(`person_segments.cause_${known}`) : (cause ?? '')
}
