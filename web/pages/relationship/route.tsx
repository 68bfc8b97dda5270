import { getRouteApi } from '@tanstack/react-router'
import { Migration } from './Migration.tsx'
import { Segments } from './Segments.tsx'

const migrationRoute = getRouteApi('/shell/relationship')
const segmentsRoute = getRouteApi('/shell/relationship/segments')

export function MigrationRoute() {
  return <Migration search={migrationRoute.useSearch()} />
}

export function SegmentsRoute() {
  return <Segments search={segmentsRoute.useSearch()} />
}
