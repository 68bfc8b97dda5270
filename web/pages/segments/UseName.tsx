import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { SegmentUse } from '../../api/segment-queries.ts'

/** What uses a segment; another segment opens, and so do the tags. */
export function UseName({ use }: { use: SegmentUse }) {
  const { t } = useTranslation()
  if (use.user_kind === 'tag') {
    return <Link to="/people/tags">{t('segment_page.use_tag', { name: use.user_name })}</Link>
  }
  if (use.user_kind !== 'segment') {
    return <>{t('segment_page.use_other', { kind: use.user_kind, name: use.user_name })}</>
  }
  return (
    <Link to="/people/segments/$segment_id" params={{ segment_id: use.user_id }} search={{}}>
      {t('segment_page.use_segment', { name: use.user_name })}
    </Link>
  )
}
