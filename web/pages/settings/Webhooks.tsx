import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { App, Button, Form, Input, Modal } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type Webhook, webhooksQuery } from '../../api/settings-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { When } from '../../ui/When.tsx'
import { Loaded, SettingsPage } from './SettingsPage.tsx'
import { ShownOnce } from './ShownOnce.tsx'

/** Sources that push: made, their secret shown once, revoked. */
export function Webhooks() {
  const { t } = useTranslation()
  const query = useQuery(webhooksQuery)
  const [isCreating, setCreating] = useState(false)
  return (
    <SettingsPage>
      <section aria-labelledby="webhooks-title">
        <div className="settings-head">
          <h2 id="webhooks-title">{t('webhooks.title')}</h2>
          <Button type="primary" onClick={() => setCreating(true)}>
            {t('webhooks.create')}
          </Button>
        </div>
        <p className="soft">{t('webhooks.lead')}</p>
        <Loaded query={query}>
          {({ webhook_sources: sources }) =>
            sources.length === 0 ? (
              <p className="settings-none">{t('webhooks.none')}</p>
            ) : (
              <WebhookTable webhooks={sources} />
            )
          }
        </Loaded>
      </section>
      {isCreating && <CreateDialog onClose={() => setCreating(false)} />}
    </SettingsPage>
  )
}

function WebhookTable({ webhooks }: { webhooks: readonly Webhook[] }) {
  const { t } = useTranslation()
  const { when } = useBrandFormat()
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
              <td className="user-actions">
                {webhook.revoked_at ? (
                  <span className="soft">{t('keys.revoked', { at: when(webhook.revoked_at) })}</span>
                ) : (
                  <Button
                    size="small"
                    type="text"
                    danger
                    aria-label={t('webhooks.revoke_of', { source: webhook.source })}
                    onClick={() => setRevoked(webhook)}
                  >
                    {t('keys.revoke')}
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {revoked && <RevokeDialog webhook={revoked} onClose={() => setRevoked(undefined)} />}
    </>
  )
}

function RevokeDialog({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  const { webhook_id, source } = webhook
  const revoke = useMutation({
    mutationFn: () =>
      answered(api.DELETE('/api/v1/webhook-sources/{webhook_id}', { params: { path: { webhook_id } } })),
    onSuccess: async () => {
      onClose()
      void message.success(t('users.saved'))
      await client.invalidateQueries({ queryKey: webhooksQuery.queryKey })
    },
  })
  return (
    <DecideDialog
      title={t('webhooks.revoke_title', { source })}
      words={[t('webhooks.revoke_text')]}
      okText={t('keys.revoke')}
      isHarm
      decision={revoke}
      onOk={() => revoke.mutate()}
      onClose={onClose}
    />
  )
}

function CreateDialog({ onClose }: { onClose: () => void }) {
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
    <Modal
      open
      title={t('webhooks.create')}
      onCancel={onClose}
      onOk={form.submit}
      okText={t('webhooks.create')}
      cancelText={t('account.cancel')}
      confirmLoading={create.isPending}
      mask={{ blur: false }}
      destroyOnHidden
      width={440}
    >
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
    </Modal>
  )
}
