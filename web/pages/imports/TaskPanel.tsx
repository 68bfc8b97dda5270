import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type Upload, uploadQuery, uploadsQuery } from '../../api/import-queries.ts'
import { resumeSending, type Sending } from '../../api/sending.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { sizeText } from './labels.ts'

/** A file on its way to the server. */
export function SendingPanel({ uploadId, sending }: { uploadId: string; sending: Sending }) {
  const { t } = useTranslation()
  const { file, sent, problem } = sending
  const title = t(problem === undefined ? 'upload.sending' : 'upload.stopped')
  return (
    <section className="task" aria-label={title}>
      <h2>{title}</h2>
      <progress value={sent} max={Math.max(1, file.size)} aria-label={title} />
      <p className="task-facts">{t('upload.sent', { sent: sizeText(sent), total: sizeText(file.size) })}</p>
      {problem === undefined ? (
        <p className="soft">{t('upload.stay')}</p>
      ) : (
        <>
          <FormProblem error={problem} />
          <Button type="primary" onClick={() => void resumeSending(uploadId)}>
            {t('upload.retry')}
          </Button>
        </>
      )}
    </section>
  )
}

const MINUTE = 60

/** What the server is doing with a file, and for how long yet. */
export function TaskPanel({ upload }: { upload: Upload }) {
  const { t } = useTranslation()
  const { count, share } = useBrandFormat()
  const [isCancelling, setCancelling] = useState(false)
  const { task, file_name: file } = upload
  const progress = task?.progress
  const phase = progress?.phase ?? 'waiting'
  const title = t(task?.kind === 'dry_run' ? 'task.trying' : 'task.importing', { file })
  const left = progress?.remaining_seconds
  const remaining =
    left === null || left === undefined
      ? undefined
      : left < MINUTE
        ? t('task.seconds', { count: left })
        : t('task.minutes', { count: Math.ceil(left / MINUTE) })
  return (
    <section className="task" aria-label={title}>
      <h2>{title}</h2>
      <progress
        aria-label={t(`task.${phase}`)}
        {...(progress?.share === null || progress?.share === undefined ? {} : { value: progress.share, max: 1 })}
      />
      <p className="task-facts">
        {/* The phase alone is read out: figures that change every second would never end. */}
        <strong role="status">{t(`task.${phase}`)}</strong>
        {progress && progress.rows > 0 && <span>{t('task.rows', { rows: count(progress.rows) })}</span>}
        {progress && progress.share !== null && <span>{share(progress.share, 1)}</span>}
        {remaining !== undefined && <span>{t('task.remaining', { time: remaining })}</span>}
      </p>
      {progress && progress.resumed_at_row !== null && (
        <p>{t('task.resumed', { row: count(progress.resumed_at_row) })}</p>
      )}
      <p className="soft">{t('task.leave')}</p>
      {/* What is stored is taken back in the history, and what is being cancelled ends by itself. */}
      {phase !== 'settling' && phase !== 'cancelling' && (
        <p className="task-actions">
          <Button onClick={() => setCancelling(true)}>{t('task.cancel')}</Button>
        </p>
      )}
      {isCancelling && <CancelDialog upload={upload} onClose={() => setCancelling(false)} />}
    </section>
  )
}

function CancelDialog({ upload, onClose }: { upload: Upload; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { upload_id, file_name: file, task } = upload
  const cancel = useMutation({
    mutationFn: () => answered(api.POST('/api/v1/uploads/{upload_id}/cancel', { params: { path: { upload_id } } })),
    onSuccess: async (changed) => {
      client.setQueryData(uploadQuery(upload_id).queryKey, changed)
      onClose()
      await client.invalidateQueries({ queryKey: uploadsQuery.queryKey })
    },
  })
  return (
    <DecideDialog
      title={t(task?.kind === 'dry_run' ? 'task.cancel_try_title' : 'task.cancel_title', { file })}
      words={[
        ...(task?.kind === 'dry_run' ? [] : [t('task.cancel_nothing_stored')]),
        t('task.cancel_file_stays'),
        t('task.cancel_anew'),
      ]}
      okText={t('task.cancel')}
      closeText={t('task.go_on')}
      isHarm
      decision={cancel}
      onOk={() => cancel.mutate()}
      onClose={onClose}
    />
  )
}
