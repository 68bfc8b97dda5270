import './sign-in.css'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { Button, Form, Input } from 'antd'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { sessionQuery } from '../../api/queries.ts'
import { COMMANDS, safeReturn } from '../../paths.ts'
import { EmailField } from '../../ui/account-fields.tsx'
import { Command } from '../../ui/Command.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { Alone } from './Alone.tsx'

interface Credentials {
  email: string
  password: string
}

export function SignIn({ from }: { from: string | undefined }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const router = useRouter()
  const { data: session } = useQuery(sessionQuery)
  const isSignedIn = session?.signed_in === true

  useEffect(() => {
    if (isSignedIn) router.history.replace(safeReturn(from))
  }, [isSignedIn, from, router])

  const signIn = useMutation({
    mutationFn: (credentials: Credentials) => answered(api.POST('/api/auth/sign-in/email', { body: credentials })),
    onSuccess: () => client.invalidateQueries({ queryKey: sessionQuery.queryKey }),
  })

  return (
    <Alone title={t('signin.title')}>
      <Form<Credentials>
        layout="vertical"
        requiredMark={false}
        validateTrigger="onSubmit"
        onFinish={(credentials) => signIn.mutate(credentials)}
      >
        <EmailField />
        <Form.Item
          name="password"
          label={t('signin.password')}
          rules={[{ required: true, message: t('signin.password_missing') }]}
        >
          <Input.Password autoComplete="current-password" />
        </Form.Item>
        {signIn.error && <FormProblem error={signIn.error} />}
        <Button type="primary" htmlType="submit" block loading={signIn.isPending}>
          {t('signin.submit')}
        </Button>
      </Form>
      <section className="sign-in-link">
        <h2>{t('signin.link_title')}</h2>
        <p>{t('signin.link_text')}</p>
        <Command text={COMMANDS.signIn} />
      </section>
    </Alone>
  )
}
