import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Form, Input } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type ApiKey, apiKeysQuery } from '../../api/settings-queries.ts'
import { Loaded } from '../../ui/Loaded.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { useMay } from '../../ui/session.ts'
import { When } from '../../ui/When.tsx'
import { CreateDialog, RevocablesPage, RevokeCell, RevokeDialog } from './Revocable.tsx'
import { ShownOnce } from './ShownOnce.tsx'

/** Keys of programs: made, shown once, revoked. */
export function ApiKeys() {
  const { t } = useTranslation()
  const query = useQuery(apiKeysQuery)
  const [isCreating, setCreating] = useState(false)
  return (
    <RevocablesPage
      title={t('keys.title')}
      lead={t('keys.lead')}
      createText={t('keys.create')}
      onCreate={() => setCreating(true)}
      dialog={isCreating && <NewKey onClose={() => setCreating(false)} />}
    >
      <Loaded query={query} problem={t('settings.problem')}>
        {({ api_keys: keys }) =>
          keys.length === 0 ? <p className="settings-none">{t('keys.none')}</p> : <KeyTable keys={keys} />
        }
      </Loaded>
    </RevocablesPage>
  )
}

function KeyTable({ keys }: { keys: readonly ApiKey[] }) {
  const { t } = useTranslation()
  const [revoked, setRevoked] = useState<ApiKey>()
  return (
    <>
      <table className="plain keys" aria-label={t('keys.title')}>
        <thead>
          <tr>
            <th scope="col">{t('keys.name')}</th>
            <th scope="col">{t('keys.scopes')}</th>
            <th scope="col">{t('keys.created')}</th>
            <th scope="col">{t('keys.last_used')}</th>
            <th scope="col">
              <span className="visually-hidden">{t('keys.revoke')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.key_id} className={key.revoked_at ? 'user-closed' : undefined}>
              <th scope="row" className="user-name">
                {key.name}
              </th>
              <td className="id">{key.scopes.join(' ')}</td>
              <td>
                <span className="narrow-label">{t('keys.created')}</span>
                <When at={key.created_at} />
              </td>
              <td>
                <span className="narrow-label">{t('keys.last_used')}</span>
                {key.last_used_at ? <When at={key.last_used_at} /> : <span className="faint">{t('keys.never')}</span>}
              </td>
              <RevokeCell
                revokedAt={key.revoked_at}
                label={t('keys.revoke_of', { name: key.name })}
                onRevoke={() => setRevoked(key)}
              />
            </tr>
          ))}
        </tbody>
      </table>
      {revoked && (
        <RevokeDialog
          title={t('keys.revoke_title', { name: revoked.name })}
          text={t('keys.revoke_text')}
          revoke={() =>
            answered(api.DELETE('/api/v1/api-keys/{key_id}', { params: { path: { key_id: revoked.key_id } } }))
          }
          queryKey={apiKeysQuery.queryKey}
          onClose={() => setRevoked(undefined)}
        />
      )}
    </>
  )
}

const SCOPES = [
  { scope: 'facts:write', name: 'keys.scope_facts' },
  { scope: 'people:read', name: 'keys.scope_people' },
  { scope: 'metrics:read', name: 'keys.scope_metrics' },
] as const
type Scope = (typeof SCOPES)[number]['scope']

interface Wanted {
  name: string
  scopes: Scope[]
}

interface ScopeChecksProps {
  mayReadPeople: boolean
  /** Given by the form. */
  value?: readonly Scope[]
  onChange?: (scopes: Scope[]) => void
}

function ScopeChecks({ mayReadPeople, value = [], onChange }: ScopeChecksProps) {
  const { t } = useTranslation()
  const toggle = (scope: Scope) =>
    onChange?.(SCOPES.map((one) => one.scope).filter((one) => (one === scope) !== value.includes(one)))
  return (
    <fieldset className="settings-checks">
      <legend className="visually-hidden">{t('keys.scopes')}</legend>
      {SCOPES.map(({ scope, name }) => (
        <label key={scope}>
          <input
            type="checkbox"
            checked={value.includes(scope)}
            disabled={scope === 'people:read' && !mayReadPeople}
            onChange={() => toggle(scope)}
          />{' '}
          {t(name)}
        </label>
      ))}
    </fieldset>
  )
}

function NewKey({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  // A key may never do more than who makes it.
  const mayReadPeople = useMay('people:export')
  const [form] = Form.useForm<Wanted>()
  const create = useMutation({
    mutationFn: (wanted: Wanted) => answered(api.POST('/api/v1/api-keys', { body: wanted })),
    onSuccess: () => client.invalidateQueries({ queryKey: apiKeysQuery.queryKey }),
  })
  if (create.data) {
    return (
      <ShownOnce
        title={t('keys.shown_title')}
        text={t('keys.shown_text')}
        values={[{ value: create.data.key }]}
        onClose={onClose}
      />
    )
  }
  return (
    <CreateDialog title={t('keys.create')} isPending={create.isPending} onOk={form.submit} onClose={onClose}>
      <Form<Wanted>
        form={form}
        layout="vertical"
        requiredMark={false}
        validateTrigger="onSubmit"
        initialValues={{ name: '', scopes: ['facts:write'] }}
        onFinish={(wanted) => create.mutate(wanted)}
      >
        <Form.Item
          name="name"
          label={t('keys.name')}
          rules={[{ required: true, whitespace: true, message: t('keys.name_missing') }]}
        >
          <Input maxLength={60} autoComplete="off" />
        </Form.Item>
        <Form.Item
          name="scopes"
          label={t('keys.scopes')}
          rules={[{ required: true, message: t('keys.scopes_missing') }]}
          extra={mayReadPeople ? undefined : t('keys.scope_people_no')}
        >
          <ScopeChecks mayReadPeople={mayReadPeople} />
        </Form.Item>
        {create.error && <FormProblem error={create.error} />}
      </Form>
    </CreateDialog>
  )
}
