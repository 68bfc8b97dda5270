import './imports.css'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { type DragEvent, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Upload, uploadsQuery } from '../../api/import-queries.ts'
import { beginSending } from '../../api/sending.ts'
import { COMMANDS } from '../../paths.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { Command } from '../../ui/Command.tsx'
import { FormProblem } from '../../ui/ProblemPanel.tsx'
import { useMay } from '../../ui/session.ts'
import { PageHeader, WithBrand } from '../../ui/WithBrand.tsx'
import { History } from './History.tsx'
import { sizeText } from './labels.ts'
import { stateOf } from './states.ts'

/** Files come in here: a new one, those that are not done, and those that were. */
export function Imports() {
  const { t } = useTranslation()
  const mayImport = useMay('imports:manage')
  return (
    <WithBrand title={t('imports.title')}>
      {(brand) => (
        <article className="imports">
          <PageHeader brand={brand} title={t('imports.title')} />
          {mayImport ? (
            <>
              <DropZone isDemo={brand.is_demo} />
              <OpenUploads />
              <History />
            </>
          ) : (
            <p className="note note-heed">{t('imports.not_yours')}</p>
          )}
        </article>
      )}
    </WithBrand>
  )
}

const BYTES_MAX = 2_000_000_000

function DropZone({ isDemo }: { isDemo: boolean }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const input = useRef<HTMLInputElement>(null)
  const hintId = useId()
  const [isOver, setOver] = useState(false)
  const [problem, setProblem] = useState<'too_large' | 'one_file'>()
  const begin = useMutation({
    mutationFn: beginSending,
    onSuccess: ({ upload_id }) => navigate({ to: '/import/$upload_id', params: { upload_id } }),
  })
  const take = (files: FileList | null) => {
    const [file, ...others] = files ?? []
    if (!file) return
    const wrong = others.length > 0 ? 'one_file' : file.size > BYTES_MAX ? 'too_large' : undefined
    setProblem(wrong)
    if (!wrong) begin.mutate(file)
  }
  const drop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    take(event.dataTransfer.files)
  }
  return (
    <section
      className={isOver ? 'drop drop-over' : 'drop'}
      aria-label={t('imports.choose')}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <p className="drop-title">{t('imports.drop')}</p>
      <Button type="primary" loading={begin.isPending} onClick={() => input.current?.click()} aria-describedby={hintId}>
        {t('imports.choose')}
      </Button>
      <input
        ref={input}
        type="file"
        className="visually-hidden"
        tabIndex={-1}
        aria-hidden="true"
        onChange={(event) => {
          take(event.target.files)
          // The same file again is a choice too.
          event.target.value = ''
        }}
      />
      <p id={hintId} className="soft">
        {t('imports.shapes')} {t('imports.kinds_hint')}
        {isDemo && ` ${t('imports.own_brand')}`}
      </p>
      {problem === 'one_file' && (
        <p className="form-problem" role="alert">
          {t('imports.one_file')}
        </p>
      )}
      {problem === 'too_large' && (
        <div role="alert">
          <p className="form-problem">{t('imports.too_large')}</p>
          <Command text={COMMANDS.import} />
        </div>
      )}
      {begin.error && <FormProblem error={begin.error} />}
    </section>
  )
}

function OpenUploads() {
  const { t } = useTranslation()
  const { data } = useQuery(uploadsQuery)
  const open = data?.uploads.filter(isOpen) ?? []
  if (open.length === 0) return null
  return (
    <section aria-labelledby="open-uploads">
      <h2 id="open-uploads">{t('imports.open_title')}</h2>
      <ul className="open-uploads">
        {open.map((upload) => (
          <OpenUpload key={upload.upload_id} upload={upload} />
        ))}
      </ul>
    </section>
  )
}

/** What was imported stands in the history; what was cleared away is nothing to go on with. */
function isOpen({ task, has_content }: Upload): boolean {
  return has_content || task?.state === 'waiting' || task?.state === 'running' || task?.state === 'refused'
}

function OpenUpload({ upload }: { upload: Upload }) {
  const { t } = useTranslation()
  const { when } = useBrandFormat()
  const { file_name, uploaded_by, created_at, bytes, upload_id } = upload
  return (
    <li>
      <div>
        <Link to="/import/$upload_id" params={{ upload_id }} className="file-link">
          {file_name}
        </Link>
        <span className="aside">{sizeText(bytes)}</span>
        <p className="soft">{t('imports.open_by', { name: uploaded_by, at: when(created_at) })}</p>
      </div>
      <span className="tag">{t(stateOf(upload))}</span>
    </li>
  )
}
