import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { App, Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { sessionQuery } from '../../api/queries.ts'
import { type Invitation, invitationsQuery, type User, usersQuery } from '../../api/settings-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { problemText } from '../../ui/ProblemPanel.tsx'
import { SettingsPage } from './SettingsPage.tsx'
import { ShownOnce } from './ShownOnce.tsx'
import { GrantDialog, InviteDialog } from './UserDialogs.tsx'

/** Who has an account, what they may do, and who was invited. */
export function Users() {
  const { t } = useTranslation()
  const users = useQuery(usersQuery)
  const invitations = useQuery(invitationsQuery)
  const [isInviting, setInviting] = useState(false)
  return (
    <SettingsPage>
      <section aria-labelledby="users-title">
        <div className="settings-head">
          <h2 id="users-title">{t('users.title')}</h2>
          <Button type="primary" onClick={() => setInviting(true)}>
            {t('users.invite')}
          </Button>
        </div>
        <Loaded query={users} problem={t('settings.problem')}>
          {({ users: listed }) => <UserTable users={listed} />}
        </Loaded>
      </section>
      <Loaded query={invitations} problem={t('settings.problem')}>
        {({ invitations: listed }) => <OpenInvitations invitations={listed} />}
      </Loaded>
      {isInviting && <InviteDialog onClose={() => setInviting(false)} />}
    </SettingsPage>
  )
}

type Opened = { what: 'edit' | 'disable' | 'end_sessions'; user: User } | { what: 'link'; user: User; link: Link }
interface Link {
  url: string
  valid_minutes: number
}

function UserTable({ users }: { users: readonly User[] }) {
  const { t } = useTranslation()
  const [opened, setOpened] = useState<Opened>()
  const close = () => setOpened(undefined)
  return (
    <>
      <table className="plain users" aria-label={t('users.title')}>
        <thead>
          <tr>
            <th scope="col" className="user-name">
              {t('users.name')}
            </th>
            <th scope="col">{t('users.role')}</th>
            <th scope="col">{t('users.state')}</th>
            <th scope="col" className="user-actions">
              {t('users.actions')}
            </th>
          </tr>
        </thead>
        <tbody>
          {users.map((user) => (
            <UserRow key={user.user_id} user={user} onOpen={setOpened} />
          ))}
        </tbody>
      </table>
      {opened?.what === 'edit' && <GrantDialog user={opened.user} onClose={close} />}
      {opened?.what === 'disable' && <DisableDialog user={opened.user} onClose={close} />}
      {opened?.what === 'end_sessions' && <EndSessionsDialog user={opened.user} onClose={close} />}
      {opened?.what === 'link' && (
        <ShownOnce
          title={t('users.link_title', { name: opened.user.name })}
          text={t('users.link_text', { minutes: opened.link.valid_minutes })}
          values={[{ value: opened.link.url }]}
          onClose={close}
        />
      )}
    </>
  )
}

/** The first owner came by a link, and has a placeholder until they give an address of their own. */
function hasEmail({ email }: User): boolean {
  return !email.endsWith('.invalid')
}

function UserRow({ user, onOpen }: { user: User; onOpen: (opened: Opened) => void }) {
  const { t } = useTranslation()
  const { day, when } = useBrandFormat()
  const { data: session } = useQuery(sessionQuery)
  const isOwn = session?.user?.user_id === user.user_id
  const isMine = session?.gives?.includes(user.role) ?? false
  return (
    <tr className={user.disabled_at ? 'user-closed' : undefined}>
      <th scope="row" className="user-name">
        {user.name} {isOwn && <span className="tag">{t('users.you')}</span>}
        <span className="user-email">{hasEmail(user) ? user.email : t('users.email_none')}</span>
      </th>
      <td>
        {t(`role.${user.role}`)}
        {user.staff_id !== null && <span className="user-more">{t('users.staff', { staff: user.staff_id })}</span>}
        {user.ends_at !== null && <span className="user-more">{t('users.until', { at: day(user.ends_at) })}</span>}
      </td>
      <td className="user-state">
        {user.disabled_at ? t('users.closed', { at: when(user.disabled_at) }) : t('users.open')}
        <span className="user-more">
          {user.sessions > 0 ? t('users.sessions', { count: user.sessions }) : t('users.sessions_none')}
        </span>
      </td>
      <td className="user-actions">{isMine && !isOwn && <UserActions user={user} onOpen={onOpen} />}</td>
    </tr>
  )
}

function UserActions({ user, onOpen }: { user: User; onOpen: (opened: Opened) => void }) {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const change = useChangeUser()
  const link = useMutation({
    mutationFn: () =>
      answered(api.POST('/api/v1/users/{user_id}/link', { params: { path: { user_id: user.user_id } } })),
    onSuccess: (made) => onOpen({ what: 'link', user, link: made }),
    onError: (error) => void message.error(problemText(t, error)),
  })
  if (user.disabled_at) {
    return (
      <Button
        size="small"
        type="text"
        loading={change.isPending}
        onClick={() =>
          change.mutate({ user, is_disabled: false }, { onError: (error) => void message.error(problemText(t, error)) })
        }
      >
        {t('users.enable')}
      </Button>
    )
  }
  return (
    <>
      <Button
        size="small"
        type="text"
        aria-label={t('users.edit_of', { name: user.name })}
        onClick={() => onOpen({ what: 'edit', user })}
      >
        {t('users.edit')}
      </Button>
      <Button size="small" type="text" loading={link.isPending} onClick={() => link.mutate()}>
        {t('users.link')}
      </Button>
      {user.sessions > 0 && (
        <Button size="small" type="text" onClick={() => onOpen({ what: 'end_sessions', user })}>
          {t('users.end_sessions')}
        </Button>
      )}
      <Button size="small" type="text" danger onClick={() => onOpen({ what: 'disable', user })}>
        {t('users.disable')}
      </Button>
    </>
  )
}

function useChangeUser(onDone?: () => void) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  return useMutation({
    mutationFn: ({ user, is_disabled }: { user: User; is_disabled: boolean }) =>
      answered(
        api.PATCH('/api/v1/users/{user_id}', { params: { path: { user_id: user.user_id } }, body: { is_disabled } }),
      ),
    onSuccess: async () => {
      onDone?.()
      void message.success(t('users.saved'))
      await client.invalidateQueries({ queryKey: usersQuery.queryKey })
    },
  })
}

function DisableDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation()
  const change = useChangeUser(onClose)
  return (
    <DecideDialog
      title={t('users.disable_title', { name: user.name })}
      words={[t('users.disable_text')]}
      okText={t('users.disable')}
      isHarm
      decision={change}
      onOk={() => change.mutate({ user, is_disabled: true })}
      onClose={onClose}
    />
  )
}

function EndSessionsDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  const end = useMutation({
    mutationFn: () =>
      answered(api.DELETE('/api/v1/users/{user_id}/sessions', { params: { path: { user_id: user.user_id } } })),
    onSuccess: async ({ sessions_ended: count }) => {
      onClose()
      void message.success(t('users.sessions_ended', { count }))
      await client.invalidateQueries({ queryKey: usersQuery.queryKey })
    },
  })
  return (
    <DecideDialog
      title={t('users.end_sessions_title', { name: user.name })}
      words={[t('users.end_sessions_text', { count: user.sessions })]}
      okText={t('users.end_sessions')}
      isHarm
      decision={end}
      onOk={() => end.mutate()}
      onClose={onClose}
    />
  )
}

function OpenInvitations({ invitations }: { invitations: readonly Invitation[] }) {
  const { t } = useTranslation()
  const { asOf } = useBrandFormat()
  const open = invitations.filter(
    ({ accepted_at, revoked_at, expires_at }) => !accepted_at && !revoked_at && expires_at > asOf,
  )
  if (open.length === 0) return null
  return (
    <section aria-labelledby="invitations-title">
      <h2 id="invitations-title">{t('invitations.title')}</h2>
      <table className="plain users" aria-label={t('invitations.title')}>
        <tbody>
          {open.map((invitation) => (
            <InvitationRow key={invitation.invitation_id} invitation={invitation} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function InvitationRow({ invitation }: { invitation: Invitation }) {
  const { t } = useTranslation()
  const { instant } = useBrandFormat()
  const client = useQueryClient()
  const { message } = App.useApp()
  const { invitation_id, name, email, role, expires_at } = invitation
  const revoke = useMutation({
    mutationFn: () =>
      answered(api.DELETE('/api/v1/invitations/{invitation_id}', { params: { path: { invitation_id } } })),
    onSuccess: async () => {
      void message.success(t('invitations.revoked'))
      await client.invalidateQueries({ queryKey: invitationsQuery.queryKey })
    },
    onError: (error) => void message.error(problemText(t, error)),
  })
  return (
    <tr>
      <th scope="row" className="user-name">
        {name}
        <span className="user-email">{email}</span>
      </th>
      <td>{t(`role.${role}`)}</td>
      <td className="user-state">{t('invitations.expires', { at: instant(expires_at) })}</td>
      <td className="user-actions">
        <Button
          size="small"
          type="text"
          loading={revoke.isPending}
          aria-label={t('invitations.revoke_of', { name })}
          onClick={() => revoke.mutate()}
        >
          {t('invitations.revoke')}
        </Button>
      </td>
    </tr>
  )
}
