import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { App, Button } from 'antd'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type ImportListing, importsQuery, undoQuery } from '../../api/import-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { FormProblem, ProblemPanel } from '../../ui/ProblemPanel.tsx'
import { SkeletonRows } from '../../ui/Skeleton.tsx'
import { When } from '../../ui/When.tsx'

/** Every file that was imported, by whatever way, and whether it still counts. */
export function History() {
  const { t } = useTranslation()
  const { data, error, isFetching, refetch } = useQuery(importsQuery)
  const [undone, setUndone] = useState<ImportListing>()
  useFiguresAfterUndo(data?.imports)
  return (
    <section aria-labelledby="history-title">
      <h2 id="history-title">{t('imports.history_title')}</h2>
      {!data && !error && (
        <div role="status" aria-label={t('app.loading')}>
          <SkeletonRows lines={[44, 52, 38]} />
        </div>
      )}
      {!data && error && (
        <ProblemPanel
          title={t('imports.problem')}
          error={error}
          kept={t('problem.kept')}
          onRetry={() => void refetch()}
          retrying={isFetching}
        />
      )}
      {data?.imports.length === 0 && <p className="soft">{t('imports.history_none')}</p>}
      {data && data.imports.length > 0 && (
        <table className="plain history" aria-label={t('imports.history_title')}>
          <thead>
            <tr>
              <th scope="col">{t('imports.file')}</th>
              <th scope="col">{t('imports.at')}</th>
              <th scope="col" className="number">
                {t('imports.rows_in')}
              </th>
              <th scope="col" className="number">
                {t('imports.rows_stored')}
              </th>
              <th scope="col" className="number">
                {t('imports.rows_merged')}
              </th>
              <th scope="col" className="number">
                {t('imports.rows_rejected')}
              </th>
              <th scope="col">{t('imports.state')}</th>
            </tr>
          </thead>
          <tbody>
            {data.imports.map((listing) => (
              <Row key={listing.import_id} listing={listing} onUndo={() => setUndone(listing)} />
            ))}
          </tbody>
        </table>
      )}
      {undone && <UndoDialog listing={undone} onClose={() => setUndone(undefined)} />}
    </section>
  )
}

/** When one that was being taken back is done, every figure of the console is another. */
function useFiguresAfterUndo(imports: readonly ImportListing[] | undefined): void {
  const client = useQueryClient()
  const before = useRef(0)
  const undoing = imports?.filter(({ is_undoing }) => is_undoing).length
  useEffect(() => {
    if (undoing === undefined) return
    const isLess = undoing < before.current
    before.current = undoing
    if (isLess) void client.invalidateQueries()
  }, [undoing, client])
}

function Row({ listing, onUndo }: { listing: ImportListing; onUndo: () => void }) {
  const { t } = useTranslation()
  const { count, when } = useBrandFormat()
  const { import_id, file_name: file, source, finished_at, undone_at, undone_by } = listing
  return (
    <tr className={undone_at ? 'history-undone' : undefined}>
      <th scope="row" className="history-file">
        <span className="history-name">{file}</span>
        <span className="people-source">{t('people.source', { source })}</span>
      </th>
      <td className="history-at">
        <When at={finished_at} />
      </td>
      <Counted name={t('imports.rows_in')} value={count(listing.rows_in)} />
      <Counted name={t('imports.rows_stored')} value={count(listing.rows_stored)} />
      <Counted name={t('imports.rows_merged')} value={count(listing.rows_merged)} />
      <Counted name={t('imports.rows_rejected')} value={count(listing.rows_rejected)} />
      <td className="history-state">
        {listing.is_undoing ? (
          <span className="tag">{t('imports.undoing')}</span>
        ) : undone_at ? (
          <span className="soft">{t('imports.undone', { name: undone_by ?? '', at: when(undone_at) })}</span>
        ) : (
          <Button size="small" type="text" onClick={onUndo} aria-label={t('imports.undo_of', { file })}>
            {t('imports.undo')}
          </Button>
        )}
        {listing.has_rejects && (
          <a
            className="history-more"
            href={`/api/v1/imports/${import_id}/rejects`}
            aria-label={t('imports.rejects_of', { file })}
            download
          >
            {t('imports.rejects')}
          </a>
        )}
        {listing.undo_problem && <span className="form-problem history-more">{t('imports.undo_failed')}</span>}
      </td>
    </tr>
  )
}

/** With its name beside it where there is no room for a header. */
function Counted({ name, value }: { name: string; value: string }) {
  return (
    <td className="number">
      <span className="narrow-label">{name}</span>
      {value}
    </td>
  )
}

function UndoDialog({ listing, onClose }: { listing: ImportListing; onClose: () => void }) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const client = useQueryClient()
  const { message } = App.useApp()
  const { import_id, file_name: file } = listing
  const { data: expected, error } = useQuery(undoQuery(import_id))
  const undo = useMutation({
    mutationFn: () => answered(api.POST('/api/v1/imports/{import_id}/undo', { params: { path: { import_id } } })),
    onSuccess: async () => {
      onClose()
      void message.success(t('undo.started'))
      await client.invalidateQueries({ queryKey: importsQuery.queryKey })
    },
  })
  const { facts_retracted: retracted = 0, facts_restored: restored = 0 } = expected ?? {}
  return (
    <DecideDialog
      title={t('undo.title', { file })}
      words={
        expected
          ? [
              ...(retracted > 0 ? [t('undo.retracted', { facts: count(retracted) })] : []),
              ...(restored > 0 ? [t('undo.restored', { facts: count(restored) })] : []),
              ...(retracted + restored === 0 ? [t('undo.nothing')] : []),
              t('undo.later'),
              t('undo.again'),
            ]
          : []
      }
      okText={t('undo.ok')}
      isHarm
      isOkDisabled={!expected}
      decision={undo}
      onOk={() => undo.mutate()}
      onClose={onClose}
    >
      {!expected && !error && (
        <div role="status" aria-label={t('undo.counting')}>
          <SkeletonRows lines={[70, 64]} />
        </div>
      )}
      {error && <FormProblem error={error} />}
    </DecideDialog>
  )
}
