import { Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'

/** The server's own limits; it refuses with a sentence should they ever differ. */
const PASSWORD_CHARS = { min: 10, max: 128 }
const NAME_CHARS_MAX = 100
const EMAIL_CHARS_MAX = 254

export function NameField({ name }: { name: string }) {
  const { t } = useTranslation()
  return (
    <Form.Item
      name="name"
      label={t('account.name')}
      initialValue={name}
      rules={[{ required: true, whitespace: true, message: t('account.name_missing') }]}
    >
      <Input autoComplete="name" maxLength={NAME_CHARS_MAX} />
    </Form.Item>
  )
}

export function EmailField({ email, autoComplete = 'username' }: { email?: string; autoComplete?: string }) {
  const { t } = useTranslation()
  return (
    <Form.Item
      name="email"
      label={t('signin.email')}
      initialValue={email}
      rules={[
        { required: true, message: t('signin.email_missing') },
        { type: 'email', message: t('signin.email_invalid') },
      ]}
    >
      <Input type="email" autoComplete={autoComplete} maxLength={EMAIL_CHARS_MAX} />
    </Form.Item>
  )
}

export function NewPasswordField() {
  const { t } = useTranslation()
  const { min: chars, max } = PASSWORD_CHARS
  return (
    <Form.Item
      name="password"
      label={t('account.password', { chars })}
      rules={[{ required: true, min: chars, message: t('account.password_short', { chars }) }]}
    >
      <Input.Password autoComplete="new-password" maxLength={max} />
    </Form.Item>
  )
}
