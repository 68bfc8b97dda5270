import './decide.css'
import { Modal } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { FormProblem } from './ProblemPanel.tsx'

interface DecideDialogProps {
  title: string
  /** What will happen, before it does. */
  words: readonly string[]
  okText: string
  /** On the button that decides nothing, where "cancel" could mean either. */
  closeText?: string
  isHarm?: boolean
  isOkDisabled?: boolean
  decision: { isPending: boolean; error: Error | null }
  onOk: () => void
  onClose: () => void
  children?: ReactNode
}

/** A decision: said in words, made by a click, refused in words. */
export function DecideDialog(props: DecideDialogProps) {
  const { t } = useTranslation()
  const { title, words, okText, closeText, isHarm, isOkDisabled, decision, onOk, onClose, children } = props
  return (
    <Modal
      open
      title={title}
      okText={okText}
      cancelText={closeText ?? t('account.cancel')}
      okButtonProps={{ danger: isHarm === true, disabled: isOkDisabled === true }}
      confirmLoading={decision.isPending}
      onOk={onOk}
      onCancel={onClose}
      mask={{ blur: false }}
      destroyOnHidden
      width={520}
    >
      <div className="prose decide">
        {words.map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
        {children}
        {decision.error && <FormProblem error={decision.error} />}
      </div>
    </Modal>
  )
}
