import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { App, Form, Input, Modal } from 'antd'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { sessionQuery } from '../../api/queries.ts'
import { invitationsQuery, type Role, type User, usersQuery } from '../../api/settings-queries.ts'
import { EmailField, NameField } from '../../ui/account-fields.tsx'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { instantOf, wallClock } from '../../ui/wall-clock.ts'
import { ShownOnce } from './ShownOnce.tsx'

interface Grant {
  role: Role
  staff_id?: string
  /** Of the brand's clock. */
  ends_at?: string
}

/** What the API takes: a staff id and an end go with their role. */
function grantBody({ role, staff_id, ends_at }: Grant, zone: string) {
  return {
    role,
    staff_id: role === 'adviser' ? (staff_id?.trim() ?? null) : null,
    ends_at: role === 'outside_operator' ? (instantOf(ends_at ?? '', zone) ?? null) : null,
  }
}

/** Role, and what goes with it. Only roles that are the reader's to give. */
function GrantFields({ user }: { user?: User }) {
  const { t } = useTranslation()
  const { zone } = useBrandFormat()
  const { data: session } = useQuery(sessionQuery)
  const role = Form.useWatch<Role | undefined>('role')
  return (
    <>
      <Form.Item
        name="role"
        label={t('users.role')}
        initialValue={user?.role ?? 'adviser'}
        extra={role && t(`users.role_hint_${role}`)}
      >
        <RoleSelect roles={session?.gives ?? []} />
      </Form.Item>
      {role === 'adviser' && (
        <Form.Item
          name="staff_id"
          label={t('users.staff_id')}
          initialValue={user?.staff_id ?? ''}
          extra={t('users.staff_id_hint')}
          rules={[{ required: true, whitespace: true, message: t('users.staff_id_missing') }]}
        >
          <Input maxLength={120} autoComplete="off" />
        </Form.Item>
      )}
      {role === 'outside_operator' && (
        <Form.Item
          name="ends_at"
          label={t('users.ends_at')}
          initialValue={user?.ends_at ? wallClock(user.ends_at, zone) : ''}
          rules={[{ required: true, message: t('users.ends_at_missing') }]}
        >
          <Input type="datetime-local" />
        </Form.Item>
      )}
    </>
  )
}

interface RoleSelectProps {
  roles: readonly Role[]
  /** Given by the form. */
  id?: string
  value?: Role
  onChange?: (role: string) => void
}

function RoleSelect({ roles, id, value, onChange }: RoleSelectProps) {
  const { t } = useTranslation()
  return (
    <select id={id} className="settings-select" value={value} onChange={(event) => onChange?.(event.target.value)}>
      {roles.map((role) => (
        <option key={role} value={role}>
          {t(`role.${role}`)}
        </option>
      ))}
    </select>
  )
}

/** Another role, staff id or end. */
export function GrantDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { zone } = useBrandFormat()
  const { message } = App.useApp()
  const [form] = Form.useForm<Grant>()
  const save = useMutation({
    mutationFn: (grant: Grant) =>
      answered(
        api.PATCH('/api/v1/users/{user_id}', {
          params: { path: { user_id: user.user_id } },
          body: grantBody(grant, zone),
        }),
      ),
    onSuccess: async () => {
      onClose()
      void message.success(t('users.saved'))
      await client.invalidateQueries({ queryKey: usersQuery.queryKey })
    },
  })
  return (
    <Modal
      open
      title={t('users.edit_title', { name: user.name })}
      onCancel={onClose}
      onOk={form.submit}
      okText={t('users.save')}
      cancelText={t('account.cancel')}
      confirmLoading={save.isPending}
      mask={{ blur: false }}
      destroyOnHidden
      width={440}
    >
      <Form<Grant> form={form} layout="vertical" requiredMark={false} onFinish={(grant) => save.mutate(grant)}>
        <GrantFields user={user} />
        {save.error && <FormProblem error={save.error} />}
      </Form>
    </Modal>
  )
}

interface Invited extends Grant {
  name: string
  email: string
}

/** Somebody new: the link is shown once, to be passed on. */
export function InviteDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { zone, instant } = useBrandFormat()
  const [form] = Form.useForm<Invited>()
  const invite = useMutation({
    mutationFn: ({ name, email, ...grant }: Invited) =>
      answered(api.POST('/api/v1/invitations', { body: { name, email, ...grantBody(grant, zone) } })),
    onSuccess: () => client.invalidateQueries({ queryKey: invitationsQuery.queryKey }),
  })
  if (invite.data) {
    const { name, url, expires_at } = invite.data
    return (
      <ShownOnce
        title={t('invite.done')}
        text={t('invite.done_text', { name, at: instant(expires_at) })}
        values={[{ value: url }]}
        onClose={onClose}
      />
    )
  }
  return (
    <Modal
      open
      title={t('invite.title')}
      onCancel={onClose}
      onOk={form.submit}
      okText={t('invite.submit')}
      cancelText={t('account.cancel')}
      confirmLoading={invite.isPending}
      mask={{ blur: false }}
      destroyOnHidden
      width={440}
    >
      <Form<Invited>
        form={form}
        layout="vertical"
        requiredMark={false}
        validateTrigger="onSubmit"
        onFinish={(invited) => invite.mutate(invited)}
      >
        <NameField name="" />
        <EmailField autoComplete="off" />
        <GrantFields />
        {invite.error && <FormProblem error={invite.error} />}
      </Form>
    </Modal>
  )
}
