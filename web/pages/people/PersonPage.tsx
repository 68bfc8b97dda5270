import './person-page.css'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Person, personQuery } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthMark, depthNameKey } from '../../ui/Depth.tsx'
import { BackIcon } from '../../ui/icons.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { WithBrand } from '../../ui/WithBrand.tsx'
import { PersonSegments } from '../segments/PersonSegments.tsx'
import { PersonWorth } from '../value/PersonWorth.tsx'
import { DepthHistory } from './DepthHistory.tsx'
import { PersonData } from './PersonData.tsx'
import { InteractionScore, Lapse, NextStep, Value, Why } from './PersonDetail.tsx'
import { PersonIdentities, Relations } from './PersonIdentities.tsx'
import { PersonTags } from './PersonTags.tsx'
import { Timeline } from './Timeline.tsx'

/** One person whole: who they are to us and why, what happened, by what they are known, and their rights over it. */
export function PersonPage({ personId }: { personId: number }) {
  const { t } = useTranslation()
  return <WithBrand title={t('person.loading')}>{() => <Whole personId={personId} />}</WithBrand>
}

function Whole({ personId }: { personId: number }) {
  const { t } = useTranslation()
  const { data: person, error, isFetching, refetch } = useQuery(personQuery(personId, undefined))
  if (!person) {
    return (
      <article aria-busy={!error}>
        <BackToList />
        <h1>{t('person.loading')}</h1>
        {error ? (
          <ProblemPanel
            title={t('problem.person')}
            error={error}
            kept={t('problem.kept')}
            onRetry={() => void refetch()}
            retrying={isFetching}
          />
        ) : (
          <div role="status" aria-label={t('app.loading')}>
            <SkeletonRows lines={[30, 62, 48, 44, 52, 36]} />
          </div>
        )}
      </article>
    )
  }
  return (
    <article className="person person-page">
      <BackToList />
      <Head person={person} />
      <div className="person-columns">
        <div>
          <Why person={person} />
          <div className="person-pair">
            <Lapse person={person} />
            <NextStep person={person} />
          </div>
          <PersonWorth personId={personId} />
          <Timeline personId={personId} />
        </div>
        <div>
          <PersonTags personId={personId} />
          <Value person={person} />
          <InteractionScore person={person} />
          <PersonSegments personId={personId} />
          <Relations person={person} />
          <PersonIdentities person={person} />
          <DepthHistory personId={personId} title={<h2>{t('person.changes')}</h2>} />
          <PersonData person={person} />
        </div>
      </div>
    </article>
  )
}

function BackToList() {
  const { t } = useTranslation()
  return (
    <p className="back">
      <Link to="/people" search={{}}>
        <BackIcon />
        {t('people.title')}
      </Link>
    </p>
  )
}

function Head({ person }: { person: Person }) {
  const { t } = useTranslation()
  const { day, money } = useBrandFormat()
  return (
    <header className="page-header">
      <h1 className="person-name">{person.name ?? person.key}</h1>
      <p className="page-facts">
        <span className="person-depth">
          <DepthMark depth={person.depth} />
          <strong>
            {person.depth} {t(depthNameKey(person.depth))}
          </strong>
        </span>
        {person.since !== null && <span>{t('person.since', { at: day(person.since) })}</span>}
        <span className="id">{person.key}</span>
        <span>{t('people.source', { source: person.source })}</span>
        <span className="value">{t('person.paid', { money: money(person.net_paid_minor) })}</span>
      </p>
    </header>
  )
}
