import { getRouteApi } from '@tanstack/react-router'
import { useWithoutBrand } from '../../api/page-brand.ts'
import { EditSegment, NewSegment } from './BuilderPage.tsx'
import { SegmentList } from './SegmentList.tsx'
import { SegmentPage } from './SegmentPage.tsx'

const newRoute = getRouteApi('/shell/people/segments/new')
const segmentRoute = getRouteApi('/shell/people/segments/$segment_id')
const editRoute = getRouteApi('/shell/people/segments/$segment_id/edit')

export function SegmentListRoute() {
  return <SegmentList />
}

export function NewSegmentRoute() {
  return <NewSegment search={useWithoutBrand(newRoute.useSearch())} />
}

export function SegmentRoute() {
  const { segment_id: segmentId } = segmentRoute.useParams()
  return <SegmentPage key={segmentId} segmentId={segmentId} search={useWithoutBrand(segmentRoute.useSearch())} />
}

export function EditSegmentRoute() {
  const { segment_id: segmentId } = editRoute.useParams()
  return <EditSegment key={segmentId} segmentId={segmentId} search={useWithoutBrand(editRoute.useSearch())} />
}
