import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { TFunction } from 'i18next'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { type Person, personQuery } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DepthMark, depthLevel, depthNameKey } from '../../ui/Depth.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { When } from '../../ui/When.tsx'
import { DepthHistory } from './DepthHistory.tsx'
import { MainTags } from './PersonTags.tsx'

const DAY_MS = 86_400_000

const SEGMENTS = [
  'champions',
  'loyal_customers',
  'potential_loyalists',
  'new_customers',
  'promising',
  'need_attention',
  'about_to_sleep',
  'at_risk',
  'cant_lose',
  'hibernating',
] as const

interface PersonDetailProps {
  personId: number
  asOf: string | undefined
  header: (title: string) => ReactNode
  /** What the page beside which it stands has to say of the person, before all else. */
  lead?: ReactNode
}

/** One person, each statement with the facts and the rule it rests on. */
export function PersonDetail({ personId, asOf, header, lead }: PersonDetailProps) {
  const { t } = useTranslation()
  const { data: person, error, isFetching, refetch } = useQuery(personQuery(personId, asOf))
  if (!person) {
    return (
      <>
        {header(t('person.loading'))}
        <div className="pane-body">
          {error ? (
            <ProblemPanel
              title={t('problem.person')}
              error={error}
              kept={t('problem.kept')}
              onRetry={() => void refetch()}
              retrying={isFetching}
            />
          ) : (
            <div role="status" aria-label={t('list.loading')}>
              <SkeletonRows lines={[30, 62, 48, 44, 52, 36]} />
            </div>
          )}
        </div>
      </>
    )
  }
  return (
    <>
      {header(t('person.title', { key: person.name ?? person.key }))}
      <div className="pane-body person">
        <p className="person-head">
          <span className="person-depth">
            <DepthMark depth={person.depth} />
            <strong>
              {person.depth} {t(depthNameKey(person.depth))}
            </strong>
          </span>
          {person.since !== null && <Since at={person.since} />}
          <span className="soft">{t('people.source', { source: person.source })}</span>
          <Link to="/people/$person_id" params={{ person_id: person.person_id }} className="person-open">
            {t('person.open_page')}
          </Link>
        </p>
        <MainTags personId={person.person_id} asOf={asOf} />
        {lead}
        <Why person={person} />
        <div className="person-pair">
          <Lapse person={person} />
          <NextStep person={person} />
        </div>
        <InteractionScore person={person} />
        <Value person={person} />
        <Occasions person={person} />
        <DepthHistory personId={person.person_id} asOf={asOf} title={<h3>{t('person.changes')}</h3>} />
        <Identities person={person} />
      </div>
    </>
  )
}

function Since({ at }: { at: string }) {
  const { t } = useTranslation()
  const { day } = useBrandFormat()
  return <span className="soft">{t('person.since', { at: day(at) })}</span>
}

/** The rule in words, with this person's own numbers in it. */
function useReason(person: Person): string {
  const { t } = useTranslation()
  const { asOf, periodDays: days, count } = useBrandFormat()
  const periodBegins = Date.parse(asOf) - days * DAY_MS
  const ever = { occasions: count(person.occasions), count: person.occasions, days }
  const seen = person.occasions_list.filter((occasion) => Date.parse(occasion.occasion_at) > periodBegins).length
  const isCut = seen === person.occasions_list.length && seen < person.occasions
  const inPeriod = { occasions: isCut ? `${count(seen)}+` : count(seen), count: seen, days }

  switch (depthLevel(person.depth)) {
    case 0:
      if (person.is_lost) return t('person.why_0_lost', ever)
      return person.occasions > 0 ? t('person.why_0_bought', ever) : t('person.why_0_never')
    case 1:
      return t('person.why_1')
    case 2:
      return person.occasions > 0 ? t('person.why_2_bought', ever) : t('person.why_2', { days })
    case 3:
      return t('person.why_3', inPeriod)
    case 4:
      return t('person.why_4', inPeriod)
    case 5:
      return t('person.why_5', inPeriod)
  }
}

