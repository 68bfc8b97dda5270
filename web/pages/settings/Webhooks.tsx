import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Form, Input } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type Webhook, webhooksQuery } from '../../api/settings-queries.ts'
import { Loaded } from '../../ui/Loaded.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { When } from '../../ui/When.tsx'
import { CreateDialog, RevocablesPage, RevokeCell, RevokeDialog } from './Revocable.tsx'
import { ShownOnce } from './ShownOnce.tsx'

/** Sources that push: made, their secret shown once, revoked. */
export function Webhooks() {
  const { t } = useTranslation()
  const query = useQuery(webhooksQuery)
  const [isCreating, setCreating] = useState(false)
  return (
    <RevocablesPage
      title={t('webhooks.title')}
      lead={t('webhooks.lead')}
      createText={t('webhooks.create')}
      onCreate={() => setCreating(true)}
      dialog={isCreating && <NewWebhook onClose={() => setCreating(false)} />}
    >
      <Loaded query={query} problem={t('settings.problem')}>
        {({ webhook_sources: sources }) =>
          sources.length === 0 ? (
            <p className="settings-none">{t('webhooks.none')}</p>
          ) : (
            <WebhookTable webhooks={sources} />
          )
        }
      </Loaded>
    </RevocablesPage>
  )
}

function WebhookTable({ webhooks }: { webhooks: readonly Webhook[] }) {
  const { t } = useTranslation()
  const [revoked, setRevoked] = useState<Webhook>()
  return (
    <>
      <table className="plain keys" aria-label={t('webhooks.title')}>
        <thead>
          <tr>
            <th scope="col">{t('webhooks.source')}</th>
            <th scope="col">{t('keys.created')}</th>
            <th scope="col">
              <span className="visually-hidden">{t('keys.revoke')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {webhooks.map((webhook) => (
            <tr key={webhook.webhook_id} className={webhook.revoked_at ? 'user-closed' : undefined}>
              <th scope="row" className="user-name">
                {webhook.source}
              </th>
              <td>
                <span className="narrow-label">{t('keys.created')}</span>
                <When at={webhook.created_at} />
              </td>
              <RevokeCell
                revokedAt={webhook.revoked_at}
                label={t('webhooks.revoke_of', { source: webhook.source })}
                onRevoke={() => setRevoked(webhook)}
              />
            </tr>
          ))}
        </tbody>
      </table>
      {revoked && (
        <RevokeDialog
          title={t('webhooks.revoke_title', { source: revoked.source })}
          text={t('webhooks.revoke_text')}
          revoke={() =>
            answered(
              api.DELETE('/api/v1/webhook-sources/{webhook_id}', {
                params: { path: { webhook_id: revoked.webhook_id } },
              }),
            )
          }
          queryKey={webhooksQuery.queryKey}
          onClose={() => setRevoked(undefined)}
        />
      )}
    </>
  )
}

function NewWebhook({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [form] = Form.useForm<{ source: string }>()
  const create = useMutation({
    mutationFn: (wanted: { source: string }) => answered(api.POST('/api/v1/webhook-sources', { body: wanted })),
    onSuccess: () => client.invalidateQueries({ queryKey: webhooksQuery.queryKey }),
  })
  if (create.data) {
    const { secret, path } = create.data
    return (
      <ShownOnce
        title={t('webhooks.shown_title')}
        text={t('webhooks.shown_text')}
        values={[
          { name: t('webhooks.address'), value: new URL(path, window.location.origin).toString() },
          { name: t('webhooks.secret'), value: secret },
        ]}
        onClose={onClose}
      />
    )
  }
  return (
    <CreateDialog title={t('webhooks.create')} isPending={create.isPending} onOk={form.submit} onClose={onClose}>
      <Form<{ source: string }>
        form={form}
        layout="vertical"
        requiredMark={false}
        validateTrigger="onSubmit"
        onFinish={(wanted) => create.mutate(wanted)}
      >
        <Form.Item
          name="source"
          label={t('webhooks.source')}
          extra={t('webhooks.source_hint')}
          rules={[{ required: true, whitespace: true, message: t('webhooks.source_missing') }]}
        >
          <Input maxLength={60} autoComplete="off" />
        </Form.Item>
        {create.error && <FormProblem error={create.error} />}
      </Form>
    </CreateDialog>
  )
}
