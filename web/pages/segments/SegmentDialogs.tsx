import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { App, Input } from 'antd'
import { useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../../api/client.ts'
import { answered } from '../../api/errors.ts'
import { type Segment, segmentVersionsQuery } from '../../api/segment-queries.ts'
import { useBrandFormat } from '../../ui/brand-format.tsx'
import { DecideDialog } from '../../ui/DecideDialog.tsx'

interface SegmentDialogProps {
  segment: Segment
  onClose: () => void
}

export function RenameDialog({ segment, onClose }: SegmentDialogProps) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { message } = App.useApp()
  const fieldId = useId()
  const [name, setName] = useState(segment.name)
  const rename = useMutation({
    mutationFn: () =>
      answered(
        api.PATCH('/api/v1/segments/{segment_id}', {
          params: { path: { segment_id: segment.segment_id } },
          body: { name: name.trim() },
        }),
      ),
    onSuccess: async () => {
      onClose()
      void message.success(t('segment_page.renamed'))
      await client.invalidateQueries()
    },
  })
  return (
    <DecideDialog
      title={t('segment_page.rename_title')}
      words={[t('segment_page.rename_words')]}
      okText={t('segment_page.rename')}
      isOkDisabled={name.trim() === '' || name.trim() === segment.name}
      decision={rename}
      onOk={() => rename.mutate()}
      onClose={onClose}
    >
      <div className="erase-key">
        <label htmlFor={fieldId}>{t('builder.name')}</label>
        <Input
          id={fieldId}
          value={name}
          maxLength={120}
          autoComplete="off"
          onChange={(event) => {
            rename.reset()
            setName(event.target.value)
          }}
        />
      </div>
    </DecideDialog>
  )
}

/** Says what goes and what stays; while something uses the segment, which. */
export function DeleteDialog({ segment, onClose }: SegmentDialogProps) {
  const { t } = useTranslation()
  const { count } = useBrandFormat()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { message } = App.useApp()
  const { data } = useQuery(segmentVersionsQuery(segment.segment_id))
  const remove = useMutation({
    mutationFn: () =>
      answered(api.DELETE('/api/v1/segments/{segment_id}', { params: { path: { segment_id: segment.segment_id } } })),
    onSuccess: async () => {
      void message.success(t('segment_page.deleted'))
      await navigate({ to: '/people/segments', replace: true })
      client.removeQueries({ queryKey: ['segment', segment.segment_id] })
      await client.invalidateQueries()
    },
  })
  const isUsed = segment.used_by.length > 0
  const versions = data?.versions.length ?? segment.version
  const names = segment.used_by.map(({ user_name }) => `“${user_name}”`).join(t('sentence.list'))
  const words = isUsed
    ? [t('segment_page.delete_used', { names })]
    : [
        t('segment_page.delete_words', { versions, count: versions }),
        ...(segment.size === null
          ? []
          : [t('segment_page.delete_people', { people: count(segment.size), count: segment.size })]),
      ]
  return (
    <DecideDialog
      title={t('segment_page.delete_title', { name: segment.name })}
      words={words}
      okText={t('segment_page.delete_ok')}
      isHarm
      isOkDisabled={isUsed}
      decision={remove}
      onOk={() => remove.mutate()}
      onClose={onClose}
    />
  )
}
