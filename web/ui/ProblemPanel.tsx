import { Button } from 'antd'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { isProblem } from '../api/errors.ts'
import { refusalsZhCN } from '../i18n/refusals-zh-CN.ts'
import { loopSteps } from './rule-loop.ts'

type RefusalCode =
  Extract<keyof typeof refusalsZhCN, `${string}_remedy`> extends `refusal.${infer Code}_remedy` ? Code : never

/** Refusals that people meet here in their own language; any other shows the server's English sentence. */
function isKnown(code: string): code is RefusalCode {
  return Object.hasOwn(refusalsZhCN, `refusal.${code}_remedy`)
}

interface Words {
  message: string
  remedy: string
  code: string
}

/** What happened and what to try, in words, for anything that was thrown. */
export function useProblemWords(error: unknown): Words {
  const { t } = useTranslation()
  return problemWords(t, error)
}

/** The same as one text, for a toast. */
export function problemText(t: TFunction, error: unknown): string {
  const { message, remedy } = problemWords(t, error)
  return `${message} ${remedy}`.trim()
}

function problemWords(t: TFunction, error: unknown): Words {
  if (!isProblem(error)) {
    return { message: t('problem.generic'), remedy: t('problem.server_remedy'), code: '' }
  }
  if (error.code === 'unreachable') {
    return { message: t('problem.unreachable'), remedy: t('problem.unreachable_remedy'), code: error.code }
  }
  if (error.code === 'timeout') {
    return { message: t('problem.timeout'), remedy: t('problem.timeout_remedy'), code: error.code }
  }
  const { code } = error
  if (code === 'rule_loop') return { message: loopText(t, error.message), remedy: t('refusal.rule_loop_remedy'), code }
  if (isKnown(code)) return { message: t(`refusal.${code}`), remedy: t(`refusal.${code}_remedy`), code }
  if (error.status >= 500) {
    return {
      message: error.message || t('problem.server'),
      remedy: error.remedy || t('problem.server_remedy'),
      code: error.code,
    }
  }
  return { message: error.message || t('problem.generic'), remedy: error.remedy, code: error.code }
}

/** Which segments give and ask for it in turn, so that somebody knows where to mend. */
function loopText(t: TFunction, message: string): string {
  const steps = loopSteps(message).map((step) => t('rule_loop.step', { ...step }))
  return [t('refusal.rule_loop'), ...steps].join(' ')
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
