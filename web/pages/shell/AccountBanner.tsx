import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Button, Form, Input, Modal } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type Session, sessionQuery } from '../../api/queries.ts'
import { useProblemWords } from '../../ui/ProblemPanel.tsx'

/** The server's own limits; it refuses with a sentence should they ever differ. */
const PASSWORD_CHARS_MIN = 10

interface Account {
  name: string
  email: string
  password: string
}

/** An owner who came by a link has no other way in than the server's terminal: offers a password. */
export function AccountBanner({ user }: { user: NonNullable<Session['user']> }) {
  const { t } = useTranslation()
  const [isOpen, setOpen] = useState(false)
  return (
    <aside className="banner" aria-label={t('account.title')}>
      <p>{t('account.banner')}</p>
      <Button onClick={() => setOpen(true)}>{t('account.open')}</Button>
      <AccountDialog user={user} isOpen={isOpen} onClose={() => setOpen(false)} />
    </aside>
  )
}

interface AccountDialogProps {
  user: NonNullable<Session['user']>
  isOpen: boolean
  onClose: () => void
}

function AccountDialog({ user, isOpen, onClose }: AccountDialogProps) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [form] = Form.useForm<Account>()
  const save = useMutation({
    mutationFn: (account: Account) => answered(api.POST('/api/v1/account', { body: account })),
    onSuccess: async () => {
      onClose()
      await client.invalidateQueries({ queryKey: sessionQuery.queryKey })
    },
  })
  return (
    <Modal
      open={isOpen}
      title={t('account.title')}
      onCancel={onClose}
      onOk={form.submit}
      okText={t('account.save')}
      cancelText={t('account.cancel')}
      confirmLoading={save.isPending}
      mask={{ blur: false }}
      destroyOnHidden
      width={420}
    >
      <Form<Account>
        form={form}
        layout="vertical"
        requiredMark={false}
        validateTrigger="onBlur"
        onFinish={(account) => save.mutate(account)}
      >
        <Form.Item
          name="name"
          label={t('account.name')}
          initialValue={user.name}
          rules={[{ required: true, whitespace: true, message: t('account.name_missing') }]}
        >
          <Input autoComplete="name" maxLength={60} />
        </Form.Item>
        <Form.Item
          name="email"
          label={t('account.email')}
          rules={[
            { required: true, message: t('signin.email_missing') },
            { type: 'email', message: t('signin.email_invalid') },
          ]}
        >
          <Input type="email" autoComplete="username" maxLength={254} />
        </Form.Item>
        <Form.Item
          name="password"
          label={t('account.password', { chars: PASSWORD_CHARS_MIN })}
          rules={[
            {
              required: true,
              min: PASSWORD_CHARS_MIN,
              message: t('account.password_short', { chars: PASSWORD_CHARS_MIN }),
            },
          ]}
        >
          <Input.Password autoComplete="new-password" maxLength={128} />
        </Form.Item>
        {save.error && <FormProblem error={save.error} />}
      </Form>
    </Modal>
  )
}

function FormProblem({ error }: { error: Error }) {
  const { message, remedy } = useProblemWords(error)
  return (
    <p className="form-problem" role="alert">
      {message} {remedy}
    </p>
  )
}
