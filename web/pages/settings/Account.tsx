import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { App, Button, Form } from 'antd'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type Session, sessionQuery } from '../../api/queries.ts'
import { type OwnSession, ownSessionsQuery } from '../../api/settings-queries.ts'
import { COMMANDS } from '../../paths.ts'
import { EmailField, NameField, NewPasswordField } from '../../ui/account-fields.tsx'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Command } from '../../ui/Command.tsx'
import { Loaded } from '../../ui/Loaded.tsx'
import { FormProblem, problemText } from '../../ui/ProblemPanel.tsx'
import { SettingsPage } from './SettingsPage.tsx'

type Me = NonNullable<Session['user']>

/** One's own account: what it is, a password while one may be set, and where it is signed in. */
export function Account() {
  const { data: session } = useQuery(sessionQuery)
  return (
    <SettingsPage>
      {session?.user && (
        <>
          <About me={session.user} />
          <Password me={session.user} />
        </>
      )}
      <Sessions />
    </SettingsPage>
  )
}

function About({ me }: { me: Me }) {
  const { t } = useTranslation()
  const { instant } = useBrandFormat()
  return (
    <section aria-labelledby="me-title">
      <h2 id="me-title">{t('me.title')}</h2>
      <dl className="about">
        <dt>{t('users.name')}</dt>
        <dd>{me.name}</dd>
        {me.has_password && (
          <>
            <dt>{t('users.email')}</dt>
            <dd>{me.email}</dd>
          </>
        )}
        <dt>{t('me.role')}</dt>
        <dd>
          {t(`role.${me.role}`)}
          <span className="user-more">{t(`users.role_hint_${me.role}`)}</span>
        </dd>
        {me.staff_id !== null && (
          <>
            <dt>{t('users.staff_id')}</dt>
            <dd>{me.staff_id}</dd>
          </>
        )}
        {me.ends_at !== null && (
          <>
            <dt>{t('me.ends_at')}</dt>
            <dd>{instant(me.ends_at)}</dd>
          </>
        )}
      </dl>
    </section>
  )
}

interface Wanted {
  name: string
  email: string
  password: string
}

function Password({ me }: { me: Me }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  const [form] = Form.useForm<Wanted>()
  const save = useMutation({
    mutationFn: (account: Wanted) => answered(api.POST('/api/v1/account', { body: account })),
    onSuccess: async ({ email }) => {
      void message.success(t('me.saved', { email }))
      await client.invalidateQueries({ queryKey: sessionQuery.queryKey })
      await client.invalidateQueries({ queryKey: ownSessionsQuery.queryKey })
    },
  })
  return (
    <section aria-labelledby="password-title">
      <h2 id="password-title">{t('me.password_title')}</h2>
      {me.may_set_password ? (
        <>
          <p className="soft">{t(me.has_password ? 'me.password_lost' : 'me.password_first')}</p>
          <Form<Wanted>
            form={form}
            layout="vertical"
            requiredMark={false}
            validateTrigger="onSubmit"
            className="account-form"
            aria-label={t('me.password_title')}
            onFinish={(account) => save.mutate(account)}
          >
            <NameField name={me.name} />
            <EmailField {...(me.has_password ? { email: me.email } : {})} />
            <NewPasswordField />
            {save.error && <FormProblem error={save.error} />}
            <Button type="primary" htmlType="submit" loading={save.isPending}>
              {t('account.save')}
            </Button>
          </Form>
        </>
      ) : (
        <>
          <p className="soft">{t('me.password_closed')}</p>
          <Command text={`${COMMANDS.signIn} --email ${me.email}`} />
        </>
      )}
    </section>
  )
}

function Sessions() {
  const { t } = useTranslation()
  const query = useQuery(ownSessionsQuery)
  return (
    <section aria-labelledby="sessions-title">
      <h2 id="sessions-title">{t('me.sessions_title')}</h2>
      <Loaded query={query} problem={t('settings.problem')}>
        {({ sessions }) => (
          <ul className="sessions">
            {sessions.map((session) => (
              <SessionRow key={session.session_id} session={session} />
            ))}
          </ul>
        )}
      </Loaded>
    </section>
  )
}

function SessionRow({ session }: { session: OwnSession }) {
  const { t } = useTranslation()
  const { when, day } = useBrandFormat()
  const client = useQueryClient()
  const { message } = App.useApp()
  const { session_id, created_at, expires_at, address, user_agent } = session
  const end = useMutation({
    mutationFn: () => answered(api.DELETE('/api/v1/sessions/{session_id}', { params: { path: { session_id } } })),
    onSuccess: async () => {
      void message.success(t('me.session_ended'))
      await client.invalidateQueries({ queryKey: ownSessionsQuery.queryKey })
    },
    onError: (error) => void message.error(problemText(t, error)),
  })
  const at = when(created_at)
  return (
    <li>
      <div>
        <p title={user_agent ?? undefined}>
          {browserOf(user_agent) ?? t('me.session_unknown')}
          {address !== null && <span className="aside id">{address}</span>}
        </p>
        <p className="user-more">
          {t('me.session_at', { at })} · {t('me.session_until', { at: day(expires_at) })}
        </p>
      </div>
      {session.is_current ? (
        <span className="tag">{t('me.session_here')}</span>
      ) : (
        <Button
          size="small"
          loading={end.isPending}
          aria-label={t('me.session_end_of', { at })}
          onClick={() => end.mutate()}
        >
          {t('me.session_end')}
        </Button>
      )}
    </li>
  )
}

/** `Chrome, macOS`: enough to know one's own browsers by; who copies another's name says that. */
function browserOf(userAgent: string | null): string | undefined {
  if (!userAgent) return undefined
  const browsers = [
    [/MicroMessenger/, 'WeChat'],
    [/Edg\//, 'Edge'],
    [/Firefox\//, 'Firefox'],
    [/Chrome\//, 'Chrome'],
    [/Safari\//, 'Safari'],
  ] as const
  const systems = [
    [/iPhone|iPad/, 'iOS'],
    [/Android/, 'Android'],
    [/Windows/, 'Windows'],
    [/Mac OS X/, 'macOS'],
    [/Linux/, 'Linux'],
  ] as const
  const browser = browsers.find(([pattern]) => pattern.test(userAgent))?.[1]
  const system = systems.find(([pattern]) => pattern.test(userAgent))?.[1]
  return [browser, system].filter(Boolean).join(', ') || userAgent.slice(0, 60)
}
