import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

type Copied = 'no' | 'yes' | 'failed'

interface CommandProps {
  text: string
  /** Of the button; a command to run on the server when left out. */
  copyText?: string
}

/** A text to use elsewhere, such as a command to run on the server, with a button that copies it. */
export function Command({ text, copyText }: CommandProps) {
  const { t } = useTranslation()
  const [copied, setCopied] = useState<Copied>('no')
  const copy = async () => {
    try {
      // Browsers give no clipboard to a page served over plain http from another machine.
      await navigator.clipboard.writeText(text)
      setCopied('yes')
    } catch {
      setCopied('failed')
    }
  }
  const label = { no: copyText ?? t('copy.copy'), yes: t('copy.copied'), failed: t('copy.failed') }[copied]
  return (
    <div className="command">
      <code>{text}</code>
      <Button onClick={copy}>
        <span aria-live="polite">{label}</span>
      </Button>
    </div>
  )
}
