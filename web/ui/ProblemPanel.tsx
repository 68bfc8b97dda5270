import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { isProblem } from '../api/errors.ts'

/** Refusals that people meet here in their own language; any other shows the server's English sentence. */
const REFUSALS = [
  'wrong_email_or_password',
  'too_many_attempts',
  'email_taken',
  'weak_password',
  'bad_email',
  'link_needed',
  'no_such_person',
  'no_such_claim',
  'no_such_segment',
  'segment_name_taken',
  'segment_in_use',
  'personal_clause',
  'bad_definition',
  'wrong_key',
  'invitation_used_or_expired',
  'account_closed',
  'not_allowed',
  'which_source',
  'unreadable_table',
  'other_currency',
  'wrong_columns',
  'file_too_large',
  'too_many_uploads',
  'upload_busy',
  'no_such_upload',
  'disk_full',
  'already_undone',
  'last_owner',
  'role_not_yours',
  'staff_id_needed',
  'end_needed',
  'end_is_past',
  'bad_name',
  'unknown_zone',
  'unknown_currency',
  'scope_not_yours',
] as const

interface Words {
  message: string
  remedy: string
  code: string
}

/** What happened and what to try, in words, for anything that was thrown. */
export function useProblemWords(error: unknown): Words {
  const { t } = useTranslation()
  if (!isProblem(error)) {
    return { message: t('problem.generic'), remedy: t('problem.server_remedy'), code: '' }
  }
  if (error.code === 'unreachable') {
    return { message: t('problem.unreachable'), remedy: t('problem.unreachable_remedy'), code: error.code }
  }
  if (error.code === 'timeout') {
    return { message: t('problem.timeout'), remedy: t('problem.timeout_remedy'), code: error.code }
  }
  const known = REFUSALS.find((code) => code === error.code)
  if (known) return { message: t(`refusal.${known}`), remedy: t(`refusal.${known}_remedy`), code: known }
  if (error.status >= 500) {
    return {
      message: error.message || t('problem.server'),
      remedy: error.remedy || t('problem.server_remedy'),
      code: error.code,
    }
  }
  return { message: error.message || t('problem.generic'), remedy: error.remedy, code: error.code }
}

/** What was wrong with a form, under its fields. */
export function FormProblem({ error }: { error: unknown }) {
  const { message, remedy } = useProblemWords(error)
  return (
    <p className="form-problem" role="alert">
      {message} {remedy}
    </p>
  )
}

interface ProblemPanelProps {
  title: string
  error: unknown
  /** What is still there, in one sentence. */
  kept: string
  onRetry: () => void
  retrying: boolean
}

/** What happened, what was kept, what to try. */
export function ProblemPanel({ title, error, kept, onRetry, retrying }: ProblemPanelProps) {
  const { t } = useTranslation()
  const words = useProblemWords(error)
  return (
    <section className="problem" role="alert">
      <h2>{title}</h2>
      <p>{words.message}</p>
      <p>{kept}</p>
      {words.remedy && <p>{words.remedy}</p>}
      <p className="problem-actions">
        <Button type="primary" onClick={onRetry} loading={retrying}>
          {t('problem.retry')}
        </Button>
        {words.code && (
          <span className="faint">
            {t('problem.code')} <code>{words.code}</code>
          </span>
        )}
      </p>
    </section>
  )
}
