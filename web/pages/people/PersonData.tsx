import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { App, Button, Input } from 'antd'
import { useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { exportQuery, type Person, type PersonExport } from '../../api/queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { download } from '../../ui/csv.ts'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { useMay } from '../../ui/session.ts'
import { DecideDialog } from './DecideDialog.tsx'

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
    onError: () => void message.error(t('export.failed')),
  })
  // What is erased is read from the export first: who may erase may export.
  if (!mayExport) return null
  return (
    <section aria-labelledby="data-title">
      <h2 id="data-title">{t('data.title')}</h2>
      <p className="soft">{t('data.text')}</p>
      <p className="data-actions">
        <Button onClick={() => copy.mutate()} loading={copy.isPending}>
          {t('export.button')}
        </Button>
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
  const kept = useQuery({ ...exportQuery(person.person_id), staleTime: 0 })
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
      client.removeQueries({ queryKey: ['export', person.person_id] })
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
      isOkDisabled={typed.trim() !== person.key || !kept.data}
      decision={erase}
      onOk={() => erase.mutate()}
      onClose={onClose}
    >
      {kept.data ? (
        <ul className="erase-list">
          <li>
            {t('erase.goes', {
              identities: count(rows(kept.data, 'customers', 'identities')),
              records: count(rows(kept.data, 'customers', 'records')),
              consents: count(rows(kept.data, 'customers', 'consents')),
              tags: count(rows(kept.data, 'tags', 'assignments')),
            })}
          </li>
          <li>
            {t('erase.stays', {
              orders: count(rows(kept.data, 'commerce', 'orders')),
              refunds: count(rows(kept.data, 'commerce', 'refunds')),
              interactions: count(
                rows(kept.data, 'interactions', 'interactions') + rows(kept.data, 'interactions', 'reviews'),
              ),
              connections: count(
                rows(kept.data, 'customers', 'connections') + rows(kept.data, 'customers', 'memberships'),
              ),
            })}
          </li>
          <li>{t('erase.never')}</li>
          <li>{t('erase.final')}</li>
        </ul>
      ) : (
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

/** How many rows of a table the export has. */
function rows(all: PersonExport, module: string, table: string): number {
  const tables = all[module]
  const found = typeof tables === 'object' && tables !== null ? Reflect.get(tables, table) : undefined
  return Array.isArray(found) ? found.length : 0
}
