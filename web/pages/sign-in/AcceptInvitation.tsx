import './sign-in.css'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useRouter } from '@tanstack/react-router'
import { Button, Form } from 'antd'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { invitationQuery, sessionQuery } from '../../api/queries.ts'
import { NameField, NewPasswordField } from '../../ui/account-fields.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { Alone } from './Alone.tsx'

interface Newcomer {
  name: string
  password: string
}

/** Where an invitation's link leads. Its token stands after the #, so that no server's log has seen it. */
export function AcceptInvitation({ token }: { token: string }) {
  const { t } = useTranslation()
  const { data: invitation, error, isPending } = useQuery(invitationQuery(token))
  return (
    <Alone title={t('accept.title')}>
      {isPending && <SkeletonRows lines={[70, 40]} />}
      {error && (
        <>
          <FormProblem error={error} />
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
    </Alone>
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
      <NameField name={name} />
      <NewPasswordField />
      {accept.error && <FormProblem error={accept.error} />}
      <Button type="primary" htmlType="submit" block loading={accept.isPending}>
        {t('accept.submit')}
      </Button>
    </Form>
  )
}
