import { getRouteApi } from '@tanstack/react-router'
import { useWithoutBrand } from '../../api/page-brand.ts'
import { Migration } from './Migration.tsx'
import { Segments } from './Segments.tsx'

const migrationRoute = getRouteApi('/shell/relationship')
const segmentsRoute = getRouteApi('/shell/relationship/segments')

export function MigrationRoute() {
  return <Migration search={useWithoutBrand(migrationRoute.useSearch())} />
}

export function SegmentsRoute() {
  return <Segments search={useWithoutBrand(segmentsRoute.useSearch())} />
}
