import './sign-in.css'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useRouter } from '@tanstack/react-router'
import { Button, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { invitationQuery, sessionQuery } from '../../api/queries.ts'
import { BrandMark } from '../../ui/icons.tsx'
import { useProblemWords } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { LanguageSwitch, ThemeSwitch } from '../shell/Switches.tsx'

/** The server's own limits; it refuses with a sentence should they ever differ. */
const PASSWORD_CHARS_MIN = 10

interface Newcomer {
  name: string
  password: string
}

/** Where an invitation's link leads. Its token stands after the #, so that no server's log has seen it. */
export function AcceptInvitation({ token }: { token: string }) {
  const { t } = useTranslation()
  const { data: invitation, error, isPending } = useQuery(invitationQuery(token))
  return (
    <main className="alone">
      <div className="alone-box">
        <p className="rail-brand">
          <BrandMark />
          <span>{t('app.name')}</span>
        </p>
        <h1>{t('accept.title')}</h1>
        {isPending && <SkeletonRows lines={[70, 40]} />}
        {error && (
          <>
            <Problem error={error} />
            <p>
              <Link to="/sign-in" search={{}}>
                {t('accept.to_sign_in')}
              </Link>
            </p>
          </>
        )}
        {invitation && (
          <>
            <p className="accept-who">
              {t('accept.who', { email: invitation.email, role: t(`role.${invitation.role}`) })}
            </p>
            <AcceptForm token={token} name={invitation.name} email={invitation.email} />
          </>
        )}
        <div className="sign-in-foot">
          <LanguageSwitch />
          <ThemeSwitch />
        </div>
      </div>
    </main>
  )
}

function AcceptForm({ token, name, email }: { token: string; name: string; email: string }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const router = useRouter()
  const accept = useMutation({
    mutationFn: (newcomer: Newcomer) =>
      answered(api.POST('/api/v1/invitations/accept', { body: { token, ...newcomer } })),
    onSuccess: async ({ signed_in: isSignedIn }) => {
      // Whoever was signed in at this screen before is somebody else.
      client.clear()
      await client.invalidateQueries({ queryKey: sessionQuery.queryKey })
      router.history.replace(isSignedIn ? '/' : '/sign-in')
    },
  })
  return (
    <Form<Newcomer>
      layout="vertical"
      requiredMark={false}
      validateTrigger="onSubmit"
      onFinish={(newcomer) => accept.mutate(newcomer)}
    >
      {/* So that a password manager stores the password under the address it belongs to. */}
      <input type="hidden" name="email" autoComplete="username" value={email} />
      <Form.Item
        name="name"
        label={t('account.name')}
        initialValue={name}
        rules={[{ required: true, whitespace: true, message: t('account.name_missing') }]}
      >
        <Input autoComplete="name" maxLength={100} />
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
      {accept.error && <Problem error={accept.error} />}
      <Button type="primary" htmlType="submit" block loading={accept.isPending}>
        {t('accept.submit')}
      </Button>
    </Form>
  )
}

function Problem({ error }: { error: Error }) {
  const { message, remedy } = useProblemWords(error)
  return (
    <p className="form-problem" role="alert">
      {message} {remedy}
    </p>
  )
}
