import { Button, Modal } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Command } from '../../ui/Command.tsx'

interface ShownOnceProps {
  title: string
  text: string
  /** What is shown, by the name of each; a link, a key or a secret needs none. */
  values: readonly { name?: string; value: string }[]
  onClose: () => void
}

/** Something that the server keeps no copy of. A click beside it does not close it: it could not be had again. */
export function ShownOnce({ title, text, values, onClose }: ShownOnceProps): ReactNode {
  const { t } = useTranslation()
  return (
    <Modal
      open
      title={title}
      onCancel={onClose}
      maskClosable={false}
      mask={{ blur: false }}
      destroyOnHidden
      width={560}
      footer={
        <Button type="primary" onClick={onClose}>
          {t('settings.close')}
        </Button>
      }
    >
      <div className="shown-once">
        <p>{text}</p>
        {values.map(({ name, value }) => (
          <div key={value}>
            {name && <p className="soft">{name}</p>}
            <Command text={value} copyText={t('settings.copy')} />
          </div>
        ))}
      </div>
    </Modal>
  )
}
