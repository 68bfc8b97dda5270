import { useMutation, useQueryClient } from '@tanstack/react-query'
import { App, Button } from 'antd'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { EQUITY_KEY, type Equity } from '../../api/value-queries.ts'
import { defined } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { useMay } from '../../ui/session.ts'
import { useThen } from './then.ts'

/** When a run ends while somebody looks on, everything that rests on it is read again. */
export function useRunEnds(run: Equity['run'] | undefined): void {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const client = useQueryClient()
  const wasRunning = useRef(false)
  const isRunning = run !== undefined && run.running_since !== null
  const hasFailed = run !== undefined && run.failed_at !== null
  useEffect(() => {
    if (wasRunning.current && !isRunning) {
      void client.invalidateQueries()
      if (!hasFailed) void message.success(t('value.run_done'))
    }
    wasRunning.current = isRunning
  }, [isRunning, hasFailed, client, message, t])
}

interface ValueRunProps {
  run: Equity['run']
  /** To have it done as of a past instant. */
  asOf?: string | undefined
  isFirst?: boolean
}

/** Whether everybody is being valued, for whoever looks; to have it done now, for who may. */
export function ValueRun({ run, asOf, isFirst = false }: ValueRunProps) {
  const { t } = useTranslation()
  const { clock, instant } = useBrandFormat()
  const then = useThen()
  const client = useQueryClient()
  const mayRun = useMay('values:run')
  const begin = useMutation({
    mutationFn: () => answered(api.POST('/api/v1/value/runs', { body: defined({ as_of: asOf }) })),
    // Refused because one runs: then that one is shown.
    onSettled: () => client.invalidateQueries({ queryKey: EQUITY_KEY }),
  })
  if (run.running_since !== null) {
    return (
      <p className="value-run" role="status">
        <span className="value-running" aria-hidden="true" />
        {run.as_of === null
          ? t('value.run_running', { at: clock(run.running_since) })
          : t('value.run_running_then', { at: clock(run.running_since), past: then(run.as_of) })}
      </p>
    )
  }
  return (
    <div className="value-run">
      {run.failed_at !== null && (
        <p className="form-problem" role="status">
          {run.as_of === null
            ? t('value.run_failed', { at: instant(run.failed_at) })
            : t('value.run_failed_then', { at: instant(run.failed_at), past: then(run.as_of) })}
        </p>
      )}
      {mayRun && (
        <Button type={isFirst ? 'primary' : 'default'} loading={begin.isPending} onClick={() => begin.mutate()}>
          {asOf === undefined
            ? t(isFirst ? 'value.run_first' : 'value.run_now')
            : t(isFirst ? 'value.run_then' : 'value.run_then_anew', { past: then(asOf) })}
        </Button>
      )}
      {begin.error && <FormProblem error={begin.error} />}
    </div>
  )
}
