import './imports.css'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import {
  type ImportWish,
  importsQuery,
  isBusy,
  type Upload,
  uploadQuery,
  uploadsQuery,
} from '../../api/import-queries.ts'
import { forgetSending, useSending } from '../../api/sending.ts'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { BackIcon } from '../../ui/icons.tsx'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { When } from '../../ui/When.tsx'
import { WithBrand } from '../../ui/WithBrand.tsx'
import { sizeText } from './labels.ts'
import { MappingForm } from './MappingForm.tsx'
import { Ended, Result } from './Result.tsx'
import { SendingPanel, TaskPanel } from './TaskPanel.tsx'

/** One file from its upload to its result. Where it stands the server knows, so the page can be left and come back to. */
export function UploadPage({ uploadId }: { uploadId: string }) {
  const { t } = useTranslation()
  return (
    <WithBrand title={t('imports.title')}>
      {() => (
        <article className="imports">
          <p className="back">
            <Link to="/import">
              <BackIcon />
              {t('upload.back')}
            </Link>
          </p>
          <Body uploadId={uploadId} />
        </article>
      )}
    </WithBrand>
  )
}

function Body({ uploadId }: { uploadId: string }) {
  const { t } = useTranslation()
  const { data: upload, error, isFetching, refetch } = useQuery(uploadQuery(uploadId))
  useFiguresAfterImport(upload)
  if (!upload) {
    return error ? (
      <ProblemPanel
        title={t('upload.problem')}
        error={error}
        kept={t('problem.kept')}
        onRetry={() => void refetch()}
        retrying={isFetching}
      />
    ) : (
      <div role="status" aria-label={t('app.loading')}>
        <SkeletonRows lines={[52, 40, 61]} />
      </div>
    )
  }
  return (
    <>
      <UploadHeader upload={upload} />
      <Stage upload={upload} />
    </>
  )
}

/** An import moves every figure, and the first one the brand too: nothing that was read before it holds. */
function useFiguresAfterImport(upload: Upload | undefined): void {
  const client = useQueryClient()
  const wasBusy = useRef(false)
  const busy = upload !== undefined && isBusy(upload)
  const isImport = upload?.task?.kind === 'import'
  useEffect(() => {
    const isOver = wasBusy.current && !busy
    wasBusy.current = busy
    if (isOver && isImport) void client.invalidateQueries()
  }, [busy, isImport, client])
}

function UploadHeader({ upload }: { upload: Upload }) {
  const { t } = useTranslation()
  const [isDiscarding, setDiscarding] = useState(false)
  const isDone = upload.task?.kind === 'import' && upload.task.state === 'done'
  return (
    <header className="page-header upload-header">
      <h1>{upload.file_name}</h1>
      <p className="page-facts">
        <span>{sizeText(upload.bytes)}</span>
        <span>{upload.uploaded_by}</span>
        <When at={upload.created_at} />
        {!isBusy(upload) && !isDone && (
          <Button size="small" type="text" onClick={() => setDiscarding(true)}>
            {t('upload.discard')}
          </Button>
        )}
      </p>
      {isDiscarding && <DiscardDialog upload={upload} onClose={() => setDiscarding(false)} />}
    </header>
  )
}

function DiscardDialog({ upload, onClose }: { upload: Upload; onClose: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { upload_id, file_name: file } = upload
  const discard = useMutation({
    mutationFn: () => {
      forgetSending(upload_id)
      return answered(api.DELETE('/api/v1/uploads/{upload_id}', { params: { path: { upload_id } } }))
    },
    onSuccess: async () => {
      await navigate({ to: '/import', replace: true })
      client.removeQueries({ queryKey: ['upload', upload_id] })
      await client.invalidateQueries({ queryKey: uploadsQuery.queryKey })
    },
  })
  return (
    <DecideDialog
      title={t('upload.discard_title', { file })}
      words={[t('upload.discard_text')]}
      okText={t('upload.discard')}
      isHarm
      decision={discard}
      onOk={() => discard.mutate()}
      onClose={onClose}
    />
  )
}

function Stage({ upload }: { upload: Upload }) {
  const { t } = useTranslation()
  const sending = useSending(upload.upload_id)
  const begin = useBegin(upload)
  const { task } = upload
  if (sending) return <SendingPanel uploadId={upload.upload_id} sending={sending} />
  if (isBusy(upload)) return <TaskPanel upload={upload} />
  if (task?.kind === 'import' && task.state === 'done') return <Result upload={upload} />
  if (!upload.has_content) return <Aside title={t('upload.gone_title')} text={t('upload.gone')} />
  if (upload.bytes_received < upload.bytes) {
    const sizes = { sent: sizeText(upload.bytes_received), total: sizeText(upload.bytes) }
    return <Aside title={t('upload.incomplete_title')} text={t('upload.incomplete', sizes)} />
  }
  return (
    <>
      {task && <Ended upload={upload} begin={begin} />}
      <MappingForm upload={upload} begin={begin} />
    </>
  )
}

/** What is wrong and what to do, with the way back. */
function Aside({ title, text }: { title: string; text: string }) {
  const { t } = useTranslation()
  return (
    <section className="no-data" aria-label={title}>
      <h2>{title}</h2>
      <p>{text}</p>
      <p>
        <Link to="/import">{t('upload.back')}</Link>
      </p>
    </section>
  )
}

export type Begin = ReturnType<typeof useBegin>

function useBegin({ upload_id }: Upload) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ wish, isDryRun }: { wish: ImportWish; isDryRun: boolean }) =>
      answered(
        api.POST('/api/v1/uploads/{upload_id}/import', {
          params: { path: { upload_id } },
          body: { ...wish, dry_run: isDryRun },
        }),
      ),
    onSuccess: async (upload) => {
      client.setQueryData(uploadQuery(upload_id).queryKey, upload)
      window.scrollTo({ top: 0 })
      await client.invalidateQueries({ queryKey: uploadQuery(upload_id).queryKey })
      await client.invalidateQueries({ queryKey: uploadsQuery.queryKey })
      await client.invalidateQueries({ queryKey: importsQuery.queryKey })
    },
  })
}