export function Why({ person }: { person: Person }) {
  const { t } = useTranslation()
  const reason = useReason(person)
  return (
    <section>
      <h3>{t('person.why', { depth: person.depth })}</h3>
      <p>{reason}</p>
      {person.is_lost && person.depth_if_connected > 0 && (
        <p>
          {t('person.was', {
            depth: person.depth_if_connected,
            name: t(depthNameKey(person.depth_if_connected)),
          })}
        </p>
      )}
      {person.evidence.length === 0 ? (
        <p className="soft">{t('person.evidence_none')}</p>
      ) : (
        <table className="plain" aria-label={t('person.evidence')}>
          <thead>
            <tr>
              <th scope="col">{t('person.evidence')}</th>
              <th scope="col">{t('person.fact_id')}</th>
              <th scope="col" className="number">
                {t('person.fact_at')}
              </th>
            </tr>
          </thead>
          <tbody>
            {person.evidence.map((fact) => (
              <tr key={`${fact.kind} ${fact.fact_id}`}>
                <td>{t(`person.fact_${fact.kind}`)}</td>
                <td className="id">
                  {fact.external_id} <span className="faint">{fact.source}</span>
                </td>
                <td className="number">
                  <When at={fact.occurred_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

export function Lapse({ person }: { person: Person }) {
  const { t } = useTranslation()
  const { when } = useBrandFormat()
  const reason = useLapseReason(person)
  return (
    <section>
      <h3>{t('person.lapse')}</h3>
      <p>
        {person.lapses_at === null || person.lapses_to === null
          ? t('person.lapse_never')
          : t('person.lapse_text', {
              at: when(person.lapses_at),
              to: person.lapses_to,
              name: t(depthNameKey(person.lapses_to)),
            })}
      </p>
      {reason.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
    </section>
  )
}

/** Which fact grows too old then, and what would hold the depth: the evidence that is a period old at that instant. */
function useLapseReason({ evidence, lapses_at }: Person): string[] {
  const { t } = useTranslation()
  const { periodDays: days, day } = useBrandFormat()
  if (lapses_at === null) return []
  const ends = Date.parse(lapses_at) - days * DAY_MS
  const fact = evidence.find(({ occurred_at }) => Math.abs(Date.parse(occurred_at) - ends) < 1000)
  if (!fact) return evidence.some(({ kind }) => kind === 'interaction') ? [t('person.lapse_interest')] : []
  const named = { fact: t(`person.fact_${fact.kind}`), id: fact.external_id, at: day(fact.occurred_at), days }
  const hold = fact.kind === 'order' ? 'person.hold_order' : 'person.hold_spread'
  return [t('person.lapse_because', named), t(hold)]
}

export function NextStep({ person }: { person: Person }) {
  const { t } = useTranslation()
  return (
    <section>
      <h3>{t('person.next')}</h3>
      <p>{t(`person.next_${person.next_step ?? 'none'}`)}</p>
    </section>
  )
}

export function InteractionScore({ person }: { person: Person }) {
  const { t } = useTranslation()
  const { when } = useBrandFormat()
  const { score, tier, tier_lapses_at, tier_lapses_to } = person.interaction
  return (
    <section>
      <h3>{t('person.interaction')}</h3>
      <p>{t('person.interaction_score', { score, tier: t(`tier.${tier}`) })}</p>
      {score > 0 && (
        <p className="soft">{t('person.interaction_decay', { half: decayed(score, 1), quarter: decayed(score, 2) })}</p>
      )}
      {tier_lapses_at !== null && tier_lapses_to !== null && (
        <p className="soft">
          {t('person.interaction_lapse', { at: when(tier_lapses_at), tier: t(`tier.${tier_lapses_to}`) })}
        </p>
      )}
    </section>
  )
}

/** The score after so many half-lives of 30 days without a new interaction. */
function decayed(score: number, halfLives: number): number {
  return Math.round(score * 2 ** -halfLives * 100) / 100
}

export function Value({ person }: { person: Person }) {
  const { t } = useTranslation()
  const { money, count } = useBrandFormat()
  const rfm = person.rfm
  if (!rfm) {
    return (
      <section>
        <h3>{t('person.value')}</h3>
        <p className="soft">{t('person.rfm_none')}</p>
      </section>
    )
  }
  const rows = [
    {
      name: t('person.recency'),
      value: t('person.recency_value', { days: count(rfm.recency_days), count: rfm.recency_days }),
      score: rfm.r,
    },
    { name: t('person.frequency'), value: t('person.frequency_value', { count: rfm.frequency }), score: rfm.f },
    { name: t('person.monetary'), value: money(rfm.monetary_minor), score: rfm.m },
  ]
  return (
    <section>
      <h3>
        {t('person.value')} <span className="aside">{t('person.score_scale')}</span>
      </h3>
      <dl className="rfm">
        {rows.map((row) => (
          <div key={row.name}>
            <dt>{row.name}</dt>
            <dd>
              {row.value} <span className="soft">{t('person.score', { score: row.score })}</span>
            </dd>
          </div>
        ))}
        <div>
          <dt>{t('person.segment')}</dt>
          <dd>{segmentName(t, rfm.segment)}</dd>
        </div>
      </dl>
    </section>
  )
}

/** A brand may define segments of its own; those have the name the brand gave them. */
function segmentName(t: TFunction, segment: string): string {
  const known = SEGMENTS.find((name) => name === segment)
  return known ? t(`segment.${known}`) : segment
}

function Occasions({ person }: { person: Person }) {
  const { t } = useTranslation()
  const { amount, count, day, currency } = useBrandFormat()
  return (
    <section>
      <h3>
        {t('person.occasions')}{' '}
        {person.occasions_list.length < person.occasions && (
          <span className="aside">
            {t('person.occasions_last', { shown: count(person.occasions_list.length), total: count(person.occasions) })}
          </span>
        )}
      </h3>
      {person.occasions_list.length === 0 ? (
        <p className="soft">{t('person.occasions_none')}</p>
      ) : (
        <table className="plain" aria-label={t('person.occasions')}>
          <thead>
            <tr>
              <th scope="col">{t('person.day')}</th>
              <th scope="col" className="number">
                {t('person.orders')}
              </th>
              <th scope="col" className="number">
                {t('person.net', { currency })}
              </th>
            </tr>
          </thead>
          <tbody>
            {person.occasions_list.map((occasion) => (
              <tr key={occasion.occasion_at}>
                <td>{day(occasion.occasion_at)}</td>
                <td className="number">{count(occasion.orders)}</td>
                <td className="number value">{amount(occasion.net_minor)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function Identities({ person }: { person: Person }) {
  const { t } = useTranslation()
  const { day } = useBrandFormat()
  const isNothing = person.identities.length === 0 && person.connections.length === 0
  return (
    <section>
      <h3>{t('person.identities')}</h3>
      {isNothing ? (
        <p className="soft">{t('person.identities_none')}</p>
      ) : (
        <dl className="identities">
          {person.identities.map((identity) => (
            <div key={`${identity.kind} ${identity.namespace} ${identity.value}`}>
              <dt>
                {identity.kind === 'own_id' ? t('person.identity_own_id') : identity.kind}{' '}
                <span className="faint">{identity.namespace}</span>
              </dt>
              <dd className="id">{identity.value}</dd>
            </div>
          ))}
          {person.connections.map((connection) => (
            <div key={`${connection.channel} ${connection.source} ${connection.begun_at}`}>
              <dt>
                {t('person.fact_connection')}{' '}
                <span className="faint">
                  {connection.channel === 'shop_account' ? t('person.channel_shop_account') : connection.channel}{' '}
                  {connection.source}
                </span>
              </dt>
              <dd>
                {connection.ended_at === null
                  ? t('person.live', { at: day(connection.begun_at) })
                  : t('person.ended', { at: day(connection.ended_at) })}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}
