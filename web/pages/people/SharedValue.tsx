import { useQueries } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type MergeReview, type Person, personQuery } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { DepthName } from '../../ui/Depth.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { When } from '../../ui/When.tsx'
import { useMerge, useSplit } from './decisions.ts'
import { identityKind } from './PersonIdentities.tsx'

type Value = MergeReview['values'][number]

/** Side by side more than these are no comparison; the others are a number and stay as they are. */
const SIDE_BY_SIDE_MAX = 8

/** One value that would join too many, and the people it would join side by side. */
export function SharedValue({ value, isFirst }: { value: Value; isFirst: boolean }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const [isOpen, setOpen] = useState(isFirst)
  return (
    <details className="shared-value" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span className="soft">{identityKind(t, value.kind)}</span> <strong className="id">{value.value}</strong>{' '}
        <span>{t('review.shared', { people: count(value.people.length), count: value.people.length })}</span>
      </summary>
      {isOpen && <Compared value={value} />}
    </details>
  )
}

function Compared({ value }: { value: Value }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const shown = value.people.slice(0, SIDE_BY_SIDE_MAX)
  const answers = useQueries({ queries: shown.map((personId) => personQuery(personId, undefined)) })
  const people = answers.flatMap(({ data }) => data ?? [])
  const [chosen, setChosen] = useState<readonly number[]>([])
  const [deciding, setDeciding] = useState<'merge' | 'apart'>()
  const kind = identityKind(t, value.kind)
  const choose = (personId: number, isChosen: boolean) =>
    setChosen(isChosen ? [...chosen, personId] : chosen.filter((other) => other !== personId))

  if (people.length < shown.length && answers.some(({ isPending }) => isPending)) {
    return (
      <div role="status" aria-label={t('list.loading')}>
        <SkeletonRows lines={[50, 62, 57]} />
      </div>
    )
  }
  return (
    <>
      <p className="soft">
        {value.unionids > 1
          ? t('review.why_unionids', { unionids: count(value.unionids) })
          : value.accounts > 3
            ? t('review.why_accounts', { accounts: count(value.accounts) })
            : t('review.why_together')}
      </p>
      <ul className="compared">
        {people.map((person) => (
          <li key={person.person_id}>
            <PersonCard
              person={person}
              isChosen={chosen.includes(person.person_id)}
              onChoose={(isChosen) => choose(person.person_id, isChosen)}
            />
          </li>
        ))}
      </ul>
      {value.people.length > shown.length && (
        <p className="note">{t('review.more', { people: count(value.people.length - shown.length) })}</p>
      )}
      <p className="data-actions">
        <Button type="primary" disabled={chosen.length < 2} onClick={() => setDeciding('merge')}>
          {chosen.length < 2
            ? t('merge.choose')
            : t('merge.button', { people: count(chosen.length), count: chosen.length })}
        </Button>
        <Button onClick={() => setDeciding('apart')}>{t('apart.button')}</Button>
      </p>
      {deciding === 'merge' && (
        <MergeDialog
          people={people.filter((person) => chosen.includes(person.person_id))}
          value={`${kind} ${value.value}`}
          onClose={() => setDeciding(undefined)}
        />
      )}
      {deciding === 'apart' && (
        <ApartDialog value={value} name={`${kind} ${value.value}`} onClose={() => setDeciding(undefined)} />
      )}
    </>
  )
}

interface PersonCardProps {
  person: Person
  isChosen: boolean
  onChoose: (isChosen: boolean) => void
}

function PersonCard({ person, isChosen, onChoose }: PersonCardProps) {
  const { t } = useTranslation()
  const { count, money } = useBrandFormat()
  const name = person.name ?? person.key
  return (
    <>
      <label className="compared-choice">
        <input type="checkbox" checked={isChosen} onChange={(event) => onChoose(event.target.checked)} />
        <strong>{name}</strong>
      </label>
      <dl>
        <div>
          <dt>{t('people.depth')}</dt>
          <dd>
            <DepthName depth={person.depth} />
          </dd>
        </div>
        <div>
          <dt>{t('person.occasions')}</dt>
          <dd>{count(person.occasions)}</dd>
        </div>
        <div>
          <dt>{t('people.last')}</dt>
          <dd>{person.last_occasion_at === null ? t('people.never') : <When at={person.last_occasion_at} />}</dd>
        </div>
        <div>
          <dt>{t('person.monetary')}</dt>
          <dd className="value">{money(person.net_paid_minor)}</dd>
        </div>
        <div>
          <dt>{t('person.known_by')}</dt>
          <dd>
            {person.identities.map((identity) => (
              <span key={identity.identity_id} className="id compared-id">
                {identity.value}
              </span>
            ))}
          </dd>
        </div>
      </dl>
      <Link to="/people/$person_id" params={{ person_id: person.person_id }}>
        {t('person.open_page')}
      </Link>
    </>
  )
}

interface MergeDialogProps {
  people: readonly Person[]
  value: string
  onClose: () => void
}

function MergeDialog({ people, value, onClose }: MergeDialogProps) {
  const { t } = useTranslation()
  const { count, money } = useBrandFormat()
  const merge = useMerge(onClose)
  const sum = (figure: (person: Person) => number) => people.reduce((total, person) => total + figure(person), 0)
  const names = people.map((person) => person.name ?? person.key).join(t('review.and'))
  return (
    <DecideDialog
      title={t('merge.title', { people: count(people.length), count: people.length })}
      words={[
        t('merge.words', { names }),
        t('merge.sum', {
          occasions: count(sum((person) => person.occasions)),
          money: money(sum((person) => person.net_paid_minor)),
        }),
        t('merge.also', { value }),
        t('decision.undo'),
      ]}
      okText={t('merge.ok')}
      decision={merge}
      onOk={() => merge.mutate(people.map((person) => person.person_id))}
      onClose={onClose}
    />
  )
}

function ApartDialog({ value, name, onClose }: { value: Value; name: string; onClose: () => void }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const split = useSplit(onClose)
  return (
    <DecideDialog
      title={t('apart.title')}
      words={[
        t('apart.words', { value: name, people: count(value.people.length), count: value.people.length }),
        t('apart.later'),
        t('decision.undo'),
      ]}
      okText={t('apart.ok')}
      decision={split}
      onOk={() => split.mutate(value.identity_id)}
      onClose={onClose}
    />
  )
}
