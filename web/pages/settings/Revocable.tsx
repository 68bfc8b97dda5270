import { type QueryKey, useMutation, useQueryClient } from '@tanstack/react-query'
import { App, Button, Modal } from 'antd'
import { type ReactNode, useId } from 'react'
import { useTranslation } from 'react-i18next'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { SettingsPage } from './SettingsPage.tsx'

// What keys and webhooks have in common: made, their secret shown once, revoked for good.

interface RevocablesPageProps {
  title: string
  lead: string
  createText: string
  onCreate: () => void
  /** The list, as soon as it is there. */
  children: ReactNode
  dialog: ReactNode
}

export function RevocablesPage({ title, lead, createText, onCreate, children, dialog }: RevocablesPageProps) {
  const titleId = useId()
  return (
    <SettingsPage>
      <section aria-labelledby={titleId}>
        <div className="settings-head">
          <h2 id={titleId}>{title}</h2>
          <Button type="primary" onClick={onCreate}>
            {createText}
          </Button>
        </div>
        <p className="soft">{lead}</p>
        {children}
      </section>
      {dialog}
    </SettingsPage>
  )
}

interface RevokeCellProps {
  revokedAt: string | null
  /** What the button does, with the name of what it does it to. */
  label: string
  onRevoke: () => void
}

/** When it was revoked, or the button that does it. */
export function RevokeCell({ revokedAt, label, onRevoke }: RevokeCellProps) {
  const { t } = useTranslation()
  const { when } = useBrandFormat()
  return (
    <td className="user-actions">
      {revokedAt ? (
        <span className="soft">{t('keys.revoked', { at: when(revokedAt) })}</span>
      ) : (
        <Button size="small" type="text" danger aria-label={label} onClick={onRevoke}>
          {t('keys.revoke')}
        </Button>
      )}
    </td>
  )
}

interface RevokeDialogProps {
  title: string
  /** What it will do. */
  text: string
  revoke: () => Promise<unknown>
  /** The list that it is in. */
  queryKey: QueryKey
  onClose: () => void
}

export function RevokeDialog({ title, text, revoke, queryKey, onClose }: RevokeDialogProps) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  const decision = useMutation({
    mutationFn: revoke,
    onSuccess: async () => {
      onClose()
      void message.success(t('users.saved'))
      await client.invalidateQueries({ queryKey })
    },
  })
  return (
    <DecideDialog
      title={title}
      words={[text]}
      okText={t('keys.revoke')}
      isHarm
      decision={decision}
      onOk={() => decision.mutate()}
      onClose={onClose}
    />
  )
}

interface CreateDialogProps {
  title: string
  isPending: boolean
  onOk: () => void
  onClose: () => void
  children: ReactNode
}

export function CreateDialog({ title, isPending, onOk, onClose, children }: CreateDialogProps) {
  const { t } = useTranslation()
  return (
    <Modal
      open
      title={title}
      onCancel={onClose}
      onOk={onOk}
      okText={title}
      cancelText={t('account.cancel')}
      confirmLoading={isPending}
      mask={{ blur: false }}
      destroyOnHidden
      width={440}
    >
      {children}
    </Modal>
  )
}
