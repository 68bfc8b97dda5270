import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Upload } from '../../api/import-queries.ts'
import { resumeSending, type Sending } from '../../api/sending.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
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
    </section>
  )
}
