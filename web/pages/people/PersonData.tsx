import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { App, Button, Input } from 'antd'
import { useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { erasureQuery, exportQuery, type Person } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { download } from '../../ui/csv.ts'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { FormProblem, problemText } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { useMay } from '../../ui/session.ts'

/** A person's rights over what is kept of them: a copy, and an end. */
export function PersonData({ person }: { person: Person }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  const [isErasing, setErasing] = useState(false)
  const mayExport = useMay('people:export')
  const mayErase = useMay('people:erase')
  const copy = useMutation({
    mutationFn: () => client.fetchQuery({ ...exportQuery(person.person_id), staleTime: 0 }),
    onSuccess: (all) =>
      download(`person-${person.person_id}.json`, `${JSON.stringify(all, undefined, 2)}\n`, 'application/json'),
    onError: (error) => void message.error(problemText(t, error)),
  })
  if (!mayExport && !mayErase) return null
  return (
    <section aria-labelledby="data-title">
      <h2 id="data-title">{t('data.title')}</h2>
      <p className="soft">{t('data.text')}</p>
      <p className="data-actions">
        {mayExport && (
          <Button onClick={() => copy.mutate()} loading={copy.isPending}>
            {t('export.button')}
          </Button>
        )}
        {mayErase && (
          <Button danger onClick={() => setErasing(true)}>
            {t('erase.button')}
          </Button>
        )}
      </p>
      {isErasing && <EraseDialog person={person} onClose={() => setErasing(false)} />}
    </section>
  )
}

function EraseDialog({ person, onClose }: { person: Person; onClose: () => void }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { message } = App.useApp()
  const [typed, setTyped] = useState('')
  const fieldId = useId()
  const { data: scale, error } = useQuery(erasureQuery(person.person_id))
  const erase = useMutation({
    mutationFn: () =>
      answered(
        api.POST('/api/v1/people/{person_id}/erase', {
          params: { path: { person_id: person.person_id } },
          body: { key: typed.trim() },
        }),
      ),
    onSuccess: async ({ identities, facts }) => {
      void message.success(t('erase.done', { identities: count(identities), facts: count(facts) }))
      // The page of nobody is not gone back to, and nothing that was read of them stays in memory.
      await navigate({ to: '/people', search: {}, replace: true })
      client.removeQueries({ queryKey: ['person', person.person_id] })
      client.removeQueries({ queryKey: ['timeline', person.person_id] })
      await client.invalidateQueries()
    },
  })
  const name = person.name ?? person.key
  return (
    <DecideDialog
      title={t('erase.title', { name })}
      words={[t('erase.lead', { name })]}
      okText={t('erase.ok')}
      isHarm
      isOkDisabled={typed.trim() !== person.key || !scale}
      decision={erase}
      onOk={() => erase.mutate()}
      onClose={onClose}
    >
      {scale && (
        <ul className="erase-list">
          <li>
            {t('erase.goes', {
              identities: count(scale.identities),
              records: count(scale.records),
              consents: count(scale.consents),
              tags: count(scale.tags),
            })}
          </li>
          <li>
            {t('erase.stays', {
              orders: count(scale.orders),
              refunds: count(scale.refunds),
              interactions: count(scale.interactions),
              connections: count(scale.connections),
            })}
          </li>
          <li>{t('erase.never')}</li>
          <li>{t('erase.final')}</li>
        </ul>
      )}
      {error && <FormProblem error={error} />}
      {!scale && !error && (
        <div role="status" aria-label={t('list.loading')}>
          <SkeletonRows lines={[70, 64, 58]} />
        </div>
      )}
      <div className="erase-key">
        <label htmlFor={fieldId}>
          {t('erase.type')} <code>{person.key}</code>
        </label>
        <Input
          id={fieldId}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          autoComplete="off"
          spellCheck={false}
        />
      </div>
    </DecideDialog>
  )
}
