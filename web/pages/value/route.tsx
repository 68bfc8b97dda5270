import { getRouteApi } from '@tanstack/react-router'
import { Value } from './Value.tsx'

const route = getRouteApi('/shell/relationship/value')

export function ValueRoute() {
  return <Value search={route.useSearch()} />
}
